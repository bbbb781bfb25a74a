/*
 * proto/bfd/auth_test.c: RFC 5880 6.7, against packets that another implementation sent and against ourselves
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/auth.h"
#include "proto/bfd/auth_ring.h"

#define NOW BT_S(1000)
#define MEMORY BT_MS(600)
#define MULT 5
#define PATIENCE BT_S(300)

/* Keys */

static struct bfd_auth
auth_with(const struct bfd_keys *keys, u32 seq)
{
  struct bfd_auth a;

  bfd_auth_init(&a, seq);
  bfd_auth_change(&a, keys, 0, NOW);
  return a;
}

/* Packets */

struct wire
{
  uint size;
  byte *data; /* exactly @size bytes, so that a sanitizer sees a step beyond */
};

static struct wire
wire_new(const byte *data, uint size)
{
  struct wire w = { size, malloc(size) };

  memcpy(w.data, data, size);
  return w;
}

static struct wire
sign_state(struct bfd_auth *a, u8 state, bool probe)
{
  byte data[BFD_PACKET_MAX];
  struct bfd_packet pkt = {
    .state = state, .detect_mult = MULT, .my_disc = 7, .your_disc = 8, .min_tx = 100000, .min_rx = 100000
  };

  bfd_packet_encode(&pkt, data);
  return wire_new(data, bfd_auth_sign(a, data, probe, NOW));
}

static struct wire
sign(struct bfd_auth *a)
{
  return sign_state(a, BFD_UP, false);
}

/* As reception does it: decode, compare the A bit, authenticate. */
static enum bfd_rx
verify_at(struct bfd_auth *a, const struct wire *w, btime arrival)
{
  struct bfd_packet pkt;
  enum bfd_rx rx = bfd_packet_decode(&pkt, w->data, w->size);

  if (rx == BFD_RX_OK && !bfd_auth_agrees(a, &pkt))
    return BFD_RX_AUTH;
  return rx == BFD_RX_OK ? bfd_auth_verify(a, &pkt, w->data, arrival, MEMORY) : rx;
}

static enum bfd_rx
verify(struct bfd_auth *a, struct wire w)
{
  enum bfd_rx rx = verify_at(a, &w, NOW);

  free(w.data);
  return rx;
}

/* Send one packet from @from to @to. */
static enum bfd_rx
pass(struct bfd_auth *from, struct bfd_auth *to)
{
  return verify(to, sign(from));
}

/* What BIRD 2.0.12 sent */

static const struct
{
  enum bfd_auth_type type;
  u8 id;
  u32 seq;
  const char *secret, *packet;
} captured[] = {
  { BFD_AUTH_SIMPLE, 7, 0, "one",
    "2044051ef454192d00000000000f4240000186a000000000"
    "0106076f6e65" },
  { BFD_AUTH_SIMPLE, 1, 0, "1234567890123456",
    "2044052b34b7559300000000000f4240000186a000000000"
    "01130131323334353637383930313233343536" },
  { BFD_AUTH_KEYED_MD5, 200, 0x01b1e8b9, "0123456789abcdef",
    "2044053074927cf200000000000f4240000186a000000000"
    "0218c80001b1e8b99ec603f67d4702100151462cac823ee4" },
  { BFD_AUTH_METICULOUS_MD5, 1, 0x31d0815e, "two",
    "2044053051208b9f00000000000f4240000186a000000000"
    "0318010031d0815e9119e33a3860f56b4f978e62d31ee79e" },
  { BFD_AUTH_KEYED_SHA1, 0, 0xd85120cb, "0123456789abcdefghij",
    "20440534d301144900000000000f4240000186a000000000"
    "041c0000d85120cbc3722030c2d72304d74ef04dcc4ab39ce87d83ca" },
  { BFD_AUTH_METICULOUS_SHA1, 1, 0xede744cb, "one",
    "204405348ad68db000000000000f4240000186a000000000"
    "051c0100ede744cb0c5c7a33b5bc6d5e893c7323334607ca15018276" },
};

static struct wire
from_hex(const char *text)
{
  byte data[BFD_PACKET_MAX];
  uint size = strlen(text) / 2;

  for (uint i = 0; i < size; i++)
    assert_int_equal(sscanf(text + 2 * i, "%2hhx", &data[i]), 1);
  return wire_new(data, size);
}

