/*
 * proto/bfd/listen.c: receiving sockets, opened here and handed to the engines
 *
 * One wildcard listener for each kind (family and hop type) that is accepted, or with `strict bind` one for
 * each local address in use, has a socket for each engine. What cannot be opened is tried again every few
 * seconds; sessions wait meanwhile and say why.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/bfd/bfd.h"
#include "sysdep/socket.h"

#define RETRY_TIME BT_S(5)
#define RETRY_SOON BT_MS(50)     /* the port may be one of ours that the engine is about to close */
#define STEER_OFFSET 8           /* of Your Discriminator: RFC 5880 4.1 */
#define RECEIVE_BUFFER (4 << 20) /* 1 s of a thousand sessions at 10 ms would need about this */

bool
bfd_accepts_kind(const struct bfd_config *cf, enum bfd_hop hop, bool v6)
{
  return !cf->accept || cf->accept & (1u << BFD_KIND(hop, v6));
}

static u16
port_for(enum bfd_hop hop)
{
  return hop == BFD_DIRECT ? BFD_PORT_DIRECT : BFD_PORT_MULTIHOP;
}

/* The VRF device sockets are bound to; NULL: none. */
static const char *
device_of(const struct bfd_proto *p)
{
  const char *vrf = bfd_config_of(p)->p.vrf;

  return vrf && vrf[0] ? vrf : NULL;
}

static void
retry_in(struct bfd_proto *p, btime delay)
{
  if (!timer_is_set(p->listen_retry) || p->listen_retry->e.deadline > loop_now(p->p.loop) + delay)
    timer_set_in(p->listen_retry, delay);
}

/* The owner is looked for once, not at every retry: that reads through all of /proc. */
static void
listen_failed(struct bfd_proto *p, struct bfd_listener *l, int error)
{
  const char *where = ip_is_none(l->local) ? (l->v6 ? "::" : "0.0.0.0") : IP_STR(l->local);
  char owner[UDP_OWNER_SIZE];

  if (error == EADDRINUSE && !l->tried)
  {
    l->tried = true;
    snprintf(l->error, sizeof(l->error), "UDP port %u of %s", port_for(l->hop), where);
    retry_in(p, RETRY_SOON);
    return;
  }
  retry_in(p, RETRY_TIME);
  if (error == l->last_error)
    return;
  l->last_error = error;
  if (error == ENODEV)
  {
    snprintf(l->error, sizeof(l->error), "VRF device %s", device_of(p));
    return; /* which is not there yet; its coming is an event */
  }
  if (error == EADDRINUSE)
  {
    udp_port_owner(l->v6, port_for(l->hop), owner);
    snprintf(l->error, sizeof(l->error), "UDP port %u of %s, in use by %s", port_for(l->hop), where, owner);
  }
  else
    snprintf(l->error, sizeof(l->error), "UDP port %u of %s: %s", port_for(l->hop), where, strerror(error));
  log_write(L_ERR, "%s: Cannot open %s", p->p.name, l->error);
}

static bool
same_device(const struct bfd_proto *a, const struct bfd_proto *b)
{
  const char *da = device_of(a), *db = device_of(b);

  return da && db ? strcmp(da, db) == 0 : da == db;
}

/* Let sockets of our instances that are bound to other devices share their port, or end that. */
static bool
share_with_siblings(const struct bfd_proto *p, const struct bfd_listener *l, bool share)
{
  struct bfd_listener *other;
  struct proto *sibling;
  bool any = false;

  LIST_WALK (sibling, proto_list(), n)
  {
    struct bfd_proto *q = (struct bfd_proto *) sibling;

    if (sibling->class != &proto_bfd || q == p || sibling->state == PROTO_DOWN || same_device(p, q))
      continue;
    LIST_WALK (other, &q->listeners, n)
      if (other->id && other->hop == l->hop && other->v6 == l->v6)
      {
        for (uint i = 0; i < other->sockets; i++)
          udp_share_port(other->fd[i], share);
        any = true;
      }
  }
  return any;
}

/*
 * The port is asked for exclusively, so that another owner is found. The kernel takes a socket without a
 * device and one of a VRF for rivals; of those that are both ours it is told that they are not.
 */
static int
open_socket(struct bfd_proto *p, const struct bfd_listener *l, struct udp_listen *how)
{
  int fd = udp_listen_open(how);

  if (fd != -EADDRINUSE || !share_with_siblings(p, l, true))
    return fd;
  if (udp_port_is_ours(l->v6, port_for(l->hop))) /* others could slip in, while it is shared */
  {
    how->share_port = true;
    fd = udp_listen_open(how);
    how->share_port = false;
  }
  share_with_siblings(p, l, false);
  return fd;
}

