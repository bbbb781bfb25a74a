/* sysdep/linux/nlparse_test.c: messages as the kernel sends them, and as it never would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

#include "lib/random.h"
#include "sysdep/linux/nlparse.h"

/* Room for one message, aligned as messages are. */
struct message
{
  union
  {
    struct nlmsghdr h;
    byte bytes[1024];
  };
};

union object
{
  struct nl_link link;
  struct nl_addr addr;
  struct nl_neigh neigh;
};

static enum nlparse
parse(const struct nlmsghdr *nlh, union object *o)
{
  switch (nlh->nlmsg_type)
  {
  case RTM_NEWLINK:
    return nlparse_link(nlh, &o->link);
  case RTM_NEWADDR:
    return nlparse_addr(nlh, &o->addr);
  default:
    return nlparse_neigh(nlh, &o->neigh);
  }
}

/* Parses a copy that ends where its heap block ends. */
static enum nlparse
parse_copy(const void *data, size_t size, union object *o)
{
  struct nlmsghdr *copy = memcpy(malloc(size), data, size);
  enum nlparse result = NLPARSE_MALFORMED;

  if (mnl_nlmsg_ok(copy, size))
    result = parse(copy, o);
  free(copy);
  return result;
}

static enum nlparse
parse_message(const struct message *m, union object *o)
{
  return parse_copy(m, m->h.nlmsg_len, o);
}

/* --- Messages --- */

static void *
message_begin(struct message *m, u16 type, size_t size)
{
  memset(m, 0, sizeof(*m));
  mnl_nlmsg_put_header(m);
  m->h.nlmsg_type = type;
  return mnl_nlmsg_put_extra_header(&m->h, size);
}

static void
link_begin(struct message *m, int index, uint flags)
{
  struct ifinfomsg *i = message_begin(m, RTM_NEWLINK, sizeof(*i));

  i->ifi_index = index;
  i->ifi_flags = flags;
}

static void
put_kind(struct message *m, const char *kind, u32 table)
{
  struct nlattr *info = mnl_attr_nest_start(&m->h, IFLA_LINKINFO);

  mnl_attr_put_strz(&m->h, IFLA_INFO_KIND, kind);
  struct nlattr *data = mnl_attr_nest_start(&m->h, IFLA_INFO_DATA);

  mnl_attr_put_u32(&m->h, IFLA_VRF_TABLE, table);
  mnl_attr_nest_end(&m->h, data);
  mnl_attr_nest_end(&m->h, info);
}

static void
build_link(struct message *m)
{
  link_begin(m, 7, IFF_UP | IFF_LOWER_UP | IFF_BROADCAST | IFF_MULTICAST);
  mnl_attr_put_strz(&m->h, IFLA_IFNAME, "vrf-red");
  mnl_attr_put_u32(&m->h, IFLA_MTU, 9000);
  mnl_attr_put_u32(&m->h, IFLA_MASTER, 5);
  mnl_attr_put(&m->h, IFLA_ADDRESS, 6, "\x02\x00\x5e\x10\x00\x01");
  mnl_attr_put_u32(&m->h, IFLA_MAX + 100, 1); /* from a kernel to come */
  put_kind(m, "vrf", 1001);
}

static void
addr_begin(struct message *m, uint family, uint len, uint flags)
{
  struct ifaddrmsg *a = message_begin(m, RTM_NEWADDR, sizeof(*a));

  a->ifa_family = family;
  a->ifa_prefixlen = len;
  a->ifa_flags = flags;
  a->ifa_index = 7;
}

static void
put_ip(struct message *m, uint type, const char *text)
{
  byte data[16];
  ip_addr a;

  assert_true(ip_parse(text, &a));
  mnl_attr_put(&m->h, type, ip_to_bytes(a, data), data);
}

static void
build_addr4(struct message *m)
{
  addr_begin(m, AF_INET, 24, IFA_F_PERMANENT);
  put_ip(m, IFA_ADDRESS, "192.0.2.1");
  put_ip(m, IFA_LOCAL, "192.0.2.1");
  put_ip(m, IFA_BROADCAST, "192.0.2.255");
  mnl_attr_put_strz(&m->h, IFA_LABEL, "eth0");
  mnl_attr_put_u32(&m->h, IFA_FLAGS, IFA_F_PERMANENT);
}

