/*
 * nest/bfd_watch_test.c: watchers and inspections, with providers whose sessions are a list of names
 *
 * A session is the last byte of its address, written as a letter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/bfd_watch.h"

struct fixture
{
  pool *pool;
};

static int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  bfd_init(f->pool, loop_new(f->pool, "test"));
  *ctx = f;
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

static struct bfd_key
key_of(char name)
{
  return (struct bfd_key){ .hop = BFD_DIRECT, .ifname = "eth0", .remote = ip_v4(0xc0000200 + name) };
}

/* --- Providers --- */

struct provider
{
  struct bfd_provider *pv;
  char sessions[16];
  u32 known[16]; /* the generation that has been told of each */
  uint announced;
  struct list inspections;
};

static void
news(char name, enum bfd_news_kind kind, u8 state)
{
  struct bfd_key key = key_of(name);
  struct bfd_news n = {
    .kind = kind, .key = &key, .status = { .state = state }, .local_disc = name, .at = 42
  };

  bfd_watch_tell(&n);
}

/* All sessions of @p this generation has not heard of. */
static void
tell_sessions(struct provider *p)
{
  u32 generation = bfd_watch_generation();

  for (uint i = 0; p->sessions[i]; i++)
    if (p->known[i] != generation)
    {
      p->known[i] = generation;
      if (generation)
        news(p->sessions[i], BFD_NEWS_SESSION, BFD_DOWN);
    }
}

static bool
accepts(struct bfd_provider *pv UNUSED, const struct bfd_request *r UNUSED)
{
  return false;
}

static void
nothing(struct bfd_provider *pv UNUSED, struct bfd_request *r UNUSED)
{
}

static void
announce(struct bfd_provider *pv)
{
  struct provider *p = pv->data;

  p->announced++;
}

static bool
inspect(struct bfd_provider *pv, struct bfd_inspection *q)
{
  struct provider *p = pv->data;

  for (uint i = 0; p->sessions[i]; i++)
  {
    struct bfd_key key = key_of(p->sessions[i]);

    if (!bfd_key_equal(&key, &q->key))
      continue;
    list_add_tail(&p->inspections, &q->n);
    return true;
  }
  return false;
}

static const struct bfd_provider_ops full_ops = { .accepts = accepts,
                                                  .serve = nothing,
                                                  .change = nothing,
                                                  .withdraw = nothing,
                                                  .announce = announce,
                                                  .inspect = inspect };

static const struct bfd_provider_ops bare_ops = {
  .accepts = accepts, .serve = nothing, .change = nothing, .withdraw = nothing
};

static struct provider *
provider_new(struct fixture *f, const char *sessions, const struct bfd_provider_ops *ops)
{
  struct provider *p = mb_alloc(f->pool, sizeof(*p));

  strcpy(p->sessions, sessions);
  list_init(&p->inspections);
  p->pv = bfd_provider_new(f->pool, "bfd", ops, p);
  return p;
}

/* --- Watchers --- */

struct watcher
{
  struct bfd_watch *w;
  char told[64]; /* per news its kind, + = -, and the session */
  struct bfd_watch *victim;
  struct watcher *breeds;
  pool *pool;
  struct bfd_news last;
};

static void watch(pool *p, struct watcher *w);

static void
watch_hook(const struct bfd_news *n, void *data)
{
  struct watcher *w = data;
  size_t len = strlen(w->told);

  assert_true(len + 2 < sizeof(w->told));
  w->told[len] = "+=~-"[n->kind];
  w->told[len + 1] = (char) (n->key->remote.w[3] & 0xff);
  w->last = *n;
  if (w->breeds)
    watch(w->pool, w->breeds);
  w->breeds = NULL;

  struct bfd_watch *victim = w->victim;

  w->victim = NULL;
  rfree(victim);
}

static void
watch(pool *p, struct watcher *w)
{
  *w = (struct watcher){ .pool = p };
  w->w = bfd_watch_new(p, watch_hook, w);
}

static void
watchers_hear_of_all_sessions_of_all_providers_in_order(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *one = provider_new(f, "abc", &full_ops), *two = provider_new(f, "x", &full_ops);
  struct watcher w;

  watch(f->pool, &w);
  assert_string_equal(w.told, ""); /* not from inside of the call */
  assert_int_equal(one->announced, 1);
  assert_int_equal(two->announced, 1);
  tell_sessions(one);
  tell_sessions(two);
  assert_string_equal(w.told, "+a+b+c+x");
}

