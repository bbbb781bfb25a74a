/*
 * proto/bfd/engine_auth_test.c: an engine whose sessions authenticate: commands with keys, other keys while
 * packets flow, and what is counted when they do not fit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/bfd/auth_ring.h"
#include "proto/bfd/engine_host.h"

static void
peer_use(struct peer *p, const struct bfd_keys *keys)
{
  bfd_auth_change(&p->auth, keys, 0, clock_now());
}

static void
start_with(struct host *h, struct peer *p, const struct bfd_keys *ours, const struct bfd_keys *peers)
{
  host_start(h);
  host_listen(h, BFD_MULTIHOP, 1 << 20);
  peer_open(p, h, BFD_MULTIHOP);
  bfd_auth_init(&p->auth, 4711);
  peer_use(p, peers);
  command_keys(h, BFD_ADD, session_for(h, 7, BFD_MULTIHOP, p->addr), ours);
}

static void
change_keys(struct host *h, struct peer *p, u64 id, const struct bfd_keys *keys, bool gently)
{
  struct bfd_cmd cmd = session_for(h, id, BFD_MULTIHOP, p->addr);

  cmd.keys_patience = gently ? BT_S(300) : 0;
  command_keys(h, BFD_CHANGE, cmd, keys);
}

/* Until the session has refused so many packets for that reason. */
static struct bfd_info
wait_refused(struct host *h, enum bfd_rx reason, uint count, struct bfd_engine_stats *stats)
{
  struct bfd_info info = { 0 };
  btime end = clock_now() + LIMIT;

  do
    assert_true(host_info(h, &info, stats));
  while (info.counters.troubles.refused[reason] < count && clock_now() < end);
  return info;
}

static void
set_linger(struct host *h, btime linger)
{
  struct bfd_set_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->exit_linger = linger;
  post(h, BFD_SET, &cmd->msg);
}

/* Commands with keys */

static void
two_engines_authenticate_each_other(void **ctx UNUSED)
{
  FOR_TYPES (t)
  {
    struct host a, b;
    struct ring ring;
    struct bfd_info info;
    const struct bfd_keys *keys = one_key(&ring, t, 1, "secret");

    host_start(&a);
    host_listen(&a, BFD_DIRECT, 1 << 20);
    host_start(&b);
    host_listen(&b, BFD_DIRECT, 1 << 20);
    command_keys(&a, BFD_ADD, session_for(&a, 1, BFD_DIRECT, b.addr), keys);
    command_keys(&b, BFD_ADD, session_for(&b, 2, BFD_DIRECT, a.addr), keys);
    host_wait_state(&a, 1, BFD_UP);
    host_wait_state(&b, 2, BFD_UP);
    assert_true(host_info(&a, &info, NULL));
    assert_int_equal(info.auth, t);
    assert_int_equal(info.auth_wanted, t);
    assert_int_equal(info.auth_rx_known, t != BFD_AUTH_SIMPLE);
    assert_false(info.auth_changing);
    for (uint i = 1; i < BFD_RX__MAX; i++)
      assert_int_equal(info.counters.troubles.refused[i], 0);
    host_quit(&b);
    assert_int_equal(host_wait_state(&a, 1, BFD_DOWN).status.remote_state, BFD_ADMIN_DOWN);
    host_end(&a);
    host_end(&b);
  }
}

static void
every_packet_is_signed_from_the_first_to_the_last(void **ctx UNUSED)
{
  FOR_TYPES (t)
  {
    struct host h;
    struct peer p;
    struct ring ring;
    const struct bfd_keys *keys = one_key(&ring, t, 9, "secret");
    uint said = 0;

    start_with(&h, &p, keys, keys);
    do
    {
      peer_hear(&p);
      assert_int_equal(p.heard_rx, BFD_RX_OK);
      said |= 1u << p.heard.state;
      if (p.heard.flags & BFD_FLAG_POLL)
        peer_say(&p, BFD_UP, BFD_FLAG_FINAL);
      else if (p.heard.state == BFD_UP)
        command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
      else
        peer_say(&p, p.heard.state == BFD_DOWN ? BFD_DOWN : BFD_UP, 0);
    } while (p.heard.state != BFD_ADMIN_DOWN);
    assert_int_equal(said, 15);
    end_one(&h, &p);
  }
}

