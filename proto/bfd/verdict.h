/*
 * proto/bfd/verdict.h: why a session went Down. Pure.
 *
 * Every packet of an Up session leaves a trace of when it came; when the session leaves Up, the evidence is
 * put together and weighed. RFC 5880 knows diagnostics for this, but those say what was observed and not why.
 */
#ifndef PEREGRINE_BFD_VERDICT_H
#define PEREGRINE_BFD_VERDICT_H

#include "lib/bfd.h"

/* A packet came @gap after the one before it, where the peer had agreed to send every @interval. */
void bfd_arrivals_add(struct bfd_arrivals *a, btime gap, btime interval);

/* The last gaps, oldest first, in microseconds; how many. */
uint bfd_arrivals_last(const struct bfd_arrivals *a, u32 gaps[BFD_GAPS]);

/* The end of a bucket: gaps in it are shorter. BT_NEVER for the last one. */
btime bfd_gap_end(uint bucket);

enum bfd_verdict bfd_judge(const struct bfd_evidence *ev);

#endif
