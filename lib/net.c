/* lib/net.c: see net.h */
#include <stdio.h>

#include "lib/net.h"

const char *
net_type_name(uint type)
{
  static const char *const names[NET_TYPE__MAX] = {
    [NET_IP4] = "ipv4",  [NET_IP6] = "ipv6",       [NET_VPN4] = "vpn4",   [NET_VPN6] = "vpn6",
    [NET_ROA4] = "roa4", [NET_ROA6] = "roa6",      [NET_FLOW4] = "flow4", [NET_FLOW6] = "flow6",
    [NET_MPLS] = "mpls", [NET_SADR] = "ipv6-sadr",
  };

  return type < NET_TYPE__MAX && names[type] ? names[type] : "none";
}

bool
net_is_roa(const struct net_addr *a)
{
  return a->type == NET_ROA4 || a->type == NET_ROA6;
}

bool
net_equal(const struct net_addr *a, const struct net_addr *b)
{
  return a->type == b->type && a->prefix.len == b->prefix.len && ip_equal(a->prefix.addr, b->prefix.addr) &&
         a->max_len == b->max_len && a->asn == b->asn;
}

static bool
routable_v4(const struct prefix *p)
{
  u32 a = ip_to_u32(p->addr);

  if (!p->len && !a)
    return true;
  return a >> 24 && a >> 24 != 127 && a >> 29 != 7;
}

bool
net_is_routable(const struct net_addr *a)
{
  const struct prefix *p = &a->prefix;

  if (ip_is_v4(p->addr))
    return routable_v4(p);
  return !ip_is_link_local(p->addr) && !ip_is_multicast(p->addr) &&
         !(p->len == 128 && ip_is_loopback(p->addr));
}

bool
prefix_covers(const struct prefix *p, const struct prefix *a)
{
  return a->len >= p->len && prefix_contains(p, a->addr);
}

char *
net_format(const struct net_addr *a, char *buf)
{
  if (net_is_roa(a))
    snprintf(buf, NET_TEXT_SIZE, "%s-%u AS%u", PREFIX_STR(&a->prefix), a->max_len, a->asn);
  else
    prefix_format(&a->prefix, buf);
  return buf;
}
