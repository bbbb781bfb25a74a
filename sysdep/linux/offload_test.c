/* sysdep/linux/offload_test.c: what is taken and what is not, slots and rings; see offload_fixture.h */
#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "sysdep/linux/offload_fixture.h"

#define LIMIT_MS 20000

/* --- What is taken --- */

static void
the_packet_named_is_taken_with_the_time_it_came(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);

    arm(f, &way);

    btime before = clock_now();

    assert_true(taken(f, way.hook, &frame));

    btime after = clock_now();

    assert_int_equal(read_ring(f, 1, 10), 0);
    assert_int_equal(read_ring(f, 0, 10), way.mode != OFFLOAD_ABSORB);
    assert_int_equal(absorbed(f), way.mode == OFFLOAD_ABSORB);
    if (way.mode == OFFLOAD_ABSORB)
      assert_in_range(offload_slot_heard(f->slot), before, after);
    else
    {
      assert_int_equal(f->packet.disc, DISC);
      assert_int_equal(f->packet.size, sizeof(said));
      assert_memory_equal(f->packet.data, said, sizeof(said));
      assert_in_range(f->packet.arrival, before, after);
    }
  }
}

/* Bits of a frame that say nothing of what is asked. */
static byte
dont_care(const struct way *way, uint at)
{
  uint ip = at - ETH_HLEN, udp = at - udp_at(way->v6), payload = at - payload_at(way->v6);

  if (at < 2 * ETH_ALEN)
    return at < ETH_ALEN && way->hook == OFFLOAD_TCX ? 0 : 0xff;
  if (at < ETH_HLEN)
    return 0;
  if (at < udp_at(way->v6))
  {
    static const byte v4[20] = { [1] = 0xff, [4] = 0xff, [5] = 0xff, [6] = 0xc0, [10] = 0xff, [11] = 0xff };
    static const byte v6[40] = { [0] = 0x0f, [1] = 0xff, [2] = 0xff, [3] = 0xff };

    return way->v6 ? v6[ip] : v4[ip];
  }
  if (at < payload_at(way->v6))
    return udp < 2 || udp >= 6 ? 0xff : 0; /* source port, checksum */
  return way->mode == OFFLOAD_RING_ANY && payload / 4 != 2 ? 0xff : 0;
}

static void
any_bit_that_matters_makes_it_pass(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);

    arm(f, &way);
    for (uint bit = 0; bit < 8 * frame.size; bit++)
    {
      frame.data[bit / 8] ^= 1 << bit % 8;
      assert_fate(f, &way, &frame, dont_care(&way, bit / 8) & 1 << bit % 8, "bit", bit);
      frame.data[bit / 8] ^= 1 << bit % 8;
    }
  }
}

static void
a_truncated_frame_passes(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);

    /* The kernel does not run it on less. */
    size_t least = way.hook == OFFLOAD_TCX ? udp_at(way.v6) : ETH_HLEN;

    arm(f, &way);
    while (--frame.size >= least)
      assert_passed(f, &way, &frame, "truncated to");
  }
}

static void
what_fills_up_a_frame_is_no_payload(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);

    arm(f, &way);
    for (; frame.size < FRAME_MAX; frame.size++)
    {
      frame.data[frame.size] = 0x55;
      assert_taken(f, &way, &frame, "filled up to");
    }
  }
}

static void
put_u16(struct frame *frame, size_t at, uint value)
{
  frame->data[at] = value >> 8;
  frame->data[at + 1] = value;
}

/* The length in the IP header, as if the UDP packet had @size bytes. */
static void
put_ip_length(struct frame *frame, bool v6, uint size)
{
  put_u16(frame, ETH_HLEN + (v6 ? 4 : 2), v6 ? size : size + 20);
}

static void
lengths_have_to_agree(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);

    arm(f, &way);
    frame.size = FRAME_MAX; /* all is there */
    for (uint ip = 0; ip < 100; ip++)
      for (uint udp = 0; udp < 100; udp++)
      {
        bool any = way.mode == OFFLOAD_RING_ANY && udp >= 32 && udp <= 60;

        put_ip_length(&frame, way.v6, ip);
        put_u16(&frame, udp_at(way.v6) + 4, udp);
        assert_fate(f, &way, &frame, ip == udp && (udp == 32 || any), "lengths", 1000 * ip + udp);
      }
  }
}

