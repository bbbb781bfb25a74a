/*
 * proto/monitor/frame.h: where JSON objects begin and end in a stream. Pure.
 *
 * Objects may follow each other with or without blanks and newlines between them, and may hold newlines. What
 * cannot become an object is refused as soon as that shows, and reading goes on behind the next newline or,
 * where an object was never closed, with one that begins on a line of its own and cannot be a part of it.
 */
#ifndef PEREGRINE_MONITOR_FRAME_H
#define PEREGRINE_MONITOR_FRAME_H

#include "lib/types.h"

#define MON_FRAME_MAX (64 << 10) /* longest object, in bytes */
#define MON_DEPTH_MAX 8          /* of objects and arrays in each other */

enum mon_frame
{
  MON_FRAME_NONE,   /* not yet; nothing is there but the begin of an object */
  MON_FRAME_OBJECT, /* one is complete */
  MON_FRAME_SYNTAX,
  MON_FRAME_DEEP,
  MON_FRAME_LONG,
};

/* How far the begin of the present object has been looked at. Zeroed: nothing of it. */
struct mon_framer
{
  size_t seen;
  uint depth;
  bool quoted, escaped;
  char last;     /* before this, but for blanks */
  bool new_line; /* has begun since then */
  bool skipping; /* up to the next newline */
};

/*
 * Look at @data, which begins where the last call that took something ended. @begin and @end: the object, or
 * what is refused; for NONE what may be dropped ends at @begin. The next call begins at @end.
 */
enum mon_frame mon_frame_next(struct mon_framer *f, const char *data, size_t size, size_t *begin,
                              size_t *end);

#endif
