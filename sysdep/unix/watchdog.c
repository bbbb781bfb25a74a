/*
 * sysdep/unix/watchdog.c: see watchdog.h
 *
 * A thread looks every tick when the present round of the loop began. The same round seen for as many ticks
 * as make up the timeout hangs. It counts its own ticks and not the time: while the process is stopped there
 * are none.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/text.h"
#include "sysdep/clock.h"
#include "sysdep/log.h"
#include "sysdep/watchdog.h"

#define TICK_MAX BT_S(1)
#define LAST_WORDS_US 200000 /* for the log to write why */

static struct
{
  const struct loop *loop;
  _Atomic btime timeout;
  atomic_bool stopping;
  bool running;
  sem_t wake;
  pthread_t thread;
} dog;

static btime
tick_of(btime timeout)
{
  return timeout ? MIN(timeout / 4, TICK_MAX) : BT_S(3600);
}

/* False: woken before the time. */
static bool
sleep_for(btime time)
{
  btime end = clock_now() + time;
  struct timespec at = { end / 1000000, end % 1000000 * 1000 };

  return sem_clockwait(&dog.wake, CLOCK_MONOTONIC, &at) < 0;
}

NORETURN static void
bark(btime timeout)
{
  log_write(L_FATAL, "The main loop hangs for more than %s s, aborting", TIME_STR(timeout));
  usleep(LAST_WORDS_US);
  abort();
}

static void *
watch(void *arg UNUSED)
{
  btime round = 0, hung = 0;

  while (!atomic_load(&dog.stopping))
  {
    btime timeout = atomic_load(&dog.timeout), tick = tick_of(timeout);
    bool whole = sleep_for(tick);
    btime now = loop_round_start(dog.loop);

    if (!whole || now != round)
      hung = 0;
    else if (now)
      hung += tick;
    round = now;
    if (timeout && hung >= timeout)
      bark(timeout);
  }
  return NULL;
}

static void
start(void)
{
  sigset_t all, before;

  sem_init(&dog.wake, 0, 0);
  atomic_store(&dog.stopping, false);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&dog.thread, NULL, watch, NULL);

  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error)
  {
    log_write(L_ERR, "Cannot start the watchdog: %s", strerror(error));
    sem_destroy(&dog.wake);
    return;
  }
  pthread_setname_np(dog.thread, "watchdog");
  dog.running = true;
}

void
watchdog_set(const struct loop *l, btime timeout)
{
  atomic_store(&dog.timeout, timeout);
  if (dog.running)
    sem_post(&dog.wake);
  else if (timeout)
  {
    dog.loop = l;
    start();
  }
}

void
watchdog_stop(void)
{
  if (!dog.running)
    return;
  atomic_store(&dog.stopping, true);
  sem_post(&dog.wake);
  pthread_join(dog.thread, NULL);
  sem_destroy(&dog.wake);
  dog.running = false;
}
