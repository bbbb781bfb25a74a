/*
 * nest/channel_test.c: what protocols are told, and what becomes of what they say
 *
 * Instances live by the real life cycle. A talker only announces, a spy also listens; what a spy was told is
 * kept by a witness outside of it, so that it can be looked at when the instance is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/route_fixture.h"

#define NETS 30000
#define FEW 500 /* routes for tests that are not about slices */
#define SPIES 2
#define TALKERS 3

struct witness
{
  struct attrs *told[NETS];
  uint told_count, calls, feeds_ended;
  bool stop_soon; /* the instance is to be stopped from inside the next call */
};

struct test_config
{
  struct proto_config c;
  struct witness *witness;
};

struct world
{
  struct fixture f;
  struct rtable *t;
  struct witness spies[SPIES];
  struct channel_config *talker_cf[TALKERS], *spy_cf[SPIES];
};

/* --- The protocols --- */

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

static bool
test_reload(struct channel *c UNUSED)
{
  return true;
}

static struct witness *
witness_of(const struct channel *c)
{
  return ((const struct test_config *) c->proto->cf)->witness;
}

static void
spy_notify(struct channel *c, const struct net_addr *a, const struct net *n, struct attrs *new,
           struct attrs *old)
{
  struct witness *w = witness_of(c);
  u32 i = ip_to_u32(a->prefix.addr) & 0xffffff;

  assert_true(i < NETS);
  assert_true(new || old);
  assert_ptr_equal(w->told[i], old);
  assert_ptr_equal(channel_sent(c, n), new);
  w->told[i] = new;
  w->told_count += (new != NULL) - (old != NULL);
  w->calls++;
  if (w->stop_soon)
  {
    w->stop_soon = false;
    proto_limit_hit(c->proto, true, "patience");
  }
}

static void
spy_feed_end(struct channel *c)
{
  witness_of(c)->feeds_ended++;
}

static bool
lower_metric(const struct attrs *a, const struct attrs *b)
{
  return a->igp_metric < b->igp_metric;
}

static const struct proto_class class_talker = {
  .name = "Talker",
  .prefix = "talker",
  .config_size = sizeof(struct test_config),
  .size = sizeof(struct proto),
  .channel_types = 1 << NET_IP4 | 1 << NET_IP6,
  .preference = 100,
  .start = test_start,
  .reconfigure = test_reconfigure,
  .reload = test_reload,
  .rt_better = lower_metric,
};

static const struct proto_class class_spy = {
  .name = "Spy",
  .prefix = "spy",
  .config_size = sizeof(struct test_config),
  .size = sizeof(struct proto),
  .channel_types = 1 << NET_IP4 | 1 << NET_IP6,
  .preference = 50,
  .start = test_start,
  .reconfigure = test_reconfigure,
  .reload = test_reload,
  .rt_notify = spy_notify,
  .feed_end = spy_feed_end,
  .rt_better = lower_metric,
};

/* --- The world: talker0 to talker2 and spy0, spy1 at one table --- */

static const char *const talker_names[] = { "talker0", "talker1", "talker2" };
static const char *const spy_names[] = { "spy0", "spy1" };

static void
config_begin(struct world *w)
{
  struct table_config *t;

  fixture_config_begin(&w->f);
  t = fixture_table(&w->f, NET_IP4, "t");
  for (uint i = 0; i < TALKERS; i++)
    w->talker_cf[i] = fixture_channel(&w->f, &class_talker, talker_names[i], t);
  for (uint i = 0; i < SPIES; i++)
  {
    w->spy_cf[i] = fixture_channel(&w->f, &class_spy, spy_names[i], t);
    ((struct test_config *) w->f.cx.proto)->witness = &w->spies[i];
    w->spy_cf[i]->export = RT_ACCEPT;
  }
}

static struct proto_config *
proto_of(struct channel_config *cc)
{
  struct node *ring = cc->n.prev; /* the only channel: its neighbour is the list */

  return SKIP_BACK(struct proto_config, channels, SKIP_BACK(struct list, ring, ring));
}

