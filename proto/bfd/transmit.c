/*
 * proto/bfd/transmit.c: packets out
 *
 * Sessions with the same interface and local address share a socket, which takes whole packets: so each has a
 * source port of its own without a socket of its own, and all that is due at one time goes out in few system
 * calls. Errors are counted and never stop a session: what the network thinks of our packets is for BFD to
 * find out. Without the privilege for that each session has a UDP socket.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/datagram.h"
#include "proto/bfd/engine_impl.h"

#define DSCP_CS6 0xc0

/* One for all sessions with this way out. */
struct engine_sender
{
  struct resource r;
  struct hnode n;
  struct ip_sender how;
  uint users;
  int fd; /* or why there is none, as -errno */
};

static void
sender_free(struct resource *r)
{
  struct engine_sender *x = (struct engine_sender *) r;

  if (x->fd >= 0)
    close(x->fd);
}

static const struct resource_class sender_class = { .name = "BFD sender",
                                                    .size = sizeof(struct engine_sender),
                                                    .free = sender_free };

static bool
same_sender(const struct ip_sender *a, const struct ip_sender *b)
{
  return ip_equal(a->local, b->local) && a->ifindex == b->ifindex && a->on_link == b->on_link &&
         a->port == b->port;
}

static struct engine_sender *
sender_for(struct bfd_engine *e, const struct ip_sender *how)
{
  u32 hash = hash_u64((u64) ip_hash(how->local) << 32 | how->ifindex << 1 | how->on_link) + how->port;
  struct engine_sender *x;

  for (struct hnode *n = hash_first(&e->senders, hash); n; n = hash_again(n))
    if (x = SKIP_BACK(struct engine_sender, n, n), same_sender(&x->how, how))
      return x;

  x = res_new(e->pool, &sender_class);
  x->how = *how;
  x->fd = ip_sender_open(how);
  hash_add(&e->senders, &x->n, hash);
  return x;
}

static void
take_sender(struct bfd_engine *e, struct engine_session *s, u16 port)
{
  s->sender = sender_for(e, &(struct ip_sender){ .local = s->path.local,
                                                 .ifindex = s->path.ifindex,
                                                 .on_link = s->key.hop == BFD_DIRECT,
                                                 .port = port });
  s->sender->users++;
}

void
engine_drop_sender(struct bfd_engine *e, struct engine_session *s)
{
  struct engine_sender *x = s->sender;

  engine_flush(e); /* nothing may be left of it */
  s->sender = NULL;
  if (!x || --x->users)
    return;
  hash_remove(&e->senders, &x->n);
  rfree(x);
}

/* The way out of @s; opened anew where that failed before. Who may not send whole packets has a socket of its
 * own. */
static struct engine_sender *
session_sender(struct bfd_engine *e, struct engine_session *s)
{
  if (!s->sender)
    take_sender(e, s, 0);
  else if (s->sender->fd < 0)
    s->sender->fd = ip_sender_open(&s->sender->how);
  if (s->sender->fd == -EPERM && !s->sender->how.port)
  {
    engine_drop_sender(e, s);
    take_sender(e, s, s->port);
  }
  return s->sender;
}

static const char *
session_place(const struct engine_session *s)
{
  return s->key.hop == BFD_DIRECT ? s->key.ifname : "multihop";
}

static void
send_failed(struct bfd_engine *e, struct engine_session *s, int error)
{
  engine_troubles(s)->tx_errors++;
  e->stats.tx_errors++;
  log_rl(&e->send_limit, L_ERR, "%s: Cannot send to %s (%s) from %s: %s", e->name, IP_STR(s->key.remote),
         session_place(s), IP_STR(s->path.local),
         error == ENOKEY ? "no password is valid now" : strerror(error));
}

/* It had been counted as sent. */
static void
packet_failed(void *owner, int error, void *data)
{
  struct engine_session *s = owner;
  struct bfd_engine *e = data;

  s->tx_count--;
  e->stats.tx--;
  send_failed(e, s, error);
}

static void
link_failed(void *owner, int error, void *data)
{
  packet_failed(owner, error, data);
  engine_offload_failed(data, owner);
}

void
engine_transmit_init(struct bfd_engine *e)
{
  hash_init(&e->senders, e->pool);
  e->out = send_batch_new(e->pool, packet_failed, e);
}

bool
engine_link_open(struct bfd_engine *e)
{
  int fd = link_sender_open();

  if (fd < 0)
  {
    log_write(L_WARN, "%s: Cannot send to link-layer addresses: %s", e->name, strerror(-fd));
    return false;
  }
  e->link = res_new(e->pool, &sender_class);
  e->link->fd = fd;
  e->out_link = send_batch_new(e->pool, link_failed, e);
  return true;
}

/* Only what changes nothing goes to link-layer addresses, so whatever does change something comes later. */
void
engine_flush(struct bfd_engine *e)
{
  if (e->out_link)
    send_batch_flush(e->out_link);
  send_batch_flush(e->out);
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
  struct bfd_packet pkt = bfd_session_packet(&s->v, kind, loop_now(e->loop));
  bool link = engine_offload_sends(e, s, kind);
  struct send_batch *out = link ? e->out_link : e->out;
  struct engine_sender *x = link ? e->link : session_sender(e, s);
  int fd = x->fd;

  if (fd < 0)
  {
    send_failed(e, s, -fd);
    return;
  }

  struct datagram d = {
    .from = s->path.local,
    .to = s->key.remote,
    .from_port = s->port,
    .to_port = s->peer_port,
    .ttl = 255,
    .tos = DSCP_CS6,
  };
  byte *packet = send_batch_room(out, fd), *data = packet + (x->how.port ? 0 : datagram_header(&d));

  engine_trace(e, "Packet to", s->key.remote, &pkt);
  bfd_packet_encode(&pkt, data);

  uint size = bfd_auth_sign(&s->v.auth, data, is_spare(s, kind), loop_now(e->loop));

  if (!size)
  {
    send_failed(e, s, ENOKEY);
    return;
  }
  if (!x->how.port)
    size = datagram_wrap(packet, &d, size);
  if (link)
    send_batch_add_link(out, size, !ip_is_v4(d.to), s->path.ifindex, s->off->lladdr, s);
  else
    send_batch_add(out, size, d.to, x->how.port ? d.to_port : 0, s->path.ifindex, s);
  s->tx_count++;
  e->stats.tx++;
}
