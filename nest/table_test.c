/*
 * nest/table_test.c: tables against a model
 *
 * The model is a plain array of routes. Senders update, withdraw and prune at random; readers follow at their
 * own pace and keep, by the number of the network as channels do, what they saw.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/route_fixture.h"

#define NETS 60
#define SENDERS 3
#define ORIGINS 3
#define PATHS 3
#define READERS 4
#define ROUTES (NETS * SENDERS * ORIGINS * PATHS)
#define STEPS 20000

/* What a reader knows of a network; the sets are counted. */
struct view
{
  struct attrs *best;
  u64 all; /* digest of all routes */
};

struct reader
{
  struct rt_reader r;
  struct world *w;
  bool in;
  struct view views[NETS]; /* by number of the network in the table */
  int net_of[NETS];        /* which it is, of the model; -1: none */
  bool urgent[NETS];       /* has to be read before what is not, by model */
  uint woken;
};

struct model_route
{
  struct attrs *attrs; /* counted; NULL: not there */
  bool filtered, fresh;
  u32 age; /* number of the change that made it what it is */
};

struct world
{
  struct fixture f;
  struct rtable *t;
  struct net_addr nets[NETS];
  struct proto proto;
  struct channel senders[SENDERS];
  struct rt_origin *origins[ORIGINS];
  struct model_route routes[NETS][SENDERS][ORIGINS][PATHS];
  struct reader readers[READERS];
  u32 changes;
};

/* Routes are as good as the last word of their `from` is low. */
static bool
class_better(const struct attrs *a, const struct attrs *b)
{
  return a->from.w[3] < b->from.w[3];
}

static const struct proto_class class_judging = { .name = "Judging", .rt_better = class_better };
static const struct proto_class class_plain = { .name = "Plain" };

/* --- Networks to choose from --- */

static struct net_addr
random_net(enum net_type type)
{
  static const u8 lengths4[] = { 0, 8, 9, 15, 16, 24, 31, 32 },
                  lengths6[] = { 0, 3, 32, 33, 64, 65, 127, 128 };
  bool v4 = type == NET_IP4 || type == NET_ROA4;
  uint len = v4 ? lengths4[random() % 8] : lengths6[random() % 8];
  u32 word = 0x0a000000 | (random() & 0x00810181);
  ip_addr a = v4 ? ip_v4(word) : ip_v6(0x20010db8, word, random() & 0x80000001, word);
  struct net_addr n = { .type = type, .prefix = { ip_mask(a, len), len } };

  if (net_is_roa(&n))
  {
    n.max_len = len + random() % ((v4 ? 32 : 128) - len + 1);
    n.asn = random() % 4;
  }
  return n;
}

static int
index_of(const struct world *w, const struct net_addr *a)
{
  for (int i = 0; i < NETS; i++)
    if (net_equal(&w->nets[i], a))
      return i;
  return -1;
}

static void
choose_nets(struct world *w, enum net_type type)
{
  for (uint i = 0; i < NETS; i++)
  {
    struct net_addr a;

    do
      a = random_net(type);
    while (index_of(w, &a) >= 0);
    w->nets[i] = a;
  }
}

/* --- The world --- */

static struct world *
world_new(enum net_type type, const struct proto_class *class)
{
  struct world *w = calloc(1, sizeof(*w));
  struct config *cfg;

  for (uint i = 0; i < SENDERS; i++)
    w->senders[i].proto = &w->proto;
  fixture_init(&w->f);
  cfg = fixture_config_begin(&w->f);
  fixture_table(&w->f, type, "t");
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
  w->t = LIST_ITEM(struct table_config, n, list_first(&cfg->tables))->table;
  choose_nets(w, type);
  for (uint i = 0; i < ORIGINS; i++)
    w->origins[i] = rt_origin_new(class ? class : i % 2 ? &class_plain : &class_judging, "origin", NULL);
  for (uint i = 0; i < READERS; i++)
    w->readers[i].w = w;
  return w;
}

