/*
 * sysdep/netlink.h: links, addresses and neighbours from the kernel (rtnetlink, through libmnl)
 *
 * The object first reports everything there is, then every change. After a receive overrun (ENOBUFS) or an
 * interrupted dump it scans again by itself. A scan is bracketed by scan_begin and scan_end, so that the
 * receiver can forget what was not reported in between; a scan that turns out incomplete has no scan_end, and
 * scan_begin comes again. All hooks come from the loop given, and may free the object; the main loop is never
 * held longer than one receive buffer (32 kB) at a time.
 */
#ifndef PEREGRINE_SYSDEP_NETLINK_H
#define PEREGRINE_SYSDEP_NETLINK_H

#include "lib/ip.h"
#include "sysdep/loop.h"

struct nl_link
{
  uint index, mtu;
  uint master;    /* index of the bridge, bond or VRF device above, or 0 */
  uint vrf_table; /* nonzero: a VRF device with that table */
  char name[16];
  u8 lladdr[32], lladdr_len;
  bool up;      /* administratively: IFF_UP */
  bool carrier; /* IFF_LOWER_UP */
  bool broadcast, multicast, point_to_point, loopback;
};

struct nl_addr
{
  uint ifindex;
  struct prefix prefix; /* the address itself and the length of its network */
  ip_addr peer;         /* the other end of a point-to-point address, or IP_NONE */
  u8 scope;             /* RT_SCOPE_... */
  bool tentative;       /* IPv6 duplicate address detection running or failed: not usable */
  bool deprecated, secondary;
};

struct nl_neigh
{
  uint ifindex;
  ip_addr addr;
  u8 lladdr[32], lladdr_len;
  bool usable; /* the link-layer address may be used now */
};

/* What there is no hook for is neither scanned nor subscribed to. */
struct nl_hooks
{
  void (*scan_begin)(void *data);
  void (*scan_end)(void *data);
  void (*link)(void *data, const struct nl_link *link, bool gone);
  void (*addr)(void *data, const struct nl_addr *addr, bool gone);
  void (*neigh)(void *data, const struct nl_neigh *neigh, bool gone);
};

struct netlink; /* a resource: rfree() it */

/*
 * NULL, with a log line, when the kernel refuses the socket. @hooks is borrowed and must outlive the object.
 */
struct netlink *netlink_new(pool *p, struct loop *l, const struct nl_hooks *hooks, void *data);

/* Ask for a scan now; a scan that is running goes on and is followed by another. */
void netlink_scan(struct netlink *nl);

struct nl_counters
{
  u64 scans, overruns, malformed;
};
const struct nl_counters *netlink_counters(const struct netlink *nl);

#endif
