/*
 * sysdep/log.h: log lines from any thread
 *
 * Writing a line never blocks and never allocates: it goes into a bounded lock-free queue that a writer
 * thread empties into the sinks (stderr, files, syslog, another host). When the queue is full the line is
 * lost and counted; the writer reports the loss once it catches up. Before log_start() and after log_stop()
 * lines go to stderr directly.
 */
#ifndef PEREGRINE_SYSDEP_LOG_H
#define PEREGRINE_SYSDEP_LOG_H

#include "lib/ip.h"
#include "sysdep/loop.h"

enum log_class
{
  L_DEBUG,
  L_TRACE,
  L_INFO,
  L_REMOTE,
  L_WARN,
  L_ERR,
  L_AUTH,
  L_FATAL,
  L_BUG,
  L__MAX
};

#define LOG_ALL ((1u << L__MAX) - 1)
#define LOG_LINE_SIZE 512 /* longer lines are cut, and end in "..." */

/* The configuration words: debug trace info remote warning error auth fatal bug. */
const char *log_class_name(enum log_class class);

enum log_sink_kind
{
  LOG_STDERR,
  LOG_FILE,
  LOG_SYSLOG,
  LOG_UDP
};

struct log_sink
{
  enum log_sink_kind kind;
  uint classes;       /* bits 1 << L_... */
  const char *name;   /* file name, or the syslog identity; NULL: the default one */
  const char *backup; /* of a file: what it is renamed to before it grows over @limit bytes; NULL: never */
  u64 limit;          /* 0: none */
  ip_addr host;       /* LOG_UDP: who takes lines in the form of RFC 3164 */
  u16 port;
  const char *hostname; /* LOG_UDP: who we are there; NULL: "-" */
  const char *time;     /* stderr and files: format as in struct timeformat; NULL: ISO with milliseconds */
};

/* Start and stop the writer thread; log_stop() writes out what is queued. Main loop only. */
void log_start(void);
void log_stop(void);

/*
 * Replace the sinks; everything is copied. A file that cannot be opened (append, created 0640) is skipped,
 * and an L_ERR line that names it and the reason goes to the other sinks. Files that stay are reopened, so
 * rotating by renaming works. A sink that stops taking lines (full disk) does not stop the others; once it
 * takes them again it is told how many it missed. Main loop only.
 */
void log_set_sinks(const struct log_sink *sinks, uint count);

/*
 * One line, without newline. Control characters are written as '?'. L_FATAL and L_BUG do not end the program.
 */
void log_write(enum log_class class, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * For lines a peer can provoke: at most @burst lines in @period per limit; what was swallowed is added to the
 * next line that passes ("... (27 more like this)"). One limit belongs to one loop. Zero-initialised is
 * LOG_LIMIT's default of 5 lines in 10 s.
 */
struct log_limit
{
  uint burst;
  btime period;
  btime window_start;
  uint passed, swallowed;
};
void log_rl(struct log_limit *limit, enum log_class class, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * An echo gets the lines of @classes too, in @size bytes that are all it ever takes: what does not fit is
 * lost and counted. A message is posted to @wake when there is something to read; its hook frees that message
 * and reads until there is nothing more. The mailbox has to live until log_stop(). Main loop only.
 */
struct log_echo;
struct log_echo *log_echo_open(uint classes, uint size, struct mailbox *wake);
void log_echo_close(struct log_echo *e);
/* The next line, into @line of LOG_LINE_SIZE bytes; false: none. @lost: how many were lost since the last
 * call. */
bool log_echo_read(struct log_echo *e, char *line, uint *lost);

u64 log_lost(void);      /* lines lost so far to a full queue */
u64 log_unwritten(void); /* lines lost so far to some sink that did not take them */

/* Only before the daemon is up: message to stderr ("bird: ..."), exit status 1. */
NORETURN void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
