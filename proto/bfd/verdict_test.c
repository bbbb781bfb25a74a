/* proto/bfd/verdict_test.c */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/verdict.h"

/* Arrivals */

static void
the_last_gaps_are_kept_in_order(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };
  u32 gaps[BFD_GAPS];

  assert_int_equal(bfd_arrivals_last(&a, gaps), 0);
  for (uint i = 1; i <= 3; i++)
    bfd_arrivals_add(&a, BT_MS(i), 50000);
  assert_int_equal(bfd_arrivals_last(&a, gaps), 3);
  for (uint i = 4; i <= 40; i++)
    bfd_arrivals_add(&a, BT_MS(i), 50000);
  assert_int_equal(bfd_arrivals_last(&a, gaps), BFD_GAPS);
  for (uint i = 0; i < BFD_GAPS; i++)
    assert_in_range(gaps[i], (25 + i) * 1000 - BFD_GAP_GRAIN, (25 + i) * 1000);
  assert_int_equal(a.count, 40);
  assert_int_equal(a.largest, 40000);
}

static void
each_gap_is_in_the_bucket_that_ends_after_it(void **ctx UNUSED)
{
  for (uint i = 0; i < BFD_GAP_BUCKETS - 1; i++)
  {
    struct bfd_arrivals a = { 0 };

    bfd_arrivals_add(&a, bfd_gap_end(i) - 1, 1);
    assert_int_equal(a.bucket[i], 1);
    bfd_arrivals_add(&a, bfd_gap_end(i), 1);
    assert_int_equal(a.bucket[i + 1], 1);
  }
  assert_true(bfd_gap_end(0) == 1024);
  assert_true(bfd_gap_end(BFD_GAP_BUCKETS - 1) == BT_NEVER);
}

static void
absurd_gaps_are_cut(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };
  u32 gaps[BFD_GAPS];

  bfd_arrivals_add(&a, -5, 1); /* read out of order */
  bfd_arrivals_add(&a, BT_S(100000), 1);
  assert_int_equal(bfd_arrivals_last(&a, gaps), 2);
  assert_int_equal(gaps[0], 0);
  assert_int_equal(gaps[1], UINT16_MAX * BFD_GAP_GRAIN);
  assert_int_equal(a.bucket[0], 1);
  assert_int_equal(a.bucket[BFD_GAP_BUCKETS - 1], 1);
  assert_true(a.largest == U32_MAX);
}

static void
another_interval_starts_a_new_record(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  for (uint i = 0; i < 20; i++)
    bfd_arrivals_add(&a, BT_S(1), 1000000);
  bfd_arrivals_add(&a, BT_MS(50), 50000);
  assert_int_equal(a.count, 1);
  assert_int_equal(a.largest, 50000);
  assert_int_equal(a.interval, 50000);
}

/* Verdicts */

#define TIMEOUT                                     \
  ((struct bfd_evidence){ .state = BFD_DOWN,        \
                          .remote_state = BFD_UP,   \
                          .diag = BFD_DIAG_TIMEOUT, \
                          .remote_mult = 3,         \
                          .detection = BT_MS(150),  \
                          .patience = BT_MS(150),   \
                          .silence = BT_MS(150),    \
                          .span = BT_S(1) })
#define TOLD(why)                                         \
  ((struct bfd_evidence){ .state = BFD_DOWN,              \
                          .remote_state = BFD_DOWN,       \
                          .diag = BFD_DIAG_NEIGHBOR_DOWN, \
                          .remote_diag = (why),           \
                          .detection = BT_MS(150),        \
                          .patience = BT_MS(90) })

static void
silence_without_any_trouble_of_ours_is_the_peers(void **ctx UNUSED)
{
  struct bfd_evidence ev = TIMEOUT;

  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_SILENT);
  ev.stall = BT_MS(75) - 1;   /* not enough of it */
  ev.pressure = 10000;        /* a busy machine alone proves nothing, */
  ev.run_delay = BT_MS(1000); /* nor does waiting in many small pieces */
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_SILENT);
}

static void
our_own_stall_is_said_first(void **ctx UNUSED)
{
  struct bfd_evidence ev = TIMEOUT;

  ev.dropped = ev.refused = 3;
  ev.stall = BT_MS(75);
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_STALLED);
}

