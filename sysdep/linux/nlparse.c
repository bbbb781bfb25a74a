/*
 * sysdep/linux/nlparse.c: see nlparse.h
 *
 * A message is a fixed header and attributes. Attributes are first collected into a table by type, with their
 * lengths compared with the room there is, and must fill that room; what is wanted is then taken from the
 * table, each with the length its type demands. Types past the end of the table are skipped, as newer kernels
 * add some.
 */
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "sysdep/linux/nlparse.h"

/* States in which the kernel itself would send to the link-layer address. */
#define NEIGH_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

#define ATTR_LIMIT 64 /* types from here on are not looked at */

struct attrs
{
  const struct nlattr *at[ATTR_LIMIT];
};

/* Not mnl_attr_parse(): it rounds the end of the message up, past what may be read, and tolerates a ragged
 * end. */
static bool
attrs_collect(struct attrs *a, const void *data, size_t size)
{
  const struct nlattr *attr = data;
  size_t left = size;

  memset(a, 0, sizeof(*a));
  while (left && mnl_attr_ok(attr, left))
  {
    size_t step = MNL_ALIGN(attr->nla_len);
    uint type = mnl_attr_get_type(attr);

    if (type < ATTR_LIMIT)
      a->at[type] = attr;
    if (step >= left)
      return true; /* the last one need not be padded */
    left -= step;
    attr = mnl_attr_next(attr);
  }
  return !left;
}

/* The fixed header of @size bytes, NULL when the message is too short for it or its attributes are wrong. */
static const void *
message_split(const struct nlmsghdr *nlh, size_t size, struct attrs *a)
{
  size_t payload = mnl_nlmsg_get_payload_len(nlh);

  if (nlh->nlmsg_len < MNL_NLMSG_HDRLEN || payload < size)
    return NULL;

  size_t skip = MIN((size_t) MNL_ALIGN(size), payload);

  if (!attrs_collect(a, mnl_nlmsg_get_payload_offset(nlh, skip), payload - skip))
    return NULL;
  return mnl_nlmsg_get_payload(nlh);
}

/* An absent attribute is fine and leaves @value alone; so for all attr_...() here. */
static bool
attr_u32(const struct nlattr *attr, u32 *value)
{
  if (!attr)
    return true;
  if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
    return false;
  *value = mnl_attr_get_u32(attr);
  return true;
}

static bool
attr_bytes(const struct nlattr *attr, u8 *data, size_t size, u8 *len)
{
  if (!attr)
    return true;

  size_t have = mnl_attr_get_payload_len(attr);

  if (have > size)
    return false;
  memcpy(data, mnl_attr_get_payload(attr), have);
  *len = have;
  return true;
}

