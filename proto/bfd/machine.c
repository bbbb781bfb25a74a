/*
 * proto/bfd/machine.c: what the machine did while a session fell silent
 *
 * It is asked once a second, and once more when a session has gone Down; the difference is what happened.
 */
#include "proto/bfd/bfd.h"
#include "sysdep/health.h"

#define SAMPLE_EVERY BT_S(1)
#define SAMPLES 16

struct bfd_machine
{
  struct loop *loop;
  struct health_probe *probe;
  struct timer *timer;
  struct machine_sample
  {
    btime at;
    struct health health;
  } sample[SAMPLES], now;
  uint samples;
};

static void
look_now(struct bfd_machine *m)
{
  if (m->samples && m->now.at == loop_now(m->loop))
    return;
  m->now.at = loop_now(m->loop);
  health_read(m->probe, &m->now.health);
}

static void
sample_due(struct timer *t, void *data)
{
  struct bfd_machine *m = data;

  look_now(m);
  m->sample[m->samples++ % SAMPLES] = m->now;
  timer_set_in(t, SAMPLE_EVERY);
}

struct bfd_machine *
bfd_machine_new(pool *p, struct loop *l, int tid)
{
  struct bfd_machine *m = mb_alloc(p, sizeof(*m));

  m->loop = l;
  m->probe = health_probe_new(p, tid);
  m->timer = timer_new(p, l, sample_due, m);
  timer_set_in(m->timer, SAMPLE_EVERY);
  return m;
}

/* The newest one from before @from, or the oldest there is. */
static const struct machine_sample *
sample_before(const struct bfd_machine *m, btime from)
{
  uint count = MIN(m->samples, (uint) SAMPLES), i = 1;

  while (i < count && m->sample[(m->samples - i) % SAMPLES].at > from)
    i++;
  return &m->sample[(m->samples - i) % SAMPLES];
}

/* Packets dropped between two samples; a processor that went offline took its count along. */
static u32
drops_between(const struct machine_sample *a, const struct machine_sample *b)
{
  u64 udp = b->health.udp_errors - MIN(a->health.udp_errors, b->health.udp_errors);
  u64 backlog = b->health.backlog_drops - MIN(a->health.backlog_drops, b->health.backlog_drops);

  return MIN(udp + backlog, (u64) U32_MAX);
}

void
bfd_machine_evidence(struct bfd_machine *m, struct bfd_evidence *ev, btime from)
{
  const struct machine_sample *before, *earlier;
  u32 dropped;

  if (!m->samples)
    return;
  look_now(m);
  before = sample_before(m, from);
  ev->span = m->now.at - before->at;
  earlier = sample_before(m, before->at - ev->span);
  dropped = drops_between(before, &m->now);
  ev->run_delay = m->now.health.run_delay - before->health.run_delay;
  ev->elsewhere = dropped - MIN(dropped, ev->dropped); /* which counted ours as well */
  ev->elsewhere_before = drops_between(earlier, before);
  ev->pressure = m->now.health.pressure;
}