static void
packets_of_another_implementation_are_understood(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(captured); i++)
  {
    struct ring ring;
    struct bfd_auth a = auth_with(one_key(&ring, captured[i].type, captured[i].id, captured[i].secret), 0);

    assert_int_equal(verify(&a, from_hex(captured[i].packet)), BFD_RX_OK);
    assert_int_equal(a.rx_seq, captured[i].seq);
  }
}

static void
the_same_contents_give_the_same_bytes(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(captured); i++)
  {
    struct ring ring;
    struct bfd_auth a =
        auth_with(one_key(&ring, captured[i].type, captured[i].id, captured[i].secret), captured[i].seq - 1);
    struct wire w = from_hex(captured[i].packet);
    byte data[BFD_PACKET_MAX];

    memcpy(data, w.data, BFD_PACKET_SIZE);
    data[1] &= ~BFD_FLAG_AUTH;
    data[3] = BFD_PACKET_SIZE;
    assert_int_equal(bfd_auth_sign(&a, data, false, NOW), w.size);
    assert_memory_equal(data, w.data, w.size);
    free(w.data);
  }
}

/* Every type, from us to us */

static void
one_side_understands_the_other(void **ctx UNUSED)
{
  struct bfd_auth none = auth_with(NULL, 0);

  assert_int_equal(pass(&none, &none), BFD_RX_OK);
  FOR_TYPES (t)
  {
    struct ring ring;
    struct bfd_auth a = auth_with(one_key(&ring, t, 3, "secret"), 0), b = a;

    for (int i = 0; i < 100; i++)
      assert_int_equal(pass(&a, &b), BFD_RX_OK);
    assert_int_equal(pass(&none, &b), BFD_RX_AUTH);
    assert_int_equal(pass(&a, &none), BFD_RX_AUTH);
  }
}

static void
no_type_takes_another(void **ctx UNUSED)
{
  FOR_TYPES (t)
    FOR_TYPES (u)
    {
      struct ring ra, rb;
      struct bfd_auth a = auth_with(one_key(&ra, t, 1, "secret"), 0);
      struct bfd_auth b = auth_with(one_key(&rb, u, 1, "secret"), 0);

      assert_int_equal(pass(&a, &b), t == u ? BFD_RX_OK : BFD_RX_AUTH_TYPE);
    }
}

static void
another_secret_or_number_is_refused(void **ctx UNUSED)
{
  static const char *const others[] = { "secres", "secre", "secrett", "Secret", "\1" };

  FOR_TYPES (t)
  {
    struct ring ra, rb;
    struct bfd_auth a = auth_with(one_key(&ra, t, 1, "secret"), 0), b;

    for (uint i = 0; i < ARRAY_SIZE(others); i++)
    {
      b = auth_with(one_key(&rb, t, 1, others[i]), 0);
      assert_int_equal(pass(&a, &b), BFD_RX_AUTH_DIGEST);
      assert_false(b.rx_known);
    }
    b = auth_with(one_key(&rb, t, 2, "secret"), 0);
    assert_int_equal(pass(&a, &b), BFD_RX_AUTH_KEY);
  }
}

/* Any change of a packet under a digest shows; where Length and Auth Len stay what they have to be. */
static void
no_bit_of_a_digested_packet_can_be_changed(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct ring ring;
    struct bfd_auth a = auth_with(one_key(&ring, t, 1, "secret"), 0), b = a;
    struct wire w = sign(&a);

    for (uint bit = 0; bit < w.size * 8; bit++)
    {
      struct bfd_auth before = b;

      w.data[bit / 8] ^= 1u << bit % 8;
      assert_int_not_equal(verify_at(&b, &w, NOW), BFD_RX_OK);
      assert_memory_equal(&b, &before, sizeof(b));
      w.data[bit / 8] ^= 1u << bit % 8;
    }
    assert_int_equal(verify_at(&b, &w, NOW), BFD_RX_OK);
    free(w.data);
  }
}

