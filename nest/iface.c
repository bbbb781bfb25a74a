/* nest/iface.c: see iface.h */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "nest/iface.h"

struct iface_watch
{
  struct resource r;
  struct node n;
  void (*hook)(const struct iface *i, void *data);
  void *data;
};

static struct
{
  pool *pool;
  struct list ifaces;
  struct list watches;
  const struct iface_preference *preferences;
} ifs;

void
iface_init(pool *p, struct loop *l UNUSED)
{
  ifs.pool = p;
  ifs.preferences = NULL;
  list_init(&ifs.ifaces);
  list_init(&ifs.watches);
}

const struct list *
iface_list(void)
{
  return &ifs.ifaces;
}

struct iface *
iface_find(const char *name)
{
  struct iface *i;

  LIST_WALK (i, &ifs.ifaces, n)
    if (strcmp(i->name, name) == 0)
      return i;
  return NULL;
}

struct iface *
iface_find_index(uint index)
{
  struct iface *i;

  LIST_WALK (i, &ifs.ifaces, n)
    if (i->present && i->index == index)
      return i;
  return NULL;
}

bool
iface_usable(const struct iface *i)
{
  return i && i->present && i->up && i->link;
}

/* Addresses */

/* The same address may stand there with several networks or peers; one that can be used is preferred. */
const struct iface_addr *
iface_addr_find(const struct iface *i, ip_addr ip)
{
  const struct iface_addr *found = NULL;
  struct iface_addr *a;

  LIST_WALK (a, &i->addrs, n)
    if (ip_equal(a->ip, ip) && (!found || found->tentative))
      found = a;
  return found;
}

static struct iface_addr *
addr_exact(const struct iface *i, const struct nl_addr *n)
{
  struct iface_addr *a;

  LIST_WALK (a, &i->addrs, n)
    if (ip_equal(a->ip, n->prefix.addr) && a->prefix.len == n->prefix.len && ip_equal(a->peer, n->peer))
      return a;
  return NULL;
}

static bool
same_family(ip_addr a, ip_addr b)
{
  return ip_is_v4(a) == ip_is_v4(b);
}

static bool is_configured_preferred(const struct iface *i, ip_addr ip);
static void iface_changed(const struct iface *i);

/* The better of two usable addresses: longer network, then not on its way out, then primary. */
static const struct iface_addr *
addr_better(const struct iface_addr *a, const struct iface_addr *b)
{
  if (!a)
    return b;
  if (a->prefix.len != b->prefix.len)
    return a->prefix.len > b->prefix.len ? a : b;
  if (a->deprecated != b->deprecated)
    return a->deprecated ? b : a;
  return a->secondary && !b->secondary ? b : a;
}

const struct iface_addr *
iface_local_for(const struct iface *i, ip_addr remote, bool any)
{
  const struct iface_addr *best = NULL, *fallback = NULL;
  struct iface_addr *a;

  LIST_WALK (a, &i->addrs, n)
  {
    if (a->tentative || !same_family(a->ip, remote) || ip_is_link_local(a->ip) != ip_is_link_local(remote))
      continue;
    if (prefix_contains(&a->prefix, remote))
      best = addr_better(best, a);
    else if (!fallback || (fallback->deprecated && !a->deprecated) || is_configured_preferred(i, a->ip))
      fallback = a;
  }
  return best || !any ? best : fallback;
}

static bool
is_in_preferences(const struct iface_preference *first, const struct iface *i, ip_addr ip)
{
  for (const struct iface_preference *p = first; p; p = p->next)
    if (ip_equal(p->ip, ip) && iface_pattern_match(p->ifaces, i->name))
      return true;
  return false;
}

static bool
is_configured_preferred(const struct iface *i, ip_addr ip)
{
  return is_in_preferences(ifs.preferences, i, ip);
}

static bool
preferences_differ(const struct iface_preference *a, const struct iface_preference *b, const struct iface *i)
{
  struct iface_addr *addr;

  LIST_WALK (addr, &i->addrs, n)
    if (is_in_preferences(a, i, addr->ip) != is_in_preferences(b, i, addr->ip))
      return true;
  return false;
}

