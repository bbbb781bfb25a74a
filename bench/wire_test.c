/* bench/wire_test.c: frames that were written can be read, and nothing else is */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/wire.h"

static const struct wire_path path = {
  .local_mac = { 2, 0x50, 0x47, 0, 0xff, 0xff },
  .remote_mac = { 2, 0x50, 0x47, 0, 1, 1 },
  .local = 0x0ac80100,
  .remote = 0x0ac8fffe,
  .source_port = 49152,
};
static const struct packet packet = {
  .diag = DIAG_TIMEOUT,
  .state = BFD_UP,
  .flags = FLAG_POLL,
  .detect_mult = 3,
  .my_disc = 0x01020304,
  .your_disc = 0xfffefdfc,
  .desired_min_tx = 50000,
  .required_min_rx = 3300,
};

static void
what_was_written_is_read_at_the_other_end(void **ctx UNUSED)
{
  byte frame[WIRE_SIZE];
  struct wire_path from;
  struct packet p;

  wire_encode(frame, &path, &packet);
  assert_true(wire_decode(&from, &p, frame, sizeof(frame)));
  assert_memory_equal(&p, &packet, sizeof(p));
  assert_memory_equal(from.local_mac, path.remote_mac, 6);
  assert_memory_equal(from.remote_mac, path.local_mac, 6);
  assert_int_equal(from.local, path.remote);
  assert_int_equal(from.remote, path.local);
}

/* RFC 791: over all of the header, its checksum included, the sum is all ones. */
static void
the_ip_header_adds_up(void **ctx UNUSED)
{
  byte frame[WIRE_SIZE];
  u32 sum = 0;

  wire_encode(frame, &path, &packet);
  for (uint i = 14; i < 34; i += 2)
    sum += (u32) frame[i] << 8 | frame[i + 1];
  assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
}

static void
no_prefix_is_taken(void **ctx UNUSED)
{
  byte frame[WIRE_SIZE];
  struct wire_path from;
  struct packet p;

  wire_encode(frame, &path, &packet);
  for (size_t size = 0; size < sizeof(frame); size++)
  {
    byte *copy = malloc(size + !size);

    assert_non_null(copy);
    memcpy(copy, frame, size);
    assert_false(wire_decode(&from, &p, copy, size));
    free(copy);
  }
}

/* RFC 5880 6.8.6, RFC 5881 5 */
static void
one_wrong_byte_is_enough(void **ctx UNUSED)
{
  static const struct
  {
    uint at;
    byte value;
  } cases[] = {
    { 12, 0x86 },   /* no IPv4 */
    { 14, 0x46 },   /* options */
    { 17, 53 },     /* length */
    { 22, 254 },    /* TTL */
    { 23, 6 },      /* TCP */
    { 37, 0xc9 },   /* port 3785 */
    { 39, 33 },     /* length of UDP */
    { 42, 2 << 5 }, /* version */
    { 43, BFD_UP << 6 | FLAG_MULTIPOINT },
    { 43, BFD_UP << 6 | FLAG_AUTH },
    { 44, 0 },  /* multiplier */
    { 45, 23 }, /* length of BFD */
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    byte frame[WIRE_SIZE];
    struct wire_path from;
    struct packet p;

    wire_encode(frame, &path, &packet);
    frame[cases[i].at] = cases[i].value;
    assert_false(wire_decode(&from, &p, frame, sizeof(frame)));
  }
}

static bool
is_taken(struct packet p)
{
  byte frame[WIRE_SIZE];
  struct wire_path from;

  wire_encode(frame, &path, &p);
  return wire_decode(&from, &p, frame, sizeof(frame));
}

static void
discriminators_are_zero_only_where_they_may(void **ctx UNUSED)
{
  assert_false(is_taken((struct packet){ .state = BFD_DOWN, .detect_mult = 3, .your_disc = 1 }));
  assert_true(is_taken((struct packet){ .state = BFD_DOWN, .detect_mult = 3, .my_disc = 1 }));
  assert_true(is_taken((struct packet){ .state = BFD_ADMIN_DOWN, .detect_mult = 3, .my_disc = 1 }));
  assert_false(is_taken((struct packet){ .state = BFD_INIT, .detect_mult = 3, .my_disc = 1 }));
  assert_false(is_taken((struct packet){ .state = BFD_UP, .detect_mult = 3, .my_disc = 1 }));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_written_is_read_at_the_other_end),
    cmocka_unit_test(the_ip_header_adds_up),
    cmocka_unit_test(no_prefix_is_taken),
    cmocka_unit_test(one_wrong_byte_is_enough),
    cmocka_unit_test(discriminators_are_zero_only_where_they_may),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
