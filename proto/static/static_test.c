/*
 * proto/static/static_test.c: the running instance: what stands in the table after changes of interfaces, of
 * resolved addresses and of the configuration
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/route_fixture.h"
#include "proto/static/static.h"

#define MANY 20000

static const struct cf_loc nowhere = { "test", 1, 1 };

struct world
{
  struct fixture f;
  struct rtable *t;
  struct static_config *cf;
};

/* --- Configurations, as the grammar makes them --- */

static void
begin(struct world *w)
{
  struct proto_config *pc;
  struct channel_config *cc;

  fixture_config_begin(&w->f);
  pc = fixture_proto_begin(&w->f, &proto_static, "s", NULL);
  cc = channel_config_get(&w->f.cx, &nowhere, pc, NET_IP4);
  cc->table = fixture_table(&w->f, NET_IP4, "t");
  w->cf = (struct static_config *) pc;
}

static void
end(struct world *w)
{
  fixture_proto_end(&w->f, &w->cf->c);
  fixture_apply(&w->f, false);
}

static void
apply(struct world *w)
{
  end(w);
  fixture_applied(&w->f);
  w->t = rt_find("t");
}

/* By next hops "a b c": an address, or a name that begins with a letter. */
static void
route_via(struct world *w, struct net_addr net, const char *hops)
{
  char *text = lp_strdup(w->f.cx.lp, hops);

  static_route_begin(&w->f.cx, &nowhere, &net);
  for (char *hop = strtok(text, " "); hop; hop = strtok(NULL, " "))
    if (hop[0] >= 'a')
      static_hop_add(&w->f.cx, &nowhere)->ifname = hop;
    else
      static_hop_add(&w->f.cx, &nowhere)->via = ip(hop);
  static_route_end(&w->f.cx, &nowhere);
}

static void
route_recursive(struct world *w, struct net_addr net, const char *addr)
{
  static_route_begin(&w->f.cx, &nowhere, &net);
  w->cf->dest = RTD_UNICAST;
  w->cf->recursive = ip(addr);
  static_route_end(&w->f.cx, &nowhere);
}

static void
blackholes(struct world *w, u32 begin_at, u32 end_at)
{
  for (u32 i = begin_at; i < end_at; i++)
  {
    struct net_addr net = net4(0x0a000000 + i, 32);

    static_route_begin(&w->f.cx, &nowhere, &net);
    w->cf->dest = RTD_BLACKHOLE;
    static_route_end(&w->f.cx, &nowhere);
  }
}

static int
setup(void **ctx)
{
  struct world *w = *ctx = calloc(1, sizeof(*w));

  fixture_init(&w->f);
  link_set_up(2, "eth0", "192.0.2.1", 24);
  link_set_up(3, "eth1", "198.51.100.1", 24);
  return 0;
}

static int
teardown(void **ctx)
{
  struct world *w = *ctx;

  protos_shutdown(fixture_progress);
  settle(&w->f);
  assert_int_equal(w->t->route_count, 0);
  assert_int_equal(w->t->net_objects, 0);
  fixture_end(&w->f);
  free(w);
  return 0;
}

/* --- Looking and doing --- */

static void
link_goes(uint index, const char *name)
{
  struct nl_link l = { .index = index, .name = "", .mtu = 1500 };

  strcpy(l.name, name);
  iface_nl_hooks.link(NULL, &l, false);
}

static const struct route *
route_at(const struct world *w, struct net_addr a)
{
  const struct net *n = rt_net(w->t, &a);

  return n ? n->routes : NULL;
}

static uint
hops_at(const struct world *w, struct net_addr a)
{
  const struct route *r = route_at(w, a);

  return r ? r->attrs->nexthop_count : 0;
}

static struct channel *
channel(void)
{
  return proto_channel(proto_find("s"), NET_IP4);
}

#define NET_A net4(0x0a000000, 8)
#define NET_B net4(0x0b000000, 8)

/* --- Next hops --- */