static void
build_addr6(struct message *m)
{
  addr_begin(m, AF_INET6, 64, IFA_F_PERMANENT);
  put_ip(m, IFA_ADDRESS, "fe80::1");
  mnl_attr_put_u32(&m->h, IFA_FLAGS, IFA_F_PERMANENT);
}

static void
neigh_begin(struct message *m, uint family, uint state)
{
  struct ndmsg *n = message_begin(m, RTM_NEWNEIGH, sizeof(*n));

  n->ndm_family = family;
  n->ndm_ifindex = 7;
  n->ndm_state = state;
}

static void
build_neigh(struct message *m)
{
  neigh_begin(m, AF_INET6, NUD_REACHABLE);
  put_ip(m, NDA_DST, "fe80::2");
  mnl_attr_put(&m->h, NDA_LLADDR, 6, "\x02\x00\x5e\x10\x00\x02");
}

static void (*const builders[])(struct message *m) = { build_link, build_addr4, build_addr6, build_neigh };

/* --- What valid messages say --- */

static void
link_is_read_in_full(void **ctx UNUSED)
{
  struct message m;
  union object o;

  build_link(&m);
  assert_int_equal(parse_message(&m, &o), NLPARSE_OK);
  assert_int_equal(o.link.index, 7);
  assert_int_equal(o.link.mtu, 9000);
  assert_int_equal(o.link.master, 5);
  assert_int_equal(o.link.vrf_table, 1001);
  assert_string_equal(o.link.name, "vrf-red");
  assert_int_equal(o.link.lladdr_len, 6);
  assert_memory_equal(o.link.lladdr, "\x02\x00\x5e\x10\x00\x01", 6);
  assert_true(o.link.up && o.link.carrier && o.link.broadcast && o.link.multicast);
  assert_false(o.link.point_to_point || o.link.loopback);
}

static void
link_flags_are_independent(void **ctx UNUSED)
{
  struct message m;
  union object o;

  link_begin(&m, 1, IFF_LOOPBACK | IFF_POINTOPOINT | IFF_RUNNING);
  mnl_attr_put_strz(&m.h, IFLA_IFNAME, "lo");
  assert_int_equal(parse_message(&m, &o), NLPARSE_OK);
  assert_true(o.link.loopback && o.link.point_to_point);
  assert_false(o.link.up || o.link.carrier || o.link.broadcast || o.link.multicast);
  assert_int_equal(o.link.vrf_table + o.link.master + o.link.mtu + o.link.lladdr_len, 0);
}

static void
only_kind_vrf_has_a_vrf_table(void **ctx UNUSED)
{
  struct message m;
  union object o;

  link_begin(&m, 7, 0);
  mnl_attr_put_strz(&m.h, IFLA_IFNAME, "br0");
  put_kind(&m, "bridge", 1001);
  assert_int_equal(parse_message(&m, &o), NLPARSE_OK);
  assert_int_equal(o.link.vrf_table, 0);
}

static void
bridge_port_messages_are_not_links(void **ctx UNUSED)
{
  struct message m;
  union object o;

  build_link(&m);
  ((struct ifinfomsg *) mnl_nlmsg_get_payload(&m.h))->ifi_family = AF_BRIDGE;
  assert_int_equal(parse_message(&m, &o), NLPARSE_OTHER);
}

static void
addresses_of_both_families_are_read(void **ctx UNUSED)
{
  struct message m;
  union object o;

  build_addr4(&m);
  ((struct ifaddrmsg *) mnl_nlmsg_get_payload(&m.h))->ifa_scope = RT_SCOPE_HOST;
  assert_int_equal(parse_message(&m, &o), NLPARSE_OK);
  assert_int_equal(o.addr.ifindex, 7);
  assert_string_equal(PREFIX_STR(&o.addr.prefix), "192.0.2.1/24");
  assert_true(ip_is_none(o.addr.peer));
  assert_int_equal(o.addr.scope, RT_SCOPE_HOST);

  build_addr6(&m);
  assert_int_equal(parse_message(&m, &o), NLPARSE_OK);
  assert_string_equal(PREFIX_STR(&o.addr.prefix), "fe80::1/64");
  assert_true(ip_is_none(o.addr.peer));
  assert_false(o.addr.tentative || o.addr.deprecated || o.addr.secondary);
}

