/*
 * proto/monitor/frame_test.c: streams, in pieces of all sizes
 *
 * What is looked at is always a heap block of exactly its size. What comes of a stream is written down as
 * text: objects as they are, in angle brackets, and for each refusal S(yntax), D(eep) or L(ong).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/monitor/frame.h"

struct reader
{
  struct mon_framer framer;
  char *in; /* what is not yet done with */
  size_t len;
  char *found;
  size_t found_len, found_size;
};

static void
note(struct reader *r, const char *text, size_t size)
{
  while (r->found_len + size + 1 > r->found_size)
    r->found = realloc(r->found, r->found_size = 2 * r->found_size + 64);
  memcpy(r->found + r->found_len, text, size);
  r->found_len += size;
  r->found[r->found_len] = 0;
}

/* All but @used bytes, in a block of their own. */
static void
drop(struct reader *r, size_t used)
{
  char *rest = malloc(r->len - used ? r->len - used : 1);

  memcpy(rest, r->in + used, r->len - used);
  free(r->in);
  r->in = rest;
  r->len -= used;
}

static enum mon_frame
read_one(struct reader *r)
{
  static const char letters[] = { [MON_FRAME_SYNTAX] = 'S', [MON_FRAME_DEEP] = 'D', [MON_FRAME_LONG] = 'L' };
  size_t begin = SIZE_MAX, end = SIZE_MAX;
  enum mon_frame frame = mon_frame_next(&r->framer, r->in, r->len, &begin, &end);

  assert_true(begin <= end && end <= r->len);
  if (frame == MON_FRAME_OBJECT)
  {
    assert_int_equal(r->in[begin], '{');
    assert_true(r->in[end - 1] == '}' || r->in[end - 1] == ']');
    note(r, "<", 1);
    note(r, r->in + begin, end - begin);
    note(r, ">", 1);
  }
  else if (frame != MON_FRAME_NONE)
    note(r, &letters[frame], 1);
  drop(r, frame == MON_FRAME_NONE ? begin : end);
  return frame;
}

static void
feed(struct reader *r, const char *data, size_t size)
{
  char *joined = malloc(r->len + size ? r->len + size : 1);
  uint calls = 0;

  if (r->len)
    memcpy(joined, r->in, r->len);
  memcpy(joined + r->len, data, size);
  free(r->in);
  r->in = joined;
  r->len += size;
  while (read_one(r) != MON_FRAME_NONE)
    assert_true(++calls < 1000000); /* it comes to an end */
}

static void
start(struct reader *r)
{
  *r = (struct reader){ 0 };
  note(r, "", 0);
}

static void
finish(struct reader *r)
{
  free(r->in);
  free(r->found);
}

static void
expect_cut(const char *data, size_t size, const size_t *pieces, uint count, const char *expected)
{
  struct reader r;

  start(&r);
  for (uint i = 0; i < count; i++)
  {
    feed(&r, data, pieces[i]);
    data += pieces[i];
    size -= pieces[i];
  }
  feed(&r, data, size);
  assert_string_equal(r.found, expected);
  finish(&r);
}

/* Whole, in equal pieces of all sizes, and at all pairs of places. */
static void
expect_sized(const char *data, size_t size, const char *expected)
{
  size_t *each = calloc(size + 1, sizeof(*each));

  for (size_t piece = 1; piece <= size; piece++)
  {
    for (size_t i = 0; i < size / piece; i++)
      each[i] = piece;
    expect_cut(data, size, each, size / piece, expected);
  }
  free(each);
  for (size_t a = 0; a <= size; a++)
    for (size_t b = a; b <= size; b++)
      expect_cut(data, size, (size_t[]){ a, b - a }, 2, expected);
}

static void
expect(const char *stream, const char *expected)
{
  expect_sized(stream, strlen(stream), expected);
}

/* --- Objects --- */

static void
what_is_between_objects_does_not_matter(void **ctx UNUSED)
{
  expect("", "");
  expect(" \t\r\n\n", "");
  expect("{}", "<{}>");
  expect("{}{}", "<{}><{}>");
  expect("{}\n{}\n", "<{}><{}>");
  expect("  {} \r\n\t {}", "<{}><{}>");
  expect("{\"a\":1}{\"b\":2}\n\n{\"c\":3}", "<{\"a\":1}><{\"b\":2}><{\"c\":3}>");
}

