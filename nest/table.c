/* nest/table.c: see table.h */
#include <string.h>

#include "lib/random.h"
#include "nest/channel.h"
#include "sysdep/clock.h"

static struct
{
  pool *pool;
  struct loop *loop;
  struct list tables;
  u32 seed; /* so that nobody can choose prefixes that fall into one slot */
} root;

/* --- Networks --- */

static uint
addr_words(enum net_type type)
{
  return type == NET_IP4 || type == NET_ROA4 ? 1 : 4;
}

static bool
type_is_roa(enum net_type type)
{
  return type == NET_ROA4 || type == NET_ROA6;
}

static uint
key_words(enum net_type type)
{
  return addr_words(type) + type_is_roa(type);
}

static u32
key_hash(const u32 *key, uint words, uint len)
{
  u64 x = (u64) root.seed << 32 | len;

  for (uint i = 0; i < words; i++)
    x = (x ^ key[i]) * 0x9e3779b97f4a7c15;
  x ^= x >> 29;
  return x * 0xbf58476d1ce4e5b9 >> 32;
}

/* The AS number does not count, so that all authorisations for a prefix stand together. */
static u32
hash_net4(const struct gnode *n)
{
  const struct net *net = SKIP_BACK(struct net, hn, n);

  return key_hash(net->key, 1, net->len);
}

static u32
hash_net6(const struct gnode *n)
{
  const struct net *net = SKIP_BACK(struct net, hn, n);

  return key_hash(net->key, 4, net->len);
}

static void
key_fill(u32 *key, enum net_type type, const struct net_addr *a)
{
  uint words = addr_words(type);

  memcpy(key, a->prefix.addr.w + 4 - words, words * sizeof(u32));
  if (type_is_roa(type))
    key[words] = a->asn;
}

struct net_addr
net_addr_of(const struct rtable *t, const struct net *n)
{
  struct net_addr a = { .type = t->type, .max_len = n->max_len };

  a.prefix.len = n->len;
  a.prefix.addr =
      addr_words(t->type) == 1 ? ip_v4(n->key[0]) : ip_v6(n->key[0], n->key[1], n->key[2], n->key[3]);
  if (type_is_roa(t->type))
    a.asn = n->key[addr_words(t->type)];
  return a;
}

struct net *
rt_net(const struct rtable *t, const struct net_addr *a)
{
  u32 key[5];
  uint words = key_words(t->type);

  if (a->type != t->type)
    return NULL;
  key_fill(key, t->type, a);
  for (struct gnode *n = growhash_chain(&t->nets, key_hash(key, addr_words(t->type), a->prefix.len)); n;
       n = n->next)
  {
    struct net *net = SKIP_BACK(struct net, hn, n);

    if (net->len == a->prefix.len && net->max_len == a->max_len &&
        memcmp(net->key, key, words * sizeof(u32)) == 0)
      return net;
  }
  return NULL;
}

struct net *
rt_lookup_prefix(const struct rtable *t, const struct prefix *p)
{
  struct net_addr a = { .type = t->type };

  if (type_is_roa(t->type) || ip_is_v4(p->addr) != (addr_words(t->type) == 1))
    return NULL;
  for (int len = p->len; len >= 0; len--)
    if (t->by_length[len])
    {
      a.prefix = (struct prefix){ ip_mask(p->addr, len), len };

      struct net *n = rt_net(t, &a);

      if (n && net_best(n))
        return n;
    }
  return NULL;
}

struct net *
rt_lookup(const struct rtable *t, ip_addr a)
{
  return rt_lookup_prefix(t, &(struct prefix){ a, ip_is_v4(a) ? 32 : 128 });
}

static struct net *
net_new(struct rtable *t, const struct net_addr *a)
{
  struct net *n = slab_alloc(t->net_slab);

  n->id = idmap_take(&t->ids);
  n->len = a->prefix.len;
  n->max_len = a->max_len;
  key_fill(n->key, t->type, a);
  growhash_add(&t->nets, &n->hn);
  t->net_objects++;
  return n;
}

