/*
 * proto/bfd/suppress_test.c: who is told that a flapping session is Up, and when
 *
 * The clock is the real one; half lives are short where time has to pass and long where it must not.
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

static struct bfd_options
dampened(btime half_life, u32 suppress)
{
  struct bfd_options o = { .set = BFD_OPT_DAMPENING, .dampening = BFD_DAMPENING_DEFAULT };

  o.dampening.half_life = o.dampening.max_suppress = half_life;
  o.dampening.suppress = suppress;
  o.dampening.reuse = suppress / 2;
  return o;
}

static struct bfd_options
undampened(void)
{
  return (struct bfd_options){ .set = BFD_OPT_DAMPENING };
}

static struct client *
ask_for(struct fixture *f, const struct bfd_options *o)
{
  return ask(f, "10.0.0.7", NULL, o);
}

/* One that relies on BFD alone. */
static struct client *
ask_blindly(struct fixture *f, const struct bfd_options *o)
{
  struct bfd_peer peer = { .remote = ip("10.0.0.7"), .client = "blind" };

  return ask_peer(f, &peer, o);
}

static void
expect(struct fixture *f, const struct client *c, u8 state)
{
  settle(f);
  assert_int_equal(c->last.state, state);
  assert_int_equal(bfd_request_status(c->r).state, state);
}

static void
flap(struct fixture *f)
{
  note(f, 1, BFD_DOWN, true);
  settle(f);
  note(f, 1, BFD_UP, false);
  settle(f);
}

static const struct bfd_shared *
session(const struct client *c)
{
  return c->r->session;
}

static void
a_failure_too_many_keeps_up_from_the_client(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(LONG, 1500);
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  note(f, 1, BFD_UP, false);
  expect(f, c, BFD_UP);
  flap(f);
  expect(f, c, BFD_UP);
  assert_in_range(bfd_suppress_state(&f->p, session(c)).penalty, 990, 1000);
  note(f, 1, BFD_DOWN, true);
  expect(f, c, BFD_DOWN);
  assert_true(c->last.failed); /* Down is not delayed */
  note(f, 1, BFD_UP, false);
  expect(f, c, BFD_DOWN);
  assert_true(bfd_suppress_state(&f->p, session(c)).suppressed);
  note(f, 1, BFD_DOWN, true); /* and what it was not told it cannot lose */
  expect(f, c, BFD_DOWN);
  assert_false(c->last.failed);
}

static void
a_failure_between_two_looks_is_told_and_up_is_not(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(LONG, 900);
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  note(f, 1, BFD_UP, false);
  settle(f);
  note(f, 1, BFD_UP, true);
  expect(f, c, BFD_DOWN);
  assert_true(c->last.failed);
}

static void
who_does_not_ask_for_dampening_sees_every_change(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(LONG, 900), off = undampened();
  struct client *calm, *plain, *lax;

  eth0_up();
  calm = ask_for(f, &o);
  plain = ask_for(f, NULL);
  o.dampening.suppress = 5000;
  lax = ask_for(f, &o);
  ask_for(f, &off);
  note(f, 1, BFD_UP, false);
  flap(f);
  expect(f, calm, BFD_DOWN);
  expect(f, plain, BFD_UP);
  expect(f, lax, BFD_UP);
}

static void
the_interface_may_ask_for_it_and_a_request_refuse(void **ctx)
{
  static const struct iface_pattern any = { .mask = "*", .positive = true };
  struct fixture *f = *ctx;
  struct bfd_options off = undampened();
  struct bfd_iface_config *block = mb_alloc(f->pool, sizeof(*block));
  struct client *calm, *plain;

  block->pattern = (struct iface_pattern *) &any;
  block->options = dampened(LONG, 900);
  list_add_tail(&f->cf.ifaces, &block->n);
  eth0_up();
  calm = ask_for(f, NULL);
  plain = ask_for(f, &off);
  note(f, 1, BFD_UP, false);
  flap(f);
  expect(f, calm, BFD_DOWN);
  expect(f, plain, BFD_UP);
}

static void
who_comes_while_it_is_suppressed_waits_as_well(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(LONG, 900);
  struct client *c;

  eth0_up();
  ask_for(f, &o);
  note(f, 1, BFD_UP, false);
  flap(f);
  c = ask_blindly(f, &o);
  expect(f, c, BFD_DOWN);
  c = ask_blindly(f, NULL);
  expect(f, c, BFD_UP);
}

