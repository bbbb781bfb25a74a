/*
 * proto/monitor/request.c: sessions that monitors have asked for; see monitor.h
 *
 * Each subscription has a request of its own, so sharing, parameters that differ, and going when the last one
 * goes are the business of nest/bfd.h. A request lingers, lest a client that comes back finds its session
 * gone.
 */
#include <string.h>

#include "proto/monitor/monitor.h"
#include "sysdep/log.h"

#define LINGER_MAX BT_S(60) /* unless the configuration says so */

struct mon_request
{
  struct node n;
  struct hnode by_remote;
  struct monitor *m;
  struct bfd_request *request;
  struct mon_wish wish;
  struct timer *linger;
};

/* What becomes of the session the monitor hears from the watch. */
static void
request_hook(struct bfd_request *r UNUSED, const struct bfd_status *st UNUSED, void *data UNUSED)
{
}

static const struct mon_key *
find_key(const struct monitor_config *cf, const char *name)
{
  struct mon_key *k;

  LIST_WALK (k, &cf->keys, n)
    if (strcmp(k->name, name) == 0)
      return k;
  return NULL;
}

/* Borrows the passwords from the configuration. */
static bool
options_for(const struct monitor *m, const struct mon_wish *wish, struct bfd_options *options)
{
  const struct mon_key *k = wish->key[0] ? find_key(monitor_config_of(m), wish->key) : NULL;

  *options = wish->options;
  if (!k)
    return !wish->key[0];
  options->set |= k->options.set & (BFD_OPT_AUTH | BFD_OPT_PASSWORDS);
  options->guard.auth = k->options.guard.auth;
  options->guard.passwords = k->options.guard.passwords;
  return true;
}

static bool
no_key(struct mon_error *error, const struct mon_wish *wish)
{
  return mon_error_set(error, "bad-value", "authentication", "There is no authentication \"%s\"", wish->key);
}

/* Whom to believe is for the configuration to say, where it does. */
static struct bfd_peer
peer_for(const struct monitor *m, const struct mon_ident *id, const struct mon_wish *wish)
{
  struct bfd_peer peer = {
    .hop = id->kind == MON_MULTIHOP ? BFD_MULTIHOP : BFD_DIRECT,
    .vrf = m->p.cf->vrf,
    .remote = id->remote,
    .local = id->kind == MON_MULTIHOP ? id->local : wish->local,
    .yields = true,
    .client = m->p.name,
  };

  if (id->kind == MON_DIRECT)
    peer.ifname = id->name;
  if (id->kind == MON_MULTIHOP && id->name[0])
    peer.vrf = id->name;
  return peer;
}

static void request_free(struct mon_request *r);

/* The new one is among them; those that linger make room. */
static bool
has_room(struct monitor *m, struct mon_error *error)
{
  uint limit = monitor_config_of(m)->request_limit;

  while (m->request_count > limit && !list_empty(&m->lingering))
    request_free(SKIP_BACK(struct mon_request, n, list_first(&m->lingering)));
  return m->request_count <= limit ||
         mon_error_set(error, "limit", "session", "%u sessions have been asked for, which is the limit",
                       limit);
}

/* What would believe others than the session that is there does, would never be served. */
static bool
differs(const struct mon_request *r, struct mon_error *error)
{
  if (r->request->aside)
    mon_error_set(error, "differs", "session",
                  "The session to %s has other authentication or another minimum TTL",
                  IP_STR(r->request->remote));
  return r->request->aside;
}

struct mon_request *
mon_request_new(struct monitor *m, const struct mon_ident *id, const struct mon_wish *wish,
                struct mon_error *error)
{
  struct bfd_peer peer = peer_for(m, id, wish);
  struct bfd_options options;
  struct mon_request *r;

  if (!options_for(m, wish, &options))
  {
    no_key(error, wish);
    return NULL;
  }
  if (peer.hop == BFD_DIRECT && ip_is_link_local(peer.remote) && !peer.ifname)
  {
    mon_error_set(error, "bad-value", "session", "A link-local address needs an interface: %s%%eth0",
                  IP_STR(peer.remote));
    return NULL;
  }
  r = mb_alloc(m->p.pool, sizeof(*r));
  r->m = m;
  r->wish = *wish;
  r->request = bfd_request_new(m->p.pool, &peer, &options, request_hook, NULL);
  list_add_tail(&m->requests, &r->n);
  hash_add(&m->requests_by_remote, &r->by_remote, ip_hash(id->remote));
  m->request_count++;
  /* Now, for the session of one that lingered may be the same. */
  if (!has_room(m, error) || differs(r, error))
  {
    request_free(r);
    return NULL;
  }
  return r;
}

