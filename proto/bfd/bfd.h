/*
 * proto/bfd/bfd.h: private to the BFD protocol module, main-loop side
 *
 * proto.c starts and stops an instance, provider.c turns requests into sessions of its engine, show.c prints
 * them.
 */
#ifndef PEREGRINE_BFD_H
#define PEREGRINE_BFD_H

#include "lib/hash.h"
#include "nest/bfd.h"
#include "nest/nest.h"
#include "proto/bfd/dampen.h"
#include "proto/bfd/disc.h"
#include "proto/bfd/engine.h"

/* Configuration */

/* RFC 5881 section 4 */
#define BFD_SOURCE_PORT_FIRST 49152
#define BFD_SOURCE_PORTS (65536 - BFD_SOURCE_PORT_FIRST)

#define BFD_KINDS 4 /* hop type and family */
#define BFD_KIND(hop, v6) ((hop) *2u + (v6))

struct bfd_iface_config
{
  struct node n;
  struct iface_pattern *pattern;
  struct bfd_options options;
};

struct bfd_neighbor_config
{
  struct node n;
  struct hnode by_remote; /* in bfd_config.by_remote */
  struct cf_loc loc;
  ip_addr remote, local;
  const char *ifname; /* empty: not given */
  bool multihop;
  struct bfd_options options;
};

struct bfd_config
{
  struct proto_config p;
  struct list ifaces; /* struct bfd_iface_config; the first match counts */
  struct bfd_options multihop;
  struct list neighbors;   /* struct bfd_neighbor_config */
  struct htable by_remote; /* the same, by their address; from the end of the block on */
  uint accept;             /* bits 1 << BFD_KIND; 0: not given, so all */
  bool strict_bind;
  btime exit_linger;
  bool zero_checksum; /* zero udp6 checksum rx */
  uint threads;
  u8 offload; /* enum bfd_offload, where interfaces and neighbours do not say */
};

/* The engines of an instance */

struct bfd_member
{
  struct bfd_proto *p;
  uint number;
  pool *pool;        /* what is ours */
  pool *engine_pool; /* what belongs to its thread */
  struct loop *loop;
  struct mailbox *commands, *replies; /* the engine's; ours */
  struct thread *thread;
  struct bfd_machine *machine;
  u64 ring_job; /* that its ring comes from; 0: none was asked for */
};

struct bfd_team
{
  struct bfd_member *member[BFD_ENGINES_MAX];
  uint members; /* those that run */
  uint count;   /* the first ones, which have sessions */
  uint next;    /* as many are to have some */
  uint tried;   /* as many were not to be had when last tried */
  enum
  {
    TEAM_STEADY,
    TEAM_OPENING,
    TEAM_GIVING,
    TEAM_CLOSING,
    TEAM_SETTLING,
    TEAM_RETIRING
  } step;
  uint pending;                 /* engines that have not answered */
  struct bfd_engine_stats gone; /* of those that have ended */
  bool quit;                    /* ask all to quit when it is over */
  uint changes;                 /* of the number */
  bool steered;                 /* the kernel gives each its packets */
  struct list held;
};

/* An instance */

struct bfd_listener
{
  struct node n;
  u64 id;      /* the engines'; 0: not open */
  uint device; /* index of the VRF device it was bound to */
  enum bfd_hop hop;
  bool v6;
  ip_addr local;           /* strict bind; else IP_NONE */
  uint ifindex;            /* of a link-local address */
  uint users;              /* strict bind: sessions with that address */
  uint sockets, handed;    /* open ones, and those of them that the engines have */
  int fd[BFD_ENGINES_MAX]; /* the engines'; here only to say who may share the port, and who gets what */
  bool tried;
  int last_error;  /* why it is not open: errno, */
  char error[160]; /* and in words */
};

/* A request made for a `neighbor` line. */
struct bfd_wish
{
  struct hnode by_remote;
  struct node n; /* those the newest configuration has named last stand at the end */
  uint generation;
  struct bfd_request *request;
};

