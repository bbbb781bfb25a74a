/* client/reply.c: incremental reader of control socket replies */
#include <string.h>

#include "client/reply.h"
#include "lib/pool.h"

#define REPLY_BUFFER_START 1024

struct reply_reader
{
  pool *pool;
  char *line; /* the part of an unfinished line that has come */
  size_t used, size, max;
  bool cut;
  int code; /* of the last line of the reply being read; -1 between replies */
};

struct reply_reader *
reply_new(pool *p, size_t max_line)
{
  struct reply_reader *r = mb_alloc(p, sizeof(*r));

  r->pool = p;
  r->max = max_line;
  r->size = MIN(max_line, (size_t) REPLY_BUFFER_START);
  r->line = mb_alloc(p, r->size);
  r->code = -1;
  return r;
}

/* The code at the start of a line and its separator, or -1. */
static int
parse_code(const char *line, size_t len)
{
  int code = 0;

  if (len < 5 || (line[4] != ' ' && line[4] != '-'))
    return -1;
  for (uint i = 0; i < 4; i++)
  {
    if (line[i] < '0' || line[i] > '9')
      return -1;
    code = code * 10 + (line[i] - '0');
  }
  return code;
}

static void
reply_line(struct reply_reader *r, const char *line, size_t len, reply_hook *hook, void *data)
{
  struct reply_event e = { .kind = REPLY_BAD, .cut = r->cut, .text = line, .len = len };
  int code = parse_code(line, len);
  uint skip = 0;

  if (len && line[0] == '+')
  {
    e.kind = REPLY_ASYNC;
    skip = 1;
  }
  else if (len && line[0] == ' ' && r->code >= 0)
  {
    e.kind = REPLY_LINE;
    e.code = r->code;
    skip = 1;
  }
  else if (code >= 0)
  {
    e.kind = REPLY_LINE;
    e.code = code;
    e.coded = true;
    e.final = line[4] == ' ';
    r->code = e.final ? -1 : code;
    skip = 5;
  }

  e.text += skip;
  e.len -= skip;
  r->cut = false;
  hook(&e, data);
}

/* Keep what fits of an unfinished line. */
static void
reply_keep(struct reply_reader *r, const char *bytes, size_t size)
{
  if (size > r->max - r->used)
  {
    size = r->max - r->used;
    r->cut = true;
  }

  if (size > r->size - r->used)
  {
    r->size = MIN(MAX(r->used + size, r->size * 2), r->max);
    r->line = mb_realloc(r->pool, r->line, r->size);
  }

  memcpy(r->line + r->used, bytes, size);
  r->used += size;
}

void
reply_feed(struct reply_reader *r, const char *bytes, size_t size, reply_hook *hook, void *data)
{
  const char *end = bytes + size, *newline;

  while (bytes < end && (newline = memchr(bytes, '\n', end - bytes)))
  {
    reply_keep(r, bytes, newline - bytes);
    size_t len = r->used;
    r->used = 0;
    reply_line(r, r->line, len, hook, data);
    bytes = newline + 1;
  }
  reply_keep(r, bytes, end - bytes);
}
