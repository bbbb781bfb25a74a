/*
 * proto/kernel/sync_test.c: the kernel's table against ours, with a stand-in for sysdep/routes.h
 *
 * The stand-in is a table by number of the network with two keys each: the metric of ours, and that of
 * others. A scan is one slice of work, so things can happen before it and after it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/route_fixture.h"
#include "proto/kernel/kernel.h"

#define NETS 10000
#define OTHER_METRIC 100

struct entry
{
  bool used;
  u8 protocol, type;
};

struct nl_routes
{
  struct resource r;
  const struct nl_routes_hooks *hooks;
  void *data;
  struct work *scan;
  struct nl_routes_counters counters;
  struct entry (*table)[2]; /* [0]: under the metric of ours */
  bool refusing;
};

struct world
{
  struct fixture f;
  struct rtable *t;
  struct kernel_config *kernel_cf;
  struct entry kernel[NETS][2];
  u32 said[NETS]; /* by the talker: a destination, 0 nothing */
};

static struct world *the_world; /* what nl_routes_new() cannot be told */

/* --- The stand-in --- */

static struct entry *
entry_of(const struct nl_routes *nl, const struct nl_route *r)
{
  return &nl->table[ip_to_u32(r->dst.addr) & 0xffffff][r->metric != KERNEL_METRIC];
}

static void
report(const struct nl_routes *nl, u32 net, uint key, enum nl_route_event what)
{
  const struct entry *e = &nl->table[net][key];
  struct nl_route r = { .dst = { ip_v4(0x0a000000 + net), 32 },
                        .type = e->type,
                        .protocol = e->protocol,
                        .table = KERNEL_TABLE_MAIN,
                        .metric = key ? OTHER_METRIC : KERNEL_METRIC };

  nl->hooks->route(nl->data, &r, what);
}

static bool
scan_work(struct work *w UNUSED, void *data)
{
  struct nl_routes *nl = data;

  nl->counters.scans++;
  nl->hooks->scan_begin(nl->data, KERNEL_TABLE_MAIN);
  for (u32 i = 0; i < NETS; i++)
    for (uint key = 0; key < 2; key++)
      if (nl->table[i][key].used)
        report(nl, i, key, NL_ROUTE_SEEN);
  nl->hooks->scan_end(nl->data, KERNEL_TABLE_MAIN);
  return false;
}

static const struct resource_class nl_routes_class = { .name = "Stand-in", .size = sizeof(struct nl_routes) };

struct nl_routes *
nl_routes_new(pool *p, struct loop *l, bool v6 UNUSED, const struct nl_routes_hooks *hooks, void *data,
              uint rx_buffer UNUSED)
{
  struct nl_routes *nl = res_new(p, &nl_routes_class);

  nl->hooks = hooks;
  nl->data = data;
  nl->scan = work_new(p, l, LOOP_REST, scan_work, nl);
  nl->table = the_world->kernel;
  return nl;
}

void
nl_routes_scan(struct nl_routes *nl, u32 table UNUSED)
{
  work_schedule(nl->scan);
}

void
nl_route_set(struct nl_routes *nl, const struct nl_route *r, u64 cookie)
{
  nl->counters.set++;
  if (nl->refusing)
    nl->hooks->refused(nl->data, cookie, &r->dst, false, 22, "no");
  else
    *entry_of(nl, r) = (struct entry){ true, r->protocol, r->type };
}

void
nl_route_delete(struct nl_routes *nl, const struct nl_route *r, u64 cookie UNUSED)
{
  struct entry *e = entry_of(nl, r);

  nl->counters.deleted++;
  if (e->used && e->protocol == r->protocol)
    e->used = false;
}

/* All is done at once here. */
uint
nl_routes_pending(const struct nl_routes *nl UNUSED)
{
  return 0;
}

void
nl_routes_flush(struct nl_routes *nl)
{
  nl->counters.flushes++;
}

const struct nl_routes_counters *
nl_routes_counters(const struct nl_routes *nl)
{
  return &nl->counters;
}

