/* sysdep/linux/routes_test.c: what routes.h promises, see routes_fixture.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sysdep/linux/routes_fixture.h"

/* --- Changes --- */

static void
every_kind_replaces_every_other(struct fixture *f, bool v6)
{
  for (uint i = 0; i < KINDS; i++)
    for (uint j = 0; j < KINDS; j++)
    {
      struct nl_route before = route_of_kind(v6, i), after = route_of_kind(v6, j);

      nl_route_set(f->nl, &before, i);
      nl_route_set(f->nl, &after, j);
      settle(f);
      assert_int_equal(f->refusals, 0);
      assert_int_equal(scan(f, TABLE), 1);
      assert_same_route(f->routes, &after);
      nl_route_delete(f->nl, &after, 0);
      settle(f);
      assert_int_equal(scan(f, TABLE), 0);
    }
  assert_int_equal(nl_routes_counters(f->nl)->absent, 0);
}

static void
every_kind_of_v4_route_replaces_every_other(void **ctx)
{
  NEEDS_NAMESPACE;
  every_kind_replaces_every_other(*ctx, false);
}

static void
every_kind_of_v6_route_replaces_every_other(void **ctx)
{
  NEEDS_NAMESPACE;
  every_kind_replaces_every_other(*ctx, true);
}

static void
all_fields_of_a_route_come_back(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);

  r.table = 4000000000u;
  r.metric = U32_MAX;
  r.tos = 0x10;
  r.scope = NL_SCOPE_SITE;
  r.prefsrc = addr("10.0.1.1");
  r.metrics_mask = NL_METRIC_BIT(NL_METRIC_MTU) | NL_METRIC_BIT(NL_METRIC_QUICKACK);
  r.metrics_lock = NL_METRIC_BIT(NL_METRIC_MTU);
  r.metrics[NL_METRIC_MTU] = 1400;
  r.metrics[NL_METRIC_QUICKACK] = 1;
  nl_route_set(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, r.table), 1);
  assert_same_route(f->routes, &r);
  nl_route_delete(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, r.table), 0);
}

static void
default_routes_are_routes_too(struct fixture *f, const char *dst, const char *gw)
{
  struct nl_nexthop hop = { .via = addr(gw), .ifindex = if_nametoindex("v0"), .weight = 1, .onlink = true };
  struct nl_route r = route_to(dst, 0);

  r.nexthops = &hop;
  r.nexthop_count = 1;
  nl_route_set(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  assert_same_route(f->routes, &r);
  nl_route_delete(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 0);
}

static void
the_v4_default_route_is_a_route_too(void **ctx)
{
  NEEDS_NAMESPACE;
  default_routes_are_routes_too(*ctx, "0.0.0.0", "203.0.113.1");
}

static void
the_v6_default_route_is_a_route_too(void **ctx)
{
  NEEDS_NAMESPACE;
  default_routes_are_routes_too(*ctx, "::", "2001:db8:ffff::1");
}

static void
v4_routes_take_v6_next_hops(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);
  struct nl_nexthop hops[] = { { .via = addr("2001:db8::2"), .ifindex = if_nametoindex("v0"), .weight = 1 },
                               { .via = addr("fe80::2"), .ifindex = if_nametoindex("v1"), .weight = 9 },
                               { .via = addr("10.0.1.7"), .ifindex = if_nametoindex("v1"), .weight = 2 } };

  r.nexthops = hops;
  for (r.nexthop_count = 1; r.nexthop_count <= 3; r.nexthop_count += 2)
  {
    nl_route_set(f->nl, &r, 0);
    settle(f);
    assert_int_equal(scan(f, TABLE), 1);
    assert_same_route(f->routes, &r);
  }
}

