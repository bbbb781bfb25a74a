/* sysdep/linux/nlroute_test.c: there and back again, and messages as the kernel never sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

#include "lib/random.h"
#include "sysdep/linux/nlroute.h"

struct message
{
  union
  {
    struct nlmsghdr h;
    byte bytes[4096];
  };
};

/* What was read. */
struct got
{
  struct nl_route r;
  struct nl_nexthop hops[8];
};

/* Parses a copy that ends where its heap block ends. */
static enum nlroute
parse_copy(const void *data, size_t size, struct got *g)
{
  struct nlmsghdr *copy = memcpy(malloc(size), data, size);
  enum nlroute result = NLROUTE_MALFORMED;

  if (mnl_nlmsg_ok(copy, size))
    result = nlroute_parse(copy, &g->r, g->hops, ARRAY_SIZE(g->hops));
  free(copy);
  return result;
}

static enum nlroute
parse(const struct message *m, struct got *g)
{
  return parse_copy(m, m->h.nlmsg_len, g);
}

static struct rtmsg *
rtm(struct message *m)
{
  return mnl_nlmsg_get_payload(&m->h);
}

static ip_addr
addr(const char *text)
{
  ip_addr a;

  assert_true(ip_parse(text, &a));
  return a;
}

/* --- Routes --- */

static const struct nl_nexthop *
hop(const char *via, uint ifindex, uint weight)
{
  static struct nl_nexthop hops[16];
  static uint next;
  struct nl_nexthop *h = &hops[next++ % ARRAY_SIZE(hops)];

  *h = (struct nl_nexthop){ .via = via ? addr(via) : IP_NONE, .ifindex = ifindex, .weight = weight };
  return h;
}

static struct nl_route
route(const char *dst, uint len)
{
  ip_addr a = addr(dst);

  return (
      struct nl_route){ .v6 = !ip_is_v4(a), .dst = { a, len }, .table = 254, .metric = 32, .protocol = 12 };
}

static struct nl_route
route_via(const char *dst, uint len, const char *via)
{
  struct nl_route r = route(dst, len);

  r.nexthops = hop(via, 7, 1);
  r.nexthop_count = 1;
  return r;
}

static struct nl_route
full_v4(void)
{
  static struct nl_nexthop hops[3];
  struct nl_route r = route("192.0.2.128", 25);

  hops[0] = *hop("10.0.0.1", 7, 1);
  hops[1] = *hop("2001:db8::1", U32_MAX / 2, 256);
  hops[2] = *hop(NULL, 9, 128);
  hops[1].onlink = true;
  r.nexthops = hops;
  r.nexthop_count = 3;
  r.table = U32_MAX;
  r.metric = U32_MAX;
  r.protocol = 255;
  r.scope = NL_SCOPE_LINK;
  r.tos = 0x1c;
  r.prefsrc = addr("10.0.0.9");
  r.realm = 0xabcd1234;
  for (uint m = NL_METRIC_MTU; m < NL_METRIC__MAX; m++)
  {
    r.metrics[m] = 1000 + m;
    r.metrics_mask |= NL_METRIC_BIT(m);
  }
  r.metrics_lock = NL_METRIC_BIT(NL_METRIC_MTU) | NL_METRIC_BIT(NL_METRIC_RTT);
  return r;
}

static struct nl_route
full_v6(void)
{
  static struct nl_nexthop hops[2];
  struct nl_route r = route("2001:db8::", 32);

  hops[0] = *hop("fe80::1", 7, 1);
  hops[1] = *hop("2001:db8:1::1", 8, 2);
  r.nexthops = hops;
  r.nexthop_count = 2;
  r.src = (struct prefix){ addr("2001:db8:5::"), 48 };
  r.prefsrc = addr("2001:db8::9");
  r.metrics_mask = NL_METRIC_BIT(NL_METRIC_QUICKACK);
  r.metrics[NL_METRIC_QUICKACK] = 1;
  return r;
}

