/* proto/bfd/auth.c: see auth.h */
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>

#include "lib/cursor.h"
#include "proto/bfd/auth.h"

#define PROBE_EVERY 8 /* packets: with a multiplier of 3 the peer misses none that matters */

/* Auth Type, Auth Len and Auth Key ID, then, with a digest, a reserved byte and the sequence number */
#define SIMPLE_HEAD 3u
#define DIGEST_HEAD 8u

static bool
is_meticulous(enum bfd_auth_type type)
{
  return type == BFD_AUTH_METICULOUS_MD5 || type == BFD_AUTH_METICULOUS_SHA1;
}

/* 0 for types without one */
static uint
digest_size(enum bfd_auth_type type)
{
  return type < BFD_AUTH_KEYED_MD5 ? 0 : bfd_auth_secret_max(type);
}

static uint
section_size(enum bfd_auth_type type, const struct bfd_secret *s)
{
  return type == BFD_AUTH_SIMPLE ? SIMPLE_HEAD + s->length : DIGEST_HEAD + digest_size(type);
}

static void
make_digest(enum bfd_auth_type type, const byte *data, size_t size, byte *digest)
{
  if (digest_size(type) == MD5_DIGEST_SIZE)
  {
    struct md5_ctx c;

    md5_init(&c);
    md5_update(&c, size, data);
    md5_digest(&c, MD5_DIGEST_SIZE, digest);
    explicit_bzero(&c, sizeof(c)); /* it has seen the secret */
  }
  else
  {
    struct sha1_ctx c;

    sha1_init(&c);
    sha1_update(&c, size, data);
    sha1_digest(&c, SHA1_DIGEST_SIZE, digest);
    explicit_bzero(&c, sizeof(c));
  }
}

/* Which keys are in use */

void
bfd_auth_init(struct bfd_auth *a, u32 seq)
{
  *a = (struct bfd_auth){ .tx_seq = seq };
}

void
bfd_auth_settle(struct bfd_auth *a)
{
  a->changing = false;
  a->before = NULL;
}

static const struct bfd_secret *
signing_secret(const struct bfd_keys *keys)
{
  for (uint i = 0; i < keys->count; i++)
    if (keys->secret[i].generate)
      return &keys->secret[i];
  return NULL;
}

void
bfd_auth_change(struct bfd_auth *a, const struct bfd_keys *keys, btime patience, btime now)
{
  const struct bfd_keys *used = a->changing ? a->before : a->keys;

  a->keys = keys;
  bfd_auth_settle(a);
  if (patience <= 0 || (used && !signing_secret(used)))
    return;
  a->before = used;
  a->changing = true;
  a->change_end = now + patience;
  a->since_probe = 0;
}

void
bfd_auth_update(struct bfd_auth *a, const struct bfd_keys *keys)
{
  a->keys = keys;
}

/* Sending */

/*
 * 6.7.3: meticulous authentication counts packets. Otherwise the number need not change while the contents do
 * not, and then a peer that missed many packets still finds it in its window.
 */
static void
next_sequence(struct bfd_auth *a, enum bfd_auth_type type, u8 id, const byte *data)
{
  bool same = a->last_id == id && memcmp(a->last, data, sizeof(a->last)) == 0;

  if (is_meticulous(type) || !same)
    a->tx_seq++;
  a->last_id = id;
  memcpy(a->last, data, sizeof(a->last));
}

static void
sign_simple(const struct bfd_secret *s, struct wcur *c)
{
  wcur_u8(c, BFD_AUTH_SIMPLE);
  wcur_u8(c, SIMPLE_HEAD + s->length);
  wcur_u8(c, s->id);
  memcpy(wcur_take(c, s->length), s->data, s->length);
}

static void
sign_digest(const struct bfd_auth *a, enum bfd_auth_type type, const struct bfd_secret *s, byte *data,
            struct wcur *c)
{
  wcur_u8(c, type);
  wcur_u8(c, DIGEST_HEAD + digest_size(type));
  wcur_u8(c, s->id);
  wcur_u8(c, 0);
  wcur_u32(c, a->tx_seq);

