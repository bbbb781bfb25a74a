/* conf/value_test.c: constants as text, their order, and what matches what */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "conf/value.h"

static int
setup(void **ctx)
{
  *ctx = pool_new(NULL, "test");
  return 0;
}

static int
teardown(void **ctx)
{
  rfree(*ctx);
  return 0;
}

static struct cf_value
number(u32 n)
{
  return (struct cf_value){ .type = CF_INT, .num = n };
}

static struct cf_value
string(const char *text)
{
  return (struct cf_value){ .type = CF_STRING, .text = text };
}

static struct cf_value
address(const char *text)
{
  struct cf_value v = { .type = CF_IP };

  assert_true(ip_parse(text, &v.ip));
  return v;
}

static struct cf_value
prefix(const char *text, u8 len)
{
  return (struct cf_value){ .type = CF_PREFIX, .prefix = { address(text).ip, len } };
}

/* RFC 4364 4.2: two octets of type, then 2+4, 4+2 or 4+2 octets. */
static void
route_distinguishers_have_their_bits_where_rfc4364_puts_them(void **ctx UNUSED)
{
  static const struct
  {
    const char *text;
    u64 rd;
    const char *back;
  } rds[] = {
    { "1:2", 0x0000000100000002, "1:2" },
    { "0:65535:4294967295", 0x0000ffffffffffff, "65535:4294967295" },
    { "192.0.2.1:7", 0x0001c00002010007, "192.0.2.1:7" },
    { "1:192.0.2.1:7", 0x0001c00002010007, "192.0.2.1:7" },
    { "65536:65535", 0x000200010000ffff, "65536:65535" },
    { "2:1:2", 0x0002000000010002, "2:1:2" },
    { "007:1", 0x0000000700000001, "7:1" },
  };

  for (uint i = 0; i < ARRAY_SIZE(rds); i++)
  {
    u64 rd = 0;

    assert_true(rd_parse(rds[i].text, &rd));
    assert_int_equal(rd, rds[i].rd);
    assert_string_equal(RD_STR(rd), rds[i].back);
  }
}

static void
parts_of_route_distinguishers_have_limits(void **ctx UNUSED)
{
  static const char *const wrong[] = { "65536:65536",     "0:65536:1",     "1:4294967296", "4294967296:1",
                                       "192.0.2.1:65536", "192.0.2.256:1", "1:5:6",        "0:192.0.2.1:6",
                                       "2:1:65536",       "00000000001:1" };
  u64 rd;

  for (uint i = 0; i < ARRAY_SIZE(wrong); i++)
    assert_false(rd_parse(wrong[i], &rd));
}

static void
byte_strings_are_read_with_and_without_colons(void **ctx)
{
  struct linpool *lp = lp_new(*ctx);
  static const char *const texts[] = { "00fFa5", "00:ff:A5" };

  for (uint i = 0; i < ARRAY_SIZE(texts); i++)
  {
    struct cf_bytes b = bytes_parse(lp, texts[i], strlen(texts[i]));

    assert_int_equal(b.size, 3);
    assert_memory_equal(b.data, "\x00\xff\xa5", 3);
  }
}

static void
values_are_printed_as_eval_shows_them(void **ctx)
{
  struct linpool *lp = lp_new(*ctx);
  const struct
  {
    struct cf_value v;
    const char *text;
  } values[] = {
    { number(U32_MAX), "4294967295" },
    { { .type = CF_BOOL, .truth = true }, "TRUE" },
    { { .type = CF_BOOL }, "FALSE" },
    { string("a b"), "a b" },
    { address("2001:DB8::0:1"), "2001:db8::1" },
    { prefix("10.0.0.0", 8), "10.0.0.0/8" },
    { { .type = CF_PAIR, .num = 1 << 16 | 65535 }, "(1,65535)" },
    { { .type = CF_RD, .rd = 0x100000002 }, "1:2" },
    { { .type = CF_BYTES, .bytes = { (const byte *) "\x01\xab", 2 } }, "01:ab" },
    { { .type = CF_BYTES, .bytes = { (const byte *) "", 0 } }, "" },
  };

  for (uint i = 0; i < ARRAY_SIZE(values); i++)
    assert_string_equal(cf_value_text(lp, values[i].v), values[i].text);
}

static void
values_of_one_type_are_ordered(void **ctx UNUSED)
{
  const struct cf_value pairs[][2] = {
    { number(1), number(U32_MAX) },
    { { .type = CF_BOOL }, { .type = CF_BOOL, .truth = true } },
    { string("a"), string("b") },
    { address("10.255.0.1"), address("192.0.2.1") },
    { address("192.0.2.1"), address("2001:db8::") },
    { prefix("10.0.0.0", 8), prefix("10.0.0.0", 9) },
    { { .type = CF_PAIR, .num = 0xffff }, { .type = CF_PAIR, .num = 0x10000 } },
    { { .type = CF_RD, .rd = 1 }, { .type = CF_RD, .rd = 1ULL << 40 } },
    { { .type = CF_BYTES, .bytes = { (const byte *) "a", 1 } },
      { .type = CF_BYTES, .bytes = { (const byte *) "ab", 2 } } },
  };

  for (uint i = 0; i < ARRAY_SIZE(pairs); i++)
  {
    assert_true(cf_value_compare(pairs[i][0], pairs[i][1]) < 0);
    assert_true(cf_value_compare(pairs[i][1], pairs[i][0]) > 0);
    assert_int_equal(cf_value_compare(pairs[i][1], pairs[i][1]), 0);
  }
}

static void
addresses_prefixes_and_strings_match(void **ctx UNUSED)
{
  const struct
  {
    struct cf_value a, b;
    int result;
  } cases[] = {
    { address("10.1.2.3"), prefix("10.0.0.0", 8), 1 },
    { address("11.1.2.3"), prefix("10.0.0.0", 8), 0 },
    { address("10.1.2.3"), prefix("::", 0), 0 },
    { prefix("10.1.0.0", 16), prefix("10.0.0.0", 8), 1 },
    { prefix("10.0.0.0", 8), prefix("10.0.0.0", 8), 1 },
    { prefix("10.0.0.0", 7), prefix("10.0.0.0", 8), 0 },
    { string("eth0"), string("eth*"), 1 },
    { string("lo"), string("eth*"), 0 },
    { number(1), number(1), -1 },
    { prefix("10.0.0.0", 8), address("10.0.0.0"), -1 },
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
    assert_int_equal(cf_value_match(cases[i].a, cases[i].b), cases[i].result);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(route_distinguishers_have_their_bits_where_rfc4364_puts_them),
    TEST(parts_of_route_distinguishers_have_limits),
    TEST(byte_strings_are_read_with_and_without_colons),
    TEST(values_are_printed_as_eval_shows_them),
    TEST(values_of_one_type_are_ordered),
    TEST(addresses_prefixes_and_strings_match),
  };

  return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
