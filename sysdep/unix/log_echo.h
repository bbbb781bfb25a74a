/* sysdep/unix/log_echo.h: the writer's side of echoes (sysdep/log.h). Of the log alone. */
#ifndef PEREGRINE_SYSDEP_UNIX_LOG_ECHO_H
#define PEREGRINE_SYSDEP_UNIX_LOG_ECHO_H

#include "sysdep/unix/log_sink.h"

/* The writer thread: give @line to everybody who wants it; and, at its end, let go of all. */
void echoes_write(const struct line *line);
void echoes_forget(void);

#endif
