/*
 * client/reply.h: the control socket's framing, from bytes to lines
 *
 *   NNNN-text   a line of a reply, more follow
 *   <blank>text the same, with the code of the line before
 *   NNNN text   the last line of a reply
 *   +text       a log line, belongs to no reply
 *
 * Pure: bytes go in as they come, in pieces of any size, and events come out; how they were cut makes no
 * difference. One reader per connection.
 */
#ifndef PEREGRINE_CLIENT_REPLY_H
#define PEREGRINE_CLIENT_REPLY_H

#include "lib/types.h"

struct pool;
struct reply_reader;

enum reply_kind
{
  REPLY_LINE,
  REPLY_ASYNC,
  REPLY_BAD /* fits no form: text is the whole line */
};

struct reply_event
{
  enum reply_kind kind;
  uint code;        /* REPLY_LINE only, as the next three */
  bool coded;       /* the line carries its code; otherwise it is inherited */
  bool final;       /* last line of its reply */
  bool cut;         /* the line was longer than the limit and lost its tail; any kind */
  const char *text; /* without code and newline, not terminated, valid during the call */
  size_t len;
};

typedef void reply_hook(const struct reply_event *e, void *data);

/* A reader in pool @p that keeps at most @max_line bytes of a line and skips the rest of it. */
struct reply_reader *reply_new(struct pool *p, size_t max_line);

/* Take @size bytes and call @hook for each line they complete. The hook must not call reply_feed() itself. */
void reply_feed(struct reply_reader *r, const char *bytes, size_t size, reply_hook *hook, void *data);

#endif
