/*
 * client/plain.c: front end for plain standard input
 *
 * Lines come from a terminal, a pipe or a file. What does not come from a terminal is echoed, so that a
 * captured session shows which command each reply belongs to.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "client/plain.h"

#define PLAIN_LINE_MAX 65536

struct plain
{
  struct client *c;
  bool echo, eof;
  size_t used; /* bytes read and not yet taken as lines */
  char bytes[PLAIN_LINE_MAX];
};

static void
plain_prompt_hide(struct client *c UNUSED)
{
  putchar('\n');
}

static void
plain_prompt_show(struct client *c)
{
  if (c->prompt_shown)
    return;
  fputs(CLIENT_PROMPT, stdout);
  fflush(stdout);
  c->prompt_shown = true;
}

/* Read from standard input; false, after a message, if that can lead nowhere. */
static bool
plain_read(struct plain *f)
{
  ssize_t n = read(STDIN_FILENO, f->bytes + f->used, sizeof(f->bytes) - 1 - f->used);

  if (n < 0 && errno != EINTR && errno != EAGAIN)
  {
    perror("Cannot read standard input");
    return false;
  }
  if (!n)
    f->eof = true;
  if (n > 0)
    f->used += n;
  if (f->used == sizeof(f->bytes) - 1 && !memchr(f->bytes, '\n', f->used))
  {
    fprintf(stderr, "Command longer than %d bytes\n", PLAIN_LINE_MAX - 2);
    return false;
  }
  return true;
}

/*
 * Is there a line to take? It gets terminated, and @len is what to remove after use. At EOF the rest is one.
 */
static bool
plain_line(struct plain *f, size_t *len)
{
  char *newline = memchr(f->bytes, '\n', f->used);

  if (!newline && !(f->eof && f->used))
    return false;
  if (!newline)
    newline = f->bytes + f->used++; /* plain_read() leaves a byte for this */
  *newline = 0;
  *len = newline + 1 - f->bytes;
  return true;
}

/* Wait until a line has come or input ends, printing what the daemon says meanwhile. */
static bool
plain_wait(struct plain *f, size_t *len)
{
  while (!plain_line(f, len) && !f->eof)
  {
    struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = f->c->fd, .events = POLLIN } };

    plain_prompt_show(f->c);
    if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
      continue;
    if (fds[1].revents && !client_receive(f->c))
      return false;
    if (fds[0].revents && !plain_read(f))
      return false;
  }
  return true;
}

int
plain_run(struct client *c)
{
  struct plain f = { .c = c, .echo = !isatty(STDIN_FILENO) };

  c->prompt_hide = plain_prompt_hide;
  for (;;)
  {
    size_t len = 0;
    if (!plain_wait(&f, &len))
      return 1;
    plain_prompt_show(c);
    c->prompt_shown = false;
    if (!len)
    {
      putchar('\n');
      return 0;
    }

    if (f.echo)
      puts(f.bytes);
    enum client_step step = client_enter(c, f.bytes);
    fflush(stdout);
    if (step == CLIENT_QUIT)
      return 0;
    if (step == CLIENT_SENT && !client_wait(c))
      return 1;
    memmove(f.bytes, f.bytes + len, f.used -= len);
  }
}
