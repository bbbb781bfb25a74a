/*
 * proto/bfd/watch.c: what the daemon at large is told of sessions, see nest/bfd_watch.h
 *
 * A session that leaves Up is told of when the report of it comes, with its verdict; all other changes with
 * the note. So a failure between two notes is not lost.
 */
#include "nest/bfd_watch.h"
#include "proto/bfd/bfd.h"

#define INSPECT_TRIES 16 /* a session may be on its way between engines */

static struct bfd_news
news_of(const struct bfd_shared *s, enum bfd_news_kind kind)
{
  const struct bfd_told *t = &s->told;

  return (struct bfd_news){
    .kind = kind,
    .key = &s->key,
    .source = s->source,
    .status = { .state = t->state, .diag = t->diag, .remote_state = t->remote_state },
    .local_disc = s->id ? bfd_id_disc(s->id) : 0,
    .remote_disc = t->remote_disc,
    .verdict = t->verdict,
    .at = t->since,
  };
}

static void
tell(const struct bfd_shared *s, enum bfd_news_kind kind)
{
  struct bfd_news news = news_of(s, kind);

  if (s->told.generation)
    bfd_watch_tell(&news);
}

void
bfd_tell_session(struct bfd_shared *s)
{
  u32 generation = bfd_watch_generation();

  if (s->told.generation == generation)
    return;
  s->told.generation = generation;
  tell(s, BFD_NEWS_SESSION);
}

void
bfd_tell_gone(const struct bfd_shared *s)
{
  tell(s, BFD_NEWS_GONE);
}

static void
tell_state(struct bfd_shared *s, struct bfd_status status, btime since)
{
  enum bfd_news_kind kind = status.state != s->told.state ? BFD_NEWS_STATE : BFD_NEWS_REST;

  s->told.state = status.state;
  s->told.diag = status.diag;
  s->told.remote_state = status.remote_state;
  s->told.since = since;
  tell(s, kind);
}

void
bfd_tell_note(struct bfd_shared *s, const struct bfd_note *note)
{
  s->told.remote_disc = note->remote_disc;
  tell_state(s, note->status, note->since);
}

void
bfd_tell_verdict(struct bfd_shared *s, enum bfd_verdict verdict)
{
  s->told.verdict = verdict;
  tell(s, BFD_NEWS_REST);
}

void
bfd_tell_down(struct bfd_proto *p, const struct bfd_down *down, enum bfd_verdict verdict)
{
  struct bfd_shared *s = bfd_shared_find(p, down->id);
  const struct bfd_evidence *ev = &down->evidence;

  if (!s)
    return;
  if (s->told.state != BFD_UP) /* it was only between two notes */
    tell_state(s, (struct bfd_status){ .state = BFD_UP, .remote_state = BFD_UP }, down->at - ev->up);
  s->told.verdict = verdict;
  tell_state(s, (struct bfd_status){ .state = ev->state, .diag = ev->diag, .remote_state = ev->remote_state },
             down->at);
}

/* Details. An inspection waits in a queue, then for the engine, if that knows the session. */

static void
ask_engine(struct bfd_proto *p, const struct bfd_shared *s, struct bfd_inspection *q)
{
  struct bfd_snapshot_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->msg.kind = BFD_SNAPSHOT;
  cmd->query = q->number = ++p->next_query;
  cmd->id = s->id;
  q->tries++;
  list_add_tail(&p->inspections_asked, &q->n);
  bfd_post_session(p, s->id, &cmd->msg);
}

static void
answer(const struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_info *info,
       struct bfd_inspection *q)
{
  struct bfd_details d = {
    .key = &s->key,
    .provider = p->p.name,
    .clients = &s->requests,
    .params = &s->params,
    .local = s->path.local,
    .waits_for = s->waits_for,
    .held = bfd_is_held(p, &s->key),
    .verdicts = s->verdicts,
    .state = news_of(s, BFD_NEWS_SESSION),
    .info = info,
  };

  bfd_inspection_answer(q, &d);
}

static bool
inspect_next(struct work *w UNUSED, void *data)
{
  struct bfd_proto *p = data;
  struct node *n = list_first(&p->inspections);

  if (!n)
    return false;

  struct bfd_inspection *q = SKIP_BACK(struct bfd_inspection, n, n);
  const struct bfd_shared *s = bfd_shared_of_key(p, &q->key);

  list_remove(&q->n);
  if (!s)
    bfd_inspection_answer(q, NULL);
  else if (s->id && q->tries < INSPECT_TRIES)
    ask_engine(p, s, q);
  else
    answer(p, s, NULL, q);
  return true;
}

static void
queue_inspection(struct bfd_proto *p, struct bfd_inspection *q)
{
  list_add_tail(&p->inspections, &q->n);
  work_schedule(p->inspect_work);
}

void
bfd_inspections_start(struct bfd_proto *p)
{
  list_init(&p->inspections);
  list_init(&p->inspections_asked);
  p->inspect_work = work_new(p->p.pool, p->p.loop, LOOP_REST, inspect_next, p);
}

bool
bfd_inspect_session(struct bfd_proto *p, struct bfd_inspection *q)
{
  if (!bfd_shared_of_key(p, &q->key))
    return false;
  queue_inspection(p, q);
  return true;
}

void
bfd_inspected(struct bfd_proto *p, const struct bfd_snapshot *snap)
{
  struct bfd_inspection *q;

  LIST_WALK (q, &p->inspections_asked, n)
    if (q->number == snap->query)
    {
      const struct bfd_shared *s = bfd_shared_of_key(p, &q->key);

      list_remove(&q->n);
      if (s && snap->count && s->id == snap->info[0].id)
        answer(p, s, &snap->info[0], q);
      else /* it has gone, or come anew, or is on its way */
        queue_inspection(p, q);
      return;
    }
}

void
bfd_inspections_stop(struct bfd_proto *p)
{
  struct bfd_inspection *q;

  list_splice(&p->inspections, &p->inspections_asked);
  while (!list_empty(&p->inspections))
  {
    q = SKIP_BACK(struct bfd_inspection, n, list_first(&p->inspections));
    list_remove(&q->n);
    bfd_inspection_answer(q, NULL);
  }
}
