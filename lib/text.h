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

/* Wall-clock time: "YYYY-MM-DD HH:MM:SS.mmm", local time zone. */
char *wall_format(btime wall, char *buf);
#define WALL_STR(t) wall_format((t), (char[TIME_TEXT_SIZE]){ 0 })

/* Wall-clock time of an event: "HH:MM:SS.mmm" when less than 20 hours before @now, else "YYYY-MM-DD". */
char *since_format(btime wall, btime now, char *buf);
#define SINCE_STR(t, now) since_format((t), (now), (char[TIME_TEXT_SIZE]){ 0 })

#endif
