/*
 * proto/bfd/forecast.c: what a configuration that is only being checked would do to the sessions there are
 *
 * The requests of a session are looked for in the new configuration, where the protocol they come from says
 * whether it would ask again.
 */
#include <string.h>

#include "lib/text.h"
#include "proto/bfd/bfd.h"

enum fate
{
  KEPT,
  RETIMED,
  REGUARDED,
  REKEYED,
  DROPPED,
  FATE__MAX
};

static const struct bfd_neighbor_config *
find_line(const struct bfd_config *cf, const struct bfd_request *r, bool same_key)
{
  if (!cf->by_remote.slots)
    return NULL;
  for (struct hnode *n = hash_first(&cf->by_remote, ip_hash(r->remote)); n; n = hash_again(n))
  {
    const struct bfd_neighbor_config *nb = SKIP_BACK(struct bfd_neighbor_config, by_remote, n);
    bool same = nb->multihop == (r->hop == BFD_MULTIHOP);

    if (same && nb->multihop)
      same = ip_equal(nb->local, r->local);
    else if (same)
      same = strcmp(nb->ifname, r->nb->ifname) == 0 && ip_equal(nb->local, r->nb->wanted);
    if (ip_equal(nb->remote, r->remote) && (same || !same_key))
      return nb;
  }
  return NULL;
}

const struct bfd_options *
bfd_line_wants(const struct proto_config *cf, const struct bfd_request *r)
{
  const struct bfd_neighbor_config *nb = find_line((const struct bfd_config *) cf, r, true);

  return nb ? &nb->options : NULL;
}

static const struct proto_config *
config_of_client(const struct config *cfg, const char *name)
{
  const struct cf_symbol *sym = cf_symbol_find(cfg, name);
  const struct proto_config *cf = sym && sym->class == CF_PROTOCOL ? sym->proto : NULL;

  return cf && !cf->disabled ? cf : NULL;
}

static const struct bfd_options *
still_wanted(const struct bfd_request *r, void *data)
{
  const struct proto_config *cf = config_of_client(data, r->client);

  return cf && cf->class->wants_bfd ? cf->class->wants_bfd(cf, r) : NULL;
}

/* Would the peer be asked for under another key? */
static bool
is_rekeyed(const struct bfd_config *cf, const struct bfd_shared *s)
{
  const struct node *first = list_first(&s->requests);

  return first && find_line(cf, SKIP_BACK(struct bfd_request, sn, first), false);
}

/* What it is asked to be, which is not what it is while held down or adapted to a machine that is late. */
static struct bfd_params
present_params(const struct bfd_proto *p, const struct bfd_shared *s)
{
  struct bfd_params params = s->params;
  struct bfd_guard guard;

  bfd_params_under(bfd_config_of(p), s, bfd_own_options, NULL, &params, &guard);
  return params;
}

static enum fate
fate_of(const struct bfd_config *cf, const struct bfd_shared *s, const struct bfd_params *old,
        struct bfd_params *params)
{
  struct bfd_guard guard;
  struct bfd_params timing;
  bool served = !cf->p.disabled && bfd_accepts_kind(cf, s->key.hop, !ip_is_v4(s->key.remote));

  if (!served || !bfd_params_under(cf, s, still_wanted, cf->p.config, params, &guard))
    return is_rekeyed(cf, s) && served ? REKEYED : DROPPED;
  if (!bfd_guard_equal(&guard, &s->guard))
    return REGUARDED;
  timing = *params;
  timing.offload = old->offload; /* the peer will not notice */
  return bfd_params_equal(&timing, old) ? KEPT : RETIMED;
}

static void
print_fate(struct cli *c, const struct bfd_shared *s, enum fate fate, const struct bfd_params *old,
           const struct bfd_params *new)
{
  static const char *const texts[] = { [KEPT] = "kept",
                                       [REGUARDED] = "other authentication or minimum TTL",
                                       [REKEYED] = "rekeyed",
                                       [DROPPED] = "would drop" };
  const char *where = s->key.hop == BFD_MULTIHOP ? "multihop" : s->key.ifname;

  if (fate == RETIMED)
    cli_line(c, 1020, "  %s %s: retimed, tx %s to %s, rx %s to %s, multiplier %u to %u",
             IP_STR(s->key.remote), where, TIME_STR(old->min_tx), TIME_STR(new->min_tx),
             TIME_STR(old->min_rx), TIME_STR(new->min_rx), old->detect_mult, new->detect_mult);
  else
    cli_line(c, 1020, "  %s %s: %s", IP_STR(s->key.remote), where, texts[fate]);
}

static void
forecast_list(const struct bfd_proto *p, const struct list *sessions, const struct bfd_config *cf,
              struct cli *c, uint *counts)
{
  struct bfd_shared *s;

  LIST_WALK (s, sessions, n)
  {
    struct bfd_params old = present_params(p, s), params;
    enum fate fate = cf ? fate_of(cf, s, &old, &params) : DROPPED;

    counts[fate]++;
    print_fate(c, s, fate, &old, &params);
  }
}

void
bfd_forecast(const struct proto *proto, const struct config *cfg, struct cli *c)
{
  const struct bfd_proto *p = (const struct bfd_proto *) proto;
  const struct bfd_config *cf = (const struct bfd_config *) config_of_client(cfg, proto->name);
  uint counts[FATE__MAX] = { 0 };

  if (cf && cf->p.class != &proto_bfd)
    cf = NULL;
  if (list_empty(&p->direct) && list_empty(&p->multihop) && list_empty(&p->due))
    return;
  cli_line(c, 1020, "%s:", proto->name);
  forecast_list(p, &p->direct, cf, c, counts);
  forecast_list(p, &p->multihop, cf, c, counts);
  forecast_list(p, &p->due, cf, c, counts);
  cli_line(c, 1020, "  Sessions: %u kept, %u retimed, %u rekeyed, %u would drop",
           counts[KEPT] + counts[REGUARDED], counts[RETIMED], counts[REKEYED], counts[DROPPED]);
}
