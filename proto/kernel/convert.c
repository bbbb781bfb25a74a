/* proto/kernel/convert.c: see kernel.h */
#include <string.h>

#include "proto/kernel/kernel.h"

u32
kernel_metric(const struct kernel_proto *p)
{
  u32 metric = kernel_config_of(p)->metric;

  return p->v6 && !metric ? NL_METRIC_V6_DEFAULT : metric;
}

/* --- To the kernel --- */

static u8
route_type(const struct attrs *a)
{
  switch (a->dest)
  {
  case RTD_BLACKHOLE:
    return NL_BLACKHOLE;
  case RTD_UNREACHABLE:
    return NL_UNREACHABLE;
  case RTD_PROHIBIT:
    return NL_PROHIBIT;
  default:
    return NL_UNICAST;
  }
}

/* What a filter or another kernel protocol said about the route. */
static void
apply_attr(struct nl_route *r, const struct rt_attr *a)
{
  if (a->id == RTA_KRT_PREFSRC)
    r->prefsrc = a->ip;
  else if (a->id == RTA_KRT_REALM)
    r->realm = a->num;
  else if (a->id == RTA_KRT_SCOPE)
    r->scope = a->num;
  else if (a->id == RTA_KRT_LOCK)
    r->metrics_lock = a->num;
  else if (a->id > RTA_KRT_METRICS && a->id < RTA_KRT_METRICS + NL_METRIC__MAX)
  {
    r->metrics[a->id - RTA_KRT_METRICS] = a->num;
    r->metrics_mask |= NL_METRIC_BIT(a->id - RTA_KRT_METRICS);
  }
}

static bool
has_gateway(const struct nl_route *r)
{
  for (uint i = 0; i < r->nexthop_count; i++)
    if (!ip_is_none(r->nexthops[i].via))
      return true;
  return false;
}

void
kernel_route_make(const struct kernel_proto *p, struct nl_route *r, struct nl_nexthop *hops,
                  const struct prefix *dst, const struct attrs *a)
{
  const struct kernel_config *cf = kernel_config_of(p);

  *r = (struct nl_route){
    .v6 = p->v6, .dst = *dst, .table = cf->table, .metric = kernel_metric(p), .protocol = NL_PROTO_BIRD
  };
  if (!a)
    return;
  r->type = route_type(a);
  r->nexthops = hops;
  r->nexthop_count = r->type == NL_UNICAST ? a->nexthop_count : 0;
  for (uint i = 0; i < r->nexthop_count; i++)
  {
    const struct nexthop *nh = &a->nexthops[i];

    hops[i] = (struct nl_nexthop){
      .via = nh->via, .ifindex = nh->iface->index, .weight = nh->weight, .onlink = nh->onlink
    };
  }
  if (!p->v6 && r->nexthop_count && !has_gateway(r))
    r->scope = NL_SCOPE_LINK;
  for (uint i = 0; i < a->attr_count; i++)
    apply_attr(r, &a->attrs[i]);
}

/* --- Comparing --- */

static bool
hop_matches(const struct nl_nexthop *a, const struct nl_nexthop *b, bool weights)
{
  return ip_equal(a->via, b->via) && a->ifindex == b->ifindex && a->onlink == b->onlink &&
         (!weights || a->weight == b->weight);
}

/* The kernel may have put them into another order. */
static bool
hops_match(const struct nl_route *seen, const struct nl_route *wanted)
{
  bool weights = wanted->nexthop_count > 1;

  if (seen->nexthop_count != wanted->nexthop_count)
    return false;
  for (uint i = 0; i < wanted->nexthop_count; i++)
  {
    bool found = hop_matches(&seen->nexthops[i], &wanted->nexthops[i], weights);

    for (uint k = 0; !found && k < seen->nexthop_count; k++)
      found = hop_matches(&seen->nexthops[k], &wanted->nexthops[i], weights);
    if (!found)
      return false;
  }
  return true;
}

bool
kernel_route_matches(const struct nl_route *seen, const struct nl_route *wanted)
{
  if (seen->type != wanted->type || seen->nhid || !ip_equal(seen->prefsrc, wanted->prefsrc) ||
      seen->realm != wanted->realm || seen->metrics_lock != wanted->metrics_lock)
    return false;
  for (uint i = 0; i < NL_METRIC__MAX; i++)
    if ((wanted->metrics_mask & NL_METRIC_BIT(i)) &&
        !((seen->metrics_mask & NL_METRIC_BIT(i)) && seen->metrics[i] == wanted->metrics[i]))
      return false;
  return hops_match(seen, wanted);
}

/* --- From the kernel --- */

static void
add_num(struct attrs *a, uint id, u32 num)
{
  struct rt_attr *attr = &a->attrs[a->attr_count++];

  memset(attr, 0, sizeof(*attr));
  attr->id = id;
  attr->num = num;
}

/* In the order of their numbers. */
static void
learned_extras(struct attrs *a, const struct nl_route *r)
{
  add_num(a, RTA_KRT_SOURCE, r->protocol);
  add_num(a, RTA_KRT_METRIC, r->metric);
  if (!ip_is_none(r->prefsrc))
  {
    add_num(a, RTA_KRT_PREFSRC, 0);
    a->attrs[a->attr_count - 1].ip = r->prefsrc;
  }
  if (r->realm)
    add_num(a, RTA_KRT_REALM, r->realm);
  if (r->scope)
    add_num(a, RTA_KRT_SCOPE, r->scope);
  if (r->metrics_lock)
    add_num(a, RTA_KRT_LOCK, r->metrics_lock);
  for (uint i = 0; i < NL_METRIC__MAX; i++)
    if (r->metrics_mask & NL_METRIC_BIT(i))
      add_num(a, RTA_KRT_METRICS + i, r->metrics[i]);
}

static bool
learned_hops(struct attrs *a, const struct nl_route *r)
{
  if (r->nexthop_count > NEXTHOPS_MAX || (r->type == NL_UNICAST && !r->nexthop_count))
    return false;
  for (uint i = 0; i < r->nexthop_count; i++)
  {
    const struct nl_nexthop *nh = &r->nexthops[i];

    a->nexthops[i] = (struct nexthop){
      .via = nh->via, .iface = iface_find_index(nh->ifindex), .weight = nh->weight, .onlink = nh->onlink
    };
    if (!a->nexthops[i].iface)
      return false;
  }
  a->nexthop_count = r->nexthop_count;
  return true;
}

struct attrs *
kernel_learned_attrs(const struct kernel_proto *p, const struct nl_route *r)
{
  static const u8 dests[] = { [NL_UNICAST] = RTD_UNICAST,
                              [NL_BLACKHOLE] = RTD_BLACKHOLE,
                              [NL_UNREACHABLE] = RTD_UNREACHABLE,
                              [NL_PROHIBIT] = RTD_PROHIBIT };
  struct nexthop hops[NEXTHOPS_MAX];
  struct rt_attr extras[RT_ATTRS_MAX];
  struct attrs a = {
    .origin = p->p.origin,
    .source = RTS_INHERIT,
    .preference = p->channel->cf->preference,
    .nexthops = hops,
    .attrs = extras,
  };

  if (r->type >= NL_ROUTE_OTHER || !learned_hops(&a, r))
    return NULL;
  a.dest = dests[r->type];
  learned_extras(&a, r);
  return attrs_intern(&a);
}