/* --- The world: a talker before the kernel protocol, as in most files --- */

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

static void
begin(struct world *w)
{
  struct table_config *t;

  fixture_config_begin(&w->f);
  t = fixture_table(&w->f, NET_IP4, "t");
  fixture_channel(&w->f, &class_talker, "talker", t);
  fixture_channel(&w->f, &proto_kernel, "kernel", t)->export = RT_ACCEPT;
  w->kernel_cf = w->f.cx.proto;
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
  struct world *w = *ctx = the_world = calloc(1, sizeof(*w));

  fixture_init(&w->f);
  begin(w);
  return 0;
}

static bool
ours_in_kernel(const struct world *w)
{
  for (u32 i = 0; i < NETS; i++)
    if (w->kernel[i][0].used && w->kernel[i][0].protocol == NL_PROTO_BIRD)
      return true;
  return false;
}

static int
teardown(void **ctx)
{
  struct world *w = *ctx;
  bool persist = w->kernel_cf->persist;

  protos_shutdown(fixture_progress);
  settle(&w->f);
  assert_true(persist || !ours_in_kernel(w));
  fixture_end(&w->f);
  free(w);
  return 0;
}

/* --- Doing things --- */

static struct kernel_proto *
kernel(void)
{
  return (struct kernel_proto *) proto_find("kernel");
}

static void
say(struct world *w, u32 net, uint dest)
{
  struct channel *c = proto_channel(proto_find("talker"), NET_IP4);
  struct net_addr a = net4(0x0a000000 + net, 32);
  struct attrs *set = NULL;

  if (dest)
    set = attrs_intern(&(struct attrs){
        .origin = c->proto->origin, .source = RTS_STATIC, .dest = dest, .preference = c->cf->preference });
  channel_update(c, &a, 0, set);
  attrs_unref(set);
  w->said[net] = dest;
}

static void
say_all(struct world *w, uint dest)
{
  for (u32 i = 0; i < NETS; i++)
    say(w, i, dest);
}

static void
scan(struct world *w)
{
  kernel_scan(kernel());
  settle(&w->f);
}

/* So much that nobody spares leftovers any more. */
static void
time_passes(struct world *w)
{
  kernel()->leftovers_until = 0;
  scan(w);
}

static void
put(struct world *w, u32 net, uint key, u8 protocol)
{
  w->kernel[net][key] = (struct entry){ true, protocol, NL_BLACKHOLE };
}

/* Where nobody else has the key, the kernel has what the talker says, and nothing but that. */
static void
check_all(const struct world *w)
{
  static const u8 types[] = {
    [RTD_BLACKHOLE] = NL_BLACKHOLE, [RTD_UNREACHABLE] = NL_UNREACHABLE, [RTD_PROHIBIT] = NL_PROHIBIT
  };

  for (u32 i = 0; i < NETS; i++)
  {
    const struct entry *e = &w->kernel[i][0];

    if (e->used && e->protocol != NL_PROTO_BIRD)
      continue;
    assert_int_equal(e->used, w->said[i] != 0);
    if (e->used)
      assert_int_equal(e->type, types[w->said[i]]);
  }
}

/* --- The tests --- */

static void
the_kernel_gets_what_is_exported(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  say_all(w, RTD_BLACKHOLE);
  settle(&w->f);
  check_all(w);
  say_all(w, RTD_PROHIBIT);
  for (u32 i = 0; i < NETS; i += 3)
    say(w, i, 0);
  settle(&w->f);
  check_all(w);
}

static void
leftovers_of_a_run_before_are_removed(void **ctx)
{
  struct world *w = *ctx;

  for (u32 i = 0; i < NETS; i += 2)
    put(w, i, 0, NL_PROTO_BIRD);
  put(w, 1, 1, NL_PROTO_STATIC);
  apply(w);
  assert_true(ours_in_kernel(w)); /* they may be wanted again */
  time_passes(w);
  check_all(w);
  assert_true(w->kernel[1][1].used);
}

