/* proto/bfd/adapt_test.c: with a clock that the tests set */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/adapt.h"

#define START BT_S(1000)
#define DETECTION BT_MS(100)

static const struct bfd_adapt_options usual = { .least = 300000, .quiet = BT_S(30) };

static struct bfd_lags
lags(btime late_ms)
{
  struct bfd_lags l = { 0 };

  bfd_lags_add(&l, late_ms * 1000, START);
  return l;
}

/* The step of a session that was configured with DETECTION, @s seconds after the start. */
static uint
step(const struct bfd_lags *l, bool raised, uint s)
{
  return bfd_adapt(&usual, DETECTION, raised, l, START + BT_S(s)).step;
}

static void
a_machine_in_time_changes_nothing(void **ctx UNUSED)
{
  struct bfd_lags l = { 0 };

  assert_int_equal(step(&l, false, 0), 0);
  assert_int_equal(step(&l, true, 0), 0);
}

static void
a_session_is_raised_when_four_times_the_lateness_exceed_its_detection_time(void **ctx UNUSED)
{
  struct bfd_lags in_time = lags(25), late = lags(26);
  struct bfd_adapted a = bfd_adapt(&usual, DETECTION, false, &late, START);

  assert_int_equal(step(&in_time, false, 0), 0);
  assert_int_equal(a.step, 1);
  assert_true(a.late == BT_MS(26));
  assert_true(a.next == START + BT_S(30));
}

static void
a_session_without_the_option_is_left_alone(void **ctx UNUSED)
{
  struct bfd_lags l = lags(1000);

  assert_int_equal(bfd_adapt(&(struct bfd_adapt_options){ 0 }, DETECTION, false, &l, START).step, 0);
  assert_int_equal(
      bfd_adapt(&(struct bfd_adapt_options){ .quiet = BT_S(30) }, DETECTION, true, &l, START).step, 0);
}

static void
half_of_it_goes_after_each_quiet_time_and_in_the_end_all(void **ctx UNUSED)
{
  static const uint at[] = { 0, 29, 30, 60, 90, 120, 149, 150, 100000 },
                    steps[] = { 1, 1, 2, 3, 4, 5, 5, 0, 0 };
  struct bfd_lags l = lags(26);

  for (uint i = 0; i < ARRAY_SIZE(at); i++)
    assert_int_equal(step(&l, true, at[i]), steps[i]);
  assert_true(bfd_adapt(&usual, DETECTION, true, &l, START + BT_S(100)).next == START + BT_S(120));
}

static void
raised_sessions_stay_so_with_half_the_lateness(void **ctx UNUSED)
{
  struct bfd_lags l = lags(26);

  bfd_lags_add(&l, BT_MS(13), START + BT_S(100));
  assert_int_equal(step(&l, true, 120), 1);
  bfd_lags_add(&l, BT_MS(12), START + BT_S(140));
  assert_int_equal(step(&l, true, 140), 2); /* counted from 100 s */
}

static void
and_that_does_not_raise_others(void **ctx UNUSED)
{
  struct bfd_lags l = lags(13);

  assert_int_equal(step(&l, false, 0), 0);
}

static void
the_newest_lateness_that_counts_is_the_one(void **ctx UNUSED)
{
  struct bfd_lags l = lags(2000);

  bfd_lags_add(&l, BT_MS(30), START + BT_S(40));
  bfd_lags_add(&l, BT_MS(3), START + BT_S(50));
  assert_int_equal(step(&l, false, 60), 1);
  assert_true(bfd_adapt(&usual, DETECTION, true, &l, START + BT_S(60)).late == BT_MS(30));
}

static void
a_lesser_lateness_hides_no_greater_one(void **ctx UNUSED)
{
  struct bfd_lags l = lags(40);

  for (uint i = 1; i <= 20; i++)
    bfd_lags_add(&l, BT_MS(25 - i), START + BT_S(i));
  assert_true(bfd_adapt(&usual, DETECTION, false, &l, START + BT_S(20)).late == BT_MS(40));
  assert_true(bfd_adapt(&usual, DETECTION, true, &l, START + BT_S(20)).late == BT_MS(13));
}

