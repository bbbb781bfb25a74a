/*
 * proto/bfd/session_auth_test.c: a session under authentication: when keys change, and what a packet that is
 * not believed, or was heard before, can do
 *
 * Two sessions speak with each other in the bytes that would be sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/auth_ring.h"
#include "proto/bfd/session_checked.h"

/* Both directions of a session */

struct wire
{
  uint size;
  byte data[BFD_PACKET_MAX];
};

static struct wire
sign_packet(struct bfd_session *s, enum bfd_tx_kind kind, btime now)
{
  struct bfd_packet pkt = bfd_session_packet(s, kind, now);
  struct wire w;

  bfd_packet_encode(&pkt, w.data);
  w.size = bfd_auth_sign(&s->auth, w.data, false, now);
  assert_int_not_equal(w.size, 0);
  return w;
}

/* As the engine does it. @todo: what the session asks for then; may be NULL. */
static enum bfd_rx
take(struct bfd_session *s, const struct wire *w, btime now, uint *todo)
{
  struct bfd_rx_meta meta = { .hop = BFD_MULTIHOP, .ttl = 255, .arrival = now };
  struct bfd_packet pkt;
  enum bfd_rx rx = bfd_packet_decode(&pkt, w->data, w->size);

  if (rx == BFD_RX_OK)
    rx = bfd_session_accept(s, BFD_MULTIHOP, 0, &pkt, &meta);
  if (rx == BFD_RX_OK)
    rx = bfd_session_authenticate(s, &pkt, w->data, now);
  if (rx == BFD_RX_OK)
  {
    uint result = receive(s, &pkt, now);

    if (todo)
      *todo = result;
  }
  return rx;
}

static struct bfd_session
side_new(u32 disc, const struct bfd_keys *keys, u32 seq)
{
  struct bfd_session s;

  bfd_session_init(&s, &normal, disc, START);
  bfd_auth_init(&s.auth, seq);
  bfd_session_set_keys(&s, keys, BT_S(300), START);
  assert_false(s.auth.changing);
  return s;
}

/* The packets of the one, in the order in which they went out. */
struct record
{
  struct wire w[64];
  uint count;
};

static void
pass(struct bfd_session *from, struct bfd_session *to, enum bfd_tx_kind kind, btime now, struct record *rec)
{
  struct wire w = sign_packet(from, kind, now);
  uint todo = 0;

  if (rec && rec->count < ARRAY_SIZE(rec->w))
    rec->w[rec->count++] = w;
  assert_int_equal(take(to, &w, now, &todo), BFD_RX_OK);
  if (todo & BFD_DO_FINAL)
    pass(to, from, BFD_TX_FINAL, now, NULL);
}

/* A few packets of either side, 10 ms apart. */
static void
talk(struct bfd_session *a, struct bfd_session *b, btime *now, struct record *of_b)
{
  for (int i = 0; i < 5; i++)
  {
    *now += BT_MS(10);
    pass(a, b, BFD_TX_PERIODIC, *now, NULL);
    pass(b, a, BFD_TX_PERIODIC, *now, of_b);
  }
}

struct pair
{
  struct ring ring;
  struct bfd_session a, b;
  btime now;
};

static void
pair_up(struct pair *p, enum bfd_auth_type t, struct record *of_b)
{
  const struct bfd_keys *keys = one_key(&p->ring, t, 1, "secret");

  p->a = side_new(LOCAL, keys, 100);
  p->b = side_new(REMOTE, keys, 70000);
  p->now = START;
  pass(&p->b, &p->a, BFD_TX_PERIODIC, p->now, of_b);
  talk(&p->a, &p->b, &p->now, of_b);
  assert_int_equal(p->a.state, BFD_UP);
  assert_int_equal(p->b.state, BFD_UP);
}

/* When keys change, 6.7.1 */

