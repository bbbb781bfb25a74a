/* nest/password_test.c: when passwords are valid, which one signs, and how times are written */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "nest/password.h"

static struct password *
add(struct password_list *l, const char *secret, struct password_time generate, struct password_time accept)
{
  struct password *pw = password_add(l, (const byte *) secret, strlen(secret));

  pw->generate = generate;
  pw->accept = accept;
  return pw;
}

static const struct password_time always = { 0, BT_NEVER }, never = { 0, 0 };

/* Validity */

static void
the_first_moment_counts_and_the_last_does_not(void **ctx UNUSED)
{
  static const struct
  {
    struct password_time t;
    btime wall;
    bool valid;
  } edges[] = {
    { { 100, 200 }, 99, false },
    { { 100, 200 }, 100, true },
    { { 100, 200 }, 199, true },
    { { 100, 200 }, 200, false },
    { { 100, 200 }, 0, false },
    { { 0, BT_NEVER }, 0, true },
    { { 0, BT_NEVER }, BT_S(1u << 31), true },
    { { 100, BT_NEVER }, 99, false },
    { { 0, 100 }, 0, true },
    { { 100, 100 }, 100, false }, /* no time at all */
    { { 200, 100 }, 150, false },
    { { 200, 100 }, 250, false },
  };

  for (uint i = 0; i < ARRAY_SIZE(edges); i++)
    assert_int_equal(password_is_valid(&edges[i].t, edges[i].wall), edges[i].valid);
}

static void
a_password_is_valid_for_ever_and_numbered_by_its_place(void **ctx UNUSED)
{
  struct password_list *l = password_list_new(NULL);

  for (uint i = 0; i < 20; i++)
  {
    struct password *pw = password_add(l, (const byte *) "\0x", 2);

    assert_int_equal(pw->id, i + 1);
    assert_int_equal(pw->length, 2);
    assert_memory_equal(pw->secret, "\0x", 2);
    assert_true(password_is_valid(&pw->generate, 0) && password_is_valid(&pw->accept, BT_NEVER - 1));
  }
  assert_int_equal(l->count, 20);
  rfree(l);
}

/* Which one signs */

static const struct
{
  struct password_time generate[3];
  btime wall;
  int signs; /* -1: none */
} signers[] = {
  { { { 0, BT_NEVER }, { 0, BT_NEVER }, { 0, BT_NEVER } }, 500, 0 },
  { { { 0, BT_NEVER }, { 100, BT_NEVER }, { 50, BT_NEVER } }, 500, 1 },
  { { { 0, BT_NEVER }, { 100, BT_NEVER }, { 100, BT_NEVER } }, 500, 1 },
  { { { 0, BT_NEVER }, { 100, 500 }, { 50, 501 } }, 500, 2 },
  { { { 0, BT_NEVER }, { 501, BT_NEVER }, { 500, BT_NEVER } }, 500, 2 },
  { { { 0, BT_NEVER }, { 501, BT_NEVER }, { 600, 700 } }, 500, 0 },
  { { { 0, 500 }, { 501, BT_NEVER }, { 600, 550 } }, 500, -1 },
  { { { 100, 200 }, { 200, 300 }, { 300, 400 } }, 99, -1 },
  { { { 100, 200 }, { 200, 300 }, { 300, 400 } }, 100, 0 },
  { { { 100, 200 }, { 200, 300 }, { 300, 400 } }, 199, 0 },
  { { { 100, 200 }, { 200, 300 }, { 300, 400 } }, 200, 1 },
  { { { 100, 200 }, { 200, 300 }, { 300, 400 } }, 399, 2 },
  { { { 100, 200 }, { 200, 300 }, { 300, 400 } }, 400, -1 },
};

static void
the_one_whose_time_began_last_signs_then_the_first(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(signers); i++)
  {
    struct password_list *l = password_list_new(NULL);

    for (uint k = 0; k < 3; k++)
      add(l, "secret", signers[i].generate[k], never); /* acceptance is another matter */
    assert_ptr_equal(password_to_sign(l, 20, signers[i].wall),
                     signers[i].signs < 0 ? NULL : &l->list[signers[i].signs]);
    rfree(l);
  }
}

static void
an_empty_list_signs_with_nothing_and_never_changes(void **ctx UNUSED)
{
  struct password_list *l = password_list_new(NULL);

  assert_null(password_to_sign(l, 20, 0));
  assert_true(password_next_change(l, 0) == BT_NEVER);
  rfree(l);
}

/* The next change */

static void
the_next_change_is_the_nearest_edge_of_any_window(void **ctx UNUSED)
{
  static const struct
  {
    btime wall, next;
  } steps[] = { { 0, 100 },   { 99, 100 },  { 100, 150 }, { 149, 150 }, { 150, 200 },
                { 200, 300 }, { 299, 300 }, { 300, 400 }, { 399, 400 }, { 400, BT_NEVER } };
  struct password_list *l = password_list_new(NULL);

  add(l, "a", (struct password_time){ 100, 200 }, (struct password_time){ 0, 300 });
  add(l, "b", (struct password_time){ 150, BT_NEVER }, (struct password_time){ 100, 400 });
  add(l, "c", always, always);
  for (uint i = 0; i < ARRAY_SIZE(steps); i++)
    assert_true(password_next_change(l, steps[i].wall) == steps[i].next);
  rfree(l);
}

