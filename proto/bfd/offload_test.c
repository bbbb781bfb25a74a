/*
 * proto/bfd/offload_test.c: the program in the kernel and the session agree on what changes nothing
 *
 * Frames are made up, mutated and given to both. What the program takes, decoding and the session have to
 * accept, and nothing may come of it but that the peer was heard. Both keep the same record of arrivals.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/cursor.h"
#include "proto/bfd/session_checked.h"
#include "proto/bfd/verdict.h"
#include "sysdep/linux/offload_fixture.h"

#define FRAMES 12000 /* for each way */
#define FRAME_MIN 54 /* the kernel does not run it on less */

static u64 random_state;

static u32
random_below(u32 end)
{
  random_state = random_state * 6364136223846793005 + 1442695040888963407;
  return (random_state >> 33) % end;
}

/* What the peer of an Up session says, with some flags that change nothing. */
static struct bfd_packet
random_steady_packet(void)
{
  static const u8 flags[] = { 0, BFD_FLAG_CPI, BFD_FLAG_DEMAND, BFD_FLAG_CPI | BFD_FLAG_DEMAND };
  struct bfd_packet pkt = peer_says(BFD_UP);

  pkt.your_disc = DISC;
  pkt.diag = random_below(4) ? 0 : random_below(32);
  pkt.flags = flags[random_below(ARRAY_SIZE(flags))];
  pkt.detect_mult = 1 + random_below(255);
  pkt.min_tx = random_below(2000000);
  pkt.min_rx = random_below(3) ? random_below(2000000) : 0;
  pkt.min_echo_rx = random_below(2) * 50000;
  return pkt;
}

/* A session that has nothing left to do about @pkt. */
static struct bfd_session
session_that_heard(const struct bfd_packet *pkt)
{
  struct bfd_session s = up();

  s.local_disc = DISC;
  bfd_session_receive(&s, pkt, START);
  assert_int_equal(s.state, BFD_UP);
  assert_int_equal(s.poll, BFD_POLL_NONE);
  return s;
}

static void
arm_with(struct fixture *f, const struct way *way, const byte *payload)
{
  static const struct bfd_arrivals none = { 0 };

  arm(f, way);
  offload_slot_arm(f->slot, way->mode, payload, &none, clock_now());
}

/* Another packet of the same peer: most fields as they were. */
static void
change_packet(struct bfd_packet *pkt)
{
  switch (random_below(8))
  {
  case 0:
    pkt->state = random_below(BFD_STATE__MAX);
    break;
  case 1:
    pkt->flags ^= 1 << random_below(6);
    break;
  case 2:
    pkt->detect_mult = random_below(256);
    break;
  case 3:
    pkt->my_disc ^= random_below(3);
    break;
  case 4:
    pkt->min_tx = random_below(2000000);
    break;
  case 5:
    pkt->min_rx = random_below(2) * 50000;
    break;
  case 6:
    pkt->diag = random_below(32);
    break;
  }
}

static void
mutate(struct frame *frame)
{
  for (uint count = random_below(3); count; count--)
    switch (random_below(4))
    {
    case 0:
      frame->data[random_below(frame->size)] ^= 1 << random_below(8);
      break;
    case 1:
      frame->data[random_below(frame->size)] = random_below(256);
      break;
    case 2: /* the end */
      frame->size += random_below(20);
      frame->size = MIN(MAX(frame->size - 10, FRAME_MIN), FRAME_MAX);
      break;
    case 3: /* and what is said of it, consistently or not */
      frame->data[ETH_HLEN + 3] += random_below(5) - 2;
      frame->data[ETH_HLEN + 20 + 5] += random_below(5) - 2;
      break;
    }
}

static struct frame
random_frame(bool v6, struct bfd_packet pkt)
{
  byte payload[OFFLOAD_PACKET_MAX + 8];
  size_t size = random_below(4) ? BFD_PACKET_SIZE : random_below(sizeof(payload));

  for (uint i = 0; i < sizeof(payload); i++)
    payload[i] = random_below(256);
  change_packet(&pkt);
  bfd_packet_encode(&pkt, payload);
  if (!random_below(8))
    payload[3] = random_below(64); /* Length */

  struct frame frame = frame_of(v6, payload, size);

  frame.size = MAX(frame.size, (size_t) FRAME_MIN);
  mutate(&frame);
  return frame;
}

