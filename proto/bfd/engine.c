/*
 * proto/bfd/engine.c: sessions, their timers and tables; commands in, notes out. See engine.h.
 *
 * One function, engine_tick(), does the work, whether a packet, the timer or a command woke the loop: read
 * the sockets, then handle what is due, then set the timer. So silence is judged only after everything that
 * arrived in time has been read.
 */
#include <string.h>

#include "lib/text.h"
#include "proto/bfd/engine_impl.h"
#include "proto/bfd/timing.h"
#include "sysdep/clock.h"

#define EXIT_PACKETS 3
#define VERDICT_DELAY BT_US(100)
#define STALL_MIN BT_MS(2)    /* a tick later than that had a reason */
#define STALL_INSIDE BT_MS(5) /* and so had reading that takes longer */
#define CACHE_LINE 64
#define FIRST_SPREAD 8 /* a new session sends first within this fraction of its interval */

/* Tables */

u32
engine_peer_hash(enum bfd_hop hop, uint ifindex, ip_addr local, ip_addr remote)
{
  u64 where = hop == BFD_DIRECT ? ifindex : (u64) ip_hash(local) << 1 | 1;

  return hash_u64((u64) ip_hash(remote) << 32 ^ where);
}

u32
engine_link_hash(uint ifindex, bool v6)
{
  return hash_u64((u64) ifindex << 1 | v6);
}

static bool
by_link_wanted(const struct engine_session *s)
{
  return s->key.hop == BFD_DIRECT && s->path.usable && s->path.point_to_point;
}

static void
index_path(struct bfd_engine *e, struct engine_session *s)
{
  if (s->path.usable)
    hash_add(&e->by_peer, &s->by_peer,
             engine_peer_hash(s->key.hop, s->path.ifindex, s->path.local, s->key.remote));
  if (by_link_wanted(s))
    hash_add(&e->by_link, &s->by_link, engine_link_hash(s->path.ifindex, !ip_is_v4(s->key.remote)));
}

static void
unindex_path(struct bfd_engine *e, struct engine_session *s)
{
  if (s->path.usable)
    hash_remove(&e->by_peer, &s->by_peer);
  if (by_link_wanted(s))
    hash_remove(&e->by_link, &s->by_link);
}

struct engine_session *
engine_find_disc(const struct bfd_engine *e, u32 disc)
{
  for (struct hnode *n = hash_first(&e->by_disc, hash_u64(disc)); n; n = hash_again(n))
  {
    struct engine_session *s = SKIP_BACK(struct engine_session, by_disc, n);

    if (s->v.local_disc == disc)
      return s;
  }
  return NULL;
}

static struct engine_session *
find_by_id(const struct bfd_engine *e, u64 id)
{
  struct engine_session *s = engine_find_disc(e, bfd_id_disc(id));

  return s && s->id == id ? s : NULL;
}

static void
slot_take(struct bfd_engine *e, struct engine_session *s)
{
  uint slot = e->free_hint;

  while (slot < e->slots_end && e->slots[slot])
    slot++;
  e->free_hint = slot + 1;
  e->slots_end = MAX(e->slots_end, slot + 1);
  if (e->slots_end > e->slots_size)
  {
    e->slots_size = MAX(e->slots_size * 2, 64u);
    e->slots = mb_realloc(e->pool, e->slots, e->slots_size * sizeof(*e->slots));
  }
  e->slots[slot] = s;
  s->slot = slot;
  e->session_count++;
}

static void
slot_drop(struct bfd_engine *e, struct engine_session *s)
{
  e->slots[s->slot] = NULL;
  e->free_hint = MIN(e->free_hint, s->slot);
  e->session_count--;
  while (e->slots_end && !e->slots[e->slots_end - 1])
    e->slots_end--;
}

/* Notes */

static void
session_note(struct bfd_engine *e, struct engine_session *s)
{
  struct bfd_note *note = s->note;

  if (s->leaving)
    return;
  s->note_due = !note;
  if (!note)
    return;

  note->id = s->id;
  note->status = (struct bfd_status){
    .state = s->v.state,
    .diag = s->v.diag,
    .remote_state = s->v.remote_state,
    .failed = s->failed,
  };
  note->left_up = s->left_up;
  note->remote_disc = s->v.remote_disc;
  note->since = s->v.since;
  s->failed = s->left_up = false;
  s->note = NULL;
  e->deliver(&note->msg.m, e->deliver_data);
}

