/*
 * nest/cli.c: see cli.h
 *
 * Input is queued within a bound: with the buffer full nothing more is read until a command is done, and only
 * a single line longer than the buffer is an error. A client that closes its sending half still gets its
 * replies.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nest/cli.h"
#include "sysdep/socket.h"

#define CLI_INPUT (64 << 10)
#define CLI_ROOM (64 << 10) /* output waiting to be read above which listings pause */
#define CLI_COMMANDS_A_ROUND 16
#define ACCEPT_PAUSE BT_S(1)

/* Output waiting to be read above which log lines wait where they have their bound. */
#define ECHO_ROOM 4096

struct cli
{
  struct resource r;
  pool *pool;    /* of the session */
  pool *command; /* of the command that runs now */
  struct fd_watch *watch;
  struct work *work;
  struct config *(*get_config)(void);
  char *in;
  size_t in_pos, in_len, in_scanned; /* taken up to pos, searched for a newline up to scanned */
  char *out;
  size_t out_pos, out_len, out_size;
  uint number;
  uint last_code;  /* of the reply being written; 0: none yet */
  bool busy;       /* a reply is not finished */
  bool restricted; /* read only */
  bool skipping;   /* the rest of a line that was too long */
  bool eof, closing;
  void (*room_hook)(struct cli *c, void *data);
  void *room_data;
  struct log_echo *echo; /* NULL: no log lines wanted */
  struct node echoing;
};

static struct
{
  struct mailbox *echo_wake; /* some echo has lines */
  struct list echoing;       /* sessions with one */
  uint count;                /* of sessions so far */
} cli;

/* Output */

static void
out_append(struct cli *c, const char *text, size_t len)
{
  if (c->out_pos && c->out_pos == c->out_len)
    c->out_pos = c->out_len = 0;
  /* A client that is always a little behind does not make this grow for ever. */
  if (c->out_len + len > c->out_size && c->out_pos > c->out_size / 2)
  {
    memmove(c->out, c->out + c->out_pos, c->out_len - c->out_pos);
    c->out_len -= c->out_pos;
    c->out_pos = 0;
  }
  if (c->out_len + len > c->out_size)
  {
    c->out_size = MAX(2 * c->out_size, c->out_len + len + 4096);
    c->out = mb_realloc(c->pool, c->out, c->out_size);
  }
  memcpy(c->out + c->out_len, text, len);
  c->out_len += len;
}

static void
out_line(struct cli *c, const char *head, const char *fmt, va_list args)
{
  char buf[1024], *text = buf;
  va_list again;

  va_copy(again, args);

  int len = vsnprintf(buf, sizeof(buf), fmt, args);

  if (len >= (int) sizeof(buf))
  {
    text = mb_alloc(c->pool, len + 1);
    vsnprintf(text, len + 1, fmt, again);
  }
  va_end(again);
  out_append(c, head, strlen(head));
  out_append(c, text, len);
  out_append(c, "\n", 1);
  if (text != buf)
    mb_free(text);
  work_schedule(c->work);
}

void
cli_line(struct cli *c, uint code, const char *fmt, ...)
{
  char head[16] = " ";
  va_list args;

  /* The code stands where it differs from the line before. */
  if (code != c->last_code)
    snprintf(head, sizeof(head), "%04u-", code);
  c->last_code = code;
  va_start(args, fmt);
  out_line(c, head, fmt, args);
  va_end(args);
}

void
cli_end(struct cli *c, uint code, const char *fmt, ...)
{
  char head[16];
  va_list args;

  snprintf(head, sizeof(head), "%04u ", code);
  va_start(args, fmt);
  out_line(c, head, fmt, args);
  va_end(args);
  c->last_code = 0;
  c->busy = false;
  c->room_hook = NULL;
  rfree(c->command);
  c->command = NULL;
}

pool *
cli_pool(struct cli *c)
{
  if (!c->command)
    c->command = pool_new(c->pool, "Command");
  return c->command;
}

void
cli_when_room(struct cli *c, void (*hook)(struct cli *c, void *data), void *data)
{
  c->room_hook = hook;
  c->room_data = data;
  work_schedule(c->work);
}

bool
cli_privileged(struct cli *c)
{
  if (c->restricted)
    cli_end(c, 8007, "Access denied");
  return !c->restricted;
}

void
cli_restrict(struct cli *c)
{
  c->restricted = true;
  cli_end(c, 16, "Access restricted");
}

void
cli_close(struct cli *c)
{
  c->closing = true;
}

/* Commands */

static void
run_command(struct cli *c, char *line)
{
  struct conf_error error;
  size_t len = strlen(line);

  if (len && line[len - 1] == '\r')
    line[len - 1] = 0;
  if (c->get_config()->debug_commands >= 2)
    log_write(L_TRACE, "Control session %u: %s", c->number, line);
  c->busy = true;
  if (!config_command(c->get_config(), c, line, &error))
    cli_end(c, 9001, "%s", error.text);
}

