/*
 * lib/wheel.h: hierarchical timing wheel
 *
 * Absolute deadlines in microseconds; adding, moving and removing are O(1). An entry is never handed out
 * before its deadline. Granules of 64 us in four levels of 256 slots reach 76 hours; what lies further waits
 * in the last level and is looked at again on the way. Pure: the caller says what time it is.
 */
#ifndef PEREGRINE_LIB_WHEEL_H
#define PEREGRINE_LIB_WHEEL_H

#include "lib/list.h"

#define WHEEL_GRANULE_BITS 6 /* 64 us */
#define WHEEL_SLOT_BITS 8
#define WHEEL_SLOTS (1 << WHEEL_SLOT_BITS)
#define WHEEL_LEVELS 4

struct wheel_entry
{
  struct node n;
  btime deadline;
};

struct wheel
{
  u64 pos;                                  /* granule up to which (exclusive) every slot has been emptied */
  u64 used[WHEEL_LEVELS][WHEEL_SLOTS / 64]; /* may name a slot that has become empty; never misses one */
  struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
  btime soonest[WHEEL_SLOTS]; /* of the finest level: no deadline there is earlier; meant only where one is */
};

void wheel_init(struct wheel *w, btime now);

/* Put @e at @deadline; it moves if it was in the wheel already. */
void wheel_set(struct wheel *w, struct wheel_entry *e, btime deadline);

/* Take @e out of the wheel, or out of the list of due ones it waits in; harmless when it is in neither. */
static inline void
wheel_unset(struct wheel_entry *e)
{
  list_remove(&e->n);
}

static inline bool
wheel_is_set(const struct wheel_entry *e)
{
  return node_linked(&e->n);
}

/* Take out all entries due at @now and append them to @due in any order (linked by wheel_entry.n, deadlines
 * kept). */
void wheel_advance(struct wheel *w, btime now, struct list *due);

/*
 * When to call wheel_advance() next: never later than the earliest deadline, possibly earlier (a far entry
 * moves to a finer level then, or one that was the earliest has been taken out). BT_NEVER when empty.
 */
btime wheel_next(struct wheel *w);

#endif
