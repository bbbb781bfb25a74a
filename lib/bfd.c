/* lib/bfd.c: names of what RFC 5880 section 4.1 numbers */
#include <string.h>

#include "lib/bfd.h"
#include "lib/pool.h"

const char *
bfd_state_name(uint state)
{
  static const char *const names[] = { "AdminDown", "Down", "Init", "Up" };

  return state < ARRAY_SIZE(names) ? names[state] : "Unknown";
}

const char *
bfd_diag_name(uint diag)
{
  static const char *const names[BFD_DIAG__MAX] = {
    [BFD_DIAG_NONE] = "None",
    [BFD_DIAG_TIMEOUT] = "Time expired",
    [BFD_DIAG_ECHO_FAILED] = "Echo failed",
    [BFD_DIAG_NEIGHBOR_DOWN] = "Neighbor signaled down",
    [BFD_DIAG_FORWARDING_RESET] = "Forwarding plane reset",
    [BFD_DIAG_PATH_DOWN] = "Path down",
    [BFD_DIAG_CONCAT_DOWN] = "Concatenated path down",
    [BFD_DIAG_ADMIN_DOWN] = "Administratively down",
    [BFD_DIAG_REVERSE_CONCAT_DOWN] = "Reverse concatenated path down",
  };

  return diag < ARRAY_SIZE(names) ? names[diag] : "Unknown";
}

uint
bfd_auth_secret_max(enum bfd_auth_type type)
{
  static const u8 longest[BFD_AUTH__MAX] = { 0, 16, 16, 16, 20, 20 };

  return longest[type];
}

const char *
bfd_auth_name(enum bfd_auth_type type)
{
  static const char *const names[BFD_AUTH__MAX] = {
    [BFD_AUTH_NONE] = "None",
    [BFD_AUTH_SIMPLE] = "Simple",
    [BFD_AUTH_KEYED_MD5] = "Keyed MD5",
    [BFD_AUTH_METICULOUS_MD5] = "Meticulous keyed MD5",
    [BFD_AUTH_KEYED_SHA1] = "Keyed SHA1",
    [BFD_AUTH_METICULOUS_SHA1] = "Meticulous keyed SHA1",
  };

  return names[type];
}

size_t
bfd_keys_size(uint count)
{
  return sizeof(struct bfd_keys) + count * sizeof(struct bfd_secret);
}

static bool
secret_equal(const struct bfd_secret *a, const struct bfd_secret *b)
{
  return a->id == b->id && a->length == b->length && a->generate == b->generate && a->accept == b->accept &&
         memcmp(a->data, b->data, sizeof(a->data)) == 0;
}

bool
bfd_keys_equal(const struct bfd_keys *a, const struct bfd_keys *b)
{
  bool equal = a->type == b->type && a->count == b->count;

  for (uint i = 0; equal && i < a->count; i++)
    equal = secret_equal(&a->secret[i], &b->secret[i]);
  return equal;
}

void
bfd_keys_free(struct bfd_keys *keys)
{
  if (!keys)
    return;
  explicit_bzero(keys, bfd_keys_size(keys->count));
  mb_free(keys);
}

const char *
bfd_offload_name(uint offload)
{
  static const char *const names[BFD_OFFLOAD__MAX] = {
    [BFD_OFFLOAD_OFF] = "off",
    [BFD_OFFLOAD_AUTO] = "auto",
    [BFD_OFFLOAD_RING] = "ring",
    [BFD_OFFLOAD_ABSORB] = "absorb",
  };

  return names[offload];
}

const char *
bfd_rx_name(enum bfd_rx rx)
{
  static const char *const names[BFD_RX__MAX] = {
    [BFD_RX_OK] = "accepted",
    [BFD_RX_TTL] = "TTL too low",
    [BFD_RX_TRUNCATED] = "truncated",
    [BFD_RX_VERSION] = "unknown version",
    [BFD_RX_LENGTH] = "bad length",
    [BFD_RX_DETECT_MULT] = "zero detect mult",
    [BFD_RX_MULTIPOINT] = "multipoint bit set",
    [BFD_RX_MY_DISC] = "zero my discriminator",
    [BFD_RX_YOUR_DISC] = "zero your discriminator",
    [BFD_RX_NO_SESSION] = "no such session",
    [BFD_RX_HOP] = "wrong port for this session",
    [BFD_RX_INTERFACE] = "wrong interface for this session",
    [BFD_RX_AUTH] = "authentication not agreed on",
    [BFD_RX_AUTH_TYPE] = "other type of authentication",
    [BFD_RX_AUTH_KEY] = "unknown authentication key",
    [BFD_RX_AUTH_LENGTH] = "bad length of authentication",
    [BFD_RX_AUTH_SEQUENCE] = "sequence number out of order",
    [BFD_RX_AUTH_DIGEST] = "wrong password",
  };

  return names[rx];
}

const char *
bfd_verdict_name(uint verdict)
{
  static const char *const names[BFD_VERDICT__MAX] = {
    [BFD_VERDICT_UNKNOWN] = "unknown",
    [BFD_VERDICT_ADMIN] = "administrative",
    [BFD_VERDICT_LINK] = "link lost",
    [BFD_VERDICT_PEER] = "peer said so",
    [BFD_VERDICT_STALLED] = "we were stalled",
    [BFD_VERDICT_REFUSED] = "packets refused",
    [BFD_VERDICT_DROPPED] = "kernel dropped, possibly",
    [BFD_VERDICT_SILENT] = "peer silent",
    [BFD_VERDICT_LATE] = "packets late",
  };

  return verdict < BFD_VERDICT__MAX ? names[verdict] : "unknown";
}

bool
bfd_key_equal(const struct bfd_key *a, const struct bfd_key *b)
{
  return a->hop == b->hop && strcmp(a->vrf, b->vrf) == 0 && ip_equal(a->remote, b->remote) &&
         (a->hop == BFD_DIRECT ? strcmp(a->ifname, b->ifname) == 0 : ip_equal(a->local, b->local));
}

uint
bfd_arrivals_last(const struct bfd_arrivals *a, u32 gaps[BFD_GAPS])
{
  uint count = MIN(a->count, (u32) BFD_GAPS);

  for (uint i = 0; i < count; i++)
    gaps[i] = a->ring[(a->count - count + i) % BFD_GAPS] * BFD_GAP_GRAIN;
  return count;
}

btime
bfd_gap_end(uint bucket)
{
  return bucket < BFD_GAP_BUCKETS - 1 ? (btime) BFD_GAP_FIRST_END << bucket : BT_NEVER;
}

uint
bfd_gap_bucket(u32 us)
{
  uint octave = us < BFD_GAP_FIRST_END ? 0 : 32 - __builtin_clz(us / BFD_GAP_FIRST_END);

  return MIN(octave, (uint) BFD_GAP_BUCKETS - 1);
}
