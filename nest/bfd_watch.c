/* nest/bfd_watch.c: see bfd_watch.h */
#include "nest/bfd_watch.h"

struct bfd_watch
{
  struct resource r;
  struct node n;
  bfd_watch_hook *hook;
  void *data;
};

static struct
{
  struct list watches;
  u32 generation;
} watching;

void
bfd_watch_init(void)
{
  list_init(&watching.watches);
}

static void
watch_free(struct resource *r)
{
  list_remove(&((struct bfd_watch *) r)->n);
}

static const struct resource_class watch_class = { .name = "BFD watch",
                                                   .size = sizeof(struct bfd_watch),
                                                   .free = watch_free };

struct bfd_watch *
bfd_watch_new(pool *p, bfd_watch_hook *hook, void *data)
{
  struct bfd_watch *w = res_new(p, &watch_class);
  struct bfd_provider *pv;

  w->hook = hook;
  w->data = data;
  list_add_tail(&watching.watches, &w->n);
  watching.generation++;
  LIST_WALK (pv, bfd_providers(), n)
    if (pv->ops->announce)
      pv->ops->announce(pv);
  return w;
}

u32
bfd_watch_generation(void)
{
  return list_empty(&watching.watches) ? 0 : watching.generation;
}

void
bfd_watch_tell(const struct bfd_news *news)
{
  struct bfd_watch *w;

  LIST_WALK_SAFE (w, &watching.watches, n)
    w->hook(news, w->data);
}

/* Details */

static void
inspection_free(struct resource *r)
{
  list_remove(&((struct bfd_inspection *) r)->n);
}

static const struct resource_class inspection_class = { .name = "BFD inspection",
                                                        .size = sizeof(struct bfd_inspection),
                                                        .free = inspection_free };

bool
bfd_inspect(pool *p, const struct bfd_key *key, bfd_inspect_hook *hook, void *data)
{
  struct bfd_inspection *q = res_new(p, &inspection_class);
  struct bfd_provider *pv;

  q->key = *key;
  q->hook = hook;
  q->data = data;
  LIST_WALK (pv, bfd_providers(), n)
    if (pv->ops->inspect && pv->ops->inspect(pv, q))
      return true;
  rfree(q);
  return false;
}

void
bfd_inspection_answer(struct bfd_inspection *q, const struct bfd_details *d)
{
  bfd_inspect_hook *hook = q->hook;
  void *data = q->data;

  rfree(q);
  hook(d, data);
}
