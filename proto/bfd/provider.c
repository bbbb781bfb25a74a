/*
 * proto/bfd/provider.c: requests become sessions of the engine
 *
 * Requests for the same peer share a session. Whatever happens (a request comes, changes or goes, an
 * interface or an address does, the configuration is read again) one function compares what is wanted with
 * what the engine was told and sends the difference, so the order of events does not matter.
 */
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "proto/bfd/bfd.h"

#define SYNC_SLICE 64

/* Tables */

static u32
key_hash(const struct bfd_key *key)
{
  u32 where = key->hop == BFD_DIRECT ? hash_text(key->ifname) : ip_hash(key->local);

  return hash_u64((u64) ip_hash(key->remote) << 32 | where) ^ hash_text(key->vrf);
}

struct bfd_shared *
bfd_shared_of_key(const struct bfd_proto *p, const struct bfd_key *key)
{
  for (struct hnode *n = hash_first(&p->by_key, key_hash(key)); n; n = hash_again(n))
  {
    struct bfd_shared *s = SKIP_BACK(struct bfd_shared, by_key, n);

    if (bfd_key_equal(&s->key, key))
      return s;
  }
  return NULL;
}

struct bfd_shared *
bfd_shared_of_disc(const struct bfd_proto *p, u32 local_disc)
{
  for (struct hnode *n = hash_first(&p->by_disc, hash_u64(local_disc)); n; n = hash_again(n))
  {
    struct bfd_shared *s = SKIP_BACK(struct bfd_shared, by_disc, n);

    if (bfd_id_disc(s->id) == local_disc)
      return s;
  }
  return NULL;
}

struct bfd_shared *
bfd_shared_find(const struct bfd_proto *p, u64 id)
{
  struct bfd_shared *s = bfd_shared_of_disc(p, bfd_id_disc(id));

  return s && s->id == id ? s : NULL;
}

/* Which session a request means. False while the interface of its peer is not known. */
static bool
key_for(const struct bfd_request *r, struct bfd_key *key)
{
  *key = (struct bfd_key){ .hop = r->hop, .remote = r->remote, .local = r->local };
  if (r->hop == BFD_MULTIHOP)
  {
    memcpy(key->vrf, r->vrf_name, sizeof(key->vrf));
    return true;
  }

  const char *ifname = r->nb->ifname[0] ? r->nb->ifname : r->nb->iface ? r->nb->iface->name : "";

  snprintf(key->ifname, sizeof(key->ifname), "%s", ifname);
  key->local = IP_NONE;
  return key->ifname[0];
}

/* Where packets go */

/* The path of a direct session: that of its oldest request that has one. */
static struct bfd_path
direct_path(struct bfd_shared *s)
{
  const struct bfd_request *oldest = NULL;
  struct bfd_path path = { 0 };
  struct bfd_request *r;

  LIST_WALK (r, &s->requests, sn)
  {
    bool better = !oldest || (!r->nb->waits_for && oldest->nb->waits_for) ||
                  (!r->nb->waits_for == !oldest->nb->waits_for && r->age < oldest->age);

    if (better)
      oldest = r;
  }
  s->waits_for = oldest->nb->waits_for;
  if (!s->waits_for)
    path = (struct bfd_path){
      .usable = true,
      .point_to_point = oldest->nb->iface->point_to_point,
      .ifindex = oldest->nb->iface->index,
      .local = oldest->nb->local,
    };
  return path;
}

static struct bfd_path
multihop_path(const struct bfd_proto *p, struct bfd_shared *s)
{
  const struct iface *vrf = s->key.vrf[0] ? iface_find(s->key.vrf) : NULL;
  const char *ours = bfd_config_of(p)->p.vrf; /* where none is asked for, any address will do */
  const char *name = s->key.vrf[0] || (ours && !ours[0]) ? s->key.vrf : NULL;

  s->waits_for = NULL;
  if (s->key.vrf[0] && !(vrf && vrf->present && vrf->up))
    s->waits_for = "VRF";
  else if (!iface_ip_usable(s->key.local, name))
    s->waits_for = "local address";
  if (s->waits_for)
    return (struct bfd_path){ 0 };
  return (struct bfd_path){ .usable = true, .ifindex = vrf ? vrf->index : 0, .local = s->key.local };
}