static void
lengths_do_not_go_round(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);

    arm(f, &way);
    for (uint length = 0; length < 20 && !way.v6; length++)
    {
      put_u16(&frame, ETH_HLEN + 2, length);
      put_u16(&frame, udp_at(false) + 4, length - 20);
      assert_passed(f, &way, &frame, "a short IP length");
    }
  }
}

/* Put @size bytes in at @at. */
static void
insert(struct frame *frame, size_t at, const void *bytes, size_t size)
{
  memmove(frame->data + at + size, frame->data + at, frame->size - at);
  memcpy(frame->data + at, bytes, size);
  frame->size += size;
}

static void
packets_with_more_headers_pass(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame tagged = good_frame(way.v6), optional = tagged, extended = tagged;

    arm(f, &way);
    insert(&tagged, 2 * ETH_ALEN, "\x81\x00\x00\x07", 4);
    assert_passed(f, &way, &tagged, "with a VLAN tag");

    insert(&optional, ETH_HLEN + 20, "\x01\x01\x01\x01", 4);
    optional.data[ETH_HLEN]++;
    put_ip_length(&optional, way.v6, 36);
    assert_passed(f, &way, &optional, "with an IP option");

    insert(&extended, udp_at(way.v6), "\x11\x00\x01\x04\x00\x00\x00\x00",
           8); /* padding for the destination */
    extended.data[ETH_HLEN + (way.v6 ? 6 : 9)] = 60;
    put_ip_length(&extended, way.v6, 40);
    assert_passed(f, &way, &extended, "with an extension header");
  }
}

static void
all_lengths_of_a_session_that_authenticates_are_taken(void **ctx)
{
  struct fixture *f = ready(ctx);
  byte payload[OFFLOAD_PACKET_MAX + 2];

  for (uint i = 0; i < sizeof(payload); i++)
    payload[i] = i;
  memcpy(payload + 8, said + 8, 4);
  FOR_WAYS (way)
  {
    arm(f, &way);
    for (uint size = 12; size <= sizeof(payload); size++)
    {
      struct frame frame = frame_of(way.v6, payload, size);
      bool any = way.mode == OFFLOAD_RING_ANY && size >= OFFLOAD_PAYLOAD && size <= OFFLOAD_PACKET_MAX;

      assert_fate(f, &way, &frame, any, "payload of", size);
      if (any)
      {
        assert_int_equal(f->packet.size, size);
        assert_memory_equal(f->packet.data, payload, size);
        frame.size--;
        assert_passed(f, &way, &frame, "cut to");
      }
    }
  }
}

static void
a_slot_takes_nothing_unless_armed(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);
    struct offload_key key = key_of(way.v6, DISC);

    if (f->slot)
      offload_slot_free(f->slot);
    f->slot = NULL;
    assert_false(taken(f, way.hook, &frame));
    f->slot = offload_slot_new(f->rings[0], &key);
    assert_passed(f, &way, &frame, "not armed");
    arm(f, &way);
    assert_taken(f, &way, &frame, "armed");
    offload_slot_disarm(f->slot);
    assert_passed(f, &way, &frame, "disarmed");
    arm(f, &way); /* as it is when freed */
  }
}

static void
an_armed_slot_says_what_was_said_last(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct bfd_arrivals none = { 0 };
    byte other[OFFLOAD_PAYLOAD];
    struct frame frame = good_frame(way.v6), changed;

    memcpy(other, said, sizeof(other));
    other[2]++;
    changed = frame_of(way.v6, other, sizeof(other));
    arm(f, &way);
    offload_slot_arm(f->slot, way.mode, other, &none, 12345);
    assert_int_equal(offload_slot_heard(f->slot), 12345);
    assert_taken(f, &way, &changed, "what is named now");
    assert_fate(f, &way, &frame, way.mode == OFFLOAD_RING_ANY, "what was named before", 0);
  }
}

static void
packets_of_other_interfaces_pass(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);
    struct offload_key key = key_of(way.v6, DISC);

    key.ifindex = LOOPBACK + 1;
    arm_key(f, &way, &key);
    assert_passed(f, &way, &frame, "of another interface");
  }
}

