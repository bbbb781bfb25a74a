/* sysdep/unix/log_sink_test.c: rotation, lost lines and datagrams, seen from outside the log */
#include <arpa/inet.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "sysdep/clock.h"
#include "sysdep/log.h"

#define TEXT_SIZE (1 << 16)
#define WAIT_LIMIT BT_S(20)

struct fixture
{
  char dir[32], log[64], backup[64], other[64];
  char text[TEXT_SIZE]; /* what was read last */
};

static int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  strcpy(f->dir, "/tmp/log_sink_test_XXXXXX");
  if (!mkdtemp(f->dir))
    return -1;
  snprintf(f->log, sizeof(f->log), "%s/bird.log", f->dir);
  snprintf(f->backup, sizeof(f->backup), "%s/bird.old", f->dir);
  snprintf(f->other, sizeof(f->other), "%s/other.log", f->dir);
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  log_stop();
  unlink(f->log);
  unlink(f->backup);
  unlink(f->other);
  rmdir(f->dir);
  free(f);
  return 0;
}

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

static bool
wait_for(struct fixture *f, const char *name, const char *what)
{
  btime limit = clock_now() + WAIT_LIMIT;

  while (!strstr(text_of(f, name), what) && clock_now() < limit)
    usleep(1000);
  return strstr(f->text, what);
}

static uint
lines_in(struct fixture *f, const char *name)
{
  uint count = 0;

  for (const char *c = text_of(f, name); *c; c++)
    count += *c == '\n';
  return count;
}

static off_t
size_of(const char *name)
{
  struct stat st = { 0 };

  stat(name, &st);
  return st.st_size;
}

static struct log_sink
rotating(struct fixture *f, uint classes)
{
  return (struct log_sink){
    .kind = LOG_FILE, .classes = classes, .name = f->log, .backup = f->backup, .limit = 1000
  };
}

static void
a_file_at_its_limit_becomes_the_backup(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = rotating(f, LOG_ALL);

  log_set_sinks(&s, 1);
  log_start();
  for (uint i = 0; i < 100; i++)
    log_write(L_INFO, "line %02u", i);
  log_stop();

  assert_true(size_of(f->log) > 0 && size_of(f->log) <= 1000);
  assert_true(size_of(f->backup) > 900 && size_of(f->backup) <= 1000);
  assert_non_null(strstr(text_of(f, f->log), "line 99\n"));
  assert_null(strstr(text_of(f, f->backup), "line 99\n"));
  /* No line is lost where the files meet, or cut. */
  uint n;

  assert_int_equal(sscanf(strstr(text_of(f, f->log), "line ") + 5, "%u", &n), 1);
  snprintf(f->other, sizeof(f->other), "line %02u\n", n - 1);
  const char *end = text_of(f, f->backup) + strlen(text_of(f, f->backup)) - strlen(f->other);

  assert_string_equal(end, f->other);
}

static void
what_is_in_the_file_already_counts(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = rotating(f, LOG_ALL);
  FILE *file = fopen(f->log, "we");

  fprintf(file, "%990s", "old\n");
  fclose(file);
  log_set_sinks(&s, 1);
  log_start();
  log_write(L_INFO, "new");
  log_stop();
  assert_int_equal(size_of(f->backup), 990);
  assert_int_equal(lines_in(f, f->log), 1);
}

/* Otherwise the second would go on writing to the backup. */
static void
sinks_of_one_file_rotate_together(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { rotating(f, 1 << L_INFO), rotating(f, 1 << L_ERR) };

  log_set_sinks(sinks, 2);
  log_start();
  for (uint i = 0; i < 30; i++)
    log_write(L_INFO, "filler");
  log_write(L_ERR, "the last one");
  log_stop();
  assert_non_null(strstr(text_of(f, f->log), "<ERR> the last one\n"));
  assert_true(size_of(f->backup) <= 1000);
}

static void
a_file_that_cannot_be_renamed_goes_on_growing(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = rotating(f, LOG_ALL);

  s.backup = "/nowhere/at/all";
  log_set_sinks(&s, 1);
  log_start();
  for (uint i = 0; i < 100; i++)
    log_write(L_INFO, "line %02u", i);
  assert_true(wait_for(f, f->log, "<ERR> Cannot rename log file "));
  log_stop();
  assert_int_equal(lines_in(f, f->log), 101);
  assert_non_null(strstr(f->text, "line 99\n"));
}