static struct nl_route
by_object(void)
{
  struct nl_route r = route("198.51.100.7", 32);

  r.nhid = U32_MAX;
  return r;
}

static struct nl_route
unreachable(void)
{
  struct nl_route r = route("::", 0);

  r.type = NL_UNREACHABLE;
  return r;
}

static struct nl_route
onlink_default(void)
{
  static struct nl_nexthop h;
  struct nl_route r = route("0.0.0.0", 0);

  h = *hop("fe80::1", 7, 1);
  h.onlink = true;
  r.nexthops = &h;
  r.nexthop_count = 1;
  r.realm = 5;
  r.metric = 0;
  return r;
}

static struct nl_route (*const routes[])(void) = { full_v4, full_v6, by_object, unreachable, onlink_default };

static void
put(struct message *m, const struct nl_route *r)
{
  assert_true(nlroute_put(&m->h, sizeof(*m), r, NLROUTE_SET));
}

static void
assert_same(const struct nl_route *a, const struct nl_route *b)
{
  assert_int_equal(a->v6, b->v6);
  assert_int_equal(a->type, b->type);
  assert_int_equal(a->protocol, b->protocol);
  assert_int_equal(a->scope, b->scope);
  assert_int_equal(a->tos, b->tos);
  assert_int_equal(a->table, b->table);
  assert_int_equal(a->metric, b->metric);
  assert_string_equal(PREFIX_STR(&a->dst), PREFIX_STR(&b->dst));
  assert_string_equal(PREFIX_STR(&a->src), PREFIX_STR(&b->src));
  assert_string_equal(IP_STR(a->prefsrc), IP_STR(b->prefsrc));
  assert_int_equal(a->realm, b->realm);
  assert_int_equal(a->nhid, b->nhid);
  assert_int_equal(a->metrics_mask, b->metrics_mask);
  assert_int_equal(a->metrics_lock, b->metrics_lock);
  assert_memory_equal(a->metrics, b->metrics, sizeof(a->metrics));
  assert_int_equal(a->nexthop_count, b->nexthop_count);
  for (uint i = 0; i < a->nexthop_count; i++)
  {
    assert_string_equal(IP_STR(a->nexthops[i].via), IP_STR(b->nexthops[i].via));
    assert_int_equal(a->nexthops[i].ifindex, b->nexthops[i].ifindex);
    assert_int_equal(a->nexthops[i].weight, b->nexthops[i].weight);
    assert_int_equal(a->nexthops[i].onlink, b->nexthops[i].onlink);
    assert_int_equal(a->nexthops[i].dead, b->nexthops[i].dead);
  }
}

/* --- There and back --- */

static void
what_is_put_is_parsed(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(routes); i++)
  {
    struct nl_route r = routes[i]();
    struct message m;
    struct got g;

    put(&m, &r);
    assert_int_equal(m.h.nlmsg_type, RTM_NEWROUTE);
    assert_int_equal(m.h.nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
    assert_int_equal(parse(&m, &g), NLROUTE_OK);
    assert_ptr_equal(g.r.nexthops, g.hops);
    assert_same(&g.r, &r);
  }
}

static void
every_prefix_length_is_carried(void **ctx UNUSED)
{
  for (uint i = 0; i < 33 + 129; i++)
  {
    uint len = i < 33 ? i : i - 33;
    struct nl_route r = i < 33 ? route_via("255.255.255.255", len, "10.0.0.1")
                               : route_via("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", len, "fe80::1");
    struct message m;
    struct got g;

    r.dst.addr = ip_mask(r.dst.addr, len);
    put(&m, &r);
    assert_int_equal(parse(&m, &g), NLROUTE_OK);
    assert_same(&g.r, &r);
  }
}

