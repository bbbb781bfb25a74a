/*
 * sysdep/unix/log_sink.c: see log_sink.h
 *
 * A line that fails to be written is lost for that sink. The first one that can be written again is preceded
 * by a line that says how many were lost and why.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* A facility of syslog.h that nobody needs here; log.h has a sink of this name. */
#undef LOG_SYSLOG

#include "lib/pool.h"
#include "lib/text.h"
#include "sysdep/clock.h"
#include "sysdep/unix/log_sink.h"

#define LOG_IDENTITY "bird"
#define LOG_FILE_MODE 0640

/* How long a pipe or terminal may make the writer wait before it counts as failing. */
#define LOG_PATIENCE_MS 2000

/* How often one failing sink is reported to the others. */
#define LOG_COMPLAINT_PERIOD BT_S(60)

struct sink
{
  enum log_sink_kind kind;
  uint classes;
  int fd; /* not for syslog */
  char *name, *backup, *time, *hostname;
  union
  {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } host;
  u64 limit;    /* of a file: bytes, 0: none */
  u64 lost;     /* lines since the last one that was written */
  int why;      /* errno of the first of them */
  bool torn;    /* half of a line was written */
  bool failing; /* it did not take the last line */
  struct log_limit complaints;
};

struct sink_set
{
  uint count;
  struct sink sinks[];
};

static _Atomic u64 unwritten;

u64
sinks_unwritten(void)
{
  return atomic_load(&unwritten);
}

static const struct
{
  const char *letters;
  int priority;
} classes[L__MAX] = {
  [L_DEBUG] = { "DBG", LOG_DEBUG }, [L_TRACE] = { "TRACE", LOG_DEBUG }, [L_INFO] = { "INFO", LOG_INFO },
  [L_REMOTE] = { "RMT", LOG_ERR },  [L_WARN] = { "WARN", LOG_WARNING }, [L_ERR] = { "ERR", LOG_ERR },
  [L_AUTH] = { "AUTH", LOG_ERR },   [L_FATAL] = { "FATAL", LOG_CRIT },  [L_BUG] = { "BUG", LOG_CRIT },
};

/* --- Opening: main loop --- */

/* Not blocking: a named pipe without a reader is an error at once and not a main loop that hangs. */
static int
file_open(const char *name)
{
  return open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, LOG_FILE_MODE);
}

/* The socket of a host stays unconnected: there may be no route yet, and a server may begin to listen later.
 */
