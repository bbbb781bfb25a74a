/* proto/monitor/frame.c: see frame.h */
#include <string.h>

#include "proto/monitor/frame.h"

static bool
is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks before an object, and what is left of a line that was refused. */
static size_t
skip(struct mon_framer *f, const char *data, size_t size)
{
  size_t i = 0;

  for (; i < size && (f->skipping || is_blank(data[i])); i++)
    if (data[i] == '\n')
      f->skipping = false;
  return i;
}

enum step
{
  GO_ON,
  COMPLETE,
  WRONG,
  UNCLOSED, /* on a new line another object begins where none can */
  TOO_DEEP
};

static enum step
step_quoted(struct mon_framer *f, char c)
{
  if ((byte) c < ' ')
    return WRONG; /* RFC 8259 section 7: these are written as escapes */
  if (!f->escaped && c == '"')
  {
    f->quoted = false;
    f->last = c;
  }
  f->escaped = !f->escaped && c == '\\';
  return GO_ON;
}

static enum step
step(struct mon_framer *f, char c)
{
  if (f->quoted)
    return step_quoted(f, c);
  if (is_blank(c))
  {
    f->new_line |= c == '\n';
    return GO_ON;
  }
  if (c == '"')
    f->quoted = true;
  if (c == '{' && f->depth && !strchr(":[,", f->last))
    return f->new_line ? UNCLOSED : WRONG;
  f->new_line = false;
  if ((c == '{' || c == '[') && ++f->depth > MON_DEPTH_MAX)
    return TOO_DEEP;
  f->last = c;
  if (c == '}' || c == ']')
    return --f->depth ? GO_ON : COMPLETE;
  return (byte) c < ' ' ? WRONG : GO_ON;
}

/* The object is refused, and with it what is left of its line. */
static void
refuse(struct mon_framer *f)
{
  *f = (struct mon_framer){ .skipping = true };
}

enum mon_frame
mon_frame_next(struct mon_framer *f, const char *data, size_t size, size_t *begin, size_t *end)
{
  size_t start = f->seen ? 0 : skip(f, data, size), i = start + f->seen;
  enum step s = GO_ON;

  *begin = *end = start;
  if (i < size && !f->seen && data[i] != '{')
  {
    refuse(f);
    return MON_FRAME_SYNTAX;
  }
  size = MIN(size, start + MON_FRAME_MAX);
  while (i < size && s == GO_ON)
    s = step(f, data[i++]);
  *end = i;
  if (s == GO_ON)
  {
    f->seen = i - start;
    if (f->seen < MON_FRAME_MAX)
      return MON_FRAME_NONE;
    refuse(f);
    return MON_FRAME_LONG;
  }
  if (s == COMPLETE || s == UNCLOSED)
    *f = (struct mon_framer){ 0 };
  else
    refuse(f);
  if (s == UNCLOSED)
    --*end;
  if (s == WRONG && data[i - 1] == '\n')
    f->skipping = false;
  return s == COMPLETE ? MON_FRAME_OBJECT : s == TOO_DEEP ? MON_FRAME_DEEP : MON_FRAME_SYNTAX;
}
