/* proto/monitor/ident_test.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/monitor/ident.h"

#define A1 "1111:1111:1111:1111:1111:1111:1111:1111" /* 39 bytes, as long as RFC 5952 gets */
#define A2 "2222:2222:2222:2222:2222:2222:2222:2222"
#define MAPPED \
  "0000:0000:0000:0000:0000:ffff:255.255.255.254" /* 45 bytes: as long as an address can be written */

/* Every text comes from a heap block of exactly its size. */
static bool
parse(struct mon_ident *id, const char *text)
{
  char *copy = strdup(text);
  bool ok = mon_ident_parse(id, copy);

  free(copy);
  return ok;
}

static struct mon_ident
ident(const char *text)
{
  struct mon_ident id;

  if (!parse(&id, text))
    fail_msg("%s is refused", text);
  return id;
}

static ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return a;
}

/* --- Forms --- */

static const struct
{
  const char *text;
  uint kind;
  const char *remote, *local, *name;
} forms[] = {
  { "192.0.2.1", MON_ANY, "192.0.2.1", "::", "" },
  { "2001:db8::1", MON_ANY, "2001:db8::1", "::", "" },
  { "fe80::1", MON_ANY, "fe80::1", "::", "" },
  { "127.0.0.1", MON_ANY, "127.0.0.1", "::", "" },
  { "::1", MON_ANY, "::1", "::", "" },
  { "192.0.2.1%eth0", MON_DIRECT, "192.0.2.1", "::", "eth0" },
  { "fe80::1%e", MON_DIRECT, "fe80::1", "::", "e" },
  { "192.0.2.1%123456789012345", MON_DIRECT, "192.0.2.1", "::", "123456789012345" },
  { "192.0.2.1%eth0.100-1", MON_DIRECT, "192.0.2.1", "::", "eth0.100-1" },
  { "192.0.2.1@198.51.100.7", MON_MULTIHOP, "192.0.2.1", "198.51.100.7", "" },
  { "2001:db8::1@2001:db8::2", MON_MULTIHOP, "2001:db8::1", "2001:db8::2", "" },
  { "192.0.2.1@198.51.100.7%red", MON_MULTIHOP, "192.0.2.1", "198.51.100.7", "red" },
  { A1, MON_ANY, A1, "::", "" },
  { A1 "@" A2 "%123456789012345", MON_MULTIHOP, A1, A2, "123456789012345" },
};

static void
every_form_parses_into_its_parts(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(forms); i++)
  {
    struct mon_ident id = ident(forms[i].text);

    assert_int_equal(id.kind, forms[i].kind);
    assert_int_equal(id.disc, 0);
    assert_true(ip_equal(id.remote, ip(forms[i].remote)));
    assert_true(ip_equal(id.local, ip(forms[i].local)));
    assert_string_equal(id.name, forms[i].name);
  }
}

static void
what_is_parsed_is_formatted_as_it_was(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(forms); i++)
  {
    struct mon_ident id = ident(forms[i].text), again;

    assert_string_equal(MON_IDENT_STR(&id), forms[i].text);
    again = ident(MON_IDENT_STR(&id));
    assert_true(mon_ident_equal(&id, &again));
  }
}

static void
formatting_returns_the_buffer_and_stays_within_it(void **ctx UNUSED)
{
  struct mon_ident id = ident(A1 "@" A2 "%123456789012345");
  char *buf = malloc(MON_IDENT_SIZE);

  assert_ptr_equal(mon_ident_format(&id, buf), buf);
  assert_int_equal(strlen(buf), 39 + 1 + 39 + 1 + 15);
  free(buf);
}

static const struct
{
  const char *text, *formatted;
} other_spellings[] = {
  { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
  { "2001:0db8::0001@2001:db8:0::2", "2001:db8::1@2001:db8::2" },
  { "::ffff:192.0.2.1", "192.0.2.1" },
  { "::ffff:c000:201%eth0", "192.0.2.1%eth0" },
  { "::ffff:192.0.2.1@198.51.100.7", "192.0.2.1@198.51.100.7" },
  { "0007", "7" },
  { MAPPED "@" MAPPED "%123456789012345", "255.255.255.254@255.255.255.254%123456789012345" },
};

static void
addresses_are_formatted_as_rfc5952_wants_them_however_they_were_written(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(other_spellings); i++)
  {
    struct mon_ident id = ident(other_spellings[i].text);
    struct mon_ident same = ident(other_spellings[i].formatted);

    assert_string_equal(MON_IDENT_STR(&id), other_spellings[i].formatted);
    assert_true(mon_ident_equal(&id, &same));
  }
}