/* Length, Auth Len and the size of the datagram, each at every value. */
static void
no_length_is_believed(void **ctx UNUSED)
{
  FOR_TYPES (t)
  {
    struct ring ring;
    struct bfd_auth a = auth_with(one_key(&ring, t, 1, "secret"), 0), fresh = a;
    struct wire w = sign(&a);
    u8 length = w.data[3], auth_len = w.data[BFD_PACKET_SIZE + 1];

    for (uint l = 0; l < 256; l++)
      for (uint al = 0; al < 256; al++)
      {
        struct bfd_auth b = fresh;
        bool right = l == length && al == auth_len;

        w.data[3] = l;
        w.data[BFD_PACKET_SIZE + 1] = al;
        assert_int_equal(verify_at(&b, &w, NOW) == BFD_RX_OK, right);
      }
    w.data[3] = length;
    w.data[BFD_PACKET_SIZE + 1] = auth_len;
    for (uint size = 0; size < w.size; size++)
    {
      struct wire cut = wire_new(w.data, size);
      struct bfd_auth b = fresh;

      assert_int_not_equal(verify(&b, cut), BFD_RX_OK);
      cut = wire_new(w.data, size); /* and with a length that agrees with what is there */
      if (size > 3)
        cut.data[3] = size;
      assert_int_not_equal(verify(&b, cut), BFD_RX_OK);
    }
    free(w.data);
  }
}

/* Sequence numbers, 6.7.3 and 6.7.4 */

static enum bfd_rx
pass_number(enum bfd_auth_type t, u32 last, u32 seq, btime arrival)
{
  struct ring ring;
  struct bfd_auth a = auth_with(one_key(&ring, t, 1, "secret"), last - 1), b = a;
  struct wire w;
  enum bfd_rx rx;

  assert_int_equal(pass(&a, &b), BFD_RX_OK);
  assert_int_equal(b.rx_seq, last);
  bfd_auth_init(&a, seq - 1);
  bfd_auth_change(&a, ring_keys(&ring), 0, NOW);
  w = sign_state(&a, BFD_DOWN, false);
  rx = verify_at(&b, &w, arrival);
  assert_int_equal(b.rx_seq, rx == BFD_RX_OK ? seq : last);
  free(w.data);
  return rx;
}

static void
the_window_is_three_times_the_multiplier(void **ctx UNUSED)
{
  static const u32 lasts[] = { 0, 1, 1000, 0x7fffffff, 0x80000000, U32_MAX - 3 * MULT, U32_MAX };

  FOR_DIGESTS (t)
    for (uint i = 0; i < ARRAY_SIZE(lasts); i++)
    {
      static const u32 outside[] = { 3 * MULT + 1, 0x7fffffff, 0x80000000, -2u, -1u };
      u32 last = lasts[i];

      assert_int_equal(pass_number(t, last, last, NOW), meticulous(t) ? BFD_RX_AUTH_SEQUENCE : BFD_RX_OK);
      assert_int_equal(pass_number(t, last, last + 1, NOW), BFD_RX_OK);
      assert_int_equal(pass_number(t, last, last + 3 * MULT, NOW), BFD_RX_OK);
      for (uint k = 0; k < ARRAY_SIZE(outside); k++)
        assert_int_equal(pass_number(t, last, last + outside[k], NOW), BFD_RX_AUTH_SEQUENCE);
    }
}

static void
numbers_are_forgotten_after_twice_the_detection_time(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    assert_int_equal(pass_number(t, 5000, 77, NOW + MEMORY - 1), BFD_RX_AUTH_SEQUENCE);
    assert_int_equal(pass_number(t, 5000, 77, NOW + MEMORY), BFD_RX_OK);
  }
}

static void
refused_packets_do_not_keep_a_number_alive(void **ctx UNUSED)
{
  struct ring ring;
  struct bfd_auth a = auth_with(one_key(&ring, BFD_AUTH_METICULOUS_SHA1, 1, "secret"), 0), b = a;
  struct wire w = sign(&a);

  assert_int_equal(verify_at(&b, &w, NOW), BFD_RX_OK);
  for (btime t = 0; t < MEMORY; t += MEMORY / 10)
    assert_int_equal(verify_at(&b, &w, NOW + t), BFD_RX_AUTH_SEQUENCE);
  assert_int_equal(verify_at(&b, &w, NOW + MEMORY), BFD_RX_OK);
  free(w.data);
}

