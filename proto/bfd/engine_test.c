/*
 * proto/bfd/engine_test.c: an engine in its thread, on real sockets of the loopback interface
 *
 * The peer is the test itself, packet by packet, or a second engine. Addresses are drawn from 127/8 so that
 * nothing else on the machine is met; where the BFD ports are taken by a wildcard socket the tests are
 * skipped. Nothing sleeps for luck: every wait has a condition and a limit.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/random.h"
#include "proto/bfd/engine.h"
#include "sysdep/clock.h"
#include "sysdep/socket.h"

#define LIMIT BT_S(20)

/* An engine, its thread, and what it delivered. */
struct host
{
  pool *pool;
  struct loop *loop;
  struct mailbox *commands, *stalls;
  struct thread *thread;
  pthread_mutex_t lock;
  pthread_cond_t news;
  struct msg *first, **end;
  ip_addr addr;
  bool hold; /* keep the notes, as a main loop does that is busy */
  struct bfd_note *held;
  bool quit;
  btime stall; /* how long it sleeps when told to */
  int stalled; /* written to when that begins */
};

/* The other end, by hand. */
struct peer
{
  int fd;
  ip_addr addr, host;
  u16 port, host_port;
  u32 disc;
  struct bfd_packet heard; /* the last one */
  u16 source;              /* and where it came from */
};

static struct rng addresses;

static ip_addr
fresh_address(void)
{
  return ip_v4(127u << 24 | 1 << 16 | (rng_u32(&addresses) & 0xfffe) | 1);
}

static struct sockaddr_in
sockaddr(ip_addr a, u16 port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(ip_to_u32(a)),
                               .sin_port = htons(port) };
}

/* The engine */

static void
deliver(struct msg *msg, void *data)
{
  struct host *h = data;

  pthread_mutex_lock(&h->lock);
  msg->next = NULL;
  *h->end = msg;
  h->end = &msg->next;
  pthread_cond_signal(&h->news);
  pthread_mutex_unlock(&h->lock);
}

/* A machine that stops for a while, as a virtual one does. */
static void
stall(struct msg *msg, void *data)
{
  struct host *h = data;

  msg_free(msg);
  assert_int_equal(write(h->stalled, "", 1), 1);
  usleep(h->stall);
}

static void
host_start(struct host *h)
{
  *h = (struct host){ .pool = pool_new(NULL, "engine"), .addr = fresh_address() };
  pthread_mutex_init(&h->lock, NULL);
  pthread_cond_init(&h->news, NULL);
  h->end = &h->first;
  h->loop = loop_new(h->pool, "engine");
  h->commands =
      mailbox_new(h->pool, h->loop, bfd_engine_message, bfd_engine_new(h->pool, h->loop, "test", deliver, h));
  h->stalls = mailbox_new(h->pool, h->loop, stall, h);
  h->thread = thread_start(h->pool, h->loop);
}

static void
post(struct host *h, enum bfd_msg_kind kind, struct bfd_msg *m)
{
  m->kind = kind;
  mailbox_post(h->commands, &m->m);
}

/* The next message, or NULL after @wait. */
static struct bfd_msg *
host_take(struct host *h, btime wait)
{
  struct timespec until;
  btime at = clock_wall() + wait;
  struct msg *msg;

  until.tv_sec = at / 1000000;
  until.tv_nsec = at % 1000000 * 1000;
  pthread_mutex_lock(&h->lock);
  while (!h->first && pthread_cond_timedwait(&h->news, &h->lock, &until) == 0)
    ;
  msg = h->first;
  if (msg && !(h->first = msg->next))
    h->end = &h->first;
  pthread_mutex_unlock(&h->lock);
  return msg ? SKIP_BACK(struct bfd_msg, m, msg) : NULL;
}

static void
note_give_back(struct host *h, struct bfd_note *note)
{
  if (h->hold)
    h->held = note;
  else
    post(h, BFD_NOTE, &note->msg);
}

/* The next note; it goes back unless the host holds them. */
static struct bfd_note
host_note(struct host *h)
{
  struct bfd_msg *m = host_take(h, LIMIT);

  assert_non_null(m);
  assert_int_equal(m->kind, BFD_NOTE);

  struct bfd_note copy = *(struct bfd_note *) m;

  note_give_back(h, (struct bfd_note *) m);
  return copy;
}

