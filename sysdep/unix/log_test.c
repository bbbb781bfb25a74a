/* sysdep/unix/log_test.c: the log is tested from outside, through files and a pipe in place of stderr. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sysdep/clock.h"
#include "sysdep/log.h"

#define TEXT_SIZE (1 << 20)
#define WAIT_LIMIT BT_S(20)
#define THREADS 4
#define THREAD_LINES 200 /* all of them fit into the queue */
#define OVERFLOW_LINES 3000
#define RACER_LINES 3000

struct fixture
{
  char dir[32];
  char a[48], b[48]; /* file names in @dir */
  char *text;        /* TEXT_SIZE bytes, what was read last */
};

static const char *
text_of(struct fixture *f, const char *name)
{
  FILE *file = fopen(name, "re");
  size_t size = file ? fread(f->text, 1, TEXT_SIZE - 1, file) : 0;

  if (file)
    fclose(file);
  f->text[size] = 0;
  return f->text;
}

static void
wait_for(struct fixture *f, const char *name, const char *what)
{
  btime limit = clock_now() + WAIT_LIMIT;

  while (!strstr(text_of(f, name), what))
  {
    assert_true(clock_now() < limit);
    usleep(1000);
  }
}

static uint
count_of(const char *text, const char *what)
{
  uint count = 0;

  for (; (text = strstr(text, what)); text += strlen(what))
    count++;
  return count;
}

static struct log_sink
file_sink(const char *name)
{
  return (struct log_sink){ .kind = LOG_FILE, .classes = LOG_ALL, .name = name };
}

static void
start_with_file(const char *name)
{
  struct log_sink s = file_sink(name);

  log_set_sinks(&s, 1);
  log_start();
}

static int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  strcpy(f->dir, "/tmp/log_test_XXXXXX");
  if (!mkdtemp(f->dir))
    return -1;
  snprintf(f->a, sizeof(f->a), "%s/a.log", f->dir);
  snprintf(f->b, sizeof(f->b), "%s/b.log", f->dir);
  f->text = malloc(TEXT_SIZE);
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  log_stop();
  unlink(f->a);
  unlink(f->b);
  rmdir(f->dir);
  free(f->text);
  free(f);
  return 0;
}

/* --- stderr replaced by a pipe --- */

struct capture
{
  int saved, read_end;
};

static struct capture
capture_start(void)
{
  int ends[2];

  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  struct capture c = { .saved = dup(STDERR_FILENO), .read_end = ends[0] };

  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  fcntl(STDERR_FILENO, F_SETPIPE_SZ, 4096);
  fcntl(c.read_end, F_SETFL, O_NONBLOCK);
  return c;
}

static void
capture_end(struct capture *c)
{
  dup2(c->saved, STDERR_FILENO);
  close(c->saved);
  close(c->read_end);
}

/* Reads on from @len until @what is there. */
static size_t
capture_until(struct capture *c, struct fixture *f, size_t len, const char *what)
{
  btime limit = clock_now() + WAIT_LIMIT;

  f->text[len] = 0;
  while (!strstr(f->text, what))
  {
    struct pollfd p = { c->read_end, POLLIN, 0 };

    assert_true(clock_now() < limit);
    poll(&p, 1, 10);
    ssize_t got = read(c->read_end, f->text + len, TEXT_SIZE - 1 - len);

    len += got > 0 ? got : 0;
    f->text[len] = 0;
  }
  return len;
}

/* --- The tests --- */

static void
lines_carry_time_class_and_text(void **ctx)
{
  static const char *const letters[L__MAX] = { "DBG", "TRACE", "INFO",  "RMT", "WARN",
                                               "ERR", "AUTH",  "FATAL", "BUG" };
  struct fixture *f = *ctx;
  int year, month, day, hour, minute, second, ms, end = 0;
  char class[8];

  start_with_file(f->a);
  for (int c = 0; c < L__MAX; c++)
    log_write(c, "text %d", c);
  log_stop();

  char *line = strtok((char *) text_of(f, f->a), "\n");

  for (int c = 0; c < L__MAX; c++, line = strtok(NULL, "\n"))
  {
    char want[16];

    assert_non_null(line);
    assert_int_equal(sscanf(line, "%4d-%2d-%2d %2d:%2d:%2d.%3d <%7[A-Z]> %n", &year, &month, &day, &hour,
                            &minute, &second, &ms, class, &end),
                     8);
    assert_int_equal(end, 24 + strlen(letters[c]) + 3);
    assert_string_equal(class, letters[c]);
    snprintf(want, sizeof(want), "text %d", c);
    assert_string_equal(line + end, want);
  }
  assert_null(line);
}

