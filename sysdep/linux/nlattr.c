/* sysdep/linux/nlattr.c: see nlattr.h */
#include <string.h>
#include <sys/socket.h>

#include "sysdep/linux/nlattr.h"

/* Not mnl_attr_parse(): it rounds the end of the message up, past what may be read, and tolerates a ragged
 * end. */
bool
nlattr_collect(struct nlattrs *a, const void *data, size_t size)
{
  const struct nlattr *attr = data;
  size_t left = size;

  memset(a, 0, sizeof(*a));
  while (left && mnl_attr_ok(attr, left))
  {
    size_t step = MNL_ALIGN(attr->nla_len);
    uint type = mnl_attr_get_type(attr);

    if (type < NLATTR_LIMIT)
      a->at[type] = attr;
    if (step >= left)
      return true; /* the last one need not be padded */
    left -= step;
    attr = mnl_attr_next(attr);
  }
  return !left;
}

bool
nlattr_collect_nested(struct nlattrs *a, const struct nlattr *outer)
{
  return nlattr_collect(a, mnl_attr_get_payload(outer), mnl_attr_get_payload_len(outer));
}

const void *
nlattr_split_message(const struct nlmsghdr *nlh, size_t size, struct nlattrs *a)
{
  size_t payload = mnl_nlmsg_get_payload_len(nlh);

  if (nlh->nlmsg_len < MNL_NLMSG_HDRLEN || payload < size)
    return NULL;

  size_t skip = MIN((size_t) MNL_ALIGN(size), payload);

  if (!nlattr_collect(a, mnl_nlmsg_get_payload_offset(nlh, skip), payload - skip))
    return NULL;
  return mnl_nlmsg_get_payload(nlh);
}

bool
nlattr_get_u32(const struct nlattr *attr, u32 *value)
{
  if (!attr)
    return true;
  if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
    return false;
  *value = mnl_attr_get_u32(attr);
  return true;
}

bool
nlattr_get_ip(const struct nlattr *attr, uint family, ip_addr *addr)
{
  if (!attr)
    return true;
  if (mnl_attr_get_payload_len(attr) != (family == AF_INET ? 4 : 16))
    return false;
  *addr = ip_from_bytes(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
  return true;
}

bool
nlattr_ip_is_ambiguous(uint family, ip_addr a)
{
  return family == AF_INET6 && ip_is_v4(a);
}