static void
keys_change_gently_only_while_up(void **ctx UNUSED)
{
  struct ring ro, rn;
  const struct bfd_keys *old = one_key(&ro, BFD_AUTH_KEYED_SHA1, 1, "old");
  const struct bfd_keys *new = one_key(&rn, BFD_AUTH_KEYED_SHA1, 2, "new");

  for (u8 state = 0; state < BFD_STATE__MAX; state++)
    for (int gently = 0; gently < 2; gently++)
    {
      struct bfd_session s = session_in(state, normal);
      bool gradual = gently && state == BFD_UP;

      bfd_session_set_keys(&s, old, 0, START);
      assert_false(s.auth.changing);
      bfd_session_set_keys(&s, new, gently ? BT_S(300) : 0, START);
      assert_int_equal(s.auth.changing, gradual);
      assert_ptr_equal(s.auth.before, gradual ? old : NULL);
      assert_int_equal(sign_packet(&s, BFD_TX_PERIODIC, START).data[BFD_PACKET_SIZE + 2], gradual ? 1 : 2);
    }
}

static void
hear_admin_down(struct bfd_session *s)
{
  hear(s, BFD_ADMIN_DOWN, 0, START + 1);
}

static void
hear_down(struct bfd_session *s)
{
  hear(s, BFD_DOWN, 0, START + 1);
}

static void
hear_nothing(struct bfd_session *s)
{
  event(s, DETECT_EXPIRED, bfd_session_detect_deadline(s));
}

static void
lose_path(struct bfd_session *s)
{
  suspend(s, true, START + 1);
}

static void
be_disabled(struct bfd_session *s)
{
  event(s, DISABLE, START + 1);
}

static void
be_held(struct bfd_session *s)
{
  struct bfd_params params = normal;

  params.admin_down = true;
  configure(s, params, START + 1);
}

static void
keys_settle_on_every_way_out_of_up(void **ctx UNUSED)
{
  static void (*const ways[])(struct bfd_session * s) = { hear_admin_down, hear_down,   hear_nothing,
                                                          lose_path,       be_disabled, be_held };
  struct ring ro, rn;

  for (uint i = 0; i < ARRAY_SIZE(ways); i++)
  {
    struct bfd_session s = up();

    bfd_session_set_keys(&s, one_key(&ro, BFD_AUTH_SIMPLE, 1, "old"), 0, START);
    bfd_session_set_keys(&s, one_key(&rn, BFD_AUTH_KEYED_MD5, 2, "new"), BT_S(300), START);
    assert_true(s.auth.changing);
    ways[i](&s);
    assert_int_not_equal(s.state, BFD_UP);
    assert_int_equal(s.auth.changing, s.state == BFD_ADMIN_DOWN); /* the peer is to believe that */
    event(&s, ENABLE, START + 2);
    assert_false(s.auth.changing);
    assert_null(s.auth.before);
  }
}

static void
stay_up(struct bfd_session *s)
{
  hear(s, BFD_UP, 0, START + 1);
  hear(s, BFD_INIT, BFD_FLAG_POLL, START + 2);
  configure(s, with_rx(50000), START + 3);
  answer(s, 0, START + 5);
  hear(s, BFD_UP, 0, START + 6);
}

static void
nothing_that_leaves_a_session_up_settles_its_keys(void **ctx UNUSED)
{
  struct ring ro, rn;
  struct bfd_session s = up();

  bfd_session_set_keys(&s, one_key(&ro, BFD_AUTH_SIMPLE, 1, "old"), 0, START);
  bfd_session_set_keys(&s, one_key(&rn, BFD_AUTH_KEYED_MD5, 2, "new"), BT_S(300), START);
  stay_up(&s);
  assert_int_equal(s.state, BFD_UP);
  assert_true(s.auth.changing);
}

/* One after the other, with time in between, and no packet is refused; the second hears of it at once. */
static void
two_sides_change_their_keys_and_stay_up(void **ctx UNUSED)
{
  FOR_TYPES (t)
    FOR_TYPES (u)
    {
      struct pair p;
      struct ring ra, rb;
      struct wire w;
      uint todo = 0;

      pair_up(&p, t, NULL);
      bfd_session_set_keys(&p.a, one_key(&ra, u, 2, "another"), BT_S(300), p.now);
      talk(&p.a, &p.b, &p.now, NULL);
      bfd_session_set_keys(&p.b, one_key(&rb, u, 2, "another"), 0, p.now);
      w = sign_packet(&p.b, BFD_TX_PERIODIC, p.now);
      assert_int_equal(take(&p.a, &w, p.now, &todo), BFD_RX_OK);
      assert_false(p.a.auth.changing);
      assert_true(todo & BFD_DO_SEND);
      talk(&p.a, &p.b, &p.now, NULL);
      w = sign_packet(&p.b, BFD_TX_PERIODIC, p.now);
      assert_int_equal(take(&p.a, &w, p.now, &todo), BFD_RX_OK);
      assert_false(todo & BFD_DO_SEND); /* only the first time */
      assert_int_equal(p.a.state, BFD_UP);
      assert_int_equal(p.b.state, BFD_UP);
    }
}

