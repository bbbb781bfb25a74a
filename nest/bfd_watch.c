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

/* Totals */

static void
survey_free(struct resource *r)
{
  list_remove(&((struct bfd_survey *) r)->n);
}

static const struct resource_class survey_class = { .name = "BFD survey",
                                                    .size = sizeof(struct bfd_survey),
                                                    .free = survey_free };

uint
bfd_survey(pool *p, bfd_survey_hook *hook, void *data)
{
  struct bfd_provider *pv;
  uint count = 0;

  LIST_WALK (pv, bfd_providers(), n)
    if (pv->ops->survey)
    {
      struct bfd_survey *s = res_new(p, &survey_class);

      s->hook = hook;
      s->data = data;
      s->totals.instance = pv->name;
      pv->ops->survey(pv, s);
      count++;
    }
  return count;
}

void
bfd_survey_answer(struct bfd_survey *s, bool complete)
{
  struct bfd_totals totals = s->totals;
  bfd_survey_hook *hook = s->hook;
  void *data = s->data;

  rfree(s);
  hook(complete ? &totals : NULL, data);
}
