/*
 * proto/bfd/engine_host.h: for the tests of the engine only: an engine in its thread, on real sockets of the
 * loopback interface
 *
 * The peer is the test itself, packet by packet, or a second engine. Addresses are drawn from 127/8 so that
 * nothing else on the machine is met; where the BFD ports are taken by a wildcard socket the tests are
 * skipped. Nothing sleeps for luck: every wait has a condition and a limit. Include it after cmocka.h.
 */
#ifndef PEREGRINE_BFD_ENGINE_HOST_H
#define PEREGRINE_BFD_ENGINE_HOST_H

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/random.h"
#include "proto/bfd/auth.h"
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
  struct bfd_down down; /* the last reports that came before the other messages taken, */
  struct bfd_late late; /* all zero: none */
  bool quit;
  _Atomic btime stall; /* how long it sleeps when told to */
  atomic_int stalled;  /* written to when that begins */
};

/* The other end, by hand. */
struct peer
{
  int fd;
  ip_addr addr, host;
  u16 port, host_port;
  u32 disc;
  struct bfd_auth auth;    /* all zero: none */
  struct bfd_packet heard; /* the last one */
  enum bfd_rx heard_rx;    /* what its authentication makes of that */
  u16 source;              /* and where it came from */
};

static struct rng addresses;

static inline ip_addr
fresh_address(void)
{
  return ip_v4(127u << 24 | 1 << 16 | (rng_u32(&addresses) & 0xfffe) | 1);
}

static inline struct sockaddr_in
sockaddr(ip_addr a, u16 port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(ip_to_u32(a)),
                               .sin_port = htons(port) };
}

/* The engine */

static inline void
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
static inline void
stall(struct msg *msg, void *data)
{
  struct host *h = data;

  msg_free(msg);
  assert_int_equal(write(h->stalled, "", 1), 1);
  usleep(h->stall);
}

static inline void
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

static inline void
post(struct host *h, enum bfd_msg_kind kind, struct bfd_msg *m)
{
  m->kind = kind;
  mailbox_post(h->commands, &m->m);
}

static inline struct bfd_msg *
host_take_any(struct host *h, btime wait)
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

/* The next message, or NULL after @wait; reports are put aside. */
static inline struct bfd_msg *
host_take(struct host *h, btime wait)
{
  struct bfd_msg *m;

  while ((m = host_take_any(h, wait)) &&
         (m->kind == BFD_DOWN_REPORT || m->kind == BFD_LATE_REPORT || m->kind == BFD_LAG_REPORT))
  {
    if (m->kind == BFD_DOWN_REPORT)
      h->down = *(struct bfd_down *) m;
    else if (m->kind == BFD_LATE_REPORT)
      h->late = *(struct bfd_late *) m;
    msg_free(m);
  }
  return m;
}

static inline void
note_give_back(struct host *h, struct bfd_note *note)
{
  if (h->hold)
    h->held = note;
  else
    post(h, BFD_NOTE, &note->msg);
}

/* The next note; it goes back unless the host holds them. */
static inline struct bfd_note
host_note(struct host *h)
{
  struct bfd_msg *m = host_take(h, LIMIT);

  assert_non_null(m);
  assert_int_equal(m->kind, BFD_NOTE);

  struct bfd_note copy = *(struct bfd_note *) m;

  note_give_back(h, (struct bfd_note *) m);
  return copy;
}

static inline struct bfd_note
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
static inline struct bfd_snapshot *
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
static inline bool
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

static inline void
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

static inline void
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
static inline int
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
static const struct bfd_params quick UNUSED = {
  .min_rx = 20000, .min_tx = 20000, .idle_tx = 20000, .detect_mult = 50
};

static inline struct bfd_cmd
session_for(const struct host *h, u64 id, enum bfd_hop hop, ip_addr remote)
{
  return (struct bfd_cmd){
    .id = id,
    .key = { .hop = hop, .ifname = "lo", .local = h->addr, .remote = remote },
    .path = { .usable = true, .ifindex = hop == BFD_DIRECT ? if_nametoindex("lo") : 0, .local = h->addr },
    .params = quick,
    .source_port = 49152 + bfd_id_disc(id) % 16384,
  };
}

