/* sysdep/linux/routes_kernel_test.c: what routes.h says of the kernel, see routes_fixture.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sysdep/linux/routes_fixture.h"

static bool
route_of_protocol(const struct fixture *f, u8 protocol)
{
  for (uint i = 0; i < MIN(f->count, (uint) ARRAY_SIZE(f->routes)); i++)
    if (f->routes[i].protocol == protocol)
      return true;
  return false;
}

static bool
own_route_came(struct fixture *f)
{
  return route_of_protocol(f, NL_PROTO_BIRD);
}

static bool
static_route_came(struct fixture *f)
{
  return route_of_protocol(f, NL_PROTO_STATIC);
}

static void
v4_routes_vanish_with_their_link_and_no_event(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 3);

  nl_route_set(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  f->count = 0;
  ip("link set v1 down");
  ip("link set v1 up");
  ip("route add blackhole 192.0.2.0/24 table 1001 proto static"); /* the last event of all */
  run_until(f, static_route_came);
  assert_false(own_route_came(f));
  assert_int_equal(scan(f, TABLE), 0);
}

static void
v4_routes_of_the_main_table_vanish_with_their_source(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);

  r.table = 254;
  r.prefsrc = addr("10.0.1.99");
  ip("addr add 10.0.1.99/32 dev v0");

  uint before = scan(f, 254);

  nl_route_set(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, 254), before + 1);
  ip("addr del 10.0.1.99/32 dev v0");
  assert_int_equal(scan(f, 254), before);
}

static void
v6_routes_vanish_with_their_link_and_an_event(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(true, 3);

  nl_route_set(f->nl, &r, 0);
  settle(f);
  ip("link set v1 down");
  run_until(f, own_route_came);
  ip("link set v1 up");
  ip("addr add 2001:db8:1::1/64 dev v1 nodad"); /* it went too */
}

static void
v6_metric_0_is_1024(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(true, 0), other = r;

  r.metric = 0;
  nl_route_set(f->nl, &r, 0);
  nl_route_set(f->nl, &other, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 2);
  assert_int_equal(f->routes[1].metric, NL_METRIC_V6_DEFAULT);
  nl_route_delete(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  assert_same_route(f->routes, &other);
}

static void
v4_delete_of_metric_0_takes_the_lowest_of_the_protocol(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);

  ip("route add 192.0.2.0/24 via 10.0.0.9 metric 5 table 1000 proto static");
  for (r.metric = 0; r.metric <= 20; r.metric += 10)
    nl_route_set(f->nl, &r, 0);
  r.metric = 0;
  for (uint left = 4; left > 1; left--)
  {
    settle(f);
    assert_int_equal(scan(f, TABLE), left);
    nl_route_delete(f->nl, &r, 0);
  }
  nl_route_delete(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].protocol, NL_PROTO_STATIC);
}

static void
a_foreign_v6_route_joins_ours_and_goes_with_it(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(true, 0);

  nl_route_set(f->nl, &r, 0);
  settle(f);
  ip("-6 route append 2001:db8:f::/48 via 2001:db8:1::7 metric 32 table 1000 proto static");
  assert_int_equal(wait_event(f, NL_ROUTE_NEW)->nexthop_count, 2);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].nexthop_count, 2);
  assert_int_equal(f->routes[0].protocol, NL_PROTO_BIRD);
  nl_route_delete(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 0);
}

static void
a_foreign_v6_route_without_gateway_stands_beside_ours(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(true, 0), blackhole = route_of_kind(true, 4);

  nl_route_set(f->nl, &r, 0);
  settle(f);
  ip("-6 route append blackhole 2001:db8:f::/48 metric 32 table 1000 proto static");
  nl_route_set(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 2);
  assert_same_route(&f->routes[0], &r);
  assert_int_equal(f->routes[1].protocol, NL_PROTO_STATIC);
  nl_route_set(f->nl, &blackhole, 0); /* takes the place of the foreign one */
  settle(f);
  assert_int_equal(scan(f, TABLE), 2);
  assert_same_route(&f->routes[0], &r);
  assert_same_route(&f->routes[1], &blackhole);
}