static void
address_that_differs_from_local_is_the_peer(void **ctx UNUSED)
{
  static const struct
  {
    uint family, len;
    const char *local, *peer;
  } cases[] = { { AF_INET, 32, "192.0.2.1", "192.0.2.2" },
                { AF_INET, 0, "192.0.2.1", "0.0.0.0" },
                { AF_INET6, 128, "2001:db8::1", "2001:db8::2" } };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct message m;
    union object o;

    addr_begin(&m, cases[i].family, cases[i].len, 0);
    put_ip(&m, IFA_ADDRESS, cases[i].peer);
    put_ip(&m, IFA_LOCAL, cases[i].local);
    assert_int_equal(parse_message(&m, &o), NLPARSE_OK);
    assert_string_equal(IP_STR(o.addr.prefix.addr), cases[i].local);
    assert_int_equal(o.addr.prefix.len, cases[i].len);
    assert_string_equal(IP_STR(o.addr.peer), cases[i].peer);
  }
}

static void
address_flags_say_what_is_usable(void **ctx UNUSED)
{
  static const struct
  {
    u32 flags;
    bool tentative, deprecated, secondary;
  } cases[] = {
    { IFA_F_PERMANENT, false, false, false },
    { IFA_F_TENTATIVE, true, false, false },
    { IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, false, false, false },
    { IFA_F_DADFAILED, true, false, false },
    { IFA_F_DADFAILED | IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, true, false, false },
    { IFA_F_DEPRECATED | IFA_F_MANAGETEMPADDR, false, true, false },
    { IFA_F_SECONDARY, false, false, true },
  };

  for (uint i = 0; i < 2 * ARRAY_SIZE(cases); i++)
  {
    u32 flags = cases[i / 2].flags;
    bool wide = i % 2; /* in IFA_FLAGS, with the old byte saying something else */
    struct message m;
    union object o;

    addr_begin(&m, AF_INET6, 64, wide ? (byte) ~flags : flags);
    put_ip(&m, IFA_ADDRESS, "2001:db8::1");
    if (wide)
      mnl_attr_put_u32(&m.h, IFA_FLAGS, flags);
    assert_int_equal(parse_message(&m, &o), NLPARSE_OK);
    assert_int_equal(o.addr.tentative, cases[i / 2].tentative);
    assert_int_equal(o.addr.deprecated, cases[i / 2].deprecated);
    assert_int_equal(o.addr.secondary, cases[i / 2].secondary);
  }
}

static void
neighbour_is_usable_in_valid_states(void **ctx UNUSED)
{
  static const struct
  {
    uint state;
    bool usable;
  } cases[] = { { NUD_NONE, false },   { NUD_INCOMPLETE, false }, { NUD_REACHABLE, true },
                { NUD_STALE, true },   { NUD_DELAY, true },       { NUD_PROBE, true },
                { NUD_FAILED, false }, { NUD_NOARP, true },       { NUD_PERMANENT, true } };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct message m;
    union object o;

    neigh_begin(&m, AF_INET, cases[i].state);
    put_ip(&m, NDA_DST, "192.0.2.9");
    mnl_attr_put(&m.h, NDA_LLADDR, 6, "\x02\x00\x5e\x10\x00\x02");
    assert_int_equal(parse_message(&m, &o), NLPARSE_OK);
    assert_int_equal(o.neigh.usable, cases[i].usable);
    assert_int_equal(o.neigh.ifindex, 7);
    assert_string_equal(IP_STR(o.neigh.addr), "192.0.2.9");
    assert_int_equal(o.neigh.lladdr_len, 6);
    assert_memory_equal(o.neigh.lladdr, "\x02\x00\x5e\x10\x00\x02", 6);
  }
}

static void
other_families_and_proxies_are_passed_over(void **ctx UNUSED)
{
  struct message m;
  union object o;

  addr_begin(&m, AF_PACKET, 0, 0);
  assert_int_equal(parse_message(&m, &o), NLPARSE_OTHER);
  neigh_begin(&m, AF_BRIDGE, NUD_PERMANENT);
  assert_int_equal(parse_message(&m, &o), NLPARSE_OTHER);
  build_neigh(&m);
  ((struct ndmsg *) mnl_nlmsg_get_payload(&m.h))->ndm_flags = NTF_PROXY;
  assert_int_equal(parse_message(&m, &o), NLPARSE_OTHER);
}

