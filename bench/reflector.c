/* bench/reflector.c: one process that is the far end of thousands of BFD sessions.
 *
 * Standalone, for scale tests of a daemon: it owns nothing but its two sockets and has no configuration.
 * Session i answers at IPv4 address BASE + i, single hop only (RFC 5880, RFC 5881), asynchronous mode, no
 * authentication. The addresses must be local to the namespace; instead of adding each of them,
 *
 *     ip route add local 10.80.128.0/17 dev lo
 *
 * makes the kernel accept them and answer ARP for them. Who sends first is the neighbour of that session.
 *
 * One thread. Received datagrams are handled every millisecond, with the kernel's arrival times, so that gaps
 * tell about the sender, and the sender does not pay for waking this process. Then the due times of all
 * sessions are looked through: an array of 8 bytes per session, cheaper to scan than any queue is to keep up
 * to some ten thousand sessions.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
#endif

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/types.h"

#define BFD_PORT 3784
#define SOURCE_PORT 49152
#define PACKET_LENGTH 24
#define SLOW_INTERVAL BT_S(1) /* RFC 5880 6.8.3, while not Up */
#define BATCH 64
#define SOCKET_BUFFER (16 << 20)
#define INDEX_BITS 20
#define MAX_SESSIONS ((1u << INDEX_BITS) - 1)

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
  DIAG_NEIGHBOR_DOWN = 3
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

struct session
{
  u8 state, diag, remote_state, remote_mult;
  bool polling, remote_demand;
  u32 remote_disc, remote_min_rx, remote_min_tx;
  struct in_addr remote;  /* 0: nobody has spoken to us yet */
  btime tx_at, detect_at; /* monotonic */
  btime last_arrival;     /* wall clock, from the kernel; 0: start a new gap */
  btime largest_gap;      /* between packets that say Up */
  u64 received, sent;
  uint left_up; /* something other than Up received after Up */
  uint expired;
};

struct message
{
  struct iovec iov;
  struct sockaddr_in addr;
  byte data[PACKET_LENGTH + 1]; /* the spare byte shows what is longer than a packet without authentication */
  union
  {
    struct cmsghdr align;
    byte space[128];
  } control;
};

struct metadata
{
  struct in_addr dst;
  int ttl;
  btime arrival; /* wall clock */
};

struct batch
{
  struct message msg[BATCH];
  struct mmsghdr hdr[BATCH];
  uint used;
};

struct reflector
{
  btime interval, duration;
  u8 detect_mult;
  uint count;
  u32 base; /* host order */
  u32 salt; /* in the upper bits of our discriminators, new in each run */
  u64 random;
  const char *device;
  bool verbose;

  int rx, tx, timer, signals, epoll;
  struct session *sessions;
  btime *due; /* of each session: the earlier of tx_at and detect_at, or earlier still */
  struct batch in, out;
  u64 ignored, send_errors;
};

/* Bytes and time */

static u32
get_u32(const byte *p)
{
  return (u32) p[0] << 24 | (u32) p[1] << 16 | (u32) p[2] << 8 | p[3];
}

static void
put_u32(byte *p, u32 v)
{
  p[0] = v >> 24;
  p[1] = v >> 16;
  p[2] = v >> 8;
  p[3] = v;
}

static btime
timespec_us(struct timespec ts)
{
  return BT_S(ts.tv_sec) + ts.tv_nsec / 1000;
}

static btime
now_us(void)
{
  struct timespec ts;

  clock_gettime(CLOCK_MONOTONIC, &ts);
  return timespec_us(ts);
}

/* Uniform in [0, range), range up to some seconds: the bias of the remainder does not matter. */
static btime
random_below(struct reflector *r, btime range)
{
  r->random ^= r->random << 13;
  r->random ^= r->random >> 7;
  r->random ^= r->random << 17;
  return range > 0 ? (btime) (r->random % (u64) range) : 0;
}

/* Packets: RFC 5880 4.1 */

/* The checks of 6.8.6. @size may say one byte more than a packet without authentication has. */
static bool
packet_decode(struct packet *p, const byte *data, size_t size)
{
  if (size < PACKET_LENGTH)
    return false;

  *p = (struct packet){
    .diag = data[0] & 0x1f,
    .state = data[1] >> 6,
    .flags = data[1] & 0x3f,
    .detect_mult = data[2],
    .my_disc = get_u32(data + 4),
    .your_disc = get_u32(data + 8),
    .desired_min_tx = get_u32(data + 12),
    .required_min_rx = get_u32(data + 16),
  };

  return (data[0] >> 5) == 1 && data[3] == PACKET_LENGTH && p->detect_mult && p->my_disc &&
         !(p->flags & (FLAG_MULTIPOINT | FLAG_AUTH)) && (p->your_disc || p->state <= BFD_DOWN);
}

