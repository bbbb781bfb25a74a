/*
 * proto/bfd/engine.h: an engine runs BFD sessions in one loop
 *
 * It knows sockets, timers and sessions, and nothing of the daemon: commands come in as messages
 * (proto/bfd/msg.h), replies and notes go out through @deliver. Several of them can share the sessions of one
 * instance; they post to each other's mailboxes, which have to be there until all have stopped.
 * bfd_engine_new() may be called before the loop's thread starts; everything else happens in that loop.
 */
#ifndef PEREGRINE_BFD_ENGINE_H
#define PEREGRINE_BFD_ENGINE_H

#include "proto/bfd/msg.h"

struct bfd_engine;

/*
 * @name starts every log line and is borrowed.
 * @deliver: called in the engine's loop; takes the message over
 */
struct bfd_engine *bfd_engine_new(pool *p, struct loop *loop, const char *name,
                                  void (*deliver)(struct msg *m, void *data), void *data);

/* The hook for the mailbox of the engine's loop. */
void bfd_engine_message(struct msg *m, void *engine);

#endif
