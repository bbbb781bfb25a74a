/*
 * lib/growhash_test.c: walks while the table changes
 *
 * The hash of a node is chosen by a test: scattered, all equal, sequential, or with all of them in a few
 * slots.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/growhash.h"
#include "lib/hash.h"

#define MANY 100000
#define STAYING 20000

struct item
{
  struct gnode n;
  u32 number;
  u32 visits;
  bool in;
};

struct fixture
{
  pool *pool;
  struct growhash h;
  struct item *items;
  u32 visited;
};

static u32
number_of(const struct gnode *n)
{
  return SKIP_BACK(struct item, n, n)->number;
}

static u32
hash_scattered(const struct gnode *n)
{
  return hash_u64(number_of(n));
}

static u32
hash_equal(const struct gnode *n UNUSED)
{
  return 0x80000000;
}

static u32
hash_sequential(const struct gnode *n)
{
  return number_of(n);
}

static u32
hash_from_above(const struct gnode *n)
{
  return ~number_of(n);
}

/* One in each slot of a large table, in order. */
static u32
hash_spread(const struct gnode *n)
{
  return number_of(n) << 15;
}

static int
setup(void **ctx)
{
  struct fixture *f = *ctx = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  f->items = calloc(MANY, sizeof(*f->items));
  for (u32 i = 0; i < MANY; i++)
    f->items[i].number = i;
  growhash_init(&f->h, f->pool, hash_scattered);
  srandom(1);
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  rfree(f->pool);
  free(f->items);
  free(f);
  return 0;
}

/* An empty table with another hash. */
static void
use_hash(struct fixture *f, u32 (*hash)(const struct gnode *n))
{
  rfree(f->pool);
  f->pool = pool_new(NULL, "Test");
  growhash_init(&f->h, f->pool, hash);
  for (u32 i = 0; i < MANY; i++)
    f->items[i] = (struct item){ .number = i };
}

static void
put(struct fixture *f, u32 i)
{
  growhash_add(&f->h, &f->items[i].n);
  f->items[i].in = true;
}

static void
drop(struct fixture *f, u32 i)
{
  growhash_remove(&f->h, &f->items[i].n);
  f->items[i].in = false;
}

static bool
find(const struct fixture *f, u32 i)
{
  for (struct gnode *n = growhash_chain(&f->h, f->h.hash(&f->items[i].n)); n; n = n->next)
    if (n == &f->items[i].n)
      return true;
  return false;
}

static void
count_visit(struct gnode *n, void *data)
{
  struct fixture *f = data;
  struct item *i = SKIP_BACK(struct item, n, n);

  assert_true(i->in);
  i->visits++;
  f->visited++;
}

static void
walk_all(struct fixture *f, void (*visit)(struct gnode *n, void *data))
{
  u32 pos = 0;

  f->visited = 0;
  while (growhash_walk(&f->h, &pos, visit, f))
    ;
  assert_int_equal(pos, 0);
}

/* --- Without a walk --- */

static void
every_node_is_found_while_the_table_grows(void **ctx)
{
  struct fixture *f = *ctx;

  for (u32 i = 0; i < MANY; i++)
  {
    put(f, i);
    assert_true(find(f, i));
    assert_true(find(f, random() % (i + 1)));
    assert_true(i + 1 == MANY || !find(f, i + 1));
  }
  assert_int_equal(f->h.count, MANY);
  for (u32 i = 0; i < MANY; i++)
    assert_true(find(f, i));
}

static void
removal_works_in_the_middle_of_growth(void **ctx)
{
  struct fixture *f = *ctx;

  for (u32 n = 0; n < 400000; n++)
  {
    u32 i = random() % (n < 200000 ? MANY : MANY / 10);

    assert_int_equal(find(f, i), f->items[i].in);
    if (f->items[i].in)
      drop(f, i);
    else
      put(f, i);
  }
  for (u32 i = 0; i < MANY; i++)
    assert_int_equal(find(f, i), f->items[i].in);
}

static void
chains_stay_short(void **ctx)
{
  struct fixture *f = *ctx;
  u32 steps = 0;

  for (u32 i = 0; i < MANY; i++)
    put(f, i);
  for (u32 i = 0; i < MANY; i++)
    for (struct gnode *n = growhash_chain(&f->h, f->h.hash(&f->items[i].n)); n != &f->items[i].n; n = n->next)
      steps++;
  assert_true(steps < MANY);
  assert_true(sizeof(void *) << f->h.order <= 4 * MANY * sizeof(void *));
}

/* --- Walks --- */

static void
a_walk_of_an_empty_table_ends(void **ctx)
{
  struct fixture *f = *ctx;

  walk_all(f, count_visit);
  assert_int_equal(f->visited, 0);
}

/* At each size around those where the table grows. */
static void
a_walk_visits_each_node_once_at_any_stage_of_growth(void **ctx)
{
  struct fixture *f = *ctx;

  for (u32 i = 0; i < 1100; i++)
  {
    put(f, i);
    walk_all(f, count_visit);
    assert_int_equal(f->visited, i + 1);
    for (u32 k = 0; k <= i; k++)
      assert_int_equal(f->items[k].visits, i + 1 - k);
  }
}

/*
 * The first STAYING nodes are there all the time; the others come and go at random between the steps of a
 * walk, so that it sees the table grow several times.
 */
static void
churn(struct fixture *f, uint count, bool growing)
{
  while (count--)
  {
    u32 i = STAYING + random() % (MANY - STAYING);

    if (!f->items[i].in)
      put(f, i);
    else if (!growing)
      drop(f, i);
  }
}

