/* proto/bfd/packet_test.c: RFC 5880 4.1 and the checks of 6.8.6 that need no session, on hostile bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/random.h"
#include "proto/bfd/packet.h"

/* A packet as the figure of 4.1 draws it, every field with a value of its own. */
/* clang-format off */
static const byte valid[BFD_PACKET_SIZE] = {
  0x20 | BFD_DIAG_NEIGHBOR_DOWN, /* version 1, diagnostic */
  BFD_UP << 6 | BFD_FLAG_POLL,
  3, 24,                         /* detect mult, length */
  0x11, 0x22, 0x33, 0x44,        /* my discriminator */
  0x55, 0x66, 0x77, 0x88,        /* your discriminator */
  0x00, 0x01, 0x86, 0xa0,        /* desired min TX 100000 */
  0x00, 0x03, 0x0d, 0x40,        /* required min RX 200000 */
  0x00, 0x00, 0x00, 0x07,        /* required min echo RX */
};
/* clang-format on */

enum offset
{
  VERSION,
  FLAGS,
  MULT,
  LENGTH,
  MY_DISC,
  YOUR_DISC = 8,
  MIN_TX = 12,
  MIN_RX = 16,
  ECHO_RX = 20
};

/* Decode a copy that ends where its heap block ends; a refusal must not touch the output. */
static enum bfd_rx
decode(const byte *data, size_t size, struct bfd_packet *pkt)
{
  static const struct bfd_packet untouched = { .diag = 0xa5, .my_disc = 0xa5a5a5a5, .min_tx = 0xa5a5a5a5 };
  byte *copy = malloc(size ? size : 1);
  struct bfd_packet out = untouched;

  if (size)
    memcpy(copy, data, size);

  enum bfd_rx rx = bfd_packet_decode(&out, size ? copy : copy + 1, size);

  free(copy);
  if (rx != BFD_RX_OK)
    assert_memory_equal(&out, &untouched, sizeof(out));
  else if (pkt)
    *pkt = out;
  return rx;
}

/* The valid packet with one byte changed, in a datagram of @size bytes. */
static enum bfd_rx
decode_with(uint at, byte value, size_t size)
{
  byte data[300] = { 0 };

  memcpy(data, valid, sizeof(valid));
  data[at] = value;
  return decode(data, size, NULL);
}

static void
put_u32(byte *data, u32 v)
{
  for (int i = 3; i >= 0; i--, v >>= 8)
    data[i] = v;
}

static void
every_field_is_where_section_4_1_draws_it(void **ctx UNUSED)
{
  struct bfd_packet p;

  assert_int_equal(decode(valid, sizeof(valid), &p), BFD_RX_OK);
  assert_int_equal(p.diag, BFD_DIAG_NEIGHBOR_DOWN);
  assert_int_equal(p.state, BFD_UP);
  assert_int_equal(p.flags, BFD_FLAG_POLL);
  assert_int_equal(p.detect_mult, 3);
  assert_int_equal(p.length, 24);
  assert_int_equal(p.my_disc, 0x11223344);
  assert_int_equal(p.your_disc, 0x55667788);
  assert_int_equal(p.min_tx, 100000);
  assert_int_equal(p.min_rx, 200000);
  assert_int_equal(p.min_echo_rx, 7);
}

static void
the_flag_bits_are_p_f_c_a_d_m_from_the_left(void **ctx UNUSED)
{
  assert_int_equal(BFD_FLAG_POLL, 0x20);
  assert_int_equal(BFD_FLAG_FINAL, 0x10);
  assert_int_equal(BFD_FLAG_CPI, 0x08);
  assert_int_equal(BFD_FLAG_AUTH, 0x04);
  assert_int_equal(BFD_FLAG_DEMAND, 0x02);
  assert_int_equal(BFD_FLAG_MULTIPOINT, 0x01);
}

static void
every_shorter_datagram_is_truncated(void **ctx UNUSED)
{
  for (size_t size = 0; size < sizeof(valid); size++)
    assert_int_equal(decode(valid, size, NULL), BFD_RX_TRUNCATED);
}

