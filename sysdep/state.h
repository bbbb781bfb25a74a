/* sysdep/state.h: what the daemon keeps from one run to the next. Main loop only: it waits for the disk. */
#ifndef PEREGRINE_SYSDEP_STATE_H
#define PEREGRINE_SYSDEP_STATE_H

#include "lib/types.h"

/*
 * The @size random bytes kept in the file @name of @dir, which is written when it is not there: whole or not
 * at all, and readable by nobody else. 0 or -errno; -ENOENT: there is no such directory; -EBADMSG: the file
 * does not hold what it should; -EPERM: others own it or may read it.
 */
int state_secret(const char *dir, const char *name, byte *secret, size_t size);

#endif
