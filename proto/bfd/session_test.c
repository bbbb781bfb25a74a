/* proto/bfd/session_test.c: RFC 5880 6.8.1, 6.8.6, 6.8.7 and 6.8.16, packet by packet, and acceptance */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/session_checked.h"

/* 6.8.1 */

static void
variables_start_as_section_6_8_1_says(void **ctx UNUSED)
{
  struct bfd_session s = session_with(normal);

  assert_int_equal(s.state, BFD_DOWN);
  assert_int_equal(s.diag, BFD_DIAG_NONE);
  assert_int_equal(s.local_disc, LOCAL);
  assert_int_equal(s.min_tx, 1000000);
  assert_int_equal(s.min_rx, 100000);
  assert_remote_forgotten(&s);
  assert_true(bfd_session_tx_interval(&s) == 1000000);
}

static void
a_new_session_may_start_in_admin_down(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_ADMIN_DOWN, normal);

  assert_int_equal(s.diag, BFD_DIAG_ADMIN_DOWN);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).state, BFD_ADMIN_DOWN);
  assert_true(bfd_session_tx_interval(&s) == 1000000);
}

static void
a_silent_peer_is_forgotten_in_every_state_but_its_loss_is_told_only_once(void **ctx UNUSED)
{
  for (u8 state = BFD_INIT; state <= BFD_UP; state++)
  {
    struct bfd_session s = session_in(state, normal);
    btime deadline = bfd_session_detect_deadline(&s);
    uint todo = event(&s, DETECT_EXPIRED, deadline);

    assert_true(todo & BFD_DO_NOTIFY && todo & BFD_DO_SEND);
    assert_int_equal(s.state, BFD_DOWN);
    assert_int_equal(s.diag, BFD_DIAG_TIMEOUT);
    assert_true(s.since == deadline);
    assert_remote_forgotten(&s);
    assert_false(event(&s, DETECT_EXPIRED, deadline + 1) & BFD_DO_NOTIFY);
    assert_int_equal(next_packet(&s, BFD_TX_EXTRA).your_disc, 0);
    assert_int_equal(next_packet(&s, BFD_TX_EXTRA).diag, BFD_DIAG_TIMEOUT);
  }
}

static void
a_silent_peer_is_forgotten_while_down(void **ctx UNUSED)
{
  struct bfd_session s = session_with(normal);

  hear(&s, BFD_ADMIN_DOWN, 0, START);
  assert_int_equal(s.state, BFD_DOWN);
  assert_int_equal(s.remote_disc, REMOTE);
  assert_true(bfd_session_detect_deadline(&s) == START + BT_S(3));
  event(&s, DETECT_EXPIRED, START + BT_S(3));
  assert_remote_forgotten(&s);
}

/* 6.8.1, bfd.RemoteDiscr: "If a period of a Detection Time passes without the receipt of a valid,
 * authenticated BFD packet from the remote system, this variable MUST be set to zero." Not only while Up. */
static void
a_silent_peer_is_forgotten_while_admin_down(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_params params = normal;
  btime deadline;

  params.admin_down = true;
  configure(&s, params, START + 1000);
  assert_int_equal(s.remote_disc, REMOTE);
  deadline = bfd_session_detect_deadline(&s);
  assert_true(deadline != BT_NEVER);
  event(&s, DETECT_EXPIRED, deadline);
  assert_int_equal(s.state, BFD_ADMIN_DOWN);
  assert_int_equal(s.diag, BFD_DIAG_ADMIN_DOWN);
  assert_int_equal(s.remote_disc, 0);
}

/* The same with its consequence: a passive peer that restarted meanwhile has nothing to answer to. */
static void
a_session_enabled_after_long_silence_does_not_use_the_old_discriminator(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_params params = normal;
  btime now = START + 1000;

  params.admin_down = true;
  configure(&s, params, now);
  now += BT_S(3600);
  if (bfd_session_detect_deadline(&s) <= now)
    event(&s, DETECT_EXPIRED, now);
  params.admin_down = false;
  configure(&s, params, now);
  now += BT_S(3600);
  if (bfd_session_detect_deadline(&s) <= now)
    event(&s, DETECT_EXPIRED, now);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).your_disc, 0);
}

/* 6.8.6 */

