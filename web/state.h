/*
 * web/state.h: what the gateway knows of the daemon, and what happened lately
 *
 * Fed with events of libbfdmon, read by those who answer browsers. Texts are JSON, made once for all of them.
 */
#ifndef PEREGRINE_WEB_STATE_H
#define PEREGRINE_WEB_STATE_H

#include "lib/pool.h"
#include "libbfdmon/bfdmon.h"

struct state;

struct state *state_new(pool *p);

/* Something came from the daemon. True: there is a new event in the stream. */
bool state_take(struct state *s, const struct bfdmon_event *ev);

/* Whole answers, to be freed with free(); NULL: there is no memory. */
char *state_sessions(const struct state *s);
char *state_protocols(const struct state *s);
char *state_history(const struct state *s, const char *session); /* of one that is not there: an empty one */

/*
 * The stream of server-sent events: each one has a number. @number is the next to be read; it goes up with
 * each, and beyond those that are forgotten, which is told. NULL: there is nothing new. The text is valid
 * until the next state_take().
 */
u64 state_stream_end(const struct state *s);
const char *state_stream_next(struct state *s, u64 *number);

/* What a stream begins with: is there a connection to the daemon? */
const char *state_stream_begin(struct state *s);

#endif
