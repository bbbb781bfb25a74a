/* nest/password.c: see password.h */
#include <string.h>
#include <time.h>

#include "nest/password.h"

static void
list_free(struct resource *r)
{
  struct password_list *l = (struct password_list *) r;

  for (uint i = 0; i < l->count; i++)
  {
    explicit_bzero(l->list[i].secret, l->list[i].length);
    mb_free(l->list[i].secret);
  }
  mb_free(l->list);
}

static size_t
list_memory(const struct resource *r)
{
  const struct password_list *l = (const struct password_list *) r;

  return l->count * sizeof(*l->list);
}

static const struct resource_class list_class = {
  .name = "Passwords", .size = sizeof(struct password_list), .free = list_free, .memory = list_memory
};

struct password_list *
password_list_new(pool *p)
{
  return res_new(p, &list_class);
}

struct password *
password_add(struct password_list *l, const byte *secret, uint length)
{
  static const struct password_time always = { 0, BT_NEVER };

  l->list = mb_realloc(NULL, l->list, (l->count + 1) * sizeof(*l->list));

  struct password *pw = &l->list[l->count++];

  *pw = (struct password){ .length = length, .id = l->count, .generate = always, .accept = always };
  pw->secret = memcpy(mb_alloc(NULL, length + 1), secret, length);
  return pw;
}

struct password_list *
password_list_copy(pool *p, const struct password_list *from)
{
  struct password_list *l = password_list_new(p);

  for (uint i = 0; i < from->count; i++)
  {
    const struct password *f = &from->list[i];
    struct password *pw = password_add(l, f->secret, f->length);

    pw->id = f->id;
    pw->generate = f->generate;
    pw->accept = f->accept;
  }
  return l;
}

static bool
time_equal(const struct password_time *a, const struct password_time *b)
{
  return a->from == b->from && a->to == b->to;
}

static bool
password_equal(const struct password *a, const struct password *b)
{
  return a->id == b->id && a->length == b->length && memcmp(a->secret, b->secret, a->length) == 0 &&
         time_equal(&a->generate, &b->generate) && time_equal(&a->accept, &b->accept);
}

bool
password_list_equal(const struct password_list *a, const struct password_list *b)
{
  uint count = a ? a->count : 0;
  bool equal = count == (b ? b->count : 0);

  for (uint i = 0; equal && i < count; i++)
    equal = password_equal(&a->list[i], &b->list[i]);
  return equal;
}

bool
password_is_valid(const struct password_time *t, btime wall)
{
  return t->from <= wall && wall < t->to;
}

const struct password *
password_to_sign(const struct password_list *l, uint longest, btime wall)
{
  const struct password *best = NULL;

  for (uint i = 0; i < l->count; i++)
  {
    const struct password *pw = &l->list[i];

    if (pw->length <= longest && password_is_valid(&pw->generate, wall) &&
        (!best || pw->generate.from > best->generate.from))
      best = pw;
  }
  return best;
}

static btime
change_after(const struct password_time *t, btime wall)
{
  if (t->from > wall)
    return t->from;
  return t->to > wall ? t->to : BT_NEVER;
}

btime
password_next_change(const struct password_list *l, btime wall)
{
  btime next = BT_NEVER;

  for (uint i = 0; i < l->count; i++)
  {
    next = MIN(next, change_after(&l->list[i].generate, wall));
    next = MIN(next, change_after(&l->list[i].accept, wall));
  }
  return next;
}

/*
 * mktime() for threads: it reads the time zone anew each time, under a lock that no sanitizer sees. In the
 * hour that a change of the clocks leaves out or repeats either meaning will do.
 */
static time_t
local_time(const struct tm *tm)
{
  struct tm copy = *tm, there;
  time_t as_utc = timegm(&copy), t = as_utc;

  for (int i = 0; i < 2; i++)
    t = as_utc - localtime_r(&t, &there)->tm_gmtoff;
  return t;
}

bool
password_time_parse(const char *text, btime *wall)
{
  struct tm tm = { 0 };
  const char *rest = strptime(text, "%Y-%m-%d", &tm);

  if (rest && *rest)
    rest = strptime(rest, " %H:%M:%S", &tm);
  if (!rest || *rest)
    return false;

  struct tm norm = tm;

  timegm(&norm);
  if (norm.tm_mday != tm.tm_mday) /* the 30th of February */
    return false;
  *wall = BT_S(local_time(&tm));
  return true;
}