/* 6.8.16: the peer is to learn why. It has not been given the new keys. */
static void
a_goodbye_is_signed_so_that_the_peer_can_believe_it(void **ctx UNUSED)
{
  struct pair p;
  struct ring ring;
  struct wire w;

  pair_up(&p, BFD_AUTH_KEYED_SHA1, NULL);
  bfd_session_set_keys(&p.a, one_key(&ring, BFD_AUTH_KEYED_SHA1, 2, "new"), BT_S(300), p.now);
  event(&p.a, DISABLE, p.now);
  w = sign_packet(&p.a, BFD_TX_EXTRA, p.now);
  assert_int_equal(take(&p.b, &w, p.now, NULL), BFD_RX_OK);
  assert_int_equal(p.b.remote_state, BFD_ADMIN_DOWN);
}

/* The memory of sequence numbers, 6.8.1 */

static const struct
{
  u32 min_rx, remote_min_tx;
  u8 mult;
  btime detection;
} memories[] = {
  { 100000, 50000, 3, 300000 },
  { 100000, 200000, 3, 600000 },
  { 10000, 10000, 1, 10000 },
  { 0, 200000, 3, 600000 }, /* nobody waits for its end, but 6.8.4 has a value */
  { 0, 0, 3, 3 },
  { 1, 0, 255, 255 },
  { U32_MAX, 1, 255, 255 * (btime) U32_MAX },
  { 1, U32_MAX, 255, 255 * (btime) U32_MAX },
};

static void
a_number_is_remembered_for_twice_the_detection_time(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
    for (uint i = 0; i < ARRAY_SIZE(memories); i++)
    {
      struct pair p;
      struct bfd_session a;
      struct wire w, early;

      pair_up(&p, t, NULL);
      p.a.rx_used = memories[i].min_rx;
      p.b.min_tx = memories[i].remote_min_tx;
      p.b.params.detect_mult = memories[i].mult;
      early = sign_packet(&p.b, BFD_TX_EXTRA, p.now);
      p.b.auth.tx_seq += 10000;
      w = sign_packet(&p.b, BFD_TX_EXTRA, p.now);
      a = p.a;
      a.auth.rx_known = false;
      assert_int_equal(take(&a, &w, p.now, NULL), BFD_RX_OK);
      assert_true(a.auth.rx_forget - p.now == 2 * memories[i].detection);
      p.a = a;
      assert_int_equal(take(&a, &early, p.now + 2 * memories[i].detection - 1, NULL), BFD_RX_AUTH_SEQUENCE);
      assert_int_equal(take(&p.a, &early, p.now + 2 * memories[i].detection, NULL), BFD_RX_OK);
    }
}

/* 6.8.3: until the peer has answered, what was advertised before is in force. */
static void
the_memory_is_that_of_the_interval_in_force_not_of_the_one_asked_for(void **ctx UNUSED)
{
  struct pair p;

  pair_up(&p, BFD_AUTH_METICULOUS_SHA1, NULL);
  configure(&p.a, with_rx(1000), p.now);
  assert_int_equal(p.a.rx_used, 100000);
  p.b.min_tx = 1000;
  pass(&p.b, &p.a, BFD_TX_EXTRA, p.now, NULL);
  assert_true(p.a.auth.rx_forget - p.now == 2 * BT_MS(500));
}

