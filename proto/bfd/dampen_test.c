/* proto/bfd/dampen_test.c: after RFC 2439 section 4, with a clock that the tests set */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/dampen.h"

#define START BT_S(1000)

static const struct bfd_dampening usual = BFD_DAMPENING_DEFAULT;

/* Failures at these seconds after the start. */
static struct bfd_flaps
failures(uint count, const uint *seconds)
{
  struct bfd_flaps f = { 0 };

  for (uint i = 0; i < count; i++)
    bfd_flaps_add(&f, START + BT_S(seconds[i]));
  return f;
}
#define FAILURES(...) failures(sizeof((uint[]){ __VA_ARGS__ }) / sizeof(uint), (uint[]){ __VA_ARGS__ })

static struct bfd_dampened
after(const struct bfd_flaps *f, btime ms)
{
  return bfd_dampen(f, &usual, START + ms * 1000);
}

static void
without_failures_there_is_no_penalty(void **ctx UNUSED)
{
  struct bfd_flaps f = { 0 };

  assert_int_equal(after(&f, 0).penalty, 0);
  assert_false(after(&f, 0).suppressed);
}

static void
a_failure_costs_a_thousand_that_halve_each_half_life(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0);

  assert_int_equal(after(&f, 0).penalty, 1000);
  assert_in_range(after(&f, 7500).penalty, 706, 707);
  assert_in_range(after(&f, 15000).penalty, 499, 500);
  assert_in_range(after(&f, 30000).penalty, 249, 250);
  assert_in_range(after(&f, 45000).penalty, 124, 125);
}

/* Against powers of two that were computed elsewhere: 1000 x 2^-(i/16). */
static void
decay_is_exponential_in_between(void **ctx UNUSED)
{
  static const uint expected[] = { 1000, 957, 917, 878, 840, 805, 771, 738,
                                   707,  677, 648, 620, 594, 569, 545, 522 };
  struct bfd_flaps f = FAILURES(0);

  for (uint i = 0; i < ARRAY_SIZE(expected); i++)
    assert_in_range(bfd_dampen(&f, &usual, START + i * usual.half_life / 16).penalty, expected[i] - 1,
                    expected[i] + 1);
}

static void
penalties_never_grow_by_themselves(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0, 1, 2, 3, 4, 5);
  u32 before = U32_MAX;

  for (btime ms = 5000; ms < 300000; ms += 7)
  {
    assert_true(after(&f, ms).penalty <= before);
    before = after(&f, ms).penalty;
  }
  assert_int_equal(before, 0);
}

static void
two_failures_do_not_suppress_and_three_do(void **ctx UNUSED)
{
  struct bfd_flaps two = FAILURES(0, 0), three = FAILURES(0, 1, 2), apart = FAILURES(0, 20, 40);

  assert_int_equal(after(&two, 0).penalty, 2000);
  assert_false(after(&two, 0).suppressed); /* above it, not at it */
  assert_true(after(&three, 2000).suppressed);
  assert_false(after(&apart, 40000).suppressed);
}

/* 3000 less little to 750 is two half lives. */
static void
a_suppressed_session_is_released_below_reuse(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0, 0, 0);
  struct bfd_dampened d = after(&f, 0);

  assert_in_range(d.until, START + BT_MS(29990), START + BT_MS(30010));
  assert_true(bfd_dampen(&f, &usual, d.until - 1).suppressed);
  assert_false(bfd_dampen(&f, &usual, d.until).suppressed);
  assert_in_range(bfd_dampen(&f, &usual, d.until).penalty, 748, 750);
}

static void
between_reuse_and_suppress_it_depends_on_the_past(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0, 0, 0), one = FAILURES(0);

  assert_in_range(after(&f, 20000).penalty, 1000, 1500);
  assert_true(after(&f, 20000).suppressed);
  assert_false(after(&one, 0).suppressed);
}

static void
a_failure_while_suppressed_prolongs_it(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0, 0, 0), again = FAILURES(0, 0, 0, 25);

  assert_true(after(&again, 25000).suppressed);
  assert_true(after(&again, 25000).until > after(&f, 25000).until + BT_S(10));
}

static void
after_its_release_a_session_starts_from_what_is_left(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0, 0, 0, 31), more = FAILURES(0, 0, 0, 31, 32);

  assert_false(after(&f, 31000).suppressed);
  assert_in_range(after(&f, 31000).penalty, 1700, 1750);
  assert_true(after(&more, 32000).suppressed);
}

