/* sysdep/unix/loop_thread_test.c: where threads run, and how much. Needs two processors, and says so. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sysdep/loop.h"

/* A thread that tells where it may run, when asked. */
struct helper
{
  struct loop *loop;
  struct mailbox *ask;
  struct thread *thread;
  cpu_set_t cpus;
};

struct fixture
{
  pool *pool;
  struct loop *home;
  cpu_set_t before; /* where the test itself may run */
  struct helper early, apart, late;
};

static void
helper_asked(struct msg *m, void *data)
{
  struct helper *h = data;

  sched_getaffinity(0, sizeof(h->cpus), &h->cpus);
  msg_free(m);
  loop_stop(h->loop);
}

static void
helper_start(struct fixture *f, struct helper *h)
{
  h->loop = loop_new(f->pool, "helper");
  h->ask = mailbox_new(f->pool, h->loop, helper_asked, h);
  h->thread = thread_start(f->pool, h->loop);
  assert_non_null(h->thread);
}

/* Its processors, and its end. */
static const cpu_set_t *
helper_cpus(struct helper *h)
{
  mailbox_post(h->ask, msg_alloc(sizeof(struct msg)));
  thread_join(h->thread);
  return &h->cpus;
}

static int
setup(void **ctx)
{
  struct fixture *f = *ctx = test_calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "test");
  f->home = loop_new(f->pool, "home");
  assert_int_equal(sched_getaffinity(0, sizeof(f->before), &f->before), 0);
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  sched_setaffinity(0, sizeof(f->before), &f->before);
  rfree(f->pool);
  test_free(f);
  return 0;
}

static void
need_two_cpus(const struct fixture *f)
{
  if (CPU_COUNT(&f->before) >= 2)
    return;
  print_message("this test needs two processors\n");
  skip();
}

static void
a_thread_set_apart_shares_its_processor_with_no_other(void **ctx)
{
  struct fixture *f = *ctx;
  cpu_set_t home, both;

  need_two_cpus(f);
  helper_start(f, &f->early);
  helper_start(f, &f->apart);
  thread_set_apart(f->apart.thread, f->home);
  helper_start(f, &f->late);

  const cpu_set_t *apart = helper_cpus(&f->apart);

  assert_int_equal(CPU_COUNT(apart), 1);
  sched_getaffinity(0, sizeof(home), &home);
  assert_int_equal(CPU_COUNT(&home), CPU_COUNT(&f->before) - 1);
  CPU_AND(&both, apart, &home);
  assert_int_equal(CPU_COUNT(&both), 0);
  assert_true(CPU_EQUAL(helper_cpus(&f->early), &home));
  assert_true(CPU_EQUAL(helper_cpus(&f->late), &home));
}

static void
threads_set_apart_share_one_processor(void **ctx)
{
  struct fixture *f = *ctx;
  cpu_set_t home;

  need_two_cpus(f);
  helper_start(f, &f->apart);
  thread_set_apart(f->apart.thread, f->home);
  helper_start(f, &f->late);
  thread_set_apart(f->late.thread, f->home);
  assert_true(CPU_EQUAL(helper_cpus(&f->apart), helper_cpus(&f->late)));
  sched_getaffinity(0, sizeof(home), &home);
  assert_int_equal(CPU_COUNT(&home), CPU_COUNT(&f->before) - 1);
}

static void
with_one_processor_nothing_is_set_apart(void **ctx)
{
  struct fixture *f = *ctx;
  cpu_set_t one, home;
  int cpu = 0;

  while (!CPU_ISSET(cpu, &f->before))
    cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
  helper_start(f, &f->apart);
  thread_set_apart(f->apart.thread, f->home);
  assert_true(CPU_EQUAL(helper_cpus(&f->apart), &one));
  sched_getaffinity(0, sizeof(home), &home);
  assert_true(CPU_EQUAL(&home, &one));
}

/* An administrator may have put a thread where it has to stay. */
static void
a_thread_bound_to_the_only_processor_keeps_it(void **ctx)
{
  struct fixture *f = *ctx;
  cpu_set_t last;
  int cpu = CPU_SETSIZE - 1;

  need_two_cpus(f);
  while (!CPU_ISSET(cpu, &f->before))
    cpu--;
  CPU_ZERO(&last);
  CPU_SET(cpu, &last);
  sched_setaffinity(0, sizeof(last), &last); /* inherited */
  helper_start(f, &f->early);
  sched_setaffinity(0, sizeof(f->before), &f->before);
  helper_start(f, &f->apart);
  thread_set_apart(f->apart.thread, f->home);
  assert_true(CPU_EQUAL(helper_cpus(&f->early), &last));
  assert_true(CPU_EQUAL(helper_cpus(&f->apart), &last));
}

/* Never waits; ends when it was made to rest three times. */
static bool
greedy_hook(struct work *w, void *data UNUSED)
{
  if (loop_rests(w->loop) < 3)
    return true;
  loop_stop(w->loop);
  return false;
}

static void
start_hook(struct msg *m, void *data)
{
  msg_free(m);
  work_schedule(data);
}

/* Without that the test would not end, nor would anything else get that processor. */
static void
a_real_time_loop_that_never_waits_rests_now_and_then(void **ctx)
{
  struct fixture *f = *ctx;
  struct loop *l = loop_new(f->pool, "greedy");
  struct work *w = work_new(f->pool, l, LOOP_REST, greedy_hook, NULL);
  struct mailbox *start = mailbox_new(f->pool, l, start_hook, w);
  struct thread *t = thread_start(f->pool, l);

  assert_non_null(t);
  if (thread_realtime(t) < 0)
    loop_stop(l); /* not allowed to */
  mailbox_post(start, msg_alloc(sizeof(struct msg)));
  thread_join(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_thread_set_apart_shares_its_processor_with_no_other),
    TEST(threads_set_apart_share_one_processor),
    TEST(with_one_processor_nothing_is_set_apart),
    TEST(a_thread_bound_to_the_only_processor_keeps_it),
    TEST(a_real_time_loop_that_never_waits_rests_now_and_then),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