static void
packet_encode(byte *data, const struct packet *p)
{
  data[0] = 1 << 5 | p->diag;
  data[1] = p->state << 6 | p->flags;
  data[2] = p->detect_mult;
  data[3] = PACKET_LENGTH;
  put_u32(data + 4, p->my_disc);
  put_u32(data + 8, p->your_disc);
  put_u32(data + 12, p->desired_min_tx);
  put_u32(data + 16, p->required_min_rx);
  put_u32(data + 20, 0); /* no echo */
}

/* Batches of datagrams */

static void
batch_init(struct batch *b)
{
  for (uint i = 0; i < BATCH; i++)
  {
    struct message *m = &b->msg[i];

    m->iov = (struct iovec){ m->data, sizeof(m->data) };
    b->hdr[i].msg_hdr = (struct msghdr){ .msg_name = &m->addr, .msg_iov = &m->iov, .msg_iovlen = 1 };
  }
}

/* A datagram that does not go out is lost, as on any network; sendmmsg() stops at it, so skip it. */
static void
batch_flush(struct reflector *r)
{
  struct batch *b = &r->out;

  for (uint done = 0; done < b->used;)
  {
    int n = sendmmsg(r->tx, b->hdr + done, b->used - done, 0);

    if (n <= 0)
      r->send_errors++;
    done += n > 0 ? n : 1;
  }
  b->used = 0;
}

/* Room for one datagram from @src to @dst; the caller fills in its PACKET_LENGTH bytes. */
static byte *
batch_add(struct reflector *r, struct in_addr src, struct in_addr dst)
{
  if (r->out.used == BATCH)
    batch_flush(r);

  struct message *m = &r->out.msg[r->out.used];
  struct msghdr *h = &r->out.hdr[r->out.used++].msg_hdr;
  struct in_pktinfo info = { .ipi_spec_dst = src };
  struct cmsghdr *c = &m->control.align;

  m->addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(BFD_PORT), .sin_addr = dst };
  m->iov.iov_len = PACKET_LENGTH;
  *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)),
                         .cmsg_level = IPPROTO_IP,
                         .cmsg_type = IP_PKTINFO };
  memcpy(CMSG_DATA(c), &info, sizeof(info));
  h->msg_namelen = sizeof(m->addr);
  h->msg_control = c;
  h->msg_controllen = CMSG_SPACE(sizeof(info));
  return m->data;
}

/* Sessions */

static u32
session_disc(const struct reflector *r, uint i)
{
  return r->salt << INDEX_BITS | (i + 1);
}

static struct in_addr
session_address(const struct reflector *r, uint i)
{
  return (struct in_addr){ htonl(r->base + i) };
}

static void
session_set_due(struct reflector *r, uint i)
{
  r->due[i] = MIN(r->sessions[i].tx_at, r->sessions[i].detect_at);
}

/* 6.8.7: whether packets go out by the clock. */
static bool
session_transmits(const struct session *s)
{
  bool demanded = s->remote_demand && s->state == BFD_UP && s->remote_state == BFD_UP;

  return s->remote.s_addr && s->remote_min_rx && (s->polling || !demanded);
}

static void
session_schedule(struct reflector *r, uint i, btime now)
{
  struct session *s = &r->sessions[i];
  btime own = s->state == BFD_UP ? r->interval : MAX(r->interval, SLOW_INTERVAL);
  btime interval = MAX(own, (btime) s->remote_min_rx);
  btime spread = r->detect_mult == 1 ? interval * 15 / 100 : interval / 4;

  s->tx_at = session_transmits(s) ? now + interval * 3 / 4 + random_below(r, spread) : BT_NEVER;
  session_set_due(r, i);
}

static void
session_send(struct reflector *r, uint i, u8 flags)
{
  struct session *s = &r->sessions[i];
  struct packet p = {
    .diag = s->diag,
    .state = s->state,
    .flags = flags | (s->polling && !(flags & FLAG_FINAL) ? FLAG_POLL : 0),
    .detect_mult = r->detect_mult,
    .my_disc = session_disc(r, i),
    .your_disc = s->remote_disc,
    .desired_min_tx = s->state == BFD_UP ? r->interval : MAX(r->interval, SLOW_INTERVAL),
    .required_min_rx = r->interval,
  };

  packet_encode(batch_add(r, session_address(r, i), s->remote), &p);
  s->sent++;
}