static void
note_came_back(struct bfd_engine *e, struct bfd_note *note)
{
  struct engine_session *s = find_by_id(e, note->id);

  if (!s || s->note)
  {
    msg_free(note);
    return;
  }
  s->note = note;
  if (s->note_due)
    session_note(e, s);
}

/* Ups and downs, and whether leaving Up was a failure (RFC 5882 4.2: an administrative end is none). */
static void
account_state(struct bfd_engine *e, struct engine_session *s, const struct bfd_session *was)
{
  u8 state = s->v.state;

  if (state == was->state)
    return;
  if (state == BFD_UP)
  {
    s->ups++;
    e->stats.ups++;
    s->arrivals = (struct bfd_arrivals){ 0 };
  }
  if (was->state != BFD_UP)
    return;
  engine_troubles(s)->downs[s->v.diag]++;
  e->stats.downs[s->v.diag]++;
  s->left_up = true;
  s->failed |= state == BFD_DOWN && s->v.remote_state != BFD_ADMIN_DOWN;
}

/* Timers */

static void
set_tx_timer(struct bfd_engine *e, struct engine_session *s)
{
  btime interval = bfd_session_tx_interval(&s->v);
  btime now = loop_now(e->loop), at;

  if (!interval)
  {
    wheel_unset(&s->tx.e);
    return;
  }
  if (!s->tx_base)
    at = now + rng_below(&e->rng, MIN(interval / FIRST_SPREAD, (btime) U32_MAX));
  else
    at = MAX(now, bfd_tx_deadline(s->tx_base, interval, s->v.params.detect_mult, &e->rng));
  /* A longer interval holds from the next packet on; a shorter one at once (6.8.3). */
  if (!wheel_is_set(&s->tx.e) || at < s->tx.e.deadline)
    wheel_set(&e->wheel, &s->tx.e, at);
}

/*
 * Reception does not touch this timer; when it fires it looks at the newest arrival. So that it does not wake
 * us for nothing it stands on a tick that comes anyway, and only near its end on the deadline itself.
 */
static btime
detect_check(btime deadline, btime now)
{
  return deadline - now < 2 * BFD_TICK_MAX ? deadline
                                           : (deadline - BFD_TICK_MAX) & ~(btime) (BFD_TICK_MAX - 1);
}

static void
set_detect_timer(struct bfd_engine *e, struct engine_session *s)
{
  btime deadline = bfd_session_detect_deadline(&s->v);

  if (s->leaving)
    return; /* it holds the end of the farewell */
  if (deadline == BT_NEVER)
  {
    wheel_unset(&s->detect.e);
    return;
  }

  btime at = detect_check(deadline, loop_now(e->loop));

  engine_shorten_tick(e, s);
  if (!wheel_is_set(&s->detect.e) || at < s->detect.e.deadline)
    wheel_set(&e->wheel, &s->detect.e, at);
}

static void session_free(struct bfd_engine *e, struct engine_session *s);

/* Keys */

static struct bfd_keys *
keys_copy(const struct bfd_keys *from)
{
  size_t size = bfd_keys_size(from->count);

  return from->type == BFD_AUTH_NONE ? NULL : memcpy(mb_alloc(NULL, size), from, size);
}

static void
drop_old_keys(struct engine_session *s)
{
  if (!s->old_keys || s->v.auth.changing)
    return;
  bfd_keys_free(s->old_keys);
  s->old_keys = NULL;
}

static void
session_set_keys(struct engine_session *s, const struct bfd_cmd *cmd, btime now)
{
  static const struct bfd_keys none = { .type = BFD_AUTH_NONE };
  struct bfd_keys *last = s->keys;

  if (bfd_keys_equal(last ? last : &none, &cmd->keys))
    return;

  drop_old_keys(s);

  bool changing = s->v.auth.changing; /* then the keys that are replaced were never in use */

  s->keys = keys_copy(&cmd->keys);
  if (cmd->keys_patience == BFD_KEYS_TICK)
    bfd_auth_update(&s->v.auth, s->keys);
  else
    bfd_session_set_keys(&s->v, s->keys, cmd->keys_patience, now);
  drop_old_keys(s);
  if (!changing && s->v.auth.changing)
    s->old_keys = last;
  else
    bfd_keys_free(last);
}

