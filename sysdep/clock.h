/* sysdep/clock.h: the clocks. Any thread. */
#ifndef PEREGRINE_SYSDEP_CLOCK_H
#define PEREGRINE_SYSDEP_CLOCK_H

#include "lib/types.h"

btime clock_now(void);    /* monotonic, for every deadline and interval */
btime clock_wall(void);   /* since the epoch, for what people read */
btime clock_thread(void); /* processor time the calling thread has used */
u64 random_seed(void);    /* 64 bits from the kernel's generator */

#endif