static void
an_administrative_end_costs_nothing(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(LONG, 900);
  struct bfd_note n = { .id = 1, .left_up = true, .status = { .state = BFD_DOWN } };
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  note(f, 1, BFD_UP, false);
  settle(f);
  bfd_note_received(&f->p, &n);
  assert_null(session(c)->flapping);
  note(f, 1, BFD_UP, false);
  expect(f, c, BFD_UP);
}

static void
nothing_is_kept_where_nobody_asks(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c;

  eth0_up();
  c = ask_for(f, NULL);
  note(f, 1, BFD_UP, false);
  flap(f);
  assert_null(session(c)->flapping);
}

/* Run the loop until @c is told of @state. */
static void
wait_for(struct fixture *f, const struct client *c, u8 state)
{
  btime limit = clock_now() + BT_S(5);

  while (c->last.state != state)
  {
    assert_true(clock_now() < limit);
    usleep(2000);
    settle(f);
  }
}

static void
it_is_released_when_the_penalty_has_decayed(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(BT_MS(300), 900), slow = dampened(LONG, 900);
  struct client *c, *other;
  btime failed;

  eth0_up();
  c = ask_for(f, &o);
  other = ask_for(f, &slow);
  note(f, 1, BFD_UP, false);
  settle(f);
  failed = clock_now();
  flap(f);
  wait_for(f, c, BFD_UP);
  assert_true(clock_now() - failed >= BT_MS(300));
  expect(f, other, BFD_DOWN); /* each by its own clock */
}

static void
in_the_end_it_is_forgotten(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(BT_MS(10), 900);
  btime limit = clock_now() + BT_S(5);
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  note(f, 1, BFD_UP, false);
  flap(f);
  while (session(c)->flapping)
  {
    assert_true(clock_now() < limit);
    usleep(2000);
    settle(f);
  }
  assert_true(list_empty(&f->p.flapping) && !timer_is_set(f->p.release_timer));
}

static void
a_reload_without_dampening_releases_at_once(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(LONG, 900), lax = dampened(LONG, 5000);
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  note(f, 1, BFD_UP, false);
  flap(f);
  expect(f, c, BFD_DOWN);
  bfd_request_change(c->r, &lax);
  expect(f, c, BFD_UP);
  assert_non_null(session(c)->flapping);
  bfd_request_change(c->r, NULL);
  assert_null(session(c)->flapping);
  told(f, "A1"); /* the engine has no part in it */
}

static void
a_reload_with_dampening_takes_nobody_down(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options lax = dampened(LONG, 5000), strict = dampened(LONG, 900);
  struct client *c;

  eth0_up();
  c = ask_for(f, &lax);
  note(f, 1, BFD_UP, false);
  flap(f);
  bfd_request_change(c->r, &strict);
  expect(f, c, BFD_UP);
  assert_true(bfd_suppress_state(&f->p, session(c)).suppressed);
  note(f, 1, BFD_UP, false); /* the peer changed its diagnostic, say */
  expect(f, c, BFD_UP);
  flap(f);
  expect(f, c, BFD_DOWN);
}

static void
an_operator_may_release_it(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(LONG, 900);
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  note(f, 1, BFD_UP, false);
  flap(f);
  bfd_suppress_reset(&f->p, c->r->session);
  expect(f, c, BFD_UP);
  assert_null(session(c)->flapping);
  bfd_suppress_reset(&f->p, c->r->session);
}

static void
a_suppressed_session_may_go(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = dampened(LONG, 900);
  struct client *c;

  eth0_up();
  c = ask_for(f, &o);
  note(f, 1, BFD_UP, false);
  flap(f);
  rfree(c->r);
  settle(f);
  assert_true(list_empty(&f->p.flapping));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_failure_too_many_keeps_up_from_the_client),
    TEST(a_failure_between_two_looks_is_told_and_up_is_not),
    TEST(who_does_not_ask_for_dampening_sees_every_change),
    TEST(the_interface_may_ask_for_it_and_a_request_refuse),
    TEST(who_comes_while_it_is_suppressed_waits_as_well),
    TEST(an_administrative_end_costs_nothing),
    TEST(nothing_is_kept_where_nobody_asks),
    TEST(it_is_released_when_the_penalty_has_decayed),
    TEST(in_the_end_it_is_forgotten),
    TEST(a_reload_without_dampening_releases_at_once),
    TEST(a_reload_with_dampening_takes_nobody_down),
    TEST(an_operator_may_release_it),
    TEST(a_suppressed_session_may_go),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