void
engine_apply(struct bfd_engine *e, struct engine_session *s, uint todo, const struct bfd_session *was)
{
  drop_old_keys(s);
  if (!todo)
    return;
  account_state(e, s, was);
  if (todo & BFD_DO_FINAL)
    engine_send(e, s, BFD_TX_FINAL); /* says all the news as well */
  else if ((todo & BFD_DO_SEND) && bfd_session_may_send(&s->v))
    engine_send(e, s, BFD_TX_EXTRA);
  if (todo & BFD_DO_TX_TIMER)
    set_tx_timer(e, s);
  if (todo & BFD_DO_DETECTION)
    set_detect_timer(e, s);
  if (was->state == BFD_UP && s->v.state != BFD_UP && !s->leaving)
    engine_left_up(e, s, was);
  if (todo & BFD_DO_NOTIFY)
    session_note(e, s);
}

static void
tx_due(struct bfd_engine *e, struct engine_session *s)
{
  btime interval = bfd_session_tx_interval(&s->v);

  if (!interval)
    return;
  engine_send(e, s, BFD_TX_PERIODIC);
  if (s->leaving && ++s->farewells >= EXIT_PACKETS)
  {
    session_free(e, s);
    return;
  }

  s->tx_base = loop_now(e->loop);
  set_tx_timer(e, s);
}

static void
expired(struct bfd_engine *e, struct engine_session *s)
{
  struct bfd_session was;

  engine_offload_pause(e, s);
  was = s->v;
  if (bfd_session_detect_deadline(&was) > loop_now(e->loop))
    set_detect_timer(e, s); /* heard in the last moment, by the slot */
  else
    engine_apply(e, s, bfd_session_event(&s->v, DETECT_EXPIRED, loop_now(e->loop)), &was);
}

/*
 * Silence is judged only after everything that arrived in time has been read, and that may be a sign of life.
 */
static void
detect_due(struct bfd_engine *e, struct engine_session *s)
{
  btime now = loop_now(e->loop), deadline;

  engine_offload_sync(s);
  deadline = bfd_session_detect_deadline(&s->v);
  if (s->leaving)
    session_free(e, s);
  else if (deadline > now)
    set_detect_timer(e, s);
  else if (!engine_heard_until(e, s, deadline) || bfd_session_detect_deadline(&s->v) != deadline)
    wheel_set(&e->wheel, &s->detect.e, now + VERDICT_DELAY); /* read on, or judge the new deadline */
  else
    expired(e, s);
}

/*
 * What a tick does for one session takes less time than fetching the session from memory, so it is asked for
 * while the one before it is served.
 */
static void
fetch_session(const struct node *n)
{
  const byte *at = (const byte *) SKIP_BACK(struct engine_session, tx.e.n, n);

  for (size_t i = 0; i < sizeof(struct engine_session); i += CACHE_LINE)
    __builtin_prefetch(at + i);
}

/* Verdicts first, and what they have to say: nobody waits for a periodic packet as for those. */
static void
run_timers(struct bfd_engine *e)
{
  struct list due, periodic;
  struct node *n;

  list_init(&due);
  list_init(&periodic);
  wheel_advance(&e->wheel, loop_now(e->loop), &due);
  while ((n = list_first(&due)))
  {
    struct session_timer *t = SKIP_BACK(struct session_timer, e.n, n);

    wheel_unset(&t->e);
    if (t->kind == TIMER_TX)
      list_add_tail(&periodic, n);
    else
      detect_due(e, SKIP_BACK(struct engine_session, detect, t));
  }
  engine_flush(e);
  while ((n = list_first(&periodic)))
  {
    struct session_timer *t = SKIP_BACK(struct session_timer, e.n, n);

    fetch_session(n->next);
    wheel_unset(&t->e);
    tx_due(e, SKIP_BACK(struct engine_session, tx, t));
  }
}

static void
arm_timer(struct bfd_engine *e)
{
  btime at = wheel_next(&e->wheel), now = loop_now(e->loop);

  if (e->polling)
    at = MIN(at, (now | (e->poll_tick - 1)) + 1);
  if (e->more)
    at = now;
  e->wake = at;
  if (at == BT_NEVER)
    timer_stop(e->timer);
  else if (!timer_is_set(e->timer) || e->timer->e.deadline != at)
    timer_set(e->timer, at);
}