static void
routes_follow_their_next_hops(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  route_via(w, NET_A, "192.0.2.10 198.51.100.10");
  route_via(w, NET_B, "eth1");
  apply(w);
  assert_int_equal(hops_at(w, NET_A), 2);
  assert_int_equal(hops_at(w, NET_B), 1);
  link_goes(3, "eth1");
  settle(&w->f);
  assert_int_equal(hops_at(w, NET_A), 1);
  assert_null(route_at(w, NET_B));
  link_goes(2, "eth0");
  settle(&w->f);
  assert_null(route_at(w, NET_A));
  link_set_up(2, "eth0", "192.0.2.1", 24);
  link_set_up(3, "eth1", "198.51.100.1", 24);
  settle(&w->f);
  assert_int_equal(hops_at(w, NET_A), 2);
  assert_int_equal(hops_at(w, NET_B), 1);
}

static void
a_next_hop_of_no_network_gives_no_route(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  route_via(w, NET_A, "203.0.113.1");
  route_via(w, NET_B, "eth7");
  apply(w);
  assert_null(route_at(w, NET_A));
  assert_null(route_at(w, NET_B));
  link_set_up(7, "eth7", "203.0.113.7", 24);
  settle(&w->f);
  assert_int_equal(hops_at(w, NET_A), 1);
  assert_int_equal(hops_at(w, NET_B), 1);
}

/* The change comes while the routes of the target are still being announced. */
static void
a_failure_in_the_middle_of_announcing_reaches_all_routes(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  for (u32 i = 0; i < MANY; i++)
    route_via(w, net4(0x0a000000 + i, 32), "192.0.2.10 198.51.100.10");
  end(w);
  run_turns(&w->f, 6);
  link_goes(3, "eth1");
  fixture_applied(&w->f);
  w->t = rt_find("t");
  assert_int_equal(w->t->route_count, MANY);
  for (u32 i = 0; i < MANY; i++)
    assert_int_equal(hops_at(w, net4(0x0a000000 + i, 32)), 1);
  link_goes(2, "eth0");
  run_turns(&w->f, 2);
  link_set_up(2, "eth0", "192.0.2.1", 24);
  settle(&w->f);
  assert_int_equal(w->t->route_count, MANY);
}

/* --- Recursive routes --- */

static void
recursive_routes_follow_the_table(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  route_recursive(w, NET_A, "11.0.0.1");
  route_via(w, NET_B, "192.0.2.10");
  apply(w);
  assert_int_equal(route_at(w, NET_A)->attrs->dest, RTD_UNICAST);
  assert_true(ip_equal(route_at(w, NET_A)->attrs->nexthops[0].via, ip("192.0.2.10")));
  link_goes(2, "eth0");
  settle(&w->f);
  assert_int_equal(route_at(w, NET_A)->attrs->dest, RTD_UNREACHABLE);
  link_set_up(2, "eth0", "192.0.2.1", 24);
  settle(&w->f);
  assert_int_equal(hops_at(w, NET_A), 1);
}

static void
an_address_on_a_link_is_its_own_next_hop(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  route_recursive(w, NET_A, "11.0.0.1");
  route_via(w, NET_B, "eth0");
  apply(w);
  assert_true(ip_equal(route_at(w, NET_A)->attrs->nexthops[0].via, ip("11.0.0.1")));
}

/* --- Reconfiguration --- */

static void
the_same_again_changes_nothing(void **ctx)
{
  struct world *w = *ctx;
  btime since;

  begin(w);
  route_via(w, NET_A, "192.0.2.10");
  blackholes(w, 0, 1000);
  apply(w);
  since = route_at(w, NET_A)->since;
  begin(w);
  route_via(w, NET_A, "192.0.2.10");
  blackholes(w, 0, 1000);
  apply(w);
  assert_true(route_at(w, NET_A)->since == since);
  assert_int_equal(channel()->import_updates.received, 2 * 1001);
  assert_int_equal(channel()->import_updates.accepted, 1001);
}

