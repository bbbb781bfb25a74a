/* proto/static/hops.c: which next hops can be used now, see static.h */
#include <stdio.h>
#include <string.h>

#include "proto/static/static.h"

static bool
check_link(const struct static_hop *h)
{
  return ((const struct static_config *) h->p->p.cf)->check_link;
}

static bool
iface_fit(const struct static_hop *h, const struct iface *i)
{
  return i && i->present && i->up && (i->link || !check_link(h)) && iface_in_vrf(i, h->p->p.cf->vrf);
}

/* Where the next hop is, NULL if it cannot be used. */
static const struct iface *
hop_iface(const struct static_hop *h)
{
  const struct iface *i = h->nb ? h->nb->iface : iface_find(h->ifname);

  if (!iface_fit(h, i))
    return NULL;
  if (!h->nb || h->cf.onlink || ip_is_link_local(h->cf.via))
    return i;
  /* On a named interface too it has to be a neighbour. */
  return iface_local_for(i, h->cf.via, false) ? i : NULL;
}

/* RFC 5882 4.2: a static route has nothing but BFD to tell it, so anything but Up is a failure. */
static bool
bfd_allows(const struct static_hop *h)
{
  return !h->request || bfd_request_status(h->request).state == BFD_UP;
}

static void
hop_update(struct static_hop *h)
{
  const struct iface *i = hop_iface(h);
  struct static_use *u;

  if (i && !bfd_allows(h))
    i = NULL;
  if (i == h->iface)
    return;
  h->iface = i;
  PROTO_TRACE(&h->p->p, D_EVENTS, "Next hop %s%s%s %s", ip_is_none(h->cf.via) ? "" : IP_STR(h->cf.via),
              h->ifname[0] ? "%" : "", h->ifname, i ? "can be used" : "cannot be used");
  LIST_WALK (u, &h->uses, n)
    static_live_changed(u->live);
}

static void
neighbor_hook(struct neighbor *nb UNUSED, void *data)
{
  hop_update(data);
}

static void
iface_hook(const struct iface *i, void *data)
{
  struct static_hop *h = data;

  if (strcmp(i->name, h->ifname) == 0)
    hop_update(h);
}

static void
request_hook(struct bfd_request *r UNUSED, const struct bfd_status *st UNUSED, void *data)
{
  hop_update(data);
}

static void
ask_for_bfd(struct static_hop *h)
{
  struct bfd_peer peer = { .hop = BFD_DIRECT,
                           .remote = h->cf.via,
                           .ifname = h->ifname[0] ? h->ifname : NULL,
                           .client = h->p->p.name,
                           .vrf = h->p->vrf };

  h->request = bfd_request_new(h->pool, &peer, NULL, request_hook, h);
}

static u32
via_hash(const struct static_hop_config *cf)
{
  return hash_u64((u64) ip_hash(cf->via) << 32 | hash_text(cf->ifname));
}

static struct static_hop *
hop_new(struct static_proto *p, const struct static_hop_config *cf)
{
  pool *hop_pool = pool_new(p->p.pool, "Next hop");
  struct static_hop *h = mb_alloc(hop_pool, sizeof(*h));

  h->p = p;
  h->pool = hop_pool;
  h->cf = *cf;
  snprintf(h->ifname, sizeof(h->ifname), "%s", cf->ifname);
  h->cf.ifname = h->ifname;
  list_init(&h->uses);
  list_add_tail(&p->hops, &h->n);
  hash_add(&p->hops_by_via, &h->by_via, via_hash(cf));
  if (ip_is_none(cf->via))
    iface_watch_new(hop_pool, iface_hook, h);
  else
  {
    h->nb = neighbor_new(hop_pool, cf->via, h->ifname[0] ? h->ifname : NULL, IP_NONE, neighbor_hook, h);
    neighbor_set_vrf(h->nb, p->vrf);
    if (cf->bfd)
      ask_for_bfd(h);
  }
  hop_update(h);
  return h;
}

/* Weight is a matter of the target, not of the next hop. */
static bool
hop_matches(const struct static_hop *h, const struct static_hop_config *cf)
{
  return ip_equal(h->cf.via, cf->via) && strcmp(h->ifname, cf->ifname) == 0 && h->cf.onlink == cf->onlink &&
         h->cf.bfd == cf->bfd;
}

struct static_hop *
static_hop_get(struct static_proto *p, const struct static_hop_config *cf)
{
  struct static_hop *h = NULL;

  for (struct hnode *n = hash_first(&p->hops_by_via, via_hash(cf)); n; n = hash_again(n))
    if (hop_matches(SKIP_BACK(struct static_hop, by_via, n), cf))
      h = SKIP_BACK(struct static_hop, by_via, n);
  if (!h)
    h = hop_new(p, cf);
  h->wanted = true;
  return h;
}

void
static_hops_sweep(struct static_proto *p)
{
  struct static_hop *h;

  LIST_WALK_SAFE (h, &p->hops, n)
  {
    if (h->wanted)
    {
      hop_update(h); /* `check link` may have changed */
      h->wanted = false;
      continue;
    }
    list_remove(&h->n);
    hash_remove(&p->hops_by_via, &h->by_via);
    rfree(h->pool);
  }
}
