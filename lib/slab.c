/*
 * lib/slab.c: see slab.h
 *
 * A block is aligned to its size, so that an object finds its block by its address. malloc() would pay for
 * that with as much memory again, so blocks come from the system. AddressSanitizer knows nothing of them and
 * is told what is in use.
 */
#include <string.h>
#include <sys/mman.h>

#include "lib/slab.h"

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size) ((void) (addr))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void) (addr))
#endif

#define BLOCK_SIZE 65536
#define ALIGNMENT 8

struct free_object
{
  struct free_object *next;
};

struct block
{
  struct node n; /* in one of the lists of the slab */
  struct free_object *free;
  uint used;
  uint fresh; /* objects never handed out begin here */
};

struct slab
{
  struct resource r;
  size_t object_size;
  uint per_block;
  struct list partial, full; /* struct block */
  struct block *spare;       /* empty */
  size_t objects, blocks;
};

#define FIRST_OBJECT ((sizeof(struct block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

static struct block *
block_map(void)
{
  char *area = mmap(NULL, 2 * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  ASSERT(area != MAP_FAILED); /* out of memory is the end, as for every allocation */

  size_t before = -(uintptr_t) area % BLOCK_SIZE;

  if (before)
    munmap(area, before);
  munmap(area + before + BLOCK_SIZE, BLOCK_SIZE - before);
  return (struct block *) (area + before);
}

static void
block_unmap(struct block *b)
{
  if (!b)
    return;
  ASAN_UNPOISON_MEMORY_REGION(b, BLOCK_SIZE);
  munmap(b, BLOCK_SIZE);
}

static void
unmap_list(struct list *l)
{
  struct block *b;

  LIST_WALK_SAFE (b, l, n)
    block_unmap(b);
}

static void
slab_destroy(struct resource *r)
{
  struct slab *s = (struct slab *) r;

  unmap_list(&s->partial);
  unmap_list(&s->full);
  block_unmap(s->spare);
}

static size_t
slab_memory(const struct resource *r)
{
  return ((const struct slab *) r)->blocks * BLOCK_SIZE;
}

static const struct resource_class slab_class = {
  .name = "Slab", .size = sizeof(struct slab), .free = slab_destroy, .memory = slab_memory
};

struct slab *
slab_new(pool *p, size_t object_size)
{
  struct slab *s = res_new(p, &slab_class);

  s->object_size = (MAX(object_size, sizeof(struct free_object)) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  s->per_block = (BLOCK_SIZE - FIRST_OBJECT) / s->object_size;
  ASSERT(s->per_block > 0);
  list_init(&s->partial);
  list_init(&s->full);
  return s;
}

static struct block *
block_new(struct slab *s)
{
  struct block *b = s->spare;

  s->spare = NULL;
  if (!b)
  {
    b = block_map();
    s->blocks++;
  }
  *b = (struct block){ 0 };
  ASAN_POISON_MEMORY_REGION(b + 1, BLOCK_SIZE - sizeof(*b));
  list_add_tail(&s->partial, &b->n);
  return b;
}

void *
slab_alloc(struct slab *s)
{
  struct node *first = list_first(&s->partial);
  struct block *b = first ? SKIP_BACK(struct block, n, first) : block_new(s);
  void *object = b->free;

  if (!object)
    object = (char *) b + FIRST_OBJECT + b->fresh++ * s->object_size;
  ASAN_UNPOISON_MEMORY_REGION(object, s->object_size);
  if (b->free)
    b->free = b->free->next;
  s->objects++;
  if (++b->used == s->per_block)
  {
    list_remove(&b->n);
    list_add_tail(&s->full, &b->n);
  }
  return memset(object, 0, s->object_size);
}

void
slab_free(struct slab *s, void *object)
{
  struct block *b = (struct block *) ((uintptr_t) object & ~(uintptr_t) (BLOCK_SIZE - 1));
  struct free_object *f = object;

  if (b->used == s->per_block)
  {
    list_remove(&b->n);
    list_add_tail(&s->partial, &b->n);
  }
  f->next = b->free;
  b->free = f;
  ASAN_POISON_MEMORY_REGION(object, s->object_size);
  s->objects--;
  if (--b->used)
    return;
  list_remove(&b->n);
  if (s->spare)
    s->blocks--;
  block_unmap(s->spare);
  s->spare = b;
}

size_t
slab_used(const struct slab *s)
{
  return s->objects * s->object_size;
}
