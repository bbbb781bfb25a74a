/* proto/bfd/packet.c: see packet.h */
#include "lib/cursor.h"
#include "proto/bfd/packet.h"

#define BFD_AUTH_MIN 2 /* Auth Type and Auth Len, RFC 5880 4.1 */

static u8
bfd_min_length(u8 flags)
{
  return BFD_PACKET_SIZE + (flags & BFD_FLAG_AUTH ? BFD_AUTH_MIN : 0);
}

/* The checks are those of RFC 5880 6.8.6 that need no session, in its order. */
enum bfd_rx
bfd_packet_decode(struct bfd_packet *pkt, const byte *data, size_t size)
{
  struct rcur c = rcur_init(data, size);
  u8 vdiag = rcur_u8(&c);
  u8 sflags = rcur_u8(&c);
  struct bfd_packet p = { .diag = vdiag & 0x1f, .state = sflags >> 6, .flags = sflags & 0x3f };

  p.detect_mult = rcur_u8(&c);
  p.length = rcur_u8(&c);
  p.my_disc = rcur_u32(&c);
  p.your_disc = rcur_u32(&c);
  p.min_tx = rcur_u32(&c);
  p.min_rx = rcur_u32(&c);
  p.min_echo_rx = rcur_u32(&c);

  if (c.bad)
    return BFD_RX_TRUNCATED;
  if (vdiag >> 5 != BFD_VERSION)
    return BFD_RX_VERSION;
  if (p.length < bfd_min_length(p.flags) || p.length > size)
    return BFD_RX_LENGTH;
  if (!p.detect_mult)
    return BFD_RX_DETECT_MULT;
  if (p.flags & BFD_FLAG_MULTIPOINT)
    return BFD_RX_MULTIPOINT;
  if (!p.my_disc)
    return BFD_RX_MY_DISC;
  if (!p.your_disc && p.state > BFD_DOWN)
    return BFD_RX_YOUR_DISC;

  *pkt = p;
  return BFD_RX_OK;
}

void
bfd_packet_add_auth(byte data[BFD_PACKET_SIZE], uint len)
{
  data[1] |= BFD_FLAG_AUTH;
  data[3] = BFD_PACKET_SIZE + len;
}

void
bfd_packet_encode(const struct bfd_packet *pkt, byte data[BFD_PACKET_SIZE])
{
  struct wcur c = wcur_init(data, BFD_PACKET_SIZE);

  wcur_u8(&c, BFD_VERSION << 5 | (pkt->diag & 0x1f));
  wcur_u8(&c, pkt->state << 6 | (pkt->flags & 0x3f));
  wcur_u8(&c, pkt->detect_mult);
  wcur_u8(&c, BFD_PACKET_SIZE);
  wcur_u32(&c, pkt->my_disc);
  wcur_u32(&c, pkt->your_disc);
  wcur_u32(&c, pkt->min_tx);
  wcur_u32(&c, pkt->min_rx);
  wcur_u32(&c, pkt->min_echo_rx);
}