/* An address of IPv6, in a frame. */
static void
put_v6(struct frame *frame, size_t at, ip_addr a)
{
  for (uint i = 0; i < 4; i++)
  {
    put_u16(frame, at + 4 * i, a.w[i] >> 16);
    put_u16(frame, at + 4 * i + 2, a.w[i]);
  }
}

/* IPv4 addresses written as IPv6, and IPv6 ones with the same end as those of IPv4. */
static void
the_same_address_in_the_other_family_is_another(void **ctx)
{
  struct fixture *f = ready(ctx);

  FOR_WAYS (way)
  {
    struct frame frame = good_frame(way.v6);
    struct offload_key v4 = key_of(false, DISC), other = v4;

    if (way.v6)
    {
      put_v6(&frame, ETH_HLEN + 8, v4.remote);
      put_v6(&frame, ETH_HLEN + 24, v4.local);
    }
    else
      other.remote.w[0] = other.local.w[0] = 0xfe800000;
    arm_key(f, &way, &other);
    assert_passed(f, &way, &frame, "of the other family");
  }
}

/* --- Slots --- */

static void
there_are_as_many_slots_as_asked_for(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct offload_slot *slots[SLOTS];

  for (uint round = 0; round < 2; round++)
  {
    for (uint i = 0; i < SLOTS; i++)
    {
      struct offload_key key = key_of(false, i);

      slots[i] = offload_slot_new(f->rings[i % RINGS], &key);
      assert_non_null(slots[i]);
      for (uint k = 0; k < i; k++)
        assert_ptr_not_equal(slots[i], slots[k]);
    }

    struct offload_key one_more = key_of(false, SLOTS);

    assert_null(offload_slot_new(f->rings[0], &one_more));
    offload_slot_free(slots[SLOTS / 2]);
    slots[SLOTS / 2] = offload_slot_new(f->rings[0], &one_more);
    assert_non_null(slots[SLOTS / 2]);
    for (uint i = 0; i < SLOTS; i++)
      offload_slot_free(slots[i]);
  }
}

static void
a_discriminator_has_one_slot_at_a_time(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct offload_key key = key_of(false, DISC), other = key_of(true, DISC);

  for (uint i = 0; i < SLOTS; i++) /* a refusal costs no slot */
  {
    f->slot = offload_slot_new(f->rings[0], &key);
    assert_non_null(f->slot);
    assert_null(offload_slot_new(f->rings[0], &key));
    assert_null(offload_slot_new(f->rings[1], &other));
    offload_slot_free(f->slot);
  }
  for (key.disc = 0; key.disc < SLOTS; key.disc++)
    assert_non_null(offload_slot_new(f->rings[0], &key));
}

static void
a_slot_had_again_takes_nothing_of_before(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_XDP, false, OFFLOAD_ABSORB };
  struct frame frame = good_frame(false);
  struct offload_key key = key_of(false, DISC + 1);

  arm(f, &way);
  arm_key(f, &way, &key);
  assert_false(taken(f, OFFLOAD_XDP, &frame));
  assert_int_equal(absorbed(f), 0);
}

struct engine
{
  struct offload_ring *ring;
  u32 disc; /* its first one */
  uint failures;
};

/* Take half of the slots and give them back, again and again; what is put into one has to stay in it. */
static void *
take_and_give_back(void *data)
{
  struct engine *e = data;
  struct offload_slot *slots[SLOTS / 2];

  for (uint round = 0; round < 200; round++)
  {
    for (uint i = 0; i < SLOTS / 2; i++)
    {
      struct offload_key key = key_of(false, e->disc + i);

      slots[i] = offload_slot_new(e->ring, &key);
      if (!slots[i])
        return e->failures++, NULL;
      offload_slot_arm(slots[i], OFFLOAD_RING_ANY, NULL, NULL, key.disc);
    }
    for (uint i = 0; i < SLOTS / 2; i++)
    {
      e->failures += offload_slot_heard(slots[i]) != e->disc + i;
      offload_slot_free(slots[i]);
    }
  }
  return NULL;
}