static struct bfd_note
host_wait_state(struct host *h, u64 id, u8 state)
{
  struct bfd_note note;

  do
    note = host_note(h);
  while (note.status.state != state);
  assert_true(note.id == id);
  return note;
}

/* One page; notes that come meanwhile go back unseen. The caller frees it. */
static struct bfd_snapshot *
host_snapshot_from(struct host *h, uint from)
{
  struct bfd_snapshot_cmd *cmd = msg_alloc(sizeof(*cmd));
  struct bfd_msg *m;

  cmd->query = 4711 + from;
  cmd->from = from;
  cmd->max = BFD_SNAPSHOT_MAX;
  post(h, BFD_SNAPSHOT, &cmd->msg);
  while ((m = host_take(h, LIMIT)) && m->kind == BFD_NOTE)
    post(h, BFD_NOTE, m);
  assert_non_null(m);
  assert_int_equal(m->kind, BFD_SNAPSHOT_REPLY);

  struct bfd_snapshot *snap = (struct bfd_snapshot *) m;

  assert_true(snap->query == 4711 + from);
  return snap;
}

/* The only session there is, or none. */
static bool
host_info(struct host *h, struct bfd_info *info, struct bfd_engine_stats *stats)
{
  struct bfd_snapshot *snap = host_snapshot_from(h, 0);
  bool found = snap->count == 1;

  assert_true(snap->count <= 1);
  if (found && info)
    *info = snap->info[0];
  if (stats)
    *stats = snap->stats;
  msg_free(snap);
  return found;
}

static void
host_quit(struct host *h)
{
  struct bfd_msg *m;

  post(h, BFD_QUIT, msg_alloc(sizeof(struct bfd_msg)));
  h->quit = true;
  while ((m = host_take(h, LIMIT)) && m->kind != BFD_STOPPED)
    msg_free(m);
  assert_non_null(m);
  msg_free(m);
}

static void
host_end(struct host *h)
{
  struct bfd_msg *m;

  if (!h->quit)
    host_quit(h);
  loop_stop(h->loop);
  thread_join(h->thread);
  while ((m = host_take(h, 0)))
    msg_free(m);
  msg_free(h->held);
  rfree(h->pool);
  pthread_mutex_destroy(&h->lock);
  pthread_cond_destroy(&h->news);
}

/* Listen on the address of @h; skips the test when the port is taken. @buffer: bytes of receive buffer. */
static int
host_listen(struct host *h, enum bfd_hop hop, uint buffer)
{
  struct udp_listen how = { .port = hop == BFD_DIRECT ? BFD_PORT_DIRECT : BFD_PORT_MULTIHOP,
                            .local = h->addr,
                            .receive_buffer = buffer };
  int fd = udp_listen_open(&how);

  if (fd < 0)
  {
    host_end(h);
    print_message("no BFD port to listen on: %s\n", strerror(-fd));
    skip();
  }

  struct bfd_listen_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->id = 1;
  cmd->hop = hop;
  cmd->fd = fd;
  post(h, BFD_LISTEN, &cmd->msg);
  return fd;
}

/* Quick enough for tests, slow enough for a loaded machine. */
static const struct bfd_params quick = {
  .min_rx = 20000, .min_tx = 20000, .idle_tx = 20000, .detect_mult = 50
};

static struct bfd_cmd
session_for(const struct host *h, u64 id, enum bfd_hop hop, ip_addr remote)
{
  return (struct bfd_cmd){
    .id = id,
    .key = { .hop = hop, .ifname = "lo", .local = h->addr, .remote = remote },
    .path = { .usable = true, .ifindex = hop == BFD_DIRECT ? if_nametoindex("lo") : 0, .local = h->addr },
    .params = quick,
  };
}

static void
command(struct host *h, enum bfd_msg_kind kind, struct bfd_cmd cmd)
{
  struct bfd_cmd *m = msg_alloc(sizeof(*m));

  *m = cmd;
  post(h, kind, &m->msg);
}

/* The peer */

