/*
 * nest/bfd.c: requests and providers, see bfd.h
 *
 * What a change means to a client depends on its kind (RFC 5882 sections 3.2, 4.2): one with liveness of its
 * own is told of a failure only when a session that was Up went down for another reason than administration.
 */
#include <string.h>

#include "nest/bfd_watch.h"
#include "sysdep/log.h"

static const struct bfd_status unserved = { .state = BFD_ADMIN_DOWN };
static const struct bfd_options defaults;

static struct
{
  struct list providers;
  struct list waiting;
  struct list due; /* requests whose hook is to be called, by dn */
  struct work *work;
  u64 next_age;
} bfd;

static bool deliver_due(struct work *w, void *data);

void
bfd_init(pool *p, struct loop *l)
{
  list_init(&bfd.providers);
  list_init(&bfd.waiting);
  list_init(&bfd.due);
  bfd_watch_init();
  bfd.work = work_new(p, l, LOOP_FIRST, deliver_due, NULL);
}

const struct list *
bfd_waiting(void)
{
  return &bfd.waiting;
}

const struct list *
bfd_providers(void)
{
  return &bfd.providers;
}

/* Options */

void
bfd_options_apply(struct bfd_params *params, const struct bfd_options *o)
{
  if (o->set & BFD_OPT_MIN_RX)
    params->min_rx = o->min_rx;
  if (o->set & BFD_OPT_MIN_TX)
    params->min_tx = o->min_tx;
  if (o->set & BFD_OPT_IDLE_TX)
    params->idle_tx = o->idle_tx;
  if (o->set & BFD_OPT_MULTIPLIER)
    params->detect_mult = o->multiplier;
  if (o->set & BFD_OPT_PASSIVE)
    params->passive = o->passive;
  if (o->set & BFD_OPT_ADMIN_DOWN)
    params->admin_down = o->admin_down;
  if (o->set & BFD_OPT_OFFLOAD)
    params->offload = o->offload;
}

void
bfd_options_guard(struct bfd_guard *guard, const struct bfd_options *o)
{
  if (o->set & BFD_OPT_MIN_TTL)
    guard->min_ttl = o->guard.min_ttl;
  if (o->set & BFD_OPT_AUTH)
    guard->auth = o->guard.auth;
  if (o->set & BFD_OPT_PASSWORDS)
    guard->passwords = o->guard.passwords;
}

bool
bfd_guard_equal(const struct bfd_guard *a, const struct bfd_guard *b)
{
  return a->min_ttl == b->min_ttl && a->auth == b->auth && password_list_equal(a->passwords, b->passwords);
}

static bool
dampening_equal(const struct bfd_dampening *a, const struct bfd_dampening *b)
{
  return a->on == b->on && a->half_life == b->half_life && a->max_suppress == b->max_suppress &&
         a->suppress == b->suppress && a->reuse == b->reuse;
}

static bool
adapt_equal(const struct bfd_adapt_options *a, const struct bfd_adapt_options *b)
{
  return a->least == b->least && a->quiet == b->quiet;
}

bool
bfd_options_equal(const struct bfd_options *a, const struct bfd_options *b)
{
  struct bfd_params pa = { 0 }, pb = { 0 };
  struct bfd_guard ga = { 0 }, gb = { 0 };

  bfd_options_apply(&pa, a);
  bfd_options_apply(&pb, b);
  bfd_options_guard(&ga, a);
  bfd_options_guard(&gb, b);
  return a->set == b->set && pa.min_rx == pb.min_rx && pa.min_tx == pb.min_tx && pa.idle_tx == pb.idle_tx &&
         pa.detect_mult == pb.detect_mult && pa.passive == pb.passive && pa.admin_down == pb.admin_down &&
         pa.offload == pb.offload && bfd_guard_equal(&ga, &gb) &&
         (!(a->set & BFD_OPT_DAMPENING) || dampening_equal(&a->dampening, &b->dampening)) &&
         (!(a->set & BFD_OPT_ADAPT) || adapt_equal(&a->adapt, &b->adapt));
}

/* Telling clients */

void
bfd_request_update(struct bfd_request *r, const struct bfd_status *st, bool left_up)
{
  bool failed = r->status.failed && node_linked(&r->dn); /* sticky until delivered */

  r->status = *st;
  r->status.failed |= failed;
  r->left_up |= left_up;
  if (!node_linked(&r->dn))
    list_add_tail(&bfd.due, &r->dn);
  work_schedule(bfd.work);
}

static void
deliver(struct bfd_request *r)
{
  bool up = r->status.state == BFD_UP;
  bool fell = r->was_up && (r->left_up || !up);

  r->status.failed = r->own_liveness ? fell && r->status.failed : r->left_up || !up;
  r->was_up = up;
  r->left_up = false;

  struct bfd_status st = r->status; /* the hook may free the request */

  r->status.failed = false;
  r->hook(r, &st, r->data);
}

static bool
deliver_due(struct work *w UNUSED, void *data UNUSED)
{
  for (int i = 0; i < 64 && !list_empty(&bfd.due); i++)
  {
    struct bfd_request *r = SKIP_BACK(struct bfd_request, dn, list_first(&bfd.due));

    list_remove(&r->dn);
    deliver(r);
  }
  return !list_empty(&bfd.due);
}

