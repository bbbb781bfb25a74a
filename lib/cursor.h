/*
 * lib/cursor.h: reading and writing bytes without running past the end
 *
 * A cursor that failed stays failed and yields zeros; check it once, at the end. Integers are in network
 * order.
 */
#ifndef PEREGRINE_LIB_CURSOR_H
#define PEREGRINE_LIB_CURSOR_H

#include <string.h>

#include "lib/types.h"

struct rcur
{
  const byte *pos, *end;
  bool bad;
};

struct wcur
{
  byte *pos, *end;
  bool bad;
};

static inline struct rcur
rcur_init(const byte *data, size_t size)
{
  return (struct rcur){ data, data + size, false };
}

static inline const byte *
rcur_take(struct rcur *c, size_t n)
{
  if (n > (size_t) (c->end - c->pos))
    c->bad = true;
  if (c->bad)
    return NULL;
  c->pos += n;
  return c->pos - n;
}

static inline u8
rcur_u8(struct rcur *c)
{
  const byte *p = rcur_take(c, 1);

  return p ? p[0] : 0;
}

static inline u32
rcur_u32(struct rcur *c)
{
  const byte *p = rcur_take(c, 4);

  return p ? (u32) p[0] << 24 | (u32) p[1] << 16 | (u32) p[2] << 8 | p[3] : 0;
}

static inline struct wcur
wcur_init(byte *data, size_t size)
{
  return (struct wcur){ data, data + size, false };
}

static inline byte *
wcur_take(struct wcur *c, size_t n)
{
  if (n > (size_t) (c->end - c->pos))
    c->bad = true;
  if (c->bad)
    return NULL;
  c->pos += n;
  return c->pos - n;
}

static inline void
wcur_u8(struct wcur *c, u8 v)
{
  byte *p = wcur_take(c, 1);

  if (p)
    p[0] = v;
}

static inline void
wcur_u32(struct wcur *c, u32 v)
{
  byte *p = wcur_take(c, 4);

  if (p)
  {
    p[0] = v >> 24;
    p[1] = v >> 16;
    p[2] = v >> 8;
    p[3] = v;
  }
}

#endif