static void
peer_open(struct peer *p, struct host *h, enum bfd_hop hop)
{
  u16 port = hop == BFD_DIRECT ? BFD_PORT_DIRECT : BFD_PORT_MULTIHOP;

  *p = (struct peer){
    .addr = fresh_address(), .host = h->addr, .port = port, .host_port = port, .disc = 0xbeef
  };
  p->fd = socket(AF_INET, SOCK_DGRAM, 0);

  struct sockaddr_in sa = sockaddr(p->addr, port);

  if (bind(p->fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
  {
    close(p->fd);
    host_end(h);
    print_message("no BFD port for the peer: %s\n", strerror(errno));
    skip();
  }
  assert_return_code(setsockopt(p->fd, IPPROTO_IP, IP_TTL, &(int){ 255 }, sizeof(int)), errno);
}

static void
peer_send(struct peer *p, struct bfd_packet pkt)
{
  byte data[BFD_PACKET_SIZE];
  struct sockaddr_in sa = sockaddr(p->host, p->host_port);

  bfd_packet_encode(&pkt, data);
  assert_int_equal(sendto(p->fd, data, sizeof(data), 0, (struct sockaddr *) &sa, sizeof(sa)), sizeof(data));
}

static struct bfd_packet
peer_packet(const struct peer *p, u8 state, u8 flags)
{
  return (struct bfd_packet){
    .state = state,
    .flags = flags,
    .detect_mult = 50,
    .my_disc = p->disc,
    .your_disc = p->heard.my_disc,
    .min_tx = 20000,
    .min_rx = 20000,
  };
}

static void
peer_say(struct peer *p, u8 state, u8 flags)
{
  peer_send(p, peer_packet(p, state, flags));
}

/* False when nothing comes in time. */
static bool
peer_hear_within(struct peer *p, btime wait)
{
  struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
  struct sockaddr_in from;
  socklen_t len = sizeof(from);
  byte data[100];

  if (poll(&pfd, 1, wait / 1000) <= 0)
    return false;

  ssize_t n = recvfrom(p->fd, data, sizeof(data), 0, (struct sockaddr *) &from, &len);

  assert_int_equal(n, BFD_PACKET_SIZE);
  assert_int_equal(bfd_packet_decode(&p->heard, data, n), BFD_RX_OK);
  assert_int_equal(ntohl(from.sin_addr.s_addr), ip_to_u32(p->host));
  p->source = ntohs(from.sin_port);
  return true;
}

static void
peer_hear(struct peer *p)
{
  assert_true(peer_hear_within(p, LIMIT));
}

static void
peer_hear_state(struct peer *p, u8 state)
{
  do
    peer_hear(p);
  while (p->heard.state != state);
}

static void
peer_hear_flag(struct peer *p, u8 flag)
{
  do
    peer_hear(p);
  while (!(p->heard.flags & flag));
}

/* What waits in the socket is old news. */
static void
peer_catch_up(struct peer *p)
{
  while (peer_hear_within(p, 0))
    ;
}

/* A session of @h with a peer by hand, Up and with its poll answered. */
static void
bring_up(struct host *h, struct peer *p, u64 id)
{
  peer_hear(p);
  peer_say(p, BFD_DOWN, 0);
  peer_hear_state(p, BFD_INIT);
  peer_say(p, BFD_UP, 0);
  peer_hear_flag(p, BFD_FLAG_POLL);
  peer_say(p, BFD_UP, BFD_FLAG_FINAL);
  peer_say(p, BFD_UP, 0);
  host_wait_state(h, id, BFD_UP);
}

static void
start_one(struct host *h, struct peer *p, u64 id)
{
  host_start(h);
  host_listen(h, BFD_MULTIHOP, 1 << 20);
  peer_open(p, h, BFD_MULTIHOP);
  command(h, BFD_ADD, session_for(h, id, BFD_MULTIHOP, p->addr));
}

static void
end_one(struct host *h, struct peer *p)
{
  host_end(h);
  close(p->fd);
}

/* Tests */

static uint
downs(const struct bfd_info *info)
{
  uint sum = 0;

  for (uint i = 0; i < BFD_DIAG__MAX; i++)
    sum += info->counters.downs[i];
  return sum;
}

static void
two_engines_bring_sessions_up_both_direct_and_multihop(void **ctx UNUSED)
{
  for (uint hop = 0; hop < BFD_HOP__MAX; hop++)
  {
    struct host a, b;
    struct bfd_info info;

    host_start(&a);
    host_listen(&a, hop, 1 << 20);
    host_start(&b);
    host_listen(&b, hop, 1 << 20);
    command(&a, BFD_ADD, session_for(&a, 1, hop, b.addr));
    command(&b, BFD_ADD, session_for(&b, 2, hop, a.addr));
    host_wait_state(&a, 1, BFD_UP);
    host_wait_state(&b, 2, BFD_UP);
    assert_true(host_info(&a, &info, NULL));
    assert_int_equal(info.status.state, BFD_UP);
    assert_int_equal(info.counters.ups, 1);
    assert_int_equal(downs(&info), 0);
    assert_int_equal(info.counters.tx_errors, 0);
    assert_true(info.id == 1 && info.last_rx);
    host_quit(&b);

    struct bfd_note note = host_wait_state(&a, 1, BFD_DOWN);

    assert_int_equal(note.status.remote_state, BFD_ADMIN_DOWN);
    assert_true(note.left_up);
    assert_false(note.status.failed); /* RFC 5882 4.2 */
    host_end(&a);
    host_end(&b);
  }
}

static void
the_first_packets_say_down_and_know_nobody(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  for (uint i = 0; i < 3; i++)
  {
    peer_hear(&p);
    assert_int_equal(p.heard.state, BFD_DOWN);
    assert_int_equal(p.heard.your_disc, 0);
    assert_int_not_equal(p.heard.my_disc, 0);
    assert_int_equal(p.heard.detect_mult, 50);
    assert_in_range(p.source, 49152, 65535); /* RFC 5881 section 4 */
  }
  end_one(&h, &p);
}

static void
the_source_port_stays_for_the_sessions_life(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  peer_hear(&p);

  u16 port = p.source;
  struct bfd_cmd cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);

  bring_up(&h, &p, 7);
  assert_int_equal(p.source, port);
  cmd.path.usable = false;
  command(&h, BFD_CHANGE, cmd);
  host_wait_state(&h, 7, BFD_DOWN);
  peer_catch_up(&p);
  cmd.path.usable = true;
  command(&h, BFD_CHANGE, cmd);
  peer_hear(&p);
  assert_int_equal(p.source, port);
  end_one(&h, &p);
}

static void
a_silent_peer_is_noted_as_a_failure(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);

  struct bfd_packet pkt = peer_packet(&p, BFD_UP, 0);
  btime start = clock_now();

  pkt.detect_mult = 10;
  peer_send(&p, pkt);

  struct bfd_note note = host_wait_state(&h, 7, BFD_DOWN);
  btime took = clock_now() - start;

  assert_int_equal(note.status.diag, BFD_DIAG_TIMEOUT);
  assert_true(note.status.failed && note.left_up);
  assert_true(took >= 200000);
  assert_true(took < 200000 + BT_S(5));
  peer_hear_state(&p, BFD_DOWN);
  assert_int_equal(p.heard.diag, BFD_DIAG_TIMEOUT);
  end_one(&h, &p);
}