/* Nobody has to hear of it any more. */
static void
net_free(struct rtable *t, struct net *n)
{
  growhash_remove(&t->nets, &n->hn);
  idmap_give(&t->ids, n->id);
  slab_free(t->net_slab, n);
  t->net_objects--;
}

/* --- Journals --- */

_Static_assert(offsetof(struct net, journal_kind) - offsetof(struct net, change) ==
                   offsetof(struct journal_mark, kind),
               "what stands in a journal says what it is at the same place");

static struct net *
journal_net(struct node *n)
{
  return SKIP_BACK(struct journal_mark, n, n)->kind == JOURNAL_NET ? SKIP_BACK(struct net, change, n) : NULL;
}

/* What stands before the first mark has been read by all. */
static void
journal_trim(struct rtable *t, struct list *journal)
{
  for (struct node *first; (first = list_first(journal));)
  {
    struct net *n = journal_net(first);

    if (!n)
      return;
    list_remove(&n->change);
    n->urgent = false;
    if (!n->routes)
      net_free(t, n);
  }
}

static void
wake_readers(struct rtable *t, bool urgent)
{
  struct rt_reader *r;

  LIST_WALK (r, &t->readers, n)
    if (!r->awake || urgent)
    {
      r->awake = true;
      r->wake(r, urgent);
    }
}

/* Note that @n changed; what is pending as urgent remains so. */
static void
journal_add(struct rtable *t, struct net *n, bool best_changed, bool urgent)
{
  if (list_empty(&t->readers) || (!best_changed && !t->any_readers))
  {
    if (!n->routes && !node_linked(&n->change))
      net_free(t, n);
    return;
  }
  n->urgent = urgent || (n->urgent && node_linked(&n->change));
  list_remove(&n->change);
  list_add_tail(n->urgent ? &t->urgent : &t->changes, &n->change);
  wake_readers(t, n->urgent);
}

void
rt_reader_add(struct rtable *t, struct rt_reader *r)
{
  r->table = t;
  r->awake = false;
  r->urgent = r->normal = (struct journal_mark){ .kind = JOURNAL_MARK };
  list_add_tail(&t->urgent, &r->urgent.n);
  list_add_tail(&t->changes, &r->normal.n);
  list_add_tail(&t->readers, &r->n);
  t->any_readers += r->wants == RT_WANTS_ANY;
}

void
rt_reader_remove(struct rt_reader *r)
{
  struct rtable *t = r->table;

  if (!t)
    return;
  list_remove(&r->n);
  list_remove(&r->urgent.n);
  list_remove(&r->normal.n);
  t->any_readers -= r->wants == RT_WANTS_ANY;
  r->table = NULL;
  journal_trim(t, &t->urgent);
  journal_trim(t, &t->changes);
}

/* Step over one network, or over the marks of others up to the end. */
static struct net *
mark_advance(struct list *journal, struct journal_mark *m)
{
  struct net *n = NULL;
  struct node *next = m->n.next;

  while (next != &journal->ring && !(n = journal_net(next)))
    next = next->next;

  struct node *after = n ? &n->change : journal->ring.prev;

  if (after != &m->n)
  {
    list_remove(&m->n);
    node_insert_after(after, &m->n);
  }
  return n;
}

/* The network found must not be trimmed before it was looked at: that happens at the next call. */
struct net *
rt_reader_next(struct rt_reader *r)
{
  struct rtable *t = r->table;

  journal_trim(t, &t->urgent);
  journal_trim(t, &t->changes);

  struct net *n = mark_advance(&t->urgent, &r->urgent);

  if (!n)
    n = mark_advance(&t->changes, &r->normal);
  if (!n)
    r->awake = false;
  return n;
}

/* --- Routes --- */

