/*
 * sysdep/routes.h: routes of the kernel, read and written (rtnetlink, through libmnl)
 *
 * One object serves one family. It scans a table on demand, reports what others change in any table of the
 * family, and carries out changes in batches. All of it belongs to the loop given, and hooks come from there,
 * never from inside a call; any hook may free the object. A callback of the loop reads one receive buffer
 * (32 kB) at most.
 *
 * Changes are carried out by a thread of the object's own, in the order in which they were asked for: the
 * kernel works on them while the call lasts, and that can take long. nl_routes_pending() are those asked for
 * of which is not known yet that they were carried out; progress() comes when there are fewer. Only a few are
 * with the thread at a time, so that little has to be waited for by what is handed over next. Those that wait
 * in front of it take up memory, and are out of date sooner: a user with much to change holds back what
 * exceeds NL_ROUTES_WINDOW until progress() comes.
 *
 * Changes of one's own are not reported back. An event can be older than changes that were asked for before
 * it came, pending or not, which have undone what it tells or will. The same holds for a scan and changes
 * asked for since scan_begin(): what is set during a scan counts as seen. What was asked for before that, the
 * scan waits for.
 *
 * What the kernel does, and a user has to know:
 *
 * - IPv4 routes vanish without an event when their link goes down or away, and with older kernels those of
 *   the main table when their prefsrc does: scan after such news from netlink.h. IPv6 routes have an event.
 * - An IPv4 route with more than some 50 IPv6 next hops has no event: the kernel reckons too little room for
 *   it and tells all who listen that they lost something. So overrun() follows, on one's own changes too.
 * - While an IPv4 table grows or shrinks by thousands of routes, the kernel waits for its readers now and
 *   then (net.ipv4.fib_sync_mem says how often); changes take tens or hundreds of milliseconds then.
 * - Deleting the routes of a large IPv4 table from the lowest prefix up takes the kernel a time that grows
 *   with the square of their number (minutes for a million); in no particular order, seconds.
 * - An IPv4 key (table, dst, tos, metric) can hold several routes, if others append or prepend. The first
 *   counts; nl_route_set() replaces the first, nl_route_delete() removes the first of the protocol given.
 * - An IPv6 route with a gateway that others add without NLM_F_EXCL under the key of ours joins it as one
 *   more next hop, and goes with it. One without gateway (a blackhole, say) stands beside ours, as long as
 *   nl_route_set() is not given such a route either, which would replace that and leave our old one. A dump
 *   can even pass by it, if ours has several next hops.
 * - A next hop that joins an IPv6 route has an event with the whole route; one that leaves, with that next
 *   hop alone: after NL_ROUTE_GONE with fewer next hops than there were, the rest is still in place.
 * - IPv6 knows no metric 0: the kernel makes it 1024 (NL_METRIC_V6_DEFAULT), and so it is read back.
 * - IPv6 next hops of a multipath route need a gateway each; the kernel refuses others, and equal ones.
 */
#ifndef PEREGRINE_SYSDEP_ROUTES_H
#define PEREGRINE_SYSDEP_ROUTES_H

#include "lib/ip.h"
#include "sysdep/loop.h"

#define NL_NEXTHOPS_MAX 512
#define NL_METRIC_V6_DEFAULT 1024
#define NL_ROUTES_WINDOW 256 /* as many pending changes keep the kernel busy; more only wait */

struct nl_nexthop
{
  ip_addr via; /* IP_NONE: on the link itself. IPv6 also for IPv4 routes (RFC 8950) */
  uint ifindex;
  u16 weight;  /* 1..256; means nothing for a single next hop, and reads 1 */
  bool onlink; /* @via is on the link even if no prefix says so */
  bool dead;   /* not used now: the link is down. Not written */
};

enum nl_route_type
{
  NL_UNICAST,
  NL_BLACKHOLE,
  NL_UNREACHABLE,
  NL_PROHIBIT,
  NL_ROUTE_OTHER /* takes up its key, but has no form here: throw, encapsulated, too many next hops. Has no
                    next hops; can be deleted, not set */
};

/* Who made a route (rtm_protocol): the values others use. */
enum nl_protocol
{
  NL_PROTO_NONE = 0,
  NL_PROTO_REDIRECT = 1,
  NL_PROTO_KERNEL = 2,
  NL_PROTO_BOOT = 3,
  NL_PROTO_STATIC = 4,
  NL_PROTO_RA = 9,
  NL_PROTO_BIRD = 12
};

/* IPv4 only: routes without gateway are of scope link, or next hops cannot be resolved through them. */
enum nl_scope
{
  NL_SCOPE_UNIVERSE = 0,
  NL_SCOPE_SITE = 200,
  NL_SCOPE_LINK = 253,
  NL_SCOPE_HOST = 254,
  NL_SCOPE_NOWHERE = 255
};

/* Metrics of transport protocols: the kernel's numbers, for metrics[] and as bits of the masks. */
enum nl_metric
{
  NL_METRIC_MTU = 2,
  NL_METRIC_WINDOW,
  NL_METRIC_RTT,
  NL_METRIC_RTTVAR,
  NL_METRIC_SSTHRESH,
  NL_METRIC_CWND,
  NL_METRIC_ADVMSS,
  NL_METRIC_REORDERING,
  NL_METRIC_HOPLIMIT,
  NL_METRIC_INITCWND,
  NL_METRIC_FEATURES,
  NL_METRIC_RTO_MIN,
  NL_METRIC_INITRWND,
  NL_METRIC_QUICKACK,
  NL_METRIC__MAX
};
#define NL_METRIC_BIT(m) (1u << (m))