/* --- Discriminators --- */

static void
a_discriminator_is_any_number_of_32_bits_but_0(void **ctx UNUSED)
{
  static const u32 numbers[] = { 1, 2, 9, 10, 0x7fffffff, 0x80000000, 3735928559, 4294967294, 4294967295 };
  char text[16];

  for (uint i = 0; i < ARRAY_SIZE(numbers); i++)
  {
    struct mon_ident id;

    snprintf(text, sizeof(text), "%u", numbers[i]);
    id = ident(text);
    assert_int_equal(id.kind, MON_DISCRIMINATOR);
    assert_int_equal(id.disc, numbers[i]);
    assert_string_equal(MON_IDENT_STR(&id), text);
  }
}

/* --- Refusals --- */

static const char *const no_ids[] = {
  "",
  " ",
  "all",
  "eth0",
  "192.0.2",
  "192.0.2.1 ",
  " 192.0.2.1",
  "192.0.2.256",
  "192.0.2.01", /* might be meant as octal */
  "192.0.2.1/32",
  "192.0.2.1:3784",
  "[2001:db8::1]",
  "2001:db8::1::2",
  "0.0.0.0", /* nobody's */
  "::",
  "::ffff:0.0.0.0",
  "224.0.0.1", /* not of one host */
  "ff02::1",
  "::ffff:224.0.0.1",
  "0.0.0.0%eth0",
  "ff02::1%eth0",
  /* names */
  "192.0.2.1%",
  "192.0.2.1%1234567890123456",
  "192.0.2.1%12345678901234567890123456789012345678901234567890",
  "192.0.2.1@198.51.100.7%",
  "192.0.2.1@198.51.100.7%1234567890123456",
  "%eth0",
  "%",
  "7%eth0",
  /* local addresses */
  "192.0.2.1@",
  "192.0.2.1@%red",
  "192.0.2.1%a b",
  "192.0.2.1%a/b",
  "192.0.2.1%a:b",
  "192.0.2.1%a\n",
  "@198.51.100.7",
  "@",
  "@%",
  "192.0.2.1@0.0.0.0",
  "192.0.2.1@::",
  "192.0.2.1@224.0.0.1",
  "192.0.2.1@2001:db8::2",
  "2001:db8::1@192.0.2.1",
  "2001:db8::1@::ffff:192.0.2.1",
  "0.0.0.0@192.0.2.1",
  "192.0.2.1@198.51.100.7@198.51.100.8",
  "192.0.2.1@7",
  "7@192.0.2.1",
  "192.0.2.1@eth0",
  /* numbers */
  "0",
  "00000000000",
  "-1",
  "+1",
  "1 ",
  " 1",
  "1.0",
  "0x10",
  "1e3",
  "4294967296",
  "4294967297",
  "8589934593", /* 1, and 2^33 */
  "42949672950",
  "18446744073709551616",
  "18446744073709551617", /* 1, and 2^64 */
  "99999999999999999999999999999999999999999999999999",
};

static void
what_is_no_id_is_refused_and_stores_nothing(void **ctx UNUSED)
{
  for (uint i = 0; i < ARRAY_SIZE(no_ids); i++)
  {
    struct mon_ident id, before;

    memset(&id, 0x5a, sizeof(id));
    before = id;
    if (parse(&id, no_ids[i]))
      fail_msg("\"%s\" is taken", no_ids[i]);
    assert_memory_equal(&id, &before, sizeof(id));
  }
}

static void
a_name_has_up_to_15_bytes_and_not_characters(void **ctx UNUSED)
{
  struct mon_ident id;

  assert_true(parse(&id, "192.0.2.1%\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e45")); /* 7 times 2, and 1 */
  assert_int_equal(strlen(id.name), 15);
  assert_false(parse(&id, "192.0.2.1%\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4")); /* 16 */
}