static void
forget_views(struct reader *r)
{
  for (uint i = 0; i < NETS; i++)
  {
    attrs_unref(r->views[i].best);
    r->views[i] = (struct view){ 0 };
    r->net_of[i] = -1;
    r->urgent[i] = false;
  }
}

static void remove_everything(struct world *w);

static void
world_free(struct world *w)
{
  remove_everything(w);
  for (uint i = 0; i < READERS; i++)
  {
    rt_reader_remove(&w->readers[i].r);
    if (w->readers[i].in)
      forget_views(&w->readers[i]);
  }
  for (uint i = 0; i < ORIGINS; i++)
    rt_origin_unref(w->origins[i]);
  assert_int_equal(w->t->net_objects, 0);
  assert_int_equal(slab_used(w->t->route_slab), 0);
  assert_int_equal(slab_used(w->t->net_slab), 0);
  fixture_end(&w->f);
  free(w);
}

/* --- The model --- */

static bool
model_better(const struct model_route *a, const struct model_route *b)
{
  const struct attrs *x = a->attrs, *y = b->attrs;

  if (a->filtered != b->filtered)
    return b->filtered;
  if (x->preference != y->preference)
    return x->preference > y->preference;
  if (x->generation != y->generation)
    return x->generation < y->generation;
  return x->origin->class == y->origin->class && x->origin->class->rt_better && class_better(x, y);
}

#define MODEL_WALK(m, w, net)                                                                               \
  for (struct model_route *m = &(w)->routes[net][0][0][0], *end_ = m + SENDERS * ORIGINS * PATHS; m < end_; \
       m++)                                                                                                 \
    if (m->attrs)

/* All of one sender, in a row. */
static struct model_route *
routes_of(struct world *w, uint net, uint sender)
{
  return (struct model_route *) w->routes[net][sender];
}

static uint
model_count(struct world *w, uint net)
{
  uint count = 0;

  MODEL_WALK(m, w, net)
  count++;
  return count;
}

static struct model_route *
model_of(struct world *w, uint net, const struct route *r)
{
  uint origin = 0;

  while (w->origins[origin] != r->attrs->origin)
    origin++;
  return &w->routes[net][r->sender - w->senders][origin][r->path_id];
}

static u64
digest(const struct net *n)
{
  u64 sum = 0;

  for (const struct route *r = n ? n->routes : NULL; r; r = r->next)
    sum += ((uintptr_t) r->attrs ^ r->path_id ^ (uintptr_t) r->sender << 7 ^ (u64) r->filtered << 60) *
           0x9e3779b97f4a7c15;
  return sum;
}

/* --- Changes --- */

static struct attrs *
random_attrs(struct world *w, uint origin)
{
  return attrs_intern(&(struct attrs){
      .origin = w->origins[origin],
      .source = RTS_STATIC,
      .dest = RTD_BLACKHOLE,
      .preference = 100 + random() % 2,
      .generation = random() % 3 == 0,
      .from = ip_v4(random() % 3),
      .igp_metric = random() % 4,
  });
}

/* What readers have to hear of: wishes of the model, whatever the journal does. */
static void
note_urgent(struct world *w, uint net, bool best_changed)
{
  for (uint i = 0; i < READERS; i++)
  {
    struct reader *r = &w->readers[i];

    if (r->in && (best_changed || r->r.wants == RT_WANTS_ANY))
      r->urgent[net] = true;
  }
}

static struct attrs *
best_of(const struct net *n)
{
  return n && net_best(n) ? net_best(n)->attrs : NULL;
}

static enum rt_result
expected_result(const struct model_route *m, const struct rt_update *u)
{
  if (!u->attrs)
    return m->attrs ? RT_WITHDRAWN : RT_UNKNOWN;
  if (!m->attrs)
    return RT_ADDED;
  return m->attrs == u->attrs && m->filtered == u->filtered ? RT_SAME : RT_REPLACED;
}