static void
newlines_and_blanks_may_be_inside(void **ctx UNUSED)
{
  expect("{\n}", "<{\n}>");
  expect("{\r\n \"a\" :\n 1 ,\n\t\"b\":\n[\n1\n,\n2\n]\n}\n{}",
         "<{\r\n \"a\" :\n 1 ,\n\t\"b\":\n[\n1\n,\n2\n]\n}><{}>");
}

static void
objects_in_objects_may_begin_on_a_new_line(void **ctx UNUSED)
{
  expect("{\"a\":\n{\n\"b\":1}}", "<{\"a\":\n{\n\"b\":1}}>");
  expect("{\"a\":[\n{}\n,\n{}\n]}", "<{\"a\":[\n{}\n,\n{}\n]}>");
}

static void
what_is_quoted_is_no_structure(void **ctx UNUSED)
{
  expect("{\"}\":\"{[]}\"}", "<{\"}\":\"{[]}\"}>");
  expect("{\"a\":\" { \"}", "<{\"a\":\" { \"}>");
  expect("{\"a\":\"]]]]]]]]]]]]\"}", "<{\"a\":\"]]]]]]]]]]]]\"}>");
}

static void
an_escaped_quote_does_not_end_a_string(void **ctx UNUSED)
{
  expect("{\"\\\"}\":1}", "<{\"\\\"}\":1}>");
  expect("{\"\\\\\":1}", "<{\"\\\\\":1}>");
  expect("{\"\\\\\\\"}\":1}{}", "<{\"\\\\\\\"}\":1}><{}>");
  expect("{\"\\u0022}\":1}", "<{\"\\u0022}\":1}>");
  expect("{\"\\n\\\\\"}{}", "<{\"\\n\\\\\"}><{}>");
}

static void
bytes_beyond_ascii_are_left_alone(void **ctx UNUSED)
{
  expect("{\"\u00e9\":\"\u20ac\"}", "<{\"\u00e9\":\"\u20ac\"}>");
  expect("{\"\xff\xfe\x80\x7f\":1}", "<{\"\xff\xfe\x80\x7f\":1}>"); /* no UTF-8: a matter of the parser */
}

/* A bracket for a brace is for the parser to refuse; here it closes. */
static void
what_closes_counts_and_not_how(void **ctx UNUSED)
{
  expect("{]{}", "<{]><{}>");
  expect("{\"a\":[1}]{}", "<{\"a\":[1}]><{}>");
}

/* --- Every way to cut --- */

/* @cuts: bit i is set where the stream is cut behind byte i. */
static void
cut_by_bits(const char *stream, u32 cuts, const char *expected)
{
  size_t pieces[32], size = strlen(stream), at = 0;
  uint count = 0;

  for (size_t i = 0; i + 1 < size; i++)
    if (cuts & (1u << i))
    {
      pieces[count++] = i + 1 - at;
      at = i + 1;
    }
  expect_cut(stream, size, pieces, count, expected);
}

static void
every_way_to_cut_a_stream_gives_the_same(void **ctx UNUSED)
{
  static const struct
  {
    const char *stream, *expected;
  } streams[] = {
    { "{\"\\\"\":[]} {}\n", "<{\"\\\"\":[]}><{}>" },
    { "{\"a\n{}x{}\n{}", "S<{}>S<{}>" },
    { "x{}\n{\"a\"\n{}{", "SS<{}>" },
    { "{\"\\\\\"}{{}\n{}", "<{\"\\\\\"}>S<{}>" },
    { "{1\n{2\n{}\n}\n{}", "SS<{}>S<{}>" },
  };

  for (uint i = 0; i < ARRAY_SIZE(streams); i++)
    for (u32 cuts = 0; cuts < 1u << (strlen(streams[i].stream) - 1); cuts++)
      cut_by_bits(streams[i].stream, cuts, streams[i].expected);
}

