/*
 * lib/pool.c: see pool.h
 *
 * A pool is itself a resource whose contents are a list. Blocks of plain memory carry a resource header in
 * front of what the caller sees.
 */
#include <malloc.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pool.h"

struct pool
{
  struct resource r;
  struct list inside;
  const char *name;
};

struct block
{
  struct resource r;
  alignas(max_align_t) byte data[];
};

#define LP_CHUNK 4000

struct linpool
{
  struct resource r;
  struct list chunks;
  byte *pos, *end;
};

struct lp_chunk
{
  struct node n;
  alignas(max_align_t) byte data[];
};

void
assert_failed(const char *cond, const char *file, int line)
{
  fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
  abort();
}

static void *
mem_alloc(size_t size)
{
  void *mem = calloc(1, size);

  if (!mem)
  {
    fputs("Out of memory\n", stderr);
    abort();
  }
  return mem;
}

static void
pool_free(struct resource *r)
{
  struct pool *p = (struct pool *) r;

  while (!list_empty(&p->inside))
    rfree(p->inside.ring.prev);
}

static const struct resource_class pool_class = { .name = "Pool",
                                                  .size = sizeof(struct pool),
                                                  .free = pool_free };
static const struct resource_class block_class = { .name = "Block", .size = sizeof(struct block) };

static void
resource_link(pool *p, struct resource *r, const struct resource_class *class)
{
  r->class = class;
  if (p)
    list_add_tail(&p->inside, &r->n);
}

void *
res_new(pool *p, const struct resource_class *class)
{
  struct resource *r = mem_alloc(class->size);

  resource_link(p, r, class);
  return r;
}

pool *
pool_new(pool *parent, const char *name)
{
  struct pool *p = res_new(parent, &pool_class);

  list_init(&p->inside);
  p->name = name;
  return p;
}

void
res_move(void *res, pool *p)
{
  struct resource *r = res;

  list_remove(&r->n);
  resource_link(p, r, r->class);
}

void
rfree(void *res)
{
  struct resource *r = res;

  if (!r)
    return;
  list_remove(&r->n);
  if (r->class->free)
    r->class->free(r);
  free(r);
}

static size_t
linpool_size(const struct resource *r)
{
  const struct linpool *lp = (const struct linpool *) r;
  size_t size = 0;

  for (struct node *n = lp->chunks.ring.next; n != &lp->chunks.ring; n = n->next)
    size += malloc_usable_size(SKIP_BACK(struct lp_chunk, n, n));
  return size;
}

static void
linpool_free(struct resource *r)
{
  struct linpool *lp = (struct linpool *) r;

  while (!list_empty(&lp->chunks))
  {
    struct lp_chunk *c = SKIP_BACK(struct lp_chunk, n, list_first(&lp->chunks));

    list_remove(&c->n);
    explicit_bzero(c, malloc_usable_size(c)); /* a configuration holds passwords */
    free(c);
  }
}

static const struct resource_class linpool_class = {
  .name = "Linpool", .size = sizeof(struct linpool), .free = linpool_free, .memory = linpool_size
};

size_t
pool_size(const pool *p)
{
  size_t size = malloc_usable_size((void *) p);
  struct resource *r;

  LIST_WALK (r, &p->inside, n)
  {
    if (r->class == &pool_class)
      size += pool_size((struct pool *) r);
    else
      size += malloc_usable_size(r);
    if (r->class->memory)
      size += r->class->memory(r);
  }
  return size;
}

void *
mb_alloc(pool *p, size_t size)
{
  struct block *b = mem_alloc(sizeof(struct block) + size);

  resource_link(p, &b->r, &block_class);
  return b->data;
}

void *
mb_realloc(pool *p, void *mem, size_t size)
{
  if (!mem)
    return mb_alloc(p, size);

  struct block *b = SKIP_BACK(struct block, data, mem);

  list_remove(&b->r.n);

  struct block *moved = realloc(b, sizeof(struct block) + size);

  ASSERT(moved);
  resource_link(p, &moved->r, &block_class);
  return moved->data;
}

char *
mb_strdup(pool *p, const char *s)
{
  size_t size = strlen(s) + 1;

  return memcpy(mb_alloc(p, size), s, size);
}

void
mb_free(void *mem)
{
  if (mem)
    rfree(SKIP_BACK(struct block, data, mem));
}

struct linpool *
lp_new(pool *p)
{
  struct linpool *lp = res_new(p, &linpool_class);

  list_init(&lp->chunks);
  return lp;
}

void *
lp_alloc(struct linpool *lp, size_t size)
{
  size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
  if (size > (size_t) (lp->end - lp->pos))
  {
    size_t room = MAX(size, (size_t) LP_CHUNK);
    struct lp_chunk *c = mem_alloc(sizeof(struct lp_chunk) + room);

    list_add_tail(&lp->chunks, &c->n);
    if (size > LP_CHUNK / 2)
      return c->data; /* a chunk of its own; the one in use goes on being filled */
    lp->pos = c->data;
    lp->end = c->data + room;
  }
  lp->pos += size;
  return lp->pos - size;
}

char *
lp_strdup(struct linpool *lp, const char *s)
{
  size_t size = strlen(s) + 1;

  return memcpy(lp_alloc(lp, size), s, size);
}

char *
lp_sprintf(struct linpool *lp, const char *fmt, ...)
{
  va_list args, again;
  char probe[1];

  va_start(args, fmt);
  va_copy(again, args);
  int size = vsnprintf(probe, sizeof(probe), fmt, args) + 1;
  char *text = lp_alloc(lp, size);

  vsnprintf(text, size, fmt, again);
  va_end(again);
  va_end(args);
  return text;
}

void *
msg_alloc(size_t size)
{
  return mem_alloc(size);
}

void
msg_free(void *msg)
{
  free(msg);
}
