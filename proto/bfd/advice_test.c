/* proto/bfd/advice_test.c */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/advice.h"
#include "proto/bfd/verdict.h"

#define MS 1000u /* us */

/* @count gaps of @gap ms each, at an interval of 50 ms. */
static void
see(struct bfd_arrivals *a, uint count, uint gap)
{
  for (uint i = 0; i < count; i++)
    bfd_arrivals_add(a, gap * MS, 50 * MS);
}

static void
expect_failures(const struct bfd_arrivals *a, uint interval, u8 multiplier, u32 least, u32 most)
{
  struct bfd_bounds n = bfd_advice_failures(a, (struct bfd_setting){ interval * MS, multiplier });

  assert_int_equal(n.least, least);
  assert_int_equal(n.most, most);
}

static void
expect_shortest(const struct bfd_arrivals *a, btime worst, uint interval, u8 multiplier)
{
  struct bfd_setting s;

  assert_true(bfd_advice_shortest(a, worst, &s));
  assert_int_equal(s.interval, interval * MS);
  assert_int_equal(s.multiplier, multiplier);
}

static void
how_much_was_seen_is_told_from_the_interval(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  assert_true(bfd_advice_is_little(&a));
  see(&a, 6857, 44);
  assert_true(bfd_advice_span(&a) < BT_S(300));
  assert_true(bfd_advice_is_little(&a));
  see(&a, 1, 44);
  assert_true(bfd_advice_span(&a) >= BT_S(300));
  assert_false(bfd_advice_is_little(&a));
}

static void
few_packets_say_little_however_long_they_took(void **ctx UNUSED)
{
  struct bfd_arrivals a = { .interval = 1000 * MS, .count = 999 };

  assert_true(bfd_advice_is_little(&a));
  a.count++;
  assert_false(bfd_advice_is_little(&a));
}

static void
a_gap_is_late_by_what_exceeds_the_interval(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 10, 48);
  assert_true(bfd_advice_lateness(&a) == 0);
  see(&a, 1, 70);
  assert_true(bfd_advice_lateness(&a) == BT_MS(20));
}

static void
no_gap_would_have_been_too_long_that_was_in_time(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 1000, 49);
  expect_failures(&a, 50, 3, 0, 0);
  expect_failures(&a, 10, 3, 0, 0);
  expect_failures(&a, 1000, 3, 0, 0);
}

/* Late by 40 ms: 10 + 40 is below 10 x 6 and not below 10 x 5. */
static void
with_a_shorter_interval_lateness_stays_what_it_is(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 1000, 45);
  see(&a, 1, 90);
  expect_failures(&a, 10, 6, 0, 0);
  expect_failures(&a, 10, 5, 1, 1);
  expect_failures(&a, 20, 4, 0, 0);
  expect_failures(&a, 20, 3, 1, 1);
}

/* 110 ms are more than two intervals of 50 ms, so they are taken to be as many of 300 ms. */
static void
with_a_longer_interval_lateness_grows(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 1000, 45);
  see(&a, 1, 110);
  expect_failures(&a, 300, 3, 0, 0);
  expect_failures(&a, 300, 2, 1, 1);
}

/* All of 66 to 131 ms are in one bucket. */
static void
the_histogram_gives_bounds(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 1000, 45);
  see(&a, 4, 80);
  see(&a, 1, 120);
  expect_failures(&a, 20, 3, 1, 5); /* from 90 ms on; of which one is known */
  expect_failures(&a, 20, 2, 1, 5);
  expect_failures(&a, 10, 2, 5, 1005); /* from 60 ms on: those before may have been 60 */
  expect_failures(&a, 50, 3, 0, 0);
}

static void
the_gap_that_just_reaches_the_detection_time_is_a_failure(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 1, 150);
  expect_failures(&a, 50, 3, 1, 1);
  expect_failures(&a, 51, 3, 1, 1); /* as the present one, with lateness that has grown */
  expect_failures(&a, 50, 4, 0, 0);
}

static void
gaps_beyond_the_histogram_are_counted(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 3, 5000);
  expect_failures(&a, 50, 3, 3, 3);
}

static void
where_nothing_is_late_the_shortest_usual_setting_is_safe(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 1000, 49);
  expect_shortest(&a, 0, 10, 3);
}

/* Twice 20 ms fit into 10 x 5 less one interval, and into 20 x 3 less one: 50 ms are shorter than 60. */
static void
the_safe_setting_leaves_twice_the_lateness(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 1000, 45);
  see(&a, 1, 70);
  expect_shortest(&a, 0, 10, 5);
  see(&a, 1, 71);
  expect_shortest(&a, 0, 20, 4);
}

static void
the_safe_setting_is_no_failure_of_the_past(void **ctx UNUSED)
{
  for (uint gap = 40; gap < 150; gap++)
  {
    struct bfd_arrivals a = { 0 };
    struct bfd_setting s;

    see(&a, 1000, 45);
    see(&a, 1, gap);
    if (bfd_advice_shortest(&a, 0, &s))
      assert_int_equal(bfd_advice_failures(&a, s).most, 0);
  }
}

static void
no_interval_is_advised_that_the_machine_could_not_keep(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };

  see(&a, 1000, 49);
  expect_shortest(&a, BT_MS(10), 10, 3);
  expect_shortest(&a, BT_MS(12), 20, 3);
  expect_shortest(&a, BT_MS(400), 500, 3);
}

static void
sometimes_nothing_is_safe(void **ctx UNUSED)
{
  struct bfd_arrivals a = { 0 };
  struct bfd_setting s = { 1, 1 };

  see(&a, 1000, 45);
  see(&a, 1, 145); /* three intervals: with twice that no usual multiplier is enough */
  expect_shortest(&a, 0, 50, 5);
  see(&a, 1, 151);
  assert_false(bfd_advice_shortest(&a, 0, &s));
  assert_int_equal(s.interval, 1);
  assert_false(bfd_advice_shortest(&(struct bfd_arrivals){ .interval = 10000 }, BT_S(2), &s));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(how_much_was_seen_is_told_from_the_interval),
    cmocka_unit_test(few_packets_say_little_however_long_they_took),
    cmocka_unit_test(a_gap_is_late_by_what_exceeds_the_interval),
    cmocka_unit_test(no_gap_would_have_been_too_long_that_was_in_time),
    cmocka_unit_test(with_a_shorter_interval_lateness_stays_what_it_is),
    cmocka_unit_test(with_a_longer_interval_lateness_grows),
    cmocka_unit_test(the_histogram_gives_bounds),
    cmocka_unit_test(the_gap_that_just_reaches_the_detection_time_is_a_failure),
    cmocka_unit_test(gaps_beyond_the_histogram_are_counted),
    cmocka_unit_test(where_nothing_is_late_the_shortest_usual_setting_is_safe),
    cmocka_unit_test(the_safe_setting_leaves_twice_the_lateness),
    cmocka_unit_test(the_safe_setting_is_no_failure_of_the_past),
    cmocka_unit_test(no_interval_is_advised_that_the_machine_could_not_keep),
    cmocka_unit_test(sometimes_nothing_is_safe),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