static void
a_longer_datagram_is_fine_and_its_tail_is_ignored(void **ctx UNUSED)
{
  for (size_t size = sizeof(valid); size <= 256; size++)
    assert_int_equal(decode_with(LENGTH, 24, size), BFD_RX_OK);
}

static void
only_version_1_is_known(void **ctx UNUSED)
{
  for (uint version = 0; version < 8; version++)
    assert_int_equal(decode_with(VERSION, version << 5, 24), version == 1 ? BFD_RX_OK : BFD_RX_VERSION);
}

static void
every_diagnostic_is_taken_assigned_or_not(void **ctx UNUSED)
{
  byte data[BFD_PACKET_SIZE];
  struct bfd_packet p;

  memcpy(data, valid, sizeof(valid));
  for (uint diag = 0; diag < 32; diag++)
  {
    data[VERSION] = 0x20 | diag;
    assert_int_equal(decode(data, sizeof(data), &p), BFD_RX_OK);
    assert_int_equal(p.diag, diag);
  }
}

static void
the_length_lies_between_its_minimum_and_the_datagram(void **ctx UNUSED)
{
  for (uint length = 0; length < 256; length++)
  {
    assert_int_equal(decode_with(LENGTH, length, 24), length == 24 ? BFD_RX_OK : BFD_RX_LENGTH);
    assert_int_equal(decode_with(LENGTH, length, 40),
                     length >= 24 && length <= 40 ? BFD_RX_OK : BFD_RX_LENGTH);
    assert_int_equal(decode_with(LENGTH, length, 300), length >= 24 ? BFD_RX_OK : BFD_RX_LENGTH);
  }
}

static void
the_a_bit_raises_the_least_length_to_26(void **ctx UNUSED)
{
  byte data[40] = { 0 };
  struct bfd_packet p;

  memcpy(data, valid, sizeof(valid));
  data[FLAGS] |= BFD_FLAG_AUTH;
  for (uint length = 0; length <= 40; length++)
    for (uint size = 24; size <= 40; size++)
    {
      data[LENGTH] = length;
      assert_int_equal(decode(data, size, &p), length >= 26 && length <= size ? BFD_RX_OK : BFD_RX_LENGTH);
    }
}

static void
detect_mult_zero_is_refused_and_both_edges_are_taken(void **ctx UNUSED)
{
  assert_int_equal(decode_with(MULT, 0, 24), BFD_RX_DETECT_MULT);
  assert_int_equal(decode_with(MULT, 1, 24), BFD_RX_OK);
  assert_int_equal(decode_with(MULT, 255, 24), BFD_RX_OK);
}

static void
of_the_flags_only_multipoint_is_refused(void **ctx UNUSED)
{
  byte data[26] = { 0 };
  struct bfd_packet p;

  memcpy(data, valid, sizeof(valid));
  data[LENGTH] = 26;
  for (uint flags = 0; flags < 64; flags++)
  {
    data[FLAGS] = BFD_UP << 6 | flags;

    enum bfd_rx rx = decode(data, sizeof(data), &p);

    assert_int_equal(rx, flags & BFD_FLAG_MULTIPOINT ? BFD_RX_MULTIPOINT : BFD_RX_OK);
    assert_true(rx != BFD_RX_OK || p.flags == flags);
  }
}

static void
my_discriminator_must_not_be_zero(void **ctx UNUSED)
{
  static const struct
  {
    u32 disc;
    enum bfd_rx rx;
  } edges[] = { { 0, BFD_RX_MY_DISC },     { 1, BFD_RX_OK },          { 0x01000000, BFD_RX_OK },
                { 0x00010000, BFD_RX_OK }, { 0x00000100, BFD_RX_OK }, { U32_MAX, BFD_RX_OK } };
  byte data[BFD_PACKET_SIZE];

  memcpy(data, valid, sizeof(valid));
  for (uint i = 0; i < ARRAY_SIZE(edges); i++)
  {
    put_u32(data + MY_DISC, edges[i].disc);
    assert_int_equal(decode(data, sizeof(data), NULL), edges[i].rx);
  }
}

