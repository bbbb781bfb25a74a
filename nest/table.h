/*
 * nest/table.h: routing tables. Main loop only.
 *
 * A table holds networks, a network its routes, the best first. Whoever wants to know about changes reads the
 * table's journal at its own pace: the journal is the list of networks that changed, each in it once, at the
 * place of its last change; a reader is a mark in that list. What a reader finds is the present state, never
 * a queue of states gone by, so a slow reader costs no memory and holds up nobody. There are two journals:
 * the urgent one, for what a failure of a neighbour caused, is read first, and before everything else the
 * main loop has to do.
 */
#ifndef PEREGRINE_NEST_TABLE_H
#define PEREGRINE_NEST_TABLE_H

#include "conf/conf.h"
#include "lib/growhash.h"
#include "lib/idmap.h"
#include "lib/net.h"
#include "lib/slab.h"
#include "nest/attrs.h"

struct channel;
struct rtable;

struct table_config
{
  struct node n; /* in config.tables */
  const char *name;
  enum net_type type;
  struct rtable *table; /* once the configuration is in force */
};

struct route
{
  struct route *next;
  struct attrs *attrs; /* counted */
  struct channel *sender;
  btime since;   /* wall clock */
  u32 path_id;   /* tells apart routes of one sender and origin for one network */
  u8 round;      /* of the sender's refreshes (channel_refresh_begin) in which it was last confirmed */
  bool filtered; /* kept for `import keep filtered`; never best */
};

struct net
{
  struct gnode hn;
  struct route *routes;
  struct node change; /* in a journal of the table */
  u8 journal_kind;    /* has to follow `change`, see struct journal_mark */
  u8 len, max_len;
  bool urgent; /* in which of the journals */
  u32 id;      /* small, unique in the table while the network is there */
  u32 key[];   /* address words; in ROA tables the AS number behind them */
};

enum journal_kind
{
  JOURNAL_NET,
  JOURNAL_MARK
};

/* A reader's place in a journal: what follows is news. */
struct journal_mark
{
  struct node n;
  u8 kind;
};

enum rt_reader_wants
{
  RT_WANTS_BEST, /* only changes of the best route */
  RT_WANTS_ANY
};

/* One that follows the table. Embedded in its owner. */
struct rt_reader
{
  struct node n; /* in rtable.readers */
  struct rtable *table;
  enum rt_reader_wants wants;
  bool awake; /* has been told that there is news */
  struct journal_mark urgent, normal;
  /* There is news. Called for the first after it ran dry, and for all that is urgent. */
  void (*wake)(struct rt_reader *r, bool urgent);
};

struct rtable
{
  struct node n;
  pool *pool;
  struct table_config *cf;
  const char *name;
  enum net_type type;
  struct growhash nets;
  struct slab *net_slab, *route_slab;
  struct idmap ids;
  u32 route_count, filtered_count;
  u32 net_count;               /* networks with routes */
  u32 net_objects;             /* those too that only wait for readers */
  u32 by_length[129];          /* networks with routes, by prefix length */
  struct list changes, urgent; /* struct net.change and struct journal_mark.n */
  struct list readers;
  uint any_readers;
  uint users; /* channels, commands: a table that went from the configuration stays until none is left */
};

void rt_init(pool *p, struct loop *l);
struct loop *rt_loop(void);
const struct list *rt_tables(void); /* in the order of the configuration */
struct rtable *rt_find(const char *name);

/* Make the tables follow the configuration; those not named any more go when nobody uses them. */
struct config;
void rt_apply(struct config *cfg);

void rt_lock(struct rtable *t);
void rt_unlock(struct rtable *t);

/* Networks */

struct net_addr net_addr_of(const struct rtable *t, const struct net *n);
struct net *rt_net(const struct rtable *t, const struct net_addr *a); /* NULL: not there */
/* The longest prefix with an unfiltered route that holds @a. */
struct net *rt_lookup(const struct rtable *t, ip_addr a);
/* The same among prefixes that cover @p. */
struct net *rt_lookup_prefix(const struct rtable *t, const struct prefix *p);

static inline struct route *
net_best(const struct net *n)
{
  return n->routes && !n->routes->filtered ? n->routes : NULL;
}

/*
 * Routes, as channels import them. The attributes are borrowed; NULL withdraws. Returns what happened.
 * @urgent: a neighbour failed or came back; readers are to hear of it first.
 */
enum rt_result
{
  RT_SAME,
  RT_ADDED,
  RT_REPLACED,
  RT_WITHDRAWN,
  RT_UNKNOWN /* nothing to withdraw */
};
struct rt_update
{
  struct rt_origin *origin; /* whose route; of @attrs, if there are any */
  u32 path_id;
  struct attrs *attrs;
  bool filtered, urgent;
};
/* @n: what rt_net() said about @a. */
enum rt_result rt_update(struct rtable *t, struct channel *sender, struct net *n, const struct net_addr *a,
                         const struct rt_update *u);
/* The route of this sender, origin and number, or NULL. */
struct route *rt_route_of(const struct net *n, const struct channel *sender, const struct rt_origin *origin,
                          u32 path_id);

/* Remove routes of @sender from one network: all of them, or those not of refresh round @round. */
void rt_prune_net(struct rtable *t, struct net *n, struct channel *sender, int round);

/* Readers */

/* From now on @r hears of changes. What is there already it has to walk by itself. */
void rt_reader_add(struct rtable *t, struct rt_reader *r);
void rt_reader_remove(struct rt_reader *r);
/* The next network that changed, NULL when the reader is dry and sleeps. */
struct net *rt_reader_next(struct rt_reader *r);

/* Better routes come first: the higher preference, then as their protocol says, then the older one. */
bool rt_better(const struct route *a, const struct route *b);

#endif
