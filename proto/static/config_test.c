/* proto/static/config_test.c: routes as a file gives them, their targets, and the numbers of duplicates */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/route_fixture.h"
#include "proto/static/static.h"

static const struct cf_loc nowhere = { "test", 1, 1 };

struct world
{
  struct fixture f;
  struct static_config *cf;
};

static struct static_config *
begin(struct world *w, enum net_type type, const char *name, const char *from)
{
  struct proto_config *pc = fixture_proto_begin(&w->f, &proto_static, name, from);
  struct channel_config *cc = channel_config_get(&w->f.cx, &nowhere, pc, type);

  if (list_empty(&w->f.cx.cfg->tables))
    fixture_table(&w->f, type, "t");
  cc->table = LIST_ITEM(struct table_config, n, list_first(&w->f.cx.cfg->tables));
  return w->cf = (struct static_config *) pc;
}

static int
setup(void **ctx)
{
  struct world *w = *ctx = calloc(1, sizeof(*w));

  fixture_init(&w->f);
  fixture_config_begin(&w->f);
  return 0;
}

static int
teardown(void **ctx)
{
  struct world *w = *ctx;

  fixture_end(&w->f);
  free(w);
  return 0;
}

/* --- As the grammar does it --- */

static void
special(struct world *w, struct net_addr net, uint dest)
{
  static_route_begin(&w->f.cx, &nowhere, &net);
  w->cf->dest = dest;
  static_route_end(&w->f.cx, &nowhere);
}

static struct static_hop_config *
add_hop(struct world *w, const char *via, const char *ifname)
{
  struct static_hop_config *hop = static_hop_add(&w->f.cx, &nowhere);

  hop->via = via ? ip(via) : IP_NONE;
  hop->ifname = lp_strdup(w->f.cx.lp, ifname);
  return hop;
}

/* A route by two next hops, the first of them as @hop says. */
static u32
via_two(struct world *w, struct static_hop_config hop)
{
  struct net_addr net = net4(0x0a000000 + w->cf->route_count, 32);

  static_route_begin(&w->f.cx, &nowhere, &net);
  *static_hop_add(&w->f.cx, &nowhere) = hop;
  add_hop(w, "192.0.2.2", "");
  static_route_end(&w->f.cx, &nowhere);
  return static_route(w->cf, w->cf->route_count - 1)->target;
}

static void
end(struct world *w)
{
  fixture_proto_end(&w->f, &w->cf->c);
}

static uint
path_id(const struct world *w, u32 number)
{
  return static_route(w->cf, number)->path_id;
}

/* --- Targets --- */

static void
equal_targets_are_one(void **ctx)
{
  struct world *w = *ctx;
  struct static_hop_config hop = { .via = ip("192.0.2.1"), .ifname = "eth0", .weight = 1 };
  char name[] = "eth0"; /* names are compared, not where they are */

  begin(w, NET_IP4, "s", NULL);
  assert_int_equal(via_two(w, hop), 0);
  hop.ifname = name;
  assert_int_equal(via_two(w, hop), 0);
  special(w, net4(0x0a010000, 32), RTD_BLACKHOLE);
  special(w, net4(0x0a010001, 32), RTD_BLACKHOLE);
  assert_int_equal(w->cf->target_count, 2);
  end(w);
}

static void
each_field_tells_targets_apart(void **ctx)
{
  static const struct static_hop_config base = { .ifname = "eth0", .weight = 1 };
  struct world *w = *ctx;
  struct static_hop_config hops[6] = { base, base, base, base, base, base };

  begin(w, NET_IP4, "s", NULL);
  hops[1].via = ip("192.0.2.1");
  hops[2].ifname = "eth1";
  hops[3].weight = 2;
  hops[4].onlink = true;
  hops[5].bfd = true;
  for (uint i = 0; i < ARRAY_SIZE(hops); i++)
    assert_int_equal(via_two(w, hops[i]), i);
  for (uint dest = RTD_BLACKHOLE; dest <= RTD_PROHIBIT; dest++)
    special(w, net4(0x0b000000 + dest, 32), dest);
  assert_int_equal(w->cf->target_count, ARRAY_SIZE(hops) + 3);
  for (uint i = 0; i < w->cf->target_count; i++)
    assert_int_equal(w->cf->targets[i]->number, i);
  end(w);
}

