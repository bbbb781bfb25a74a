/* client/runner_test.c: commands follow the state of a session, one at a time */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/runner.h"

struct fixture
{
  char dir[32], up[96], down[96];
  struct runner r;
};

static int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  strcpy(f->dir, "/tmp/runner-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  snprintf(f->up, sizeof(f->up), "echo up $PEER >> %s/log", f->dir);
  snprintf(f->down, sizeof(f->down), "echo down >> %s/log", f->dir);
  runner_init(&f->r, f->up, f->down);
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;
  char command[64];

  snprintf(command, sizeof(command), "rm -r %s", f->dir);
  assert_int_equal(system(command), 0);
  free(f);
  return 0;
}

static void
want(struct fixture *f, bool up)
{
  struct runner_facts facts = { 0 };

  runner_fact(&facts, "PEER", "%s", "192.0.2.1");
  assert_true(runner_want(&f->r, up, &facts));
}

static void
assert_log(struct fixture *f, const char *expected)
{
  char path[64], text[256] = "";
  int fd;

  snprintf(path, sizeof(path), "%s/log", f->dir);
  fd = open(path, O_RDONLY);
  if (fd >= 0)
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
  close(fd);
  assert_string_equal(text, expected);
}

static void
a_command_runs_with_the_facts_in_its_environment(void **ctx)
{
  struct fixture *f = *ctx;

  want(f, true);
  runner_finish(&f->r);
  assert_log(f, "up 192.0.2.1\n");
}

static void
the_same_state_runs_its_command_once(void **ctx)
{
  struct fixture *f = *ctx;

  want(f, true);
  want(f, true);
  runner_finish(&f->r);
  want(f, true);
  runner_finish(&f->r);
  assert_log(f, "up 192.0.2.1\n");
}

static void
what_happened_while_a_command_ran_is_not_queued(void **ctx)
{
  struct fixture *f = *ctx;
  char slow[128];

  snprintf(slow, sizeof(slow), "sleep 0.1; %s", f->up);
  f->r.on_up = slow;
  want(f, true);
  want(f, false);
  want(f, true);
  want(f, false);
  runner_finish(&f->r);
  assert_log(f, "up 192.0.2.1\ndown\n");
}

static void
a_state_that_came_back_meanwhile_runs_nothing(void **ctx)
{
  struct fixture *f = *ctx;

  want(f, true);
  want(f, false);
  want(f, true);
  runner_finish(&f->r);
  assert_log(f, "up 192.0.2.1\n");
}

static void
a_state_without_command_counts_all_the_same(void **ctx)
{
  struct fixture *f = *ctx;

  f->r.on_up = NULL;
  want(f, false);
  runner_finish(&f->r);
  want(f, true);
  want(f, false);
  runner_finish(&f->r);
  assert_log(f, "down\ndown\n");
}

static void
a_command_that_fails_does_not_end_it(void **ctx)
{
  struct fixture *f = *ctx;

  f->r.on_up = "exit 3";
  want(f, true);
  want(f, false);
  runner_finish(&f->r);
  assert_log(f, "down\n");
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(a_command_runs_with_the_facts_in_its_environment), T(the_same_state_runs_its_command_once),
    T(what_happened_while_a_command_ran_is_not_queued),  T(a_state_that_came_back_meanwhile_runs_nothing),
    T(a_state_without_command_counts_all_the_same),      T(a_command_that_fails_does_not_end_it),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
