/* proto/kernel/sync.c: what the kernel has against what it should have, see kernel.h */
#include <string.h>

#include "proto/kernel/kernel.h"

#define SOON BT_MS(50) /* gather what belongs together */
#define SPACING_MIN BT_S(1)
#define SPACING_FACTOR 10 /* scans asked for by events take a tenth of the time at most */
#define SLICE BT_US(400)
#define SWEEP_LIMIT BT_S(5) /* the last scan is not waited for longer */
#define CLOCK_EVERY 16

/* --- Networks the scan saw --- */

static void
mark_seen(struct kernel_proto *p, u32 id)
{
  u32 word = id / 64;

  if (word >= p->seen_words)
  {
    u32 words = MAX(p->seen_words * 2, word + 64);

    p->seen = mb_realloc(p->p.pool, p->seen, words * sizeof(u64));
    memset(p->seen + p->seen_words, 0, (words - p->seen_words) * sizeof(u64));
    p->seen_words = words;
  }
  p->seen[word] |= (u64) 1 << id % 64;
}

static bool
was_seen(const struct kernel_proto *p, u32 id)
{
  return id / 64 < p->seen_words && (p->seen[id / 64] & (u64) 1 << id % 64);
}

/* --- Routes of others under keys of ours --- */

static u32
prefix_hash(const struct prefix *p)
{
  return hash_u64((u64) ip_hash(p->addr) << 8 | p->len);
}

static struct kernel_foreign *
find_foreign(const struct kernel_proto *p, const struct prefix *prefix)
{
  for (struct hnode *n = hash_first(&p->foreign, prefix_hash(prefix)); n; n = hash_again(n))
  {
    struct kernel_foreign *f = SKIP_BACK(struct kernel_foreign, hn, n);

    if (f->prefix.len == prefix->len && ip_equal(f->prefix.addr, prefix->addr))
      return f;
  }
  return NULL;
}

static void
add_foreign(struct kernel_proto *p, const struct nl_route *r)
{
  struct kernel_foreign *f = find_foreign(p, &r->dst);

  if (!f)
  {
    f = mb_alloc(p->p.pool, sizeof(*f));
    f->prefix = r->dst;
    hash_add(&p->foreign, &f->hn, prefix_hash(&r->dst));
  }
  f->seen = true;
}

static void
remove_foreign(struct kernel_proto *p, struct kernel_foreign *f)
{
  hash_remove(&p->foreign, &f->hn);
  mb_free(f);
}

/* --- Writing --- */

bool
kernel_write(struct kernel_proto *p, const struct net *n, const struct net_addr *na, const struct attrs *a)
{
  struct nl_nexthop hops[NEXTHOPS_MAX];
  struct nl_route r;

  if (a && find_foreign(p, &na->prefix))
    return false;
  kernel_route_make(p, &r, hops, &na->prefix, a);
  if (a)
    nl_route_set(p->routes, &r, 0);
  else
    nl_route_delete(p->routes, &r, 0);
  mark_seen(p, n->id);
  return true;
}

/* --- Comparing --- */

static bool
is_ours(const struct kernel_proto *p, const struct nl_route *r)
{
  return r->protocol == NL_PROTO_BIRD && r->metric == kernel_metric(p);
}

static struct net *
net_of(const struct kernel_proto *p, const struct prefix *dst)
{
  struct net_addr a = net_from_prefix(dst);

  return rt_net(p->channel->table, &a);
}

static void
check_ours(struct kernel_proto *p, const struct nl_route *r)
{
  struct net *n = net_of(p, &r->dst);
  struct attrs *wanted = n ? channel_sent(p->channel, n) : NULL;
  struct nl_nexthop hops[NEXTHOPS_MAX];
  struct nl_route should;

  if (!wanted)
  {
    /* While the feed goes on it may be wanted yet; the end of the feed asks for a scan. */
    if (!p->channel->feeding && loop_now(p->p.loop) >= p->leftovers_until)
      nl_route_delete(p->routes, r, 0);
    return;
  }
  if (was_seen(p, n->id))
    return; /* written since the scan began: this is older */
  mark_seen(p, n->id);
  kernel_route_make(p, &should, hops, &r->dst, wanted);
  if (kernel_route_matches(r, &should))
    return;
  p->repaired++;
  nl_route_set(p->routes, &should, 0);
}

static bool
may_learn(const struct kernel_proto *p, const struct nl_route *r)
{
  return kernel_config_of(p)->learn && r->protocol != NL_PROTO_KERNEL && r->protocol != NL_PROTO_REDIRECT &&
         r->protocol != NL_PROTO_BIRD && !r->src.len && !r->tos;
}