/* Where there are too many, the least are taken for somewhat worse than they were. */
static void
the_worst_are_remembered_and_the_last(void **ctx UNUSED)
{
  struct bfd_lags l = { 0 };

  for (uint i = 0; i < 100; i++)
    bfd_lags_add(&l, BT_MS(1000 - i), START + BT_S(i));
  assert_true(bfd_adapt(&usual, BT_MS(3999), false, &l, START + BT_S(99)).late == BT_S(1));
  assert_true(bfd_adapt(&usual, DETECTION, false, &l, START + BT_S(99)).next == START + BT_S(99 + 30));
  bfd_lags_add(&l, BT_MS(3000), START + BT_S(100));
  bfd_lags_add(&l, BT_MS(13), START + BT_S(100));
  assert_true(bfd_adapt(&usual, DETECTION, true, &l, START + BT_S(100)).late == BT_MS(13));
}

static void
what_was_hours_ago_makes_room(void **ctx UNUSED)
{
  struct bfd_lags l = { 0 };

  for (uint i = 0; i < 100; i++)
    bfd_lags_add(&l, BT_MS(1000 - i), START + BT_S(3600 * i));
  assert_true(bfd_adapt(&usual, DETECTION, false, &l, START + BT_S(3600 * 99)).late == BT_MS(901));
}

static void
lateness_of_any_length_is_taken(void **ctx UNUSED)
{
  struct bfd_lags l = { 0 };

  bfd_lags_add(&l, 1, START);
  assert_int_equal(bfd_adapt(&usual, 3, false, &l, START).step, 1);
  bfd_lags_add(&l, BT_S(100000), START);
  assert_int_equal(bfd_adapt(&usual, BT_S(399999), false, &l, START).step, 1);
}

static void
only_what_could_hold_a_session_concerns_it(void **ctx UNUSED)
{
  assert_true(bfd_adapt_concerns(BT_MS(13), DETECTION));
  assert_false(bfd_adapt_concerns(BT_MS(12), DETECTION));
  assert_false(bfd_adapt_concerns(BT_S(1000), BT_NEVER));
}

static void
the_excess_halves_with_each_step(void **ctx UNUSED)
{
  static const u32 expected[] = { 20000, 100000, 60000, 40000, 30000, 25000 };

  for (uint i = 0; i < ARRAY_SIZE(expected); i++)
    assert_int_equal(bfd_adapt_interval(20000, 100000, i), expected[i]);
}

static void
longer_intervals_and_none_are_left_as_they_are(void **ctx UNUSED)
{
  for (uint i = 0; i <= 5; i++)
  {
    assert_int_equal(bfd_adapt_interval(300000, 100000, i), 300000);
    assert_int_equal(bfd_adapt_interval(100000, 100000, i), 100000);
    assert_int_equal(bfd_adapt_interval(0, 100000, i), 0);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_machine_in_time_changes_nothing),
    cmocka_unit_test(a_session_is_raised_when_four_times_the_lateness_exceed_its_detection_time),
    cmocka_unit_test(a_session_without_the_option_is_left_alone),
    cmocka_unit_test(half_of_it_goes_after_each_quiet_time_and_in_the_end_all),
    cmocka_unit_test(raised_sessions_stay_so_with_half_the_lateness),
    cmocka_unit_test(and_that_does_not_raise_others),
    cmocka_unit_test(the_newest_lateness_that_counts_is_the_one),
    cmocka_unit_test(a_lesser_lateness_hides_no_greater_one),
    cmocka_unit_test(the_worst_are_remembered_and_the_last),
    cmocka_unit_test(what_was_hours_ago_makes_room),
    cmocka_unit_test(lateness_of_any_length_is_taken),
    cmocka_unit_test(only_what_could_hold_a_session_concerns_it),
    cmocka_unit_test(the_excess_halves_with_each_step),
    cmocka_unit_test(longer_intervals_and_none_are_left_as_they_are),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
