/*
 * nest/neighbor.c: see neighbor.h
 *
 * Interface changes are gathered and all neighbours are looked at again, a slice at a time. A walk that is
 * under way when something changes starts over behind its end, so every neighbour sees the last state.
 */
#include <stdio.h>
#include <string.h>

#include "nest/neighbor.h"

#define SLICE 64

static struct
{
  struct list settled; /* looked at since the last change */
  struct list due;
  struct work *work;
} nbs;

static bool
ip_has_wanted(const struct iface *i, const struct neighbor *nb)
{
  const struct iface_addr *a = iface_addr_find(i, nb->wanted);

  return a && !a->tentative;
}

/* On an interface the owner named. */
static void
resolve_named(struct neighbor *nb)
{
  const struct iface *i = iface_find(nb->ifname);
  const struct iface_addr *a;

  if (!i || !i->present || !iface_in_vrf(i, nb->vrf))
  {
    nb->waits_for = "interface to appear";
    return;
  }
  if (ip_is_link_local(nb->ip) ? iface_addr_find(i, nb->ip) != NULL : iface_ip_ours(nb->ip))
  {
    nb->waits_for = "address of another host"; /* it is ours */
    return;
  }
  nb->iface = i;
  if (!ip_is_none(nb->wanted))
  {
    if (ip_has_wanted(i, nb))
      nb->local = nb->wanted;
  }
  else if ((a = iface_local_for(i, nb->ip, true)))
    nb->local = a->ip;
  if (!iface_usable(i))
    nb->waits_for = "interface to come up";
  else if (ip_is_none(nb->local))
    nb->waits_for = "local address";
}

/* Interfaces that are up come first, for an address stays when its interface goes down. So does the kernel.
 */
static bool
closer(const struct iface *i, const struct iface_addr *a, const struct iface *than,
       const struct iface_addr *best)
{
  if (!best || i->up != than->up)
    return !best || i->up;
  if (a->prefix.len == best->prefix.len)
    return iface_usable(i) && !iface_usable(than);
  return a->prefix.len > best->prefix.len;
}

/* On the interface whose network is the narrowest around it. */
static void
resolve_by_network(struct neighbor *nb)
{
  const struct iface_addr *best = NULL;
  struct iface *i;

  nb->waits_for = "connected network";
  LIST_WALK (i, iface_list(), n)
  {
    const struct iface_addr *a =
        i->present && iface_in_vrf(i, nb->vrf) ? iface_local_for(i, nb->ip, false) : NULL;

    if (!a || !closer(i, a, nb->iface, best))
      continue;
    if (!ip_is_none(nb->wanted) && !ip_has_wanted(i, nb))
      continue;
    best = a;
    nb->iface = i;
    nb->local = ip_is_none(nb->wanted) ? a->ip : nb->wanted;
    nb->waits_for = iface_usable(i) ? NULL : "interface to come up";
  }
}

static void
resolve(struct neighbor *nb)
{
  nb->iface = NULL;
  nb->local = IP_NONE;
  nb->waits_for = NULL;
  if (nb->ifname[0])
    resolve_named(nb);
  else if (iface_ip_ours(nb->ip))
    nb->waits_for = "address of another host"; /* it is ours */
  else
    resolve_by_network(nb);
}

static bool
look_again(struct work *w UNUSED, void *data UNUSED)
{
  for (int k = 0; k < SLICE && !list_empty(&nbs.due); k++)
  {
    struct neighbor *nb = SKIP_BACK(struct neighbor, n, list_first(&nbs.due));

    list_remove(&nb->n);
    list_add_tail(&nbs.settled, &nb->n);
    resolve(nb);
    /* An interface may have come back under another index with all else the same: the owner compares. */
    nb->hook(nb, nb->data);
  }
  return !list_empty(&nbs.due);
}

static void
iface_hook(const struct iface *i UNUSED, void *data UNUSED)
{
  list_splice(&nbs.due, &nbs.settled);
  work_schedule(nbs.work);
}

void
neighbor_init(pool *p, struct loop *l)
{
  list_init(&nbs.settled);
  list_init(&nbs.due);
  nbs.work = work_new(p, l, LOOP_FIRST, look_again, NULL);
  iface_watch_new(p, iface_hook, NULL);
}

static void
neighbor_free(struct resource *r)
{
  list_remove(&((struct neighbor *) r)->n);
}

static const struct resource_class neighbor_class = { .name = "Neighbor",
                                                      .size = sizeof(struct neighbor),
                                                      .free = neighbor_free };

struct neighbor *
neighbor_new(pool *p, ip_addr ip, const char *ifname, ip_addr local,
             void (*hook)(struct neighbor *nb, void *data), void *data)
{
  struct neighbor *nb = res_new(p, &neighbor_class);

  nb->ip = ip;
  nb->wanted = local;
  nb->hook = hook;
  nb->data = data;
  if (ifname)
    snprintf(nb->ifname, sizeof(nb->ifname), "%s", ifname);
  resolve(nb);
  list_add_tail(&nbs.settled, &nb->n);
  return nb;
}

void
neighbor_set_vrf(struct neighbor *nb, const char *vrf)
{
  nb->vrf = vrf;
  resolve(nb);
}

void
neighbor_each(void (*visit)(const struct neighbor *nb))
{
  struct neighbor *nb;

  LIST_WALK (nb, &nbs.settled, n)
    visit(nb);
  LIST_WALK (nb, &nbs.due, n)
    visit(nb);
}
