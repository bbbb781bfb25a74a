/* sysdep/unix/log_echo_test.c: log lines on their way from the writer to a loop */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "sysdep/clock.h"
#include "sysdep/log.h"

#define WAIT_LIMIT BT_S(20)

struct fixture
{
  pool *pool;
  struct loop *loop;
  struct mailbox *wake;
  uint woken;
  char line[LOG_LINE_SIZE];
};

static void
wake_hook(struct msg *m, void *data)
{
  ((struct fixture *) data)->woken++;
  msg_free(m);
}

static int
setup(void **ctx)
{
  pool *p = pool_new(NULL, "test");
  struct fixture *f = mb_alloc(p, sizeof(*f));

  f->pool = p;
  f->loop = loop_new(p, "test");
  f->wake = mailbox_new(p, f->loop, wake_hook, f);
  log_set_sinks(NULL, 0);
  log_start();
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  log_stop();
  rfree(((struct fixture *) *ctx)->pool);
  return 0;
}

/* The writer has had everything so far: a line for an echo of its own comes out. */
static void
wait_for_writer(struct fixture *f)
{
  struct log_echo *e = log_echo_open(1 << L_BUG, 1000, f->wake);
  btime limit = clock_now() + WAIT_LIMIT;
  char line[LOG_LINE_SIZE];
  uint lost;

  log_write(L_BUG, "last");
  while (!log_echo_read(e, line, &lost) && clock_now() < limit)
    usleep(1000);
  assert_string_equal(line, "last");
  log_echo_close(e);
}

static void
lines_of_the_classes_wanted_arrive_in_order(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_echo *e = log_echo_open(1 << L_INFO | 1 << L_ERR, 1000, f->wake);
  uint lost;

  log_write(L_INFO, "one");
  log_write(L_TRACE, "not this");
  log_write(L_ERR, "two");
  wait_for_writer(f);
  assert_true(log_echo_read(e, f->line, &lost));
  assert_string_equal(f->line, "one");
  assert_true(log_echo_read(e, f->line, &lost));
  assert_string_equal(f->line, "two");
  assert_false(log_echo_read(e, f->line, &lost));
  assert_int_equal(lost, 0);
  log_echo_close(e);
}

static void
one_message_wakes_for_many_lines(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_echo *e = log_echo_open(1 << L_INFO, 1000, f->wake);
  uint lost;

  for (uint i = 0; i < 10; i++)
    log_write(L_INFO, "line");
  wait_for_writer(f);
  mailbox_flush(f->wake);
  assert_int_equal(f->woken, 2); /* the other one is wait_for_writer's */
  while (log_echo_read(e, f->line, &lost))
    ;
  log_write(L_INFO, "line");
  wait_for_writer(f);
  mailbox_flush(f->wake);
  assert_int_equal(f->woken, 4);
  log_echo_close(e);
}

static void
what_does_not_fit_is_counted(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_echo *e = log_echo_open(1 << L_INFO, 256, f->wake);
  uint lost, sum = 0, got = 0;

  for (uint round = 0; round < 5; round++) /* the ring wraps */
  {
    for (uint i = 0; i < 100; i++)
      log_write(L_INFO, "line number %02u", i);
    wait_for_writer(f);
    for (uint i = 0; log_echo_read(e, f->line, &lost); i++, got++, sum += lost)
    {
      char expected[20];

      snprintf(expected, sizeof(expected), "line number %02u", i);
      assert_string_equal(f->line, expected);
    }
    sum += lost;
  }
  assert_int_equal(sum + got, 500);
  assert_int_equal(got, 5 * (256 / 16));
  log_echo_close(e);
}

static void
a_line_longer_than_the_buffer_is_cut(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_echo *e = log_echo_open(1 << L_INFO, 256, f->wake);
  char text[400];
  uint lost;

  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = 0;
  log_write(L_INFO, "%s", text);
  wait_for_writer(f);
  assert_true(log_echo_read(e, f->line, &lost));
  assert_int_equal(strlen(f->line), 254);
  log_echo_close(e);
}

/* Nothing is left behind: a sanitizer says so. */
static void
closing_works_before_and_after_the_writer_has_seen_it(void **ctx)
{
  struct fixture *f = *ctx;

  for (uint i = 0; i < 100; i++)
  {
    struct log_echo *e = log_echo_open(1 << L_INFO, 256, f->wake);

    log_write(L_INFO, "line");
    if (i % 2)
      wait_for_writer(f);
    log_echo_close(e);
  }
  struct log_echo *left = log_echo_open(1 << L_INFO, 256, f->wake);

  log_stop();
  log_echo_close(left);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(lines_of_the_classes_wanted_arrive_in_order),
    TEST(one_message_wakes_for_many_lines),
    TEST(what_does_not_fit_is_counted),
    TEST(a_line_longer_than_the_buffer_is_cut),
    TEST(closing_works_before_and_after_the_writer_has_seen_it),
  };

  return cmocka_run_group_tests_name("log_echo", tests, NULL, NULL);
}
