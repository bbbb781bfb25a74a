/* lib/pool_test.c: what hangs in a pool goes with it, youngest first; arenas, and the lists beneath */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/pool.h"

/* A resource that notes when it is freed, and may free another one then. */
struct probe
{
  struct resource r;
  char name;
  struct probe *victim;
};

static char freed[32];

static void
probe_free(struct resource *r)
{
  struct probe *p = (struct probe *) r;
  size_t len = strlen(freed);

  freed[len] = p->name;
  freed[len + 1] = 0;
  rfree(p->victim);
}

static const struct resource_class probe_class = { .name = "Probe",
                                                   .size = sizeof(struct probe),
                                                   .free = probe_free };

static struct probe *
probe(pool *p, char name)
{
  struct probe *r = res_new(p, &probe_class);

  r->name = name;
  return r;
}

static int
forget_freed(void **ctx UNUSED)
{
  freed[0] = 0;
  return 0;
}

static void
a_pool_frees_the_youngest_first_and_sub_pools_in_their_place(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "outer");

  probe(p, 'a');
  pool *inner = pool_new(p, "inner");
  probe(p, 'b');
  probe(inner, 'x');
  probe(inner, 'y');
  rfree(p);
  assert_string_equal(freed, "byxa");
}

static void
a_resource_freed_by_hand_is_not_freed_again(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "test");
  struct probe *a = probe(p, 'a');

  probe(p, 'b');
  rfree(a);
  rfree(p);
  assert_string_equal(freed, "ab");
}

static void
a_resource_may_free_its_neighbours_while_the_pool_is_freed(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "test");
  struct probe *a = probe(p, 'a'), *b = probe(p, 'b'), *c = probe(p, 'c');

  probe(p, 'd');
  c->victim = a;
  b->victim = NULL;
  rfree(p);
  assert_string_equal(freed, "dcab");
}

static void
a_resource_may_hang_nowhere(void **ctx UNUSED)
{
  rfree(probe(NULL, 'a'));
  rfree(NULL);
  assert_string_equal(freed, "a");
}

static void
memory_comes_zeroed_and_aligned(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "test");

  for (size_t size = 0; size < 300; size++)
  {
    byte *mem = mb_alloc(p, size);

    assert_int_equal((uintptr_t) mem % _Alignof(max_align_t), 0);
    for (size_t i = 0; i < size; i++)
      assert_int_equal(mem[i], 0);
    memset(mem, 0xff, size);
    if (size % 2)
      mb_free(mem);
  }
  mb_free(NULL);
  rfree(p);
}

static void
reallocated_memory_keeps_its_content_and_its_pool(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "test");
  char *text = mb_strdup(p, "abc");

  for (size_t size = 4; size < 100000; size *= 3)
    text = mb_realloc(p, text, size);
  assert_string_equal(text, "abc");
  text = mb_realloc(p, text, 2);
  assert_memory_equal(text, "ab", 2);
  assert_non_null(mb_realloc(p, NULL, 10));
  rfree(p); /* the leak checker says the rest */
}

static void
the_size_counts_everything_below(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "outer"), *inner = pool_new(p, "inner");
  size_t empty = pool_size(p);

  mb_alloc(inner, 10000);
  assert_true(pool_size(p) >= empty + 10000);
  lp_alloc(lp_new(p), 50000);
  assert_true(pool_size(p) >= empty + 60000);
  rfree(inner);
  assert_true(pool_size(p) < empty + 60000);
  rfree(p);
}

static void
an_arena_gives_zeroed_aligned_pieces_that_do_not_overlap(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "test");
  struct linpool *lp = lp_new(p);
  byte *piece[400];

  for (size_t i = 1; i < ARRAY_SIZE(piece); i++)
  {
    size_t size = i % 7 ? i : i * 20;

    piece[i] = lp_alloc(lp, size);
    assert_int_equal((uintptr_t) piece[i] % _Alignof(max_align_t), 0);
    for (size_t k = 0; k < size; k++)
      assert_int_equal(piece[i][k], 0);
    memset(piece[i], i & 0xff, size);
  }
  for (size_t i = 1; i < ARRAY_SIZE(piece); i++)
    for (size_t k = 0; k < (i % 7 ? i : i * 20); k++)
      assert_int_equal(piece[i][k], i & 0xff);
  rfree(p);
}

