/*
 * sysdep/linux/routes_test.c: the kernel itself, in a network namespace of the test's own (needs root)
 *
 * What others do is done by iproute2. Claims here are also what routes.h says of the kernel.
 *
 * The loop has a thread of its own, which is parked in a timer whenever the test does something: the test
 * then plays the loop's part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sysdep/clock.h"
#include "sysdep/routes.h"

#define TABLE 1000
#define LIMIT BT_S(20) /* of one wait; only a broken module comes near */

struct fixture
{
  pool *pool;
  struct loop *loop;
  struct timer *limit, *park, *probe;
  struct thread *thread;
  sem_t parked, go;
  struct nl_routes *nl;
  bool late, scan_only; /* the latter: events are not noted */

  uint begins, ends, overruns, refusals;
  u32 scanned; /* the table of the last scan that ended */
  struct nl_route routes[64];
  struct nl_nexthop hops[64][8];
  enum nl_route_event events[64];
  uint count; /* of routes reported; more than 64 are only counted */

  struct
  {
    u64 cookie;
    struct prefix dst;
    bool removing;
    int error;
    char text[128];
  } refused;

  bool (*done)(struct fixture *f); /* what the loop runs for */
  void (*on_route)(struct fixture *f);
  void (*on_refusal)(struct fixture *f);
};

static bool no_namespace;
#define NEEDS_NAMESPACE \
  if (no_namespace)     \
  skip()

/* How often sending fails from now on, and how. */
static uint sends_fail;
static int sends_error;

/* In place of libc's. */
ssize_t
sendmsg(int fd, const struct msghdr *mh, int flags)
{
  if (!sends_fail)
    return syscall(SYS_sendmsg, fd, mh, flags);
  sends_fail--;
  errno = sends_error;
  return -1;
}

/* --- Hooks --- */

static void
check_done(struct fixture *f)
{
  if (f->done && f->done(f))
    timer_set_in(f->park, 0);
}

static void
on_scan_begin(void *data, u32 table UNUSED)
{
  struct fixture *f = data;

  f->begins++;
  f->count = 0;
  check_done(f);
}

static void
on_scan_end(void *data, u32 table)
{
  struct fixture *f = data;

  f->ends++;
  f->scanned = table;
  check_done(f);
}

static void
on_route(void *data, const struct nl_route *r, enum nl_route_event what)
{
  struct fixture *f = data;

  if (f->scan_only && what != NL_ROUTE_SEEN)
    return;

  uint i = f->count++;

  if (i < ARRAY_SIZE(f->routes))
  {
    f->routes[i] = *r;
    f->routes[i].nexthops = f->hops[i];
    f->events[i] = what;
    memcpy(f->hops[i], r->nexthops, MIN(r->nexthop_count, 8u) * sizeof(*r->nexthops));
  }
  if (f->on_route)
    f->on_route(f);
  check_done(f);
}

static void
on_overrun(void *data)
{
  struct fixture *f = data;

  f->overruns++;
  check_done(f);
}

static void
on_refused(void *data, u64 cookie, const struct prefix *dst, bool removing, int error, const char *text)
{
  struct fixture *f = data;

  f->refusals++;
  f->refused.cookie = cookie;
  f->refused.dst = *dst;
  f->refused.removing = removing;
  f->refused.error = error;
  snprintf(f->refused.text, sizeof(f->refused.text), "%s", text ? text : "");
  if (f->on_refusal)
    f->on_refusal(f);
}

static const struct nl_routes_hooks hooks = { on_scan_begin, on_scan_end, on_route,
                                              on_overrun,    on_refused,  NULL };

/* --- Running --- */

static void
on_park(struct timer *t UNUSED, void *data)
{
  struct fixture *f = data;

  f->done = NULL;
  sem_post(&f->parked);
  while (sem_wait(&f->go) < 0)
    ;
}

/* For what no hook tells. */
static void
on_probe(struct timer *t, void *data)
{
  struct fixture *f = data;

  if (f->done)
    timer_set_in(t, BT_MS(1));
  check_done(f);
}

