/*
 * lib/slab.h: many objects of one size, without a word of overhead each
 *
 * Objects come zeroed. Freeing the slab, or its pool, frees all of them; blocks that become empty go back to
 * the system, but for one.
 */
#ifndef PEREGRINE_LIB_SLAB_H
#define PEREGRINE_LIB_SLAB_H

#include "lib/pool.h"

struct slab; /* a resource */

struct slab *slab_new(pool *p, size_t object_size);
void *slab_alloc(struct slab *s);
void slab_free(struct slab *s, void *object);

/* Bytes in objects handed out. */
size_t slab_used(const struct slab *s);

#endif
