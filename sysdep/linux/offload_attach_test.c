/*
 * sysdep/linux/offload_attach_test.c: the programs on interfaces
 *
 * In a network namespace of the test's own (needs root): v0 is ours, what is sent at w0 comes in there.
 */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "sysdep/linux/offload_fixture.h"
#include "sysdep/socket.h"

#define LIMIT_MS 20000
#define TCX_INGRESS 46

static bool no_namespace;

static void PRINTF_LIKE(1, 2) ip(const char *fmt, ...)
{
  char command[256] = "ip ";
  va_list args;

  va_start(args, fmt);
  vsnprintf(command + 3, sizeof(command) - 3, fmt, args);
  va_end(args);
  if (system(command) != 0)
    fail_msg("%s", command);
}

static int
make_namespace(void **ctx UNUSED)
{
  no_namespace = geteuid() || unshare(CLONE_NEWNET) < 0;
  return 0;
}

static void
make_pair(void)
{
  ip("link add v0 type veth peer name w0");
  ip("addr add 192.0.2.2/24 dev v0");
  ip("link set v0 up");
  ip("link set w0 up");
}

static int
setup_pair(void **ctx)
{
  int failed = setup(ctx);

  if (!failed && !no_namespace)
    make_pair();
  return failed;
}

static int
teardown_pair(void **ctx)
{
  int failed = teardown(ctx);

  if (!no_namespace && if_nametoindex("w0"))
    ip("link del w0");
  return failed;
}

static struct fixture *
ready_pair(void **ctx)
{
  if (no_namespace)
    skip();
  return ready(ctx);
}

/* --- What is attached --- */

static u32
xdp_on(uint ifindex)
{
  u32 id = 0;

  assert_int_equal(bpf_xdp_query_id(ifindex, XDP_FLAGS_DRV_MODE, &id), 0);
  return id;
}

static uint
tcx_count(uint ifindex)
{
  u32 ids[8], count = ARRAY_SIZE(ids);

  assert_int_equal(bpf_prog_query(ifindex, TCX_INGRESS, 0, NULL, ids, &count), 0);
  return count;
}

/* Another's program that lets everything pass, as XDP. */
static int
attach_another(uint ifindex)
{
  const struct bpf_insn pass[] = {
    { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
    { .code = BPF_JMP | BPF_EXIT },
  };
  LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
  int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "another", "GPL", pass, ARRAY_SIZE(pass), NULL);
  int link = bpf_link_create(program, ifindex, BPF_XDP, &native);

  assert_true(program >= 0 && link >= 0);
  close(program);
  return link;
}

/* --- Packets --- */

static void
address_of(const char *name, byte *address)
{
  struct ifreq request = { 0 };
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
  assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &request), 0);
  memcpy(address, request.ifr_hwaddr.sa_data, ETH_ALEN);
  close(fd);
}

static struct frame
frame_to(const char *name, bool v6)
{
  struct frame frame = good_frame(v6);

  address_of(name, frame.data);
  return frame;
}

static void
send_frame(const struct frame *frame)
{
  struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int) if_nametoindex("w0") };
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

  assert_int_equal(sendto(fd, frame->data, frame->size, 0, (struct sockaddr *) &to, sizeof(to)), frame->size);
  close(fd);
}

static void
wait_absorbed(const struct fixture *f, uint count)
{
  btime limit = clock_now() + BT_MS(LIMIT_MS);

  while (absorbed(f) < count && clock_now() < limit)
    usleep(100);
  assert_int_equal(absorbed(f), count);
}

/* Armed for what comes in at @name. */
static void
arm_at(struct fixture *f, const char *name, bool v6)
{
  struct way way = { .v6 = v6, .mode = OFFLOAD_ABSORB };
  struct offload_key key = key_of(v6, DISC);

  key.ifindex = if_nametoindex(name);
  arm_key(f, &way, &key);
}

/* Packets of both families that are sent at w0 are absorbed at @name. */
static void
assert_absorbs(struct fixture *f, const char *name)
{
  for (uint v6 = 0; v6 < 2; v6++)
  {
    struct frame frame = frame_to(name, v6);

    arm_at(f, name, v6);
    for (uint i = 1; i <= 10; i++)
    {
      btime before = clock_now();

      send_frame(&frame);
      wait_absorbed(f, i);
      assert_in_range(offload_slot_heard(f->slot), before, clock_now());
    }
  }
}

static int
listen_at(const char *name)
{
  struct udp_listen how = { .port = BFD_PORT_DIRECT, .device = name, .receive_buffer = 1 << 18 };
  int fd = udp_listen_open(&how);

  assert_true(fd >= 0);
  return fd;
}

