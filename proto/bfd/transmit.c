/*
 * proto/bfd/transmit.c: packets out
 *
 * Each session has a connected socket of its own, hence a source port of its own from the range RFC 5881
 * section 4 asks for. When all of them are in use, ports are shared between different peers. Errors are
 * counted and never stop a session: what the network thinks of our packets is for BFD to find out.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/bfd/engine_impl.h"

#define PORT_TRIES 8
#define PORT_SEARCH 1024

static const char *
session_place(const struct engine_session *s)
{
  return s->key.hop == BFD_DIRECT ? s->key.ifname : "multihop";
}

/* A port to try: free among ours if one is found soon. */
static uint
choose_port(struct bfd_engine *e)
{
  uint port = rng_below(&e->rng, SOURCE_PORTS);

  for (uint i = 0; e->port_users[port] && i < PORT_SEARCH; i++)
    port = (port + 1) % SOURCE_PORTS;
  return port;
}

static void
take_port(struct bfd_engine *e, struct engine_session *s, uint port)
{
  s->port = port;
  e->port_users[port]++;
}

static void
drop_port(struct bfd_engine *e, struct engine_session *s)
{
  if (s->port < SOURCE_PORTS)
    e->port_users[s->port]--;
  s->port = SOURCE_PORTS;
}

void
engine_close_sender(struct bfd_engine *e, struct engine_session *s, bool keep_port)
{
  if (s->fd >= 0)
    close(s->fd);
  s->fd = -1;
  if (!keep_port)
    drop_port(e, s);
}

static int
open_on_port(struct engine_session *s, uint port, bool share)
{
  struct udp_sender how = {
    .local = s->path.local,
    .remote = s->key.remote,
    .local_port = SOURCE_PORT_FIRST + port,
    .remote_port = s->key.hop == BFD_DIRECT ? BFD_PORT_DIRECT : BFD_PORT_MULTIHOP,
    .ifindex = s->path.ifindex,
    .on_link = s->key.hop == BFD_DIRECT,
    .share_port = share,
  };

  return udp_sender_open(&how);
}

/*
 * The port of before if there was one (it stays the same for the session's life), else one nobody uses; when
 * those run out, or others have too many of them, one that is shared.
 */
static int
open_sender(struct bfd_engine *e, struct engine_session *s)
{
  int fd = -EADDRINUSE;

  if (s->port < SOURCE_PORTS)
    fd = open_on_port(s, s->port, e->port_users[s->port] > 1);
  if (fd != -EADDRINUSE)
    return fd;
  drop_port(e, s);
  for (int i = 0; fd == -EADDRINUSE && i < PORT_TRIES; i++)
  {
    uint port = choose_port(e);

    fd = open_on_port(s, port, e->port_users[port] || i == PORT_TRIES - 1);
    if (fd >= 0)
      take_port(e, s, port);
  }
  return fd;
}

static void
send_failed(struct bfd_engine *e, struct engine_session *s, int error)
{
  engine_troubles(e, s)->tx_errors++;
  e->stats.tx_errors++;
  log_rl(&e->send_limit, L_ERR, "%s: Cannot send to %s (%s) from %s: %s", e->name, IP_STR(s->key.remote),
         session_place(s), IP_STR(s->path.local),
         error == ENOKEY ? "no password is valid now" : strerror(error));
}

/* Does the peer see no difference when this packet is refused? */
static bool
is_spare(const struct engine_session *s, enum bfd_tx_kind kind)
{
  return kind == BFD_TX_PERIODIC && s->v.state == BFD_UP && s->v.params.detect_mult >= 3;
}

void
engine_send(struct bfd_engine *e, struct engine_session *s, enum bfd_tx_kind kind)
{
  byte data[BFD_PACKET_MAX];
  struct bfd_packet pkt = bfd_session_packet(&s->v, kind, loop_now(e->loop));
  uint size;
  int error;

  if (s->fd < 0)
    s->fd = open_sender(e, s);
  if (s->fd < 0)
  {
    send_failed(e, s, -s->fd);
    s->fd = -1;
    return;
  }

  engine_trace(e, "Packet to", s->key.remote, &pkt);
  bfd_packet_encode(&pkt, data);
  size = bfd_auth_sign(&s->v.auth, data, is_spare(s, kind), loop_now(e->loop));
  error = size ? udp_send(s->fd, data, size) : -ENOKEY;
  if (error)
    send_failed(e, s, -error);
  else
  {
    s->tx_count++;
    e->stats.tx++;
  }
}