/* IPv4 default is 0.0.0.0/0, which is ::ffff:0.0.0.0 with length 0; IPv6 default is ::/0. */
struct nl_route
{
  bool v6;
  u8 type; /* enum nl_route_type */
  u8 protocol, scope, tos;
  struct prefix dst;
  struct prefix src; /* IPv6 source-specific; length 0: none */
  u32 table;
  u32 metric;
  ip_addr prefsrc; /* IP_NONE: none */
  u32 realm;       /* IPv4; of the first next hop */
  /* What is in the mask; 0 is the kernel's "not set" and is not read back. The kernel lowers an MTU over
     65520, an advmss over 65495 and a hop limit over 255. */
  u32 metrics_mask;
  u32 metrics_lock; /* these are not to be adapted */
  u32 metrics[NL_METRIC__MAX];
  u32 nhid; /* nonzero: the route uses this next hop object. Read, the next hops are what the kernel says of
               the object (nothing, perhaps); written, they are ignored */
  uint nexthop_count; /* of unicast routes; 0 only with nhid, or when the kernel names none */
  const struct nl_nexthop *nexthops;
};

enum nl_route_event
{
  NL_ROUTE_SEEN,     /* by the scan */
  NL_ROUTE_NEW,      /* added, or a next hop was (IPv6) */
  NL_ROUTE_REPLACED, /* took the place of the one with the same key, which has no event of its own */
  NL_ROUTE_GONE
};

struct nl_routes_hooks
{
  /* A scan that turns out incomplete has no end, and the next begin follows a little later. */
  void (*scan_begin)(void *data, u32 table);
  void (*scan_end)(void *data, u32 table);
  /* @r and its next hops are valid during the call. Only unicast, blackhole, unreachable, prohibit and
     NL_ROUTE_OTHER come; not local, broadcast, multicast or cached ones. */
  void (*route)(void *data, const struct nl_route *r, enum nl_route_event what);
  /* Events or refusals were lost: ask for a scan. Not called when a scan is to begin anew anyway. */
  void (*overrun)(void *data);
  /* @error is an errno; @text the kernel's explanation, or NULL, valid during the call. The change is not
     pending any more. */
  void (*refused)(void *data, u64 cookie, const struct prefix *dst, bool removing, int error,
                  const char *text);
  /* Changes were carried out, and their refusals have been reported. May be NULL. */
  void (*progress)(void *data);
};

/*
 * A resource: rfree() it. What is pending then is dropped, but for what the kernel is at, and for that
 * rfree() waits: who wants all to be carried out, or cannot wait, frees it when nothing is pending.
 */
struct nl_routes;

/*
 * @rx_buffer: bytes of events that may wait, 0 for the default. NULL, with a log line, when the kernel
 * refuses the sockets or the thread. @hooks is borrowed and must outlive the object. Nothing is scanned until
 * it is asked for.
 */
struct nl_routes *nl_routes_new(pool *p, struct loop *l, bool v6, const struct nl_routes_hooks *hooks,
                                void *data, uint rx_buffer);

/*
 * Report all of @table. A scan that runs goes on and is followed by this one; of several that wait the last
 * one counts. A table that does not exist is empty.
 */
void nl_routes_scan(struct nl_routes *nl, u32 table);

/*
 * Carried out, the kernel has exactly this route under (table, dst, src, tos, metric), whoever's was there
 * before: it is made, or replaces what there is in one step (where others put several under one key, see
 * above). Refusals are reported with @cookie.
 *
 * Changes are collected in a batch. A full batch goes to the thread at once, the rest with
 * nl_routes_flush(), or by itself in the next round of the loop. What the kernel cannot take for want of
 * memory is kept and tried again. Nothing of @r is kept.
 */
void nl_route_set(struct nl_routes *nl, const struct nl_route *r, u64 cookie);

/*
 * Carried out, the route of @r->protocol under (table, dst, src, tos, metric) is gone with all its next hops;
 * nothing else of @r matters. That there is none is no error. Routes of other protocols stay. IPv4 takes
 * metric 0 as "any": if there is none of metric 0, the one of the same protocol with the lowest metric goes.
 */
void nl_route_delete(struct nl_routes *nl, const struct nl_route *r, u64 cookie);

/*
 * Hand over what there is, full batch or not. When the thread has enough to do, that happens as soon as it
 * has done some of it, and the batch may be filled up meanwhile.
 */
void nl_routes_flush(struct nl_routes *nl);

/* Changes asked for and not known to be carried out; to 0 it falls by itself. */
uint nl_routes_pending(const struct nl_routes *nl);

struct nl_routes_counters
{
  u64 set, deleted; /* carried out; includes the next two */
  u64 refused;
  u64 absent; /* deleted, but not there */
  u64 events, overruns, scans, malformed;
  u64 flushes, delayed; /* batches carried out; attempts the kernel had no memory for */
};
const struct nl_routes_counters *nl_routes_counters(const struct nl_routes *nl);

#endif