static void
a_note_on_its_way_gathers_what_happens_and_loses_no_failure(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  h.hold = true;
  peer_catch_up(&p);
  peer_say(&p, BFD_DOWN, 0);

  struct bfd_note note = host_note(&h); /* this one is kept from now on */

  assert_int_equal(note.status.state, BFD_DOWN);
  assert_true(note.status.failed && note.left_up);

  /* Up again, and down, and up: nobody hears of it */
  for (uint i = 0; i < 2; i++)
  {
    peer_say(&p, BFD_DOWN, 0);
    peer_hear_state(&p, BFD_INIT);
    peer_say(&p, BFD_UP, BFD_FLAG_FINAL);
    peer_hear_state(&p, BFD_UP);
    if (i == 0)
    {
      peer_say(&p, BFD_DOWN, 0);
      peer_hear_state(&p, BFD_DOWN);
    }
  }
  assert_null(host_take(&h, BT_MS(50)));
  h.hold = false;
  post(&h, BFD_NOTE, &h.held->msg);
  h.held = NULL;
  note = host_note(&h);
  assert_int_equal(note.status.state, BFD_UP);
  assert_true(note.left_up);
  assert_true(note.status.failed);
  assert_null(host_take(&h, BT_MS(50)));

  peer_say(&p, BFD_ADMIN_DOWN, 0);
  note = host_note(&h);
  assert_int_equal(note.status.state, BFD_DOWN);
  assert_true(note.left_up);
  assert_false(note.status.failed); /* delivered once, and the end now is an administrative one */
  end_one(&h, &p);
}