static void
recursive_targets_differ_by_address(void **ctx)
{
  static const char *const addrs[] = { "10.0.0.1", "10.0.0.2", "10.0.0.1" };
  struct world *w = *ctx;

  begin(w, NET_IP4, "s", NULL);
  for (uint i = 0; i < ARRAY_SIZE(addrs); i++)
  {
    struct net_addr net = net4(0x0a000000 + i, 32);

    static_route_begin(&w->f.cx, &nowhere, &net);
    w->cf->dest = RTD_UNICAST;
    w->cf->recursive = ip(addrs[i]);
    static_route_end(&w->f.cx, &nowhere);
    assert_int_equal(static_route(w->cf, i)->target, i % 2);
  }
  end(w);
}

/* Blocks and arrays grow several times. */
static void
chains_of_targets_hold_each_route_once_in_order(void **ctx)
{
  enum
  {
    ROUTES = 10000,
    TARGETS = 77
  };
  struct world *w = *ctx;
  u32 seen = 0;

  begin(w, NET_IP4, "s", NULL);
  for (u32 i = 0; i < ROUTES; i++)
  {
    struct net_addr net = net4(0x0a000000 + i, 32);

    static_route_begin(&w->f.cx, &nowhere, &net);
    static_hop_add(&w->f.cx, &nowhere)->via = ip_v4(0xc0000200 + i % TARGETS);
    static_route_end(&w->f.cx, &nowhere);
  }
  end(w);
  assert_int_equal(w->cf->target_count, TARGETS);
  for (u32 t = 0; t < TARGETS; t++)
    for (u32 r = w->cf->targets[t]->first_route; r != STATIC_NO_ROUTE;
         r = static_route(w->cf, r)->next, seen++)
    {
      assert_int_equal(r % TARGETS, t);
      assert_int_equal(static_route(w->cf, r)->target, t);
    }
  assert_int_equal(seen, ROUTES);
}

/* --- Networks --- */

static void
check_kept(struct world *w, struct net_addr net)
{
  struct net_addr got;

  special(w, net, RTD_NONE);
  got = static_route_net(w->cf, static_route(w->cf, w->cf->route_count - 1));
  assert_true(net_equal(&net, &got));
}

static void
networks_of_any_type_are_kept(void **ctx)
{
  static const u8 types[] = { NET_IP4, NET_IP6, NET_ROA4, NET_ROA6 };
  struct world *w = *ctx;

  for (uint i = 0; i < ARRAY_SIZE(types); i++)
  {
    bool v4 = types[i] == NET_IP4 || types[i] == NET_ROA4, is_roa = types[i] >= NET_ROA4;
    struct net_addr a = { .type = types[i], .prefix = { v4 ? ip_v4(0) : IP_NONE, 0 } };

    begin(w, types[i], NULL, NULL);
    check_kept(w, a);
    a.prefix = v4 ? (struct prefix){ ip("255.255.255.255"), 32 } : (struct prefix){ ip("ffff::ffff"), 128 };
    a.max_len = is_roa ? a.prefix.len : 0;
    a.asn = is_roa ? U32_MAX : 0;
    check_kept(w, a);
  }
}

/* --- Duplicates --- */

static void
duplicates_are_numbered_in_the_order_of_the_file(void **ctx)
{
  static const u8 nets[] = { 1, 2, 1, 3, 1, 2, 1 }, numbers[] = { 0, 0, 1, 0, 2, 1, 3 };
  struct world *w = *ctx;

  begin(w, NET_IP4, "s", NULL);
  for (uint i = 0; i < ARRAY_SIZE(nets); i++)
    special(w, net4(nets[i] << 24, 8), i % 2 ? RTD_BLACKHOLE : RTD_PROHIBIT);
  special(w, net4(1 << 24, 9), RTD_PROHIBIT); /* another length, another network */
  end(w);
  for (uint i = 0; i < ARRAY_SIZE(nets); i++)
    assert_int_equal(path_id(w, i), numbers[i]);
  assert_int_equal(path_id(w, ARRAY_SIZE(nets)), 0);
}

static void
authorisations_that_differ_are_no_duplicates(void **ctx)
{
  struct world *w = *ctx;
  struct net_addr a = net4(0x0a000000, 8);

  begin(w, NET_ROA4, "s", NULL);
  a.type = NET_ROA4;
  for (uint i = 0; i < 3; i++)
  {
    a.max_len = i == 1 ? 9 : 8;
    a.asn = i == 2;
    special(w, a, RTD_NONE);
  }
  special(w, a, RTD_NONE);
  end(w);
  for (uint i = 0; i < 4; i++)
    assert_int_equal(path_id(w, i), i == 3);
}