/* A limit on the size of files stands for a disk that is full and then is not. */
static void
lines_lost_to_a_full_disk_are_told_once_there_is_room(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_FILE, .classes = 1 << L_INFO, .name = f->log },
                              { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->other } };
  struct rlimit lim;
  u64 before = log_unwritten();

  log_set_sinks(sinks, 2);
  log_start();
  log_write(L_INFO, "fits");
  assert_true(wait_for(f, f->log, "fits\n"));
  getrlimit(RLIMIT_FSIZE, &lim);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){ size_of(f->log) + 10, lim.rlim_max });
  for (uint i = 0; i < 7; i++)
    log_write(L_INFO, "line %u does not", i);
  btime limit = clock_now() + WAIT_LIMIT;

  while (log_unwritten() < before + 7 && clock_now() < limit)
    usleep(1000);
  log_set_sinks(sinks, 2); /* a reload in between forgets nothing */
  setrlimit(RLIMIT_FSIZE, &lim);
  log_write(L_INFO, "fits again");
  log_write(L_INFO, "and again");
  log_stop();

  const char *loss = strstr(text_of(f, f->log), " log lines are missing here: ");

  assert_non_null(loss);
  assert_null(strstr(loss + strlen(" log lines are missing"), "missing"));
  assert_non_null(strstr(f->text, "<WARN> 7 log lines are missing here: File too large\n"));
  assert_non_null(strstr(f->text, "<INFO> fits again\n"));
  assert_int_equal(lines_in(f, f->log), 5); /* one of them torn */
}

/* --- Datagrams --- */

static int
server(u16 *port)
{
  struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t len = sizeof(sa);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  assert_int_equal(bind(fd, (struct sockaddr *) &sa, sizeof(sa)), 0);
  getsockname(fd, (struct sockaddr *) &sa, &len);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 20, 0 }, sizeof(struct timeval));
  *port = ntohs(sa.sin_port);
  return fd;
}

static void
datagrams_have_the_form_of_rfc3164(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = {
    .kind = LOG_UDP, .classes = LOG_ALL, .host = ip_v4(INADDR_LOOPBACK), .hostname = "r1"
  };
  int fd = server(&s.port), pid;
  char month[4], clock[9], expected[64];

  log_set_sinks(&s, 1);
  log_start();
  log_write(L_WARN, "something happened");
  ssize_t size = recv(fd, f->text, TEXT_SIZE - 1, 0);

  assert_true(size > 0);
  f->text[size] = 0;
  /* daemon (3) * 8 + warning (4) */
  assert_int_equal(sscanf(f->text, "<28>%3s %*2d %8s r1 bird[%d]: ", month, clock, &pid), 3);
  assert_int_equal(pid, getpid());
  snprintf(expected, sizeof(expected), " r1 bird[%d]: something happened", pid);
  assert_string_equal(f->text + strlen("<28>Mmm dd hh:mm:ss"), expected);
  close(fd);
}

static void
a_host_that_does_not_listen_stops_nobody(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_UDP, .classes = LOG_ALL, .host = ip_v4(INADDR_LOOPBACK) },
                              { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->log } };

  close(server(&sinks[0].port));
  log_set_sinks(sinks, 2);
  log_start();
  for (uint i = 0; i < 100; i++)
    log_write(L_INFO, "line %02u", i);
  log_stop();
  assert_non_null(strstr(text_of(f, f->log), "line 99\n"));
}

static void
a_host_that_cannot_be_reached_is_named(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink sinks[] = { { .kind = LOG_UDP, .classes = LOG_ALL, .port = 514 },
                              { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->log } };

  sinks[0].host = ip_v4(INADDR_BROADCAST); /* which nobody allowed us */
  log_set_sinks(sinks, 2);
  log_start();
  log_write(L_INFO, "line");
  assert_true(wait_for(f, f->log, "<ERR> Writing the log to 255.255.255.255 failed: Permission denied\n"));
}

static void
times_have_the_format_asked_for(void **ctx)
{
  struct fixture *f = *ctx;
  struct log_sink s = { .kind = LOG_FILE, .classes = LOG_ALL, .name = f->log, .time = "[%H/%3f]" };
  uint hour, ms;

  log_set_sinks(&s, 1);
  log_start();
  log_write(L_INFO, "text");
  log_stop();
  assert_int_equal(sscanf(text_of(f, f->log), "[%2u/%3u] <INFO> text\n", &hour, &ms), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_file_at_its_limit_becomes_the_backup),
    TEST(what_is_in_the_file_already_counts),
    TEST(sinks_of_one_file_rotate_together),
    TEST(a_file_that_cannot_be_renamed_goes_on_growing),
    TEST(lines_lost_to_a_full_disk_are_told_once_there_is_room),
    TEST(datagrams_have_the_form_of_rfc3164),
    TEST(a_host_that_does_not_listen_stops_nobody),
    TEST(a_host_that_cannot_be_reached_is_named),
    TEST(times_have_the_format_asked_for),
  };

  return cmocka_run_group_tests_name("log_sink", tests, NULL, NULL);
}
