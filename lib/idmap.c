/* lib/idmap.c: see idmap.h. A set bit is a number in use. */
#include <string.h>

#include "lib/idmap.h"

#define FIRST_SIZE 16

void
idmap_init(struct idmap *m, pool *p)
{
  *m = (struct idmap){ .pool = p, .size = FIRST_SIZE, .words = mb_alloc(p, FIRST_SIZE * sizeof(u64)) };
}

static void
double_size(struct idmap *m)
{
  m->words = mb_realloc(m->pool, m->words, 2 * m->size * sizeof(u64));
  memset(m->words + m->size, 0, m->size * sizeof(u64));
  m->size *= 2;
}

u32
idmap_take(struct idmap *m)
{
  while (m->hint < m->size && !~m->words[m->hint])
    m->hint++;
  if (m->hint == m->size)
    double_size(m);

  uint bit = __builtin_ctzll(~m->words[m->hint]);

  m->words[m->hint] |= (u64) 1 << bit;
  return m->hint * 64 + bit;
}

void
idmap_give(struct idmap *m, u32 id)
{
  m->words[id / 64] &= ~((u64) 1 << id % 64);
  m->hint = MIN(m->hint, id / 64);
}
