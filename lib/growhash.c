/* lib/growhash.c: see growhash.h. The slot of a node is given by the upper bits of its hash. */
#include "lib/growhash.h"

#define FIRST_ORDER 6
#define LAST_ORDER 28
#define MOVE_STEP 4 /* old slots for each addition: growing ends long before the table is full again */

static struct gnode **
slots_new(pool *p, uint order)
{
  return mb_alloc(p, sizeof(struct gnode *) << order);
}

void
growhash_init(struct growhash *h, pool *p, u32 (*hash)(const struct gnode *n))
{
  *h = (struct growhash){ .pool = p, .hash = hash, .order = FIRST_ORDER };
  h->slots = slots_new(p, h->order);
}

static struct gnode **
slot(const struct growhash *h, u32 hash)
{
  if (h->old && hash >> (33 - h->order) >= h->moved)
    return &h->old[hash >> (33 - h->order)];
  return &h->slots[hash >> (32 - h->order)];
}

struct gnode *
growhash_chain(const struct growhash *h, u32 hash)
{
  return *slot(h, hash);
}

static void
push(struct gnode **s, struct gnode *n)
{
  n->next = *s;
  *s = n;
}

static void
move_some(struct growhash *h)
{
  u32 end = 1u << (h->order - 1);

  for (int i = 0; i < MOVE_STEP && h->moved < end; i++)
  {
    struct gnode *n = h->old[h->moved++], *next;

    for (; n; n = next)
    {
      next = n->next;
      push(slot(h, h->hash(n)), n);
    }
  }
  if (h->moved < end)
    return;
  mb_free(h->old);
  h->old = NULL;
}

static void
grow(struct growhash *h)
{
  h->old = h->slots;
  h->moved = 0;
  h->slots = slots_new(h->pool, ++h->order);
}

void
growhash_add(struct growhash *h, struct gnode *n)
{
  if (h->old)
    move_some(h);
  else if (h->count >= 1u << h->order && h->order < LAST_ORDER)
    grow(h);
  push(slot(h, h->hash(n)), n);
  h->count++;
}

void
growhash_remove(struct growhash *h, struct gnode *n)
{
  struct gnode **s = slot(h, h->hash(n));

  while (*s != n)
    s = &(*s)->next;
  *s = n->next;
  n->next = NULL;
  h->count--;
}

/* The end of the range of hashes that share the slot of @pos; 0 means the end of all. */
static u32
range_end(const struct growhash *h, u32 pos)
{
  uint shift = h->old && pos >> (33 - h->order) >= h->moved ? 33 - h->order : 32 - h->order;

  return ((pos >> shift) + 1) << shift;
}

bool
growhash_walk(struct growhash *h, u32 *pos, void (*visit)(struct gnode *n, void *data), void *data)
{
  u32 begin = *pos, end = range_end(h, begin);
  struct gnode *n = growhash_chain(h, begin), *next;

  *pos = end;
  for (; n; n = next)
  {
    next = n->next;
    visit(n, data);
  }
  return end != 0;
}