static inline void
command(struct host *h, enum bfd_msg_kind kind, struct bfd_cmd cmd)
{
  struct bfd_cmd *m = msg_alloc(sizeof(*m));

  *m = cmd;
  post(h, kind, &m->msg);
}

/* With the keys, NULL: none. */
static inline void
command_keys(struct host *h, enum bfd_msg_kind kind, struct bfd_cmd cmd, const struct bfd_keys *keys)
{
  size_t size = bfd_keys_size(keys ? keys->count : 0);
  struct bfd_cmd *m = msg_alloc(sizeof(*m) + size);

  *m = cmd;
  if (keys)
    memcpy(&m->keys, keys, size);
  post(h, kind, &m->msg);
}

/* The peer */

static inline void
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

static inline void
peer_send_bytes(struct peer *p, const byte *data, uint size)
{
  struct sockaddr_in sa = sockaddr(p->host, p->host_port);

  assert_int_equal(sendto(p->fd, data, size, 0, (struct sockaddr *) &sa, sizeof(sa)), size);
}

static inline void
peer_send(struct peer *p, struct bfd_packet pkt)
{
  byte data[BFD_PACKET_MAX];

  bfd_packet_encode(&pkt, data);
  peer_send_bytes(p, data, bfd_auth_sign(&p->auth, data, false, clock_now()));
}

static inline struct bfd_packet
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

static inline void
peer_say(struct peer *p, u8 state, u8 flags)
{
  peer_send(p, peer_packet(p, state, flags));
}

/* False when nothing comes in time. */
static inline bool
peer_hear_within(struct peer *p, btime wait)
{
  struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
  struct sockaddr_in from;
  socklen_t len = sizeof(from);
  byte data[100];

  if (poll(&pfd, 1, wait / 1000) <= 0)
    return false;

  ssize_t n = recvfrom(p->fd, data, sizeof(data), 0, (struct sockaddr *) &from, &len);

  assert_int_equal(bfd_packet_decode(&p->heard, data, n), BFD_RX_OK);
  assert_int_equal(n, p->heard.length);
  p->heard_rx = BFD_RX_AUTH;
  if (bfd_auth_agrees(&p->auth, &p->heard))
    p->heard_rx = bfd_auth_verify(&p->auth, &p->heard, data, clock_now(), BT_S(1));
  assert_int_equal(ntohl(from.sin_addr.s_addr), ip_to_u32(p->host));
  p->source = ntohs(from.sin_port);
  return true;
}

static inline void
peer_hear(struct peer *p)
{
  assert_true(peer_hear_within(p, LIMIT));
}

static inline void
peer_hear_state(struct peer *p, u8 state)
{
  do
    peer_hear(p);
  while (p->heard.state != state);
}

static inline void
peer_hear_flag(struct peer *p, u8 flag)
{
  do
    peer_hear(p);
  while (!(p->heard.flags & flag));
}

/* What waits in the socket is old news. */
static inline void
peer_catch_up(struct peer *p)
{
  while (peer_hear_within(p, 0))
    ;
}

/* A session of @h with a peer by hand, Up and with its poll answered. */
static inline void
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

static inline void
start_one(struct host *h, struct peer *p, u64 id)
{
  host_start(h);
  host_listen(h, BFD_MULTIHOP, 1 << 20);
  peer_open(p, h, BFD_MULTIHOP);
  command(h, BFD_ADD, session_for(h, id, BFD_MULTIHOP, p->addr));
}

static inline void
end_one(struct host *h, struct peer *p)
{
  host_end(h);
  close(p->fd);
}

static inline uint
downs(const struct bfd_info *info)
{
  uint sum = 0;

  for (uint i = 0; i < BFD_DIAG__MAX; i++)
    sum += info->counters.troubles.downs[i];
  return sum;
}

static inline int
draw_addresses(void **ctx UNUSED)
{
  addresses.state = random_seed();
  return 0;
}

#endif
