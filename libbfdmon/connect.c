/*
 * libbfdmon/connect.c: the connection, and having it again when it is lost
 *
 * The descriptor the program sees is an epoll of the socket and of a timer for the next attempt.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"

#define DELAY_FIRST 100 /* ms; doubled with each attempt */
#define DELAY_MAX 5000
#define READ_SIZE 65536

/* Buffers */

int
buffer_add(struct buffer *b, const void *data, size_t size)
{
  if (b->pos)
  {
    memmove(b->data, b->data + b->pos, b->len - b->pos);
    b->len -= b->pos;
    b->pos = 0;
  }
  if (b->len + size > b->size)
  {
    size_t wanted = 2 * b->size > b->len + size ? 2 * b->size : b->len + size;
    char *grown = realloc(b->data, wanted);

    if (!grown)
      return -ENOMEM;
    b->data = grown;
    b->size = wanted;
  }
  if (size)
    memcpy(b->data + b->len, data, size);
  b->len += size;
  return 0;
}

void
buffer_free(struct buffer *b)
{
  free(b->data);
  *b = (struct buffer){ 0 };
}

/* Addresses */

static int
unix_address(struct bfdmon *m, const char *path)
{
  struct sockaddr_un *sa = (struct sockaddr_un *) &m->address;

  if (strlen(path) >= sizeof(sa->sun_path))
    return -EINVAL;
  sa->sun_family = AF_UNIX;
  strcpy(sa->sun_path, path);
  m->address_size = sizeof(*sa);
  return 0;
}

/* "ADDRESS:PORT"; an IPv6 address stands in brackets. */
static int
tcp_address(struct bfdmon *m, const char *where)
{
  struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found;
  char host[64];
  const char *colon = strrchr(where, ':');
  size_t len = colon ? (size_t) (colon - where) : 0;

  if (len && where[0] == '[' && where[len - 1] == ']')
  {
    where++;
    len -= 2;
  }
  if (!len || len >= sizeof(host))
    return -EINVAL;
  memcpy(host, where, len);
  host[len] = 0;
  if (getaddrinfo(host, colon + 1, &hints, &found))
    return -EINVAL;
  memcpy(&m->address, found->ai_addr, found->ai_addrlen);
  m->address_size = found->ai_addrlen;
  freeaddrinfo(found);
  return 0;
}

int
connection_address(struct bfdmon *m, const char *where)
{
  return strchr(where, '/') ? unix_address(m, where) : tcp_address(m, where);
}

/* Waiting */

static int
watch(struct bfdmon *m, int op, int fd, uint32_t events)
{
  struct epoll_event ev = { .events = events, .data.fd = fd };

  return epoll_ctl(m->epoll, op, fd, &ev) < 0 ? -errno : 0;
}

/* When an attempt is due: in @ms, 0 for at once. */
static void
set_timer(struct bfdmon *m, unsigned ms)
{
  struct itimerspec t = { .it_value = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 + 1 } };

  timerfd_settime(m->timer, 0, &t, NULL);
}

static void
stop_timer(struct bfdmon *m)
{
  static const struct itimerspec never;

  timerfd_settime(m->timer, 0, &never, NULL);
}

int
connection_init(struct bfdmon *m)
{
  m->fd = -1;
  m->delay_ms = DELAY_FIRST;
  m->kept_end = &m->kept;
  m->epoll = epoll_create1(EPOLL_CLOEXEC);
  m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (m->epoll < 0 || m->timer < 0)
    return -errno;
  set_timer(m, 0);
  return watch(m, EPOLL_CTL_ADD, m->timer, EPOLLIN);
}

static void
close_fd(int fd)
{
  if (fd >= 0)
    close(fd);
}

/* Lines that came while an answer was waited for. */
static void
forget_kept(struct bfdmon *m)
{
  for (struct kept *k = m->kept, *next; k; k = next)
  {
    next = k->next;
    free(k);
  }
  m->kept = NULL;
  m->kept_end = &m->kept;
}

void
connection_free(struct bfdmon *m)
{
  close_fd(m->fd);
  close_fd(m->timer);
  close_fd(m->epoll);
  buffer_free(&m->in);
  buffer_free(&m->out);
  forget_kept(m);
}

int
connection_wait(struct bfdmon *m, int timeout_ms)
{
  struct epoll_event ev;
  int n = epoll_wait(m->epoll, &ev, 1, timeout_ms);

  return n < 0 ? -errno : n;
}

/* Having it */