static void
defaults_of_the_families_differ(void **ctx UNUSED)
{
  struct nl_route r4 = onlink_default(), r6 = unreachable();
  struct message m;
  struct got g;

  put(&m, &r4);
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_true(ip_equal(g.r.dst.addr, ip_v4(0)));
  put(&m, &r6);
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_true(ip_is_none(g.r.dst.addr));
}

static void
tables_up_to_255_are_in_the_header_too(void **ctx UNUSED)
{
  static const u32 tables[][2] = { { 1, 1 }, { 255, 255 }, { 256, 0 }, { U32_MAX, 0 } };

  for (uint i = 0; i < ARRAY_SIZE(tables); i++)
  {
    struct nl_route r = route_via("192.0.2.0", 24, "10.0.0.1");
    struct message m;
    struct got g;

    r.table = tables[i][0];
    put(&m, &r);
    assert_int_equal(rtm(&m)->rtm_table, tables[i][1]);
    assert_int_equal(parse(&m, &g), NLROUTE_OK);
    assert_int_equal(g.r.table, tables[i][0]);
  }
}

static void
v6_metric_0_is_written_as_the_kernel_has_it(void **ctx UNUSED)
{
  for (uint what = NLROUTE_SET; what <= NLROUTE_DELETE; what++)
  {
    struct nl_route r = unreachable();
    struct message m;
    struct got g;

    r.metric = 0;
    assert_true(nlroute_put(&m.h, sizeof(m), &r, what));
    assert_int_equal(parse(&m, &g), NLROUTE_OK);
    assert_int_equal(g.r.metric, NL_METRIC_V6_DEFAULT);
  }
}

/* Anything more would have to match what the kernel has. */
static void
a_delete_has_key_and_protocol_only(void **ctx UNUSED)
{
  struct nl_route r = full_v4();
  struct message m;

  assert_true(nlroute_put(&m.h, sizeof(m), &r, NLROUTE_DELETE));
  assert_int_equal(m.h.nlmsg_type, RTM_DELROUTE);
  assert_int_equal(m.h.nlmsg_flags, NLM_F_REQUEST);
  assert_int_equal(rtm(&m)->rtm_type, RTN_UNSPEC);
  assert_int_equal(rtm(&m)->rtm_scope, RT_SCOPE_NOWHERE);
  assert_int_equal(rtm(&m)->rtm_tos, r.tos);
  assert_int_equal(rtm(&m)->rtm_protocol, r.protocol);
  assert_int_equal(m.h.nlmsg_len, MNL_NLMSG_HDRLEN + sizeof(struct rtmsg) + 3 * 8);
  r.type = NL_ROUTE_OTHER;
  assert_true(nlroute_put(&m.h, sizeof(m), &r, NLROUTE_DELETE));
}

static void
what_does_not_fit_is_not_put(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(routes); i++)
  {
    struct nl_route r = routes[i]();
    struct message m;

    put(&m, &r);
    for (size_t size = 0; size <= m.h.nlmsg_len; size++)
    {
      struct nlmsghdr *room = malloc(size ? size : 1);

      assert_int_equal(nlroute_put(room, size, &r, NLROUTE_SET), size == m.h.nlmsg_len);
      free(room);
    }
  }
}

/* --- What the kernel says --- */

static void
flags_of_next_hops_are_read(void **ctx UNUSED)
{
  struct nl_route r = full_v4(), single = route_via("192.0.2.0", 24, "10.0.0.1");
  struct message m;
  struct got g;

  put(&m, &single);
  rtm(&m)->rtm_flags = RTNH_F_DEAD | RTNH_F_LINKDOWN | RTM_F_OFFLOAD;
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_true(g.hops[0].dead && !g.hops[0].onlink);
  rtm(&m)->rtm_flags = RTNH_F_LINKDOWN; /* still used */
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_false(g.hops[0].dead);

  put(&m, &r);
  rtm(&m)->rtm_flags = RTNH_F_DEAD; /* of the route: says nothing of several */
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_true(!g.hops[0].dead && !g.hops[0].onlink && g.hops[1].onlink);
}

