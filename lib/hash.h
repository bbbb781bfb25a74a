/*
 * lib/hash.h: intrusive hash table
 *
 * A node lives inside its owner and remembers its hash; the caller compares keys. Nodes of one hash value are
 * visited by hash_first() and hash_again(). The slot array hangs in the pool given at init and grows with the
 * table; adding may move nodes between slots, so do not add while walking.
 */
#ifndef PEREGRINE_LIB_HASH_H
#define PEREGRINE_LIB_HASH_H

#include "lib/pool.h"

struct hnode
{
  struct hnode *next;
  u32 hash;
};

struct htable
{
  pool *pool;
  struct hnode **slots;
  uint order; /* log2 of the number of slots */
  uint count;
};

void hash_init(struct htable *h, pool *p);
void hash_add(struct htable *h, struct hnode *n, u32 hash);
void hash_remove(struct htable *h, struct hnode *n); /* @n must be in @h */
struct hnode *hash_first(const struct htable *h, u32 hash);
struct hnode *hash_again(const struct hnode *n);

/*
 * Spreads 64 bits over 32; hash_text() is for names. Not keyed: never the only guard against a peer's choice.
 */
u32 hash_u64(u64 x);
u32 hash_text(const char *s);

/* @var is a pointer to the owner type whose member @m is the node; the body may remove @var. */
#define HASH_WALK(var, h, m)                            \
  for (uint i_ = 0; i_ < (1u << (h)->order); i_++)      \
    for (struct hnode *n_ = (h)->slots[i_], *x_ = NULL; \
         n_ && (x_ = n_->next, var = SKIP_BACK(__typeof__(*var), m, n_), true); n_ = x_)

#endif
