/*
 * nest/bfd.h: how a protocol asks whether a neighbour is alive, and how a BFD protocol offers to find out.
 * Main loop only.
 *
 * Clients make requests, BFD instances register as providers. A request nobody serves waits and reads as
 * AdminDown.
 */
#ifndef PEREGRINE_NEST_BFD_H
#define PEREGRINE_NEST_BFD_H

#include "lib/bfd.h"
#include "nest/neighbor.h"
#include "nest/password.h"

/* Clients */

struct bfd_peer
{
  enum bfd_hop hop;
  const char *vrf;       /* as iface_in_vrf() has it; copied */
  ip_addr remote, local; /* local: required for multihop, else IP_NONE lets the interface decide */
  const char *ifname;    /* direct: NULL where the networks of the interfaces decide. Borrowed for the call */
  bool yields;           /* where requests disagree on whom to believe, it is not this one that decides */
  bool own_liveness;     /* the client would notice a dead peer without BFD: RFC 5882 sections 3.2 and 4.2 */
  const char *client;    /* who asks, for people to read. Borrowed for the life of the request */
};

/* Whom a session believes. Unlike intervals this is never a compromise between requests. */
struct bfd_guard
{
  u8 min_ttl; /* multihop: lowest TTL or hop limit accepted */
  enum bfd_auth_type auth;
  const struct password_list *passwords; /* NULL: none. Borrowed */
};
bool bfd_guard_equal(const struct bfd_guard *a, const struct bfd_guard *b);

/*
 * After how many failures a client is kept from hearing that a session is Up, and for how long; after RFC
 * 2439 section 4. A matter of each request, as requests that share a session need not agree on it.
 */
#define BFD_FLAP_PENALTY 1000 /* of one failure */
struct bfd_dampening
{
  bool on;
  btime half_life, max_suppress;
  u32 suppress, reuse; /* penalties; reuse < suppress */
};
#define BFD_DAMPENING_DEFAULT \
  ((struct bfd_dampening){    \
      .on = true, .half_life = BT_S(15), .max_suppress = BT_S(60), .suppress = 2000, .reuse = 750 })

/* Longer intervals while this machine is late. Of requests that share a session all have to ask for it. */
struct bfd_adapt_options
{
  u32 least;   /* us; 0: none */
  btime quiet; /* how long the machine has to be in time before half of the excess goes */
};

/* What a client, an interface block or a neighbour line sets; the rest is left to others. */
enum bfd_option
{
  BFD_OPT_MIN_RX = 1,
  BFD_OPT_MIN_TX = 2,
  BFD_OPT_IDLE_TX = 4,
  BFD_OPT_MULTIPLIER = 8,
  BFD_OPT_PASSIVE = 16,
  BFD_OPT_AUTH = 32,
  BFD_OPT_PASSWORDS = 64,
  BFD_OPT_MIN_TTL = 128,
  BFD_OPT_OFFLOAD = 256,
  BFD_OPT_DAMPENING = 512,
  BFD_OPT_ADAPT = 1024,
  BFD_OPT_ADMIN_DOWN = 2048,
};
struct bfd_options
{
  uint set; /* enum bfd_option */
  u32 min_rx, min_tx, idle_tx;
  u8 multiplier;
  bool passive;
  bool admin_down; /* of requests that share a session all have to want it */
  u8 offload;      /* enum bfd_offload */
  struct bfd_dampening dampening;
  struct bfd_adapt_options adapt;
  struct bfd_guard guard;
};

/* @params with what @options sets put in. */
void bfd_options_apply(struct bfd_params *params, const struct bfd_options *options);
void bfd_options_guard(struct bfd_guard *guard, const struct bfd_options *options); /* likewise */
bool bfd_options_equal(const struct bfd_options *a, const struct bfd_options *b);

struct bfd_inspection;
struct bfd_request;
struct bfd_survey;
typedef void bfd_hook(struct bfd_request *r, const struct bfd_status *st, void *data);

