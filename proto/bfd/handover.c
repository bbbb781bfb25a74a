/*
 * proto/bfd/handover.c: several engines for the sessions of one instance
 *
 * Sessions are spread by their discriminators, and the kernel gives each engine the packets of its own. Those
 * of peers that do not know a discriminator yet all come to the first engine; they go round until one knows
 * the peer. When the number of engines changes, sessions move with all they have, and packets follow them.
 *
 * Nobody is found silent because the packet that proves otherwise lies at another engine: while that is
 * possible, the others are asked to read what they have and to hand over what is not theirs, before a
 * session is judged. What an engine sends to another arrives in the order it was sent, so what was handed
 * over is there when the answer is.
 */
#include <limits.h>
#include <string.h>

#include "proto/bfd/engine_impl.h"

#define NOBODY UINT_MAX
#define STRAYS_MAX 32
#define GIVE_SLICE 32
/* Packets of strangers that go round, and in which time: there may be a flood of them, and it hits one
 * engine. */
#define STRANGERS_MAX 32
#define STRANGERS_TIME BT_MS(1)

/* Packets for sessions of others. */
struct strays
{
  struct bfd_msg msg;
  uint count;
  struct stray
  {
    struct bfd_rx_meta meta;
    struct engine_search search;
    u8 size;
    byte data[BFD_PACKET_MAX];
  } packet[STRAYS_MAX];
};

/* A session that moves. It is in no table, and belongs to who holds the message. */
struct take_cmd
{
  struct bfd_msg msg;
  struct engine_session *session;
  btime tx, detect; /* when its timers were to go off; BT_NEVER: they are not set */
};

/* "Read what you have", and the answer. */
struct fence
{
  struct bfd_msg msg;
  struct mailbox *asker; /* it may be one that is not of the team yet, as we know it */
  uint from;             /* who answers */
  u64 number;
  btime horizon; /* all that arrived before then has been read */
};

static bool
is_alone(const struct bfd_engine *e)
{
  return e->team.who.present <= 1;
}

static void
post(struct bfd_engine *e, uint to, enum bfd_msg_kind kind, struct bfd_msg *m)
{
  m->kind = kind;
  mailbox_post(e->team.who.mailbox[to], &m->m);
}

/* Packets */

static void
send_strays(struct bfd_engine *e, uint to)
{
  struct strays *out = e->team.out[to];

  e->team.out[to] = NULL;
  if (out)
    post(e, to, BFD_STRAYS, &out->msg);
}

void
engine_hand_flush(struct bfd_engine *e)
{
  for (uint i = 0; i < e->team.who.present; i++)
    send_strays(e, i);
}

/* The engine after us, for a packet that may be anybody's; NOBODY when there were too many lately. */
static uint
next_round(struct bfd_engine *e)
{
  struct team *t = &e->team;
  btime now = loop_now(e->loop);

  if (now - t->strangers_since >= STRANGERS_TIME)
  {
    t->strangers_since = now;
    t->strangers = 0;
  }
  return t->strangers++ < STRANGERS_MAX ? (t->who.self + 1) % t->who.present : NOBODY;
}

/* Its owner; that may be us, if the session is on its way: then the packet waits behind it in our mailbox. */
static uint
next_owner(const struct bfd_team_cmd *who, u32 your_disc, const struct engine_search *search)
{
  uint owner = bfd_engine_of(your_disc, who->count);

  return search->passed || (owner == who->self && who->settled) ? NOBODY : owner;
}

/* Which engine is to look next. */
static uint
next_for(struct bfd_engine *e, u32 your_disc, struct engine_search *search)
{
  const struct bfd_team_cmd *who = &e->team.who;

  if (your_disc)
    return next_owner(who, your_disc, search);
  if (search->passed + 1u < who->present)
    return next_round(e);
  search->chosen = search->links == 1 && !search->chosen && search->linked != who->self;
  return search->chosen ? search->linked : NOBODY;
}

bool
engine_hand_over(struct bfd_engine *e, const struct bfd_packet *pkt, const byte *data,
                 const struct bfd_rx_meta *meta, struct engine_search search)
{
  if (is_alone(e) || pkt->length > BFD_PACKET_MAX)
    return false;

  uint to = next_for(e, pkt->your_disc, &search);

  if (to == NOBODY)
    return false;
  if (!e->team.out[to])
    e->team.out[to] = msg_alloc(sizeof(struct strays));

  struct strays *out = e->team.out[to];
  struct stray *s = &out->packet[out->count++];

  s->meta = *meta;
  s->search = search;
  s->search.passed++;
  s->size = pkt->length;
  memcpy(s->data, data, pkt->length);
  if (out->count == STRAYS_MAX)
    send_strays(e, to);
  return true;
}

static void
take_strays(struct bfd_engine *e, const struct strays *in)
{
  for (uint i = 0; i < in->count; i++)
    engine_receive(e, in->packet[i].data, in->packet[i].size, &in->packet[i].meta, in->packet[i].search);
}