static void
check_staying(const struct fixture *f, u32 walks)
{
  for (u32 i = 0; i < STAYING; i++)
    assert_int_equal(f->items[i].visits, walks);
  for (u32 i = STAYING; i < MANY; i++)
    assert_true(f->items[i].visits <= walks);
}

static void
churned_walk(struct fixture *f, u32 (*hash)(const struct gnode *n), uint per_step, bool growing)
{
  u32 pos = 0;

  use_hash(f, hash);
  for (u32 i = 0; i < STAYING; i++)
    put(f, i);
  while (growhash_walk(&f->h, &pos, count_visit, f))
    churn(f, random() % (per_step + 1), growing);
}

static void
what_stays_is_visited_once_while_the_table_grows(void **ctx)
{
  struct fixture *f = *ctx;

  for (uint per_step = 1; per_step <= 64; per_step *= 2)
  {
    churned_walk(f, hash_scattered, per_step, true);
    for (u32 i = 0; i < STAYING; i++)
      assert_int_equal(f->items[i].visits, 1);
  }
}

static void
what_comes_and_goes_once_is_visited_at_most_once(void **ctx)
{
  struct fixture *f = *ctx;

  churned_walk(f, hash_scattered, 16, true);
  check_staying(f, 1);
}

static void
removals_between_steps_do_not_disturb(void **ctx)
{
  struct fixture *f = *ctx;

  churned_walk(f, hash_scattered, 16, false);
  check_staying(f, 1);
}

static void
hostile_hashes_are_walked_all_the_same(void **ctx)
{
  static u32 (*const hashes[])(const struct gnode *n) = { hash_sequential, hash_from_above, hash_spread };
  struct fixture *f = *ctx;

  for (uint i = 0; i < ARRAY_SIZE(hashes); i++)
  {
    use_hash(f, hashes[i]);
    for (u32 k = 0; k < 5000; k++)
      put(f, k);
    walk_all(f, count_visit);
    assert_int_equal(f->visited, 5000);
    for (u32 k = 0; k < 5000; k += 2)
      drop(f, k);
    walk_all(f, count_visit);
    assert_int_equal(f->visited, 2500);
  }
}

static void
equal_hashes_are_one_chain(void **ctx)
{
  struct fixture *f = *ctx;

  use_hash(f, hash_equal);
  for (u32 i = 0; i < 3000; i++)
    put(f, i);
  walk_all(f, count_visit);
  assert_int_equal(f->visited, 3000);
  for (u32 i = 0; i < 3000; i++)
  {
    assert_true(find(f, i));
    drop(f, i);
    assert_false(find(f, i));
  }
  assert_int_equal(f->h.count, 0);
}

/* --- What a visitor may do --- */

static void
remove_and_free_visit(struct gnode *n, void *data)
{
  struct fixture *f = data;
  struct item *i = SKIP_BACK(struct item, n, n);

  count_visit(n, f);
  drop(f, i->number);
  memset(&i->n, 0xee, sizeof(i->n)); /* as good as freed */
}

static void
a_visitor_may_free_every_node(void **ctx)
{
  static u32 (*const hashes[])(const struct gnode *n) = { hash_scattered, hash_equal, hash_sequential };
  struct fixture *f = *ctx;

  for (uint i = 0; i < ARRAY_SIZE(hashes); i++)
  {
    use_hash(f, hashes[i]);
    for (u32 k = 0; k < 5000; k++)
      put(f, k);
    walk_all(f, remove_and_free_visit);
    assert_int_equal(f->visited, 5000);
    assert_int_equal(f->h.count, 0);
  }
}

/* As a flush does it while others add: the walk goes on in a table that grows and shrinks at once. */
static void
emptying_walk_gets_all_that_was_there(void **ctx)
{
  struct fixture *f = *ctx;
  u32 pos = 0, next = STAYING;

  for (u32 i = 0; i < STAYING; i++)
    put(f, i);
  while (growhash_walk(&f->h, &pos, remove_and_free_visit, f))
    if (next < MANY)
      put(f, next++);
  for (u32 i = 0; i < STAYING; i++)
    assert_false(f->items[i].in);
}

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(every_node_is_found_while_the_table_grows, setup, teardown),
    cmocka_unit_test_setup_teardown(removal_works_in_the_middle_of_growth, setup, teardown),
    cmocka_unit_test_setup_teardown(chains_stay_short, setup, teardown),
    cmocka_unit_test_setup_teardown(a_walk_of_an_empty_table_ends, setup, teardown),
    cmocka_unit_test_setup_teardown(a_walk_visits_each_node_once_at_any_stage_of_growth, setup, teardown),
    cmocka_unit_test_setup_teardown(what_stays_is_visited_once_while_the_table_grows, setup, teardown),
    cmocka_unit_test_setup_teardown(what_comes_and_goes_once_is_visited_at_most_once, setup, teardown),
    cmocka_unit_test_setup_teardown(removals_between_steps_do_not_disturb, setup, teardown),
    cmocka_unit_test_setup_teardown(hostile_hashes_are_walked_all_the_same, setup, teardown),
    cmocka_unit_test_setup_teardown(equal_hashes_are_one_chain, setup, teardown),
    cmocka_unit_test_setup_teardown(a_visitor_may_free_every_node, setup, teardown),
    cmocka_unit_test_setup_teardown(emptying_walk_gets_all_that_was_there, setup, teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