static void
max_suppress_counts_from_the_last_failure(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  struct bfd_dampening d = usual;

  d.max_suppress = BT_S(10);
  assert_true(bfd_dampen(&f, &d, START + BT_S(15)).until == START + BT_S(25));
  assert_true(bfd_dampen(&f, &d, START + BT_S(20)).until == START + BT_S(25));
  assert_true(bfd_dampen(&f, &d, START + BT_S(25) - 1).suppressed);
  assert_false(bfd_dampen(&f, &d, START + BT_S(25)).suppressed);
}

/* So the failure that follows does not suppress it again at once. */
static void
max_suppress_cuts_the_penalty_to_reuse(void **ctx UNUSED)
{
  struct bfd_dampening d = usual;
  struct bfd_flaps f = FAILURES(0, 0, 0, 0, 0, 0);

  d.max_suppress = BT_S(5);
  assert_true(bfd_dampen(&f, &d, START + BT_MS(4999)).suppressed);
  assert_int_equal(bfd_dampen(&f, &d, START + BT_S(5)).penalty, 750);
  bfd_flaps_add(&f, START + BT_S(5));
  assert_int_equal(bfd_dampen(&f, &d, START + BT_S(5)).penalty, 1750);
  assert_false(bfd_dampen(&f, &d, START + BT_S(5)).suppressed);
}

static void
only_the_last_failures_count(void **ctx UNUSED)
{
  struct bfd_flaps f = { 0 };

  for (uint i = 0; i < 1000; i++)
    bfd_flaps_add(&f, START);
  assert_int_equal(after(&f, 0).penalty, BFD_FLAPS * BFD_FLAP_PENALTY);
}

static void
the_oldest_failures_are_the_ones_forgotten(void **ctx UNUSED)
{
  struct bfd_flaps f = { 0 };

  for (uint i = 0; i < BFD_FLAPS + 3; i++)
    bfd_flaps_add(&f, START + BT_S(100 * i));
  assert_in_range(bfd_dampen(&f, &usual, START + BT_S(100 * (BFD_FLAPS + 2))).penalty, 1000, 1011);
}

static void
other_parameters_hold_for_the_past_too(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0, 0, 0);
  struct bfd_dampening d = usual;

  d.suppress = 3000;
  assert_false(bfd_dampen(&f, &d, START).suppressed);
  d.suppress = 2999;
  assert_true(bfd_dampen(&f, &d, START).suppressed);
  d.half_life = BT_S(1);
  assert_false(bfd_dampen(&f, &d, START + BT_S(3)).suppressed);
}

static void
in_the_end_nothing_is_left(void **ctx UNUSED)
{
  struct bfd_flaps f = FAILURES(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  btime end = after(&f, 61000).until;

  assert_false(after(&f, 61000).suppressed);
  assert_int_equal(bfd_dampen(&f, &usual, end).penalty, 0);
  assert_int_equal(bfd_dampen(&f, &usual, end + BT_S(1000000)).penalty, 0);
}

static void
the_longest_parameters_are_computed_as_well(void **ctx UNUSED)
{
  struct bfd_dampening d = {
    .on = true, .half_life = BT_S(3600), .max_suppress = BT_S(3600), .suppress = 15000, .reuse = 14999
  };
  struct bfd_flaps f = { 0 };

  for (uint i = 0; i < BFD_FLAPS; i++)
    bfd_flaps_add(&f, START);
  assert_true(bfd_dampen(&f, &d, START).suppressed);
  assert_in_range(bfd_dampen(&f, &d, START + BT_S(1800)).penalty, 11313, 11314);
  assert_false(bfd_dampen(&f, &d, START + BT_S(1800)).suppressed);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_failures_there_is_no_penalty),
    cmocka_unit_test(a_failure_costs_a_thousand_that_halve_each_half_life),
    cmocka_unit_test(decay_is_exponential_in_between),
    cmocka_unit_test(penalties_never_grow_by_themselves),
    cmocka_unit_test(two_failures_do_not_suppress_and_three_do),
    cmocka_unit_test(a_suppressed_session_is_released_below_reuse),
    cmocka_unit_test(between_reuse_and_suppress_it_depends_on_the_past),
    cmocka_unit_test(a_failure_while_suppressed_prolongs_it),
    cmocka_unit_test(after_its_release_a_session_starts_from_what_is_left),
    cmocka_unit_test(max_suppress_counts_from_the_last_failure),
    cmocka_unit_test(max_suppress_cuts_the_penalty_to_reuse),
    cmocka_unit_test(only_the_last_failures_count),
    cmocka_unit_test(the_oldest_failures_are_the_ones_forgotten),
    cmocka_unit_test(other_parameters_hold_for_the_past_too),
    cmocka_unit_test(in_the_end_nothing_is_left),
    cmocka_unit_test(the_longest_parameters_are_computed_as_well),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