static void
source_specific_routes_have_keys_of_their_own(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(true, 0), other = r;

  r.src = (struct prefix){ addr("2001:db8:a::"), 48 };
  nl_route_set(f->nl, &r, 1);
  nl_route_set(f->nl, &other, 2);
  settle(f);
  if (f->refusals) /* a kernel without them */
    skip();
  assert_int_equal(scan(f, TABLE), 2);
  nl_route_delete(f->nl, &other, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  assert_same_route(f->routes, &r);
}

static void
a_set_takes_the_place_of_a_foreign_route(struct fixture *f, const char *family, bool v6)
{
  struct nl_route r = route_of_kind(v6, 1);

  ip("%s route add %s via %s metric 32 table 1000 proto static", family, PREFIX_STR(&r.dst),
     v6 ? "2001:db8::9" : "10.0.0.9");
  nl_route_set(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  assert_same_route(f->routes, &r);
}

static void
a_set_takes_the_place_of_a_foreign_v4_route(void **ctx)
{
  NEEDS_NAMESPACE;
  a_set_takes_the_place_of_a_foreign_route(*ctx, "-4", false);
}

static void
a_set_takes_the_place_of_a_foreign_v6_route(void **ctx)
{
  NEEDS_NAMESPACE;
  a_set_takes_the_place_of_a_foreign_route(*ctx, "-6", true);
}

static void
a_delete_spares_the_routes_of_others(struct fixture *f, const char *family, bool v6)
{
  struct nl_route r = route_of_kind(v6, 1);

  ip("%s route add %s via %s metric 32 table 1000 proto static", family, PREFIX_STR(&r.dst),
     v6 ? "2001:db8::9" : "10.0.0.9");
  nl_route_delete(f->nl, &r, 0);
  r.metric++;
  nl_route_delete(f->nl, &r, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->refusals, 0);
  assert_int_equal(nl_routes_counters(f->nl)->deleted, 2);
  assert_int_equal(nl_routes_counters(f->nl)->absent, 2);
}

static void
a_delete_spares_the_v4_routes_of_others(void **ctx)
{
  NEEDS_NAMESPACE;
  a_delete_spares_the_routes_of_others(*ctx, "-4", false);
}

static void
a_delete_spares_the_v6_routes_of_others(void **ctx)
{
  NEEDS_NAMESPACE;
  a_delete_spares_the_routes_of_others(*ctx, "-6", true);
}

static void
a_refusal_names_the_change_and_has_the_kernels_reason(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route good = route_of_kind(false, 0), bad = good;
  struct nl_nexthop nowhere = { .via = addr("198.51.100.1"), .ifindex = if_nametoindex("v0"), .weight = 1 };

  bad.dst = (struct prefix){ addr("203.0.113.0"), 24 };
  bad.nexthops = &nowhere;
  nl_route_set(f->nl, &good, 1);
  nl_route_set(f->nl, &bad, 0x123456789abcdef);
  good.metric++;
  nl_route_set(f->nl, &good, 3);
  settle(f);
  assert_int_equal(f->refusals, 1);
  assert_true(f->refused.cookie == 0x123456789abcdef);
  assert_string_equal(PREFIX_STR(&f->refused.dst), "203.0.113.0/24");
  assert_false(f->refused.removing);
  assert_int_equal(f->refused.error, ENETUNREACH);
  assert_non_null(strstr(f->refused.text, "gateway"));
  assert_int_equal(nl_routes_counters(f->nl)->refused, 1);
  assert_int_equal(nl_routes_counters(f->nl)->set, 3);
  assert_int_equal(scan(f, TABLE), 2);
}

static void
every_change_of_a_full_batch_can_be_refused(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_nexthop nowhere = { .via = addr("2001:db8:bad::1"),
                                .ifindex = if_nametoindex("v0"),
                                .weight = 1 };
  struct nl_route r = route_of_kind(true, 0);

  r.nexthops = &nowhere;
  for (uint i = 0; i < 1000; i++)
    nl_route_set(f->nl, &r, i);
  settle(f);
  assert_int_equal(f->refusals, 1000);
  assert_int_equal(f->refused.cookie, 999);
  assert_int_equal(nl_routes_counters(f->nl)->overruns, 0);
}

static void
a_route_too_large_for_a_batch_is_refused(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0), large = r;
  struct nl_nexthop *hops = test_calloc(4000, sizeof(*hops));

  for (uint i = 0; i < 4000; i++)
    hops[i] = r.nexthops[0];
  large.nexthops = hops;
  large.nexthop_count = 4000;
  nl_route_set(f->nl, &large, 1);
  nl_route_set(f->nl, &r, 2);
  nl_route_set(f->nl, &large, 3);
  assert_int_equal(f->refusals, 0); /* hooks come from the loop */
  settle(f);
  test_free(hops);
  assert_int_equal(f->refusals, 2);
  assert_int_equal(f->refused.error, EMSGSIZE);
  assert_int_equal(f->refused.cookie, 3);
  assert_int_equal(scan(f, TABLE), 1);
}

static void
as_many_next_hops_as_promised_are_carried(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);
  struct nl_nexthop *hops = test_calloc(NL_NEXTHOPS_MAX, sizeof(*hops));

  for (uint i = 0; i < NL_NEXTHOPS_MAX; i++)
    hops[i] = (struct nl_nexthop){
      .via = addr("2001:db8::2"), .ifindex = if_nametoindex("v0"), .weight = 1, .onlink = true
    };
  r.nexthops = hops;
  r.nexthop_count = NL_NEXTHOPS_MAX;
  nl_route_set(f->nl, &r, 1);
  settle(f);
  test_free(hops);
  assert_int_equal(f->refusals, 0);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].nexthop_count, NL_NEXTHOPS_MAX);
  rfree(f->nl);
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 0);
  assert_int_equal(scan(f, TABLE), 1); /* the first dump from a socket */
  nl_route_delete(f->nl, &r, 2);       /* what ends the test cannot */
  settle(f);
}

