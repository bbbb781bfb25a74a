/*
 * test/fuzz/fuzz_bfd_session.c: a byte string drives one session
 *
 * Each step is a byte that says what happens, followed by what it needs: packets, silence, a new
 * configuration, the path lost and found, packets of ours. After each step the invariants of RFC 5880 hold,
 * and the caller was told of every timer that moved.
 */
#include "lib/cursor.h"
#include "proto/bfd/session.h"
#include "proto/bfd/timing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOCAL 0x10ca1

static struct bfd_params
take_params(struct rcur *c)
{
  u8 bits = rcur_u8(c);

  return (struct bfd_params){
    .min_rx = rcur_u32(c) >> (bits & 16),
    .min_tx = MAX(rcur_u32(c) >> (bits & 16), 1u),
    .idle_tx = MAX(rcur_u32(c) >> (bits & 16), 1u),
    .detect_mult = MAX(rcur_u8(c), 1),
    .passive = bits & 1,
    .admin_down = bits & 2,
    .min_ttl = bits & 4 ? 255 : 0,
  };
}

static uint
step_receive(struct bfd_session *s, struct rcur *c, btime now)
{
  u8 bits = rcur_u8(c);
  struct bfd_rx_meta meta = {
    .hop = bits & 1, .ttl = bits & 2 ? 254 : 255, .ifindex = bits & 4 ? 1 : 2, .arrival = now
  };
  struct bfd_packet pkt;
  const byte *data = rcur_take(c, BFD_PACKET_SIZE);

  if (!data || bfd_packet_decode(&pkt, data, BFD_PACKET_SIZE) != BFD_RX_OK)
    return 0;
  if (bfd_session_accept(s, BFD_DIRECT, 2, &pkt, &meta) != BFD_RX_OK)
    return 0;
  ASSERT(!s->suspended && meta.hop == BFD_DIRECT && meta.ttl == 255 && meta.ifindex == 2);

  u8 before = s->state;
  uint todo = bfd_session_receive(s, &pkt, now);

  ASSERT(s->remote_disc == pkt.my_disc && s->remote_state == pkt.state);
  ASSERT(!!(todo & BFD_DO_FINAL) == (before != BFD_ADMIN_DOWN && (pkt.flags & BFD_FLAG_POLL)));
  ASSERT(before != BFD_ADMIN_DOWN || s->state == BFD_ADMIN_DOWN);
  ASSERT(pkt.state != BFD_ADMIN_DOWN || s->state <= BFD_DOWN);
  return todo;
}

static void
step_send(struct bfd_session *s, enum bfd_tx_kind kind, btime now)
{
  if (!bfd_session_may_send(s))
    return;

  struct bfd_packet pkt = bfd_session_packet(s, kind, now);

  ASSERT(pkt.my_disc == LOCAL && pkt.your_disc == s->remote_disc && pkt.state == s->state);
  ASSERT(!(pkt.flags & ~(BFD_FLAG_POLL | BFD_FLAG_FINAL)));
  ASSERT((pkt.flags & (BFD_FLAG_POLL | BFD_FLAG_FINAL)) != (BFD_FLAG_POLL | BFD_FLAG_FINAL));
  ASSERT(!(pkt.flags & BFD_FLAG_POLL) || (kind == BFD_TX_PERIODIC && s->poll == BFD_POLL_ACTIVE));
  ASSERT(s->state == BFD_UP || pkt.min_tx == s->params.idle_tx);
}

static void
check(const struct bfd_session *before, const struct bfd_session *s, uint todo, btime now)
{
  btime interval = bfd_session_tx_interval(s), deadline = bfd_session_detect_deadline(s);

  ASSERT(s->state < BFD_STATE__MAX && s->remote_state < BFD_STATE__MAX);
  ASSERT(s->local_disc == LOCAL);
  ASSERT((s->state == BFD_ADMIN_DOWN) == s->params.admin_down);
  ASSERT(s->state < BFD_INIT || (s->remote_disc && !s->suspended));
  ASSERT(s->poll == BFD_POLL_NONE || s->remote_disc);
  ASSERT(s->state == BFD_UP || (s->min_tx == s->params.idle_tx && s->tx_used == s->params.idle_tx));
  /* "Leaving Up cannot wait": only an Up session holds a change back */
  ASSERT(!s->retime || (s->state == BFD_UP && s->poll != BFD_POLL_NONE));
  ASSERT(s->retime || s->state != BFD_UP || (s->min_tx == s->params.min_tx && s->min_rx == s->params.min_rx));
  ASSERT(s->poll == BFD_POLL_ACTIVE || (s->tx_used == s->min_tx && s->rx_used == s->min_rx));
  ASSERT(deadline == BT_NEVER || (s->remote_disc && deadline > s->last_rx && s->last_rx <= now));
  /* A session that was alive a moment ago is not declared silent because of its configuration. */
  ASSERT(s->state != BFD_UP || before->state != BFD_UP || bfd_session_detect_deadline(before) <= now ||
         deadline > now);
  ASSERT(!s->suspended || (!interval && deadline == BT_NEVER));
  ASSERT(!interval || interval >= s->tx_used);

  ASSERT(before->state == s->state || (todo & BFD_DO_NOTIFY));
  ASSERT(bfd_session_tx_interval(before) == interval || (todo & BFD_DO_TX_TIMER));
  ASSERT(deadline >= bfd_session_detect_deadline(before) || (todo & BFD_DO_DETECTION));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct rcur c = rcur_init(data, size);
  struct bfd_params params = take_params(&c);
  struct bfd_session s;
  btime now = BT_S(1000);

  bfd_session_init(&s, &params, LOCAL, now);
  check(&s, &s, 0, now);
  while (c.pos < c.end && !c.bad)
  {
    struct bfd_session before = s;
    u8 what = rcur_u8(&c);
    uint todo = 0;

    now += (btime) 1 << (what >> 3); /* from a microsecond to an hour */
    switch (what & 7)
    {
    case 0:
    case 1:
      todo = step_receive(&s, &c, now);
      break;
    case 2:
      now = bfd_session_detect_deadline(&s) == BT_NEVER ? now : MAX(now, bfd_session_detect_deadline(&s));
      before = s;
      if (bfd_session_detect_deadline(&s) <= now)
        todo = bfd_session_event(&s, DETECT_EXPIRED, now);
      break;
    case 3:
      params = take_params(&c);
      todo = bfd_session_configure(&s, &params, now);
      break;
    case 4:
      todo = bfd_session_suspend(&s, rcur_u8(&c) & 1, now);
      break;
    case 5:
      step_send(&s, BFD_TX_PERIODIC, now);
      todo = BFD_DO_TX_TIMER; /* the caller sets it anew for the next one */
      break;
    case 6:
      step_send(&s, BFD_TX_FINAL, now);
      break;
    default:
      step_send(&s, BFD_TX_EXTRA, now);
    }
    check(&before, &s, todo, now);
  }
  return 0;
}