static void
what_does_not_fit_is_counted_by_its_reason(void **ctx UNUSED)
{
  static const struct
  {
    enum bfd_auth_type type;
    u8 id;
    const char *secret;
    enum bfd_rx reason;
  } peers[] = {
    { BFD_AUTH_METICULOUS_MD5, 1, "secret", BFD_RX_AUTH_TYPE },
    { BFD_AUTH_KEYED_SHA1, 1, "secret", BFD_RX_AUTH_TYPE },
    { BFD_AUTH_SIMPLE, 1, "secret", BFD_RX_AUTH_TYPE },
    { BFD_AUTH_METICULOUS_SHA1, 2, "secret", BFD_RX_AUTH_KEY },
    { BFD_AUTH_METICULOUS_SHA1, 1, "secrets", BFD_RX_AUTH_DIGEST },
    { BFD_AUTH_NONE, 0, "", BFD_RX_AUTH },
  };

  for (uint i = 0; i < ARRAY_SIZE(peers); i++)
  {
    struct host h;
    struct peer p;
    struct ring ra, rb;
    struct bfd_info info;
    struct bfd_engine_stats stats;
    const struct bfd_keys *theirs =
        peers[i].type ? one_key(&rb, peers[i].type, peers[i].id, peers[i].secret) : NULL;

    start_with(&h, &p, one_key(&ra, BFD_AUTH_METICULOUS_SHA1, 1, "secret"), theirs);
    peer_hear(&p);
    for (uint k = 0; k < 3; k++)
      peer_say(&p, BFD_DOWN, BFD_FLAG_POLL);
    info = wait_refused(&h, peers[i].reason, 3, &stats);
    assert_int_equal(info.counters.troubles.refused[peers[i].reason], 3);
    assert_int_equal(stats.refused[peers[i].reason], 3);
    assert_int_equal(info.counters.rx, 0);
    assert_int_equal(info.status.state, BFD_DOWN);
    assert_int_equal(info.remote_disc, 0);
    end_one(&h, &p);
  }
}

static uint
refused(const struct bfd_info *info)
{
  uint sum = 0;

  for (uint i = 0; i < BFD_RX__MAX; i++)
    sum += info->counters.troubles.refused[i];
  return sum;
}

/* Somebody without the key who knows everything else, and somebody who recorded what was said. */
static void
a_flood_of_forgeries_and_replays_does_not_take_a_session_down(void **ctx UNUSED)
{
  struct host h;
  struct peer p, forger;
  struct ring ring, other;
  struct bfd_info info;
  const struct bfd_keys *keys = one_key(&ring, BFD_AUTH_METICULOUS_SHA1, 1, "secret");
  byte recorded[BFD_PACKET_MAX];
  btime end = clock_now() + LIMIT;
  uint size;

  start_with(&h, &p, keys, keys);
  peer_hear(&p);

  struct bfd_packet pkt = peer_packet(&p, BFD_DOWN, BFD_FLAG_POLL);

  bfd_packet_encode(&pkt, recorded);
  size = bfd_auth_sign(&p.auth, recorded, false, 0);
  peer_send_bytes(&p, recorded, size);
  bring_up(&h, &p, 7);
  forger = p;
  bfd_auth_init(&forger.auth, p.auth.tx_seq);
  peer_use(&forger, one_key(&other, BFD_AUTH_METICULOUS_SHA1, 1, "guess"));
  for (uint i = 0; i < 500; i++)
  {
    peer_say(&forger, i % 2 ? BFD_DOWN : BFD_ADMIN_DOWN, 0);
    peer_send_bytes(&p, recorded, size);
    if (i % 20 == 0)
      peer_say(&p, BFD_UP, 0);
  }
  do
    assert_true(host_info(&h, &info, NULL));
  while (refused(&info) < 1000 && clock_now() < end);
  assert_int_equal(refused(&info), 1000);
  assert_true(info.counters.troubles.refused[BFD_RX_AUTH_SEQUENCE] >= 500);
  assert_int_equal(info.status.state, BFD_UP);
  assert_int_equal(downs(&info), 0);
  end_one(&h, &p);
}

/* No key */

