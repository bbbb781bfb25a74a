/* proto/static/static.c: the running instance, see static.h */
#include <string.h>

#include "proto/static/static.h"

#define SLICE BT_US(400)
#define CLOCK_EVERY 32
#define TARGETS_EVERY 8

static const struct static_config *
config_of(const struct static_proto *p)
{
  return (const struct static_config *) p->p.cf;
}

/* --- What a target is now --- */

static uint
usable_hops(const struct static_live *live, struct nexthop *hops)
{
  uint count = 0;

  for (uint i = 0; i < live->target->hop_count; i++)
  {
    const struct static_hop *h = live->uses[i].hop;

    if (h->iface)
      hops[count++] = (struct nexthop){
        .via = h->cf.via, .iface = h->iface, .weight = live->target->hops[i].weight, .onlink = h->cf.onlink
      };
  }
  return count;
}

/* The set of attributes the routes of a target have now, counted; NULL: there is no way. */
static struct attrs *
live_attrs(const struct static_live *live)
{
  const struct static_proto *p = live->p;
  struct nexthop hops[NEXTHOPS_MAX];
  struct attrs a = {
    .origin = p->p.origin,
    .source = RTS_STATIC,
    .dest = live->target->dest,
    .preference = p->channel->cf->preference,
    .nexthops = hops,
  };

  if (live->host)
  {
    a.recursive = true;
    a.dest = live->host->attrs ? live->host->attrs->dest : RTD_UNREACHABLE;
    a.igp_metric = live->host->attrs ? live->host->attrs->igp_metric : 0;
    a.nexthop_count = rt_host_nexthops(live->host, hops);
  }
  else if (a.dest == RTD_UNICAST && !(a.nexthop_count = usable_hops(live, hops)))
    return NULL;
  return attrs_intern(&a);
}

/* --- Announcing --- */

static void
announce(struct static_live *live, bool urgent)
{
  const struct static_config *cf = config_of(live->p);
  const struct static_route *r = static_route(cf, live->next_route);
  struct net_addr net = static_route_net(cf, r);

  live->next_route = r->next;
  if (urgent)
    channel_update_urgent(live->p->channel, &net, r->path_id, live->attrs);
  else
    channel_update(live->p->channel, &net, r->path_id, live->attrs);
}

static struct static_live *
first_dirty(const struct list *l)
{
  return list_empty(l) ? NULL : SKIP_BACK(struct static_live, dirty, list_first(l));
}

/* False: all is announced. */
static bool
announce_list(struct static_proto *p, struct list *l, bool urgent)
{
  btime end = loop_now_fresh(p->p.loop) + SLICE;
  struct static_live *live;

  for (uint i = 0; (live = first_dirty(l)); i++)
  {
    if (p->p.state != PROTO_UP)
      return false;
    if (live->next_route != STATIC_NO_ROUTE)
      announce(live, urgent);
    else
      list_remove(&live->dirty);
    if (i % CLOCK_EVERY == CLOCK_EVERY - 1 && loop_now_fresh(p->p.loop) >= end)
      return true;
  }
  return false;
}

static bool
urgent_slice(struct work *w UNUSED, void *data)
{
  struct static_proto *p = data;

  if (announce_list(p, &p->urgent, true))
    work_schedule(p->work); /* one slice ahead of all else, the rest in turn */
  return false;
}

/* Announce the routes of a target from the first one on. */
static void
live_schedule(struct static_live *live, bool urgent)
{
  struct static_proto *p = live->p;

  live->next_route = live->target->first_route;
  list_remove(&live->dirty);
  list_add_tail(urgent ? &p->urgent : &p->dirty, &live->dirty);
  work_schedule(urgent ? p->urgent_work : p->work);
}

void
static_live_changed(struct static_live *live)
{
  struct attrs *now = live_attrs(live), *old = live->attrs;

  if (now == old)
  {
    attrs_unref(now);
    return;
  }
  live->attrs = now;
  attrs_unref(old);
  live_schedule(live, true);
}

static void
host_hook(struct rt_host *h UNUSED, void *data)
{
  static_live_changed(data);
}

/* --- Following a configuration --- */

static void
live_init(struct static_proto *p, struct static_live *live, const struct static_target *t)
{
  const struct static_config *cf = config_of(p);

  live->p = p;
  live->target = t;
  live->next_route = t->first_route;
  live->uses = mb_alloc(p->live_pool, MAX(t->hop_count, 1u) * sizeof(*live->uses));
  for (uint i = 0; i < t->hop_count; i++)
  {
    live->uses[i].live = live;
    live->uses[i].hop = static_hop_get(p, &t->hops[i]);
    list_add_tail(&live->uses[i].hop->uses, &live->uses[i].n);
  }
  if (!ip_is_none(t->recursive))
  {
    struct rtable *igp = cf->igp_table ? cf->igp_table->table : p->channel->table;

    live->host = rt_host_new(p->live_pool, igp, t->recursive, host_hook, live);
  }
  live->attrs = live_attrs(live);
  live_schedule(live, false);
}