static void
assert_comes(int fd, const byte *payload)
{
  struct pollfd p = { .fd = fd, .events = POLLIN };
  byte got[64];

  assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
  assert_int_equal(recv(fd, got, sizeof(got), 0), OFFLOAD_PAYLOAD);
  assert_memory_equal(got, payload, OFFLOAD_PAYLOAD);
}

static void
assert_nothing_comes(int fd)
{
  byte got[64];

  assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
  assert_int_equal(errno, EAGAIN);
}

/* A packet that is named and one that is not: the socket gets the other one only. */
static void
assert_others_reach_the_socket(struct fixture *f)
{
  struct frame frame = frame_to("v0", false), poll;
  byte payload[OFFLOAD_PAYLOAD];
  int fd = listen_at("v0");

  memcpy(payload, said, sizeof(payload));
  payload[1] |= 0x20;
  poll = frame_of(false, payload, sizeof(payload));
  memcpy(poll.data, frame.data, ETH_ALEN);
  arm_at(f, "v0", false);
  send_frame(&frame);
  send_frame(&poll);
  assert_comes(fd, payload);
  wait_absorbed(f, 1);
  assert_nothing_comes(fd);
  close(fd);
}

/* --- Tests --- */

static void
a_pair_gets_it_in_the_driver(void **ctx)
{
  struct fixture *f = ready_pair(ctx);
  uint v0 = if_nametoindex("v0");

  assert_int_equal(xdp_on(v0), 0);
  assert_int_equal(offload_attach(f->o, v0), OFFLOAD_XDP);
  assert_int_not_equal(xdp_on(v0), 0);
  assert_int_equal(tcx_count(v0), 0);
  assert_int_equal(offload_attach(f->o, v0), OFFLOAD_XDP); /* says where */
  assert_absorbs(f, "v0");
  assert_others_reach_the_socket(f);
}

static void
detached_it_takes_nothing(void **ctx)
{
  struct fixture *f = ready_pair(ctx);
  uint v0 = if_nametoindex("v0");
  struct frame frame = frame_to("v0", false);
  int fd = listen_at("v0");

  offload_detach(f->o, v0); /* which does nothing */
  assert_int_equal(offload_attach(f->o, v0), OFFLOAD_XDP);
  arm_at(f, "v0", false);
  offload_detach(f->o, v0);
  assert_int_equal(xdp_on(v0), 0);
  send_frame(&frame);
  assert_comes(fd, said);
  assert_int_equal(absorbed(f), 0);
  assert_int_equal(offload_attach(f->o, v0), OFFLOAD_XDP);
  send_frame(&frame);
  wait_absorbed(f, 1);
  assert_nothing_comes(fd);
  close(fd);
}

static void
another_program_in_the_driver_is_left_alone(void **ctx)
{
  struct fixture *f = ready_pair(ctx);
  uint v0 = if_nametoindex("v0");
  int another = attach_another(v0);
  u32 id = xdp_on(v0);

  assert_int_equal(offload_attach(f->o, v0), OFFLOAD_TCX);
  assert_int_equal(offload_attach(f->o, v0), OFFLOAD_TCX);
  assert_int_equal(xdp_on(v0), id);
  assert_int_equal(tcx_count(v0), 1);
  assert_absorbs(f, "v0");
  assert_others_reach_the_socket(f);
  offload_detach(f->o, v0);
  assert_int_equal(tcx_count(v0), 0);
  assert_int_equal(xdp_on(v0), id);
  close(another);
  assert_int_equal(offload_attach(f->o, v0), OFFLOAD_XDP);
}

static void
a_bridge_gets_it_behind_the_driver(void **ctx)
{
  struct fixture *f = ready_pair(ctx);

  ip("link add v1 type bridge");
  ip("link set v0 master v1");
  ip("link set v1 up");
  assert_int_equal(offload_attach(f->o, if_nametoindex("v1")), OFFLOAD_TCX);
  assert_absorbs(f, "v1");
  ip("link del v1");
}

static void
a_macvlan_gets_it_behind_the_driver(void **ctx)
{
  struct fixture *f = ready_pair(ctx);

  ip("link add v1 link v0 type macvlan mode bridge");
  ip("link set v1 up");
  assert_int_equal(offload_attach(f->o, if_nametoindex("v1")), OFFLOAD_TCX);
  assert_absorbs(f, "v1");
  ip("link del v1");
}