static void
change(struct world *w, uint net, uint sender, uint origin, struct rt_update *u)
{
  struct model_route *m = &w->routes[net][sender][origin][u->path_id];
  enum rt_result expected = expected_result(m, u);
  struct attrs *before = best_of(rt_net(w->t, &w->nets[net]));

  u->origin = w->origins[origin];
  if (before)
    attrs_ref(before);
  assert_int_equal(rt_update(w->t, &w->senders[sender], rt_net(w->t, &w->nets[net]), &w->nets[net], u),
                   expected);
  if (u->urgent && expected != RT_SAME && expected != RT_UNKNOWN)
    note_urgent(w, net, best_of(rt_net(w->t, &w->nets[net])) != before);
  attrs_unref(before);

  if (u->attrs)
    attrs_ref(u->attrs);
  attrs_unref(m->attrs);
  if (expected == RT_ADDED || expected == RT_REPLACED)
    m->age = ++w->changes;
  m->attrs = u->attrs;
  m->filtered = u->filtered;
  m->fresh = true;
}

static void
change_something(struct world *w)
{
  uint net = random() % NETS, sender = random() % SENDERS, origin = random() % ORIGINS;
  struct rt_update u = { .path_id = random() % PATHS,
                         .filtered = random() % 5 == 0,
                         .urgent = random() % 6 == 0 };

  if (random() % 5 < 2)
    u.attrs = random_attrs(w, origin);
  change(w, net, sender, origin, &u);
  attrs_unref(u.attrs);
}

struct prune
{
  struct world *w;
  uint sender;
  int round;
};

static void
visit_prune(struct gnode *g, void *data)
{
  struct prune *p = data;

  rt_prune_net(p->w->t, SKIP_BACK(struct net, hn, g), &p->w->senders[p->sender], p->round);
}

/* Remove what @sender did not confirm in its round, or all of its. */
static void
prune(struct world *w, uint sender, bool all)
{
  struct prune p = { w, sender, all ? -1 : w->senders[sender].round };
  u32 pos = 0;

  while (growhash_walk(&w->t->nets, &pos, visit_prune, &p))
    ;
  for (uint net = 0; net < NETS; net++)
    for (uint k = 0; k < ORIGINS * PATHS; k++)
    {
      struct model_route *m = &routes_of(w, net, sender)[k];

      if (!m->attrs || (!all && m->fresh))
        continue;
      attrs_unref(m->attrs);
      m->attrs = NULL;
    }
}

static void
refresh(struct world *w, uint sender)
{
  w->senders[sender].round++;
  for (uint net = 0; net < NETS; net++)
    for (uint k = 0; k < ORIGINS * PATHS; k++)
      routes_of(w, net, sender)[k].fresh = false;
  for (uint i = 0; i < 100; i++)
    change_something(w);
  prune(w, sender, false);
}

static void
remove_everything(struct world *w)
{
  for (uint i = 0; i < SENDERS; i++)
    prune(w, i, true);
}

/* --- What must hold at any time --- */

/* The order is that of rt_better(), then of age; with classes that cannot be compared, nothing worse goes
 * first. */
static void
check_order(struct world *w, uint net, const struct net *n, bool by_age)
{
  const struct model_route *before = NULL;

  for (const struct route *r = n ? n->routes : NULL; r; r = r->next)
  {
    const struct model_route *m = model_of(w, net, r);

    if (before)
    {
      assert_false(model_better(m, before));
      assert_true(!by_age || model_better(before, m) || before->age < m->age);
    }
    before = m;
  }
}

static void
check_net(struct world *w, uint net, bool by_age)
{
  const struct net *n = rt_net(w->t, &w->nets[net]);
  uint count = 0;

  for (const struct route *r = n ? n->routes : NULL; r; r = r->next, count++)
  {
    const struct model_route *m = model_of(w, net, r);

    assert_ptr_equal(m->attrs, r->attrs);
    assert_int_equal(m->filtered, r->filtered);
    assert_ptr_equal(rt_route_of(n, r->sender, r->attrs->origin, r->path_id), r);
  }
  assert_int_equal(count, model_count(w, net));
  check_order(w, net, n, by_age);
  if (n)
  {
    struct net_addr a = net_addr_of(w->t, n);

    assert_true(net_equal(&a, &w->nets[net]));
    assert_true(n->id < NETS);
  }
}

