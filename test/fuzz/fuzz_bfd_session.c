/*
 * test/fuzz/fuzz_bfd_session.c: a byte string drives one session
 *
 * Each step is a byte that says what happens, followed by what it needs: packets, silence, a new
 * configuration, the path lost and found, other keys, packets of ours. After each step the invariants of RFC
 * 5880 hold, and the caller was told of every timer that moved.
 */
#include <string.h>

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

/* None, or one of a few. */
static const struct bfd_keys *
choose_keys(u8 which)
{
  static u64 rings[7][(sizeof(struct bfd_keys) + sizeof(struct bfd_secret) + 7) / 8];

  if (!(which & 7))
    return NULL;

  struct bfd_keys *keys = (struct bfd_keys *) rings[(which & 7) - 1];

  keys->type = 1 + which % (BFD_AUTH__MAX - 1);
  keys->count = 1;
  keys->secret[0] = (struct bfd_secret){ .id = which & 1, .length = 1, .generate = true, .accept = true };
  keys->secret[0].data[0] = which & 7;
  return keys;
}

static void
step_keys(struct bfd_session *s, u8 which, btime now)
{
  bool gently = which & 1;

  bfd_session_set_keys(s, choose_keys(which >> 1), gently ? BT_S(300) : 0, now);
  ASSERT(s->auth.changing == (gently && s->state == BFD_UP));
}

/* Signed by a peer with some keys, unless it brings a section of its own. */
static enum bfd_rx
decode(struct bfd_packet *pkt, const byte *data, byte *signed_data, struct bfd_auth *peer, u8 which,
       btime now)
{
  uint size = BFD_PACKET_SIZE;

  memcpy(signed_data, data, BFD_PACKET_SIZE);
  if (!(data[1] & BFD_FLAG_AUTH) && data[3] == BFD_PACKET_SIZE)
  {
    bfd_auth_change(peer, choose_keys(which), 0, now);
    size = bfd_auth_sign(peer, signed_data, false, now);
  }
  return bfd_packet_decode(pkt, signed_data, size);
}

static uint
step_receive(struct bfd_session *s, struct rcur *c, struct bfd_auth *peer, btime now)
{
  byte signed_data[BFD_PACKET_MAX];
  struct bfd_session unchanged;
  u8 bits = rcur_u8(c);
  struct bfd_rx_meta meta = {
    .hop = bits & 1, .ttl = bits & 2 ? 254 : 255, .ifindex = bits & 4 ? 1 : 2, .arrival = now
  };
  struct bfd_packet pkt;
  const byte *data = rcur_take(c, BFD_PACKET_SIZE);

  if (!data || decode(&pkt, data, signed_data, peer, bits >> 3, now) != BFD_RX_OK)
    return 0;
  memcpy(&unchanged, s, sizeof(unchanged));
  if (bfd_session_accept(s, BFD_DIRECT, 2, &pkt, &meta) != BFD_RX_OK)
    return 0;
  if (bfd_session_authenticate(s, &pkt, signed_data, now) != BFD_RX_OK)
  {
    ASSERT(memcmp(&unchanged, s, sizeof(unchanged)) == 0);
    return 0;
  }
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

  /* Elsewhere there is nothing to disturb, but AdminDown is to be believed. */
  ASSERT(!s->auth.changing || s->state == BFD_UP || s->state == BFD_ADMIN_DOWN);
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
  struct bfd_auth peer;
  btime now = BT_S(1000);

  bfd_session_init(&s, &params, LOCAL, now);
  bfd_auth_init(&peer, 0);
  check(&s, &s, 0, now);
  while (c.pos < c.end && !c.bad)
  {
    struct bfd_session before = s;
    u8 what = rcur_u8(&c), how;
    uint todo = 0;

    now += (btime) 1 << (what >> 3); /* from a microsecond to an hour */
    switch (what & 7)
    {
    case 0:
    case 1:
      todo = step_receive(&s, &c, &peer, now);
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
      how = rcur_u8(&c);
      if (how & 2)
        step_keys(&s, how >> 2, now);
      else
        todo = bfd_session_suspend(&s, how & 1, now);
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