static void
a_packet_fills_the_remote_variables(void **ctx UNUSED)
{
  struct bfd_session s = session_with(normal);
  struct bfd_packet pkt = peer_says(BFD_DOWN);

  pkt.diag = BFD_DIAG_PATH_DOWN;
  pkt.flags = BFD_FLAG_DEMAND;
  assert_true(receive(&s, &pkt, START + 5) & BFD_DO_NOTIFY);
  assert_int_equal(s.remote_disc, REMOTE);
  assert_int_equal(s.remote_state, BFD_DOWN);
  assert_int_equal(s.remote_diag, BFD_DIAG_PATH_DOWN);
  assert_int_equal(s.remote_mult, 3);
  assert_int_equal(s.remote_min_tx, 1000000);
  assert_int_equal(s.remote_min_rx, 50000);
  assert_true(s.remote_demand);
  assert_true(s.last_rx == START + 5);
}

/* Every state of ours against every state of the peer: where we are then, and what we say. */
static void
received_states_move_the_session_as_section_6_8_6_says(void **ctx UNUSED)
{
  static const u8 after[BFD_STATE__MAX][BFD_STATE__MAX] = {
    [BFD_ADMIN_DOWN] = { BFD_ADMIN_DOWN, BFD_ADMIN_DOWN, BFD_ADMIN_DOWN, BFD_ADMIN_DOWN },
    [BFD_DOWN] = { BFD_DOWN, BFD_INIT, BFD_UP, BFD_DOWN },
    [BFD_INIT] = { BFD_DOWN, BFD_INIT, BFD_UP, BFD_UP },
    [BFD_UP] = { BFD_DOWN, BFD_DOWN, BFD_UP, BFD_UP },
  };

  for (u8 mine = 0; mine < BFD_STATE__MAX; mine++)
    for (u8 theirs = 0; theirs < BFD_STATE__MAX; theirs++)
    {
      struct bfd_session s = session_in(mine, normal);
      uint todo = hear(&s, theirs, 0, START + 1000);
      bool changed = after[mine][theirs] != mine;

      assert_int_equal(s.state, after[mine][theirs]);
      assert_int_equal(!!(todo & BFD_DO_SEND), changed);
      assert_false(todo & BFD_DO_FINAL);
      if (changed && s.state == BFD_DOWN)
        assert_int_equal(s.diag, BFD_DIAG_NEIGHBOR_DOWN);
      if (s.state == BFD_UP)
        assert_int_equal(s.diag, BFD_DIAG_NONE);
      assert_true(s.since == (changed ? START + 1000 : START));
    }
}

static void
a_poll_is_answered_with_final_unless_admin_down(void **ctx UNUSED)
{
  for (u8 mine = 0; mine < BFD_STATE__MAX; mine++)
    for (u8 theirs = 0; theirs < BFD_STATE__MAX; theirs++)
    {
      struct bfd_session s = session_in(mine, normal);
      uint todo = hear(&s, theirs, BFD_FLAG_POLL, START + 1000);

      assert_int_equal(!!(todo & BFD_DO_FINAL), mine != BFD_ADMIN_DOWN);
    }
}

static void
a_final_says_the_newest_and_does_not_poll(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_tx(300000), START);
  assert_int_equal(s.poll, BFD_POLL_ACTIVE);

  struct bfd_packet pkt = next_packet(&s, BFD_TX_FINAL);

  assert_int_equal(pkt.flags, BFD_FLAG_FINAL);
  assert_int_equal(pkt.min_tx, 300000);
  assert_int_equal(pkt.my_disc, LOCAL);
  assert_int_equal(pkt.your_disc, REMOTE);
}

static void
no_packet_carries_poll_and_final_or_demand_or_echo(void **ctx UNUSED)
{
  for (u8 mine = 0; mine < BFD_STATE__MAX; mine++)
    for (uint poll = BFD_POLL_NONE; poll <= BFD_POLL_SETTLING; poll++)
      for (uint kind = BFD_TX_PERIODIC; kind <= BFD_TX_FINAL; kind++)
      {
        struct bfd_session s = session_in(mine, normal);

        s.poll = poll;
        s.remote_disc = REMOTE;

        struct bfd_packet pkt = next_packet(&s, kind);
        u8 expected = kind == BFD_TX_FINAL                                 ? BFD_FLAG_FINAL
                      : kind == BFD_TX_PERIODIC && poll == BFD_POLL_ACTIVE ? BFD_FLAG_POLL
                                                                           : 0;

        assert_int_equal(pkt.flags, expected);
        assert_int_equal(pkt.min_echo_rx, 0);
        assert_int_equal(pkt.state, mine);
        assert_int_equal(pkt.detect_mult, 5);
      }
}

