/* nest/attrs.c: see attrs.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "nest/attrs.h"

static struct
{
  pool *pool;
  struct growhash sets;
  size_t bytes;
} root;

static u32
stored_hash(const struct gnode *n)
{
  return SKIP_BACK(struct attrs, hn, n)->hash;
}

void
attrs_init(pool *p)
{
  root.pool = pool_new(p, "Route attributes");
  growhash_init(&root.sets, root.pool, stored_hash);
  root.bytes = 0;
}

/* Origins */

struct rt_origin *
rt_origin_new(const struct proto_class *class, const char *name, struct proto *proto)
{
  struct rt_origin *o = mb_alloc(root.pool, sizeof(*o) + strlen(name) + 1);

  o->refs = 1;
  o->proto = proto;
  o->class = class;
  strcpy(o->name, name);
  return o;
}

void
rt_origin_unref(struct rt_origin *o)
{
  if (o && !--o->refs)
    mb_free(o);
}

/* Sets */

int
nexthop_compare(const struct nexthop *a, const struct nexthop *b)
{
  for (int i = 0; i < 4; i++)
    if (a->via.w[i] != b->via.w[i])
      return a->via.w[i] < b->via.w[i] ? -1 : 1;
  if (a->iface == b->iface || !a->iface || !b->iface)
    return (a->iface != NULL) - (b->iface != NULL);
  return strcmp(a->iface->name, b->iface->name);
}

static u32
mix(u32 h, u64 x)
{
  return hash_u64(x ^ (u64) h << 32);
}

static u32
mix_ip(u32 h, ip_addr a)
{
  return mix(mix(h, (u64) a.w[0] << 32 | a.w[1]), (u64) a.w[2] << 32 | a.w[3]);
}

static u32
set_hash(const struct attrs *a)
{
  u32 h = mix((uintptr_t) a->origin, (u64) a->recursive << 56 | (u64) a->generation << 48 |
                                         (u64) a->source << 40 | (u64) a->dest << 32 | a->preference);

  h = mix(mix_ip(h, a->from), a->igp_metric);
  for (uint i = 0; i < a->nexthop_count; i++)
  {
    const struct nexthop *nh = &a->nexthops[i];

    h = mix(mix_ip(h, nh->via), (uintptr_t) nh->iface ^ (u64) nh->weight << 48 ^ (u64) nh->onlink << 63);
  }
  for (uint i = 0; i < a->attr_count; i++)
    h = mix(mix_ip(h, a->attrs[i].ip), a->attrs[i].id);
  return h;
}

static bool
nexthop_equal(const struct nexthop *a, const struct nexthop *b)
{
  return ip_equal(a->via, b->via) && a->iface == b->iface && a->weight == b->weight && a->onlink == b->onlink;
}

static bool
set_equal(const struct attrs *a, const struct attrs *b)
{
  if (a->hash != b->hash || a->origin != b->origin || a->source != b->source || a->dest != b->dest ||
      a->generation != b->generation || a->recursive != b->recursive || a->preference != b->preference ||
      !ip_equal(a->from, b->from) || a->igp_metric != b->igp_metric || a->nexthop_count != b->nexthop_count ||
      a->attr_count != b->attr_count)
    return false;
  for (uint i = 0; i < a->nexthop_count; i++)
    if (!nexthop_equal(&a->nexthops[i], &b->nexthops[i]))
      return false;
  for (uint i = 0; i < a->attr_count; i++)
    if (a->attrs[i].id != b->attrs[i].id || !ip_equal(a->attrs[i].ip, b->attrs[i].ip))
      return false;
  return true;
}

static size_t
set_size(const struct attrs *a)
{
  return sizeof(*a) + a->nexthop_count * sizeof(struct nexthop) + a->attr_count * sizeof(struct rt_attr);
}

static struct attrs *
set_copy(const struct attrs *a)
{
  struct attrs *set = mb_alloc(root.pool, set_size(a));

  *set = *a;
  set->hn.next = NULL;
  set->refs = 1;
  set->origin->refs++;
  set->nexthops = (struct nexthop *) (set + 1);
  set->attrs = (struct rt_attr *) (set->nexthops + set->nexthop_count);
  if (a->nexthop_count)
    memcpy(set->nexthops, a->nexthops, a->nexthop_count * sizeof(struct nexthop));
  if (a->attr_count)
    memcpy(set->attrs, a->attrs, a->attr_count * sizeof(struct rt_attr));
  growhash_add(&root.sets, &set->hn);
  root.bytes += set_size(set);
  return set;
}

