/*
 * proto/bfd/packet.h: the control packet, bytes <-> struct. RFC 5880 section 4.1. Pure.
 */
#ifndef PEREGRINE_BFD_PACKET_H
#define PEREGRINE_BFD_PACKET_H

#include "lib/bfd.h"

#define BFD_VERSION 1
#define BFD_PACKET_SIZE 24 /* without an authentication section */

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

/*
 * What became of a received packet: accepted, or the reason why not, in the order in which they are checked.
 */
enum bfd_rx
{
  BFD_RX_OK,
  BFD_RX_TTL,       /* RFC 5881 section 5, or below the configured minimum */
  BFD_RX_TRUNCATED, /* shorter than the mandatory section */
  BFD_RX_VERSION,
  BFD_RX_LENGTH,
  BFD_RX_DETECT_MULT,
  BFD_RX_MULTIPOINT,
  BFD_RX_MY_DISC,
  BFD_RX_YOUR_DISC,  /* zero in a state that must know it */
  BFD_RX_NO_SESSION, /* nobody here is meant */
  BFD_RX_HOP,        /* a direct session's discriminator on the multihop port, or the reverse */
  BFD_RX_INTERFACE,  /* a direct session's discriminator on another interface */
  BFD_RX_AUTH,       /* authenticated, and the session is not, or the reverse */
  BFD_RX__MAX
};

const char *bfd_rx_name(enum bfd_rx rx);

/* Fills @pkt only when it returns BFD_RX_OK. */
enum bfd_rx bfd_packet_decode(struct bfd_packet *pkt, const byte *data, size_t size);

/* The 24 bytes of a packet without authentication; @pkt's length is not looked at. */
void bfd_packet_encode(const struct bfd_packet *pkt, byte data[BFD_PACKET_SIZE]);

#endif