/* The next complete line of the input as a string, or NULL. */
static char *
take_line(struct cli *c)
{
  char *start = c->in + c->in_pos, *end = memchr(c->in + c->in_scanned, '\n', c->in_len - c->in_scanned);

  if (!end && c->eof && c->in_len > c->in_pos && !c->skipping)
    end = c->in + c->in_len; /* the last line may lack its newline */
  if (!end && c->skipping)
    c->in_pos = c->in_len = 0; /* still the same endless line */
  if (!end)
  {
    memmove(c->in, start, c->in_len - c->in_pos);
    c->in_len -= c->in_pos;
    c->in_pos = 0;
    c->in_scanned = c->in_len;
    return NULL;
  }

  char *line = mb_alloc(c->pool, end - start + 1);

  memcpy(line, start, end - start);
  c->in_pos = c->in_scanned = MIN((size_t) (end - c->in) + 1, c->in_len);
  return line;
}

/* A line longer than the buffer: say so once, and drop it up to its end. */
static void
input_overflow(struct cli *c)
{
  if (!c->skipping)
    cli_end(c, 9000, "Command too long");
  c->skipping = true;
  c->in_pos = c->in_len = c->in_scanned = 0;
}

/* Run what is there; false when nothing more can be run now. */
static bool
run_next(struct cli *c)
{
  char *line = take_line(c);

  if (!line)
  {
    if (c->in_len == CLI_INPUT)
      input_overflow(c);
    return false;
  }
  if (!c->skipping)
    run_command(c, line);
  c->skipping = false;
  mb_free(line);
  return true;
}

/* Log lines */

static bool
has_echo_room(const struct cli *c)
{
  return c->out_len - c->out_pos < ECHO_ROOM;
}

static void
echo_line(struct cli *c, const char *text)
{
  out_append(c, "+", 1);
  out_append(c, text, strlen(text));
  out_append(c, "\n", 1);
}

/* As many as fit; the others wait for the client to read. True: there may be more. */
static bool
echo_lines(struct cli *c)
{
  char line[LOG_LINE_SIZE], losses[48];
  uint lost;

  while (c->echo && has_echo_room(c))
  {
    bool more = log_echo_read(c->echo, line, &lost);

    if (lost)
    {
      snprintf(losses, sizeof(losses), "(%u log lines lost)", lost);
      echo_line(c, losses);
    }
    if (!more)
      return false;
    echo_line(c, line);
  }
  return c->echo;
}

static void
echo_woken(struct msg *m, void *data UNUSED)
{
  struct cli *c;

  msg_free(m);
  LIST_WALK (c, &cli.echoing, echoing)
    work_schedule(c->work);
}

static void
echo_stop(struct cli *c)
{
  if (!c->echo)
    return;
  log_echo_close(c->echo);
  c->echo = NULL;
  list_remove(&c->echoing);
}

void
cli_echo(struct cli *c, uint classes, uint size)
{
  echo_stop(c);
  if (classes)
  {
    c->echo = log_echo_open(classes, size, cli.echo_wake);
    list_add_tail(&cli.echoing, &c->echoing);
  }
  cli_end(c, 0, "%s", "");
}

void
cli_init(pool *p, struct loop *l)
{
  list_init(&cli.echoing);
  cli.echo_wake = mailbox_new(p, l, echo_woken, NULL);
}

/* Session */

static void
cli_resource_free(struct resource *r)
{
  struct cli *c = (struct cli *) r;

  echo_stop(c);
  rfree(c->pool);
}

static const struct resource_class cli_class = { .name = "Control session",
                                                 .size = sizeof(struct cli),
                                                 .free = cli_resource_free };

/* The client is gone, or wishes to be. */
static void
cli_leave(struct cli *c)
{
  if (c->get_config()->debug_commands >= 1)
    log_write(L_TRACE, "Control session %u closed", c->number);
  rfree(c);
}