static void
news_come_as_they_were_told(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  watch(f->pool, &w);
  news('a', BFD_NEWS_SESSION, BFD_DOWN);
  news('b', BFD_NEWS_SESSION, BFD_DOWN);
  news('a', BFD_NEWS_STATE, BFD_UP);
  assert_int_equal(w.last.kind, BFD_NEWS_STATE);
  assert_int_equal(w.last.status.state, BFD_UP);
  assert_int_equal(w.last.local_disc, 'a');
  assert_int_equal(w.last.at, 42);
  news('a', BFD_NEWS_GONE, BFD_ADMIN_DOWN);
  news('b', BFD_NEWS_STATE, BFD_INIT);
  assert_string_equal(w.told, "+a+b=a-a=b");
}

static void
a_session_may_be_told_of_again_for_who_came_later(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p = provider_new(f, "ab", &full_ops);
  struct watcher early, late;

  watch(f->pool, &early);
  tell_sessions(p);
  tell_sessions(p); /* those that are known are not told of twice */
  assert_string_equal(early.told, "+a+b");
  watch(f->pool, &late);
  assert_int_equal(p->announced, 2);
  tell_sessions(p);
  assert_string_equal(late.told, "+a+b");
  assert_string_equal(early.told, "+a+b+a+b");
}

static void
watchers_are_told_in_the_order_in_which_they_came(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w[3];

  for (uint i = 0; i < ARRAY_SIZE(w); i++)
    watch(f->pool, &w[i]);
  w[0].victim = w[2].w; /* not the next one */
  news('a', BFD_NEWS_SESSION, BFD_DOWN);
  assert_string_equal(w[0].told, "+a");
  assert_string_equal(w[1].told, "+a");
  assert_string_equal(w[2].told, ""); /* it has gone before its turn */
}

static void
nobody_watches_in_generation_0_and_each_watcher_begins_a_new_one(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher a, b, c;
  u32 first, second;

  assert_int_equal(bfd_watch_generation(), 0);
  watch(f->pool, &a);
  first = bfd_watch_generation();
  assert_true(first > 0);
  watch(f->pool, &b);
  second = bfd_watch_generation();
  assert_true(second > first);
  rfree(a.w);
  assert_int_equal(bfd_watch_generation(), second);
  rfree(b.w);
  assert_int_equal(bfd_watch_generation(), 0);
  watch(f->pool, &c); /* sessions the others heard of are news to it */
  assert_true(bfd_watch_generation() > second);
}

static void
a_provider_that_announces_nothing_is_left_alone(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *bare = provider_new(f, "ab", &bare_ops), *full = provider_new(f, "c", &full_ops);
  struct watcher w;
  struct bfd_key key = key_of('a');

  watch(f->pool, &w);
  assert_int_equal(bare->announced, 0);
  assert_int_equal(full->announced, 1);
  assert_false(bfd_inspect(f->pool, &key, NULL, NULL));
}

static void
news_without_watchers_are_lost(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  news('a', BFD_NEWS_SESSION, BFD_DOWN);
  watch(f->pool, &w);
  assert_string_equal(w.told, "");
}

/* --- Watchers that go --- */

static void
a_watcher_that_has_gone_hears_nothing(void **ctx)
{
  struct fixture *f = *ctx;
  pool *mine = pool_new(f->pool, "Mine");
  struct watcher w, other;

  watch(mine, &w);
  watch(f->pool, &other);
  rfree(mine);
  news('a', BFD_NEWS_SESSION, BFD_DOWN);
  assert_string_equal(w.told, "");
  assert_string_equal(other.told, "+a");
}

static void
a_watcher_may_free_itself_in_its_hook(void **ctx)
{
  struct fixture *f = *ctx;

  for (uint quits = 0; quits < 3; quits++)
  {
    struct watcher w[3];

    for (uint i = 0; i < ARRAY_SIZE(w); i++)
      watch(f->pool, &w[i]);
    w[quits].victim = w[quits].w;
    news('a', BFD_NEWS_SESSION, BFD_DOWN);
    news('a', BFD_NEWS_STATE, BFD_UP);
    for (uint i = 0; i < ARRAY_SIZE(w); i++)
    {
      assert_string_equal(w[i].told, i == quits ? "+a" : "+a=a");
      if (i != quits)
        rfree(w[i].w);
    }
  }
  assert_int_equal(bfd_watch_generation(), 0);
}

