/*
 * sysdep/linux/nlroute.c: see nlroute.h
 *
 * Attributes are read as in nlparse.c. Next hops are either in the message itself (RTA_OIF, RTA_GATEWAY or,
 * of the other family, RTA_VIA; their flags among those of the route) or, several of them, in RTA_MULTIPATH:
 * each a struct rtnexthop with attributes of its own behind it.
 */
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "sysdep/linux/nlattr.h"
#include "sysdep/linux/nlroute.h"

/* The constants of routes.h are the kernel's. */
_Static_assert((uint) NL_METRIC_MTU == RTAX_MTU, "first metric");
_Static_assert((uint) NL_METRIC_QUICKACK == RTAX_QUICKACK, "last metric");
_Static_assert((uint) NL_SCOPE_LINK == RT_SCOPE_LINK, "scope");
_Static_assert((uint) NL_PROTO_BIRD == RTPROT_BIRD, "protocol");

#define WEIGHT_MAX 256

/* --- Reading --- */

/* What becomes of the parts as they are read. */
struct reading
{
  struct nl_route *r;
  struct nl_nexthop *hops;
  uint family, max_hops;
  bool no_form; /* something struct nl_route cannot say */
};

static u8
type_of(uint rtm_type)
{
  switch (rtm_type)
  {
  case RTN_UNICAST:
    return NL_UNICAST;
  case RTN_BLACKHOLE:
    return NL_BLACKHOLE;
  case RTN_UNREACHABLE:
    return NL_UNREACHABLE;
  case RTN_PROHIBIT:
    return NL_PROHIBIT;
  default:
    return NL_ROUTE_OTHER;
  }
}

static bool
is_table_route(const struct rtmsg *m)
{
  if (m->rtm_family != AF_INET && m->rtm_family != AF_INET6)
    return false;
  if (m->rtm_flags & RTM_F_CLONED) /* a cache entry */
    return false;
  switch (m->rtm_type)
  {
  case RTN_LOCAL:
  case RTN_BROADCAST:
  case RTN_ANYCAST:
  case RTN_MULTICAST:
    return false;
  default:
    return true;
  }
}

static bool
get_prefix(const struct nlattr *attr, uint family, uint len, struct prefix *p)
{
  ip_addr a = family == AF_INET ? ip_v4(0) : IP_NONE;

  if (len > (family == AF_INET ? 32u : 128u) || (len && !attr) || !nlattr_get_ip(attr, family, &a))
    return false;
  if (!nlattr_ip_is_ambiguous(family, a) && !ip_equal(a, ip_mask(a, len)))
    return false;
  *p = (struct prefix){ a, len };
  return true;
}

/* struct rtvia: a family and as many bytes as it has. */
static bool
get_via(const struct nlattr *attr, ip_addr *via, uint *family)
{
  const byte *data = mnl_attr_get_payload(attr);
  size_t size = mnl_attr_get_payload_len(attr);
  u16 f;

  if (size < sizeof(f))
    return false;
  memcpy(&f, data, sizeof(f));
  *family = f;
  if (f != AF_INET && f != AF_INET6)
    return true;
  if (size - sizeof(f) != (f == AF_INET ? 4 : 16))
    return false;
  *via = ip_from_bytes(data + sizeof(f), size - sizeof(f));
  return true;
}

/* Where @hop goes through; IPv6 next hops come in RTA_VIA for IPv4 routes, and nothing else does. */
static bool
get_gateway(struct reading *g, const struct nlattrs *a, struct nl_nexthop *hop)
{
  const struct nlattr *via = a->at[RTA_VIA];
  uint family = g->family;

  if (!nlattr_get_ip(a->at[RTA_GATEWAY], g->family, &hop->via))
    return false;
  if (via && !get_via(via, &hop->via, &family))
    return false;
  if (nlattr_ip_is_ambiguous(family, hop->via) || (family != g->family && family != AF_INET6) ||
      a->at[RTA_ENCAP] || a->at[RTA_NEWDST])
    g->no_form = true;
  return true;
}

static bool
get_hop(struct reading *g, const struct nlattrs *a, uint flags, uint weight, struct nl_nexthop *hop)
{
  hop->weight = weight;
  hop->onlink = flags & RTNH_F_ONLINK;
  hop->dead = flags & RTNH_F_DEAD;
  return get_gateway(g, a, hop) && (g->r->realm || nlattr_get_u32(a->at[RTA_FLOW], &g->r->realm));
}