/* ::ffff:192.0.2.1 as an IPv6 address, which ip_addr has no form for. */
static void
mapped_ipv6_addresses_are_not_taken_for_ipv4(void **ctx UNUSED)
{
  static const byte mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1 };
  struct message m;
  union object o;

  addr_begin(&m, AF_INET6, 128, 0);
  mnl_attr_put(&m.h, IFA_ADDRESS, 16, mapped);
  assert_int_equal(parse_message(&m, &o), NLPARSE_OTHER);
  neigh_begin(&m, AF_INET6, NUD_STALE);
  mnl_attr_put(&m.h, NDA_DST, 16, mapped);
  assert_int_equal(parse_message(&m, &o), NLPARSE_OTHER);
}

/* --- What must be refused --- */

/* Whether a message cut to @size ends with a complete attribute, padded or not, or has none. */
static bool
whole_attributes(const struct message *m, size_t head, size_t size)
{
  const struct nlattr *attr;

  if (size == MNL_NLMSG_HDRLEN + head)
    return true;
  mnl_attr_for_each(attr, &m->h, head)
  {
    size_t end = (const byte *) attr - m->bytes + attr->nla_len;

    if (end <= size && size <= MNL_ALIGN(end))
      return true;
  }
  return false;
}

/* With the length telling the truth about the cut, and with it claiming the whole. */
static void
every_prefix_not_ending_between_attributes_is_refused(void **ctx UNUSED)
{
  static const size_t heads[] = { sizeof(struct ifinfomsg), sizeof(struct ifaddrmsg),
                                  sizeof(struct ifaddrmsg), sizeof(struct ndmsg) };

  for (uint i = 0; i < ARRAY_SIZE(builders); i++)
  {
    struct message m, cut;
    union object o;

    builders[i](&m);
    for (u32 size = 1; size < m.h.nlmsg_len; size++)
    {
      assert_int_equal(parse_copy(&m, size, &o), NLPARSE_MALFORMED);
      cut = m;
      cut.h.nlmsg_len = size;
      enum nlparse result = parse_copy(&cut, size, &o);

      if (!whole_attributes(&m, heads[i], size))
        assert_int_equal(result, NLPARSE_MALFORMED);
    }
  }
}

static void
objects_are_untouched_unless_ok(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(builders); i++)
  {
    struct message m;
    union object o, before;

    builders[i](&m);
    memset(&o, 0xa5, sizeof(o));
    before = o;
    for (; m.h.nlmsg_len > MNL_NLMSG_HDRLEN; m.h.nlmsg_len--)
      if (parse_message(&m, &o) == NLPARSE_OK)
        o = before;
      else
        assert_memory_equal(&o, &before, sizeof(o));
  }
}

/* @base, with one attribute of @type put to each length from 0 to 40: only those in [@min, @max] pass. */
static void
check_lengths(void (*base)(struct message *m), u16 type, size_t min, size_t max)
{
  static const byte zeros[40] = { 0 };

  for (size_t len = 0; len <= sizeof(zeros); len++)
  {
    struct message m;
    union object o;

    base(&m);
    mnl_attr_put(&m.h, type, len, zeros);
    assert_int_equal(parse_message(&m, &o) == NLPARSE_OK, min <= len && len <= max);
  }
}

static void
wrong_attribute_lengths_are_refused(void **ctx UNUSED)
{
  check_lengths(build_link, IFLA_MTU, 4, 4);
  check_lengths(build_link, IFLA_MASTER, 4, 4);
  check_lengths(build_link, IFLA_ADDRESS, 0, 32);
  check_lengths(build_addr4, IFA_FLAGS, 4, 4);
  check_lengths(build_addr4, IFA_LOCAL, 4, 4);
  check_lengths(build_addr4, IFA_ADDRESS, 4, 4);
  check_lengths(build_addr6, IFA_LOCAL, 16, 16);
  check_lengths(build_neigh, NDA_LLADDR, 0, 32);
}