static void
all_watchers_may_free_themselves_at_once(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w[3];

  for (uint i = 0; i < ARRAY_SIZE(w); i++)
  {
    watch(f->pool, &w[i]);
    w[i].victim = w[i].w;
  }
  news('a', BFD_NEWS_SESSION, BFD_DOWN);
  news('b', BFD_NEWS_SESSION, BFD_DOWN);
  for (uint i = 0; i < ARRAY_SIZE(w); i++)
    assert_string_equal(w[i].told, "+a");
  assert_int_equal(bfd_watch_generation(), 0);
}

static void
a_hook_may_free_a_watcher_that_was_told_before(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w[3];

  for (uint i = 0; i < ARRAY_SIZE(w); i++)
    watch(f->pool, &w[i]);
  w[1].victim = w[0].w;
  news('a', BFD_NEWS_SESSION, BFD_DOWN);
  news('b', BFD_NEWS_SESSION, BFD_DOWN);
  assert_string_equal(w[0].told, "+a");
  assert_string_equal(w[1].told, "+a+b");
  assert_string_equal(w[2].told, "+a+b");
}

static void
a_hook_may_begin_to_watch(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p = provider_new(f, "a", &full_ops);
  struct watcher w, bred;

  watch(f->pool, &w);
  w.breeds = &bred;
  tell_sessions(p);
  assert_string_equal(w.told, "+a");
  assert_int_equal(p->announced, 2);
  tell_sessions(p); /* the new one is owed all of them */
  assert_string_equal(w.told, "+a+a");
  assert_non_null(strstr(bred.told, "+a"));
}

/* --- Inspections --- */

struct answer
{
  uint calls;
  bool gone;
  char session;
  pool *victim;
  const struct bfd_key *again; /* ask for that in turn */
  pool *pool;
};

static void
answer_hook(const struct bfd_details *d, void *data)
{
  struct answer *a = data;
  const struct bfd_key *again = a->again;

  a->calls++;
  a->gone = !d;
  a->session = d ? (char) (d->key->remote.w[3] & 0xff) : 0;
  a->again = NULL;
  if (again)
    assert_true(bfd_inspect(a->pool, again, answer_hook, a));
  rfree(a->victim);
}

static bool
ask(pool *p, char session, struct answer *a)
{
  struct bfd_key key = key_of(session);
  bool there;

  *a = (struct answer){ .pool = p };
  there = bfd_inspect(p, &key, answer_hook, a);
  key = key_of('!'); /* it was borrowed for the call */
  assert_int_equal(a->calls, 0);
  return there;
}

static uint
waiting(const struct provider *p)
{
  struct bfd_inspection *q;
  uint count = 0;

  LIST_WALK (q, &p->inspections, n)
    count++;
  return count;
}

static void
answer_first(struct provider *p, bool there)
{
  struct bfd_inspection *q = SKIP_BACK(struct bfd_inspection, n, list_first(&p->inspections));
  struct bfd_key key = q->key;
  struct bfd_details d = { .key = &key, .provider = "bfd" };

  bfd_inspection_answer(q, there ? &d : NULL);
}

static void
an_inspection_is_answered_once_by_who_has_the_session(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *one = provider_new(f, "ab", &full_ops), *two = provider_new(f, "bx", &full_ops);
  struct answer a, b, x;

  assert_true(ask(f->pool, 'x', &x));
  assert_true(ask(f->pool, 'a', &a));
  assert_true(ask(f->pool, 'b', &b)); /* both have it: the older one answers */
  assert_int_equal(waiting(one), 2);
  assert_int_equal(waiting(two), 1);
  answer_first(two, true);
  answer_first(one, true);
  answer_first(one, true);
  assert_int_equal(x.session, 'x');
  assert_int_equal(a.session, 'a');
  assert_int_equal(b.session, 'b');
  assert_int_equal(a.calls + b.calls + x.calls, 3);
  assert_int_equal(waiting(one) + waiting(two), 0);
}