/* Lines that came whole are still read; what was to be sent is for this connection only. */
static void
lost(struct bfdmon *m, const char *why)
{
  snprintf(m->error, sizeof(m->error), "%s", why);
  close_fd(m->fd);
  m->fd = -1;
  m->out.pos = m->out.len = 0;
  m->phase = WAITING;
  m->tell_connected = false;
  m->tell_disconnected = !m->told_disconnected;
  set_timer(m, m->delay_ms);
  m->delay_ms = m->delay_ms * 2 < DELAY_MAX ? m->delay_ms * 2 : DELAY_MAX;
}

static void
introduce(struct bfdmon *m)
{
  if (m->protocols)
    connection_send(m, json_pack("{s:s, s:b}", "cmd", "events", "on", 1));
  for (struct subscription *s = m->subscriptions; s; s = s->next)
    connection_send(m, json_incref(s->command));
}

static void
connected(struct bfdmon *m)
{
  m->phase = CONNECTED;
  forget_kept(m); /* all states are told anew */
  m->delay_ms = DELAY_FIRST;
  m->in.pos = m->in.len = 0;
  m->tell_connected = true;
  m->tell_disconnected = m->told_disconnected = false;
  m->error[0] = 0;
  introduce(m);
}

static void
start(struct bfdmon *m)
{
  int family = m->address.ss_family;

  stop_timer(m);
  m->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (m->fd < 0 || watch(m, EPOLL_CTL_ADD, m->fd, EPOLLOUT) < 0)
  {
    lost(m, strerror(errno));
    return;
  }
  if (connect(m->fd, (struct sockaddr *) &m->address, m->address_size) == 0)
    connected(m);
  else if (errno == EINPROGRESS)
    m->phase = CONNECTING;
  else
    lost(m, strerror(errno));
}

static void
finish_connecting(struct bfdmon *m)
{
  int error = 0;
  socklen_t size = sizeof(error);
  struct sockaddr_storage peer;
  socklen_t peer_size = sizeof(peer);

  getsockopt(m->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error)
    lost(m, strerror(error));
  else if (getpeername(m->fd, (struct sockaddr *) &peer, &peer_size) == 0)
    connected(m);
}

void
connection_try(struct bfdmon *m)
{
  if (m->phase == IDLE)
    start(m);
}

/* Bytes */

int
connection_send(struct bfdmon *m, json_t *command)
{
  char *text = json_dumps(command, JSON_COMPACT);
  int error = text ? 0 : -ENOMEM;

  if (text && m->phase == CONNECTED)
    error = buffer_add(&m->out, text, strlen(text));
  if (text && m->phase == CONNECTED && !error)
    error = buffer_add(&m->out, "\n", 1);
  free(text);
  json_decref(command);
  return error;
}

static void
flush(struct bfdmon *m)
{
  while (m->out.pos < m->out.len)
  {
    ssize_t n = send(m->fd, m->out.data + m->out.pos, m->out.len - m->out.pos, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
      lost(m, strerror(errno));
    if (n < 0)
      break;
    m->out.pos += n;
  }
  if (m->phase == CONNECTED)
    watch(m, EPOLL_CTL_MOD, m->fd, EPOLLIN | (m->out.pos < m->out.len ? EPOLLOUT : 0));
}

static int
receive(struct bfdmon *m)
{
  char data[READ_SIZE];
  ssize_t n = recv(m->fd, data, sizeof(data), MSG_DONTWAIT);

  if (n > 0 && m->in.len - m->in.pos + n > BFDMON_LINE_MAX)
    lost(m, "a line from the daemon is too long");
  else if (n > 0)
    return buffer_add(&m->in, data, n);
  else if (n == 0)
    lost(m, "the daemon has closed the connection");
  else if (errno != EAGAIN && errno != EINTR)
    lost(m, strerror(errno));
  return 0;
}

int
connection_work(struct bfdmon *m)
{
  uint64_t expirations;
  int error = 0;

  if (read(m->timer, &expirations, sizeof(expirations)) > 0 && m->fd < 0)
    start(m);
  connection_try(m);
  if (m->phase == CONNECTING)
    finish_connecting(m);
  if (m->phase == CONNECTED)
    error = receive(m);
  if (m->phase == CONNECTED)
    flush(m);
  return error;
}

char *
connection_line(struct bfdmon *m)
{
  char *begin = m->in.data + m->in.pos;
  char *end = m->in.len > m->in.pos ? memchr(begin, '\n', m->in.len - m->in.pos) : NULL;

  if (!end)
    return NULL;
  *end = 0;
  m->in.pos = end + 1 - m->in.data;
  return begin;
}