/*
 * The tick is late, so we may have been unable to listen ever since the one before. What came all the same
 * has been read.
 */
static void
stall_over(struct bfd_engine *e, btime from, btime to)
{
  uint spared = 0;

  for (uint i = 0; i < e->slots_end; i++)
  {
    struct engine_session *s = e->slots[i];

    if (s)
      engine_offload_sync(s);
    if (s && bfd_session_stalled(&s->v, from, to))
    {
      engine_troubles(s)->stalls++;
      spared++;
    }
  }
  if (spared)
    log_rl(&e->stall_limit, L_WARN, "%s: Stalled for %s s, which does not count for %u sessions", e->name,
           TIME_STR(to - from), spared);
}

/* We came @to late, or stood still in the middle of our work, since @from; @deaf: unable to listen since
 * then. */
static void
was_late(struct bfd_engine *e, btime from, btime to, btime deaf)
{
  e->stats.late_ticks++;
  e->stats.latest = MAX(e->stats.latest, to - from);
  engine_witness_late(e, from, to);
  engine_drain_all(e);
  stall_over(e, deaf, to);
}

void
engine_tick(struct bfd_engine *e)
{
  btime now = loop_now(e->loop), after;

  if (now - e->wake > STALL_MIN)
    was_late(e, e->wake, now, e->ticked);
  else
    engine_drain(e);
  after = loop_now_fresh(e->loop);
  if (after - now > STALL_INSIDE)
    was_late(e, now, after, now);
  e->ticked = loop_now(e->loop);
  run_timers(e);
  engine_flush(e);
  engine_hand_flush(e);
  arm_timer(e);
}

static void
timer_fired(struct timer *t UNUSED, void *data)
{
  engine_tick(data);
}

/* Sessions */

static void
session_resource_free(struct resource *r)
{
  struct engine_session *s = (struct engine_session *) r;

  wheel_unset(&s->tx.e);
  wheel_unset(&s->detect.e);
  bfd_keys_free(s->keys);
  bfd_keys_free(s->old_keys);
  mb_free(s->troubles);
  msg_free(s->note);
}

static const struct resource_class session_class = { .name = "BFD session",
                                                     .size = sizeof(struct engine_session),
                                                     .free = session_resource_free };

static void
engine_stopped(struct bfd_engine *e)
{
  struct bfd_stopped *stopped = msg_alloc(sizeof(*stopped));

  stopped->msg.kind = BFD_STOPPED;
  stopped->stats = engine_stats(e);
  stopped->ring = engine_offload_stop(e);
  e->deliver(&stopped->msg.m, e->deliver_data);
}

void
engine_unlink(struct bfd_engine *e, struct engine_session *s)
{
  engine_offload_drop(e, s);
  engine_drop_sender(e, s);
  unindex_path(e, s);
  hash_remove(&e->by_disc, &s->by_disc);
  slot_drop(e, s);
  res_move(s, NULL);
}

void
engine_link(struct bfd_engine *e, struct engine_session *s)
{
  res_move(s, e->pool);
  if (!e->session_count)
    e->ticked = loop_now(e->loop); /* it had nothing to listen to before */
  slot_take(e, s);
  hash_add(&e->by_disc, &s->by_disc, hash_u64(s->v.local_disc));
  index_path(e, s);
  engine_witness_wake(e);
}

static void
session_free(struct bfd_engine *e, struct engine_session *s)
{
  engine_unlink(e, s);
  rfree(s);
  if (e->quitting && !e->session_count)
    engine_stopped(e);
}

static void
session_set_path(struct bfd_engine *e, struct engine_session *s, const struct bfd_path *path)
{
  struct bfd_session was = s->v;

  if (bfd_path_equal(&s->path, path))
    return;
  engine_offload_drop(e, s);
  unindex_path(e, s);
  s->path = *path;
  index_path(e, s);
  engine_drop_sender(e, s);
  s->tx_base = 0; /* many may get their path back at once: spread as at the first start */
  engine_apply(e, s, bfd_session_suspend(&s->v, !path->usable, loop_now(e->loop)), &was);
}

static void
session_configure(struct bfd_engine *e, struct engine_session *s, const struct bfd_cmd *cmd)
{
  engine_offload_pause(e, s);
  session_set_path(e, s, &cmd->path);
  session_set_keys(s, cmd, loop_now(e->loop));

  struct bfd_session was = s->v;

  engine_apply(e, s, bfd_session_configure(&s->v, &cmd->params, loop_now(e->loop)), &was);
  engine_offload_follow(e, s);
}

