/*
 * proto/bfd/wish.c: the `neighbor` lines of the configuration are requests like any other
 *
 * After a reload the lines are walked in slices: those that were there before keep their request, and with it
 * the session; what no line names any more goes at the end.
 */
#include <string.h>

#include "proto/bfd/bfd.h"

#define WISH_SLICE 64

static bool
same_line(const struct bfd_neighbor_config *a, const struct bfd_neighbor_config *b)
{
  return ip_equal(a->remote, b->remote) && ip_equal(a->local, b->local) && a->multihop == b->multihop &&
         strcmp(a->ifname, b->ifname) == 0;
}

/* Lines that would ask for the same session twice. */
void
bfd_neighbors_check(struct proto_config *pc, struct cf_ctx *cx, const struct cf_loc *loc)
{
  struct bfd_config *cf = (struct bfd_config *) pc;
  struct bfd_neighbor_config *nb;

  if (pc->vrf && strlen(pc->vrf) >= BFD_IFNAME_SIZE)
    cf_error(cx, loc, "VRF name '%s' is too long, at most %d characters", pc->vrf, BFD_IFNAME_SIZE - 1);
  hash_init(&cf->by_remote, cx->cfg->pool);
  LIST_WALK (nb, &cf->neighbors, n)
  {
    u32 hash = ip_hash(nb->remote);

    for (struct hnode *n = hash_first(&cf->by_remote, hash); n; n = hash_again(n))
      if (same_line(nb, SKIP_BACK(struct bfd_neighbor_config, by_remote, n)))
        cf_error(cx, &nb->loc, "Neighbor %s is listed twice", IP_STR(nb->remote));
    hash_add(&cf->by_remote, &nb->by_remote, hash);
  }
}

/* Does it stand for this line? @r has all of it but the options. */
static bool
is_request_of(const struct bfd_request *r, const struct bfd_neighbor_config *nb)
{
  if (!ip_equal(r->remote, nb->remote) || nb->multihop != (r->hop == BFD_MULTIHOP))
    return false;
  if (nb->multihop)
    return ip_equal(r->local, nb->local);
  return ip_equal(r->nb->wanted, nb->local) && strcmp(r->nb->ifname, nb->ifname) == 0;
}

static struct bfd_wish *
wish_find(const struct bfd_proto *p, const struct bfd_neighbor_config *nb)
{
  for (struct hnode *n = hash_first(&p->wishes, ip_hash(nb->remote)); n; n = hash_again(n))
  {
    struct bfd_wish *w = SKIP_BACK(struct bfd_wish, by_remote, n);

    if (is_request_of(w->request, nb))
      return w;
  }
  return NULL;
}

/* Nobody here acts on the state: it is for others to look at. */
static void
wish_hook(struct bfd_request *r UNUSED, const struct bfd_status *st UNUSED, void *data UNUSED)
{
}

static struct bfd_wish *
wish_new(struct bfd_proto *p, const struct bfd_neighbor_config *nb)
{
  struct bfd_wish *w = mb_alloc(p->p.pool, sizeof(*w));
  struct bfd_peer peer = {
    .hop = nb->multihop ? BFD_MULTIHOP : BFD_DIRECT,
    .remote = nb->remote,
    .local = nb->local,
    .ifname = nb->ifname[0] ? nb->ifname : NULL,
    .client = p->p.name,
    .vrf = p->p.cf->vrf,
  };

  hash_add(&p->wishes, &w->by_remote, ip_hash(nb->remote));
  w->request = bfd_request_new(NULL, &peer, &nb->options, wish_hook, NULL);
  return w;
}

static void
wish_free(struct bfd_proto *p, struct bfd_wish *w)
{
  rfree(w->request);
  hash_remove(&p->wishes, &w->by_remote);
  list_remove(&w->n);
  mb_free(w);
}

static void
follow_line(struct bfd_proto *p, const struct bfd_neighbor_config *nb)
{
  struct bfd_wish *w = wish_find(p, nb);

  if (w)
    bfd_request_change(w->request, &nb->options);
  else
    w = wish_new(p, nb);
  w->generation = p->wish_generation;
  list_remove(&w->n);
  list_add_tail(&p->wish_list, &w->n);
}

/* True: there is more to do. */
static bool
follow_next(struct bfd_proto *p)
{
  struct node *n = list_first(&p->wish_list);

  if (p->wish_cursor != &bfd_config_of(p)->neighbors.ring)
  {
    follow_line(p, SKIP_BACK(struct bfd_neighbor_config, n, p->wish_cursor));
    p->wish_cursor = p->wish_cursor->next;
    return true;
  }
  if (!n || SKIP_BACK(struct bfd_wish, n, n)->generation == p->wish_generation)
    return false;
  wish_free(p, SKIP_BACK(struct bfd_wish, n, n));
  return true;
}

static bool
follow_slice(struct work *w UNUSED, void *data)
{
  bool more = true;

  for (int i = 0; i < WISH_SLICE && more; i++)
    more = follow_next(data);
  return more;
}

void
bfd_wishes_follow(struct bfd_proto *p)
{
  p->wish_generation++;
  p->wish_cursor = bfd_config_of(p)->neighbors.ring.next;
  work_schedule(p->wish_work);
}

void
bfd_wishes_start(struct bfd_proto *p)
{
  hash_init(&p->wishes, p->p.pool);
  list_init(&p->wish_list);
  p->wish_work = work_new(p->p.pool, p->p.loop, LOOP_REST, follow_slice, p);
  bfd_wishes_follow(p);
}

void
bfd_wishes_stop(struct bfd_proto *p)
{
  struct bfd_wish *w;

  LIST_WALK_SAFE (w, &p->wish_list, n)
    wish_free(p, w);
  rfree(p->wish_work);
}
