/*
 * bench/measure.c: gaps, errors of detection, Downs, and how well the simulator did itself
 *
 * RFC 5880 6.8.7: packets follow each other within 75 to 100 percent of the interval. 6.8.4: the detection
 * time.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"

void
measure_start(struct measure *m, btime now)
{
  struct measure fresh = { .interval = m->interval, .detection = m->detection, .since = now };

  fresh.errors.values = m->errors.values;
  fresh.errors.room = m->errors.room;
  fresh.stalled_until = m->stalled_until;
  *m = fresh;
}

void
measure_gap(struct measure *m, btime gap, btime interval)
{
  btime bin = MAX(gap, 0) * GAP_UNIT / m->interval;

  m->gaps.bins[MIN(bin, GAP_BINS - 1)]++;
  m->gaps.min = m->gaps.count ? MIN(m->gaps.min, gap) : gap;
  m->gaps.max = MAX(m->gaps.max, gap);
  m->gaps.count++;
  m->gaps.early += gap < interval * 3 / 4 - TOLERANCE;
  m->gaps.late += gap > interval + TOLERANCE;
}

void
measure_detection(struct measure *m, btime error)
{
  if (m->errors.count == m->errors.room)
  {
    uint room = MAX(2 * m->errors.room, 1024);
    btime *values = realloc(m->errors.values, room * sizeof(*values));

    if (!values)
      abort();
    m->errors.values = values;
    m->errors.room = room;
  }
  m->errors.values[m->errors.count++] = error;
}

static bool
is_stalled(const struct measure *m, btime at)
{
  return at <= m->stalled_until;
}

void
measure_down(struct measure *m, u8 diag, btime at)
{
  m->downs[is_stalled(m, at)][diag % DIAG__MAX]++;
}

void
measure_expiry(struct measure *m, btime at)
{
  m->expired[is_stalled(m, at)]++;
}

/* What half an interval of delay does to a session shows within the detection time, or the answer to it
 * later. */
void
measure_tick(struct measure *m, btime late, btime now)
{
  m->late_max = MAX(m->late_max, late);
  if (late <= m->interval / 2)
    return;
  m->stalls++;
  m->stalled_until = now + 2 * m->detection;
}

/* What is printed */

/* In microseconds, as the upper edge of its bin. */
static btime
gap_percentile(const struct measure *m, uint percent)
{
  u64 rank = m->gaps.count * percent / 100, seen = 0;

  for (uint i = 0; i < GAP_BINS - 1; i++)
    if ((seen += m->gaps.bins[i]) > rank)
      return MIN((i + 1) * m->interval / GAP_UNIT, m->gaps.max);
  return m->gaps.max;
}

static void
print_gaps(const struct measure *m, FILE *to)
{
  fprintf(to, "\"gaps\": {\"count\": %llu, \"early\": %llu, \"late\": %llu",
          (unsigned long long) m->gaps.count, (unsigned long long) m->gaps.early,
          (unsigned long long) m->gaps.late);
  if (m->gaps.count)
    fprintf(to, ", \"min_us\": %lld, \"p1_us\": %lld, \"p50_us\": %lld, \"p99_us\": %lld, \"max_us\": %lld",
            (long long) m->gaps.min, (long long) gap_percentile(m, 1), (long long) gap_percentile(m, 50),
            (long long) gap_percentile(m, 99), (long long) m->gaps.max);
  fputs("}, ", to);
}

static int
compare_times(const void *a, const void *b)
{
  btime x = *(const btime *) a, y = *(const btime *) b;

  return (x > y) - (x < y);
}

static void
print_errors(struct measure *m, FILE *to)
{
  btime *v = m->errors.values;
  uint n = m->errors.count, early = 0;

  fprintf(to, "\"detect\": {\"count\": %u", n);
  if (n)
  {
    qsort(v, n, sizeof(*v), compare_times);
    while (early < n && v[early] < 0)
      early++;
    fprintf(to, ", \"early\": %u, \"min_us\": %lld, \"p50_us\": %lld, \"p99_us\": %lld, \"max_us\": %lld",
            early, (long long) v[0], (long long) v[n / 2], (long long) v[(u64) n * 99 / 100],
            (long long) v[n - 1]);
  }
  fputs("}, ", to);
}

static void
print_downs(const struct measure *m, bool stalled, const char *name, FILE *to)
{
  const char *comma = "";

  fprintf(to, "\"%s\": {", name);
  for (uint i = 0; i < DIAG__MAX; i++)
    if (m->downs[stalled][i])
    {
      fprintf(to, "%s\"%u\": %llu", comma, i, (unsigned long long) m->downs[stalled][i]);
      comma = ", ";
    }
  fputs("}, ", to);
}

void
measure_print(struct measure *m, FILE *to)
{
  fprintf(to, "\"since_us\": %lld, \"first_rx_us\": %lld, \"first_tx_us\": %lld, \"all_up_us\": %lld, ",
          (long long) m->since, (long long) m->first_rx, (long long) m->first_tx, (long long) m->all_up);
  fprintf(to, "\"last_poll_us\": %lld, \"received\": %llu, \"sent\": %llu, \"ignored\": %llu, ",
          (long long) m->last_poll, (unsigned long long) m->received, (unsigned long long) m->sent,
          (unsigned long long) m->ignored);
  print_gaps(m, to);
  print_errors(m, to);
  print_downs(m, false, "downs", to);
  print_downs(m, true, "downs_in_stall", to);
  fprintf(to, "\"expired\": %llu, \"expired_in_stall\": %llu, \"late_max_us\": %lld, \"stalls\": %u",
          (unsigned long long) m->expired[0], (unsigned long long) m->expired[1], (long long) m->late_max,
          m->stalls);
}
