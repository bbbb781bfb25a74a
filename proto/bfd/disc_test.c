/* proto/bfd/disc_test.c: the same session, the same discriminator; anything else, another one */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bfd/disc.h"

static const byte secret[BFD_DISC_SECRET] = "a secret of this host, 32 bytes";

static struct bfd_key
direct_key(const char *ifname, ip_addr remote)
{
  struct bfd_key key = { .hop = BFD_DIRECT, .remote = remote };

  memcpy(key.ifname, ifname, strlen(ifname));
  return key;
}

static void
equal_keys_have_equal_discriminators(void **ctx UNUSED)
{
  struct bfd_key a = direct_key("eth0", ip_v4(0x0a000001)), b = a;
  struct bfd_key m = { .hop = BFD_MULTIHOP, .remote = ip_v4(1), .local = ip_v4(2) }, n = m;

  b.local = ip_v4(7); /* an attribute of direct sessions, not part of the key */
  assert_true(bfd_key_equal(&a, &b));
  assert_int_equal(bfd_discriminator(secret, &a, 0), bfd_discriminator(secret, &b, 0));
  memcpy(n.ifname, "eth0", 4);
  assert_true(bfd_key_equal(&m, &n));
  assert_int_equal(bfd_discriminator(secret, &m, 0), bfd_discriminator(secret, &n, 0));
}

/* Fixed for ever: a new release must not make all peers see another discriminator. */
static void
the_value_is_the_same_in_every_release(void **ctx UNUSED)
{
  struct bfd_key key = direct_key("eth0", ip_v4(0x0a000001));

  assert_int_equal(bfd_discriminator(secret, &key, 0), 0xc1eacb5a);
}

static void
every_part_of_the_key_counts(void **ctx UNUSED)
{
  struct bfd_key base = direct_key("eth0", ip_v4(0x0a000001));
  struct bfd_key keys[6] = {
    base, direct_key("eth1", base.remote), direct_key("eth0", ip_v4(0x0a000002)), base, base, base
  };
  byte other[BFD_DISC_SECRET] = { 0 };

  memcpy(keys[3].vrf, "red", 3);
  keys[4].hop = keys[5].hop = BFD_MULTIHOP;
  keys[5].local = ip_v4(9);
  for (uint i = 0; i < ARRAY_SIZE(keys); i++)
    for (uint k = 0; k < i; k++)
      assert_int_not_equal(bfd_discriminator(secret, &keys[i], 0), bfd_discriminator(secret, &keys[k], 0));
  assert_int_not_equal(bfd_discriminator(secret, &base, 0), bfd_discriminator(secret, &base, 1));
  assert_int_not_equal(bfd_discriminator(secret, &base, 0), bfd_discriminator(other, &base, 0));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(equal_keys_have_equal_discriminators),
    cmocka_unit_test(the_value_is_the_same_in_every_release),
    cmocka_unit_test(every_part_of_the_key_counts),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
