/*
 * proto/bfd/session_checked.h: for the tests of session.c only
 *
 * The functions of session.h, each checked for what it must not keep from its caller, and for what holds
 * after any of them. Include it after cmocka.h.
 */
#ifndef PEREGRINE_BFD_SESSION_CHECKED_H
#define PEREGRINE_BFD_SESSION_CHECKED_H

#include "proto/bfd/session.h"

#define START BT_S(1000)
#define LOCAL 0x10ca1
#define REMOTE 0x4e307e

static const struct bfd_params normal UNUSED = {
  .min_rx = 100000, .min_tx = 200000, .idle_tx = 1000000, .detect_mult = 5
};

/* The caller re-arms timers only when told to, so it must be told. */
static inline uint
checked(const struct bfd_session *before, const struct bfd_session *s, uint todo)
{
  assert_true(s->state < BFD_STATE__MAX);
  assert_int_equal(s->local_disc, before->local_disc);
  if (bfd_session_tx_interval(before) != bfd_session_tx_interval(s))
    assert_true(todo & BFD_DO_TX_TIMER);
  if (bfd_session_detect_deadline(s) < bfd_session_detect_deadline(before))
    assert_true(todo & BFD_DO_DETECTION);
  if (before->state != s->state)
    assert_true(todo & BFD_DO_NOTIFY);
  if (s->state != BFD_UP) /* 6.8.3 */
  {
    assert_int_equal(s->min_tx, s->params.idle_tx);
    assert_int_equal(s->tx_used, s->params.idle_tx);
  }
  if (s->poll != BFD_POLL_NONE)
    assert_true(s->remote_disc != 0);
  if (s->watching)
    assert_true(s->remote_disc != 0);
  return todo;
}

static inline uint
configure(struct bfd_session *s, struct bfd_params params, btime now)
{
  struct bfd_session before = *s;

  return checked(&before, s, bfd_session_configure(s, &params, now));
}

static inline uint
suspend(struct bfd_session *s, bool suspended, btime now)
{
  struct bfd_session before = *s;

  return checked(&before, s, bfd_session_suspend(s, suspended, now));
}

static inline uint
event(struct bfd_session *s, enum bfd_event e, btime now)
{
  struct bfd_session before = *s;

  return checked(&before, s, bfd_session_event(s, e, now));
}

static inline uint
receive(struct bfd_session *s, const struct bfd_packet *pkt, btime now)
{
  struct bfd_session before = *s;

  return checked(&before, s, bfd_session_receive(s, pkt, now));
}

/* What a peer in @state says by default. */
static inline struct bfd_packet
peer_says(u8 state)
{
  return (struct bfd_packet){
    .state = state,
    .detect_mult = 3,
    .length = BFD_PACKET_SIZE,
    .my_disc = REMOTE,
    .your_disc = LOCAL,
    .min_tx = state == BFD_UP ? 50000 : 1000000,
    .min_rx = 50000,
  };
}

static inline uint
hear(struct bfd_session *s, u8 state, u8 flags, btime now)
{
  struct bfd_packet pkt = peer_says(state);

  pkt.flags = flags;
  return receive(s, &pkt, now);
}

static inline struct bfd_session
session_with(struct bfd_params params)
{
  struct bfd_session s;

  bfd_session_init(&s, &params, LOCAL, START);
  return s;
}

/* A Poll of ours goes out just before @now, and is answered. */
static inline uint
answer(struct bfd_session *s, u8 flags, btime now)
{
  assert_int_equal(bfd_session_packet(s, BFD_TX_PERIODIC, now - 1).flags, BFD_FLAG_POLL);
  return hear(s, BFD_UP, BFD_FLAG_FINAL | flags, now);
}

/* A session in @state, its Poll Sequence for entering Up answered and over. */
static inline struct bfd_session
session_in(u8 state, struct bfd_params params)
{
  params.admin_down = state == BFD_ADMIN_DOWN;

  struct bfd_session s = session_with(params);

  if (state >= BFD_INIT)
    hear(&s, BFD_DOWN, 0, START);
  if (state == BFD_UP)
  {
    hear(&s, BFD_INIT, 0, START);
    answer(&s, 0, START);
    hear(&s, BFD_UP, 0, START);
    assert_int_equal(s.poll, BFD_POLL_NONE);
  }
  assert_int_equal(s.state, state);
  return s;
}

static inline struct bfd_session
up(void)
{
  return session_in(BFD_UP, normal);
}

static inline struct bfd_packet
next_packet(struct bfd_session *s, enum bfd_tx_kind kind)
{
  return bfd_session_packet(s, kind, START);
}

static inline struct bfd_params
with_rx(u32 min_rx)
{
  struct bfd_params params = normal;

  params.min_rx = min_rx;
  return params;
}

static inline struct bfd_params
with_tx(u32 min_tx)
{
  struct bfd_params params = normal;

  params.min_tx = min_tx;
  return params;
}

static inline void
assert_remote_forgotten(const struct bfd_session *s)
{
  assert_int_equal(s->remote_disc, 0);
  assert_int_equal(s->remote_state, BFD_DOWN);
  assert_int_equal(s->remote_diag, BFD_DIAG_NONE);
  assert_int_equal(s->remote_min_rx, 1);
  assert_false(s->remote_demand);
  assert_int_equal(s->poll, BFD_POLL_NONE);
  assert_true(bfd_session_detect_deadline(s) == BT_NEVER);
}

#endif
