/*
 * lib/net.h: what a table has routes for
 *
 * A network is an IPv4 or IPv6 prefix; in ROA tables with the longest prefix length and the AS number that an
 * authorisation names (RFC 6811 section 2).
 */
#ifndef PEREGRINE_LIB_NET_H
#define PEREGRINE_LIB_NET_H

#include "lib/ip.h"

enum net_type
{
  NET_NONE,
  NET_IP4,
  NET_IP6,
  NET_VPN4,
  NET_VPN6,
  NET_ROA4,
  NET_ROA6,
  NET_FLOW4,
  NET_FLOW6,
  NET_SADR,
  NET_MPLS,
  NET_TYPE__MAX
};

struct net_addr
{
  u8 type; /* enum net_type */
  u8 max_len;
  u32 asn;
  struct prefix prefix;
};

/* As channels are called: "ipv4", "roa6", ... */
const char *net_type_name(uint type);

static inline struct net_addr
net_from_prefix(const struct prefix *p)
{
  return (struct net_addr){ .type = ip_is_v4(p->addr) ? NET_IP4 : NET_IP6, .prefix = *p };
}

/* The default routes: ::/0 is the IPv6 one, ::ffff:0.0.0.0/0 that of IPv4. */
bool net_equal(const struct net_addr *a, const struct net_addr *b);
bool net_is_roa(const struct net_addr *a);

/*
 * Can there be routes for it? Not for what never leaves a host or a link, and not for multicast: 127.0.0.0/8,
 * 224.0.0.0/3, 0.0.0.0/8 but for the default route, fe80::/10, ff00::/8, ::1.
 */
bool net_is_routable(const struct net_addr *a);

/* Is @a, of the same family, inside @p or equal to it? */
bool prefix_covers(const struct prefix *p, const struct prefix *a);

#define NET_TEXT_SIZE (PREFIX_TEXT_SIZE + 20)
char *net_format(const struct net_addr *a, char *buf);
#define NET_STR(a) net_format((a), (char[NET_TEXT_SIZE]){ 0 })

#endif
