/*
 * lib/ip.h: addresses and prefixes
 *
 * One type for both families: four words in host order, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). IP_NONE
 * (the address ::) means "not given"; the IPv4 address 0.0.0.0 differs from it.
 */
#ifndef PEREGRINE_LIB_IP_H
#define PEREGRINE_LIB_IP_H

#include "lib/types.h"

typedef struct
{
  u32 w[4];
} ip_addr;

#define IP_NONE ((ip_addr){ { 0 } })
#define IP_TEXT_SIZE 46 /* longest text form with its end */

struct prefix
{
  ip_addr addr;
  u8 len; /* in bits of its own family: up to 32 or 128 */
};

static inline ip_addr
ip_v4(u32 a)
{
  return (ip_addr){ { 0, 0, 0xffff, a } };
}

static inline ip_addr
ip_v6(u32 a, u32 b, u32 c, u32 d)
{
  return (ip_addr){ { a, b, c, d } };
}

static inline bool
ip_is_none(ip_addr a)
{
  return !(a.w[0] | a.w[1] | a.w[2] | a.w[3]);
}

static inline bool
ip_is_v4(ip_addr a)
{
  return !a.w[0] && !a.w[1] && a.w[2] == 0xffff;
}

static inline u32
ip_to_u32(ip_addr a)
{
  return a.w[3];
}

static inline bool
ip_equal(ip_addr a, ip_addr b)
{
  return a.w[0] == b.w[0] && a.w[1] == b.w[1] && a.w[2] == b.w[2] && a.w[3] == b.w[3];
}

/* fe80::/10 only: IPv4 link-local addresses need no interface to mean something. */
static inline bool
ip_is_link_local(ip_addr a)
{
  return (a.w[0] & 0xffc00000) == 0xfe800000;
}

bool ip_is_multicast(ip_addr a);
bool ip_is_loopback(ip_addr a);
u32 ip_hash(ip_addr a);

/* Big-endian bytes, 4 (IPv4) or 16 (IPv6), as packets and the kernel carry them. */
ip_addr ip_from_bytes(const byte *data, size_t size);
size_t ip_to_bytes(ip_addr a, byte *data); /* returns 4 or 16 */

/* False, and nothing stored, when @text is not exactly one address. */
bool ip_parse(const char *text, ip_addr *a);

/* Into @buf of IP_TEXT_SIZE bytes; returns @buf. RFC 5952 form. */
char *ip_format(ip_addr a, char *buf);
#define IP_STR(a) ip_format((a), (char[IP_TEXT_SIZE]){ 0 })

/* The network part: @len counts bits of the address's own family. */
ip_addr ip_mask(ip_addr a, uint len);
bool prefix_contains(const struct prefix *p, ip_addr a);

#define PREFIX_TEXT_SIZE (IP_TEXT_SIZE + 4)
char *prefix_format(const struct prefix *p, char *buf);
#define PREFIX_STR(p) prefix_format((p), (char[PREFIX_TEXT_SIZE]){ 0 })

#endif