  byte *place = wcur_take(c, digest_size(type));

  memcpy(place, s->data, digest_size(type));
  make_digest(type, data, BFD_PACKET_SIZE + DIGEST_HEAD + digest_size(type), place);
}

static const struct bfd_keys *
keys_to_sign(struct bfd_auth *a, bool probe, btime now)
{
  if (a->changing && now >= a->change_end)
    bfd_auth_settle(a);
  if (!a->changing)
    return a->keys;
  if (!probe || ++a->since_probe < PROBE_EVERY)
    return a->before;
  a->since_probe = 0;
  return a->keys;
}

uint
bfd_auth_sign(struct bfd_auth *a, byte *data, bool probe, btime now)
{
  const struct bfd_keys *keys = keys_to_sign(a, probe, now);

  if (!keys)
    return BFD_PACKET_SIZE;

  const struct bfd_secret *s = signing_secret(keys);
  struct wcur c = wcur_init(data + BFD_PACKET_SIZE, BFD_PACKET_MAX - BFD_PACKET_SIZE);

  if (!s)
    return 0;
  next_sequence(a, keys->type, s->id, data);
  bfd_packet_add_auth(data, section_size(keys->type, s));
  if (keys->type == BFD_AUTH_SIMPLE)
    sign_simple(s, &c);
  else
    sign_digest(a, keys->type, s, data, &c);
  return data[3];
}

/* Receiving */

bool
bfd_auth_agrees(const struct bfd_auth *a, const struct bfd_packet *pkt)
{
  bool signed_packet = pkt->flags & BFD_FLAG_AUTH;

  return signed_packet == !!a->keys || (a->changing && signed_packet == !!a->before);
}

struct section
{
  u8 type, len, id;
  u32 seq;
  const byte *rest; /* password or digest */
  uint rest_size;
};

/* Length has been compared with the datagram, and covers Auth Type and Auth Len if the A bit is set. */
static bool
section_read(struct section *sec, const struct bfd_packet *pkt, const byte *data)
{
  struct rcur c = rcur_init(data + BFD_PACKET_SIZE, pkt->length - BFD_PACKET_SIZE);

  sec->type = rcur_u8(&c);
  sec->len = rcur_u8(&c);
  if (sec->len < SIMPLE_HEAD)
    return false;

  u8 head = sec->type == BFD_AUTH_SIMPLE ? SIMPLE_HEAD : DIGEST_HEAD;

  sec->id = rcur_u8(&c);
  if (head == DIGEST_HEAD)
  {
    rcur_u8(&c); /* reserved, ignored on receipt */
    sec->seq = rcur_u32(&c);
  }
  if (sec->len < head)
    return false;
  sec->rest_size = sec->len - head;
  sec->rest = rcur_take(&c, sec->rest_size);
  return !c.bad;
}

static bool
secret_matches(const struct section *sec, const struct bfd_secret *s, const struct bfd_packet *pkt,
               const byte *data)
{
  enum bfd_auth_type type = sec->type;
  byte copy[UINT8_MAX], digest[SHA1_DIGEST_SIZE];

  if (type == BFD_AUTH_SIMPLE)
    return sec->rest_size == s->length && memeql_sec(sec->rest, s->data, s->length);

  memcpy(copy, data, pkt->length);
  memcpy(copy + (sec->rest - data), s->data, digest_size(type));
  make_digest(type, copy, pkt->length, digest);
  explicit_bzero(copy, sizeof(copy));
  return memeql_sec(sec->rest, digest, digest_size(type));
}

