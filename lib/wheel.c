/*
 * lib/wheel.c: see wheel.h
 *
 * Level L holds entries whose granule differs from the position first in the L-th group of 8 bits, counted
 * from below; its slot is those 8 bits. When the position enters a slot of level L > 0, the entries there are
 * set again and fall to finer levels. The slot of the current granule keeps those not yet due.
 */
#include "lib/wheel.h"

static u64
granule_of(btime t)
{
  return t < 0 ? 0 : (u64) t >> WHEEL_GRANULE_BITS;
}

void
wheel_init(struct wheel *w, btime now)
{
  *w = (struct wheel){ .pos = granule_of(now) };
  for (int l = 0; l < WHEEL_LEVELS; l++)
    for (int s = 0; s < WHEEL_SLOTS; s++)
      list_init(&w->slots[l][s]);
}

static int
wheel_level(u64 pos, u64 granule)
{
  u64 differs = pos ^ granule;
  int level = 0;

  while (level < WHEEL_LEVELS - 1 && differs >> (WHEEL_SLOT_BITS * (level + 1)))
    level++;
  return level;
}

static void
wheel_place(struct wheel *w, struct wheel_entry *e)
{
  u64 granule = MAX(granule_of(e->deadline), w->pos);
  u64 reach = ((w->pos >> 24) + WHEEL_SLOTS - 1) << 24; /* the last slot of the last level */

  granule = MIN(granule, reach);

  int level = wheel_level(w->pos, granule);
  uint slot = granule >> (WHEEL_SLOT_BITS * level) & (WHEEL_SLOTS - 1);

  if (level == 0)
    w->soonest[slot] = list_empty(&w->slots[0][slot]) ? e->deadline : MIN(w->soonest[slot], e->deadline);
  list_add_tail(&w->slots[level][slot], &e->n);
  w->used[level][slot / 64] |= 1ull << (slot % 64);
}

void
wheel_set(struct wheel *w, struct wheel_entry *e, btime deadline)
{
  wheel_unset(e);
  e->deadline = deadline;
  wheel_place(w, e);
}

/* The first slot at or after @from in @level that holds something, or -1. Slots found empty are forgotten. */
static int
wheel_find(struct wheel *w, int level, uint from)
{
  for (uint i = from / 64; i < WHEEL_SLOTS / 64; i++)
  {
    u64 bits = w->used[level][i];

    if (i == from / 64)
      bits &= ~0ull << (from % 64);
    while (bits)
    {
      uint slot = i * 64 + __builtin_ctzll(bits);

      if (!list_empty(&w->slots[level][slot]))
        return slot;
      w->used[level][i] &= ~(1ull << (slot % 64));
      bits &= bits - 1;
    }
  }
  return -1;
}

/*
 * The slot in use that starts first at or after the position, and its level; of two that start together the
 * coarser one, whose entries may turn out to be the earlier. On the last level slots wrap: those before the
 * position there belong to the next turn.
 */
static bool
wheel_next_slot(struct wheel *w, u64 *start, int *level)
{
  u64 first = UINT64_MAX;

  for (int l = 0; l < WHEEL_LEVELS; l++)
  {
    int shift = WHEEL_SLOT_BITS * l;
    uint here = w->pos >> shift & (WHEEL_SLOTS - 1);
    u64 base = w->pos >> (shift + WHEEL_SLOT_BITS) << (shift + WHEEL_SLOT_BITS);
    int slot = wheel_find(w, l, here);

    if (slot < 0 && l == WHEEL_LEVELS - 1)
    {
      slot = wheel_find(w, l, 0);
      base += 1ull << (shift + WHEEL_SLOT_BITS);
    }
    if (slot >= 0 && base + ((u64) slot << shift) <= first)
    {
      first = base + ((u64) slot << shift);
      *level = l;
    }
  }
  *start = first;
  return first != UINT64_MAX;
}

/* Take the entries of one slot out: due ones to @due, the others back to where they belong now. */
static void
wheel_empty_slot(struct wheel *w, int level, btime now, struct list *due)
{
  struct list *slot = &w->slots[level][w->pos >> (WHEEL_SLOT_BITS * level) & (WHEEL_SLOTS - 1)];
  struct list entries;
  struct wheel_entry *e;

  list_init(&entries);
  list_splice(&entries, slot);
  LIST_WALK_SAFE (e, &entries, n)
  {
    list_remove(&e->n);
    if (e->deadline <= now)
      list_add_tail(due, &e->n);
    else
      wheel_place(w, e);
  }
}

void
wheel_advance(struct wheel *w, btime now, struct list *due)
{
  u64 target = granule_of(now), start;
  int level;

  while (wheel_next_slot(w, &start, &level) && start <= target)
  {
    w->pos = MAX(w->pos, start);
    wheel_empty_slot(w, level, now, due);
    if (level == 0)
    {
      if (w->pos == target)
        return;
      w->pos++;
    }
  }
  w->pos = MAX(w->pos, target);
}

btime
wheel_next(struct wheel *w)
{
  u64 start;
  int level;

  if (!wheel_next_slot(w, &start, &level))
    return BT_NEVER;
  return level > 0 ? (btime) (start << WHEEL_GRANULE_BITS) : w->soonest[start & (WHEEL_SLOTS - 1)];
}
