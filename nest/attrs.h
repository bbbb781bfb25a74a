/*
 * nest/attrs.h: what routes say. Main loop only.
 *
 * An attribute set is immutable and interned: equal sets are one object, so comparing two is comparing
 * pointers, and a million routes with a handful of next hops share a handful of sets. Sets are counted;
 * attrs_intern() and attrs_ref() return a reference that attrs_unref() gives back.
 */
#ifndef PEREGRINE_NEST_ATTRS_H
#define PEREGRINE_NEST_ATTRS_H

#include "lib/growhash.h"
#include "nest/iface.h"

struct proto;
struct proto_class;

/*
 * Who a route comes from in the end. Outlives the instance for as long as routes speak of it; `proto` is NULL
 * from the end of the instance on.
 */
struct rt_origin
{
  uint refs;
  struct proto *proto;
  const struct proto_class *class;
  char name[];
};
struct rt_origin *rt_origin_new(const struct proto_class *class, const char *name, struct proto *proto);
void rt_origin_unref(struct rt_origin *o);

/* In the order of the filter language's RTS_ and RTD_ constants. */
enum rt_source
{
  RTS_STATIC = 1,
  RTS_INHERIT,
  RTS_DEVICE,
  RTS_RIP,
  RTS_OSPF,
  RTS_OSPF_IA,
  RTS_OSPF_EXT1,
  RTS_OSPF_EXT2,
  RTS_BGP,
  RTS_PIPE,
  RTS_BABEL
};

enum rt_dest
{
  RTD_NONE, /* a set in the making, or a network that is no destination, as in ROA tables */
  RTD_UNICAST,
  RTD_BLACKHOLE,
  RTD_UNREACHABLE,
  RTD_PROHIBIT
};

struct nexthop
{
  ip_addr via; /* IP_NONE: the destination is on the link */
  const struct iface *iface;
  u16 weight; /* 1 to 256 */
  bool onlink;
};

/* Further attributes, each with a number as its value or an address; what the value does not use is zero. */
enum rt_attr_id
{
  RTA_KRT_SOURCE,
  RTA_KRT_METRIC,
  RTA_KRT_PREFSRC,
  RTA_KRT_REALM,
  RTA_KRT_SCOPE,
  RTA_KRT_LOCK,    /* metrics that must not be changed: bits as RTA_KRT_METRICS counts */
  RTA_KRT_METRICS, /* and those that follow: the kernel's RTAX_ numbers */
  RTA_ID__MAX = RTA_KRT_METRICS + 18
};

struct rt_attr
{
  u16 id;
  union
  {
    u32 num;
    ip_addr ip;
  };
};

#define NEXTHOPS_MAX 256
#define RT_ATTRS_MAX 32

struct attrs
{
  struct gnode hn;
  u32 refs, hash;
  struct rt_origin *origin; /* counted by the set */
  u8 source, dest;
  bool recursive; /* its next hops come from another route: none can come from it in turn */
  u8 generation;  /* how many pipes it went through: a loop of pipes ends by it */
  u16 preference;
  ip_addr from; /* the neighbour that said so, or IP_NONE */
  u32 igp_metric;
  u16 nexthop_count, attr_count;
  struct nexthop *nexthops; /* in the order of nexthop_compare(); behind the set itself once interned */
  struct rt_attr *attrs;    /* by id */
};

void attrs_init(pool *p);

/* The set that equals @a, which the caller keeps with all it points to. Next hops are put in order. */
struct attrs *attrs_intern(const struct attrs *a);

static inline struct attrs *
attrs_ref(struct attrs *a)
{
  a->refs++;
  return a;
}

void attrs_unref(struct attrs *a); /* NULL is ignored */

/* "unicast", "blackhole", ...; empty for a network that is no destination. */
const char *attrs_dest_name(const struct attrs *a);

/* The value of attribute @id, or NULL. */
const struct rt_attr *attrs_find(const struct attrs *a, uint id);

/* Order by address and name of the interface; weights and flags do not count. */
int nexthop_compare(const struct nexthop *a, const struct nexthop *b);

/* Name and value of an attribute, as `show route all` prints them. */
void rt_attr_format(const struct rt_attr *a, char *name, size_t name_size, char *value, size_t value_size);

struct attrs_size
{
  u32 sets;
  size_t bytes, overhead;
};
struct attrs_size attrs_size(void);

#endif