/* 6.7.3 and 6.7.4: the window of sequence numbers. */
static bool
sequence_fits(const struct bfd_auth *a, const struct section *sec, const struct bfd_packet *pkt,
              btime arrival)
{
  u32 step = sec->seq - a->rx_seq;

  if (!digest_size(sec->type) || !a->rx_known || arrival >= a->rx_forget)
    return true;
  return step >= is_meticulous(sec->type) && step <= 3u * pkt->detect_mult;
}

static bool
id_accepted(const struct bfd_keys *keys, u8 id)
{
  for (uint i = 0; i < keys->count; i++)
    if (keys->secret[i].accept && keys->secret[i].id == id)
      return true;
  return false;
}

/*
 * In the order of 6.7.2 to 6.7.4. Several keys may have one number: while it is given to another secret. @by
 * is the one that fits.
 */
static enum bfd_rx
check(const struct bfd_auth *a, const struct bfd_keys *keys, const struct bfd_packet *pkt, const byte *data,
      btime arrival, struct section *sec, const struct bfd_secret **by)
{
  bool read;

  if (!keys || !(pkt->flags & BFD_FLAG_AUTH))
    return keys || (pkt->flags & BFD_FLAG_AUTH) ? BFD_RX_AUTH : BFD_RX_OK;
  read = section_read(sec, pkt, data);
  if (sec->type != keys->type)
    return BFD_RX_AUTH_TYPE;
  if (!read)
    return BFD_RX_AUTH_LENGTH;
  if (!id_accepted(keys, sec->id))
    return BFD_RX_AUTH_KEY;
  if (digest_size(sec->type) && sec->rest_size != digest_size(sec->type))
    return BFD_RX_AUTH_LENGTH;
  if (!sequence_fits(a, sec, pkt, arrival))
    return BFD_RX_AUTH_SEQUENCE;
  for (uint i = 0; i < keys->count; i++)
    if (keys->secret[i].accept && keys->secret[i].id == sec->id &&
        secret_matches(sec, &keys->secret[i], pkt, data))
    {
      *by = &keys->secret[i];
      return BFD_RX_OK;
    }
  return BFD_RX_AUTH_DIGEST;
}

/*
 * The RFC takes a first sequence number before it looks at the digest; then anybody could set it. Here only a
 * packet that is accepted does.
 */
static void
take_sequence(struct bfd_auth *a, const struct section *sec, btime arrival, btime memory)
{
  if (!digest_size(sec->type))
    return;
  a->rx_known = true;
  a->rx_seq = sec->seq;
  a->rx_forget = arrival + memory;
}

static bool
same_signature(const struct bfd_keys *a, const struct bfd_keys *b)
{
  const struct bfd_secret *sa = a ? signing_secret(a) : NULL, *sb = b ? signing_secret(b) : NULL;

  return sa && sb && a->type == b->type && sa->id == sb->id && sa->length == sb->length &&
         memcmp(sa->data, sb->data, sa->length) == 0;
}

/* The peer sent what satisfies the new keys, by means of @by. Will it believe what we sign with them? */
static bool
has_followed(const struct bfd_auth *a, const struct bfd_secret *by)
{
  return !by || by->generate || same_signature(a->keys, a->before) || !signing_secret(a->keys);
}

enum bfd_rx
bfd_auth_verify(struct bfd_auth *a, const struct bfd_packet *pkt, const byte *data, btime arrival,
                btime memory)
{
  struct section sec = { 0 };
  const struct bfd_secret *by = NULL;
  enum bfd_rx rx = check(a, a->keys, pkt, data, arrival, &sec, &by), rx_before = rx;

  if (rx == BFD_RX_OK && a->changing && has_followed(a, by))
  {
    a->followed = true;
    bfd_auth_settle(a);
  }
  else if (rx != BFD_RX_OK && a->changing && arrival < a->change_end)
    rx_before = check(a, a->before, pkt, data, arrival, &sec, &by);
  if (rx_before == BFD_RX_OK)
    take_sequence(a, &sec, arrival, memory);
  return rx_before == BFD_RX_OK ? BFD_RX_OK : rx;
}
