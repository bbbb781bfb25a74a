/* lib/text_test.c: durations and moments as text */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "lib/text.h"

#define MOMENT (BT_S(1700000000) + 12345) /* 2023-11-14 22:13:20.012345 UTC */

static int
setup(void **ctx UNUSED)
{
  setenv("TZ", "UTC0", 1);
  tzset();
  return 0;
}

static const char *
print(const char *fmt)
{
  static char buf[TIMEFORMAT_SIZE];
  struct timeformat f = { .recent = fmt };

  return timeformat_print(&f, MOMENT, MOMENT, buf, sizeof(buf));
}

static void
durations_have_three_decimals(void **ctx UNUSED)
{
  assert_string_equal(TIME_STR(0), "0.000");
  assert_string_equal(TIME_STR(BT_MS(1999)), "1.999");
  assert_string_equal(TIME_STR(-BT_MS(1)), "-0.001");
}

static void
fractions_have_the_digits_asked_for(void **ctx UNUSED)
{
  assert_string_equal(print("%T.%f"), "22:13:20.012345");
  assert_string_equal(print("%1f %2f %3f %4f %5f %6f"), "0 01 012 0123 01234 012345");
  assert_string_equal(print("%%f %%3f %F"), "%f %3f 2023-11-14");
  assert_string_equal(print("100%"), "100%");
}

static void
iso_formats_are_those_of_bird2(void **ctx UNUSED)
{
  char buf[TIMEFORMAT_SIZE];

  assert_string_equal(timeformat_print(&timeformat_iso_long_ms, MOMENT, MOMENT, buf, sizeof(buf)),
                      "2023-11-14 22:13:20.012");
  assert_string_equal(WALL_STR(MOMENT), "2023-11-14 22:13:20.012");
  assert_string_equal(SINCE_STR(MOMENT, MOMENT + BT_S(20 * 3600) - 1), "22:13:20.012");
  assert_string_equal(SINCE_STR(MOMENT, MOMENT + BT_S(20 * 3600)), "2023-11-14");
}

static void
old_moments_have_a_format_of_their_own(void **ctx UNUSED)
{
  const struct timeformat f = { "new", "old", BT_S(10) }, one = { "new", NULL, BT_S(10) };
  char buf[TIMEFORMAT_SIZE];

  assert_string_equal(timeformat_print(&f, MOMENT, MOMENT + BT_S(10) - 1, buf, sizeof(buf)), "new");
  assert_string_equal(timeformat_print(&f, MOMENT, MOMENT + BT_S(10), buf, sizeof(buf)), "old");
  assert_string_equal(timeformat_print(&f, MOMENT, MOMENT - BT_S(10), buf, sizeof(buf)), "new");
  assert_string_equal(timeformat_print(&one, MOMENT, MOMENT + BT_S(10), buf, sizeof(buf)), "new");
}

static void
what_does_not_fit_is_a_question_mark(void **ctx UNUSED)
{
  char text[2000], small[4];
  const struct timeformat f = { .recent = "%T" };

  assert_string_equal(timeformat_print(&f, MOMENT, MOMENT, small, sizeof(small)), "?");
  assert_true(timeformat_fits("%A %B %F %T.%f"));
  assert_false(timeformat_fits(""));
  assert_false(timeformat_fits("%T%n"));
  assert_false(timeformat_fits("%t"));
  assert_true(timeformat_fits("%A %B %A %B %A %B yes"));
  assert_false(timeformat_fits("%A %B %A %B %A %B %A"));
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = 0;
  assert_false(timeformat_fits(text));
  for (size_t i = 0; i + 1 < sizeof(text); i += 2)
    memcpy(text + i, "%f", 2);
  assert_false(timeformat_fits(text));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(durations_have_three_decimals),        TEST(fractions_have_the_digits_asked_for),
    TEST(iso_formats_are_those_of_bird2),       TEST(old_moments_have_a_format_of_their_own),
    TEST(what_does_not_fit_is_a_question_mark),
  };

  return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
