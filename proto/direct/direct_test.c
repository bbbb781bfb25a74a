/* proto/direct/direct_test.c: networks of interfaces, as they come and go */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/route_fixture.h"
#include "proto/direct/direct.h"

static const struct cf_loc nowhere = { "test", 1, 1 };

struct world
{
  struct fixture f;
  struct rtable *t4, *t6;
  struct direct_config *cf;
};

static void
begin(struct world *w)
{
  struct proto_config *pc;

  fixture_config_begin(&w->f);
  pc = fixture_proto_begin(&w->f, &proto_direct, "d", NULL);
  channel_config_get(&w->f.cx, &nowhere, pc, NET_IP4)->table = fixture_table(&w->f, NET_IP4, "t4");
  channel_config_get(&w->f.cx, &nowhere, pc, NET_IP6)->table = fixture_table(&w->f, NET_IP6, "t6");
  w->cf = (struct direct_config *) pc;
}

static void
apply(struct world *w)
{
  fixture_proto_end(&w->f, &w->cf->c);
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
  w->t4 = rt_find("t4");
  w->t6 = rt_find("t6");
}

static int
setup(void **ctx)
{
  struct world *w = *ctx = calloc(1, sizeof(*w));

  fixture_init(&w->f);
  begin(w);
  return 0;
}

static int
teardown(void **ctx)
{
  struct world *w = *ctx;

  protos_shutdown(fixture_progress);
  settle(&w->f);
  assert_int_equal(w->t4->net_objects, 0);
  assert_int_equal(w->t6->net_objects, 0);
  fixture_end(&w->f);
  free(w);
  return 0;
}

static void
addr(uint index, const char *text, uint len, bool tentative, bool gone)
{
  struct nl_addr a = { .ifindex = index, .prefix = { ip(text), len }, .tentative = tentative };

  iface_nl_hooks.addr(NULL, &a, gone);
}

static void
link_set(uint index, const char *name, bool up, bool carrier, bool gone)
{
  struct nl_link l = { .index = index, .up = up, .carrier = carrier };

  strcpy(l.name, name);
  iface_nl_hooks.link(NULL, &l, gone);
}

static uint
routes_for(const struct rtable *t, const char *text, uint len)
{
  struct prefix p = { ip(text), len };
  struct net_addr a = net_from_prefix(&p);
  const struct net *n = rt_net(t, &a);
  uint count = 0;

  for (const struct route *r = n ? n->routes : NULL; r; r = r->next)
    count++;
  return count;
}

static void
networks_come_and_go_with_interfaces(void **ctx)
{
  struct world *w = *ctx;

  link_set_up(2, "eth0", "192.0.2.1", 24);
  apply(w);
  assert_int_equal(routes_for(w->t4, "192.0.2.0", 24), 1);
  link_set_up(3, "eth1", "2001:db8::1", 64);
  settle(&w->f);
  assert_int_equal(routes_for(w->t6, "2001:db8::", 64), 1);
  link_set(2, "eth0", false, false, false);
  settle(&w->f);
  assert_int_equal(w->t4->route_count, 0);
  link_set(2, "eth0", true, false, false);
  settle(&w->f);
  assert_int_equal(w->t4->route_count, 1);
  link_set(2, "eth0", false, false, true);
  settle(&w->f);
  assert_int_equal(w->t4->route_count, 0);
  assert_int_equal(w->t6->route_count, 1);
}

static void
a_network_on_two_interfaces_has_two_routes(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  link_set_up(2, "eth0", "192.0.2.1", 24);
  link_set_up(3, "eth1", "192.0.2.2", 24);
  settle(&w->f);
  assert_int_equal(routes_for(w->t4, "192.0.2.0", 24), 2);
  addr(2, "192.0.2.9", 24, false, false); /* a second address of the same network */
  settle(&w->f);
  assert_int_equal(routes_for(w->t4, "192.0.2.0", 24), 2);
  addr(2, "192.0.2.1", 24, false, true);
  settle(&w->f);
  assert_int_equal(routes_for(w->t4, "192.0.2.0", 24), 2);
  addr(2, "192.0.2.9", 24, false, true);
  settle(&w->f);
  assert_int_equal(routes_for(w->t4, "192.0.2.0", 24), 1);
}