static void
without_a_valid_key_nothing_is_sent_and_it_is_counted(void **ctx UNUSED)
{
  static const struct key ended = { 1, "secret", false, true };

  for (uint count = 0; count < 2; count++)
  {
    struct host h;
    struct peer p;
    struct ring ra, rb;
    struct bfd_info info = { 0 };
    struct bfd_engine_stats stats;
    const struct bfd_keys *keys = one_key(&rb, BFD_AUTH_KEYED_MD5, 1, "secret");

    start_with(&h, &p, make_ring(&ra, BFD_AUTH_KEYED_MD5, &ended, count), keys);
    for (btime end = clock_now() + LIMIT; info.counters.troubles.tx_errors < 3 && clock_now() < end;)
      host_info(&h, &info, &stats);
    assert_true(info.counters.troubles.tx_errors >= 3);
    assert_true(stats.tx_errors >= 3);
    assert_int_equal(info.counters.tx, 0);
    assert_false(peer_hear_within(&p, 0));
    change_keys(&h, &p, 7, keys, false); /* its time has come */
    bring_up(&h, &p, 7);
    assert_int_equal(p.heard_rx, BFD_RX_OK);
    end_one(&h, &p);
  }
}

/* The last key ends while the session is Up: the peer is heard, and hears nothing. */
static void
a_key_that_ends_while_up_stops_the_packets(void **ctx UNUSED)
{
  static const struct key ended = { 1, "secret", false, true };
  struct host h;
  struct peer p;
  struct ring ra, rb;
  struct bfd_info info;
  const struct bfd_keys *keys = one_key(&ra, BFD_AUTH_METICULOUS_SHA1, 1, "secret");

  start_with(&h, &p, keys, keys);
  bring_up(&h, &p, 7);
  change_keys(&h, &p, 7, make_ring(&rb, BFD_AUTH_METICULOUS_SHA1, &ended, 1), false);
  assert_true(host_info(&h, &info, NULL));
  peer_catch_up(&p);
  peer_say(&p, BFD_UP, BFD_FLAG_POLL);
  assert_false(peer_hear_within(&p, BT_MS(100)));
  assert_true(host_info(&h, &info, NULL));
  assert_true(info.counters.troubles.tx_errors > 0);
  assert_int_equal(info.status.state, BFD_UP);
  end_one(&h, &p);
}

/* Other keys while packets flow */

static const struct bfd_keys *
numbered_ring(struct ring *ring, uint i)
{
  static const char *const secrets[] = { "one", "two", "three" };
  enum bfd_auth_type t = i % BFD_AUTH__MAX;
  struct key keys[] = { { i, secrets[i % 3], true, true }, { i + 1, "more", false, true } };

  return t ? make_ring(ring, t, keys, 1 + i % 2) : NULL;
}

/* Speak and listen for a while; everything heard has to be believed, but for what tries other keys. */
static void
chat(struct peer *p, uint rounds)
{
  for (uint i = 0; i < rounds; i++)
  {
    peer_say(p, BFD_UP, 0);
    peer_hear(p);
    assert_int_equal(p->heard.state, BFD_UP);
  }
}

static void
expect_undisturbed(struct host *h, struct bfd_info *info)
{
  assert_true(host_info(h, info, NULL));
  assert_int_equal(info->status.state, BFD_UP);
  assert_int_equal(downs(info), 0);
}

static void
many_changes_in_a_row_disturb_no_peer_that_follows_none(void **ctx UNUSED)
{
  for (uint first = 0; first < BFD_AUTH__MAX; first++)
  {
    struct host h;
    struct peer p;
    struct ring ra, rb;
    struct bfd_info info;
    const struct bfd_keys *keys = numbered_ring(&ra, first);

    start_with(&h, &p, keys, keys);
    bring_up(&h, &p, 7);
    for (uint i = first + 1; i < first + 60; i++)
    {
      change_keys(&h, &p, 7, numbered_ring(&rb, i), true);
      if (i % 5 == 0)
        chat(&p, 1);
    }
    expect_undisturbed(&h, &info);
    assert_int_equal(info.auth, first % BFD_AUTH__MAX);
    assert_true(info.auth_changing);
    end_one(&h, &p);
  }
}