struct bfd_status
bfd_request_status(const struct bfd_request *r)
{
  struct bfd_status st = r->status;

  st.failed = r->own_liveness ? r->was_up && st.failed : st.state != BFD_UP;
  return st;
}

/* Finding a provider */

static bool
offer(struct bfd_provider *pv, struct bfd_request *r)
{
  if (!pv->ops->accepts(pv, r))
    return false;
  list_remove(&r->n);
  list_add_tail(&pv->requests, &r->n);
  r->provider = pv;
  pv->ops->serve(pv, r);
  return true;
}

static void
find_provider(struct bfd_request *r)
{
  struct bfd_provider *pv;

  LIST_WALK (pv, &bfd.providers, n)
    if (offer(pv, r))
      return;
}

/* Take a request from its provider; it waits again. */
static void
unserve(struct bfd_request *r)
{
  struct bfd_provider *pv = r->provider;

  if (!pv)
    return;
  pv->ops->withdraw(pv, r);
  r->provider = NULL;
  list_remove(&r->n);
  list_add_tail(&bfd.waiting, &r->n);
}

/* Clients */

static void
neighbor_hook(struct neighbor *nb UNUSED, void *data)
{
  struct bfd_request *r = data;

  if (r->provider)
    r->provider->ops->change(r->provider, r);
}

/* Configurations come and go; a request keeps its passwords. */
static void
set_options(struct bfd_request *r, const struct bfd_options *options)
{
  rfree(r->passwords);
  r->options = *options;
  r->passwords = options->guard.passwords ? password_list_copy(NULL, options->guard.passwords) : NULL;
  r->options.guard.passwords = r->passwords;
}

static void
request_free(struct resource *res)
{
  struct bfd_request *r = (struct bfd_request *) res;

  unserve(r);
  list_remove(&r->n);
  list_remove(&r->dn);
  rfree(r->nb);
  rfree(r->passwords);
}

static const struct resource_class request_class = { .name = "BFD request",
                                                     .size = sizeof(struct bfd_request),
                                                     .free = request_free };

struct bfd_request *
bfd_request_new(pool *p, const struct bfd_peer *peer, const struct bfd_options *options, bfd_hook *hook,
                void *data)
{
  bool named = peer->ifname && peer->ifname[0];

  if (peer->hop == BFD_DIRECT && ip_is_link_local(peer->remote) && !named)
  {
    log_write(L_ERR, "%s: A BFD session to the link-local address %s needs an interface", peer->client,
              IP_STR(peer->remote));
    return NULL;
  }

  struct bfd_request *r = res_new(p, &request_class);

  r->hop = peer->hop;
  if (peer->vrf)
    r->vrf = strncpy(r->vrf_name, peer->vrf, sizeof(r->vrf_name) - 1);
  r->remote = peer->remote;
  r->local = peer->local;
  r->own_liveness = peer->own_liveness;
  r->yields = peer->yields;
  r->client = peer->client;
  set_options(r, options ? options : &defaults);
  r->age = bfd.next_age++;
  r->hook = hook;
  r->data = data;
  r->status = unserved;
  if (r->hop == BFD_DIRECT)
    r->nb = neighbor_new(NULL, r->remote, peer->ifname, peer->local, neighbor_hook, r);
  if (r->nb)
    neighbor_set_vrf(r->nb, r->vrf);
  list_add_tail(&bfd.waiting, &r->n);
  find_provider(r);
  return r;
}

void
bfd_request_change(struct bfd_request *r, const struct bfd_options *options)
{
  if (!options)
    options = &defaults;
  if (bfd_options_equal(&r->options, options))
    return;
  set_options(r, options);
  if (r->provider)
    r->provider->ops->change(r->provider, r);
}

/* Providers */

static void
provider_free(struct resource *res)
{
  struct bfd_provider *pv = (struct bfd_provider *) res;
  struct bfd_request *r;

  list_remove(&pv->n);
  while (!list_empty(&pv->requests))
  {
    r = SKIP_BACK(struct bfd_request, n, list_first(&pv->requests));
    unserve(r);
    bfd_request_update(r, &unserved, false);
    find_provider(r); /* another instance may take it */
  }
}

static const struct resource_class provider_class = { .name = "BFD provider",
                                                      .size = sizeof(struct bfd_provider),
                                                      .free = provider_free };

static void
offer_waiting(struct bfd_provider *pv)
{
  struct bfd_request *r;

  LIST_WALK_SAFE (r, &bfd.waiting, n)
    offer(pv, r);
}

struct bfd_provider *
bfd_provider_new(pool *p, const char *name, const struct bfd_provider_ops *ops, void *data)
{
  struct bfd_provider *pv = res_new(p, &provider_class);

  pv->name = name;
  pv->ops = ops;
  pv->data = data;
  list_init(&pv->requests);
  list_add_tail(&bfd.providers, &pv->n);
  offer_waiting(pv);
  return pv;
}

void
bfd_provider_again(struct bfd_provider *pv)
{
  struct bfd_request *r;

  LIST_WALK_SAFE (r, &pv->requests, n)
    if (!pv->ops->accepts(pv, r))
    {
      unserve(r);
      bfd_request_update(r, &unserved, false);
      find_provider(r);
    }
  offer_waiting(pv);
}