static void
what_no_provider_has_cannot_be_inspected(void **ctx)
{
  struct fixture *f = *ctx;
  struct answer a;

  assert_false(ask(f->pool, 'a', &a));
  provider_new(f, "ab", &full_ops);
  assert_false(ask(f->pool, 'c', &a));
  assert_int_equal(a.calls, 0);
}

static void
a_session_that_has_gone_is_answered_with_nothing(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p = provider_new(f, "a", &full_ops);
  struct answer a;

  assert_true(ask(f->pool, 'a', &a));
  answer_first(p, false);
  assert_int_equal(a.calls, 1);
  assert_true(a.gone);
}

static void
freeing_the_pool_cancels_its_inspections_and_no_others(void **ctx)
{
  struct fixture *f = *ctx;
  pool *mine = pool_new(f->pool, "Mine");
  struct provider *p = provider_new(f, "abc", &full_ops);
  struct answer a, b, c;

  assert_true(ask(mine, 'a', &a));
  assert_true(ask(f->pool, 'b', &b));
  assert_true(ask(mine, 'c', &c));
  rfree(mine);
  assert_int_equal(waiting(p), 1);
  answer_first(p, true);
  assert_int_equal(b.session, 'b');
  assert_int_equal(a.calls + c.calls, 0);
}

static void
an_answer_may_free_the_pool_it_was_asked_from(void **ctx)
{
  struct fixture *f = *ctx;
  pool *mine = pool_new(f->pool, "Mine");
  struct provider *p = provider_new(f, "ab", &full_ops);
  struct answer a, b;

  assert_true(ask(mine, 'a', &a));
  assert_true(ask(mine, 'b', &b));
  a.victim = mine;
  answer_first(p, true);
  assert_int_equal(a.calls, 1);
  assert_int_equal(b.calls, 0);
  assert_int_equal(waiting(p), 0);
}

static void
an_answer_may_ask_again(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p = provider_new(f, "ab", &full_ops);
  struct bfd_key key = key_of('b');
  struct answer a;

  assert_true(ask(f->pool, 'a', &a));
  a.again = &key;
  answer_first(p, true);
  assert_int_equal(a.calls, 1);
  assert_int_equal(waiting(p), 1);
  answer_first(p, true);
  assert_int_equal(a.calls, 2);
  assert_int_equal(a.session, 'b');
}

static void
the_same_session_may_be_asked_for_many_times(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p = provider_new(f, "a", &full_ops);
  struct answer a[20];

  for (uint i = 0; i < ARRAY_SIZE(a); i++)
    assert_true(ask(f->pool, 'a', &a[i]));
  assert_int_equal(waiting(p), ARRAY_SIZE(a));
  for (uint i = 0; i < ARRAY_SIZE(a); i++)
  {
    answer_first(p, i % 2);
    assert_int_equal(a[i].calls, 1);
    assert_int_equal(a[i].gone, !(i % 2));
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(watchers_hear_of_all_sessions_of_all_providers_in_order),
    TEST(news_come_as_they_were_told),
    TEST(a_session_may_be_told_of_again_for_who_came_later),
    TEST(watchers_are_told_in_the_order_in_which_they_came),
    TEST(nobody_watches_in_generation_0_and_each_watcher_begins_a_new_one),
    TEST(a_provider_that_announces_nothing_is_left_alone),
    TEST(news_without_watchers_are_lost),
    TEST(a_watcher_that_has_gone_hears_nothing),
    TEST(a_watcher_may_free_itself_in_its_hook),
    TEST(all_watchers_may_free_themselves_at_once),
    TEST(a_hook_may_free_a_watcher_that_was_told_before),
    TEST(a_hook_may_begin_to_watch),
    TEST(an_inspection_is_answered_once_by_who_has_the_session),
    TEST(what_no_provider_has_cannot_be_inspected),
    TEST(a_session_that_has_gone_is_answered_with_nothing),
    TEST(freeing_the_pool_cancels_its_inspections_and_no_others),
    TEST(an_answer_may_free_the_pool_it_was_asked_from),
    TEST(an_answer_may_ask_again),
    TEST(the_same_session_may_be_asked_for_many_times),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
