/*
 * proto/bfd/share_test.c: requests of one session that differ in whom they believe, and keys that come and go
 *
 * The clock is the real one: times of validity are chosen around now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/bfd/provider_fixture.h"
#include "sysdep/clock.h"

#define LIMIT BT_S(10)
#define TYPE BFD_AUTH_KEYED_SHA1

/* Options */

static const struct password_time always = { 0, BT_NEVER }, never = { 0, 0 };

struct secret
{
  const char *text;
  struct password_time generate, accept;
};

/* Numbered from 1. They live as long as the fixture. */
static struct bfd_options
with_secrets(struct fixture *f, enum bfd_auth_type auth, const struct secret *s, uint count)
{
  struct password_list *l = password_list_new(f->pool);

  for (uint i = 0; i < count; i++)
  {
    struct password *pw = password_add(l, (const byte *) s[i].text, strlen(s[i].text));

    pw->generate = s[i].generate;
    pw->accept = s[i].accept;
  }
  return (struct bfd_options){ .set = BFD_OPT_AUTH | BFD_OPT_PASSWORDS,
                               .guard = { .auth = auth, .passwords = l } };
}

static struct bfd_options
with_secret(struct fixture *f, const char *text)
{
  return with_secrets(f, TYPE, &(struct secret){ text, always, always }, 1);
}

/* The block of all interfaces. */
static struct bfd_iface_config *
any_interface(struct fixture *f, const char *text)
{
  static const struct iface_pattern any = { .mask = "*", .positive = true };
  struct bfd_iface_config *block = mb_alloc(f->pool, sizeof(*block));

  block->pattern = (struct iface_pattern *) &any;
  block->options = with_secret(f, text);
  list_add_tail(&f->cf.ifaces, &block->n);
  return block;
}

static struct bfd_options
with_min_ttl(u8 ttl)
{
  return (struct bfd_options){ .set = BFD_OPT_MIN_TTL, .guard = { .min_ttl = ttl } };
}

static struct client *
ask_for(struct fixture *f, const struct bfd_options *o)
{
  return ask(f, "10.0.0.7", NULL, o);
}

/* One that relies on BFD alone. */
static struct client *
ask_blindly(struct fixture *f, const struct bfd_options *o)
{
  struct bfd_peer peer = { .remote = ip("10.0.0.7"), .client = "blind" };

  return ask_peer(f, &peer, o);
}

/* What the engine was told last */

static void
expect_secret(const struct fixture *f, uint i, const char *text, bool generate, bool accept)
{
  const struct bfd_secret *s = &ring_keys(&f->keys)->secret[i];

  assert_true(i < ring_keys(&f->keys)->count);
  assert_int_equal(s->length, strlen(text));
  assert_memory_equal(s->data, text, s->length);
  assert_int_equal(s->generate, generate);
  assert_int_equal(s->accept, accept);
}

static void
expect_key(const struct fixture *f, const char *text, bool gently)
{
  assert_int_equal(f->last.keys.type, TYPE);
  assert_int_equal(ring_keys(&f->keys)->count, 1);
  expect_secret(f, 0, text, true, true);
  assert_int_equal(f->last.keys_patience > 0, gently);
}

static void
expect_status(struct fixture *f, const struct client *c, u8 state, bool failed)
{
  settle(f);
  assert_int_equal(bfd_request_status(c->r).state, state);
  assert_int_equal(c->last.state, state);
  assert_int_equal(c->last.failed, failed);
}

/* Differing */

static void
a_request_that_differs_waits_and_reads_as_admin_down(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *old, *other, *same;

  eth0_up();
  old = ask_for(f, &one);
  other = ask_for(f, &two);
  same = ask_for(f, &one);
  told(f, "A1");
  expect_key(f, "one", false);
  note(f, 1, BFD_UP, false);
  expect_status(f, old, BFD_UP, false);
  expect_status(f, same, BFD_UP, false);
  expect_status(f, other, BFD_ADMIN_DOWN, false);
  note(f, 1, BFD_DOWN, true);
  expect_status(f, old, BFD_DOWN, true);
  expect_status(f, other, BFD_ADMIN_DOWN, false); /* nothing of it concerns that one */
}

