/*
 * nest/host.c: see host.h
 *
 * Each table with hosts has one reader. The addresses stand in a sorted array, so that the ones inside a
 * network that changed are found by bisection.
 */
#include <string.h>

#include "nest/channel.h"
#include "nest/host.h"

struct host_watch
{
  struct rt_reader reader;
  pool *pool;
  struct rtable *table;
  struct work *work;
  struct rt_host **hosts; /* in order of their addresses */
  u32 count, room;
};

/* IPv4 first: it would stand in the middle of what ::/0 covers otherwise. */
static int
ip_compare(ip_addr a, ip_addr b)
{
  if (ip_is_v4(a) != ip_is_v4(b))
    return ip_is_v4(a) ? -1 : 1;
  for (int i = 0; i < 4; i++)
    if (a.w[i] != b.w[i])
      return a.w[i] < b.w[i] ? -1 : 1;
  return 0;
}

/* The first host not below @ip. */
static u32
find(const struct host_watch *w, ip_addr ip)
{
  u32 low = 0, high = w->count;

  while (low < high)
  {
    u32 middle = low + (high - low) / 2;

    if (ip_compare(w->hosts[middle]->ip, ip) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* True: it changed. */
static bool
resolve(struct rt_host *h)
{
  struct net *n = rt_lookup(h->watch->table, h->ip);
  struct attrs *now = n ? net_best(n)->attrs : NULL, *old = h->attrs;

  if (now && now->recursive) /* or two could hold each other up after what they both came from is gone */
    now = NULL;
  if (now == old)
    return false;
  h->attrs = now ? attrs_ref(now) : NULL;
  attrs_unref(old);
  return true;
}

static void
net_changed(struct host_watch *w, const struct prefix *p)
{
  for (u32 at = find(w, p->addr); at < w->count && prefix_contains(p, w->hosts[at]->ip); at++)
    if (resolve(w->hosts[at]))
      w->hosts[at]->hook(w->hosts[at], w->hosts[at]->data);
}

#define NETS_PER_SLICE 256

static bool
watch_slice(struct work *work UNUSED, void *data)
{
  struct host_watch *w = data;

  for (int i = 0; i < NETS_PER_SLICE; i++)
  {
    struct net *n = rt_reader_next(&w->reader);

    if (!n)
      return false;

    struct net_addr a = net_addr_of(w->table, n);

    net_changed(w, &a.prefix);
  }
  return true;
}

static void
watch_wake(struct rt_reader *r, bool urgent UNUSED)
{
  work_schedule(SKIP_BACK(struct host_watch, reader, r)->work);
}

static struct host_watch *
watch_of(struct rtable *t)
{
  struct rt_reader *r;

  LIST_WALK (r, &t->readers, n)
    if (r->wake == watch_wake)
      return SKIP_BACK(struct host_watch, reader, r);

  struct host_watch *w = mb_alloc(t->pool, sizeof(*w));

  w->pool = t->pool;
  w->table = t;
  w->work = work_new(t->pool, rt_loop(), LOOP_FIRST, watch_slice, w);
  w->reader.wake = watch_wake;
  w->reader.wants = RT_WANTS_BEST;
  rt_reader_add(t, &w->reader);
  return w;
}

/* The reader goes with the last host, or it would have to be fed for nobody. */
static void
host_free(struct resource *r)
{
  struct rt_host *h = (struct rt_host *) r;
  struct host_watch *w = h->watch;
  struct rtable *t = w->table;
  u32 at = find(w, h->ip);

  while (w->hosts[at] != h)
    at++;
  memmove(w->hosts + at, w->hosts + at + 1, (--w->count - at) * sizeof(*w->hosts));
  attrs_unref(h->attrs);
  if (!w->count)
  {
    rt_reader_remove(&w->reader);
    rfree(w->work);
    mb_free(w->hosts);
    mb_free(w);
  }
  rt_unlock(t);
}

static const struct resource_class host_class = { .name = "Recursive next hop",
                                                  .size = sizeof(struct rt_host),
                                                  .free = host_free };

struct rt_host *
rt_host_new(pool *p, struct rtable *t, ip_addr ip, void (*hook)(struct rt_host *h, void *data), void *data)
{
  struct rt_host *h = res_new(p, &host_class);
  struct host_watch *w = watch_of(t);
  u32 at = find(w, ip);

  rt_lock(t);
  h->watch = w;
  h->ip = ip;
  h->hook = hook;
  h->data = data;
  if (w->count == w->room)
  {
    w->room = MAX(16, w->room * 2);
    w->hosts = mb_realloc(w->pool, w->hosts, w->room * sizeof(*w->hosts));
  }
  memmove(w->hosts + at + 1, w->hosts + at, (w->count++ - at) * sizeof(*w->hosts));
  w->hosts[at] = h;
  resolve(h);
  return h;
}

uint
rt_host_nexthops(const struct rt_host *h, struct nexthop *hops)
{
  uint count = h->attrs && h->attrs->dest == RTD_UNICAST ? h->attrs->nexthop_count : 0;

  for (uint i = 0; i < count; i++)
  {
    hops[i] = h->attrs->nexthops[i];
    if (ip_is_none(hops[i].via))
      hops[i].via = h->ip;
  }
  return count;
}
