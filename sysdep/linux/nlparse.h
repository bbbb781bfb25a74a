/*
 * sysdep/linux/nlparse.h: one rtnetlink message to one struct
 *
 * Pure: no socket, no state. @nlh has passed mnl_nlmsg_ok(), so that nlmsg_len bytes can be read; nothing
 * behind them is, and nothing within them is trusted. Structs are written only with NLPARSE_OK. The message
 * type (new or deleted) is the caller's business.
 */
#ifndef PEREGRINE_SYSDEP_LINUX_NLPARSE_H
#define PEREGRINE_SYSDEP_LINUX_NLPARSE_H

#include <linux/netlink.h>

#include "sysdep/netlink.h"

enum nlparse
{
  NLPARSE_OK,
  NLPARSE_OTHER,    /* well-formed, but nothing we want: another family, a bridge port, a proxy entry */
  NLPARSE_MALFORMED /* cut short, a wrong length, a missing part, a value out of its range */
};

enum nlparse nlparse_link(const struct nlmsghdr *nlh, struct nl_link *link);
enum nlparse nlparse_addr(const struct nlmsghdr *nlh, struct nl_addr *addr);
enum nlparse nlparse_neigh(const struct nlmsghdr *nlh, struct nl_neigh *neigh);

#endif