/* Whatever is part of the guard; "no authentication" is what those have who say nothing. */
static void
every_part_of_the_guard_counts(void **ctx)
{
  struct fixture *f = *ctx;
  struct secret plain = { "one", always, always }, ends = { "one", always, { 0, BT_S(4e9) } };
  struct secret numbered[] = { { "two", never, never }, plain };
  struct bfd_options one = with_secret(f, "one"), same = with_secret(f, "one");
  const struct bfd_options others[] = {
    { 0 },
    { .set = BFD_OPT_AUTH },
    with_min_ttl(3),
    with_secrets(f, BFD_AUTH_METICULOUS_SHA1, &plain, 1),
    with_secrets(f, TYPE, &ends, 1),
    with_secrets(f, TYPE, numbered, 2),
  };
  struct client *c;

  eth0_up();
  ask_for(f, &one);
  c = ask_for(f, &same);
  expect_status(f, c, BFD_DOWN, false);
  for (uint i = 0; i < ARRAY_SIZE(others); i++)
  {
    c = ask_for(f, &others[i]);
    expect_status(f, c, BFD_ADMIN_DOWN, false);
    rfree(c->r);
  }
  told(f, "A1");
}

static void
nothing_said_is_no_authentication(void **ctx)
{
  static const struct bfd_options none = { .set = BFD_OPT_AUTH };
  struct fixture *f = *ctx;
  struct client *c;

  eth0_up();
  ask_for(f, NULL);
  c = ask_for(f, &none);
  expect_status(f, c, BFD_DOWN, false);
  told(f, "A1");
  assert_int_equal(f->last.keys.type, BFD_AUTH_NONE);
}

static void
intervals_are_those_of_the_requests_that_agree(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *other;

  one.set |= BFD_OPT_MIN_RX;
  one.min_rx = 50000;
  two.set |= BFD_OPT_MIN_RX;
  two.min_rx = 1000;
  eth0_up();
  ask_for(f, &one);
  other = ask_for(f, &two);
  told(f, "A1");
  assert_int_equal(f->last.params.min_rx, 50000);
  two.guard = one.guard;
  bfd_request_change(other->r, &two);
  told(f, "C1");
  assert_int_equal(f->last.params.min_rx, 1000);
}

static void
when_the_oldest_goes_the_next_oldest_decides(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *a, *b, *c, *d;

  eth0_up();
  a = ask_for(f, &one);
  b = ask_for(f, &two);
  c = ask_for(f, &one);
  d = ask_for(f, &two);
  told(f, "A1");
  note(f, 1, BFD_UP, false);
  settle(f);
  rfree(a->r);
  told(f, "C1");
  expect_key(f, "two", true);
  expect_status(f, b, BFD_UP, false);
  expect_status(f, d, BFD_UP, false);
  expect_status(f, c, BFD_ADMIN_DOWN, false);
  rfree(b->r);
  told(f, "C1"); /* c is the oldest now */
  expect_key(f, "one", true);
  expect_status(f, c, BFD_UP, false);
  expect_status(f, d, BFD_ADMIN_DOWN, false);
}

static void
the_last_that_agrees_leaves_the_session_to_those_that_wait(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *a, *b;

  eth0_up();
  a = ask_for(f, &one);
  b = ask_for(f, &two);
  rfree(a->r);
  told(f, "A1 C1");
  expect_key(f, "two", true);
  rfree(b->r);
  told(f, "R1");
}

static void
one_that_waits_goes_without_a_word(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *a, *b;

  eth0_up();
  a = ask_for(f, &one);
  b = ask_for(f, &two);
  rfree(b->r);
  told(f, "A1");
  rfree(a->r);
  told(f, "R1");
}

static void
a_reload_can_make_them_agree_or_differ(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *old, *young;

  eth0_up();
  old = ask_for(f, &one);
  young = ask_for(f, &two);
  told(f, "A1");
  note(f, 1, BFD_UP, false);
  expect_status(f, young, BFD_ADMIN_DOWN, false);
  bfd_request_change(young->r, &one); /* the young one comes over */
  told(f, "");
  expect_status(f, young, BFD_UP, false);
  bfd_request_change(young->r, &two); /* and away again: it was Up, but that is no failure */
  told(f, "");
  expect_status(f, young, BFD_ADMIN_DOWN, false);
  bfd_request_change(old->r, &two); /* the old one follows */
  told(f, "C1");
  expect_key(f, "two", true);
  expect_status(f, young, BFD_UP, false);
  expect_status(f, old, BFD_UP, false);
}

