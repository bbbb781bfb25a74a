/*
 * proto/bfd/team.c: the engines of an instance and their threads, main-loop side
 *
 * There are as many as `threads` says; sessions and packets are spread over them by discriminators. When the
 * number changes that takes some steps, each of which begins when all engines that it concerns have answered
 * the one before:
 *
 *   OPENING   all hear who they all are, and that a session's packets may be anywhere.
 *   GIVING    sessions move to whom they belong from now on. Packets still come to those who had them, and
 *             are handed on. What is to be told to a session is kept back, for nobody knows where it is.
 *   CLOSING   packets come to the new owners. Engines that are to go hand on what they hold, and stop
 *             listening.
 *   SETTLING  the others hear that it is done, and count on engines that go no more.
 *   RETIRING  those end.
 *
 * See handover.c for the engines' part.
 */
#include <errno.h>
#include <string.h>

#include "proto/bfd/bfd.h"

/* For a session that is on its way from one engine to another. */
struct held
{
  struct node n;
  u64 id;
  struct bfd_msg *m;
};

/* Messages */

void
bfd_post_engine(struct bfd_proto *p, uint engine, struct bfd_msg *m)
{
  mailbox_post(p->team->member[engine]->commands, &m->m);
}

void
bfd_post_session(struct bfd_proto *p, u64 id, struct bfd_msg *m)
{
  struct bfd_team *t = p->team;

  if (t->step != TEAM_GIVING)
  {
    bfd_post_engine(p, bfd_engine_of(bfd_id_disc(id), t->count), m);
    return;
  }

  struct held *h = mb_alloc(p->p.pool, sizeof(*h));

  h->id = id;
  h->m = m;
  list_add_tail(&t->held, &h->n);
}

static void
post_held(struct bfd_proto *p)
{
  struct held *h;

  LIST_WALK_SAFE (h, &p->team->held, n)
  {
    bfd_post_session(p, h->id, h->m);
    list_remove(&h->n);
    mb_free(h);
  }
}

uint
bfd_engines(const struct bfd_proto *p)
{
  return p->team->count;
}

uint
bfd_engines_listening(const struct bfd_proto *p)
{
  return p->team->step <= TEAM_GIVING ? p->team->members : p->team->count;
}

uint
bfd_engines_running(const struct bfd_proto *p)
{
  return p->team->members;
}

uint
bfd_engine_for(const struct bfd_proto *p, u64 id)
{
  return bfd_engine_of(bfd_id_disc(id), p->team->count);
}

/* Members */

/* Without it the sessions depend on what else the machine has to do. */
static void
be_punctual(const struct bfd_member *m)
{
  int error = thread_realtime(m->thread);

  if (error && !m->number)
    log_write(L_WARN,
              "%s: No real-time priority (%s): sessions may fail when the machine is busy. It takes "
              "CAP_SYS_NICE or LimitRTPRIO",
              m->p->p.name, strerror(-error));
}

/* Called in the engine's loop. */
static void
deliver(struct msg *msg, void *data)
{
  struct bfd_member *m = data;

  mailbox_post(m->replies, msg);
}

static void reply_received(struct msg *msg, void *data);

static const char *
member_run(struct bfd_member *m)
{
  struct proto *proto = &m->p->p;
  struct bfd_engine *engine;

  m->loop = loop_new(m->engine_pool, proto->name);
  if (!m->loop)
    return "no file descriptors left";
  engine = bfd_engine_new(m->engine_pool, m->loop, proto->name, deliver, m);
  m->commands = mailbox_new(m->engine_pool, m->loop, bfd_engine_message, engine);
  m->replies = mailbox_new(m->pool, proto->loop, reply_received, m);
  m->thread = thread_start(m->pool, m->loop);
  return m->thread ? NULL : "no thread";
}

static void
member_free(struct bfd_member *m)
{
  rfree(m->engine_pool);
  rfree(m->pool);
}

