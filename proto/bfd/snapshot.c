/* proto/bfd/snapshot.c: what the main loop is told when it asks, and counting from zero again */
#include "proto/bfd/engine_impl.h"

/* Counters */

struct bfd_troubles *
engine_troubles(struct engine_session *s)
{
  if (!s->troubles)
    s->troubles = mb_alloc(NULL, sizeof(*s->troubles));
  return s->troubles;
}

static void
session_reset(struct bfd_engine *e, struct engine_session *s)
{
  engine_offload_count(e, s);
  if (s->off)
    s->off->taken = 0;
  s->rx = s->tx_count = s->ups = 0;
  mb_free(s->troubles);
  s->troubles = NULL;
}

void
engine_reset(struct bfd_engine *e, u64 id)
{
  for (uint i = 0; i < e->slots_end; i++)
    if (e->slots[i] && (!id || e->slots[i]->id == id))
      session_reset(e, e->slots[i]);
  if (id)
    return;
  e->stats = (struct bfd_engine_stats){ 0 };
  e->drops_before = engine_drops(e);
  e->rests_before = loop_rests(e->loop);
}

struct bfd_engine_stats
engine_stats(struct bfd_engine *e)
{
  struct bfd_engine_stats stats = e->stats;

  stats.rests = loop_rests(e->loop) - e->rests_before;
  stats.dropped = engine_drops(e) - e->drops_before;
  return stats;
}

/* Snapshots */

static enum bfd_auth_type
keys_type(const struct bfd_keys *keys)
{
  return keys ? keys->type : BFD_AUTH_NONE;
}

static void
offload_info(const struct engine_offload *off, struct bfd_info *i)
{
  if (!off)
    return;
  if (off->armed != OFFLOAD_PASS)
    i->offload = off->armed == OFFLOAD_ABSORB ? BFD_OFFLOAD_ABSORB : BFD_OFFLOAD_RING;
  i->offload_tx = off->reachable;
  i->offloaded = off->taken;
}

static void
session_info(struct bfd_engine *e, struct engine_session *s, struct bfd_info *i)
{
  engine_offload_count(e, s);

  const struct bfd_session *v = &s->v;
  btime now = loop_now(e->loop), deadline = bfd_session_detect_deadline(v);

  *i = (struct bfd_info){
    .id = s->id,
    .status = { .state = v->state, .diag = v->diag, .remote_state = v->remote_state },
    .suspended = v->suspended,
    .local_disc = v->local_disc,
    .remote_disc = v->remote_disc,
    .remote_diag = v->remote_diag,
    .since = v->since,
    .tx_interval = bfd_session_tx_interval(v),
    .tx_left = wheel_is_set(&s->tx.e) ? MAX(s->tx.e.deadline - now, 0) : 0,
    .detection_time = bfd_session_detection_time(v),
    .detect_left = deadline != BT_NEVER ? MAX(deadline - now, 0) : 0,
    .local_min_tx = v->min_tx,
    .local_min_rx = v->min_rx,
    .local_mult = v->params.detect_mult,
    .remote_min_tx = v->remote_min_tx,
    .remote_min_rx = v->remote_min_rx,
    .remote_mult = v->remote_mult,
    .remote_demand = v->remote_demand,
    .poll = v->poll == BFD_POLL_ACTIVE,
    .last_rx = v->last_rx,
    .auth = keys_type(v->auth.changing ? v->auth.before : v->auth.keys),
    .auth_wanted = keys_type(v->auth.keys),
    .auth_changing = v->auth.changing,
    .auth_rx_known = v->auth.rx_known && now < v->auth.rx_forget,
    .auth_rx_seq = v->auth.rx_seq,
    .auth_tx_seq = v->auth.tx_seq,
    .arrivals = s->arrivals,
    .counters = { .rx = s->rx, .tx = s->tx_count, .ups = s->ups },
  };
  if (s->troubles)
    i->counters.troubles = *s->troubles;
  offload_info(s->off, i);
}

static void
snapshot_one(struct bfd_engine *e, u64 id, struct bfd_snapshot *snap)
{
  struct engine_session *s = engine_find_disc(e, bfd_id_disc(id));

  if (s && s->id == id && !s->leaving)
    session_info(e, s, &snap->info[snap->count++]);
}

/* Where to go on; 0: those were the last ones. */
static uint
snapshot_some(struct bfd_engine *e, uint from, uint max, struct bfd_snapshot *snap)
{
  uint i = from;

  for (; i < e->slots_end && snap->count < max; i++)
    if (e->slots[i] && !e->slots[i]->leaving)
      session_info(e, e->slots[i], &snap->info[snap->count++]);
  return i < e->slots_end ? i : 0;
}

void
engine_snapshot(struct bfd_engine *e, const struct bfd_snapshot_cmd *cmd)
{
  uint max = cmd->id ? 1 : MIN(cmd->max, (uint) BFD_SNAPSHOT_MAX);
  struct bfd_snapshot *snap = msg_alloc(sizeof(*snap) + MIN(e->session_count, max) * sizeof(struct bfd_info));

  snap->msg.kind = BFD_SNAPSHOT_REPLY;
  snap->query = cmd->query;
  if (cmd->id)
    snapshot_one(e, cmd->id, snap);
  else
    snap->next = snapshot_some(e, cmd->from, max, snap);
  snap->stats = engine_stats(e); /* of those that were absorbed, only what has been shown is counted */
  e->deliver(&snap->msg.m, e->deliver_data);
}
