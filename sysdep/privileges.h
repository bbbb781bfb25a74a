/*
 * sysdep/privileges.h: user, group and capabilities. Before any thread starts.
 */
#ifndef PEREGRINE_SYSDEP_PRIVILEGES_H
#define PEREGRINE_SYSDEP_PRIVILEGES_H

#include "lib/types.h"

/*
 * Run ahead of ordinary programs, unless someone has chosen a nice value already, and raise the limits of
 * memory that is locked. Before privileges_drop(), which leaves the right to thread_realtime().
 */
void privileges_raise(void);

/*
 * Keep all memory, that to come included, from being swapped out: a session does not wait for a disk. Only
 * where no limit would make later allocations fail; false: there is one. Not inherited by fork().
 */
bool privileges_lock_memory(void);

/*
 * Change to @user and @group (NULL: stay); with a user, keep only the capabilities the daemon uses and no
 * supplementary groups. die()s when it cannot. Root itself keeps everything: give the daemon a user of its
 * own.
 */
void privileges_drop(const char *user, const char *group);

/* Give @path to them; true when there is nothing to do. Sets errno. */
bool privileges_own_file(const char *path, const char *user, const char *group);

/* One log line for each right that is missing, with what will not work. @locked: the memory is. */
void privileges_report(bool locked);

#endif
