/*
 * proto/bfd/pace_test.c: what the engine is told when this machine is late
 *
 * The clock is the real one; times of quiet are short where they have to pass and long where they must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/bfd/provider_fixture.h"
#include "sysdep/clock.h"

#define LONG BT_S(1000)

/* 20 ms x 5, so a detection time of 100 ms. */
static struct bfd_options
adapting(u32 least_ms, btime quiet)
{
  struct bfd_options o = OPTIONS(20, 20, 5, false);

  o.set |= BFD_OPT_ADAPT;
  o.adapt = (struct bfd_adapt_options){ least_ms * 1000, quiet };
  return o;
}

static struct client *
ask_for(struct fixture *f, const struct bfd_options *o)
{
  return ask(f, "10.0.0.7", NULL, o);
}

static void
expect_intervals(const struct fixture *f, uint tx_ms, uint rx_ms)
{
  assert_int_equal(f->last.params.min_tx, tx_ms * 1000);
  assert_int_equal(f->last.params.min_rx, rx_ms * 1000);
}

static void
a_late_machine_lengthens_intervals_at_once(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = adapting(100, LONG);

  eth0_up();
  ask_for(f, &o);
  told(f, "A1");
  bfd_pace_late(&f->p, BT_MS(25));
  told(f, "");
  bfd_pace_late(&f->p, BT_MS(26));
  told(f, "C1");
  expect_intervals(f, 100, 100);
  assert_int_equal(f->last.params.detect_mult, 5);
  bfd_pace_late(&f->p, BT_MS(50)); /* it is as long as it gets */
  told(f, "");
}

static void
who_did_not_ask_for_it_keeps_the_intervals(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = adapting(100, LONG), plain = OPTIONS(20, 20, 5, false);

  eth0_up();
  ask_for(f, &o);
  ask(f, "10.0.0.8", NULL, &plain);
  told(f, "A1 A2");
  bfd_pace_late(&f->p, BT_MS(50));
  told(f, "C1");
}

static void
all_who_share_a_session_have_to_ask_for_it(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = adapting(100, LONG), less = adapting(50, LONG), plain = OPTIONS(50, 50, 5, false);
  struct client *other;

  eth0_up();
  ask_for(f, &o);
  other = ask_for(f, &plain);
  told(f, "A1");
  bfd_pace_late(&f->p, BT_MS(50));
  told(f, "");
  rfree(other->r);
  told(f, "C1");
  expect_intervals(f, 100, 100);
  ask_for(f, &less);
  told(f, "C1");
  expect_intervals(f, 50, 50);
}

static void
a_session_that_comes_while_the_machine_is_late_begins_slowly(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = adapting(100, LONG);

  eth0_up();
  bfd_pace_late(&f->p, BT_MS(50));
  ask_for(f, &o);
  told(f, "A1");
  expect_intervals(f, 100, 100);
}

static void
a_reload_in_the_middle_leads_to_the_same(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = adapting(100, LONG), more = adapting(200, LONG), off = adapting(0, LONG);
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  bfd_pace_late(&f->p, BT_MS(50));
  told(f, "A1 C1");
  bfd_request_change(c->r, &more);
  told(f, "C1");
  expect_intervals(f, 200, 200);
  bfd_request_change(c->r, &off);
  told(f, "C1");
  expect_intervals(f, 20, 20);
  bfd_request_change(c->r, &o);
  told(f, "C1");
  expect_intervals(f, 100, 100);
  bfd_sync_all(&f->p);
  told(f, "");
}

static void
intervals_that_are_long_enough_are_no_change(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = adapting(20, LONG);
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  told(f, "A1");
  bfd_pace_late(&f->p, BT_MS(50));
  told(f, "");
  assert_int_equal(((struct bfd_shared *) c->r->session)->pace_step, 0);
}

static void
no_packets_at_all_stay_none(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = adapting(100, LONG);

  o.min_rx = 0;
  eth0_up();
  ask_for(f, &o);
  bfd_pace_late(&f->p, BT_MS(50));
  told(f, "A1 C1");
  expect_intervals(f, 100, 0);
}

static void
a_quiet_machine_restores_them_step_by_step(void **ctx)
{
  static const u32 steps[] = { 100000, 60000, 40000, 30000, 25000, 20000 };
  struct fixture *f = *ctx;
  struct bfd_options o = adapting(100, BT_MS(200));
  btime start;
  uint i = 0;

  eth0_up();
  ask_for(f, &o);
  start = clock_now();
  bfd_pace_late(&f->p, BT_MS(50));
  told(f, "A1 C1");
  while (f->last.params.min_tx > 20000)
  {
    assert_true(clock_now() - start < BT_S(10));
    usleep(1000);
    settle(f);
    while (steps[i] > f->last.params.min_tx) /* a busy machine may skip one */
      i++;
    assert_int_equal(f->last.params.min_tx, steps[i]);
    assert_int_equal(f->last.params.min_rx, steps[i]);
    assert_true(clock_now() - start >= i * BT_MS(200));
  }
  bfd_sync_all(&f->p);
  f->told[0] = 0;
  told(f, "");
}

static void
the_worst_is_remembered(void **ctx)
{
  struct fixture *f = *ctx;

  bfd_pace_late(&f->p, BT_MS(50));
  bfd_pace_late(&f->p, BT_MS(20));
  assert_true(bfd_worst_of(&f->p) == BT_MS(50));
  bfd_pace_late(&f->p, BT_MS(60));
  assert_true(bfd_worst_of(&f->p) == BT_MS(60));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_late_machine_lengthens_intervals_at_once),
    TEST(who_did_not_ask_for_it_keeps_the_intervals),
    TEST(all_who_share_a_session_have_to_ask_for_it),
    TEST(a_session_that_comes_while_the_machine_is_late_begins_slowly),
    TEST(a_reload_in_the_middle_leads_to_the_same),
    TEST(intervals_that_are_long_enough_are_no_change),
    TEST(no_packets_at_all_stay_none),
    TEST(a_quiet_machine_restores_them_step_by_step),
    TEST(the_worst_is_remembered),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
