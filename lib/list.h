/* lib/list.h: intrusive doubly linked lists. A node lives inside its owner; the list owns nothing. */
#ifndef PEREGRINE_LIB_LIST_H
#define PEREGRINE_LIB_LIST_H

#include "lib/types.h"

struct node
{
  struct node *prev, *next; /* both NULL while in no list */
};

struct list
{
  struct node ring; /* next is the first item, prev the last */
};

static inline void
list_init(struct list *l)
{
  l->ring.prev = l->ring.next = &l->ring;
}

static inline bool
list_empty(const struct list *l)
{
  return l->ring.next == &l->ring;
}

static inline bool
node_linked(const struct node *n)
{
  return n->next != NULL;
}

static inline void
node_insert_after(struct node *pos, struct node *n)
{
  n->prev = pos;
  n->next = pos->next;
  pos->next->prev = n;
  pos->next = n;
}

static inline void
list_add_tail(struct list *l, struct node *n)
{
  node_insert_after(l->ring.prev, n);
}

/* Unlinking a node that is in no list does nothing. */
static inline void
list_remove(struct node *n)
{
  if (!n->next)
    return;
  n->prev->next = n->next;
  n->next->prev = n->prev;
  n->prev = n->next = NULL;
}

/* Move all of @from behind the last item of @to. */
static inline void
list_splice(struct list *to, struct list *from)
{
  if (list_empty(from))
    return;
  from->ring.next->prev = to->ring.prev;
  to->ring.prev->next = from->ring.next;
  from->ring.prev->next = &to->ring;
  to->ring.prev = from->ring.prev;
  list_init(from);
}

static inline struct node *
list_first(const struct list *l)
{
  return list_empty(l) ? NULL : l->ring.next;
}

/* Walk with @var a pointer to the owner type whose member @m is the node. */
#define LIST_ITEM(type, m, n) SKIP_BACK(type, m, n)
#define LIST_WALK(var, l, m)                                                        \
  for (var = LIST_ITEM(__typeof__(*var), m, (l)->ring.next); &var->m != &(l)->ring; \
       var = LIST_ITEM(__typeof__(*var), m, var->m.next))

/* The same where the body may unlink or free @var (but not its successor). */
#define LIST_WALK_SAFE(var, l, m)             \
  for (struct node *n_ = (l)->ring.next, *x_; \
       x_ = n_->next, var = LIST_ITEM(__typeof__(*var), m, n_), n_ != &(l)->ring; n_ = x_)

#endif