static void
check_counters(struct world *w)
{
  u32 routes = 0, nets = 0, by_length[129] = { 0 }, preferred[SENDERS] = { 0 };

  for (uint net = 0; net < NETS; net++)
  {
    const struct net *n = rt_net(w->t, &w->nets[net]);
    uint count = model_count(w, net);

    routes += count;
    nets += count > 0;
    by_length[w->nets[net].prefix.len] += count > 0;
    if (n && net_best(n))
      preferred[net_best(n)->sender - w->senders]++;
  }
  assert_int_equal(w->t->route_count, routes);
  assert_int_equal(w->t->net_count, nets);
  assert_true(w->t->net_objects >= nets);
  assert_memory_equal(w->t->by_length, by_length, sizeof(by_length));
  for (uint i = 0; i < SENDERS; i++)
    assert_int_equal(w->senders[i].preferred, preferred[i]);
}

static void
check_table(struct world *w, bool by_age)
{
  for (uint net = 0; net < NETS; net++)
    check_net(w, net, by_age);
  check_counters(w);
}

/* --- Readers --- */

static void
reader_wake(struct rt_reader *r, bool urgent UNUSED)
{
  SKIP_BACK(struct reader, r, r)->woken++;
}

/* What a reader should have seen, for its kind. */
static bool
knows(const struct reader *r, uint net, const struct net *n)
{
  struct view known = { 0 };

  for (uint id = 0; id < NETS; id++)
    if (r->net_of[id] == (int) net)
      known = r->views[id];
  return known.best == best_of(n) && (r->r.wants == RT_WANTS_BEST || known.all == digest(n));
}

/* Take down the present state; a number must not stand for two networks. */
static void
look(struct reader *r, uint net, const struct net *n)
{
  struct view *v = &r->views[n->id];

  if (r->net_of[n->id] != (int) net)
    assert_true(!v->best && !v->all);
  attrs_unref(v->best);
  v->best = best_of(n) ? attrs_ref(best_of(n)) : NULL;
  v->all = r->r.wants == RT_WANTS_ANY ? digest(n) : 0;
  r->net_of[n->id] = v->best || v->all ? (int) net : -1;
}

static void
reader_join(struct world *w, struct reader *r, enum rt_reader_wants wants)
{
  *r = (struct reader){ .w = w, .in = true };
  for (uint i = 0; i < NETS; i++)
    r->net_of[i] = -1;
  r->r.wake = reader_wake;
  r->r.wants = wants;
  rt_reader_add(w->t, &r->r);
  for (uint net = 0; net < NETS; net++)
  {
    const struct net *n = rt_net(w->t, &w->nets[net]);

    if (n && n->routes)
      look(r, net, n);
  }
}

static void
reader_leave(struct reader *r)
{
  rt_reader_remove(&r->r);
  forget_views(r);
  r->in = false;
}

static bool
has_urgent(const struct reader *r)
{
  for (uint i = 0; i < NETS; i++)
    if (r->urgent[i])
      return true;
  return false;
}

/* False when it ran dry. */
static bool
reader_step(struct reader *r)
{
  struct net *n = rt_reader_next(&r->r);
  struct net_addr a;
  int net;

  if (!n)
  {
    assert_false(has_urgent(r));
    return false;
  }
  a = net_addr_of(r->w->t, n);
  net = index_of(r->w, &a);
  assert_true(net >= 0);
  assert_true(n->urgent || !has_urgent(r));
  r->urgent[net] = false;
  look(r, net, n);
  return true;
}

static void
check_dry(struct reader *r)
{
  for (uint net = 0; net < NETS; net++)
    assert_true(knows(r, net, rt_net(r->w->t, &r->w->nets[net])));
}

/* One that does not know all is awake, or will never read again. */
static void
check_awake(struct world *w)
{
  for (uint i = 0; i < READERS; i++)
  {
    struct reader *r = &w->readers[i];

    if (!r->in || (r->r.awake && r->woken))
      continue;
    check_dry(r);
  }
}