/* Sockets for all engines; 0 or -errno, with some of them open. */
static int
open_sockets(struct bfd_proto *p, struct bfd_listener *l)
{
  struct udp_listen how = {
    .v6 = l->v6,
    .port = port_for(l->hop),
    .local = l->local,
    .ifindex = l->ifindex,
    .device = device_of(p),
    .no_checksum = bfd_config_of(p)->zero_checksum,
    .receive_buffer = RECEIVE_BUFFER,
  };

  while (l->sockets < bfd_engines_listening(p))
  {
    int fd;

    if (l->sockets)
      udp_group_join(l->fd[0]);
    how.group = l->sockets > 0;
    fd = open_socket(p, l, &how);
    if (fd < 0)
      return fd;
    l->fd[l->sockets++] = fd;
  }
  return 0;
}

static void
close_sockets(struct bfd_listener *l, uint first)
{
  while (l->sockets > first)
    close(l->fd[--l->sockets]);
}

/* From now on they belong to the engines. */
static void
hand_sockets(struct bfd_proto *p, struct bfd_listener *l)
{
  for (; l->handed < l->sockets; l->handed++)
  {
    struct bfd_listen_cmd *cmd = msg_alloc(sizeof(*cmd));
    uint i = l->handed;

    cmd->msg.kind = BFD_LISTEN;
    cmd->id = l->id;
    cmd->hop = l->hop;
    cmd->v6 = l->v6;
    cmd->fd = l->fd[i];
    bfd_post_engine(p, i, &cmd->msg);
  }
}

/* Give each engine the packets of its sessions: as bfd_engine_of() has it. */
static int
steer(const struct bfd_proto *p, const struct bfd_listener *l)
{
  return l->sockets > 1 ? udp_group_steer(l->fd[0], STEER_OFFSET, bfd_engines(p)) : 0;
}

static void
listen_open(struct bfd_proto *p, struct bfd_listener *l)
{
  int error = open_sockets(p, l);

  if (!error)
    error = steer(p, l);
  if (error)
  {
    close_sockets(l, 0);
    listen_failed(p, l, -error);
    return;
  }
  l->error[0] = 0;
  l->last_error = 0;
  l->tried = false;
  l->id = ++p->next_id;
  l->device = udp_device(l->fd[0]);
  hand_sockets(p, l);
}

static void
unlisten(struct bfd_proto *p, struct bfd_listener *l, uint first)
{
  for (uint i = first; i < l->sockets; i++)
  {
    struct bfd_listen_cmd *cmd = msg_alloc(sizeof(*cmd));

    cmd->msg.kind = BFD_UNLISTEN;
    cmd->id = l->id;
    bfd_post_engine(p, i, &cmd->msg);
  }
  l->handed = l->sockets = MIN(l->sockets, first);
  if (!l->sockets)
    l->id = 0;
}

bool
bfd_listen_spread(struct bfd_proto *p)
{
  struct bfd_listener *l;

  LIST_WALK (l, &p->listeners, n)
  {
    int error = l->id ? open_sockets(p, l) : 0;

    if (error)
    {
      log_write(L_ERR, "%s: Cannot open UDP port %u for another thread: %s", p->p.name, port_for(l->hop),
                strerror(-error));
      return false;
    }
    steer(p, l); /* as before, or the kernel would give some packets to the new ones */
  }
  return true;
}

void
bfd_listen_hand(struct bfd_proto *p)
{
  struct bfd_listener *l;

  LIST_WALK (l, &p->listeners, n)
    hand_sockets(p, l);
}

bool
bfd_listen_steer(struct bfd_proto *p)
{
  struct bfd_listener *l;
  int error = 0;

  LIST_WALK (l, &p->listeners, n)
    error = MIN(error, steer(p, l));
  if (error)
    log_write(L_ERR, "%s: Packets are not steered to their threads, which costs time: %s", p->p.name,
              strerror(-error));
  return !error;
}

void
bfd_listen_narrow(struct bfd_proto *p, uint engines)
{
  struct bfd_listener *l;

  LIST_WALK (l, &p->listeners, n)
  {
    close_sockets(l, MAX(l->handed, engines));
    unlisten(p, l, engines);
  }
}

static void
listen_close(struct bfd_proto *p, struct bfd_listener *l)
{
  unlisten(p, l, 0);
  list_remove(&l->n);
  mb_free(l);
}

static struct bfd_listener *
listen_new(struct bfd_proto *p, enum bfd_hop hop, bool v6, ip_addr local, uint ifindex)
{
  struct bfd_listener *l = mb_alloc(p->p.pool, sizeof(*l));

  l->hop = hop;
  l->v6 = v6;
  l->local = local;
  l->ifindex = ifindex;
  list_add_tail(&p->listeners, &l->n);
  listen_open(p, l);
  return l;
}

