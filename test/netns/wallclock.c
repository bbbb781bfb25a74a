/* test/netns/wallclock.c: a wall clock that one process sees differently; preloaded by wallclock.py
 *
 * The file $WALLCLOCK holds the steps the clock has made. Both ways in which a process learns the time are
 * covered: clock_gettime(), and the kernel's stamps on datagrams, where the time of arrival decides which
 * steps count.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_STEPS 256 /* as in wallclock.py */
#define SECOND 1000000000

struct clock
{
  int64_t count;
  struct
  {
    int64_t at, offset; /* from when, by the true clock, it is wrong by how much; nanoseconds */
  } step[MAX_STEPS];
};

static struct clock *wall;
static int (*true_gettime)(clockid_t, struct timespec *);
static int (*true_recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);

__attribute__((constructor)) static void
wallclock_init(void)
{
  const char *path = getenv("WALLCLOCK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct clock), PROT_READ, MAP_SHARED, fd, 0);

  if (fd >= 0)
    close(fd);
  if (map != MAP_FAILED)
    wall = map;
}

static void
falsify(struct timespec *ts)
{
  int64_t count = wall ? __atomic_load_n(&wall->count, __ATOMIC_ACQUIRE) : 0;
  int64_t t = ts->tv_sec * (int64_t) SECOND + ts->tv_nsec;

  while (count && wall->step[count - 1].at > t)
    count--;
  if (!count)
    return;
  t += wall->step[count - 1].offset;
  ts->tv_sec = t / SECOND;
  ts->tv_nsec = t % SECOND;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
  if (!true_gettime)
    true_gettime = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");

  int result = true_gettime(id, ts);

  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    falsify(ts);
  return result;
}

int
recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
  if (!true_recvmmsg)
    true_recvmmsg =
        (int (*)(int, struct mmsghdr *, unsigned, int, struct timespec *)) dlsym(RTLD_NEXT, "recvmmsg");

  int n = true_recvmmsg(fd, messages, count, flags, timeout);

  for (int i = 0; i < n; i++)
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&messages[i].msg_hdr); c; c = CMSG_NXTHDR(&messages[i].msg_hdr, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
      {
        struct timespec ts;

        memcpy(&ts, CMSG_DATA(c), sizeof(ts));
        falsify(&ts);
        memcpy(CMSG_DATA(c), &ts, sizeof(ts));
      }
  return n;
}