static void
reader_drain(struct reader *r)
{
  while (reader_step(r))
    ;
  r->woken = 0;
  check_dry(r);
}

/* The slower a reader, the higher its number. */
static void
readers_act(struct world *w)
{
  for (uint i = 0; i < READERS; i++)
  {
    struct reader *r = &w->readers[i];

    if (r->in && random() % (1 + 20 * i) == 0)
    {
      uint steps = 1 + random() % 8;

      while (steps && reader_step(r))
        steps--;
      if (!steps)
        continue;
      r->woken = 0;
      check_dry(r);
    }
    if (random() % 500 == 0)
    {
      if (r->in)
        reader_leave(r);
      else
        reader_join(w, r, random() % 2 ? RT_WANTS_ANY : RT_WANTS_BEST);
    }
  }
}

static void
drain_all(struct world *w)
{
  for (uint i = 0; i < READERS; i++)
    if (w->readers[i].in)
      reader_drain(&w->readers[i]);
}

/* --- Random work --- */

static void
work_at_random(enum net_type type, const struct proto_class *class, bool with_readers)
{
  struct world *w = world_new(type, class);

  for (uint i = 0; i < STEPS; i++)
  {
    change_something(w);
    if (random() % 2000 == 0)
      refresh(w, random() % SENDERS);
    if (random() % 4000 == 0)
      prune(w, random() % SENDERS, true);
    if (with_readers)
      readers_act(w);
    if (i % 16 == 0)
    {
      check_table(w, class);
      check_awake(w);
    }
    if (i % 1000 == 999)
    {
      drain_all(w);
      assert_int_equal(w->t->net_objects, w->t->net_count); /* nobody needs the others */
    }
  }
  world_free(w);
}

static void
an_ip4_table_does_as_the_model(void **ctx UNUSED)
{
  work_at_random(NET_IP4, &class_judging, false);
}

static void
an_ip6_table_does_as_the_model(void **ctx UNUSED)
{
  work_at_random(NET_IP6, &class_plain, false);
}

static void
a_roa_table_does_as_the_model(void **ctx UNUSED)
{
  work_at_random(NET_ROA4, &class_judging, false);
  work_at_random(NET_ROA6, &class_plain, false);
}

static void
nothing_better_stands_behind_with_classes_that_do_not_compare(void **ctx UNUSED)
{
  work_at_random(NET_IP4, NULL, false);
}

static void
readers_of_any_speed_know_the_table_in_the_end(void **ctx UNUSED)
{
  work_at_random(NET_IP4, &class_judging, true);
  work_at_random(NET_ROA4, NULL, true);
  work_at_random(NET_IP6, &class_judging, true);
}

/* --- Readers, one thing at a time --- */

static int
setup(void **ctx)
{
  *ctx = world_new(NET_IP4, &class_plain);
  return 0;
}

static int
teardown(void **ctx)
{
  world_free(*ctx);
  return 0;
}

static struct attrs *
plain_attrs(struct world *w, uint preference)
{
  return attrs_intern(&(struct attrs){
      .origin = w->origins[0], .source = RTS_STATIC, .dest = RTD_BLACKHOLE, .preference = preference });
}

/* @preference zero withdraws. */
static void
set_route(struct world *w, uint net, uint preference, bool urgent)
{
  struct rt_update u = { .attrs = preference ? plain_attrs(w, preference) : NULL, .urgent = urgent };

  change(w, net, 0, 0, &u);
  attrs_unref(u.attrs);
}

static void
a_network_stands_in_the_journal_once(void **ctx)
{
  struct world *w = *ctx;
  struct reader *r = &w->readers[0];

  reader_join(w, r, RT_WANTS_BEST);
  for (uint i = 1; i <= 100; i++)
    set_route(w, i % 2, i, false);
  assert_int_equal(r->woken, 1);
  assert_true(reader_step(r));
  assert_true(reader_step(r));
  assert_false(reader_step(r));
  set_route(w, 0, 500, false);
  assert_int_equal(r->woken, 2);
}

