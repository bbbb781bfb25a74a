/*
 * proto/bfd/proto.c: an instance of the BFD protocol, main-loop side
 *
 * Owns the engine's thread. Stopping takes as long as the engine needs to say AdminDown to its peers.
 */
#include <errno.h>
#include <string.h>

#include "proto/bfd/bfd.h"

void
bfd_post(struct bfd_proto *p, struct bfd_msg *m)
{
  mailbox_post(p->commands, &m->m);
}

/* Called in the engine's loop. */
static void
deliver(struct msg *m, void *data)
{
  struct bfd_proto *p = data;

  mailbox_post(p->replies, m);
}

static void
engine_stopped(struct bfd_proto *p)
{
  loop_stop(p->engine_loop);
  thread_join(p->thread);
  rfree(p->engine_pool);
  p->engine_loop = NULL;
  list_init(&p->listeners);
  bfd_listen_siblings(p);
  proto_down(&p->p);
}

static void
reply_received(struct msg *m, void *data)
{
  struct bfd_proto *p = data;
  struct bfd_msg *msg = SKIP_BACK(struct bfd_msg, m, m);
  bool stopped = msg->kind == BFD_STOPPED;

  if (msg->kind == BFD_NOTE)
  {
    if (p->provider)
      bfd_note_received(p, (struct bfd_note *) msg);
    bfd_post(p, msg); /* back to its session */
    return;
  }
  if (msg->kind == BFD_DOWN_REPORT)
  {
    if (p->provider)
      bfd_history_down(p, (struct bfd_down *) msg);
    bfd_post(p, msg); /* to be used again */
    return;
  }
  if (msg->kind == BFD_SNAPSHOT_REPLY)
    bfd_snapshot_received(p, (struct bfd_snapshot *) msg);
  else if (msg->kind == BFD_WORST_REPORT)
  {
    p->worst = ((struct bfd_worst *) msg)->late;
    p->worst_at = loop_now(p->p.loop);
  }
  else if (msg->kind == BFD_LATE_REPORT)
    bfd_history_late(p, (struct bfd_late *) msg);
  msg_free(msg);
  if (stopped)
    engine_stopped(p);
}

/* Tell the engine what holds for all sessions. */
static void
bfd_set_engine(struct proto *proto)
{
  struct bfd_proto *p = (struct bfd_proto *) proto;

  if (!p->engine_loop || proto->state == PROTO_STOP)
    return;

  struct bfd_set_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->msg.kind = BFD_SET;
  cmd->trace_packets = proto->debug & D_PACKETS;
  cmd->exit_linger = bfd_config_of(p)->exit_linger;
  bfd_post(p, &cmd->msg);
}

/* It stays in start until somebody restarts it. */
static void
start_failed(struct bfd_proto *p, const char *reason)
{
  log_write(L_ERR, "%s: Cannot start: %s", p->p.name, reason);
  rfree(p->engine_pool);
  p->engine_pool = NULL;
  p->engine_loop = NULL;
}

/* Without it the sessions depend on what else the machine has to do. */
static void
be_punctual(const struct bfd_proto *p)
{
  int error = thread_realtime(p->thread);

  if (error)
    log_write(L_WARN,
              "%s: No real-time priority (%s): sessions may fail when the machine is busy. It takes "
              "CAP_SYS_NICE or LimitRTPRIO",
              p->p.name, strerror(-error));
}

