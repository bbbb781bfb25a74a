/* client/duration.h: times on command lines: 50, 50ms, 300us, 2s, 1.5s; without a unit milliseconds */
#ifndef PEREGRINE_CLIENT_DURATION_H
#define PEREGRINE_CLIENT_DURATION_H

#include "lib/types.h"

/* False, and nothing stored, where @text is no time from @min to @max. */
bool duration_parse(const char *text, btime min, btime max, btime *t);

#endif
