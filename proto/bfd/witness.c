/*
 * proto/bfd/witness.c: what is remembered of the time before a session leaves Up
 *
 * The engine knows when it was late and what its sockets have dropped. When a session leaves Up, that and the
 * session's own record are sent to the main loop, which asks the machine and finds the verdict: see
 * history.c.
 */
#include <string.h>

#include "proto/bfd/engine_impl.h"
#include "proto/bfd/timing.h"
#include "proto/bfd/verdict.h"

#define SAMPLE_EVERY BT_S(1)
#define REPORTS_KEPT 256
#define LATES_KEPT BT_S(60)
#define TOLD_EVERY BT_S(1)    /* of our lateness */
#define TOLD_AFTER BT_MS(500) /* a peer says that it does not hear us, at most this long after the fact */

/* Those that came back. */
struct reports
{
  struct resource r;
  struct msg *first;
  uint count;
};

static void
reports_free(struct resource *r)
{
  struct reports *reports = (struct reports *) r;

  for (struct msg *m = reports->first, *next; m; m = next)
  {
    next = m->next;
    msg_free(SKIP_BACK(struct bfd_down, msg.m, m));
  }
}

static const struct resource_class reports_class = { .name = "BFD reports",
                                                     .size = sizeof(struct reports),
                                                     .free = reports_free };

/* The sockets */

static void
sample_due(struct timer *t, void *data)
{
  struct bfd_engine *e = data;
  struct witness *w = &e->witness;
  struct witness_sample *s = &w->sample[w->samples++ % WITNESS_SAMPLES];

  engine_drops(e);
  s->at = loop_now(e->loop);
  memcpy(s->drops, e->drops, sizeof(s->drops));
  if (e->session_count)
    timer_set_in(t, SAMPLE_EVERY);
}

/* Packets dropped since the newest sample from before @from, or the oldest there is. */
static u64
drops_since(struct bfd_engine *e, const struct engine_session *s, btime from)
{
  struct witness *w = &e->witness;
  uint count = MIN(w->samples, (uint) WITNESS_SAMPLES), i = 1;
  bool v6 = !ip_is_v4(s->key.remote);
  u64 before = 0;

  while (i < count && w->sample[(w->samples - i) % WITNESS_SAMPLES].at > from)
    i++;
  if (count)
    before = w->sample[(w->samples - i) % WITNESS_SAMPLES].drops[s->key.hop][v6];
  if (w->counted != loop_now(e->loop))
    engine_drops(e);
  w->counted = loop_now(e->loop);
  return e->drops[s->key.hop][v6] - before;
}

void
engine_witness_init(struct bfd_engine *e)
{
  e->witness.spare = res_new(e->pool, &reports_class);
  e->witness.timer = timer_new(e->pool, e->loop, sample_due, e);
}

void
engine_witness_wake(struct bfd_engine *e)
{
  if (!timer_is_set(e->witness.timer))
    timer_set_in(e->witness.timer, 0);
}

/* Lateness */

static void
tell_lag(struct bfd_engine *e, btime late)
{
  struct witness *w = &e->witness;
  btime now = loop_now(e->loop);

  if (now - w->told_at < TOLD_EVERY && late < w->told + w->told / 2)
    return;
  w->told_at = now;

  struct bfd_lag *lag = msg_alloc(sizeof(*lag));

  lag->msg.kind = BFD_LAG_REPORT;
  lag->late = w->told = late;
  e->deliver(&lag->msg.m, e->deliver_data);
}

static btime
worth(const struct witness_late *l, btime now)
{
  return now - l->to > LATES_KEPT ? 0 : l->to - l->from;
}

void
engine_witness_late(struct bfd_engine *e, btime from, btime to)
{
  struct witness_late *least = e->witness.late;

  for (uint i = 1; i < WITNESS_LATES; i++)
    if (worth(&e->witness.late[i], to) < worth(least, to))
      least = &e->witness.late[i];
  if (worth(least, to) <= to - from)
    *least = (struct witness_late){ from, to };
  tell_lag(e, to - from);
}

/* The longest time after @from in which we could do nothing. */
static btime
longest_stall(const struct witness *w, btime from)
{
  btime longest = 0;

  for (uint i = 0; i < WITNESS_LATES; i++)
    longest = MAX(longest, w->late[i].to - MAX(w->late[i].from, from));
  return longest;
}

/* Reports */

static struct bfd_down *
take_report(struct bfd_engine *e)
{
  struct msg *m = e->witness.spare->first;

  if (!m)
    return msg_alloc(sizeof(struct bfd_down));
  e->witness.spare->first = m->next;
  e->witness.spare->count--;
  return SKIP_BACK(struct bfd_down, msg.m, m);
}

void
engine_report_back(struct bfd_engine *e, struct bfd_down *down)
{
  struct reports *spare = e->witness.spare;

  if (spare->count == REPORTS_KEPT)
  {
    msg_free(down);
    return;
  }
  spare->count++;
  down->msg.m.next = spare->first;
  spare->first = &down->msg.m;
}

void
engine_left_up(struct bfd_engine *e, struct engine_session *s, const struct bfd_session *was)
{
  const struct bfd_session *v = &s->v, *heard = v->remote_disc ? v : was; /* silence made us forget */
  btime now = loop_now(e->loop), interval = bfd_tx_interval(was->tx_used, was->remote_min_rx);
  struct bfd_down *down = take_report(e);
  struct bfd_evidence *ev = &down->evidence;

  *ev = (struct bfd_evidence){
    .state = v->state,
    .diag = v->diag,
    .remote_state = heard->remote_state,
    .remote_diag = heard->remote_diag,
    .remote_mult = was->remote_mult,
    .restarted = heard->remote_disc != was->remote_disc,
    .refused_why = s->refused_why,
    .refused = s->refused,
    .up = now - was->since,
    .silence = now - was->last_rx,
    .detection = bfd_session_detection_time(was),
    .patience = was->params.detect_mult * interval,
    .arrivals = s->arrivals,
  };
  down->msg.kind = BFD_DOWN_REPORT;
  down->id = s->id;
  down->key = s->key;
  down->at = now;
  down->from = v->diag == BFD_DIAG_NEIGHBOR_DOWN ? now - ev->patience - TOLD_AFTER : was->last_rx;
  ev->stall = longest_stall(&e->witness, down->from);
  ev->dropped = drops_since(e, s, down->from);
  s->silent_at = v->diag == BFD_DIAG_TIMEOUT ? now : 0;
  s->silent_until = now + ev->detection;
  e->deliver(&down->msg.m, e->deliver_data);
}

void
engine_heard_again(struct bfd_engine *e, struct engine_session *s, u8 state, btime arrival)
{
  btime silent_at = s->silent_at;

  s->silent_at = 0;
  if (state != BFD_UP || arrival > s->silent_until)
    return; /* it has noticed something, too, or has started anew; or it was silent for so long */

  struct bfd_late *late = msg_alloc(sizeof(*late));

  late->msg.kind = BFD_LATE_REPORT;
  late->id = s->id;
  late->at = silent_at;
  late->late = MAX(arrival - silent_at, 0);
  e->deliver(&late->msg.m, e->deliver_data);
}