/* The RFC would take the number of a packet before it looks at the digest. */
static void
a_forger_does_not_set_the_number(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct ring ra, rb;
    struct bfd_auth forger = auth_with(one_key(&ra, t, 1, "guessed"), 0x12345678);
    struct bfd_auth peer = auth_with(one_key(&rb, t, 1, "secret"), 0), b = peer;

    assert_int_equal(pass(&forger, &b), BFD_RX_AUTH_DIGEST);
    assert_false(b.rx_known);
    assert_int_equal(pass(&peer, &b), BFD_RX_OK);
  }
}

static void
meticulous_numbers_count_packets_and_others_contents(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct ring ring;
    struct bfd_auth a = auth_with(one_key(&ring, t, 1, "secret"), U32_MAX - 1);

    free(sign_state(&a, BFD_UP, false).data);
    assert_int_equal(a.tx_seq, U32_MAX);
    free(sign_state(&a, BFD_UP, false).data);
    assert_int_equal(a.tx_seq, meticulous(t) ? 0 : U32_MAX);
    free(sign_state(&a, BFD_DOWN, false).data);
    assert_int_equal(a.tx_seq, meticulous(t) ? 1 : 0);
  }
}

/* Several keys */

static void
keys_are_taken_by_number_and_only_while_accepted(void **ctx UNUSED)
{
  static const struct key mine[] = { { 1, "old", false, true },
                                     { 2, "new", true, true },
                                     { 3, "no", false, false } };

  FOR_TYPES (t)
  {
    struct ring ra, rb;
    struct bfd_auth b = auth_with(make_ring(&rb, t, mine, 3), 0);
    struct wire w = sign(&b);
    struct bfd_auth a;

    assert_int_equal(w.data[BFD_PACKET_SIZE + 2], 2); /* the one that generates */
    free(w.data);
    a = auth_with(one_key(&ra, t, 1, "old"), 0);
    assert_int_equal(pass(&a, &b), BFD_RX_OK);
    a = auth_with(one_key(&ra, t, 2, "new"), 1);
    assert_int_equal(pass(&a, &b), BFD_RX_OK);
    a = auth_with(one_key(&ra, t, 3, "no"), 2);
    assert_int_equal(pass(&a, &b), BFD_RX_AUTH_KEY);
  }
}

static void
one_number_may_have_two_secrets(void **ctx UNUSED)
{
  static const struct key mine[] = { { 1, "old", false, true }, { 1, "new", true, true } };

  FOR_TYPES (t)
  {
    struct ring ra, rb;
    struct bfd_auth b = auth_with(make_ring(&rb, t, mine, 2), 0), a;

    a = auth_with(one_key(&ra, t, 1, "old"), 0);
    assert_int_equal(pass(&a, &b), BFD_RX_OK);
    a = auth_with(one_key(&ra, t, 1, "new"), 1);
    assert_int_equal(pass(&a, &b), BFD_RX_OK);
    a = auth_with(one_key(&ra, t, 1, "other"), 2);
    assert_int_equal(pass(&a, &b), BFD_RX_AUTH_DIGEST);
  }
}

static void
without_a_key_that_generates_nothing_is_sent(void **ctx UNUSED)
{
  static const struct key mine[] = { { 1, "old", false, true } };

  FOR_TYPES (t)
  {
    struct ring ring;
    byte data[BFD_PACKET_MAX] = { 0 };
    struct bfd_auth a = auth_with(make_ring(&ring, t, mine, 1), 0);

    assert_int_equal(bfd_auth_sign(&a, data, false, NOW), 0);
    a = auth_with(make_ring(&ring, t, mine, 0), 0);
    assert_int_equal(bfd_auth_sign(&a, data, true, NOW), 0);
  }
}

/* A change of configuration while Up, 6.7.1 */

struct change
{
  struct ring old, new;
  const struct bfd_keys *from, *to;
};

/* From and to every type, none among them; between equal types the secret changes. */
static void
make_change(struct change *c, enum bfd_auth_type from, enum bfd_auth_type to)
{
  c->from = from ? one_key(&c->old, from, 1, "old") : NULL;
  c->to = to ? one_key(&c->new, to, 1, "new") : NULL;
}

