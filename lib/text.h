/*
 * lib/text.h: values to text, into a buffer of the caller's scope: printf("%s", TIME_STR(t))
 *
 * TIME_STR prints a duration in seconds with three decimals, as the control socket's tables want it.
 */
#ifndef PEREGRINE_LIB_TEXT_H
#define PEREGRINE_LIB_TEXT_H

#include "lib/types.h"

#define TIME_TEXT_SIZE 32

char *time_format(btime t, char *buf);
#define TIME_STR(t) time_format((t), (char[TIME_TEXT_SIZE]){ 0 })

/*
 * How moments are written: by strftime(3), where %f stands for the six digits of the fraction of a second and
 * %1f to %6f for its first ones. Local time zone.
 */
struct timeformat
{
  const char *recent; /* for what was less than @limit ago */
  const char *old;    /* for what was before that; NULL: as what is recent */
  btime limit;
};
extern const struct timeformat timeformat_iso_short_ms; /* HH:MM:SS.mmm; YYYY-MM-DD from 20 hours on */
extern const struct timeformat timeformat_iso_long_ms;  /* YYYY-MM-DD HH:MM:SS.mmm */

/* @wall, seen from @now. Formats that timeformat_fits() fit into TIMEFORMAT_SIZE; what does not fit is "?".
 */
#define TIMEFORMAT_SIZE 64
char *timeformat_print(const struct timeformat *f, btime wall, btime now, char *buf, size_t size);
/* Does @fmt make something, never more than TIMEFORMAT_SIZE holds, and no control characters? */
bool timeformat_fits(const char *fmt);

/* Wall-clock time: "YYYY-MM-DD HH:MM:SS.mmm", local time zone. */
char *wall_format(btime wall, char *buf);
#define WALL_STR(t) wall_format((t), (char[TIME_TEXT_SIZE]){ 0 })

/* Wall-clock time of an event: "HH:MM:SS.mmm" when less than 20 hours before @now, else "YYYY-MM-DD". */
char *since_format(btime wall, btime now, char *buf);
#define SINCE_STR(t, now) since_format((t), (now), (char[TIME_TEXT_SIZE]){ 0 })

#endif
