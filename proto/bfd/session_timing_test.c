/*
 * proto/bfd/session_timing_test.c: intervals, demand and Poll Sequences, RFC 5880 6.5, 6.6 and 6.8.2 to 6.8.4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/bfd/session_checked.h"

static void
until_up_the_idle_interval_is_advertised_and_used(void **ctx UNUSED)
{
  for (u8 mine = BFD_ADMIN_DOWN; mine <= BFD_INIT; mine++)
  {
    struct bfd_session s = session_in(mine, normal);

    assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_tx, 1000000);
    assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_rx, 100000);
    assert_true(bfd_session_tx_interval(&s) == 1000000);
  }
}

static void
going_up_polls_with_the_real_intervals_and_speeds_up_at_once(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_INIT, normal);

  hear(&s, BFD_UP, 0, START + 1000);
  assert_int_equal(s.state, BFD_UP);

  struct bfd_packet pkt = next_packet(&s, BFD_TX_PERIODIC);

  assert_int_equal(pkt.flags, BFD_FLAG_POLL);
  assert_int_equal(pkt.min_tx, 200000);
  assert_true(bfd_session_tx_interval(&s) == 200000);
}

static void
going_up_to_a_slower_pace_waits_for_the_final(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_INIT, with_tx(2000000));

  hear(&s, BFD_UP, 0, START + 1000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_tx, 2000000);
  assert_true(bfd_session_tx_interval(&s) == 1000000);
  answer(&s, 0, START + 2000);
  assert_true(bfd_session_tx_interval(&s) == 2000000);
}

static void
leaving_up_slows_down_at_once_however_it_happens(void **ctx UNUSED)
{
  static const enum bfd_event events[] = { DETECT_EXPIRED, PATH_DOWN, DISABLE };

  for (uint i = 0; i < ARRAY_SIZE(events) + 2; i++)
  {
    struct bfd_session s = up();

    if (i < ARRAY_SIZE(events))
      event(&s, events[i], START + 1000);
    else
      hear(&s, i % 2, 0, START + 1000); /* AdminDown, Down */
    assert_int_not_equal(s.state, BFD_UP);
    assert_int_equal(next_packet(&s, BFD_TX_EXTRA).min_tx, 1000000);
    assert_true(bfd_session_tx_interval(&s) == 1000000);
  }
}

