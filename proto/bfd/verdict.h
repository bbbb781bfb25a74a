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

enum bfd_verdict bfd_judge(const struct bfd_evidence *ev);

#endif