/* The same word in both lines of the configuration: nobody is meant to notice. */
static void
a_reload_that_changes_all_of_them_alike_disturbs_nobody(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *old, *young;

  eth0_up();
  old = ask_for(f, &one);
  young = ask_blindly(f, &one);
  settle(f);
  note(f, 1, BFD_UP, false);
  expect_status(f, young, BFD_UP, false);
  bfd_request_change(old->r, &two);
  bfd_request_change(young->r, &two);
  expect_status(f, young, BFD_UP, false);
}

static void
a_reload_of_the_interface_block_disturbs_nobody(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_iface_config *block = any_interface(f, "one");
  struct client *old, *young;
  uint calls;

  eth0_up();
  old = ask_for(f, NULL);
  young = ask_blindly(f, NULL);
  told(f, "A1");
  expect_key(f, "one", false);
  note(f, 1, BFD_UP, false);
  expect_status(f, young, BFD_UP, false);
  calls = old->calls + young->calls;
  block->options = with_secret(f, "one"); /* in another list of passwords */
  bfd_provide_again(&f->p);
  told(f, "");
  block->options = with_secret(f, "two");
  bfd_provide_again(&f->p);
  told(f, "C1");
  expect_key(f, "two", true);
  assert_int_equal(old->calls + young->calls, calls);
}

static void
what_a_request_says_comes_before_the_interface_block(void **ctx)
{
  static const struct bfd_options none = { .set = BFD_OPT_AUTH };
  struct fixture *f = *ctx;
  struct bfd_options two = with_secret(f, "two");

  any_interface(f, "one");
  eth0_up();
  ask(f, "10.0.0.8", NULL, &two);
  told(f, "A1");
  expect_key(f, "two", false);
  ask(f, "10.0.0.9", NULL, &none);
  told(f, "A2");
  assert_int_equal(f->last.keys.type, BFD_AUTH_NONE);
  assert_int_equal(f->last.keys.count, 0);
}

static void
min_ttl_is_told_and_is_no_compromise(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options low = with_min_ttl(3), high = with_min_ttl(200);
  struct bfd_peer peer = { .hop = BFD_MULTIHOP, .remote = ip("192.0.2.7"), .local = ip("10.0.0.1") };
  struct client *c;

  peer.client = "test";
  eth0_up();
  ask_peer(f, &peer, &low);
  c = ask_peer(f, &peer, &high);
  told(f, "A1");
  assert_int_equal(f->last.params.min_ttl, 3);
  expect_status(f, c, BFD_ADMIN_DOWN, true);
}

static void
min_ttl_means_nothing_to_direct_sessions(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options low = with_min_ttl(3), high = with_min_ttl(200);
  struct client *c;

  eth0_up();
  ask_for(f, &low);
  c = ask_for(f, &high);
  expect_status(f, c, BFD_DOWN, false);
}

/* Hooks that free their request */

struct leaver
{
  struct bfd_request *r;
  u8 leaves_in;
};

static void
leaver_hook(struct bfd_request *r, const struct bfd_status *st, void *data)
{
  struct leaver *l = data;

  if (st->state != l->leaves_in)
    return;
  l->r = NULL;
  rfree(r);
}

static struct leaver *
ask_until(struct fixture *f, u8 state, const struct bfd_options *o)
{
  struct bfd_peer peer = { .remote = ip("10.0.0.7"), .client = "leaver" };
  struct leaver *l = mb_alloc(f->pool, sizeof(*l));

  l->leaves_in = state;
  l->r = bfd_request_new(f->pool, &peer, o, leaver_hook, l);
  return l;
}

static void
a_hook_may_free_its_request_when_it_is_set_aside_or_taken_back(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct leaver *old, *aside, *back, *last;

  eth0_up();
  old = ask_until(f, BFD_UP, &one);
  aside = ask_until(f, BFD_ADMIN_DOWN, &two);
  back = ask_until(f, BFD_UP, &two);
  last = ask_until(f, BFD_DOWN, &two);
  settle(f);
  assert_null(aside->r);
  assert_non_null(back->r);
  f->told[0] = 0;
  note(f, 1, BFD_UP, false);
  told(f, "C1"); /* the oldest went, then the one that was told that it is Up */
  assert_null(old->r);
  assert_null(back->r);
  assert_non_null(last->r);
  note(f, 1, BFD_DOWN, true);
  told(f, "R1");
}

/* Times of validity */