static bool
cli_flush(struct cli *c)
{
  while (c->out_pos < c->out_len)
  {
    ssize_t n = send(c->watch->fd, c->out + c->out_pos, c->out_len - c->out_pos, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
      return errno == EAGAIN || errno == EINTR;
    c->out_pos += n;
  }
  return true;
}

static bool
cli_read(struct cli *c)
{
  if (c->in_len == CLI_INPUT)
    return true; /* asking for nothing would look like the end */

  ssize_t n = recv(c->watch->fd, c->in + c->in_len, CLI_INPUT - c->in_len, MSG_DONTWAIT);

  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  c->eof = n == 0;
  c->in_len += n;
  return true;
}

static void
cli_update_events(struct cli *c)
{
  bool reading = !c->eof && c->in_len < CLI_INPUT;
  bool writing = c->out_pos < c->out_len;

  fd_watch_events(c->watch, (reading ? FD_READ : 0) | (writing ? FD_WRITE : 0));
}

static bool
has_room(const struct cli *c)
{
  return c->out_len - c->out_pos < CLI_ROOM;
}

/* Everything a session can do now. True: call again, there is more and others should have their turn. */
static bool
cli_work(struct work *w UNUSED, void *data)
{
  struct cli *c = data;
  uint done = 0;

  /* Who does not read replies gets no more of them. */
  while (!c->busy && !c->closing && has_room(c) && done < CLI_COMMANDS_A_ROUND && run_next(c))
    done++;

  bool echo_left = echo_lines(c);
  bool blocked = !has_room(c);

  if (!cli_flush(c))
  {
    cli_leave(c);
    return false;
  }
  if (c->room_hook && has_room(c))
  {
    void (*hook)(struct cli *, void *) = c->room_hook;

    c->room_hook = NULL;
    hook(c, c->room_data);
  }
  if (c->out_pos == c->out_len && !c->busy && (c->closing || (c->eof && c->in_pos == c->in_len)))
  {
    cli_leave(c);
    return false;
  }
  cli_update_events(c);
  return done == CLI_COMMANDS_A_ROUND || (blocked && has_room(c)) || (echo_left && has_echo_room(c));
}

static void
cli_ready(struct fd_watch *w UNUSED, uint ready, void *data)
{
  struct cli *c = data;

  /* Readable although we did not ask: the client hung up for good. */
  bool gone = (ready & FD_READ) && !(c->watch->events & FD_READ);

  if (gone || ((ready & FD_READ) && !cli_read(c)))
    cli_leave(c);
  else
    work_schedule(c->work);
}

struct cli_server
{
  struct resource r;
  pool *pool;     /* its own */
  pool *sessions; /* where those hang */
  char *path;
  bool restricted;
  struct loop *loop;
  struct fd_watch *watch;
  struct timer *pause;
  struct config *(*get_config)(void);
};

static void
cli_new(struct cli_server *server, int fd)
{
  struct cli *c = res_new(server->sessions, &cli_class);

  c->pool = pool_new(NULL, "Control session");
  c->number = ++cli.count;
  c->get_config = server->get_config;
  c->restricted = server->restricted;
  c->in = mb_alloc(c->pool, CLI_INPUT);
  c->watch = fd_watch_new(c->pool, server->loop, fd, FD_READ, LOOP_CLI, cli_ready, c);
  c->work = work_new(c->pool, server->loop, LOOP_CLI, cli_work, c);
  if (c->get_config()->debug_commands >= 1)
    log_write(L_TRACE, "Control session %u opened on %s", c->number, server->path);
  cli_end(c, 1, "BIRD " BIRD_VERSION " ready.");
}

static void
server_ready(struct fd_watch *w, uint ready UNUSED, void *data)
{
  struct cli_server *server = data;
  int fd = control_accept(w->fd);

  if (fd >= 0)
    cli_new(server, fd);
  else if (fd != -EAGAIN)
  {
    /* No descriptors left, say. The client goes on waiting, and would wake us all the time. */
    fd_watch_events(w, 0);
    timer_set_in(server->pause, ACCEPT_PAUSE);
  }
}

static void
server_resume(struct timer *t UNUSED, void *data)
{
  fd_watch_events(((struct cli_server *) data)->watch, FD_READ);
}

static void
server_free(struct resource *r)
{
  struct cli_server *server = (struct cli_server *) r;

  unlink(server->path);
  rfree(server->pool);
}

static const struct resource_class server_class = { .name = "Control socket",
                                                    .size = sizeof(struct cli_server),
                                                    .free = server_free };

struct cli_server *
cli_listen(pool *p, struct loop *l, const char *path, bool restricted, struct config *(*get_config)(void),
           int *error)
{
  int fd = control_listen_open(path, CONTROL_MODE);

  if (fd < 0)
  {
    *error = -fd;
    return NULL;
  }

  struct cli_server *server = res_new(p, &server_class);

  server->pool = pool_new(NULL, "Control socket");
  server->sessions = p;
  server->path = mb_strdup(server->pool, path);
  server->restricted = restricted;
  server->loop = l;
  server->get_config = get_config;
  server->pause = timer_new(server->pool, l, server_resume, server);
  server->watch = fd_watch_new(server->pool, l, fd, FD_READ, LOOP_CLI, server_ready, server);
  return server;
}

/* Commands for the clients */

#define COMMAND(words, args, help) { words, args, help },
static const struct cli_command commands[] = {
#include "commands-list.h"
};
#undef COMMAND

const struct cli_command *
cli_commands(uint *count)
{
  *count = ARRAY_SIZE(commands);
  return commands;
}