static void
full_batches_go_at_once_and_the_rest_by_itself(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  for (uint i = 0; i < 300; i++)
  {
    struct nl_route r = host_route(i);
    nl_route_set(f->nl, &r, i);
  }

  assert_int_equal(nl_routes_pending(f->nl), 300);
  run_until(f, nothing_pending);
  assert_int_equal(nl_routes_counters(f->nl)->flushes, 5);
  assert_int_equal(nl_routes_counters(f->nl)->set, 300);
  assert_int_equal(scan(f, TABLE), 300);
}

static void
set_host(struct fixture *f, uint n)
{
  struct nl_route r = host_route(n);

  nl_route_set(f->nl, &r, n);
}

/* Two are with the thread, what follows shares the third. */
static void
what_is_flushed_goes_at_once_while_there_is_little_to_do(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  sends_held = true;
  for (uint i = 0; i < 5; i++)
  {
    set_host(f, i);
    nl_routes_flush(f->nl);
  }
  sem_take(&send_entered);
  assert_int_equal(nl_routes_pending(f->nl), 5);
  release_sends();
  settle(f);
  assert_int_equal(nl_routes_counters(f->nl)->flushes, 3);
  assert_int_equal(scan(f, TABLE), 5);
}

static void
set_within_the_window(struct fixture *f)
{
  uint *next = &f->ends; /* no scan runs */

  while (*next < 5000 && nl_routes_pending(f->nl) < NL_ROUTES_WINDOW)
    set_host(f, (*next)++);
}

static void
the_window_keeps_full_batches_coming(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  f->on_progress = set_within_the_window;
  set_within_the_window(f);
  assert_int_equal(nl_routes_pending(f->nl), NL_ROUTES_WINDOW);
  settle(f);
  assert_int_equal(nl_routes_counters(f->nl)->set, 5000);
  assert_int_equal(nl_routes_counters(f->nl)->flushes, (5000 + 63) / 64);
  assert_int_equal(f->progresses, (5000 + 63) / 64);
  assert_int_equal(scan(f, TABLE), 5000);
}

static void
refusals_are_known_before_progress(struct fixture *f)
{
  if (f->refusals != nl_routes_counters(f->nl)->set)
    f->late = true;
}

static void
progress_follows_the_refusals_of_what_was_carried_out(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  f->on_progress = refusals_are_known_before_progress;
  sends_fail = 3;
  sends_error = EPERM;
  for (uint i = 0; i < 3 * 64; i++)
    set_host(f, i);
  settle(f);
  assert_int_equal(f->progresses, 3);
  assert_int_equal(f->refusals, 3 * 64);
}

static void
no_change_is_lost_while_the_kernel_has_no_memory(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  sends_fail = 9;
  sends_error = ENOBUFS;
  for (uint i = 0; i < 1000; i++)
  {
    struct nl_route r = host_route(i % 500);

    r.nexthops = i < 500 ? r.nexthops : route_of_kind(false, 2).nexthops;
    nl_route_set(f->nl, &r, i);
  }
  settle(f);
  assert_int_equal(sends_fail, 0);
  assert_int_equal(nl_routes_counters(f->nl)->delayed, 9);
  assert_int_equal(f->refusals, 0);
  assert_int_equal(scan(f, TABLE), 500);
  for (uint i = 0; i < ARRAY_SIZE(f->routes); i++)
    assert_int_equal(f->routes[i].nexthops->ifindex, if_nametoindex("v1")); /* the later one counts */
}