static void
class_names_are_the_configuration_words(void **ctx UNUSED)
{
  static const char *const names[L__MAX] = { "debug", "trace", "info",  "remote", "warning",
                                             "error", "auth",  "fatal", "bug" };

  for (int c = 0; c < L__MAX; c++)
    assert_string_equal(log_class_name(c), names[c]);
}

static void
files_are_appended_to_and_created_0640(void **ctx)
{
  struct fixture *f = *ctx;
  struct stat st;
  mode_t mask = umask(0);

  for (int round = 0; round < 2; round++)
  {
    start_with_file(f->a);
    log_write(L_INFO, "round %d", round);
    log_stop();
  }
  umask(mask);
  assert_int_equal(stat(f->a, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0640);
  assert_non_null(strstr(text_of(f, f->a), "round 0\n"));
  assert_non_null(strstr(f->text, "round 1\n"));
}

static void
sinks_get_the_classes_they_ask_for(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_FILE, .classes = 1 << L_INFO, .name = f->a },
                              { .kind = LOG_FILE, .classes = 1 << L_ERR | 1 << L_BUG, .name = f->b } };

  log_set_sinks(sinks, 2);
  log_start();
  log_write(L_INFO, "first");
  log_write(L_ERR, "second");
  log_write(L_TRACE, "third");
  log_stop();
  assert_int_equal(count_of(text_of(f, f->a), "\n"), 1);
  assert_non_null(strstr(f->text, "<INFO> first\n"));
  assert_int_equal(count_of(text_of(f, f->b), "\n"), 1);
  assert_non_null(strstr(f->text, "<ERR> second\n"));
}

static void *
write_lines(void *arg)
{
  for (int i = 0; i < THREAD_LINES; i++)
    log_write(L_INFO, "thread %d line %d", *(int *) arg, i);
  return NULL;
}