/* Until the engine is told something; what. */
static void
told_in_time(struct fixture *f, const char *expected, btime not_before)
{
  for (btime end = clock_now() + LIMIT; !f->told[0] && clock_now() < end; usleep(2000))
    settle(f);
  assert_true(clock_wall() >= not_before);
  assert_string_equal(f->told, expected);
  f->told[0] = 0;
}

static void
keys_change_when_their_time_comes_and_not_gently(void **ctx)
{
  struct fixture *f = *ctx;
  btime t = clock_wall() + BT_MS(500), gone = t + BT_MS(300);
  struct secret keys[] = { { "one", { 0, t }, { 0, gone } }, { "two", { t, BT_NEVER }, always } };
  struct bfd_options o = with_secrets(f, TYPE, keys, 2);

  eth0_up();
  ask_for(f, &o);
  told(f, "A1");
  expect_secret(f, 0, "one", true, true);
  expect_secret(f, 1, "two", false, true);
  told_in_time(f, "C1", t);
  expect_secret(f, 0, "one", false, true);
  expect_secret(f, 1, "two", true, true);
  assert_int_equal(f->last.keys_patience, BFD_KEYS_TICK);
  told_in_time(f, "C1", gone);
  expect_key(f, "two", false);
  assert_false(timer_is_set(f->p.key_timer));
}

static void
a_key_that_ends_leaves_nothing_to_sign_with(void **ctx)
{
  struct fixture *f = *ctx;
  btime t = clock_wall() + BT_MS(300);
  struct secret key = { "one", { 0, t }, { 0, t } };
  struct bfd_options o = with_secrets(f, TYPE, &key, 1);

  eth0_up();
  ask_for(f, &o);
  told(f, "A1");
  expect_key(f, "one", false);
  told_in_time(f, "C1", t);
  assert_int_equal(f->last.keys.type, TYPE);
  assert_int_equal(f->last.keys.count, 0);
}

/* Not "unsigned": authentication without a key. */
static void
authentication_without_passwords_is_not_the_lack_of_it(void **ctx)
{
  static const struct bfd_options bare = { .set = BFD_OPT_AUTH, .guard = { .auth = TYPE } };
  struct fixture *f = *ctx;

  eth0_up();
  ask_for(f, &bare);
  told(f, "A1");
  assert_int_equal(f->last.keys.type, TYPE);
  assert_int_equal(f->last.keys.count, 0);
}

static void
passwords_without_authentication_are_not_used(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options o = with_secret(f, "one");

  o.set &= ~BFD_OPT_AUTH;
  o.guard.auth = BFD_AUTH_NONE;
  eth0_up();
  ask_for(f, &o);
  told(f, "A1");
  assert_int_equal(f->last.keys.type, BFD_AUTH_NONE);
  assert_int_equal(f->last.keys.count, 0);
  assert_false(timer_is_set(f->p.key_timer));
}

/* Centuries ahead, and then one that comes soon. */
static void
a_far_time_does_not_hide_a_near_one(void **ctx)
{
  struct fixture *f = *ctx;
  btime t = clock_wall() + BT_MS(300);
  struct secret far = { "far", { 0, BT_S(253402300799) }, { BT_S(4e9), BT_S(8e9) } };
  struct secret near = { "near", { 0, t }, always };
  struct bfd_options o[] = { with_secrets(f, TYPE, &far, 1), with_secrets(f, TYPE, &near, 1) };

  eth0_up();
  ask(f, "10.0.0.8", NULL, &o[0]);
  told(f, "A1");
  expect_secret(f, 0, "far", true, false);
  assert_true(timer_is_set(f->p.key_timer));
  ask(f, "10.0.0.9", NULL, &o[1]);
  told(f, "A2");
  told_in_time(f, "C2", t);
  expect_secret(f, 0, "near", false, true);
  assert_true(timer_is_set(f->p.key_timer)); /* for the far one */
}

/* 6.7.1 holds for the reload; a minute of validity that happens to begin then must not undo it. */
static void
a_time_of_validity_does_not_cut_a_gradual_change_short(void **ctx)
{
  struct fixture *f = *ctx;
  btime t = clock_wall() + BT_MS(300);
  struct secret next[] = { { "two", always, always }, { "three", never, { t, BT_NEVER } } };
  struct bfd_options one = with_secret(f, "one"), two = with_secrets(f, TYPE, next, 2);
  struct client *c;

  eth0_up();
  c = ask_for(f, &one);
  settle(f);
  note(f, 1, BFD_UP, false);
  bfd_request_change(c->r, &two);
  told(f, "A1 C1");
  expect_key(f, "two", true);
  told_in_time(f, "C1", t);
  expect_secret(f, 1, "three", false, true);
  assert_int_equal(f->last.keys_patience, BFD_KEYS_TICK); /* which leaves a change as it is */
}

