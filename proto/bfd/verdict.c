/* proto/bfd/verdict.c: see verdict.h */
#include "proto/bfd/verdict.h"

#define FIRST_END 1024 /* us */

btime
bfd_gap_end(uint bucket)
{
  return bucket < BFD_GAP_BUCKETS - 1 ? (btime) FIRST_END << bucket : BT_NEVER;
}

static uint
bucket_of(u32 gap)
{
  uint octave = gap < FIRST_END ? 0 : 32 - __builtin_clz(gap / FIRST_END);

  return MIN(octave, (uint) BFD_GAP_BUCKETS - 1);
}

void
bfd_arrivals_add(struct bfd_arrivals *a, btime gap, btime interval)
{
  u32 length = MIN(MAX(gap, 0), (btime) U32_MAX);

  if (a->interval != interval)
    *a = (struct bfd_arrivals){ .interval = interval };
  a->ring[a->count % BFD_GAPS] = MIN(length / BFD_GAP_GRAIN, (u32) UINT16_MAX);
  a->count++;
  a->bucket[bucket_of(length)]++;
  a->largest = MAX(a->largest, length);
}

uint
bfd_arrivals_last(const struct bfd_arrivals *a, u32 gaps[BFD_GAPS])
{
  uint count = MIN(a->count, (u32) BFD_GAPS);

  for (uint i = 0; i < count; i++)
    gaps[i] = a->ring[(a->count - count + i) % BFD_GAPS] * BFD_GAP_GRAIN;
  return count;
}

/* Were we unable to do our part for so long that it explains what happened in @time? */
static bool
unable(const struct bfd_evidence *ev, btime time)
{
  return time && MAX(ev->stall, ev->run_delay) >= time / 2;
}

static enum bfd_verdict
judge_silence(const struct bfd_evidence *ev)
{
  if (unable(ev, ev->detection))
    return BFD_VERDICT_STALLED;
  if (ev->refused)
    return BFD_VERDICT_REFUSED;
  return ev->dropped || ev->dropped_before ? BFD_VERDICT_DROPPED : BFD_VERDICT_SILENT;
}

enum bfd_verdict
bfd_judge(const struct bfd_evidence *ev)
{
  if (ev->state == BFD_ADMIN_DOWN || ev->remote_state == BFD_ADMIN_DOWN)
    return BFD_VERDICT_ADMIN;
  switch (ev->diag)
  {
  case BFD_DIAG_PATH_DOWN:
    return BFD_VERDICT_LINK;
  case BFD_DIAG_NEIGHBOR_DOWN:
    return ev->remote_diag == BFD_DIAG_TIMEOUT && unable(ev, ev->patience) ? BFD_VERDICT_STALLED
                                                                           : BFD_VERDICT_PEER;
  case BFD_DIAG_TIMEOUT:
    return judge_silence(ev);
  default:
    return BFD_VERDICT_UNKNOWN;
  }
}
