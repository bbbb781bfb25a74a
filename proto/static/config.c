/* proto/static/config.c: routes and targets while a file is read, see static.h */
#include <string.h>

#include "proto/static/static.h"

#define BLOCK_ROUTES 1024
#define SAME_NET_MAX 256 /* routes of a network stand in a list */

static uint
key_words(uint type)
{
  return type == NET_IP4 ? 1 : type == NET_ROA4 ? 2 : type == NET_ROA6 ? 5 : 4;
}

static size_t
route_size(const struct static_config *cf)
{
  return sizeof(struct static_route) + key_words(cf->net_type) * sizeof(u32);
}

struct static_route *
static_route(const struct static_config *cf, u32 number)
{
  return (struct static_route *) (cf->blocks[number / BLOCK_ROUTES] + number % BLOCK_ROUTES * route_size(cf));
}

struct net_addr
static_route_net(const struct static_config *cf, const struct static_route *r)
{
  struct net_addr a = { .type = cf->net_type, .max_len = r->max_len };
  uint words = key_words(cf->net_type);

  a.prefix.len = r->len;
  a.prefix.addr = words <= 2 ? ip_v4(r->key[0]) : ip_v6(r->key[0], r->key[1], r->key[2], r->key[3]);
  if (words == 2 || words == 5)
    a.asn = r->key[words - 1];
  return a;
}

/* --- Targets --- */

static u32
hop_hash(u32 h, const struct static_hop_config *hop)
{
  return hash_u64(ip_hash(hop->via) ^ (u64) h << 32 ^ (u64) hash_text(hop->ifname) << 16 ^
                  (hop->weight | (u32) hop->onlink << 30 | (u32) hop->bfd << 31));
}

static u32
target_hash(const struct static_target *t)
{
  u32 h = hash_u64(t->dest | (u64) ip_hash(t->recursive) << 32);

  for (uint i = 0; i < t->hop_count; i++)
    h = hop_hash(h, &t->hops[i]);
  return h;
}

static bool
hop_equal(const struct static_hop_config *a, const struct static_hop_config *b)
{
  return ip_equal(a->via, b->via) && strcmp(a->ifname, b->ifname) == 0 && a->weight == b->weight &&
         a->onlink == b->onlink && a->bfd == b->bfd;
}

static bool
target_equal(const struct static_target *a, const struct static_target *b)
{
  if (a->dest != b->dest || !ip_equal(a->recursive, b->recursive) || a->hop_count != b->hop_count)
    return false;
  for (uint i = 0; i < a->hop_count; i++)
    if (!hop_equal(&a->hops[i], &b->hops[i]))
      return false;
  return true;
}

static struct static_target *
target_new(struct cf_ctx *cx, struct static_config *cf, const struct static_target *like, u32 hash)
{
  struct static_target *t = lp_alloc(cx->cfg->lp, sizeof(*t));
  struct static_hop_config *hops = lp_alloc(cx->cfg->lp, like->hop_count * sizeof(*hops));

  *t = *like;
  memcpy(hops, like->hops, like->hop_count * sizeof(*hops));
  t->hops = hops;
  t->number = cf->target_count++;
  t->first_route = t->last_route = STATIC_NO_ROUTE;
  if (!(t->number & (t->number - 1))) /* a power of two: the array is full */
    cf->targets = mb_realloc(cx->cfg->pool, cf->targets, MAX(2 * t->number, 1) * sizeof(*cf->targets));
  cf->targets[t->number] = t;
  hash_add(&cf->by_content, &t->hn, hash);
  return t;
}

static struct static_target *
target_get(struct cf_ctx *cx, struct static_config *cf)
{
  struct static_target like = {
    .dest = cf->dest, .recursive = cf->recursive, .hop_count = cf->hop_count, .hops = cf->hops
  };
  u32 hash = target_hash(&like);

  if (!cf->by_content.slots)
    hash_init(&cf->by_content, cx->cfg->pool);
  for (struct hnode *n = hash_first(&cf->by_content, hash); n; n = hash_again(n))
  {
    struct static_target *t = SKIP_BACK(struct static_target, hn, n);

    if (target_equal(t, &like))
      return t;
  }
  return target_new(cx, cf, &like, hash);
}

/* --- Routes --- */

static void
route_store(struct cf_ctx *cx, struct static_config *cf, struct static_target *t)
{
  u32 number = cf->route_count++;
  uint words = key_words(cf->net_type), addr_words = words <= 2 ? 1 : 4;
  struct static_route *r;

  if (number % BLOCK_ROUTES == 0)
  {
    cf->blocks = mb_realloc(cx->cfg->pool, cf->blocks, (cf->block_count + 1) * sizeof(*cf->blocks));
    cf->blocks[cf->block_count++] = lp_alloc(cx->cfg->lp, BLOCK_ROUTES * route_size(cf));
  }
  r = static_route(cf, number);
  r->target = t->number;
  r->next = STATIC_NO_ROUTE;
  r->len = cf->net.prefix.len;
  r->max_len = cf->net.max_len;
  memcpy(r->key, cf->net.prefix.addr.w + 4 - addr_words, addr_words * sizeof(u32));
  if (words > addr_words)
    r->key[addr_words] = cf->net.asn;

  if (t->first_route == STATIC_NO_ROUTE)
    t->first_route = number;
  else
    static_route(cf, t->last_route)->next = number;
  t->last_route = number;
}