static int
sink_open(const struct log_sink *config)
{
  switch (config->kind)
  {
  case LOG_FILE:
    return file_open(config->name);
  case LOG_UDP:
    return socket(ip_is_v4(config->host) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  default:
    return STDERR_FILENO;
  }
}

static char *
text_copy(const char *text)
{
  return text ? strcpy(msg_alloc(strlen(text) + 1), text) : NULL;
}

static const char *
sink_name(const struct log_sink *config, char *buf)
{
  switch (config->kind)
  {
  case LOG_STDERR:
    return "stderr";
  case LOG_UDP:
    return ip_format(config->host, buf);
  default:
    return config->name ? config->name : LOG_IDENTITY;
  }
}

static void
sink_set_host(struct sink *s, ip_addr host, u16 port)
{
  if (ip_is_v4(host))
  {
    s->host.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
    ip_to_bytes(host, (byte *) &s->host.v4.sin_addr);
  }
  else
  {
    s->host.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
    ip_to_bytes(host, (byte *) &s->host.v6.sin6_addr);
  }
}

static void
sink_set_add(struct sink_set *set, const struct log_sink *config, int fd)
{
  struct sink *s = &set->sinks[set->count++];
  char buf[IP_TEXT_SIZE];

  s->kind = config->kind;
  s->classes = config->classes;
  s->fd = fd;
  s->name = text_copy(sink_name(config, buf));
  s->backup = text_copy(config->backup);
  s->limit = config->backup ? config->limit : 0;
  s->time = text_copy(config->time ? config->time : timeformat_iso_long_ms.recent);
  s->hostname = text_copy(config->hostname ? config->hostname : "-");
  sink_set_host(s, config->host, config->port);
  s->complaints.burst = 1;
  s->complaints.period = LOG_COMPLAINT_PERIOD;
}

struct sink_set *
sink_set_new(const struct log_sink *sinks, uint count, int *errors)
{
  struct sink_set *set = msg_alloc(sizeof(struct sink_set) + (count + 1) * sizeof(struct sink));

  for (uint i = 0; i < count; i++)
  {
    int fd = sink_open(&sinks[i]);

    if (fd < 0)
      errors[i] = errno;
    else
      sink_set_add(set, &sinks[i], fd);
  }
  /* Lines were wanted, so they do not vanish, the reasons above least of all. */
  if (count && !set->count)
    sink_set_add(set, &(struct log_sink){ .kind = LOG_STDERR, .classes = LOG_ALL }, STDERR_FILENO);
  return set;
}

void
sink_set_free(struct sink_set *set)
{
  if (!set)
    return;
  for (uint i = 0; i < set->count; i++)
  {
    struct sink *s = &set->sinks[i];

    if (s->kind == LOG_FILE || s->kind == LOG_UDP)
      close(s->fd);
    if (s->kind == LOG_SYSLOG)
      closelog(); /* it holds on to the name */
    msg_free(s->name);
    msg_free(s->backup);
    msg_free(s->time);
    msg_free(s->hostname);
  }
  msg_free(set);
}

/* --- The set before: writer --- */

static bool
is_same(const struct sink *a, const struct sink *b)
{
  return a->kind == b->kind && a->classes == b->classes && strcmp(a->name, b->name) == 0 &&
         memcmp(&a->host, &b->host, sizeof(a->host)) == 0;
}

void
sink_set_inherit(struct sink_set *set, const struct sink_set *old)
{
  for (uint i = 0; old && i < old->count; i++)
    for (uint j = 0; j < set->count; j++)
    {
      const struct sink *from = &old->sinks[i];
      struct sink *to = &set->sinks[j];

      if (to->lost || !is_same(from, to))
        continue;
      to->lost = from->lost;
      to->why = from->why;
      to->torn = from->torn;
      to->complaints = from->complaints;
    }
}

/* --- Rotation: writer --- */

/* The file has another name now; begin a new one, for every sink that writes to it. */
static void
sink_reopen(struct sink_set *set, const char *name)
{
  for (uint i = 0; i < set->count; i++)
  {
    struct sink *s = &set->sinks[i];

    if (s->kind != LOG_FILE || strcmp(s->name, name) != 0)
      continue;

    int fd = file_open(name);

    if (fd < 0)
    {
      log_rl(&s->complaints, L_ERR, "Cannot begin a new log file %s: %m", name);
      continue;
    }
    close(s->fd);
    s->fd = fd;
  }
}

/*
 * Before @size bytes more: a file that would grow over its limit becomes the backup. When that fails the file
 * goes on growing: the limit is worth less than the lines.
 */
static void
sink_rotate(struct sink_set *set, struct sink *s, size_t size)
{
  struct stat st;

  if (!s->limit || fstat(s->fd, &st) < 0 || !st.st_size || st.st_size + size <= s->limit)
    return;

  int error = rename(s->name, s->backup) < 0 ? errno : 0;

  if (error && access(s->name, F_OK) == 0) /* somebody else may have taken it away */
    log_rl(&s->complaints, L_ERR, "Cannot rename log file %s to %s: %s", s->name, s->backup, strerror(error));
  else
    sink_reopen(set, s->name);
}

/* --- Writing: writer --- */

/* Writes all of @data or says why not in errno, and in @torn whether some of it was written. */
static bool
fd_write(int fd, const char *data, size_t size, int patience_ms, bool *torn)
{
  *torn = false;
  while (size)
  {
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    if (!poll(&p, 1, patience_ms))
    {
      errno = EAGAIN;
      return false;
    }

    ssize_t done = write(fd, data, size);

    if (done <= 0)
      return false;
    *torn = (size_t) done < size;
    data += done;
    size -= done;
  }
  return true;
}

/* RFC 3164 section 4.1; such lines have no end. */
static int
datagram_print(const struct sink *s, const struct line *line, char *buf, size_t size)
{
  static const struct timeformat format = { .recent = "%b %e %H:%M:%S" };
  char when[TIMEFORMAT_SIZE];

  timeformat_print(&format, line->when, line->when, when, sizeof(when));
  return snprintf(buf, size, "<%d>%s %.255s " LOG_IDENTITY "[%d]: %s",
                  LOG_DAEMON | classes[line->class].priority, when, s->hostname, (int) getpid(), line->text);
}

static int
line_print(const struct sink *s, const struct line *line, char *buf, size_t size)
{
  const struct timeformat format = { .recent = s->time };
  char when[TIMEFORMAT_SIZE];

  timeformat_print(&format, line->when, line->when, when, sizeof(when));
  return snprintf(buf, size, "%s%s <%s> %s\n", s->torn ? "\n" : "", when, classes[line->class].letters,
                  line->text);
}

static bool
host_send(struct sink *s, const struct line *line)
{
  char buf[LOG_LINE_SIZE + 512];
  int size = datagram_print(s, line, buf, sizeof(buf));
  socklen_t len = s->host.any.sa_family == AF_INET ? sizeof(s->host.v4) : sizeof(s->host.v6);

  return sendto(s->fd, buf, MIN((size_t) size, sizeof(buf) - 1), MSG_NOSIGNAL, &s->host.any, len) >= 0;
}

static bool
sink_send(struct sink_set *set, struct sink *s, const struct line *line)
{
  char buf[LOG_LINE_SIZE + TIMEFORMAT_SIZE + 16];
  bool torn;

  if (s->kind == LOG_UDP)
    return host_send(s, line);

  int size = line_print(s, line, buf, sizeof(buf));

  if (s->kind == LOG_FILE)
    sink_rotate(set, s, size);
  if (fd_write(s->fd, buf, size, s->failing ? 0 : LOG_PATIENCE_MS, &torn))
  {
    s->torn = false;
    return true;
  }
  s->torn |= torn;
  return false;
}

/* It is written to again: say what is missing. */
static bool
sink_tell_loss(struct sink_set *set, struct sink *s)
{
  struct line line = { .class = L_WARN, .when = clock_wall() };

  if (!s->lost)
    return true;
  snprintf(line.text, sizeof(line.text), "%" PRIu64 " log lines are missing here: %s", s->lost,
           strerror(s->why));
  if (!sink_send(set, s, &line))
    return false;
  s->lost = 0;
  return true;
}

static void
sink_write(struct sink_set *set, struct sink *s, const struct line *line)
{
  if (!(s->classes & (1u << line->class)))
    return;
  if (s->kind == LOG_SYSLOG)
  {
    /* Each sink may have an identity of its own, and syslog(3) knows one at a time. */
    openlog(s->name, LOG_PID, LOG_DAEMON);
    syslog(classes[line->class].priority, "%s", line->text);
    return;
  }
  s->failing = !(sink_tell_loss(set, s) && sink_send(set, s, line));
  if (!s->failing)
    return;
  if (!s->lost++)
    s->why = errno;
  atomic_fetch_add(&unwritten, 1);
  /* The complaint is a line like any other. That it fails here too is swallowed by the limit. */
  log_rl(&s->complaints, L_ERR, "Writing the log to %s failed: %m", s->name);
}

void
sink_set_write(struct sink_set *set, const struct line *line)
{
  for (uint i = 0; i < set->count; i++)
    sink_write(set, &set->sinks[i], line);
}
