/*
 * nest/protocol.h: protocol instances and their life. Main loop only.
 *
 * A class is a kind of protocol, a config what a file says of one instance, a proto the running instance.
 * Instances go down -> start -> up -> stop -> down; what an instance owns while it runs hangs in its pool and
 * goes with it.
 */
#ifndef PEREGRINE_NEST_PROTOCOL_H
#define PEREGRINE_NEST_PROTOCOL_H

#include "lib/net.h"
#include "nest/cli.h"

struct attrs;
struct bfd_options;
struct bfd_request;
struct channel;
struct net;
struct route;

/* Debug flags, as `debug` names them. */
enum proto_debug
{
  D_STATES = 1,
  D_ROUTES = 2,
  D_FILTERS = 4,
  D_INTERFACES = 8,
  D_EVENTS = 16,
  D_PACKETS = 32,
};
#define D_ALL 63

enum proto_state
{
  PROTO_DOWN,
  PROTO_START,
  PROTO_UP,
  PROTO_FLUSH, /* its channels take back what it announced */
  PROTO_STOP
};

struct proto;
struct proto_config;
struct rt_origin;

struct proto_class
{
  const char *name;   /* as `show protocols` prints it */
  const char *prefix; /* of the names of unnamed instances */
  size_t config_size; /* counts struct proto_config, which comes first */
  size_t size;        /* counts struct proto, which comes first */
  uint channel_types; /* bits 1 << enum net_type: channels it can have */
  bool one_channel;   /* needs exactly one */
  bool channels_vary; /* they may come and go while an instance is up; reload() serves one that came */
  u16 preference;     /* of its routes, by default */

  /* Defaults. May be NULL. */
  void (*config_init)(struct proto_config *cf, struct cf_ctx *cx);
  /* @cf, a copy of @from byte for byte, gets lists of its own. May be NULL. */
  void (*config_copy)(struct proto_config *cf, const struct proto_config *from, struct cf_ctx *cx);
  /* The block is complete: check what only shows now, with cf_error() at @loc. May be NULL. */
  void (*config_check)(struct proto_config *cf, struct cf_ctx *cx, const struct cf_loc *loc);

  /* Begin, and report with proto_up() now or later. */
  void (*start)(struct proto *p);
  /* End, and report with proto_down() now or later. NULL: nothing to do but to free the pool. */
  void (*stop)(struct proto *p);
  /* Go on with @cf; false: it has to be restarted for that. The old config is still there during the call. */
  bool (*reconfigure)(struct proto *p, struct proto_config *cf);

  /* Channels; all may be NULL. A class has rt_notify, rt_sync or neither. */

  /* The best route for @a is now @new (NULL: none), where the protocol was told @old before. */
  void (*rt_notify)(struct channel *c, const struct net_addr *a, const struct net *n, struct attrs *new,
                    struct attrs *old);
  /* Something about @n changed. */
  void (*rt_sync)(struct channel *c, struct net *n);
  /* The end of a slice of such calls. */
  void (*rt_flush)(struct channel *c);
  /* All that was there when the channel came up, or at channel_refeed(), has been told. */
  void (*feed_end)(struct channel *c);
  /* False: this route is not for @c. */
  bool (*exportable)(const struct channel *c, const struct route *r);
  /* Announce everything again; false: it cannot. */
  bool (*reload)(struct channel *c);
  /* Is @a strictly better, both of this class and of equal preference? */
  bool (*rt_better)(const struct attrs *a, const struct attrs *b);
  /* In brackets or parentheses behind the preference in `show route`. */
  void (*rt_info)(const struct attrs *a, char *buf, size_t size);

  /* p->debug has changed while it runs. May be NULL. */
  void (*debug_changed)(struct proto *p);
  /* For `configure check`: lines (code 1020) about what @cfg would do to what runs now. May be NULL. */
  void (*forecast)(const struct proto *p, const struct config *cfg, struct cli *c);
  /* Would an instance of @cf ask for the session of @r, and with which options? NULL: no. May be NULL. */
  const struct bfd_options *(*wants_bfd)(const struct proto_config *cf, const struct bfd_request *r);
  /* The Info column, and more lines (code 1006) for `show protocols all`. May be NULL. */
  const char *(*info)(const struct proto *p);
  void (*show)(const struct proto *p, struct cli *c);
};

/* All classes of this build, NULL at the end; made by configure. */
extern const struct proto_class *const proto_classes[];

