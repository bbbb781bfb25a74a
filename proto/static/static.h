/*
 * proto/static/static.h: routes from the configuration. Private to the module; main loop only.
 *
 * A million routes usually have a handful of targets. So a config keeps routes as small records, in the order
 * of the file, and their targets once each: a target is a special destination, a set of next hops, or an
 * address to resolve by a table. The running instance watches next hops, works out for each target what its
 * routes are now, and announces the routes of targets that changed, in slices.
 */
#ifndef PEREGRINE_PROTO_STATIC_STATIC_H
#define PEREGRINE_PROTO_STATIC_STATIC_H

#include "nest/bfd.h"
#include "nest/channel.h"
#include "nest/host.h"
#include "nest/neighbor.h"

struct static_hop_config
{
  ip_addr via;        /* IP_NONE: on the link itself */
  const char *ifname; /* "": where the networks of the interfaces say */
  u16 weight;
  bool onlink, bfd;
};

struct static_target
{
  struct hnode hn; /* in static_config.by_content */
  uint number;
  u8 dest;           /* enum rt_dest; RTD_NONE: in a ROA table */
  ip_addr recursive; /* else IP_NONE */
  uint hop_count;
  const struct static_hop_config *hops;
  u32 first_route, last_route; /* chained by static_route.next */
};

#define STATIC_NO_ROUTE U32_MAX

struct static_route
{
  u32 target, next;
  u16 path_id; /* tells routes for the same network apart */
  u8 len, max_len;
  u32 key[]; /* address words, in ROA tables the AS number behind them */
};

struct static_config
{
  struct proto_config c;
  bool check_link;
  struct table_config *igp_table;
  u8 net_type; /* of the channel: known from the first route on */
  /* Routes by number, in blocks; targets by number. */
  u32 route_count;
  char **blocks;
  uint block_count;
  uint target_count;
  struct static_target **targets;
  struct htable by_content;
  /* the route statement being read */
  struct net_addr net;
  u8 dest;
  ip_addr recursive;
  struct static_hop_config hops[NEXTHOPS_MAX];
  uint hop_count;
};

struct static_route *static_route(const struct static_config *cf, u32 number);
struct net_addr static_route_net(const struct static_config *cf, const struct static_route *r);

/* A next hop in use; shared by all targets that name it. */
struct static_hop
{
  struct node n;
  struct hnode by_via;
  struct static_proto *p;
  pool *pool;
  struct static_hop_config cf; /* with names of its own */
  char ifname[16];
  struct neighbor *nb;         /* NULL: on the link itself */
  struct bfd_request *request; /* NULL: none asked for */
  const struct iface *iface;   /* NULL: not usable now */
  struct list uses;            /* struct static_use */
  bool wanted;                 /* during reconfiguration */
};

struct static_use
{
  struct node n;
  struct static_live *live;
  struct static_hop *hop;
};

/* A target at work. */
struct static_live
{
  struct node dirty; /* in one of the lists of the instance */
  const struct static_target *target;
  struct static_use *uses; /* one for each of its hops */
  struct rt_host *host;    /* of a recursive one */
  struct attrs *attrs;     /* what its routes are; NULL: there is no way */
  u32 next_route;          /* to announce; STATIC_NO_ROUTE: all done */
  struct static_proto *p;
};

struct static_proto
{
  struct proto p;
  struct channel *channel;
  char *vrf;                 /* of the interfaces that count; outlives the config it is from */
  struct list hops;          /* struct static_hop */
  struct htable hops_by_via; /* the same */
  pool *live_pool;
  struct static_live *live;  /* by number of the target */
  uint live_count;           /* of those, set up; the others follow in slices */
  struct list dirty, urgent; /* struct static_live.dirty */
  struct work *work, *urgent_work;
  bool taking;     /* targets wait to be set up */
  bool refreshing; /* what is not announced again has to go */
};

extern const struct proto_class proto_static;

/* config.c: for the grammar; a route statement is begun, gets its target, and is ended. */
void static_route_begin(struct cf_ctx *cx, const struct cf_loc *loc, const struct net_addr *net);
struct static_hop_config *static_hop_add(struct cf_ctx *cx, const struct cf_loc *loc);
void static_route_end(struct cf_ctx *cx, const struct cf_loc *loc);
void static_config_copy(struct proto_config *cf, const struct proto_config *from, struct cf_ctx *cx);
void static_config_check(struct proto_config *cf, struct cf_ctx *cx, const struct cf_loc *loc);

/* hops.c */
struct static_hop *static_hop_get(struct static_proto *p, const struct static_hop_config *cf);
void static_hops_sweep(struct static_proto *p); /* let go what no target wants */

/* static.c: what a next hop or a resolved address means has changed. */
void static_live_changed(struct static_live *live);

/* show.c */
void static_cmd_show(struct cli *c, const char *name);

#endif
