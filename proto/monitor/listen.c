/* proto/monitor/listen.c: where monitors connect; see monitor.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/monitor/monitor.h"
#include "sysdep/log.h"
#include "sysdep/socket.h"

#define RETRY BT_S(5) /* somebody else may have the address, for a while */
#define ACCEPTED_A_SLICE 16
#define CLIENTS_MAX 1000
#define DESCRIPTORS_SPARED 128
#define ACCEPT_PAUSE BT_S(1) /* with no descriptor left, say */

struct mon_listener
{
  struct node n;
  struct monitor *m;
  pool *pool;
  char *path; /* NULL: TCP */
  uint mode;
  ip_addr addr;
  u16 port;
  bool wanted;            /* by the present configuration */
  struct fd_watch *watch; /* NULL: not open */
  struct timer *pause;
  int error; /* why not: errno */
};

#define WHERE_SIZE 160

static const char *
where(const struct mon_listener *l, char *buf)
{
  if (l->path)
    snprintf(buf, WHERE_SIZE, "%s", l->path);
  else
    snprintf(buf, WHERE_SIZE, "%s port %u", IP_STR(l->addr), l->port);
  return buf;
}
#define WHERE_STR(l) where(l, (char[WHERE_SIZE]){ 0 })

/* Connections */

static bool
is_allowed(const struct monitor *m, ip_addr peer)
{
  struct mon_prefix *a;

  if (ip_is_loopback(peer))
    return true;
  LIST_WALK (a, &monitor_config_of(m)->allowed, n)
    if (prefix_contains(&a->prefix, peer))
      return true;
  return false;
}

static void
take_tcp(struct mon_listener *l, int fd, ip_addr peer)
{
  struct monitor *m = l->m;

  if (is_allowed(m, peer))
  {
    mon_client_new(m, fd, true);
    return;
  }
  log_rl(&m->limit, L_REMOTE, "%s: A connection from %s is not allowed", m->p.name, IP_STR(peer));
  m->refused++;
  close(fd);
}

/* Some descriptors are for others: the control socket, files, and what protocols need. */
static bool
is_full(struct monitor *m, int fd)
{
  struct rlimit limit;
  bool full = m->client_count >= CLIENTS_MAX;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    full = full || fd >= (int) (limit.rlim_cur - MIN(limit.rlim_cur / 4, (rlim_t) DESCRIPTORS_SPARED));
  if (!full)
    return false;
  log_rl(&m->limit, L_ERR, "%s: There is no room for another client, %u are connected", m->p.name,
         m->client_count);
  m->refused++;
  return true;
}

/* The result is that of accept(). */
static int
take_next(struct mon_listener *l)
{
  ip_addr peer;
  int fd = l->path ? control_accept(l->watch->fd) : tcp_accept(l->watch->fd, &peer);

  if (fd >= 0 && is_full(l->m, fd))
    close(fd);
  else if (fd >= 0 && l->path)
    mon_client_new(l->m, fd, false);
  else if (fd >= 0)
    take_tcp(l, fd, peer);
  return fd;
}

static void
listener_ready(struct fd_watch *w, uint ready UNUSED, void *data)
{
  struct mon_listener *l = data;
  int result = 0;

  for (uint i = 0; i < ACCEPTED_A_SLICE && result >= 0; i++)
    result = take_next(l);
  if (result >= 0 || result == -EAGAIN || result == -ECONNABORTED)
    return;
  log_rl(&l->m->limit, L_ERR, "%s: A connection to %s cannot be taken: %s", l->m->p.name, WHERE_STR(l),
         strerror(-result));
  fd_watch_events(w, 0);
  timer_set_in(l->pause, ACCEPT_PAUSE);
}

static void
pause_over(struct timer *t UNUSED, void *data)
{
  struct mon_listener *l = data;

  if (l->watch)
    fd_watch_events(l->watch, FD_READ);
}

/* Opening and closing */