static void
want_listener(struct bfd_proto *p, struct bfd_shared *s, const struct bfd_path *path)
{
  bool wanted = path->usable && bfd_config_of(p)->strict_bind;
  struct bfd_listener *before = s->listener;

  s->listener = wanted ? bfd_listen_local(p, s->key.hop, path) : NULL;
  if (before)
    bfd_listen_release(p, before);
}

static struct bfd_path
wanted_path(struct bfd_proto *p, struct bfd_shared *s)
{
  struct bfd_path path = s->key.hop == BFD_DIRECT ? direct_path(s) : multihop_path(p, s);

  want_listener(p, s, &path);
  if (path.usable && (s->waits_for = bfd_listen_problem(p, s)))
    path = (struct bfd_path){ 0 };
  return path;
}

/* Telling the engine */

static void
send_command(struct bfd_proto *p, enum bfd_msg_kind kind, const struct bfd_shared *s, btime patience)
{
  bool with_keys = s->keys && kind != BFD_REMOVE;
  size_t keys = bfd_keys_size(with_keys ? s->keys->count : 0);
  struct bfd_cmd *cmd = msg_alloc(sizeof(*cmd) - sizeof(cmd->keys) + keys);

  cmd->msg.kind = kind;
  cmd->id = s->id;
  cmd->key = s->key;
  cmd->source_port = s->source_port;
  cmd->path = s->path;
  cmd->params = s->params;
  cmd->keys_patience = patience;
  if (with_keys)
    memcpy(&cmd->keys, s->keys, keys);
  bfd_post_session(p, s->id, &cmd->msg);
}

bool
bfd_params_equal(const struct bfd_params *a, const struct bfd_params *b)
{
  return a->min_rx == b->min_rx && a->min_tx == b->min_tx && a->idle_tx == b->idle_tx &&
         a->detect_mult == b->detect_mult && a->passive == b->passive && a->admin_down == b->admin_down &&
         a->min_ttl == b->min_ttl && a->offload == b->offload && a->attached == b->attached;
}

/* An interval that this machine has not always been able to keep is allowed, but somebody should know. */
static void
check_speed(struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_params *params)
{
  btime time = (btime) params->detect_mult * bfd_shortest_interval(params);

  if (time < bfd_worst_of(p))
    log_rl(&p->fast_limit, L_WARN,
           "%s: Session to %s is to notice silence in %s s, but this machine has kept us waiting for %s s "
           "before",
           p->p.name, IP_STR(s->key.remote), TIME_STR(time), TIME_STR(p->worst));
}

/* Compare what is wanted with what the engine was told. */
static void
follow_wishes(struct bfd_proto *p, struct bfd_shared *s)
{
  btime patience;
  bool rekeyed;
  struct bfd_params params = s->params;
  struct bfd_path path = s->path;

  s->params = bfd_share_settle(p, s, &patience, &rekeyed);
  s->path = wanted_path(p, s);
  s->params.attached = bfd_attach_follow(p, s);
  bfd_suppress_settle(p, s);

  bool changed = !bfd_params_equal(&params, &s->params);

  if (s->path.usable && (!s->id || changed))
    check_speed(p, s, &s->params);
  if (s->id)
  {
    if (changed || rekeyed || !bfd_path_equal(&path, &s->path))
      send_command(p, BFD_CHANGE, s, patience);
    return;
  }
  if (!s->path.usable)
    return; /* the engine hears of it when there is a way to the peer */
  bfd_identity_take(p, s);
  hash_add(&p->by_disc, &s->by_disc, hash_u64(bfd_id_disc(s->id)));
  send_command(p, BFD_ADD, s, 0);
}

/* Who watches hears of a session when it is first looked at. */
static void
sync_session(struct bfd_proto *p, struct bfd_shared *s)
{
  follow_wishes(p, s);
  bfd_tell_session(s);
}

static void
keys_due(struct timer *t UNUSED, void *data)
{
  bfd_sync_all(data);
}