/* Each prefix of the longest id is one, or is refused, and what is taken survives. */
static void
every_prefix_of_the_longest_id_is_an_id_or_refused(void **ctx UNUSED)
{
  static const char longest[] = A1 "@" A2 "%123456789012345";
  uint taken = 0;

  for (size_t len = 0; len < sizeof(longest); len++)
  {
    char *text = strndup(longest, len);
    struct mon_ident id, again;

    if (mon_ident_parse(&id, text))
    {
      again = ident(MON_IDENT_STR(&id));
      assert_true(mon_ident_equal(&id, &again));
      taken++;
    }
    free(text);
  }
  /* 1 to 4 digits of a discriminator; each address once its last group has begun; each length of the name */
  assert_int_equal(taken, 4 + 4 + 4 + 15);
}

static void
over_long_text_is_refused_whatever_it_begins_with(void **ctx UNUSED)
{
  static const char *const begins[] = {
    "192.0.2.1", "192.0.2.1%", "192.0.2.1%eth0", "192.0.2.1@198.51.100.7", "192.0.2.1@198.51.100.7%", "", "7"
  };
  static const char fill[] = { '1', '0', 'a', ':', '.', '%', '@', ' ' };

  for (uint i = 0; i < ARRAY_SIZE(begins); i++)
    for (uint j = 0; j < ARRAY_SIZE(fill); j++)
      for (size_t size = MON_IDENT_SIZE - 2; size < MON_IDENT_SIZE + 3; size++)
      {
        char *text = malloc(size + 1);
        struct mon_ident id;

        memset(text, fill[j], size);
        memcpy(text, begins[i], strlen(begins[i]));
        text[size] = 0;
        assert_false(mon_ident_parse(&id, text));
        free(text);
      }
}

static void
text_is_not_taken_for_what_it_would_be_cut_to(void **ctx UNUSED)
{
  size_t size = 64 << 10;
  char *text = malloc(size);
  struct mon_ident id;

  memset(text, ' ', size);
  text[size - 1] = 0;
  memcpy(text, A1 "@" A2 "%123456789012345", 95);
  assert_false(mon_ident_parse(&id, text));
  memset(text, '0', size - 1);
  text[size - 2] = '1';
  assert_true(mon_ident_parse(&id, text)); /* a number may have zeros before it */
  assert_int_equal(id.disc, 1);
  free(text);
}

/* --- Matching --- */

static struct bfd_key
direct(const char *remote, const char *ifname)
{
  struct bfd_key key = { .hop = BFD_DIRECT, .remote = ip(remote), .local = ip("198.51.100.7") };

  snprintf(key.ifname, sizeof(key.ifname), "%s", ifname);
  return key;
}

static struct bfd_key
multihop(const char *remote, const char *local, const char *vrf)
{
  struct bfd_key key = { .hop = BFD_MULTIHOP, .remote = ip(remote), .local = ip(local) };

  snprintf(key.vrf, sizeof(key.vrf), "%s", vrf);
  return key;
}

static void
ids_match_as_the_table_says(void **ctx UNUSED)
{
  const struct bfd_key keys[] = {
    direct("192.0.2.1", "eth0"),
    direct("192.0.2.1", "eth1"),
    multihop("192.0.2.1", "198.51.100.7", ""),
    multihop("192.0.2.1", "198.51.100.7", "red"),
    multihop("192.0.2.1", "198.51.100.8", ""),
    direct("192.0.2.2", "eth0"),
    multihop("192.0.2.2", "198.51.100.7", ""),
    direct("192.0.2.1", ""),
  };
  static const struct
  {
    const char *id, *matches; /* by key */
  } table[] = {
    { "192.0.2.1", "+++++--+" },
    { "192.0.2.1%eth0", "+-------" },
    { "192.0.2.1%eth1", "-+------" },
    { "192.0.2.1%eth", "--------" },
    { "192.0.2.1%eth00", "--------" },
    { "192.0.2.1%ETH0", "--------" },
    { "192.0.2.1%red", "--------" },
    { "192.0.2.1@198.51.100.7", "--+-----" },
    { "192.0.2.1@198.51.100.7%red", "---+----" },
    { "192.0.2.1@198.51.100.7%eth0", "--------" },
    { "192.0.2.1@198.51.100.8", "----+---" },
    { "192.0.2.1@198.51.100.8%red", "--------" },
    { "192.0.2.2", "-----++-" },
    { "192.0.2.2%eth0", "-----+--" },
    { "192.0.2.3", "--------" },
    { "198.51.100.7", "--------" },
    { "198.51.100.7@192.0.2.1", "--------" },
    { "::ffff:192.0.2.1", "+++++--+" },
    { "::192.0.2.1", "--------" },
    { "3221225985", "--------" }, /* 192.0.2.1 as a number */
  };

  for (uint i = 0; i < ARRAY_SIZE(table); i++)
  {
    struct mon_ident id = ident(table[i].id);
    char got[ARRAY_SIZE(keys) + 1] = "";

    for (uint k = 0; k < ARRAY_SIZE(keys); k++)
      got[k] = mon_ident_matches(&id, &keys[k]) ? '+' : '-';
    assert_string_equal(got, table[i].matches);
  }
}

