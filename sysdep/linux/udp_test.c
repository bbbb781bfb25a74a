/* sysdep/linux/udp_test.c: UDP over loopback and control sockets in a directory of our own; without
 * privileges. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sysdep/clock.h"
#include "sysdep/socket.h"

#define LIMIT_MS 20000
#define FDS 16

struct fixture
{
  pool *pool;
  struct udp_batch *batch;
  const struct udp_packet *packets;
  int fds[FDS];
  uint fd_count;
  char dir[32], path[64];
};

static int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  f->batch = udp_batch_new(f->pool);
  strcpy(f->dir, "/tmp/udp_test.XXXXXX");
  if (!mkdtemp(f->dir))
    return -1;
  snprintf(f->path, sizeof(f->path), "%s/ctl", f->dir);
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  for (uint i = 0; i < f->fd_count; i++)
    close(f->fds[i]);
  unlink(f->path);
  rmdir(f->dir);
  rfree(f->pool);
  free(f);
  return 0;
}

/* Closed at the end of the test. */
static int
keep(struct fixture *f, int fd)
{
  assert_true(fd >= 0);
  assert_true(f->fd_count < FDS);
  return f->fds[f->fd_count++] = fd;
}

static ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return a;
}

static ip_addr
loopback(bool v6)
{
  return ip(v6 ? "::1" : "127.0.0.1");
}

static u16
port_of(int fd)
{
  struct sockaddr_in6 sa; /* the port of both families is at the same place */
  socklen_t size = sizeof(sa);

  assert_int_equal(getsockname(fd, (struct sockaddr *) &sa, &size), 0);
  return ntohs(sa.sin6_port);
}

/* On a port the kernel chooses. Where there is no IPv6 the test ends here. */
static int
listen_any(struct fixture *f, bool v6)
{
  int fd =
      udp_listen_open(&(struct udp_listen){ .v6 = v6, .local = loopback(v6), .receive_buffer = 1 << 18 });

  if (v6 && (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT))
    skip();
  return keep(f, fd);
}

/* A socket connected to @listener, whose packets have the TTL of BFD. */
static int
send_to(struct fixture *f, bool v6, int listener)
{
  int fd = keep(f, socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), ttl = 255;
  struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(port_of(listener)) };
  struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(port_of(listener)) };

  to6.sin6_addr = in6addr_loopback;
  to4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(v6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl))
                      : setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)),
                   0);
  assert_int_equal(v6 ? connect(fd, (struct sockaddr *) &to6, sizeof(to6))
                      : connect(fd, (struct sockaddr *) &to4, sizeof(to4)),
                   0);
  return fd;
}

static void
send_bytes(int fd, const void *data, size_t size)
{
  assert_int_equal(send(fd, data, size, 0), size);
}

static void
wait_readable(int fd)
{
  struct pollfd p = { .fd = fd, .events = POLLIN };

  assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
}

static int
receive(struct fixture *f, int fd, btime floor)
{
  wait_readable(fd);
  return udp_batch_read(f->batch, fd, floor, &f->packets);
}