void
static_route_begin(struct cf_ctx *cx, const struct cf_loc *loc, const struct net_addr *net)
{
  struct static_config *cf = cx->proto;
  struct channel_config *cc;

  cf->net = *net;
  cf->dest = RTD_NONE;
  cf->recursive = IP_NONE;
  cf->hop_count = 0;
  if (list_empty(&cf->c.channels))
  {
    cf_error(cx, loc, "Channel not specified");
    return;
  }
  cc = SKIP_BACK(struct channel_config, n, list_first(&cf->c.channels));
  cf->net_type = cc->type;
  if (net->type != cc->type)
    cf_error(cx, loc, "Route %s incompatible with channel type %s", NET_STR(net), cc->name);
}

struct static_hop_config *
static_hop_add(struct cf_ctx *cx, const struct cf_loc *loc)
{
  struct static_config *cf = cx->proto;
  struct static_hop_config *hop;

  if (cf->hop_count == NEXTHOPS_MAX)
  {
    cf_error(cx, loc, "Too many next hops for %s, at most %d", NET_STR(&cf->net), NEXTHOPS_MAX);
    cf->hop_count--;
  }
  hop = &cf->hops[cf->hop_count++];
  *hop = (struct static_hop_config){ .ifname = "", .weight = 1 };
  cf->dest = RTD_UNICAST;
  return hop;
}

void
static_route_end(struct cf_ctx *cx, const struct cf_loc *loc)
{
  struct static_config *cf = cx->proto;

  if (cx->failed)
    return;
  for (uint i = 0; i < cf->hop_count; i++)
  {
    const struct static_hop_config *hop = &cf->hops[i];

    if (hop->onlink && !hop->ifname[0])
      cf_error(cx, loc, "Next hop %s: onlink needs an interface", IP_STR(hop->via));
    if (ip_is_link_local(hop->via) && !hop->ifname[0])
    {
      cf_error(cx, loc, "Link-local next hop %s requires an interface", IP_STR(hop->via));
      cf_hint(cx, "write %s%%eth0", IP_STR(hop->via));
    }
  }
  if (!cx->failed)
    route_store(cx, cf, target_get(cx, cf));
}

/* --- The whole block --- */

/* The table, the targets and the routes again, as if the lines of the base stood here. */
void
static_config_copy(struct proto_config *pc, const struct proto_config *from, struct cf_ctx *cx)
{
  struct static_config *cf = (struct static_config *) pc;
  const struct static_config *base = (const struct static_config *) from;

  cf->route_count = cf->block_count = cf->target_count = 0;
  cf->blocks = NULL;
  cf->targets = NULL;
  cf->by_content = (struct htable){ 0 };
  for (u32 i = 0; i < base->route_count; i++)
  {
    const struct static_route *r = static_route(base, i);
    const struct static_target *t = base->targets[r->target];

    cf->net = static_route_net(base, r);
    cf->dest = t->dest;
    cf->recursive = t->recursive;
    cf->hop_count = t->hop_count;
    memcpy(cf->hops, t->hops, t->hop_count * sizeof(*t->hops));
    route_store(cx, cf, target_get(cx, cf));
  }
}

static u32
route_hash(const struct static_config *cf, const struct static_route *r)
{
  u64 h = r->len;

  for (uint i = 0; i < key_words(cf->net_type); i++)
    h = (h ^ r->key[i]) * 0x9e3779b97f4a7c15ull;
  return hash_u64(h);
}

static bool
same_net(const struct static_config *cf, const struct static_route *a, const struct static_route *b)
{
  return a->len == b->len && a->max_len == b->max_len &&
         memcmp(a->key, b->key, key_words(cf->net_type) * sizeof(u32)) == 0;
}

/* Several routes for one network are numbered, by a hash table that lives only here. */
static void
number_duplicates(struct static_config *cf, struct cf_ctx *cx, const struct cf_loc *loc)
{
  uint order = 4;

  while (1u << order < cf->route_count + cf->route_count / 2)
    order++;

  u32 *slots = mb_alloc(cx->cfg->pool, sizeof(u32) << order); /* numbers from 1 */

  for (u32 i = 0; i < cf->route_count; i++)
  {
    struct static_route *r = static_route(cf, i), *other;
    u32 slot = route_hash(cf, r) >> (32 - order);

    r->path_id = 0;
    for (; slots[slot]; slot = (slot + 1) & ((1u << order) - 1))
      if (same_net(cf, r, other = static_route(cf, slots[slot] - 1)))
        r->path_id = MAX(r->path_id, other->path_id + 1);
    slots[slot] = i + 1;
    if (r->path_id == SAME_NET_MAX)
    {
      struct net_addr net = static_route_net(cf, r);

      cf_error(cx, loc, "Too many routes for %s in %s, at most %d", NET_STR(&net), cf->c.name, SAME_NET_MAX);
      break;
    }
  }
  mb_free(slots);
}

void
static_config_check(struct proto_config *pc, struct cf_ctx *cx, const struct cf_loc *loc)
{
  struct static_config *cf = (struct static_config *) pc;

  if (cf->route_count)
    number_duplicates(cf, cx, loc);
}