static void
a_prefix_of_an_object_is_no_object_yet(void **ctx UNUSED)
{
  static const char object[] =
      " {\"cmd\":\"sub\\\\\\\"}\",\n\"session\": [{\"a\":{}} , {\n}], \"\u00e9\":-1.5e3}";

  for (size_t len = 0; len < sizeof(object) - 1; len++)
  {
    struct mon_framer f = { 0 };
    char *copy = memcpy(malloc(len ? len : 1), object, len);
    size_t begin, end;

    assert_int_equal(mon_frame_next(&f, copy, len, &begin, &end), MON_FRAME_NONE);
    assert_int_equal(begin, len ? 1 : 0);
    free(copy);
  }
  expect(object, "<{\"cmd\":\"sub\\\\\\\"}\",\n\"session\": [{\"a\":{}} , {\n}], \"\u00e9\":-1.5e3}>");
}

static void
nothing_is_kept_of_what_is_no_begin_of_an_object(void **ctx UNUSED)
{
  static const char *const nothing[] = { " ",     "\n\n\r\t ", "{} ",
                                         "x",     "xxxxx\n",   "{{ still the same line",
                                         "{\"\n " };

  for (uint i = 0; i < ARRAY_SIZE(nothing); i++)
  {
    struct reader r;

    start(&r);
    feed(&r, nothing[i], strlen(nothing[i]));
    assert_int_equal(r.len, 0);
    finish(&r);
  }
}

/* --- Refusals --- */

static void
control_characters_in_strings_are_refused_at_once(void **ctx UNUSED)
{
  for (char c = 0; c < ' '; c++)
  {
    char stream[] = { '{', '"', c, '"', '}', '\n', '{', '}' };

    /* A newline ends what is skipped: behind it is a line of its own. */
    expect_sized(stream, sizeof(stream), c == '\n' ? "SS<{}>" : "S<{}>");
    expect_sized(stream, 3, "S");
  }
}

static void
control_characters_after_a_backslash_are_refused_too(void **ctx UNUSED)
{
  for (char c = 0; c < ' '; c++)
  {
    char stream[] = { '{', '"', '\\', c, '\n', '{', '}' };

    expect_sized(stream, sizeof(stream), "S<{}>");
  }
}

static void
control_characters_outside_of_strings_are_refused_but_for_blanks(void **ctx UNUSED)
{
  for (char c = 0; c < ' '; c++)
  {
    bool blank = c == '\t' || c == '\n' || c == '\r';
    char inside[] = { '{', c, '}', '\n', '{', '}' };
    char before[] = { c, '{', '}', '\n', '{', '}' };
    char good[] = { '<', '{', c, '}', '>', '<', '{', '}', '>', 0 };

    expect_sized(inside, sizeof(inside), blank ? good : "S<{}>");
    expect_sized(before, sizeof(before), blank ? "<{}><{}>" : "S<{}>");
  }
}

static void
garbage_is_refused_once_up_to_its_newline(void **ctx UNUSED)
{
  expect("garbage", "S");
  expect("garbage {} [\"\n{}", "S<{}>");
  expect("[1,2]\n{}", "S<{}>");
  expect("\"text\"\n{}\n", "S<{}>");
  expect("}\n{}", "S<{}>");
  expect("null\ntrue\n12\n{}", "SSS<{}>");
  expect("\xef\xbb\xbf{}\n{}", "S<{}>"); /* a byte order mark is no blank: RFC 8259 section 8.1 */
  expect("{} x\n{}", "<{}>S<{}>");
  expect("{}{}}{}\n{}", "<{}><{}>S<{}>");
  expect("GET / HTTP/1.1\r\nHost: a\r\n\r\n{}", "SS<{}>");
}

static void
an_object_where_none_can_be_is_refused(void **ctx UNUSED)
{
  expect("{{}}\n{}", "S<{}>");
  expect("{\"a\" {}}\n{}", "S<{}>");
  expect("{\"a\":1 {}}\n{}", "S<{}>");
  expect("{\"a\":[1{}]}\n{}", "S<{}>");
  expect("{\"a\":{}{}}\n{}", "S<{}>");
}