static void
apply(struct world *w)
{
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
  w->t = rt_find("t");
}

static int
setup(void **ctx)
{
  struct world *w = *ctx = calloc(1, sizeof(*w));

  fixture_init(&w->f);
  config_begin(w);
  return 0;
}

static int
teardown(void **ctx)
{
  struct world *w = *ctx;

  protos_shutdown(fixture_progress);
  settle(&w->f);
  for (uint i = 0; i < SPIES; i++)
    assert_int_equal(w->spies[i].told_count, 0);
  assert_int_equal(w->t->route_count, 0);
  assert_int_equal(w->t->net_objects, 0);
  fixture_end(&w->f);
  free(w);
  return 0;
}

/* --- Doing things --- */

static struct channel *
channel_of(const char *name)
{
  struct proto *p = proto_find(name);

  assert_non_null(p);
  return proto_channel(p, NET_IP4);
}

static struct net_addr
net_number(u32 i)
{
  return net4(0x0a000000 + i, 32);
}

static struct net *
net_at(const struct world *w, u32 i)
{
  struct net_addr a = net_number(i);

  return rt_net(w->t, &a);
}

/* The lower @metric, the better; zero withdraws. */
static void
announce(const char *who, u32 i, uint metric)
{
  struct channel *c = channel_of(who);
  struct net_addr a = net_number(i);
  struct attrs *set = metric ? attrs_intern(&(struct attrs){ .origin = c->proto->origin,
                                                             .source = RTS_STATIC,
                                                             .dest = RTD_BLACKHOLE,
                                                             .preference = c->cf->preference,
                                                             .igp_metric = metric })
                             : NULL;

  channel_update(c, &a, 0, set);
  attrs_unref(set);
}

static void
announce_all(const char *who, u32 begin, u32 end, uint metric)
{
  for (u32 i = begin; i < end; i++)
    announce(who, i, metric);
}

static void
stop(const char *who)
{
  proto_limit_hit(proto_find(who), true, "patience");
}

/* After a limit there is a pause, which nobody wants to wait for here. */
static void
hurry(const char *who)
{
  timer_set_in(proto_find(who)->limit_restart, 0);
}

static void
restart(const char *who)
{
  proto_limit_hit(proto_find(who), false, "patience");
  hurry(who);
}

/* Another configuration of the same things, changed by @edit. */
static void
reconfigure(struct world *w, void (*edit)(struct world *w))
{
  config_begin(w);
  if (edit)
    edit(w);
  apply(w);
}

/* --- What must hold --- */

static struct attrs *
wanted_by(const struct world *w, const char *spy, u32 i)
{
  const struct net *n = net_at(w, i);
  const struct route *best = n ? net_best(n) : NULL;
  const struct channel *c = channel_of(spy);

  if (!best || best->sender == c || c->cf->export == RT_REJECT || c->state != CHANNEL_UP)
    return NULL;
  return best->attrs;
}

static void
check_spy(const struct world *w, uint spy)
{
  const struct witness *s = &w->spies[spy];
  uint count = 0;

  for (u32 i = 0; i < NETS; i++)
  {
    assert_ptr_equal(s->told[i], wanted_by(w, spy_names[spy], i));
    count += s->told[i] != NULL;
  }
  assert_int_equal(s->told_count, count);
  assert_int_equal(channel_of(spy_names[spy])->exported, count);
}

static uint
routes_of(const struct world *w, const struct channel *c, bool filtered)
{
  uint count = 0;

  for (u32 i = 0; i < NETS; i++)
    for (const struct route *r = net_at(w, i) ? net_at(w, i)->routes : NULL; r; r = r->next)
      count += r->sender == c && r->filtered == filtered;
  return count;
}

static uint
preferred_of(const struct world *w, const struct channel *c)
{
  uint count = 0;

  for (u32 i = 0; i < NETS; i++)
  {
    const struct net *n = net_at(w, i);

    count += n && net_best(n) && net_best(n)->sender == c;
  }
  return count;
}

