/* lib/cursor_test.c: a cursor cannot run past the end, and stays failed */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/cursor.h"

static const byte bytes[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab };

/* A cursor over an exact-size heap copy of the first @size bytes; free what @mem is set to. */
static struct rcur
reader(size_t size, byte **mem)
{
  *mem = memcpy(malloc(size + !size), bytes, size);
  return rcur_init(*mem, size);
}

static void
integers_are_in_network_order(void **ctx UNUSED)
{
  struct rcur c = rcur_init(bytes, sizeof(bytes));

  assert_int_equal(rcur_u8(&c), 0x01);
  assert_int_equal(rcur_u32(&c), 0x23456789);
  assert_int_equal(rcur_u8(&c), 0xab);
  assert_false(c.bad);
  assert_ptr_equal(c.pos, c.end);
}

static void
reading_past_the_end_fails_and_yields_zero(void **ctx UNUSED)
{
  for (size_t size = 0; size < 4; size++)
  {
    byte *mem;
    struct rcur c = reader(size, &mem);

    assert_int_equal(rcur_u32(&c), 0);
    assert_true(c.bad);
    free(mem);
  }
}

static void
a_failed_cursor_stays_failed_though_bytes_are_left(void **ctx UNUSED)
{
  byte *mem;
  struct rcur c = reader(3, &mem);

  rcur_u32(&c);
  assert_int_equal(rcur_u8(&c), 0);
  assert_null(rcur_take(&c, 0));
  assert_true(c.bad);
  free(mem);
}

static void
taking_nothing_or_everything_is_fine(void **ctx UNUSED)
{
  byte *mem;
  struct rcur c = reader(6, &mem);

  assert_ptr_equal(rcur_take(&c, 0), mem);
  assert_ptr_equal(rcur_take(&c, 6), mem);
  assert_ptr_equal(rcur_take(&c, 0), mem + 6);
  assert_false(c.bad);
  assert_null(rcur_take(&c, 1));
  free(mem);
}

static void
sizes_that_would_wrap_are_refused(void **ctx UNUSED)
{
  struct rcur c = rcur_init(bytes, sizeof(bytes));
  byte room[4];
  struct wcur w = wcur_init(room, sizeof(room));

  assert_null(rcur_take(&c, SIZE_MAX));
  assert_true(c.bad);
  assert_null(wcur_take(&w, SIZE_MAX));
  assert_true(w.bad);
}

static void
an_empty_cursor_over_nothing_is_fine(void **ctx UNUSED)
{
  struct rcur c = rcur_init(NULL, 0);

  assert_int_equal(rcur_u8(&c), 0);
  assert_true(c.bad);
}

static void
what_is_written_is_read_back(void **ctx UNUSED)
{
  volatile size_t size = 5; /* a constant makes gcc 12 warn of a write that cannot happen */
  byte *mem = malloc(size);
  struct wcur w = wcur_init(mem, size);

  wcur_u32(&w, 0xfedcba98);
  wcur_u8(&w, 0x76);
  assert_false(w.bad);

  struct rcur c = rcur_init(mem, 5);

  assert_int_equal(rcur_u32(&c), 0xfedcba98);
  assert_int_equal(rcur_u8(&c), 0x76);
  free(mem);
}

static void
writing_past_the_end_writes_nothing_more(void **ctx UNUSED)
{
  byte *mem = calloc(1, 6);
  struct wcur w = wcur_init(mem, 6);

  wcur_u32(&w, 1);
  wcur_u32(&w, 0xffffffff);
  assert_true(w.bad);
  wcur_u8(&w, 0xff);
  assert_int_equal(mem[3], 1);
  assert_int_equal(mem[4], 0);
  assert_int_equal(mem[5], 0);
  free(mem);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(integers_are_in_network_order),
    cmocka_unit_test(reading_past_the_end_fails_and_yields_zero),
    cmocka_unit_test(a_failed_cursor_stays_failed_though_bytes_are_left),
    cmocka_unit_test(taking_nothing_or_everything_is_fine),
    cmocka_unit_test(sizes_that_would_wrap_are_refused),
    cmocka_unit_test(an_empty_cursor_over_nothing_is_fine),
    cmocka_unit_test(what_is_written_is_read_back),
    cmocka_unit_test(writing_past_the_end_writes_nothing_more),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