/* A new state is told at once; Up also starts a Poll Sequence, since the interval changes with it (6.8.3). */
static void
session_go(struct session *s, u8 state, u8 diag)
{
  s->state = state;
  s->diag = diag;
  s->polling = state == BFD_UP;
  s->tx_at = 0;
}

/* 6.8.6. Nothing here is ever AdminDown. */
static void
session_step(struct session *s, u8 received)
{
  if (received == BFD_ADMIN_DOWN || (s->state == BFD_UP && received == BFD_DOWN))
  {
    if (s->state != BFD_DOWN)
      session_go(s, BFD_DOWN, DIAG_NEIGHBOR_DOWN);
  }
  else if (s->state == BFD_DOWN && received == BFD_DOWN)
    session_go(s, BFD_INIT, s->diag);
  else if (s->state == BFD_DOWN && received == BFD_INIT)
    session_go(s, BFD_UP, DIAG_NONE);
  else if (s->state == BFD_INIT && received != BFD_DOWN)
    session_go(s, BFD_UP, DIAG_NONE);
}

static void
session_account(struct session *s, u8 state, btime arrival)
{
  bool was_up = s->received && s->remote_state == BFD_UP;

  s->received++;
  if (was_up && state != BFD_UP)
    s->left_up++;
  if (was_up && state == BFD_UP && s->last_arrival)
    s->largest_gap = MAX(s->largest_gap, arrival - s->last_arrival);
  s->last_arrival = arrival;
}

/* @age: how long ago the packet arrived, while it waited for us. */
static void
session_receive(struct reflector *r, uint i, const struct packet *p, struct in_addr from, btime arrival,
                btime age)
{
  struct session *s = &r->sessions[i];
  btime now = now_us();
  bool transmitted = session_transmits(s);
  u32 old_min_rx = s->remote_min_rx;

  session_account(s, p->state, arrival);
  s->remote = from;
  s->remote_state = p->state;
  s->remote_demand = p->flags & FLAG_DEMAND;
  s->remote_disc = p->my_disc;
  s->remote_min_rx = p->required_min_rx;
  s->remote_min_tx = p->desired_min_tx;
  s->remote_mult = p->detect_mult;
  if (p->flags & FLAG_FINAL)
    s->polling = false;

  session_step(s, p->state);
  s->detect_at = now - age + s->remote_mult * MAX(r->interval, (btime) s->remote_min_tx);

  if (p->flags & FLAG_POLL)
    session_send(r, i, FLAG_FINAL);
  if (s->tx_at && (old_min_rx != s->remote_min_rx || transmitted != session_transmits(s)))
    session_schedule(r, i, now);
  session_set_due(r, i);
}

static void
session_expire(struct session *s)
{
  s->detect_at = BT_NEVER;
  s->remote_disc = 0;
  s->remote_min_rx = 1; /* 6.8.1, as if never heard of */
  s->remote_demand = false;
  s->last_arrival = 0;
  s->expired += s->state == BFD_UP;
  s->tx_at = 0; /* it may have asked for silence */
  if (s->state != BFD_DOWN)
    session_go(s, BFD_DOWN, DIAG_TIMEOUT);
}

/* The network side */

/* What came along with a datagram; 0 where the kernel did not say. */
static struct metadata
message_metadata(struct msghdr *h)
{
  struct metadata meta = { .ttl = 0 };
  struct in_pktinfo info;
  struct timespec ts;

  for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
    {
      memcpy(&info, CMSG_DATA(c), sizeof(info));
      meta.dst = info.ipi_addr;
    }
    else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL)
      memcpy(&meta.ttl, CMSG_DATA(c), sizeof(meta.ttl));
    else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
    {
      memcpy(&ts, CMSG_DATA(c), sizeof(ts));
      meta.arrival = timespec_us(ts);
    }
  return meta;
}

/* @wall: the wall clock now, against which the kernel's stamps are read. False: nothing for us. */
static bool
reflector_handle(struct reflector *r, struct mmsghdr *mm, const struct message *m, btime wall)
{
  struct metadata meta = message_metadata(&mm->msg_hdr);
  u32 i = ntohl(meta.dst.s_addr) - r->base;
  struct packet p;

  if (meta.ttl != 255 || i >= r->count || !packet_decode(&p, m->data, mm->msg_len))
    return false;
  if (p.your_disc && p.your_disc != session_disc(r, i))
    return false;

  session_receive(r, i, &p, m->addr.sin_addr, meta.arrival, MAX(wall - meta.arrival, 0));
  return true;
}

