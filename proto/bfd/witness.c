/*
 * proto/bfd/witness.c: what is remembered of the time before a session leaves Up
 *
 * The engine knows when it was late itself; once a second it also asks the kernel what that knows. When a
 * session leaves Up, what changed since it was last heard is the evidence, weighed by bfd_judge() and sent to
 * the main loop. Many go Down together as a rule, so the kernel is asked once for all of them.
 */
#include "proto/bfd/engine_impl.h"
#include "proto/bfd/timing.h"
#include "proto/bfd/verdict.h"

#define SAMPLE_EVERY BT_S(1)
#define SAMPLE_FRESH BT_MS(20) /* asked so shortly ago, the kernel need not be asked again */

static void
take_sample(struct bfd_engine *e)
{
  struct witness *w = &e->witness;
  struct health h;

  health_read(w->probe, &h);
  w->sample[w->samples++ % WITNESS_SAMPLES] =
      (struct witness_sample){ .at = loop_now(e->loop), .health = h, .drops = engine_drops(e) };
}

static const struct witness_sample *
newest_sample(const struct witness *w)
{
  return &w->sample[(w->samples - 1) % WITNESS_SAMPLES];
}

/* The newest one from before @from, or the oldest there is. */
static const struct witness_sample *
sample_before(const struct witness *w, btime from)
{
  uint count = MIN(w->samples, (uint) WITNESS_SAMPLES);

  for (uint i = 1; i < count; i++)
  {
    const struct witness_sample *s = &w->sample[(w->samples - i) % WITNESS_SAMPLES];

    if (s->at <= from)
      return s;
  }
  return &w->sample[(w->samples - count) % WITNESS_SAMPLES];
}

static void
sample_due(struct timer *t, void *data)
{
  struct bfd_engine *e = data;

  take_sample(e);
  if (e->session_count)
    timer_set_in(t, SAMPLE_EVERY);
}

void
engine_witness_init(struct bfd_engine *e)
{
  e->witness.probe = health_probe_new(e->pool);
  e->witness.timer = timer_new(e->pool, e->loop, sample_due, e);
}

void
engine_witness_wake(struct bfd_engine *e)
{
  if (!timer_is_set(e->witness.timer))
    timer_set_in(e->witness.timer, 0);
}

void
engine_witness_late(struct bfd_engine *e, btime from, btime to)
{
  struct witness *w = &e->witness;

  w->late[w->lates++ % WITNESS_LATES] = (struct witness_late){ from, to };
  if (to - from < 2 * w->told)
    return;

  struct bfd_worst *worst = msg_alloc(sizeof(*worst));

  worst->msg.kind = BFD_WORST_REPORT;
  worst->late = w->told = to - from;
  e->deliver(&worst->msg.m, e->deliver_data);
}

/* The longest time after @from in which we could do nothing. */
static btime
longest_stall(const struct witness *w, btime from)
{
  btime longest = 0;

  for (uint i = 0; i < MIN(w->lates, (uint) WITNESS_LATES); i++)
    longest = MAX(longest, w->late[i].to - MAX(w->late[i].from, from));
  return longest;
}

static void
add_machine(struct bfd_engine *e, struct bfd_evidence *ev, btime from)
{
  struct witness *w = &e->witness;

  engine_flush(e); /* the peer shall not wait for this */
  if (!w->samples || loop_now(e->loop) - newest_sample(w)->at > SAMPLE_FRESH)
    take_sample(e);

  const struct witness_sample *before = sample_before(w, from), *now = newest_sample(w);
  u64 dropped = now->health.dropped - before->health.dropped;

  ev->stall = longest_stall(w, from);
  ev->run_delay = now->health.run_delay - before->health.run_delay;
  ev->dropped = now->drops - before->drops;
  ev->dropped_before = dropped - MIN(dropped, (u64) ev->dropped); /* which counted ours as well */
  ev->pressure = now->health.pressure;
}

void
engine_left_up(struct bfd_engine *e, struct engine_session *s, const struct bfd_session *was)
{
  const struct bfd_session *v = &s->v, *heard = v->remote_disc ? v : was; /* silence made us forget */
  btime now = loop_now(e->loop), ours = bfd_tx_interval(was->tx_used, was->remote_min_rx);
  struct bfd_down *down = msg_alloc(sizeof(*down));
  struct bfd_evidence *ev = &down->evidence;

  *ev = (struct bfd_evidence){
    .state = v->state,
    .diag = v->diag,
    .remote_state = heard->remote_state,
    .remote_diag = heard->remote_diag,
    .restarted = heard->remote_disc != was->remote_disc,
    .refused_why = s->refused_why,
    .refused = s->refused,
    .up = now - was->since,
    .silence = now - was->last_rx,
    .detection = bfd_session_detection_time(was),
    .patience = was->params.detect_mult * ours,
    .arrivals = s->arrivals,
  };
  add_machine(e, ev, MIN(was->last_rx, now - MAX(ev->detection, ev->patience)));

  down->msg.kind = BFD_DOWN_REPORT;
  down->id = s->id;
  down->at = now;
  down->verdict = bfd_judge(ev);
  engine_troubles(e, s)->verdicts[down->verdict]++;
  e->stats.verdicts[down->verdict]++;
  s->silent_at = down->verdict == BFD_VERDICT_SILENT ? now : 0;
  e->deliver(&down->msg.m, e->deliver_data);
}

void
engine_heard_again(struct bfd_engine *e, struct engine_session *s, u8 state, btime arrival)
{
  btime silent_at = s->silent_at;

  s->silent_at = 0;
  if (state != BFD_UP) /* it has noticed something, too, or started anew */
    return;

  struct bfd_late *late = msg_alloc(sizeof(*late));
  struct bfd_troubles *t = engine_troubles(e, s);

  late->msg.kind = BFD_LATE_REPORT;
  late->id = s->id;
  late->at = silent_at;
  late->late = MAX(arrival - silent_at, 0);
  t->verdicts[BFD_VERDICT_SILENT] -= t->verdicts[BFD_VERDICT_SILENT] > 0; /* 0: counters were reset */
  t->verdicts[BFD_VERDICT_LATE]++;
  e->stats.verdicts[BFD_VERDICT_SILENT] -= e->stats.verdicts[BFD_VERDICT_SILENT] > 0;
  e->stats.verdicts[BFD_VERDICT_LATE]++;
  e->deliver(&late->msg.m, e->deliver_data);
}