static void
many_networks_get_the_numbers_a_slow_search_finds(void **ctx)
{
  enum
  {
    ROUTES = 5000,
    NETS = 700
  };
  struct world *w = *ctx;
  uint count[NETS] = { 0 };

  begin(w, NET_IP4, "s", NULL);
  for (u32 i = 0; i < ROUTES; i++)
    special(w, net4((random() % NETS) << 8, 24), RTD_BLACKHOLE);
  end(w);
  for (u32 i = 0; i < ROUTES; i++)
    assert_int_equal(path_id(w, i), count[static_route(w->cf, i)->key[0] >> 8]++);
}

/* --- Templates --- */

static void
a_copy_has_the_routes_of_its_base_and_its_own(void **ctx)
{
  struct world *w = *ctx;
  struct static_config *base = begin(w, NET_IP4, "base", NULL), *copy;

  for (u32 i = 0; i < 3000; i++)
    special(w, net4(0x0a000000 + i, 32), i % 3 ? RTD_BLACKHOLE : RTD_PROHIBIT);
  end(w);
  copy = begin(w, NET_IP4, "copy", "base");
  special(w, net4(0x0a000000, 32), RTD_UNREACHABLE);
  end(w);
  assert_int_equal(base->route_count, 3000);
  assert_int_equal(base->target_count, 2);
  assert_int_equal(copy->route_count, 3001);
  assert_int_equal(copy->target_count, 3);
  assert_int_equal(path_id(w, 3000), 1);
  for (u32 i = 0; i < 3000; i++)
  {
    const struct static_route *a = static_route(base, i), *b = static_route(copy, i);

    assert_int_equal(a->key[0], b->key[0]);
    assert_int_equal(base->targets[a->target]->dest, copy->targets[b->target]->dest);
    assert_true(b->next == STATIC_NO_ROUTE || b->next > i);
  }
}

/* --- Errors --- */

static void
fails(struct world *w, const char *text)
{
  assert_true(w->f.cx.failed);
  assert_non_null(strstr(w->f.cx.error, text));
  w->f.cx.failed = false;
}

static void
a_network_of_another_type_is_refused(void **ctx)
{
  struct world *w = *ctx;
  struct prefix p = { ip("2001:db8::"), 32 };
  struct net_addr v6 = net_from_prefix(&p), roa4 = net4(0x0a000000, 8);

  begin(w, NET_IP4, "s", NULL);
  special(w, v6, RTD_BLACKHOLE);
  fails(w, "2001:db8::/32 incompatible with channel type ipv4");
  roa4.type = NET_ROA4;
  special(w, roa4, RTD_NONE);
  fails(w, "incompatible");
  assert_int_equal(w->cf->route_count, 0);
}

static void
one_next_hop_too_many_is_refused(void **ctx)
{
  struct world *w = *ctx;
  struct net_addr net = net4(0x0a000000, 8);

  begin(w, NET_IP4, "s", NULL);
  static_route_begin(&w->f.cx, &nowhere, &net);
  for (uint i = 0; i < NEXTHOPS_MAX; i++)
    static_hop_add(&w->f.cx, &nowhere)->via = ip_v4(i + 1);
  assert_false(w->f.cx.failed);
  static_hop_add(&w->f.cx, &nowhere);
  static_route_end(&w->f.cx, &nowhere);
  fails(w, "at most 256");
  assert_int_equal(w->cf->route_count, 0);
}

static void
next_hops_that_need_an_interface_say_so(void **ctx)
{
  struct world *w = *ctx;
  struct prefix p = { ip("2001:db8::"), 32 };
  struct net_addr net = net_from_prefix(&p);

  begin(w, NET_IP6, "s", NULL);
  static_route_begin(&w->f.cx, &nowhere, &net);
  add_hop(w, "fe80::1", "");
  static_route_end(&w->f.cx, &nowhere);
  fails(w, "fe80::1 requires an interface");
  static_route_begin(&w->f.cx, &nowhere, &net);
  add_hop(w, "2001:db8::1", "")->onlink = true;
  static_route_end(&w->f.cx, &nowhere);
  fails(w, "onlink needs an interface");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(equal_targets_are_one),
    TEST(each_field_tells_targets_apart),
    TEST(recursive_targets_differ_by_address),
    TEST(chains_of_targets_hold_each_route_once_in_order),
    TEST(networks_of_any_type_are_kept),
    TEST(duplicates_are_numbered_in_the_order_of_the_file),
    TEST(authorisations_that_differ_are_no_duplicates),
    TEST(many_networks_get_the_numbers_a_slow_search_finds),
    TEST(a_copy_has_the_routes_of_its_base_and_its_own),
    TEST(a_network_of_another_type_is_refused),
    TEST(one_next_hop_too_many_is_refused),
    TEST(next_hops_that_need_an_interface_say_so),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
