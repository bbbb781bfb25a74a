/*
 * sysdep/linux/offload_fixture.h: for the tests of offload.c only
 *
 * One session's packets as frames, and the programs run on frames without an interface. The kernel runs them
 * as if the frame had come in at the loopback interface of the namespace. Include it after cmocka.h.
 */
#ifndef PEREGRINE_LINUX_OFFLOAD_FIXTURE_H
#define PEREGRINE_LINUX_OFFLOAD_FIXTURE_H

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/datagram.h"
#include "sysdep/clock.h"
#include "sysdep/offload.h"

#define DISC 0x0a1b2c3d
#define LOOPBACK 1 /* its index, in any namespace */
#define RINGS 2
#define SLOTS 70 /* more than a word of bits */
#define FRAME_MAX 256

struct fixture
{
  pool *pool;
  struct offload *o;
  struct offload_ring *rings[RINGS];
  struct offload_slot *slot;
  /* what the ring gave last */
  struct offload_packet packet;
  byte data[OFFLOAD_PACKET_MAX];
};

struct frame
{
  byte data[FRAME_MAX];
  size_t size;
};

/* Where, what and how. */
struct way
{
  enum offload_hook hook;
  bool v6;
  enum offload_mode mode;
};

#define FOR_WAYS(w) \
  for (struct way w = { OFFLOAD_XDP, false, OFFLOAD_RING }; w.hook <= OFFLOAD_TCX; w = next_way(w))

static inline struct way
next_way(struct way w)
{
  if (++w.mode <= OFFLOAD_ABSORB)
    return w;
  w.mode = OFFLOAD_RING;
  w.v6 = !w.v6;
  if (!w.v6)
    w.hook++;
  return w;
}

/* Up; my discriminator, yours, 100 ms, 100 ms, no echo. */
static const byte said[OFFLOAD_PAYLOAD] = {
  0x20, 0xc0, 3,    24,   0x0e, 0x0f, 0x10, 0x11, 0x0a, 0x1b, 0x2c, 0x3d,
  0,    1,    0x86, 0xa0, 0,    1,    0x86, 0xa0, 0,    0,    0,    0,
};

static inline struct offload_key
key_of(bool v6, u32 disc)
{
  struct offload_key key = { .disc = disc, .ifindex = LOOPBACK };

  key.remote = v6 ? ip_v6(0xfe800000, 1, 2, 3) : ip_v4(0xc0000201);
  key.local = v6 ? ip_v6(0xfe800000, 4, 5, 6) : ip_v4(0xc0000202);
  return key;
}

/* The loopback interface has no address on its link, so this is for it. */
static inline struct frame
frame_of(bool v6, const byte *payload, size_t size)
{
  struct offload_key key = key_of(v6, DISC);
  struct datagram d = {
    .from = key.remote, .to = key.local, .from_port = 50000, .to_port = BFD_PORT_DIRECT, .ttl = 255
  };
  struct frame f = { .size = 0 };

  f.data[ETH_ALEN] = 2; /* from somebody */
  f.data[12] = v6 ? 0x86 : 0x08;
  f.data[13] = v6 ? 0xdd : 0x00;
  memcpy(f.data + ETH_HLEN + datagram_header(&d), payload, size);
  f.size = ETH_HLEN + datagram_wrap(f.data + ETH_HLEN, &d, size);
  return f;
}

static inline struct frame
good_frame(bool v6)
{
  return frame_of(v6, said, sizeof(said));
}

static inline size_t
udp_at(bool v6)
{
  return ETH_HLEN + (v6 ? 40 : 20);
}

static inline size_t
payload_at(bool v6)
{
  return udp_at(v6) + 8;
}