static void
order_is_kept_per_thread(void **ctx)
{
  struct fixture *f = *ctx;
  pthread_t threads[THREADS];
  int ids[THREADS], next[THREADS] = { 0 };
  u64 lost = log_lost();

  start_with_file(f->a);
  for (int i = 0; i < THREADS; i++)
  {
    ids[i] = i;
    pthread_create(&threads[i], NULL, write_lines, &ids[i]);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  log_stop();

  assert_int_equal(log_lost() - lost, 0);
  for (const char *p = text_of(f, f->a); (p = strstr(p, "thread ")); p++)
  {
    int thread, line;

    assert_int_equal(sscanf(p, "thread %d line %d\n", &thread, &line), 2);
    assert_int_equal(line, next[thread]++);
  }
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(next[i], THREAD_LINES);
}

static void
overflow_counts_and_reports_losses(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = { .kind = LOG_STDERR, .classes = LOG_ALL };
  u64 before = log_lost(), reported = 0;
  struct capture c = capture_start();

  log_set_sinks(&s, 1);
  log_start();
  for (int i = 0; i < OVERFLOW_LINES; i++)
    log_write(L_INFO, "line %d", i);

  /* The pipe holds a page and the queue 1024 lines; nobody has read yet. */
  u64 lost = log_lost() - before;

  assert_true(lost > OVERFLOW_LINES / 2);
  size_t len = capture_until(&c, f, 0, "log lines lost\n");

  log_write(L_INFO, "end");
  capture_until(&c, f, len, "<INFO> end\n");
  log_stop();
  capture_end(&c);
  assert_int_equal(log_lost() - before, lost);

  for (const char *p = f->text; (p = strstr(p, "<WARN> ")); p++)
  {
    u64 n;

    assert_int_equal(sscanf(p, "<WARN> %" SCNu64 " log lines lost\n", &n), 1);
    reported += n;
  }
  assert_int_equal(reported, lost);
  assert_int_equal(count_of(f->text, "<INFO> line ") + lost, OVERFLOW_LINES);
}

static void
writing_works_again_after_an_overflow(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = { .kind = LOG_STDERR, .classes = LOG_ALL };
  struct capture c = capture_start();
  u64 before = log_lost();

  log_set_sinks(&s, 1);
  log_start();
  while (log_lost() == before)
    log_write(L_INFO, "filler");
  size_t len = capture_until(&c, f, 0, "log lines lost\n");
  u64 lost = log_lost();

  log_write(L_INFO, "afterwards");
  capture_until(&c, f, len, "<INFO> afterwards\n");
  assert_int_equal(log_lost(), lost);
  log_stop();
  capture_end(&c);
}

static void
limit_lets_a_burst_pass_and_counts_the_rest(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_limit limit = { .burst = 2, .period = BT_S(3600) };

  start_with_file(f->a);
  for (int i = 0; i < 29; i++)
    log_rl(&limit, L_REMOTE, "bad packet %d", i);
  limit.window_start -= BT_S(3600);
  log_rl(&limit, L_REMOTE, "bad packet again");
  log_rl(&limit, L_REMOTE, "and once more");
  log_stop();

  assert_int_equal(count_of(text_of(f, f->a), "\n"), 4);
  assert_non_null(strstr(f->text, "<RMT> bad packet 0\n"));
  assert_non_null(strstr(f->text, "<RMT> bad packet 1\n"));
  assert_non_null(strstr(f->text, "<RMT> bad packet again (27 more like this)\n"));
  assert_non_null(strstr(f->text, "<RMT> and once more\n"));
}

static void
zero_limit_is_five_lines_in_ten_seconds(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_limit limit = { 0 };

  start_with_file(f->a);
  log_rl(&limit, L_INFO, "line");
  for (int i = 0; i < 19; i++)
    log_rl(&limit, L_INFO, "line");
  limit.window_start -= BT_S(10);
  log_rl(&limit, L_INFO, "line");
  log_stop();
  assert_int_equal(count_of(text_of(f, f->a), "line"), 6);
  assert_non_null(strstr(f->text, "line (15 more like this)\n"));
}

static void
long_lines_are_cut_and_say_so(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_limit limit = { .burst = 1, .period = BT_S(3600), .swallowed = 3 };
  char text[2 * LOG_LINE_SIZE];

  start_with_file(f->a);
  for (size_t len = LOG_LINE_SIZE - 2; len <= LOG_LINE_SIZE; len++)
  {
    memset(text, 'x', len);
    text[len] = 0;
    log_write(L_INFO, "%s", text);
  }
  log_rl(&limit, L_INFO, "%s", text);
  log_stop();

  char *line = strtok((char *) text_of(f, f->a), "\n");
  const size_t head = strlen("YYYY-MM-DD HH:MM:SS.mmm <INFO> ");

  assert_int_equal(strlen(line) - head, LOG_LINE_SIZE - 2);
  assert_null(strstr(line, "..."));
  line = strtok(NULL, "\n");
  assert_int_equal(strlen(line) - head, LOG_LINE_SIZE - 1);
  assert_null(strstr(line, "..."));
  line = strtok(NULL, "\n");
  assert_int_equal(strlen(line) - head, LOG_LINE_SIZE - 1);
  assert_string_equal(line + strlen(line) - 4, "x...");
  line = strtok(NULL, "\n");
  assert_int_equal(strlen(line) - head, LOG_LINE_SIZE - 1);
  assert_non_null(strstr(line, "x... (3 more like this)"));
}

static void
cut_never_splits_a_character(void **ctx)
{
  struct fixture *f = *ctx;

  start_with_file(f->a);
  for (int shift = 0; shift < 4; shift++)
  {
    char text[2 * LOG_LINE_SIZE] = "aaaa";

    for (char *p = text + shift; p < text + LOG_LINE_SIZE + 8; p += 4)
      strcpy(p, "\xf0\x9f\xa6\x85");
    log_write(L_INFO, "%s", text);
  }
  log_stop();
  assert_int_equal(count_of(text_of(f, f->a), "\xf0\x9f\xa6\x85...\n"), 4);
}

static void
control_characters_are_replaced(void **ctx)
{
  struct fixture *f = *ctx;

  start_with_file(f->a);
  log_write(L_INFO, "%s",
            "two\nlines\r\ttab \x1b[31m \x7f \xc2\x9b"
            "31m caf\xc3\xa9 \xc2\xa0");
  log_stop();
  assert_int_equal(count_of(text_of(f, f->a), "\n"), 1);
  assert_non_null(strstr(f->text, "<INFO> two?lines??tab ?[31m ? ??31m caf\xc3\xa9 \xc2\xa0\n"));
}

static void
error_number_survives_and_can_be_printed(void **ctx)
{
  struct fixture *f = *ctx;

  start_with_file(f->a);
  errno = ENOENT;
  log_write(L_ERR, "reason: %m");
  assert_int_equal(errno, ENOENT);
  log_stop();
  assert_non_null(strstr(text_of(f, f->a), "reason: No such file or directory\n"));
}

static void
unopenable_file_is_named_in_the_other_sinks(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_FILE, .classes = LOG_ALL, .name = "/nowhere/at/all.log" },
                              { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->a } };

  log_start();
  log_set_sinks(sinks, 2);
  log_write(L_INFO, "afterwards");
  log_stop();
  assert_non_null(
      strstr(text_of(f, f->a), "<ERR> Cannot open log /nowhere/at/all.log: No such file or directory\n"));
  assert_non_null(strstr(f->text, "<INFO> afterwards\n"));
}

