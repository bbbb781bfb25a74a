/*
 * nest/cli.h: control-socket sessions. Main loop only.
 *
 * A command is a line; its reply is lines with a four-digit code, the last one marked. A command function
 * either finishes its reply with cli_end(), or keeps the session for later by returning without it: what it
 * left in cli_pool() is freed when the reply ends or the client goes, whichever comes first. The next command
 * waits. Formats and codes: doc/reply_codes.
 */
#ifndef PEREGRINE_NEST_CLI_H
#define PEREGRINE_NEST_CLI_H

#include "conf/conf.h"
#include "sysdep/loop.h"

struct cli;

/* A line of the reply, more to follow; and the last line. */
void cli_line(struct cli *c, uint code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void cli_end(struct cli *c, uint code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* What belongs to the command that runs now. */
pool *cli_pool(struct cli *c);

/*
 * Call @hook as soon as the client has read most of what it was sent, which may be at once but not from
 * inside this call. So a long listing never piles up in memory.
 */
void cli_when_room(struct cli *c, void (*hook)(struct cli *c, void *data), void *data);

/* For commands that change something: false, with the reply sent, in a restricted session. */
bool cli_privileged(struct cli *c);
void cli_restrict(struct cli *c);

/* Take the session down after the reply. */
void cli_close(struct cli *c);

/* Serve @path. 0 or -errno. @get_config names the configuration whose symbols commands see. */
int cli_listen(pool *p, struct loop *l, const char *path, struct config *(*get_config)(void) );

/* The commands' words, arguments and help, for clients and for `help`. */
struct cli_command
{
  const char *words, *args, *help;
};
const struct cli_command *cli_commands(uint *count);

#endif
