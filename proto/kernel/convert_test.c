/* proto/kernel/convert_test.c: attributes to routes of the kernel and back, and which of these are the same
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/kernel/kernel.h"

struct fixture
{
  pool *pool;
  struct kernel_config cf;
  struct channel_config cc;
  struct channel channel;
  struct kernel_proto p;
  const struct iface *eth0, *eth1;
  struct nl_nexthop hops[2][NEXTHOPS_MAX];
};

static const struct prefix dst4 = { { { 0, 0, 0xffff, 0x0a000000 } }, 8 };
static const struct prefix dst6 = { { { 0x20010db8, 0, 0, 0 } }, 32 };

static const struct iface *
link_new(uint index, const char *name)
{
  struct nl_link l = { .index = index, .up = true, .carrier = true };

  strcpy(l.name, name);
  iface_nl_hooks.link(NULL, &l, false);
  return iface_find(name);
}

static int
setup(void **ctx)
{
  struct fixture *f = *ctx = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  iface_init(f->pool, NULL);
  attrs_init(f->pool);
  f->eth0 = link_new(2, "eth0");
  f->eth1 = link_new(3, "eth1");
  f->cf = (struct kernel_config){ .table = 254, .metric = 32 };
  f->cc.preference = 10;
  f->channel.cf = &f->cc;
  f->p.p.cf = &f->cf.c;
  f->p.p.origin = rt_origin_new(&proto_kernel, "kernel1", &f->p.p);
  f->p.channel = &f->channel;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  assert_int_equal(attrs_size().sets, 0);
  rt_origin_unref(f->p.p.origin);
  rfree(f->pool);
  free(f);
  return 0;
}

/* The route of the kernel for one by @count next hops. */
static struct nl_route
make(struct fixture *f, uint which, struct nexthop *hops, uint count, struct rt_attr *attrs, uint attr_count)
{
  struct attrs a = {
    .dest = RTD_UNICAST, .nexthops = hops, .nexthop_count = count, .attrs = attrs, .attr_count = attr_count
  };
  struct nl_route r;

  kernel_route_make(&f->p, &r, f->hops[which], f->p.v6 ? &dst6 : &dst4, &a);
  return r;
}

static struct nl_route
example(struct fixture *f, uint which)
{
  struct nexthop hops[3] = { { .via = ip_v4(1), .iface = f->eth0, .weight = 1 },
                             { .via = ip_v4(2), .iface = f->eth1, .weight = 2, .onlink = true },
                             { .via = ip_v4(3), .iface = f->eth1, .weight = 256 } };

  return make(f, which, hops, 3, NULL, 0);
}

/* --- To the kernel --- */

static void
destinations_have_their_types(void **ctx)
{
  static const struct
  {
    u8 dest, type;
  } cases[] = { { RTD_BLACKHOLE, NL_BLACKHOLE },
                { RTD_UNREACHABLE, NL_UNREACHABLE },
                { RTD_PROHIBIT, NL_PROHIBIT } };
  struct fixture *f = *ctx;

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct attrs a = { .dest = cases[i].dest };
    struct nl_route r;

    kernel_route_make(&f->p, &r, f->hops[0], &dst4, &a);
    assert_int_equal(r.type, cases[i].type);
    assert_int_equal(r.nexthop_count, 0);
    assert_int_equal(r.scope, NL_SCOPE_UNIVERSE);
  }
}

static void
a_route_carries_our_key(void **ctx)
{
  struct fixture *f = *ctx;
  struct nl_route r;

  kernel_route_make(&f->p, &r, f->hops[0], &dst4, NULL);
  assert_int_equal(r.table, 254);
  assert_int_equal(r.metric, 32);
  assert_int_equal(r.protocol, NL_PROTO_BIRD);
  assert_false(r.v6);
  assert_int_equal(r.dst.len, 8);
}

static void
ip6_has_no_metric_zero(void **ctx)
{
  struct fixture *f = *ctx;

  f->cf.metric = 0;
  assert_int_equal(kernel_metric(&f->p), 0);
  f->p.v6 = true;
  assert_int_equal(kernel_metric(&f->p), NL_METRIC_V6_DEFAULT);
}

static void
next_hops_keep_all_they_say(void **ctx)
{
  struct nl_route r = example(*ctx, 0);

  assert_int_equal(r.nexthop_count, 3);
  assert_int_equal(r.nexthops[1].ifindex, 3);
  assert_int_equal(r.nexthops[1].weight, 2);
  assert_true(r.nexthops[1].onlink);
  assert_false(r.nexthops[2].onlink);
  assert_int_equal(r.scope, NL_SCOPE_UNIVERSE);
}