static void
a_peer_that_restarted_is_heard_when_its_former_number_is_forgotten(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct pair p;
    struct wire w;
    btime forget;

    pair_up(&p, t, NULL);
    forget = p.a.auth.rx_forget;
    assert_true(forget > p.now);
    p.b = side_new(0xb0b0, p.b.auth.keys, 5);
    w = sign_packet(&p.b, BFD_TX_PERIODIC, p.now);
    assert_int_equal(take(&p.a, &w, forget - 1, NULL), BFD_RX_AUTH_SEQUENCE);
    hear_nothing(&p.a);
    w = sign_packet(&p.b, BFD_TX_PERIODIC, forget);
    assert_int_equal(take(&p.a, &w, forget, NULL), BFD_RX_OK);
    assert_int_equal(p.a.remote_disc, 0xb0b0);
    p.now = forget;
    talk(&p.a, &p.b, &p.now, NULL);
    assert_int_equal(p.a.state, BFD_UP);
  }
}

/* What is not believed */

static void
corrupt(struct wire *w, uint how)
{
  switch (how)
  {
  case 0:
    w->data[BFD_PACKET_SIZE]++; /* type */
    break;
  case 1:
    w->data[BFD_PACKET_SIZE + 1]--; /* length */
    break;
  case 2:
    w->data[BFD_PACKET_SIZE + 2]++; /* key */
    break;
  case 3:
    w->data[w->size - 1] ^= 1; /* the end of the password or of the digest */
    break;
  case 4:
    w->data[1] &= ~BFD_FLAG_AUTH;
    break;
  default:
    w->data[1] &= ~BFD_FLAG_AUTH;
    w->data[3] = w->size = BFD_PACKET_SIZE;
  }
}

static void
a_packet_that_is_not_believed_changes_no_variable(void **ctx UNUSED)
{
  static const enum bfd_rx reasons[] = { BFD_RX_AUTH_TYPE,   BFD_RX_AUTH_LENGTH, BFD_RX_AUTH_KEY,
                                         BFD_RX_AUTH_DIGEST, BFD_RX_AUTH,        BFD_RX_AUTH };

  FOR_TYPES (t)
    for (int changing = 0; changing < 2; changing++)
      for (u8 state = 0; state < BFD_STATE__MAX; state++)
        for (uint how = 0; how < ARRAY_SIZE(reasons); how++)
        {
          struct pair p;
          struct ring ring;
          struct bfd_session before;
          struct wire w;
          bool cut = t == BFD_AUTH_SIMPLE && how == 1; /* a shorter password than ours is another one */
          enum bfd_rx rx;

          pair_up(&p, t, NULL);
          if (changing)
            bfd_session_set_keys(&p.a, one_key(&ring, t, 1, "another"), BT_S(300), p.now);
          p.b.state = state;
          p.b.diag = BFD_DIAG_PATH_DOWN;
          w = sign_packet(&p.b, BFD_TX_EXTRA, p.now);
          corrupt(&w, how);
          before = p.a;
          rx = take(&p.a, &w, p.now + 1, NULL);
          assert_int_equal(rx, cut ? BFD_RX_AUTH_DIGEST : reasons[how]);
          assert_memory_equal(&p.a, &before, sizeof(before));
        }
}

static void
admin_down_is_signed_and_listens_to_nobody_else(void **ctx UNUSED)
{
  FOR_TYPES (t)
  {
    struct pair p;
    struct wire w;

    pair_up(&p, t, NULL);
    be_held(&p.a);
    pass(&p.a, &p.b, BFD_TX_EXTRA, p.now, NULL);
    assert_int_equal(p.b.state, BFD_DOWN);
    assert_int_equal(p.b.remote_state, BFD_ADMIN_DOWN);
    w = sign_packet(&p.b, BFD_TX_EXTRA, p.now);
    corrupt(&w, 3);
    assert_int_equal(take(&p.a, &w, p.now, NULL), BFD_RX_AUTH_DIGEST);
    assert_int_equal(p.a.remote_state, BFD_UP);
    pass(&p.b, &p.a, BFD_TX_EXTRA, p.now, NULL);
    assert_int_equal(p.a.remote_state, BFD_DOWN);
    assert_int_equal(p.a.state, BFD_ADMIN_DOWN);
    talk(&p.a, &p.b, &p.now, NULL);
    configure(&p.a, normal, p.now);
    talk(&p.a, &p.b, &p.now, NULL);
    assert_int_equal(p.a.state, BFD_UP);
  }
}

/* Poll and Final */

