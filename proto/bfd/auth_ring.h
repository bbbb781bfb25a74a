/*
 * proto/bfd/auth_ring.h: for tests only: keys, with room for their secrets
 *
 * Include it after cmocka.h.
 */
#ifndef PEREGRINE_BFD_AUTH_RING_H
#define PEREGRINE_BFD_AUTH_RING_H

#include <stdlib.h>
#include <string.h>

#include "lib/bfd.h"

#define RING_MAX 4

struct key
{
  u8 id;
  const char *secret;
  bool generate, accept;
};

struct ring
{
  u64 room[(sizeof(struct bfd_keys) + RING_MAX * sizeof(struct bfd_secret) + 7) / 8];
};

static inline struct bfd_keys *
ring_keys(const struct ring *ring)
{
  return (struct bfd_keys *) ring->room;
}

static inline const struct bfd_keys *
make_ring(struct ring *ring, enum bfd_auth_type type, const struct key *key, uint count)
{
  struct bfd_keys *keys = ring_keys(ring);

  assert_true(count <= RING_MAX);
  memset(ring, 0, sizeof(*ring));
  keys->type = type;
  keys->count = count;
  for (uint i = 0; i < count; i++)
  {
    struct bfd_secret *s = &keys->secret[i];

    *s = (struct bfd_secret){ .id = key[i].id, .generate = key[i].generate, .accept = key[i].accept };
    s->length = strlen(key[i].secret);
    memcpy(s->data, key[i].secret, s->length);
  }
  return keys;
}

/* One key for both directions. */
static inline const struct bfd_keys *
one_key(struct ring *ring, enum bfd_auth_type type, u8 id, const char *secret)
{
  return make_ring(ring, type, &(struct key){ id, secret, true, true }, 1);
}

#define FOR_TYPES(t) for (enum bfd_auth_type t = BFD_AUTH_SIMPLE; t < BFD_AUTH__MAX; t++)
#define FOR_DIGESTS(t) for (enum bfd_auth_type t = BFD_AUTH_KEYED_MD5; t < BFD_AUTH__MAX; t++)

static inline bool
meticulous(enum bfd_auth_type t)
{
  return t == BFD_AUTH_METICULOUS_MD5 || t == BFD_AUTH_METICULOUS_SHA1;
}

#endif