static void
check_sender(const struct world *w, const char *name)
{
  const struct channel *c = channel_of(name);

  assert_int_equal(c->imported, routes_of(w, c, false));
  assert_int_equal(c->filtered, routes_of(w, c, true));
  assert_int_equal(c->preferred, preferred_of(w, c));
}

static void
check_all(const struct world *w)
{
  for (uint i = 0; i < SPIES; i++)
  {
    check_spy(w, i);
    check_sender(w, spy_names[i]);
  }
  for (uint i = 0; i < TALKERS; i++)
    check_sender(w, talker_names[i]);
  assert_int_equal(w->t->net_objects, w->t->net_count);
}

/* --- Feeds and news --- */

static void
news_is_told_once(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  check_all(w);
  assert_int_equal(w->spies[0].calls, FEW);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  assert_int_equal(w->spies[0].calls, FEW);
  announce_all("talker0", 0, FEW, 2);
  announce_all("talker0", 0, FEW, 0);
  settle(&w->f);
  check_all(w);
  assert_int_equal(w->spies[0].calls, 2 * FEW);
}

static void
disable_spies(struct world *w)
{
  for (uint i = 0; i < SPIES; i++)
    proto_of(w->spy_cf[i])->disabled = true;
}

static void
what_was_there_before_is_fed(void **ctx)
{
  struct world *w = *ctx;

  disable_spies(w);
  apply(w);
  announce_all("talker0", 0, NETS, 1);
  settle(&w->f);
  assert_int_equal(w->spies[0].calls, 0);
  reconfigure(w, NULL);
  check_all(w);
  for (uint i = 0; i < SPIES; i++)
  {
    assert_int_equal(w->spies[i].calls, NETS);
    assert_int_equal(w->spies[i].feeds_ended, 1);
  }
}

/* The best route of a spy's own is no route for it; others are, once its own is not best. */
static void
own_routes_are_not_sent_back(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce("spy0", 0, 1);
  settle(&w->f);
  assert_null(w->spies[0].told[0]);
  assert_non_null(w->spies[1].told[0]);
  announce("talker0", 0, 1); /* of higher preference */
  settle(&w->f);
  assert_non_null(w->spies[0].told[0]);
  announce("talker0", 0, 0);
  settle(&w->f);
  assert_null(w->spies[0].told[0]);
  check_all(w);
}

static void
change_at_random(struct world *w, u32 nets, uint count)
{
  static const char *const who[] = { "talker0", "talker1", "talker2", "spy0", "spy1" };

  while (count--)
  {
    const char *name = who[random() % ARRAY_SIZE(who)];

    if (proto_find(name)->state == PROTO_UP)
      announce(name, random() % nets, random() % 4);
  }
  run_turns(&w->f, 1 + random() % 3);
}

static void
something_happens(void)
{
  switch (random() % 8)
  {
  case 0:
    channel_refeed(channel_of(spy_names[random() % SPIES]));
    break;
  case 1:
    restart(spy_names[random() % SPIES]);
    break;
  case 2:
    restart(talker_names[random() % TALKERS]);
    break;
  case 3:
    channel_refresh_begin(channel_of(talker_names[random() % TALKERS]));
    break;
  case 4:
    channel_refresh_end(channel_of(talker_names[random() % TALKERS]));
    break;
  default:
    break;
  }
}

/* Feeds, refeeds, restarts, refreshes and changes one over the other, with slices in between. */
static void
a_spy_knows_the_best_routes_after_any_turmoil(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  for (uint round = 0; round < 30; round++)
  {
    for (uint i = 0; i < 30; i++)
    {
      change_at_random(w, round % 2 ? NETS : FEW, round % 3 ? 20 : 300);
      something_happens();
    }
    settle(&w->f);
    check_all(w);
  }
}