static void
only_routes_of_tables_are_routes(void **ctx UNUSED)
{
  static const struct
  {
    u8 type, result, as;
  } cases[] = { { RTN_UNSPEC, NLROUTE_OK, NL_ROUTE_OTHER },
                { RTN_UNICAST, NLROUTE_OK, NL_UNICAST },
                { RTN_LOCAL, NLROUTE_OTHER, 0 },
                { RTN_BROADCAST, NLROUTE_OTHER, 0 },
                { RTN_ANYCAST, NLROUTE_OTHER, 0 },
                { RTN_MULTICAST, NLROUTE_OTHER, 0 },
                { RTN_BLACKHOLE, NLROUTE_OK, NL_BLACKHOLE },
                { RTN_UNREACHABLE, NLROUTE_OK, NL_UNREACHABLE },
                { RTN_PROHIBIT, NLROUTE_OK, NL_PROHIBIT },
                { RTN_THROW, NLROUTE_OK, NL_ROUTE_OTHER },
                { RTN_NAT, NLROUTE_OK, NL_ROUTE_OTHER },
                { 255, NLROUTE_OK, NL_ROUTE_OTHER } };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct nl_route r = route_via("2001:db8::", 32, NULL);
    struct message m;
    struct got g;

    put(&m, &r);
    rtm(&m)->rtm_type = cases[i].type;
    assert_int_equal(parse(&m, &g), cases[i].result);
    if (cases[i].result != NLROUTE_OK)
      continue;
    assert_int_equal(g.r.type, cases[i].as);
    assert_int_equal(g.r.nexthop_count, cases[i].as == NL_UNICAST); /* IPv6 drops on "lo" */
  }
}

static void
cached_routes_and_other_families_are_passed_over(void **ctx UNUSED)
{
  struct nl_route r = route_via("192.0.2.0", 24, "10.0.0.1");
  struct message m;
  struct got g;

  put(&m, &r);
  rtm(&m)->rtm_flags = RTM_F_CLONED;
  assert_int_equal(parse(&m, &g), NLROUTE_OTHER);
  rtm(&m)->rtm_flags = 0;
  rtm(&m)->rtm_family = 28; /* AF_MPLS */
  assert_int_equal(parse(&m, &g), NLROUTE_OTHER);
  rtm(&m)->rtm_family = 129; /* RTNL_FAMILY_IP6MR */
  assert_int_equal(parse(&m, &g), NLROUTE_OTHER);
}

static void
mapped_v6_addresses_are_not_taken_for_v4(void **ctx UNUSED)
{
  static const byte mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2 };
  struct nl_route r = route("2001:db8::", 120);
  struct message m;
  struct got g;

  put(&m, &r);
  mnl_attr_put(&m.h, RTA_DST, 16, mapped);
  assert_int_equal(parse(&m, &g), NLROUTE_OTHER);
  put(&m, &r);
  mnl_attr_put(&m.h, RTA_GATEWAY, 16, mapped);
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_int_equal(g.r.type, NL_ROUTE_OTHER);
}

static void
what_has_no_form_keeps_its_key(void **ctx UNUSED)
{
  struct nl_route r = route_via("192.0.2.0", 24, "10.0.0.1"), many = r;
  struct nl_nexthop hops[9];
  struct message m;
  struct got g;

  put(&m, &r);
  mnl_attr_put_u32(&m.h, RTA_ENCAP, 0);
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_int_equal(g.r.type, NL_ROUTE_OTHER);
  assert_string_equal(PREFIX_STR(&g.r.dst), "192.0.2.0/24");
  assert_int_equal(g.r.metric, 32);

  for (uint i = 0; i < ARRAY_SIZE(hops); i++)
    hops[i] = r.nexthops[0];
  many.nexthops = hops;
  for (many.nexthop_count = 8; many.nexthop_count <= 9; many.nexthop_count++)
  {
    put(&m, &many);
    assert_int_equal(parse(&m, &g), NLROUTE_OK);
    assert_int_equal(g.r.type, many.nexthop_count == 8 ? NL_UNICAST : NL_ROUTE_OTHER);
    assert_int_equal(g.r.nexthop_count, many.nexthop_count == 8 ? 8 : 0);
  }
}

