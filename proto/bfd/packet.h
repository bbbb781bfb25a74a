/*
 * proto/bfd/packet.h: the control packet, bytes <-> struct. RFC 5880 section 4.1. Pure.
 */
#ifndef PEREGRINE_BFD_PACKET_H
#define PEREGRINE_BFD_PACKET_H

#include "lib/bfd.h"

#define BFD_VERSION 1
#define BFD_PACKET_SIZE 24                    /* without an authentication section */
#define BFD_PACKET_MAX (BFD_PACKET_SIZE + 28) /* with the longest one */

enum bfd_flag
{
  BFD_FLAG_MULTIPOINT = 0x01,
  BFD_FLAG_DEMAND = 0x02,
  BFD_FLAG_AUTH = 0x04,
  BFD_FLAG_CPI = 0x08, /* control plane independent */
  BFD_FLAG_FINAL = 0x10,
  BFD_FLAG_POLL = 0x20,
};

struct bfd_packet
{
  u8 diag, state, flags, detect_mult, length;
  u32 my_disc, your_disc;
  u32 min_tx, min_rx, min_echo_rx; /* us */
};

/* Fills @pkt only when it returns BFD_RX_OK. */
enum bfd_rx bfd_packet_decode(struct bfd_packet *pkt, const byte *data, size_t size);

/* The 24 bytes of a packet without authentication; @pkt's length is not looked at. */
void bfd_packet_encode(const struct bfd_packet *pkt, byte data[BFD_PACKET_SIZE]);

/* Say in an encoded packet that an authentication section of @len bytes follows. */
void bfd_packet_add_auth(byte data[BFD_PACKET_SIZE], uint len);

#endif
