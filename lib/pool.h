/*
 * lib/pool.h: resource pools
 *
 * Everything allocated hangs in a pool; freeing a pool frees what hangs in it, youngest first, sub-pools
 * included. A pool and its contents belong to one loop; nothing here locks. Running out of memory ends the
 * program, so allocation never returns NULL. All memory comes zeroed.
 */
#ifndef PEREGRINE_LIB_POOL_H
#define PEREGRINE_LIB_POOL_H

#include "lib/list.h"

struct resource;

/* What a kind of resource does when it is freed; @size counts struct resource, which comes first. */
struct resource_class
{
  const char *name;
  size_t size;
  void (*free)(struct resource *r);           /* may be NULL */
  size_t (*memory)(const struct resource *r); /* what it holds besides itself; may be NULL */
};

struct resource
{
  struct node n;
  const struct resource_class *class;
};

typedef struct pool pool;

/*
 * A pool inside @parent, or a root when @parent is NULL (so with every kind of resource). @name is borrowed.
 */
pool *pool_new(pool *parent, const char *name);

/* Bytes held by @p and everything below it, overhead included. */
size_t pool_size(const pool *p);

/* A zeroed resource of @class in @p. */
void *res_new(pool *p, const struct resource_class *class);

/* From now on it hangs in @p, NULL: in none. Both pools belong to the caller's loop, or are not in use. */
void res_move(void *res, pool *p);

/* Free a pool or any other resource; NULL is ignored. */
void rfree(void *res);

/* Plain memory in a pool: freed with it, or earlier by mb_free(). */
void *mb_alloc(pool *p, size_t size);
void *mb_realloc(pool *p, void *mem, size_t size); /* what grows is not zeroed; mem may be NULL */
char *mb_strdup(pool *p, const char *s);
void mb_free(void *mem);

/* An arena: many small pieces that live and die together (a configuration, one reply). */
struct linpool;
struct linpool *lp_new(pool *p);
void *lp_alloc(struct linpool *lp, size_t size);
char *lp_strdup(struct linpool *lp, const char *s);
char *lp_sprintf(struct linpool *lp, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Memory on its way between loops hangs in no pool: whoever holds the message frees it. Zeroed. */
void *msg_alloc(size_t size);
void msg_free(void *msg);

#endif