static void
routes_come_go_and_change(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  blackholes(w, 0, MANY);
  route_via(w, NET_A, "192.0.2.10");
  apply(w);
  assert_int_equal(w->t->route_count, MANY + 1);
  begin(w);
  route_via(w, NET_A, "198.51.100.10");
  blackholes(w, MANY / 2, MANY + 10);
  apply(w);
  assert_int_equal(w->t->route_count, MANY / 2 + 10 + 1);
  assert_true(ip_equal(route_at(w, NET_A)->attrs->nexthops[0].via, ip("198.51.100.10")));
  begin(w);
  apply(w);
  assert_int_equal(w->t->route_count, 0);
}

/* Each before the last one is done; what all of them have is there all the time. */
static void
reconfigurations_in_a_row_lose_nothing(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  blackholes(w, 0, MANY);
  apply(w);
  for (uint i = 0; i < 5; i++)
  {
    begin(w);
    blackholes(w, i, MANY);
    end(w);
    run_turns(&w->f, 3 + 8 * i);
    assert_true(w->t->route_count >= MANY - i);
  }
  fixture_applied(&w->f);
  assert_int_equal(w->t->route_count, MANY - 4);
}

static void
a_preference_is_followed(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  route_via(w, NET_A, "192.0.2.10");
  apply(w);
  begin(w);
  LIST_ITEM(struct channel_config, n, list_first(&w->cf->c.channels))->preference = 77;
  route_via(w, NET_A, "192.0.2.10");
  apply(w);
  assert_int_equal(route_at(w, NET_A)->attrs->preference, 77);
  assert_int_equal(w->t->route_count, 1);
}

static void
rejected_imports_leave_the_table(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  blackholes(w, 0, 100);
  apply(w);
  begin(w);
  LIST_ITEM(struct channel_config, n, list_first(&w->cf->c.channels))->import = RT_REJECT;
  blackholes(w, 0, 100);
  apply(w);
  assert_int_equal(w->t->route_count, 0);
}

static void
a_limit_in_the_middle_of_announcing_disables(void **ctx)
{
  struct world *w = *ctx;
  struct channel_config *cc;

  begin(w);
  cc = LIST_ITEM(struct channel_config, n, list_first(&w->cf->c.channels));
  cc->limits[LIMIT_IMPORT] = (struct channel_limit){ true, MANY / 2, LIMIT_DISABLE };
  blackholes(w, 0, MANY);
  apply(w);
  assert_int_equal(proto_find("s")->state, PROTO_DOWN);
  assert_int_equal(w->t->route_count, 0);
}

static void
several_routes_for_one_network_stand_side_by_side(void **ctx)
{
  struct world *w = *ctx;

  begin(w);
  route_via(w, NET_A, "192.0.2.10");
  route_via(w, NET_A, "198.51.100.10");
  apply(w);
  assert_int_equal(w->t->route_count, 2);
  assert_int_equal(w->t->net_count, 1);
  begin(w);
  route_via(w, NET_A, "198.51.100.10");
  apply(w);
  assert_int_equal(w->t->route_count, 1);
  assert_true(ip_equal(route_at(w, NET_A)->attrs->nexthops[0].via, ip("198.51.100.10")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(routes_follow_their_next_hops),
    TEST(a_next_hop_of_no_network_gives_no_route),
    TEST(a_failure_in_the_middle_of_announcing_reaches_all_routes),
    TEST(recursive_routes_follow_the_table),
    TEST(an_address_on_a_link_is_its_own_next_hop),
    TEST(the_same_again_changes_nothing),
    TEST(routes_come_go_and_change),
    TEST(reconfigurations_in_a_row_lose_nothing),
    TEST(a_preference_is_followed),
    TEST(rejected_imports_leave_the_table),
    TEST(a_limit_in_the_middle_of_announcing_disables),
    TEST(several_routes_for_one_network_stand_side_by_side),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