static int
compare_nexthops(const void *a, const void *b)
{
  return nexthop_compare(a, b);
}

struct attrs *
attrs_intern(const struct attrs *a)
{
  struct nexthop sorted[NEXTHOPS_MAX];
  struct attrs wanted = *a;

  ASSERT(a->nexthop_count <= NEXTHOPS_MAX && a->attr_count <= RT_ATTRS_MAX);
  if (a->nexthop_count > 1)
  {
    memcpy(sorted, a->nexthops, a->nexthop_count * sizeof(struct nexthop));
    qsort(sorted, a->nexthop_count, sizeof(struct nexthop), compare_nexthops);
    wanted.nexthops = sorted;
  }

  wanted.hash = set_hash(&wanted);
  for (struct gnode *n = growhash_chain(&root.sets, wanted.hash); n; n = n->next)
  {
    struct attrs *set = SKIP_BACK(struct attrs, hn, n);

    if (set_equal(set, &wanted))
      return attrs_ref(set);
  }
  return set_copy(&wanted);
}

void
attrs_unref(struct attrs *a)
{
  if (!a || --a->refs)
    return;
  growhash_remove(&root.sets, &a->hn);
  rt_origin_unref(a->origin);
  root.bytes -= set_size(a);
  mb_free(a);
}

const char *
attrs_dest_name(const struct attrs *a)
{
  static const char *const names[] = { [RTD_NONE] = "",
                                       [RTD_UNICAST] = "unicast",
                                       [RTD_BLACKHOLE] = "blackhole",
                                       [RTD_UNREACHABLE] = "unreachable",
                                       [RTD_PROHIBIT] = "prohibited" };

  return names[a->dest];
}

const struct rt_attr *
attrs_find(const struct attrs *a, uint id)
{
  for (uint i = 0; i < a->attr_count; i++)
    if (a->attrs[i].id == id)
      return &a->attrs[i];
  return NULL;
}

void
rt_attr_format(const struct rt_attr *a, char *name, size_t name_size, char *value, size_t value_size)
{
  static const char *const names[RTA_ID__MAX] = {
    [RTA_KRT_SOURCE] = "source",         [RTA_KRT_METRIC] = "metric",
    [RTA_KRT_PREFSRC] = "prefsrc",       [RTA_KRT_REALM] = "realm",
    [RTA_KRT_SCOPE] = "scope",           [RTA_KRT_LOCK] = "lock",
    [RTA_KRT_METRICS + 2] = "mtu",       [RTA_KRT_METRICS + 3] = "window",
    [RTA_KRT_METRICS + 4] = "rtt",       [RTA_KRT_METRICS + 5] = "rttvar",
    [RTA_KRT_METRICS + 6] = "sstresh",   [RTA_KRT_METRICS + 7] = "cwnd",
    [RTA_KRT_METRICS + 8] = "advmss",    [RTA_KRT_METRICS + 9] = "reordering",
    [RTA_KRT_METRICS + 10] = "hoplimit", [RTA_KRT_METRICS + 11] = "initcwnd",
    [RTA_KRT_METRICS + 12] = "features", [RTA_KRT_METRICS + 13] = "rto_min",
    [RTA_KRT_METRICS + 14] = "initrwnd", [RTA_KRT_METRICS + 15] = "quickack",
  };

  snprintf(name, name_size, "Kernel.%s", a->id < RTA_ID__MAX && names[a->id] ? names[a->id] : "?");
  if (a->id == RTA_KRT_PREFSRC)
    snprintf(value, value_size, "%s", IP_STR(a->ip));
  else
    snprintf(value, value_size, "%u", a->num);
}

struct attrs_size
attrs_size(void)
{
  return (struct attrs_size){ root.sets.count, root.bytes, sizeof(struct gnode *) << root.sets.order };
}