static void
ip4_routes_on_a_link_are_of_its_scope(void **ctx)
{
  struct fixture *f = *ctx;
  struct nexthop hop = { .iface = f->eth0, .weight = 1 };

  assert_int_equal(make(f, 0, &hop, 1, NULL, 0).scope, NL_SCOPE_LINK);
  f->p.v6 = true;
  assert_int_equal(make(f, 0, &hop, 1, NULL, 0).scope, NL_SCOPE_UNIVERSE);
}

static struct rt_attr
num_attr(uint id, u32 num)
{
  struct rt_attr a;

  memset(&a, 0, sizeof(a));
  a.id = id;
  a.num = num;
  return a;
}

static void
attributes_reach_the_kernel(void **ctx)
{
  struct fixture *f = *ctx;
  struct nexthop hop = { .via = ip_v4(1), .iface = f->eth0, .weight = 1 };
  struct rt_attr attrs[] = { num_attr(RTA_KRT_SOURCE, 77),
                             num_attr(RTA_KRT_METRIC, 77), /* neither is ours to take over */
                             num_attr(RTA_KRT_REALM, 5),
                             num_attr(RTA_KRT_SCOPE, NL_SCOPE_SITE),
                             num_attr(RTA_KRT_LOCK, 4),
                             num_attr(RTA_KRT_METRICS + NL_METRIC_MTU, 1400),
                             num_attr(RTA_KRT_METRICS + NL_METRIC_QUICKACK, 1),
                             num_attr(RTA_KRT_METRICS + NL_METRIC__MAX, 9) };
  struct nl_route r = make(f, 0, &hop, 1, attrs, ARRAY_SIZE(attrs));

  assert_int_equal(r.protocol, NL_PROTO_BIRD);
  assert_int_equal(r.metric, 32);
  assert_int_equal(r.realm, 5);
  assert_int_equal(r.scope, NL_SCOPE_SITE);
  assert_int_equal(r.metrics_lock, 4);
  assert_int_equal(r.metrics[NL_METRIC_MTU], 1400);
  assert_int_equal(r.metrics_mask, NL_METRIC_BIT(NL_METRIC_MTU) | NL_METRIC_BIT(NL_METRIC_QUICKACK));
}

/* --- Comparing --- */

