/*
 * nest/protocol.h: protocol instances and their life. Main loop only.
 *
 * A class is a kind of protocol, a config what a file says of one instance, a proto the running instance.
 * Instances go down -> start -> up -> stop -> down; what an instance owns while it runs hangs in its pool and
 * goes with it.
 */
#ifndef PEREGRINE_NEST_PROTOCOL_H
#define PEREGRINE_NEST_PROTOCOL_H

#include "nest/cli.h"

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
  PROTO_STOP
};

struct proto;
struct proto_config;

struct proto_class
{
  const char *name;   /* as `show protocols` prints it */
  const char *prefix; /* of the names of unnamed instances */
  size_t config_size; /* counts struct proto_config, which comes first */
  size_t size;        /* counts struct proto, which comes first */

  /* Defaults. May be NULL. */
  void (*config_init)(struct proto_config *cf, struct cf_ctx *cx);

  /* Begin, and report with proto_up() now or later. */
  void (*start)(struct proto *p);
  /* End, and report with proto_down() now or later. NULL: nothing to do but to free the pool. */
  void (*stop)(struct proto *p);
  /* Go on with @cf; false: it has to be restarted for that. The old config is still there during the call. */
  bool (*reconfigure)(struct proto *p, struct proto_config *cf);
  /* p->debug has changed while it runs. May be NULL. */
  void (*debug_changed)(struct proto *p);
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
  bool disabled;
  uint debug;
  u32 router_id; /* 0: the global one */
};

struct proto
{
  struct node n;
  const struct proto_class *class;
  struct loop *loop;
  struct proto_config *cf;
  struct proto_config *next_cf; /* to start with once it is down */
  const char *name;
  pool *pool; /* lives from start to down */
  enum proto_state state;
  btime since; /* wall clock, of the state */
  bool disabled, removed;
  uint debug;
  char message[256]; /* given with disable, enable or restart */
};

void protos_init(pool *p, struct loop *l);

/* For the grammar: a new config for an instance of @class, @name NULL for an automatic one. */
struct proto_config *proto_config_new(struct cf_ctx *cx, const struct cf_loc *loc,
                                      const struct proto_class *class, const char *name);

/* Called by instances. proto_down(): from stop() or later; frees the instance's pool, and perhaps the
 * instance. */
void proto_up(struct proto *p);
void proto_down(struct proto *p);
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
 * some instance takes its time to go down.
 */
typedef void protos_progress(bool complete);
void protos_apply(struct config *cfg, protos_progress *progress);

/* Take everything down in an orderly way, then call @progress. */
void protos_shutdown(protos_progress *progress);

struct proto *proto_find(const char *name); /* NULL: there is none */
const struct list *proto_list(void);        /* struct proto, in the order of the configuration */

/* Commands */

/* Which instances a command means. */
struct proto_pattern
{
  bool all;
  const char *name; /* exactly this one */
  const char *glob;
};
void proto_cmd_show(struct cli *c, const struct proto_pattern *which, bool all);
enum proto_action
{
  PROTO_CMD_ENABLE,
  PROTO_CMD_DISABLE,
  PROTO_CMD_RESTART,
  PROTO_CMD_DEBUG
};
void proto_cmd(struct cli *c, const struct proto_pattern *which, enum proto_action action,
               const char *message, uint debug);

#endif