/*
 * A session that says goodbye and is asked for again goes on, with its peer's last word. Should it only have
 * the discriminator in common with the one that is asked for, it has said enough.
 */
static struct engine_session *
session_revive(struct bfd_engine *e, const struct bfd_cmd *cmd)
{
  struct engine_session *s = engine_find_disc(e, bfd_id_disc(cmd->id));

  if (!s)
    return NULL;
  ASSERT(s->leaving);
  if (!bfd_key_equal(&s->key, &cmd->key))
  {
    session_free(e, s);
    return NULL;
  }
  s->leaving = false;
  s->farewells = 0;
  s->left_up = s->failed = s->note_due = false; /* news of before, for nobody */
  wheel_unset(&s->detect.e);
  return s;
}

static struct engine_session *
session_new(struct bfd_engine *e, const struct bfd_cmd *cmd)
{
  struct engine_session *s = res_new(NULL, &session_class);

  s->key = cmd->key;
  s->tx.kind = TIMER_TX;
  s->detect.kind = TIMER_DETECT;
  bfd_session_init(&s->v, &cmd->params, bfd_id_disc(cmd->id), loop_now(e->loop));
  bfd_auth_init(&s->v.auth, random_seed());
  s->v.suspended = true; /* until the path says otherwise */
  engine_link(e, s);
  return s;
}

static void
engine_add(struct bfd_engine *e, const struct bfd_cmd *cmd)
{
  struct engine_session *s = session_revive(e, cmd);

  if (!s)
    s = session_new(e, cmd);
  s->id = cmd->id;
  s->port = cmd->source_port;
  s->peer_port = cmd->port;
  if (!s->peer_port)
    s->peer_port = s->key.hop == BFD_DIRECT ? BFD_PORT_DIRECT : BFD_PORT_MULTIHOP;
  if (!s->note)
  {
    s->note = msg_alloc(sizeof(struct bfd_note));
    s->note->msg.kind = BFD_NOTE;
  }
  session_configure(e, s, cmd);
  if (s->v.state == BFD_ADMIN_DOWN)
    session_note(e, s); /* it begins with that, so nothing else says so */
}

static void
engine_change(struct bfd_engine *e, const struct bfd_cmd *cmd)
{
  struct engine_session *s = find_by_id(e, cmd->id);

  if (s)
    session_configure(e, s, cmd);
}

static void
engine_ask(struct bfd_engine *e, u64 id)
{
  struct engine_session *s = find_by_id(e, id);

  if (s)
    bfd_session_poll(&s->v);
}

/* Say AdminDown while it can be heard: now, then a few times more. RFC 5880 6.8.16. */
static void
session_leave(struct bfd_engine *e, struct engine_session *s)
{
  engine_offload_drop(e, s);

  struct bfd_session was = s->v;
  uint todo = bfd_session_event(&s->v, DISABLE, loop_now(e->loop));

  s->v.params.admin_down = true;
  s->leaving = true;
  if (!bfd_session_may_send(&s->v) || !s->v.remote_disc)
  {
    session_free(e, s);
    return;
  }
  s->farewells = todo & BFD_DO_SEND ? 1 : 0;
  s->tx_base = loop_now(e->loop);
  wheel_unset(&s->tx.e);
  engine_apply(e, s, todo | BFD_DO_TX_TIMER, &was);
  wheel_set(&e->wheel, &s->detect.e, loop_now(e->loop) + e->exit_linger);
}

static void
engine_remove(struct bfd_engine *e, u64 id)
{
  struct engine_session *s = find_by_id(e, id);

  if (s && !s->leaving)
    session_leave(e, s);
}

static void
engine_quit(struct bfd_engine *e)
{
  e->quitting = true;
  if (!e->session_count)
  {
    engine_stopped(e);
    return;
  }
  for (uint i = 0; i < e->slots_end; i++)
    if (e->slots[i] && !e->slots[i]->leaving)
      session_leave(e, e->slots[i]);
}

/* Messages */

static void
engine_set(struct bfd_engine *e, const struct bfd_set_cmd *cmd)
{
  e->trace_packets = cmd->trace_packets;
  e->exit_linger = cmd->exit_linger;
}