static void
nobody_else_ends_a_poll_sequence_or_gets_an_answer(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct pair p;
    struct wire poll, final, forged;
    uint todo = 0;

    pair_up(&p, t, NULL);
    configure(&p.a, with_rx(50000), p.now);
    poll = sign_packet(&p.a, BFD_TX_PERIODIC, p.now);
    assert_int_equal(poll.data[1] & BFD_FLAG_POLL, BFD_FLAG_POLL);
    assert_int_equal(take(&p.b, &poll, p.now, &todo), BFD_RX_OK);
    assert_true(todo & BFD_DO_FINAL);

    forged = sign_packet(&p.b, BFD_TX_EXTRA, p.now);
    forged.data[1] |= BFD_FLAG_FINAL;
    assert_int_equal(take(&p.a, &forged, p.now, NULL), BFD_RX_AUTH_DIGEST);
    assert_int_equal(p.a.poll, BFD_POLL_ACTIVE);
    forged = sign_packet(&p.a, BFD_TX_EXTRA, p.now);
    forged.data[1] |= BFD_FLAG_POLL;
    assert_int_equal(take(&p.b, &forged, p.now, NULL), BFD_RX_AUTH_DIGEST);

    final = sign_packet(&p.b, BFD_TX_FINAL, p.now);
    assert_int_equal(take(&p.a, &final, p.now, NULL), BFD_RX_OK);
    assert_int_equal(p.a.poll, BFD_POLL_SETTLING);
    assert_int_equal(p.a.rx_used, 50000);
    talk(&p.a, &p.b, &p.now, NULL);
    assert_int_equal(p.a.poll, BFD_POLL_NONE);

    configure(&p.a, with_rx(20000), p.now);
    assert_int_equal(sign_packet(&p.a, BFD_TX_PERIODIC, p.now).data[1] & BFD_FLAG_POLL, BFD_FLAG_POLL);
    assert_int_equal(take(&p.a, &final, p.now, NULL), BFD_RX_AUTH_SEQUENCE);
    assert_int_equal(take(&p.b, &poll, p.now, NULL), BFD_RX_AUTH_SEQUENCE);
    assert_int_equal(p.a.poll, BFD_POLL_ACTIVE);
  }
}

/* A Poll Sequence goes on over a change of keys: the answer comes signed in either way. */
static void
a_poll_sequence_and_a_change_of_keys_do_not_mind_each_other(void **ctx UNUSED)
{
  for (int followed = 0; followed < 2; followed++)
  {
    struct pair p;
    struct ring ra, rb;

    pair_up(&p, BFD_AUTH_METICULOUS_MD5, NULL);
    configure(&p.a, with_rx(50000), p.now);
    bfd_session_set_keys(&p.a, one_key(&ra, BFD_AUTH_KEYED_SHA1, 2, "new"), BT_S(300), p.now);
    if (followed)
      bfd_session_set_keys(&p.b, one_key(&rb, BFD_AUTH_KEYED_SHA1, 2, "new"), BT_S(300), p.now);
    pass(&p.a, &p.b, BFD_TX_PERIODIC, p.now, NULL);
    assert_int_equal(p.a.poll, BFD_POLL_SETTLING);
    assert_int_equal(p.a.rx_used, 50000);
    assert_true(p.a.auth.changing);
  }
}

/* Replay */

static void
go_down_and_up_again(struct pair *p, struct record *of_b)
{
  struct bfd_params held = normal;

  held.admin_down = true;
  configure(&p->b, held, p->now);
  talk(&p->a, &p->b, &p->now, of_b);
  configure(&p->b, normal, p->now);
  talk(&p->a, &p->b, &p->now, of_b);
  assert_int_equal(p->a.state, BFD_UP);
}

/* Down, Init, Up, AdminDown, Down, Init and Up once more: whatever of that comes again does nothing. */
static void
packets_sent_before_move_nothing(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct pair p;
    struct record rec = { .count = 0 };
    u8 seen = 0;

    pair_up(&p, t, &rec);
    go_down_and_up_again(&p, &rec);
    assert_true(rec.count >= 15);
    for (uint i = 0; i < rec.count; i++)
    {
      struct bfd_session before = p.a;
      u8 state = rec.w[i].data[1] >> 6;
      enum bfd_rx rx = take(&p.a, &rec.w[i], p.now + 1, NULL);

      seen |= 1u << state;
      assert_int_equal(p.a.state, BFD_UP);
      if (meticulous(t) || state != BFD_UP)
      {
        assert_int_equal(rx, BFD_RX_AUTH_SEQUENCE);
        assert_memory_equal(&p.a, &before, sizeof(before));
      }
    }
    assert_int_equal(seen, 15);
  }
}