static void
the_id_of_a_session_matches_it_and_no_other(void **ctx UNUSED)
{
  const struct bfd_key keys[] = {
    direct("192.0.2.1", "eth0"),
    direct("192.0.2.1", "123456789012345"),
    direct("fe80::1", "eth0"),
    multihop("192.0.2.1", "198.51.100.7", ""),
    multihop("192.0.2.1", "198.51.100.7", "eth0"),
    multihop("192.0.2.1", "198.51.100.7", "123456789012345"),
    multihop(A1, A2, "123456789012345"),
    multihop(A2, A1, "123456789012345"),
  };

  for (uint i = 0; i < ARRAY_SIZE(keys); i++)
  {
    struct mon_ident id = mon_ident_of(&keys[i]), again = ident(MON_IDENT_STR(&id));

    assert_true(mon_ident_equal(&id, &again));
    for (uint k = 0; k < ARRAY_SIZE(keys); k++)
      assert_int_equal(mon_ident_matches(&id, &keys[k]), i == k);
  }
}

static void
a_direct_session_is_the_same_whatever_its_local_address_is(void **ctx UNUSED)
{
  struct bfd_key key = direct("192.0.2.1", "eth0"), moved = key;
  struct mon_ident a = mon_ident_of(&key), b;

  moved.local = ip("198.51.100.8");
  b = mon_ident_of(&moved);
  assert_true(mon_ident_equal(&a, &b));
  assert_true(mon_ident_matches(&a, &moved));
  assert_string_equal(MON_IDENT_STR(&b), "192.0.2.1%eth0");
}

static void
ids_are_equal_only_to_themselves(void **ctx UNUSED)
{
  static const char *const all[] = {
    "192.0.2.1",
    "192.0.2.2",
    "2001:db8::1",
    "192.0.2.1%eth0",
    "192.0.2.1%eth1",
    "192.0.2.2%eth0",
    "192.0.2.1@198.51.100.7",
    "192.0.2.1@198.51.100.8",
    "192.0.2.1@198.51.100.7%eth0",
    "192.0.2.2@198.51.100.7",
    "198.51.100.7@192.0.2.1",
    "1",
    "2",
    "3221225985",
  };

  for (uint i = 0; i < ARRAY_SIZE(all); i++)
    for (uint k = 0; k < ARRAY_SIZE(all); k++)
    {
      struct mon_ident a = ident(all[i]), b = ident(all[k]);

      assert_int_equal(mon_ident_equal(&a, &b), i == k);
    }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_form_parses_into_its_parts),
    cmocka_unit_test(what_is_parsed_is_formatted_as_it_was),
    cmocka_unit_test(formatting_returns_the_buffer_and_stays_within_it),
    cmocka_unit_test(addresses_are_formatted_as_rfc5952_wants_them_however_they_were_written),
    cmocka_unit_test(a_discriminator_is_any_number_of_32_bits_but_0),
    cmocka_unit_test(what_is_no_id_is_refused_and_stores_nothing),
    cmocka_unit_test(a_name_has_up_to_15_bytes_and_not_characters),
    cmocka_unit_test(every_prefix_of_the_longest_id_is_an_id_or_refused),
    cmocka_unit_test(over_long_text_is_refused_whatever_it_begins_with),
    cmocka_unit_test(text_is_not_taken_for_what_it_would_be_cut_to),
    cmocka_unit_test(ids_match_as_the_table_says),
    cmocka_unit_test(the_id_of_a_session_matches_it_and_no_other),
    cmocka_unit_test(a_direct_session_is_the_same_whatever_its_local_address_is),
    cmocka_unit_test(ids_are_equal_only_to_themselves),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
