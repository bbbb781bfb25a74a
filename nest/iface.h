/*
 * nest/iface.h: interfaces and their addresses. Main loop only.
 *
 * The device protocol feeds this from the kernel. An interface object, once made, stays for the life of the
 * daemon and keeps its name; while the kernel has no such interface it is not `present`. A renamed interface
 * is one that goes and another that comes.
 */
#ifndef PEREGRINE_NEST_IFACE_H
#define PEREGRINE_NEST_IFACE_H

#include "lib/ip.h"
#include "sysdep/loop.h"
#include "sysdep/netlink.h"

struct iface_addr
{
  struct node n;
  ip_addr ip;
  struct prefix prefix; /* the network it is in, or beyond it: with a peer, that of the peer */
  ip_addr peer;         /* other end of a point-to-point address, or IP_NONE */
  u8 scope;
  bool tentative, deprecated, secondary;
  bool seen; /* during a scan */
};

struct iface
{
  struct node n;
  char name[16];
  bool present, up, link; /* link: carrier */
  bool broadcast, multicast, point_to_point, loopback;
  uint index, mtu, master;
  uint vrf_table;    /* nonzero: a VRF device, with this table of the kernel */
  struct list addrs; /* struct iface_addr */
  bool seen;
};

void iface_init(pool *p, struct loop *l);
const struct list *iface_list(void);        /* struct iface, present or not */
struct iface *iface_find(const char *name); /* NULL: never seen */
struct iface *iface_find_index(uint index); /* NULL: none present with it */

/* Able to carry packets: present, up, with carrier. */
bool iface_usable(const struct iface *i);

/*
 * Which of our addresses to use towards @remote on @i: one whose network has it, else, if @any, the first fit
 * one of its family. NULL when there is none yet.
 */
const struct iface_addr *iface_local_for(const struct iface *i, ip_addr remote, bool any);
const struct iface_addr *iface_addr_find(const struct iface *i, ip_addr ip);

/*
 * The address of a family that stands for the interface: the one the configuration prefers, if the interface
 * has it, else the first fit one; NULL: none.
 */
const struct iface_addr *iface_preferred(const struct iface *i, bool v6, bool link_local);
struct iface_pattern;
struct iface_preference
{
  struct iface_preference *next;
  const struct iface_pattern *ifaces;
  ip_addr ip;
};
/* From the device protocol: what is preferred from now on; borrowed until the next call, which compares. */
void iface_prefer(const struct iface_preference *first);

/* Is @ip an address of this host that can be used now, in this VRF (as iface_in_vrf() has it)? */
bool iface_ip_usable(ip_addr ip, const char *vrf);
bool iface_ip_ours(ip_addr ip);

/*
 * Does @i belong to this VRF? NULL is any interface, "" those in no VRF; a VRF device belongs to itself.
 */
bool iface_in_vrf(const struct iface *i, const char *vrf);

/* One part of an interface pattern: the first that fits decides. */
struct iface_pattern
{
  struct iface_pattern *next;
  const char *mask; /* shell pattern for the name; NULL: any */
  struct prefix prefix;
  bool has_prefix, positive;
};
/* Does the list name the interface? Prefixes do not count. */
bool iface_pattern_match(const struct iface_pattern *first, const char *name);
/* Does it name this address of it? */
bool iface_pattern_match_addr(const struct iface_pattern *first, const struct iface *i, ip_addr ip);

/* Told of every change, after it; the hook may free its watch. A resource. */
struct iface_watch;
struct iface_watch *iface_watch_new(pool *p, void (*hook)(const struct iface *i, void *data), void *data);

/* What netlink calls. */
extern const struct nl_hooks iface_nl_hooks;

#endif