/* The kernel takes the tag off before TCX sees the packet. */
static void
what_is_for_a_vlan_or_for_others_is_not_ours(void **ctx)
{
  struct fixture *f = ready_pair(ctx);
  struct frame frame = frame_to("v0", false), tagged = frame, foreign = frame;
  int another = attach_another(if_nametoindex("v0"));

  memmove(tagged.data + 16, tagged.data + 12, tagged.size - 12);
  memcpy(tagged.data + 12, "\x81\x00\x00\x07", 4);
  tagged.size += 4;
  foreign.data[5] ^= 1;
  assert_int_equal(offload_attach(f->o, if_nametoindex("v0")), OFFLOAD_TCX);
  arm_at(f, "v0", false);
  send_frame(&tagged);
  send_frame(&foreign);
  send_frame(&frame); /* what comes on one pair comes in order */
  wait_absorbed(f, 1);
  close(another);
}

static void
large_packets_keep_it_out_of_no_driver(void **ctx)
{
  struct fixture *f = ready_pair(ctx);

  ip("link set v0 mtu 9000");
  ip("link set w0 mtu 9000");
  assert_int_equal(offload_attach(f->o, if_nametoindex("v0")), OFFLOAD_XDP);
  assert_absorbs(f, "v0");
  assert_others_reach_the_socket(f);
}

static void
an_interface_may_go_while_it_is_attached(void **ctx)
{
  struct fixture *f = ready_pair(ctx);

  for (uint i = 0; i < 2; i++)
  {
    uint v0 = if_nametoindex("v0");
    int another = i ? attach_another(v0) : -1;

    assert_int_equal(offload_attach(f->o, v0), i ? OFFLOAD_TCX : OFFLOAD_XDP);
    ip("link del v0");
    offload_detach(f->o, v0);
    assert_int_equal(offload_attach(f->o, v0), -ENODEV);
    close(another);
    make_pair();
    assert_int_equal(offload_attach(f->o, if_nametoindex("v0")), OFFLOAD_XDP);
    assert_absorbs(f, "v0");
    offload_detach(f->o, if_nametoindex("v0"));
  }
}

static void
it_is_detached_everywhere_when_freed(void **ctx)
{
  struct fixture *f = ready_pair(ctx);
  uint v0 = if_nametoindex("v0"), w0 = if_nametoindex("w0");
  int another = attach_another(w0), error;
  u32 id = xdp_on(w0);

  assert_int_equal(offload_attach(f->o, v0), OFFLOAD_XDP);
  assert_int_equal(offload_attach(f->o, w0), OFFLOAD_TCX);
  rfree(f->pool);
  assert_int_equal(xdp_on(v0), 0);
  assert_int_equal(xdp_on(w0), id);
  assert_int_equal(tcx_count(w0), 0);
  close(another);
  f->pool = pool_new(NULL, "Test");
  f->o = offload_new(f->pool, 1, 1, &error);
  assert_int_equal(offload_attach(f->o, w0), OFFLOAD_XDP);
}

static void
it_goes_with_the_process(void **ctx)
{
  struct fixture *f = ready_pair(ctx);
  uint v0 = if_nametoindex("v0");
  int ready_pipe[2];
  btime limit = clock_now() + BT_MS(LIMIT_MS);
  char attached = -1;

  assert_int_equal(pipe(ready_pipe), 0);

  pid_t child = fork();

  if (!child)
  {
    int error;
    struct offload *o = offload_new(f->pool, 1, 1, &error);

    attached = o ? offload_attach(o, v0) : -1;
    if (write(ready_pipe[1], &attached, 1) == 1)
      pause();
    _exit(1);
  }
  assert_int_equal(read(ready_pipe[0], &attached, 1), 1);
  assert_int_equal(attached, OFFLOAD_XDP);
  assert_int_not_equal(xdp_on(v0), 0);
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, NULL, 0), child);
  while (xdp_on(v0) && clock_now() < limit)
    usleep(100);
  assert_int_equal(xdp_on(v0), 0);
  close(ready_pipe[0]);
  close(ready_pipe[1]);
}

#define PAIR(name) cmocka_unit_test_setup_teardown(name, setup_pair, teardown_pair)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    PAIR(a_pair_gets_it_in_the_driver),
    PAIR(detached_it_takes_nothing),
    PAIR(another_program_in_the_driver_is_left_alone),
    PAIR(a_bridge_gets_it_behind_the_driver),
    PAIR(a_macvlan_gets_it_behind_the_driver),
    PAIR(what_is_for_a_vlan_or_for_others_is_not_ours),
    PAIR(large_packets_keep_it_out_of_no_driver),
    PAIR(an_interface_may_go_while_it_is_attached),
    PAIR(it_is_detached_everywhere_when_freed),
    PAIR(it_goes_with_the_process),
  };

  return cmocka_run_group_tests(tests, make_namespace, NULL);
}
