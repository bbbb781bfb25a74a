/* nest/attrs_test.c: sets are interned, counted, and told apart by each of their fields */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/attrs.h"

#define IFACES 3

struct fixture
{
  pool *pool;
  struct rt_origin *origin, *other;
  struct iface *ifaces[IFACES];
};

static int
setup(void **ctx)
{
  struct fixture *f = *ctx = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  iface_init(f->pool, NULL);
  attrs_init(f->pool);
  f->origin = rt_origin_new(NULL, "one", NULL);
  f->other = rt_origin_new(NULL, "two", NULL);
  for (uint i = 0; i < IFACES; i++)
  {
    struct nl_link l = { .index = i + 1, .up = true, .carrier = true };

    snprintf(l.name, sizeof(l.name), "eth%u", IFACES - i); /* later ones come first by name */
    iface_nl_hooks.link(NULL, &l, false);
    f->ifaces[i] = iface_find(l.name);
  }
  srandom(1);
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  assert_int_equal(attrs_size().sets, 0);
  assert_int_equal(attrs_size().bytes, 0);
  assert_int_equal(f->origin->refs, 1);
  assert_int_equal(f->other->refs, 1);
  rt_origin_unref(f->origin);
  rt_origin_unref(f->other);
  rfree(f->pool);
  free(f);
  return 0;
}

/* Three next hops and three attributes. */
static struct attrs
example(const struct fixture *f, struct nexthop *hops, struct rt_attr *attrs)
{
  for (uint i = 0; i < 3; i++)
  {
    hops[i] = (struct nexthop){ .via = ip_v4(0x0a000001 + i), .iface = f->ifaces[i], .weight = 1 };
    memset(&attrs[i], 0, sizeof(attrs[i]));
    attrs[i].id = i;
    attrs[i].num = 10 + i;
  }
  return (struct attrs){ .origin = f->origin,
                         .source = RTS_STATIC,
                         .dest = RTD_UNICAST,
                         .preference = 200,
                         .nexthops = hops,
                         .nexthop_count = 3,
                         .attrs = attrs,
                         .attr_count = 3 };
}

static void
equal_sets_are_one(void **ctx)
{
  struct nexthop hops[2][3];
  struct rt_attr attrs[2][3];
  struct attrs a = example(*ctx, hops[0], attrs[0]), b = example(*ctx, hops[1], attrs[1]);
  struct attrs *x = attrs_intern(&a), *y = attrs_intern(&b);

  assert_ptr_equal(x, y);
  assert_int_equal(x->refs, 2);
  assert_int_equal(attrs_size().sets, 1);
  attrs_unref(x);
  assert_int_equal(attrs_size().sets, 1);
  attrs_unref(y);
}

static void
a_set_keeps_nothing_of_its_caller(void **ctx)
{
  struct nexthop hops[3];
  struct rt_attr attrs[3];
  struct attrs a = example(*ctx, hops, attrs), *set = attrs_intern(&a);

  memset(hops, 0xee, sizeof(hops));
  memset(attrs, 0xee, sizeof(attrs));
  assert_int_equal(ip_to_u32(set->nexthops[1].via), 0x0a000002);
  assert_int_equal(attrs_find(set, 2)->num, 12);
  assert_null(attrs_find(set, 3));
  attrs_unref(set);
}

#define CHANGES 17

static void
change_number(struct attrs *a, struct fixture *f, uint which)
{
  u8 *const bytes[] = { &a->source, &a->dest, &a->generation };
  u32 *const words[] = {
    &a->igp_metric,           &a->from.w[0],    &a->from.w[3],       &a->nexthops[1].via.w[0],
    &a->nexthops[1].via.w[3], &a->attrs[0].num, &a->attrs[1].ip.w[3]
  };

  if (which < 3)
    (*bytes[which])++;
  else if (which < 10)
    *words[which - 3] ^= 0x100;
  else if (which == 10)
    a->origin = f->other;
  else if (which == 11)
    a->preference++;
  else if (which == 12)
    a->nexthop_count--;
  else if (which == 13)
    a->attr_count--;
  else if (which == 14)
    a->nexthops[2].iface = f->ifaces[0];
  else if (which == 15)
    a->nexthops[0].weight = 256;
  else
    a->nexthops[2].onlink = true;
}

static void
each_field_tells_sets_apart(void **ctx)
{
  struct fixture *f = *ctx;
  struct nexthop hops[3];
  struct rt_attr extras[3];
  struct attrs a = example(f, hops, extras), *sets[CHANGES + 1];
  uint count = CHANGES + 1;

  sets[CHANGES] = attrs_intern(&a);
  for (uint i = 0; i < CHANGES; i++)
  {
    a = example(f, hops, extras);
    change_number(&a, f, i);
    sets[i] = attrs_intern(&a);
    assert_int_equal(sets[i]->refs, 1);
  }
  for (uint i = 0; i < count; i++)
    for (uint k = 0; k < i; k++)
      assert_ptr_not_equal(sets[i], sets[k]);
  assert_int_equal(attrs_size().sets, count);
  while (count)
    attrs_unref(sets[--count]);
}

