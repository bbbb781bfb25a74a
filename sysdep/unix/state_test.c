/* sysdep/unix/state_test.c: a secret that stays, in a directory that may be anything */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sysdep/state.h"

#define SIZE 32

struct fixture
{
  char dir[64], file[80];
};

static int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  snprintf(f->dir, sizeof(f->dir), "/tmp/state-test-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  snprintf(f->file, sizeof(f->file), "%s/secret", f->dir);
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  unlink(f->file);
  assert_int_equal(rmdir(f->dir), 0); /* nothing was left behind */
  free(f);
  return 0;
}

static void
write_file(const struct fixture *f, size_t size, int mode)
{
  byte data[64] = { 1, 2, 3 };
  int fd = open(f->file, O_WRONLY | O_CREAT | O_TRUNC, mode);

  assert_true(fd >= 0 && size <= sizeof(data));
  assert_int_equal(write(fd, data, size), size);
  assert_int_equal(fchmod(fd, mode), 0);
  close(fd);
}

static void
a_secret_is_made_once_and_found_again(void **ctx)
{
  struct fixture *f = *ctx;
  byte a[SIZE] = { 0 }, b[SIZE] = { 0 }, none[SIZE] = { 0 };
  struct stat st;

  assert_int_equal(state_secret(f->dir, "secret", a, SIZE), 0);
  assert_int_equal(state_secret(f->dir, "secret", b, SIZE), 0);
  assert_memory_equal(a, b, SIZE);
  assert_memory_not_equal(a, none, SIZE);
  assert_int_equal(stat(f->file, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
}

static void
every_directory_has_its_own(void **ctx)
{
  struct fixture *f = *ctx;
  byte a[SIZE], b[SIZE];

  assert_int_equal(state_secret(f->dir, "secret", a, SIZE), 0);
  assert_int_equal(unlink(f->file), 0);
  assert_int_equal(state_secret(f->dir, "secret", b, SIZE), 0);
  assert_memory_not_equal(a, b, SIZE);
}

static void
what_is_wrong_is_said_and_nothing_is_replaced(void **ctx)
{
  struct fixture *f = *ctx;
  byte secret[SIZE] = { 0 };

  assert_int_equal(state_secret("/nonexistent/directory", "secret", secret, SIZE), -ENOENT);
  assert_int_equal(state_secret("/dev/null", "secret", secret, SIZE), -ENOTDIR);
  for (size_t size = 0; size < SIZE + 2; size++)
  {
    write_file(f, size, 0600);
    assert_int_equal(state_secret(f->dir, "secret", secret, SIZE), size == SIZE ? 0 : -EBADMSG);
  }
  write_file(f, SIZE, 0640);
  assert_int_equal(state_secret(f->dir, "secret", secret, SIZE), -EPERM);
  assert_int_equal(unlink(f->file), 0);
  assert_int_equal(mkfifo(f->file, 0600), 0); /* does not wait for a writer */
  assert_int_equal(state_secret(f->dir, "secret", secret, SIZE), -EBADMSG);
  assert_int_equal(unlink(f->file), 0);
  assert_int_equal(symlink("/dev/zero", f->file), 0);
  assert_int_equal(state_secret(f->dir, "secret", secret, SIZE), -ELOOP);
}

static void
those_that_start_at_once_agree(void **ctx)
{
  struct fixture *f = *ctx;
  byte mine[SIZE], theirs[SIZE];
  int pipes[2], status;

  assert_int_equal(pipe(pipes), 0);
  for (int i = 0; i < 20; i++)
  {
    pid_t child = fork();

    assert_true(child >= 0);
    if (!child)
    {
      if (state_secret(f->dir, "secret", theirs, SIZE) || write(pipes[1], theirs, SIZE) != SIZE)
        _exit(1);
      _exit(0);
    }
    assert_int_equal(state_secret(f->dir, "secret", mine, SIZE), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(pipes[0], theirs, SIZE), SIZE);
    assert_memory_equal(mine, theirs, SIZE);
    assert_int_equal(unlink(f->file), 0);
  }
  close(pipes[0]);
  close(pipes[1]);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_secret_is_made_once_and_found_again, setup, teardown),
    cmocka_unit_test_setup_teardown(every_directory_has_its_own, setup, teardown),
    cmocka_unit_test_setup_teardown(what_is_wrong_is_said_and_nothing_is_replaced, setup, teardown),
    cmocka_unit_test_setup_teardown(those_that_start_at_once_agree, setup, teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