static void
a_peer_that_follows_each_change_is_not_disturbed(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct ring ra[2], rb;
  struct bfd_info info;

  start_with(&h, &p, numbered_ring(&ra[0], 0), numbered_ring(&ra[0], 0));
  bring_up(&h, &p, 7);
  for (uint i = 1; i < 40; i++)
  {
    const struct bfd_keys *keys = numbered_ring(&ra[i % 2], i);

    change_keys(&h, &p, 7, numbered_ring(&rb, i), true);
    chat(&p, i % 3);
    peer_use(&p, keys);
    peer_say(&p, BFD_UP, 0);
    do
      peer_hear(&p);
    while (p.heard_rx != BFD_RX_OK);
    chat(&p, i % 2);
  }
  expect_undisturbed(&h, &info);
  assert_false(info.auth_changing);
  assert_int_equal(info.auth, 39 % BFD_AUTH__MAX);
  end_one(&h, &p);
}

static void
a_peer_that_follows_is_answered_at_once(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct ring ra, rb;
  struct bfd_cmd cmd;
  const struct bfd_keys *old = one_key(&ra, BFD_AUTH_KEYED_SHA1, 1, "old");
  const struct bfd_keys *new = one_key(&rb, BFD_AUTH_KEYED_SHA1, 2, "new");

  start_with(&h, &p, old, old);
  bring_up(&h, &p, 7);
  cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
  cmd.params.min_tx = 10000000; /* so that nothing else comes */
  cmd.keys_patience = BT_S(300);
  command_keys(&h, BFD_CHANGE, cmd, new);
  peer_hear_flag(&p, BFD_FLAG_POLL);
  peer_say(&p, BFD_UP, BFD_FLAG_FINAL);
  peer_say(&p, BFD_UP, 0);
  while (peer_hear_within(&p, BT_MS(200)))
    ;
  peer_use(&p, new);
  peer_say(&p, BFD_UP, 0);
  assert_true(peer_hear_within(&p, BT_S(1)));
  assert_int_equal(p.heard_rx, BFD_RX_OK);
  end_one(&h, &p);
}

/* With a multiplier of 2 the loss of one packet is half of the way to a failure. */
static void
only_packets_that_can_be_missed_try_the_new_keys(void **ctx UNUSED)
{
  static const u8 mults[] = { 2, 50 };

  for (uint i = 0; i < ARRAY_SIZE(mults); i++)
  {
    struct host h;
    struct peer p;
    struct ring ra, rb;
    struct bfd_cmd cmd;
    const struct bfd_keys *old = one_key(&ra, BFD_AUTH_KEYED_SHA1, 1, "old");
    uint tries = 0;

    start_with(&h, &p, old, old);
    bring_up(&h, &p, 7);
    cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
    cmd.params.detect_mult = mults[i];
    cmd.keys_patience = BT_S(300);
    command_keys(&h, BFD_CHANGE, cmd, one_key(&rb, BFD_AUTH_KEYED_SHA1, 2, "new"));
    for (uint k = 0; k < 30; k++)
    {
      peer_hear(&p);
      tries += p.heard_rx != BFD_RX_OK;
    }
    assert_in_range(tries, mults[i] < 3 ? 0 : 2, mults[i] < 3 ? 0 : 4);
    for (uint k = 0; k < 30; k++)
    {
      peer_say(&p, BFD_UP, BFD_FLAG_POLL);
      peer_hear_flag(&p, BFD_FLAG_FINAL);
      assert_int_equal(p.heard_rx, BFD_RX_OK);
    }
    end_one(&h, &p);
  }
}

/* A time of validity: to the second, whatever the peer thinks. */
static void
a_change_that_is_not_gentle_counts_at_once(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct ring ra, rb;
  struct bfd_info info;
  const struct bfd_keys *old = one_key(&ra, BFD_AUTH_KEYED_SHA1, 1, "old");
  const struct bfd_keys *new = one_key(&rb, BFD_AUTH_KEYED_SHA1, 2, "new");

  start_with(&h, &p, old, old);
  bring_up(&h, &p, 7);
  change_keys(&h, &p, 7, new, false);
  assert_true(host_info(&h, &info, NULL));
  assert_false(info.auth_changing);
  peer_say(&p, BFD_UP, 0);
  info = wait_refused(&h, BFD_RX_AUTH_KEY, 1, NULL);
  assert_int_equal(info.counters.troubles.refused[BFD_RX_AUTH_KEY], 1);
  peer_use(&p, new);
  peer_catch_up(&p);
  peer_hear(&p);
  assert_int_equal(p.heard_rx, BFD_RX_OK);
  end_one(&h, &p);
}