void
iface_prefer(const struct iface_preference *first)
{
  const struct iface_preference *before = ifs.preferences;
  struct iface *i;

  ifs.preferences = first;
  LIST_WALK (i, &ifs.ifaces, n)
    if (preferences_differ(before, first, i))
      iface_changed(i);
}

const struct iface_addr *
iface_preferred(const struct iface *i, bool v6, bool link_local)
{
  const struct iface_addr *first = NULL;
  struct iface_addr *a;

  LIST_WALK (a, &i->addrs, n)
  {
    if (ip_is_v4(a->ip) == v6 || ip_is_link_local(a->ip) != link_local || a->tentative)
      continue;
    if (is_configured_preferred(i, a->ip))
      return a;
    if (!first && !a->secondary)
      first = a;
  }
  return first;
}

static bool
ip_on_host(ip_addr ip, const char *vrf, bool usable)
{
  struct iface *i;

  LIST_WALK (i, &ifs.ifaces, n)
  {
    const struct iface_addr *a = i->present && (i->up || !usable) ? iface_addr_find(i, ip) : NULL;

    if (a && !(usable && a->tentative) && iface_in_vrf(i, vrf))
      return true;
  }
  return false;
}

bool
iface_ip_usable(ip_addr ip, const char *vrf)
{
  return ip_on_host(ip, vrf, true);
}

bool
iface_ip_ours(ip_addr ip)
{
  return ip_on_host(ip, NULL, false);
}

/* VRFs */

bool
iface_in_vrf(const struct iface *i, const char *vrf)
{
  const struct iface *above = i->vrf_table ? i : i->master ? iface_find_index(i->master) : NULL;

  if (!vrf)
    return true;
  if (above && !above->vrf_table) /* a bridge or bond, which may be in a VRF in its turn */
    return iface_in_vrf(above, vrf);
  return above ? strcmp(above->name, vrf) == 0 : !*vrf;
}

/* Patterns */

bool
iface_pattern_match(const struct iface_pattern *item, const char *name)
{
  for (; item; item = item->next)
    if (!item->mask || fnmatch(item->mask, name, 0) == 0)
      return item->positive;
  return false;
}

bool
iface_pattern_match_addr(const struct iface_pattern *item, const struct iface *i, ip_addr ip)
{
  for (; item; item = item->next)
    if ((!item->mask || fnmatch(item->mask, i->name, 0) == 0) &&
        (!item->has_prefix || prefix_contains(&item->prefix, ip)))
      return item->positive;
  return false;
}

/* Watches */

static void
watch_free(struct resource *r)
{
  list_remove(&((struct iface_watch *) r)->n);
}

static const struct resource_class watch_class = { .name = "Interface watch",
                                                   .size = sizeof(struct iface_watch),
                                                   .free = watch_free };

struct iface_watch *
iface_watch_new(pool *p, void (*hook)(const struct iface *i, void *data), void *data)
{
  struct iface_watch *w = res_new(p, &watch_class);

  w->hook = hook;
  w->data = data;
  list_add_tail(&ifs.watches, &w->n);
  return w;
}

static void
iface_changed(const struct iface *i)
{
  struct iface_watch *w;

  LIST_WALK_SAFE (w, &ifs.watches, n)
    w->hook(i, w->data);
}

static void
ports_changed(const struct iface *master)
{
  struct iface *i;

  LIST_WALK (i, &ifs.ifaces, n)
    if (i->present && i->master == master->index)
      iface_changed(i);
}

/* From the kernel */

static struct iface *
iface_new(const char *name)
{
  struct iface *i = mb_alloc(ifs.pool, sizeof(*i));

  snprintf(i->name, sizeof(i->name), "%s", name);
  list_init(&i->addrs);
  list_add_tail(&ifs.ifaces, &i->n);
  return i;
}

static void
addr_drop(struct iface_addr *a)
{
  list_remove(&a->n);
  mb_free(a);
}

static void
iface_gone(struct iface *i)
{
  struct iface_addr *a;

  if (!i->present)
    return;
  i->present = i->up = i->link = false;
  LIST_WALK_SAFE (a, &i->addrs, n)
    addr_drop(a);
  iface_changed(i);
}