static struct bfd_listener *
listen_find(const struct bfd_proto *p, enum bfd_hop hop, bool v6, ip_addr local, uint ifindex)
{
  struct bfd_listener *l;

  LIST_WALK (l, &p->listeners, n)
    if (l->hop == hop && l->v6 == v6 && ip_equal(l->local, local) && l->ifindex == ifindex)
      return l;
  return NULL;
}

struct bfd_listener *
bfd_listen_local(struct bfd_proto *p, enum bfd_hop hop, const struct bfd_path *path)
{
  bool v6 = !ip_is_v4(path->local);
  uint ifindex = ip_is_link_local(path->local) ? path->ifindex : 0;
  struct bfd_listener *l = listen_find(p, hop, v6, path->local, ifindex);

  if (!l)
    l = listen_new(p, hop, v6, path->local, ifindex);
  l->users++;
  return l;
}

void
bfd_listen_release(struct bfd_proto *p, struct bfd_listener *l)
{
  if (!--l->users)
    work_schedule(p->listen_close); /* it may be wanted again at once */
}

static bool
close_unused(struct work *w UNUSED, void *data)
{
  struct bfd_proto *p = data;
  struct bfd_listener *l;

  LIST_WALK_SAFE (l, &p->listeners, n)
    if (!l->users && !ip_is_none(l->local))
      listen_close(p, l);
  return false;
}

const char *
bfd_listen_problem(const struct bfd_proto *p, const struct bfd_shared *s)
{
  const struct bfd_listener *l = s->listener;

  if (!l)
    l = listen_find(p, s->key.hop, !ip_is_v4(s->key.remote), IP_NONE, 0);
  return l && l->error[0] ? l->error : NULL;
}

/*
 * Instances of one daemon do not fight for a port: the first has it, and the others take over when it goes.
 */
static bool
held_by_sibling(const struct bfd_proto *p, enum bfd_hop hop, bool v6)
{
  struct proto *other;

  LIST_WALK (other, proto_list(), n)
  {
    const struct bfd_proto *sibling = (const struct bfd_proto *) other;

    if (other->class == &proto_bfd && sibling != p && other->state != PROTO_DOWN && same_device(p, sibling) &&
        listen_find(sibling, hop, v6, IP_NONE, 0))
      return true;
  }
  return false;
}

/* Does this instance receive packets of that kind? */
bool
bfd_listen_serves(const struct bfd_proto *p, enum bfd_hop hop, bool v6)
{
  return bfd_config_of(p)->strict_bind || listen_find(p, hop, v6, IP_NONE, 0);
}

void
bfd_listen_siblings(const struct bfd_proto *p)
{
  struct proto *other;

  LIST_WALK (other, proto_list(), n)
    if (other->class == &proto_bfd && other != &p->p && other->state == PROTO_UP)
    {
      bfd_listen_follow((struct bfd_proto *) other);
      bfd_provide_again((struct bfd_proto *) other);
    }
}

void
bfd_listen_follow(struct bfd_proto *p)
{
  if (bfd_config_of(p)->strict_bind)
    return;
  for (uint hop = 0; hop < BFD_HOP__MAX; hop++)
    for (uint v6 = 0; v6 < 2; v6++)
    {
      struct bfd_listener *l = listen_find(p, hop, v6, IP_NONE, 0);
      bool wanted = bfd_accepts_kind(bfd_config_of(p), hop, v6);

      if (wanted && !l && !held_by_sibling(p, hop, v6))
        listen_new(p, hop, v6, IP_NONE, 0);
      else if (!wanted && l)
        listen_close(p, l);
    }
}

/* A socket is bound to the index of a device: one that was made anew needs another socket. */
void
bfd_listen_device(struct bfd_proto *p, const struct iface *i)
{
  const char *device = device_of(p);
  struct bfd_listener *l;

  if (!device || strcmp(i->name, device) != 0 || !i->present)
    return;
  LIST_WALK (l, &p->listeners, n)
    if (!l->id || l->device != i->index)
    {
      unlisten(p, l, 0);
      listen_open(p, l);
    }
  bfd_provide_again(p);
}

void
bfd_listen_gone(struct bfd_proto *p)
{
  list_init(&p->listeners);
}

static void
retry(struct timer *t UNUSED, void *data)
{
  struct bfd_proto *p = data;
  bool opened = false;
  struct bfd_listener *l;

  LIST_WALK (l, &p->listeners, n)
    if (!l->id)
    {
      listen_open(p, l);
      opened |= l->id != 0;
    }
  if (opened)
    bfd_provide_again(p);
}

void
bfd_listen_start(struct bfd_proto *p)
{
  list_init(&p->listeners);
  p->listen_retry = timer_new(p->p.pool, p->p.loop, retry, p);
  p->listen_close = work_new(p->p.pool, p->p.loop, LOOP_REST, close_unused, p);
  bfd_listen_follow(p);
}
