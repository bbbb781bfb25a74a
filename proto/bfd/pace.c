/*
 * proto/bfd/pace.c: sessions that get longer intervals while this machine is late
 *
 * The engine tells how late it was; adapt.h says what that means for a session. The intervals are put in
 * where those of its requests are added up (share.c), so that whatever happens meanwhile the result is the
 * same.
 */
#include "lib/text.h"
#include "proto/bfd/adapt.h"
#include "proto/bfd/bfd.h"

struct bfd_pace
{
  struct bfd_lags lags;
  btime shortest;      /* detection time of all sessions that may be adapted, as configured */
  struct timer *timer; /* of the next step of one of them */
  /* since the last lines of the log */
  uint raised, lowered, restored;
  btime late; /* what raised them */
  struct work *log;
  struct log_limit limit;
};

/* All requests have to ask for it; then the shortest intervals are enough, and the longest time of quiet. */
static struct bfd_adapt_options
options_of(const struct bfd_proto *p, const struct bfd_shared *s)
{
  const struct bfd_options *base = bfd_base_options(bfd_config_of(p), s);
  struct bfd_adapt_options all = { 0 };
  struct bfd_request *r;

  LIST_WALK (r, &s->requests, sn)
  {
    const struct bfd_adapt_options *o = r->options.set & BFD_OPT_ADAPT ? &r->options.adapt : &base->adapt;

    if (!o->least)
      return (struct bfd_adapt_options){ 0 };
    all.least = all.least ? MIN(all.least, o->least) : o->least;
    all.quiet = MAX(all.quiet, o->quiet);
  }
  return all;
}

/* The log: one line for all sessions that change together */

static bool
log_changes(struct work *w UNUSED, void *data)
{
  struct bfd_proto *p = data;
  struct bfd_pace *pace = p->pace;

  if (pace->raised)
    log_rl(&pace->limit, L_WARN, "%s: This machine was late by %s s: longer intervals for %u sessions",
           p->p.name, TIME_STR(pace->late), pace->raised);
  if (pace->lowered)
    log_rl(&pace->limit, L_INFO, "%s: This machine is quiet: shorter intervals again for %u sessions",
           p->p.name, pace->lowered);
  if (pace->restored)
    log_rl(&pace->limit, L_INFO, "%s: This machine is quiet: configured intervals again for %u sessions",
           p->p.name, pace->restored);
  pace->raised = pace->lowered = pace->restored = 0;
  return false;
}

static void
count_change(struct bfd_proto *p, uint before, const struct bfd_adapted *a)
{
  struct bfd_pace *pace = p->pace;

  if (a->step == before)
    return;
  if (!a->step)
    pace->restored++;
  else if (before && a->step > before)
    pace->lowered++;
  else
  {
    pace->raised++;
    pace->late = a->late;
  }
  work_schedule(pace->log);
}

/* Sessions */

static void
watch_step(struct bfd_proto *p, btime at)
{
  struct timer *t = p->pace->timer;

  if (!timer_is_set(t) || at < t->e.deadline)
    timer_set(t, at);
}

void
bfd_pace_apply(struct bfd_proto *p, struct bfd_shared *s, struct bfd_params *params)
{
  struct bfd_adapt_options o = options_of(p, s);
  btime detection = (btime) params->detect_mult * bfd_shortest_interval(params);

  if (o.least <= bfd_shortest_interval(params))
    o.least = 0; /* they are long enough */

  struct bfd_adapted a = bfd_adapt(&o, detection, s->pace_step, &p->pace->lags, loop_now(p->p.loop));

  if (o.least)
  {
    p->pace->shortest = MIN(p->pace->shortest, detection);
    count_change(p, s->pace_step, &a);
  }
  s->pace_step = a.step;
  s->pace_late = a.late;
  if (!a.step)
    return;
  params->min_tx = bfd_adapt_interval(params->min_tx, o.least, a.step);
  params->min_rx = bfd_adapt_interval(params->min_rx, o.least, a.step);
  watch_step(p, a.next);
}

void
bfd_pace_late(struct bfd_proto *p, btime late)
{
  btime now = loop_now(p->p.loop);

  if (late >= bfd_worst_of(p))
  {
    p->worst = late;
    p->worst_at = now;
  }
  bfd_lags_add(&p->pace->lags, late, now);
  if (bfd_adapt_concerns(late, p->pace->shortest))
    bfd_sync_all(p);
}

static void
step_due(struct timer *t UNUSED, void *data)
{
  bfd_sync_all(data);
}

void
bfd_pace_start(struct bfd_proto *p)
{
  struct bfd_pace *pace = p->pace = mb_alloc(p->p.pool, sizeof(*pace));

  p->worst = 0;
  pace->limit = (struct log_limit){ .burst = 20, .period = BT_S(10) };
  pace->shortest = BT_NEVER;
  pace->timer = timer_new(p->p.pool, p->p.loop, step_due, p);
  pace->log = work_new(p->p.pool, p->p.loop, LOOP_REST, log_changes, p);
}

void
bfd_pace_stop(struct bfd_proto *p)
{
  timer_stop(p->pace->timer);
}