/* False, with a log line, when the system has not got what it takes. */
static bool
member_start(struct bfd_proto *p)
{
  struct bfd_team *t = p->team;
  pool *own = pool_new(p->p.pool, "BFD engine, ours");
  struct bfd_member *m = mb_alloc(own, sizeof(*m));
  const char *problem;

  *m = (struct bfd_member){ .p = p, .number = t->members, .pool = own };
  m->engine_pool = pool_new(NULL, "BFD engine");
  problem = member_run(m);
  if (problem)
  {
    log_write(L_ERR, "%s: Cannot start thread %u: %s", p->p.name, m->number + 1, problem);
    member_free(m);
    return false;
  }
  be_punctual(m);
  m->machine = bfd_machine_new(m->pool, p->p.loop, thread_tid(m->thread));
  t->member[t->members++] = m;
  bfd_set_engine(p, m->number);
  bfd_attach_engine(p, m->number);
  return true;
}

static void
grow(struct bfd_proto *p, uint wanted)
{
  while (p->team->members < wanted && member_start(p))
    ;
}

/* Tell some engines who they all are; their answers are waited for. */
static void
tell(struct bfd_proto *p, uint first, uint end, uint count, uint present, bool settled)
{
  struct bfd_team *t = p->team;

  for (uint i = first; i < end; i++)
  {
    struct bfd_team_cmd *cmd = msg_alloc(sizeof(*cmd));

    cmd->msg.kind = BFD_TEAM;
    cmd->self = i;
    cmd->count = count;
    cmd->present = present;
    cmd->settled = settled;
    for (uint k = 0; k < t->members; k++)
      cmd->mailbox[k] = t->member[k]->commands;
    bfd_post_engine(p, i, &cmd->msg);
    t->pending++;
  }
}

/* Others may have something for them until all have stopped, so none is freed before. */
static void
quit(struct bfd_proto *p, uint first)
{
  struct bfd_team *t = p->team;

  for (uint i = first; i < t->members; i++)
  {
    struct bfd_msg *m = msg_alloc(sizeof(*m));

    m->kind = BFD_QUIT;
    bfd_post_engine(p, i, m);
    t->pending++;
  }
}

/* Steps */

static void
settle(struct bfd_proto *p)
{
  struct bfd_team *t = p->team;

  t->step = TEAM_SETTLING;
  tell(p, 0, t->count, t->count, t->count, t->steered);
}

static void
close_rest(struct bfd_proto *p)
{
  struct bfd_team *t = p->team;

  t->step = TEAM_CLOSING;
  bfd_listen_narrow(p, t->count);
  tell(p, t->count, t->members, t->count, t->members, false);
}

static void follow(struct bfd_proto *p);

static void
steady(struct bfd_proto *p)
{
  p->team->step = TEAM_STEADY;
  if (p->team->quit)
    quit(p, 0);
  else
    follow(p);
}

static void
step_done(struct bfd_proto *p)
{
  struct bfd_team *t = p->team;

  switch (t->step)
  {
  case TEAM_OPENING:
    t->step = TEAM_GIVING;
    tell(p, 0, t->members, t->next, t->members, false);
    break;
  case TEAM_GIVING:
    t->step = TEAM_CLOSING;
    t->count = t->next;
    post_held(p);
    t->steered = bfd_listen_steer(p);
    if (t->members > t->count)
      close_rest(p);
    else
      settle(p);
    break;
  case TEAM_CLOSING:
    settle(p);
    break;
  case TEAM_SETTLING:
    t->step = TEAM_RETIRING;
    quit(p, t->count);
    if (t->members == t->count)
      steady(p);
    break;
  default:
    ASSERT(false);
  }
}

static void
follow(struct bfd_proto *p)
{
  struct bfd_team *t = p->team;
  uint wanted = bfd_config_of(p)->threads;

  if (t->step != TEAM_STEADY || wanted == t->count || wanted == t->tried)
    return;
  grow(p, wanted);
  t->next = MIN(wanted, t->members);
  t->tried = t->next < wanted ? wanted : 0;
  if (!bfd_listen_spread(p))
  {
    t->tried = wanted;
    t->next = t->count;
    close_rest(p);
  }
  else if (t->next != t->count)
  {
    t->step = TEAM_OPENING;
    t->changes++;
    tell(p, 0, t->members, t->count, t->members, false);
    bfd_listen_hand(p); /* what comes there may be for others */
  }
}