static void
an_arena_takes_pieces_around_the_size_of_its_chunks(void **ctx UNUSED)
{
  for (size_t size = 1990; size < 4020; size++)
  {
    pool *p = pool_new(NULL, "test");
    struct linpool *lp = lp_new(p);

    lp_alloc(lp, 1);
    for (uint i = 0; i < 3; i++)
      memset(lp_alloc(lp, size), 0xff, size);
    *(byte *) lp_alloc(lp, 1) = 1;
    rfree(p);
  }
}

static void
an_arena_formats_text_of_any_length(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "test");
  struct linpool *lp = lp_new(p);
  static char big[10000];

  memset(big, 'x', sizeof(big) - 1);
  assert_string_equal(lp_sprintf(lp, "%s-%d", "a", 5), "a-5");
  assert_int_equal(strlen(lp_sprintf(lp, "<%s>", big)), sizeof(big) + 1);
  assert_string_equal(lp_strdup(lp, ""), "");
  assert_string_equal(lp_sprintf(lp, "%s", ""), "");
  rfree(p);
}

/* Lists */

struct item
{
  int n;
  struct node node;
};

static void
list_holds(struct list *l, const char *digits)
{
  struct item *i;
  char got[16] = "";
  uint count = 0;

  LIST_WALK (i, l, node)
    got[count++] = '0' + i->n;
  assert_string_equal(got, digits);
  assert_int_equal(list_empty(l), count == 0);
  assert_true((list_first(l) == NULL) == (count == 0));
}

static void
lists_keep_their_order_and_splice_behind(void **ctx UNUSED)
{
  struct list a, b;
  struct item i[6];

  list_init(&a);
  list_init(&b);
  list_splice(&a, &b);
  list_holds(&a, "");
  for (int k = 0; k < 6; k++)
  {
    i[k] = (struct item){ .n = k };
    list_add_tail(k < 3 ? &a : &b, &i[k].node);
  }
  list_splice(&a, &b);
  list_holds(&a, "012345");
  list_holds(&b, "");
  list_splice(&a, &b);
  list_holds(&a, "012345");
  list_splice(&b, &a);
  list_holds(&b, "012345");
  list_remove(&i[0].node);
  list_remove(&i[3].node);
  list_remove(&i[5].node);
  list_remove(&i[5].node); /* once more does nothing */
  list_holds(&b, "124");
  assert_false(node_linked(&i[5].node));
  node_insert_after(&i[1].node, &i[5].node);
  list_holds(&b, "1524");
}

static void
a_safe_walk_allows_removing_where_it_stands(void **ctx UNUSED)
{
  struct list l;
  struct item i[5], *k;

  list_init(&l);
  for (int n = 0; n < 5; n++)
  {
    i[n] = (struct item){ .n = n };
    list_add_tail(&l, &i[n].node);
  }
  LIST_WALK_SAFE (k, &l, node)
    if (k->n % 2 == 0)
      list_remove(&k->node);
  list_holds(&l, "13");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_pool_frees_the_youngest_first_and_sub_pools_in_their_place, forget_freed),
    cmocka_unit_test_setup(a_resource_freed_by_hand_is_not_freed_again, forget_freed),
    cmocka_unit_test_setup(a_resource_may_free_its_neighbours_while_the_pool_is_freed, forget_freed),
    cmocka_unit_test_setup(a_resource_may_hang_nowhere, forget_freed),
    cmocka_unit_test(memory_comes_zeroed_and_aligned),
    cmocka_unit_test(reallocated_memory_keeps_its_content_and_its_pool),
    cmocka_unit_test(the_size_counts_everything_below),
    cmocka_unit_test(an_arena_gives_zeroed_aligned_pieces_that_do_not_overlap),
    cmocka_unit_test(an_arena_takes_pieces_around_the_size_of_its_chunks),
    cmocka_unit_test(an_arena_formats_text_of_any_length),
    cmocka_unit_test(lists_keep_their_order_and_splice_behind),
    cmocka_unit_test(a_safe_walk_allows_removing_where_it_stands),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
