/* lib/ip_test.c: addresses of both families in one type, to text and bytes and back */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/ip.h"
#include "lib/random.h"

static ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return a;
}

static void
text_is_read_and_written_in_rfc5952_form(void **ctx UNUSED)
{
  static const char *const pairs[][2] = {
    { "0.0.0.0", "0.0.0.0" },
    { "255.255.255.255", "255.255.255.255" },
    { "10.1.2.3", "10.1.2.3" },
    { "::", "::" },
    { "::1", "::1" },
    { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
    { "fe80:0:0:0:1:0:0:1", "fe80::1:0:0:1" },
    { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
    { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    { "::ffff:10.1.2.3", "10.1.2.3" }, /* one type for both: this is the IPv4 address */
  };

  for (uint i = 0; i < ARRAY_SIZE(pairs); i++)
    assert_string_equal(IP_STR(ip(pairs[i][0])), pairs[i][1]);
}

static void
what_is_not_exactly_an_address_is_refused_and_nothing_stored(void **ctx UNUSED)
{
  static const char *const wrong[] = {
    "",
    " ",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4/24",
    "1",
    "0x1.2.3.4",
    ":",
    ":::",
    "1::2::3",
    "12345::",
    "g::",
    "fe80::1%eth0",
    "::1 ",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1.2.3.-4",
    "::1.2.3.256",
  };

  for (uint i = 0; i < ARRAY_SIZE(wrong); i++)
  {
    ip_addr a = ip_v4(42);

    assert_false(ip_parse(wrong[i], &a));
    assert_true(ip_equal(a, ip_v4(42)));
  }
}

static void
random_addresses_survive_text_and_bytes(void **ctx UNUSED)
{
  struct rng rng = { 1 };

  for (uint i = 0; i < 5000; i++)
  {
    ip_addr a =
        i % 3 ? ip_v6(rng_u32(&rng), i % 2 ? 0 : rng_u32(&rng), i % 5 ? 0 : rng_u32(&rng), rng_u32(&rng))
              : ip_v4(rng_u32(&rng));
    byte data[16];
    size_t size = ip_to_bytes(a, data);

    assert_int_equal(size, ip_is_v4(a) ? 4 : 16);
    assert_true(ip_equal(ip_from_bytes(data, size), a));
    assert_true(ip_equal(ip(IP_STR(a)), a));
  }
}

static void
bytes_are_in_network_order(void **ctx UNUSED)
{
  static const byte v4[] = { 192, 0, 2, 1 };
  static const byte v6[] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
  byte data[16];

  assert_true(ip_equal(ip_from_bytes(v4, 4), ip("192.0.2.1")));
  assert_true(ip_equal(ip_from_bytes(v6, 16), ip("2001:db8::1")));
  assert_int_equal(ip_to_bytes(ip("192.0.2.1"), data), 4);
  assert_memory_equal(data, v4, 4);
  assert_int_equal(ip_to_u32(ip("192.0.2.1")), 0xc0000201);
}

static void
bytes_of_no_family_are_no_address(void **ctx UNUSED)
{
  byte data[16] = { 1, 2, 3, 4 };

  for (size_t size = 0; size < 16; size++)
    if (size != 4)
      assert_true(ip_is_none(ip_from_bytes(data, size)));
}

static void
families_and_kinds_are_told_apart(void **ctx UNUSED)
{
  assert_true(ip_is_none(IP_NONE));
  assert_false(ip_is_none(ip("0.0.0.0")));
  assert_true(ip_is_v4(ip("0.0.0.0")));
  assert_false(ip_is_v4(ip("::")));
  assert_false(ip_is_v4(ip("::1.2.3.4")));
  assert_true(ip_is_multicast(ip("224.0.0.0")));
  assert_true(ip_is_multicast(ip("239.255.255.255")));
  assert_false(ip_is_multicast(ip("240.0.0.0")));
  assert_false(ip_is_multicast(ip("223.255.255.255")));
  assert_true(ip_is_multicast(ip("ff02::1")));
  assert_false(ip_is_multicast(ip("fe80::1")));
  assert_true(ip_is_loopback(ip("127.255.255.255")));
  assert_false(ip_is_loopback(ip("128.0.0.0")));
  assert_true(ip_is_loopback(ip("::1")));
  assert_false(ip_is_loopback(ip("::2")));
  assert_true(ip_is_link_local(ip("fe80::1")));
  assert_true(ip_is_link_local(ip("febf::1")));
  assert_false(ip_is_link_local(ip("fec0::1")));
  assert_false(ip_is_link_local(ip("169.254.1.1")));
}

static void
masks_count_bits_of_the_addresss_own_family(void **ctx UNUSED)
{
  assert_string_equal(IP_STR(ip_mask(ip("10.255.255.255"), 9)), "10.128.0.0");
  assert_string_equal(IP_STR(ip_mask(ip("10.255.255.255"), 0)), "0.0.0.0");
  assert_string_equal(IP_STR(ip_mask(ip("10.255.255.255"), 32)), "10.255.255.255");
  assert_string_equal(IP_STR(ip_mask(ip("2001:db8::1"), 0)), "::");
  assert_string_equal(IP_STR(ip_mask(ip("2001:db8::1"), 127)), "2001:db8::");
  assert_string_equal(IP_STR(ip_mask(ip("2001:db8::1"), 128)), "2001:db8::1");
  for (uint len = 0; len <= 128; len++)
  {
    ip_addr all = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), masked = ip_mask(all, len);
    uint bits = 0;

    for (uint i = 0; i < 4; i++)
      bits += __builtin_popcount(masked.w[i]);
    assert_int_equal(bits, len);
  }
}

static void
a_prefix_contains_its_own_family_only(void **ctx UNUSED)
{
  struct prefix ten = { ip("10.0.0.0"), 8 }, any4 = { ip("0.0.0.0"), 0 }, any6 = { ip("::"), 0 };
  struct prefix host = { ip("10.0.0.1"), 32 };

  assert_true(prefix_contains(&ten, ip("10.255.0.1")));
  assert_false(prefix_contains(&ten, ip("11.0.0.0")));
  assert_true(prefix_contains(&any4, ip("255.1.1.1")));
  assert_false(prefix_contains(&any4, ip("2001::")));
  assert_true(prefix_contains(&any6, ip("2001::")));
  assert_false(prefix_contains(&any6, ip("1.2.3.4")));
  assert_true(prefix_contains(&host, ip("10.0.0.1")));
  assert_false(prefix_contains(&host, ip("10.0.0.0")));
  assert_string_equal(PREFIX_STR(&ten), "10.0.0.0/8");
  assert_string_equal(PREFIX_STR(&any6), "::/0");
}

static void
the_longest_texts_fit(void **ctx UNUSED)
{
  struct prefix p = { ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 128 };

  assert_int_equal(strlen(PREFIX_STR(&p)), 43);
}

static void
every_bit_of_an_address_changes_its_hash(void **ctx UNUSED)
{
  ip_addr a = ip("2001:db8::1");

  for (uint bit = 0; bit < 128; bit++)
  {
    ip_addr b = a;

    b.w[bit / 32] ^= 1u << bit % 32;
    assert_int_not_equal(ip_hash(a), ip_hash(b));
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(text_is_read_and_written_in_rfc5952_form),
    cmocka_unit_test(what_is_not_exactly_an_address_is_refused_and_nothing_stored),
    cmocka_unit_test(random_addresses_survive_text_and_bytes),
    cmocka_unit_test(bytes_are_in_network_order),
    cmocka_unit_test(bytes_of_no_family_are_no_address),
    cmocka_unit_test(families_and_kinds_are_told_apart),
    cmocka_unit_test(masks_count_bits_of_the_addresss_own_family),
    cmocka_unit_test(a_prefix_contains_its_own_family_only),
    cmocka_unit_test(the_longest_texts_fit),
    cmocka_unit_test(every_bit_of_an_address_changes_its_hash),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
