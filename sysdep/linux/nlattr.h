/*
 * sysdep/linux/nlattr.h: attributes of rtnetlink messages
 *
 * Pure, and without trust: @nlh has passed mnl_nlmsg_ok(), so that nlmsg_len bytes can be read, and nothing
 * behind them is. nlattr_get_...() find an absent attribute (NULL) fine and leave the value alone; false
 * means that the attribute has a wrong length.
 */
#ifndef PEREGRINE_SYSDEP_LINUX_NLATTR_H
#define PEREGRINE_SYSDEP_LINUX_NLATTR_H

#include <libmnl/libmnl.h>

#include "lib/ip.h"

#define NLATTR_LIMIT 64 /* types from here on are not looked at */

struct nlattrs
{
  const struct nlattr *at[NLATTR_LIMIT];
};

/* Attributes must fill the room exactly; the last one need not be padded. Of equal types the last counts. */
bool nlattr_collect(struct nlattrs *a, const void *data, size_t size);
bool nlattr_collect_nested(struct nlattrs *a, const struct nlattr *outer);

/* The fixed header of @size bytes, NULL when the message is too short for it or its attributes are wrong. */
const void *nlattr_split_message(const struct nlmsghdr *nlh, size_t size, struct nlattrs *a);

bool nlattr_get_u32(const struct nlattr *attr, u32 *value);
bool nlattr_get_ip(const struct nlattr *attr, uint family, ip_addr *addr);

/* ip_addr holds IPv4 as ::ffff:a.b.c.d, so an IPv6 address of that form cannot be told from IPv4. */
bool nlattr_ip_is_ambiguous(uint family, ip_addr a);

#endif