static int
reflector_receive_batch(struct reflector *r)
{
  struct batch *b = &r->in;
  struct timespec ts;

  for (uint i = 0; i < BATCH; i++)
  {
    b->hdr[i].msg_hdr.msg_namelen = sizeof(b->msg[i].addr);
    b->hdr[i].msg_hdr.msg_control = b->msg[i].control.space;
    b->hdr[i].msg_hdr.msg_controllen = sizeof(b->msg[i].control.space);
  }

  int n = recvmmsg(r->rx, b->hdr, BATCH, MSG_DONTWAIT, NULL);

  clock_gettime(CLOCK_REALTIME, &ts);
  for (int i = 0; i < n; i++)
    if (!reflector_handle(r, &b->hdr[i], &b->msg[i], timespec_us(ts)))
      r->ignored++;
  return n;
}

static void
reflector_receive(struct reflector *r)
{
  while (reflector_receive_batch(r) == BATCH)
    ;
  batch_flush(r);
}

/* Carry out what is due. What waits in the socket is read first, lest our own lateness look like silence. */
static void
reflector_tick(struct reflector *r)
{
  reflector_receive(r);

  btime now = now_us();

  for (uint i = 0; i < r->count; i++)
  {
    struct session *s = &r->sessions[i];

    if (r->due[i] > now)
      continue;
    if (s->detect_at <= now)
      session_expire(s);
    if (s->tx_at <= now)
    {
      if (session_transmits(s))
        session_send(r, i, 0);
      session_schedule(r, i, now);
    }
    session_set_due(r, i);
  }
  batch_flush(r);
}

static int
check(int result, const char *what)
{
  if (result < 0)
    err(1, "%s", what);
  return result;
}

static void
set_option(int fd, int level, int option, int value, const char *what)
{
  check(setsockopt(fd, level, option, &value, sizeof(value)), what);
}

static int
open_socket(const struct reflector *r, u16 port, const char *what)
{
  struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
  int fd = check(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), what);

  if (r->device)
    check(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, r->device, strlen(r->device) + 1), r->device);
  check(bind(fd, (struct sockaddr *) &addr, sizeof(addr)), what);
  return fd;
}