/* A link route of IPv6, a next hop object: the kernel may name an interface only, or nothing. */
static void
next_hops_may_be_missing(void **ctx UNUSED)
{
  struct nl_route r = route("192.0.2.0", 24);
  struct message m;
  struct got g;

  put(&m, &r);
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_int_equal(g.r.nexthop_count, 0);
  mnl_attr_put_u32(&m.h, RTA_OIF, 3);
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_int_equal(g.r.nexthop_count, 1);
  assert_true(ip_is_none(g.hops[0].via));
  assert_int_equal(g.hops[0].weight, 1);
}

static void
a_lock_without_its_metric_says_nothing(void **ctx UNUSED)
{
  struct nl_route r = unreachable();
  struct message m;
  struct got g;

  put(&m, &r);

  struct nlattr *outer = mnl_attr_nest_start(&m.h, RTA_METRICS);

  mnl_attr_put_u32(&m.h, RTAX_LOCK, U32_MAX);
  mnl_attr_put_u32(&m.h, RTAX_MTU, 0);
  mnl_attr_put_strz(&m.h, RTAX_CC_ALGO, "reno");
  mnl_attr_nest_end(&m.h, outer);
  assert_int_equal(parse(&m, &g), NLROUTE_OK);
  assert_int_equal(g.r.metrics_mask, NL_METRIC_BIT(NL_METRIC_MTU));
  assert_int_equal(g.r.metrics_lock, NL_METRIC_BIT(NL_METRIC_MTU));
}

/* --- What must be refused --- */

/* Whether a message cut to @size ends between attributes. */
static bool
whole_attributes(const struct message *m, size_t size)
{
  const struct nlattr *attr;

  if (size == MNL_NLMSG_HDRLEN + sizeof(struct rtmsg))
    return true;
  mnl_attr_for_each(attr, &m->h, sizeof(struct rtmsg))
  {
    size_t end = (const byte *) attr - m->bytes + attr->nla_len;

    if (end <= size && size <= MNL_ALIGN(end))
      return true;
  }
  return false;
}

static void
every_cut_inside_an_attribute_is_refused(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(routes); i++)
  {
    struct nl_route r = routes[i]();
    struct message m, cut;
    struct got g;

    put(&m, &r);
    for (u32 size = 1; size < m.h.nlmsg_len; size++)
    {
      assert_int_equal(parse_copy(&m, size, &g), NLROUTE_MALFORMED); /* the length claims more */
      cut = m;
      cut.h.nlmsg_len = size;
      enum nlroute result = parse_copy(&cut, size, &g);

      if (!whole_attributes(&m, size))
        assert_int_equal(result, NLROUTE_MALFORMED);
    }
  }
}

static void
prefixes_have_to_be_what_they_say(void **ctx UNUSED)
{
  static const struct
  {
    u8 family, len, size, result;
  } cases[] = { { AF_INET, 32, 4, NLROUTE_OK },          { AF_INET, 33, 4, NLROUTE_MALFORMED },
                { AF_INET, 255, 4, NLROUTE_MALFORMED },  { AF_INET, 32, 16, NLROUTE_MALFORMED },
                { AF_INET, 32, 0, NLROUTE_MALFORMED },   { AF_INET, 7, 4, NLROUTE_MALFORMED },
                { AF_INET6, 128, 16, NLROUTE_OK },       { AF_INET6, 129, 16, NLROUTE_MALFORMED },
                { AF_INET6, 128, 4, NLROUTE_MALFORMED }, { AF_INET6, 127, 16, NLROUTE_MALFORMED } };
  static const byte ones[16] = { [0] = 1, [3] = 1, [15] = 1 };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct nl_route r = cases[i].family == AF_INET ? route("0.0.0.0", 0) : route("::", 0);
    struct message m;
    struct got g;

    put(&m, &r);
    rtm(&m)->rtm_dst_len = cases[i].len;
    assert_int_equal(parse(&m, &g), NLROUTE_MALFORMED); /* a length and no address */
    mnl_attr_put(&m.h, RTA_DST, cases[i].size, ones);
    assert_int_equal(parse(&m, &g), cases[i].result);
  }
}

