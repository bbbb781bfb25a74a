/*
 * sysdep/offload.h: BFD packets taken from an interface before the IP stack sees them
 *
 * A program in the kernel compares what arrives at an interface with what was said of it here, in slots: one
 * for each session that is Up and has nothing to change. A packet with exactly the payload the slot names is
 * given to its engine through a ring in memory, or only counted in the slot; any other packet takes the
 * normal way, through the IP stack to a socket. So the program is a cache of "this changes nothing" and
 * decides nothing. It goes with the process: nothing is pinned.
 *
 * It runs in the driver (XDP, native), or where that is not to be had behind it (TCX, which lets others have
 * their programs, too). What it takes is seen by no packet filter.
 *
 * Built --without-xdp all of it fails with -EOPNOTSUPP.
 */
#ifndef PEREGRINE_SYSDEP_OFFLOAD_H
#define PEREGRINE_SYSDEP_OFFLOAD_H

#include "lib/bfd.h"
#include "lib/pool.h"

#define OFFLOAD_RINGS_MAX 32
#define OFFLOAD_PAYLOAD 24    /* the packets that are compared: a control packet without authentication */
#define OFFLOAD_PACKET_MAX 52 /* with the longest authentication section */

/*
 * The program and its tables. A resource: freeing it detaches it everywhere. The kernel makes callers wait
 * for 10 ms or more, so one thread that has the time calls all of these.
 */
struct offload;

/*
 * Load it, for @rings engines and @slots sessions (together). NULL: it cannot be had, @error says why, as
 * -errno; -EPERM is for want of CAP_BPF or CAP_NET_ADMIN.
 */
struct offload *offload_new(pool *p, uint rings, uint slots, int *error);

enum offload_hook
{
  OFFLOAD_NONE,
  OFFLOAD_XDP,
  OFFLOAD_TCX,
  OFFLOAD_HOOK__MAX
};

static inline const char *
offload_hook_name(enum offload_hook hook)
{
  return hook == OFFLOAD_XDP ? "XDP" : hook == OFFLOAD_TCX ? "TCX" : "none";
}

/*
 * Attach it to an interface: enum offload_hook, or -errno. A program of others is left alone: XDP that is
 * taken means TCX. Attached already: says where. An interface that is deleted detaches it; its index is to be
 * detached here all the same. Both wait for the kernel, some 10 ms, and there are drivers that take the link
 * down for a moment to get an XDP program.
 */
int offload_attach(struct offload *o, uint ifindex);
void offload_detach(struct offload *o, uint ifindex);

/*
 * A ring, and the slots that belong to it. A resource, made and freed in that thread and used in the loop of
 * one engine; the struct offload has to outlive it, and @number may be had again once it is freed. NULL: no
 * descriptors or memory left.
 */
struct offload_ring;
struct offload_ring *offload_ring_new(pool *p, struct offload *o, uint number);

/* A new descriptor, for the caller to watch and to close; -errno. Readable: see below. */
int offload_ring_fd(const struct offload_ring *r);

/*
 * Shall a packet make the descriptor readable? At first it does not. What came before it was asked for is
 * said with the next packet only, so read the ring once more afterwards.
 */
void offload_ring_wake(struct offload_ring *r, bool wake);

struct offload_packet
{
  u32 disc;         /* of the slot */
  const byte *data; /* the payload; valid during the call */
  size_t size;
  btime arrival; /* monotonic */
};

/*
 * Hand out what is there, at most @max packets: how many. @empty: that was all, and none is being written at
 * this moment. What came while the ring was full has gone the normal way.
 */
uint offload_ring_read(struct offload_ring *r, uint max,
                       void (*hook)(const struct offload_packet *p, void *data), void *data, bool *empty);

/* Which packets: those of one direct session. */
struct offload_key
{
  u32 disc; /* Your Discriminator */
  uint ifindex;
  ip_addr remote, local;
};

/* NULL: no slot is free, or @disc has one. Not armed at first. */
struct offload_slot *offload_slot_new(struct offload_ring *r, const struct offload_key *key);
void offload_slot_free(struct offload_slot *s);

enum offload_mode
{
  OFFLOAD_PASS,     /* not armed: take nothing */
  OFFLOAD_RING,     /* packets with the payload named go to the ring */
  OFFLOAD_RING_ANY, /* all of the session's of up to OFFLOAD_PACKET_MAX bytes: if it authenticates */
  OFFLOAD_ABSORB,   /* packets with the payload named are counted in the slot, and that is all */
};

/*
 * From now on (PASS is for offload_slot_disarm()). @payload: what the last packet accepted said, with the
 * slot's discriminator; not looked at with RING_ANY. @arrivals: the session's record so far, which goes on in
 * the slot with ABSORB, not looked at otherwise; @last_rx: its last packet.
 */
void offload_slot_arm(struct offload_slot *s, enum offload_mode mode, const byte payload[OFFLOAD_PAYLOAD],
                      const struct bfd_arrivals *arrivals, btime last_rx);

/* Nothing that arrives later is taken, except for what the program has in its hands at this moment. */
void offload_slot_disarm(struct offload_slot *s);

/* When the last packet that was absorbed arrived, or @last_rx of the arming. Cheap. */
btime offload_slot_heard(const struct offload_slot *s);
/*
 * The record that goes on in the slot, and how many packets were absorbed since it was armed; armed with
 * ABSORB, or disarmed after it. The packet that is being absorbed at this moment may be there in part.
 */
void offload_slot_arrivals(const struct offload_slot *s, struct bfd_arrivals *arrivals, u64 *absorbed);

/* The descriptor of a program, for tests. */
int offload_program(const struct offload *o, enum offload_hook hook);

#endif
