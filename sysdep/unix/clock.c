/* sysdep/unix/clock.c: see clock.h */
#include <sys/random.h>
#include <time.h>

#include "sysdep/clock.h"

static btime
clock_read(clockid_t id)
{
  struct timespec ts;

  clock_gettime(id, &ts);
  return BT_S(ts.tv_sec) + ts.tv_nsec / 1000;
}

btime
clock_now(void)
{
  return clock_read(CLOCK_MONOTONIC);
}

btime
clock_wall(void)
{
  return clock_read(CLOCK_REALTIME);
}

btime
clock_thread(void)
{
  return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

u64
random_seed(void)
{
  u64 seed;

  /* Up to 256 bytes come whole once the kernel's generator is ready, and the call waits until it is. */
  ASSERT(getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
  return seed;
}