static void
learn(struct kernel_proto *p, const struct nl_route *r, bool gone)
{
  struct net_addr a = net_from_prefix(&r->dst);
  struct attrs *set = gone ? NULL : kernel_learned_attrs(p, r);

  channel_update(p->channel, &a, r->metric, set);
  attrs_unref(set);
}

static void
scanned(struct kernel_proto *p, const struct nl_route *r)
{
  if (is_ours(p, r))
  {
    if (p->synced)
      check_ours(p, r);
    return;
  }
  if (r->metric == kernel_metric(p) && !r->tos && !r->src.len)
    add_foreign(p, r);
  if (p->synced && may_learn(p, r))
    learn(p, r, false);
}

/* A key of ours is free again. */
static void
foreign_gone(struct kernel_proto *p, struct kernel_foreign *f)
{
  struct net_addr a = net_from_prefix(&f->prefix);
  struct net *n = rt_net(p->channel->table, &a);
  struct attrs *wanted = n ? channel_sent(p->channel, n) : NULL;

  remove_foreign(p, f);
  if (wanted)
    kernel_write(p, n, &a, wanted);
}

static void
event(struct kernel_proto *p, const struct nl_route *r, bool gone)
{
  struct kernel_foreign *f;

  if (is_ours(p, r))
  {
    kernel_scan_soon(p); /* somebody touched it; the scan says what there is now */
    return;
  }
  if (gone && p->v6 && r->nexthop_count == 1) /* perhaps one of several, and the rest is in place */
  {
    kernel_scan_soon(p);
    return;
  }
  if (r->metric == kernel_metric(p) && !r->tos && !r->src.len)
  {
    if (!gone)
      add_foreign(p, r);
    else if ((f = find_foreign(p, &r->dst)))
      foreign_gone(p, f);
  }
  if (may_learn(p, r))
    learn(p, r, gone);
}

/* --- Scans --- */

static void
hook_scan_begin(void *data, u32 table UNUSED)
{
  struct kernel_proto *p = data;
  struct kernel_foreign *f;

  p->scanning = true;
  p->sweeping = p->sweep_due;
  p->scan_began = loop_now_fresh(p->p.loop);
  if (p->seen)
    memset(p->seen, 0, p->seen_words * sizeof(u64));
  HASH_WALK (f, &p->foreign, hn)
    f->seen = false;
  if (p->synced && !p->stopping && kernel_config_of(p)->learn)
    channel_refresh_begin(p->channel);
}

static void
visit_missing(struct gnode *g, void *data)
{
  struct kernel_proto *p = data;
  struct net *n = SKIP_BACK(struct net, hn, g);
  struct attrs *wanted = channel_sent(p->channel, n);

  if (!wanted || was_seen(p, n->id))
    return;

  struct net_addr a = net_addr_of(p->channel->table, n);

  p->repaired += kernel_write(p, n, &a, wanted);
}

static bool
repair_slice(struct work *w UNUSED, void *data)
{
  struct kernel_proto *p = data;
  btime end = loop_now_fresh(p->p.loop) + SLICE;

  if (p->scanning) /* a new scan has begun: what it has not seen yet is not missing */
    p->repairing = false;
  for (uint i = 0; p->repairing && nl_routes_pending(p->routes) < NL_ROUTES_WINDOW; i++)
  {
    p->repairing = growhash_walk(&p->channel->table->nets, &p->repair_pos, visit_missing, p);
    if (i % CLOCK_EVERY == CLOCK_EVERY - 1 && loop_now_fresh(p->p.loop) >= end)
      return p->repairing;
  }
  nl_routes_flush(p->routes);
  return false; /* if there is more, progress() goes on */
}

void
kernel_pace(struct kernel_proto *p)
{
  bool enough = nl_routes_pending(p->routes) >= NL_ROUTES_WINDOW;

  if (enough != p->channel->paused)
    channel_pause(p->channel, enough);
}

/* Down once the kernel has done all that was asked of it. */
static void
stop_when_done(struct kernel_proto *p)
{
  nl_routes_flush(p->routes);
  if (!p->sweep_due && !nl_routes_pending(p->routes))
    proto_down(&p->p);
}

void
kernel_sweep(struct kernel_proto *p)
{
  if (p->sweep_due)
  {
    kernel_scan(p);
    timer_set_in(p->leftovers, SWEEP_LIMIT);
  }
  stop_when_done(p);
}

static void
hook_progress(void *data)
{
  struct kernel_proto *p = data;

  if (p->stopping)
  {
    stop_when_done(p);
    return;
  }
  kernel_pace(p);
  if (p->repairing)
    work_schedule(p->repair);
}