#define FOR_CHANGES(c, f, t)                               \
  for (enum bfd_auth_type f = 0; f < BFD_AUTH__MAX; f++)   \
    for (enum bfd_auth_type t = 0; t < BFD_AUTH__MAX; t++) \
      if (make_change(&(c), f, t), f || t)

static void
both_are_accepted_until_the_peer_follows(void **ctx UNUSED)
{
  struct change c;

  FOR_CHANGES (c, from, to)
  {
    struct bfd_auth peer = auth_with(c.from, 0), us = auth_with(c.from, 100);

    assert_int_equal(pass(&peer, &us), BFD_RX_OK);
    bfd_auth_change(&us, c.to, PATIENCE, NOW);
    for (int i = 0; i < 20; i++)
    {
      assert_int_equal(pass(&peer, &us), BFD_RX_OK);
      assert_int_equal(pass(&us, &peer), BFD_RX_OK);
    }
    bfd_auth_change(&peer, c.to, 0, NOW);
    assert_int_equal(pass(&peer, &us), BFD_RX_OK);
    assert_false(us.changing);
    assert_int_equal(pass(&us, &peer), BFD_RX_OK);
  }
}

static void
once_the_peer_has_followed_there_is_no_way_back(void **ctx UNUSED)
{
  struct change c;

  FOR_CHANGES (c, from, to)
  {
    struct bfd_auth peer = auth_with(c.to, 0), us = auth_with(c.from, 100), former = auth_with(c.from, 10);

    bfd_auth_change(&us, c.to, PATIENCE, NOW);
    assert_int_equal(pass(&peer, &us), BFD_RX_OK);
    assert_int_not_equal(pass(&former, &us), BFD_RX_OK);
  }
}

/* Two sides that both wait for the other: the packets that try the new keys bring them together. */
static void
two_that_are_gentle_agree(void **ctx UNUSED)
{
  struct change c;

  FOR_CHANGES (c, from, to)
  {
    struct bfd_auth a = auth_with(c.from, 0), b = auth_with(c.from, 100);
    int lost = 0, rounds = 0;

    assert_int_equal(pass(&a, &b), BFD_RX_OK);
    bfd_auth_change(&a, c.to, PATIENCE, NOW);
    /* Meanwhile the other one has not been told: it loses a packet now and then, never two in a row. */
    for (int i = 0, row = 0; i < 50; i++)
    {
      bool ok = verify(&b, sign_state(&a, BFD_UP, true)) == BFD_RX_OK;

      row = ok ? 0 : row + 1;
      lost += !ok;
      assert_true(row < 2);
    }
    assert_in_range(lost, 5, 8);
    bfd_auth_change(&b, c.to, PATIENCE, NOW);
    for (; a.changing || b.changing; rounds++)
    {
      assert_true(rounds < 10);
      assert_int_equal(verify(&b, sign_state(&a, BFD_UP, true)), BFD_RX_OK);
      assert_int_equal(verify(&a, sign_state(&b, BFD_UP, true)), BFD_RX_OK);
    }
  }
}

static void
one_more_key_to_accept_needs_nobody_to_follow(void **ctx UNUSED)
{
  static const struct key both[] = { { 1, "old", true, true }, { 2, "new", false, true } };

  FOR_TYPES (t)
  {
    struct ring r1, r2;
    const struct bfd_keys *first = one_key(&r1, t, 1, "old");
    struct bfd_auth peer = auth_with(first, 0), us = auth_with(first, 100);

    bfd_auth_change(&us, make_ring(&r2, t, both, 2), PATIENCE, NOW);
    assert_int_equal(pass(&peer, &us), BFD_RX_OK);
    assert_false(us.changing);
  }
}

static void
the_time_of_day_does_not_end_a_change(void **ctx UNUSED)
{
  struct ring r1, r2, r3;
  const struct bfd_keys *first = one_key(&r1, BFD_AUTH_KEYED_SHA1, 1, "first");
  struct bfd_auth peer = auth_with(first, 0), us = auth_with(first, 0);

  bfd_auth_change(&us, one_key(&r2, BFD_AUTH_KEYED_SHA1, 2, "second"), PATIENCE, NOW);
  bfd_auth_update(&us, one_key(&r3, BFD_AUTH_KEYED_SHA1, 3, "third"));
  assert_int_equal(pass(&peer, &us), BFD_RX_OK);
  assert_int_equal(pass(&us, &peer), BFD_RX_OK);
  peer = auth_with(us.keys, us.rx_seq);
  assert_int_equal(pass(&peer, &us), BFD_RX_OK);
  assert_false(us.changing);
}