static void
a_v6_next_hop_that_goes_is_reported_alone(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(true, 1);

  nl_route_set(f->nl, &r, 0);
  settle(f);
  ip("-6 route del 2001:db8:f::/48 via 2001:db8::2 metric 32 table 1000");

  const struct nl_route *gone = wait_event(f, NL_ROUTE_GONE);

  assert_int_equal(gone->nexthop_count, 1);
  assert_string_equal(IP_STR(gone->nexthops->via), "2001:db8::2");
  assert_int_equal(scan(f, TABLE), 1);
  assert_string_equal(IP_STR(f->routes[0].nexthops->via), "2001:db8:1::2");
}

static void
of_several_v4_routes_with_one_key_the_first_is_replaced(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0), after = route_of_kind(false, 3);

  nl_route_set(f->nl, &r, 0);
  settle(f);
  ip("route append 192.0.2.0/24 via 10.0.0.9 metric 32 table 1000 proto static");
  nl_route_set(f->nl, &after, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 2);
  assert_same_route(&f->routes[0], &after);
  nl_route_delete(f->nl, &after, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].protocol, NL_PROTO_STATIC);
}

static void
routes_by_next_hop_object_are_set_and_read(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);

  ip("nexthop add id 77 via 10.0.0.2 dev v0");
  r.nhid = 77;
  nl_route_set(f->nl, &r, 0);
  settle(f);
  assert_int_equal(f->refusals, 0);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].nhid, 77);
  assert_int_equal(f->routes[0].nexthop_count, 1);
  ip("nexthop del id 77");
  assert_int_equal(scan(f, TABLE), 0);
}

static void
routes_without_a_form_here_keep_their_key(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);

  ip("route add throw 192.0.2.0/24 metric 32 table 1000 proto bird");
  wait_event(f, NL_ROUTE_NEW);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].type, NL_ROUTE_OTHER);
  nl_route_delete(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 0);
}

static void
v6_multipath_without_gateway_or_with_equal_ones_is_refused(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_nexthop hops[] = { { .ifindex = if_nametoindex("v0"), .weight = 1 },
                               { .ifindex = if_nametoindex("v1"), .weight = 1 } };
  struct nl_route r = route_of_kind(true, 1);

  r.nexthops = hops;
  nl_route_set(f->nl, &r, 5);
  settle(f);
  assert_int_equal(f->refusals, 1);
  assert_int_equal(f->refused.error, EINVAL);
  hops[0].via = hops[1].via = addr("2001:db8::2");
  hops[1].ifindex = hops[0].ifindex;
  nl_route_set(f->nl, &r, 6);
  settle(f);
  assert_int_equal(f->refusals, 2);
  assert_int_equal(f->refused.error, EEXIST);
  assert_int_equal(scan(f, TABLE), 0);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST6(v6_multipath_without_gateway_or_with_equal_ones_is_refused),
    TEST4(v4_routes_vanish_with_their_link_and_no_event),
    TEST4(v4_routes_of_the_main_table_vanish_with_their_source),
    TEST6(v6_routes_vanish_with_their_link_and_an_event),
    TEST6(v6_metric_0_is_1024),
    TEST4(v4_delete_of_metric_0_takes_the_lowest_of_the_protocol),
    TEST6(a_foreign_v6_route_joins_ours_and_goes_with_it),
    TEST6(a_foreign_v6_route_without_gateway_stands_beside_ours),
    TEST6(a_v6_next_hop_that_goes_is_reported_alone),
    TEST4(of_several_v4_routes_with_one_key_the_first_is_replaced),
    TEST4(routes_by_next_hop_object_are_set_and_read),
    TEST4(routes_without_a_form_here_keep_their_key),
  };

  return cmocka_run_group_tests(tests, make_namespace, NULL);
}
