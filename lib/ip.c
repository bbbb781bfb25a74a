/* lib/ip.c: see ip.h. Text forms are libc's (inet_pton, inet_ntop). */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/cursor.h"
#include "lib/hash.h"
#include "lib/ip.h"

bool
ip_is_multicast(ip_addr a)
{
  return ip_is_v4(a) ? a.w[3] >> 28 == 0xe : a.w[0] >> 24 == 0xff;
}

bool
ip_is_loopback(ip_addr a)
{
  return ip_is_v4(a) ? a.w[3] >> 24 == 127 : ip_equal(a, ip_v6(0, 0, 0, 1));
}

u32
ip_hash(ip_addr a)
{
  u64 high = (u64) a.w[0] << 32 | a.w[1];
  u64 low = (u64) a.w[2] << 32 | a.w[3];

  return hash_u64(low ^ ((u64) hash_u64(high) << 16));
}

ip_addr
ip_from_bytes(const byte *data, size_t size)
{
  struct rcur c = rcur_init(data, size);
  ip_addr a = IP_NONE;

  if (size == 4)
    return ip_v4(rcur_u32(&c));
  for (int i = 0; i < 4; i++)
    a.w[i] = rcur_u32(&c);
  return c.bad ? IP_NONE : a;
}

size_t
ip_to_bytes(ip_addr a, byte *data)
{
  bool v4 = ip_is_v4(a);
  struct wcur c = wcur_init(data, v4 ? 4 : 16);

  for (int i = v4 ? 3 : 0; i < 4; i++)
    wcur_u32(&c, a.w[i]);
  return v4 ? 4 : 16;
}

bool
ip_parse(const char *text, ip_addr *a)
{
  byte data[16];

  if (inet_pton(AF_INET, text, data) == 1)
    *a = ip_from_bytes(data, 4);
  else if (inet_pton(AF_INET6, text, data) == 1)
    *a = ip_from_bytes(data, 16);
  else
    return false;
  return true;
}

char *
ip_format(ip_addr a, char *buf)
{
  byte data[16];
  int family = ip_to_bytes(a, data) == 4 ? AF_INET : AF_INET6;

  inet_ntop(family, data, buf, IP_TEXT_SIZE);
  return buf;
}

ip_addr
ip_mask(ip_addr a, uint len)
{
  if (ip_is_v4(a))
    len += 96;
  for (uint i = 0; i < 4; i++)
  {
    uint bits = len > 32 * i ? MIN(len - 32 * i, 32u) : 0;

    a.w[i] &= bits ? ~0u << (32 - bits) : 0;
  }
  return a;
}

bool
prefix_contains(const struct prefix *p, ip_addr a)
{
  return ip_is_v4(p->addr) == ip_is_v4(a) && ip_equal(ip_mask(a, p->len), ip_mask(p->addr, p->len));
}

char *
prefix_format(const struct prefix *p, char *buf)
{
  snprintf(buf, PREFIX_TEXT_SIZE, "%s/%u", IP_STR(p->addr), p->len);
  return buf;
}