static void
clock_was_set(void *data)
{
  bfd_sync_all(data);
}

static void
sync_later(struct bfd_proto *p, struct list *sessions)
{
  list_splice(&p->due, sessions);
  work_schedule(p->sync);
}

static struct list *
home_list(struct bfd_proto *p, const struct bfd_shared *s)
{
  return s->key.hop == BFD_DIRECT ? &p->direct : &p->multihop;
}

static bool
sync_slice(struct work *w UNUSED, void *data)
{
  struct bfd_proto *p = data;

  for (int i = 0; i < SYNC_SLICE && !list_empty(&p->due); i++)
  {
    struct bfd_shared *s = SKIP_BACK(struct bfd_shared, n, list_first(&p->due));

    list_remove(&s->n);
    list_add_tail(home_list(p, s), &s->n);
    sync_session(p, s);
  }
  return !list_empty(&p->due);
}

void
bfd_sync_all(struct bfd_proto *p)
{
  sync_later(p, &p->direct);
  sync_later(p, &p->multihop);
}

void
bfd_provide_again(struct bfd_proto *p)
{
  bfd_sync_all(p);
  bfd_provider_again(p->provider);
}

/* Direct sessions hear of interfaces through their neighbours. */
static void
iface_hook(const struct iface *i, void *data)
{
  struct bfd_proto *p = data;

  if (!p->provider)
    return; /* saying goodbye */
  bfd_listen_device(p, i);
  sync_later(p, &p->multihop);
}

/* Requests join and leave */

static struct bfd_shared *
shared_new(struct bfd_proto *p, const struct bfd_key *key)
{
  struct bfd_shared *s = mb_alloc(p->p.pool, sizeof(*s));

  s->source = p;
  s->key = *key;
  s->status = (struct bfd_status){ .state = BFD_DOWN, .remote_state = BFD_DOWN };
  s->told.state = s->told.remote_state = BFD_DOWN;
  list_init(&s->requests);
  list_init(&s->differing);
  list_add_tail(home_list(p, s), &s->n);
  hash_add(&p->by_key, &s->by_key, key_hash(key));
  return s;
}

static void
shared_free(struct bfd_proto *p, struct bfd_shared *s)
{
  bfd_tell_gone(s);
  if (s->id)
  {
    send_command(p, BFD_REMOVE, s, 0);
    hash_remove(&p->by_disc, &s->by_disc);
    bfd_identity_drop(p, s);
  }
  bfd_attach_leave(p, s);
  if (s->listener)
    bfd_listen_release(p, s->listener);
  hash_remove(&p->by_key, &s->by_key);
  list_remove(&s->n);
  bfd_share_forget(s);
  bfd_suppress_forget(s);
  mb_free(s->verdicts);
  mb_free(s);
}

static void
leave(struct bfd_proto *p, struct bfd_request *r)
{
  struct bfd_shared *s = r->session;

  if (!s)
    return;
  list_remove(&r->sn);
  r->session = NULL;
  r->aside = false;
  if (list_empty(&s->requests) && list_empty(&s->differing))
    shared_free(p, s);
  else
    sync_session(p, s);
}

static void
join(struct bfd_proto *p, struct bfd_request *r, const struct bfd_key *key)
{
  struct bfd_shared *s = bfd_shared_of_key(p, key);

  if (!s)
    s = shared_new(p, key);
  r->session = s;
  list_add_tail(&s->requests, &r->sn);
  bfd_suppress_tell(p, s, r, false);
}

static void
provide(struct bfd_provider *pv, struct bfd_request *r)
{
  struct bfd_proto *p = pv->data;
  struct bfd_shared *s = r->session;
  struct bfd_key key;

  /* A peer that is nowhere for the moment keeps its session, which is then without a path. */
  if (key_for(r, &key) && !(s && bfd_key_equal(&s->key, &key)))
  {
    leave(p, r);
    join(p, r, &key);
  }
  if (r->session)
    sync_session(p, r->session);
}

static void
withdraw(struct bfd_provider *pv, struct bfd_request *r)
{
  leave(pv->data, r);
}