bool
rt_better(const struct route *a, const struct route *b)
{
  if (a->filtered != b->filtered)
    return b->filtered;
  if (a->attrs->preference != b->attrs->preference)
    return a->attrs->preference > b->attrs->preference;

  const struct proto_class *class = a->attrs->origin->class;

  if (a->attrs->generation != b->attrs->generation)
    return a->attrs->generation < b->attrs->generation;
  if (class == b->attrs->origin->class && class->rt_better)
    return class->rt_better(a->attrs, b->attrs);
  return false; /* the one that is there stays: nothing moves without a reason */
}

static struct route **
route_slot(struct net *n, const struct channel *sender, const struct rt_origin *origin, u32 path_id)
{
  for (struct route **r = &n->routes; *r; r = &(*r)->next)
    if ((*r)->sender == sender && (*r)->path_id == path_id && (*r)->attrs->origin == origin)
      return r;
  return NULL;
}

struct route *
rt_route_of(const struct net *n, const struct channel *sender, const struct rt_origin *origin, u32 path_id)
{
  struct route **r = route_slot((struct net *) n, sender, origin, path_id);

  return r ? *r : NULL;
}

static void
route_insert(struct net *n, struct route *r)
{
  struct route **at = &n->routes;

  while (*at && !rt_better(r, *at))
    at = &(*at)->next;
  r->next = *at;
  *at = r;
}

/* A route that became another one is judged anew, but its age counts: it goes before equals that are younger.
 */
static void
route_reinsert(struct net *n, struct route *r)
{
  struct route **at = &n->routes;

  while (*at && (rt_better(*at, r) || (!rt_better(r, *at) && (*at)->since <= r->since)))
    at = &(*at)->next;
  r->next = *at;
  *at = r;
}

static void
count_net(struct rtable *t, const struct net *n, int change)
{
  t->net_count += change;
  t->by_length[n->len] += change;
}

static void
route_add(struct rtable *t, struct net *n, struct channel *sender, const struct rt_update *u)
{
  struct route *r = slab_alloc(t->route_slab);

  if (!n->routes)
    count_net(t, n, 1);
  t->route_count++;
  t->filtered_count += u->filtered;
  r->attrs = attrs_ref(u->attrs);
  r->sender = sender;
  r->path_id = u->path_id;
  r->since = clock_wall();
  r->filtered = u->filtered;
  r->round = sender->round;
  route_insert(n, r);
}

static void
route_remove(struct rtable *t, struct net *n, struct route **slot)
{
  struct route *r = *slot;

  *slot = r->next;
  t->route_count--;
  t->filtered_count -= r->filtered;
  attrs_unref(r->attrs);
  slab_free(t->route_slab, r);
  if (!n->routes)
    count_net(t, n, -1);
}

static void
route_replace(struct rtable *t, struct net *n, struct route **slot, const struct rt_update *u)
{
  struct route *r = *slot;
  struct attrs *old = r->attrs;

  *slot = r->next;
  r->attrs = attrs_ref(u->attrs);
  attrs_unref(old);
  t->filtered_count += u->filtered - r->filtered;
  r->filtered = u->filtered;
  r->since = clock_wall();
  route_reinsert(n, r);
}

/* What readers of the best route see of a network: the set is kept for as long as this is looked at. */
struct best_view
{
  struct attrs *attrs;
  struct channel *sender;
};

static struct best_view
best_view(const struct net *n)
{
  const struct route *best = net_best(n);

  return best ? (struct best_view){ attrs_ref(best->attrs), best->sender } : (struct best_view){ 0 };
}

static void
net_changed(struct rtable *t, struct net *n, const struct best_view *before, bool urgent)
{
  const struct route *best = net_best(n);

  if (before->sender)
    before->sender->preferred--;
  if (best)
    best->sender->preferred++;
  journal_add(t, n, (best ? best->attrs : NULL) != before->attrs, urgent);
}

static enum rt_result
update_net(struct rtable *t, struct net *n, struct channel *sender, const struct rt_update *u)
{
  struct route **slot = route_slot(n, sender, u->origin, u->path_id);

  if (!u->attrs)
  {
    if (!slot)
      return RT_UNKNOWN;
    route_remove(t, n, slot);
    return RT_WITHDRAWN;
  }
  if (!slot)
  {
    route_add(t, n, sender, u);
    return RT_ADDED;
  }
  (*slot)->round = sender->round;
  if ((*slot)->attrs == u->attrs && (*slot)->filtered == u->filtered)
    return RT_SAME;
  route_replace(t, n, slot, u);
  return RT_REPLACED;
}