static void
your_discriminator_may_be_zero_only_in_down_and_admin_down(void **ctx UNUSED)
{
  byte data[BFD_PACKET_SIZE];
  struct bfd_packet p;

  memcpy(data, valid, sizeof(valid));
  for (uint state = 0; state < BFD_STATE__MAX; state++)
  {
    data[FLAGS] = state << 6;
    put_u32(data + YOUR_DISC, 0);
    assert_int_equal(decode(data, sizeof(data), &p), state <= BFD_DOWN ? BFD_RX_OK : BFD_RX_YOUR_DISC);
    put_u32(data + YOUR_DISC, 1);
    assert_int_equal(decode(data, sizeof(data), &p), BFD_RX_OK);
    assert_int_equal(p.state, state);
    put_u32(data + YOUR_DISC, U32_MAX);
    assert_int_equal(decode(data, sizeof(data), &p), BFD_RX_OK);
  }
}

static void
intervals_are_taken_at_both_edges(void **ctx UNUSED)
{
  static const u32 edges[] = { 0, 1, 0x7fffffff, 0x80000000, U32_MAX };
  byte data[BFD_PACKET_SIZE];
  struct bfd_packet p;

  memcpy(data, valid, sizeof(valid));
  for (uint i = 0; i < ARRAY_SIZE(edges); i++)
  {
    put_u32(data + MIN_TX, edges[i]);
    put_u32(data + MIN_RX, edges[ARRAY_SIZE(edges) - 1 - i]);
    put_u32(data + ECHO_RX, edges[i]);
    assert_int_equal(decode(data, sizeof(data), &p), BFD_RX_OK);
    assert_int_equal(p.min_tx, edges[i]);
    assert_int_equal(p.min_rx, edges[ARRAY_SIZE(edges) - 1 - i]);
    assert_int_equal(p.min_echo_rx, edges[i]);
  }
}

/* A packet that is wrong in every way, mended one way after the other. */
static void
reasons_come_in_the_order_of_section_6_8_6(void **ctx UNUSED)
{
  byte data[BFD_PACKET_SIZE] = { [FLAGS] = BFD_UP << 6 | BFD_FLAG_MULTIPOINT };

  assert_int_equal(decode(data, 23, NULL), BFD_RX_TRUNCATED);
  assert_int_equal(decode(data, 24, NULL), BFD_RX_VERSION);
  data[VERSION] = 0x20;
  assert_int_equal(decode(data, 24, NULL), BFD_RX_LENGTH);
  data[LENGTH] = 24;
  assert_int_equal(decode(data, 24, NULL), BFD_RX_DETECT_MULT);
  data[MULT] = 1;
  assert_int_equal(decode(data, 24, NULL), BFD_RX_MULTIPOINT);
  data[FLAGS] = BFD_UP << 6;
  assert_int_equal(decode(data, 24, NULL), BFD_RX_MY_DISC);
  data[MY_DISC] = 1;
  assert_int_equal(decode(data, 24, NULL), BFD_RX_YOUR_DISC);
  data[YOUR_DISC] = 1;
  assert_int_equal(decode(data, 24, NULL), BFD_RX_OK);
}

static void
encoding_yields_the_bytes_of_section_4_1(void **ctx UNUSED)
{
  struct bfd_packet p;
  byte data[BFD_PACKET_SIZE];

  assert_int_equal(decode(valid, sizeof(valid), &p), BFD_RX_OK);
  p.length = 99; /* is not looked at */
  bfd_packet_encode(&p, data);
  assert_memory_equal(data, valid, sizeof(valid));
}