static void
patience_ends(void **ctx UNUSED)
{
  struct change c;

  FOR_CHANGES (c, from, to)
  {
    struct bfd_auth peer = auth_with(c.from, 0), us = auth_with(c.from, 100), late;
    struct wire w;
    byte data[BFD_PACKET_MAX] = { 0 };

    bfd_auth_change(&us, c.to, PATIENCE, NOW);
    late = us;
    w = sign(&peer);
    assert_int_equal(verify_at(&late, &w, NOW + PATIENCE - 1), BFD_RX_OK);
    late = us;
    assert_int_not_equal(verify_at(&late, &w, NOW + PATIENCE), BFD_RX_OK);
    free(w.data);
    bfd_auth_sign(&us, data, false, NOW + PATIENCE);
    assert_false(us.changing);
  }
}

static void
a_second_change_starts_from_what_is_in_use(void **ctx UNUSED)
{
  struct ring r1, r2, r3;
  const struct bfd_keys *first = one_key(&r1, BFD_AUTH_KEYED_SHA1, 1, "first");
  const struct bfd_keys *second = one_key(&r2, BFD_AUTH_KEYED_SHA1, 1, "second");
  const struct bfd_keys *third = one_key(&r3, BFD_AUTH_KEYED_SHA1, 1, "third");
  struct bfd_auth peer = auth_with(first, 0), us = auth_with(first, 0), between = auth_with(second, 0);

  bfd_auth_change(&us, second, PATIENCE, NOW);
  bfd_auth_change(&us, third, PATIENCE, NOW);
  assert_ptr_equal(us.before, first);
  assert_int_equal(pass(&between, &us), BFD_RX_AUTH_DIGEST);
  assert_int_equal(pass(&peer, &us), BFD_RX_OK);
  bfd_auth_change(&us, third, 0, NOW);
  assert_int_equal(pass(&peer, &us), BFD_RX_AUTH_DIGEST);
}

/*
 * The textbook rotation: both sides know the next key before either signs with it. The peer that still signs
 * with the old one, which remains valid, has not followed, and may know nothing else.
 */
static void
a_peer_that_goes_on_with_a_key_of_both_rings_has_not_followed(void **ctx UNUSED)
{
  static const struct key next[] = { { 2, "new", true, true }, { 1, "old", false, true } };

  FOR_TYPES (t)
  {
    struct ring ra, rb, rc;
    struct bfd_auth peer = auth_with(one_key(&ra, t, 1, "old"), 0);
    struct bfd_auth us = auth_with(one_key(&rb, t, 1, "old"), 100);

    bfd_auth_change(&us, make_ring(&rc, t, next, 2), PATIENCE, NOW);
    for (int i = 0; i < 20; i++)
    {
      assert_int_equal(pass(&peer, &us), BFD_RX_OK);
      assert_int_equal(pass(&us, &peer), BFD_RX_OK);
    }
  }
}

/* What was in use can sign no more: there is nothing to go on with. */
static void
a_change_from_keys_that_cannot_sign_is_in_use_at_once(void **ctx UNUSED)
{
  static const struct key ended = { 1, "old", false, true };

  FOR_TYPES (t)
  {
    struct ring ra, rb;
    struct bfd_auth us = auth_with(make_ring(&ra, t, &ended, 1), 0);
    byte data[BFD_PACKET_MAX] = { 0 };

    bfd_auth_change(&us, one_key(&rb, t, 2, "new"), PATIENCE, NOW);
    assert_int_not_equal(bfd_auth_sign(&us, data, false, NOW), 0);
  }
}

static void
one_packet_in_eight_tries_the_new_keys_and_no_other_kind_does(void **ctx UNUSED)
{
  struct ring ra, rb;
  struct bfd_auth us = auth_with(one_key(&ra, BFD_AUTH_KEYED_SHA1, 1, "old"), 0);

  bfd_auth_change(&us, one_key(&rb, BFD_AUTH_KEYED_SHA1, 2, "new"), PATIENCE, NOW);
  for (int i = 1; i <= 24; i++)
  {
    struct wire w = sign(&us);

    assert_int_equal(w.data[BFD_PACKET_SIZE + 2], 1);
    free(w.data);
    w = sign_state(&us, BFD_UP, true);
    assert_int_equal(w.data[BFD_PACKET_SIZE + 2], i % 8 ? 1 : 2);
    free(w.data);
  }
}

