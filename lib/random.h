/*
 * lib/random.h: a small generator for jitter and ports; not for secrets
 *
 * The state is the caller's, so that tests can fix the sequence. Seed it from random_seed() (the kernel's) in
 * real use.
 */
#ifndef PEREGRINE_LIB_RANDOM_H
#define PEREGRINE_LIB_RANDOM_H

#include "lib/types.h"

struct rng
{
  u64 state;
};

static inline u32
rng_u32(struct rng *r)
{
  /* An additive sequence behind a mixing function: any state, zero included, starts a full period. */
  u64 z = r->state += 0x9e3779b97f4a7c15ull;

  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return (z ^ (z >> 31)) >> 32;
}

/* Uniform over [0, limit), without modulo bias worth speaking of; 0 when @limit is 0. */
static inline u32
rng_below(struct rng *r, u32 limit)
{
  return (u64) rng_u32(r) * limit >> 32;
}

#endif