/* Sessions */

static btime
wheel_stop(struct wheel_entry *w)
{
  btime at = wheel_is_set(w) ? w->deadline : BT_NEVER;

  wheel_unset(w);
  return at;
}

static void
give(struct bfd_engine *e, struct engine_session *s, uint to)
{
  struct take_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->session = s;
  cmd->tx = wheel_stop(&s->tx.e);
  cmd->detect = wheel_stop(&s->detect.e);
  engine_unlink(e, s);
  post(e, to, BFD_TAKE, &cmd->msg);
}

static void
take(struct bfd_engine *e, const struct take_cmd *cmd)
{
  struct engine_session *s = cmd->session;

  engine_link(e, s);
  engine_offload_follow(e, s);
  engine_shorten_tick(e, s);
  if (cmd->tx != BT_NEVER)
    wheel_set(&e->wheel, &s->tx.e, cmd->tx);
  if (cmd->detect != BT_NEVER)
    wheel_set(&e->wheel, &s->detect.e, cmd->detect);
}

static void
team_done(struct bfd_engine *e)
{
  struct bfd_msg *m = msg_alloc(sizeof(*m));

  m->kind = BFD_TEAM_DONE;
  e->deliver(&m->m, e->deliver_data);
}

/* Give away what is not ours, some at a time: those that stay want to be served as well. */
static bool
give_slice(struct work *w UNUSED, void *data)
{
  struct bfd_engine *e = data;
  struct team *t = &e->team;

  engine_drain_all(e); /* what has come for them goes with them */
  for (uint i = 0; i < GIVE_SLICE && t->give_at < e->slots_end; i++, t->give_at++)
  {
    struct engine_session *s = e->slots[t->give_at];
    uint to = s ? bfd_engine_of(s->v.local_disc, t->who.count) : t->who.self;

    if (to != t->who.self)
      give(e, s, to);
  }
  engine_flush(e);
  engine_hand_flush(e);
  if (t->give_at < e->slots_end)
    return true;
  team_done(e);
  return false;
}

void
engine_team(struct bfd_engine *e, const struct bfd_team_cmd *cmd)
{
  struct team *t = &e->team;

  ASSERT(cmd->count <= cmd->present && cmd->present <= BFD_ENGINES_MAX);
  engine_hand_flush(e); /* to those there were */
  t->who = *cmd;
  t->fences = 0; /* answers to those asked for before mean nothing now */
  t->fence++;
  t->give_at = 0;
  if (cmd->settled)
    t->settled_at = loop_now_fresh(e->loop);
  work_schedule(t->giving);
}

/* Fences */

static void
ask_others(struct bfd_engine *e)
{
  struct team *t = &e->team;

  t->fence++;
  for (uint i = 0; i < t->who.present; i++)
    if (i != t->who.self)
    {
      struct fence *f = msg_alloc(sizeof(*f));

      f->asker = t->who.mailbox[t->who.self];
      f->from = i;
      f->number = t->fence;
      t->fences++;
      post(e, i, BFD_FENCE, &f->msg);
    }
}

bool
engine_team_heard(struct bfd_engine *e, btime deadline)
{
  struct team *t = &e->team;
  btime until = t->who.settled ? MIN(deadline, t->settled_at) : deadline;

  for (uint i = 0; i < t->who.present; i++)
    if (i != t->who.self && t->horizon[i] < until)
    {
      if (!t->fences)
        ask_others(e);
      return false;
    }
  return true;
}

static void
pass_fence(struct bfd_engine *e, const struct fence *f)
{
  struct fence *answer = msg_alloc(sizeof(*answer));
  btime now = loop_now_fresh(e->loop);

  engine_drain_all(e);
  engine_hand_flush(e);
  answer->msg.kind = BFD_FENCE_PASSED;
  answer->from = f->from;
  answer->number = f->number;
  answer->horizon = MIN(engine_horizon(e), now);
  mailbox_post(f->asker, &answer->msg.m);
}

static void
fence_passed(struct bfd_engine *e, const struct fence *f)
{
  struct team *t = &e->team;

  t->horizon[f->from] = MAX(t->horizon[f->from], f->horizon);
  if (f->number == t->fence)
    t->fences--;
}

void
engine_team_message(struct bfd_engine *e, struct bfd_msg *m)
{
  switch (m->kind)
  {
  case BFD_STRAYS:
    take_strays(e, (struct strays *) m);
    break;
  case BFD_TAKE:
    take(e, (struct take_cmd *) m);
    break;
  case BFD_FENCE:
    pass_fence(e, (struct fence *) m);
    break;
  default:
    fence_passed(e, (struct fence *) m);
  }
}

void
engine_team_init(struct bfd_engine *e)
{
  e->team.giving = work_new(e->pool, e->loop, LOOP_FIRST, give_slice, e);
}