static void
the_slower_side_sets_the_pace(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_packet pkt = peer_says(BFD_UP);

  pkt.min_rx = 700000;
  assert_true(receive(&s, &pkt, START + 1000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 700000);
  pkt.min_rx = 1000; /* 6.8.3: a reduction is honoured immediately */
  assert_true(receive(&s, &pkt, START + 2000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 200000);
}

static void
detection_time_follows_what_the_peer_says_at_once(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_packet pkt = peer_says(BFD_UP);

  assert_true(bfd_session_detection_time(&s) == 3 * 100000);
  pkt.min_tx = 400000;
  pkt.detect_mult = 10;
  receive(&s, &pkt, START + 1000);
  assert_true(bfd_session_detection_time(&s) == 10 * 400000);
  pkt.min_tx = 1;
  pkt.detect_mult = 1;
  assert_true(receive(&s, &pkt, START + 2000) & BFD_DO_DETECTION);
  assert_true(bfd_session_detect_deadline(&s) == START + 2000 + 100000);
  pkt.min_tx = U32_MAX;
  pkt.detect_mult = 255;
  receive(&s, &pkt, START + 3000);
  assert_true(bfd_session_detection_time(&s) == 255 * (btime) U32_MAX);
}

static void
a_peer_that_wants_no_packets_gets_none_but_answers_and_news(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_packet pkt = peer_says(BFD_UP);

  pkt.min_rx = 0;
  assert_true(receive(&s, &pkt, START + 1000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 0);
  assert_true(bfd_session_may_send(&s));
  pkt.flags = BFD_FLAG_POLL;
  assert_true(receive(&s, &pkt, START + 2000) & BFD_DO_FINAL);
  pkt.state = BFD_DOWN;
  assert_true(receive(&s, &pkt, START + 3000) & (BFD_DO_SEND | BFD_DO_FINAL));
  pkt.min_rx = 1;
  assert_true(receive(&s, &pkt, START + 4000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 1000000);
}

static void
while_we_want_no_packets_the_peer_is_not_missed(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_UP, with_rx(0));

  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_rx, 0);
  assert_true(bfd_session_detection_time(&s) == 0);
  assert_true(bfd_session_detect_deadline(&s) == BT_NEVER);
}

static void
a_demanding_peer_gets_no_periodic_packets_while_both_are_up(void **ctx UNUSED)
{
  struct bfd_session s = up();

  assert_true(hear(&s, BFD_UP, BFD_FLAG_DEMAND, START + 1000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 0);
  assert_true(hear(&s, BFD_UP, BFD_FLAG_DEMAND | BFD_FLAG_POLL, START + 2000) & BFD_DO_FINAL);
  assert_true(hear(&s, BFD_UP, 0, START + 3000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 200000);
}

static void
demand_means_nothing_until_both_are_up(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_INIT, normal);

  hear(&s, BFD_DOWN, BFD_FLAG_DEMAND, START + 1000);
  assert_true(bfd_session_tx_interval(&s) == 1000000);
  hear(&s, BFD_INIT, BFD_FLAG_DEMAND, START + 2000);
  assert_int_equal(s.state, BFD_UP);
  assert_true(bfd_session_tx_interval(&s) == 200000);
}

static void
a_poll_sequence_of_ours_is_sent_to_a_demanding_peer_too(void **ctx UNUSED)
{
  struct bfd_session s = up();

  hear(&s, BFD_UP, BFD_FLAG_DEMAND, START + 1000);
  assert_true(configure(&s, with_tx(300000), START + 2000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 200000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, BFD_FLAG_POLL);
  assert_true(answer(&s, BFD_FLAG_DEMAND, START + 3000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 0);
}

/* 6.8.6: "If bfd.RemoteDemandMode is 0, or bfd.SessionState is not Up, or bfd.RemoteSessionState is not Up
 * [...] the local system MUST send periodic BFD Control packets". */
static void
a_demanding_peer_that_is_no_longer_up_gets_periodic_packets_again(void **ctx UNUSED)
{
  struct bfd_session s = up();

  hear(&s, BFD_UP, BFD_FLAG_DEMAND, START + 1000);
  assert_true(bfd_session_tx_interval(&s) == 0);
  assert_true(hear(&s, BFD_INIT, BFD_FLAG_DEMAND, START + 2000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 200000);
}

/* Poll Sequences of ours: 6.5, 6.8.3 */

static void
sending_slower_waits_for_the_final(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_tx(900000), START + 1000);
  assert_int_equal(s.poll, BFD_POLL_ACTIVE);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_tx, 900000);
  assert_true(bfd_session_tx_interval(&s) == 200000);
  hear(&s, BFD_UP, 0, START + 2000); /* not the answer */
  assert_true(bfd_session_tx_interval(&s) == 200000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, BFD_FLAG_POLL);
  assert_true(answer(&s, 0, START + 3000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 900000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, 0);
}

static void
sending_faster_does_not_wait(void **ctx UNUSED)
{
  struct bfd_session s = up();

  assert_true(configure(&s, with_tx(60000), START + 1000) & BFD_DO_TX_TIMER);
  assert_true(bfd_session_tx_interval(&s) == 60000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, BFD_FLAG_POLL);
}

static void
expecting_packets_sooner_waits_for_the_final(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_rx(60000), START + 1000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_rx, 60000);
  assert_true(bfd_session_detection_time(&s) == 3 * 100000);
  assert_true(answer(&s, 0, START + 2000) & BFD_DO_DETECTION);
  assert_true(bfd_session_detection_time(&s) == 3 * 60000);
}

static void
expecting_packets_later_does_not_wait(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_rx(800000), START + 1000);
  assert_true(bfd_session_detection_time(&s) == 3 * 800000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, BFD_FLAG_POLL);
}

/* Required min RX 0 is "never", so any other value expects packets sooner: 6.8.3 bars it from counting before
 * the peer has confirmed that it sends. It was told to be silent and may have been for hours. */
static void
wanting_packets_again_waits_for_the_final(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_UP, with_rx(0));
  btime now = START + BT_S(3600);

  configure(&s, with_rx(100000), now);
  assert_int_equal(s.state, BFD_UP);
  assert_true(bfd_session_detect_deadline(&s) > now);
  answer(&s, 0, now + 1000);
  assert_true(bfd_session_detect_deadline(&s) == now + 1000 + 3 * 100000);
}

/* The other way round "never" is longer than any interval, and that holds at once: the peer falls silent with
 * the first packet that says so, be its answer lost or not. */
static void
wanting_no_packets_stops_detection_at_once(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_rx(0), START + 1000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, BFD_FLAG_POLL);
  assert_true(bfd_session_detect_deadline(&s) == BT_NEVER);
  answer(&s, 0, START + 2000);
  assert_true(bfd_session_detect_deadline(&s) == BT_NEVER);
}

static void
an_unanswered_poll_is_repeated_in_every_periodic_packet(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_tx(900000), START + 1000);
  for (uint i = 0; i < 100; i++)
  {
    hear(&s, BFD_UP, 0, START + 2000 * i);
    assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, BFD_FLAG_POLL);
  }
}