struct proto_config
{
  struct node n; /* in config.protos */
  const struct proto_class *class;
  struct config *config;
  const char *name, *description;
  const char *vrf; /* as iface_in_vrf() has it */
  bool disabled;
  bool template;
  uint debug;
  u32 router_id;        /* 0: the global one */
  struct list channels; /* struct channel_config */
};

struct proto
{
  struct node n;
  const struct proto_class *class;
  struct loop *loop;
  struct proto_config *cf;
  struct proto_config *next_cf; /* to start with once it is down */
  const char *name;
  pool *owner;          /* outlives the instance */
  pool *pool;           /* lives from start to down */
  struct list channels; /* struct channel */
  struct list parting;  /* struct channel: not of the configuration any more, until they are down */
  struct rt_origin *origin;
  enum proto_state state;
  btime since; /* wall clock, of the state */
  bool disabled, removed;
  struct timer *limit_stop;    /* a limit was hit: stop, and perhaps stay down */
  struct timer *limit_restart; /* set: it stays down until then */
  uint debug;
  char message[256]; /* given with disable, enable or restart */
};

void protos_init(pool *p, struct loop *l);

/*
 * For the grammar: what follows `protocol` or `template` and the kind. proto_config_begin() makes the config
 * that the block fills, proto_config_end() checks it.
 */
struct proto_head
{
  bool template;
  const char *name, *from; /* NULL: an automatic one, none */
  struct cf_loc name_loc, from_loc;
};
struct proto_config *proto_config_begin(struct cf_ctx *cx, const struct proto_class *class,
                                        const struct proto_head *head);
void proto_config_end(struct cf_ctx *cx, const struct cf_loc *loc, struct proto_config *cf);

/* Called by instances. proto_down(): from stop() or later; frees the instance's pool, and perhaps the
 * instance. */
void proto_up(struct proto *p);
void proto_down(struct proto *p);
/* From channels: @c is down, and may be gone afterwards; a limit asks for a restart or a stop, which follows
 * soon. */
void proto_channel_down(struct channel *c);
void proto_limit_hit(struct proto *p, bool disable, const char *limit);
/* The channel of @type, or NULL. */
struct channel *proto_channel(const struct proto *p, enum net_type type);
/* Log under a debug flag. */
#define PROTO_TRACE(p, flag, fmt, ...)                          \
  do                                                            \
  {                                                             \
    if ((p)->debug & (flag))                                    \
      log_write(L_TRACE, "%s: " fmt, (p)->name, ##__VA_ARGS__); \
  } while (0)

/*
 * Make the instances follow @cfg, in slices of one instance. @progress is called with true when nothing of
 * the configuration before is in use any more, which until then must stay; before that once with false if
 * some instance takes its time to go down. @soft: routes are not filtered anew.
 */
typedef void protos_progress(bool complete);
void protos_apply(struct config *cfg, bool soft, protos_progress *progress);

/* From now on the shutdown is one for a restart: what instances put outside is to stay. */
void protos_leave_routes(void);
bool protos_leaving_routes(void);

/* Take everything down in an orderly way, then call @progress. */
void protos_shutdown(protos_progress *progress);

/* Say what @cfg would do to the instances there are. */
void protos_forecast(const struct config *cfg, struct cli *c);

struct proto *proto_find(const char *name); /* NULL: there is none */
const struct list *proto_list(void);        /* struct proto, in the order of the configuration */
const char *proto_state_name(enum proto_state state);

/* A resource. @hook is called, and only takes note, when an instance has another state. */
struct proto_watch *proto_watch_new(pool *p, void (*hook)(const struct proto *p, void *data), void *data);

/* Commands */

/* Which instances a command means. */
struct proto_pattern
{
  bool all;
  const char *name; /* exactly this one */
  const char *glob;
  const char *channel; /* of these instances, where a command knows channels; or NULL */
};
void proto_cmd_show(struct cli *c, const struct proto_pattern *which, bool all);
enum proto_action
{
  PROTO_CMD_ENABLE,
  PROTO_CMD_DISABLE,
  PROTO_CMD_RESTART,
  PROTO_CMD_DEBUG,
  PROTO_CMD_RELOAD,
  PROTO_CMD_RELOAD_IN,
  PROTO_CMD_RELOAD_OUT
};
void proto_cmd(struct cli *c, const struct proto_pattern *which, enum proto_action action,
               const char *message, uint debug);

#endif