static void
two_engines_share_the_slots_without_a_lock(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct engine engines[RINGS] = { { f->rings[0], 1000, 0 }, { f->rings[1], 2000, 0 } };
  pthread_t threads[RINGS];

  for (uint i = 0; i < RINGS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, take_and_give_back, &engines[i]), 0);
  for (uint i = 0; i < RINGS; i++)
  {
    pthread_join(threads[i], NULL);
    assert_int_equal(engines[i].failures, 0);
  }
}

/* --- Rings --- */

static void
a_ring_is_read_in_parts_and_in_order(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_XDP, false, OFFLOAD_RING_ANY };
  byte payload[OFFLOAD_PAYLOAD];

  arm(f, &way);
  memcpy(payload, said, sizeof(payload));
  for (payload[23] = 0; payload[23] < 100; payload[23]++)
  {
    struct frame frame = frame_of(false, payload, sizeof(payload));

    assert_true(taken(f, OFFLOAD_XDP, &frame));
  }
  assert_int_equal(read_ring(f, 0, 0), 0);
  assert_int_equal(read_ring(f, 0, 1), 1);
  assert_int_equal(f->packet.data[23], 0);
  assert_int_equal(read_ring(f, 0, 98), 98);
  assert_int_equal(f->packet.data[23], 98);
  assert_int_equal(read_ring(f, 0, 98), 1);
  assert_int_equal(f->packet.data[23], 99);
  assert_int_equal(read_ring(f, 0, 98), 0);
}

/* Several times, so that it goes round. */
static void
what_finds_the_ring_full_passes(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_XDP, false, OFFLOAD_RING };
  struct frame frame = good_frame(false);

  arm(f, &way);
  for (uint round = 0; round < 3; round++)
  {
    uint count = 0;

    while (taken(f, OFFLOAD_XDP, &frame))
      count++;
    assert_in_range(count, 10000, 20000);
    assert_false(taken(f, OFFLOAD_XDP, &frame));
    assert_int_equal(read_ring(f, 0, 7), 7);
    for (uint i = 0; i < 7; i++)
      assert_true(taken(f, OFFLOAD_XDP, &frame));
    assert_false(taken(f, OFFLOAD_XDP, &frame));
    assert_int_equal(read_ring(f, 0, 100000), count);
    assert_memory_equal(f->packet.data, said, sizeof(said));
  }
}

static void
each_slot_has_its_ring(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_XDP, true, OFFLOAD_RING };
  struct offload_key key = key_of(false, DISC + 1);
  struct offload_slot *other = offload_slot_new(f->rings[1], &key);
  byte payload[OFFLOAD_PAYLOAD];

  arm(f, &way);
  memcpy(payload, said, sizeof(payload));
  payload[11]++;
  offload_slot_arm(other, OFFLOAD_RING, payload, NULL, 0);

  struct frame first = good_frame(true), second = frame_of(false, payload, sizeof(payload));

  assert_true(taken(f, OFFLOAD_XDP, &first));
  assert_true(taken(f, OFFLOAD_XDP, &second));
  assert_int_equal(read_ring(f, 1, 10), 1);
  assert_int_equal(f->packet.disc, DISC + 1);
  assert_int_equal(read_ring(f, 0, 10), 1);
  assert_int_equal(f->packet.disc, DISC);
}

static void
without_their_ring_packets_pass(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_XDP, false, OFFLOAD_RING };
  struct frame frame = good_frame(false);

  arm(f, &way);
  assert_taken(f, &way, &frame, "with a ring");
  rfree(f->rings[0]);
  assert_false(taken(f, OFFLOAD_XDP, &frame));
  f->rings[0] = offload_ring_new(f->pool, f->o, 0);
  assert_taken(f, &way, &frame, "with a ring again");
}

static atomic_bool all_sent;

static void *
send_many(void *data)
{
  const struct fixture *f = data;
  struct frame frame = good_frame(false);
  uintptr_t count = 0;

  for (uint i = 0; i < 20000; i++)
    count += taken(f, OFFLOAD_XDP, &frame);
  all_sent = true;
  return (void *) count;
}

