/* sysdep/linux/clockset.c: clock_watch of loop.h. A timer that never fires, but is cancelled by a step. */
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sysdep/loop.h"

struct clock_watch
{
  struct resource r;
  struct fd_watch *watch;
  void (*hook)(void *data);
  void *data;
};

#define FAR_AWAY (1ll << 33) /* s: the year 2242 */

static void
arm(int fd)
{
  struct itimerspec never = { .it_value.tv_sec = FAR_AWAY };

  timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void
clock_ready(struct fd_watch *w, uint ready UNUSED, void *data)
{
  struct clock_watch *c = data;
  u64 count;
  bool was_set = read(w->fd, &count, sizeof(count)) < 0 && errno == ECANCELED;

  arm(w->fd);
  if (was_set)
    c->hook(c->data);
}

static void
clock_watch_free(struct resource *r)
{
  rfree(((struct clock_watch *) r)->watch);
}

static const struct resource_class clock_class = { .name = "Clock watch",
                                                   .size = sizeof(struct clock_watch),
                                                   .free = clock_watch_free };

struct clock_watch *
clock_watch_new(pool *p, struct loop *l, void (*hook)(void *data), void *data)
{
  int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

  if (fd < 0)
    return NULL;

  struct clock_watch *c = res_new(p, &clock_class);

  c->hook = hook;
  c->data = data;
  arm(fd);
  c->watch = fd_watch_new(NULL, l, fd, FD_READ, LOOP_REST, clock_ready, c);
  return c;
}