static void
an_interrupted_send_goes_on(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = host_route(1);

  sends_fail = 3;
  sends_error = EINTR;
  nl_route_set(f->nl, &r, 1);
  settle(f);
  assert_int_equal(sends_fail, 0);
  assert_int_equal(scan(f, TABLE), 1);
}

static void
what_cannot_be_sent_at_all_is_refused(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = host_route(1);

  sends_fail = 1;
  sends_error = EPERM;
  nl_route_set(f->nl, &r, 1);
  nl_route_delete(f->nl, &r, 2);
  settle(f);
  assert_int_equal(f->refusals, 2);
  assert_int_equal(f->refused.error, EPERM);
  assert_int_equal(f->refused.cookie, 2);
  assert_true(f->refused.removing);
}

/* --- Events --- */

static void
own_changes_are_not_reported_and_foreign_ones_are(struct fixture *f, const char *family, bool v6)
{
  struct nl_route r = route_of_kind(v6, 1);
  const char *gw = v6 ? "2001:db8::9" : "10.0.0.9", *dst = v6 ? "2001:db8:e::/48" : "198.51.100.0/24";

  nl_route_set(f->nl, &r, 0);
  settle(f);
  ip("%s route add %s via %s metric 7 table 1001 proto static", family, dst, gw);

  const struct nl_route *got = wait_event(f, NL_ROUTE_NEW);

  assert_string_equal(PREFIX_STR(&got->dst), dst);
  assert_int_equal(got->table, 1001);
  assert_int_equal(got->protocol, NL_PROTO_STATIC);
  assert_int_equal(got->metric, 7);
  nl_route_delete(f->nl, &r, 0);
  settle(f);
  ip("%s route replace blackhole %s metric 7 table 1001 proto static", family, dst);
  assert_int_equal(wait_event(f, NL_ROUTE_REPLACED)->type, NL_BLACKHOLE);
  ip("%s route del %s metric 7 table 1001", family, dst);
  assert_string_equal(PREFIX_STR(&wait_event(f, NL_ROUTE_GONE)->dst), dst);
  assert_int_equal(nl_routes_counters(f->nl)->events, 3);
}

static void
own_v4_changes_are_not_reported_and_foreign_ones_are(void **ctx)
{
  NEEDS_NAMESPACE;
  own_changes_are_not_reported_and_foreign_ones_are(*ctx, "-4", false);
}

static void
own_v6_changes_are_not_reported_and_foreign_ones_are(void **ctx)
{
  NEEDS_NAMESPACE;
  own_changes_are_not_reported_and_foreign_ones_are(*ctx, "-6", true);
}

/* They would fill a small queue, whoever reads it. */
static void
own_changes_take_no_room_in_the_queue(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  rfree(f->nl);
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 4096);
  for (uint i = 0; i < 2000; i++)
  {
    struct nl_route r = host_route(i);
    nl_route_set(f->nl, &r, i);
  }
  settle(f);
  ip("-4 route add blackhole 198.51.100.0/24 table 1001");
  wait_event(f, NL_ROUTE_NEW);
  assert_int_equal(nl_routes_counters(f->nl)->overruns, 0);
}

static bool
overrun_came(struct fixture *f)
{
  return f->overruns == 1;
}

/* More than fits a small queue. */
static void
flood(void)
{
  ip("-4 -batch - <<end\n$(seq -f 'route add blackhole 198.51.100.%%g/32 table 1001' 0 255)\nend");
}

static void
lost_events_are_reported_once_and_a_scan_has_all(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  rfree(f->nl);
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 4096);
  flood();
  run_until(f, overrun_came);
  assert_int_equal(nl_routes_counters(f->nl)->overruns, 1);
  assert_int_equal(scan(f, 1001), 256);
  assert_int_equal(f->begins, 1);
  assert_int_equal(f->overruns, 1);
}

static bool
scan_began(struct fixture *f)
{
  return f->begins == 1;
}

static void
a_scan_that_lost_events_begins_again_and_ends_once(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  rfree(f->nl);
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 4096);
  nl_routes_scan(f->nl, 1001);
  run_until(f, scan_began);
  flood();
  run_until(f, scan_ended);
  assert_int_equal(f->begins, 2);
  assert_int_equal(f->overruns, 0);
  assert_int_equal(f->count, 256);
  assert_int_equal(nl_routes_counters(f->nl)->scans, 2);
}

