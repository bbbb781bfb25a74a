/*
 * sysdep/linux/netlink_test.c: links and addresses of the kernel itself, in a network namespace of the test's
 * own (needs root)
 *
 * The loop runs in the thread of the test, which steps out of it with longjmp() when what it waits for is
 * there. The queue of the socket is made small, so that a few events are too many for it.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "sysdep/clock.h"
#include "sysdep/netlink.h"

#define LIMIT BT_S(20) /* of one wait; only a broken module comes near */
#define LINKS 60
#define QUEUE 65536

struct fixture
{
  pool *pool;
  struct loop *loop;
  struct timer *limit, *stop;
  struct netlink *nl;
  jmp_buf back;
  bool late;

  bool up[256], seen[256]; /* by number of the link, as reported last */
  uint begins, ends;
  bool (*done)(struct fixture *f);
};

static bool no_namespace;
#define NEEDS_NAMESPACE \
  if (no_namespace)     \
  skip()

/* In place of libc's: a small queue instead of the one asked for. */
int
setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
  static const int small = QUEUE;

  if (level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_RCVBUFFORCE))
    return syscall(SYS_setsockopt, fd, level, option, &small, sizeof(small));
  return syscall(SYS_setsockopt, fd, level, option, value, size);
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

/* --- Hooks --- */

static void
check_done(struct fixture *f)
{
  if (f->done && f->done(f))
  {
    f->done = NULL;
    timer_set(f->stop, 0); /* not from here: netlink.c is still at work */
  }
}

static void
on_scan_begin(void *data)
{
  struct fixture *f = data;

  f->begins++;
  check_done(f);
}

static void
on_scan_end(void *data)
{
  struct fixture *f = data;

  f->ends++;
  check_done(f);
}

static void
on_link(void *data, const struct nl_link *link, bool gone)
{
  struct fixture *f = data;

  if (link->index < ARRAY_SIZE(f->up))
  {
    f->up[link->index] = link->up && !gone;
    f->seen[link->index] = true;
  }
  check_done(f);
}

static void
on_addr(void *data UNUSED, const struct nl_addr *addr UNUSED, bool gone UNUSED)
{
}

static const struct nl_hooks hooks = {
  .scan_begin = on_scan_begin, .scan_end = on_scan_end, .link = on_link, .addr = on_addr
};

/* --- Running --- */

static void
on_stop(struct timer *t UNUSED, void *data)
{
  longjmp(((struct fixture *) data)->back, 1);
}

static void
on_limit(struct timer *t UNUSED, void *data)
{
  struct fixture *f = data;

  f->late = true;
  longjmp(f->back, 1);
}

static void
run_until(struct fixture *f, bool (*done)(struct fixture *f))
{
  f->done = done;
  timer_set(f->limit, clock_now() + LIMIT);
  if (!setjmp(f->back))
    loop_run(f->loop);
  timer_stop(f->limit);
  assert_false(f->late);
}

static bool
scan_passed_lo(struct fixture *f)
{
  return f->begins == 1 && f->seen[1];
}

static bool
scan_ended(struct fixture *f)
{
  return f->ends == 1;
}

static bool
overrun_came(struct fixture *f)
{
  return netlink_counters(f->nl)->overruns == 1;
}

static void
forget(struct fixture *f)
{
  f->begins = f->ends = 0;
  memset(f->seen, 0, sizeof(f->seen));
}

/* --- Fixture --- */

static int
make_namespace(void **ctx UNUSED)
{
  if (geteuid() || unshare(CLONE_NEWNET) < 0)
  {
    no_namespace = true;
    return 0;
  }
  for (uint i = 0; i < LINKS; i++)
    ip("link add v%u type veth peer name w%u", i, i);
  return 0;
}

static int
setup(void **ctx)
{
  struct fixture *f = *ctx = test_calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  f->loop = loop_new(f->pool, "test");
  f->limit = timer_new(f->pool, f->loop, on_limit, f);
  f->stop = timer_new(f->pool, f->loop, on_stop, f);
  if (no_namespace)
    return 0;
  f->nl = netlink_new(f->pool, f->loop, &hooks, f);
  return f->nl ? 0 : -1;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  rfree(f->pool);
  test_free(f);
  return 0;
}

/* --- Overruns --- */

/* More than fits a small queue. */
static void
flood(void)
{
  ip("-batch - <<end\n$(seq -f 'link set w%%g mtu 1400' 0 %u)\n$(seq -f 'link set w%%g mtu 1500' 0 %u)\nend",
     LINKS - 1, LINKS - 1);
}

/* The kernel drops all events from an overrun until the queue is empty, and a dump keeps it from that. */
static void
a_scan_after_an_overrun_misses_nothing(void **ctx)
{
  NEEDS_NAMESPACE;
  struct fixture *f = *ctx;

  run_until(f, scan_ended);
  assert_false(f->up[1]);
  forget(f);
  flood();
  run_until(f, overrun_came);
  netlink_scan(f->nl); /* as the device protocol does at its `scan time` */
  run_until(f, scan_passed_lo);
  ip("link set lo up");
  run_until(f, scan_ended);
  assert_int_equal(netlink_counters(f->nl)->overruns, 1);
  assert_true(f->up[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(a_scan_after_an_overrun_misses_nothing),
  };

  return cmocka_run_group_tests(tests, make_namespace, NULL);
}
