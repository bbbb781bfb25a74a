/*
 * proto/bfd/session_pair_test.c: two sessions talk to each other on a fake clock, over a wire with latency
 * and loss; what they ask for is carried out as the engine would
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/session_checked.h"
#include "proto/bfd/timing.h"

struct side
{
  struct bfd_session v;
  struct side *peer;
  btime tx_base, tx_at, start; /* tx_at: BT_NEVER when nothing is sent periodically */
  uint sent, downs;
  bool mute;    /* nothing it sends arrives */
  uint loss;    /* per cent */
  u64 lose_map; /* bit n: packet n does not arrive */
};

struct flight
{
  btime at;
  struct side *to;
  byte data[BFD_PACKET_SIZE];
};

struct world
{
  btime now, latency, jitter;
  struct side a, b;
  struct flight wire[4096];
  uint flying;
  struct rng rng;
};

static void
world_send(struct world *w, struct side *s, enum bfd_tx_kind kind)
{
  struct bfd_packet pkt = bfd_session_packet(&s->v, kind, w->now);
  uint n = s->sent++;

  assert_true(bfd_session_may_send(&s->v));
  assert_true(pkt.your_disc == s->v.remote_disc);
  if (s->mute || (n < 64 && s->lose_map >> n & 1) || rng_below(&w->rng, 100) < s->loss)
    return;
  assert_true(w->flying < ARRAY_SIZE(w->wire));

  struct flight *f = &w->wire[w->flying++];

  f->at = w->now + w->latency + rng_below(&w->rng, w->jitter + 1);
  f->to = s->peer;
  for (uint i = 0; i + 1 < w->flying; i++) /* a wire keeps the order */
    if (w->wire[i].to == f->to)
      f->at = MAX(f->at, w->wire[i].at);
  bfd_packet_encode(&pkt, f->data);
}

static void
world_set_tx(struct world *w, struct side *s)
{
  btime interval = bfd_session_tx_interval(&s->v), at;

  if (!interval)
  {
    s->tx_at = BT_NEVER;
    return;
  }
  at = MAX(w->now,
           s->tx_base ? bfd_tx_deadline(s->tx_base, interval, s->v.params.detect_mult, &w->rng) : w->now);
  s->tx_at = MIN(s->tx_at, at);
}

static void
world_apply(struct world *w, struct side *s, u8 before, uint todo)
{
  s->downs += before == BFD_UP && s->v.state != BFD_UP;
  if (todo & BFD_DO_FINAL)
    world_send(w, s, BFD_TX_FINAL);
  else if ((todo & BFD_DO_SEND) && bfd_session_may_send(&s->v))
    world_send(w, s, BFD_TX_EXTRA);
  if (todo & BFD_DO_TX_TIMER)
    world_set_tx(w, s);
}

static void
world_configure(struct world *w, struct side *s, struct bfd_params params)
{
  u8 before = s->v.state;

  world_apply(w, s, before, configure(&s->v, params, w->now));
}

static void
world_suspend(struct world *w, struct side *s, bool suspended)
{
  u8 before = s->v.state;

  world_apply(w, s, before, suspend(&s->v, suspended, w->now));
}

static void
world_deliver(struct world *w, struct flight f)
{
  struct bfd_rx_meta meta = { .hop = BFD_MULTIHOP, .ttl = 255, .arrival = w->now };
  struct bfd_packet pkt;
  u8 before = f.to->v.state;

  assert_int_equal(bfd_packet_decode(&pkt, f.data, sizeof(f.data)), BFD_RX_OK);
  if (pkt.your_disc && pkt.your_disc != f.to->v.local_disc)
    return; /* nobody here is meant */
  if (bfd_session_accept(&f.to->v, BFD_MULTIHOP, 0, &pkt, &meta) == BFD_RX_OK)
    world_apply(w, f.to, before, receive(&f.to->v, &pkt, w->now));
}