/* The keys of before have to live exactly as long as somebody looks at them. */
static void
a_session_may_end_in_the_middle_of_a_change(void **ctx UNUSED)
{
  for (uint how = 0; how < 4; how++)
  {
    struct host h;
    struct peer p;
    struct ring ra, rb;
    struct bfd_cmd cmd;
    const struct bfd_keys *old = one_key(&ra, BFD_AUTH_METICULOUS_MD5, 1, "old");
    const struct bfd_keys *new = one_key(&rb, BFD_AUTH_KEYED_SHA1, 2, "new");

    start_with(&h, &p, old, old);
    bring_up(&h, &p, 7);
    change_keys(&h, &p, 7, new, true);
    chat(&p, 3);
    cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
    if (how == 0)
      command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
    else if (how == 1)
      peer_say(&p, BFD_DOWN, 0);
    else if (how == 2)
    {
      cmd.path.usable = false;
      command_keys(&h, BFD_CHANGE, cmd, NULL);
    }
    if (how == 1 || how == 2)
      host_wait_state(&h, 7, BFD_DOWN);
    end_one(&h, &p);
  }
}

static void
a_revived_session_has_the_keys_it_is_asked_for_with(void **ctx UNUSED)
{
  for (uint i = 0; i < BFD_AUTH__MAX; i++)
  {
    struct host h;
    struct peer p;
    struct ring ra, rb;
    struct bfd_cmd cmd;
    const struct bfd_keys *first = numbered_ring(&ra, i), *second = numbered_ring(&rb, i + 3);
    u32 disc;

    start_with(&h, &p, first, first);
    bring_up(&h, &p, 7);
    disc = p.heard.my_disc;
    cmd = session_for(&h, bfd_id(8, 7), BFD_MULTIHOP, p.addr);
    cmd.params.idle_tx = 500000; /* so that the goodbye is not over yet */
    command_keys(&h, BFD_CHANGE, (struct bfd_cmd){ .id = 7, .path = cmd.path, .params = cmd.params }, first);
    command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
    peer_hear_state(&p, BFD_ADMIN_DOWN);
    assert_int_equal(p.heard_rx, BFD_RX_OK);
    command_keys(&h, BFD_ADD, cmd, second);
    peer_use(&p, second);
    peer_hear_state(&p, BFD_DOWN);
    assert_int_equal(p.heard_rx, BFD_RX_OK);
    assert_int_equal(p.heard.my_disc, disc);
    bring_up(&h, &p, bfd_id(8, 7));
    set_linger(&h, BT_MS(50)); /* enough of it */
    end_one(&h, &p);
  }
}

static void
a_session_that_is_gone_starts_with_a_number_of_its_own(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct ring ring;
  struct bfd_info first, second;
  const struct bfd_keys *keys = one_key(&ring, BFD_AUTH_METICULOUS_SHA1, 1, "secret");

  start_with(&h, &p, keys, keys);
  peer_hear(&p);
  assert_true(host_info(&h, &first, NULL));
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 }); /* nobody to say goodbye to */
  command_keys(&h, BFD_ADD, session_for(&h, 8, BFD_MULTIHOP, p.addr), keys);
  assert_true(host_info(&h, &second, NULL));
  assert_true(second.auth_tx_seq - first.auth_tx_seq > 1000);
  end_one(&h, &p);
}

/* Minimum TTL, counters, linger */

static void
min_ttl_refuses_what_came_from_too_far(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_cmd cmd;
  struct bfd_info info;

  host_start(&h);
  host_listen(&h, BFD_MULTIHOP, 1 << 20);
  peer_open(&p, &h, BFD_MULTIHOP);
  cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
  cmd.params.min_ttl = 200;
  command(&h, BFD_ADD, cmd);
  peer_hear(&p);
  assert_return_code(setsockopt(p.fd, IPPROTO_IP, IP_TTL, &(int){ 199 }, sizeof(int)), errno);
  peer_say(&p, BFD_DOWN, 0);
  info = wait_refused(&h, BFD_RX_TTL, 1, NULL);
  assert_int_equal(info.counters.troubles.refused[BFD_RX_TTL], 1);
  assert_int_equal(info.counters.rx, 0);
  assert_return_code(setsockopt(p.fd, IPPROTO_IP, IP_TTL, &(int){ 200 }, sizeof(int)), errno);
  bring_up(&h, &p, 7);
  end_one(&h, &p);
}

static void
reset_counters(struct host *h, u64 id)
{
  struct bfd_session_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->id = id;
  post(h, BFD_RESET, &cmd->msg);
}