static void
a_final_nobody_asked_for_ends_nothing(void **ctx UNUSED)
{
  struct bfd_session s = up();

  hear(&s, BFD_UP, BFD_FLAG_FINAL, START + 1000);
  assert_int_equal(s.poll, BFD_POLL_NONE);
  configure(&s, with_tx(900000), START + 2000);
  assert_int_equal(s.poll, BFD_POLL_ACTIVE);
}

static void
a_change_during_a_poll_waits_for_its_own_poll(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_tx(500000), START + 1000);
  configure(&s, with_tx(900000), START + 2000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_tx, 500000);
  answer(&s, 0, START + 3000);
  assert_true(bfd_session_tx_interval(&s) == 500000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, 0);
  /* 6.8.3: a packet without Final MUST come in between */
  hear(&s, BFD_UP, BFD_FLAG_FINAL, START + 4000);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_tx, 500000);
  assert_true(hear(&s, BFD_UP, 0, START + BT_S(10)) & BFD_DO_TX_TIMER);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).flags, BFD_FLAG_POLL);
  assert_int_equal(next_packet(&s, BFD_TX_PERIODIC).min_tx, 900000);
  assert_true(bfd_session_tx_interval(&s) == 500000);
  answer(&s, 0, START + BT_S(11));
  assert_true(bfd_session_tx_interval(&s) == 900000);
}

static void
a_change_undone_during_a_poll_needs_no_second_one(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_tx(500000), START + 1000);
  configure(&s, with_tx(900000), START + 2000);
  configure(&s, with_tx(500000), START + 3000);
  answer(&s, 0, START + 4000);
  hear(&s, BFD_UP, 0, START + BT_S(10));
  assert_int_equal(s.poll, BFD_POLL_NONE);
  assert_true(bfd_session_tx_interval(&s) == 500000);
}

static void
several_changes_in_one_go_share_one_poll(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_params params = normal;

  params.min_rx = 60000;
  params.min_tx = 900000;
  params.detect_mult = 7;
  configure(&s, params, START + 1000);

  struct bfd_packet pkt = next_packet(&s, BFD_TX_PERIODIC);

  assert_int_equal(pkt.flags, BFD_FLAG_POLL);
  assert_int_equal(pkt.min_rx, 60000);
  assert_int_equal(pkt.min_tx, 900000);
  assert_int_equal(pkt.detect_mult, 7);
}

/* A round trip of several intervals has several polls under way, and each is answered. Only then is it clear
 * what a Final means (6.8.3: "at least a round trip time since the last Poll was transmitted"). */
static void
late_finals_do_not_end_the_next_poll(void **ctx UNUSED)
{
  struct bfd_session s = up();
  btime now = START;

  configure(&s, with_rx(90000), now);
  for (uint i = 0; i < 5;
       i++) /* five polls leave before the first Final is back: half a second of round trip */
    assert_int_equal(bfd_session_packet(&s, BFD_TX_PERIODIC, now += 100000).flags, BFD_FLAG_POLL);
  hear(&s, BFD_UP, BFD_FLAG_FINAL, now += 100000);
  configure(&s, with_rx(10000), now += 1000);
  hear(&s, BFD_UP, 0, now += 1000); /* a periodic packet of the peer */
  for (uint i = 0; i < 4; i++)      /* what answers the other four polls cannot speak for 10 ms */
    hear(&s, BFD_UP, BFD_FLAG_FINAL, now += 100000);
  assert_true(bfd_session_detection_time(&s) == 3 * 90000);
}

/* A peer told not to send sends nothing without Final that could be waited for. */
static void
where_the_peer_is_silent_time_separates_two_polls(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_UP, with_rx(0));
  struct bfd_params params = with_rx(0);
  struct bfd_packet pkt;

  params.min_tx = 500000;
  configure(&s, params, START + 1000);
  assert_int_equal(bfd_session_packet(&s, BFD_TX_PERIODIC, START + 2000).flags, BFD_FLAG_POLL);
  hear(&s, BFD_UP, BFD_FLAG_FINAL, START + 12000);
  params.min_tx = 900000;
  configure(&s, params, START + 12500);
  pkt = bfd_session_packet(&s, BFD_TX_PERIODIC, START + 13000); /* a Final may still be on its way */
  assert_int_equal(pkt.flags, 0);
  assert_int_equal(pkt.min_tx, 500000);
  pkt = bfd_session_packet(&s, BFD_TX_PERIODIC, START + BT_S(2));
  assert_int_equal(pkt.flags, BFD_FLAG_POLL);
  assert_int_equal(pkt.min_tx, 900000);
  assert_true(bfd_session_tx_interval(&s) == 500000);
}