/* Walking from change to change misses none: between two of them nothing begins or ends. */
static void
between_two_changes_nothing_changes(void **ctx UNUSED)
{
  struct password_list *l = password_list_new(NULL);
  btime wall = 0, next;

  add(l, "a", (struct password_time){ 3, 11 }, (struct password_time){ 1, 17 });
  add(l, "b", (struct password_time){ 11, 40 }, (struct password_time){ 9, 47 });
  add(l, "c", (struct password_time){ 40, 30 }, (struct password_time){ 30, BT_NEVER });
  for (; (next = password_next_change(l, wall)) != BT_NEVER; wall = next)
  {
    assert_true(next > wall);
    for (btime t = wall; t < next; t++)
    {
      assert_ptr_equal(password_to_sign(l, 20, t), password_to_sign(l, 20, wall));
      for (uint i = 0; i < l->count; i++)
        assert_int_equal(password_is_valid(&l->list[i].accept, t),
                         password_is_valid(&l->list[i].accept, wall));
    }
  }
  assert_true(wall >= 47);
  rfree(l);
}

/* Copies and equality */

static struct password_list *
sample(void)
{
  struct password_list *l = password_list_new(NULL);

  add(l, "one", (struct password_time){ 1, 2 }, (struct password_time){ 3, 4 })->id = 77;
  add(l, "two", always, always);
  return l;
}

static void
a_copy_is_equal_and_its_own(void **ctx UNUSED)
{
  struct password_list *l = sample(), *copy = password_list_copy(NULL, l);

  assert_true(password_list_equal(l, copy));
  assert_ptr_not_equal(l->list[0].secret, copy->list[0].secret);
  rfree(l);
  assert_int_equal(copy->count, 2);
  assert_int_equal(copy->list[0].id, 77);
  assert_memory_equal(copy->list[0].secret, "one", 3);
  rfree(copy);
}

static void
change_nothing(struct password_list *l UNUSED)
{
}

static void
change_id(struct password_list *l)
{
  l->list[0].id++;
}

static void
change_secret(struct password_list *l)
{
  l->list[1].secret[2] ^= 1;
}

static void
change_length(struct password_list *l)
{
  l->list[1].length--;
}

static void
change_generate_from(struct password_list *l)
{
  l->list[0].generate.from++;
}

static void
change_generate_to(struct password_list *l)
{
  l->list[0].generate.to++;
}

static void
change_accept_from(struct password_list *l)
{
  l->list[0].accept.from++;
}

static void
change_accept_to(struct password_list *l)
{
  l->list[0].accept.to++;
}

static void
add_one(struct password_list *l)
{
  add(l, "three", always, always);
}

static void
swap(struct password_list *l)
{
  struct password pw = l->list[0];

  l->list[0] = l->list[1];
  l->list[1] = pw;
}

static void
every_part_counts_for_equality(void **ctx UNUSED)
{
  static void (*const changes[])(struct password_list * l) = {
    change_nothing,     change_id,          change_secret,    change_length, change_generate_from,
    change_generate_to, change_accept_from, change_accept_to, add_one,       swap,
  };

  for (uint i = 0; i < ARRAY_SIZE(changes); i++)
  {
    struct password_list *a = sample(), *b = sample();

    changes[i](b);
    assert_int_equal(password_list_equal(a, b), i == 0);
    assert_int_equal(password_list_equal(b, a), i == 0);
    rfree(a);
    rfree(b);
  }
}

static void
no_list_is_an_empty_list(void **ctx UNUSED)
{
  struct password_list *empty = password_list_new(NULL), *l = sample();

  assert_true(password_list_equal(NULL, NULL));
  assert_true(password_list_equal(NULL, empty));
  assert_true(password_list_equal(empty, NULL));
  assert_false(password_list_equal(NULL, l));
  assert_false(password_list_equal(l, NULL));
  rfree(empty);
  rfree(l);
}

/* Times */

static void
be_in(const char *zone)
{
  setenv("TZ", zone, 1);
  tzset();
}

#define UTC "UTC0"
#define PRAGUE "CET-1CEST,M3.5.0,M10.5.0/3"
#define SANTIAGO "<-04>4<-03>,M9.1.6/24,M4.1.6/24" /* a day that begins at one o'clock */

