/*
 * nest/host.h: how a table reaches an address: recursive next hops. Main loop only.
 */
#ifndef PEREGRINE_NEST_HOST_H
#define PEREGRINE_NEST_HOST_H

#include "nest/table.h"

/* A resource of whoever asks. */
struct rt_host
{
  struct resource r;
  struct host_watch *watch;
  ip_addr ip;
  struct attrs *attrs; /* of the route that covers it, counted; NULL: none, or a recursive one */
  void (*hook)(struct rt_host *h, void *data);
  void *data;
};

/*
 * @attrs says at once how @ip is reached; @hook is called later, after each change, never from inside this
 * call; it must neither make nor free hosts. Next hops without an address mean that @ip itself is on that
 * link.
 */
struct rt_host *rt_host_new(pool *p, struct rtable *t, ip_addr ip,
                            void (*hook)(struct rt_host *h, void *data), void *data);

/* The next hops towards @h for a route through it: at most NEXTHOPS_MAX into @hops; returns how many. */
uint rt_host_nexthops(const struct rt_host *h, struct nexthop *hops);

#endif
