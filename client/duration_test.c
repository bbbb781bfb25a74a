/* client/duration_test.c: times on command lines */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/duration.h"

static void
times_have_units_and_are_milliseconds_without(void **ctx UNUSED)
{
  static const struct
  {
    const char *text;
    btime time;
  } table[] = { { "50", 50000 },     { "50ms", 50000 }, { "300us", 300 },         { "2s", 2000000 },
                { "1.5s", 1500000 }, { "3.3", 3300 },   { "1000000us", 1000000 }, { "0", 0 } };
  btime t;

  for (uint i = 0; i < ARRAY_SIZE(table); i++)
  {
    assert_true(duration_parse(table[i].text, 0, BT_S(10), &t));
    assert_true(t == table[i].time);
  }
}

static void
what_is_no_time_is_refused(void **ctx UNUSED)
{
  static const char *const table[] = { "",     "ms",  "-1",    "+1",  " 1",
                                       "1 ms", "1m",  "1h",    "nan", "inf",
                                       "0x10", "1e3", "1.2.3", "11s", "99999999999999999999" };
  btime t = 7;

  for (uint i = 0; i < ARRAY_SIZE(table); i++)
    assert_false(duration_parse(table[i], 0, BT_S(10), &t));
  assert_false(duration_parse("999us", 1000, BT_S(10), &t));
  assert_true(t == 7);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(times_have_units_and_are_milliseconds_without),
    cmocka_unit_test(what_is_no_time_is_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