static const struct
{
  const char *zone, *text;
  btime seconds; /* -1: no time */
} times[] = {
  { UTC, "1970-01-02", 86400 },
  { UTC, "2026-12-31", 1798675200 },
  { UTC, "2026-12-31 00:00:00", 1798675200 },
  { UTC, "2026-12-31 23:59:59", 1798761599 },
  { UTC, "2038-01-20 00:00:00", 2147558400 },
  { UTC, "2106-02-08", 4295030400 },
  { UTC, "9999-12-31 23:59:59", 253402300799 },
  { UTC, "2024-02-29", 1709164800 },
  { UTC, "2026-02-29", -1 },
  { UTC, "2026-02-30", -1 },
  { UTC, "2026-04-31", -1 },
  { UTC, "2026-02-29 12:00:00", -1 },
  { UTC, "2026-13-01", -1 },
  { UTC, "2026-00-01", -1 },
  { UTC, "2026-01-00", -1 },
  { UTC, "2026-01-32", -1 },
  { UTC, "2026-01-01 24:00:00", -1 },
  { UTC, "2026-01-01 12:60:00", -1 },
  { UTC, "2026-01-01 12:00", -1 },
  { UTC, "2026-01-01 12:00:00 ", -1 },
  { UTC, "2026-01-01 12:00:00Z", -1 },
  { UTC, "2026-01-01x", -1 },
  { UTC, "2026-01", -1 },
  { UTC, "2026", -1 },
  { UTC, "12:00:00", -1 },
  { UTC, "tomorrow", -1 },
  { UTC, "", -1 },
  /* winter and summer; an hour that is not there, and one that is there twice */
  { PRAGUE, "2026-01-01 12:00:00", 1767265200 },
  { PRAGUE, "2026-07-01 12:00:00", 1782900000 },
  { PRAGUE, "2026-03-29 01:59:59", 1774745999 },
  { PRAGUE, "2026-03-29 03:00:00", 1774746000 },
  { PRAGUE, "2026-10-25 01:59:59", 1792886399 },
  { PRAGUE, "2026-10-25 03:00:00", 1792893600 },
  { SANTIAGO, "2026-09-05", 1788580800 },
  { SANTIAGO, "2026-09-06 01:00:00", 1788667200 },
  { SANTIAGO, "2026-09-07", 1788750000 },
};

static void
times_are_local_and_impossible_ones_are_refused(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(times); i++)
  {
    btime wall = 4711;
    bool ok;

    be_in(times[i].zone);
    ok = password_time_parse(times[i].text, &wall);
    if (ok != (times[i].seconds >= 0) || (ok && wall != BT_S(times[i].seconds)))
      fail_msg("%s in %s: %d, %lld", times[i].text, times[i].zone, ok, (long long) wall);
    assert_true(ok || wall == 4711);
  }
  be_in(UTC);
}

/* Whatever was read before: libc guesses from that. */
static void
a_time_in_the_hour_that_is_left_out_is_within_an_hour_of_it(void **ctx UNUSED)
{
  static const struct
  {
    const char *zone, *text;
    btime begins; /* the moment when the clock is set forward */
  } gaps[] = { { PRAGUE, "2026-03-29 02:00:00", 1774746000 },
               { PRAGUE, "2026-03-29 02:30:00", 1774746000 },
               { SANTIAGO, "2026-09-06", 1788667200 },
               { SANTIAGO, "2026-09-06 00:30:00", 1788667200 } };
  static const char *const before[] = { "2026-01-15", "2026-07-15" };

  for (uint i = 0; i < ARRAY_SIZE(gaps); i++)
    for (uint k = 0; k < ARRAY_SIZE(before); k++)
    {
      btime wall;

      be_in(gaps[i].zone);
      assert_true(password_time_parse(before[k], &wall));
      if (!password_time_parse(gaps[i].text, &wall))
        fail_msg("%s after %s", gaps[i].text, before[k]);
      assert_true(llabs(wall / 1000000 - gaps[i].begins) <= 3600);
    }
  be_in(UTC);
}

static void
an_hour_that_comes_twice_is_one_of_the_two(void **ctx UNUSED)
{
  btime wall;

  be_in(PRAGUE);
  assert_true(password_time_parse("2026-10-25 02:30:00", &wall));
  assert_true(wall == BT_S(1792888200) || wall == BT_S(1792891800));
  be_in(UTC);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_moment_counts_and_the_last_does_not),
    cmocka_unit_test(a_password_is_valid_for_ever_and_numbered_by_its_place),
    cmocka_unit_test(the_one_whose_time_began_last_signs_then_the_first),
    cmocka_unit_test(an_empty_list_signs_with_nothing_and_never_changes),
    cmocka_unit_test(the_next_change_is_the_nearest_edge_of_any_window),
    cmocka_unit_test(between_two_changes_nothing_changes),
    cmocka_unit_test(a_copy_is_equal_and_its_own),
    cmocka_unit_test(every_part_counts_for_equality),
    cmocka_unit_test(no_list_is_an_empty_list),
    cmocka_unit_test(times_are_local_and_impossible_ones_are_refused),
    cmocka_unit_test(a_time_in_the_hour_that_is_left_out_is_within_an_hour_of_it),
    cmocka_unit_test(an_hour_that_comes_twice_is_one_of_the_two),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
