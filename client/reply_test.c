/* client/reply_test.c: framing, cut at every byte, and hostile input */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/reply.h"
#include "lib/pool.h"

/* Events as text, one per line: kind, code, flags, text. */
struct seen
{
  size_t len;
  char text[4096];
};

static void
record(const struct reply_event *e, void *data)
{
  struct seen *s = data;

  s->len +=
      snprintf(s->text + s->len, sizeof(s->text) - s->len, "%c%04u%s%s%s:%.*s\n", "LAB"[e->kind], e -> code,
               e -> coded ? "c" : "", e->final ? "f" : "", e->cut ? "x" : "", (int) e->len, e->text);
  assert_true(s->len < sizeof(s->text));
}

/* Feed an exact-size copy, so that reading past its end is caught. */
static void
feed_copy(struct reply_reader *r, const char *bytes, size_t size, reply_hook *hook, void *data)
{
  char *copy = msg_alloc(size);

  memcpy(copy, bytes, size);
  reply_feed(r, copy, size, hook, data);
  msg_free(copy);
}

/* @input in three pieces, for every pair of places to cut it. */
static void
expect(const char *input, size_t size, size_t max_line, const char *events)
{
  for (size_t i = 0; i <= size; i++)
    for (size_t j = i; j <= size; j++)
    {
      pool *p = pool_new(NULL, "test");
      struct reply_reader *r = reply_new(p, max_line);
      struct seen s = {};
      feed_copy(r, input, i, record, &s);
      feed_copy(r, input + i, j - i, record, &s);
      feed_copy(r, input + j, size - j, record, &s);
      assert_string_equal(s.text, events);
      rfree(p);
    }
}

#define EXPECT(input, max_line, events) expect(input, sizeof(input) - 1, max_line, events)

static void
replies_are_framed_wherever_they_are_cut(void **ctx UNUSED)
{
  EXPECT("0001 BIRD 2.0.12 ready.\n", 100, "L0001cf:BIRD 2.0.12 ready.\n");
  EXPECT("1000-a\n1011-b\n c\n \n1012-\n0013 d\n", 100,
         "L1000c:a\nL1011c:b\nL1011:c\nL1011:\nL1012c:\nL0013cf:d\n");
  EXPECT("1002-a\n  b\n0000 \n9001 no\n", 100, "L1002c:a\nL1002: b\nL0000cf:\nL9001cf:no\n");
  EXPECT("1000-a\n 1000 b\n0000 \n", 100, "L1000c:a\nL1000:1000 b\nL0000cf:\n");
}

static void
log_lines_do_not_disturb_the_reply_around_them(void **ctx UNUSED)
{
  EXPECT("+x\n1000-a\n++y\n b\n+\n0000 \n+ z\n", 100,
         "A0000:x\nL1000c:a\nA0000:+y\nL1000:b\nA0000:\nL0000cf:\nA0000: z\n");
}

static void
lines_of_no_known_form_are_told_apart(void **ctx UNUSED)
{
  EXPECT("\n", 100, "B0000:\n");
  EXPECT("12 x\n1000\n1000+x\n100\n-100-x\n1 00 x\ngarbage\n", 100,
         "B0000:12 x\nB0000:1000\nB0000:1000+x\nB0000:100\nB0000:-100-x\nB0000:1 00 x\nB0000:garbage\n");
  EXPECT("\xff\xfe\x80\n", 100, "B0000:\xff\xfe\x80\n");
}

static void
a_continuation_needs_a_code_to_inherit(void **ctx UNUSED)
{
  EXPECT(" a\n1000-b\n c\n0000 \n d\n", 100, "B0000: a\nL1000c:b\nL1000:c\nL0000cf:\nB0000: d\n");
}

static void
unfinished_lines_are_no_events(void **ctx UNUSED)
{
  EXPECT("0000 ", 100, "");
  EXPECT("1000-a\n 1", 100, "L1000c:a\n");
}

static void
long_lines_are_cut_and_the_next_is_whole(void **ctx UNUSED)
{
  EXPECT("1000-abcdefgh\n0000 x\n", 10, "L1000cx:abcde\nL0000cf:x\n");
  EXPECT("1000-abcde\n0000 x\n", 10, "L1000c:abcde\nL0000cf:x\n");
  EXPECT("0000 abcdef\n+abcdefghijk\n", 10, "L0000cfx:abcde\nA0000x:abcdefghi\n");
  EXPECT("1000 abc\n", 3, "B0000x:100\n");
}

static void
count_bytes(const struct reply_event *e, void *data)
{
  *(size_t *) data += e->len;
}

static void
an_endless_line_takes_bounded_memory(void **ctx UNUSED)
{
  static const char chunk[4096] = "1000-";
  enum
  {
    LIMIT = 100000
  };
  pool *p = pool_new(NULL, "test");
  struct reply_reader *r = reply_new(p, LIMIT);
  size_t total = 0;

  for (uint i = 0; i < 1000; i++)
    reply_feed(r, chunk, sizeof(chunk), count_bytes, &total);
  assert_int_equal(total, 0);
  assert_true(pool_size(p) < LIMIT + 4096);
  reply_feed(r, "\n", 1, count_bytes, &total);
  assert_int_equal(total, LIMIT - 5);
  rfree(p);
}

static void
nul_is_a_byte_like_any_other(void **ctx UNUSED)
{
  static const char input[] = "1000-a\0b\n\0\n0000 \n";
  pool *p = pool_new(NULL, "test");
  size_t total = 0;

  feed_copy(reply_new(p, 100), input, sizeof(input) - 1, count_bytes, &total);
  assert_int_equal(total, 3 + 1);
  rfree(p);
}

static void
random_bytes_never_crash_and_never_depend_on_the_cut(void **ctx UNUSED)
{
  static const char letters[] = "0011 -+\n\n\0ax\xff";

  srand(1);
  for (uint round = 0; round < 300; round++)
  {
    char input[40];
    for (uint i = 0; i < sizeof(input); i++)
      input[i] = letters[rand() % (sizeof(letters) - 1)];

    pool *p = pool_new(NULL, "test");
    struct seen whole = {}, single = {};
    feed_copy(reply_new(p, 16), input, sizeof(input), record, &whole);
    struct reply_reader *r = reply_new(p, 16);
    for (uint i = 0; i < sizeof(input); i++)
      feed_copy(r, input + i, 1, record, &single);
    assert_int_equal(whole.len, single.len);
    assert_memory_equal(whole.text, single.text, whole.len);
    rfree(p);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(replies_are_framed_wherever_they_are_cut),
    cmocka_unit_test(log_lines_do_not_disturb_the_reply_around_them),
    cmocka_unit_test(lines_of_no_known_form_are_told_apart),
    cmocka_unit_test(a_continuation_needs_a_code_to_inherit),
    cmocka_unit_test(unfinished_lines_are_no_events),
    cmocka_unit_test(long_lines_are_cut_and_the_next_is_whole),
    cmocka_unit_test(an_endless_line_takes_bounded_memory),
    cmocka_unit_test(nul_is_a_byte_like_any_other),
    cmocka_unit_test(random_bytes_never_crash_and_never_depend_on_the_cut),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