/*
 * What a run before left may be just what we are about to be told: a scan that comes before that must not
 * take it away.
 */
static void
a_scan_in_the_middle_of_the_feed_removes_nothing(void **ctx)
{
  struct world *w = *ctx;

  w->kernel_cf->c.disabled = true;
  apply(w);
  say_all(w, RTD_BLACKHOLE);
  for (u32 i = 0; i < NETS; i++)
    put(w, i, 0, NL_PROTO_BIRD);
  begin(w);
  fixture_apply(&w->f, false);
  while (!kernel()->synced || kernel()->channel->feeding)
  {
    run_turns(&w->f, 1);
    if (kernel()->synced)
      kernel_scan(kernel());
    for (u32 i = 0; i < NETS; i++)
      assert_true(w->kernel[i][0].used);
  }
  apply(w);
  check_all(w);
}

static void
a_scan_repairs_what_others_spoiled(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  say_all(w, RTD_BLACKHOLE);
  settle(&w->f);
  for (u32 i = 0; i < NETS; i++)
    if (i % 3 == 0)
      w->kernel[i][0].used = false;
    else if (i % 3 == 1)
      w->kernel[i][0].type = NL_PROHIBIT;
  say(w, 7, 0);
  put(w, 7, 0, NL_PROTO_BIRD);
  scan(w);
  check_all(w);
  assert_true(kernel()->repaired >= NETS / 3 * 2 - 2);
}

static void
a_scan_of_what_is_right_writes_nothing(void **ctx)
{
  struct world *w = *ctx;
  u64 set, deleted;

  apply(w);
  say_all(w, RTD_BLACKHOLE);
  settle(&w->f);
  set = kernel()->routes->counters.set;
  deleted = kernel()->routes->counters.deleted;
  scan(w);
  assert_int_equal(kernel()->routes->counters.set, set);
  assert_int_equal(kernel()->routes->counters.deleted, deleted);
}

static void
keys_of_others_are_left_to_them(void **ctx)
{
  struct world *w = *ctx;

  put(w, 5, 0, NL_PROTO_STATIC);
  apply(w);
  say_all(w, RTD_PROHIBIT);
  settle(&w->f);
  assert_int_equal(w->kernel[5][0].protocol, NL_PROTO_STATIC);
  assert_int_equal(kernel()->left_to_others, 1);
  scan(w);
  assert_int_equal(w->kernel[5][0].protocol, NL_PROTO_STATIC);
  w->kernel[5][0].used = false; /* a scan finds it gone */
  scan(w);
  assert_int_equal(w->kernel[5][0].protocol, NL_PROTO_BIRD);
  check_all(w);
}

static void
a_key_that_is_let_go_is_taken_at_once(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  put(w, 5, 0, NL_PROTO_STATIC);
  report(kernel()->routes, 5, 0, NL_ROUTE_NEW);
  say(w, 5, RTD_PROHIBIT);
  settle(&w->f);
  assert_int_equal(w->kernel[5][0].protocol, NL_PROTO_STATIC);
  w->kernel[5][0].used = false;
  report(kernel()->routes, 5, 0, NL_ROUTE_GONE);
  check_all(w);
}

static void
refused_routes_do_not_stay_as_they_were(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  say(w, 5, RTD_BLACKHOLE);
  settle(&w->f);
  kernel()->routes->refusing = true;
  say(w, 5, RTD_PROHIBIT);
  settle(&w->f);
  assert_false(w->kernel[5][0].used);
  kernel()->routes->refusing = false;
  scan(w);
  check_all(w);
}

/* The end of the daemon: the talker's routes leave the table before the kernel protocol comes to them. */
static void
nothing_of_ours_is_left_at_the_end(void **ctx)
{
  struct world *w = *ctx;

  apply(w);
  say_all(w, RTD_BLACKHOLE);
  settle(&w->f);
  protos_shutdown(fixture_progress);
  settle(&w->f);
  assert_false(ours_in_kernel(w));
}

