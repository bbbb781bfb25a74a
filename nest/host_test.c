/* nest/host_test.c: addresses resolved by a table, and followed */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/host.h"
#include "nest/route_fixture.h"

#define HOSTS 300

struct asker
{
  struct rt_host *host;
  pool *pool;
  ip_addr ip;
  struct attrs *knows; /* what it was told last, or saw at first */
  uint calls;
};

struct world
{
  struct fixture f;
  struct rtable *t;
  struct proto proto;
  struct channel sender;
  struct rt_origin *origin;
  struct asker askers[HOSTS];
};

static const struct proto_class class_plain = { .name = "Plain" };

static int
setup_type(void **ctx, enum net_type type)
{
  struct world *w = *ctx = calloc(1, sizeof(*w));

  w->sender.proto = &w->proto;
  fixture_init(&w->f);
  fixture_config_begin(&w->f);
  fixture_table(&w->f, type, "t");
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
  w->t = rt_find("t");
  w->origin = rt_origin_new(&class_plain, "plain", NULL);
  link_set_up(2, "eth0", "192.0.2.1", 24);
  return 0;
}

static int
setup(void **ctx)
{
  return setup_type(ctx, NET_IP4);
}

static int
setup6(void **ctx)
{
  return setup_type(ctx, NET_IP6);
}

static void
let_go(struct asker *a)
{
  rfree(a->pool);
  *a = (struct asker){ 0 };
}

static void
visit_prune(struct gnode *g, void *data)
{
  struct world *w = data;

  rt_prune_net(w->t, SKIP_BACK(struct net, hn, g), &w->sender, -1);
}

static int
teardown(void **ctx)
{
  struct world *w = *ctx;
  u32 pos = 0;

  for (uint i = 0; i < HOSTS; i++)
    if (w->askers[i].host)
      let_go(&w->askers[i]);
  assert_int_equal(w->t->users, 0);
  assert_true(list_empty(&w->t->readers));
  while (growhash_walk(&w->t->nets, &pos, visit_prune, w))
    ;
  assert_int_equal(w->t->net_objects, 0);
  rt_origin_unref(w->origin);
  fixture_end(&w->f);
  free(w);
  return 0;
}

/* --- Doing things --- */

static void
host_hook(struct rt_host *h, void *data)
{
  struct asker *a = data;

  assert_ptr_equal(a->host, h);
  assert_ptr_not_equal(a->knows, h->attrs);
  a->knows = h->attrs;
  a->calls++;
}

static void
ask(struct world *w, uint i, ip_addr ip)
{
  struct asker *a = &w->askers[i];

  *a = (struct asker){ .ip = ip, .pool = pool_new(w->f.pool, "Asker") };
  a->host = rt_host_new(a->pool, w->t, ip, host_hook, a);
  a->knows = a->host->attrs;
}

/* @metric zero withdraws. */
static void
set_route(struct world *w, struct prefix p, const char *via, uint metric)
{
  struct nexthop hop = { .via = via ? ip(via) : IP_NONE, .iface = iface_find("eth0"), .weight = 1 };
  struct net_addr a = { .type = w->t->type, .prefix = p };
  struct rt_update u = { .origin = w->origin };

  if (metric)
    u.attrs = attrs_intern(&(struct attrs){ .origin = w->origin,
                                            .dest = RTD_UNICAST,
                                            .igp_metric = metric,
                                            .nexthops = &hop,
                                            .nexthop_count = 1 });
  rt_update(w->t, &w->sender, rt_net(w->t, &a), &a, &u);
  attrs_unref(u.attrs);
}

static void
route(struct world *w, const char *addr, uint len, uint metric)
{
  set_route(w, (struct prefix){ ip(addr), len }, "192.0.2.10", metric);
}

static uint
metric_of(const struct world *w, uint i)
{
  const struct attrs *a = w->askers[i].host->attrs;

  assert_ptr_equal(w->askers[i].knows, a);
  return a ? a->igp_metric : 0;
}

/* --- The tests --- */

static void
an_address_is_resolved_at_once_by_the_longest_match(void **ctx)
{
  struct world *w = *ctx;

  route(w, "10.0.0.0", 8, 8);
  route(w, "10.1.0.0", 16, 16);
  ask(w, 0, ip("10.1.2.3"));
  ask(w, 1, ip("10.2.2.3"));
  ask(w, 2, ip("11.0.0.1"));
  assert_int_equal(metric_of(w, 0), 16);
  assert_int_equal(metric_of(w, 1), 8);
  assert_int_equal(metric_of(w, 2), 0);
  settle(&w->f);
  assert_int_equal(w->askers[0].calls, 0);
}

static void
an_address_follows_the_table(void **ctx)
{
  struct world *w = *ctx;

  ask(w, 0, ip("10.1.2.3"));
  route(w, "0.0.0.0", 0, 1);
  settle(&w->f);
  assert_int_equal(metric_of(w, 0), 1);
  route(w, "10.1.2.3", 32, 32);
  settle(&w->f);
  assert_int_equal(metric_of(w, 0), 32);
  route(w, "10.1.2.4", 32, 33);
  route(w, "10.1.2.0", 24, 24);
  settle(&w->f);
  assert_int_equal(w->askers[0].calls, 2);
  route(w, "10.1.2.3", 32, 0);
  settle(&w->f);
  assert_int_equal(metric_of(w, 0), 24);
  route(w, "10.1.2.0", 24, 0);
  route(w, "0.0.0.0", 0, 0);
  settle(&w->f);
  assert_int_equal(metric_of(w, 0), 0);
}