static void
bad_names_are_refused(void **ctx UNUSED)
{
  static const struct
  {
    size_t len;
    const char *name;
    enum nlparse result;
  } cases[] = {
    { 16, "fifteen-letters", NLPARSE_OK }, { 17, "sixteen-letters!", NLPARSE_MALFORMED },
    { 4, "open", NLPARSE_MALFORMED },      { 1, "", NLPARSE_MALFORMED },
    { 0, "", NLPARSE_MALFORMED },
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct message m;
    union object o;

    link_begin(&m, 1, 0);
    mnl_attr_put(&m.h, IFLA_IFNAME, cases[i].len, cases[i].name);
    assert_int_equal(parse_message(&m, &o), cases[i].result);
  }
}

static void
missing_parts_and_bad_values_are_refused(void **ctx UNUSED)
{
  struct message m;
  union object o;

  link_begin(&m, 1, 0); /* no name */
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);
  link_begin(&m, 0, 0);
  mnl_attr_put_strz(&m.h, IFLA_IFNAME, "eth0");
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);
  link_begin(&m, -1, 0);
  mnl_attr_put_strz(&m.h, IFLA_IFNAME, "eth0");
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);
  link_begin(&m, 1, 0); /* a VRF needs a table */
  mnl_attr_put_strz(&m.h, IFLA_IFNAME, "red");
  put_kind(&m, "vrf", 0);
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);

  addr_begin(&m, AF_INET, 24, 0); /* no address */
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);
  addr_begin(&m, AF_INET, 33, 0);
  put_ip(&m, IFA_LOCAL, "192.0.2.1");
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);
  addr_begin(&m, AF_INET6, 129, 0);
  put_ip(&m, IFA_ADDRESS, "2001:db8::1");
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);
  build_addr4(&m);
  ((struct ifaddrmsg *) mnl_nlmsg_get_payload(&m.h))->ifa_index = 0;
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);

  neigh_begin(&m, AF_INET, NUD_STALE); /* no address */
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);
  build_neigh(&m);
  ((struct ndmsg *) mnl_nlmsg_get_payload(&m.h))->ndm_ifindex = 0;
  assert_int_equal(parse_message(&m, &o), NLPARSE_MALFORMED);
}

/* Lengths of attributes among them: every byte at its edges, alone and then in random company. */
static void
damaged_messages_are_survived(void **ctx UNUSED)
{
  static const byte edges[] = { 0, 1, 3, 4, 5, 0x7f, 0x80, 0xff };
  struct rng rng = { 1 };

  for (uint i = 0; i < ARRAY_SIZE(builders); i++)
  {
    struct message m, damaged;
    union object o;

    builders[i](&m);
    for (u32 pos = sizeof(m.h); pos < m.h.nlmsg_len; pos++)
      for (uint e = 0; e < ARRAY_SIZE(edges); e++)
      {
        damaged = m;
        damaged.bytes[pos] = edges[e];
        parse_message(&damaged, &o);
      }
    for (uint round = 0; round < 20000; round++)
    {
      damaged = m;
      damaged.h.nlmsg_len -= rng_below(&rng, 8);
      for (uint n = 0; n < 3; n++)
        damaged.bytes[sizeof(m.h) + rng_below(&rng, m.h.nlmsg_len - sizeof(m.h))] = rng_u32(&rng);
      parse_message(&damaged, &o);
    }
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(link_is_read_in_full),
    cmocka_unit_test(link_flags_are_independent),
    cmocka_unit_test(only_kind_vrf_has_a_vrf_table),
    cmocka_unit_test(bridge_port_messages_are_not_links),
    cmocka_unit_test(addresses_of_both_families_are_read),
    cmocka_unit_test(address_that_differs_from_local_is_the_peer),
    cmocka_unit_test(address_flags_say_what_is_usable),
    cmocka_unit_test(neighbour_is_usable_in_valid_states),
    cmocka_unit_test(other_families_and_proxies_are_passed_over),
    cmocka_unit_test(mapped_ipv6_addresses_are_not_taken_for_ipv4),
    cmocka_unit_test(every_prefix_not_ending_between_attributes_is_refused),
    cmocka_unit_test(objects_are_untouched_unless_ok),
    cmocka_unit_test(wrong_attribute_lengths_are_refused),
    cmocka_unit_test(bad_names_are_refused),
    cmocka_unit_test(missing_parts_and_bad_values_are_refused),
    cmocka_unit_test(damaged_messages_are_survived),
  };

  return cmocka_run_group_tests_name("nlparse", tests, NULL, NULL);
}