/* What happens next at a side, apart from arrivals. */
static btime
side_next(const struct side *s)
{
  return MIN(s->tx_at, bfd_session_detect_deadline(&s->v));
}

static void
side_step(struct world *w, struct side *s)
{
  if (s->tx_at <= w->now)
  {
    s->tx_base = w->now;
    s->tx_at = BT_NEVER;
    if (bfd_session_tx_interval(&s->v))
    {
      world_send(w, s, BFD_TX_PERIODIC);
      world_set_tx(w, s);
    }
  }
  else if (bfd_session_detect_deadline(&s->v) <= w->now)
  {
    u8 before = s->v.state;

    world_apply(w, s, before, event(&s->v, DETECT_EXPIRED, w->now));
  }
}

static void
world_run(struct world *w, btime until)
{
  for (;;)
  {
    uint first = w->flying;
    btime at = MIN(side_next(&w->a), side_next(&w->b));

    for (uint i = 0; i < w->flying; i++)
      if (w->wire[i].at <= at && (first == w->flying || w->wire[i].at < w->wire[first].at))
        first = i;
    if (first < w->flying)
      at = w->wire[first].at;
    if (at > until)
      break;
    w->now = MAX(w->now, at);
    if (first < w->flying) /* what arrived in time is read before silence is judged */
    {
      struct flight f = w->wire[first];

      w->flying--;
      memmove(&w->wire[first], &w->wire[first + 1], (w->flying - first) * sizeof(f));
      world_deliver(w, f);
    }
    else
      side_step(w, side_next(&w->a) <= w->now ? &w->a : &w->b);
  }
  w->now = until;
}

static void
world_init(struct world *w, struct bfd_params a, struct bfd_params b, u64 seed)
{
  *w = (struct world){ .now = START, .latency = 100, .rng = { seed } };
  bfd_session_init(&w->a.v, &a, 0xa, START);
  bfd_session_init(&w->b.v, &b, 0xb, START);
  w->a.peer = &w->b;
  w->b.peer = &w->a;
  w->a.tx_at = w->b.tx_at = BT_NEVER;
  w->a.v.suspended = w->b.v.suspended = true;
}

static void
world_start(struct world *w)
{
  world_suspend(w, &w->a, false);
  world_suspend(w, &w->b, false);
}

static void
assert_both(const struct world *w, u8 a, u8 b)
{
  if (w->a.v.state != a || w->b.v.state != b)
    print_error("%s and %s instead of %s and %s\n", bfd_state_name(w->a.v.state),
                bfd_state_name(w->b.v.state), bfd_state_name(a), bfd_state_name(b));
  assert_int_equal(w->a.v.state, a);
  assert_int_equal(w->b.v.state, b);
}

static void
assert_settled(const struct world *w)
{
  const struct side *sides[] = { &w->a, &w->b };

  assert_both(w, BFD_UP, BFD_UP);
  for (uint i = 0; i < 2; i++)
  {
    const struct bfd_session *me = &sides[i]->v, *peer = &sides[i]->peer->v;

    assert_int_equal(me->remote_disc, peer->local_disc);
    assert_int_equal(me->remote_min_rx, peer->params.min_rx);
    assert_int_equal(me->remote_min_tx, peer->params.min_tx);
    assert_int_equal(me->tx_used, me->params.min_tx);
    assert_int_equal(me->rx_used, me->params.min_rx);
    assert_int_not_equal(me->poll, BFD_POLL_ACTIVE);
    assert_false(me->retime);
  }
}

static struct world world; /* too large for the stack of some */