static void
a_refeed_tells_everything_again(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  channel_refeed(channel_of("spy0"));
  settle(&w->f);
  check_all(w);
  assert_int_equal(w->spies[0].calls, 2 * FEW);
  assert_int_equal(w->spies[0].feeds_ended, 2);
  assert_int_equal(w->spies[1].calls, FEW);
}

/* --- Refreshes --- */

static void
a_refresh_removes_what_is_not_confirmed(void **ctx)
{
  struct world *w = *ctx;
  struct channel *c;

  apply(w);
  c = channel_of("talker0");
  announce_all("talker0", 0, NETS, 1);
  channel_refresh_begin(c);
  announce_all("talker0", 0, NETS / 2, 1);
  channel_refresh_end(c);
  settle(&w->f);
  assert_int_equal(c->imported, NETS / 2);
  check_all(w);
}

static void
a_refresh_leaves_others_alone(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  announce_all("talker1", 0, FEW, 2);
  channel_refresh_begin(channel_of("talker0"));
  channel_refresh_end(channel_of("talker0"));
  settle(&w->f);
  assert_int_equal(channel_of("talker0")->imported, 0);
  assert_int_equal(channel_of("talker1")->imported, FEW);
  check_all(w);
}

/* Another one begins while the first still removes: what the second has yet to confirm stays. */
static void
a_refresh_does_not_lose_routes_to_the_one_before(void **ctx)
{
  struct world *w = *ctx;
  struct channel *c;

  apply(w);
  c = channel_of("talker0");
  announce_all("talker0", 0, NETS, 1);
  settle(&w->f);
  channel_refresh_begin(c);
  announce_all("talker0", 0, NETS - 1, 1);
  channel_refresh_end(c);
  run_turns(&w->f, 1);
  channel_refresh_begin(c);
  settle(&w->f);
  assert_true(c->imported >= NETS - 1);
  announce_all("talker0", 0, NETS - 1, 1);
  channel_refresh_end(c);
  settle(&w->f);
  assert_int_equal(c->imported, NETS - 1);
  check_all(w);
}

static void
a_refresh_in_the_middle_of_a_feed_delays_it_only(void **ctx)
{
  struct world *w = *ctx;
  struct channel *c;

  disable_spies(w);
  apply(w);
  announce_all("talker0", 0, NETS, 1);
  config_begin(w);
  fixture_apply(&w->f, false);
  run_turns(&w->f, 6);
  c = channel_of("spy0");
  announce("spy0", 1, 1);
  channel_refresh_begin(c);
  channel_refresh_end(c);
  apply(w);
  assert_int_equal(w->spies[0].feeds_ended, 1);
  assert_int_equal(c->imported, 0);
  check_all(w);
}

/* --- Policies --- */

static void
reject_exports(struct world *w)
{
  w->spy_cf[0]->export = RT_REJECT;
}

static void
reject_imports(struct world *w)
{
  w->talker_cf[0]->import = RT_REJECT;
}

static void
keep_rejected(struct world *w)
{
  reject_imports(w);
  w->talker_cf[0]->keep_filtered = true;
}

static void
an_export_policy_is_followed_when_it_changes(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  reconfigure(w, reject_exports);
  assert_int_equal(w->spies[0].told_count, 0);
  assert_int_equal(w->spies[1].told_count, FEW);
  check_all(w);
  reconfigure(w, NULL);
  assert_int_equal(w->spies[0].told_count, FEW);
  check_all(w);
}

static void
an_export_policy_waits_when_the_change_is_soft(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  config_begin(w);
  reject_exports(w);
  fixture_apply(&w->f, true);
  fixture_applied(&w->f);
  assert_int_equal(w->spies[0].told_count, FEW);
  channel_refeed(channel_of("spy0"));
  settle(&w->f);
  check_all(w);
}

