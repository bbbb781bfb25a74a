/* lib/wheel_test.c: the wheel against a naive model that looks at every entry */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/random.h"
#include "lib/wheel.h"

#define GRANULE (1 << WHEEL_GRANULE_BITS)
#define REACH ((btime) GRANULE << (WHEEL_SLOT_BITS * WHEEL_LEVELS))

#define ENTRIES 300

struct model
{
  struct wheel w;
  btime now;
  struct wheel_entry e[ENTRIES];
  btime deadline[ENTRIES]; /* BT_NEVER: not in the wheel */
  struct rng rng;
};

static struct model m; /* a wheel is large */

static void
model_init(btime now, u64 seed)
{
  m = (struct model){ .now = now, .rng = { seed } };
  wheel_init(&m.w, now);
  for (uint i = 0; i < ENTRIES; i++)
    m.deadline[i] = BT_NEVER;
}

static void
model_set(uint i, btime deadline)
{
  wheel_set(&m.w, &m.e[i], deadline);
  m.deadline[i] = deadline;
}

static void
model_unset(uint i)
{
  wheel_unset(&m.e[i]);
  m.deadline[i] = BT_NEVER;
}

static btime
model_first(void)
{
  btime first = BT_NEVER;

  for (uint i = 0; i < ENTRIES; i++)
    first = MIN(first, m.deadline[i]);
  return first;
}

/* All that is due comes out, and nothing else; entries remember their deadlines. */
static void
model_advance(btime now)
{
  struct list due;
  struct node *n;

  list_init(&due);
  m.now = now;
  wheel_advance(&m.w, now, &due);
  while ((n = list_first(&due)))
  {
    struct wheel_entry *e = SKIP_BACK(struct wheel_entry, n, n);
    uint i = e - m.e;

    assert_true(m.deadline[i] != BT_NEVER);
    assert_true(e->deadline == m.deadline[i]);
    assert_true(e->deadline <= now);
    model_unset(i);
    assert_false(wheel_is_set(e));
  }
  assert_true(model_first() > now);
}

static void
assert_next_is_not_late(void)
{
  btime next = wheel_next(&m.w), first = model_first();

  assert_true(next <= first);
  if (first == BT_NEVER)
    assert_true(next == BT_NEVER);
}

/* Distances of every order of magnitude, also backwards. */
static btime
random_distance(void)
{
  btime distance = (btime) (rng_u32(&m.rng) & 0xffff) << rng_below(&m.rng, 28);

  return rng_below(&m.rng, 8) ? distance : -distance;
}

static void
agrees_with_the_model(btime start, u64 seed, uint rounds)
{
  model_init(start, seed);
  for (uint k = 0; k < rounds; k++)
  {
    uint i = rng_below(&m.rng, ENTRIES);

    switch (rng_below(&m.rng, 10))
    {
    case 0:
      model_unset(i);
      break;
    case 1:
      model_advance(m.now + rng_below(&m.rng, 3 * GRANULE));
      break;
    case 2:
      model_advance(m.now + rng_below(&m.rng, 1u << rng_below(&m.rng, 31)));
      break;
    case 3:
      assert_next_is_not_late();
      if (wheel_next(&m.w) != BT_NEVER)
        model_advance(MAX(m.now, wheel_next(&m.w)));
      break;
    default:
      model_set(i, m.now + random_distance());
    }
    assert_next_is_not_late();
  }
  model_advance(m.now + 40 * REACH);
  assert_true(model_first() == BT_NEVER);
  assert_true(wheel_next(&m.w) == BT_NEVER);
}

static void
nothing_is_early_or_late_or_lost(void **ctx UNUSED)
{
  for (uint seed = 0; seed < 20; seed++)
    agrees_with_the_model(BT_S(1000) + seed, seed, 4000);
}

static void
nothing_is_early_or_late_or_lost_where_levels_turn_over(void **ctx UNUSED)
{
  for (uint level = 1; level <= WHEEL_LEVELS; level++)
    for (int before = -1; before <= 3; before++)
    {
      btime turn = (btime) GRANULE << (WHEEL_SLOT_BITS * level);

      agrees_with_the_model(3 * turn - before * GRANULE, level, 1000);
      agrees_with_the_model(256 * turn - before, level + 10, 1000);
    }
}

static void
following_wheel_next_meets_every_deadline_to_the_microsecond(void **ctx UNUSED)
{
  for (uint seed = 0; seed < 20; seed++)
  {
    uint steps = 0;

    model_init(BT_S(50000), seed);
    for (uint i = 0; i < ENTRIES; i++)
      model_set(i, m.now + (rng_u32(&m.rng) & 0x7fffffff));
    for (btime next; (next = wheel_next(&m.w)) != BT_NEVER; steps++)
    {
      btime first = model_first();

      assert_true(next <= first);
      assert_true(next > m.now || next == first);
      model_advance(next);
      if (next == first)
        assert_true(model_first() > first);
    }
    assert_true(steps <= ENTRIES * WHEEL_LEVELS); /* woken for nothing at most once for each level */
  }
}

static void
an_empty_wheel_never_wakes(void **ctx UNUSED)
{
  model_init(12345, 1);
  assert_true(wheel_next(&m.w) == BT_NEVER);
  model_set(0, 99999);
  model_unset(0);
  assert_true(wheel_next(&m.w) == BT_NEVER);
  model_advance(BT_S(1));
  assert_true(wheel_next(&m.w) == BT_NEVER);
}