static void
a_removed_session_says_admin_down_three_times_and_is_gone(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  uint said = 0;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
  for (btime start = clock_now(); clock_now() - start < BT_S(3);)
    said += peer_hear_within(&p, BT_MS(100)) && p.heard.state == BFD_ADMIN_DOWN;
  assert_int_equal(said, 3);
  assert_int_equal(p.heard.diag, BFD_DIAG_ADMIN_DOWN);
  assert_false(host_info(&h, NULL, NULL));
  peer_say(&p, BFD_DOWN, BFD_FLAG_POLL);
  assert_false(peer_hear_within(&p, BT_MS(100)));
  end_one(&h, &p);
}

static void
asking_again_revives_a_session_that_says_goodbye(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_cmd cmd;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  cmd = session_for(&h, 8, BFD_MULTIHOP, p.addr);
  cmd.params.idle_tx = 500000; /* so that the goodbye is not over yet */

  u32 disc = p.heard.my_disc;
  u16 port = p.source;

  command(&h, BFD_CHANGE, (struct bfd_cmd){ .id = 7, .path = cmd.path, .params = cmd.params });
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
  peer_hear_state(&p, BFD_ADMIN_DOWN);
  command(&h, BFD_ADD, cmd);
  peer_hear_state(&p, BFD_DOWN);
  assert_int_equal(p.heard.my_disc, disc);
  assert_int_equal(p.source, port);

  struct bfd_note note = host_wait_state(&h, 8, BFD_DOWN);

  assert_false(note.status.failed);
  assert_false(note.left_up); /* "since the last note": of this id there was none */
  bring_up(&h, &p, 8);
  end_one(&h, &p);
}

static void
quitting_says_admin_down_before_it_is_over(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  btime start;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  start = clock_now();
  host_quit(&h);
  assert_true(clock_now() - start < BT_S(4));
  peer_hear_state(&p, BFD_ADMIN_DOWN);
  end_one(&h, &p);
}

static void
an_engine_without_sessions_quits_at_once(void **ctx UNUSED)
{
  struct host h;

  host_start(&h);
  host_end(&h);
}

static void
new_intervals_are_told_by_a_poll_sequence(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_cmd cmd;
  struct bfd_info info;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  peer_catch_up(&p);
  cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
  cmd.params.min_rx = 10000;
  command(&h, BFD_CHANGE, cmd);
  peer_hear_flag(&p, BFD_FLAG_POLL);
  assert_int_equal(p.heard.min_rx, 10000);
  assert_true(host_info(&h, &info, NULL));
  assert_true(info.poll);
  assert_int_equal(info.status.state, BFD_UP);
  peer_say(&p, BFD_UP, BFD_FLAG_FINAL);
  while (host_info(&h, &info, NULL) && info.poll)
    ;
  peer_catch_up(&p);
  peer_hear(&p);
  assert_int_equal(p.heard.flags, 0);
  end_one(&h, &p);
}

static void
a_poll_of_the_peer_is_answered_at_once(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  peer_say(&p, BFD_UP, BFD_FLAG_POLL);
  peer_hear_flag(&p, BFD_FLAG_FINAL);
  assert_int_equal(p.heard.flags, BFD_FLAG_FINAL);
  assert_int_equal(p.heard.your_disc, p.disc);
  end_one(&h, &p);
}