/* The block of the interface names the type, the line the passwords, so nobody has compared the two. */
static void
a_password_too_long_for_the_type_does_not_hide_one_that_fits(void **ctx)
{
  struct fixture *f = *ctx;
  struct secret keys[] = { { "0123456789abcdefghij", always, always }, { "short", always, always } };
  struct bfd_options o = with_secrets(f, BFD_AUTH_KEYED_MD5, keys, 2);

  eth0_up();
  ask_for(f, &o);
  told(f, "A1");
  assert_int_equal(ring_keys(&f->keys)->count, 1);
  expect_secret(f, 0, "short", true, true);
}

static void
a_password_too_long_for_the_type_is_left_out(void **ctx)
{
  struct fixture *f = *ctx;
  struct secret keys[] = { { "short", always, always }, { "0123456789abcdefg", never, always } };
  struct bfd_options o = with_secrets(f, BFD_AUTH_KEYED_MD5, keys, 2);

  eth0_up();
  ask_for(f, &o);
  told(f, "A1");
  assert_int_equal(f->last.keys.count, 1);
  expect_secret(f, 0, "short", true, true);
}

/* What a session leaves behind */

static void
a_removal_carries_no_secrets(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one");
  struct client *c;

  eth0_up();
  c = ask_for(f, &one);
  told(f, "A1");
  rfree(c->r);
  told(f, "R1");
  assert_int_equal(f->removed_keys, 0);
}

static void
a_session_asked_for_again_gets_its_keys_again(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *c;

  eth0_up();
  for (uint i = 0; i < 3; i++)
  {
    c = ask_for(f, i % 2 ? &two : &one);
    settle(f);
    expect_key(f, i % 2 ? "two" : "one", false);
    rfree(c->r);
  }
  told(f, "A1 R1 A2 R2 A3 R3");
}

static void
keys_that_changed_without_a_path_are_told_with_it(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_options one = with_secret(f, "one"), two = with_secret(f, "two");
  struct client *c;

  c = ask(f, "10.0.0.7", "eth0", &one);
  bfd_request_change(c->r, &two);
  told(f, "");
  eth0_up();
  told(f, "A1");
  expect_key(f, "two", false);
  carrier_lost(5, "eth0");
  told(f, "C1");
  bfd_request_change(c->r, &one);
  told(f, "C1");
  expect_key(f, "one", true);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_request_that_differs_waits_and_reads_as_admin_down),
    TEST(every_part_of_the_guard_counts),
    TEST(nothing_said_is_no_authentication),
    TEST(intervals_are_those_of_the_requests_that_agree),
    TEST(when_the_oldest_goes_the_next_oldest_decides),
    TEST(the_last_that_agrees_leaves_the_session_to_those_that_wait),
    TEST(one_that_waits_goes_without_a_word),
    TEST(a_reload_can_make_them_agree_or_differ),
    TEST(a_reload_that_changes_all_of_them_alike_disturbs_nobody),
    TEST(a_reload_of_the_interface_block_disturbs_nobody),
    TEST(what_a_request_says_comes_before_the_interface_block),
    TEST(min_ttl_is_told_and_is_no_compromise),
    TEST(min_ttl_means_nothing_to_direct_sessions),
    TEST(a_hook_may_free_its_request_when_it_is_set_aside_or_taken_back),
    TEST(keys_change_when_their_time_comes_and_not_gently),
    TEST(a_key_that_ends_leaves_nothing_to_sign_with),
    TEST(authentication_without_passwords_is_not_the_lack_of_it),
    TEST(passwords_without_authentication_are_not_used),
    TEST(a_far_time_does_not_hide_a_near_one),
    TEST(a_time_of_validity_does_not_cut_a_gradual_change_short),
    TEST(a_password_too_long_for_the_type_does_not_hide_one_that_fits),
    TEST(a_password_too_long_for_the_type_is_left_out),
    TEST(a_removal_carries_no_secrets),
    TEST(a_session_asked_for_again_gets_its_keys_again),
    TEST(keys_that_changed_without_a_path_are_told_with_it),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