static void
counters_can_be_reset_and_the_session_goes_on(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_info info;
  struct bfd_engine_stats stats;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  reset_counters(&h, 8); /* another one */
  assert_true(host_info(&h, &info, &stats));
  assert_int_equal(info.counters.ups, 1);
  assert_true(info.counters.rx && info.counters.tx && stats.rx && stats.tx);
  peer_catch_up(&p);
  reset_counters(&h, 7);
  assert_true(host_info(&h, &info, &stats));
  assert_int_equal(info.counters.ups, 0);
  assert_int_equal(info.counters.rx, 0);
  assert_true(stats.rx);
  reset_counters(&h, 0);
  assert_true(host_info(&h, &info, &stats));
  assert_int_equal(stats.rx, 0);
  assert_int_equal(info.status.state, BFD_UP);
  peer_say(&p, BFD_ADMIN_DOWN, 0);
  host_wait_state(&h, 7, BFD_DOWN);
  assert_true(host_info(&h, &info, NULL));
  assert_int_equal(info.counters.troubles.downs[BFD_DIAG_NEIGHBOR_DOWN], 1);
  assert_int_equal(downs(&info), 1);
  assert_int_equal(info.counters.rx, 1);
  end_one(&h, &p);
}

static void
a_goodbye_ends_with_the_time_of_exit_linger(void **ctx UNUSED)
{
  static const btime lingers[] = { 0, BT_MS(200) };

  for (uint i = 0; i < ARRAY_SIZE(lingers); i++)
  {
    struct host h;
    struct peer p;
    struct bfd_cmd cmd;
    btime start;

    start_one(&h, &p, 7);
    set_linger(&h, lingers[i]);
    bring_up(&h, &p, 7);
    cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
    cmd.params.idle_tx = 60000000; /* no second packet */
    command(&h, BFD_CHANGE, cmd);
    start = clock_now();
    host_quit(&h);
    assert_true(clock_now() - start >= lingers[i]);
    assert_true(clock_now() - start < lingers[i] + BT_S(1)); /* the default is 2 s */
    peer_hear_state(&p, BFD_ADMIN_DOWN);
    assert_false(peer_hear_within(&p, BT_MS(50)));
    end_one(&h, &p);
  }
}

static void
a_session_that_starts_in_admin_down_says_so_to_its_clients(void **ctx UNUSED)
{
  struct host h;
  struct bfd_cmd cmd;

  host_start(&h);
  cmd = session_for(&h, 7, BFD_MULTIHOP, fresh_address());
  cmd.params.admin_down = true;
  command(&h, BFD_ADD, cmd);
  host_wait_state(&h, 7, BFD_ADMIN_DOWN);
  host_end(&h);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_engines_authenticate_each_other),
    cmocka_unit_test(every_packet_is_signed_from_the_first_to_the_last),
    cmocka_unit_test(what_does_not_fit_is_counted_by_its_reason),
    cmocka_unit_test(a_flood_of_forgeries_and_replays_does_not_take_a_session_down),
    cmocka_unit_test(without_a_valid_key_nothing_is_sent_and_it_is_counted),
    cmocka_unit_test(a_key_that_ends_while_up_stops_the_packets),
    cmocka_unit_test(many_changes_in_a_row_disturb_no_peer_that_follows_none),
    cmocka_unit_test(a_peer_that_follows_each_change_is_not_disturbed),
    cmocka_unit_test(a_peer_that_follows_is_answered_at_once),
    cmocka_unit_test(only_packets_that_can_be_missed_try_the_new_keys),
    cmocka_unit_test(a_change_that_is_not_gentle_counts_at_once),
    cmocka_unit_test(a_session_may_end_in_the_middle_of_a_change),
    cmocka_unit_test(a_revived_session_has_the_keys_it_is_asked_for_with),
    cmocka_unit_test(a_session_that_is_gone_starts_with_a_number_of_its_own),
    cmocka_unit_test(min_ttl_refuses_what_came_from_too_far),
    cmocka_unit_test(counters_can_be_reset_and_the_session_goes_on),
    cmocka_unit_test(a_goodbye_ends_with_the_time_of_exit_linger),
    cmocka_unit_test(a_session_that_starts_in_admin_down_says_so_to_its_clients),
  };

  return cmocka_run_group_tests(tests, draw_addresses, NULL);
}
