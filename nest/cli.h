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

/* Send the client log lines of @classes (0: none any more), keeping at most @size bytes of them. */
#define CLI_ECHO_MIN 256
#define CLI_ECHO_MAX 65536
#define CLI_ECHO_DEFAULT 4096
void cli_echo(struct cli *c, uint classes, uint size);

/* Before anything else here. */
void cli_init(pool *p, struct loop *l);

/*
 * Serve @path until the result, a resource, is freed; its sessions go on, being of pool @p themselves. With
 * @restricted they are read only. @get_config names the configuration whose symbols commands see. NULL, and
 * the reason in @error, when it cannot be opened.
 */
struct cli_server *cli_listen(pool *p, struct loop *l, const char *path, bool restricted,
                              struct config *(*get_config)(void), int *error);

/* The commands' words, arguments and help, for clients and for `help`. */
struct cli_command
{
  const char *words, *args, *help;
};
const struct cli_command *cli_commands(uint *count);

#endif