static bool
get_multipath(struct reading *g, const struct nlattr *attr)
{
  const byte *pos = mnl_attr_get_payload(attr);
  size_t left = mnl_attr_get_payload_len(attr);
  struct rtnexthop nh;
  struct nlattrs a;

  while (left)
  {
    if (left < sizeof(nh))
      return false;
    memcpy(&nh, pos, sizeof(nh));
    if (nh.rtnh_len < sizeof(nh) || nh.rtnh_len > left || nh.rtnh_ifindex < 0)
      return false;

    struct nl_nexthop hop = { .ifindex = nh.rtnh_ifindex };

    if (!nlattr_collect(&a, pos + sizeof(nh), nh.rtnh_len - sizeof(nh)) ||
        !get_hop(g, &a, nh.rtnh_flags, nh.rtnh_hops + 1, &hop))
      return false;
    if (g->r->nexthop_count == g->max_hops)
      g->no_form = true;
    else
      g->hops[g->r->nexthop_count++] = hop;

    size_t step = MIN((size_t) RTNH_ALIGN(nh.rtnh_len), left);

    pos += step;
    left -= step;
  }
  return true;
}

static bool
get_nexthops(struct reading *g, const struct nlattrs *a, uint flags)
{
  struct nl_nexthop hop = { 0 };

  if (a->at[RTA_MULTIPATH])
    return get_multipath(g, a->at[RTA_MULTIPATH]);
  if (!nlattr_get_u32(a->at[RTA_OIF], &hop.ifindex) || !get_hop(g, a, flags, 1, &hop))
    return false;
  if (!hop.ifindex && ip_is_none(hop.via))
    return true;
  if (!g->max_hops)
    g->no_form = true;
  else
    g->hops[g->r->nexthop_count++] = hop;
  return true;
}

static bool
get_metrics(const struct nlattr *attr, struct nl_route *r)
{
  struct nlattrs a;

  if (!attr)
    return true;
  if (!nlattr_collect_nested(&a, attr) || !nlattr_get_u32(a.at[RTAX_LOCK], &r->metrics_lock))
    return false;
  for (uint m = NL_METRIC_MTU; m < NL_METRIC__MAX; m++)
  {
    if (!nlattr_get_u32(a.at[m], &r->metrics[m]))
      return false;
    if (a.at[m])
      r->metrics_mask |= NL_METRIC_BIT(m);
  }
  r->metrics_lock &= r->metrics_mask;
  return true;
}

/* The key of a route: what makes it another one when it differs. */
static bool
get_key(const struct rtmsg *m, const struct nlattrs *a, struct nl_route *r)
{
  return get_prefix(a->at[RTA_DST], m->rtm_family, m->rtm_dst_len, &r->dst) &&
         (!r->v6 || get_prefix(a->at[RTA_SRC], m->rtm_family, m->rtm_src_len, &r->src)) &&
         nlattr_get_u32(a->at[RTA_TABLE], &r->table) && nlattr_get_u32(a->at[RTA_PRIORITY], &r->metric);
}

static bool
get_rest(struct reading *g, const struct rtmsg *m, const struct nlattrs *a)
{
  struct nl_route *r = g->r;

  if (!nlattr_get_ip(a->at[RTA_PREFSRC], m->rtm_family, &r->prefsrc) ||
      !nlattr_get_u32(a->at[RTA_NH_ID], &r->nhid) || !get_metrics(a->at[RTA_METRICS], r) ||
      !get_nexthops(g, a, m->rtm_flags))
    return false;
  if (nlattr_ip_is_ambiguous(m->rtm_family, r->prefsrc))
    g->no_form = true;
  return true;
}