static void
an_object_never_closed_does_not_take_the_next_line_with_it(void **ctx UNUSED)
{
  expect("{\n{}", "S<{}>");
  expect("{\"a\"\n{}\n", "S<{}>");
  expect("{\"a\":1\n{}\n{}", "S<{}><{}>");
  expect("{\"a\":1\r\n \t{}\n", "S<{}>");
  expect("{\"a\":[1,[2]\n{\"b\":2}\n", "S<{\"b\":2}>");
  expect("{\"a\":{}\n{\"b\":2}\n", "S<{\"b\":2}>");
  expect("{\"a\":\"b\n{\"b\":2}\n", "S<{\"b\":2}>");
  expect("{\"a\":\"b\\\n{\"b\":2}\n", "S<{\"b\":2}>");
  expect("{\"a\n\n\n{\"b\":2}\n", "S<{\"b\":2}>");
}

static void
many_that_were_never_closed_are_refused_one_by_one(void **ctx UNUSED)
{
  expect("{\"a\":1\n{\"b\":2\n{\"c\":3\n{}", "SSS<{}>");
  expect("{\n{\n{\n{\n{}", "SSSS<{}>");
}

/* --- Depth --- */

static char *
nested(char *buf, uint depth, char open, char close)
{
  char *p = buf + sprintf(buf, "{");

  for (uint i = 1; i < depth; i++)
    p += sprintf(p, open == '{' || i == 1 ? "\"a\":%c" : "%c", open);
  for (uint i = 1; i < depth; i++)
    *p++ = close;
  strcpy(p, "}");
  return buf;
}

static void
objects_and_arrays_may_be_nested_8_deep_and_no_deeper(void **ctx UNUSED)
{
  static const char kinds[][2] = { { '{', '}' }, { '[', ']' } };
  char object[128], stream[160], expected[160];

  for (uint k = 0; k < ARRAY_SIZE(kinds); k++)
    for (uint depth = 1; depth <= 12; depth++)
    {
      nested(object, depth, kinds[k][0], kinds[k][1]);
      snprintf(stream, sizeof(stream), "%s\n{}", object);
      snprintf(expected, sizeof(expected), "<%s><{}>", object);
      expect(stream, depth <= MON_DEPTH_MAX ? expected : "D<{}>");
    }
}

static void
what_is_too_deep_is_refused_before_it_is_complete(void **ctx UNUSED)
{
  expect("{\"a\":[[[[[[[[", "D");
  expect("{\"a\":[[[[[[[{", "D");
  expect("{\"a\":[[[[[[[", "");
}

static void
depth_is_that_at_one_time(void **ctx UNUSED)
{
  expect("{\"a\":[[],[],[],[],[],[],[],[],[],[],[]]}", "<{\"a\":[[],[],[],[],[],[],[],[],[],[],[]]}>");
  expect("{\"a\":\"[[[[[[[[[[[[\"}", "<{\"a\":\"[[[[[[[[[[[[\"}>");
}

/* --- Length --- */

/* An object of @size bytes. */
static char *
long_object(size_t size)
{
  char *object = malloc(size + 8);

  memset(object, 'x', size);
  memcpy(object, "{\"a\":\"", 6);
  memcpy(object + size - 2, "\"}", 2);
  strcpy(object + size, "\n{}");
  return object;
}

static void
expect_in_pieces_of(const char *stream, size_t piece, bool taken, size_t size)
{
  size_t len = strlen(stream);
  struct reader r;

  start(&r);
  for (size_t at = 0; at < len; at += piece)
    feed(&r, stream + at, MIN(piece, len - at));
  if (taken)
  {
    assert_int_equal(r.found_len, size + 6);
    assert_memory_equal(r.found + 1, stream, size);
    assert_string_equal(r.found + r.found_len - 4, "<{}>");
  }
  else
    assert_string_equal(r.found, "L<{}>");
  finish(&r);
}

static void
an_object_of_64_kilobytes_is_taken(void **ctx UNUSED)
{
  static const size_t pieces[] = { 1000, 1024, 4096, 4097, 32768, 65535, 65536, 65537, 1 << 20 };

  for (size_t size = MON_FRAME_MAX - 2; size <= MON_FRAME_MAX; size++)
  {
    char *stream = long_object(size);

    for (uint i = 0; i < ARRAY_SIZE(pieces); i++)
      expect_in_pieces_of(stream, pieces[i], true, size);
    free(stream);
  }
}