/* The kernel drops all events from an overrun until the queue is empty; a dump has passed by 1.0.0.0/8 early.
 */
static void
a_scan_after_an_overrun_misses_nothing(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  rfree(f->nl);
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 4096);
  flood();
  run_until(f, overrun_came);
  nl_routes_scan(f->nl, 1001);
  run_until(f, scan_began);
  ip("route add blackhole 1.0.0.0/8 table 1001");
  run_until(f, scan_ended);
  assert_int_equal(f->count, 257);
}

/* --- Scans --- */

static void
a_scan_has_one_table(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0), other = r;

  other.table = 1001;
  other.dst.len = 25;
  nl_route_set(f->nl, &r, 0);
  nl_route_set(f->nl, &other, 0);
  settle(f);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].dst.len, 24);
  assert_int_equal(scan(f, 1001), 1);
  assert_int_equal(f->routes[0].dst.len, 25);
}

static void
a_table_that_does_not_exist_is_empty(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  assert_int_equal(scan(f, 77777), 0);
  assert_int_equal(f->begins, 1);
}

static bool
two_scans_ended(struct fixture *f)
{
  return f->ends == 2;
}

static void
scan_more(struct fixture *f)
{
  f->on_route = NULL;
  nl_routes_scan(f->nl, 5);
  nl_routes_scan(f->nl, 1001);
}

static void
a_scan_asked_for_during_a_scan_follows_it(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);

  nl_route_set(f->nl, &r, 0);
  r.table = 1001;
  nl_route_set(f->nl, &r, 0);
  f->on_route = scan_more;
  nl_routes_scan(f->nl, TABLE);
  run_until(f, two_scans_ended);
  assert_int_equal(f->begins, 2);
  assert_int_equal(f->scanned, 1001);
  assert_int_equal(f->count, 1);
  assert_int_equal(f->routes[0].table, 1001);
}

static void
a_scan_waits_for_the_changes_before_it(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  sends_held = true;
  for (uint i = 0; i < 200; i++)
    set_host(f, i);
  f->scan_only = true;
  nl_routes_scan(f->nl, TABLE);
  run_until(f, scan_began);
  assert_int_equal(nl_routes_pending(f->nl), 200);
  release_sends();
  run_until(f, scan_ended);
  assert_int_equal(f->count, 200);
  assert_int_equal(f->begins, 1);
}

static void
a_scan_that_waits_and_loses_events_begins_again(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  rfree(f->nl);
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 4096);
  sends_held = true;
  set_host(f, 1);
  nl_routes_scan(f->nl, 1001);
  run_until(f, scan_began);
  flood();
  release_sends();
  run_until(f, scan_ended);
  assert_int_equal(f->begins, 2);
  assert_int_equal(f->overruns, 0);
  assert_int_equal(f->count, 256);
}

static void
large_tables_are_scanned_in_full(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  for (uint i = 0; i < 5000; i++)
  {
    struct nl_route r = host_route(i);
    nl_route_set(f->nl, &r, i);
  }
  assert_int_equal(scan(f, TABLE), 5000);
}

/* --- Hooks that do something --- */

static void
free_it(struct fixture *f)
{
  rfree(f->nl);
  f->nl = NULL;
}

static bool
freed(struct fixture *f)
{
  return !f->nl;
}

static void
the_route_hook_may_free_it(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 0);

  nl_route_set(f->nl, &r, 0);
  r.metric++;
  nl_route_set(f->nl, &r, 0);
  nl_routes_scan(f->nl, TABLE);
  f->on_route = free_it;
  run_until(f, freed);
  assert_int_equal(f->count, 1);
}

static struct nl_route
refused_route(uint n)
{
  static struct nl_nexthop nowhere;
  struct nl_route r = host_route(n);

  nowhere = (struct nl_nexthop){ addr("198.51.100.1"), .ifindex = r.nexthops->ifindex, .weight = 1 };
  r.nexthops = &nowhere;
  return r;
}

static void
the_refusal_hook_may_free_it(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = refused_route(0);

  f->on_refusal = free_it;
  for (uint i = 0; i < 200; i++)
    nl_route_set(f->nl, &r, 0);
  nl_routes_flush(f->nl);
  run_until(f, freed);
  assert_int_equal(f->refusals, 1);
  assert_int_equal(f->progresses, 0);
}