/* Set up targets; false: all are. */
static bool
take_more(struct static_proto *p)
{
  const struct static_config *cf = config_of(p);
  btime end = loop_now_fresh(p->p.loop) + SLICE;

  while (p->live_count < cf->target_count)
  {
    live_init(p, &p->live[p->live_count], cf->targets[p->live_count]);
    if (++p->live_count % TARGETS_EVERY == 0 && loop_now_fresh(p->p.loop) >= end)
      return true;
  }
  p->taking = false;
  static_hops_sweep(p);
  return false;
}

static bool
slice(struct work *w UNUSED, void *data)
{
  struct static_proto *p = data;

  if (announce_list(p, &p->urgent, true) || (p->taking && take_more(p)) || announce_list(p, &p->dirty, false))
    return true;
  if (p->refreshing && p->p.state == PROTO_UP)
  {
    p->refreshing = false;
    channel_refresh_end(p->channel);
  }
  return false;
}

static void
drop_live(struct static_proto *p)
{
  struct static_hop *h;

  for (uint i = 0; i < p->live_count; i++)
    attrs_unref(p->live[i].attrs);
  LIST_WALK (h, &p->hops, n)
  {
    list_init(&h->uses);
    h->wanted = false;
  }
  list_init(&p->dirty);
  list_init(&p->urgent);
  rfree(p->live_pool);
  p->live_pool = NULL;
  p->live = NULL;
  p->live_count = 0;
}

/* Take over the targets of the present config; next hops both have in common go on undisturbed. */
static void
take_targets(struct static_proto *p)
{
  p->live_pool = pool_new(p->p.pool, "Targets");
  p->live = mb_alloc(p->live_pool, MAX(config_of(p)->target_count, 1u) * sizeof(*p->live));
  p->taking = true;
  work_schedule(p->work);
}

static void
static_start(struct proto *proto)
{
  struct static_proto *p = (struct static_proto *) proto;

  p->channel = SKIP_BACK(struct channel, n, list_first(&proto->channels));
  p->vrf = proto->cf->vrf ? mb_strdup(proto->pool, proto->cf->vrf) : NULL;
  p->refreshing = false;
  p->live_pool = NULL;
  p->live_count = 0;
  hash_init(&p->hops_by_via, proto->pool);
  list_init(&p->hops);
  list_init(&p->dirty);
  list_init(&p->urgent);
  p->work = work_new(proto->pool, proto->loop, LOOP_REST, slice, p);
  p->urgent_work = work_new(proto->pool, proto->loop, LOOP_FIRST, urgent_slice, p);
  proto_up(proto);
  take_targets(p);
}

static void
static_stop(struct proto *proto)
{
  drop_live((struct static_proto *) proto);
  proto_down(proto);
}

static void
announce_all(struct static_proto *p)
{
  for (uint i = 0; i < p->live_count; i++)
    live_schedule(&p->live[i], false);
}

/* A preference may have changed, and with it all sets. */
static bool
static_reload(struct channel *c)
{
  struct static_proto *p = (struct static_proto *) c->proto;

  for (uint i = 0; i < p->live_count; i++)
  {
    attrs_unref(p->live[i].attrs);
    p->live[i].attrs = live_attrs(&p->live[i]);
  }
  announce_all(p);
  return true;
}

static bool
static_reconfigure(struct proto *proto, struct proto_config *pc)
{
  struct static_proto *p = (struct static_proto *) proto;

  if (proto->state != PROTO_UP)
    return false;
  drop_live(p);
  proto->cf = pc;
  channel_refresh_begin(p->channel);
  p->refreshing = true;
  take_targets(p);
  return true;
}

static const struct bfd_options *
static_wants_bfd(const struct proto_config *pc, const struct bfd_request *r)
{
  static const struct bfd_options none;
  const struct static_config *cf = (const struct static_config *) pc;

  for (uint i = 0; i < cf->target_count; i++)
    for (uint k = 0; k < cf->targets[i]->hop_count; k++)
    {
      const struct static_hop_config *hop = &cf->targets[i]->hops[k];

      if (hop->bfd && ip_equal(hop->via, r->remote) && strcmp(hop->ifname, r->nb->ifname) == 0)
        return &none;
    }
  return NULL;
}

const struct proto_class proto_static = {
  .name = "Static",
  .prefix = "static",
  .config_size = sizeof(struct static_config),
  .size = sizeof(struct static_proto),
  .channel_types = 1 << NET_IP4 | 1 << NET_IP6 | 1 << NET_ROA4 | 1 << NET_ROA6,
  .one_channel = true,
  .preference = 200,
  .config_copy = static_config_copy,
  .config_check = static_config_check,
  .start = static_start,
  .stop = static_stop,
  .reconfigure = static_reconfigure,
  .reload = static_reload,
  .wants_bfd = static_wants_bfd,
};
