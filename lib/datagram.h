/*
 * lib/datagram.h: the IP and UDP headers of packets we send as a whole. Pure.
 *
 * RFC 791, RFC 8200, RFC 768. No options or extension headers; never to be fragmented.
 */
#ifndef PEREGRINE_LIB_DATAGRAM_H
#define PEREGRINE_LIB_DATAGRAM_H

#include "lib/ip.h"

struct datagram
{
  ip_addr from, to; /* of one family */
  u16 from_port, to_port;
  u8 ttl;
  u8 tos; /* traffic class */
};

/* What stands in front of the payload: 28 bytes, or 48 with IPv6. */
size_t datagram_header(const struct datagram *d);

/* Write the headers of @size bytes of payload, which stand at @packet + datagram_header() already. The size
 * of all. */
size_t datagram_wrap(byte *packet, const struct datagram *d, size_t size);

#endif
