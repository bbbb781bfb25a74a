/*
 * proto/bfd/session.c: see session.h
 *
 * Intervals: `params` is what is wanted, `min_*` what is advertised, `*_used` what is calculated with.
 * retime() moves the first into the second, and into the third where 6.8.3 does not say to wait for the end
 * of the Poll Sequence.
 */
#include "proto/bfd/session.h"
#include "proto/bfd/timing.h"

#define POLL_SETTLE \
  BT_S(1) /* a round trip for sure, where no packet without Final can be waited for (6.8.3) */

static void
forget_remote(struct bfd_session *s)
{
  s->remote_disc = 0;
  s->remote_state = BFD_DOWN;
  s->remote_diag = BFD_DIAG_NONE;
  s->remote_mult = 0;
  s->remote_demand = false;
  s->remote_min_tx = 0;
  s->remote_min_rx = 1; /* 6.8.1 */
  s->watching = false;
  s->poll = BFD_POLL_NONE;
}

void
bfd_session_init(struct bfd_session *s, const struct bfd_params *params, u32 local_disc, btime now)
{
  *s = (struct bfd_session){
    .state = params->admin_down ? BFD_ADMIN_DOWN : BFD_DOWN,
    .diag = params->admin_down ? BFD_DIAG_ADMIN_DOWN : BFD_DIAG_NONE,
    .local_disc = local_disc,
    .min_tx = params->idle_tx,
    .min_rx = params->min_rx,
    .tx_used = params->idle_tx,
    .rx_used = params->min_rx,
    .params = *params,
    .since = now,
  };
  forget_remote(s);
}

/* The Poll Sequence is over: what was advertised is in force on both sides. */
static uint
poll_done(struct bfd_session *s)
{
  s->tx_used = s->min_tx;
  s->rx_used = s->min_rx;
  return BFD_DO_TX_TIMER | BFD_DO_DETECTION;
}

static void
poll_start(struct bfd_session *s)
{
  if (!s->remote_disc)
    return; /* nobody knows us yet; the handshake carries the values */
  s->poll = BFD_POLL_ACTIVE;
  s->first_poll = 0;
}

/* Advertise what is wanted in the present state. */
static uint
retime(struct bfd_session *s)
{
  bool up = s->state == BFD_UP;
  u32 min_tx = up ? s->params.min_tx : s->params.idle_tx;
  u32 min_rx = s->params.min_rx;
  bool change = min_tx != s->min_tx || min_rx != s->min_rx;
  bool catch_up = !up && (s->tx_used != min_tx || s->rx_used != min_rx); /* a Poll Sequence was cut short */

  /* One change at a time, so that it is clear which one a Final answers (6.8.3). Leaving Up cannot wait. */
  s->retime = up && change && s->poll != BFD_POLL_NONE;
  if (s->retime || !(change || catch_up))
    return 0;

  s->min_tx = min_tx;
  s->min_rx = min_rx;
  if (!up || min_tx < s->tx_used)
    s->tx_used = min_tx; /* sending slower while Up waits until the peer has heard of it */
  /* And so does expecting packets sooner, or any again. 0 is the longest of intervals: the peer may stop at
   * once. */
  if (!up || !min_rx || (s->rx_used && min_rx > s->rx_used))
    s->rx_used = min_rx;
  if (change)
    poll_start(s);
  return BFD_DO_TX_TIMER | BFD_DO_DETECTION;
}

/* Carry out what the state machine says. */
static uint
step(struct bfd_session *s, enum bfd_event event, btime now)
{
  struct bfd_step st = bfd_fsm_step(s->state, event);
  uint todo = 0;

  if (st.actions & FORGET_REMOTE)
  {
    todo |= BFD_DO_TX_TIMER | (s->remote_state != BFD_DOWN ? BFD_DO_NOTIFY : 0);
    forget_remote(s);
  }
  if (!st.change)
    return todo;

  s->state = st.state;
  s->since = now;
  if (st.diag != BFD_DIAG_KEEP)
    s->diag = st.diag;
  if (s->state != BFD_ADMIN_DOWN)
    bfd_auth_settle(&s->auth); /* there is no session left to disturb */
  /* A Poll Sequence for the intervals of before has lost its meaning, and those of Up cannot wait for its
   * end. */
  if (st.actions & POLL)
    s->poll = BFD_POLL_NONE;
  if (st.actions & (TX_SLOW | POLL))
    todo |= retime(s);
  if (st.actions & POLL)
    poll_start(s);
  /* 6.8.7: a packet whose contents differ from the last one goes out at once. */
  return todo | BFD_DO_NOTIFY | BFD_DO_SEND | BFD_DO_TX_TIMER | BFD_DO_DETECTION;
}

