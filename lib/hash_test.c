/* lib/hash_test.c: nodes are found again however the table grows, and hashes spread */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/hash.h"
#include "lib/random.h"

#define COUNT 5000

struct item
{
  u32 key;
  struct hnode n;
  bool in;
};

static struct item items[COUNT];

static struct item *
find(const struct htable *h, u32 key, u32 hash)
{
  for (struct hnode *n = hash_first(h, hash); n; n = hash_again(n))
  {
    struct item *i = SKIP_BACK(struct item, n, n);

    assert_int_equal(n->hash, hash);
    if (i->key == key)
      return i;
  }
  return NULL;
}

static uint
count_all(const struct htable *h)
{
  struct item *i;
  uint count = 0;

  HASH_WALK (i, h, n)
    count += i->in;
  return count;
}

/* Random additions and removals against a model; @mask makes hashes collide. */
static void
agrees_with_the_model(u32 mask)
{
  pool *p = pool_new(NULL, "test");
  struct htable h;
  struct rng rng = { mask };
  uint count = 0;

  hash_init(&h, p);
  for (uint k = 0; k < COUNT; k++)
    items[k] = (struct item){ .key = k };
  for (uint round = 0; round < 4 * COUNT; round++)
  {
    struct item *i = &items[rng_below(&rng, COUNT)];
    u32 hash = hash_u64(i->key) & mask;

    assert_ptr_equal(find(&h, i->key, hash), i->in ? i : NULL);
    if (i->in)
      hash_remove(&h, &i->n);
    else
      hash_add(&h, &i->n, hash);
    i->in = !i->in;
    count += i->in ? 1 : -1;
    assert_int_equal(h.count, count);
  }
  assert_int_equal(count_all(&h), count);
  for (uint k = 0; k < COUNT; k++)
    assert_ptr_equal(find(&h, k, hash_u64(k) & mask), items[k].in ? &items[k] : NULL);
  rfree(p);
}

static void
nodes_are_found_until_they_are_removed(void **ctx UNUSED)
{
  agrees_with_the_model(U32_MAX);
}

static void
colliding_nodes_are_told_apart_by_their_owner(void **ctx UNUSED)
{
  agrees_with_the_model(0xff000000); /* long chains in few slots */
  agrees_with_the_model(0x0000003f); /* all in one slot */
}

static void
a_walk_sees_everything_once_and_may_remove_it(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "test");
  struct htable h;
  struct item *i;
  uint seen = 0;

  hash_init(&h, p);
  for (uint k = 0; k < COUNT; k++)
  {
    items[k] = (struct item){ .key = k };
    hash_add(&h, &items[k].n, hash_u64(k));
  }
  HASH_WALK (i, &h, n)
  {
    assert_false(i->in);
    i->in = true;
    seen++;
    hash_remove(&h, &i->n);
  }
  assert_int_equal(seen, COUNT);
  assert_int_equal(h.count, 0);
  HASH_WALK (i, &h, n)
    assert_true(false);
  rfree(p);
}

/* Keys as they come in practice: counting up, in steps, and in the high half. */
static void
hashes_of_regular_keys_spread_over_the_slots(void **ctx UNUSED)
{
  static const uint shifts[] = { 0, 1, 8, 16, 24, 32, 40, 48 };

  for (uint s = 0; s < ARRAY_SIZE(shifts); s++)
  {
    uint slots[256] = { 0 };

    for (u64 k = 0; k < 25600; k++)
      slots[hash_u64(k << shifts[s]) >> 24]++;
    for (uint i = 0; i < ARRAY_SIZE(slots); i++)
      assert_true(slots[i] > 30 && slots[i] < 250);
  }
}

static void
texts_hash_by_all_their_letters(void **ctx UNUSED)
{
  assert_int_equal(hash_text("eth0"), hash_text("eth0"));
  assert_int_not_equal(hash_text("eth0"), hash_text("eth1"));
  assert_int_not_equal(hash_text("eth0"), hash_text("0eth"));
  assert_int_not_equal(hash_text("\xff"), hash_text("\x7f"));
  hash_text("");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(nodes_are_found_until_they_are_removed),
    cmocka_unit_test(colliding_nodes_are_told_apart_by_their_owner),
    cmocka_unit_test(a_walk_sees_everything_once_and_may_remove_it),
    cmocka_unit_test(hashes_of_regular_keys_spread_over_the_slots),
    cmocka_unit_test(texts_hash_by_all_their_letters),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
