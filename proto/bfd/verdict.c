/* proto/bfd/verdict.c: see verdict.h */
#include "proto/bfd/verdict.h"

void
bfd_arrivals_add(struct bfd_arrivals *a, btime gap, btime interval)
{
  u32 length = MIN(MAX(gap, 0), (btime) U32_MAX);

  if (a->interval != interval)
    *a = (struct bfd_arrivals){ .interval = interval };
  a->ring[a->count % BFD_GAPS] = MIN(length / BFD_GAP_GRAIN, (u32) UINT16_MAX);
  a->count++;
  a->bucket[bfd_gap_bucket(length)]++;
  a->largest = MAX(a->largest, length);
}

/* Does a time in which we could do nothing explain what happened in @time? */
static bool
explains(btime stall, btime time)
{
  return time && stall >= time / 2;
}

static enum bfd_verdict
judge_silence(const struct bfd_evidence *ev)
{
  btime spared = MAX(ev->silence - ev->detection, 0); /* it got more time for what we were unable to hear */

  if (explains(ev->stall - spared, ev->detection))
    return BFD_VERDICT_STALLED;
  if (ev->refused && ev->refused + 1 >= ev->remote_mult) /* about as many as it sends in that time */
    return BFD_VERDICT_REFUSED;
  /* Where packets are dropped all the time, some more are no explanation. */
  return ev->dropped || ev->elsewhere > 2 * ev->elsewhere_before ? BFD_VERDICT_DROPPED : BFD_VERDICT_SILENT;
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
    return ev->remote_diag == BFD_DIAG_TIMEOUT && explains(ev->stall, ev->patience) ? BFD_VERDICT_STALLED
                                                                                    : BFD_VERDICT_PEER;
  case BFD_DIAG_TIMEOUT:
    return judge_silence(ev);
  default:
    return BFD_VERDICT_UNKNOWN;
  }
}