static void
nobody_is_called_for_nothing(void **ctx)
{
  struct world *w = *ctx;

  route(w, "10.0.0.0", 8, 8);
  ask(w, 0, ip("10.1.2.3"));
  route(w, "10.0.0.0", 8, 9);
  route(w, "10.0.0.0", 8, 8);
  settle(&w->f);
  assert_int_equal(w->askers[0].calls, 0);
}

static void
several_may_ask_for_one_address(void **ctx)
{
  struct world *w = *ctx;

  for (uint i = 0; i < 5; i++)
    ask(w, i, ip("10.0.0.1"));
  ask(w, 5, ip("10.0.0.0"));
  ask(w, 6, ip("10.0.0.2"));
  let_go(&w->askers[2]);
  let_go(&w->askers[0]);
  route(w, "10.0.0.0", 8, 8);
  settle(&w->f);
  for (uint i = 0; i < 7; i++)
    assert_int_equal(w->askers[i].calls, i != 0 && i != 2);
}

static void
a_table_with_hosts_stays(void **ctx)
{
  struct world *w = *ctx;

  ask(w, 0, ip("10.0.0.1"));
  assert_int_equal(w->t->users, 1);
  let_go(&w->askers[0]);
  assert_int_equal(w->t->users, 0);
  assert_true(list_empty(&w->t->readers));
  ask(w, 0, ip("10.0.0.1"));
  route(w, "10.0.0.0", 8, 8);
  settle(&w->f);
  assert_int_equal(metric_of(w, 0), 8);
}

/* News is pending when the last one goes. */
static void
the_last_host_takes_the_watch_along(void **ctx)
{
  struct world *w = *ctx;

  ask(w, 0, ip("10.0.0.1"));
  for (u32 i = 0; i < 1000; i++)
    set_route(w, (struct prefix){ ip_v4(0x0a000000 + i), 32 }, "192.0.2.10", 1);
  let_go(&w->askers[0]);
  settle(&w->f);
}

static void
next_hops_on_the_link_mean_the_address_itself(void **ctx)
{
  struct world *w = *ctx;
  struct nexthop hops[NEXTHOPS_MAX];

  ask(w, 0, ip("10.0.0.1"));
  assert_int_equal(rt_host_nexthops(w->askers[0].host, hops), 0);
  set_route(w, (struct prefix){ ip("10.0.0.0"), 24 }, NULL, 1);
  settle(&w->f);
  assert_int_equal(rt_host_nexthops(w->askers[0].host, hops), 1);
  assert_true(ip_equal(hops[0].via, ip("10.0.0.1")));
  route(w, "10.0.0.0", 24, 2);
  settle(&w->f);
  assert_int_equal(rt_host_nexthops(w->askers[0].host, hops), 1);
  assert_true(ip_equal(hops[0].via, ip("192.0.2.10")));
}

static void
check_all(struct world *w)
{
  for (uint i = 0; i < HOSTS; i++)
  {
    const struct asker *a = &w->askers[i];
    const struct net *n = a->host ? rt_lookup(w->t, a->ip) : NULL;

    if (a->host)
      assert_ptr_equal(a->knows, n ? net_best(n)->attrs : NULL);
  }
}

/* Addresses and networks that lie close together; hosts come and go while the routes change. */
static void
change_something(struct world *w, ip_addr base)
{
  uint i = random() % HOSTS, bits = ip_is_v4(base) ? 32 : 128, len = bits - random() % 12;
  ip_addr a = base;

  a.w[3] |= random() % 4096;
  if (random() % 3 == 0)
    len = random() % (bits + 1);
  if (random() % 4)
    set_route(w, (struct prefix){ ip_mask(a, len), len }, NULL, random() % 4);
  else if (w->askers[i].host)
    let_go(&w->askers[i]);
  else
    ask(w, i, a);
}

static void
follow_at_random(struct world *w, ip_addr base)
{
  for (uint round = 0; round < 600; round++)
  {
    for (uint k = random() % 60; k; k--)
      change_something(w, base);
    if (random() % 3)
      run_turns(&w->f, 1);
    else
    {
      settle(&w->f);
      check_all(w);
    }
  }
}

static void
ip4_addresses_follow_any_change(void **ctx)
{
  follow_at_random(*ctx, ip("10.1.0.0"));
}

static void
ip6_addresses_follow_any_change(void **ctx)
{
  follow_at_random(*ctx, ip("2001:db8::"));
}

/* An address of the other family, between those of the table's, is never resolved and disturbs nobody. */
static void
addresses_of_the_other_family_do_not_disturb(void **ctx)
{
  struct world *w = *ctx;

  ask(w, 0, ip("::1"));
  ask(w, 1, ip("10.0.0.1"));
  ask(w, 2, ip("2001:db8::1"));
  route(w, "::", 0, 5);
  settle(&w->f);
  assert_int_equal(metric_of(w, 0), 5);
  assert_int_equal(metric_of(w, 1), 0);
  assert_int_equal(metric_of(w, 2), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST6(name) cmocka_unit_test_setup_teardown(name, setup6, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(an_address_is_resolved_at_once_by_the_longest_match),
    TEST(an_address_follows_the_table),
    TEST(nobody_is_called_for_nothing),
    TEST(several_may_ask_for_one_address),
    TEST(a_table_with_hosts_stays),
    TEST(the_last_host_takes_the_watch_along),
    TEST(next_hops_on_the_link_mean_the_address_itself),
    TEST(ip4_addresses_follow_any_change),
    TEST6(ip6_addresses_follow_any_change),
    TEST6(addresses_of_the_other_family_do_not_disturb),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