static void
routes_outlive_an_instance_with_persist(void **ctx)
{
  struct world *w = *ctx;

  w->kernel_cf->persist = true;
  apply(w);
  say_all(w, RTD_BLACKHOLE);
  say(w, 5, 0);
  settle(&w->f);
  protos_shutdown(fixture_progress);
  settle(&w->f);
  check_all(w);
}

/* --- Learning --- */

static u32
learned(const struct world *w)
{
  u32 count = 0;

  for (u32 i = 0; i < NETS; i++)
  {
    struct net_addr a = net4(0x0a000000 + i, 32);
    const struct net *n = rt_net(w->t, &a);

    for (const struct route *r = n ? n->routes : NULL; r; r = r->next)
      count += r->attrs->source == RTS_INHERIT;
  }
  return count;
}

static void
routes_of_others_are_learned_if_so_configured(void **ctx)
{
  struct world *w = *ctx;

  for (u32 i = 0; i < 100; i++)
    put(w, i, 1, i < 90 ? NL_PROTO_STATIC : NL_PROTO_KERNEL);
  apply(w);
  assert_int_equal(learned(w), 0);
  begin(w);
  w->kernel_cf->learn = true;
  apply(w);
  scan(w);
  assert_int_equal(learned(w), 90);
  w->kernel[3][1].used = false;
  scan(w);
  assert_int_equal(learned(w), 89);
  put(w, 3, 1, NL_PROTO_BOOT);
  report(kernel()->routes, 3, 1, NL_ROUTE_NEW);
  assert_int_equal(learned(w), 90);
  report(kernel()->routes, 3, 1, NL_ROUTE_GONE);
  assert_int_equal(learned(w), 89);
  begin(w);
  apply(w);
  assert_int_equal(learned(w), 0);
}

/* What it learns it does not write; and what is better here goes out beside it. */
static void
learned_routes_are_not_written_back(void **ctx)
{
  struct world *w = *ctx;

  w->kernel_cf->learn = true;
  put(w, 5, 1, NL_PROTO_STATIC);
  apply(w);
  assert_int_equal(learned(w), 1);
  assert_false(w->kernel[5][0].used);
  say(w, 5, RTD_PROHIBIT);
  settle(&w->f);
  check_all(w);
  say(w, 5, 0);
  settle(&w->f);
  check_all(w);
  assert_true(w->kernel[5][1].used);
}

static void
scans_and_changes_at_random_end_right(void **ctx)
{
  struct world *w = *ctx;

  w->kernel_cf->learn = true;
  apply(w);
  for (uint i = 0; i < 500; i++)
  {
    for (uint k = random() % 50; k; k--)
      say(w, random() % NETS, random() % 3 ? RTD_BLACKHOLE + random() % 3 : 0);
    for (uint k = random() % 10; k; k--)
      w->kernel[random() % NETS][0].used = false;
    if (random() % 4 == 0)
      kernel_scan(kernel());
    run_turns(&w->f, 1 + random() % 3);
    if (i % 50 == 49)
    {
      scan(w);
      scan(w);
      check_all(w);
    }
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    TEST(the_kernel_gets_what_is_exported),
    TEST(leftovers_of_a_run_before_are_removed),
    TEST(a_scan_in_the_middle_of_the_feed_removes_nothing),
    TEST(a_scan_repairs_what_others_spoiled),
    TEST(a_scan_of_what_is_right_writes_nothing),
    TEST(keys_of_others_are_left_to_them),
    TEST(a_key_that_is_let_go_is_taken_at_once),
    TEST(refused_routes_do_not_stay_as_they_were),
    TEST(nothing_of_ours_is_left_at_the_end),
    TEST(routes_outlive_an_instance_with_persist),
    TEST(routes_of_others_are_learned_if_so_configured),
    TEST(learned_routes_are_not_written_back),
    TEST(scans_and_changes_at_random_end_right),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