static void
the_progress_hook_may_free_it(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  f->on_progress = free_it;
  for (uint i = 0; i < 300; i++)
    set_host(f, i);
  run_until(f, freed);
  assert_int_equal(f->progresses, 1);
}

static void
set_again(struct fixture *f)
{
  struct nl_route r = refused_route(f->refusals);

  set_host(f, f->refusals);
  if (f->refusals < 200)
    nl_route_set(f->nl, &r, 0);
}

static void
the_refusal_hook_may_make_changes(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = refused_route(0);

  f->on_refusal = set_again;
  nl_route_set(f->nl, &r, 0);
  settle(f);
  assert_int_equal(f->refusals, 200);
  assert_int_equal(scan(f, TABLE), 200);
}

/* --- Freeing it --- */

static void
what_the_kernel_is_at_is_finished_and_what_waits_dropped(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  for (uint i = 0; i < 1000; i++)
    set_host(f, i);
  sem_take(&send_entered);
  rfree(f->nl);
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 0);

  uint done = scan(f, TABLE);

  assert_in_range(done, 64, 128); /* no more than two batches were with the thread */
  assert_int_equal(done % 64, 0);
}

static void
it_can_be_freed_while_the_kernel_has_no_memory(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  sends_fail = 1000000;
  sends_error = ENOBUFS;
  for (uint i = 0; i < 300; i++)
    set_host(f, i);
  sem_take(&send_entered);
  sem_take(&send_entered);
  rfree(f->nl);
  sends_fail = 0;
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 0);
  assert_int_equal(scan(f, TABLE), 0);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST4(every_kind_of_v4_route_replaces_every_other),
    TEST6(every_kind_of_v6_route_replaces_every_other),
    TEST4(all_fields_of_a_route_come_back),
    TEST4(the_v4_default_route_is_a_route_too),
    TEST6(the_v6_default_route_is_a_route_too),
    TEST4(v4_routes_take_v6_next_hops),
    TEST6(source_specific_routes_have_keys_of_their_own),
    TEST4(a_set_takes_the_place_of_a_foreign_v4_route),
    TEST6(a_set_takes_the_place_of_a_foreign_v6_route),
    TEST4(a_delete_spares_the_v4_routes_of_others),
    TEST6(a_delete_spares_the_v6_routes_of_others),
    TEST4(a_refusal_names_the_change_and_has_the_kernels_reason),
    TEST6(every_change_of_a_full_batch_can_be_refused),
    TEST4(a_route_too_large_for_a_batch_is_refused),
    TEST4(as_many_next_hops_as_promised_are_carried),
    TEST4(full_batches_go_at_once_and_the_rest_by_itself),
    TEST4(what_is_flushed_goes_at_once_while_there_is_little_to_do),
    TEST4(the_window_keeps_full_batches_coming),
    TEST4(progress_follows_the_refusals_of_what_was_carried_out),
    TEST4(no_change_is_lost_while_the_kernel_has_no_memory),
    TEST4(an_interrupted_send_goes_on),
    TEST4(what_cannot_be_sent_at_all_is_refused),
    TEST4(own_v4_changes_are_not_reported_and_foreign_ones_are),
    TEST6(own_v6_changes_are_not_reported_and_foreign_ones_are),
    TEST4(own_changes_take_no_room_in_the_queue),
    TEST4(lost_events_are_reported_once_and_a_scan_has_all),
    TEST4(a_scan_that_lost_events_begins_again_and_ends_once),
    TEST4(a_scan_after_an_overrun_misses_nothing),
    TEST4(a_scan_has_one_table),
    TEST4(a_table_that_does_not_exist_is_empty),
    TEST4(a_scan_asked_for_during_a_scan_follows_it),
    TEST4(a_scan_waits_for_the_changes_before_it),
    TEST4(a_scan_that_waits_and_loses_events_begins_again),
    TEST4(large_tables_are_scanned_in_full),
    TEST4(the_route_hook_may_free_it),
    TEST4(the_refusal_hook_may_free_it),
    TEST4(the_progress_hook_may_free_it),
    TEST4(the_refusal_hook_may_make_changes),
    TEST4(what_the_kernel_is_at_is_finished_and_what_waits_dropped),
    TEST4(it_can_be_freed_while_the_kernel_has_no_memory),
  };

  return cmocka_run_group_tests(tests, make_namespace, NULL);
}