static void
hook_scan_end(void *data, u32 table UNUSED)
{
  struct kernel_proto *p = data;
  struct kernel_foreign *f;

  p->scanning = false;
  p->scan_took = loop_now_fresh(p->p.loop) - p->scan_began;
  if (p->stopping)
  {
    p->sweep_due &= !p->sweeping;
    stop_when_done(p);
    return;
  }
  HASH_WALK (f, &p->foreign, hn)
    if (!f->seen)
      foreign_gone(p, f);
  if (!p->synced)
  {
    p->synced = true;
    p->leftovers_until = loop_now(p->p.loop) + KERNEL_LEFTOVER_TIME;
    timer_set(p->leftovers, p->leftovers_until);
    proto_up(&p->p);
    return;
  }
  if (kernel_config_of(p)->learn)
    channel_refresh_end(p->channel);
  p->repair_pos = 0;
  p->repairing = true;
  work_schedule(p->repair);
  if (p->scan_wanted)
    kernel_scan_soon(p);
}

static void
hook_route(void *data, const struct nl_route *r, enum nl_route_event what)
{
  struct kernel_proto *p = data;

  if (r->table != kernel_config_of(p)->table)
    return;
  if (p->sweeping && what == NL_ROUTE_SEEN && is_ours(p, r))
    nl_route_delete(p->routes, r, 0);
  if (p->stopping || (p->p.state != PROTO_UP && p->synced))
    return;
  if (what == NL_ROUTE_SEEN)
    scanned(p, r);
  else if (p->synced)
    event(p, r, what == NL_ROUTE_GONE);
}

static void
hook_overrun(void *data)
{
  kernel_scan_soon(data);
}

static void
hook_refused(void *data, u64 cookie UNUSED, const struct prefix *dst, bool removing, int error,
             const char *text)
{
  struct kernel_proto *p = data;
  struct nl_route r;

  log_rl(&p->trouble, L_ERR, "%s: The kernel refused to %s %s: %s%s%s", p->p.name,
         removing ? "remove" : "take a route for", PREFIX_STR(dst), strerror(error), text ? ": " : "",
         text ? text : "");
  if (removing)
    return;
  /* What it had before is not what we want any more. */
  kernel_route_make(p, &r, NULL, dst, NULL);
  nl_route_delete(p->routes, &r, 0);
}

const struct nl_routes_hooks kernel_hooks = {
  .scan_begin = hook_scan_begin,
  .scan_end = hook_scan_end,
  .route = hook_route,
  .overrun = hook_overrun,
  .refused = hook_refused,
  .progress = hook_progress,
};

void
kernel_scan(struct kernel_proto *p)
{
  p->scan_wanted = false;
  nl_routes_scan(p->routes, kernel_config_of(p)->table);
}

void
kernel_scan_soon(struct kernel_proto *p)
{
  btime spacing = MAX(SPACING_MIN, p->scan_took * SPACING_FACTOR), now = loop_now_fresh(p->p.loop);

  if (p->scanning)
    p->scan_wanted = true;
  else if (!timer_is_set(p->soon))
    timer_set(p->soon, MAX(now + SOON, p->scan_began + spacing));
}

static void
soon_timer(struct timer *t UNUSED, void *data)
{
  kernel_scan(data);
}

static void
leftovers_timer(struct timer *t UNUSED, void *data)
{
  struct kernel_proto *p = data;

  if (!p->stopping)
  {
    kernel_scan(p);
    return;
  }
  p->sweep_due = false;
  stop_when_done(p);
}

static void
periodic_timer(struct timer *t, void *data)
{
  struct kernel_proto *p = data;

  kernel_scan(p);
  timer_set_in(t, BT_S(kernel_config_of(p)->scan_time));
}

/* The kernel drops routes of a link that goes down, or with an address, and says nothing. */
static void
iface_hook(const struct iface *i UNUSED, void *data)
{
  struct kernel_proto *p = data;

  if (p->synced)
    kernel_scan_soon(p);
}

void
kernel_sync_start(struct kernel_proto *p)
{
  hash_init(&p->foreign, p->p.pool);
  p->seen = NULL;
  p->seen_words = 0;
  p->synced = p->scanning = p->scan_wanted = p->repairing = p->stopping = p->sweep_due = p->sweeping = false;
  p->scan_began = p->scan_took = 0;
  p->repair = work_new(p->p.pool, p->p.loop, LOOP_REST, repair_slice, p);
  p->soon = timer_new(p->p.pool, p->p.loop, soon_timer, p);
  p->leftovers = timer_new(p->p.pool, p->p.loop, leftovers_timer, p);
  p->periodic = timer_new(p->p.pool, p->p.loop, periodic_timer, p);
  timer_set_in(p->periodic, BT_S(kernel_config_of(p)->scan_time));
  iface_watch_new(p->p.pool, iface_hook, p);
  kernel_scan(p);
}
