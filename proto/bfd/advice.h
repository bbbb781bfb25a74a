/*
 * proto/bfd/advice.h: how a session would have done with other timers, and with which ones it is safe. Pure.
 *
 * What is known are the gaps between packets while the session was Up (struct bfd_arrivals). A gap beyond the
 * agreed interval was late by the difference. Late is the path or a machine, whatever the interval: with
 * another interval I the same trouble makes a gap of I + lateness, and the session fails if that reaches
 * I x multiplier. But a gap may also be a packet that was lost, and that costs more where packets are rarer;
 * the record cannot tell. So for a longer interval lateness grows with it.
 *
 * Safe is a setting that leaves SAFETY times the worst lateness seen between a packet that comes in time and
 * the detection time, survives the loss of two packets in a row, and has an interval of 10 ms at least, and
 * no shorter than this machine has kept us waiting.
 *
 * What was not seen is not known: gaps that ended the session are not in the record, and each time it comes
 * Up the record begins anew. Both ends are taken to have the same setting.
 */
#ifndef PEREGRINE_BFD_ADVICE_H
#define PEREGRINE_BFD_ADVICE_H

#include "lib/bfd.h"

struct bfd_setting
{
  u32 interval; /* us */
  u8 multiplier;
};

/* How often something happened: the histogram knows no better. */
struct bfd_bounds
{
  u32 least, most;
};

/* For about how long gaps were recorded: with jitter they are an eighth shorter than agreed, on average. */
btime bfd_advice_span(const struct bfd_arrivals *a);
/* Is that too little to tell anything about troubles that are rare? */
bool bfd_advice_is_little(const struct bfd_arrivals *a);

btime bfd_advice_lateness(const struct bfd_arrivals *a); /* of the worst gap */

/* How many gaps would have taken the session down. */
struct bfd_bounds bfd_advice_failures(const struct bfd_arrivals *a, struct bfd_setting setting);

/*
 * The safe setting with the shortest detection time, of equal ones that with fewer packets. @worst: how long
 * the machine has kept us waiting. False: none of the usual ones is safe.
 */
bool bfd_advice_shortest(const struct bfd_arrivals *a, btime worst, struct bfd_setting *setting);

#endif