enum nlroute
nlroute_parse(const struct nlmsghdr *nlh, struct nl_route *r, struct nl_nexthop *hops, uint max_hops)
{
  struct nlattrs a;
  const struct rtmsg *m = nlattr_split_message(nlh, sizeof(*m), &a);

  if (!m)
    return NLROUTE_MALFORMED;
  if (!is_table_route(m))
    return NLROUTE_OTHER;

  struct nl_route got = { .v6 = m->rtm_family == AF_INET6,
                          .type = type_of(m->rtm_type),
                          .protocol = m->rtm_protocol,
                          .scope = m->rtm_scope,
                          .tos = m->rtm_tos,
                          .table = m->rtm_table,
                          .nexthops = hops };
  struct reading g = { .r = &got, .hops = hops, .family = m->rtm_family, .max_hops = max_hops };

  if (!get_key(m, &a, &got) || !get_rest(&g, m, &a))
    return NLROUTE_MALFORMED;
  if (nlattr_ip_is_ambiguous(m->rtm_family, got.dst.addr) ||
      nlattr_ip_is_ambiguous(m->rtm_family, got.src.addr))
    return NLROUTE_OTHER;
  if (g.no_form)
    got.type = NL_ROUTE_OTHER;
  if (got.type != NL_UNICAST) /* IPv6 names "lo" for those that drop */
    got.nexthop_count = got.realm = 0;
  *r = got;
  return NLROUTE_OK;
}

/* --- Writing --- */

/* A message that grows; once something did not fit, it stays failed. */
struct writing
{
  struct nlmsghdr *h;
  size_t size;
  bool full;
};

static void *
put_bytes(struct writing *w, size_t size)
{
  byte *at = (byte *) w->h + w->h->nlmsg_len;

  w->full |= MNL_ALIGN(size) > w->size - w->h->nlmsg_len;
  if (w->full)
    return NULL;
  w->h->nlmsg_len += MNL_ALIGN(size);
  return memset(at, 0, MNL_ALIGN(size));
}

static void
put_attr(struct writing *w, uint type, const void *data, size_t size)
{
  struct nlattr *attr = put_bytes(w, MNL_ATTR_HDRLEN + size);

  if (!attr)
    return;
  attr->nla_type = type;
  attr->nla_len = MNL_ATTR_HDRLEN + size;
  memcpy(mnl_attr_get_payload(attr), data, size);
}

static void
put_u32(struct writing *w, uint type, u32 value)
{
  put_attr(w, type, &value, sizeof(value));
}

static void
put_ip(struct writing *w, uint type, ip_addr a)
{
  byte data[16];
  size_t size = ip_to_bytes(a, data);

  put_attr(w, type, data, size);
}

static struct nlattr *
nest_begin(struct writing *w, uint type)
{
  struct nlattr *outer = put_bytes(w, MNL_ATTR_HDRLEN);

  if (outer)
    outer->nla_type = type;
  return outer;
}

static void
nest_end(struct writing *w, struct nlattr *outer)
{
  if (w->full)
    return;

  size_t size = (byte *) w->h + w->h->nlmsg_len - (byte *) outer;

  w->full |= size > UINT16_MAX;
  outer->nla_len = size;
}

static void
put_gateway(struct writing *w, bool v6, ip_addr via)
{
  struct
  {
    u16 family;
    byte addr[16];
  } other = { .family = AF_INET6 };

  if (ip_is_none(via))
    return;
  ASSERT(!(v6 && ip_is_v4(via)));
  if (v6 || ip_is_v4(via))
  {
    put_ip(w, RTA_GATEWAY, via);
    return;
  }
  ip_to_bytes(via, other.addr);
  put_attr(w, RTA_VIA, &other, sizeof(other));
}

/* Each next hop of several carries the realm, as the kernel compares that of the route with the first. */
static void
put_multipath_hop(struct writing *w, const struct nl_route *r, const struct nl_nexthop *hop)
{
  size_t begin = w->h->nlmsg_len;
  struct rtnexthop *nh = put_bytes(w, sizeof(*nh));

  if (!nh)
    return;
  ASSERT(hop->weight >= 1 && hop->weight <= WEIGHT_MAX);
  nh->rtnh_flags = hop->onlink ? RTNH_F_ONLINK : 0;
  nh->rtnh_hops = hop->weight - 1;
  nh->rtnh_ifindex = hop->ifindex;
  put_gateway(w, r->v6, hop->via);
  if (r->realm)
    put_u32(w, RTA_FLOW, r->realm);
  nh->rtnh_len = w->h->nlmsg_len - begin;
}

static void
put_multipath(struct writing *w, const struct nl_route *r)
{
  struct nlattr *outer = nest_begin(w, RTA_MULTIPATH);

  for (uint i = 0; i < r->nexthop_count; i++)
    put_multipath_hop(w, r, &r->nexthops[i]);
  nest_end(w, outer);
}

