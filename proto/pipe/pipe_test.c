/*
 * proto/pipe/pipe_test.c: tables joined by pipes, two of them and three in a ring
 *
 * In each table stands a talker. When all is quiet, what it says has to be in every table that pipes lead to,
 * and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/route_fixture.h"
#include "proto/pipe/pipe.h"

#define TABLES 3
#define NETS 200

struct world
{
  struct fixture f;
  uint tables;
  struct table_config *table_cf[TABLES];
  struct pipe_config *pipe_cf[TABLES]; /* number i leads from table i to the next */
  uint said[TABLES][NETS];             /* by the talker there, a metric; zero: nothing */
};

static const char *const table_names[] = { "t0", "t1", "t2" };
static const char *const talker_names[] = { "talker0", "talker1", "talker2" };
static const char *const pipe_names[] = { "pipe0", "pipe1", "pipe2" };

static void
talker_start(struct proto *p)
{
  proto_up(p);
}

static bool
talker_reconfigure(struct proto *p UNUSED, struct proto_config *cf UNUSED)
{
  return true;
}

static const struct proto_class class_talker = {
  .name = "Talker",
  .prefix = "talker",
  .config_size = sizeof(struct proto_config),
  .size = sizeof(struct proto),
  .channel_types = 1 << NET_IP4,
  .preference = 100,
  .start = talker_start,
  .reconfigure = talker_reconfigure,
};

/* --- Configurations --- */

static struct pipe_config *
pipe_begin(struct world *w, uint i)
{
  struct pipe_config *pc =
      (struct pipe_config *) fixture_proto_begin(&w->f, &proto_pipe, pipe_names[i], NULL);

  pc->block.table = w->table_cf[i];
  pc->peer = w->table_cf[(i + 1) % w->tables];
  return pc;
}

/* Two tables with one pipe, or three with three; @edit may change pipes before they are complete. */
static void
configure(struct world *w, void (*edit)(struct world *w))
{
  fixture_config_begin(&w->f);
  for (uint i = 0; i < w->tables; i++)
    w->table_cf[i] = fixture_table(&w->f, NET_IP4, table_names[i]);
  for (uint i = 0; i < w->tables; i++)
    fixture_channel(&w->f, &class_talker, talker_names[i], w->table_cf[i]);
  for (uint i = 0; i < (w->tables == 2 ? 1 : w->tables); i++)
    w->pipe_cf[i] = pipe_begin(w, i);
  if (edit)
    edit(w);
  for (uint i = 0; i < TABLES && w->pipe_cf[i]; i++)
    fixture_proto_end(&w->f, &w->pipe_cf[i]->c);
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
}

static int
setup_tables(void **ctx, uint tables)
{
  struct world *w = *ctx = calloc(1, sizeof(*w));

  w->tables = tables;
  fixture_init(&w->f);
  return 0;
}

static int
setup_pair(void **ctx)
{
  return setup_tables(ctx, 2);
}

static int
setup_ring(void **ctx)
{
  return setup_tables(ctx, 3);
}

static int
teardown(void **ctx)
{
  struct world *w = *ctx;

  protos_shutdown(fixture_progress);
  settle(&w->f);
  for (uint t = 0; t < w->tables; t++)
  {
    assert_int_equal(rt_find(table_names[t])->route_count, 0);
    assert_int_equal(rt_find(table_names[t])->net_objects, 0);
  }
  fixture_end(&w->f);
  free(w);
  return 0;
}

/* --- Doing things --- */

static struct channel *
talker_channel(uint t)
{
  return proto_channel(proto_find(talker_names[t]), NET_IP4);
}

/* The number of the route is part of what is said: another metric, another number. */
static void
update(struct world *w, uint t, u32 net, uint metric, u32 path_id)
{
  struct channel *c = talker_channel(t);
  struct net_addr a = net4(0x0a000000 + net, 32);
  struct attrs *set = NULL;

  if (metric)
    set = attrs_intern(&(struct attrs){ .origin = c->proto->origin,
                                        .source = RTS_STATIC,
                                        .dest = RTD_BLACKHOLE,
                                        .preference = c->cf->preference,
                                        .igp_metric = metric });
  channel_update(c, &a, path_id, set);
  attrs_unref(set);
  w->said[t][net] = metric;
}

static void
say(struct world *w, uint t, u32 net, uint metric)
{
  update(w, t, net, metric, 0);
}

static void
say_all(struct world *w, uint t, uint metric)
{
  for (u32 i = 0; i < NETS; i++)
    say(w, t, i, metric);
}

/* --- What must hold --- */

static struct net *
net_in(uint t, u32 net)
{
  struct net_addr a = net4(0x0a000000 + net, 32);

  return rt_net(rt_find(table_names[t]), &a);
}

/* The best of the routes in table @t that talker @from made, or NULL. */
static const struct route *
route_from(uint t, u32 net, uint from)
{
  const struct net *n = net_in(t, net);

  for (const struct route *r = n ? n->routes : NULL; r; r = r->next)
    if (r->attrs->origin == proto_find(talker_names[from])->origin)
      return r;
  return NULL;
}