static void
cmd_wipe(struct bfd_cmd *cmd)
{
  explicit_bzero(&cmd->keys, bfd_keys_size(cmd->keys.count));
}

void
engine_trace(const struct bfd_engine *e, const char *what, ip_addr peer, const struct bfd_packet *pkt)
{
  if (!e->trace_packets)
    return;
  log_write(L_TRACE,
            "%s: %s %s: %s%s%s, diagnostic %u, discriminators %u %u, intervals %u %u us, multiplier %u",
            e->name, what, IP_STR(peer), bfd_state_name(pkt->state),
            pkt->flags & BFD_FLAG_POLL ? " Poll" : "", pkt->flags & BFD_FLAG_FINAL ? " Final" : "", pkt->diag,
            pkt->my_disc, pkt->your_disc, pkt->min_tx, pkt->min_rx, pkt->detect_mult);
}

void
bfd_engine_message(struct msg *m, void *engine)
{
  struct bfd_engine *e = engine;
  struct bfd_msg *msg = SKIP_BACK(struct bfd_msg, m, m);

  switch (msg->kind)
  {
  case BFD_ADD:
    engine_add(e, (struct bfd_cmd *) msg);
    cmd_wipe((struct bfd_cmd *) msg);
    break;
  case BFD_CHANGE:
    engine_change(e, (struct bfd_cmd *) msg);
    cmd_wipe((struct bfd_cmd *) msg);
    break;
  case BFD_REMOVE:
    engine_remove(e, ((struct bfd_cmd *) msg)->id);
    break;
  case BFD_SNAPSHOT:
    engine_snapshot(e, (struct bfd_snapshot_cmd *) msg);
    break;
  case BFD_LISTEN:
    engine_listen(e, (struct bfd_listen_cmd *) msg);
    break;
  case BFD_UNLISTEN:
    engine_unlisten(e, ((struct bfd_listen_cmd *) msg)->id);
    break;
  case BFD_SET:
    engine_set(e, (struct bfd_set_cmd *) msg);
    break;
  case BFD_RESET:
    engine_reset(e, ((struct bfd_session_cmd *) msg)->id);
    break;
  case BFD_ASK:
    engine_ask(e, ((struct bfd_session_cmd *) msg)->id);
    break;
  case BFD_OFFLOAD:
    engine_offload_start(e, ((struct bfd_offload_cmd *) msg)->ring);
    break;
  case BFD_QUIT:
    engine_quit(e);
    break;
  case BFD_TEAM:
    engine_team(e, (struct bfd_team_cmd *) msg);
    break;
  case BFD_STRAYS:
  case BFD_TAKE:
  case BFD_FENCE:
  case BFD_FENCE_PASSED:
    engine_team_message(e, msg);
    break;
  case BFD_NOTE:
    note_came_back(e, (struct bfd_note *) msg);
    msg = NULL;
    break;
  case BFD_DOWN_REPORT:
    engine_report_back(e, (struct bfd_down *) msg);
    msg = NULL;
    break;
  default:
    ASSERT(false);
  }
  msg_free(msg);
  engine_flush(e);
  engine_hand_flush(e);
  /* A tick that is overdue comes in this round, and is to see by how much it is late. */
  if (e->wake > loop_now(e->loop))
    arm_timer(e);
}

struct bfd_engine *
bfd_engine_new(pool *p, struct loop *loop, const char *name, void (*deliver)(struct msg *m, void *data),
               void *data)
{
  struct bfd_engine *e = mb_alloc(p, sizeof(*e));

  e->pool = p;
  e->loop = loop;
  e->name = name;
  e->deliver = deliver;
  e->deliver_data = data;
  e->rng.state = random_seed();
  e->batch = udp_batch_new(p);
  e->timer = timer_new(p, loop, timer_fired, e);
  e->exit_linger = BFD_EXIT_LINGER;
  e->wake = BT_NEVER;
  e->poll_tick = BFD_TICK_MAX;
  e->ticked = loop_now(loop);
  engine_transmit_init(e);
  engine_witness_init(e);
  engine_team_init(e);
  list_init(&e->listeners);
  wheel_init(&e->wheel, loop_now(loop));
  hash_init(&e->by_disc, p);
  hash_init(&e->by_peer, p);
  hash_init(&e->by_link, p);
  return e;
}
