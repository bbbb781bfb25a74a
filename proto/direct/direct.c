/*
 * proto/direct/direct.c: see direct.h
 *
 * After each change of an interface its networks are compared with those announced for it before.
 */
#include <string.h>

#include "proto/direct/direct.h"

struct direct_proto
{
  struct proto p;
  struct list nets; /* struct direct_net */
  u32 last_id;
};

struct direct_net
{
  struct node n;
  const struct iface *iface;
  struct prefix prefix;
  u32 path_id; /* the same network may be on several interfaces */
  bool seen;
};

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
  struct nexthop hop = { .iface = d->iface, .weight = 1 };
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
  struct direct_net *d;

  LIST_WALK (d, &p->nets, n)
    if (d->iface == i && d->prefix.len == prefix->len && ip_equal(d->prefix.addr, prefix->addr))
      return d;
  return NULL;
}

static void
saw_net(struct direct_proto *p, const struct iface *i, const struct prefix *prefix)
{
  struct direct_net *d = find_net(p, i, prefix);

  if (!d)
  {
    d = mb_alloc(p->p.pool, sizeof(*d));
    d->iface = i;
    d->prefix = *prefix;
    d->path_id = ++p->last_id;
    list_add_tail(&p->nets, &d->n);
    announce(p, d, true);
  }
  d->seen = true;
}

static void
look_at(struct direct_proto *p, const struct iface *i)
{
  const struct direct_config *cf = (const struct direct_config *) p->p.cf;
  struct direct_net *d;
  struct iface_addr *a;

  LIST_WALK (d, &p->nets, n)
    if (d->iface == i)
      d->seen = false;
  if (iface_fit(cf, i))
    LIST_WALK (a, &i->addrs, n)
      if (addr_fit(cf, i, a))
        saw_net(p, i, &a->prefix);
  LIST_WALK_SAFE (d, &p->nets, n)
    if (d->iface == i && !d->seen)
    {
      announce(p, d, false);
      list_remove(&d->n);
      mb_free(d);
    }
}

static void
look_at_all(struct direct_proto *p)
{
  struct iface *i;

  LIST_WALK (i, iface_list(), n)
    look_at(p, i);
}

static void
iface_hook(const struct iface *i, void *data)
{
  look_at(data, i);
}

static void
direct_start(struct proto *proto)
{
  struct direct_proto *p = (struct direct_proto *) proto;

  list_init(&p->nets);
  iface_watch_new(proto->pool, iface_hook, p);
  proto_up(proto);
  look_at_all(p);
}

static bool
direct_reload(struct channel *c)
{
  struct direct_proto *p = (struct direct_proto *) c->proto;
  struct direct_net *d;

  LIST_WALK (d, &p->nets, n)
    announce(p, d, true);
  return true;
}

static bool
direct_reconfigure(struct proto *proto, struct proto_config *cf)
{
  proto->cf = cf;
  look_at_all((struct direct_proto *) proto);
  return true;
}

const struct proto_class proto_direct = {
  .name = "Direct",
  .prefix = "direct",
  .config_size = sizeof(struct direct_config),
  .size = sizeof(struct direct_proto),
  .channel_types = 1 << NET_IP4 | 1 << NET_IP6,
  .preference = 240,
  .start = direct_start,
  .reconfigure = direct_reconfigure,
  .reload = direct_reload,
};
