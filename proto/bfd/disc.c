/* proto/bfd/disc.c: see disc.h */
#include <nettle/hmac.h>
#include <string.h>

#include "lib/cursor.h"
#include "proto/bfd/disc.h"

#define KEY_SIZE (1 + 2 * BFD_IFNAME_SIZE + 2 * 16 + 4)

static void
put_name(struct wcur *c, const char *name)
{
  memcpy(wcur_take(c, BFD_IFNAME_SIZE), name, BFD_IFNAME_SIZE);
}

static void
put_ip(struct wcur *c, ip_addr ip)
{
  for (uint i = 0; i < ARRAY_SIZE(ip.w); i++)
    wcur_u32(c, ip.w[i]);
}

/* What bfd_key_equal() compares, and nothing else: unused bytes of names are zeros. */
static void
encode_key(byte data[KEY_SIZE], const struct bfd_key *key, u32 counter)
{
  static const char no_name[BFD_IFNAME_SIZE];
  struct wcur c = wcur_init(data, KEY_SIZE);
  bool direct = key->hop == BFD_DIRECT;

  wcur_u8(&c, key->hop);
  put_name(&c, key->vrf);
  put_name(&c, direct ? key->ifname : no_name);
  put_ip(&c, key->remote);
  put_ip(&c, direct ? IP_NONE : key->local);
  wcur_u32(&c, counter);
}

u32
bfd_discriminator(const byte secret[BFD_DISC_SECRET], const struct bfd_key *key, u32 counter)
{
  byte data[KEY_SIZE], digest[4];
  struct hmac_sha256_ctx ctx;
  struct rcur c = rcur_init(digest, sizeof(digest));

  encode_key(data, key, counter);
  hmac_sha256_set_key(&ctx, BFD_DISC_SECRET, secret);
  hmac_sha256_update(&ctx, sizeof(data), data);
  hmac_sha256_digest(&ctx, sizeof(digest), digest);
  explicit_bzero(&ctx, sizeof(ctx));
  return rcur_u32(&c);
}