static void
a_peer_that_restarts_is_found_by_its_address(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  p.disc = 0xcafe;

  struct bfd_packet pkt = peer_packet(&p, BFD_DOWN, 0);

  pkt.your_disc = 0;
  peer_send(&p, pkt);
  host_wait_state(&h, 7, BFD_DOWN);
  do
    peer_hear(&p);
  while (p.heard.your_disc != 0xcafe);
  bring_up(&h, &p, 7);
  end_one(&h, &p);
}

static void
what_is_refused_is_counted_by_its_reason(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_engine_stats stats;
  struct bfd_info info;
  struct sockaddr_in sa;
  byte data[BFD_PACKET_SIZE];

  host_start(&h);
  host_listen(&h, BFD_DIRECT, 1 << 20);
  peer_open(&p, &h, BFD_DIRECT);
  command(&h, BFD_ADD, session_for(&h, 7, BFD_DIRECT, p.addr));
  peer_hear(&p);

  struct bfd_packet good = peer_packet(&p, BFD_DOWN, 0), bad;

  bad = good, bad.detect_mult = 0, peer_send(&p, bad);
  bad = good, bad.my_disc = 0, peer_send(&p, bad);
  bad = good, bad.your_disc ^= 1, peer_send(&p, bad);
  bad = good, bad.flags = BFD_FLAG_MULTIPOINT, peer_send(&p, bad);
  bad = good, bad.your_disc = 0, bad.state = BFD_UP, peer_send(&p, bad);
  sa = sockaddr(h.addr, BFD_PORT_DIRECT);
  bfd_packet_encode(&good, data);
  data[0] = 0;
  sendto(p.fd, data, sizeof(data), 0, (struct sockaddr *) &sa, sizeof(sa));
  sendto(p.fd, data, 23, 0, (struct sockaddr *) &sa, sizeof(sa));
  sendto(p.fd, data, 0, 0, (struct sockaddr *) &sa, sizeof(sa));
  setsockopt(p.fd, IPPROTO_IP, IP_TTL, &(int){ 254 }, sizeof(int));
  peer_send(&p, good);
  setsockopt(p.fd, IPPROTO_IP, IP_TTL, &(int){ 255 }, sizeof(int));
  for (btime start = clock_now(); clock_now() - start < LIMIT;)
    if (host_info(&h, &info, &stats) && stats.rx >= 9)
      break;
  assert_int_equal(stats.refused[BFD_RX_DETECT_MULT], 1);
  assert_int_equal(stats.refused[BFD_RX_MY_DISC], 1);
  assert_int_equal(stats.refused[BFD_RX_NO_SESSION], 1);
  assert_int_equal(stats.refused[BFD_RX_MULTIPOINT], 1);
  assert_int_equal(stats.refused[BFD_RX_YOUR_DISC], 1);
  assert_int_equal(stats.refused[BFD_RX_VERSION], 1);
  assert_int_equal(stats.refused[BFD_RX_TRUNCATED], 2);
  assert_int_equal(stats.refused[BFD_RX_TTL], 1);
  assert_int_equal(info.status.state, BFD_DOWN);
  assert_int_equal(info.counters.rx, 0);
  end_one(&h, &p);
}

static void
snapshots_come_in_pages_of_256(void **ctx UNUSED)
{
  struct host h;
  bool seen[300] = { 0 };
  uint from = 0, count = 0;

  host_start(&h);
  for (uint i = 0; i < 300; i++)
  {
    struct bfd_cmd cmd = session_for(&h, 1000 + i, BFD_MULTIHOP, ip_v4(0x0a000000 + i));

    cmd.path = (struct bfd_path){ 0 };
    command(&h, BFD_ADD, cmd);
  }
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 1050 });
  do
  {
    struct bfd_snapshot *snap = host_snapshot_from(&h, from);

    assert_true(snap->count <= BFD_SNAPSHOT_MAX);
    for (uint i = 0; i < snap->count; i++)
    {
      assert_false(seen[snap->info[i].id - 1000]);
      seen[snap->info[i].id - 1000] = true;
      assert_true(snap->info[i].suspended);
    }
    count += snap->count;
    from = snap->next;
    msg_free(snap);
  } while (from);
  assert_int_equal(count, 299);
  assert_false(seen[50]);
  host_end(&h);
}