static void
bfd_start(struct proto *proto)
{
  struct bfd_proto *p = (struct bfd_proto *) proto;

  list_init(&p->queries);
  list_init(&p->listeners);
  p->thread = NULL;
  p->engine_pool = pool_new(NULL, "BFD engine");
  p->engine_loop = loop_new(p->engine_pool, proto->name);
  if (!p->engine_loop)
  {
    start_failed(p, "no file descriptors left");
    return;
  }
  p->replies = mailbox_new(proto->pool, proto->loop, reply_received, p);

  struct bfd_engine *engine = bfd_engine_new(p->engine_pool, p->engine_loop, proto->name, deliver, p);

  p->commands = mailbox_new(p->engine_pool, p->engine_loop, bfd_engine_message, engine);
  p->thread = thread_start(proto->pool, p->engine_loop);
  if (!p->thread)
  {
    start_failed(p, "no thread");
    return;
  }
  be_punctual(p);
  bfd_identity_read(p);
  bfd_set_engine(proto);
  bfd_listen_start(p);
  bfd_provide_start(p);
  bfd_wishes_start(p);
  proto_up(proto);
}

static void
bfd_stop(struct proto *proto)
{
  struct bfd_proto *p = (struct bfd_proto *) proto;

  if (!p->engine_loop)
  {
    proto_down(proto);
    return;
  }

  struct bfd_msg *quit = msg_alloc(sizeof(*quit));

  bfd_queries_abort(p);
  bfd_wishes_stop(p);
  bfd_provide_stop(p);
  quit->kind = BFD_QUIT;
  bfd_post(p, quit);
  bfd_identity_forget(p);
}

static bool
bfd_reconfigure(struct proto *proto, struct proto_config *cf)
{
  struct bfd_proto *p = (struct bfd_proto *) proto;
  struct bfd_config *old = (struct bfd_config *) proto->cf, *new = (struct bfd_config *) cf;

  if (!p->engine_loop)
    return false;

  /* Both are properties of sockets that sessions depend on. */
  if (old->strict_bind != new->strict_bind || old->zero_checksum != new->zero_checksum)
    return false;
  proto->cf = cf;
  bfd_identity_read(p);
  bfd_set_engine(proto);
  bfd_listen_follow(p);
  bfd_listen_siblings(p);
  bfd_provide_again(p);
  bfd_wishes_follow(p);
  return true;
}

static void
bfd_config_init(struct proto_config *cf, struct cf_ctx *cx UNUSED)
{
  struct bfd_config *bc = (struct bfd_config *) cf;

  list_init(&bc->ifaces);
  list_init(&bc->neighbors);
  bc->exit_linger = BFD_EXIT_LINGER;
}

/* Lists of its own, with the lines of the base; those of its own block follow. */
static void
bfd_config_copy(struct proto_config *cf, const struct proto_config *from, struct cf_ctx *cx)
{
  struct bfd_config *bc = (struct bfd_config *) cf;
  const struct bfd_config *base = (const struct bfd_config *) from;
  struct bfd_iface_config *i;
  struct bfd_neighbor_config *nb;

  bfd_config_init(cf, cx);
  LIST_WALK (i, &base->ifaces, n)
  {
    struct bfd_iface_config *copy = lp_alloc(cx->cfg->lp, sizeof(*copy));

    *copy = *i;
    copy->n = (struct node){ 0 };
    list_add_tail(&bc->ifaces, &copy->n);
  }
  LIST_WALK (nb, &base->neighbors, n)
  {
    struct bfd_neighbor_config *copy = lp_alloc(cx->cfg->lp, sizeof(*copy));

    *copy = *nb;
    copy->n = (struct node){ 0 };
    copy->by_remote = (struct hnode){ 0 };
    list_add_tail(&bc->neighbors, &copy->n);
  }
}

const struct proto_class proto_bfd = {
  .name = "BFD",
  .prefix = "bfd",
  .config_size = sizeof(struct bfd_config),
  .size = sizeof(struct bfd_proto),
  .config_init = bfd_config_init,
  .config_copy = bfd_config_copy,
  .config_check = bfd_neighbors_check,
  .start = bfd_start,
  .stop = bfd_stop,
  .reconfigure = bfd_reconfigure,
  .debug_changed = bfd_set_engine,
  .forecast = bfd_forecast,
  .wants_bfd = bfd_line_wants,
};