void
bfd_team_again(struct bfd_proto *p)
{
  p->team->tried = 0;
  follow(p);
}

static void
member_stopped(struct bfd_proto *p, const struct bfd_stopped *stopped)
{
  struct bfd_team *t = p->team;
  uint stay = t->step == TEAM_RETIRING ? t->count : 0;

  bfd_stats_add(&t->gone, &stopped->stats);
  bfd_attach_ring_back(p, stopped->ring);
  if (--t->pending)
    return;
  for (uint i = stay; i < t->members; i++) /* those that still run may have something for the others */
  {
    loop_stop(t->member[i]->loop);
    thread_join(t->member[i]->thread);
  }
  while (t->members > stay)
    member_free(t->member[--t->members]);
  if (t->members)
    steady(p);
  else
  {
    bfd_listen_gone(p);
    bfd_attach_stop(p);
  }
}

static void
team_done(struct bfd_proto *p)
{
  struct bfd_team *t = p->team;

  if (!--t->pending)
    step_done(p);
}

/* Replies */

static void
down_reported(struct bfd_member *m, struct bfd_down *down)
{
  if (m->p->provider)
  {
    bfd_machine_evidence(m->machine, &down->evidence, down->from);
    bfd_history_down(m->p, down);
  }
  bfd_post_engine(m->p, m->number, &down->msg); /* to be used again */
}

static void
note_received(struct bfd_proto *p, struct bfd_note *note)
{
  if (p->provider)
    bfd_note_received(p, note);
  bfd_post_session(p, note->id, &note->msg); /* back to its session */
}

static void
reply_received(struct msg *msg, void *data)
{
  struct bfd_member *m = data;
  struct bfd_proto *p = m->p;
  struct bfd_msg *reply = SKIP_BACK(struct bfd_msg, m, msg);
  enum bfd_msg_kind kind = reply->kind;

  if (kind == BFD_NOTE)
  {
    note_received(p, (struct bfd_note *) reply);
    return;
  }
  if (kind == BFD_DOWN_REPORT)
  {
    down_reported(m, (struct bfd_down *) reply);
    return;
  }
  if (kind == BFD_SNAPSHOT_REPLY)
  {
    bfd_snapshot_received(p, (struct bfd_snapshot *) reply);
    bfd_inspected(p, (struct bfd_snapshot *) reply);
    bfd_surveyed(p, (struct bfd_snapshot *) reply);
  }
  else if (kind == BFD_LAG_REPORT && p->provider)
    bfd_pace_late(p, ((struct bfd_lag *) reply)->late);
  else if (kind == BFD_LATE_REPORT)
    bfd_history_late(p, (struct bfd_late *) reply);
  else if (kind == BFD_TEAM_DONE)
    team_done(p);
  else if (kind == BFD_STOPPED)
    member_stopped(p, (struct bfd_stopped *) reply);
  msg_free(reply);
}

/* Start and stop */

bool
bfd_team_start(struct bfd_proto *p)
{
  struct bfd_team *t = p->team = mb_alloc(p->p.pool, sizeof(*t));
  uint wanted = bfd_config_of(p)->threads;

  list_init(&t->held);
  grow(p, wanted);
  t->count = t->next = t->members;
  t->tried = t->count < wanted ? wanted : 0;
  if (!t->count)
    return false;
  t->step = TEAM_SETTLING;
  t->steered = true;
  tell(p, 0, t->count, t->count, t->count, t->steered);
  return true;
}

void
bfd_team_stop(struct bfd_proto *p)
{
  p->team->quit = true;
  if (p->team->step == TEAM_STEADY)
    quit(p, 0);
}