/* Behind the section there may be more, which counts for the digest and for nothing else. */
static void
bytes_behind_the_section_are_covered_by_the_digest(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct ring ring;
    struct bfd_auth a = auth_with(one_key(&ring, t, 1, "secret"), 0), b = a;
    struct wire w = sign(&a), longer = { UINT8_MAX, calloc(1, UINT8_MAX) };

    memcpy(longer.data, w.data, w.size);
    longer.data[3] = longer.size;
    assert_int_equal(verify(&b, longer), BFD_RX_AUTH_DIGEST);
    free(w.data);
  }
}

/* Each in its own right, before the digest is looked at. */
static void
a_digest_has_its_length_and_no_other(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
    for (int more = -1; more < 2; more++)
    {
      struct ring ring;
      struct bfd_auth a = auth_with(one_key(&ring, t, 1, "secret"), 0), b = a;
      struct wire w = sign(&a), other = { w.size + more, calloc(1, w.size + 1) };

      memcpy(other.data, w.data, MIN(w.size, other.size));
      other.data[3] += more;
      other.data[BFD_PACKET_SIZE + 1] += more;
      assert_int_equal(verify(&b, other), more ? BFD_RX_AUTH_LENGTH : BFD_RX_OK);
      free(w.data);
    }
}

static void
the_number_rises_with_another_key(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct ring ra, rb;
    struct bfd_auth a = auth_with(one_key(&ra, t, 1, "secret"), 5);

    free(sign(&a).data);
    assert_int_equal(a.tx_seq, 6);
    bfd_auth_change(&a, one_key(&rb, t, 2, "secret"), 0, NOW);
    free(sign(&a).data);
    assert_int_equal(a.tx_seq, 7);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(packets_of_another_implementation_are_understood),
    cmocka_unit_test(the_same_contents_give_the_same_bytes),
    cmocka_unit_test(one_side_understands_the_other),
    cmocka_unit_test(no_type_takes_another),
    cmocka_unit_test(another_secret_or_number_is_refused),
    cmocka_unit_test(no_bit_of_a_digested_packet_can_be_changed),
    cmocka_unit_test(no_length_is_believed),
    cmocka_unit_test(the_window_is_three_times_the_multiplier),
    cmocka_unit_test(numbers_are_forgotten_after_twice_the_detection_time),
    cmocka_unit_test(refused_packets_do_not_keep_a_number_alive),
    cmocka_unit_test(a_forger_does_not_set_the_number),
    cmocka_unit_test(meticulous_numbers_count_packets_and_others_contents),
    cmocka_unit_test(keys_are_taken_by_number_and_only_while_accepted),
    cmocka_unit_test(one_number_may_have_two_secrets),
    cmocka_unit_test(without_a_key_that_generates_nothing_is_sent),
    cmocka_unit_test(both_are_accepted_until_the_peer_follows),
    cmocka_unit_test(once_the_peer_has_followed_there_is_no_way_back),
    cmocka_unit_test(two_that_are_gentle_agree),
    cmocka_unit_test(one_more_key_to_accept_needs_nobody_to_follow),
    cmocka_unit_test(the_time_of_day_does_not_end_a_change),
    cmocka_unit_test(patience_ends),
    cmocka_unit_test(a_second_change_starts_from_what_is_in_use),
    cmocka_unit_test(a_peer_that_goes_on_with_a_key_of_both_rings_has_not_followed),
    cmocka_unit_test(a_change_from_keys_that_cannot_sign_is_in_use_at_once),
    cmocka_unit_test(one_packet_in_eight_tries_the_new_keys_and_no_other_kind_does),
    cmocka_unit_test(bytes_behind_the_section_are_covered_by_the_digest),
    cmocka_unit_test(a_digest_has_its_length_and_no_other),
    cmocka_unit_test(the_number_rises_with_another_key),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
