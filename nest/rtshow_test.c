/*
 * nest/rtshow_test.c: `show route`, asked through the control socket
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "nest/route_fixture.h"

#define MANY 20000
#define REPLY_SIZE (4 << 20)

struct world
{
  struct fixture f;
  char path[64];
  int fd;
  char *reply;
  size_t reply_len;
};

static struct world *the_world; /* whose configuration commands see */

/* --- Protocols --- */

static void
test_start(struct proto *p)
{
  proto_up(p);
}

static bool
test_reconfigure(struct proto *p UNUSED, struct proto_config *cf UNUSED)
{
  return true;
}

static void
listener_notify(struct channel *c UNUSED, const struct net_addr *a UNUSED, const struct net *n UNUSED,
                struct attrs *new UNUSED, struct attrs *old UNUSED)
{
}

static const struct proto_class class_talker = { .name = "Talker",
                                                 .prefix = "talker",
                                                 .config_size = sizeof(struct proto_config),
                                                 .size = sizeof(struct proto),
                                                 .channel_types = 1 << NET_IP4,
                                                 .preference = 100,
                                                 .start = test_start,
                                                 .reconfigure = test_reconfigure };
static const struct proto_class class_listener = { .name = "Listener",
                                                   .prefix = "listener",
                                                   .config_size = sizeof(struct proto_config),
                                                   .size = sizeof(struct proto),
                                                   .channel_types = 1 << NET_IP4,
                                                   .start = test_start,
                                                   .reconfigure = test_reconfigure,
                                                   .rt_notify = listener_notify };

/* --- The world: two talkers and two listeners, one of which rejects, at one table; another table --- */

static struct config *
config_in_force(void)
{
  return the_world->f.made[0];
}

static void
configure(struct world *w)
{
  struct table_config *t;

  fixture_config_begin(&w->f);
  t = fixture_table(&w->f, NET_IP4, "t");
  fixture_table(&w->f, NET_IP4, "other");
  fixture_channel(&w->f, &class_talker, "one", t);
  fixture_channel(&w->f, &class_talker, "two", t);
  fixture_channel(&w->f, &class_listener, "taker", t)->export = RT_ACCEPT;
  fixture_channel(&w->f, &class_listener, "refuser", t);
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
}

static int
connect_to(const char *path)
{
  struct sockaddr_un sa = { .sun_family = AF_UNIX };
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  strcpy(sa.sun_path, path);
  assert_int_equal(connect(fd, (struct sockaddr *) &sa, sizeof(sa)), 0);
  return fd;
}

/* Take what is there; true once the last line of a reply is. */
static bool
receive(struct world *w)
{
  const char *line;
  ssize_t n;

  settle(&w->f);
  while ((n = recv(w->fd, w->reply + w->reply_len, REPLY_SIZE - 1 - w->reply_len, MSG_DONTWAIT)) > 0)
    w->reply_len += n;
  w->reply[w->reply_len] = 0;
  if (!w->reply_len || w->reply[w->reply_len - 1] != '\n')
    return false;
  line = memrchr(w->reply, '\n', w->reply_len - 1);
  line = line ? line + 1 : w->reply;
  return strlen(line) > 4 && line[0] != ' ' && line[4] == ' ';
}

static void
send_line(struct world *w, const char *line)
{
  assert_int_equal(write(w->fd, line, strlen(line)), (ssize_t) strlen(line));
  assert_int_equal(write(w->fd, "\n", 1), 1);
  w->reply_len = 0;
}

static const char *
ask(struct world *w, const char *line)
{
  send_line(w, line);
  for (uint i = 0; !receive(w); i++)
    assert_true(i < 10000);
  return w->reply;
}

static int
setup(void **ctx)
{
  struct world *w = *ctx = the_world = calloc(1, sizeof(*w));
  int error;

  fixture_init(&w->f);
  configure(w);
  w->reply = malloc(REPLY_SIZE);
  snprintf(w->path, sizeof(w->path), "/tmp/rtshow-test-%d.ctl", (int) getpid());
  cli_init(w->f.pool, w->f.loop);
  assert_non_null(cli_listen(w->f.pool, w->f.loop, w->path, false, config_in_force, &error));
  w->fd = connect_to(w->path);
  while (!receive(w)) /* the greeting */
    ;
  return 0;
}

static int
teardown(void **ctx)
{
  struct world *w = *ctx;

  if (w->fd >= 0)
    close(w->fd);
  fixture_end(&w->f);
  unlink(w->path);
  free(w->reply);
  free(w);
  return 0;
}

/* --- Doing and looking --- */

static void
say(const char *who, u32 net, uint len, bool there)
{
  struct channel *c = proto_channel(proto_find(who), NET_IP4);
  struct net_addr a = net4(net, len);
  struct attrs *set = NULL;

  if (there)
    set = attrs_intern(&(struct attrs){ .origin = c->proto->origin,
                                        .source = RTS_STATIC,
                                        .dest = RTD_BLACKHOLE,
                                        .preference = c->cf->preference });
  channel_update(c, &a, 0, set);
  attrs_unref(set);
}

static uint
count_of(const char *text, const char *what)
{
  uint count = 0;

  while ((text = strstr(text, what)))
  {
    count++;
    text += strlen(what);
  }
  return count;
}

static void
few_routes(struct world *w)
{
  say("one", 0x0a000000, 8, true);
  say("two", 0x0a000000, 8, true);
  say("one", 0x0a010000, 16, true);
  say("two", 0x0b000000, 8, true);
  settle(&w->f);
}