static void
on_limit(struct timer *t UNUSED, void *data)
{
  struct fixture *f = data;

  f->late = true;
  timer_set_in(f->park, 0);
}

static void
park_wait(struct fixture *f)
{
  while (sem_wait(&f->parked) < 0)
    ;
}

static void
run_until(struct fixture *f, bool (*done)(struct fixture *f))
{
  f->done = done;
  timer_set(f->limit, clock_now() + LIMIT);
  sem_post(&f->go);
  park_wait(f);
  timer_stop(f->limit);
  assert_false(f->late);
}

static bool
scan_ended(struct fixture *f)
{
  return f->ends == 1;
}

/* What is in the table now. */
static uint
scan(struct fixture *f, u32 table)
{
  f->begins = f->ends = f->count = 0;
  f->scan_only = true;
  nl_routes_scan(f->nl, table);
  run_until(f, scan_ended);
  f->scan_only = false;
  assert_int_equal(f->scanned, table);
  return f->count;
}

static bool
route_came(struct fixture *f)
{
  return f->count == 1;
}

static const struct nl_route *
wait_event(struct fixture *f, enum nl_route_event what)
{
  run_until(f, route_came);
  assert_int_equal(f->events[0], what);
  f->count = 0;
  return f->routes;
}

static void PRINTF_LIKE(1, 2) ip(const char *fmt, ...)
{
  char command[512] = "ip ";
  va_list args;

  va_start(args, fmt);
  vsnprintf(command + 3, sizeof(command) - 3, fmt, args);
  va_end(args);
  if (system(command) != 0)
    fail_msg("%s", command);
}

/* --- Fixture --- */

/* Two links, each with its own networks: 10.0.N.0/24 and 2001:db8:N::/64. */
static int
make_namespace(void **ctx UNUSED)
{
  if (geteuid() || unshare(CLONE_NEWNET) < 0)
  {
    no_namespace = true;
    return 0;
  }
  ip("link set lo up");
  for (uint i = 0; i < 2; i++)
  {
    ip("link add v%u type veth peer name w%u", i, i);
    ip("link set w%u up", i);
    ip("link set v%u up", i);
    ip("addr add 10.0.%u.1/24 dev v%u", i, i);
    ip("addr add 2001:db8:%u::1/64 dev v%u nodad", i, i);
  }
  return 0;
}

static int
setup_family(void **ctx, bool v6)
{
  struct fixture *f = test_calloc(1, sizeof(*f));

  *ctx = f;
  if (no_namespace)
    return 0;
  sem_init(&f->parked, 0, 0);
  sem_init(&f->go, 0, 0);
  f->pool = pool_new(NULL, "Test");
  f->loop = loop_new(f->pool, "test");
  f->limit = timer_new(f->pool, f->loop, on_limit, f);
  f->park = timer_new(f->pool, f->loop, on_park, f);
  f->probe = timer_new(f->pool, f->loop, on_probe, f);
  timer_set(f->park, 0);
  f->nl = nl_routes_new(f->pool, f->loop, v6, &hooks, f, 0);
  f->thread = thread_start(f->pool, f->loop);
  park_wait(f);
  return f->nl ? 0 : -1;
}

static int
setup4(void **ctx)
{
  return setup_family(ctx, false);
}

static int
setup6(void **ctx)
{
  return setup_family(ctx, true);
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  if (!no_namespace)
  {
    loop_stop(f->loop);
    sem_post(&f->go);
    thread_join(f->thread);
    sends_fail = 0;
    if (system("for t in 1000 1001; do ip route flush table $t; ip -6 route flush table $t; done 2>&-") < 0)
      return -1;
  }
  rfree(f->pool);
  test_free(f);
  return 0;
}

/* --- Routes --- */

static ip_addr
addr(const char *text)
{
  ip_addr a;

  assert_true(ip_parse(text, &a));
  return a;
}