static void
a_peer_that_restarted_takes_the_session_down_and_up_again(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_packet pkt = peer_says(BFD_DOWN);

  pkt.my_disc = REMOTE + 1;
  pkt.your_disc = 0;
  receive(&s, &pkt, START + 1000);
  assert_int_equal(s.state, BFD_DOWN);
  assert_int_equal(s.remote_disc, REMOTE + 1);
  receive(&s, &pkt, START + 2000);
  assert_int_equal(s.state, BFD_INIT);
}

/* We were deaf, which says nothing about the peer; but only once, or it could be dead for ever. */
static void
time_in_which_we_could_not_listen_does_not_count(void **ctx UNUSED)
{
  struct bfd_session s = up();
  btime time = bfd_session_detection_time(&s), heard = s.last_rx, end = heard + 7 * time;

  assert_false(bfd_session_stalled(&s, heard + 10, heard + 10 + time / 2)); /* it takes more than half */
  assert_true(bfd_session_detect_deadline(&s) == heard + time);
  assert_true(bfd_session_stalled(&s, heard + 10, end));
  assert_true(bfd_session_detect_deadline(&s) == end + time - 10);
  assert_false(bfd_session_stalled(&s, end + 1, end + time));
  assert_true(bfd_session_detect_deadline(&s) == end + time - 10);
  hear(&s, BFD_UP, 0, end - time); /* it waited in a queue: of the time since then none was ours */
  assert_true(bfd_session_detect_deadline(&s) == end + time);
  hear(&s, BFD_UP, 0, end + 5);
  assert_true(bfd_session_detect_deadline(&s) == end + 5 + time);
  assert_true(bfd_session_stalled(&s, end + 6, end + 6 + time));
}

static void
a_session_that_watches_nobody_is_spared_nothing(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_DOWN, normal);

  event(&s, DETECT_EXPIRED, START + 1); /* the peer is forgotten */
  assert_false(bfd_session_stalled(&s, START, START + BT_S(100)));
  assert_true(bfd_session_detect_deadline(&s) == BT_NEVER);
}

static void
packets_read_out_of_order_never_move_the_deadline_back(void **ctx UNUSED)
{
  struct bfd_session s = up();

  hear(&s, BFD_UP, 0, START + 9000);

  btime deadline = bfd_session_detect_deadline(&s);

  hear(&s, BFD_UP, 0, START + 5000);
  assert_true(bfd_session_detect_deadline(&s) == deadline);
}

static void
admin_down_still_listens_but_is_not_moved(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_ADMIN_DOWN, normal);

  for (u8 theirs = 0; theirs < BFD_STATE__MAX; theirs++)
  {
    uint todo = hear(&s, theirs, BFD_FLAG_POLL, START + 1000);

    assert_int_equal(s.state, BFD_ADMIN_DOWN);
    assert_int_equal(s.remote_state, theirs);
    assert_int_equal(s.remote_disc, REMOTE);
    assert_false(todo & (BFD_DO_FINAL | BFD_DO_SEND));
  }
}

/* 6.8.16 */

static void
disabling_says_admin_down_at_once_and_slowly(void **ctx UNUSED)
{
  struct bfd_params params = normal;

  params.admin_down = true;
  for (u8 mine = BFD_DOWN; mine <= BFD_UP; mine++)
  {
    struct bfd_session s = session_in(mine, normal);
    uint todo = configure(&s, params, START + 1000);

    assert_true(todo & BFD_DO_SEND && todo & BFD_DO_NOTIFY);
    assert_int_equal(s.state, BFD_ADMIN_DOWN);
    assert_int_equal(s.diag, BFD_DIAG_ADMIN_DOWN);
    assert_int_equal(next_packet(&s, BFD_TX_EXTRA).min_tx, 1000000);
    assert_true(bfd_session_tx_interval(&s) == 1000000); /* "MAY be transmitted indefinitely" */
  }
}

