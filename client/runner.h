/*
 * client/runner.h: run a command when a session comes up and another one when it goes down
 *
 * One command runs at a time, by sh -c. What happens meanwhile is not queued: when the command has ended, the
 * one for the state that holds then follows, if that is another one. So the last command always is that of
 * the last state, however often it changed.
 */
#ifndef PEREGRINE_CLIENT_RUNNER_H
#define PEREGRINE_CLIENT_RUNNER_H

#include <sys/types.h>

#include "lib/types.h"

#define RUNNER_FACTS 16
#define RUNNER_FACT_SIZE 128

/* What a command finds in its environment. */
struct runner_facts
{
  uint count;
  char fact[RUNNER_FACTS][RUNNER_FACT_SIZE]; /* NAME=value */
};
void runner_fact(struct runner_facts *f, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);

enum runner_state
{
  RUNNER_NONE, /* nothing yet */
  RUNNER_UP,
  RUNNER_DOWN
};

struct runner
{
  const char *on_up, *on_down; /* NULL: nothing to run. Borrowed */
  enum runner_state done, wanted;
  struct runner_facts facts; /* of the wanted one */
  pid_t pid;                 /* 0: nothing runs */
  int pidfd;                 /* readable when it has ended; -1 where there is none */
};

void runner_init(struct runner *r, const char *on_up, const char *on_down);

/* @facts are copied. False, after a message: the command cannot be started. */
bool runner_want(struct runner *r, bool up, const struct runner_facts *facts);

/* The command may have ended: a message if it failed, and on with the next one. */
bool runner_ended(struct runner *r);

/* Wait until nothing is left to run. */
void runner_finish(struct runner *r);

#endif