static struct nl_route
route_to(const char *dst, uint len)
{
  ip_addr a = addr(dst);

  return (struct nl_route){
    .v6 = !ip_is_v4(a), .dst = { a, len }, .table = TABLE, .metric = 32, .protocol = NL_PROTO_BIRD
  };
}

/* One of each kind a key can hold, by family; the next hops are those of make_namespace(). */
#define KINDS 7

static struct nl_route
route_of_kind(bool v6, uint kind)
{
  static struct nl_nexthop hops[2][4][2];
  const char *gw[2][2] = { { "10.0.0.2", "10.0.1.2" }, { "2001:db8::2", "2001:db8:1::2" } };
  uint v0 = if_nametoindex("v0"), v1 = if_nametoindex("v1");
  struct nl_nexthop a = { .via = addr(gw[v6][0]), .ifindex = v0, .weight = 1 };
  struct nl_nexthop b = { .via = addr(gw[v6][1]), .ifindex = v1, .weight = 1 };
  struct nl_route r = v6 ? route_to("2001:db8:f::", 48) : route_to("192.0.2.0", 24);

  memcpy(hops[v6], (struct nl_nexthop[4][2]){ { a }, { a, b }, { b, a }, { { .ifindex = v1, .weight = 1 } } },
         sizeof(hops[v6]));
  hops[v6][2][0].weight = 256;
  hops[v6][2][1].weight = 7;
  if (kind < 4)
  {
    r.nexthops = hops[v6][kind];
    r.nexthop_count = kind % 3 ? 2 : 1;
    r.scope = kind == 3 && !v6 ? NL_SCOPE_LINK : NL_SCOPE_UNIVERSE;
  }
  else
    r.type = NL_BLACKHOLE + kind - 4;
  return r;
}

static void
assert_same_hop(const struct nl_nexthop *a, const struct nl_nexthop *b)
{
  assert_string_equal(IP_STR(a->via), IP_STR(b->via));
  assert_int_equal(a->ifindex, b->ifindex);
  assert_int_equal(a->weight, b->weight);
  assert_int_equal(a->onlink, b->onlink);
}

static void
assert_same_route(const struct nl_route *a, const struct nl_route *b)
{
  assert_int_equal(a->v6, b->v6);
  assert_string_equal(PREFIX_STR(&a->dst), PREFIX_STR(&b->dst));
  assert_string_equal(PREFIX_STR(&a->src), PREFIX_STR(&b->src));
  assert_int_equal(a->type, b->type);
  assert_int_equal(a->protocol, b->protocol);
  assert_int_equal(a->scope, b->scope);
  assert_int_equal(a->tos, b->tos);
  assert_int_equal(a->table, b->table);
  assert_int_equal(a->metric, b->metric);
  assert_string_equal(IP_STR(a->prefsrc), IP_STR(b->prefsrc));
  assert_int_equal(a->metrics_mask, b->metrics_mask);
  assert_int_equal(a->metrics_lock, b->metrics_lock);
  assert_memory_equal(a->metrics, b->metrics, sizeof(a->metrics));
  assert_int_equal(a->nexthop_count, b->nexthop_count);
  for (uint i = 0; i < a->nexthop_count; i++)
    assert_same_hop(&a->nexthops[i], &b->nexthops[i]);
}