/* As a limit does, but for the pause that follows. */
static void
restart(const char *who)
{
  proto_limit_hit(proto_find(who), false, "patience");
  timer_set_in(proto_find(who)->limit_restart, 0);
}

static void
check_copy(const struct world *w, uint t, u32 net, uint from)
{
  const struct route *r = route_from(t, net, from);

  assert_int_equal(r != NULL, w->said[from][net] != 0);
  if (!r)
    return;
  assert_int_equal(r->attrs->igp_metric, w->said[from][net]);
  assert_int_equal(r->attrs->generation, t != from); /* all tables are next to each other */
}

static void
check_all(const struct world *w)
{
  for (uint t = 0; t < w->tables; t++)
    for (u32 net = 0; net < NETS; net++)
      for (uint from = 0; from < w->tables; from++)
        check_copy(w, t, net, from);
}

static u32
routes_in(uint t)
{
  return rt_find(table_names[t])->route_count;
}

/* --- Two tables --- */

static void
all_routes_pass_both_ways(void **ctx)
{
  struct world *w = *ctx;

  configure(w, NULL);
  say_all(w, 0, 1);
  say_all(w, 1, 2);
  settle(&w->f);
  check_all(w);
  assert_int_equal(routes_in(0), 2 * NETS);
  say_all(w, 0, 0);
  settle(&w->f);
  check_all(w);
  assert_int_equal(routes_in(0), NETS);
  assert_int_equal(routes_in(1), NETS);
}

static void
changes_at_random_arrive(void **ctx)
{
  struct world *w = *ctx;

  configure(w, NULL);
  for (uint i = 0; i < 3000; i++)
  {
    for (uint k = random() % 10; k; k--)
      say(w, random() % w->tables, random() % NETS, random() % 3);
    run_turns(&w->f, 1);
    if (i % 100 == 99)
    {
      settle(&w->f);
      check_all(w);
    }
  }
}

/* Several routes of one origin for one network are told apart by their numbers. */
static void
numbered_routes_stay_apart(void **ctx)
{
  struct world *w = *ctx;

  configure(w, NULL);
  for (u32 id = 0; id < 5; id++)
    update(w, 0, 7, 1 + id, id);
  settle(&w->f);
  assert_int_equal(routes_in(1), 5);
  update(w, 0, 7, 0, 2);
  settle(&w->f);
  assert_int_equal(routes_in(1), 4);
}

static void
import_nothing(struct world *w)
{
  w->pipe_cf[0]->block.import = RT_REJECT;
}

static void
export_nothing(struct world *w)
{
  w->pipe_cf[0]->block.export = RT_REJECT;
}

static void
policies_are_seen_from_the_primary_table(void **ctx)
{
  struct world *w = *ctx;

  configure(w, import_nothing);
  say_all(w, 0, 1);
  say_all(w, 1, 1);
  settle(&w->f);
  assert_int_equal(routes_in(0), NETS);
  assert_int_equal(routes_in(1), 2 * NETS);
  configure(w, export_nothing);
  assert_int_equal(routes_in(0), 2 * NETS);
  assert_int_equal(routes_in(1), NETS);
  configure(w, NULL);
  check_all(w);
}

static void
a_pipe_that_stops_takes_its_routes_along(void **ctx)
{
  struct world *w = *ctx;

  configure(w, NULL);
  say_all(w, 0, 1);
  settle(&w->f);
  proto_limit_hit(proto_find("pipe0"), true, "patience");
  say_all(w, 1, 1);
  settle(&w->f);
  assert_int_equal(routes_in(0), NETS);
  assert_int_equal(routes_in(1), NETS);
}

static void
a_pipe_that_restarts_feeds_both_tables(void **ctx)
{
  struct world *w = *ctx;

  configure(w, NULL);
  say_all(w, 0, 1);
  say_all(w, 1, 2);
  settle(&w->f);
  restart("pipe0");
  settle(&w->f);
  check_all(w);
}

/* --- Limits --- */

static void
limit_export(struct world *w, enum limit_action action)
{
  w->pipe_cf[0]->block.limits[LIMIT_EXPORT] = (struct channel_limit){ true, NETS / 2, action };
}

static void
block_exports(struct world *w)
{
  limit_export(w, LIMIT_BLOCK);
}

static void
disable_at_limit(struct world *w)
{
  limit_export(w, LIMIT_DISABLE);
}

static void
an_export_limit_is_one_of_the_peer_table(void **ctx)
{
  struct world *w = *ctx;

  configure(w, block_exports);
  say_all(w, 0, 1);
  say_all(w, 1, 1);
  settle(&w->f);
  assert_int_equal(routes_in(0), 2 * NETS);
  assert_int_equal(routes_in(1), NETS + NETS / 2);
}