static void
put_nexthops(struct writing *w, const struct nl_route *r)
{
  struct rtmsg *m = mnl_nlmsg_get_payload(w->h);

  if (r->nhid)
    put_u32(w, RTA_NH_ID, r->nhid);
  else if (r->nexthop_count == 1)
  {
    put_gateway(w, r->v6, r->nexthops->via);
    if (r->nexthops->ifindex)
      put_u32(w, RTA_OIF, r->nexthops->ifindex);
    if (r->nexthops->onlink)
      m->rtm_flags |= RTNH_F_ONLINK;
    if (r->realm)
      put_u32(w, RTA_FLOW, r->realm);
  }
  else if (r->nexthop_count)
    put_multipath(w, r);
}

static void
put_metrics(struct writing *w, const struct nl_route *r)
{
  if (!r->metrics_mask)
    return;

  struct nlattr *outer = nest_begin(w, RTA_METRICS | NLA_F_NESTED);

  if (r->metrics_lock & r->metrics_mask)
    put_u32(w, RTAX_LOCK, r->metrics_lock & r->metrics_mask);
  for (uint m = NL_METRIC_MTU; m < NL_METRIC__MAX; m++)
    if (r->metrics_mask & NL_METRIC_BIT(m))
      put_u32(w, m, r->metrics[m]);
  nest_end(w, outer);
}

/* The key; with 0 as an IPv6 metric the kernel would set one of its own, but delete any. */
static void
put_key(struct writing *w, const struct nl_route *r)
{
  u32 metric = r->v6 && !r->metric ? NL_METRIC_V6_DEFAULT : r->metric;

  ASSERT(r->v6 == !ip_is_v4(r->dst.addr));
  if (r->dst.len)
    put_ip(w, RTA_DST, r->dst.addr);
  if (r->v6 && r->src.len)
    put_ip(w, RTA_SRC, r->src.addr);
  put_u32(w, RTA_TABLE, r->table);
  if (metric)
    put_u32(w, RTA_PRIORITY, metric);
}

static void
put_route(struct writing *w, const struct nl_route *r)
{
  static const u8 types[] = { [NL_UNICAST] = RTN_UNICAST,
                              [NL_BLACKHOLE] = RTN_BLACKHOLE,
                              [NL_UNREACHABLE] = RTN_UNREACHABLE,
                              [NL_PROHIBIT] = RTN_PROHIBIT };
  struct rtmsg *m = mnl_nlmsg_get_payload(w->h);

  ASSERT(r->type < ARRAY_SIZE(types));
  m->rtm_type = types[r->type];
  m->rtm_scope = r->v6 ? RT_SCOPE_UNIVERSE : r->scope;
  if (!ip_is_none(r->prefsrc))
    put_ip(w, RTA_PREFSRC, r->prefsrc);
  if (r->type == NL_UNICAST)
    put_nexthops(w, r);
  put_metrics(w, r);
}

bool
nlroute_put(struct nlmsghdr *nlh, size_t size, const struct nl_route *r, enum nlroute_request what)
{
  struct writing w = { .h = nlh, .size = size };

  if (size < MNL_NLMSG_HDRLEN + sizeof(struct rtmsg))
    return false;
  memset(nlh, 0, MNL_NLMSG_HDRLEN);
  nlh->nlmsg_len = MNL_NLMSG_HDRLEN;

  struct rtmsg *m = put_bytes(&w, sizeof(*m));

  nlh->nlmsg_flags = NLM_F_REQUEST;
  nlh->nlmsg_type = RTM_DELROUTE;
  m->rtm_family = r->v6 ? AF_INET6 : AF_INET;
  m->rtm_dst_len = r->dst.len;
  m->rtm_src_len = r->v6 ? r->src.len : 0;
  m->rtm_tos = r->tos;
  m->rtm_table = r->table < 256 ? r->table : RT_TABLE_UNSPEC;
  m->rtm_protocol = r->protocol;
  m->rtm_scope = RT_SCOPE_NOWHERE; /* any, and so is type 0 */
  put_key(&w, r);
  if (what == NLROUTE_SET)
  {
    nlh->nlmsg_type = RTM_NEWROUTE;
    nlh->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
    put_route(&w, r);
  }
  return !w.full;
}