/* --- The tests --- */

static void
all_routes_are_shown_the_best_marked(void **ctx)
{
  struct world *w = *ctx;
  const char *reply;

  few_routes(w);
  reply = ask(w, "show route");
  assert_int_equal(count_of(reply, "blackhole ["), 4);
  assert_int_equal(count_of(reply, " * "), 3);
  assert_int_equal(count_of(reply, "10.0.0.0/8 "), 1); /* the second route has no name before it */
  assert_int_equal(count_of(reply, "Table t:"), 1);
}

static void
networks_are_chosen(void **ctx)
{
  struct world *w = *ctx;

  few_routes(w);
  assert_int_equal(count_of(ask(w, "show route 10.0.0.0/8"), "blackhole"), 2);
  assert_int_equal(count_of(ask(w, "show route for 10.1.2.3"), "10.1.0.0/16"), 1);
  assert_int_equal(count_of(ask(w, "show route for 10.2.0.0/16"), "10.0.0.0/8"), 1);
  assert_int_equal(count_of(ask(w, "show route in 10.0.0.0/7"), "blackhole"), 4);
  assert_int_equal(count_of(ask(w, "show route in 10.0.0.0/9"), "blackhole"), 1);
  assert_int_equal(count_of(ask(w, "show route 10.0.0.0/9"), "8001 "), 1);
  assert_int_equal(count_of(ask(w, "show route for 12.0.0.1"), "8001 "), 1);
  assert_int_equal(count_of(ask(w, "show route for 2001:db8::1"), "8001 "), 1);
}

static void
routes_are_chosen(void **ctx)
{
  struct world *w = *ctx;

  few_routes(w);
  assert_int_equal(count_of(ask(w, "show route primary"), "blackhole"), 3);
  assert_int_equal(count_of(ask(w, "show route protocol two"), "blackhole"), 2);
  assert_int_equal(count_of(ask(w, "show route table other"), "blackhole"), 0);
  assert_int_equal(count_of(ask(w, "show route filtered"), "blackhole"), 0);
  assert_int_equal(count_of(ask(w, "show route count"), "4 of 4 routes for 3 networks in table t"), 1);
  assert_int_equal(count_of(ask(w, "show route protocol two count"), "2 of 4 routes"), 1);
}

static void
exports_are_shown_by_policy(void **ctx)
{
  struct world *w = *ctx;

  few_routes(w);
  assert_int_equal(count_of(ask(w, "show route export taker"), "blackhole"), 3);
  assert_int_equal(count_of(ask(w, "show route export refuser"), "blackhole"), 0);
  assert_int_equal(count_of(ask(w, "show route noexport refuser"), "blackhole"), 3);
  assert_int_equal(count_of(ask(w, "show route preexport refuser"), "blackhole"), 3);
  assert_int_equal(count_of(ask(w, "show route preexport one"), "blackhole"), 1); /* what is not its own */
}

/* The client reads slowly, and other routes come and go meanwhile. */
static void
a_long_listing_has_what_stays_exactly_once(void **ctx)
{
  struct world *w = *ctx;
  char line[32];

  for (u32 i = 0; i < MANY; i++)
    say("one", 0x0a000000 + i, 32, true);
  settle(&w->f);
  send_line(w, "show route");
  for (uint round = 0; !receive(w); round++)
    for (u32 i = 0; i < 500; i++)
      say("two", 0x0b000000 + random() % MANY, 32, random() % 2);
  assert_int_equal(count_of(w->reply, "[one "), MANY);
  for (u32 i = 0; i < MANY; i += 7)
  {
    snprintf(line, sizeof(line), "-10.0.%u.%u/32 ", i / 256, i % 256);
    line[0] = strstr(w->reply, line) ? '-' : ' '; /* the first line of a listing has its code before it */
    assert_int_equal(count_of(w->reply, line), 1);
  }
}

static void
without_tables(struct world *w)
{
  fixture_config_begin(&w->f);
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
}

static void
begin_long_listing(struct world *w, const char *command)
{
  for (u32 i = 0; i < MANY; i++)
    say("one", 0x0a000000 + i, 32, true);
  settle(&w->f);
  send_line(w, command);
  settle(&w->f);
}

/* Nobody reads: the listing waits, and the table with it, until the client goes. */
static void
a_table_stays_while_it_is_listed(void **ctx)
{
  struct world *w = *ctx;

  begin_long_listing(w, "show route");
  without_tables(w);
  assert_null(rt_find("t"));
  assert_false(list_empty(rt_tables()));
  close(w->fd);
  w->fd = -1;
  settle(&w->f);
  assert_true(list_empty(rt_tables()));
}

static void
a_listing_of_exports_ends_with_its_channel(void **ctx)
{
  struct world *w = *ctx;

  begin_long_listing(w, "show route export taker");
  without_tables(w);
  while (!receive(w))
    ;
  assert_int_equal(count_of(w->reply, "8004 "), 1);
  ask(w, "show route"); /* the session goes on */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(all_routes_are_shown_the_best_marked),
    TEST(networks_are_chosen),
    TEST(routes_are_chosen),
    TEST(exports_are_shown_by_policy),
    TEST(a_long_listing_has_what_stays_exactly_once),
    TEST(a_table_stays_while_it_is_listed),
    TEST(a_listing_of_exports_ends_with_its_channel),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