/* Here by a reader that is always up to date, so that it sees records before they are written. */
static void
a_ring_is_read_while_packets_come(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_XDP, false, OFFLOAD_RING };
  btime last = 0;
  uint count = 0;
  pthread_t sender;
  void *sent;

  arm(f, &way);
  assert_int_equal(pthread_create(&sender, NULL, send_many, f), 0);
  for (bool end = false; !end;)
  {
    end = all_sent;
    for (; read_ring(f, 0, 1); count++)
    {
      assert_int_equal(f->packet.disc, DISC);
      assert_int_equal(f->packet.size, sizeof(said));
      assert_memory_equal(f->packet.data, said, sizeof(said));
      assert_true(f->packet.arrival >= last);
      last = f->packet.arrival;
    }
  }
  pthread_join(sender, &sent);
  assert_int_equal(count, (uintptr_t) sent);
}

static int
readable(int fd, int timeout)
{
  return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, timeout);
}

static void
a_packet_makes_the_descriptor_readable_when_told_to(void **ctx)
{
  struct fixture *f = ready(ctx);
  struct way way = { OFFLOAD_XDP, false, OFFLOAD_RING };
  struct frame frame = good_frame(false);
  int fds[RINGS] = { offload_ring_fd(f->rings[0]), offload_ring_fd(f->rings[1]) };

  assert_true(fds[0] >= 0 && fds[1] >= 0);
  for (uint round = 0; round < 3; round++)
  {
    arm(f, &way);
    assert_int_equal(readable(fds[0], 0), 0);
    assert_true(taken(f, OFFLOAD_XDP, &frame));
    assert_int_equal(readable(fds[0], 0), 0);
    offload_ring_wake(f->rings[0], true);
    assert_int_equal(read_ring(f, 0, 10), 1);
    assert_true(taken(f, OFFLOAD_XDP, &frame));
    assert_int_equal(readable(fds[0], LIMIT_MS), 1);
    assert_int_equal(readable(fds[1], 0), 0);
    offload_ring_wake(f->rings[0], false);
    assert_int_equal(read_ring(f, 0, 10), 1);
    assert_int_equal(readable(fds[0], 0), 0);
  }
  close(fds[0]);
  close(fds[1]);
}

/* --- Capabilities --- */

/* What offload_new() says to a process that has @caps (a set of bits) and no others: 0 or an errno. */
static int
load_with(u64 caps)
{
  pid_t child = fork();
  int status, error = 0;

  if (!child)
  {
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { { caps, caps, 0 }, { caps >> 32, caps >> 32, 0 } };

    if (syscall(SYS_capset, &header, data) < 0)
      _exit(255);
    _exit(offload_new(NULL, 1, 1, &error) ? 0 : -error);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/* The verifier asks for CAP_PERFMON as well where a program does arithmetic it finds suspicious. */
static void
two_capabilities_are_enough_and_needed(void **ctx)
{
  u64 bpf = (u64) 1 << CAP_BPF, net = (u64) 1 << CAP_NET_ADMIN;

  ready(ctx);
  assert_int_equal(load_with(bpf | net), 0);
  assert_int_equal(load_with(bpf), EPERM);
  assert_int_equal(load_with(net), EPERM);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(the_packet_named_is_taken_with_the_time_it_came),
    TEST(any_bit_that_matters_makes_it_pass),
    TEST(a_truncated_frame_passes),
    TEST(what_fills_up_a_frame_is_no_payload),
    TEST(lengths_have_to_agree),
    TEST(lengths_do_not_go_round),
    TEST(packets_with_more_headers_pass),
    TEST(all_lengths_of_a_session_that_authenticates_are_taken),
    TEST(a_slot_takes_nothing_unless_armed),
    TEST(an_armed_slot_says_what_was_said_last),
    TEST(packets_of_other_interfaces_pass),
    TEST(the_same_address_in_the_other_family_is_another),
    TEST(there_are_as_many_slots_as_asked_for),
    TEST(a_discriminator_has_one_slot_at_a_time),
    TEST(a_slot_had_again_takes_nothing_of_before),
    TEST(two_engines_share_the_slots_without_a_lock),
    TEST(a_ring_is_read_in_parts_and_in_order),
    TEST(a_ring_is_read_while_packets_come),
    TEST(what_finds_the_ring_full_passes),
    TEST(each_slot_has_its_ring),
    TEST(without_their_ring_packets_pass),
    TEST(a_packet_makes_the_descriptor_readable_when_told_to),
    TEST(two_capabilities_are_enough_and_needed),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