struct bfd_proto
{
  struct proto p;
  struct bfd_provider *provider;
  struct htable by_key, by_disc;     /* struct bfd_shared */
  struct list direct, multihop, due; /* the same; due: to be compared with what is wanted */
  struct work *sync;
  u32 next_id;
  struct list listeners;
  struct timer *listen_retry;
  struct work *listen_close; /* of sockets nobody uses any more */
  struct log_limit flap_limit;
  /* neighbour lines */
  struct htable wishes;
  struct list wish_list;
  struct work *wish_work;
  struct node *wish_cursor; /* next line to look at */
  uint wish_generation;
  struct bfd_team *team;     /* the engines and their threads */
  struct bfd_attach *attach; /* NULL: no session has wanted to be offloaded */
  bool attach_failed;        /* not even its thread could be had; not tried again before a restart */
  struct list queries;       /* `show` commands that wait for snapshots */
  struct list inspections, inspections_asked; /* struct bfd_inspection: waiting, and waiting for an engine */
  struct work *inspect_work;
  struct list surveys; /* struct bfd_survey */
  u64 next_query;
  /* keys come and go with the time of day */
  struct timer *key_timer;
  struct log_limit differ_limit;
  /* what discriminators are made with; the last attempt to read it failed with that */
  bool has_secret;
  byte secret[BFD_DISC_SECRET];
  int secret_error;
  u16 port_users[BFD_SOURCE_PORTS];
  struct list holds; /* struct bfd_hold: what operators keep down */
  /* sessions that have failed, where that is dampened */
  struct list flapping, flapping_due; /* struct bfd_flapping; due: to be looked at now */
  struct timer *release_timer;
  struct work *release_work;
  struct bfd_history *history;
  struct bfd_pace *pace;
  btime worst, worst_at; /* this late its engine has been, about */
  struct log_limit fast_limit;
};

static inline const struct bfd_config *
bfd_config_of(const struct bfd_proto *p)
{
  return (const struct bfd_config *) p->p.cf;
}

/* Of both directions; of a session that wants no packets, how often it sends. */
static inline u32
bfd_shortest_interval(const struct bfd_params *params)
{
  return params->min_rx ? MIN(params->min_rx, params->min_tx) : params->min_tx;
}

/* What watchers have been told of a session. */
struct bfd_told
{
  u32 generation; /* as nest/bfd_watch.h has it; 0: nothing */
  u32 remote_disc;
  btime since;
  u8 state, diag, remote_state, verdict;
};

/* What several requests share. */
struct bfd_shared
{
  struct node n;
  struct hnode by_key, by_disc;
  const struct bfd_proto *source;
  u64 id; /* 0: the engine does not know it, because it has never had a path */
  u16 source_port;
  uint attached; /* index of the interface where it is offloaded; 0: it is not */
  struct bfd_key key;
  struct list requests;  /* struct bfd_request.sn; those that agree on the guard, */
  struct list differing; /* and those that wait because theirs is not that of the oldest */
  struct bfd_path path;
  struct bfd_params params;        /* both as last told to the engine */
  struct bfd_guard guard;          /* as last wanted */
  struct password_list *passwords; /* its passwords, our copy */
  struct bfd_keys *keys;           /* those valid when the engine was last told */
  struct bfd_listener *listener;   /* strict bind */
  struct bfd_status status;
  u32 *verdicts;                 /* how often it left Up for each reason; NULL: never */
  struct bfd_flapping *flapping; /* NULL: it has not failed lately, or nobody asks for dampening */
  struct bfd_told told;
  const char *waits_for; /* NULL: nothing */
  uint pace_step;        /* as in struct bfd_adapted: 0 while its intervals are those that are asked for, */
  btime pace_late;       /* else for this */
};

#define BFD_WORST_HOLDS BT_S(3600)

/* Times that this machine has kept us waiting for tell for a while how late it may be. */
static inline btime
bfd_worst_of(const struct bfd_proto *p)
{
  return loop_now(p->p.loop) - p->worst_at < BFD_WORST_HOLDS ? p->worst : 0;
}