static void
attributes_of_a_wrong_length_are_refused(void **ctx UNUSED)
{
  static const struct
  {
    u16 type, size;
  } cases[] = { { RTA_TABLE, 3 },    { RTA_TABLE, 8 },   { RTA_PRIORITY, 2 }, { RTA_OIF, 0 },
                { RTA_GATEWAY, 16 }, { RTA_PREFSRC, 5 }, { RTA_FLOW, 1 },     { RTA_NH_ID, 2 },
                { RTA_VIA, 0 },      { RTA_VIA, 1 },     { RTA_METRICS, 3 },  { RTA_MULTIPATH, 7 } };
  static const byte zeros[16];

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct nl_route r = route("192.0.2.0", 24);
    struct message m;
    struct got g;

    put(&m, &r);
    mnl_attr_put(&m.h, cases[i].type, cases[i].size, zeros);
    assert_int_equal(parse(&m, &g), NLROUTE_MALFORMED);
  }
}

static void
via_has_the_length_of_its_family(void **ctx UNUSED)
{
  static const struct
  {
    u16 family, size, result, type;
  } cases[] = { { AF_INET, 4, NLROUTE_OK, NL_UNICAST },      { AF_INET, 16, NLROUTE_MALFORMED, 0 },
                { AF_INET6, 16, NLROUTE_OK, NL_UNICAST },    { AF_INET6, 4, NLROUTE_MALFORMED, 0 },
                { AF_INET6, 15, NLROUTE_MALFORMED, 0 },      { AF_INET6, 17, NLROUTE_MALFORMED, 0 },
                { AF_PACKET, 6, NLROUTE_OK, NL_ROUTE_OTHER } };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct nl_route r = route("192.0.2.0", 24);
    u16 via[10] = { cases[i].family, 0x0120 };
    struct message m;
    struct got g;

    put(&m, &r);
    mnl_attr_put(&m.h, RTA_VIA, 2 + cases[i].size, via);
    assert_int_equal(parse(&m, &g), cases[i].result);
    if (cases[i].result == NLROUTE_OK)
      assert_int_equal(g.r.type, cases[i].type);
  }
}

/* Each length of a next hop, and each of the attributes in it, at both edges. */
static void
lengths_inside_multipath_are_not_trusted(void **ctx UNUSED)
{
  static const struct
  {
    u16 nh_len, attr_len, result;
  } cases[] = {
    { 16, 8, NLROUTE_OK },        { 0, 8, NLROUTE_MALFORMED },
    { 7, 8, NLROUTE_MALFORMED },  { 8, 8, NLROUTE_OK } /* the attribute reads as one more next hop */,
    { 9, 8, NLROUTE_MALFORMED },  { 15, 8, NLROUTE_MALFORMED },
    { 17, 8, NLROUTE_MALFORMED }, { 65535, 8, NLROUTE_MALFORMED },
    { 16, 0, NLROUTE_MALFORMED }, { 16, 3, NLROUTE_MALFORMED },
    { 16, 4, NLROUTE_MALFORMED }, { 16, 7, NLROUTE_MALFORMED },
    { 16, 9, NLROUTE_MALFORMED }, { 16, 65535, NLROUTE_MALFORMED }
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct
    {
      struct rtnexthop nh;
      struct nlattr attr;
      byte via[4];
    } one = { { .rtnh_len = cases[i].nh_len, .rtnh_hops = 255, .rtnh_ifindex = 1 },
              { .nla_len = cases[i].attr_len, .nla_type = RTA_GATEWAY },
              { 10, 0, 0, 1 } };
    struct nl_route r = route("192.0.2.0", 24);
    struct message m;
    struct got g;

    put(&m, &r);
    mnl_attr_put(&m.h, RTA_MULTIPATH, sizeof(one), &one);
    assert_int_equal(parse(&m, &g), cases[i].result);
    if (cases[i].result == NLROUTE_OK)
      assert_int_equal(g.hops[0].weight, 256);
  }
}