static bool
attr_ip(const struct nlattr *attr, uint family, ip_addr *addr)
{
  if (!attr)
    return true;
  if (mnl_attr_get_payload_len(attr) != (family == AF_INET ? 4 : 16))
    return false;
  *addr = ip_from_bytes(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
  return true;
}

static bool
family_wanted(uint family)
{
  return family == AF_INET || family == AF_INET6;
}

/* ip_addr holds IPv4 as ::ffff:a.b.c.d, so an IPv6 address of that form cannot be told from IPv4. */
static bool
looks_like_v4(uint family, ip_addr a)
{
  return family == AF_INET6 && ip_is_v4(a);
}

/* --- Links --- */

static bool
link_name(const struct nlattr *attr, struct nl_link *link)
{
  if (!attr || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
    return false;

  const char *name = mnl_attr_get_str(attr);

  if (!*name || strlen(name) >= sizeof(link->name))
    return false;
  strcpy(link->name, name);
  return true;
}

/*
 * Nested twice: IFLA_LINKINFO holds the kind of the device and, in IFLA_INFO_DATA, what that kind has to say.
 */
static bool
link_vrf(const struct nlattr *linkinfo, struct nl_link *link)
{
  struct attrs info, data;

  if (!linkinfo)
    return true;
  if (!attrs_collect(&info, mnl_attr_get_payload(linkinfo), mnl_attr_get_payload_len(linkinfo)))
    return false;

  const struct nlattr *kind = info.at[IFLA_INFO_KIND], *inner = info.at[IFLA_INFO_DATA];

  if (!kind)
    return true;
  if (mnl_attr_validate(kind, MNL_TYPE_NUL_STRING) < 0)
    return false;
  if (strcmp(mnl_attr_get_str(kind), "vrf"))
    return true;
  return inner && attrs_collect(&data, mnl_attr_get_payload(inner), mnl_attr_get_payload_len(inner)) &&
         attr_u32(data.at[IFLA_VRF_TABLE], &link->vrf_table) && link->vrf_table;
}

enum nlparse
nlparse_link(const struct nlmsghdr *nlh, struct nl_link *link)
{
  struct attrs a;
  const struct ifinfomsg *m = message_split(nlh, sizeof(*m), &a);

  if (!m)
    return NLPARSE_MALFORMED;
  /*
   * A bridge speaks of its ports in the same messages; such a "deleted" means that the port left the bridge.
   */
  if (m->ifi_family != AF_UNSPEC)
    return NLPARSE_OTHER;
  if (m->ifi_index <= 0)
    return NLPARSE_MALFORMED;

  struct nl_link l = {
    .index = m->ifi_index,
    .up = m->ifi_flags & IFF_UP,
    .carrier = m->ifi_flags & IFF_LOWER_UP,
    .broadcast = m->ifi_flags & IFF_BROADCAST,
    .multicast = m->ifi_flags & IFF_MULTICAST,
    .point_to_point = m->ifi_flags & IFF_POINTOPOINT,
    .loopback = m->ifi_flags & IFF_LOOPBACK,
  };

  if (!link_name(a.at[IFLA_IFNAME], &l) || !attr_u32(a.at[IFLA_MTU], &l.mtu) ||
      !attr_u32(a.at[IFLA_MASTER], &l.master) || !link_vrf(a.at[IFLA_LINKINFO], &l) ||
      !attr_bytes(a.at[IFLA_ADDRESS], l.lladdr, sizeof(l.lladdr), &l.lladdr_len))
    return NLPARSE_MALFORMED;
  *link = l;
  return NLPARSE_OK;
}

/* --- Addresses --- */

enum nlparse
nlparse_addr(const struct nlmsghdr *nlh, struct nl_addr *addr)
{
  struct attrs a;
  const struct ifaddrmsg *m = message_split(nlh, sizeof(*m), &a);

  if (!m)
    return NLPARSE_MALFORMED;
  if (!family_wanted(m->ifa_family))
    return NLPARSE_OTHER;

  u32 flags = m->ifa_flags; /* eight bits that IFA_FLAGS repeats and goes on from */
  ip_addr local = IP_NONE, address = IP_NONE;

  if (!m->ifa_index || m->ifa_prefixlen > (m->ifa_family == AF_INET ? 32 : 128) ||
      !attr_u32(a.at[IFA_FLAGS], &flags) || !attr_ip(a.at[IFA_LOCAL], m->ifa_family, &local) ||
      !attr_ip(a.at[IFA_ADDRESS], m->ifa_family, &address))
    return NLPARSE_MALFORMED;

  /* IFA_LOCAL is ours wherever it is given; IFA_ADDRESS is then the same, or the other end. */
  ip_addr ours = ip_is_none(local) ? address : local;

  if (ip_is_none(ours))
    return NLPARSE_MALFORMED;
  if (looks_like_v4(m->ifa_family, ours) || looks_like_v4(m->ifa_family, address))
    return NLPARSE_OTHER;

  /* IFA_F_SECONDARY is IFA_F_TEMPORARY in IPv6: neither is an address to prefer for a session. */
  *addr = (struct nl_addr){
    .ifindex = m->ifa_index,
    .prefix = { ours, m->ifa_prefixlen },
    .peer = ip_equal(ours, address) ? IP_NONE : address,
    .scope = m->ifa_scope,
    .tentative =
        (flags & IFA_F_DADFAILED) || (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) == IFA_F_TENTATIVE,
    .deprecated = flags & IFA_F_DEPRECATED,
    .secondary = flags & IFA_F_SECONDARY,
  };
  return NLPARSE_OK;
}

/* --- Neighbours --- */

enum nlparse
nlparse_neigh(const struct nlmsghdr *nlh, struct nl_neigh *neigh)
{
  struct attrs a;
  const struct ndmsg *m = message_split(nlh, sizeof(*m), &a);

  if (!m)
    return NLPARSE_MALFORMED;
  /* Forwarding tables of bridges come as neighbours of AF_BRIDGE; a proxy entry is what we answer for. */
  if (!family_wanted(m->ndm_family) || (m->ndm_flags & NTF_PROXY))
    return NLPARSE_OTHER;

  struct nl_neigh n = { .ifindex = m->ndm_ifindex, .usable = m->ndm_state & NEIGH_USABLE };

  if (m->ndm_ifindex <= 0 || !attr_ip(a.at[NDA_DST], m->ndm_family, &n.addr) || ip_is_none(n.addr) ||
      !attr_bytes(a.at[NDA_LLADDR], n.lladdr, sizeof(n.lladdr), &n.lladdr_len))
    return NLPARSE_MALFORMED;
  if (looks_like_v4(m->ndm_family, n.addr))
    return NLPARSE_OTHER;
  *neigh = n;
  return NLPARSE_OK;
}