static void
rejected_imports_leave_nothing(void **ctx)
{
  struct world *w = *ctx;
  const struct channel *c;

  reject_imports(w);
  apply(w);
  c = channel_of("talker0");
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  assert_int_equal(w->t->route_count, 0);
  assert_int_equal(w->t->net_objects, 0);
  assert_true(c->import_updates.received == FEW && c->import_updates.filtered == FEW);
  assert_true(c->import_updates.accepted == 0);
  check_all(w);
}

static void
rejected_imports_are_kept_if_so_configured(void **ctx)
{
  struct world *w = *ctx;
  const struct channel *c;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  reconfigure(w, keep_rejected);
  c = channel_of("talker0");
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  assert_int_equal(c->filtered, FEW);
  assert_int_equal(c->imported, 0);
  assert_int_equal(w->spies[0].told_count, 0);
  check_all(w);
  reconfigure(w, NULL);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  assert_int_equal(c->filtered, 0);
  check_all(w);
}

static void
withdraw_counts_are_right(void **ctx)
{
  struct world *w = *ctx;
  const struct channel *c;

  apply(w);
  c = channel_of("talker0");
  announce("talker0", 0, 1);
  announce("talker0", 0, 0);
  announce("talker0", 0, 0);
  assert_true(c->import_updates.received == 1 && c->import_updates.accepted == 1);
  assert_true(c->import_withdraws.received == 2 && c->import_withdraws.accepted == 1);
  assert_true(c->import_withdraws.ignored == 1);
  settle(&w->f);
}

/* --- Limits --- */

static void
limit(struct channel_config *cc, enum limit_direction dir, enum limit_action action, u32 count)
{
  cc->limits[dir] = (struct channel_limit){ true, count, action };
}

static void
an_import_limit_that_warns_lets_all_in(void **ctx)
{
  struct world *w = *ctx;

  limit(w->talker_cf[0], LIMIT_IMPORT, LIMIT_WARN, 10);
  apply(w);
  announce_all("talker0", 0, 20, 1);
  settle(&w->f);
  assert_int_equal(channel_of("talker0")->imported, 20);
  assert_true(channel_of("talker0")->limit_hit[LIMIT_IMPORT]);
  announce_all("talker0", 5, 20, 0);
  announce("talker0", 5, 1);
  assert_false(channel_of("talker0")->limit_hit[LIMIT_IMPORT]);
  settle(&w->f);
  check_all(w);
}

static void
a_limit_that_blocks_lets_the_first_in(void **ctx)
{
  struct world *w = *ctx;

  limit(w->talker_cf[0], LIMIT_IMPORT, LIMIT_BLOCK, 10);
  limit(w->talker_cf[1], LIMIT_RECEIVE, LIMIT_BLOCK, 10);
  apply(w);
  for (uint i = 0; i < 2; i++)
  {
    announce_all(talker_names[i], 0, 20, 1);
    announce_all(talker_names[i], 0, 20, 2); /* what is in may change */
    assert_int_equal(channel_of(talker_names[i])->imported, 10);
    assert_int_equal(net_at(w, 9)->routes->attrs->igp_metric, 2);
    assert_null(net_at(w, 10));
  }
  announce("talker0", 3, 0); /* and leave its place to another */
  announce("talker0", 15, 1);
  assert_int_equal(channel_of("talker0")->imported, 10);
  settle(&w->f);
  check_all(w);
}

static void
an_import_limit_restarts_or_disables(void **ctx)
{
  struct world *w = *ctx;

  limit(w->talker_cf[0], LIMIT_IMPORT, LIMIT_RESTART, 10);
  limit(w->talker_cf[1], LIMIT_RECEIVE, LIMIT_DISABLE, 10);
  apply(w);
  announce_all("talker0", 0, 20, 1);
  announce_all("talker1", 0, 20, 1);
  settle(&w->f);
  assert_int_equal(proto_find("talker0")->state, PROTO_DOWN);
  hurry("talker0");
  settle(&w->f);
  assert_int_equal(proto_find("talker0")->state, PROTO_UP);
  assert_int_equal(proto_find("talker1")->state, PROTO_DOWN);
  assert_true(proto_find("talker1")->disabled);
  assert_int_equal(w->t->route_count, 0);
  check_all(w);
}