static void
interface_numbers_are_not_negative(void **ctx UNUSED)
{
  struct rtnexthop nh = { .rtnh_len = sizeof(nh), .rtnh_ifindex = -1 };
  struct nl_route r = route("192.0.2.0", 24);
  struct message m;
  struct got g;

  put(&m, &r);
  mnl_attr_put(&m.h, RTA_MULTIPATH, sizeof(nh), &nh);
  assert_int_equal(parse(&m, &g), NLROUTE_MALFORMED);
}

static void
what_is_not_ok_leaves_the_route_alone(void **ctx UNUSED)
{
  struct nl_route r = full_v6();
  struct got g, before;
  struct message m;

  memset(&before, 0xa5, sizeof(before));
  memcpy(&g, &before, sizeof(g));
  put(&m, &r);
  rtm(&m)->rtm_src_len = 129;
  assert_int_equal(parse(&m, &g), NLROUTE_MALFORMED);
  assert_memory_equal(&g.r, &before.r, sizeof(g.r));
}

/* ASan and UBSan are the judges. */
static void
noise_does_no_harm(void **ctx UNUSED)
{
  struct rng rng = { 1 };

  for (uint n = 0; n < 20000; n++)
  {
    struct nl_route r = routes[n % ARRAY_SIZE(routes)]();
    struct message m;
    struct got g;

    put(&m, &r);
    for (uint k = rng_below(&rng, 6); k < 6; k++)
      m.bytes[sizeof(struct nlmsghdr) + rng_below(&rng, m.h.nlmsg_len - sizeof(struct nlmsghdr))] =
          rng_below(&rng, 256);
    parse(&m, &g);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_put_is_parsed),
    cmocka_unit_test(every_prefix_length_is_carried),
    cmocka_unit_test(defaults_of_the_families_differ),
    cmocka_unit_test(tables_up_to_255_are_in_the_header_too),
    cmocka_unit_test(v6_metric_0_is_written_as_the_kernel_has_it),
    cmocka_unit_test(a_delete_has_key_and_protocol_only),
    cmocka_unit_test(what_does_not_fit_is_not_put),
    cmocka_unit_test(flags_of_next_hops_are_read),
    cmocka_unit_test(only_routes_of_tables_are_routes),
    cmocka_unit_test(cached_routes_and_other_families_are_passed_over),
    cmocka_unit_test(mapped_v6_addresses_are_not_taken_for_v4),
    cmocka_unit_test(what_has_no_form_keeps_its_key),
    cmocka_unit_test(next_hops_may_be_missing),
    cmocka_unit_test(a_lock_without_its_metric_says_nothing),
    cmocka_unit_test(every_cut_inside_an_attribute_is_refused),
    cmocka_unit_test(prefixes_have_to_be_what_they_say),
    cmocka_unit_test(attributes_of_a_wrong_length_are_refused),
    cmocka_unit_test(via_has_the_length_of_its_family),
    cmocka_unit_test(lengths_inside_multipath_are_not_trusted),
    cmocka_unit_test(interface_numbers_are_not_negative),
    cmocka_unit_test(what_is_not_ok_leaves_the_route_alone),
    cmocka_unit_test(noise_does_no_harm),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
