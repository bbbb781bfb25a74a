/* lib/hash.c: see hash.h */
#include "lib/hash.h"

#define HASH_MIN_ORDER 4

static struct hnode **
hash_slot(const struct htable *h, u32 hash)
{
  return &h->slots[hash >> (32 - h->order)];
}

void
hash_init(struct htable *h, pool *p)
{
  *h = (struct htable){ .pool = p, .order = HASH_MIN_ORDER };
  h->slots = mb_alloc(p, sizeof(struct hnode *) << h->order);
}

static void
hash_grow(struct htable *h)
{
  struct hnode **old = h->slots;
  uint old_size = 1u << h->order;

  h->order++;
  h->slots = mb_alloc(h->pool, sizeof(struct hnode *) << h->order);
  for (uint i = 0; i < old_size; i++)
    for (struct hnode *n = old[i], *next; n; n = next)
    {
      struct hnode **slot = hash_slot(h, n->hash);

      next = n->next;
      n->next = *slot;
      *slot = n;
    }
  mb_free(old);
}

void
hash_add(struct htable *h, struct hnode *n, u32 hash)
{
  if (h->count >= (1u << h->order) && h->order < 28)
    hash_grow(h);

  struct hnode **slot = hash_slot(h, hash);

  n->hash = hash;
  n->next = *slot;
  *slot = n;
  h->count++;
}

void
hash_remove(struct htable *h, struct hnode *n)
{
  struct hnode **p = hash_slot(h, n->hash);

  while (*p != n)
  {
    ASSERT(*p);
    p = &(*p)->next;
  }
  *p = n->next;
  n->next = NULL;
  h->count--;
}

static struct hnode *
hash_match(struct hnode *n, u32 hash)
{
  while (n && n->hash != hash)
    n = n->next;
  return n;
}

struct hnode *
hash_first(const struct htable *h, u32 hash)
{
  return hash_match(*hash_slot(h, hash), hash);
}

struct hnode *
hash_again(const struct hnode *n)
{
  return hash_match(n->next, n->hash);
}

u32
hash_u64(u64 x)
{
  /* The slot is taken from the top bits; two rounds of multiply and fold bring every input bit there. */
  x = (x ^ (x >> 32)) * 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;
  return x >> 32;
}

u32
hash_text(const char *s)
{
  u64 h = 0;

  for (; *s; s++)
    h = h * 257 + (byte) *s;
  return hash_u64(h);
}