static void
ids_nobody_knows_are_ignored(void **ctx UNUSED)
{
  struct host h;
  struct bfd_listen_cmd *cmd = msg_alloc(sizeof(*cmd));
  struct bfd_note *note = msg_alloc(sizeof(*note));

  host_start(&h);
  command(&h, BFD_CHANGE, session_for(&h, 99, BFD_MULTIHOP, ip_v4(1)));
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 99 });
  cmd->id = 99;
  post(&h, BFD_UNLISTEN, &cmd->msg);
  note->id = 99;
  post(&h, BFD_NOTE, &note->msg);
  assert_false(host_info(&h, NULL, NULL));
  host_end(&h);
}

static void
a_session_that_cannot_send_counts_it_and_goes_on(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_info info = { 0 };
  struct bfd_cmd cmd;

  host_start(&h);
  host_listen(&h, BFD_MULTIHOP, 1 << 20);
  peer_open(&p, &h, BFD_MULTIHOP);
  cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
  cmd.path.local = ip_v4(0xc6336401); /* 198.51.100.1 is nobody's */
  command(&h, BFD_ADD, cmd);
  for (btime start = clock_now(); clock_now() - start < LIMIT && info.counters.tx_errors < 3;)
    host_info(&h, &info, NULL);
  assert_true(info.counters.tx_errors >= 3);
  assert_int_equal(info.counters.tx, 0);
  cmd.path.local = h.addr;
  command(&h, BFD_CHANGE, cmd);
  bring_up(&h, &p, 7);
  end_one(&h, &p);
}

static void
losing_the_path_is_noted_and_nothing_is_sent_any_more(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_cmd cmd;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
  cmd.path = (struct bfd_path){ 0 };
  command(&h, BFD_CHANGE, cmd);

  struct bfd_note note = host_wait_state(&h, 7, BFD_DOWN);

  assert_int_equal(note.status.diag, BFD_DIAG_PATH_DOWN);
  assert_true(note.status.failed && note.left_up);
  peer_catch_up(&p);
  peer_say(&p, BFD_UP, BFD_FLAG_POLL);
  assert_false(peer_hear_within(&p, BT_MS(100)));
  command(&h, BFD_CHANGE, session_for(&h, 7, BFD_MULTIHOP, p.addr));
  bring_up(&h, &p, 7);
  end_one(&h, &p);
}

/*
 * While the engine sleeps through eight detection times, the peer goes on speaking, among more packets than
 * are read at a time, which span more than a detection time. "Silence is judged only after everything that
 * arrived in time has been read."
 */
static void
a_stalled_engine_does_not_imagine_a_failure(void **ctx UNUSED)
{
  const btime length = BT_MS(800), detection = BT_MS(100);
  struct host h;
  struct peer p;
  struct bfd_packet pkt, noise;
  struct bfd_info info;
  btime begin, last, gap = 0;
  int pipefd[2], fd;
  char c;

  host_start(&h);
  fd = host_listen(&h, BFD_MULTIHOP, 32 << 20);
  peer_open(&p, &h, BFD_MULTIHOP);
  command(&h, BFD_ADD, session_for(&h, 7, BFD_MULTIHOP, p.addr));
  bring_up(&h, &p, 7);
  assert_return_code(pipe(pipefd), errno);
  h.stall = length;
  h.stalled = pipefd[1];

  pkt = peer_packet(&p, BFD_UP, 0);
  pkt.detect_mult = detection / pkt.min_tx;
  noise = pkt;
  noise.your_disc ^= 0x5555;
  mailbox_post(h.stalls, msg_alloc(sizeof(struct msg)));
  assert_int_equal(read(pipefd[0], &c, 1), 1);
  for (begin = last = clock_now(); last - begin < length + detection;)
  {
    peer_send(&p, pkt);
    for (uint i = 0; i < 8 && last - begin < length - detection; i++)
      peer_send(&p, noise);
    usleep(1000);
    gap = MAX(gap, clock_now() - last);
    last = clock_now();
  }
  pkt.detect_mult = 250; /* that is enough */
  peer_send(&p, pkt);
  assert_true(host_info(&h, &info, NULL));

  bool fair = gap < detection / 2 && udp_receive_buffer(fd) >= 32 << 20;

  close(pipefd[0]);
  close(pipefd[1]);
  end_one(&h, &p);
  if (!fair)
  {
    print_message("the machine is too busy, or the receive buffer too small\n");
    skip();
  }
  assert_int_equal(downs(&info), 0);
  assert_int_equal(info.status.state, BFD_UP);
}