extern const struct proto_class proto_bfd;

/* proto.c */
void bfd_set_engine(struct bfd_proto *p, uint engine); /* tell it what holds for all sessions */
void bfd_stopped(struct bfd_proto *p);                 /* no engine is left */

/* team.c */
bool bfd_team_start(struct bfd_proto *p); /* false: not a single one could be started */
void bfd_team_stop(struct bfd_proto *p);  /* bfd_attach_stop() follows */
void bfd_team_again(struct bfd_proto *p); /* the configuration may want another number */
void bfd_post_engine(struct bfd_proto *p, uint engine, struct bfd_msg *m);
void bfd_post_session(struct bfd_proto *p, u64 id, struct bfd_msg *m); /* to the engine that has it */
uint bfd_engines(const struct bfd_proto *p);           /* the first ones have sessions and get packets, */
uint bfd_engines_listening(const struct bfd_proto *p); /* have sockets, */
uint bfd_engines_running(const struct bfd_proto *p);   /* run */
uint bfd_engine_for(const struct bfd_proto *p, u64 id);

/* attach.c */
/* Its path or its wish may have changed. Is the program where its packets come in? */
bool bfd_attach_follow(struct bfd_proto *p, struct bfd_shared *s);
void bfd_attach_leave(struct bfd_proto *p, struct bfd_shared *s);
void bfd_attach_engine(struct bfd_proto *p, uint engine);                  /* which has just come */
void bfd_attach_ring_back(struct bfd_proto *p, struct offload_ring *ring); /* its engine has ended; or NULL */
void bfd_attach_stop(struct bfd_proto *p);                                 /* bfd_stopped() follows */
const char *bfd_attach_name(const struct bfd_proto *p, const struct bfd_shared *s); /* by what, or why not */

/* machine.c */
struct bfd_machine;
struct bfd_machine *bfd_machine_new(pool *p, struct loop *l, int tid); /* as the thread @tid sees it */
/* Add to @ev what happened since @from. */
void bfd_machine_evidence(struct bfd_machine *m, struct bfd_evidence *ev, btime from);

/* provider.c */
void bfd_provide_start(struct bfd_proto *p);
void bfd_provide_stop(struct bfd_proto *p);
void bfd_sync_all(struct bfd_proto *p);      /* what is wanted of the sessions may have changed */
void bfd_provide_again(struct bfd_proto *p); /* and what is wanted may have changed everywhere */
void bfd_note_received(struct bfd_proto *p, const struct bfd_note *note);
struct bfd_shared *bfd_shared_find(const struct bfd_proto *p, u64 id);
struct bfd_shared *bfd_shared_of_disc(const struct bfd_proto *p, u32 local_disc);
struct bfd_shared *bfd_shared_of_key(const struct bfd_proto *p, const struct bfd_key *key);

/* identity.c */
void bfd_identity_read(struct bfd_proto *p);
void bfd_identity_forget(struct bfd_proto *p);
void bfd_identity_take(struct bfd_proto *p, struct bfd_shared *s); /* sets its id */
void bfd_identity_drop(struct bfd_proto *p, const struct bfd_shared *s);

/* share.c */

/*
 * What the requests of @s add up to. Sorts out those that differ in their guard, remembers the guard of the
 * others and makes the keys of the moment. @rekeyed: they are others than the engine was told of last;
 * @patience: as in struct bfd_cmd.
 */
struct bfd_params bfd_share_settle(struct bfd_proto *p, struct bfd_shared *s, btime *patience, bool *rekeyed);
void bfd_share_forget(struct bfd_shared *s); /* wipe its secrets */

/*
 * What the requests of @s make of it under @cf, where @options says what each of them asks for (NULL:
 * nothing). False: nobody asks. @guard borrows its passwords.
 */
typedef const struct bfd_options *bfd_options_of(const struct bfd_request *r, void *data);
bfd_options_of bfd_own_options; /* as it is */
bool bfd_params_under(const struct bfd_config *cf, const struct bfd_shared *s, bfd_options_of *options,
                      void *data, struct bfd_params *params, struct bfd_guard *guard);

