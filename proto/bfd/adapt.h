/*
 * proto/bfd/adapt.h: longer intervals for as long as this machine is late. Pure.
 *
 * A session whose detection time is less than RAISE_BELOW times what the machine was late by is raised to the
 * intervals of its option. Once the machine has been quiet for some time half of the excess goes, after as
 * long another half, and after STEPS of them all. For a session that is raised, quiet is only what would not
 * nearly raise it: half the lateness is enough to keep it there. So it does not swing.
 *
 * All of it is computed from the configuration, when the machine was last late by how much, and now. The one
 * thing to be remembered of a session is whether it is raised.
 */
#ifndef PEREGRINE_BFD_ADAPT_H
#define PEREGRINE_BFD_ADAPT_H

#include "nest/bfd.h"

/* When the machine was late and has not been later since: so each is less late than the one before it. */
#define BFD_LAGS 32
struct bfd_lags
{
  uint count;
  struct
  {
    btime late, at;
  } lag[BFD_LAGS];
};

void bfd_lags_add(struct bfd_lags *l, btime late, btime at);

struct bfd_adapted
{
  uint step;  /* 0: as configured; 1: raised; and one more for each time that half of it went */
  btime late; /* the last lateness that counted */
  btime next; /* when the next step is due */
};

/* Could this lateness concern a session with this @detection time, as configured? */
bool bfd_adapt_concerns(btime late, btime detection);

/* What becomes of such a session; @raised: its step is not 0 now. */
struct bfd_adapted bfd_adapt(const struct bfd_adapt_options *o, btime detection, bool raised,
                             const struct bfd_lags *lags, btime now);

/* An interval of such a session; 0, which is none at all, stays. */
u32 bfd_adapt_interval(u32 configured, u32 least, uint step);

#endif
