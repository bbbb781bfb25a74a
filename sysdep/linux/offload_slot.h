/*
 * sysdep/linux/offload_slot.h: what the program in the kernel and its loader share; private to them
 *
 * A slot is a line of the cache that only the loader writes, and lines that the program writes while the slot
 * is armed. The loader publishes: PASS into the mode, then everything else, the new mode last. Where loads
 * may overtake each other the program could see the new mode and a payload of before; it would take one
 * packet for one that changes nothing that was such a moment ago.
 */
#ifndef PEREGRINE_SYSDEP_LINUX_OFFLOAD_SLOT_H
#define PEREGRINE_SYSDEP_LINUX_OFFLOAD_SLOT_H

#include "sysdep/offload.h"

#define OFFLOAD_LINE 64
#define OFFLOAD_RING_SIZE (1u << 20) /* bytes: 13 000 packets */

struct offload_lines
{
  /* Of the loader */
  u8 mode; /* enum offload_mode */
  u8 ring;
  u8 v6;
  u8 unused;
  u32 ifindex;
  u32 remote[4], local[4]; /* as in packets; IPv4 in the last word */
  union
  {
    u32 payload[6];
    struct
    {
      u32 said[2], disc; /* Your Discriminator is part of the payload, and looked at without the rest, too */
    };
  };
  /* Of the program */
  u64 last_rx __attribute__((aligned(OFFLOAD_LINE))); /* monotonic, us */
  u64 absorbed;
  struct bfd_arrivals arrivals;
} __attribute__((aligned(OFFLOAD_LINE)));

/* What is put into a ring. */
struct offload_record
{
  u64 arrival; /* monotonic, us */
  u32 disc;    /* as in packets */
  u32 size;
  u8 data[OFFLOAD_PACKET_MAX];
};

#endif
