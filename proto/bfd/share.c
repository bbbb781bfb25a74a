/*
 * proto/bfd/share.c: what the requests of one session add up to
 *
 * Intervals are a compromise that does not depend on who came first. Whom to believe (authentication, minimum
 * TTL) is none: there the oldest request decides, and those that want it otherwise wait.
 */
#include <string.h>

#include "proto/bfd/bfd.h"
#include "sysdep/clock.h"

#define KEYS_PATIENCE BT_S(300) /* for a peer to be given the keys that we were given */

/* RFC 5880 leaves sharing to us: the request that wants to know soonest sets the pace. bird.conf(5) */
static bool
request_before(const struct bfd_request *a, const struct bfd_params *pa, const struct bfd_request *b,
               const struct bfd_params *pb)
{
  /* Required min RX 0 asks for no packets at all: such a request is the last to decide. */
  u64 rx_a = pa->min_rx ? (u64) pa->min_rx * pa->detect_mult : UINT64_MAX;
  u64 rx_b = pb->min_rx ? (u64) pb->min_rx * pb->detect_mult : UINT64_MAX;
  u64 tx_a = (u64) pa->min_tx * pa->detect_mult, tx_b = (u64) pb->min_tx * pb->detect_mult;

  if (rx_a != rx_b)
    return rx_a < rx_b;
  if (tx_a != tx_b)
    return tx_a < tx_b;
  return a->age < b->age;
}

static const struct bfd_request *
older(const struct bfd_request *a, const struct bfd_request *b)
{
  if (!a || a->yields != b->yields)
    return !a || a->yields ? b : a;
  return b->age < a->age ? b : a;
}

const struct bfd_options *
bfd_base_options(const struct bfd_config *cf, const struct bfd_shared *s)
{
  static const struct bfd_options none;
  struct bfd_iface_config *i;

  if (s->key.hop == BFD_MULTIHOP)
    return &cf->multihop;
  LIST_WALK (i, &cf->ifaces, n)
    if (iface_pattern_match(i->pattern, s->key.ifname))
      return &i->options;
  return &none;
}

static struct bfd_guard
guard_of(const struct bfd_shared *s, const struct bfd_options *base, const struct bfd_options *own)
{
  struct bfd_guard guard = { 0 };

  bfd_options_guard(&guard, base);
  bfd_options_guard(&guard, own);
  if (s->key.hop == BFD_DIRECT)
    guard.min_ttl = 0; /* it has to be 255 there */
  return guard;
}

/* All requests of a session, those that differ included. */
#define FOR_REQUESTS(r, s)              \
  for (uint set_ = 0; set_ < 2; set_++) \
    LIST_WALK (r, set_ ? &(s)->differing : &(s)->requests, sn)

/* What the oldest request wants; false: nobody asks. */
static bool
oldest_guard(const struct bfd_shared *s, const struct bfd_options *base, bfd_options_of *options, void *data,
             struct bfd_guard *guard)
{
  const struct bfd_request *oldest = NULL;
  struct bfd_request *r;

  FOR_REQUESTS (r, s)
  {
    const struct bfd_options *o = options(r, data);

    if (!o || older(oldest, r) == oldest)
      continue;
    oldest = r;
    *guard = guard_of(s, base, o);
  }
  return oldest;
}

static bool
agrees(const struct bfd_shared *s, const struct bfd_options *base, const struct bfd_options *own,
       const struct bfd_guard *wanted)
{
  struct bfd_guard guard = guard_of(s, base, own);

  return bfd_guard_equal(&guard, wanted);
}

bool
bfd_params_under(const struct bfd_config *cf, const struct bfd_shared *s, bfd_options_of *options, void *data,
                 struct bfd_params *params, struct bfd_guard *guard)
{
  const struct bfd_options *base = bfd_base_options(cf, s);
  const struct bfd_request *first = NULL;
  struct bfd_params from = BFD_PARAMS_DEFAULT, best = from;
  bool passive = true, admin_down = true;
  struct bfd_request *r;

  if (!oldest_guard(s, base, options, data, guard))
    return false;
  from.offload = cf->offload;
  bfd_options_apply(&from, base);
  FOR_REQUESTS (r, s)
  {
    const struct bfd_options *o = options(r, data);
    struct bfd_params mine = from;

    if (!o || !agrees(s, base, o, guard))
      continue;
    bfd_options_apply(&mine, o);
    passive = passive && mine.passive;
    admin_down = admin_down && mine.admin_down;
    if (!first || request_before(r, &mine, first, &best))
    {
      first = r;
      best = mine;
    }
  }
  best.passive = passive;
  best.admin_down = admin_down;
  best.min_ttl = guard->min_ttl;
  *params = best;
  return true;
}

const struct bfd_options *
bfd_own_options(const struct bfd_request *r, void *data UNUSED)
{
  return &r->options;
}

/* Requests that differ */

static const struct bfd_request *
oldest_request(const struct bfd_shared *s)
{
  const struct bfd_request *oldest = NULL;
  struct bfd_request *r;

  FOR_REQUESTS (r, s)
    oldest = older(oldest, r);
  return oldest;
}

