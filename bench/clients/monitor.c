/*
 * bench/clients/monitor.c: many clients of a monitor, and how late they hear
 *
 * monitor SOCKET CLIENTS EVENTS: each client subscribes to everything. Once all of them have had EVENTS
 * events, initial ones not counted, prints the times from the change (`monotonic_us`) until the event was
 * read: median, p99 and the longest, in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINE "{\"cmd\":\"subscribe\",\"session\":\"all\"}\n"
#define BUFFER 65536

struct client
{
  int fd;
  size_t len;
  unsigned events;
  char in[BUFFER];
};

static long long *late;
static unsigned long late_count;

static void
fail(const char *what)
{
  perror(what);
  exit(1);
}

static long long
now_us(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void
open_client(struct client *c, const char *path, int epoll)
{
  struct sockaddr_un sa = { .sun_family = AF_UNIX };
  struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

  snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
  c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
    fail(path);
  if (send(c->fd, LINE, sizeof(LINE) - 1, 0) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
    fail("a client");
}

static void
take_line(struct client *c, const char *line, long long now, unsigned wanted)
{
  const char *at = strstr(line, "\"monotonic_us\":");

  if (strstr(line, "\"lost\""))
    fprintf(stderr, "lost: %s\n", line);
  if (!at || strstr(line, "\"initial\"") || c->events == wanted)
    return;
  late[late_count++] = now - atoll(at + 15);
  c->events++;
}

static void
read_client(struct client *c, unsigned wanted)
{
  ssize_t n = recv(c->fd, c->in + c->len, BUFFER - 1 - c->len, 0);
  long long now = now_us();
  char *line = c->in, *end;

  if (n <= 0)
    fail("the daemon");
  c->len += n;
  c->in[c->len] = 0;
  while ((end = strchr(line, '\n')))
  {
    *end = 0;
    take_line(c, line, now, wanted);
    line = end + 1;
  }
  c->len -= line - c->in;
  memmove(c->in, line, c->len);
}

static int
compare(const void *a, const void *b)
{
  long long x = *(const long long *) a, y = *(const long long *) b;

  return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
  unsigned clients = argc == 4 ? atoi(argv[2]) : 0, events = argc == 4 ? atoi(argv[3]) : 0;
  unsigned long all = (unsigned long) clients * events;
  int epoll = epoll_create1(0);
  struct client *c = calloc(clients ? clients : 1, sizeof(*c));

  if (!all || !c || !(late = calloc(all, sizeof(*late))))
    return 1;
  for (unsigned i = 0; i < clients; i++)
    open_client(&c[i], argv[1], epoll);
  while (late_count < all)
  {
    struct epoll_event ev[64];
    int n = epoll_wait(epoll, ev, 64, -1);

    for (int i = 0; i < n; i++)
      read_client(ev[i].data.ptr, events);
  }
  qsort(late, all, sizeof(*late), compare);
  printf("%lld %lld %lld\n", late[all / 2], late[all - 1 - all / 100], late[all - 1]);
  return 0;
}