static void
two_sessions_come_up_in_every_order(void **ctx UNUSED)
{
  static const btime starts[] = { 0, 100, 1000, 700000, BT_S(1), BT_S(5) };

  for (uint i = 0; i < ARRAY_SIZE(starts); i++)
    for (uint first = 0; first < 2; first++)
      for (uint passive = 0; passive < 3; passive++) /* nobody, a, b */
      {
        struct bfd_params a = normal, b = normal;

        a.passive = passive == 1;
        b.passive = passive == 2;
        world_init(&world, a, b, i);
        world_suspend(&world, first ? &world.a : &world.b, false);
        world_run(&world, START + starts[i]);
        world_suspend(&world, first ? &world.b : &world.a, false);
        world_run(&world, world.now + BT_S(6));
        assert_settled(&world);
        world_run(&world, world.now + BT_S(30));
        assert_settled(&world);
        assert_int_equal(world.a.downs + world.b.downs, 0);
      }
}

static void
up_comes_with_three_packets_once_both_speak(void **ctx UNUSED)
{
  world_init(&world, normal, normal, 1);
  world_start(&world);
  world_run(&world, START + 10 * world.latency);
  assert_both(&world, BFD_UP, BFD_UP);
}

static void
two_passive_sessions_stay_silent(void **ctx UNUSED)
{
  struct bfd_params params = normal;

  params.passive = true;
  world_init(&world, params, params, 1);
  world_start(&world);
  world_run(&world, START + BT_S(60));
  assert_both(&world, BFD_DOWN, BFD_DOWN);
  assert_int_equal(world.a.sent + world.b.sent, 0);
}

static void
whatever_is_lost_in_the_handshake_they_come_up(void **ctx UNUSED)
{
  for (uint map = 0; map < 64; map++)
  {
    world_init(&world, normal, normal, map);
    world.a.lose_map = map & 7;
    world.b.lose_map = map >> 3;
    world_start(&world);
    world_run(&world, START + BT_S(30));
    assert_settled(&world);
  }
}

static void
random_loss_in_the_beginning_leaves_no_trace(void **ctx UNUSED)
{
  for (uint seed = 0; seed < 100; seed++)
  {
    world_init(&world, normal, normal, seed);
    world.jitter = 5000;
    world.a.loss = world.b.loss = 20 + seed / 2;
    world_start(&world);
    world_run(&world, START + BT_S(20));
    world.a.loss = world.b.loss = 0;
    world_run(&world, world.now + BT_S(20));
    assert_settled(&world);
  }
}

static void
a_silent_cut_is_seen_after_exactly_the_detection_time(void **ctx UNUSED)
{
  world_init(&world, normal, normal, 3);
  world_start(&world);
  world_run(&world, START + BT_S(10));
  assert_settled(&world);
  world.b.mute = true;

  btime deadline = bfd_session_detect_deadline(&world.a.v);

  world_run(&world, world.now + BT_MS(1)); /* what flies arrives */
  deadline = bfd_session_detect_deadline(&world.a.v);
  assert_true(deadline - world.a.v.last_rx == 5 * 200000);
  world_run(&world, deadline - 1);
  assert_int_equal(world.a.v.state, BFD_UP);
  world_run(&world, deadline);
  assert_int_equal(world.a.v.state, BFD_DOWN);
  assert_int_equal(world.a.v.diag, BFD_DIAG_TIMEOUT);
  world_run(&world, deadline + BT_MS(1)); /* the other end is told, not left to find out */
  assert_int_equal(world.b.v.diag, BFD_DIAG_NEIGHBOR_DOWN);
  world.b.mute = false;
  world_run(&world, world.now + BT_S(10));
  assert_settled(&world);
}

/* The Poll Sequence that began with Down is not over yet, its first packet not even sent. */
static void
a_session_that_is_up_again_at_once_is_as_fast_as_before_at_once(void **ctx UNUSED)
{
  world_init(&world, normal, normal, 3);
  world_start(&world);
  world_run(&world, START + BT_S(10));
  assert_settled(&world);
  world.a.mute = true;
  while (world.b.v.state == BFD_UP)
    world_run(&world, world.now + BT_MS(1));
  world.a.mute = false;
  while (world.a.v.state != BFD_UP || world.b.v.state != BFD_UP)
    world_run(&world, world.now + BT_MS(1));
  assert_int_equal(world.a.v.min_tx, normal.min_tx);
  assert_int_equal(world.b.v.min_tx, normal.min_tx);
  world_run(&world, world.now + 3 * (btime) normal.min_tx);
  assert_settled(&world);
}

