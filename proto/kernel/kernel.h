/*
 * proto/kernel/kernel.h: a table of ours in a table of the kernel. Private to the module; main loop only.
 *
 * The kernel gets what the channel exports, under one metric, marked with the protocol number of our kind of
 * daemon. What it has is compared with that by scans: at the start, at `scan time`, after events were lost,
 * after changes of interfaces (which make the kernel drop routes without a word), and when somebody touched a
 * route of ours. A key that belongs to another program is left to it for as long as it is there.
 */
#ifndef PEREGRINE_PROTO_KERNEL_KERNEL_H
#define PEREGRINE_PROTO_KERNEL_KERNEL_H

#include "nest/channel.h"
#include "nest/iface.h"
#include "sysdep/log.h"
#include "sysdep/routes.h"

#define KERNEL_SCAN_TIME 60 /* seconds */
#define KERNEL_METRIC 32
#define KERNEL_TABLE_MAIN 254
#define KERNEL_MERGE_LIMIT 16

/* For interfaces to be known, neighbours to be found and BFD to come up. */
#define KERNEL_LEFTOVER_TIME BT_S(5)

struct kernel_config
{
  struct proto_config c;
  u32 table, metric;
  uint scan_time; /* seconds */
  uint rx_buffer; /* bytes, 0: as large as usual */
  bool learn, persist;
  bool merge_paths;
  u32 merge_limit;
};

/* Somebody else's route under a key we would use. */
struct kernel_foreign
{
  struct hnode hn;
  struct prefix prefix;
  bool seen; /* by the scan */
};

struct kernel_proto
{
  struct proto p;
  struct channel *channel;
  struct nl_routes *routes;
  bool v6;
  bool synced; /* a scan has been through since the start */
  bool scanning, scan_wanted;
  btime scan_began, scan_took;
  btime leftovers_until; /* what a run before left behind stays until then, for it may be wanted again */
  struct timer *periodic, *soon, *leftovers;
  struct htable foreign; /* struct kernel_foreign */
  /* Networks whose route the present scan saw, or that were written since it began; by number. */
  u64 *seen;
  u32 seen_words;
  struct work *repair; /* after a scan: write again what it did not see */
  u32 repair_pos;
  bool repairing, stopping;
  bool sweep_due, sweeping; /* a last scan removes what is still spared; it goes on */
  u64 repaired, left_to_others;
  struct log_limit trouble;
};

static inline const struct kernel_config *
kernel_config_of(const struct kernel_proto *p)
{
  return (const struct kernel_config *) p->p.cf;
}

extern const struct proto_class proto_kernel;

/* convert.c: between attributes and routes of the kernel. */

/* The route for @a as it has to be in the kernel; next hops go to @hops (NEXTHOPS_MAX). */
void kernel_route_make(const struct kernel_proto *p, struct nl_route *r, struct nl_nexthop *hops,
                       const struct prefix *dst, const struct attrs *a);
/* Does @seen do what @wanted says? */
bool kernel_route_matches(const struct nl_route *seen, const struct nl_route *wanted);
/* What was learned from somebody's route, counted; NULL: nothing to be made of it. */
struct attrs *kernel_learned_attrs(const struct kernel_proto *p, const struct nl_route *r);
/* The metric a route of ours has in the kernel. */
u32 kernel_metric(const struct kernel_proto *p);

/* sync.c */
extern const struct nl_routes_hooks kernel_hooks;
void kernel_sync_start(struct kernel_proto *p);
void kernel_scan(struct kernel_proto *p);
void kernel_scan_soon(struct kernel_proto *p);
/* Remove what a run before left behind and what is still spared, then see whether the instance may end. */
void kernel_sweep(struct kernel_proto *p);
/* Hold the channel back while the kernel has enough to do. */
void kernel_pace(struct kernel_proto *p);
/* Write the route for @n, or remove it when @a is NULL. False: the key is left to another program. */
bool kernel_write(struct kernel_proto *p, const struct net *n, const struct net_addr *na,
                  const struct attrs *a);

#endif