static void
an_export_limit_that_blocks_tells_the_first(void **ctx)
{
  struct world *w = *ctx;

  limit(w->spy_cf[0], LIMIT_EXPORT, LIMIT_BLOCK, 10);
  apply(w);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  assert_int_equal(w->spies[0].told_count, 10);
  announce_all("talker0", 0, FEW, 0);
  settle(&w->f);
  assert_int_equal(w->spies[0].told_count, 0);
  check_all(w);
}

static void
export_limit_by_news(struct world *w, enum limit_action action)
{
  limit(w->spy_cf[0], LIMIT_EXPORT, action, 10);
  apply(w);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
}

/* The one that restarts hits its limit again and again until there is less to tell. */
static void
an_export_limit_restarts_when_news_is_too_much(void **ctx)
{
  struct world *w = *ctx;

  limit(w->spy_cf[0], LIMIT_EXPORT, LIMIT_RESTART, 10);
  apply(w);
  announce_all("talker0", 0, FEW, 1);
  run_turns(&w->f, 20);
  assert_true(proto_find("spy0")->message[0]);
  announce_all("talker0", 5, FEW, 0);
  hurry("spy0");
  settle(&w->f);
  assert_int_equal(proto_find("spy0")->state, PROTO_UP);
  check_all(w);
}

static void
an_export_limit_disables_when_news_is_too_much(void **ctx)
{
  struct world *w = *ctx;

  export_limit_by_news(w, LIMIT_DISABLE);
  assert_int_equal(proto_find("spy0")->state, PROTO_DOWN);
  assert_int_equal(w->spies[0].told_count, 0);
  check_all(w);
}

/* In the middle of a walk that takes many slices; routes of its own are in the table too. */
static void
an_export_limit_disables_in_the_middle_of_a_feed(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, NETS, 1);
  settle(&w->f);
  reconfigure(w, disable_spies);
  config_begin(w);
  limit(w->spy_cf[0], LIMIT_EXPORT, LIMIT_DISABLE, NETS / 2);
  fixture_apply(&w->f, false);
  run_turns(&w->f, 6);
  announce_all("spy0", 0, NETS, 1);
  apply(w);
  assert_int_equal(proto_find("spy0")->state, PROTO_DOWN);
  assert_int_equal(w->spies[0].told_count, 0);
  check_all(w);
}

/* --- The end of a channel --- */

static void
a_stop_withdraws_both_ways(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, NETS, 1);
  announce_all("spy0", 0, FEW, 1);
  settle(&w->f);
  stop("spy0");
  settle(&w->f);
  assert_int_equal(w->spies[0].told_count, 0);
  assert_int_equal(w->t->route_count, NETS);
  stop("talker0");
  settle(&w->f);
  assert_int_equal(w->t->route_count, 0);
  check_all(w);
}

static void
a_stop_in_the_middle_of_a_feed_withdraws_what_was_told(void **ctx)
{
  struct world *w = *ctx;

  disable_spies(w);
  apply(w);
  announce_all("talker0", 0, NETS, 1);
  for (uint turns = 2; turns < 12; turns += 3)
  {
    config_begin(w);
    fixture_apply(&w->f, false);
    run_turns(&w->f, turns);
    assert_true(w->spies[0].told_count < NETS);
    reconfigure(w, disable_spies);
    assert_int_equal(w->spies[0].told_count, 0);
  }
  reconfigure(w, NULL);
  check_all(w);
}

static void
a_protocol_may_stop_from_inside_a_notification(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  w->spies[0].stop_soon = true;
  settle(&w->f);
  assert_int_equal(proto_find("spy0")->state, PROTO_DOWN);
  assert_int_equal(w->spies[0].told_count, 0);
  w->spies[1].stop_soon = true;
  announce_all("talker0", 0, FEW, 0);
  settle(&w->f);
  assert_int_equal(w->spies[1].told_count, 0);
  check_all(w);
}

