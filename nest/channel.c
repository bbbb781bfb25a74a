/*
 * nest/channel.c: see channel.h
 *
 * Everything long is a walk of the table in slices: feeding the protocol when the channel comes up, feeding
 * it anew, pruning after a refresh, flushing at the end. While a walk goes on, news is still read from the
 * journals, the urgent one first.
 */
#include <stdio.h>
#include <string.h>

#include "nest/channel.h"
#include "sysdep/clock.h"

#define SLICE BT_US(400)
#define CLOCK_EVERY 16 /* steps between two looks at the clock */

/* --- Tracing, under the debug flags of the channel or of its protocol --- */

static bool
traced(const struct channel *c, uint flags)
{
  return (c->debug | c->proto->debug) & flags;
}

#define CHANNEL_TRACE(c, flag, fmt, ...)                                                 \
  do                                                                                     \
  {                                                                                      \
    if (traced(c, flag))                                                                 \
      log_write(L_TRACE, "%s.%s: " fmt, (c)->proto->name, (c)->cf->name, ##__VA_ARGS__); \
  } while (0)

#define DEST_TEXT_SIZE (IP_TEXT_SIZE + 64)

/* Where a route leads; of several next hops the first. */
static const char *
dest_text(const struct attrs *a, char buf[DEST_TEXT_SIZE])
{
  const struct nexthop *nh = a->nexthops;

  if (!a->nexthop_count)
    return attrs_dest_name(a);
  snprintf(buf, DEST_TEXT_SIZE, "%s%s%s on %s%s", attrs_dest_name(a), ip_is_none(nh->via) ? "" : " via ",
           ip_is_none(nh->via) ? "" : IP_STR(nh->via), nh->iface->name,
           a->nexthop_count > 1 ? " and more" : "");
  return buf;
}

/* What became of a route: @way is '>' into the table, '<' out of it. */
static void
trace_route(const struct channel *c, char way, const char *what, const struct net_addr *a,
            const struct attrs *attrs)
{
  char buf[DEST_TEXT_SIZE];

  log_write(L_TRACE, "%s.%s %c %s %s%s%s", c->proto->name, c->cf->name, way, what, NET_STR(a),
            attrs ? " " : "", attrs ? dest_text(attrs, buf) : "");
}

static void
trace_net(const struct channel *c, uint flags, char way, const char *what, const struct net *n,
          const struct attrs *attrs)
{
  if (traced(c, flags))
  {
    struct net_addr a = net_addr_of(c->table, n);

    trace_route(c, way, what, &a, attrs);
  }
}

/* --- What the protocol was told, by number of the network --- */

#define SENT_CHUNK 1024

struct exported
{
  pool *pool;
  struct attrs ***chunks;
  u32 count;
};

static struct attrs **
sent_slot(struct exported *e, u32 id, bool make)
{
  u32 chunk = id / SENT_CHUNK;

  if (chunk >= e->count)
  {
    if (!make)
      return NULL;

    u32 count = MAX(e->count * 2, chunk + 16);

    e->chunks = mb_realloc(e->pool, e->chunks, count * sizeof(*e->chunks));
    memset(e->chunks + e->count, 0, (count - e->count) * sizeof(*e->chunks));
    e->count = count;
  }
  if (!e->chunks[chunk])
  {
    if (!make)
      return NULL;
    e->chunks[chunk] = mb_alloc(e->pool, SENT_CHUNK * sizeof(struct attrs *));
  }
  return &e->chunks[chunk][id % SENT_CHUNK];
}

struct attrs *
channel_sent(const struct channel *c, const struct net *n)
{
  struct attrs **slot = c->sent ? sent_slot(c->sent, n->id, false) : NULL;

  return slot ? *slot : NULL;
}

/* --- Imports --- */

static const char *const limit_names[] = { "import", "receive", "export" };
static const char *const action_names[] = { "warn", "block", "restart", "disable" };

static u32
limit_count(const struct channel *c, enum limit_direction dir)
{
  switch (dir)
  {
  case LIMIT_IMPORT:
    return c->imported;
  case LIMIT_RECEIVE:
    return c->imported + c->filtered;
  default:
    return c->exported;
  }
}

/* Said and acted on once, until the number has gone down again. */
static void
limit_exceeded(struct channel *c, enum limit_direction dir)
{
  const struct channel_limit *l = &c->cf->limits[dir];

  if (c->limit_hit[dir])
    return;
  log_write(L_WARN, "%s.%s: More than %u routes (%s limit), action: %s", c->proto->name, c->cf->name,
            l->limit, limit_names[dir], action_names[l->action]);
  c->limit_hit[dir] = true;
  if (l->action >= LIMIT_RESTART)
    proto_limit_hit(c->proto, l->action == LIMIT_DISABLE, limit_names[dir]);
}

/* False: one more must not be let in. */
static bool
limit_allows(struct channel *c, enum limit_direction dir)
{
  const struct channel_limit *l = &c->cf->limits[dir];
  u32 count = limit_count(c, dir);

  if (!l->set || count < l->limit)
  {
    c->limit_hit[dir] = l->set && count + 1 >= l->limit && c->limit_hit[dir];
    return true;
  }
  limit_exceeded(c, dir);
  return l->action == LIMIT_WARN;
}

/* Limits that have changed hold for the routes that are there, too; none of those is taken back. */
static void
limits_changed(struct channel *c, const struct channel_config *old)
{
  for (uint dir = 0; dir < LIMIT__MAX; dir++)
  {
    const struct channel_limit *a = &old->limits[dir], *b = &c->cf->limits[dir];

    if (a->set == b->set && a->limit == b->limit && a->action == b->action)
      continue;
    c->limit_hit[dir] = false;
    if (b->set && limit_count(c, dir) > b->limit)
      limit_exceeded(c, dir);
  }
}

static void
trace_import(const struct channel *c, enum rt_result result, const struct net_addr *a,
             const struct attrs *offered, const struct rt_update *u)
{
  static const char *const names[] = { [RT_SAME] = "ignored",
                                       [RT_ADDED] = "added",
                                       [RT_REPLACED] = "replaced",
                                       [RT_WITHDRAWN] = "removed",
                                       [RT_UNKNOWN] = "nothing to remove for" };
  bool refused = offered && (!u->attrs || u->filtered);

  if (refused && traced(c, D_ROUTES | D_FILTERS))
    trace_route(c, '>', c->cf->import == RT_REJECT ? "filtered out" : "refused by limit", a, offered);
  if (traced(c, D_ROUTES) && !(refused && result == RT_UNKNOWN))
    trace_route(c, '>', names[result], a, u->attrs);
}

static void
count_route(struct channel *c, bool filtered, int change)
{
  if (filtered)
    c->filtered += change;
  else
    c->imported += change;
}

/* The policy and the limits: what becomes of an update. */
static struct rt_update
judge_update(struct channel *c, const struct route *old, struct attrs *attrs)
{
  struct rt_update u = { .attrs = attrs };

  if (!attrs)
    return u;
  if (!old && !limit_allows(c, LIMIT_RECEIVE))
  {
    c->import_updates.invalid++;
    u.attrs = NULL;
    return u;
  }
  if (c->cf->import == RT_REJECT)
  {
    c->import_updates.filtered++;
    u.filtered = true;
    if (!c->cf->keep_filtered)
      u.attrs = NULL;
  }
  else if ((!old || old->filtered) && !limit_allows(c, LIMIT_IMPORT))
  {
    c->import_updates.invalid++;
    u.attrs = NULL;
  }
  return u;
}

static bool
is_routable(struct channel *c, const struct net_addr *a, const struct attrs *attrs)
{
  if (a->type == c->table->type && net_is_routable(a))
    return true;
  if (attrs)
  {
    c->import_updates.received++;
    c->import_updates.invalid++;
    log_rl(&c->bogus, L_WARN, "%s.%s: Ignoring a route for %s", c->proto->name, c->cf->name, NET_STR(a));
  }
  return false;
}

static void
import(struct channel *c, const struct net_addr *a, struct rt_origin *origin, u32 path_id,
       struct attrs *attrs, bool urgent)
{
  if (c->state != CHANNEL_UP || !is_routable(c, a, attrs))
    return;

  struct net *n = rt_net(c->table, a);
  const struct route *old = n ? rt_route_of(n, c, origin, path_id) : NULL;
  bool had = old, was_filtered = old && old->filtered;
  struct rt_update u = judge_update(c, old, attrs);
  struct channel_counts *counts = attrs ? &c->import_updates : &c->import_withdraws;

  counts->received++;
  u.origin = origin;
  u.path_id = path_id;
  u.urgent = urgent;

  enum rt_result result = rt_update(c->table, c, n, a, &u);

  if (traced(c, D_ROUTES | D_FILTERS))
    trace_import(c, result, a, attrs, &u);
  switch (result)
  {
  case RT_SAME:
    counts->ignored++;
    return;
  case RT_UNKNOWN:
    counts->ignored += !attrs;
    return;
  default:
    counts->accepted += !u.filtered && (u.attrs || !attrs);
  }
  if (had)
    count_route(c, was_filtered, -1);
  if (u.attrs)
    count_route(c, u.filtered, 1);
}

void
channel_update(struct channel *c, const struct net_addr *a, u32 path_id, struct attrs *attrs)
{
  import(c, a, c->proto->origin, path_id, attrs, false);
}

void
channel_update_urgent(struct channel *c, const struct net_addr *a, u32 path_id, struct attrs *attrs)
{
  import(c, a, c->proto->origin, path_id, attrs, true);
}

void
channel_update_from(struct channel *c, const struct net_addr *a, struct rt_origin *origin, u32 path_id,
                    struct attrs *attrs, bool urgent)
{
  import(c, a, origin, path_id, attrs, urgent);
}

void
channel_route_gone(struct channel *c, const struct net *n, const struct route *r)
{
  trace_net(c, D_ROUTES, '>', "removed", n, r->attrs);
  count_route(c, r->filtered, -1);
}

/* --- Exports --- */

enum export_verdict
channel_judge(const struct channel *c, const struct route *r)
{
  if (!r || r->filtered)
    return EXPORT_NOTHING;
  if (r->sender == c)
    return EXPORT_OWN;
  if (c->proto->class->exportable && !c->proto->class->exportable(c, r))
    return EXPORT_OWN;
  return c->cf->export == RT_ACCEPT ? EXPORT_YES : EXPORT_FILTERED;
}

/* The best route and its equals as one set with all their next hops; counted. */
static struct attrs *
merge_routes(const struct channel *c, const struct route *best)
{
  struct attrs merged = *best->attrs;
  struct nexthop hops[NEXTHOPS_MAX];
  uint count = 0;

  for (const struct route *r = best; r && !r->filtered; r = r->next)
  {
    const struct attrs *a = r->attrs;

    if (rt_better(best, r) || a->preference != best->attrs->preference || a->dest != RTD_UNICAST ||
        a->source != best->attrs->source || channel_judge(c, r) != EXPORT_YES)
      continue;
    for (uint i = 0; i < a->nexthop_count && count < c->cf->merge_limit; i++)
    {
      bool known = false;

      for (uint k = 0; k < count; k++)
        known |= nexthop_compare(&hops[k], &a->nexthops[i]) == 0;
      if (!known)
        hops[count++] = a->nexthops[i];
    }
  }
  merged.nexthops = hops;
  merged.nexthop_count = count;
  return attrs_intern(&merged);
}

/* What the protocol should know of @n now; counted. */
static struct attrs *
wanted_export(struct channel *c, const struct net *n)
{
  const struct route *best = net_best(n);

  switch (channel_judge(c, best))
  {
  case EXPORT_NOTHING:
    return NULL;
  case EXPORT_OWN:
    c->export_updates.received++;
    c->export_updates.invalid++;
    return NULL;
  case EXPORT_FILTERED:
    c->export_updates.received++;
    c->export_updates.filtered++;
    trace_net(c, D_ROUTES | D_FILTERS, '<', "filtered out", n, best->attrs);
    return NULL;
  case EXPORT_YES:
    break;
  }
  if (c->cf->merge_paths && best->attrs->dest == RTD_UNICAST)
    return merge_routes(c, best);
  return attrs_ref(best->attrs);
}

/* Tell the protocol; both sets are counted and change hands: @new is kept, @old given back. */
static void
tell(struct channel *c, const struct net *n, struct attrs **slot, struct attrs *new)
{
  struct attrs *old = *slot;
  struct net_addr a = net_addr_of(c->table, n);

  c->exported += (new != NULL) - (old != NULL);
  if (new)
    c->export_updates.accepted++;
  else
    c->export_withdraws.accepted++;
  *slot = new;
  trace_net(c, D_ROUTES, '<', !new ? "removed" : old ? "replaced" : "added", n, new ? new : old);
  c->proto->class->rt_notify(c, &a, n, new, old);
  attrs_unref(old);
}

static void
export_best(struct channel *c, const struct net *n, bool again)
{
  struct attrs *new = wanted_export(c, n);
  struct attrs **slot = sent_slot(c->sent, n->id, new != NULL);
  struct attrs *old = slot ? *slot : NULL;

  if (new && !old && !limit_allows(c, LIMIT_EXPORT))
  {
    c->export_updates.received++;
    c->export_updates.limited++;
    trace_net(c, D_ROUTES, '<', "refused by limit", n, new);
    attrs_unref(new);
    return;
  }
  if (new == old && !(again && new))
  {
    attrs_unref(new);
    return;
  }
  if (new)
    c->export_updates.received++;
  else
    c->export_withdraws.received++;
  tell(c, n, slot, new);
}

static void
export_net(struct channel *c, struct net *n, bool again)
{
  const struct proto_class *class = c->proto->class;

  if (c->state != CHANNEL_UP) /* what was told just before ended it */
    return;
  if (class->rt_sync)
    class->rt_sync(c, n);
  else
    export_best(c, n, again);
}

static bool
exports(const struct channel *c)
{
  return c->proto->class->rt_notify || c->proto->class->rt_sync;
}

/* --- Walks and news --- */

static void
slice_done(struct channel *c)
{
  if (c->proto->class->rt_flush)
    c->proto->class->rt_flush(c);
}

static void
visit_prune(struct gnode *g, void *data)
{
  struct channel *c = data;

  rt_prune_net(c->table, SKIP_BACK(struct net, hn, g), c, c->round);
}

static void
visit_feed(struct gnode *g, void *data)
{
  struct channel *c = data;

  export_net(c, SKIP_BACK(struct net, hn, g), c->refeeding);
}

/* The protocol forgets what it was told, the table what it was told by the protocol. */
static void
visit_flush(struct gnode *g, void *data)
{
  struct channel *c = data;
  struct net *n = SKIP_BACK(struct net, hn, g);
  struct attrs **slot = c->sent ? sent_slot(c->sent, n->id, false) : NULL;

  if (slot && *slot)
    tell(c, n, slot, NULL);
  rt_prune_net(c->table, n, c, -1);
}

/* Walk until the slice is used up; true: the walk is complete. One that ends the channel is broken off. */
static bool
walk(struct channel *c, void (*visit)(struct gnode *g, void *data), btime end)
{
  enum channel_state state = c->state;

  for (uint i = 0; !c->paused; i++)
  {
    bool more = growhash_walk(&c->table->nets, &c->feed_pos, visit, c);

    if (c->state != state)
      return false;
    if (!more)
      return true;
    if (i % CLOCK_EVERY == CLOCK_EVERY - 1 && loop_now_fresh(c->proto->loop) >= end)
      break;
  }
  return false;
}

const char *
channel_state_name(const struct channel *c)
{
  static const char *const names[] = { "DOWN", "UP", "FLUSHING" };

  return names[c->state];
}

static void
set_state(struct channel *c, enum channel_state state)
{
  c->state = state;
  CHANNEL_TRACE(c, D_STATES, "State changed to %s", channel_state_name(c));
}

static void
flushed(struct channel *c)
{
  rt_reader_remove(&c->reader);
  rfree(c->pool);
  c->pool = NULL;
  c->sent = NULL;
  c->work = c->urgent_work = NULL;
  c->imported = c->filtered = c->exported = 0;
  set_state(c, CHANNEL_DOWN);
  proto_channel_down(c);
}

/* Let networks go that wait for this reader only: too many, perhaps, to go all at once with it. */
static bool
forget_news(struct channel *c, btime end)
{
  for (uint i = 0; c->reader.table && rt_reader_next(&c->reader); i++)
    if (i % CLOCK_EVERY == CLOCK_EVERY - 1 && loop_now_fresh(c->proto->loop) >= end)
      return false;
  return true;
}

/* The reader stays where it is during the walk: no network of which the protocol was told goes before. */
static bool
channel_flush(struct channel *c, btime end)
{
  if (c->pruning && (c->imported || c->filtered || c->exported) && !walk(c, visit_flush, end))
  {
    slice_done(c);
    return !c->paused;
  }
  slice_done(c);
  c->pruning = false;
  if (!forget_news(c, end))
    return true;
  flushed(c);
  return false;
}

/* False: nothing to read any more. */
static bool
read_news(struct channel *c, btime end)
{
  for (uint i = 0; !c->paused; i++)
  {
    struct net *n = rt_reader_next(&c->reader);

    if (!n)
      return false;
    export_net(c, n, false);
    if (c->state != CHANNEL_UP)
      return true;
    if (i % CLOCK_EVERY == CLOCK_EVERY - 1 && loop_now_fresh(c->proto->loop) >= end)
      break;
  }
  return true;
}

static void
walk_done(struct channel *c)
{
  bool was_feed = c->feeding;

  CHANNEL_TRACE(c, D_EVENTS, "%s", c->pruning ? "Refresh complete" : "Feed complete");
  if (c->pruning)
    c->pruning = false;
  else
    c->feeding = c->refeeding = false;
  c->feed_pos = 0;
  if (was_feed && !c->feeding && c->proto->class->feed_end)
    c->proto->class->feed_end(c);
}

static bool
channel_slice(struct work *w UNUSED, void *data)
{
  struct channel *c = data;
  btime end = loop_now_fresh(c->proto->loop) + SLICE;
  bool more = false;

  if (c->state == CHANNEL_FLUSHING)
    return channel_flush(c, end);
  if (c->reader.table)
    more = read_news(c, end);
  if (c->state == CHANNEL_UP && (c->pruning || c->feeding))
  {
    if (walk(c, c->pruning ? visit_prune : visit_feed, loop_now_fresh(c->proto->loop) + SLICE / 2))
      walk_done(c);
    more = more || c->pruning || c->feeding;
  }
  slice_done(c);
  return more && !c->paused;
}

/* Ahead of all else, so in small pieces. */
static bool
channel_urgent_slice(struct work *w UNUSED, void *data)
{
  struct channel *c = data;

  if (c->state != CHANNEL_UP || !c->reader.table)
    return false;
  read_news(c, loop_now_fresh(c->proto->loop) + SLICE / 2);
  slice_done(c);
  work_schedule(c->work); /* what is left waits its turn */
  return false;
}

static void
reader_wake(struct rt_reader *r, bool urgent)
{
  struct channel *c = SKIP_BACK(struct channel, reader, r);

  work_schedule(urgent ? c->urgent_work : c->work);
}

void
channel_pause(struct channel *c, bool pause)
{
  c->paused = pause;
  if (pause || !c->work)
    return;
  work_schedule(c->urgent_work);
  work_schedule(c->work);
}

/* --- Refreshes --- */

/* What the refresh before has not removed yet is left to the end of this one. */
void
channel_refresh_begin(struct channel *c)
{
  CHANNEL_TRACE(c, D_EVENTS, "Refresh begins");
  c->round++;
  if (c->state != CHANNEL_UP || !c->pruning)
    return;
  c->pruning = false;
  c->feed_pos = 0;
}

void
channel_refresh_end(struct channel *c)
{
  if (c->state != CHANNEL_UP)
    return;
  c->pruning = true;
  c->feed_pos = 0; /* a feed that was going on begins anew after it */
  work_schedule(c->work);
}

void
channel_refeed(struct channel *c)
{
  if (c->state != CHANNEL_UP || !exports(c))
    return;
  CHANNEL_TRACE(c, D_EVENTS, "Feeding anew");
  c->feeding = c->refeeding = true;
  if (!c->pruning)
    c->feed_pos = 0;
  work_schedule(c->work);
}

/* --- Life --- */

struct channel *
channel_create(struct proto *p, struct channel_config *cf)
{
  struct channel *c = mb_alloc(p->owner, sizeof(*c));

  c->proto = p;
  c->cf = cf;
  c->table = cf->table->table;
  c->debug = cf->debug;
  rt_lock(c->table);
  list_add_tail(&p->channels, &c->n);
  return c;
}

void
channel_start(struct channel *c)
{
  c->pool = pool_new(c->proto->owner, "Channel");
  set_state(c, CHANNEL_UP);
  c->preferred = 0;
  memset(c->limit_hit, 0, sizeof(c->limit_hit));
  c->import_updates = c->import_withdraws = (struct channel_counts){ 0 };
  c->export_updates = c->export_withdraws = (struct channel_counts){ 0 };
  c->work = work_new(c->pool, c->proto->loop, LOOP_REST, channel_slice, c);
  c->urgent_work = work_new(c->pool, c->proto->loop, LOOP_FIRST, channel_urgent_slice, c);
  c->feeding = c->refeeding = c->pruning = c->paused = false;
  c->feed_pos = 0;
  if (!exports(c))
    return;
  c->sent = mb_alloc(c->pool, sizeof(*c->sent));
  c->sent->pool = c->pool;
  c->reader.wake = reader_wake;
  c->reader.wants = c->proto->class->rt_sync || c->cf->merge_paths ? RT_WANTS_ANY : RT_WANTS_BEST;
  rt_reader_add(c->table, &c->reader);
  c->feeding = true;
  work_schedule(c->work);
}

void
channel_stop(struct channel *c)
{
  if (c->state != CHANNEL_UP)
    return;
  set_state(c, CHANNEL_FLUSHING);
  c->feeding = c->refeeding = false;
  c->pruning = true;
  c->feed_pos = 0;
  work_schedule(c->work);
}

void
channel_free(struct channel *c)
{
  list_remove(&c->n);
  rt_unlock(c->table);
  mb_free(c);
}

bool
channel_fits(const struct channel *c, const struct channel_config *cf)
{
  return cf->type == c->cf->type && cf->table->table == c->table && cf->merge_paths == c->cf->merge_paths &&
         cf->merge_limit == c->cf->merge_limit;
}

static bool
imports_differ(const struct channel_config *a, const struct channel_config *b)
{
  return a->import != b->import || a->keep_filtered != b->keep_filtered;
}

bool
channel_reconfigure(struct channel *c, struct channel_config *cf, bool soft)
{
  const struct channel_config *old = c->cf;
  bool import = (!soft && imports_differ(old, cf)) || old->preference != cf->preference;
  bool export = !soft && old->export != cf->export;

  c->cf = cf;
  c->debug = cf->debug;
  if (c->state != CHANNEL_UP)
    return true;
  limits_changed(c, old);
  if (import && (!c->proto->class->reload || !c->proto->class->reload(c)))
    return false;
  if (export)
    channel_refeed(c);
  return true;
}

/* --- Configuration --- */

static struct channel_config *
find_config(const struct proto_config *pc, enum net_type type)
{
  struct channel_config *cf;

  LIST_WALK (cf, &pc->channels, n)
    if (cf->type == type)
      return cf;
  return NULL;
}

struct channel_config *
channel_config_get(struct cf_ctx *cx, const struct cf_loc *loc, struct proto_config *pc, enum net_type type)
{
  struct channel_config *cf = find_config(pc, type);

  if (cf)
  {
    if (!cf->copied)
      cf_error(cx, loc, "Multiple %s channels", cf->name);
    cf->copied = false;
    return cf;
  }
  if (!(pc->class->channel_types & 1u << type) || (pc->class->one_channel && !list_empty(&pc->channels)))
    cf_error(cx, loc, "%s protocol: Different channel type, %s is not possible here", pc->class->name,
             net_type_name(type));
  cf = lp_alloc(cx->cfg->lp, sizeof(*cf));
  cf->name = net_type_name(type);
  cf->type = type;
  cf->preference = pc->class->preference;
  cf->import = RT_ACCEPT;
  cf->export = RT_REJECT;
  cf->debug = cx->cfg->debug_channels;
  list_add_tail(&pc->channels, &cf->n);
  return cf;
}

void
channel_config_copy(struct proto_config *to, const struct proto_config *from, struct config *cfg)
{
  struct channel_config *cf;

  list_init(&to->channels);
  LIST_WALK (cf, &from->channels, n)
  {
    struct channel_config *copy = lp_alloc(cfg->lp, sizeof(*copy));

    *copy = *cf;
    copy->n = (struct node){ 0 };
    copy->copied = true;
    list_add_tail(&to->channels, &copy->n);
  }
}

static struct table_config *
default_table(const struct config *cfg, enum net_type type)
{
  struct table_config *t;

  LIST_WALK (t, &cfg->tables, n)
    if (t->type == type)
      return t;
  return NULL;
}

void
channel_configs_check(struct cf_ctx *cx, const struct cf_loc *loc, struct proto_config *pc)
{
  struct channel_config *cf;

  LIST_WALK (cf, &pc->channels, n)
    if (!cf->table && !(cf->table = default_table(cx->cfg, cf->type)))
      cf_error(cx, loc, "Routing table not specified: there is none of type %s", cf->name);
}

/* --- Show --- */

static const char *
policy_name(enum rt_policy policy)
{
  return policy == RT_ACCEPT ? "ACCEPT" : "REJECT";
}

void
channel_show_limit(const struct channel *c, enum limit_direction dir, const char *title, struct cli *cli)
{
  const struct channel_limit *l = &c->cf->limits[dir];

  if (!l->set)
    return;
  cli_line(cli, 1006, "    %-15s %u%s", title, l->limit, c->limit_hit[dir] ? " [HIT]" : "");
  cli_line(cli, 1006, "      Action:       %s", action_names[l->action]);
}

static void
show_count(struct cli *cli, const char *title, const struct channel_counts *n, bool import, bool withdraw)
{
  char filtered[24] = "---", ignored[24] = "---", invalid[24] = "---";

  if (!withdraw || import)
    snprintf(invalid, sizeof(invalid), "%llu", (unsigned long long) (n->invalid + n->limited));
  if (!withdraw)
    snprintf(filtered, sizeof(filtered), "%llu", (unsigned long long) n->filtered);
  if (import)
    snprintf(ignored, sizeof(ignored), "%llu", (unsigned long long) n->ignored);
  cli_line(cli, 1006, "      %-19s %10llu %10s %10s %10s %10llu", title, (unsigned long long) n->received,
           invalid, filtered, ignored, (unsigned long long) n->accepted);
}

void
channel_show(const struct channel *c, struct cli *cli)
{
  cli_line(cli, 1006, "  Channel %s", c->cf->name);
  cli_line(cli, 1006, "    State:          %s", channel_state_name(c));
  cli_line(cli, 1006, "    Table:          %s", c->table->name);
  cli_line(cli, 1006, "    Preference:     %u", c->cf->preference);
  cli_line(cli, 1006, "    Input filter:   %s", policy_name(c->cf->import));
  cli_line(cli, 1006, "    Output filter:  %s", policy_name(c->cf->export));
  channel_show_limit(c, LIMIT_RECEIVE, "Receive limit:", cli);
  channel_show_limit(c, LIMIT_IMPORT, "Import limit:", cli);
  channel_show_limit(c, LIMIT_EXPORT, "Export limit:", cli);
  if (c->state == CHANNEL_DOWN)
    return;
  if (c->cf->keep_filtered)
    cli_line(cli, 1006, "    Routes:         %u imported, %u filtered, %u exported, %u preferred",
             c->imported, c->filtered, c->exported, c->preferred);
  else
    cli_line(cli, 1006, "    Routes:         %u imported, %u exported, %u preferred", c->imported,
             c->exported, c->preferred);
  cli_line(cli, 1006, "    Route change stats:     received   rejected   filtered    ignored   accepted");
  show_count(cli, "Import updates:", &c->import_updates, true, false);
  show_count(cli, "Import withdraws:", &c->import_withdraws, true, true);
  show_count(cli, "Export updates:", &c->export_updates, false, false);
  show_count(cli, "Export withdraws:", &c->export_withdraws, false, true);
}