bool bfd_params_equal(const struct bfd_params *a, const struct bfd_params *b);

/* What the configuration says of sessions like @s. */
const struct bfd_options *bfd_base_options(const struct bfd_config *cf, const struct bfd_shared *s);

/* pace.c */
void bfd_pace_start(struct bfd_proto *p);
void bfd_pace_stop(struct bfd_proto *p);
void bfd_pace_late(struct bfd_proto *p, btime late); /* the engine was */
void bfd_pace_apply(struct bfd_proto *p, struct bfd_shared *s, struct bfd_params *params);

/* suppress.c */
void bfd_suppress_start(struct bfd_proto *p);
void bfd_suppress_failure(struct bfd_proto *p, struct bfd_shared *s); /* before the requests are told */
/* The state of @s to one of its requests; a suppressed one is not told of Up. @left_up: as in a note. */
void bfd_suppress_tell(struct bfd_proto *p, struct bfd_shared *s, struct bfd_request *r, bool left_up);
/* Release what is suppressed no more: time has passed, or the configuration is another one. */
void bfd_suppress_settle(struct bfd_proto *p, struct bfd_shared *s);
void bfd_suppress_reset(struct bfd_proto *p, struct bfd_shared *s);
void bfd_suppress_forget(struct bfd_shared *s); /* @s goes */
struct bfd_dampened bfd_suppress_state(const struct bfd_proto *p, const struct bfd_shared *s);

/* forecast.c */
void bfd_forecast(const struct proto *proto, const struct config *cfg, struct cli *c);
const struct bfd_options *bfd_line_wants(const struct proto_config *cf, const struct bfd_request *r);

/* hold.c */
struct bfd_which
{
  bool all; /* else */
  ip_addr remote;
  const char *ifname; /* NULL: on any, and multihop */
};
void bfd_cmd_disable(struct cli *c, const struct bfd_which *which);
void bfd_cmd_enable(struct cli *c, const struct bfd_which *which);
void bfd_cmd_reset_counters(struct cli *c, const struct bfd_which *which);
void bfd_cmd_reset_dampening(struct cli *c, const struct bfd_which *which);
bool bfd_is_held(const struct bfd_proto *p, const struct bfd_key *key);

/* history.c */
void bfd_history_start(struct bfd_proto *p);
void bfd_history_down(struct bfd_proto *p, const struct bfd_down *down);
void bfd_history_late(struct bfd_proto *p, const struct bfd_late *late);
const u64 *bfd_history_verdicts(const struct bfd_proto *p);
void bfd_history_reset(struct bfd_proto *p, struct bfd_shared *s); /* the counters; NULL: of the instance */
void bfd_cmd_show_history(struct cli *c, const struct bfd_which *which);
void bfd_show_arrivals(struct cli *c, const struct bfd_arrivals *a, uint indent);

/* wish.c */
void bfd_wishes_start(struct bfd_proto *p);
void bfd_wishes_follow(struct bfd_proto *p); /* the lines of the present configuration, in slices */
void bfd_wishes_stop(struct bfd_proto *p);
void bfd_neighbors_check(struct proto_config *pc, struct cf_ctx *cx, const struct cf_loc *loc);