#define TEST4(name) cmocka_unit_test_setup_teardown(name, setup4, teardown)
#define TEST6(name) cmocka_unit_test_setup_teardown(name, setup6, teardown)

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
      nl_routes_flush(f->nl);
      assert_int_equal(f->refusals, 0);
      assert_int_equal(scan(f, TABLE), 1);
      assert_same_route(f->routes, &after);
      nl_route_delete(f->nl, &after, 0);
      nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  assert_int_equal(scan(f, r.table), 1);
  assert_same_route(f->routes, &r);
  nl_route_delete(f->nl, &r, 0);
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  assert_int_equal(scan(f, TABLE), 1);
  assert_same_route(f->routes, &r);
  nl_route_delete(f->nl, &r, 0);
  nl_routes_flush(f->nl);
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
    nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  if (f->refusals) /* a kernel without them */
    skip();
  assert_int_equal(scan(f, TABLE), 2);
  nl_route_delete(f->nl, &other, 0);
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  assert_int_equal(f->refusals, 1000);
  assert_int_equal(f->refused.cookie, 999);
  assert_int_equal(nl_routes_counters(f->nl)->overruns, 0);
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
  nl_routes_flush(f->nl);
  assert_int_equal(f->refusals, 1);
  assert_int_equal(f->refused.error, EINVAL);
  hops[0].via = hops[1].via = addr("2001:db8::2");
  hops[1].ifindex = hops[0].ifindex;
  nl_route_set(f->nl, &r, 6);
  nl_routes_flush(f->nl);
  assert_int_equal(f->refusals, 2);
  assert_int_equal(f->refused.error, EEXIST);
  assert_int_equal(scan(f, TABLE), 0);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  test_free(hops);
  assert_int_equal(f->refusals, 0);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].nexthop_count, NL_NEXTHOPS_MAX);
  rfree(f->nl);
  f->nl = nl_routes_new(f->pool, f->loop, false, &hooks, f, 0);
  assert_int_equal(scan(f, TABLE), 1); /* the first dump from a socket */
  nl_route_delete(f->nl, &r, 2);       /* what ends the test cannot */
  nl_routes_flush(f->nl);
}

/* 192.0.2.N/32 */
static struct nl_route
host_route(uint n)
{
  struct nl_route r = route_of_kind(false, 0);

  r.dst = (struct prefix){ ip_v4(ip_to_u32(r.dst.addr) + n), 32 };
  return r;
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

  u64 flushes = nl_routes_counters(f->nl)->flushes;

  assert_in_range(flushes, 1, 30);
  assert_in_range(nl_routes_counters(f->nl)->set, 200, 299);
  assert_int_equal(scan(f, TABLE), 300);
  assert_int_equal(nl_routes_counters(f->nl)->flushes, flushes + 1);
}

static bool
all_sent(struct fixture *f)
{
  return nl_routes_counters(f->nl)->set == 1000;
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
  timer_set(f->probe, 0);
  run_until(f, all_sent);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  ip("%s route add %s via %s metric 7 table 1001 proto static", family, dst, gw);

  const struct nl_route *got = wait_event(f, NL_ROUTE_NEW);

  assert_string_equal(PREFIX_STR(&got->dst), dst);
  assert_int_equal(got->table, 1001);
  assert_int_equal(got->protocol, NL_PROTO_STATIC);
  assert_int_equal(got->metric, 7);
  nl_route_delete(f->nl, &r, 0);
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  f->ends = 1;
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
  run_until(f, scan_ended);
  assert_null(f->nl);
  assert_int_equal(f->count, 1);
}

static void
flush_a_refusal(struct fixture *f)
{
  struct nl_nexthop nowhere = { .via = addr("198.51.100.1"), .ifindex = if_nametoindex("v0"), .weight = 1 };
  struct nl_route r = route_of_kind(false, 0);

  r.nexthops = &nowhere;
  f->on_refusal = free_it;
  for (uint i = 0; i < 2; i++)
    nl_route_set(f->nl, &r, 0);
  nl_routes_flush(f->nl);
}

static void
the_refusal_hook_may_free_it(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  flush_a_refusal(f);
  assert_null(f->nl);
  assert_int_equal(f->refusals, 1);
}

/* A refusal within a flush within the route hook: both callers have to notice. */
static void
the_refusal_hook_may_free_it_inside_another_hook(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(false, 1);

  nl_route_set(f->nl, &r, 0);
  r.metric++;
  nl_route_set(f->nl, &r, 0);
  nl_routes_scan(f->nl, TABLE);
  f->on_route = flush_a_refusal;
  run_until(f, scan_ended);
  assert_null(f->nl);
  assert_int_equal(f->count, 1);
}