/**
 * bfd_request_new - ask for a BFD session to @peer
 * @p: the client's pool; freeing it, or rfree() of the request, withdraws the wish
 * @options: NULL for the defaults of the interface; passwords are copied
 * @hook: called after each change, never from inside this call; it may free the request
 *
 * Equal peers share one session, ordered as bird.conf(5) says. NULL, with a log line, only for a link-local
 * peer without interface.
 */
struct bfd_request *bfd_request_new(pool *p, const struct bfd_peer *peer, const struct bfd_options *options,
                                    bfd_hook *hook, void *data);
/* Other options for a request, NULL for the defaults of the interface; the session goes on. */
void bfd_request_change(struct bfd_request *r, const struct bfd_options *options);
/* As of now; `failed`: there is a failure, or news of one on its way to the hook. */
struct bfd_status bfd_request_status(const struct bfd_request *r);

/* Providers */

struct bfd_provider
{
  struct resource r;
  struct node n;
  const char *name;
  struct list requests; /* struct bfd_request.n */
  const struct bfd_provider_ops *ops;
  void *data;
};

struct bfd_provider_ops
{
  bool (*accepts)(struct bfd_provider *pv, const struct bfd_request *r);
  /* A request came, its options or its path changed, or it goes. */
  void (*serve)(struct bfd_provider *pv, struct bfd_request *r);
  void (*change)(struct bfd_provider *pv, struct bfd_request *r);
  void (*withdraw)(struct bfd_provider *pv, struct bfd_request *r);
  /* For bfd_watch.h: somebody has begun to watch, and is to hear of all sessions. May be NULL. */
  void (*announce)(struct bfd_provider *pv);
  /* Has it the session? Then it answers @q, not from inside the call. May be NULL. */
  bool (*inspect)(struct bfd_provider *pv, struct bfd_inspection *q);
  /* Sum up its sessions and answer @s, not from inside the call. May be NULL. */
  void (*survey)(struct bfd_provider *pv, struct bfd_survey *s);
};

/* Visible to providers, which write only `session`, `sn` and `aside`. */
struct bfd_request
{
  struct resource r;
  struct node n; /* among the requests of its provider, or the waiting ones */
  enum bfd_hop hop;
  char vrf_name[BFD_IFNAME_SIZE];
  const char *vrf; /* that name, or NULL */
  ip_addr remote;
  bool own_liveness, yields;
  bool aside; /* the session believes others than this one asks for; so it reads as AdminDown */
  const char *client;
  struct bfd_options options;
  struct password_list *passwords; /* those of the options, our copy */
  u64 age;                         /* smaller is older */
  struct neighbor *nb;             /* direct: where the peer is */
  ip_addr local;                   /* multihop */
  struct bfd_provider *provider;   /* NULL: it waits */
  void *session;                   /* the provider's */
  struct node sn;                  /* among the requests of that session */
  struct bfd_status status;
  bool was_up;    /* as the client knows it: what was never Up cannot fail */
  bool left_up;   /* since the client was last told */
  struct node dn; /* among those whose clients are to be told */
  bfd_hook *hook;
  void *data;
};

/* A resource; freeing it makes its requests wait. Waiting requests are offered to a new provider. */
struct bfd_provider *bfd_provider_new(pool *p, const char *name, const struct bfd_provider_ops *ops,
                                      void *data);

/* Offer everything again: what the provider accepts may have changed. */
void bfd_provider_again(struct bfd_provider *pv);

/*
 * The state of the session behind a request, as a note or a look at it tells; @left_up: it was Up in between
 * and left. The client's hook is called from the loop, soon, and before anything of lower priority.
 */
void bfd_request_update(struct bfd_request *r, const struct bfd_status *st, bool left_up);

const struct list *bfd_waiting(void); /* requests without a provider */
const struct list *bfd_providers(void);
void bfd_init(pool *p, struct loop *l);

#endif