static uint
u16_at(const byte *at)
{
  return at[0] << 8 | at[1];
}

/* The payload of the UDP packet @c stands at, if it goes to @port; NULL: it does not, or there is none. */
static const byte *
udp_payload(struct rcur c, uint port, size_t *size)
{
  const byte *udp = rcur_take(&c, 8);

  if (!udp || u16_at(udp + 2) != port || u16_at(udp + 4) < 8)
    return NULL;
  *size = u16_at(udp + 4) - 8;
  return rcur_take(&c, *size);
}

/* What a socket would have given us of a frame, or NULL. Written from the RFCs, without shortcuts. */
static const byte *
through_the_stack(const struct frame *frame, struct bfd_rx_meta *meta, size_t *size)
{
  struct rcur c = rcur_init(frame->data, frame->size);
  const byte *eth = rcur_take(&c, ETH_HLEN), *ip = c.pos;
  bool v6 = eth && u16_at(eth + 12) == ETH_P_IPV6;
  uint header = v6 ? 40 : (ip[0] & 15) * 4;

  if (!eth || (u16_at(eth + 12) != ETH_P_IP && !v6) || header < 20 || !rcur_take(&c, header))
    return NULL;
  if (ip[0] >> 4 != (v6 ? 6 : 4) || ip[v6 ? 6 : 9] != IPPROTO_UDP || (!v6 && u16_at(ip + 6) & 0x3fff))
    return NULL;

  int length = v6 ? (int) u16_at(ip + 4) : (int) u16_at(ip + 2) - (int) header;
  const byte *inside = length < 0 ? NULL : rcur_take(&c, length);

  *meta = (struct bfd_rx_meta){
    .hop = BFD_DIRECT,
    .ttl = ip[v6 ? 7 : 8],
    .ifindex = LOOPBACK,
    .remote = ip_from_bytes(ip + (v6 ? 8 : 12), v6 ? 16 : 4),
    .local = ip_from_bytes(ip + (v6 ? 24 : 16), v6 ? 16 : 4),
    .arrival = START + BT_MS(50),
  };
  return inside ? udp_payload(rcur_init(inside, length), BFD_PORT_DIRECT, size) : NULL;
}

static void
assert_nothing_changes(const struct bfd_session *s, const byte *payload, size_t size,
                       const struct bfd_rx_meta *meta)
{
  struct bfd_session after;
  struct bfd_packet pkt;

  assert_int_equal(bfd_packet_decode(&pkt, payload, size), BFD_RX_OK);
  assert_int_equal(pkt.your_disc, s->local_disc);
  assert_int_equal(bfd_session_accept(s, BFD_DIRECT, LOOPBACK, &pkt, meta), BFD_RX_OK);
  memcpy(&after, s, sizeof(after));
  assert_int_equal(bfd_session_receive(&after, &pkt, meta->arrival), 0);
  assert_int_equal(after.last_rx, meta->arrival);
  after.last_rx = s->last_rx;
  assert_memory_equal(&after, s, sizeof(after));
}

/* The frame was taken: what goes through a ring is decoded there, but who is meant is taken for granted. */
static void
assert_rightly_taken(const struct way *way, const struct frame *frame, const struct bfd_session *s)
{
  struct offload_key key = key_of(way->v6, DISC);
  struct bfd_rx_meta meta;
  size_t size = 0;
  const byte *payload = through_the_stack(frame, &meta, &size);

  assert_non_null(payload);
  assert_int_equal(meta.ttl, 255);
  assert_true(ip_equal(meta.remote, key.remote));
  assert_true(ip_equal(meta.local, key.local));
  assert_memory_equal(payload + 8, said + 8, 4);
  assert_in_range(size, BFD_PACKET_SIZE, BFD_PACKET_MAX);
  if (way->mode != OFFLOAD_RING_ANY)
    assert_nothing_changes(s, payload, size, &meta);
}