static void
an_object_that_has_no_end_after_64_kilobytes_is_refused(void **ctx UNUSED)
{
  static const size_t pieces[] = { 512, 1024, 4096, 32768, 65536, 65537, 1 << 20 };
  static const size_t sizes[] = { MON_FRAME_MAX + 1, MON_FRAME_MAX + 2, 2 * MON_FRAME_MAX, 300000 };

  for (uint s = 0; s < ARRAY_SIZE(sizes); s++)
  {
    char *stream = long_object(sizes[s]);

    for (uint i = 0; i < ARRAY_SIZE(pieces); i++)
      expect_in_pieces_of(stream, pieces[i], false, sizes[s]);
    free(stream);
  }
}

static void
blanks_before_an_object_do_not_count(void **ctx UNUSED)
{
  struct reader r;
  char blanks[4096];

  memset(blanks, ' ', sizeof(blanks));
  start(&r);
  for (uint i = 0; i < 40; i++)
  {
    feed(&r, blanks, sizeof(blanks));
    assert_int_equal(r.len, 0);
  }
  feed(&r, "{}", 2);
  assert_string_equal(r.found, "<{}>");
  finish(&r);
}

static void
blanks_in_an_object_do_count(void **ctx UNUSED)
{
  struct reader r;
  char blanks[4096];

  memset(blanks, ' ', sizeof(blanks));
  start(&r);
  feed(&r, "{", 1);
  for (uint i = 0; i < 16; i++)
    feed(&r, blanks, sizeof(blanks));
  feed(&r, "}\n{}", 4);
  assert_string_equal(r.found, "L<{}>");
  finish(&r);
}

/* However long it is, it is refused once and nothing of it is kept. */
static void
garbage_may_be_of_any_length(void **ctx UNUSED)
{
  struct reader r;
  char garbage[4096];

  memset(garbage, '{', sizeof(garbage));
  start(&r);
  for (uint i = 0; i < 100; i++)
  {
    feed(&r, garbage, sizeof(garbage));
    assert_int_equal(r.len, 0);
  }
  assert_string_equal(r.found, "S");
  feed(&r, "\n{}", 3);
  assert_string_equal(r.found, "S<{}>");
  finish(&r);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_between_objects_does_not_matter),
    cmocka_unit_test(newlines_and_blanks_may_be_inside),
    cmocka_unit_test(objects_in_objects_may_begin_on_a_new_line),
    cmocka_unit_test(what_is_quoted_is_no_structure),
    cmocka_unit_test(an_escaped_quote_does_not_end_a_string),
    cmocka_unit_test(bytes_beyond_ascii_are_left_alone),
    cmocka_unit_test(what_closes_counts_and_not_how),
    cmocka_unit_test(every_way_to_cut_a_stream_gives_the_same),
    cmocka_unit_test(a_prefix_of_an_object_is_no_object_yet),
    cmocka_unit_test(nothing_is_kept_of_what_is_no_begin_of_an_object),
    cmocka_unit_test(control_characters_in_strings_are_refused_at_once),
    cmocka_unit_test(control_characters_after_a_backslash_are_refused_too),
    cmocka_unit_test(control_characters_outside_of_strings_are_refused_but_for_blanks),
    cmocka_unit_test(garbage_is_refused_once_up_to_its_newline),
    cmocka_unit_test(an_object_where_none_can_be_is_refused),
    cmocka_unit_test(an_object_never_closed_does_not_take_the_next_line_with_it),
    cmocka_unit_test(many_that_were_never_closed_are_refused_one_by_one),
    cmocka_unit_test(objects_and_arrays_may_be_nested_8_deep_and_no_deeper),
    cmocka_unit_test(what_is_too_deep_is_refused_before_it_is_complete),
    cmocka_unit_test(depth_is_that_at_one_time),
    cmocka_unit_test(an_object_of_64_kilobytes_is_taken),
    cmocka_unit_test(an_object_that_has_no_end_after_64_kilobytes_is_refused),
    cmocka_unit_test(blanks_before_an_object_do_not_count),
    cmocka_unit_test(blanks_in_an_object_do_count),
    cmocka_unit_test(garbage_may_be_of_any_length),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
