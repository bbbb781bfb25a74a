/* sysdep/watchdog.h: end the program when a loop hangs. One loop, and only from its own thread. */
#ifndef PEREGRINE_SYSDEP_WATCHDOG_H
#define PEREGRINE_SYSDEP_WATCHDOG_H

#include "sysdep/loop.h"

/*
 * From now on abort(), with an L_FATAL line, once a round of @l lasts longer than @timeout (0: never). Time
 * in which the whole process was stopped does not count. Precise to a quarter of the timeout, at most to a
 * second.
 */
void watchdog_set(const struct loop *l, btime timeout);
/* Before @l is freed. */
void watchdog_stop(void);

#endif
