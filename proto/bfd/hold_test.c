/*
 * proto/bfd/hold_test.c: `bfd disable`, `bfd enable` and `bfd reset counters`, typed into a control socket
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "nest/cli.h"
#include "proto/bfd/provider_fixture.h"
#include "sysdep/clock.h"

#define LIMIT BT_S(10)

/* One for all tests, as a daemon has it. */
static struct
{
  char dir[32];
  struct config *cfg;
} daemon_;

static struct config *
the_config(void)
{
  return daemon_.cfg;
}

static int
daemon_start(void **ctx UNUSED)
{
  struct conf_error error;
  char path[64];

  strcpy(daemon_.dir, "/tmp/hold_test_XXXXXX");
  if (!mkdtemp(daemon_.dir))
    return -1;
  snprintf(path, sizeof(path), "%s/bird.conf", daemon_.dir);

  FILE *file = fopen(path, "we");

  fputs("protocol device { }\n", file);
  fclose(file);
  daemon_.cfg = config_parse(path, false, &error);
  unlink(path);
  return daemon_.cfg ? 0 : -1;
}

static int
daemon_stop(void **ctx UNUSED)
{
  config_free(daemon_.cfg);
  return rmdir(daemon_.dir);
}

/* An operator */

struct operator
{
  struct fixture *f;
  struct cli_server *server;
  pool *pool;
  int fd;
  char reply[1024];
};

