/* sysdep/unix/watchdog_test.c: a loop that hangs ends the program, one that works does not */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sysdep/clock.h"
#include "sysdep/log.h"
#include "sysdep/watchdog.h"

#define TIMEOUT BT_MS(200)

struct task
{
  struct loop *loop;
  struct timer *timer;
  uint calls, wanted;
  btime sleep;
};

static void
task_hook(struct timer *t, void *data)
{
  struct task *task = data;

  usleep(task->sleep);
  if (++task->calls < task->wanted)
    timer_set_in(t, 0);
  else
    loop_stop(task->loop);
}

/* @wanted callbacks of @sleep in a row, in a process of their own; its exit status. */
static int
run(uint wanted, btime sleep, btime timeout, btime later, int *log)
{
  pid_t child = fork();
  int status;

  if (!child)
  {
    pool *p = pool_new(NULL, "test");
    struct task task = { .loop = loop_new(p, "test"), .wanted = wanted, .sleep = sleep };

    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    signal(SIGABRT, SIG_DFL);
    if (log)
      dup2(log[1], STDERR_FILENO);
    log_start();
    task.timer = timer_new(p, task.loop, task_hook, &task);
    timer_set_in(task.timer, 0);
    watchdog_set(task.loop, timeout);
    if (later)
      watchdog_set(task.loop, later);
    loop_run(task.loop);
    watchdog_stop();
    log_stop();
    rfree(p);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}

static void
a_loop_that_hangs_is_aborted_and_says_why(void **ctx UNUSED)
{
  int ends[2], status;
  char text[1000] = "";

  assert_int_equal(pipe(ends), 0);
  status = run(1, BT_S(30), TIMEOUT, 0, ends);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGABRT);
  assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
  assert_non_null(strstr(text, "<FATAL> The main loop hangs for more than 0.200 s, aborting\n"));
  close(ends[0]);
  close(ends[1]);
}

static void
a_busy_loop_is_left_alone(void **ctx UNUSED)
{
  /* Longer than the timeout altogether, but not in one round. */
  assert_int_equal(run(60, TIMEOUT / 20, TIMEOUT, 0, NULL), 0);
}

static void
without_a_timeout_nothing_happens(void **ctx UNUSED)
{
  assert_int_equal(run(1, 2 * TIMEOUT, 0, 0, NULL), 0);
}

static void
the_timeout_can_change(void **ctx UNUSED)
{
  assert_int_equal(run(1, 3 * TIMEOUT, TIMEOUT, BT_S(30), NULL), 0);
  assert_true(WIFSIGNALED(run(1, BT_S(30), BT_S(30), TIMEOUT, NULL)));
}

/* What a callback of 20 ms leaves in the log. */
static const char *
logged(btime callback_limit, btime round_limit)
{
  static char text[1000];
  int ends[2], saved = dup(STDERR_FILENO);
  pool *p = pool_new(NULL, "test");
  struct task task = { .loop = loop_new(p, "test"), .wanted = 1, .sleep = BT_MS(20) };

  assert_int_equal(pipe(ends), 0);
  dup2(ends[1], STDERR_FILENO);
  task.timer = timer_new(p, task.loop, task_hook, &task);
  timer_set_in(task.timer, 0);
  loop_set_limits(task.loop, callback_limit, round_limit);
  loop_run(task.loop);
  log_write(L_INFO, "end");
  dup2(saved, STDERR_FILENO);
  ssize_t size = read(ends[0], text, sizeof(text) - 1);

  text[MAX(size, 0)] = 0;
  close(ends[0]);
  close(ends[1]);
  close(saved);
  rfree(p);
  return text;
}

static void
slow_callbacks_and_rounds_are_logged_on_request(void **ctx UNUSED)
{
  assert_non_null(strstr(logged(BT_MS(10), 0), "Loop test: a timer took 0.0"));
  assert_null(strstr(logged(BT_MS(10), 0), "a round took"));
  assert_non_null(strstr(logged(0, BT_MS(10)), "Loop test: a round took 0.0"));
  assert_null(strstr(logged(0, BT_MS(10)), "a timer took 0.0"));
  assert_null(strstr(logged(BT_S(5), BT_S(5)), "took 0.0"));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_loop_that_hangs_is_aborted_and_says_why),
    cmocka_unit_test(a_busy_loop_is_left_alone),
    cmocka_unit_test(without_a_timeout_nothing_happens),
    cmocka_unit_test(the_timeout_can_change),
    cmocka_unit_test(slow_callbacks_and_rounds_are_logged_on_request),
  };

  return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
