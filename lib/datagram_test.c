/* lib/datagram_test.c: known answers made with Scapy */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/datagram.h"

static ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return a;
}

static void
assert_wrapped(const struct datagram *d, const char *payload, const byte *expected, size_t size)
{
  byte packet[128];
  size_t len = strlen(payload);

  memset(packet, 0xaa, sizeof(packet));
  memcpy(packet + datagram_header(d), payload, len);
  assert_int_equal(datagram_wrap(packet, d, len), size);
  assert_memory_equal(packet, expected, size);
  assert_int_equal(packet[size], 0xaa);
}

static void
ipv4(void **ctx UNUSED)
{
  static const byte expected[] = { 0x45, 0xc0, 0x00, 0x21, 0x00, 0x00, 0x40, 0x00, 0xff, 0x11, 0x67,
                                   0x09, 0x0a, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00, 0x02, 0xc0, 0x00,
                                   0x0e, 0xc8, 0x00, 0x0d, 0xd9, 0x36, 0x68, 0x65, 0x6c, 0x6c, 0x6f };
  struct datagram d = {
    .from = ip("10.0.0.1"), .to = ip("10.0.0.2"), .from_port = 49152, .to_port = 3784, .ttl = 255, .tos = 0xc0
  };

  assert_wrapped(&d, "hello", expected, sizeof(expected));
}

static void
ipv6(void **ctx UNUSED)
{
  static const byte expected[] = { 0x6c, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x11, 0xff, 0xfe, 0x80, 0x00,
                                   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                   0x00, 0x01, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00,
                                   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xff, 0x12, 0xb0,
                                   0x00, 0x0c, 0xfc, 0x22, 0x61, 0x62, 0x63, 0x64 };
  struct datagram d = { .from = ip("fe80::1"),
                        .to = ip("2001:db8::2"),
                        .from_port = 65535,
                        .to_port = 4784,
                        .ttl = 255,
                        .tos = 0xc0 };

  assert_wrapped(&d, "abcd", expected, sizeof(expected));
}

static void
a_checksum_of_zero_is_written_as_ones(void **ctx UNUSED)
{
  struct datagram d = {
    .from = ip("10.0.0.1"), .to = ip("10.0.0.2"), .from_port = 1, .to_port = 2, .ttl = 255
  };
  byte packet[64];

  memcpy(packet + datagram_header(&d), "\xeb\xd4", 2);
  datagram_wrap(packet, &d, 2);
  assert_memory_equal(packet + 26, "\xff\xff", 2);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(ipv4),
    cmocka_unit_test(ipv6),
    cmocka_unit_test(a_checksum_of_zero_is_written_as_ones),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