static void
what_means_nothing_elsewhere_is_left_out(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  link_set_up(1, "lo", "127.0.0.1", 8);
  link_set_up(2, "eth0", "fe80::1", 64);
  addr(2, "2001:db8::1", 64, true, false);
  settle(&w->f);
  assert_int_equal(w->t4->route_count + w->t6->route_count, 0);
  addr(2, "2001:db8::1", 64, false, false); /* nobody else has it */
  settle(&w->f);
  assert_int_equal(w->t6->route_count, 1);
}

static void
interfaces_are_chosen_by_patterns(void **ctx)
{
  static struct iface_pattern pattern = { .mask = "eth*", .positive = true };
  struct world *w = *ctx;

  w->cf->ifaces = &pattern;
  link_set_up(2, "eth0", "192.0.2.1", 24);
  link_set_up(3, "wlan0", "198.51.100.1", 24);
  apply(w);
  assert_int_equal(w->t4->route_count, 1);
  begin(w);
  apply(w);
  assert_int_equal(w->t4->route_count, 2);
  begin(w);
  w->cf->ifaces = &pattern;
  apply(w);
  assert_int_equal(w->t4->route_count, 1);
}

static void
the_carrier_counts_if_so_configured(void **ctx)
{
  struct world *w = *ctx;

  link_set_up(2, "eth0", "192.0.2.1", 24);
  apply(w);
  link_set(2, "eth0", true, false, false);
  settle(&w->f);
  assert_int_equal(w->t4->route_count, 1);
  begin(w);
  w->cf->check_link = true;
  apply(w);
  assert_int_equal(w->t4->route_count, 0);
  link_set(2, "eth0", true, true, false);
  settle(&w->f);
  assert_int_equal(w->t4->route_count, 1);
}

static void
a_preference_is_followed(void **ctx)
{
  struct world *w = *ctx;

  link_set_up(2, "eth0", "192.0.2.1", 24);
  link_set_up(3, "eth1", "2001:db8::1", 64);
  apply(w);
  begin(w);
  LIST_ITEM(struct channel_config, n, list_first(&w->cf->c.channels))->preference = 7;
  apply(w);
  assert_int_equal(rt_lookup(w->t4, ip("192.0.2.5"))->routes->attrs->preference, 7);
  assert_int_equal(rt_lookup(w->t6, ip("2001:db8::5"))->routes->attrs->preference, 240);
  assert_int_equal(w->t4->route_count, 1);
}

/* What is on the link is the other end, not our address. */
static void
a_point_to_point_network_is_that_of_the_other_end(void **ctx)
{
  struct world *w = *ctx;
  struct nl_addr a = { .ifindex = 2, .prefix = { ip("10.0.0.1"), 32 }, .peer = ip("10.0.0.2") };

  apply(w);
  link_set(2, "ppp0", true, true, false);
  iface_nl_hooks.addr(NULL, &a, false);
  settle(&w->f);
  assert_int_equal(routes_for(w->t4, "10.0.0.2", 32), 1);
  assert_int_equal(routes_for(w->t4, "10.0.0.1", 32), 0);
}

static void
vrf_set(uint index, const char *name)
{
  struct nl_link l = { .index = index, .up = true, .carrier = true, .vrf_table = 10 };

  strcpy(l.name, name);
  iface_nl_hooks.link(NULL, &l, false);
}

static void
a_vrf_that_is_renamed_takes_its_networks_along(void **ctx)
{
  struct world *w = *ctx;
  struct nl_link l = { .index = 2, .name = "eth0", .up = true, .carrier = true, .master = 9 };

  w->cf->c.vrf = "red";
  apply(w);
  vrf_set(9, "red");
  iface_nl_hooks.link(NULL, &l, false);
  addr(2, "192.0.2.1", 24, false, false);
  settle(&w->f);
  assert_int_equal(w->t4->route_count, 1);
  vrf_set(9, "blue");
  settle(&w->f);
  assert_int_equal(w->t4->route_count, 0);
  vrf_set(9, "red");
  settle(&w->f);
  assert_int_equal(w->t4->route_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(networks_come_and_go_with_interfaces),
    TEST(a_network_on_two_interfaces_has_two_routes),
    TEST(what_means_nothing_elsewhere_is_left_out),
    TEST(interfaces_are_chosen_by_patterns),
    TEST(the_carrier_counts_if_so_configured),
    TEST(a_preference_is_followed),
    TEST(a_point_to_point_network_is_that_of_the_other_end),
    TEST(a_vrf_that_is_renamed_takes_its_networks_along),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
