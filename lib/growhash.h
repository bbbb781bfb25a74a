/*
 * lib/growhash.h: intrusive hash table for millions of nodes
 *
 * It grows a few slots with each addition, so that no single call takes long, and does not store hashes: a
 * function computes them. Nodes stand in the order of their hashes as far as slots tell them apart, so a walk
 * is a position in the space of hashes: it survives additions, removals and growth between its steps, visits
 * what was there all the time exactly once, and what came or went meanwhile at most once.
 */
#ifndef PEREGRINE_LIB_GROWHASH_H
#define PEREGRINE_LIB_GROWHASH_H

#include "lib/pool.h"

struct gnode
{
  struct gnode *next;
};

struct growhash
{
  pool *pool;
  u32 (*hash)(const struct gnode *n);
  struct gnode **slots,
      **old;  /* while growing, slots of @old below `moved` are empty and not used any more */
  uint order; /* log2 of the number of slots; @old has half as many */
  u32 moved;
  u32 count;
};

void growhash_init(struct growhash *h, pool *p, u32 (*hash)(const struct gnode *n));
void growhash_add(struct growhash *h, struct gnode *n);
void growhash_remove(struct growhash *h, struct gnode *n); /* @n must be in @h */

/* First of the nodes that may have this hash; go on with ->next. */
struct gnode *growhash_chain(const struct growhash *h, u32 hash);

/*
 * A step of a walk: the nodes of one slot from @pos on (zero at first), each handed to @visit, which may
 * remove and free that node but add none. False: that was the last one.
 */
bool growhash_walk(struct growhash *h, u32 *pos, void (*visit)(struct gnode *n, void *data), void *data);

#endif