static void
listener_open(struct mon_listener *l)
{
  struct monitor *m = l->m;
  int fd = l->path ? control_listen_open(l->path, l->mode) : tcp_listen_open(l->addr, l->port);

  if (fd < 0)
  {
    if (l->error != -fd)
      log_write(L_ERR, "%s: Cannot listen on %s: %s; trying again every %lld s", m->p.name, WHERE_STR(l),
                strerror(-fd), (long long) (RETRY / BT_S(1)));
    l->error = -fd;
    timer_set_in(m->retry, RETRY);
    return;
  }
  if (l->error)
    log_write(L_INFO, "%s: Listening on %s", m->p.name, WHERE_STR(l));
  l->error = 0;
  l->watch = fd_watch_new(l->pool, m->p.loop, fd, FD_READ, LOOP_CLI, listener_ready, l);
}

static void
listener_free(struct mon_listener *l)
{
  if (l->path && l->watch)
    unlink(l->path);
  list_remove(&l->n);
  rfree(l->pool);
}

static void
retry_due(struct timer *t UNUSED, void *data)
{
  struct monitor *m = data;
  struct mon_listener *l;

  LIST_WALK (l, &m->listeners, n)
    if (!l->watch)
      listener_open(l);
}

/* As the configuration has it */

static struct mon_listener *
listener_new(struct monitor *m)
{
  pool *p = pool_new(m->p.pool, "Monitor socket");
  struct mon_listener *l = mb_alloc(p, sizeof(*l));

  l->m = m;
  l->pool = p;
  l->wanted = true;
  l->pause = timer_new(p, m->p.loop, pause_over, l);
  list_add_tail(&m->listeners, &l->n);
  return l;
}

static void
want_file(struct monitor *m, const char *path, uint mode)
{
  struct mon_listener *l;

  LIST_WALK (l, &m->listeners, n)
    if (l->path && strcmp(l->path, path) == 0 && l->mode == mode)
    {
      l->wanted = true;
      return;
    }
  l = listener_new(m);
  l->path = mb_strdup(l->pool, path);
  l->mode = mode;
}

static void
want_port(struct monitor *m, ip_addr addr, u16 port)
{
  struct mon_listener *l;

  LIST_WALK (l, &m->listeners, n)
    if (!l->path && ip_equal(l->addr, addr) && l->port == port)
    {
      l->wanted = true;
      return;
    }
  l = listener_new(m);
  l->addr = addr;
  l->port = port;
}

void
mon_listen_follow(struct monitor *m)
{
  const struct monitor_config *cf = monitor_config_of(m);
  struct mon_listen_config *lc;
  struct mon_listener *l;

  LIST_WALK (l, &m->listeners, n)
    l->wanted = false;
  if (cf->socket)
    want_file(m, cf->socket, cf->mode);
  LIST_WALK (lc, &cf->listens, n)
    want_port(m, lc->addr, lc->port);
  LIST_WALK_SAFE (l, &m->listeners, n)
    if (!l->wanted)
      listener_free(l);
  retry_due(NULL, m);
}

void
mon_listen_start(struct monitor *m)
{
  list_init(&m->listeners);
  m->retry = timer_new(m->p.pool, m->p.loop, retry_due, m);
  mon_listen_follow(m);
}

void
mon_listen_stop(struct monitor *m)
{
  struct mon_listener *l;

  LIST_WALK_SAFE (l, &m->listeners, n)
    listener_free(l);
}

const char *
mon_listen_problem(const struct monitor *m)
{
  struct mon_listener *l;

  LIST_WALK (l, &m->listeners, n)
    if (l->error)
      return strerror(l->error);
  return NULL;
}

void
mon_listen_show(const struct monitor *m, struct cli *cli)
{
  struct mon_listener *l;

  LIST_WALK (l, &m->listeners, n)
    cli_line(cli, 1006, "  Listening on:   %s%s%s", WHERE_STR(l), l->error ? ": " : "",
             l->error ? strerror(l->error) : "");
}