/* What is not asked for again stays as it was. */
static void
merge(struct mon_wish *wish, const struct mon_wish *more)
{
  struct bfd_options *o = &wish->options;
  const struct bfd_options *with = &more->options;

  if (with->set & BFD_OPT_MIN_RX)
    o->min_rx = with->min_rx;
  if (with->set & BFD_OPT_MIN_TX)
    o->min_tx = with->min_tx;
  if (with->set & BFD_OPT_IDLE_TX)
    o->idle_tx = with->idle_tx;
  if (with->set & BFD_OPT_MULTIPLIER)
    o->multiplier = with->multiplier;
  if (with->set & BFD_OPT_PASSIVE)
    o->passive = with->passive;
  if (with->set & BFD_OPT_ADMIN_DOWN)
    o->admin_down = with->admin_down;
  if (with->set & BFD_OPT_MIN_TTL)
    o->guard.min_ttl = with->guard.min_ttl;
  o->set |= with->set;
  if (more->key[0])
    strcpy(wish->key, more->key);
}

bool
mon_request_change(struct monitor *m, struct mon_request *r, const struct mon_wish *wish,
                   struct mon_error *error)
{
  struct mon_wish merged = r->wish;
  struct bfd_options options;

  merge(&merged, wish);
  if (!options_for(m, &merged, &options))
    return no_key(error, &merged);
  bfd_request_change(r->request, &options);
  if (differs(r, error))
  {
    if (options_for(m, &r->wish, &options))
      bfd_request_change(r->request, &options);
    return false;
  }
  r->wish = merged;
  return true;
}

static void
request_free(struct mon_request *r)
{
  list_remove(&r->n);
  hash_remove(&r->m->requests_by_remote, &r->by_remote);
  r->m->request_count--;
  rfree(r->request);
  rfree(r->linger);
  mb_free(r);
}

static void
linger_over(struct timer *t UNUSED, void *data)
{
  request_free(data);
}

/* As far as our own side makes it: what the peer wants is known to the engine. */
static btime
detection_time(const struct mon_request *r)
{
  struct bfd_params params = BFD_PARAMS_DEFAULT;

  bfd_options_apply(&params, &r->wish.options);
  return MIN((btime) params.detect_mult * MAX(params.min_rx, params.min_tx), LINGER_MAX);
}

void
mon_request_leave(struct monitor *m, struct mon_request *r)
{
  btime linger = monitor_config_of(m)->linger;

  list_remove(&r->n);
  list_add_tail(&m->lingering, &r->n);
  r->linger = timer_new(m->p.pool, m->p.loop, linger_over, r);
  timer_set_in(r->linger, linger == BT_NEVER ? detection_time(r) : linger);
}

bool
mon_request_for(const struct monitor *m, ip_addr remote)
{
  for (struct hnode *n = hash_first(&m->requests_by_remote, ip_hash(remote)); n; n = hash_again(n))
    if (ip_equal(SKIP_BACK(struct mon_request, by_remote, n)->request->remote, remote))
      return true;
  return false;
}

void
mon_requests_start(struct monitor *m)
{
  list_init(&m->requests);
  list_init(&m->lingering);
  hash_init(&m->requests_by_remote, m->p.pool);
  m->request_count = 0;
}

void
mon_requests_stop(struct monitor *m)
{
  struct mon_request *r;

  LIST_WALK_SAFE (r, &m->requests, n)
    request_free(r);
  LIST_WALK_SAFE (r, &m->lingering, n)
    request_free(r);
}

/* The passwords of a name may be others now. */
void
mon_requests_follow(struct monitor *m)
{
  struct bfd_options options;
  struct mon_request *r;

  LIST_WALK (r, &m->requests, n)
    if (options_for(m, &r->wish, &options))
      bfd_request_change(r->request, &options);
    else
      log_write(L_WARN, "%s: There is no authentication \"%s\" any more; the session to %s keeps what it had",
                m->p.name, r->wish.key, IP_STR(r->request->remote));
}
