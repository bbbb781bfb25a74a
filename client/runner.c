/* client/runner.c: see runner.h */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/runner.h"

void
runner_fact(struct runner_facts *f, const char *name, const char *fmt, ...)
{
  char *fact = f->fact[f->count];
  int len = snprintf(fact, RUNNER_FACT_SIZE, "%s=", name);
  va_list args;

  ASSERT(f->count < RUNNER_FACTS && len < RUNNER_FACT_SIZE);
  va_start(args, fmt);
  vsnprintf(fact + len, RUNNER_FACT_SIZE - len, fmt, args);
  va_end(args);
  f->count++;
}

void
runner_init(struct runner *r, const char *on_up, const char *on_down)
{
  *r = (struct runner){ .on_up = on_up, .on_down = on_down, .pidfd = -1 };
}

static const char *
command_of(const struct runner *r, enum runner_state state)
{
  return state == RUNNER_UP ? r->on_up : r->on_down;
}

NORETURN static void
child(const char *command, struct runner_facts *facts)
{
  sigset_t none;

  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  for (uint i = 0; i < facts->count; i++)
    putenv(facts->fact[i]);
  execl("/bin/sh", "sh", "-c", command, (char *) NULL);
  _exit(127);
}

/* Do what is wanted, if it is not done and nothing else is being done. */
static bool
start(struct runner *r)
{
  while (!r->pid && r->done != r->wanted)
  {
    const char *command = command_of(r, r->wanted);

    r->done = r->wanted;
    if (!command)
      continue;
    fflush(NULL);
    r->pid = fork();
    if (r->pid == 0)
      child(command, &r->facts);
    if (r->pid < 0)
    {
      fprintf(stderr, "Cannot run '%s': %s\n", command, strerror(errno));
      r->pid = 0;
      return false;
    }
    r->pidfd = syscall(SYS_pidfd_open, r->pid, 0);
  }
  return true;
}

bool
runner_want(struct runner *r, bool up, const struct runner_facts *facts)
{
  r->wanted = up ? RUNNER_UP : RUNNER_DOWN;
  r->facts = *facts;
  return start(r);
}

static void
complain(const struct runner *r, int status)
{
  const char *command = command_of(r, r->done);

  if (WIFSIGNALED(status))
    fprintf(stderr, "'%s' was ended by signal %d\n", command, WTERMSIG(status));
  else if (WEXITSTATUS(status))
    fprintf(stderr, "'%s' ended with status %d\n", command, WEXITSTATUS(status));
}

bool
runner_ended(struct runner *r)
{
  int status;

  if (!r->pid || waitpid(r->pid, &status, WNOHANG) <= 0)
    return true;
  complain(r, status);
  if (r->pidfd >= 0)
    close(r->pidfd);
  r->pid = 0;
  r->pidfd = -1;
  return start(r);
}

void
runner_finish(struct runner *r)
{
  while (r->pid)
  {
    struct pollfd p = { .fd = r->pidfd, .events = POLLIN };

    poll(&p, 1, r->pidfd < 0 ? 10 : -1); /* without such descriptors, by looking */
    runner_ended(r);
  }
}
