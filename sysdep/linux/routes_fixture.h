/*
 * sysdep/linux/routes_fixture.h: for the tests of routes.c only
 *
 * The kernel itself, in a network namespace of the test's own (needs root). What others do is done by
 * iproute2.
 *
 * The loop has a thread of its own, which is parked in a timer whenever the test does something: the test
 * then plays the loop's part. The thread that writes is not parked. Include it after cmocka.h.
 */
#ifndef PEREGRINE_LINUX_ROUTES_FIXTURE_H
#define PEREGRINE_LINUX_ROUTES_FIXTURE_H

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
  struct timer *limit, *park;
  struct thread *thread;
  sem_t parked, go;
  struct nl_routes *nl;
  bool late, scan_only; /* the latter: events are not noted */

  uint begins, ends, overruns, refusals, progresses;
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
  void (*on_progress)(struct fixture *f);
};

static bool no_namespace;
#define NEEDS_NAMESPACE \
  if (no_namespace)     \
  skip()

/* What becomes of the thread's sending: how often it fails from now on, and how; or it waits. */
static atomic_uint sends_fail;
static atomic_int sends_error;
static atomic_bool sends_held;
static sem_t send_entered, send_go;

static inline void
sem_take(sem_t *s)
{
  while (sem_wait(s) < 0)
    ;
}

/* In place of libc's. */
ssize_t
sendmsg(int fd, const struct msghdr *mh, int flags)
{
  sem_post(&send_entered);
  if (sends_held)
    sem_take(&send_go);
  if (!sends_fail)
    return syscall(SYS_sendmsg, fd, mh, flags);
  sends_fail--;
  errno = sends_error;
  return -1;
}

static inline void
release_sends(void)
{
  sends_held = false;
  sem_post(&send_go);
}

/* --- Hooks --- */

static inline void
check_done(struct fixture *f)
{
  if (f->done && f->done(f))
    timer_set_in(f->park, 0);
}

static inline void
on_scan_begin(void *data, u32 table UNUSED)
{
  struct fixture *f = data;

  f->begins++;
  f->count = 0;
  check_done(f);
}

static inline void
on_scan_end(void *data, u32 table)
{
  struct fixture *f = data;

  f->ends++;
  f->scanned = table;
  check_done(f);
}

static inline void
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

static inline void
on_overrun(void *data)
{
  struct fixture *f = data;

  f->overruns++;
  check_done(f);
}

static inline void
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
  check_done(f);
}

static inline void
on_progress(void *data)
{
  struct fixture *f = data;

  f->progresses++;
  if (f->on_progress)
    f->on_progress(f);
  check_done(f);
}

static const struct nl_routes_hooks hooks = { on_scan_begin, on_scan_end, on_route,
                                              on_overrun,    on_refused,  on_progress };

/* --- Running --- */

static inline void
on_park(struct timer *t UNUSED, void *data)
{
  struct fixture *f = data;

  f->done = NULL;
  sem_post(&f->parked);
  sem_take(&f->go);
}

static inline void
on_limit(struct timer *t UNUSED, void *data)
{
  struct fixture *f = data;

  f->late = true;
  timer_set_in(f->park, 0);
}

static inline void
run_until(struct fixture *f, bool (*done)(struct fixture *f))
{
  f->done = done;
  timer_set(f->limit, clock_now() + LIMIT);
  sem_post(&f->go);
  sem_take(&f->parked);
  timer_stop(f->limit);
  assert_false(f->late);
}

static inline bool
nothing_pending(struct fixture *f)
{
  return !f->nl || !nl_routes_pending(f->nl);
}

/* All changes are carried out after this. */
static inline void
settle(struct fixture *f)
{
  nl_routes_flush(f->nl);
  if (!nothing_pending(f))
    run_until(f, nothing_pending);
}

static inline bool
scan_ended(struct fixture *f)
{
  return f->ends == 1;
}

/* What is in the table now. */
static inline uint
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

static inline bool
route_came(struct fixture *f)
{
  return f->count == 1;
}

static inline const struct nl_route *
wait_event(struct fixture *f, enum nl_route_event what)
{
  run_until(f, route_came);
  assert_int_equal(f->events[0], what);
  f->count = 0;
  return f->routes;
}

static inline void PRINTF_LIKE(1, 2) ip(const char *fmt, ...)
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
static inline int
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

static inline int
setup_family(void **ctx, bool v6)
{
  struct fixture *f = test_calloc(1, sizeof(*f));

  *ctx = f;
  if (no_namespace)
    return 0;
  sem_init(&f->parked, 0, 0);
  sem_init(&f->go, 0, 0);
  sem_init(&send_entered, 0, 0);
  sem_init(&send_go, 0, 0);
  f->pool = pool_new(NULL, "Test");
  f->loop = loop_new(f->pool, "test");
  f->limit = timer_new(f->pool, f->loop, on_limit, f);
  f->park = timer_new(f->pool, f->loop, on_park, f);
  timer_set(f->park, 0);
  f->nl = nl_routes_new(f->pool, f->loop, v6, &hooks, f, 0);
  f->thread = thread_start(f->pool, f->loop);
  sem_take(&f->parked);
  return f->nl ? 0 : -1;
}

static inline int
setup4(void **ctx)
{
  return setup_family(ctx, false);
}

static inline int
setup6(void **ctx)
{
  return setup_family(ctx, true);
}

static inline int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  if (!no_namespace)
  {
    loop_stop(f->loop);
    sem_post(&f->go);
    thread_join(f->thread);
    sends_fail = 0;
    release_sends();
    if (system("for t in 1000 1001; do ip route flush table $t; ip -6 route flush table $t; done 2>&-") < 0)
      return -1;
  }
  rfree(f->pool);
  test_free(f);
  return 0;
}

/* --- Routes --- */

static inline ip_addr
addr(const char *text)
{
  ip_addr a;

  assert_true(ip_parse(text, &a));
  return a;
}

static inline struct nl_route
route_to(const char *dst, uint len)
{
  ip_addr a = addr(dst);

  return (struct nl_route){
    .v6 = !ip_is_v4(a), .dst = { a, len }, .table = TABLE, .metric = 32, .protocol = NL_PROTO_BIRD
  };
}

/* One of each kind a key can hold, by family; the next hops are those of make_namespace(). */
#define KINDS 7

static inline struct nl_route
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

static inline void
assert_same_hop(const struct nl_nexthop *a, const struct nl_nexthop *b)
{
  assert_string_equal(IP_STR(a->via), IP_STR(b->via));
  assert_int_equal(a->ifindex, b->ifindex);
  assert_int_equal(a->weight, b->weight);
  assert_int_equal(a->onlink, b->onlink);
}

static inline void
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

/* 192.0.2.N/32 */
static inline struct nl_route
host_route(uint n)
{
  struct nl_route r = route_of_kind(false, 0);

  r.dst = (struct prefix){ ip_v4(ip_to_u32(r.dst.addr) + n), 32 };
  return r;
}

#endif