void
bfd_session_poll(struct bfd_session *s)
{
  if (s->state == BFD_UP && s->poll == BFD_POLL_NONE)
    poll_start(s);
}

uint
bfd_session_event(struct bfd_session *s, enum bfd_event event, btime now)
{
  return step(s, event, now);
}

uint
bfd_session_configure(struct bfd_session *s, const struct bfd_params *params, btime now)
{
  bool admin_change = params->admin_down != s->params.admin_down;
  bool mult_change = params->detect_mult != s->params.detect_mult;
  bool passive_change = params->passive != s->params.passive;
  uint todo = 0;

  s->params = *params;
  if (admin_change)
    todo |= step(s, params->admin_down ? DISABLE : ENABLE, now);
  if (mult_change)
    todo |=
        BFD_DO_SEND | BFD_DO_TX_TIMER; /* no Poll Sequence; but the peer should hear, and 1 narrows jitter */
  if (passive_change)
    todo |= BFD_DO_TX_TIMER;
  return todo | retime(s);
}

uint
bfd_session_suspend(struct bfd_session *s, bool suspended, btime now)
{
  uint todo = 0;

  if (suspended == s->suspended)
    return 0;
  if (suspended)
  {
    todo = (step(s, PATH_DOWN, now) & ~BFD_DO_SEND) | (s->remote_state != BFD_DOWN ? BFD_DO_NOTIFY : 0);
    forget_remote(s);
  }
  s->suspended = suspended;
  return todo | BFD_DO_TX_TIMER | BFD_DO_DETECTION;
}

enum bfd_rx
bfd_session_accept(const struct bfd_session *s, enum bfd_hop hop, uint ifindex, const struct bfd_packet *pkt,
                   const struct bfd_rx_meta *meta)
{
  if (s->suspended)
    return BFD_RX_NO_SESSION;
  if (hop != meta->hop)
    return BFD_RX_HOP;
  /* RFC 5881 section 5: all direct packets come with 255; the port says so before the packet is parsed. */
  if (meta->ttl < (hop == BFD_DIRECT ? 255 : s->params.min_ttl))
    return BFD_RX_TTL;
  if (hop == BFD_DIRECT && ifindex != meta->ifindex)
    return BFD_RX_INTERFACE;
  /* 6.8.6: the A bit has to agree with bfd.AuthType. */
  return bfd_auth_agrees(&s->auth, pkt) ? BFD_RX_OK : BFD_RX_AUTH;
}

enum bfd_rx
bfd_session_authenticate(struct bfd_session *s, const struct bfd_packet *pkt, const byte *data, btime arrival)
{
  /* There is one even when we want no packets; only nobody waits for its end. */
  btime time = bfd_detection_time(pkt->detect_mult, MAX(s->rx_used, 1u), pkt->min_tx);

  return bfd_auth_verify(&s->auth, pkt, data, arrival, 2 * time);
}

void
bfd_session_set_keys(struct bfd_session *s, const struct bfd_keys *keys, btime patience, btime now)
{
  bfd_auth_change(&s->auth, keys, s->state == BFD_UP ? patience : 0, now);
}

/* The part of 6.8.6 that copies what the peer says. */
static uint
take_remote(struct bfd_session *s, const struct bfd_packet *pkt)
{
  bool news = s->remote_state != pkt->state || s->remote_diag != pkt->diag;

  s->remote_disc = pkt->my_disc;
  s->remote_state = pkt->state;
  s->remote_diag = pkt->diag;
  s->remote_demand = pkt->flags & BFD_FLAG_DEMAND;
  s->remote_min_rx = pkt->min_rx;
  s->remote_min_tx = pkt->min_tx;
  s->remote_mult = pkt->detect_mult;
  return news ? BFD_DO_NOTIFY : 0;
}

/*
 * A Poll Sequence ends with the first Final. Several polls may have gone out before it came; until their
 * answers are in as well, and a packet without Final was seen, another sequence could be ended by one of them
 * (6.8.3).
 */
