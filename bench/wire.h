/* bench/wire.h: BFD control packets in UDP, IPv4 and Ethernet, as the simulator sends and hears them. Pure.
 */
#ifndef PEREGRINE_BENCH_WIRE_H
#define PEREGRINE_BENCH_WIRE_H

#include "lib/types.h"

#define WIRE_SIZE 66 /* Ethernet 14, IPv4 20, UDP 8, BFD without authentication 24 */

enum
{
  BFD_ADMIN_DOWN,
  BFD_DOWN,
  BFD_INIT,
  BFD_UP
};
enum
{
  DIAG_NONE = 0,
  DIAG_TIMEOUT = 1,
  DIAG_NEIGHBOR_DOWN = 3,
  DIAG__MAX = 32
};
enum
{
  FLAG_MULTIPOINT = 1,
  FLAG_DEMAND = 2,
  FLAG_AUTH = 4,
  FLAG_FINAL = 16,
  FLAG_POLL = 32
};

struct packet
{
  u8 diag, state, flags, detect_mult;
  u32 my_disc, your_disc, desired_min_tx, required_min_rx;
};

/* Where a packet goes and where it comes from; addresses in host order. */
struct wire_path
{
  byte local_mac[6], remote_mac[6];
  u32 local, remote;
  u16 source_port; /* of ours; that of the peer does not matter */
};

/**
 * wire_decode - the packet in a frame that was received
 *
 * False, and nothing written, for all that is not a control packet of single hop in the sense of RFC 5880
 * 6.8.6 and RFC 5881 5, without authentication. Sets everything in @path but the port.
 */
bool wire_decode(struct wire_path *path, struct packet *p, const byte *frame, size_t size);

/* Write WIRE_SIZE bytes. The UDP checksum is 0: none, as RFC 768 allows. */
void wire_encode(byte *frame, const struct wire_path *path, const struct packet *p);

#endif
