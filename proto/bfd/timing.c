/* proto/bfd/timing.c: see timing.h */
#include "proto/bfd/timing.h"

#define TICK_MIN 64 /* the granule of the timing wheel: finer rounding gains nothing */

/* A packet leaves somewhat later than planned, and is to be in the window all the same. */
#define LATENESS_SHARE 50

btime
bfd_tx_interval(u32 desired_min_tx, u32 remote_min_rx)
{
  return remote_min_rx ? MAX((btime) desired_min_tx, (btime) remote_min_rx) : 0;
}

btime
bfd_detection_time(u8 remote_mult, u32 required_min_rx, u32 remote_min_tx)
{
  return required_min_rx ? remote_mult * MAX((btime) required_min_rx, (btime) remote_min_tx) : 0;
}

btime
bfd_tick(btime interval)
{
  btime tick = BFD_TICK_MAX;

  while (tick > TICK_MIN && tick > interval / 16)
    tick /= 2;
  return tick;
}

btime
bfd_tx_deadline(btime base, btime interval, u8 detect_mult, struct rng *rng)
{
  btime shortest = interval - interval / 4;
  btime longest = (detect_mult == 1 ? interval - (interval + 9) / 10 : interval) - interval / LATENESS_SHARE;
  btime at = base + shortest + rng_below(rng, MIN(longest - shortest + 1, (btime) U32_MAX));
  btime tick = bfd_tick(interval), rounded = at & ~(tick - 1);

  if (rounded < base + shortest)
    rounded += tick;
  return rounded <= base + longest ? rounded : at; /* a window shorter than a tick may hold none */
}
