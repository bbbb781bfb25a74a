/* lib/idmap.h: small numbers handed out and taken back, the lowest free one first (more or less) */
#ifndef PEREGRINE_LIB_IDMAP_H
#define PEREGRINE_LIB_IDMAP_H

#include "lib/pool.h"

struct idmap
{
  pool *pool;
  u64 *words;
  u32 size; /* of words */
  u32 hint; /* no word below it has a free bit */
};

void idmap_init(struct idmap *m, pool *p);
u32 idmap_take(struct idmap *m);
void idmap_give(struct idmap *m, u32 id);

#endif
