/* lib/slab_test.c: objects of one size, in blocks of 64 KiB */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/slab.h"

#define BLOCK 65536
#define MANY 20000

static int
setup(void **ctx)
{
  *ctx = pool_new(NULL, "Test");
  return 0;
}

static int
teardown(void **ctx)
{
  rfree(*ctx);
  return 0;
}

/* All blocks, as the pool counts them. */
static size_t
slab_blocks_size(struct slab *s)
{
  const struct resource *r = (struct resource *) s;

  return r->class->memory(r);
}

static bool
is_filled(const byte *object, size_t size, byte with)
{
  for (size_t i = 0; i < size; i++)
    if (object[i] != with)
      return false;
  return true;
}

static void
fill_and_check(pool *p, size_t size)
{
  struct slab *s = slab_new(p, size);
  uint count = MIN((uint) MANY, 4 * BLOCK / (uint) size + 3);
  byte **objects = calloc(count, sizeof(*objects));

  for (uint i = 0; i < count; i++)
  {
    objects[i] = slab_alloc(s);
    assert_true((uintptr_t) objects[i] % 8 == 0);
    assert_true(is_filled(objects[i], size, 0));
    memset(objects[i], i % 255 + 1, size);
  }
  for (uint i = 0; i < count; i++)
    assert_true(is_filled(objects[i], size, i % 255 + 1));
  for (uint i = 0; i < count; i++)
    slab_free(s, objects[i]);
  assert_int_equal(slab_used(s), 0);
  free(objects);
  rfree(s);
}

static void
objects_of_any_size_do_not_overlap(void **ctx)
{
  static const size_t sizes[] = { 1, 7, 8, 9, 24, 56, 100, 4096, 30000, 32000, 60000, BLOCK - 64 };

  for (uint i = 0; i < ARRAY_SIZE(sizes); i++)
    fill_and_check(*ctx, sizes[i]);
}

static void
used_objects_come_back_zeroed(void **ctx)
{
  struct slab *s = slab_new(*ctx, 40);

  for (int i = 0; i < 10000; i++)
  {
    byte *o = slab_alloc(s);

    assert_true(is_filled(o, 40, 0));
    memset(o, 0xff, 40);
    slab_free(s, o);
  }
  assert_int_equal(slab_blocks_size(s), BLOCK);
}

static void
empty_blocks_go_back_but_for_one(void **ctx)
{
  struct slab *s = slab_new(*ctx, 1000);
  void *objects[1000];

  assert_int_equal(slab_blocks_size(s), 0);
  for (uint round = 0; round < 3; round++)
  {
    for (uint i = 0; i < ARRAY_SIZE(objects); i++)
      objects[i] = slab_alloc(s);
    assert_int_equal(slab_used(s), 1000 * 1000);
    assert_true(slab_blocks_size(s) >= 1000 * 1000 && slab_blocks_size(s) <= 1000 * 1000 + 3 * BLOCK);
    for (uint i = 0; i < ARRAY_SIZE(objects); i++)
      slab_free(s, objects[round == 1 ? ARRAY_SIZE(objects) - 1 - i : i]);
    assert_int_equal(slab_blocks_size(s), BLOCK);
  }
}

/* A hole in each of the blocks: the next objects fill them, and no block is added. */
static void
holes_are_filled_before_blocks_are_added(void **ctx)
{
  struct slab *s = slab_new(*ctx, 64);
  void **objects = calloc(MANY, sizeof(*objects));

  for (uint i = 0; i < MANY; i++)
    objects[i] = slab_alloc(s);

  size_t size = slab_blocks_size(s);

  for (uint i = 0; i < MANY; i += 100)
    slab_free(s, objects[i]);
  for (uint i = 0; i < MANY; i += 100)
    objects[i] = slab_alloc(s);
  assert_int_equal(slab_blocks_size(s), size);
  free(objects);
}

static void
random_work_keeps_contents_apart(void **ctx)
{
  struct slab *s = slab_new(*ctx, 48);
  byte *objects[3000] = { NULL };
  uint used = 0;

  srandom(1);
  for (uint i = 0; i < 300000; i++)
  {
    uint k = random() % ARRAY_SIZE(objects);

    if (objects[k])
    {
      assert_true(is_filled(objects[k], 48, k % 251));
      slab_free(s, objects[k]);
      objects[k] = NULL;
      used--;
    }
    else if (i < 200000 || random() % 8 == 0) /* it fills up, then thins out */
    {
      objects[k] = slab_alloc(s);
      memset(objects[k], k % 251, 48);
      used++;
    }
    assert_int_equal(slab_used(s), used * 48);
  }
}

static void
the_pool_frees_all_of_it(void **ctx)
{
  pool *p = pool_new(*ctx, "Inner");
  struct slab *s = slab_new(p, 128);

  for (uint i = 0; i < MANY; i++)
    slab_alloc(s);
  slab_free(s, slab_alloc(s));
  rfree(p);
}

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(objects_of_any_size_do_not_overlap, setup, teardown),
    cmocka_unit_test_setup_teardown(used_objects_come_back_zeroed, setup, teardown),
    cmocka_unit_test_setup_teardown(empty_blocks_go_back_but_for_one, setup, teardown),
    cmocka_unit_test_setup_teardown(holes_are_filled_before_blocks_are_added, setup, teardown),
    cmocka_unit_test_setup_teardown(random_work_keeps_contents_apart, setup, teardown),
    cmocka_unit_test_setup_teardown(the_pool_frees_all_of_it, setup, teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