static void
next_hops_match_in_any_order(void **ctx)
{
  static const u8 orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                   { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
  struct fixture *f = *ctx;
  struct nl_route wanted = example(f, 0), seen = example(f, 1);

  for (uint i = 0; i < ARRAY_SIZE(orders); i++)
  {
    for (uint k = 0; k < 3; k++)
      f->hops[1][k] = f->hops[0][orders[i][k]];
    assert_true(kernel_route_matches(&seen, &wanted));
  }
}

/* Change number @which of what makes routes differ. */
static void
change_number(struct nl_route *r, struct nl_nexthop *hops, uint which)
{
  if (which == 0)
    r->type = NL_BLACKHOLE;
  else if (which == 1)
    r->nhid = 1;
  else if (which == 2)
    r->prefsrc = ip_v4(1);
  else if (which == 3)
    r->realm = 1;
  else if (which == 4)
    r->metrics_lock = 1;
  else if (which == 5)
    r->nexthop_count--;
  else if (which == 6)
    hops[0].via = ip_v4(9);
  else if (which == 7)
    hops[1].ifindex = 2;
  else if (which == 8)
    hops[2].weight = 1;
  else
    hops[1].onlink = false;
}

static void
each_difference_is_seen(void **ctx)
{
  struct fixture *f = *ctx;
  struct nl_route wanted = example(f, 0);

  for (uint i = 0; i < 10; i++)
  {
    struct nl_route seen = example(f, 1);

    assert_true(kernel_route_matches(&seen, &wanted));
    change_number(&seen, f->hops[1], i);
    assert_false(kernel_route_matches(&seen, &wanted));
  }
}

/* The kernel has defaults of its own for what nobody asked for; what was asked for has to be there. */
static void
metrics_that_nobody_asked_for_do_not_matter(void **ctx)
{
  struct fixture *f = *ctx;
  struct nl_route wanted = example(f, 0), seen = example(f, 1);

  seen.metrics_mask = NL_METRIC_BIT(NL_METRIC_MTU);
  seen.metrics[NL_METRIC_MTU] = 1500;
  assert_true(kernel_route_matches(&seen, &wanted));
  assert_false(kernel_route_matches(&wanted, &seen));
  wanted.metrics_mask = seen.metrics_mask;
  wanted.metrics[NL_METRIC_MTU] = 1400;
  assert_false(kernel_route_matches(&seen, &wanted));
  wanted.metrics[NL_METRIC_MTU] = 1500;
  assert_true(kernel_route_matches(&seen, &wanted));
}

static void
the_weight_of_a_single_next_hop_means_nothing(void **ctx)
{
  struct fixture *f = *ctx;
  struct nexthop hop = { .via = ip_v4(1), .iface = f->eth0, .weight = 7 };
  struct nl_route wanted = make(f, 0, &hop, 1, NULL, 0), seen = make(f, 1, &hop, 1, NULL, 0);

  f->hops[1][0].weight = 1;
  assert_true(kernel_route_matches(&seen, &wanted));
}

/* --- From the kernel --- */

static void
what_is_learned_makes_the_same_route(void **ctx)
{
  struct fixture *f = *ctx;
  struct nl_route r = example(f, 0), again;
  struct attrs *a;

  r.protocol = NL_PROTO_STATIC;
  r.metric = 100;
  r.realm = 3;
  r.prefsrc = ip_v4(5);
  r.metrics_lock = 4;
  for (uint i = NL_METRIC_MTU; i < NL_METRIC__MAX; i++)
  {
    r.metrics_mask |= NL_METRIC_BIT(i);
    r.metrics[i] = 1000 + i;
  }
  a = kernel_learned_attrs(&f->p, &r);
  assert_int_equal(attrs_find(a, RTA_KRT_SOURCE)->num, NL_PROTO_STATIC);
  assert_int_equal(attrs_find(a, RTA_KRT_METRIC)->num, 100);
  assert_int_equal(a->source, RTS_INHERIT);
  assert_int_equal(a->preference, 10);
  for (uint i = 0; i + 1 < a->attr_count; i++)
    assert_true(a->attrs[i].id < a->attrs[i + 1].id);
  kernel_route_make(&f->p, &again, f->hops[1], &dst4, a);
  assert_true(kernel_route_matches(&r, &again));
  attrs_unref(a);
}

static void
all_metrics_there_are_fit_into_a_set(void **ctx)
{
  struct fixture *f = *ctx;
  struct nl_route r = example(f, 0);
  struct attrs *a;

  r.prefsrc = ip_v4(5);
  r.realm = r.scope = r.metrics_lock = 1;
  r.metrics_mask = U32_MAX;
  a = kernel_learned_attrs(&f->p, &r);
  assert_int_equal(a->attr_count, 6 + NL_METRIC__MAX);
  attrs_unref(a);
}

static void
what_has_no_form_here_is_not_learned(void **ctx)
{
  struct fixture *f = *ctx;
  struct nl_route other = { .type = NL_ROUTE_OTHER, .dst = dst4 }, empty = { .type = NL_UNICAST, .nhid = 5 };
  struct nl_route unknown = example(f, 0), many = example(f, 0);
  struct nl_nexthop hops[NEXTHOPS_MAX + 1];

  assert_null(kernel_learned_attrs(&f->p, &other));
  assert_null(kernel_learned_attrs(&f->p, &empty));
  f->hops[0][2].ifindex = 99;
  assert_null(kernel_learned_attrs(&f->p, &unknown));
  for (uint i = 0; i <= NEXTHOPS_MAX; i++)
    hops[i] = (struct nl_nexthop){ .via = ip_v4(i), .ifindex = 2, .weight = 1 };
  many.nexthops = hops;
  many.nexthop_count = NEXTHOPS_MAX + 1;
  assert_null(kernel_learned_attrs(&f->p, &many));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(destinations_have_their_types),
    TEST(a_route_carries_our_key),
    TEST(ip6_has_no_metric_zero),
    TEST(next_hops_keep_all_they_say),
    TEST(ip4_routes_on_a_link_are_of_its_scope),
    TEST(attributes_reach_the_kernel),
    TEST(next_hops_match_in_any_order),
    TEST(each_difference_is_seen),
    TEST(metrics_that_nobody_asked_for_do_not_matter),
    TEST(the_weight_of_a_single_next_hop_means_nothing),
    TEST(what_is_learned_makes_the_same_route),
    TEST(all_metrics_there_are_fit_into_a_set),
    TEST(what_has_no_form_here_is_not_learned),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