static void
a_cut_both_ways_heals(void **ctx UNUSED)
{
  world_init(&world, normal, normal, 4);
  world_start(&world);
  world_run(&world, START + BT_S(10));
  world.a.mute = world.b.mute = true;
  world_run(&world, world.now + BT_S(10));
  assert_both(&world, BFD_DOWN, BFD_DOWN);
  assert_remote_forgotten(&world.a.v);
  assert_remote_forgotten(&world.b.v);
  world.a.mute = world.b.mute = false;
  world_run(&world, world.now + BT_S(10));
  assert_settled(&world);
}

static void
an_administrative_end_is_heard_and_taken_back(void **ctx UNUSED)
{
  struct bfd_params off = normal;

  off.admin_down = true;
  world_init(&world, normal, normal, 5);
  world_start(&world);
  world_run(&world, START + BT_S(10));
  world_configure(&world, &world.a, off);
  world_run(&world, world.now + BT_S(10));
  assert_both(&world, BFD_ADMIN_DOWN, BFD_DOWN);
  assert_int_equal(world.b.v.remote_state, BFD_ADMIN_DOWN);
  assert_int_equal(world.b.v.diag, BFD_DIAG_NEIGHBOR_DOWN);
  world_configure(&world, &world.b, off);
  world_run(&world, world.now + BT_S(10));
  assert_both(&world, BFD_ADMIN_DOWN, BFD_ADMIN_DOWN);
  world_configure(&world, &world.a, normal);
  world_run(&world, world.now + BT_S(10));
  assert_both(&world, BFD_DOWN, BFD_ADMIN_DOWN);
  world_configure(&world, &world.b, normal);
  world_run(&world, world.now + BT_S(10));
  assert_settled(&world);
}

/* See a_silent_peer_is_forgotten_while_admin_down: the whole story. */
static void
a_disabled_session_finds_a_passive_peer_that_restarted_meanwhile(void **ctx UNUSED)
{
  struct bfd_params off = normal, passive = normal;

  off.admin_down = true;
  passive.passive = true;
  world_init(&world, normal, passive, 6);
  world_start(&world);
  world_run(&world, START + BT_S(10));
  assert_settled(&world);
  world_configure(&world, &world.a, off);
  world_run(&world, world.now + BT_S(10));
  bfd_session_init(&world.b.v, &passive, 0xbb, world.now);
  world.b.tx_at = BT_NEVER;
  world_run(&world, world.now + BT_S(60));
  world_configure(&world, &world.a, normal);
  world_run(&world, world.now + BT_S(60));
  assert_settled(&world);
}

static void
a_restart_of_either_side_costs_one_down_and_heals(void **ctx UNUSED)
{
  for (uint seed = 0; seed < 50; seed++)
  {
    world_init(&world, normal, normal, seed);
    world_start(&world);
    world_run(&world, START + BT_S(10));
    bfd_session_init(&world.b.v, &normal, 0xb00 + seed, world.now);
    world.b.tx_at = world.now + rng_below(&world.rng, BT_S(3));
    world_run(&world, world.now + BT_S(15));
    assert_settled(&world);
    assert_int_equal(world.a.downs, 1);
  }
}

static void
losing_the_path_on_one_side_heals(void **ctx UNUSED)
{
  for (uint seed = 0; seed < 50; seed++)
  {
    world_init(&world, normal, normal, seed);
    world_start(&world);
    world_run(&world, START + BT_S(10));
    world_suspend(&world, &world.a, true);
    world_run(&world, world.now + rng_below(&world.rng, BT_S(5)));
    world_suspend(&world, &world.a, false);
    world_run(&world, world.now + BT_S(15));
    assert_settled(&world);
  }
}