static void
without_any_usable_sink_lines_go_to_stderr(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = file_sink("/nowhere/at/all.log");
  struct capture c = capture_start();

  log_start();
  log_set_sinks(&s, 1);
  log_write(L_INFO, "still here");
  capture_until(&c, f, 0, "<INFO> still here\n");
  assert_non_null(strstr(f->text, "<ERR> Cannot open log /nowhere/at/all.log: "));
  log_stop();
  capture_end(&c);
}

static void
failing_sink_does_not_stop_the_others(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_FILE, .classes = LOG_ALL, .name = "/dev/full" },
                              { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->a } };

  log_set_sinks(sinks, 2);
  log_start();
  for (int i = 0; i < 100; i++)
    log_write(L_INFO, "line %d", i);
  wait_for(f, f->a, "Writing the log to /dev/full failed: No space left on device\n");
  log_stop();
  assert_int_equal(count_of(text_of(f, f->a), "<INFO> line "), 100);
  assert_int_equal(count_of(f->text, "/dev/full"), 1);
}

static void
stuck_or_broken_stderr_does_not_stop_the_others(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_STDERR, .classes = LOG_ALL },
                              { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->a } };
  struct capture c = capture_start();

  log_set_sinks(sinks, 2);
  log_start();
  for (int i = 0; i < 400; i++)
    log_write(L_INFO, "line %d", i);
  wait_for(f, f->a, "Writing the log to stderr failed: ");
  wait_for(f, f->a, "line 399\n");
  close(c.read_end);
  c.read_end = -1;
  log_write(L_INFO, "into a broken pipe");
  log_stop();
  capture_end(&c);
  assert_int_equal(count_of(text_of(f, f->a), "<INFO> line "), 400);
  assert_non_null(strstr(f->text, "into a broken pipe\n"));
}

static void
syslog_sink_works_beside_a_file(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_SYSLOG, .classes = LOG_ALL, .name = "log_test" },
                              { .kind = LOG_SYSLOG, .classes = LOG_ALL },
                              { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->a } };

  log_set_sinks(sinks, 3);
  log_start();
  log_write(L_DEBUG, "to all of them");
  log_stop();
  assert_non_null(strstr(text_of(f, f->a), "<DBG> to all of them\n"));
}

static void
renamed_file_is_opened_anew(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = file_sink(f->a);

  start_with_file(f->a);
  log_write(L_INFO, "old");
  wait_for(f, f->a, "old\n");
  assert_int_equal(rename(f->a, f->b), 0);
  log_set_sinks(&s, 1);
  log_write(L_INFO, "new");
  log_stop();
  assert_int_equal(count_of(text_of(f, f->a), "\n"), 1);
  assert_non_null(strstr(f->text, "new\n"));
  assert_int_equal(count_of(text_of(f, f->b), "\n"), 1);
  assert_non_null(strstr(f->text, "old\n"));
}

static uint
open_descriptors(void)
{
  DIR *d = opendir("/proc/self/fd");
  uint count = 0;

  while (readdir(d))
    count++;
  closedir(d);
  return count;
}