/* Networks go away while the flush is on its way to them: the protocol has to hear of these too. */
static void
what_vanishes_during_a_flush_is_withdrawn(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, NETS, 1);
  settle(&w->f);
  stop("spy0");
  stop("spy1");
  announce_all("talker0", 0, NETS, 0);
  settle(&w->f);
  assert_int_equal(w->spies[0].told_count, 0);
  assert_int_equal(w->spies[1].told_count, 0);
}

/* And others take their numbers. */
static void
numbers_reused_during_a_flush_do_not_mislead(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, NETS / 2, 1);
  settle(&w->f);
  stop("spy0");
  stop("spy1");
  for (u32 i = 0; i < NETS / 2; i++)
  {
    announce("talker0", i, 0);
    announce("talker0", NETS - 1 - i, 1);
    if (i % 2000 == 0)
      run_turns(&w->f, 1);
  }
  settle(&w->f);
  assert_int_equal(w->spies[0].told_count, 0);
}

/* As at the end of the daemon: the source of the routes comes first in the list. */
static void
a_shutdown_of_all_withdraws_all(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  announce_all("spy1", 0, FEW, 1);
  settle(&w->f);
  protos_shutdown(fixture_progress);
  settle(&w->f);
  assert_int_equal(w->spies[0].told_count, 0);
  assert_int_equal(w->spies[1].told_count, 0);
}

static void
routes_do_not_come_back_during_a_flush(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, NETS, 1);
  stop("talker0");
  run_turns(&w->f, 2);
  announce_all("talker0", 0, NETS, 2);
  settle(&w->f);
  assert_int_equal(w->t->route_count, 0);
  check_all(w);
}

static void
a_restart_begins_from_nothing(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  restart("spy0");
  restart("talker0");
  settle(&w->f);
  assert_int_equal(proto_find("spy0")->state, PROTO_UP);
  assert_int_equal(w->t->route_count, 0);
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  check_all(w);
  assert_int_equal(w->spies[0].feeds_ended, 2);
}

static void
config_without_protocols(struct world *w)
{
  fixture_config_begin(&w->f);
  fixture_table(&w->f, NET_IP4, "t");
  apply(w);
}

static void
removed_protocols_leave_nothing(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  announce_all("talker0", 0, NETS, 1);
  announce_all("spy0", 0, NETS, 1);
  settle(&w->f);
  config_without_protocols(w);
  assert_true(list_empty(proto_list()));
  assert_int_equal(w->spies[0].told_count, 0);
  assert_int_equal(w->t->users, 0);
  assert_int_equal(w->t->route_count, 0);
}

static void
a_channel_moves_to_another_table(void **ctx)
{
  struct world *w = *ctx;
  struct rtable *old;

  apply(w);
  old = w->t;
  announce_all("talker0", 0, FEW, 1);
  settle(&w->f);
  config_begin(w);
  w->spy_cf[0]->table = fixture_table(&w->f, NET_IP4, "other");
  apply(w);
  assert_int_equal(w->spies[0].told_count, 0);
  assert_ptr_equal(channel_of("spy0")->table, rt_find("other"));
  assert_int_equal(old->users, TALKERS + SPIES - 1);
  check_spy(w, 1);
}

/* --- Merged paths --- */

static void
announce_via(const char *who, u32 i, const char *via, uint metric)
{
  struct channel *c = channel_of(who);
  struct net_addr a = net_number(i);
  struct nexthop hop = { .via = ip(via), .iface = iface_find("eth0"), .weight = 1 };
  struct attrs *set = attrs_intern(&(struct attrs){ .origin = c->proto->origin,
                                                    .source = RTS_STATIC,
                                                    .dest = RTD_UNICAST,
                                                    .preference = c->cf->preference,
                                                    .igp_metric = metric,
                                                    .nexthops = &hop,
                                                    .nexthop_count = 1 });

  channel_update(c, &a, 0, set);
  attrs_unref(set);
}