static void
what_is_encoded_decodes_to_the_same(void **ctx UNUSED)
{
  struct rng rng = { 1 };

  for (uint i = 0; i < 20000; i++)
  {
    struct bfd_packet p = {
      .diag = rng_below(&rng, 32),
      .state = rng_below(&rng, 4),
      .flags = rng_u32(&rng) & (BFD_FLAG_POLL | BFD_FLAG_FINAL | BFD_FLAG_CPI | BFD_FLAG_DEMAND),
      .detect_mult = 1 + rng_below(&rng, 255),
      .length = BFD_PACKET_SIZE,
      .my_disc = MAX(rng_u32(&rng), 1u),
      .your_disc = MAX(rng_u32(&rng), 1u),
      .min_tx = rng_u32(&rng),
      .min_rx = rng_u32(&rng),
      .min_echo_rx = rng_u32(&rng),
    };
    struct bfd_packet q = { 0 };
    byte *data = malloc(BFD_PACKET_SIZE);

    bfd_packet_encode(&p, data);
    assert_int_equal(decode(data, BFD_PACKET_SIZE, &q), BFD_RX_OK);
    free(data);
    assert_int_equal(p.diag, q.diag);
    assert_int_equal(p.state, q.state);
    assert_int_equal(p.flags, q.flags);
    assert_int_equal(p.detect_mult, q.detect_mult);
    assert_int_equal(p.length, q.length);
    assert_int_equal(p.my_disc, q.my_disc);
    assert_int_equal(p.your_disc, q.your_disc);
    assert_int_equal(p.min_tx, q.min_tx);
    assert_int_equal(p.min_rx, q.min_rx);
    assert_int_equal(p.min_echo_rx, q.min_echo_rx);
  }
}

static void
random_bytes_are_refused_or_keep_every_promise(void **ctx UNUSED)
{
  struct rng rng = { 2 };

  for (uint i = 0; i < 50000; i++)
  {
    byte data[64];
    struct bfd_packet p;
    size_t size = rng_below(&rng, sizeof(data) + 1);

    for (uint k = 0; k < sizeof(data); k++)
      data[k] = rng_u32(&rng);
    if (i % 2) /* every other one gets past the first checks */
    {
      data[VERSION] = 0x20 | (data[VERSION] & 0x1f);
      data[LENGTH] = 24 + data[LENGTH] % 4;
    }
    if (decode(data, size, &p) != BFD_RX_OK)
      continue;
    assert_true(size >= 24 && p.length >= 24 && p.length <= size);
    assert_true(p.detect_mult && p.my_disc && !(p.flags & BFD_FLAG_MULTIPOINT));
    assert_true(p.your_disc || p.state <= BFD_DOWN);
    assert_true(!(p.flags & BFD_FLAG_AUTH) || p.length >= 26);
  }
}

static void
every_verdict_has_a_name(void **ctx UNUSED)
{
  for (uint rx = 0; rx < BFD_RX__MAX; rx++)
    assert_non_null(bfd_rx_name(rx));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_field_is_where_section_4_1_draws_it),
    cmocka_unit_test(the_flag_bits_are_p_f_c_a_d_m_from_the_left),
    cmocka_unit_test(every_shorter_datagram_is_truncated),
    cmocka_unit_test(a_longer_datagram_is_fine_and_its_tail_is_ignored),
    cmocka_unit_test(only_version_1_is_known),
    cmocka_unit_test(every_diagnostic_is_taken_assigned_or_not),
    cmocka_unit_test(the_length_lies_between_its_minimum_and_the_datagram),
    cmocka_unit_test(the_a_bit_raises_the_least_length_to_26),
    cmocka_unit_test(detect_mult_zero_is_refused_and_both_edges_are_taken),
    cmocka_unit_test(of_the_flags_only_multipoint_is_refused),
    cmocka_unit_test(my_discriminator_must_not_be_zero),
    cmocka_unit_test(your_discriminator_may_be_zero_only_in_down_and_admin_down),
    cmocka_unit_test(intervals_are_taken_at_both_edges),
    cmocka_unit_test(reasons_come_in_the_order_of_section_6_8_6),
    cmocka_unit_test(encoding_yields_the_bytes_of_section_4_1),
    cmocka_unit_test(what_is_encoded_decodes_to_the_same),
    cmocka_unit_test(random_bytes_are_refused_or_keep_every_promise),
    cmocka_unit_test(every_verdict_has_a_name),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