static void
a_new_multiplier_is_told_at_once_without_a_poll(void **ctx UNUSED)
{
  struct bfd_session s = up();
  struct bfd_params params = normal;

  params.detect_mult = 9;
  assert_true(configure(&s, params, START + 1000) & BFD_DO_SEND);
  assert_int_equal(s.poll, BFD_POLL_NONE);
  assert_int_equal(next_packet(&s, BFD_TX_EXTRA).detect_mult, 9);
}

static void
the_same_parameters_again_do_nothing(void **ctx UNUSED)
{
  for (u8 mine = 0; mine < BFD_STATE__MAX; mine++)
  {
    struct bfd_session s = session_in(mine, normal);

    assert_int_equal(configure(&s, s.params, START + 1000), 0);
    assert_int_equal(s.poll, BFD_POLL_NONE);
  }
}

static void
a_change_while_not_up_holds_at_once(void **ctx UNUSED)
{
  struct bfd_session s = session_in(BFD_INIT, normal);
  struct bfd_params params = with_rx(20000);

  params.idle_tx = 3000000;
  configure(&s, params, START + 1000);
  assert_true(bfd_session_tx_interval(&s) == 3000000);
  assert_true(bfd_session_detection_time(&s) == 3 * 1000000); /* the peer's slow packets */
  assert_int_equal(s.rx_used, 20000);
}

static void
going_down_during_a_poll_ends_the_wait(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_tx(900000), START + 1000);
  configure(&s, with_tx(100000), START + 1500);
  hear(&s, BFD_DOWN, 0, START + 2000);
  assert_int_equal(s.state, BFD_DOWN);
  assert_int_equal(s.min_tx, 1000000);
  assert_true(bfd_session_tx_interval(&s) == 1000000);
  assert_false(s.retime);
}

/* The advertised interval is the idle one already, the one in use is not: nothing of the Poll Sequence is
 * left to wait for. */
static void
going_down_while_slowing_to_the_idle_interval_uses_it(void **ctx UNUSED)
{
  struct bfd_session s = up();

  configure(&s, with_tx(normal.idle_tx), START + 1000);
  assert_true(bfd_session_tx_interval(&s) == 200000);
  event(&s, DETECT_EXPIRED, START + BT_S(1));
  assert_true(bfd_session_tx_interval(&s) == 1000000);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(until_up_the_idle_interval_is_advertised_and_used),
    cmocka_unit_test(going_up_polls_with_the_real_intervals_and_speeds_up_at_once),
    cmocka_unit_test(going_up_to_a_slower_pace_waits_for_the_final),
    cmocka_unit_test(leaving_up_slows_down_at_once_however_it_happens),
    cmocka_unit_test(the_slower_side_sets_the_pace),
    cmocka_unit_test(detection_time_follows_what_the_peer_says_at_once),
    cmocka_unit_test(a_peer_that_wants_no_packets_gets_none_but_answers_and_news),
    cmocka_unit_test(while_we_want_no_packets_the_peer_is_not_missed),
    cmocka_unit_test(a_demanding_peer_gets_no_periodic_packets_while_both_are_up),
    cmocka_unit_test(demand_means_nothing_until_both_are_up),
    cmocka_unit_test(a_poll_sequence_of_ours_is_sent_to_a_demanding_peer_too),
    cmocka_unit_test(a_demanding_peer_that_is_no_longer_up_gets_periodic_packets_again),
    cmocka_unit_test(sending_slower_waits_for_the_final),
    cmocka_unit_test(sending_faster_does_not_wait),
    cmocka_unit_test(expecting_packets_sooner_waits_for_the_final),
    cmocka_unit_test(expecting_packets_later_does_not_wait),
    cmocka_unit_test(wanting_packets_again_waits_for_the_final),
    cmocka_unit_test(wanting_no_packets_stops_detection_at_once),
    cmocka_unit_test(an_unanswered_poll_is_repeated_in_every_periodic_packet),
    cmocka_unit_test(a_final_nobody_asked_for_ends_nothing),
    cmocka_unit_test(a_change_during_a_poll_waits_for_its_own_poll),
    cmocka_unit_test(a_change_undone_during_a_poll_needs_no_second_one),
    cmocka_unit_test(several_changes_in_one_go_share_one_poll),
    cmocka_unit_test(late_finals_do_not_end_the_next_poll),
    cmocka_unit_test(where_the_peer_is_silent_time_separates_two_polls),
    cmocka_unit_test(a_new_multiplier_is_told_at_once_without_a_poll),
    cmocka_unit_test(the_same_parameters_again_do_nothing),
    cmocka_unit_test(a_change_while_not_up_holds_at_once),
    cmocka_unit_test(going_down_during_a_poll_ends_the_wait),
    cmocka_unit_test(going_down_while_slowing_to_the_idle_interval_uses_it),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