static void
a_change_back_and_forth_is_no_change_to_a_slow_reader(void **ctx)
{
  struct world *w = *ctx;
  struct reader *r = &w->readers[0];

  set_route(w, 0, 7, false);
  reader_join(w, r, RT_WANTS_ANY);
  set_route(w, 0, 0, false);
  set_route(w, 0, 7, false);
  reader_drain(r);
  assert_ptr_equal(rt_net(w->t, &w->nets[0])->routes->next, NULL);
}

static void
urgent_news_goes_ahead_and_wakes_again(void **ctx)
{
  struct world *w = *ctx;
  struct reader *r = &w->readers[0];
  struct net *n;

  reader_join(w, r, RT_WANTS_BEST);
  for (uint i = 0; i < 20; i++)
    set_route(w, i, 1, false);
  assert_int_equal(r->woken, 1);
  set_route(w, 13, 2, true);
  assert_int_equal(r->woken, 2);
  n = rt_reader_next(&r->r);
  assert_ptr_equal(n, rt_net(w->t, &w->nets[13]));
  assert_true(n->urgent);
  r->urgent[13] = false;
  look(r, 13, n);
  reader_drain(r);
}

/* What is urgent remains so when something else happens to it before it was read. */
static void
pending_urgency_is_not_lost(void **ctx)
{
  struct world *w = *ctx;
  struct reader *r = &w->readers[0];

  reader_join(w, r, RT_WANTS_BEST);
  set_route(w, 1, 1, false);
  set_route(w, 0, 1, true);
  set_route(w, 0, 2, false);
  assert_ptr_equal(rt_reader_next(&r->r), rt_net(w->t, &w->nets[0]));
}

static void
urgency_ends_when_all_have_read(void **ctx)
{
  struct world *w = *ctx;

  reader_join(w, &w->readers[0], RT_WANTS_BEST);
  reader_join(w, &w->readers[1], RT_WANTS_BEST);
  set_route(w, 0, 1, true);
  drain_all(w);
  set_route(w, 1, 1, false);
  set_route(w, 0, 2, false);
  assert_false(rt_net(w->t, &w->nets[0])->urgent);
  drain_all(w);
}

static void
a_network_waits_for_the_slowest_reader(void **ctx)
{
  struct world *w = *ctx;
  struct reader *fast = &w->readers[0], *slow = &w->readers[1];

  set_route(w, 0, 1, false);
  reader_join(w, fast, RT_WANTS_BEST);
  reader_join(w, slow, RT_WANTS_BEST);
  set_route(w, 0, 0, false);
  reader_drain(fast);
  assert_non_null(rt_net(w->t, &w->nets[0]));
  assert_int_equal(w->t->net_count, 0);
  assert_int_equal(w->t->net_objects, 1);
  reader_drain(slow);
  assert_null(rt_net(w->t, &w->nets[0]));
}

static void
a_reader_that_leaves_lets_networks_go(void **ctx)
{
  struct world *w = *ctx;
  struct reader *r = &w->readers[0];

  set_route(w, 0, 1, false);
  set_route(w, 1, 1, false);
  reader_join(w, r, RT_WANTS_BEST);
  set_route(w, 0, 0, false);
  set_route(w, 1, 0, true);
  assert_int_equal(w->t->net_objects, 2);
  reader_leave(r);
  assert_int_equal(w->t->net_objects, 0);
  assert_true(list_empty(&w->t->changes));
  assert_true(list_empty(&w->t->urgent));
}

/* Its number is taken only after the last reader has heard of the end. */
static void
a_number_is_reused_only_when_all_know(void **ctx)
{
  struct world *w = *ctx;
  struct reader *r = &w->readers[0];
  u32 id;

  set_route(w, 0, 1, false);
  id = rt_net(w->t, &w->nets[0])->id;
  reader_join(w, r, RT_WANTS_BEST);
  set_route(w, 0, 0, false);
  set_route(w, 1, 1, false);
  assert_int_not_equal(rt_net(w->t, &w->nets[1])->id, id);
  reader_drain(r);
  set_route(w, 2, 1, false);
  assert_int_equal(rt_net(w->t, &w->nets[2])->id, id);
  reader_drain(r);
}