static void
set_again(struct fixture *f)
{
  struct nl_route r = host_route(f->refusals);

  nl_route_set(f->nl, &r, 0);
  if (f->refusals < 200)
  {
    r.nexthops =
        &(struct nl_nexthop){ .via = addr("198.51.100.1"), .ifindex = r.nexthops->ifindex, .weight = 1 };
    nl_route_set(f->nl, &r, 0);
    nl_routes_flush(f->nl);
  }
}

static void
the_refusal_hook_may_make_changes(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = host_route(0);

  r.nexthops =
      &(struct nl_nexthop){ .via = addr("198.51.100.1"), .ifindex = r.nexthops->ifindex, .weight = 1 };
  f->on_refusal = set_again;
  nl_route_set(f->nl, &r, 0);
  nl_routes_flush(f->nl);
  assert_int_equal(f->refusals, 1);
  for (uint i = 0; i < 300 && f->refusals < 200; i++)
    nl_routes_flush(f->nl);
  nl_routes_flush(f->nl);
  assert_int_equal(scan(f, TABLE), 200);
}

/* --- What the kernel does --- */

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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  assert_int_equal(scan(f, TABLE), 2);
  assert_int_equal(f->routes[1].metric, NL_METRIC_V6_DEFAULT);
  nl_route_delete(f->nl, &r, 0);
  nl_routes_flush(f->nl);
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
    nl_routes_flush(f->nl);
    assert_int_equal(scan(f, TABLE), left);
    nl_route_delete(f->nl, &r, 0);
  }
  nl_route_delete(f->nl, &r, 0);
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  ip("-6 route append 2001:db8:f::/48 via 2001:db8:1::7 metric 32 table 1000 proto static");
  assert_int_equal(wait_event(f, NL_ROUTE_NEW)->nexthop_count, 2);
  assert_int_equal(scan(f, TABLE), 1);
  assert_int_equal(f->routes[0].nexthop_count, 2);
  assert_int_equal(f->routes[0].protocol, NL_PROTO_BIRD);
  nl_route_delete(f->nl, &r, 0);
  nl_routes_flush(f->nl);
  assert_int_equal(scan(f, TABLE), 0);
}

static void
a_foreign_v6_route_without_gateway_stands_beside_ours(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;
  struct nl_route r = route_of_kind(true, 0), blackhole = route_of_kind(true, 4);

  nl_route_set(f->nl, &r, 0);
  nl_routes_flush(f->nl);
  ip("-6 route append blackhole 2001:db8:f::/48 metric 32 table 1000 proto static");
  nl_route_set(f->nl, &r, 0);
  nl_routes_flush(f->nl);
  assert_int_equal(scan(f, TABLE), 2);
  assert_same_route(&f->routes[0], &r);
  assert_int_equal(f->routes[1].protocol, NL_PROTO_STATIC);
  nl_route_set(f->nl, &blackhole, 0); /* takes the place of the foreign one */
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
  ip("route append 192.0.2.0/24 via 10.0.0.9 metric 32 table 1000 proto static");
  nl_route_set(f->nl, &after, 0);
  nl_routes_flush(f->nl);
  assert_int_equal(scan(f, TABLE), 2);
  assert_same_route(&f->routes[0], &after);
  nl_route_delete(f->nl, &after, 0);
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
  nl_routes_flush(f->nl);
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
    TEST6(v6_multipath_without_gateway_or_with_equal_ones_is_refused),
    TEST4(a_route_too_large_for_a_batch_is_refused),
    TEST4(as_many_next_hops_as_promised_are_carried),
    TEST4(full_batches_go_at_once_and_the_rest_by_itself),
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
    TEST4(large_tables_are_scanned_in_full),
    TEST4(the_route_hook_may_free_it),
    TEST4(the_refusal_hook_may_free_it),
    TEST4(the_refusal_hook_may_free_it_inside_another_hook),
    TEST4(the_refusal_hook_may_make_changes),
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