static bool
iface_same(const struct iface *i, const struct nl_link *l)
{
  return i->present && i->up == l->up && i->link == l->carrier && i->mtu == l->mtu &&
         i->master == l->master && i->broadcast == l->broadcast && i->multicast == l->multicast &&
         i->point_to_point == l->point_to_point && i->loopback == l->loopback;
}

static void
link_set(struct iface *i, const struct nl_link *l)
{
  i->present = true;
  i->index = l->index;
  i->vrf_table = l->vrf_table;
  i->up = l->up;
  i->link = l->carrier;
  i->mtu = l->mtu;
  i->master = l->master;
  i->broadcast = l->broadcast;
  i->multicast = l->multicast;
  i->point_to_point = l->point_to_point;
  i->loopback = l->loopback;
}

static void
link_hook(void *data UNUSED, const struct nl_link *l, bool gone)
{
  struct iface *old = iface_find_index(l->index);
  struct iface *i = iface_find(l->name);
  struct list moved;

  list_init(&moved);
  if (gone)
  {
    if (old)
      iface_gone(old);
    return;
  }
  if (i && i->index != l->index)
    iface_gone(i);
  if (!i)
    i = iface_new(l->name);
  /* Renamed: the addresses stay, and the kernel does not announce all of them again. */
  if (old && old != i)
  {
    list_splice(&moved, &old->addrs);
    iface_gone(old);
  }

  i->seen = true;
  if (iface_same(i, l))
    return;
  list_splice(&i->addrs, &moved);
  link_set(i, l);
  iface_changed(i);
  ports_changed(i); /* by its name they know in which VRF they are */
}

static bool
addr_same(const struct iface_addr *a, const struct nl_addr *n)
{
  return a->scope == n->scope && a->tentative == n->tentative && a->deprecated == n->deprecated &&
         a->secondary == n->secondary;
}

/* What the kernel takes to be on the link by this address: the length goes with the peer if there is one. */
static struct prefix
network_of(const struct nl_addr *n)
{
  return (struct prefix){ ip_mask(ip_is_none(n->peer) ? n->prefix.addr : n->peer, n->prefix.len),
                          n->prefix.len };
}

static void
addr_hook(void *data UNUSED, const struct nl_addr *n, bool gone)
{
  struct iface *i = iface_find_index(n->ifindex);
  struct iface_addr *a = i ? addr_exact(i, n) : NULL;

  if (!i || (gone && !a))
    return;
  if (gone)
    addr_drop(a);
  else
  {
    bool fresh = !a;

    if (fresh)
    {
      a = mb_alloc(ifs.pool, sizeof(*a));
      a->ip = n->prefix.addr;
      list_add_tail(&i->addrs, &a->n);
    }
    a->seen = true;
    if (!fresh && addr_same(a, n))
      return;
    a->prefix = network_of(n);
    a->peer = n->peer;
    a->scope = n->scope;
    a->tentative = n->tentative;
    a->deprecated = n->deprecated;
    a->secondary = n->secondary;
  }
  iface_changed(i);
}

static void
scan_begin(void *data UNUSED)
{
  struct iface *i;
  struct iface_addr *a;

  LIST_WALK (i, &ifs.ifaces, n)
  {
    i->seen = false;
    LIST_WALK (a, &i->addrs, n)
      a->seen = false;
  }
}

/* What the scan did not find has gone. */
static void
scan_end(void *data UNUSED)
{
  struct iface *i;
  struct iface_addr *a;

  LIST_WALK (i, &ifs.ifaces, n)
  {
    bool lost = false;

    if (!i->seen)
    {
      iface_gone(i);
      continue;
    }
    LIST_WALK_SAFE (a, &i->addrs, n)
      if (!a->seen)
      {
        addr_drop(a);
        lost = true;
      }
    if (lost)
      iface_changed(i);
  }
}

const struct nl_hooks iface_nl_hooks = {
  .scan_begin = scan_begin,
  .scan_end = scan_end,
  .link = link_hook,
  .addr = addr_hook,
};