static void
replaced_sinks_are_closed(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->a },
                              { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->b } };
  uint before = open_descriptors();

  log_set_sinks(sinks, 2); /* replaced before any writer saw it */
  log_set_sinks(sinks, 2);
  log_start();
  for (int i = 0; i < 50; i++)
  {
    log_set_sinks(sinks, 1 + i % 2);
    log_write(L_INFO, "line %d", i);
  }
  log_stop();
  assert_int_equal(open_descriptors(), before);
  assert_int_equal(count_of(text_of(f, f->a), "\n"), 50);
}

static void
outside_start_and_stop_lines_go_to_stderr(void **ctx)
{
  struct fixture *f = *ctx;
  struct capture c = capture_start();

  log_write(L_INFO, "before\x01");
  start_with_file(f->a);
  log_write(L_INFO, "within");
  log_stop();
  log_write(L_ERR, "after");
  capture_until(&c, f, 0, "bird: after\n");
  capture_end(&c);
  assert_string_equal(f->text, "bird: before?\nbird: after\n");
  assert_non_null(strstr(text_of(f, f->a), "within\n"));
}

struct racer
{
  atomic_bool stop;
  atomic_uint written;
};

static void *
write_until_stopped(void *arg)
{
  struct racer *r = arg;

  while (!atomic_load(&r->stop) && atomic_fetch_add(&r->written, 1) < RACER_LINES)
  {
    log_write(L_INFO, "racing");
    usleep(10);
  }
  return NULL;
}

static void
stopping_under_fire_loses_no_line(void **ctx)
{
  struct fixture *f = *ctx;
  struct racer r = { 0 };
  struct capture c = capture_start();
  u64 lost = log_lost();
  pthread_t thread;

  fcntl(STDERR_FILENO, F_SETPIPE_SZ, 1 << 16); /* takes them all, nobody reads before the end */
  start_with_file(f->a);
  pthread_create(&thread, NULL, write_until_stopped, &r);
  wait_for(f, f->a, "racing\n");
  log_stop();
  atomic_store(&r.stop, true);
  pthread_join(thread, NULL);

  /* An end to read up to; what could not be queued any more is before it. */
  log_write(L_INFO, "end");
  capture_until(&c, f, 0, "end\n");
  uint direct = count_of(f->text, "racing\n");

  capture_end(&c);
  assert_int_equal(count_of(text_of(f, f->a), "racing\n") + direct + (log_lost() - lost),
                   MIN(atomic_load(&r.written), (uint) RACER_LINES));
}

static void
die_prints_the_reason_and_exits_with_1(void **ctx)
{
  struct fixture *f = *ctx;
  struct capture c = capture_start();
  pid_t child = fork();
  int status;

  if (!child)
    die("cannot do %s", "it");
  assert_int_equal(waitpid(child, &status, 0), child);
  capture_until(&c, f, 0, "bird: cannot do it\n");
  capture_end(&c);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(lines_carry_time_class_and_text),
    TEST(class_names_are_the_configuration_words),
    TEST(files_are_appended_to_and_created_0640),
    TEST(sinks_get_the_classes_they_ask_for),
    TEST(order_is_kept_per_thread),
    TEST(overflow_counts_and_reports_losses),
    TEST(writing_works_again_after_an_overflow),
    TEST(limit_lets_a_burst_pass_and_counts_the_rest),
    TEST(zero_limit_is_five_lines_in_ten_seconds),
    TEST(long_lines_are_cut_and_say_so),
    TEST(cut_never_splits_a_character),
    TEST(control_characters_are_replaced),
    TEST(error_number_survives_and_can_be_printed),
    TEST(unopenable_file_is_named_in_the_other_sinks),
    TEST(without_any_usable_sink_lines_go_to_stderr),
    TEST(failing_sink_does_not_stop_the_others),
    TEST(stuck_or_broken_stderr_does_not_stop_the_others),
    TEST(syslog_sink_works_beside_a_file),
    TEST(renamed_file_is_opened_anew),
    TEST(replaced_sinks_are_closed),
    TEST(outside_start_and_stop_lines_go_to_stderr),
    TEST(stopping_under_fire_loses_no_line),
    TEST(die_prints_the_reason_and_exits_with_1),
  };

  return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