/* Without `vrf` an instance takes everything; whether packets of VRFs reach it is up to the kernel's
 * settings. */
static bool
accepts_vrf(const char *ours, const char *theirs)
{
  return !ours || strcmp(ours, theirs ? theirs : "") == 0;
}

static bool
accepts(struct bfd_provider *pv, const struct bfd_request *r)
{
  bool v6 = !ip_is_v4(r->remote);

  return accepts_vrf(bfd_config_of(pv->data)->p.vrf, r->vrf) &&
         bfd_accepts_kind(bfd_config_of(pv->data), r->hop, v6) && bfd_listen_serves(pv->data, r->hop, v6);
}

static void
announce(struct bfd_provider *pv)
{
  bfd_sync_all(pv->data);
}

static bool
inspect(struct bfd_provider *pv, struct bfd_inspection *q)
{
  return bfd_inspect_session(pv->data, q);
}

static void
survey(struct bfd_provider *pv, struct bfd_survey *s)
{
  bfd_survey_begin(pv->data, s);
}

static const struct bfd_provider_ops provider_ops = {
  .survey = survey,
  .announce = announce,
  .inspect = inspect,
  .accepts = accepts,
  .serve = provide,
  .change = provide,
  .withdraw = withdraw,
};

/* Notes */

static void
log_change(struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_note *note)
{
  const struct bfd_status *st = &note->status;
  const char *where = s->key.hop == BFD_DIRECT ? s->key.ifname : "multihop";

  if (st->state == s->status.state && !note->left_up)
    return;
  if (st->state == BFD_UP)
    log_rl(&p->flap_limit, L_INFO, "%s: Session to %s (%s) is Up", p->p.name, IP_STR(s->key.remote), where);
  else if (!note->left_up) /* that has been reported */
    PROTO_TRACE(&p->p, D_EVENTS, "Session to %s (%s) is %s", IP_STR(s->key.remote), where,
                bfd_state_name(st->state));
}

void
bfd_note_received(struct bfd_proto *p, const struct bfd_note *note)
{
  struct bfd_shared *s = bfd_shared_find(p, note->id);
  struct bfd_request *r;

  if (!s)
    return; /* withdrawn while the note travelled */
  log_change(p, s, note);
  bfd_tell_note(s, note);
  s->status = note->status;
  if (note->left_up && note->status.failed)
    bfd_suppress_failure(p, s);
  LIST_WALK (r, &s->requests, sn)
    bfd_suppress_tell(p, s, r, note->left_up);
  s->status.failed = false; /* news only to those who were there */
}

/* Start and stop */

void
bfd_provide_start(struct bfd_proto *p)
{
  p->flap_limit = (struct log_limit){ .burst = 200, .period = BT_S(10) };
  hash_init(&p->by_key, p->p.pool);
  hash_init(&p->by_disc, p->p.pool);
  list_init(&p->direct);
  list_init(&p->multihop);
  list_init(&p->due);
  list_init(&p->holds);
  bfd_history_start(p);
  bfd_inspections_start(p);
  list_init(&p->surveys);
  bfd_suppress_start(p);
  bfd_pace_start(p);
  p->sync = work_new(p->p.pool, p->p.loop, LOOP_FIRST, sync_slice, p);
  iface_watch_new(p->p.pool, iface_hook, p);
  p->key_timer = timer_new(p->p.pool, p->p.loop, keys_due, p);
  if (!clock_watch_new(p->p.pool, p->p.loop, clock_was_set, p))
    log_write(L_WARN, "%s: No descriptor left to notice that the clock is set: passwords may follow late",
              p->p.name);
  p->provider = bfd_provider_new(NULL, p->p.name, &provider_ops, p);
}

void
bfd_provide_stop(struct bfd_proto *p)
{
  rfree(p->provider);
  p->provider = NULL;
  bfd_inspections_stop(p);
  bfd_surveys_abort(p);
  timer_stop(p->key_timer);
  timer_stop(p->release_timer);
  bfd_pace_stop(p);
  timer_stop(p->listen_retry); /* not before: withdrawing may have asked for it */
}
