/*
 * proto/bfd/timing.h: intervals, jitter, detection time. RFC 5880 sections 6.8.2, 6.8.4, 6.8.7. Pure.
 *
 * Wire values are u32 microseconds and widen to btime before any arithmetic.
 */
#ifndef PEREGRINE_BFD_TIMING_H
#define PEREGRINE_BFD_TIMING_H

#include "lib/random.h"

/* 6.8.2: how often packets are sent, before jitter. 0 (never) when the peer wants none. */
btime bfd_tx_interval(u32 desired_min_tx, u32 remote_min_rx);

/* 6.8.4, asynchronous mode: silence of the peer for this long is a failure. 0 (never) when it was told not to
 * send. */
btime bfd_detection_time(u8 remote_mult, u32 required_min_rx, u32 remote_min_tx);

/*
 * What deadlines of @interval are rounded to, and sockets are read on: at most 1/16 of it. Powers of two, so
 * that those of longer intervals fall on those of shorter ones.
 */
#define BFD_TICK_MAX 1024 /* us */
btime bfd_tick(btime interval);

/*
 * 6.8.7: when to send after @base: 75 to 100 % of @interval later, 75 to 90 % when @detect_mult is 1; a
 * little of that is kept for packets that leave late. Rounded down to a tick no longer than 1/16 of the
 * interval, so that what is due together leaves together, but never below 75 %.
 */
btime bfd_tx_deadline(btime base, btime interval, u8 detect_mult, struct rng *rng);

#endif