enum rt_result
rt_update(struct rtable *t, struct channel *sender, struct net *n, const struct net_addr *a,
          const struct rt_update *u)
{
  ASSERT(a->type == t->type); /* else nobody would ever find it again */
  if (!n && !u->attrs)
    return RT_UNKNOWN;
  if (!n)
    n = net_new(t, a);

  struct best_view before = best_view(n);
  enum rt_result result = update_net(t, n, sender, u);

  if (result != RT_SAME && result != RT_UNKNOWN)
    net_changed(t, n, &before, u->urgent);
  attrs_unref(before.attrs);
  return result;
}

void
rt_prune_net(struct rtable *t, struct net *n, struct channel *sender, int round)
{
  struct best_view before = best_view(n);
  bool changed = false;

  for (struct route **slot = &n->routes; *slot;)
    if ((*slot)->sender == sender && (round < 0 || (*slot)->round != round))
    {
      channel_route_gone(sender, n, *slot);
      route_remove(t, n, slot);
      changed = true;
    }
    else
      slot = &(*slot)->next;
  if (changed)
    net_changed(t, n, &before, false);
  attrs_unref(before.attrs);
}

/* --- Tables --- */

void
rt_init(pool *p, struct loop *l)
{
  root.pool = p;
  root.loop = l;
  root.seed = (u32) random_seed();
  list_init(&root.tables);
  attrs_init(p);
}

struct loop *
rt_loop(void)
{
  return root.loop;
}

const struct list *
rt_tables(void)
{
  return &root.tables;
}

struct rtable *
rt_find(const char *name)
{
  struct rtable *t;

  LIST_WALK (t, &root.tables, n)
    if (t->cf && strcmp(t->name, name) == 0)
      return t;
  return NULL;
}

static struct rtable *
table_new(struct table_config *cf)
{
  pool *p = pool_new(root.pool, "Routing table");
  struct rtable *t = mb_alloc(p, sizeof(*t));

  t->pool = p;
  t->name = mb_strdup(p, cf->name);
  t->type = cf->type;
  t->net_slab = slab_new(p, sizeof(struct net) + key_words(cf->type) * sizeof(u32));
  t->route_slab = slab_new(p, sizeof(struct route));
  growhash_init(&t->nets, p, addr_words(cf->type) == 1 ? hash_net4 : hash_net6);
  idmap_init(&t->ids, p);
  list_init(&t->changes);
  list_init(&t->urgent);
  list_init(&t->readers);
  return t;
}

static void
table_drop_unused(struct rtable *t)
{
  if (t->cf || t->users)
    return;
  list_remove(&t->n);
  rfree(t->pool);
}

void
rt_lock(struct rtable *t)
{
  t->users++;
}

void
rt_unlock(struct rtable *t)
{
  t->users--;
  table_drop_unused(t);
}

/* Tables are listed in the order of the configuration, those on their way out behind them. */
void
rt_apply(struct config *cfg)
{
  struct list old;
  struct rtable *t;
  struct table_config *cf;

  list_init(&old);
  list_splice(&old, &root.tables);
  LIST_WALK (cf, &cfg->tables, n)
  {
    struct rtable *found = NULL;

    LIST_WALK (t, &old, n)
      if (t->cf && t->type == cf->type && strcmp(t->name, cf->name) == 0)
        found = t;
    if (!found)
      found = table_new(cf);
    list_remove(&found->n);
    list_add_tail(&root.tables, &found->n);
    cf->table = found;
    found->cf = cf;
  }
  LIST_WALK_SAFE (t, &old, n)
  {
    list_remove(&t->n);
    list_add_tail(&root.tables, &t->n);
    t->cf = NULL;
    table_drop_unused(t);
  }
}