static void
overdue_and_immediate_deadlines_come_with_the_next_advance(void **ctx UNUSED)
{
  static const btime deadlines[] = { -5, 0, 1, BT_S(100) - 1, BT_S(100) };

  for (uint i = 0; i < ARRAY_SIZE(deadlines); i++)
  {
    model_init(BT_S(100), 1);
    model_set(0, deadlines[i]);
    assert_true(wheel_next(&m.w) <= BT_S(100));
    model_advance(BT_S(100));
    assert_false(wheel_is_set(&m.e[0]));
  }
}

static void
entries_of_one_granule_come_each_at_its_own_time(void **ctx UNUSED)
{
  model_init(0, 1);
  for (uint i = 0; i < GRANULE; i++)
    model_set(i, 10 * GRANULE + i);
  for (uint i = 0; i < GRANULE; i++)
  {
    assert_true(wheel_next(&m.w) == 10 * GRANULE + i);
    model_advance(10 * GRANULE + i);
  }
}

static void
deadlines_past_the_reach_wait_their_turns(void **ctx UNUSED)
{
  static const btime far[] = { REACH - 1, REACH, REACH + 1, 2 * REACH + 777, 5 * REACH };

  model_init(BT_S(77), 1);
  for (uint i = 0; i < ARRAY_SIZE(far); i++)
    model_set(i, m.now + far[i]);
  for (uint wakes = 0; wheel_next(&m.w) != BT_NEVER; wakes++)
  {
    assert_next_is_not_late();
    model_advance(wheel_next(&m.w));
    assert_true(wakes < 100);
  }
}

static void
never_is_never_due(void **ctx UNUSED)
{
  struct list due;

  model_init(BT_S(5), 1);
  wheel_set(&m.w, &m.e[0], BT_NEVER);
  list_init(&due);
  for (uint i = 0; i < 10; i++)
    wheel_advance(&m.w, m.now += REACH, &due);
  assert_true(list_empty(&due));
  assert_true(wheel_is_set(&m.e[0]));
}

static void
a_jump_of_years_brings_everything_at_once(void **ctx UNUSED)
{
  model_init(BT_S(1), 1);
  for (uint i = 0; i < ENTRIES; i++)
    model_set(i, m.now + (rng_u32(&m.rng) & 0xffff) * (btime) (1 << rng_below(&m.rng, 20)));
  model_advance(m.now + BT_S(86400) * 3650);
  assert_true(model_first() == BT_NEVER);
}

static void
time_that_stands_still_or_goes_back_does_no_harm(void **ctx UNUSED)
{
  model_init(BT_S(9), 1);
  model_set(0, BT_S(9) + 100000);
  model_advance(BT_S(9) + 50000);
  model_advance(BT_S(9) + 50000);
  model_advance(BT_S(8));
  model_set(1, BT_S(9) + 60000);
  model_advance(BT_S(9) + 60000);
  assert_false(wheel_is_set(&m.e[1]));
  model_advance(BT_S(9) + 100000);
  assert_false(wheel_is_set(&m.e[0]));
}

static void
due_entries_may_be_taken_back_or_set_anew(void **ctx UNUSED)
{
  struct list due;
  uint count = 0;

  model_init(BT_S(3), 1);
  for (uint i = 0; i < 10; i++)
    model_set(i, m.now + i);
  list_init(&due);
  wheel_advance(&m.w, m.now + GRANULE, &due);
  wheel_unset(&m.e[3]); /* whoever handles the first frees the others */
  wheel_unset(&m.e[9]);
  wheel_set(&m.w, &m.e[5], m.now + 5000);
  for (struct node *n; (n = list_first(&due)); count++)
    list_remove(n);
  assert_int_equal(count, 7);
  assert_true(wheel_next(&m.w) <= m.now + 5000);
  wheel_advance(&m.w, m.now + 5000, &due);
  assert_ptr_equal(list_first(&due), &m.e[5].n);
}

static void
unsetting_what_is_not_set_is_harmless(void **ctx UNUSED)
{
  struct wheel_entry e = { .deadline = 5 };

  wheel_unset(&e);
  wheel_unset(&e);
  assert_false(wheel_is_set(&e));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_is_early_or_late_or_lost),
    cmocka_unit_test(nothing_is_early_or_late_or_lost_where_levels_turn_over),
    cmocka_unit_test(following_wheel_next_meets_every_deadline_to_the_microsecond),
    cmocka_unit_test(an_empty_wheel_never_wakes),
    cmocka_unit_test(overdue_and_immediate_deadlines_come_with_the_next_advance),
    cmocka_unit_test(entries_of_one_granule_come_each_at_its_own_time),
    cmocka_unit_test(deadlines_past_the_reach_wait_their_turns),
    cmocka_unit_test(never_is_never_due),
    cmocka_unit_test(a_jump_of_years_brings_everything_at_once),
    cmocka_unit_test(time_that_stands_still_or_goes_back_does_no_harm),
    cmocka_unit_test(due_entries_may_be_taken_back_or_set_anew),
    cmocka_unit_test(unsetting_what_is_not_set_is_harmless),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