static void
set_aside(struct bfd_proto *p, struct bfd_shared *s, struct bfd_request *r, const struct bfd_request *oldest)
{
  static const struct bfd_status unserved = { .state = BFD_ADMIN_DOWN };

  r->aside = true;
  list_remove(&r->sn);
  list_add_tail(&s->differing, &r->sn);
  bfd_request_update(r, &unserved, false);
  log_rl(&p->differ_limit, L_WARN,
         "%s: %s wants other authentication or another minimum TTL of the session to %s than %s, and waits",
         p->p.name, r->client, IP_STR(r->remote), oldest->client);
}

static void
take_back(struct bfd_proto *p, struct bfd_shared *s, struct bfd_request *r)
{
  r->aside = false;
  list_remove(&r->sn);
  list_add_tail(&s->requests, &r->sn);
  bfd_suppress_tell(p, s, r, false);
}

static void
sort_out(struct bfd_proto *p, struct bfd_shared *s)
{
  const struct bfd_options *base = bfd_base_options(bfd_config_of(p), s);
  const struct bfd_request *oldest = oldest_request(s);
  struct bfd_guard wanted = guard_of(s, base, &oldest->options);
  struct bfd_request *r;

  LIST_WALK_SAFE (r, &s->requests, sn)
    if (!agrees(s, base, &r->options, &wanted))
      set_aside(p, s, r, oldest);
  LIST_WALK_SAFE (r, &s->differing, sn)
    if (agrees(s, base, &r->options, &wanted))
      take_back(p, s, r);
}

/* Keys */

static struct bfd_keys *
make_keys(pool *p, const struct bfd_guard *guard, btime wall)
{
  const struct password_list *l = guard->passwords;
  uint count = l ? l->count : 0, longest = bfd_auth_secret_max(guard->auth);

  if (guard->auth == BFD_AUTH_NONE)
    return NULL;

  struct bfd_keys *keys = mb_alloc(p, bfd_keys_size(count));
  const struct password *sign = l ? password_to_sign(l, longest, wall) : NULL;

  keys->type = guard->auth;
  for (uint i = 0; i < count; i++)
  {
    const struct password *pw = &l->list[i];
    bool accept = password_is_valid(&pw->accept, wall);
    struct bfd_secret *s = &keys->secret[keys->count];

    if (pw->length > longest || !(accept || pw == sign))
      continue;
    *s = (struct bfd_secret){ .id = pw->id, .length = pw->length, .generate = pw == sign, .accept = accept };
    memcpy(s->data, pw->secret, pw->length);
    keys->count++;
  }
  return keys;
}

static bool
same_keys(const struct bfd_keys *a, const struct bfd_keys *b)
{
  return a == b || (a && b && bfd_keys_equal(a, b));
}

/* Look again when one of the keys begins or ends to be valid. */
static void
watch_keys(struct bfd_proto *p, const struct bfd_guard *guard, btime wall)
{
  btime next = guard->auth && guard->passwords ? password_next_change(guard->passwords, wall) : BT_NEVER;

  if (next == BT_NEVER)
    return;

  btime at = loop_now(p->p.loop) + (next - wall);

  if (!timer_is_set(p->key_timer) || at < p->key_timer->e.deadline)
    timer_set(p->key_timer, at);
}

static void
remember_guard(struct bfd_proto *p, struct bfd_shared *s, const struct bfd_guard *guard)
{
  struct password_list *copy = guard->passwords ? password_list_copy(p->p.pool, guard->passwords) : NULL;

  rfree(s->passwords);
  s->passwords = copy;
  s->guard = *guard;
  s->guard.passwords = copy;
}

/* The former keys are in use meanwhile; not beyond the time they are valid. */
static btime
patience_for(const struct bfd_shared *s, btime wall)
{
  btime next = s->passwords ? password_next_change(s->passwords, wall) : BT_NEVER;

  return MIN(next - wall, KEYS_PATIENCE);
}

struct bfd_params
bfd_share_settle(struct bfd_proto *p, struct bfd_shared *s, btime *patience, bool *rekeyed)
{
  btime wall = clock_wall();
  struct bfd_params params;
  struct bfd_guard guard;

  sort_out(p, s);
  bfd_params_under(bfd_config_of(p), s, bfd_own_options, NULL, &params, &guard);
  bfd_pace_apply(p, s, &params);

  struct bfd_keys *keys = make_keys(p->p.pool, &guard, wall);

  *rekeyed = !same_keys(keys, s->keys);
  *patience = BFD_KEYS_TICK;
  if (!bfd_guard_equal(&guard, &s->guard))
  {
    *patience = patience_for(s, wall);
    remember_guard(p, s, &guard);
  }
  bfd_keys_free(s->keys);
  s->keys = keys;
  watch_keys(p, &guard, wall);
  params.admin_down |= bfd_is_held(p, &s->key);
  return params;
}

void
bfd_share_forget(struct bfd_shared *s)
{
  bfd_keys_free(s->keys);
  rfree(s->passwords);
}