static uint
take_poll(struct bfd_session *s, const struct bfd_packet *pkt, btime arrival)
{
  bool final = pkt->flags & BFD_FLAG_FINAL;

  if (s->poll == BFD_POLL_ACTIVE && final && s->first_poll)
  {
    s->poll = BFD_POLL_SETTLING;
    s->poll_trip = arrival - s->first_poll;
    return poll_done(s);
  }
  if (s->poll == BFD_POLL_SETTLING && !final && arrival - s->last_poll >= s->poll_trip)
  {
    s->poll = BFD_POLL_NONE;
    return s->retime ? retime(s) : 0;
  }
  return 0;
}

uint
bfd_session_receive(struct bfd_session *s, const struct bfd_packet *pkt, btime arrival)
{
  btime interval = bfd_session_tx_interval(s), deadline = bfd_session_detect_deadline(s);
  uint todo = take_remote(s, pkt) | take_poll(s, pkt, arrival);

  /* 6.8.6: in AdminDown the packet is discarded here, and a Poll not answered. */
  if (s->state != BFD_ADMIN_DOWN)
  {
    todo |= step(s, RX_ADMIN_DOWN + pkt->state, arrival);
    if (pkt->flags & BFD_FLAG_POLL)
      todo |= BFD_DO_FINAL;
  }
  if (s->auth.followed)
    todo |= BFD_DO_SEND; /* it refused what we sent since it changed */
  s->auth.followed = false;
  s->watching = true;
  s->last_rx = MAX(s->last_rx, arrival); /* packets of two queues may be read out of order */
  if (bfd_session_tx_interval(s) != interval)
    todo |= BFD_DO_TX_TIMER;
  if (bfd_session_detect_deadline(s) < deadline)
    todo |= BFD_DO_DETECTION;
  return todo;
}

btime
bfd_session_detection_time(const struct bfd_session *s)
{
  return s->watching ? bfd_detection_time(s->remote_mult, s->rx_used, s->remote_min_tx) : 0;
}

/* How long since the peer was heard we could not listen. */
static btime
deaf_time(const struct bfd_session *s)
{
  return MAX(s->deaf_to - MAX(s->deaf_from, s->last_rx), 0);
}

btime
bfd_session_detect_deadline(const struct bfd_session *s)
{
  btime time = bfd_session_detection_time(s);

  return time ? s->last_rx + time + deaf_time(s) : BT_NEVER;
}

bool
bfd_session_stalled(struct bfd_session *s, btime from, btime to)
{
  btime time = bfd_session_detection_time(s), gap = to - MAX(from, s->last_rx);

  if (!time || deaf_time(s) || gap <= time / 2)
    return false;
  s->deaf_from = from;
  s->deaf_to = to;
  return true;
}

bool
bfd_session_may_send(const struct bfd_session *s)
{
  return !s->suspended && !(s->params.passive && !s->remote_disc); /* 6.8.7 */
}

btime
bfd_session_tx_interval(const struct bfd_session *s)
{
  bool demand = s->remote_demand && s->state == BFD_UP && s->remote_state == BFD_UP;

  if (!bfd_session_may_send(s) || (demand && s->poll != BFD_POLL_ACTIVE))
    return 0;
  return bfd_tx_interval(s->tx_used, s->remote_min_rx);
}

/*
 * A peer that was told not to send sends no packet without Final either: there the second way of 6.8.3 has to
 * do, time enough for any answer.
 */
static void
settle_by_time(struct bfd_session *s, btime now)
{
  if (s->poll != BFD_POLL_SETTLING || s->min_rx || now - s->last_poll < 2 * s->poll_trip)
    return;
  s->poll = BFD_POLL_NONE;
  if (s->retime)
    retime(s);
}

struct bfd_packet
bfd_session_packet(struct bfd_session *s, enum bfd_tx_kind kind, btime now)
{
  if (kind == BFD_TX_PERIODIC)
    settle_by_time(s, now);

  struct bfd_packet pkt = {
    .diag = s->diag,
    .state = s->state,
    .detect_mult = s->params.detect_mult,
    .my_disc = s->local_disc,
    .your_disc = s->remote_disc,
    .min_tx = s->min_tx,
    .min_rx = s->min_rx,
  };

  if (kind == BFD_TX_FINAL)
    pkt.flags = BFD_FLAG_FINAL;
  else if (kind == BFD_TX_PERIODIC && s->poll == BFD_POLL_ACTIVE)
  {
    pkt.flags = BFD_FLAG_POLL;
    s->last_poll = now;
    if (!s->first_poll)
      s->first_poll = now;
  }
  return pkt;
}
