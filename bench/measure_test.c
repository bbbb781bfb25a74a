/* bench/measure_test.c: what counts as outside of the window, early, and somebody else's fault */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/measure.h"

#define INTERVAL BT_MS(50)

static struct measure m;

static int
begin(void **ctx UNUSED)
{
  m = (struct measure){ .interval = INTERVAL, .detection = 3 * INTERVAL };
  measure_start(&m, 1);
  return 0;
}

static int
finish(void **ctx UNUSED)
{
  free(m.errors.values);
  return 0;
}

static void
assert_printed(const char *part)
{
  char text[4096] = "";
  FILE *to = fmemopen(text, sizeof(text), "w");

  assert_non_null(to);
  measure_print(&m, to);
  fclose(to);
  if (!strstr(text, part))
    fail_msg("%s is not in %s", part, text);
}

static void
gaps_are_held_against_the_window_with_a_millisecond_of_grace(void **ctx UNUSED)
{
  static const struct
  {
    btime gap;
    bool early, late;
  } cases[] = {
    { 0, true, false },      { 36499, true, false },  { 36500, false, false }, { 37500, false, false },
    { 50000, false, false }, { 51000, false, false }, { 51001, false, true },  { BT_S(100), false, true },
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    begin(NULL);
    measure_gap(&m, cases[i].gap, INTERVAL);
    assert_int_equal(m.gaps.early, cases[i].early);
    assert_int_equal(m.gaps.late, cases[i].late);
  }
}

static void
a_session_may_have_a_slower_interval(void **ctx UNUSED)
{
  measure_gap(&m, BT_MS(900), BT_S(1));
  measure_gap(&m, INTERVAL, BT_S(1));
  assert_int_equal(m.gaps.early, 1);
  assert_int_equal(m.gaps.late, 0);
}

static void
percentiles_are_edges_of_bins_and_the_longest_is_exact(void **ctx UNUSED)
{
  for (uint i = 0; i < 98; i++)
    measure_gap(&m, BT_MS(40), INTERVAL);
  measure_gap(&m, BT_MS(50), INTERVAL);
  measure_gap(&m, BT_S(7) + 1, INTERVAL);
  assert_printed("\"count\": 100, \"early\": 0, \"late\": 1, \"min_us\": 40000, \"p1_us\": 40039, "
                 "\"p50_us\": 40039, \"p99_us\": 7000001, \"max_us\": 7000001");
}

static void
errors_of_detection_are_sorted_and_those_below_zero_are_early(void **ctx UNUSED)
{
  for (btime i = 2000; i > 0; i--)
    measure_detection(&m, i);
  measure_detection(&m, -5);
  assert_printed(
      "\"detect\": {\"count\": 2001, \"early\": 1, \"min_us\": -5, \"p50_us\": 1000, \"p99_us\": 1980, "
      "\"max_us\": 2000}");
}

static void
downs_while_the_simulator_was_late_are_counted_apart(void **ctx UNUSED)
{
  measure_tick(&m, INTERVAL / 2, BT_S(10)); /* not late enough */
  measure_down(&m, DIAG_TIMEOUT, BT_S(10));
  measure_expiry(&m, BT_S(10));
  measure_tick(&m, INTERVAL / 2 + 1, BT_S(10));
  measure_down(&m, DIAG_TIMEOUT, BT_S(10) + 2 * m.detection);
  measure_down(&m, DIAG_NEIGHBOR_DOWN, BT_S(10) + 2 * m.detection + 1);
  measure_expiry(&m, BT_S(10) + 2 * m.detection);
  assert_printed("\"downs\": {\"1\": 1, \"3\": 1}, \"downs_in_stall\": {\"1\": 1}, \"expired\": 1, "
                 "\"expired_in_stall\": 1, \"late_max_us\": 25001, \"stalls\": 1");
}

static void
a_new_start_forgets_all_but_the_moment_of_a_stall(void **ctx UNUSED)
{
  measure_gap(&m, 1, INTERVAL);
  measure_detection(&m, 1);
  measure_tick(&m, BT_S(1), BT_S(10));
  measure_start(&m, BT_S(10));
  measure_down(&m, DIAG_TIMEOUT, BT_S(10) + 1);
  assert_printed("\"since_us\": 10000000, ");
  assert_printed(
      "\"gaps\": {\"count\": 0, \"early\": 0, \"late\": 0}, \"detect\": {\"count\": 0}, \"downs\": {}, "
      "\"downs_in_stall\": {\"1\": 1}, \"expired\": 0, \"expired_in_stall\": 0, \"late_max_us\": 0");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(gaps_are_held_against_the_window_with_a_millisecond_of_grace),
    TEST(a_session_may_have_a_slower_interval),
    TEST(percentiles_are_edges_of_bins_and_the_longest_is_exact),
    TEST(errors_of_detection_are_sorted_and_those_below_zero_are_early),
    TEST(downs_while_the_simulator_was_late_are_counted_apart),
    TEST(a_new_start_forgets_all_but_the_moment_of_a_stall),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
