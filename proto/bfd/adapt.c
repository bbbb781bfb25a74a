/* proto/bfd/adapt.c: see adapt.h */
#include <string.h>

#include "proto/bfd/adapt.h"

#define RAISE_BELOW 4 /* times what the machine was late by */
#define HOLD_BELOW 8
#define STEPS 5
#define LAGS_KEPT (STEPS * BT_S(3600)) /* no session remembers longer */

void
bfd_lags_add(struct bfd_lags *l, btime late, btime at)
{
  while (l->count && l->lag[l->count - 1].late <= late)
    l->count--;
  if (l->count && at - l->lag[0].at > LAGS_KEPT)
    memmove(l->lag, l->lag + 1, --l->count * sizeof(l->lag[0]));
  if (l->count < BFD_LAGS)
    l->lag[l->count++].late = late; /* else it is taken for as late as the one before */
  l->lag[l->count - 1].at = at;
}

bool
bfd_adapt_concerns(btime late, btime detection)
{
  return detection < HOLD_BELOW * late;
}

struct bfd_adapted
bfd_adapt(const struct bfd_adapt_options *o, btime detection, bool raised, const struct bfd_lags *lags,
          btime now)
{
  uint below = raised ? HOLD_BELOW : RAISE_BELOW, i = lags->count;
  struct bfd_adapted none = { 0 };

  while (i && detection >= below * lags->lag[i - 1].late)
    i--;
  if (!o->least || !i)
    return none;

  btime at = lags->lag[i - 1].at, halves = (now - at) / o->quiet;

  if (halves >= STEPS)
    return none;
  return (struct bfd_adapted){ .step = 1 + halves,
                               .late = lags->lag[i - 1].late,
                               .next = at + (halves + 1) * o->quiet };
}

u32
bfd_adapt_interval(u32 configured, u32 least, uint step)
{
  if (!step || !configured || configured >= least)
    return configured;
  return configured + ((least - configured) >> (step - 1));
}
