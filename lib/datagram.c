/* lib/datagram.c: see datagram.h */
#include <string.h>

#include "lib/datagram.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define UDP_HEADER 8
#define PROTO_UDP 17
#define DONT_FRAGMENT 0x4000

static u16
get_u16(const byte *p)
{
  return p[0] << 8 | p[1];
}

static void
put_u16(byte *p, u16 v)
{
  p[0] = v >> 8;
  p[1] = v;
}

size_t
datagram_header(const struct datagram *d)
{
  return (ip_is_v4(d->from) ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER;
}

/* RFC 1071: words added up, not yet folded; an odd last byte is a word's first. */
static u64
add_up(u64 sum, const byte *data, size_t size)
{
  for (; size > 1; data += 2, size -= 2)
    sum += get_u16(data);
  return sum + (size ? data[0] << 8 : 0);
}

static u64
add_address(u64 sum, ip_addr a)
{
  for (uint i = ip_is_v4(a) ? 3 : 0; i < 4; i++)
    sum += (a.w[i] >> 16) + (a.w[i] & 0xffff);
  return sum;
}

static u16
folded(u64 sum)
{
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static void
wrap_udp(byte *udp, const struct datagram *d, size_t length)
{
  u64 sum = PROTO_UDP + length; /* the pseudo header */

  put_u16(udp, d->from_port);
  put_u16(udp + 2, d->to_port);
  put_u16(udp + 4, length);
  put_u16(udp + 6, 0);
  sum = add_address(add_address(sum, d->from), d->to);

  u16 check = folded(add_up(sum, udp, length));

  put_u16(udp + 6, check ? check : 0xffff); /* zero would say that there is none */
}

static void
wrap_ipv4(byte *ip, const struct datagram *d, size_t length)
{
  memset(ip, 0, IPV4_HEADER);
  ip[0] = 4 << 4 | IPV4_HEADER / 4;
  ip[1] = d->tos;
  put_u16(ip + 2, length);
  put_u16(ip + 6, DONT_FRAGMENT);
  ip[8] = d->ttl;
  ip[9] = PROTO_UDP;
  ip_to_bytes(d->from, ip + 12);
  ip_to_bytes(d->to, ip + 16);
  put_u16(ip + 10, folded(add_up(0, ip, IPV4_HEADER)));
}

static void
wrap_ipv6(byte *ip, const struct datagram *d, size_t length)
{
  memset(ip, 0, 4);
  ip[0] = 6 << 4 | d->tos >> 4;
  ip[1] = d->tos << 4;
  put_u16(ip + 4, length - IPV6_HEADER);
  ip[6] = PROTO_UDP;
  ip[7] = d->ttl;
  ip_to_bytes(d->from, ip + 8);
  ip_to_bytes(d->to, ip + 24);
}

size_t
datagram_wrap(byte *packet, const struct datagram *d, size_t size)
{
  size_t header = datagram_header(d);

  wrap_udp(packet + header - UDP_HEADER, d, UDP_HEADER + size);
  (ip_is_v4(d->from) ? wrap_ipv4 : wrap_ipv6)(packet, d, header + size);
  return header + size;
}