/* listen.c */
void bfd_listen_start(struct bfd_proto *p);
bool bfd_listen_spread(struct bfd_proto *p); /* open sockets for engines that came */
void bfd_listen_gone(struct bfd_proto *p);   /* the engines are, and their sockets with them */
void bfd_listen_hand(struct bfd_proto *p);   /* and give them to them */
/* Others get packets from now on. False, with a log line: the kernel does not tell them apart. */
bool bfd_listen_steer(struct bfd_proto *p);
void bfd_listen_narrow(struct bfd_proto *p, uint engines); /* only the first ones go on listening */
void bfd_listen_follow(struct bfd_proto *p);               /* what is accepted may have changed */
void bfd_listen_siblings(const struct bfd_proto *p);       /* the other instances may take over what @p had */
void bfd_listen_device(struct bfd_proto *p, const struct iface *i); /* @i changed: it may be our VRF */
bool bfd_listen_serves(const struct bfd_proto *p, enum bfd_hop hop, bool v6);
struct bfd_listener *bfd_listen_local(struct bfd_proto *p, enum bfd_hop hop, const struct bfd_path *path);
void bfd_listen_release(struct bfd_proto *p, struct bfd_listener *l);
/* Why packets of a session of this kind cannot be received, or NULL. */
const char *bfd_listen_problem(const struct bfd_proto *p, const struct bfd_shared *s);
bool bfd_accepts_kind(const struct bfd_config *cf, enum bfd_hop hop, bool v6);

/* show.c */
struct bfd_filter
{
  const char *name; /* of the instance; NULL: all */
  bool v4, v6, direct, multihop, all;
  bool has_prefix;
  struct prefix prefix;
  const char *ifname;
};
/* What is printed of the sessions that pass a filter. Hooks but `session` may be NULL. */
struct bfd_view
{
  uint slice; /* sessions shown before others have their turn, up to BFD_SNAPSHOT_MAX */
  void (*title)(struct cli *c);
  void (*session)(struct cli *c, const struct bfd_proto *p, const struct bfd_shared *s,
                  const struct bfd_info *i, const void *data);
  void (*instance_end)(struct cli *c, const struct bfd_proto *p, const struct bfd_filter *f,
                       const struct bfd_engine_stats *stats);
  void (*end)(struct cli *c, const struct bfd_filter *f);
};
/* Ask for snapshots, in slices, and print them; ends the reply. @data lives as long as the command. */
void bfd_query(struct cli *c, const struct bfd_filter *f, const struct bfd_view *view, const void *data);
struct bfd_proto *bfd_running(const char *name); /* NULL: no such instance runs */
/* The running instance after the one named @before, in the order of the configuration; NULL: the first. */
struct bfd_proto *bfd_next_instance(const char *before);
void bfd_show_field(struct cli *c, uint indent, const char *name, const char *fmt, ...) PRINTF_LIKE(4, 5);
btime bfd_wall_of(btime monotonic);
void bfd_stats_add(struct bfd_engine_stats *sum, const struct bfd_engine_stats *one);
void bfd_cmd_show_sessions(struct cli *c, const struct bfd_filter *f);
void bfd_snapshot_received(struct bfd_proto *p, const struct bfd_snapshot *snap);
void bfd_queries_abort(struct bfd_proto *p);

/* watch.c */
void bfd_tell_session(struct bfd_shared *s); /* nothing happens where that has been told */
void bfd_tell_note(struct bfd_shared *s, const struct bfd_note *note);
void bfd_tell_down(struct bfd_proto *p, const struct bfd_down *down, enum bfd_verdict verdict);
void bfd_tell_verdict(struct bfd_shared *s, enum bfd_verdict verdict); /* it is another one after all */
void bfd_tell_gone(const struct bfd_shared *s);
void bfd_inspections_start(struct bfd_proto *p);
void bfd_inspections_stop(struct bfd_proto *p);
bool bfd_inspect_session(struct bfd_proto *p, struct bfd_inspection *q);
void bfd_inspected(struct bfd_proto *p, const struct bfd_snapshot *snap); /* it may be for one of them */

/* survey.c */
void bfd_survey_begin(struct bfd_proto *p, struct bfd_survey *s);
void bfd_surveyed(struct bfd_proto *p, const struct bfd_snapshot *snap); /* it may be for one of them */
void bfd_surveys_abort(struct bfd_proto *p);

/* show_advice.c */
struct bfd_advice_args
{
  struct bfd_which which;
  u32 interval;  /* to be judged as well; 0: as it is */
  u8 multiplier; /* likewise */
};
void bfd_cmd_show_advice(struct cli *c, const struct bfd_advice_args *args);

#endif