static void
a_network_that_comes_back_is_the_same(void **ctx)
{
  struct world *w = *ctx;
  const struct net *n;

  reader_join(w, &w->readers[0], RT_WANTS_BEST);
  set_route(w, 0, 1, false);
  n = rt_net(w->t, &w->nets[0]);
  set_route(w, 0, 0, false);
  set_route(w, 0, 3, false);
  assert_ptr_equal(rt_net(w->t, &w->nets[0]), n);
  reader_drain(&w->readers[0]);
}

static void
worse_routes_are_no_news_for_readers_of_the_best(void **ctx)
{
  struct world *w = *ctx;
  struct rt_update worse = { .path_id = 1, .attrs = plain_attrs(w, 1) };
  struct rt_update filtered = { .path_id = 2, .attrs = plain_attrs(w, 100), .filtered = true };

  set_route(w, 0, 50, false);
  reader_join(w, &w->readers[0], RT_WANTS_BEST);
  change(w, 0, 0, 0, &worse);
  change(w, 0, 0, 0, &filtered);
  assert_int_equal(w->readers[0].woken, 0);
  reader_join(w, &w->readers[1], RT_WANTS_ANY);
  change(w, 0, 0, 0, &(struct rt_update){ .path_id = 2 });
  assert_int_equal(w->readers[1].woken, 1);
  attrs_unref(worse.attrs);
  attrs_unref(filtered.attrs);
  drain_all(w);
}

/* --- Routes --- */

static void
the_older_of_equal_routes_stays_best(void **ctx)
{
  struct world *w = *ctx;
  struct attrs *a = plain_attrs(w, 1), *b = plain_attrs(w, 1);
  struct rt_update first = { .path_id = 0, .attrs = a }, second = { .path_id = 1, .attrs = b };

  assert_ptr_equal(a, b);
  change(w, 0, 0, 0, &first);
  change(w, 0, 0, 0, &second);
  assert_int_equal(net_best(rt_net(w->t, &w->nets[0]))->path_id, 0);
  change(w, 0, 0, 0, &(struct rt_update){ .path_id = 0 });
  change(w, 0, 0, 0, &first);
  assert_int_equal(net_best(rt_net(w->t, &w->nets[0]))->path_id, 1);
  attrs_unref(a);
  attrs_unref(b);
}

static void
the_only_route_is_not_best_when_filtered(void **ctx)
{
  struct world *w = *ctx;
  struct rt_update u = { .attrs = plain_attrs(w, 1), .filtered = true };

  change(w, 0, 0, 0, &u);
  assert_null(net_best(rt_net(w->t, &w->nets[0])));
  assert_int_equal(w->senders[0].preferred, 0);
  assert_null(rt_lookup(w->t, w->nets[0].prefix.addr));
  check_table(w, true);
  attrs_unref(u.attrs);
}

static void
withdrawing_what_is_not_there_makes_nothing(void **ctx)
{
  struct world *w = *ctx;

  set_route(w, 0, 0, true);
  assert_null(rt_net(w->t, &w->nets[0]));
  assert_int_equal(w->t->net_objects, 0);
}

/* --- Lookups --- */

static struct net *
brute_force(struct world *w, const struct prefix *p)
{
  struct net *found = NULL;

  for (uint i = 0; i < NETS; i++)
  {
    struct net *n = rt_net(w->t, &w->nets[i]);

    if (n && net_best(n) && prefix_covers(&w->nets[i].prefix, p) && (!found || n->len > found->len))
      found = n;
  }
  return found;
}

static void
lookups_agree(enum net_type type, uint max_len)
{
  struct world *w = world_new(type, &class_judging);

  for (uint i = 0; i < 30000; i++)
  {
    struct net_addr a = random_net(type);
    struct prefix host = { a.prefix.addr, max_len };

    change_something(w);
    assert_ptr_equal(rt_lookup_prefix(w->t, &a.prefix), brute_force(w, &a.prefix));
    assert_ptr_equal(rt_lookup(w->t, host.addr), brute_force(w, &host));
  }
  world_free(w);
}