static uint
descriptors_open(void)
{
  uint count = 0;

  for (int fd = 0; fd < 256; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

/* --- Listening --- */

static void
a_port_is_taken_exclusively(void **ctx)
{
  struct fixture *f = *ctx;

  for (int v6 = 0; v6 < 2; v6++)
  {
    int fd = listen_any(f, v6);
    struct udp_listen same = { .v6 = v6, .port = port_of(fd), .local = loopback(v6) };
    struct udp_listen all = { .v6 = v6, .port = port_of(fd) };

    assert_int_equal(udp_listen_open(&same), -EADDRINUSE);
    assert_int_equal(udp_listen_open(&all), -EADDRINUSE);
  }
}

/* A socket bound to a device (a VRF) beside one that is not: rivals to the kernel, unless both agree. */
static void
sockets_of_two_devices_share_a_port_when_told_to(void **ctx)
{
  struct fixture *f = *ctx;
  int first = listen_any(f, false);
  struct udp_listen any = { .port = port_of(first) }, lo = any;

  lo.device = "lo";
  assert_int_equal(udp_listen_open(&lo), -EADDRINUSE);
  lo.share_port = true;
  assert_int_equal(udp_listen_open(&lo), -EADDRINUSE);
  udp_share_port(first, true);
  keep(f, udp_listen_open(&lo));
  udp_share_port(first, false);
  any.share_port = true; /* as another program might */
  assert_int_equal(udp_listen_open(&any), -EADDRINUSE);
}

/* The first of the group was opened like any socket, so that another owner of the port would have been found.
 */
static void
sockets_of_a_group_get_the_packets_whose_word_names_them(void **ctx)
{
  struct fixture *f = *ctx;
  int group[3] = { listen_any(f, false) }, sender = send_to(f, false, group[0]);
  struct udp_listen how = { .port = port_of(group[0]), .local = loopback(false), .group = true };
  byte data[8] = { 0 };

  assert_int_equal(udp_group_steer(group[0], 4, 3), -EINVAL); /* it is no group yet */
  udp_group_join(group[0]);
  for (uint i = 1; i < 3; i++)
    group[i] = keep(f, udp_listen_open(&how));
  for (uint count = 3; count > 0; count--)
  {
    assert_int_equal(udp_group_steer(group[2], 4, count), 0);
    for (uint word = 0; word < 600; word++)
    {
      data[6] = word >> 8;
      data[7] = word;
      send_bytes(sender, data, sizeof(data));
      assert_int_equal(receive(f, group[word % count], 0), 1);
      assert_int_equal(f->packets[0].data[7], data[7]);
    }
    send_bytes(sender, data, 7); /* too short to say */
    assert_int_equal(receive(f, group[0], 0), 1);
  }
  how.group = false;
  assert_int_equal(udp_listen_open(&how), -EADDRINUSE);
}

static void
both_families_may_have_the_same_port(void **ctx)
{
  struct fixture *f = *ctx;
  int v6 = listen_any(f, true);
  struct udp_listen v4 = { .port = port_of(v6), .local = loopback(false) };
  int fd = udp_listen_open(&v4);

  if (fd == -EADDRINUSE) /* by someone else: the kernel chose for one family only */
    skip();
  keep(f, fd);
}

static void
a_socket_that_cannot_be_opened_leaves_none_behind(void **ctx UNUSED)
{
  uint before = descriptors_open();
  struct udp_listen not_ours = { .local = ip("192.0.2.1") };
  struct udp_listen no_device = { .device = "no-such-device" };

  assert_int_equal(udp_listen_open(&not_ours), -EADDRNOTAVAIL);
  assert_true(udp_listen_open(&no_device) < 0);
  assert_int_equal(descriptors_open(), before);
}

static void
descriptors_do_not_block_and_are_not_inherited(void **ctx)
{
  struct fixture *f = *ctx;
  int fds[] = { listen_any(f, false), keep(f, control_listen_open(f->path, CONTROL_MODE)) };

  for (uint i = 0; i < ARRAY_SIZE(fds); i++)
  {
    assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
  }
}

static void
the_receive_buffer_is_as_large_as_asked_where_allowed(void **ctx)
{
  struct fixture *f = *ctx;
  struct udp_listen small = { .local = loopback(false), .receive_buffer = 32768 };

  assert_in_range(udp_receive_buffer(keep(f, udp_listen_open(&small))), 32768, 4 * 32768);
  assert_int_equal(udp_receive_buffer(-1), 0);
}

static void
the_owner_of_a_port_is_named(void **ctx UNUSED)
{
  for (int v6 = 0; v6 < 2; v6++)
  {
    char owner[UDP_OWNER_SIZE], expected[UDP_OWNER_SIZE];
    int fd = udp_listen_open(&(struct udp_listen){ .v6 = v6, .local = loopback(v6) }), life[2];

    if (fd < 0)
      skip();
    assert_int_equal(pipe(life), 0);

    u16 port = port_of(fd);
    pid_t heir = fork();

    if (!heir)
    {
      char end;

      close(life[1]);
      _exit(read(life[0], &end, 1) != 0); /* until the test goes on */
    }
    assert_true(udp_port_is_ours(v6, port));
    close(fd);
    assert_false(udp_port_is_ours(v6, port));
    udp_port_owner(v6, port, owner);
    snprintf(expected, sizeof(expected), "udp_test (pid %d)", (int) heir);
    assert_string_equal(owner, expected);
    close(life[0]);
    close(life[1]);
    assert_int_equal(waitpid(heir, NULL, 0), heir);
  }
}

static void
a_port_nobody_has_is_named_as_unknown(void **ctx UNUSED)
{
  char owner[UDP_OWNER_SIZE];
  int fd = udp_listen_open(&(struct udp_listen){ .local = loopback(false) });
  u16 port = port_of(fd);

  close(fd);
  udp_port_owner(false, port, owner);
  assert_string_equal(owner, "another process");
}

/* --- Packets --- */

static void
a_packet_tells_where_and_when_it_came(void **ctx)
{
  struct fixture *f = *ctx;

  for (int v6 = 0; v6 < 2; v6++)
  {
    int listener = listen_any(f, v6), sender = send_to(f, v6, listener);
    btime before = clock_now();

    send_bytes(sender, "hello", 5);
    assert_int_equal(receive(f, listener, before), 1);
    assert_int_equal(f->packets->size, 5);
    assert_memory_equal(f->packets->data, "hello", 5);
    assert_true(ip_equal(f->packets->remote, loopback(v6)));
    assert_true(ip_equal(f->packets->local, loopback(v6)));
    assert_int_equal(f->packets->remote_port, port_of(sender));
    assert_int_equal(f->packets->ifindex, if_nametoindex("lo"));
    assert_int_equal(f->packets->ttl, 255);
    assert_in_range(f->packets->arrival, before, clock_now());
  }
}

static void
a_low_ttl_is_seen_as_it_is(void **ctx)
{
  struct fixture *f = *ctx;
  int listener = listen_any(f, false), sender = send_to(f, false, listener), ttl = 254;

  assert_int_equal(setsockopt(sender, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
  send_bytes(sender, "x", 1);
  assert_int_equal(receive(f, listener, 0), 1);
  assert_int_equal(f->packets->ttl, 254);
}

static void
the_arrival_is_when_the_kernel_had_it_not_when_it_is_read(void **ctx)
{
  struct fixture *f = *ctx;
  int listener = listen_any(f, false), sender = send_to(f, false, listener);

  send_bytes(sender, "x", 1);
  wait_readable(listener);

  btime sent = clock_now();

  usleep(50000);
  assert_int_equal(receive(f, listener, 0), 1);
  assert_true(f->packets->arrival <= sent + BT_MS(10));
}

static void
no_arrival_is_before_the_floor(void **ctx)
{
  struct fixture *f = *ctx;
  int listener = listen_any(f, false), sender = send_to(f, false, listener);

  send_bytes(sender, "x", 1);
  wait_readable(listener);
  usleep(2000);

  btime floor = clock_now();

  assert_int_equal(receive(f, listener, floor), 1);
  assert_int_equal(f->packets->arrival, floor);
}

static void
long_packets_are_cut_and_empty_ones_are_packets(void **ctx)
{
  static const size_t sizes[][2] = { { 0, 0 },
                                     { 1, 1 },
                                     { UDP_PACKET_SIZE - 1, UDP_PACKET_SIZE - 1 },
                                     { UDP_PACKET_SIZE, UDP_PACKET_SIZE },
                                     { UDP_PACKET_SIZE + 1, UDP_PACKET_SIZE },
                                     { 9000, UDP_PACKET_SIZE } };
  struct fixture *f = *ctx;
  int listener = listen_any(f, false), sender = send_to(f, false, listener);
  byte data[9000] = { 0 };

  for (uint i = 0; i < ARRAY_SIZE(sizes); i++)
    send_bytes(sender, data, sizes[i][0]);
  assert_int_equal(receive(f, listener, 0), ARRAY_SIZE(sizes));
  for (uint i = 0; i < ARRAY_SIZE(sizes); i++)
    assert_int_equal(f->packets[i].size, sizes[i][1]);
}

static void
more_than_a_batch_comes_in_order_in_several(void **ctx)
{
  struct fixture *f = *ctx;
  int listener = listen_any(f, false), sender = send_to(f, false, listener);
  byte number = 0;

  for (; number < 100; number++)
    send_bytes(sender, &number, 1);
  assert_int_equal(receive(f, listener, 0), UDP_BATCH);
  for (number = 0; number < UDP_BATCH; number++)
    assert_int_equal(f->packets[number].data[0], number);
  assert_int_equal(receive(f, listener, 0), 100 - UDP_BATCH);
  assert_int_equal(f->packets[0].data[0], UDP_BATCH);
  assert_int_equal(udp_batch_read(f->batch, listener, 0, &f->packets), 0);
}

static void
a_read_that_fails_says_why_and_stores_nothing(void **ctx)
{
  struct fixture *f = *ctx;

  f->packets = NULL;
  assert_int_equal(udp_batch_read(f->batch, -1, 0, &f->packets), -EBADF);
  assert_null(f->packets);
}

/* --- Control sockets --- */

static void
a_client_and_the_daemon_meet_at_the_path(void **ctx)
{
  struct fixture *f = *ctx;
  int listener = keep(f, control_listen_open(f->path, CONTROL_MODE)), client, server;
  char text[8] = "";

  assert_int_equal(control_accept(listener), -EAGAIN);
  client = keep(f, control_connect(f->path));
  server = keep(f, control_accept(listener));
  assert_int_equal(write(client, "hello", 5), 5);
  wait_readable(server);
  assert_int_equal(read(server, text, sizeof(text)), 5);
  assert_false(fcntl(client, F_GETFL) & O_NONBLOCK);
  assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
}

static void
the_socket_is_for_owner_and_group_whatever_the_umask(void **ctx)
{
  struct fixture *f = *ctx;
  struct stat st;
  mode_t before = umask(0);

  keep(f, control_listen_open(f->path, CONTROL_MODE));
  assert_int_equal(umask(before), 0); /* it was put back */
  assert_int_equal(stat(f->path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0660);
}

static void
a_live_owner_keeps_its_socket(void **ctx)
{
  struct fixture *f = *ctx;

  keep(f, control_listen_open(f->path, CONTROL_MODE));
  assert_int_equal(control_listen_open(f->path, CONTROL_MODE), -EADDRINUSE);
  keep(f, control_connect(f->path));
}

static void
what_a_dead_owner_left_is_replaced(void **ctx)
{
  struct fixture *f = *ctx;

  close(control_listen_open(f->path, CONTROL_MODE));
  assert_int_equal(access(f->path, F_OK), 0);
  assert_int_equal(control_connect(f->path), -ECONNREFUSED);
  keep(f, control_listen_open(f->path, CONTROL_MODE));
  keep(f, control_connect(f->path));
}

static void
a_file_at_the_path_is_left_alone(void **ctx)
{
  struct fixture *f = *ctx;
  FILE *file = fopen(f->path, "we");
  struct stat st;

  assert_non_null(file);
  fputs("precious", file);
  fclose(file);
  assert_int_equal(control_listen_open(f->path, CONTROL_MODE), -EEXIST);
  assert_int_equal(stat(f->path, &st), 0);
  assert_true(S_ISREG(st.st_mode));
  assert_int_equal(st.st_size, 8);
}

static void
a_path_that_cannot_be_is_refused(void **ctx)
{
  struct fixture *f = *ctx;
  uint before = descriptors_open();
  char path[200];

  memset(path, 'x', sizeof(path));
  memcpy(path, "/tmp/", 5);
  for (size_t len = sizeof(((struct sockaddr_un *) NULL)->sun_path); len < sizeof(path); len += 40)
  {
    path[len] = 0;
    assert_int_equal(control_listen_open(path, CONTROL_MODE), -ENAMETOOLONG);
    assert_int_equal(control_connect(path), -ENAMETOOLONG);
    path[len] = 'x';
  }
  snprintf(path, sizeof(path), "%s/none/ctl", f->dir);
  assert_int_equal(control_listen_open(path, CONTROL_MODE), -ENOENT);
  assert_int_equal(descriptors_open(), before);
}

/* The kernel holds up who connects to a full queue, and a daemon that hangs never empties it. */
static void
an_owner_that_does_not_answer_is_found_without_waiting(void **ctx)
{
  struct fixture *f = *ctx;
  struct sockaddr_un sa = { .sun_family = AF_UNIX };
  int listener = keep(f, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

  strcpy(sa.sun_path, f->path);
  assert_int_equal(bind(listener, (struct sockaddr *) &sa, sizeof(sa)), 0);
  assert_int_equal(listen(listener, 0), 0);
  keep(f, control_connect(f->path));
  alarm(5);
  assert_int_equal(control_listen_open(f->path, CONTROL_MODE), -EADDRINUSE);
  alarm(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_port_is_taken_exclusively),
    TEST(sockets_of_two_devices_share_a_port_when_told_to),
    TEST(sockets_of_a_group_get_the_packets_whose_word_names_them),
    TEST(both_families_may_have_the_same_port),
    TEST(a_socket_that_cannot_be_opened_leaves_none_behind),
    TEST(descriptors_do_not_block_and_are_not_inherited),
    TEST(the_receive_buffer_is_as_large_as_asked_where_allowed),
    TEST(the_owner_of_a_port_is_named),
    TEST(a_port_nobody_has_is_named_as_unknown),
    TEST(a_packet_tells_where_and_when_it_came),
    TEST(a_low_ttl_is_seen_as_it_is),
    TEST(the_arrival_is_when_the_kernel_had_it_not_when_it_is_read),
    TEST(no_arrival_is_before_the_floor),
    TEST(long_packets_are_cut_and_empty_ones_are_packets),
    TEST(more_than_a_batch_comes_in_order_in_several),
    TEST(a_read_that_fails_says_why_and_stores_nothing),
    TEST(a_client_and_the_daemon_meet_at_the_path),
    TEST(the_socket_is_for_owner_and_group_whatever_the_umask),
    TEST(a_live_owner_keeps_its_socket),
    TEST(what_a_dead_owner_left_is_replaced),
    TEST(a_file_at_the_path_is_left_alone),
    TEST(a_path_that_cannot_be_is_refused),
    TEST(an_owner_that_does_not_answer_is_found_without_waiting),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
