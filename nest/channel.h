/*
 * nest/channel.h: what connects a protocol instance with a table. Main loop only.
 *
 * Inwards a channel takes the updates of its protocol, applies the import policy and limits, and keeps the
 * routes in its table. Outwards it follows the table, applies the export policy and tells its protocol what
 * changed: first everything that is there, then news, in slices, always the present state. For each network
 * it remembers what it told last, so a protocol hears of real changes only and always knows what it is
 * replacing.
 */
#ifndef PEREGRINE_NEST_CHANNEL_H
#define PEREGRINE_NEST_CHANNEL_H

#include "nest/protocol.h"
#include "nest/table.h"

/* Filters come later; until then a policy takes all or nothing. */
enum rt_policy
{
  RT_REJECT,
  RT_ACCEPT
};

enum limit_action
{
  LIMIT_WARN,
  LIMIT_BLOCK,
  LIMIT_RESTART,
  LIMIT_DISABLE
};

struct channel_limit
{
  bool set;
  u32 limit;
  enum limit_action action;
};

enum limit_direction
{
  LIMIT_IMPORT,
  LIMIT_RECEIVE,
  LIMIT_EXPORT,
  LIMIT__MAX
};

struct channel_config
{
  struct node n;    /* in proto_config.channels */
  const char *name; /* "ipv4" */
  enum net_type type;
  struct table_config *table;
  u16 preference;
  enum rt_policy import, export;
  struct channel_limit limits[LIMIT__MAX];
  bool keep_filtered;
  bool merge_paths; /* export all the best routes of equal rank as one */
  u32 merge_limit;
  uint debug;
  bool copied; /* inherited by `from`: may be opened again */
};

enum channel_state
{
  CHANNEL_DOWN,
  CHANNEL_UP,
  CHANNEL_FLUSHING
};

struct channel_counts
{
  u64 received, invalid, filtered, ignored, limited, accepted;
};

struct channel
{
  struct node n; /* in proto.channels */
  struct proto *proto;
  struct channel_config *cf;
  struct rtable *table;
  enum channel_state state;
  pool *pool; /* from up to down */
  u8 round;   /* of refreshes */
  uint debug; /* flags of enum proto_debug; those of the protocol count as well */
  u32 imported, filtered, preferred, exported;
  bool limit_hit[LIMIT__MAX];
  struct log_limit bogus;
  struct channel_counts import_updates, import_withdraws, export_updates, export_withdraws;

  struct rt_reader reader;
  struct exported *sent; /* what the protocol was told, by network */
  struct work *work, *urgent_work;
  bool feeding, refeeding, pruning; /* a walk of the table is going on, from feed_pos */
  u32 feed_pos;
  bool paused;  /* the protocol takes no news now */
  bool parting; /* not of the configuration any more: freed once it is down */
};

/* Configuration. channel_config_get() opens the channel for @type, making it on first use. */
struct channel_config *channel_config_get(struct cf_ctx *cx, const struct cf_loc *loc,
                                          struct proto_config *pc, enum net_type type);
void channel_config_copy(struct proto_config *to, const struct proto_config *from, struct config *cfg);
/* Check what can only be known at the end of a protocol: the table. */
void channel_configs_check(struct cf_ctx *cx, const struct cf_loc *loc, struct proto_config *pc);

/* Life, as the protocol life cycle calls it. */
struct channel *channel_create(struct proto *p, struct channel_config *cf);
void channel_start(struct channel *c);
/* Withdraws what the protocol was told, removes its routes; in slices, then calls proto_channel_down(). */
void channel_stop(struct channel *c);
void channel_free(struct channel *c);
/* Can @c go on with @cf? If so channel_reconfigure() does it; false from it: the instance has to restart. */
bool channel_fits(const struct channel *c, const struct channel_config *cf);
bool channel_reconfigure(struct channel *c, struct channel_config *cf, bool soft);

/*
 * For protocols: the route of @path_id for @a is now @attrs (borrowed; NULL: there is none). Ignored unless
 * the channel is up.
 */
void channel_update(struct channel *c, const struct net_addr *a, u32 path_id, struct attrs *attrs);
/* The same for what the failure or return of a neighbour changed: it goes ahead of everything. */
void channel_update_urgent(struct channel *c, const struct net_addr *a, u32 path_id, struct attrs *attrs);

/* For a pipe: a route that came from elsewhere. */
void channel_update_from(struct channel *c, const struct net_addr *a, struct rt_origin *origin, u32 path_id,
                         struct attrs *attrs, bool urgent);

/* What is not announced again between the two calls is removed, in slices. */
void channel_refresh_begin(struct channel *c);
void channel_refresh_end(struct channel *c);

/* Hold back what the protocol is told, and go on; for protocols that pass it on to something slow. */
void channel_pause(struct channel *c, bool pause);

/* Tell the protocol everything again. */
void channel_refeed(struct channel *c);

/* What the protocol was told of @n last, or NULL. */
struct attrs *channel_sent(const struct channel *c, const struct net *n);
/* What it would be told: NULL and the reason if nothing. */
enum export_verdict
{
  EXPORT_YES,
  EXPORT_NOTHING,  /* no route */
  EXPORT_OWN,      /* its own */
  EXPORT_FILTERED, /* by the policy */
};
enum export_verdict channel_judge(const struct channel *c, const struct route *r);

/* From the table: a route of @c for @n is being removed by a flush or a refresh. */
void channel_route_gone(struct channel *c, const struct net *n, const struct route *r);

const char *channel_state_name(const struct channel *c);
void channel_show(const struct channel *c, struct cli *cli);
/* Nothing if there is none. */
void channel_show_limit(const struct channel *c, enum limit_direction dir, const char *title,
                        struct cli *cli);

#endif