/*
 * The whole machine stood still: nothing came meanwhile that could be read afterwards. The peer gets what was
 * left of the detection time, and no more than that.
 */
static void
time_stood_still(bool peer_lives)
{
  const btime length = BT_S(2); /* the detection time is 1 s */
  struct host h;
  struct peer p;
  struct bfd_info info;
  btime end;
  int pipefd[2];
  char c;

  host_start(&h);
  host_listen(&h, BFD_MULTIHOP, 0);
  peer_open(&p, &h, BFD_MULTIHOP);
  command(&h, BFD_ADD, session_for(&h, 7, BFD_MULTIHOP, p.addr));
  bring_up(&h, &p, 7);
  assert_return_code(pipe(pipefd), errno);
  h.stall = length;
  h.stalled = pipefd[1];
  peer_send(&p, peer_packet(&p, BFD_UP, 0));
  mailbox_post(h.stalls, msg_alloc(sizeof(struct msg)));
  assert_int_equal(read(pipefd[0], &c, 1), 1);
  end = clock_now() + length;
  usleep(length + BT_MS(50));
  if (peer_lives)
    peer_send(&p, peer_packet(&p, BFD_UP, 0));
  else
    host_wait_state(&h, 7, BFD_DOWN);

  bool fair = clock_now() - end < BT_MS(500) || !peer_lives;

  assert_true(peer_lives || clock_now() >= end + BT_MS(500));
  assert_true(host_info(&h, &info, NULL));
  close(pipefd[0]);
  close(pipefd[1]);
  end_one(&h, &p);
  if (!fair)
  {
    print_message("the machine is too busy\n");
    skip();
  }
  assert_int_equal(downs(&info), peer_lives ? 0 : 1);
}

static void
a_machine_that_stood_still_sees_no_failure(void **ctx UNUSED)
{
  time_stood_still(true);
}

static void
a_peer_that_is_silent_after_a_standstill_is_noted_all_the_same(void **ctx UNUSED)
{
  time_stood_still(false);
}

static int
draw_addresses(void **ctx UNUSED)
{
  addresses.state = random_seed();
  return 0;
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_engines_bring_sessions_up_both_direct_and_multihop),
    cmocka_unit_test(the_first_packets_say_down_and_know_nobody),
    cmocka_unit_test(the_source_port_stays_for_the_sessions_life),
    cmocka_unit_test(a_silent_peer_is_noted_as_a_failure),
    cmocka_unit_test(a_note_on_its_way_gathers_what_happens_and_loses_no_failure),
    cmocka_unit_test(a_removed_session_says_admin_down_three_times_and_is_gone),
    cmocka_unit_test(asking_again_revives_a_session_that_says_goodbye),
    cmocka_unit_test(quitting_says_admin_down_before_it_is_over),
    cmocka_unit_test(an_engine_without_sessions_quits_at_once),
    cmocka_unit_test(new_intervals_are_told_by_a_poll_sequence),
    cmocka_unit_test(a_poll_of_the_peer_is_answered_at_once),
    cmocka_unit_test(a_peer_that_restarts_is_found_by_its_address),
    cmocka_unit_test(what_is_refused_is_counted_by_its_reason),
    cmocka_unit_test(snapshots_come_in_pages_of_256),
    cmocka_unit_test(ids_nobody_knows_are_ignored),
    cmocka_unit_test(a_session_that_cannot_send_counts_it_and_goes_on),
    cmocka_unit_test(losing_the_path_is_noted_and_nothing_is_sent_any_more),
    cmocka_unit_test(a_stalled_engine_does_not_imagine_a_failure),
    cmocka_unit_test(a_machine_that_stood_still_sees_no_failure),
    cmocka_unit_test(a_peer_that_is_silent_after_a_standstill_is_noted_all_the_same),
  };

  return cmocka_run_group_tests(tests, draw_addresses, NULL);
}
