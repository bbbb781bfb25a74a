/*
 * sysdep/linux/nlroute.h: one rtnetlink route message to and from one struct
 *
 * Pure: no socket, no state.
 */
#ifndef PEREGRINE_SYSDEP_LINUX_NLROUTE_H
#define PEREGRINE_SYSDEP_LINUX_NLROUTE_H

#include <linux/netlink.h>

#include "sysdep/routes.h"

enum nlroute
{
  NLROUTE_OK,
  NLROUTE_OTHER, /* well-formed, but no route to a table: another family, a cached, local or multicast one */
  NLROUTE_MALFORMED /* cut short, a wrong length, a missing part, a value out of its range */
};

/*
 * @nlh has passed mnl_nlmsg_ok(), so that nlmsg_len bytes can be read; nothing behind them is, and nothing
 * within them is trusted. @r is written only with NLROUTE_OK, and then points to @hops; these (room for
 * @max_hops) are written in any case. Whether the route is new or gone is the caller's business.
 */
enum nlroute nlroute_parse(const struct nlmsghdr *nlh, struct nl_route *r, struct nl_nexthop *hops,
                           uint max_hops);

enum nlroute_request
{
  NLROUTE_SET,   /* RTM_NEWROUTE, made or replaced */
  NLROUTE_DELETE /* RTM_DELROUTE, by key and protocol */
};

/*
 * A request of at most @size bytes at @nlh, which is aligned as messages are; sequence number and port are
 * left 0, NLM_F_ACK is not set. False when it does not fit, and then what is at @nlh is of no use.
 */
bool nlroute_put(struct nlmsghdr *nlh, size_t size, const struct nl_route *r, enum nlroute_request what);

#endif