static void
a_stall_that_was_made_up_for_is_no_reason(void **ctx UNUSED)
{
  struct bfd_evidence ev = TIMEOUT;

  ev.stall = BT_MS(400);
  ev.silence = BT_MS(550); /* all of the detection time, and the stall */
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_SILENT);
  ev.silence = BT_MS(400); /* another one was made up for */
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_STALLED);
}

static void
refused_packets_explain_a_silence_when_they_are_as_many_as_the_peer_sends(void **ctx UNUSED)
{
  struct bfd_evidence ev = TIMEOUT;

  ev.dropped = 1;
  ev.refused = 1; /* anybody's */
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_DROPPED);
  ev.refused = 2;
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_REFUSED);
  ev.refused = 1;
  ev.remote_mult = 1;
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_REFUSED);
}

static void
drops_explain_a_silence_unless_they_are_usual(void **ctx UNUSED)
{
  struct bfd_evidence ev = TIMEOUT;

  ev.elsewhere = 1;
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_DROPPED);
  ev.elsewhere = 20;
  ev.elsewhere_before = 10;
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_SILENT);
  ev.elsewhere = 21;
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_DROPPED);
  ev.elsewhere = 0;
  ev.dropped = 1; /* ours are never usual */
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_DROPPED);
}

static void
what_the_peer_says_is_believed_unless_we_were_silent(void **ctx UNUSED)
{
  struct bfd_evidence ev = TOLD(BFD_DIAG_NONE);

  ev.stall = BT_MS(500);
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_PEER); /* it did not complain about silence */
  ev = TOLD(BFD_DIAG_TIMEOUT);
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_PEER);
  ev.stall = BT_MS(45); /* half of its patience */
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_STALLED);
}

static void
what_an_operator_did_is_no_failure(void **ctx UNUSED)
{
  struct bfd_evidence ev = TOLD(BFD_DIAG_ADMIN_DOWN);

  ev.remote_state = BFD_ADMIN_DOWN;
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_ADMIN);
  ev = TIMEOUT;
  ev.state = BFD_ADMIN_DOWN;
  ev.diag = BFD_DIAG_ADMIN_DOWN;
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_ADMIN);
}

static void
a_lost_path_is_the_links(void **ctx UNUSED)
{
  struct bfd_evidence ev = TIMEOUT;

  ev.diag = BFD_DIAG_PATH_DOWN;
  ev.stall = BT_S(1);
  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_LINK);
}

static void
without_evidence_nothing_is_claimed(void **ctx UNUSED)
{
  struct bfd_evidence ev = { .state = BFD_DOWN, .remote_state = BFD_UP };

  assert_int_equal(bfd_judge(&ev), BFD_VERDICT_UNKNOWN);
}

static void
every_verdict_has_a_name(void **ctx UNUSED)
{
  for (uint i = 0; i < BFD_VERDICT__MAX; i++)
    for (uint k = 0; k < i; k++)
      assert_string_not_equal(bfd_verdict_name(i), bfd_verdict_name(k));
  assert_string_equal(bfd_verdict_name(BFD_VERDICT__MAX), "unknown");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_last_gaps_are_kept_in_order),
    cmocka_unit_test(each_gap_is_in_the_bucket_that_ends_after_it),
    cmocka_unit_test(absurd_gaps_are_cut),
    cmocka_unit_test(another_interval_starts_a_new_record),
    cmocka_unit_test(silence_without_any_trouble_of_ours_is_the_peers),
    cmocka_unit_test(our_own_stall_is_said_first),
    cmocka_unit_test(a_stall_that_was_made_up_for_is_no_reason),
    cmocka_unit_test(refused_packets_explain_a_silence_when_they_are_as_many_as_the_peer_sends),
    cmocka_unit_test(drops_explain_a_silence_unless_they_are_usual),
    cmocka_unit_test(what_the_peer_says_is_believed_unless_we_were_silent),
    cmocka_unit_test(what_an_operator_did_is_no_failure),
    cmocka_unit_test(a_lost_path_is_the_links),
    cmocka_unit_test(without_evidence_nothing_is_claimed),
    cmocka_unit_test(every_verdict_has_a_name),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