static void
next_hops_are_put_in_order(void **ctx)
{
  static const u8 orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                   { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
  struct fixture *f = *ctx;
  struct attrs *first = NULL;

  for (uint i = 0; i < ARRAY_SIZE(orders); i++)
  {
    struct nexthop hops[3], mixed[3];
    struct rt_attr extras[3];
    struct attrs a = example(f, hops, extras), *set;

    for (uint k = 0; k < 3; k++)
      mixed[k] = hops[orders[i][k]];
    a.nexthops = mixed;
    set = attrs_intern(&a);
    assert_true(!first || set == first);
    first = set;
  }
  for (uint k = 0; k < 2; k++)
    assert_true(nexthop_compare(&first->nexthops[k], &first->nexthops[k + 1]) < 0);
  while (first->refs > 1)
    attrs_unref(first);
  attrs_unref(first);
}

/* The same address on several interfaces, and interfaces without address, go by name. */
static void
next_hops_of_one_address_go_by_the_name_of_the_interface(void **ctx)
{
  struct fixture *f = *ctx;
  struct nexthop a = { .iface = f->ifaces[0] }, b = { .iface = f->ifaces[1] }, none = { .weight = 1 };

  assert_true(nexthop_compare(&a, &b) > 0);
  assert_true(nexthop_compare(&b, &a) < 0);
  assert_int_equal(nexthop_compare(&a, &a), 0);
  assert_true(nexthop_compare(&none, &a) < 0);
  assert_int_equal(nexthop_compare(&none, &none), 0);
}

static void
a_set_may_be_as_large_as_promised(void **ctx)
{
  struct fixture *f = *ctx;
  struct nexthop hops[NEXTHOPS_MAX];
  struct rt_attr extras[RT_ATTRS_MAX] = { { 0 } };
  struct attrs a = { .origin = f->origin, .nexthops = hops, .attrs = extras }, *set;

  for (uint i = 0; i < NEXTHOPS_MAX; i++)
    hops[i] = (struct nexthop){ .via = ip_v4(NEXTHOPS_MAX - i), .iface = f->ifaces[0], .weight = i + 1 };
  for (uint i = 0; i < RT_ATTRS_MAX; i++)
    extras[i].id = i;
  a.nexthop_count = NEXTHOPS_MAX;
  a.attr_count = RT_ATTRS_MAX;
  set = attrs_intern(&a);
  assert_int_equal(ip_to_u32(set->nexthops[0].via), 1);
  assert_int_equal(set->nexthops[0].weight, NEXTHOPS_MAX);
  assert_int_equal(attrs_find(set, RT_ATTRS_MAX - 1)->id, RT_ATTRS_MAX - 1);
  attrs_unref(set);
}

static void
the_last_reference_to_many_sets_frees_them(void **ctx)
{
  enum
  {
    SETS = 500,
    STEPS = 50000
  };
  struct fixture *f = *ctx;
  struct attrs *held[SETS] = { NULL };

  for (uint i = 0; i < STEPS; i++)
  {
    uint k = random() % SETS;

    attrs_unref(held[k]);
    held[k] = random() % 3 ? attrs_intern(&(struct attrs){ .origin = random() % 2 ? f->origin : f->other,
                                                           .igp_metric = random() % 100 })
                           : NULL;
    assert_true(attrs_size().sets <= 200);
  }
  for (uint k = 0; k < SETS; k++)
    attrs_unref(held[k]);
}

static void
an_origin_lives_as_long_as_routes_speak_of_it(void **ctx)
{
  struct rt_origin *o = rt_origin_new(NULL, "gone", NULL);
  struct attrs *set = attrs_intern(&(struct attrs){ .origin = o });

  (void) ctx;
  rt_origin_unref(o);
  assert_string_equal(set->origin->name, "gone");
  attrs_unref(set);
}

static void
attributes_have_names_and_values(void **ctx UNUSED)
{
  struct rt_attr mtu = { .id = RTA_KRT_METRICS + 2 }, src = { .id = RTA_KRT_PREFSRC };
  struct rt_attr odd = { .id = RTA_KRT_METRICS + 17 }, beyond = { .id = RTA_ID__MAX };
  char name[32], value[IP_TEXT_SIZE];

  mtu.num = 1400;
  src.ip = ip_v4(0x0a000001);
  rt_attr_format(&mtu, name, sizeof(name), value, sizeof(value));
  assert_string_equal(name, "Kernel.mtu");
  assert_string_equal(value, "1400");
  rt_attr_format(&src, name, sizeof(name), value, sizeof(value));
  assert_string_equal(name, "Kernel.prefsrc");
  assert_string_equal(value, "10.0.0.1");
  rt_attr_format(&odd, name, sizeof(name), value, sizeof(value));
  assert_string_equal(name, "Kernel.?");
  rt_attr_format(&beyond, name, sizeof(name), value, sizeof(value));
  assert_string_equal(name, "Kernel.?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(equal_sets_are_one),
    TEST(a_set_keeps_nothing_of_its_caller),
    TEST(each_field_tells_sets_apart),
    TEST(next_hops_are_put_in_order),
    TEST(next_hops_of_one_address_go_by_the_name_of_the_interface),
    TEST(a_set_may_be_as_large_as_promised),
    TEST(the_last_reference_to_many_sets_frees_them),
    TEST(an_origin_lives_as_long_as_routes_speak_of_it),
    TEST(attributes_have_names_and_values),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
