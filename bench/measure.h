/* bench/measure.h: what the simulator measures, and its JSON. No I/O but to the stream it is given; no clock.
 */
#ifndef PEREGRINE_BENCH_MEASURE_H
#define PEREGRINE_BENCH_MEASURE_H

#include <stdio.h>

#include "bench/wire.h"
#include "lib/types.h"

#define GAP_BINS 4096
#define GAP_UNIT 1024      /* bins for one interval */
#define TOLERANCE BT_MS(1) /* gaps outside of the window by less than that are not counted as such */

struct measure
{
  btime interval, detection; /* of the simulator: what it asks for */
  btime since;
  btime first_rx, first_tx, all_up; /* 0: not yet */
  btime last_poll;                  /* when the daemon sent the last packet with the P bit */
  u64 received, sent, ignored;

  struct
  {
    u64 count, early, late; /* early, late: outside of the session's window, RFC 5880 6.8.7 */
    btime min, max;
    u64 bins[GAP_BINS]; /* the last one holds what is beyond */
  } gaps;

  struct
  {
    btime *values;
    uint count, room;
  } errors; /* of detection */

  /* The second ones: those in a moment when the simulator was not on time itself. */
  u64 downs[2][DIAG__MAX], expired[2];

  btime late_max, stalled_until;
  uint stalls;
};

/* All anew. Before the first time, @m is zero but for interval and detection. */
void measure_start(struct measure *m, btime now);

/* Between two packets that say Up; @interval: what the daemon has to keep to. */
void measure_gap(struct measure *m, btime gap, btime interval);

/* How long after the detection time a Down came. */
void measure_detection(struct measure *m, btime error);

/* The daemon left Up, or was not heard for its detection time, while the session was not silenced. */
void measure_down(struct measure *m, u8 diag, btime at);
void measure_expiry(struct measure *m, btime at);

/* The simulator was @late with a tick; before what this tick finds is told. */
void measure_tick(struct measure *m, btime late, btime now);

/* Members of a JSON object, without braces. */
void measure_print(struct measure *m, FILE *to);

#endif