static void
enabling_starts_from_down(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_ADMIN_DOWN, normal);

  assert_true(configure(&s, normal, START + 1000) & BFD_DO_SEND);
  assert_int_equal(s.state, BFD_DOWN);
  assert_int_equal(s.diag, BFD_DIAG_NONE);
  hear(&s, BFD_DOWN, 0, START + 2000);
  assert_int_equal(s.state, BFD_INIT);
}

/* Passive role: 6.1, 6.8.7 */

static void
a_passive_session_waits_to_be_spoken_to(void **ctx UNUSED)
{
  struct bfd_params params = normal;

  params.passive = true;

  struct bfd_session s = session_with(params);

  assert_false(bfd_session_may_send(&s));
  assert_true(bfd_session_tx_interval(&s) == 0);

  struct bfd_packet pkt = peer_says(BFD_DOWN);

  pkt.your_disc = 0;
  assert_true(receive(&s, &pkt, START + 1000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_may_send(&s));
  assert_true(bfd_session_tx_interval(&s) == 1000000);
  assert_int_equal(next_packet(&s, BFD_TX_EXTRA).state, BFD_INIT);
  assert_true(event(&s, DETECT_EXPIRED, START + BT_S(9)) & BFD_DO_TX_TIMER);
  assert_false(bfd_session_may_send(&s));
}

static void
a_session_may_become_active_and_passive_again(void **ctx UNUSED)
{
  struct bfd_params params = normal;

  params.passive = true;

  struct bfd_session s = session_with(params);

  assert_true(configure(&s, normal, START + 1000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 1000000);
  assert_true(configure(&s, params, START + 2000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 0);
}

static void
becoming_passive_while_up_changes_nothing_yet(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_params params = normal;

  params.passive = true;
  configure(&s, params, START + 1000);
  assert_int_equal(s.state, BFD_UP);
  assert_true(bfd_session_tx_interval(&s) == 200000);
}

/* The path */

static void
losing_the_path_is_a_failure_of_its_own_kind(void **ctx UNUSED)
{
  for (u8 mine = BFD_INIT; mine <= BFD_UP; mine++)
  {
    struct bfd_session s = session_in(mine, normal);
    uint todo = suspend(&s, true, START + 1000);

    assert_true(todo & BFD_DO_NOTIFY);
    assert_false(todo & (BFD_DO_SEND | BFD_DO_FINAL));
    assert_int_equal(s.state, BFD_DOWN);
    assert_int_equal(s.diag, BFD_DIAG_PATH_DOWN);
    assert_remote_forgotten(&s);
  }
}

static void
without_a_path_nothing_is_sent_and_detection_rests(void **ctx UNUSED)
{
  for (u8 mine = 0; mine < BFD_STATE__MAX; mine++)
  {
    struct bfd_session s = session_in(mine, normal);

    suspend(&s, true, START + 1000);
    assert_false(bfd_session_may_send(&s));
    assert_true(bfd_session_tx_interval(&s) == 0);
    assert_true(bfd_session_detect_deadline(&s) == BT_NEVER);
    assert_int_equal(suspend(&s, true, START + 2000), 0);
    assert_int_equal(s.state, mine == BFD_ADMIN_DOWN ? BFD_ADMIN_DOWN : BFD_DOWN);
  }
}

static void
with_the_path_back_the_handshake_starts_over(void **ctx UNUSED)
{
  struct bfd_session s = up();

  suspend(&s, true, START + 1000);
  assert_true(suspend(&s, false, START + 2000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 1000000);

  struct bfd_packet pkt = next_packet(&s, BFD_TX_PERIODIC);

  assert_int_equal(pkt.state, BFD_DOWN);
  assert_int_equal(pkt.diag, BFD_DIAG_PATH_DOWN);
  assert_int_equal(pkt.your_disc, 0);
  hear(&s, BFD_DOWN, 0, START + 3000);
  hear(&s, BFD_UP, 0, START + 4000);
  assert_int_equal(s.state, BFD_UP);
}

static void
configuration_reaches_a_session_without_a_path(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_params params = with_rx(20000);

  suspend(&s, true, START + 1000);
  params.admin_down = true;
  configure(&s, params, START + 2000);
  assert_int_equal(s.state, BFD_ADMIN_DOWN);
  params.admin_down = false;
  configure(&s, params, START + 3000);
  suspend(&s, false, START + 4000);
  assert_int_equal(s.state, BFD_DOWN);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_rx, 20000);
}

/* Acceptance: RFC 5880 6.8.6, RFC 5881 section 5, RFC 5883 section 5 */

#define HERE 7
#define THERE 8

/* clang-format off */
static const struct
{
  enum bfd_hop hop, meta_hop; int ttl; uint ifindex; u8 flags; bool suspended; u8 min_ttl; enum bfd_rx rx;
} matrix[] = {
  /* direct: 255 and nothing else, whatever the minimum for multihop; its own interface only */
  { BFD_DIRECT,   BFD_DIRECT,   255, HERE,  0,               false, 0,   BFD_RX_OK },
  { BFD_DIRECT,   BFD_DIRECT,   254, HERE,  0,               false, 0,   BFD_RX_TTL },
  { BFD_DIRECT,   BFD_DIRECT,   1,   HERE,  0,               false, 0,   BFD_RX_TTL },
  { BFD_DIRECT,   BFD_DIRECT,   0,   HERE,  0,               false, 0,   BFD_RX_TTL },
  { BFD_DIRECT,   BFD_DIRECT,   -1,  HERE,  0,               false, 0,   BFD_RX_TTL },
  { BFD_DIRECT,   BFD_DIRECT,   254, HERE,  0,               false, 1,   BFD_RX_TTL },
  { BFD_DIRECT,   BFD_DIRECT,   255, THERE, 0,               false, 0,   BFD_RX_INTERFACE },
  { BFD_DIRECT,   BFD_DIRECT,   255, 0,     0,               false, 0,   BFD_RX_INTERFACE },
  { BFD_DIRECT,   BFD_MULTIHOP, 255, HERE,  0,               false, 0,   BFD_RX_HOP },
  { BFD_DIRECT,   BFD_DIRECT,   255, HERE,  BFD_FLAG_AUTH,   false, 0,   BFD_RX_AUTH },
  { BFD_DIRECT,   BFD_DIRECT,   255, HERE,  0,               true,  0,   BFD_RX_NO_SESSION },
  /* multihop: any interface, any TTL unless a minimum is set */
  { BFD_MULTIHOP, BFD_MULTIHOP, 255, HERE,  0,               false, 0,   BFD_RX_OK },
  { BFD_MULTIHOP, BFD_MULTIHOP, 255, THERE, 0,               false, 0,   BFD_RX_OK },
  { BFD_MULTIHOP, BFD_MULTIHOP, 1,   HERE,  0,               false, 0,   BFD_RX_OK },
  { BFD_MULTIHOP, BFD_MULTIHOP, 0,   HERE,  0,               false, 0,   BFD_RX_OK },
  { BFD_MULTIHOP, BFD_MULTIHOP, 251, HERE,  0,               false, 252, BFD_RX_TTL },
  { BFD_MULTIHOP, BFD_MULTIHOP, 252, HERE,  0,               false, 252, BFD_RX_OK },
  { BFD_MULTIHOP, BFD_MULTIHOP, 254, HERE,  0,               false, 255, BFD_RX_TTL },
  { BFD_MULTIHOP, BFD_MULTIHOP, 255, HERE,  0,               false, 255, BFD_RX_OK },
  { BFD_MULTIHOP, BFD_MULTIHOP, -1,  HERE,  0,               false, 1,   BFD_RX_TTL },
  { BFD_MULTIHOP, BFD_DIRECT,   255, HERE,  0,               false, 0,   BFD_RX_HOP },
  { BFD_MULTIHOP, BFD_MULTIHOP, 255, HERE,  BFD_FLAG_AUTH,   false, 0,   BFD_RX_AUTH },
  { BFD_MULTIHOP, BFD_MULTIHOP, 255, HERE,  0,               true,  0,   BFD_RX_NO_SESSION },
  /* other bits change nothing */
  { BFD_DIRECT,   BFD_DIRECT,   255, HERE,  0x3a,            false, 0,   BFD_RX_OK },
  { BFD_MULTIHOP, BFD_MULTIHOP, 255, HERE,  0x3a,            false, 0,   BFD_RX_OK },
  /* of several reasons the first counts: no path, port, TTL, interface, authentication */
  { BFD_DIRECT,   BFD_MULTIHOP, 1,   THERE, BFD_FLAG_AUTH,   true,  0,   BFD_RX_NO_SESSION },
  { BFD_DIRECT,   BFD_MULTIHOP, 1,   THERE, BFD_FLAG_AUTH,   false, 0,   BFD_RX_HOP },
  { BFD_DIRECT,   BFD_DIRECT,   1,   THERE, BFD_FLAG_AUTH,   false, 0,   BFD_RX_TTL },
  { BFD_DIRECT,   BFD_DIRECT,   255, THERE, BFD_FLAG_AUTH,   false, 0,   BFD_RX_INTERFACE },
  { BFD_MULTIHOP, BFD_MULTIHOP, 1,   THERE, BFD_FLAG_AUTH,   false, 2,   BFD_RX_TTL },
};
/* clang-format on */

static void
acceptance_follows_its_matrix_in_every_state(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(matrix); i++)
    for (u8 mine = 0; mine < BFD_STATE__MAX; mine++)
      for (u8 theirs = 0; theirs < BFD_STATE__MAX; theirs++)
      {
        struct bfd_params params = normal;

        params.min_ttl = matrix[i].min_ttl;

        struct bfd_session s = session_in(mine, params), before;
        struct bfd_packet pkt = peer_says(theirs);
        struct bfd_rx_meta meta = { .hop = matrix[i].meta_hop,
                                    .ttl = matrix[i].ttl,
                                    .ifindex = matrix[i].ifindex };

        pkt.flags = matrix[i].flags;
        if (matrix[i].suspended)
          suspend(&s, true, START + 1);
        before = s;

        enum bfd_rx rx = bfd_session_accept(&s, matrix[i].hop, HERE, &pkt, &meta);

        if (rx != matrix[i].rx)
          print_error("row %u: %s instead of %s\n", i, bfd_rx_name(rx), bfd_rx_name(matrix[i].rx));
        assert_int_equal(rx, matrix[i].rx);
        assert_memory_equal(&s, &before, sizeof(s));
      }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(variables_start_as_section_6_8_1_says),
    cmocka_unit_test(a_new_session_may_start_in_admin_down),
    cmocka_unit_test(a_silent_peer_is_forgotten_in_every_state_but_its_loss_is_told_only_once),
    cmocka_unit_test(a_silent_peer_is_forgotten_while_down),
    cmocka_unit_test(a_silent_peer_is_forgotten_while_admin_down),
    cmocka_unit_test(a_session_enabled_after_long_silence_does_not_use_the_old_discriminator),
    cmocka_unit_test(a_packet_fills_the_remote_variables),
    cmocka_unit_test(received_states_move_the_session_as_section_6_8_6_says),
    cmocka_unit_test(a_poll_is_answered_with_final_unless_admin_down),
    cmocka_unit_test(a_final_says_the_newest_and_does_not_poll),
    cmocka_unit_test(no_packet_carries_poll_and_final_or_demand_or_echo),
    cmocka_unit_test(a_peer_that_restarted_takes_the_session_down_and_up_again),
    cmocka_unit_test(time_in_which_we_could_not_listen_does_not_count),
    cmocka_unit_test(a_session_that_watches_nobody_is_spared_nothing),
    cmocka_unit_test(packets_read_out_of_order_never_move_the_deadline_back),
    cmocka_unit_test(admin_down_still_listens_but_is_not_moved),
    cmocka_unit_test(disabling_says_admin_down_at_once_and_slowly),
    cmocka_unit_test(enabling_starts_from_down),
    cmocka_unit_test(a_passive_session_waits_to_be_spoken_to),
    cmocka_unit_test(a_session_may_become_active_and_passive_again),
    cmocka_unit_test(becoming_passive_while_up_changes_nothing_yet),
    cmocka_unit_test(losing_the_path_is_a_failure_of_its_own_kind),
    cmocka_unit_test(without_a_path_nothing_is_sent_and_detection_rests),
    cmocka_unit_test(with_the_path_back_the_handshake_starts_over),
    cmocka_unit_test(configuration_reaches_a_session_without_a_path),
    cmocka_unit_test(acceptance_follows_its_matrix_in_every_state),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