static void
what_the_program_takes_changes_nothing(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct bfd_packet pkt = peer_says(BFD_UP);
    struct bfd_session s = up();
    uint count = 0;

    for (uint i = 0; i < FRAMES; i++)
    {
      if (i % 100 == 0)
      {
        byte payload[BFD_PACKET_SIZE];

        pkt = random_steady_packet();
        s = session_that_heard(&pkt);
        bfd_packet_encode(&pkt, payload);
        arm_with(f, &way, payload);
      }

      struct frame frame = random_frame(way.v6, pkt);

      if (!taken(f, way.hook, &frame))
        continue;
      count++;
      assert_rightly_taken(&way, &frame, &s);
    }
    assert_in_range(count, FRAMES / 50, FRAMES); /* or nothing was tested */
    read_ring(f, 0, FRAMES);
  }
}

/* The other way round, as far as it is meant to go: the very packet the session heard is taken. */
static void
what_a_session_heard_is_taken_again(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
    for (uint i = 0; i < 200; i++)
    {
      struct bfd_packet pkt = random_steady_packet();
      struct bfd_session s = session_that_heard(&pkt);
      byte payload[BFD_PACKET_SIZE];
      struct frame frame;

      bfd_packet_encode(&pkt, payload);
      frame = frame_of(way.v6, payload, sizeof(payload));
      arm_with(f, &way, payload);
      assert_taken(f, &way, &frame, "heard before");
      assert_rightly_taken(&way, &frame, &s);
    }
}

static uint
bucket_sum(const struct bfd_arrivals *a)
{
  uint sum = 0;

  for (uint i = 0; i < BFD_GAP_BUCKETS; i++)
    sum += a->bucket[i];
  return sum;
}

/* How long ago the last packet came: all magnitudes, about the ends of buckets, in the future. */
static btime
age(uint i)
{
  if (i < 45)
    return (btime) 1 << i;
  return i < 50 ? -BT_S(5)
                : bfd_gap_end(i % 4) - i / 4 % 16; /* some of them exactly: the program takes time */
}

static void
gaps_are_recorded_as_without_offload(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_TCX, true, OFFLOAD_ABSORB };
  struct frame frame = good_frame(true);
  struct bfd_arrivals before = { 0 }, expected, got;
  u64 count;

  for (uint i = 0; i < 20; i++) /* of before, so that the ring is round */
    bfd_arrivals_add(&before, (btime) 1000 << i, 50000);
  arm(f, &way);
  for (uint i = 0; i < 1000; i++)
  {
    btime last = clock_now() - age(i);

    offload_slot_arm(f->slot, OFFLOAD_ABSORB, said, &before, last);
    assert_true(taken(f, OFFLOAD_TCX, &frame));
    assert_true(offload_slot_heard(f->slot) >= last); /* time does not go back */
    expected = before;
    bfd_arrivals_add(&expected, offload_slot_heard(f->slot) - last, 50000);
    offload_slot_arrivals(f->slot, &got, &count);
    assert_memory_equal(&got, &expected, sizeof(got));
    assert_int_equal(count, 1);
    before = got;
  }
}

static void
many_arrivals_are_kept_in_one_slot(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_XDP, false, OFFLOAD_ABSORB };
  struct frame frame = good_frame(false);
  struct bfd_arrivals expected = { .interval = 7 }, got;
  u64 count;

  arm(f, &way);
  offload_slot_arm(f->slot, OFFLOAD_ABSORB, said, &expected, clock_now());
  for (uint i = 1; i <= 1000; i++)
  {
    btime last = offload_slot_heard(f->slot);

    assert_true(taken(f, OFFLOAD_XDP, &frame));
    bfd_arrivals_add(&expected, offload_slot_heard(f->slot) - last, 7);
    offload_slot_arrivals(f->slot, &got, &count);
    assert_int_equal(count, i);
    assert_int_equal(bucket_sum(&got), i);
    assert_memory_equal(&got, &expected, sizeof(got));
  }
}

static void
the_longest_packet_is_the_longest_of_bfd(void **ctx UNUSED)
{
  assert_int_equal(OFFLOAD_PACKET_MAX, BFD_PACKET_MAX);
  assert_int_equal(OFFLOAD_PAYLOAD, BFD_PACKET_SIZE);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(what_the_program_takes_changes_nothing),   TEST(what_a_session_heard_is_taken_again),
    TEST(gaps_are_recorded_as_without_offload),     TEST(many_arrivals_are_kept_in_one_slot),
    TEST(the_longest_packet_is_the_longest_of_bfd),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
