/* lib/net_test.c: networks and their names */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/net.h"

static struct prefix
prefix(const char *addr, uint len)
{
  struct prefix p = { .len = len };

  assert_true(ip_parse(addr, &p.addr));
  return p;
}

static struct net_addr
roa(const char *addr, uint len, uint max_len, u32 asn)
{
  struct net_addr a = { .max_len = max_len, .asn = asn, .prefix = prefix(addr, len) };

  a.type = ip_is_v4(a.prefix.addr) ? NET_ROA4 : NET_ROA6;
  return a;
}

static void
types_have_the_names_of_channels(void **ctx UNUSED)
{
  assert_string_equal(net_type_name(NET_IP4), "ipv4");
  assert_string_equal(net_type_name(NET_ROA6), "roa6");
  assert_string_equal(net_type_name(NET_SADR), "ipv6-sadr");
  assert_string_equal(net_type_name(NET_NONE), "none");
  assert_string_equal(net_type_name(NET_TYPE__MAX), "none");
  for (uint t = NET_NONE + 1; t < NET_TYPE__MAX; t++)
    assert_string_not_equal(net_type_name(t), "none");
}

static void
a_prefix_is_of_the_type_of_its_family(void **ctx UNUSED)
{
  struct prefix v4 = prefix("0.0.0.0", 0), v6 = prefix("::", 0);

  assert_int_equal(net_from_prefix(&v4).type, NET_IP4);
  assert_int_equal(net_from_prefix(&v6).type, NET_IP6);
}

static void
the_default_routes_of_both_families_differ(void **ctx UNUSED)
{
  struct prefix v4 = prefix("0.0.0.0", 0), v6 = prefix("::", 0);
  struct net_addr a = net_from_prefix(&v4), b = net_from_prefix(&v6);

  assert_false(net_equal(&a, &b));
  assert_false(prefix_covers(&v4, &v6));
  assert_false(prefix_covers(&v6, &v4));
}

static void
each_field_tells_networks_apart(void **ctx UNUSED)
{
  struct net_addr a = roa("10.0.0.0", 8, 24, 1), b;

  assert_true(net_equal(&a, &a));
  b = a, b.max_len = 25;
  assert_false(net_equal(&a, &b));
  b = a, b.asn = 2;
  assert_false(net_equal(&a, &b));
  b = a, b.prefix.len = 9;
  assert_false(net_equal(&a, &b));
  b = a, b.prefix.addr.w[3] ^= 1u << 31;
  assert_false(net_equal(&a, &b));
  b = a, b.type = NET_IP4;
  assert_false(net_equal(&a, &b));
  assert_true(net_is_roa(&a));
  assert_false(net_is_roa(&b));
}

static void
a_prefix_covers_itself_and_what_is_inside(void **ctx UNUSED)
{
  static const struct
  {
    const char *outer, *inner;
    u8 outer_len, inner_len;
    bool covers;
  } cases[] = {
    { "10.0.0.0", "10.0.0.0", 8, 8, true },        { "10.0.0.0", "10.1.0.0", 8, 16, true },
    { "10.1.0.0", "10.0.0.0", 16, 8, false },      { "10.0.0.0", "11.0.0.0", 8, 8, false },
    { "0.0.0.0", "255.255.255.255", 0, 32, true }, { "2001:db8::", "2001:db8:1::", 32, 48, true },
    { "2001:db8::", "2001:db9::", 32, 48, false }, { "::", "ffff::", 0, 16, true },
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct prefix outer = prefix(cases[i].outer, cases[i].outer_len);
    struct prefix inner = prefix(cases[i].inner, cases[i].inner_len);

    assert_int_equal(prefix_covers(&outer, &inner), cases[i].covers);
  }
}

static void
text_fits_for_the_longest_network(void **ctx UNUSED)
{
  struct net_addr a = roa("1111:2222:3333:4444:5555:6666:7777:8888", 128, 128, U32_MAX);
  struct net_addr b = roa("10.0.0.0", 8, 24, 65000);
  struct prefix p = prefix("2001:db8::", 32);
  struct net_addr c = net_from_prefix(&p);

  assert_string_equal(NET_STR(&a), "1111:2222:3333:4444:5555:6666:7777:8888/128-128 AS4294967295");
  assert_string_equal(NET_STR(&b), "10.0.0.0/8-24 AS65000");
  assert_string_equal(NET_STR(&c), "2001:db8::/32");
}

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(types_have_the_names_of_channels),
    cmocka_unit_test(a_prefix_is_of_the_type_of_its_family),
    cmocka_unit_test(the_default_routes_of_both_families_differ),
    cmocka_unit_test(each_field_tells_networks_apart),
    cmocka_unit_test(a_prefix_covers_itself_and_what_is_inside),
    cmocka_unit_test(text_fits_for_the_longest_network),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
