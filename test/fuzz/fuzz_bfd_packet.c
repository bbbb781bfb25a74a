/* test/fuzz/fuzz_bfd_packet.c: any bytes are refused, or decode to a packet that keeps every promise */
#include <string.h>

#include "proto/bfd/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct bfd_packet p = { 0 }, again = { 0 };
  enum bfd_rx rx = bfd_packet_decode(&p, data, size);

  ASSERT(rx < BFD_RX__MAX && bfd_rx_name(rx));
  if (rx != BFD_RX_OK)
  {
    ASSERT(memcmp(&p, &again, sizeof(p)) == 0);
    return 0;
  }
  ASSERT(size >= BFD_PACKET_SIZE && p.length >= BFD_PACKET_SIZE && p.length <= size);
  ASSERT(p.detect_mult && p.my_disc && !(p.flags & BFD_FLAG_MULTIPOINT));
  ASSERT(p.your_disc || p.state <= BFD_DOWN);

  byte copy[BFD_PACKET_SIZE];

  p.flags &= ~BFD_FLAG_AUTH; /* we write none */
  p.length = BFD_PACKET_SIZE;
  bfd_packet_encode(&p, copy);
  ASSERT(bfd_packet_decode(&again, copy, sizeof(copy)) == BFD_RX_OK);
  ASSERT(memcmp(&p, &again, sizeof(p)) == 0);
  return 0;
}
