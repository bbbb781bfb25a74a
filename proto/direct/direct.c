/*
 * proto/direct/direct.c: see direct.h
 *
 * An interface that changed waits in a queue until its networks are compared with those announced for it
 * before; so that however many addresses come at once, they are looked at once. One interface in a slice.
 */
#include <string.h>

#include "proto/direct/direct.h"

struct direct_proto
{
  struct proto p;
  struct htable ifaces, nets;
  struct list queue; /* struct direct_iface */
  struct work *work;
  u32 last_id;
};

/* For each interface that has networks or waits in the queue. */
struct direct_iface
{
  struct hnode hn;
  struct node queued;
  const struct iface *iface;
  struct list nets; /* struct direct_net */
  bool again;       /* announce what is known, too */
};

struct direct_net
{
  struct hnode hn;
  struct node n;
  struct direct_iface *on;
  struct prefix prefix;
  u32 path_id; /* the same network may be on several interfaces */
  bool seen;
};

static u32
iface_hash(const struct iface *i)
{
  return hash_u64((uintptr_t) i);
}

static u32
net_hash(const struct iface *i, const struct prefix *p)
{
  return hash_u64((u64) iface_hash(i) << 32 | (ip_hash(p->addr) + p->len));
}

static bool
iface_fit(const struct direct_config *cf, const struct iface *i)
{
  return i->present && i->up && (i->link || !cf->check_link) && iface_in_vrf(i, cf->c.vrf);
}

/* Not what has no meaning beyond this host or link, and not before duplicate address detection is through. */
static bool
addr_fit(const struct direct_config *cf, const struct iface *i, const struct iface_addr *a)
{
  if (cf->ifaces && !iface_pattern_match_addr(cf->ifaces, i, a->ip))
    return false;
  return !a->tentative && !ip_is_loopback(a->ip) && !ip_is_link_local(a->ip);
}

static void
announce(struct direct_proto *p, struct direct_net *d, bool there)
{
  struct net_addr net = net_from_prefix(&d->prefix);
  struct channel *c = proto_channel(&p->p, net.type);
  struct nexthop hop = { .iface = d->on->iface, .weight = 1 };
  struct attrs a = {
    .origin = p->p.origin,
    .source = RTS_DEVICE,
    .dest = RTD_UNICAST,
    .nexthops = &hop,
    .nexthop_count = 1,
  };
  struct attrs *set = NULL;

  if (!c)
    return;
  a.preference = c->cf->preference;
  if (there)
    set = attrs_intern(&a);
  channel_update_urgent(c, &net, d->path_id, set);
  attrs_unref(set);
}

static struct direct_net *
find_net(const struct direct_proto *p, const struct iface *i, const struct prefix *prefix)
{
  for (struct hnode *n = hash_first(&p->nets, net_hash(i, prefix)); n; n = hash_again(n))
  {
    struct direct_net *d = SKIP_BACK(struct direct_net, hn, n);

    if (d->on->iface == i && d->prefix.len == prefix->len && ip_equal(d->prefix.addr, prefix->addr))
      return d;
  }
  return NULL;
}

static void
saw_net(struct direct_proto *p, struct direct_iface *on, const struct prefix *prefix)
{
  struct direct_net *d = find_net(p, on->iface, prefix);
  bool fresh = !d;

  if (fresh)
  {
    d = mb_alloc(p->p.pool, sizeof(*d));
    d->on = on;
    d->prefix = *prefix;
    d->path_id = ++p->last_id;
    list_add_tail(&on->nets, &d->n);
    hash_add(&p->nets, &d->hn, net_hash(on->iface, prefix));
  }
  if (fresh || (on->again && !d->seen))
    announce(p, d, true);
  d->seen = true;
}

static void
net_gone(struct direct_proto *p, struct direct_net *d)
{
  announce(p, d, false);
  hash_remove(&p->nets, &d->hn);
  list_remove(&d->n);
  mb_free(d);
}

static void
look_at(struct direct_proto *p, struct direct_iface *on)
{
  const struct direct_config *cf = (const struct direct_config *) p->p.cf;
  struct direct_net *d;
  struct iface_addr *a;

  LIST_WALK (d, &on->nets, n)
    d->seen = false;
  if (iface_fit(cf, on->iface))
    LIST_WALK (a, &on->iface->addrs, n)
      if (addr_fit(cf, on->iface, a))
        saw_net(p, on, &a->prefix);
  LIST_WALK_SAFE (d, &on->nets, n)
    if (!d->seen)
      net_gone(p, d);
  on->again = false;
}

/* --- The queue --- */

static struct direct_iface *
find_iface(struct direct_proto *p, const struct iface *i)
{
  struct direct_iface *on;

  for (struct hnode *n = hash_first(&p->ifaces, iface_hash(i)); n; n = hash_again(n))
  {
    on = SKIP_BACK(struct direct_iface, hn, n);
    if (on->iface == i)
      return on;
  }
  on = mb_alloc(p->p.pool, sizeof(*on));
  on->iface = i;
  list_init(&on->nets);
  hash_add(&p->ifaces, &on->hn, iface_hash(i));
  return on;
}

static void
queue_iface(struct direct_proto *p, const struct iface *i, bool again)
{
  struct direct_iface *on = find_iface(p, i);

  on->again |= again;
  if (!node_linked(&on->queued))
    list_add_tail(&p->queue, &on->queued);
  work_schedule(p->work);
}

static void
queue_all(struct direct_proto *p, bool again)
{
  struct iface *i;

  LIST_WALK (i, iface_list(), n)
    queue_iface(p, i, again);
}

static bool
look_at_next(struct work *w UNUSED, void *data)
{
  struct direct_proto *p = data;
  struct node *first = list_first(&p->queue);

  if (first)
  {
    struct direct_iface *on = SKIP_BACK(struct direct_iface, queued, first);

    list_remove(first);
    look_at(p, on);
    if (list_empty(&on->nets))
    {
      hash_remove(&p->ifaces, &on->hn);
      mb_free(on);
    }
  }
  return !list_empty(&p->queue);
}

static void
iface_hook(const struct iface *i, void *data)
{
  queue_iface(data, i, false);
}

static void
direct_start(struct proto *proto)
{
  struct direct_proto *p = (struct direct_proto *) proto;

  list_init(&p->queue);
  hash_init(&p->ifaces, proto->pool);
  hash_init(&p->nets, proto->pool);
  p->work = work_new(proto->pool, proto->loop, LOOP_FIRST, look_at_next, p);
  iface_watch_new(proto->pool, iface_hook, p);
  proto_up(proto);
  queue_all(p, false);
}

static bool
direct_reload(struct channel *c)
{
  queue_all((struct direct_proto *) c->proto, true);
  return true;
}

static bool
direct_reconfigure(struct proto *proto, struct proto_config *cf)
{
  proto->cf = cf;
  queue_all((struct direct_proto *) proto, false);
  return true;
}

const struct proto_class proto_direct = {
  .name = "Direct",
  .prefix = "direct",
  .config_size = sizeof(struct direct_config),
  .size = sizeof(struct direct_proto),
  .channel_types = 1 << NET_IP4 | 1 << NET_IP6,
  .channels_vary = true,
  .preference = 240,
  .start = direct_start,
  .reconfigure = direct_reconfigure,
  .reload = direct_reload,
};