static int
connect_to(const char *path)
{
  struct sockaddr_un sa = { .sun_family = AF_UNIX };
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
  assert_return_code(connect(fd, (struct sockaddr *) &sa, sizeof(sa)), 0);
  assert_return_code(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  return fd;
}

/* The last line has a space behind its code. */
static bool
is_whole(const char *reply)
{
  size_t len = strlen(reply);
  const char *line = reply;

  if (!len || reply[len - 1] != '\n')
    return false;
  for (const char *p = reply; p < reply + len - 1; p++)
    if (*p == '\n')
      line = p + 1;
  return strlen(line) > 4 && line[0] != ' ' && line[4] == ' ';
}

static const char *read_reply(struct operator* o)
{
  size_t len = 0;

  o->reply[0] = 0;
  for (btime end = clock_now() + LIMIT; !is_whole(o->reply);)
  {
    ssize_t n;

    assert_true(clock_now() < end);
    settle(o->f);
    n = read(o->fd, o->reply + len, sizeof(o->reply) - 1 - len);
    len += MAX(n, 0);
    o->reply[len] = 0;
  }
  settle(o->f);
  return o->reply;
}

static const char *
type(struct operator* o, const char *line)
{
  size_t len = strlen(line);

  assert_int_equal(write(o->fd, line, len), len);
  assert_int_equal(write(o->fd, "\n", 1), 1);
  return read_reply(o);
}

static int
operator_setup(void **ctx)
{
  struct operator* o = calloc(1, sizeof(*o));
  char path[64];
  int error;

  setup((void **) &o->f);
  o->f->p.p.class = &proto_bfd;
  o->f->p.p.state = PROTO_UP;
  list_add_tail((struct list *) proto_list(), &o->f->p.p.n);
  snprintf(path, sizeof(path), "%s/ctl", daemon_.dir);
  o->pool = pool_new(NULL, "Sessions");
  cli_init(o->pool, o->f->loop);
  o->server = cli_listen(o->pool, o->f->loop, path, false, the_config, &error);
  assert_non_null(o->server);
  o->fd = connect_to(path);
  assert_non_null(strstr(read_reply(o), "ready"));
  unlink(path);
  *ctx = o;
  return 0;
}

static int
operator_teardown(void **ctx)
{
  struct operator* o = * ctx;

  list_remove(&o->f->p.p.n);
  close(o->fd);
  rfree(o->pool);
  teardown((void **) &o->f);
  free(o);
  return 0;
}

#define TYPED(name) cmocka_unit_test_setup_teardown(name, operator_setup, operator_teardown)

/* The session the engine was told of last. */
static void
expect_held(const struct operator* o, bool held)
{
  assert_int_equal(o->f->last.params.admin_down, held);
}

/* Disable and enable */

static void
a_session_is_held_and_let_go(void **ctx)
{
  struct operator* o = * ctx;

  eth0_up();
  ask(o->f, "10.0.0.7", NULL, NULL);
  ask(o->f, "10.0.0.8", NULL, NULL);
  told(o->f, "A1 A2");
  assert_string_equal(type(o, "bfd disable 10.0.0.7"), "0009-bfd1: session to 10.0.0.7 disabled\n0000 \n");
  told(o->f, "C1");
  expect_held(o, true);
  assert_string_equal(type(o, "bfd disable 10.0.0.7"),
                      "0008-bfd1: session to 10.0.0.7 already disabled\n0000 \n");
  told(o->f, "");
  assert_string_equal(type(o, "bfd enable 10.0.0.7"), "0011-bfd1: session to 10.0.0.7 enabled\n0000 \n");
  told(o->f, "C1");
  expect_held(o, false);
  assert_string_equal(type(o, "bfd enable 10.0.0.7"),
                      "0010-bfd1: session to 10.0.0.7 already enabled\n0000 \n");
  told(o->f, "");
}

static void
what_is_not_there_cannot_be_held(void **ctx)
{
  struct operator* o = * ctx;

  eth0_up();
  ask(o->f, "10.0.0.7", NULL, NULL);
  settle(o->f);
  assert_string_equal(type(o, "bfd disable 10.0.0.8"), "9001 There is no BFD session to 10.0.0.8\n");
  assert_string_equal(type(o, "bfd enable 10.0.0.8"), "9001 There is no BFD session to 10.0.0.8\n");
  assert_string_equal(type(o, "bfd disable 10.0.0.7 dev \"eth1\""),
                      "9001 There is no BFD session to 10.0.0.7 on eth1\n");
  ask(o->f, "10.0.0.8", NULL, NULL);
  told(o->f, "A1 A2");
  expect_held(o, false);
}

/* The engine has not heard of it, for it has no path. */
static void
a_session_that_waits_is_held_from_its_first_packet_on(void **ctx)
{
  struct operator* o = * ctx;

  ask(o->f, "10.0.0.7", "eth0", NULL);
  told(o->f, "");
  type(o, "bfd disable 10.0.0.7");
  told(o->f, "");
  eth0_up();
  told(o->f, "A1");
  expect_held(o, true);
  type(o, "bfd enable 10.0.0.7");
  told(o->f, "C1");
  expect_held(o, false);
}

static void
a_hold_outlives_requests_and_reloads(void **ctx)
{
  struct operator* o = * ctx;
  struct client *c;

  eth0_up();
  c = ask(o->f, "10.0.0.7", NULL, NULL);
  settle(o->f);
  type(o, "bfd disable 10.0.0.7");
  told(o->f, "A1 C1");
  bfd_provide_again(&o->f->p);
  told(o->f, "");
  rfree(c->r);
  told(o->f, "R1");
  assert_string_equal(type(o, "bfd disable 10.0.0.7"),
                      "0008-bfd1: session to 10.0.0.7 already disabled\n0000 \n");
  ask(o->f, "10.0.0.7", NULL, NULL);
  told(o->f, "A2");
  expect_held(o, true);
  type(o, "bfd enable 10.0.0.7");
  told(o->f, "C2");
  expect_held(o, false);
}

/* Enabled while there is no session: that ends the hold, too. */
static void
a_hold_ends_without_a_session(void **ctx)
{
  struct operator* o = * ctx;
  struct client *c;

  eth0_up();
  c = ask(o->f, "10.0.0.7", NULL, NULL);
  settle(o->f);
  type(o, "bfd disable 10.0.0.7");
  rfree(c->r);
  told(o->f, "A1 C1 R1");
  assert_string_equal(type(o, "bfd enable 10.0.0.7"), "0011-bfd1: session to 10.0.0.7 enabled\n0000 \n");
  ask(o->f, "10.0.0.7", NULL, NULL);
  told(o->f, "A2");
  expect_held(o, false);
}

static void two_interfaces(struct operator* o)
{
  eth0_up();
  link_up(6, "eth1");
  addr(5, "fe80::1", 64, false);
  addr(6, "fe80::1", 64, false);
  ask(o->f, "fe80::7", "eth0", NULL);
  ask(o->f, "fe80::7", "eth1", NULL);
  told(o->f, "A1 A2");
}

static void
an_interface_narrows_what_is_meant(void **ctx)
{
  struct operator* o = * ctx;

  two_interfaces(o);
  type(o, "bfd disable fe80::7 dev \"eth1\"");
  told(o->f, "C2");
  expect_held(o, true);
  type(o, "bfd enable fe80::7 dev \"eth0\"");
  told(o->f, "");
  type(o, "bfd disable fe80::7%eth0");
  told(o->f, "C1");
  type(o, "bfd enable fe80::7"); /* all of them */
  told(o->f, "C1 C2");
  expect_held(o, false);
}

static void
a_hold_on_any_interface_is_not_denied_when_one_is_named(void **ctx)
{
  struct operator* o = * ctx;

  two_interfaces(o);
  type(o, "bfd disable fe80::7");
  told(o->f, "C1 C2");
  assert_null(strstr(type(o, "bfd enable fe80::7 dev \"eth0\""), "already enabled"));
}

static void
multihop_sessions_are_held_as_well(void **ctx)
{
  struct operator* o = * ctx;

  eth0_up();
  ask_multihop(o->f, "192.0.2.7", "10.0.0.1");
  settle(o->f);
  type(o, "bfd disable 192.0.2.7");
  told(o->f, "A1 C1");
  expect_held(o, true);
}

static void
what_changes_while_it_is_held_counts_when_it_is_let_go(void **ctx)
{
  struct operator* o = * ctx;
  struct ring ring;
  struct password_list *l = password_list_new(o->f->pool);
  struct bfd_options opt = { .set = BFD_OPT_AUTH | BFD_OPT_PASSWORDS,
                             .guard = { .auth = BFD_AUTH_KEYED_SHA1, .passwords = l } };
  struct client *c;

  password_add(l, (const byte *) "secret", 6);
  eth0_up();
  c = ask(o->f, "10.0.0.7", NULL, NULL);
  settle(o->f);
  type(o, "bfd disable 10.0.0.7");
  told(o->f, "A1 C1");
  bfd_request_change(c->r, &opt);
  told(o->f, "C1");
  expect_held(o, true);
  assert_true(bfd_keys_equal(ring_keys(&o->f->keys), one_key(&ring, BFD_AUTH_KEYED_SHA1, 1, "secret")));
  type(o, "bfd enable 10.0.0.7");
  told(o->f, "C1");
  expect_held(o, false);
  assert_true(bfd_keys_equal(ring_keys(&o->f->keys), ring_keys(&ring)));
}

static void
a_client_with_liveness_of_its_own_sees_no_failure_in_a_hold(void **ctx)
{
  struct operator* o = * ctx;
  struct bfd_note n = { .left_up = true, .status = { .state = BFD_ADMIN_DOWN } };
  struct client *c;

  eth0_up();
  c = ask(o->f, "10.0.0.7", NULL, NULL);
  settle(o->f);
  note(o->f, 1, BFD_UP, false);
  settle(o->f);
  type(o, "bfd disable 10.0.0.7");
  n.id = full_id(o->f, 1);
  bfd_note_received(&o->f->p, &n); /* what the engine says then */
  settle(o->f);
  assert_int_equal(c->last.state, BFD_ADMIN_DOWN);
  assert_false(c->last.failed);
}

/* Counters */

static void
counters_are_reset_for_one_peer_or_all(void **ctx)
{
  struct operator* o = * ctx;

  eth0_up();
  ask(o->f, "10.0.0.7", NULL, NULL);
  ask_multihop(o->f, "10.0.0.7", "10.0.0.1");
  ask(o->f, "10.0.0.8", NULL, NULL);
  ask(o->f, "192.0.2.7", "eth9", NULL); /* the engine does not know it */
  told(o->f, "A1 A2 A3");
  assert_string_equal(type(o, "bfd reset counters 10.0.0.8"), "0000 \n");
  told(o->f, "Z3");
  assert_string_equal(type(o, "bfd reset counters 10.0.0.7"), "0000 \n");
  told(o->f, "Z1 Z2");
  assert_string_equal(type(o, "bfd reset counters 10.0.0.7 dev \"eth0\""), "0000 \n");
  told(o->f, "Z1");
  assert_string_equal(type(o, "bfd reset counters"), "0000 \n");
  told(o->f, "Z0");
  assert_string_equal(type(o, "bfd reset counters 192.0.2.7"), "0000 \n");
  told(o->f, "");
  assert_string_equal(type(o, "bfd reset counters 10.9.9.9"), "9001 There is no BFD session to 10.9.9.9\n");
}

static void
an_instance_that_does_not_run_is_not_meant(void **ctx)
{
  struct operator* o = * ctx;

  eth0_up();
  ask(o->f, "10.0.0.7", NULL, NULL);
  told(o->f, "A1");
  o->f->p.p.state = PROTO_STOP;
  assert_string_equal(type(o, "bfd disable 10.0.0.7"), "9001 There is no BFD session to 10.0.0.7\n");
  assert_string_equal(type(o, "bfd reset counters"), "0000 \n");
  told(o->f, "");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TYPED(a_session_is_held_and_let_go),
    TYPED(what_is_not_there_cannot_be_held),
    TYPED(a_session_that_waits_is_held_from_its_first_packet_on),
    TYPED(a_hold_outlives_requests_and_reloads),
    TYPED(a_hold_ends_without_a_session),
    TYPED(an_interface_narrows_what_is_meant),
    TYPED(a_hold_on_any_interface_is_not_denied_when_one_is_named),
    TYPED(multihop_sessions_are_held_as_well),
    TYPED(what_changes_while_it_is_held_counts_when_it_is_let_go),
    TYPED(a_client_with_liveness_of_its_own_sees_no_failure_in_a_hold),
    TYPED(counters_are_reset_for_one_peer_or_all),
    TYPED(an_instance_that_does_not_run_is_not_meant),
  };

  return cmocka_run_group_tests(tests, daemon_start, daemon_stop);
}
