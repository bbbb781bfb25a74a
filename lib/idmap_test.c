/* lib/idmap_test.c: small numbers, each to one owner at a time */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/idmap.h"

#define MANY 5000

struct fixture
{
  pool *pool;
  struct idmap m;
};

static int
setup(void **ctx)
{
  struct fixture *f = *ctx = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  idmap_init(&f->m, f->pool);
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  rfree(f->pool);
  free(f);
  return 0;
}

static void
numbers_are_handed_out_in_order(void **ctx)
{
  struct fixture *f = *ctx;

  for (u32 i = 0; i < MANY; i++)
    assert_int_equal(idmap_take(&f->m), i);
}

static void
the_lowest_free_number_comes_first(void **ctx)
{
  static const u32 given[] = { 4999, 64, 63, 1024, 0, 65 }, sorted[] = { 0, 63, 64, 65, 1024, 4999 };
  struct fixture *f = *ctx;

  for (u32 i = 0; i < MANY; i++)
    idmap_take(&f->m);
  for (uint i = 0; i < ARRAY_SIZE(given); i++)
    idmap_give(&f->m, given[i]);
  for (uint i = 0; i < ARRAY_SIZE(sorted); i++)
    assert_int_equal(idmap_take(&f->m), sorted[i]);
  assert_int_equal(idmap_take(&f->m), MANY);
}

static void
no_number_has_two_owners(void **ctx)
{
  struct fixture *f = *ctx;
  bool taken[MANY] = { false };
  uint count = 0;

  srandom(1);
  for (uint i = 0; i < 200000; i++)
  {
    u32 id = random() % MANY;

    if (taken[id])
    {
      idmap_give(&f->m, id);
      taken[id] = false;
      count--;
    }
    else if (count < MANY / 2)
    {
      id = idmap_take(&f->m);
      assert_true(id < MANY); /* numbers stay small */
      assert_false(taken[id]);
      taken[id] = true;
      count++;
    }
  }
}

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(numbers_are_handed_out_in_order, setup, teardown),
    cmocka_unit_test_setup_teardown(the_lowest_free_number_comes_first, setup, teardown),
    cmocka_unit_test_setup_teardown(no_number_has_two_owners, setup, teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
