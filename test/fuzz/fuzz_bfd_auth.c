/*
 * test/fuzz/fuzz_bfd_auth.c: any bytes, and packets of ours with bytes changed, against keys of every kind
 *
 * Verification never looks behind the packet, which is an exact copy on the heap, and changes nothing unless
 * it accepts; what is signed is accepted by who has the same keys.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/cursor.h"
#include "proto/bfd/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RINGS 3
#define RING_MAX 4

struct ring
{
  u64 room[(sizeof(struct bfd_keys) + RING_MAX * sizeof(struct bfd_secret) + 7) / 8];
};

/* As the provider makes them: no longer than the type allows, at most one that generates. */
static void
take_ring(struct ring *ring, struct rcur *c)
{
  struct bfd_keys *keys = (struct bfd_keys *) ring->room;
  u8 bits = rcur_u8(c);
  bool generates = false;

  memset(ring, 0, sizeof(*ring));
  keys->type = 1 + bits % (BFD_AUTH__MAX - 1);
  keys->count = bits >> 6;
  for (uint i = 0; i < keys->count; i++)
  {
    struct bfd_secret *s = &keys->secret[i];
    u8 how = rcur_u8(c), length = 1 + (how >> 2) % bfd_auth_secret_max(keys->type);
    const byte *secret = rcur_take(c, length);

    *s = (struct bfd_secret){ .id = rcur_u8(c) & 3, .length = length, .accept = how & 1 };
    s->generate = !generates && (how & 2);
    generates |= s->generate;
    if (secret)
      memcpy(s->data, secret, length);
  }
}

static const struct bfd_keys *
choose(const struct ring *rings, u8 which)
{
  return which % (RINGS + 1) ? (const struct bfd_keys *) rings[which % (RINGS + 1) - 1].room : NULL;
}

static enum bfd_rx
verify(struct bfd_auth *a, const byte *data, uint size, btime now)
{
  byte *copy = malloc(size);
  struct bfd_auth before;
  struct bfd_packet pkt;
  enum bfd_rx rx;

  memcpy(&before, a, sizeof(before));
  if (size)
    memcpy(copy, data, size);
  rx = bfd_packet_decode(&pkt, copy, size);
  if (rx == BFD_RX_OK)
  {
    bool agrees = bfd_auth_agrees(a, &pkt);

    rx = bfd_auth_verify(a, &pkt, copy, now, BT_S(1)); /* it must not rely on that having been asked */
    ASSERT(agrees || rx != BFD_RX_OK);
  }
  ASSERT(rx < BFD_RX__MAX && bfd_rx_name(rx));
  if (rx != BFD_RX_OK)
    ASSERT(memcmp(&before, a, sizeof(before)) == 0);
  free(copy);
  return rx;
}

/* What may sign has to be accepted, too, for the other side to believe it. */
static bool
believes_itself(const struct bfd_keys *keys)
{
  bool accepts = false;

  for (uint i = 0; keys && i < keys->count; i++)
    accepts |= keys->secret[i].generate && keys->secret[i].accept;
  return !keys || accepts;
}

static uint
sign(struct bfd_auth *a, struct rcur *c, byte *data, bool probe, btime now)
{
  struct bfd_packet pkt = { .state = rcur_u8(c) >> 6, .detect_mult = 3, .my_disc = 1, .your_disc = 2 };
  uint size;

  bfd_packet_encode(&pkt, data);
  size = bfd_auth_sign(a, data, probe, now);
  ASSERT(size <= BFD_PACKET_MAX && (!size || size == data[3]));
  return size;
}

/* From the peer to us, with one byte changed or none. */
static void
step_pass(struct bfd_auth *peer, struct bfd_auth *us, struct rcur *c, btime now)
{
  byte data[BFD_PACKET_MAX], place = rcur_u8(c), change = rcur_u8(c);
  uint size = sign(peer, c, data, false, now);
  enum bfd_rx rx;
  bool same_keys = !us->changing && !peer->changing && us->keys == peer->keys && believes_itself(us->keys);

  if (!size)
    return;
  data[place % size] ^= change;
  rx = verify(us, data, size, now);
  if (!change && same_keys)
    ASSERT(rx == BFD_RX_OK || rx == BFD_RX_AUTH_SEQUENCE);
  if (change && size > BFD_PACKET_SIZE && data[BFD_PACKET_SIZE] >= BFD_AUTH_KEYED_MD5 && us->keys &&
      !us->changing)
    ASSERT(rx != BFD_RX_OK);
}

/* Somebody new with the same keys believes what we sign. */
static void
step_sign(struct bfd_auth *us, struct rcur *c, bool probe, btime now)
{
  byte data[BFD_PACKET_MAX];
  struct bfd_auth fresh;
  uint size = sign(us, c, data, probe, now);

  if (!size || us->changing || !believes_itself(us->keys))
    return;
  bfd_auth_init(&fresh, 0);
  bfd_auth_change(&fresh, us->keys, 0, now);
  ASSERT(verify(&fresh, data, size, now) == BFD_RX_OK);
}

static bool
can_sign(const struct bfd_keys *keys)
{
  for (uint i = 0; keys && i < keys->count; i++)
    if (keys->secret[i].generate)
      return true;
  return !keys;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct rcur c = rcur_init(data, size);
  struct ring rings[RINGS];
  struct bfd_auth us, peer;
  btime now = BT_S(1000);
  bool gentle;

  for (uint i = 0; i < RINGS; i++)
    take_ring(&rings[i], &c);
  bfd_auth_init(&us, rcur_u32(&c));
  bfd_auth_init(&peer, rcur_u32(&c));
  while (c.pos < c.end && !c.bad)
  {
    u8 what = rcur_u8(&c), n;
    const byte *bytes;

    now += (btime) 1 << (what >> 3);
    switch (what & 7)
    {
    case 0:
      n = rcur_u8(&c);
      bytes = rcur_take(&c, n);
      if (bytes)
        verify(&us, bytes, n, now);
      break;
    case 1:
      bfd_auth_change(&us, choose(rings, rcur_u8(&c)), 0, now);
      ASSERT(!us.changing);
      break;
    case 2:
      gentle = can_sign(us.changing ? us.before : us.keys);
      bfd_auth_change(&us, choose(rings, rcur_u8(&c)), BT_S(300), now);
      ASSERT(us.changing == gentle);
      break;
    case 3:
      bfd_auth_change(&peer, choose(rings, rcur_u8(&c)), 0, now);
      break;
    case 4:
      bfd_auth_settle(&us);
      break;
    case 5:
      step_sign(&us, &c, rcur_u8(&c) & 1, now);
      break;
    default:
      step_pass(&peer, &us, &c, now);
    }
  }
  return 0;
}