static uint
hops_told(const struct world *w, u32 i)
{
  return w->spies[0].told[i] ? w->spies[0].told[i]->nexthop_count : 0;
}

static void
merging_world(struct world *w, u32 merge_limit)
{
  w->spy_cf[0]->merge_paths = true;
  w->spy_cf[0]->merge_limit = merge_limit;
  link_set_up(2, "eth0", "192.0.2.1", 24);
  apply(w);
}

static void
equal_routes_are_merged(void **ctx)
{
  struct world *w = *ctx;

  merging_world(w, 16);
  announce_via("talker0", 0, "192.0.2.10", 5);
  announce_via("talker1", 0, "192.0.2.11", 5);
  announce_via("talker2", 0, "192.0.2.12", 6);
  settle(&w->f);
  assert_int_equal(hops_told(w, 0), 2);
  announce_via("talker2", 0, "192.0.2.10", 5); /* a next hop that is known */
  settle(&w->f);
  assert_int_equal(hops_told(w, 0), 2);
  announce_via("talker2", 0, "192.0.2.12", 5);
  settle(&w->f);
  assert_int_equal(hops_told(w, 0), 3);
  announce("talker0", 0, 0);
  settle(&w->f);
  assert_int_equal(hops_told(w, 0), 2);
  announce_via("talker1", 0, "192.0.2.11", 4); /* one is better now */
  settle(&w->f);
  assert_int_equal(hops_told(w, 0), 1);
}

static void
merging_stops_at_its_limit(void **ctx)
{
  struct world *w = *ctx;

  merging_world(w, 2);
  for (uint i = 0; i < TALKERS; i++)
    announce_via(talker_names[i], 0, (const char *[]){ "192.0.2.10", "192.0.2.11", "192.0.2.12" }[i], 5);
  settle(&w->f);
  assert_int_equal(hops_told(w, 0), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(news_is_told_once),
    TEST(what_was_there_before_is_fed),
    TEST(own_routes_are_not_sent_back),
    TEST(a_spy_knows_the_best_routes_after_any_turmoil),
    TEST(a_refeed_tells_everything_again),
    TEST(a_refresh_removes_what_is_not_confirmed),
    TEST(a_refresh_leaves_others_alone),
    TEST(a_refresh_does_not_lose_routes_to_the_one_before),
    TEST(a_refresh_in_the_middle_of_a_feed_delays_it_only),
    TEST(an_export_policy_is_followed_when_it_changes),
    TEST(an_export_policy_waits_when_the_change_is_soft),
    TEST(rejected_imports_leave_nothing),
    TEST(rejected_imports_are_kept_if_so_configured),
    TEST(withdraw_counts_are_right),
    TEST(an_import_limit_that_warns_lets_all_in),
    TEST(a_limit_that_blocks_lets_the_first_in),
    TEST(an_import_limit_restarts_or_disables),
    TEST(an_export_limit_that_blocks_tells_the_first),
    TEST(an_export_limit_restarts_when_news_is_too_much),
    TEST(an_export_limit_disables_when_news_is_too_much),
    TEST(an_export_limit_disables_in_the_middle_of_a_feed),
    TEST(a_stop_withdraws_both_ways),
    TEST(a_stop_in_the_middle_of_a_feed_withdraws_what_was_told),
    TEST(a_protocol_may_stop_from_inside_a_notification),
    TEST(what_vanishes_during_a_flush_is_withdrawn),
    TEST(numbers_reused_during_a_flush_do_not_mislead),
    TEST(a_shutdown_of_all_withdraws_all),
    TEST(routes_do_not_come_back_during_a_flush),
    TEST(a_restart_begins_from_nothing),
    TEST(removed_protocols_leave_nothing),
    TEST(a_channel_moves_to_another_table),
    TEST(equal_routes_are_merged),
    TEST(merging_stops_at_its_limit),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