/* Run the program of @hook on a frame: is it taken? */
static inline bool
taken(const struct fixture *f, enum offload_hook hook, const struct frame *frame)
{
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->data, .data_size_in = frame->size, .repeat = 1);

  if (bpf_prog_test_run_opts(offload_program(f->o, hook), &run) < 0)
    fail_msg("Running the program: %s", strerror(errno));
  if (run.retval == (hook == OFFLOAD_XDP ? (u32) XDP_DROP : (u32) TC_ACT_SHOT))
    return true;
  assert_int_equal(run.retval, hook == OFFLOAD_XDP ? (u32) XDP_PASS : (u32) TC_ACT_UNSPEC);
  return false;
}

static inline void
on_packet(const struct offload_packet *p, void *data)
{
  struct fixture *f = data;

  assert_true(p->size <= sizeof(f->data));
  f->packet = *p;
  memcpy(f->data, p->data, p->size);
  f->packet.data = f->data;
}

static inline uint
read_ring(struct fixture *f, uint ring, uint max)
{
  bool empty;

  return offload_ring_read(f->rings[ring], max, on_packet, f, &empty);
}

static inline u64
absorbed(const struct fixture *f)
{
  struct bfd_arrivals arrivals;
  u64 count;

  offload_slot_arrivals(f->slot, &arrivals, &count);
  return count;
}

/* The slot for packets of @way, armed. */
static inline void
arm_key(struct fixture *f, const struct way *way, const struct offload_key *key)
{
  static const struct bfd_arrivals none = { 0 };
  byte payload[OFFLOAD_PAYLOAD];
  u32 disc = htonl(key->disc);

  if (f->slot)
    offload_slot_free(f->slot);
  f->slot = offload_slot_new(f->rings[0], key);
  assert_non_null(f->slot);
  memcpy(payload, said, sizeof(payload));
  memcpy(payload + 8, &disc, sizeof(disc));
  offload_slot_arm(f->slot, way->mode, payload, &none, clock_now());
}

static inline void
arm(struct fixture *f, const struct way *way)
{
  struct offload_key key = key_of(way->v6, DISC);

  arm_key(f, way, &key);
}

/* Taken, and to be found where @way says; or passed, and nowhere. */
static inline void
assert_fate(struct fixture *f, const struct way *way, const struct frame *frame, bool expected,
            const char *what, uint detail)
{
  u64 before = absorbed(f);
  bool absorb = way->mode == OFFLOAD_ABSORB;

  if (taken(f, way->hook, frame) != expected)
    fail_msg("%s IPv%u mode %u: %s %u is %s", offload_hook_name(way->hook), way->v6 ? 6 : 4, way->mode, what,
             detail, expected ? "passed" : "taken");
  assert_int_equal(read_ring(f, 0, 10), expected && !absorb);
  assert_int_equal(absorbed(f) - before, expected && absorb);
}

static inline void
assert_taken(struct fixture *f, const struct way *way, const struct frame *frame, const char *what)
{
  assert_fate(f, way, frame, true, what, frame->size);
}

static inline void
assert_passed(struct fixture *f, const struct way *way, const struct frame *frame, const char *what)
{
  assert_fate(f, way, frame, false, what, frame->size);
}

static inline int
setup(void **ctx)
{
  struct fixture *f = test_calloc(1, sizeof(*f));
  int error = 0;

  *ctx = f;
  f->pool = pool_new(NULL, "Test");
  f->o = offload_new(f->pool, RINGS, SLOTS, &error);
  if (!f->o && error == -EPERM)
    print_message("The kernel refuses programs without CAP_BPF and CAP_NET_ADMIN\n");
  if (!f->o)
    return error == -EPERM ? 0 : error;
  for (uint i = 0; i < RINGS; i++)
    f->rings[i] = offload_ring_new(f->pool, f->o, i);
  return 0;
}

static inline int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  rfree(f->pool);
  test_free(f);
  return 0;
}

/* The fixture, where the kernel lets us. */
static inline struct fixture *
ready(void **ctx)
{
  struct fixture *f = *ctx;

  if (!f->o)
    skip();
  assert_non_null(f->rings[RINGS - 1]);
  return f;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
