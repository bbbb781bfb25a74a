/* proto/bfd/advice.c: see advice.h */
#include "proto/bfd/advice.h"
#include "proto/bfd/verdict.h"

#define LITTLE_GAPS 1000
#define LITTLE_TIME BT_S(300)

#define SAFETY 2
#define MULTIPLIER_MIN 3 /* fewer, and two packets lost in a row are a failure */
#define MULTIPLIER_MAX 5 /* more, and packets are spent that a longer interval saves */

static const u32 usual_intervals[] = { 10000,  20000,  30000,  50000,  100000,
                                       150000, 200000, 300000, 500000, 1000000 };

btime
bfd_advice_span(const struct bfd_arrivals *a)
{
  return (btime) a->count * a->interval / 8 * 7;
}

bool
bfd_advice_is_little(const struct bfd_arrivals *a)
{
  return a->count < LITTLE_GAPS || bfd_advice_span(a) < LITTLE_TIME;
}

btime
bfd_advice_lateness(const struct bfd_arrivals *a)
{
  return a->largest > a->interval ? a->largest - a->interval : 0;
}

/*
 * The shortest gap, as recorded, that would be a failure with @s. With an interval I that is not longer than
 * the recorded R, a gap R + L becomes I + L, and fails from L = I (m - 1) on; with a longer one L becomes L I
 * / R, and fails from L = R (m - 1) on.
 */
static btime
failing_gap(const struct bfd_arrivals *a, struct bfd_setting s)
{
  return a->interval + (btime) (s.multiplier - 1) * MIN(s.interval, a->interval);
}

struct bfd_bounds
bfd_advice_failures(const struct bfd_arrivals *a, struct bfd_setting setting)
{
  btime gap = failing_gap(a, setting), begin = 0;
  struct bfd_bounds b = { 0 };

  if (a->largest < gap)
    return b;
  for (uint i = 0; i < BFD_GAP_BUCKETS; begin = bfd_gap_end(i++))
  {
    b.least += begin >= gap ? a->bucket[i] : 0;
    b.most += bfd_gap_end(i) > gap ? a->bucket[i] : 0;
  }
  b.least = MAX(b.least, 1u); /* the largest one */
  return b;
}

static bool
is_safe(const struct bfd_arrivals *a, btime worst, struct bfd_setting s)
{
  return s.interval >= worst && failing_gap(a, s) - a->interval >= SAFETY * bfd_advice_lateness(a);
}

static btime
detection(struct bfd_setting s)
{
  return (btime) s.interval * s.multiplier;
}

bool
bfd_advice_shortest(const struct bfd_arrivals *a, btime worst, struct bfd_setting *setting)
{
  struct bfd_setting best = { 0 };

  for (uint i = 0; i < ARRAY_SIZE(usual_intervals); i++)
    for (u8 m = MULTIPLIER_MIN; m <= MULTIPLIER_MAX; m++)
    {
      struct bfd_setting s = { usual_intervals[i], m };

      if (is_safe(a, worst, s) && (!best.interval || detection(s) <= detection(best)))
        best = s;
    }
  if (!best.interval)
    return false;
  *setting = best;
  return true;
}
