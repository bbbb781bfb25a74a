/*
 * proto/bfd/dampen.h: penalties of a session that flaps, after RFC 2439 section 4. Pure.
 *
 * Each failure adds BFD_FLAP_PENALTY to the penalty, which halves every half life. Above `suppress` the
 * session is suppressed, until the penalty is below `reuse`, or it has not failed for `max suppress`, which
 * then cuts the penalty to `reuse`.
 *
 * What is kept are the times of the last failures; the rest is computed from them each time. So other
 * parameters hold at once, requests with different ones share a session, and nothing drifts.
 */
#ifndef PEREGRINE_BFD_DAMPEN_H
#define PEREGRINE_BFD_DAMPEN_H

#include "nest/bfd.h"

#define BFD_FLAPS 16 /* earlier failures do not count any more, so the penalty has a ceiling */

struct bfd_flaps
{
  uint count; /* of all */
  btime at[BFD_FLAPS];
};

struct bfd_dampened
{
  u32 penalty;
  bool suppressed;
  btime until; /* when that ends; while not suppressed: when nothing is left of the penalty */
};

/* A failure, not before those that were added before. */
void bfd_flaps_add(struct bfd_flaps *f, btime at);

/* What becomes of them under @d, which is on, at @now. */
struct bfd_dampened bfd_dampen(const struct bfd_flaps *f, const struct bfd_dampening *d, btime now);

#endif
