/*
 * proto/bfd/proto.c: an instance of the BFD protocol, main-loop side
 *
 * Stopping takes as long as the engines need to say AdminDown to their peers.
 */
#include "proto/bfd/bfd.h"

void
bfd_stopped(struct bfd_proto *p)
{
  bfd_listen_siblings(p);
  proto_down(&p->p);
}

void
bfd_set_engine(struct bfd_proto *p, uint engine)
{
  struct bfd_set_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->msg.kind = BFD_SET;
  cmd->trace_packets = p->p.debug & D_PACKETS;
  cmd->exit_linger = bfd_config_of(p)->exit_linger;
  bfd_post_engine(p, engine, &cmd->msg);
}

static bool
is_running(const struct bfd_proto *p)
{
  return p->team && bfd_engines_running(p);
}

static void
set_engines(struct proto *proto)
{
  struct bfd_proto *p = (struct bfd_proto *) proto;

  if (!is_running(p) || proto->state == PROTO_STOP)
    return;
  for (uint i = 0; i < bfd_engines_running(p); i++)
    bfd_set_engine(p, i);
}

/* Where no engine can be had it stays in start until somebody restarts it. */
static void
bfd_start(struct proto *proto)
{
  struct bfd_proto *p = (struct bfd_proto *) proto;

  list_init(&p->queries);
  list_init(&p->listeners);
  p->attach = NULL;
  p->attach_failed = false;
  if (!bfd_team_start(p))
    return;
  bfd_identity_read(p);
  bfd_listen_start(p);
  bfd_provide_start(p);
  bfd_wishes_start(p);
  proto_up(proto);
}

static void
bfd_stop(struct proto *proto)
{
  struct bfd_proto *p = (struct bfd_proto *) proto;

  if (!is_running(p))
  {
    proto_down(proto);
    return;
  }
  bfd_queries_abort(p);
  bfd_wishes_stop(p);
  bfd_provide_stop(p);
  bfd_team_stop(p);
  bfd_identity_forget(p);
}

static bool
bfd_reconfigure(struct proto *proto, struct proto_config *cf)
{
  struct bfd_proto *p = (struct bfd_proto *) proto;
  struct bfd_config *old = (struct bfd_config *) proto->cf, *new = (struct bfd_config *) cf;

  if (!is_running(p))
    return false;

  /* Both are properties of sockets that sessions depend on. */
  if (old->strict_bind != new->strict_bind || old->zero_checksum != new->zero_checksum)
    return false;
  proto->cf = cf;
  bfd_identity_read(p);
  set_engines(proto);
  bfd_team_again(p);
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
  bc->threads = 1;
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
  .debug_changed = set_engines,
  .forecast = bfd_forecast,
  .wants_bfd = bfd_line_wants,
};
