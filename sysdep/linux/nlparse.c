/*
 * sysdep/linux/nlparse.c: see nlparse.h
 *
 * A message is a fixed header and attributes. Attributes are first collected into a table by type (nlattr.h),
 * with their lengths compared with the room there is; what is wanted is then taken from the table, each with
 * the length its type demands. Types past the end of the table are skipped, as newer kernels add some.
 */
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "sysdep/linux/nlattr.h"
#include "sysdep/linux/nlparse.h"

/* States in which the kernel itself would send to the link-layer address. */
#define NEIGH_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

/* An absent attribute is fine and leaves @data alone. */
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
family_wanted(uint family)
{
  return family == AF_INET || family == AF_INET6;
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
  struct nlattrs info, data;

  if (!linkinfo)
    return true;
  if (!nlattr_collect_nested(&info, linkinfo))
    return false;

  const struct nlattr *kind = info.at[IFLA_INFO_KIND], *inner = info.at[IFLA_INFO_DATA];

  if (!kind)
    return true;
  if (mnl_attr_validate(kind, MNL_TYPE_NUL_STRING) < 0)
    return false;
  if (strcmp(mnl_attr_get_str(kind), "vrf"))
    return true;
  return inner && nlattr_collect_nested(&data, inner) &&
         nlattr_get_u32(data.at[IFLA_VRF_TABLE], &link->vrf_table) && link->vrf_table;
}

enum nlparse
nlparse_link(const struct nlmsghdr *nlh, struct nl_link *link)
{
  struct nlattrs a;
  const struct ifinfomsg *m = nlattr_split_message(nlh, sizeof(*m), &a);

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

  if (!link_name(a.at[IFLA_IFNAME], &l) || !nlattr_get_u32(a.at[IFLA_MTU], &l.mtu) ||
      !nlattr_get_u32(a.at[IFLA_MASTER], &l.master) || !link_vrf(a.at[IFLA_LINKINFO], &l) ||
      !attr_bytes(a.at[IFLA_ADDRESS], l.lladdr, sizeof(l.lladdr), &l.lladdr_len))
    return NLPARSE_MALFORMED;
  *link = l;
  return NLPARSE_OK;
}

/* --- Addresses --- */

enum nlparse
nlparse_addr(const struct nlmsghdr *nlh, struct nl_addr *addr)
{
  struct nlattrs a;
  const struct ifaddrmsg *m = nlattr_split_message(nlh, sizeof(*m), &a);

  if (!m)
    return NLPARSE_MALFORMED;
  if (!family_wanted(m->ifa_family))
    return NLPARSE_OTHER;

  u32 flags = m->ifa_flags; /* eight bits that IFA_FLAGS repeats and goes on from */
  ip_addr local = IP_NONE, address = IP_NONE;

  if (!m->ifa_index || m->ifa_prefixlen > (m->ifa_family == AF_INET ? 32 : 128) ||
      !nlattr_get_u32(a.at[IFA_FLAGS], &flags) || !nlattr_get_ip(a.at[IFA_LOCAL], m->ifa_family, &local) ||
      !nlattr_get_ip(a.at[IFA_ADDRESS], m->ifa_family, &address))
    return NLPARSE_MALFORMED;

  /* IFA_LOCAL is ours wherever it is given; IFA_ADDRESS is then the same, or the other end. */
  ip_addr ours = ip_is_none(local) ? address : local;

  if (ip_is_none(ours))
    return NLPARSE_MALFORMED;
  if (nlattr_ip_is_ambiguous(m->ifa_family, ours) || nlattr_ip_is_ambiguous(m->ifa_family, address))
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
  struct nlattrs a;
  const struct ndmsg *m = nlattr_split_message(nlh, sizeof(*m), &a);

  if (!m)
    return NLPARSE_MALFORMED;
  /* Forwarding tables of bridges come as neighbours of AF_BRIDGE; a proxy entry is what we answer for. */
  if (!family_wanted(m->ndm_family) || (m->ndm_flags & NTF_PROXY))
    return NLPARSE_OTHER;

  struct nl_neigh n = { .ifindex = m->ndm_ifindex, .usable = m->ndm_state & NEIGH_USABLE };

  if (m->ndm_ifindex <= 0 || !nlattr_get_ip(a.at[NDA_DST], m->ndm_family, &n.addr) || ip_is_none(n.addr) ||
      !attr_bytes(a.at[NDA_LLADDR], n.lladdr, sizeof(n.lladdr), &n.lladdr_len))
    return NLPARSE_MALFORMED;
  if (nlattr_ip_is_ambiguous(m->ndm_family, n.addr))
    return NLPARSE_OTHER;
  *neigh = n;
  return NLPARSE_OK;
}
