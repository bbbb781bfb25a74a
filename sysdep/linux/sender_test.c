/* sysdep/linux/sender_test.c: whole packets over loopback; needs CAP_NET_RAW, else it is skipped */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/datagram.h"
#include "sysdep/socket.h"

#define LIMIT_MS 20000

static byte owners[256];

struct fixture
{
  pool *pool;
  int listener, sender;
  bool v6;
  u16 port; /* of the listener */
  struct udp_batch *in;
  struct send_batch *out;
  uint failures;
  void *failed;
  int error;
};

static ip_addr
loopback(bool v6)
{
  return v6 ? ip_v6(0, 0, 0, 1) : ip_v4(INADDR_LOOPBACK);
}

static void
packet_failed(void *owner, int error, void *data)
{
  struct fixture *f = data;

  f->failures++;
  f->failed = owner;
  f->error = error;
}

static int
start(void **ctx, bool v6)
{
  struct fixture *f = calloc(1, sizeof(*f));
  struct sockaddr_in6 sa; /* the port of both families is at the same place */
  socklen_t size = sizeof(sa);

  f->pool = pool_new(NULL, "Test");
  f->v6 = v6;
  f->listener =
      udp_listen_open(&(struct udp_listen){ .v6 = v6, .local = loopback(v6), .receive_buffer = 1 << 18 });
  f->sender = ip_sender_open(&(struct ip_sender){ .local = loopback(v6) });
  f->in = udp_batch_new(f->pool);
  f->out = send_batch_new(f->pool, packet_failed, f);
  if (f->listener >= 0 && getsockname(f->listener, (struct sockaddr *) &sa, &size) == 0)
    f->port = ntohs(sa.sin6_port);
  *ctx = f;
  return 0;
}

static int
start_v4(void **ctx)
{
  return start(ctx, false);
}

static int
start_v6(void **ctx)
{
  return start(ctx, true);
}

static int
end(void **ctx)
{
  struct fixture *f = *ctx;

  close(f->listener);
  close(f->sender);
  rfree(f->pool);
  free(f);
  return 0;
}

/* The fixture, where the machine has what it takes. */
static struct fixture *
ready(void **ctx)
{
  struct fixture *f = *ctx;

  if (f->sender == -EPERM || f->listener < 0)
    skip();
  assert_true(f->sender >= 0);
  return f;
}

static void
add(struct fixture *f, ip_addr to, u16 from_port, byte number)
{
  struct datagram d = {
    .from = loopback(f->v6), .to = to, .from_port = from_port, .to_port = f->port, .ttl = 255
  };
  byte *packet = send_batch_room(f->out, f->sender);

  packet[datagram_header(&d)] = number;
  send_batch_add(f->out, datagram_wrap(packet, &d, 1), to, 0, 0, &owners[number]);
}

/* The next @count packets are numbered from @first on. */
static void
assert_come(struct fixture *f, uint first, uint count)
{
  struct pollfd p = { .fd = f->listener, .events = POLLIN };
  const struct udp_packet *packets;

  for (uint got = 0; got < count;)
  {
    assert_int_equal(poll(&p, 1, LIMIT_MS), 1);

    int n = udp_batch_read(f->in, f->listener, 0, &packets);

    for (int i = 0; i < n; i++)
    {
      assert_int_equal(packets[i].data[0], first + got++);
      assert_int_equal(packets[i].ttl, 255);
      assert_true(ip_equal(packets[i].remote, loopback(f->v6)));
    }
  }
}

static void
assert_nothing_comes(struct fixture *f)
{
  const struct udp_packet *packets;

  assert_int_equal(udp_batch_read(f->in, f->listener, 0, &packets), 0);
}

static void
each_packet_has_the_port_it_was_given(void **ctx)
{
  struct fixture *f = ready(ctx);
  const struct udp_packet *packets;
  struct pollfd p = { .fd = f->listener, .events = POLLIN };

  for (uint i = 0; i < 3; i++)
    add(f, loopback(f->v6), 50000 + i, i);
  assert_nothing_comes(f); /* yet */
  send_batch_flush(f->out);
  assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
  assert_int_equal(udp_batch_read(f->in, f->listener, 0, &packets), 3);
  for (uint i = 0; i < 3; i++)
    assert_int_equal(packets[i].remote_port, 50000 + i);
  assert_int_equal(f->failures, 0);
}

static void
more_than_a_batch_comes_in_order(void **ctx)
{
  struct fixture *f = ready(ctx);

  for (uint i = 0; i < 200; i++)
    add(f, loopback(f->v6), 50000, i);
  send_batch_flush(f->out);
  assert_come(f, 0, 200);
  send_batch_flush(f->out);
  assert_nothing_comes(f);
}

static void
another_socket_sends_what_waits_for_the_first(void **ctx)
{
  struct fixture *f = ready(ctx);
  int other = ip_sender_open(&(struct ip_sender){ .local = loopback(f->v6) });

  add(f, loopback(f->v6), 50000, 0);
  send_batch_room(f->out, other); /* left unused */
  assert_come(f, 0, 1);
  send_batch_flush(f->out);
  assert_nothing_comes(f);
  close(other);
}

/* Bound to the loopback interface there is no way to an address elsewhere. */
static void
one_that_fails_does_not_stop_the_others(void **ctx)
{
  struct fixture *f = ready(ctx);
  uint lo = if_nametoindex("lo");
  ip_addr nowhere = ip_v6(0x20010db8, 0, 0, 1);

  close(f->sender);
  f->sender =
      ip_sender_open(&(struct ip_sender){ .local = loopback(f->v6), .ifindex = lo, .on_link = false });
  assert_true(f->sender >= 0);
  add(f, loopback(f->v6), 50000, 0);
  add(f, nowhere, 50000, 77);
  add(f, loopback(f->v6), 50000, 1);
  send_batch_flush(f->out);
  assert_come(f, 0, 2);
  assert_int_equal(f->failures, 1);
  assert_ptr_equal(f->failed, &owners[77]);
  assert_true(f->error > 0);
}

static void
a_socket_that_cannot_be_opened_leaves_none_behind(void **ctx)
{
  struct fixture *f = ready(ctx);
  int next = dup(f->sender);

  close(next);
  assert_int_equal(ip_sender_open(&(struct ip_sender){ .local = ip_v4(0xc0000201) }), -EADDRNOTAVAIL);
  assert_int_equal(dup(f->sender), next);
  close(next);
}

static void
a_sender_does_not_block_and_is_not_inherited(void **ctx)
{
  struct fixture *f = ready(ctx);

  assert_true(fcntl(f->sender, F_GETFL) & O_NONBLOCK);
  assert_true(fcntl(f->sender, F_GETFD) & FD_CLOEXEC);
}

#define BOTH(name)                                      \
  cmocka_unit_test_setup_teardown(name, start_v4, end), \
  {                                                     \
#name "_over_ipv6", name, start_v6, end, NULL       \
  }

int
main(void)
{
  const struct CMUnitTest tests[] = {
    BOTH(each_packet_has_the_port_it_was_given),
    BOTH(more_than_a_batch_comes_in_order),
    BOTH(another_socket_sends_what_waits_for_the_first),
    /* with IPv4 everything is on link where no route says otherwise */
    cmocka_unit_test_setup_teardown(one_that_fails_does_not_stop_the_others, start_v6, end),
    BOTH(a_socket_that_cannot_be_opened_leaves_none_behind),
    BOTH(a_sender_does_not_block_and_is_not_inherited),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
