/*
 * proto/bfd/survey.c: all sessions of an instance in one, see nest/bfd_watch.h
 *
 * The engines are asked for snapshots in turn, as for `show`, and nobody waits for a client in between.
 */
#include <string.h>

#include "nest/bfd_watch.h"
#include "proto/bfd/bfd.h"

static void
ask(struct bfd_proto *p, struct bfd_survey *s)
{
  struct bfd_snapshot_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->msg.kind = BFD_SNAPSHOT;
  cmd->query = s->number = ++p->next_query;
  cmd->from = s->from;
  cmd->max = BFD_SNAPSHOT_MAX;
  bfd_post_engine(p, s->engine, &cmd->msg);
}

void
bfd_survey_begin(struct bfd_proto *p, struct bfd_survey *s)
{
  s->totals.stats = p->team->gone;
  list_add_tail(&p->surveys, &s->n);
  ask(p, s);
}

static void
count(struct bfd_totals *t, const struct bfd_info *i)
{
  t->states[i->status.state]++;
  if (i->status.state != BFD_UP)
    return;
  for (uint b = 0; b < BFD_GAP_BUCKETS; b++)
    t->gaps[b] += i->arrivals.bucket[b];
  t->detections[bfd_gap_bucket(MIN(i->detection_time, (btime) U32_MAX))]++;
  t->detection_sum += i->detection_time;
}

void
bfd_surveyed(struct bfd_proto *p, const struct bfd_snapshot *snap)
{
  struct bfd_survey *s;

  LIST_WALK (s, &p->surveys, n)
    if (s->number == snap->query)
    {
      for (uint i = 0; i < snap->count; i++)
        count(&s->totals, &snap->info[i]);
      s->from = snap->next;
      if (!snap->next)
      {
        bfd_stats_add(&s->totals.stats, &snap->stats);
        s->engine++;
      }
      if (s->engine < bfd_engines(p))
      {
        ask(p, s);
        return;
      }
      memcpy(s->totals.verdicts, bfd_history_verdicts(p), sizeof(s->totals.verdicts));
      bfd_survey_answer(s, true);
      return;
    }
}

void
bfd_surveys_abort(struct bfd_proto *p)
{
  while (!list_empty(&p->surveys))
    bfd_survey_answer(SKIP_BACK(struct bfd_survey, n, list_first(&p->surveys)), false);
}
