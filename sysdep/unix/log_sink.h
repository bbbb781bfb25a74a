/*
 * sysdep/unix/log_sink.h: where log lines go: files, stderr, syslog, a host. Of the log alone.
 *
 * The main loop makes a set of sinks; from then on it is the writer's, which writes to it and frees it. A
 * sink that takes no lines counts them and goes on being tried: nothing here blocks for long, nothing ends
 * the program.
 */
#ifndef PEREGRINE_SYSDEP_UNIX_LOG_SINK_H
#define PEREGRINE_SYSDEP_UNIX_LOG_SINK_H

#include "sysdep/log.h"

struct line
{
  enum log_class class;
  btime when;
  char text[LOG_LINE_SIZE];
};

struct sink_set;

/* One sink for each of @sinks that can be opened; the others leave their reason in @errors, of @count. */
struct sink_set *sink_set_new(const struct log_sink *sinks, uint count, int *errors);
/* What the sinks of @old have lost, those of @set that take their place have to tell. */
void sink_set_inherit(struct sink_set *set, const struct sink_set *old);
void sink_set_write(struct sink_set *set, const struct line *line);
void sink_set_free(struct sink_set *set);

/* Lines that some sink did not take. */
u64 sinks_unwritten(void);

#endif