static void
a_limit_ends_the_pipe_in_the_middle_of_news(void **ctx)
{
  struct world *w = *ctx;

  configure(w, disable_at_limit);
  say_all(w, 0, 1);
  settle(&w->f);
  assert_int_equal(proto_find("pipe0")->state, PROTO_DOWN);
  assert_int_equal(routes_in(1), 0);
  assert_int_equal(routes_in(0), NETS);
}

/* Each network has lost one route and got another when the pipe looks at it: there are copies to withdraw. */
static void
a_limit_ends_the_pipe_with_stale_copies_at_hand(void **ctx)
{
  struct world *w = *ctx;

  configure(w, disable_at_limit);
  for (u32 i = 0; i < NETS / 2; i++)
    say(w, 0, i, 1);
  settle(&w->f);
  assert_int_equal(routes_in(1), NETS / 2);
  for (u32 i = 0; i < NETS / 2; i++)
  {
    update(w, 0, i, 0, 0);
    update(w, 0, i, 1, 1);
    update(w, 0, i, 1, 2);
  }
  settle(&w->f);
  assert_int_equal(proto_find("pipe0")->state, PROTO_DOWN);
  assert_int_equal(routes_in(1), 0);
}

/* --- A ring --- */

static void
a_ring_of_pipes_comes_to_rest(void **ctx)
{
  struct world *w = *ctx;

  configure(w, NULL);
  say_all(w, 0, 1);
  settle(&w->f);
  check_all(w);
  say_all(w, 1, 2);
  say_all(w, 2, 3);
  settle(&w->f);
  check_all(w);
}

/* A route that is gone must not live on in copies of its copies. */
static void
ghosts_die(void **ctx)
{
  struct world *w = *ctx;

  configure(w, NULL);
  for (uint round = 0; round < 5; round++)
  {
    for (uint t = 0; t < TABLES; t++)
      say_all(w, t, 1 + round);
    if (round % 2)
      settle(&w->f);
    else
      run_turns(&w->f, 5);
    for (uint t = 0; t < TABLES; t++)
      say_all(w, t, 0);
    settle(&w->f);
    for (uint t = 0; t < TABLES; t++)
      assert_int_equal(routes_in(t), 0);
  }
}

static void
restart_pipe(struct world *w)
{
  restart(pipe_names[random() % w->tables]);
}

static void
a_ring_survives_restarts_of_its_pipes(void **ctx)
{
  struct world *w = *ctx;

  configure(w, NULL);
  for (uint i = 0; i < 300; i++)
  {
    for (uint k = random() % 30; k; k--)
      say(w, random() % w->tables, random() % NETS, random() % 3);
    if (random() % 4 == 0)
      restart_pipe(w);
    run_turns(&w->f, 1 + random() % 5);
    if (i % 20 == 19)
    {
      settle(&w->f);
      check_all(w);
    }
  }
}

/* --- Configurations made from others --- */

/* `protocol pipe pipe1 from pipe0`: all but the name as there. */
static void
a_pipe_from_another_has_its_policies_and_limits(void **ctx)
{
  struct world *w = *ctx;
  struct pipe_config *a, *b;

  fixture_config_begin(&w->f);
  for (uint i = 0; i < 2; i++)
    w->table_cf[i] = fixture_table(&w->f, NET_IP4, table_names[i]);
  a = pipe_begin(w, 0);
  a->block.import = RT_REJECT;
  a->block.limits[LIMIT_EXPORT] = (struct channel_limit){ true, 10, LIMIT_BLOCK };
  a->block.limits[LIMIT_IMPORT] = (struct channel_limit){ true, 20, LIMIT_BLOCK };
  fixture_proto_end(&w->f, &a->c);
  b = (struct pipe_config *) fixture_proto_begin(&w->f, &proto_pipe, "pipe1", "pipe0");
  fixture_proto_end(&w->f, &b->c);
  assert_int_equal(b->secondary.export, RT_REJECT);
  assert_int_equal(b->block.export, RT_ACCEPT);
  assert_memory_equal(b->block.limits, a->block.limits, sizeof(a->block.limits));
  assert_memory_equal(b->secondary.limits, a->secondary.limits, sizeof(a->secondary.limits));
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
}

#define PAIR(name) cmocka_unit_test_setup_teardown(name, setup_pair, teardown)
#define RING(name) cmocka_unit_test_setup_teardown(name, setup_ring, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    PAIR(all_routes_pass_both_ways),
    PAIR(changes_at_random_arrive),
    PAIR(numbered_routes_stay_apart),
    PAIR(policies_are_seen_from_the_primary_table),
    PAIR(a_pipe_that_stops_takes_its_routes_along),
    PAIR(a_pipe_that_restarts_feeds_both_tables),
    PAIR(an_export_limit_is_one_of_the_peer_table),
    PAIR(a_limit_ends_the_pipe_in_the_middle_of_news),
    PAIR(a_limit_ends_the_pipe_with_stale_copies_at_hand),
    PAIR(a_pipe_from_another_has_its_policies_and_limits),
    RING(a_ring_of_pipes_comes_to_rest),
    RING(changes_at_random_arrive),
    RING(ghosts_die),
    RING(a_ring_survives_restarts_of_its_pipes),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