/* Not meticulous: only the last contents can be sent again, for as long as they are the last. */
static void
keyed_digests_take_the_last_packet_twice_and_no_other(void **ctx UNUSED)
{
  static const enum bfd_auth_type keyed[] = { BFD_AUTH_KEYED_MD5, BFD_AUTH_KEYED_SHA1 };

  for (uint i = 0; i < ARRAY_SIZE(keyed); i++)
  {
    struct pair p;
    struct wire last, down;

    pair_up(&p, keyed[i], NULL);
    last = sign_packet(&p.b, BFD_TX_EXTRA, p.now);
    assert_int_equal(take(&p.a, &last, p.now, NULL), BFD_RX_OK);
    assert_int_equal(take(&p.a, &last, p.now, NULL), BFD_RX_OK);
    event(&p.b, DISABLE, p.now);
    down = sign_packet(&p.b, BFD_TX_EXTRA, p.now);
    assert_int_equal(take(&p.a, &down, p.now, NULL), BFD_RX_OK);
    assert_int_equal(p.a.state, BFD_DOWN);
    assert_int_equal(take(&p.a, &last, p.now, NULL), BFD_RX_AUTH_SEQUENCE);
  }
}

static void
a_replay_does_not_bring_new_keys_into_use(void **ctx UNUSED)
{
  FOR_DIGESTS (t)
  {
    struct pair p;
    struct ring old, back;
    struct wire recorded;

    pair_up(&p, t, NULL);
    recorded = sign_packet(&p.b, BFD_TX_EXTRA, p.now);
    assert_int_equal(take(&p.a, &recorded, p.now, NULL), BFD_RX_OK);

    const struct bfd_keys *other = one_key(&old, t, 2, "another");

    bfd_session_set_keys(&p.a, other, 0, p.now);
    bfd_session_set_keys(&p.b, other, 0, p.now);
    talk(&p.a, &p.b, &p.now, NULL);
    event(&p.b, DISABLE, p.now); /* so that its number goes up in any case */
    event(&p.b, ENABLE, p.now);
    p.b.state = BFD_UP;
    pass(&p.b, &p.a, BFD_TX_EXTRA, p.now, NULL);
    bfd_session_set_keys(&p.a, one_key(&back, t, 1, "secret"), BT_S(300), p.now);
    assert_true(p.a.auth.changing);
    assert_int_not_equal(take(&p.a, &recorded, p.now, NULL), BFD_RX_OK);
    assert_true(p.a.auth.changing);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(keys_change_gently_only_while_up),
    cmocka_unit_test(keys_settle_on_every_way_out_of_up),
    cmocka_unit_test(nothing_that_leaves_a_session_up_settles_its_keys),
    cmocka_unit_test(two_sides_change_their_keys_and_stay_up),
    cmocka_unit_test(a_goodbye_is_signed_so_that_the_peer_can_believe_it),
    cmocka_unit_test(a_number_is_remembered_for_twice_the_detection_time),
    cmocka_unit_test(the_memory_is_that_of_the_interval_in_force_not_of_the_one_asked_for),
    cmocka_unit_test(a_peer_that_restarted_is_heard_when_its_former_number_is_forgotten),
    cmocka_unit_test(a_packet_that_is_not_believed_changes_no_variable),
    cmocka_unit_test(admin_down_is_signed_and_listens_to_nobody_else),
    cmocka_unit_test(nobody_else_ends_a_poll_sequence_or_gets_an_answer),
    cmocka_unit_test(a_poll_sequence_and_a_change_of_keys_do_not_mind_each_other),
    cmocka_unit_test(packets_sent_before_move_nothing),
    cmocka_unit_test(keyed_digests_take_the_last_packet_twice_and_no_other),
    cmocka_unit_test(a_replay_does_not_bring_new_keys_into_use),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