static void
lookups_find_the_longest_match(void **ctx UNUSED)
{
  lookups_agree(NET_IP4, 32);
  lookups_agree(NET_IP6, 128);
}

static void
lookups_of_the_other_family_find_nothing(void **ctx)
{
  struct world *w = *ctx;
  struct prefix everything = { IP_NONE, 0 };

  for (uint i = 0; i < NETS; i++)
    set_route(w, i, 1, false);
  assert_null(rt_lookup(w->t, ip("2001:db8::1")));
  assert_null(rt_lookup(w->t, ip("::")));
  assert_null(rt_lookup_prefix(w->t, &everything));
}

/* --- Tables and configurations --- */

static struct rtable *
reapply(struct world *w, enum net_type type, const char *name)
{
  fixture_config_begin(&w->f);
  if (name)
    fixture_table(&w->f, type, name);
  fixture_apply(&w->f, false);
  fixture_applied(&w->f);
  return name ? rt_find(name) : NULL;
}

static void
a_table_survives_reconfiguration(void **ctx)
{
  struct world *w = *ctx;

  set_route(w, 0, 1, false);
  assert_ptr_equal(reapply(w, NET_IP4, "t"), w->t);
  assert_int_equal(w->t->route_count, 1);
}

static void
a_table_in_use_outlives_the_configuration(void **ctx)
{
  struct world *w = *ctx;
  struct rtable *new;

  rt_lock(w->t);
  set_route(w, 0, 1, false);
  new = reapply(w, NET_IP6, "t"); /* the same name, but another table */
  assert_ptr_not_equal(new, w->t);
  assert_int_equal(w->t->route_count, 1);
  reapply(w, NET_IP4, "t");
  remove_everything(w);
  rt_unlock(w->t);
  assert_ptr_not_equal(rt_find("t"), w->t);
  w->t = rt_find("t");
}

int
main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_ip4_table_does_as_the_model),
    cmocka_unit_test(an_ip6_table_does_as_the_model),
    cmocka_unit_test(a_roa_table_does_as_the_model),
    cmocka_unit_test(nothing_better_stands_behind_with_classes_that_do_not_compare),
    cmocka_unit_test(readers_of_any_speed_know_the_table_in_the_end),
    cmocka_unit_test_setup_teardown(a_network_stands_in_the_journal_once, setup, teardown),
    cmocka_unit_test_setup_teardown(a_change_back_and_forth_is_no_change_to_a_slow_reader, setup, teardown),
    cmocka_unit_test_setup_teardown(urgent_news_goes_ahead_and_wakes_again, setup, teardown),
    cmocka_unit_test_setup_teardown(pending_urgency_is_not_lost, setup, teardown),
    cmocka_unit_test_setup_teardown(urgency_ends_when_all_have_read, setup, teardown),
    cmocka_unit_test_setup_teardown(a_network_waits_for_the_slowest_reader, setup, teardown),
    cmocka_unit_test_setup_teardown(a_reader_that_leaves_lets_networks_go, setup, teardown),
    cmocka_unit_test_setup_teardown(a_number_is_reused_only_when_all_know, setup, teardown),
    cmocka_unit_test_setup_teardown(a_network_that_comes_back_is_the_same, setup, teardown),
    cmocka_unit_test_setup_teardown(worse_routes_are_no_news_for_readers_of_the_best, setup, teardown),
    cmocka_unit_test_setup_teardown(the_older_of_equal_routes_stays_best, setup, teardown),
    cmocka_unit_test_setup_teardown(the_only_route_is_not_best_when_filtered, setup, teardown),
    cmocka_unit_test_setup_teardown(withdrawing_what_is_not_there_makes_nothing, setup, teardown),
    cmocka_unit_test(lookups_find_the_longest_match),
    cmocka_unit_test_setup_teardown(lookups_of_the_other_family_find_nothing, setup, teardown),
    cmocka_unit_test_setup_teardown(a_table_survives_reconfiguration, setup, teardown),
    cmocka_unit_test_setup_teardown(a_table_in_use_outlives_the_configuration, setup, teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