static u32
random_interval(struct rng *rng)
{
  static const u32 some[] = { 1000, 3300, 10000, 50000, 100000, 300000, 1000000, 2000000 };

  return some[rng_below(rng, ARRAY_SIZE(some))];
}

/* Reconfigure both sides again and again over a wire that loses nothing; @gap at most between changes. */
static void
reconfigure_for_a_while(u64 seed, btime latency, btime gap, bool with_zero)
{
  world_init(&world, normal, normal, seed);
  world.latency = latency;
  world_start(&world);
  world_run(&world, START + BT_S(10));
  assert_both(&world, BFD_UP, BFD_UP);
  for (uint i = 0; i < 30; i++)
  {
    struct side *s = rng_below(&world.rng, 2) ? &world.a : &world.b;
    struct bfd_params params = s->v.params;

    if (rng_below(&world.rng, 2))
      params.min_rx = with_zero && !rng_below(&world.rng, 4) ? 0 : random_interval(&world.rng);
    if (rng_below(&world.rng, 2))
      params.min_tx = random_interval(&world.rng);
    if (!rng_below(&world.rng, 4))
      params.detect_mult = 3 + rng_below(&world.rng, 5);
    world_configure(&world, s, params);
    world_run(&world, world.now + rng_below(&world.rng, gap));
    if (world.a.downs + world.b.downs)
      print_error("seed %u: down after change %u\n", (uint) seed, i);
    assert_int_equal(world.a.downs + world.b.downs, 0);
  }
  world_run(&world, world.now + BT_S(120));
  assert_int_equal(world.a.downs + world.b.downs, 0);
}

static void
reconfiguration_never_takes_a_session_down(void **ctx UNUSED)
{
  for (uint seed = 0; seed < 150; seed++)
  {
    reconfigure_for_a_while(seed, 100, BT_S(20), false);
    assert_settled(&world);
    reconfigure_for_a_while(seed, 300, BT_MS(300), false);
    assert_settled(&world);
  }
}

static void
reconfiguration_over_a_long_wire_never_takes_a_session_down(void **ctx UNUSED)
{
  for (uint seed = 0; seed < 150; seed++)
  {
    reconfigure_for_a_while(seed, 100000, BT_S(1), false);
    assert_settled(&world);
  }
}

static void
reconfiguration_through_required_min_rx_zero_never_takes_a_session_down(void **ctx UNUSED)
{
  for (uint seed = 0; seed < 150; seed++)
    reconfigure_for_a_while(seed, 100, BT_S(20), true);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_sessions_come_up_in_every_order),
    cmocka_unit_test(up_comes_with_three_packets_once_both_speak),
    cmocka_unit_test(two_passive_sessions_stay_silent),
    cmocka_unit_test(whatever_is_lost_in_the_handshake_they_come_up),
    cmocka_unit_test(random_loss_in_the_beginning_leaves_no_trace),
    cmocka_unit_test(a_silent_cut_is_seen_after_exactly_the_detection_time),
    cmocka_unit_test(a_session_that_is_up_again_at_once_is_as_fast_as_before_at_once),
    cmocka_unit_test(a_cut_both_ways_heals),
    cmocka_unit_test(an_administrative_end_is_heard_and_taken_back),
    cmocka_unit_test(a_disabled_session_finds_a_passive_peer_that_restarted_meanwhile),
    cmocka_unit_test(a_restart_of_either_side_costs_one_down_and_heals),
    cmocka_unit_test(losing_the_path_on_one_side_heals),
    cmocka_unit_test(reconfiguration_never_takes_a_session_down),
    cmocka_unit_test(reconfiguration_over_a_long_wire_never_takes_a_session_down),
    cmocka_unit_test(reconfiguration_through_required_min_rx_zero_never_takes_a_session_down),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