static void
watch(struct reflector *r, int fd)
{
  struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

  check(epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
}

static void
reflector_open(struct reflector *r)
{
  struct itimerspec ms = { .it_interval.tv_nsec = 1000000, .it_value.tv_nsec = 1000000 };
  sigset_t end;

  r->rx = open_socket(r, BFD_PORT, "receive socket");
  set_option(r->rx, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER, "SO_RCVBUFFORCE");
  set_option(r->rx, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
  set_option(r->rx, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
  set_option(r->rx, IPPROTO_IP, IP_RECVTTL, 1, "IP_RECVTTL");
  r->tx = open_socket(r, SOURCE_PORT, "send socket");
  set_option(r->tx, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER, "SO_SNDBUFFORCE");
  set_option(r->tx, IPPROTO_IP, IP_TTL, 255, "IP_TTL");

  sigemptyset(&end);
  sigaddset(&end, SIGINT);
  sigaddset(&end, SIGTERM);
  check(sigprocmask(SIG_BLOCK, &end, NULL), "sigprocmask");
  r->signals = check(signalfd(-1, &end, SFD_CLOEXEC), "signalfd");
  r->timer = check(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
  check(timerfd_settime(r->timer, 0, &ms, NULL), "timerfd_settime");

  r->epoll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  watch(r, r->timer);
  watch(r, r->signals);
}

static void
reflector_init(struct reflector *r)
{
  r->random = (u64) now_us() * 0x9e3779b97f4a7c15 | 1;
  r->salt = random_below(r, 1 << (32 - INDEX_BITS));
  r->sessions = calloc(r->count, sizeof(*r->sessions));
  r->due = calloc(r->count, sizeof(*r->due));
  if (!r->sessions || !r->due)
    errx(1, "no memory for %u sessions", r->count);

  for (uint i = 0; i < r->count; i++)
  {
    r->sessions[i] = (struct session){ .state = BFD_DOWN,
                                       .remote_state = BFD_DOWN,
                                       .remote_min_rx = 1,
                                       .tx_at = BT_NEVER,
                                       .detect_at = BT_NEVER };
    session_set_due(r, i);
  }
  batch_init(&r->in);
  batch_init(&r->out);
}

/* Until the time is over or a signal comes. */
static void
reflector_run(struct reflector *r)
{
  btime end = r->duration ? now_us() + r->duration : BT_NEVER;

  while (now_us() < end)
  {
    struct epoll_event ev[3];
    int n = epoll_wait(r->epoll, ev, ARRAY_SIZE(ev), -1);

    for (int i = 0; i < n; i++)
    {
      u64 ticks;

      if (ev[i].data.fd == r->signals)
        return;
      if (read(r->timer, &ticks, sizeof(ticks)) == sizeof(ticks))
        reflector_tick(r);
    }
  }
}

/* What is printed */

static void
print_session(const struct reflector *r, uint i)
{
  static const char *const names[] = { "AdminDown", "Down", "Init", "Up" };
  const struct session *s = &r->sessions[i];
  char addr[INET_ADDRSTRLEN];
  struct in_addr a = session_address(r, i);

  inet_ntop(AF_INET, &a, addr, sizeof(addr));
  printf("%-15s %-5s left-up %u expired %u received %llu sent %llu largest-gap-us %lld\n", addr,
         names[s->state], s->left_up, s->expired, (unsigned long long) s->received,
         (unsigned long long) s->sent, (long long) s->largest_gap);
}

static void
print_summary(const struct reflector *r)
{
  struct session sum = { 0 };
  uint up = 0;

  for (uint i = 0; i < r->count; i++)
  {
    const struct session *s = &r->sessions[i];

    up += s->state == BFD_UP && s->remote_state == BFD_UP;
    sum.left_up += s->left_up;
    sum.expired += s->expired;
    sum.received += s->received;
    sum.sent += s->sent;
    sum.largest_gap = MAX(sum.largest_gap, s->largest_gap);
    if (r->verbose)
      print_session(r, i);
  }
  printf("sessions %u up %u left-up %u expired %u received %llu sent %llu largest-gap-us %lld ignored %llu "
         "send-errors %llu\n",
         r->count, up, sum.left_up, sum.expired, (unsigned long long) sum.received,
         (unsigned long long) sum.sent, (long long) sum.largest_gap, (unsigned long long) r->ignored,
         (unsigned long long) r->send_errors);
}

static NORETURN void
usage(void)
{
  fputs("usage: reflector -b BASE -n COUNT [-i US] [-m MULT] [-t SECONDS] [-d DEVICE] [-v]\n"
        "  -b  first IPv4 address to answer at     -n  number of sessions\n"
        "  -i  desired and required interval, microseconds (50000)\n"
        "  -m  detection multiplier (3)            -t  duration (until SIGINT or SIGTERM)\n"
        "  -d  bind to this interface              -v  print one line per session, too\n",
        stderr);
  exit(2);
}

static u64
parse_number(char option, const char *text, u64 min, u64 max)
{
  char *end;
  unsigned long long n = (errno = 0, strtoull(text, &end, 10));

  if (errno || *end || end == text || n < min || n > max)
    errx(2, "-%c must be between %llu and %llu, got %s", option, (unsigned long long) min,
         (unsigned long long) max, text);
  return n;
}

static void
parse_options(struct reflector *r, int argc, char **argv)
{
  struct in_addr base = { 0 };

  for (int c; (c = getopt(argc, argv, "b:n:i:m:t:d:v")) >= 0;)
    switch (c)
    {
    case 'b':
      if (inet_pton(AF_INET, optarg, &base) != 1)
        errx(2, "-b must be an IPv4 address, got %s", optarg);
      break;
    case 'n':
      r->count = parse_number(c, optarg, 1, MAX_SESSIONS);
      break;
    case 'i':
      r->interval = parse_number(c, optarg, 1000, U32_MAX);
      break;
    case 'm':
      r->detect_mult = parse_number(c, optarg, 1, 255);
      break;
    case 't':
      r->duration = BT_S(parse_number(c, optarg, 1, 1000000));
      break;
    case 'd':
      r->device = optarg;
      break;
    case 'v':
      r->verbose = true;
      break;
    default:
      usage();
    }

  r->base = ntohl(base.s_addr);
  if (optind != argc || !r->base || !r->count)
    usage();
}

int
main(int argc, char **argv)
{
  static struct reflector r = { .interval = BT_MS(50), .detect_mult = 3 };

  parse_options(&r, argc, argv);
  reflector_init(&r);
  reflector_open(&r);
  reflector_run(&r);
  print_summary(&r);
  free(r.sessions);
  free(r.due);
  return 0;
}
