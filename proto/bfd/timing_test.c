/* proto/bfd/timing_test.c: RFC 5880 6.8.2, 6.8.4 and 6.8.7, with the smallest and the largest numbers */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/bfd/timing.h"

static void
packets_go_at_the_slower_of_both_wishes(void **ctx UNUSED)
{
  assert_int_equal(bfd_tx_interval(100, 200), 200);
  assert_int_equal(bfd_tx_interval(200, 100), 200);
  assert_int_equal(bfd_tx_interval(U32_MAX, 1), U32_MAX);
  assert_int_equal(bfd_tx_interval(1, U32_MAX), U32_MAX);
}

static void
nothing_is_sent_to_a_peer_that_wants_nothing(void **ctx UNUSED)
{
  assert_int_equal(bfd_tx_interval(1000000, 0), 0);
  assert_int_equal(bfd_tx_interval(U32_MAX, 0), 0);
}

static void
detection_is_the_peers_multiplier_times_the_agreed_interval(void **ctx UNUSED)
{
  assert_int_equal(bfd_detection_time(3, 100000, 50000), 300000);
  assert_int_equal(bfd_detection_time(3, 50000, 100000), 300000);
  assert_int_equal(bfd_detection_time(1, 50000, 50000), 50000);
}

static void
a_peer_told_to_be_silent_is_never_missed(void **ctx UNUSED)
{
  assert_int_equal(bfd_detection_time(3, 0, 100000), 0);
  assert_int_equal(bfd_detection_time(255, 0, U32_MAX), 0);
}

static void
detection_time_widens_before_it_multiplies(void **ctx UNUSED)
{
  const btime largest = 255 * (btime) U32_MAX;

  assert_true(bfd_detection_time(255, U32_MAX, 0) == largest);
  assert_true(bfd_detection_time(255, 1, U32_MAX) == largest);
  assert_true(bfd_detection_time(2, 0x80000000, 0) == (btime) 1 << 32);
}

static const btime intervals[] = {
  4,     5,     7,     8,      10,     11,      63,      64,      65,         100,        255,
  256,   257,   999,   1000,   1023,   1024,    1025,    3300,    10000,      16383,      16384,
  20000, 50000, 99999, 100000, 300000, 1000000, 1000003, 5000000, 0x7fffffff, 0x80000000, U32_MAX,
};

static const btime bases[] = { 0, 1, 63, 64, 1023, 123456789, BT_S(86400) * 365 + 17, (btime) 1 << 52 };

/* 6.8.7: at most 25 % are taken off, and with a multiplier of 1 at least 10 % */
static void
jitter_stays_in_its_window(void **ctx UNUSED)
{
  struct rng rng = { 1 };

  for (uint i = 0; i < ARRAY_SIZE(intervals); i++)
    for (uint b = 0; b < ARRAY_SIZE(bases); b++)
      for (uint mult = 1; mult <= 255; mult = mult < 3 ? mult + 1 : mult * 255)
        for (uint k = 0; k < 500; k++)
        {
          btime interval = intervals[i], after = bfd_tx_deadline(bases[b], interval, mult, &rng) - bases[b];

          assert_true(4 * after >= 3 * interval);
          assert_true(mult == 1 ? 10 * after <= 9 * interval : after <= interval);
        }
}

static void
an_interval_of_single_microseconds_is_never_exceeded(void **ctx UNUSED)
{
  struct rng rng = { 2 };

  for (btime interval = 1; interval < 4; interval++)
    for (uint mult = 1; mult < 4; mult++)
      for (uint k = 0; k < 100; k++)
      {
        btime after = bfd_tx_deadline(1000, interval, mult, &rng) - 1000;

        assert_true(after > 0 && after <= interval && 4 * after >= 3 * interval);
      }
}

/* "jittered on a per-packet basis": or two peers may stay in step for ever. With a multiplier of 1 the window
 * holds only two or three ticks. */
static void
jitter_is_not_a_constant(void **ctx UNUSED)
{
  struct rng rng = { 3 };

  for (uint i = 0; i < ARRAY_SIZE(intervals); i++)
    for (uint mult = 1; mult <= 3; mult += 2)
    {
      btime interval = intervals[i], base = 1000003, window = mult == 1 ? interval * 15 / 100 : interval / 4;
      uint seen[8] = { 0 }, different = 0;

      if (interval < 1000)
        continue;
      for (uint k = 0; k < 1000; k++)
      {
        btime after = bfd_tx_deadline(base, interval, mult, &rng) - base;

        seen[MIN((after - (interval - interval / 4)) * 8 / window, 7)]++;
      }
      for (uint part = 0; part < 8; part++)
      {
        different += seen[part] > 20;
        assert_true(seen[part] < (mult == 1 ? 960 : 900));
      }
      assert_true(different >= (mult == 1 ? 2 : 3));
    }
}

/* Deadlines of many sessions fall on common ticks, as far as the window allows. */
static void
deadlines_share_ticks_no_longer_than_a_sixteenth(void **ctx UNUSED)
{
  struct rng rng = { 4 };

  for (uint i = 0; i < ARRAY_SIZE(intervals); i++)
  {
    btime interval = intervals[i], tick = 1024;
    uint on_tick = 0;

    if (interval < 1024)
      continue; /* the granule of the wheel is coarser than a sixteenth of these */
    while (tick > interval / 16)
      tick /= 2;
    for (uint k = 0; k < 1000; k++)
      on_tick += bfd_tx_deadline(777, interval, 3, &rng) % tick == 0;
    assert_true(on_tick > 600);
  }
}

static void
the_same_generator_gives_the_same_deadlines(void **ctx UNUSED)
{
  struct rng a = { 5 }, b = { 5 };

  for (uint k = 0; k < 100; k++)
    assert_true(bfd_tx_deadline(k, 300000, 3, &a) == bfd_tx_deadline(k, 300000, 3, &b));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(packets_go_at_the_slower_of_both_wishes),
    cmocka_unit_test(nothing_is_sent_to_a_peer_that_wants_nothing),
    cmocka_unit_test(detection_is_the_peers_multiplier_times_the_agreed_interval),
    cmocka_unit_test(a_peer_told_to_be_silent_is_never_missed),
    cmocka_unit_test(detection_time_widens_before_it_multiplies),
    cmocka_unit_test(jitter_stays_in_its_window),
    cmocka_unit_test(an_interval_of_single_microseconds_is_never_exceeded),
    cmocka_unit_test(jitter_is_not_a_constant),
    cmocka_unit_test(deadlines_share_ticks_no_longer_than_a_sixteenth),
    cmocka_unit_test(the_same_generator_gives_the_same_deadlines),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
