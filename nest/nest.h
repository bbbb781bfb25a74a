/*
 * nest/nest.h: the daemon's own commands, and the life cycle of its configuration. Main loop only.
 */
#ifndef PEREGRINE_NEST_NEST_H
#define PEREGRINE_NEST_NEST_H

#include "nest/iface.h"
#include "nest/protocol.h"

/* Moments (wall clock) as `timeformat protocol` and `timeformat route` want them. */
enum time_use
{
  TIME_ROUTE,
  TIME_PROTOCOL
};
const struct timeformat *reconfig_timeformat(enum time_use use);
#define TIME_BY(use, wall)                                                                       \
  timeformat_print(reconfig_timeformat(use), (wall), clock_wall(), (char[TIMEFORMAT_SIZE]){ 0 }, \
                   TIMEFORMAT_SIZE)

/* Configuration: parsed by a thread of its own, applied in slices, the one before kept for undo. */

#define UNDO_TIMEOUT_DEFAULT 300 /* seconds */

struct reconfig_hooks
{
  /* Make the settings that belong to no protocol follow @cfg. */
  void (*globals)(const struct config *cfg);
};

/* @cfg: the first configuration, already parsed. It and all later ones are owned here. */
void reconfig_init(pool *p, struct loop *l, struct config *cfg, const struct reconfig_hooks *hooks);
struct config *reconfig_current(void);
/* Read the file again, as SIGHUP asks; the outcome goes to the log. */
void reconfig_reload(void);
/* Nothing is reloaded any more. */
void reconfig_stop(void);
/* After the loop has ended: wait for the thread, free all configurations. */
void reconfig_free(void);

/* The daemon */

struct daemon_info
{
  btime booted;                              /* wall clock */
  const struct loop_slices *(*slices)(void); /* of the main loop */
  void (*shutdown)(void);
};
void nest_init(const struct daemon_info *info);

/* Commands, as the grammar calls them. */

void cmd_show_status(struct cli *c);
void cmd_show_interfaces(struct cli *c);
void cmd_show_interfaces_summary(struct cli *c);
void cmd_proto(struct cli *c, const struct proto_pattern *which, enum proto_action action,
               const char *message, uint debug);
void cmd_configure(struct cli *c, bool soft, const char *file, uint timeout);
void cmd_configure_check(struct cli *c, const char *file);
void cmd_configure_confirm(struct cli *c);
void cmd_configure_undo(struct cli *c);
void cmd_configure_status(struct cli *c);
void cmd_echo(struct cli *c, uint classes, uint size);
void cmd_down(struct cli *c);
/* Like `down`, but what protocols put outside stays there for the next run. */
void cmd_graceful_restart(struct cli *c);
void cmd_show_memory(struct cli *c);
void cmd_show_symbols(struct cli *c, enum cf_symbol_class only); /* CF_UNDEFINED: all */
void cmd_show_symbol(struct cli *c, const char *name);
enum dump_what
{
  DUMP_RESOURCES,
  DUMP_INTERFACES,
  DUMP_NEIGHBORS,
  DUMP_ATTRIBUTES,
  DUMP_ROUTES,
  DUMP_PROTOCOLS
};
void cmd_dump(struct cli *c, enum dump_what what);
void cmd_help(struct cli *c);
void cmd_quit(struct cli *c);
/* Last line of `show status`. */
const char *reconfig_state(void);

#endif
