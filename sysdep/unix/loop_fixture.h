/*
 * sysdep/unix/loop_fixture.h: for the tests of loop.c only
 *
 * A loop with a limit, and probes: callbacks of any kind that leave a trace. Include it after cmocka.h.
 */
#ifndef PEREGRINE_LOOP_FIXTURE_H
#define PEREGRINE_LOOP_FIXTURE_H

#include "sysdep/clock.h"
#include "sysdep/loop.h"

#define LIMIT BT_S(60) /* of one run; only a broken loop comes near */

struct fixture
{
  pool *pool;
  struct loop *loop;
  struct timer *limit;
  bool late;
  char trace[256]; /* who was called, in order */
};

/* What a callback of any kind does: it leaves its name, frees something, and may end the run. */
struct probe
{
  struct fixture *f;
  char name;
  void *victim;
  uint more; /* how often it wants to be called again */
  bool last; /* the run ends with its last call */
};

static inline void
trace(struct fixture *f, char name)
{
  size_t len = strlen(f->trace);

  if (len < sizeof(f->trace) - 1)
    f->trace[len] = name;
}

static inline bool
act(struct probe *p)
{
  trace(p->f, p->name);
  rfree(p->victim);
  p->victim = NULL;
  if (p->more)
    return p->more--;
  if (p->last)
    loop_stop(p->f->loop);
  return false;
}

static inline void
timer_hook(struct timer *t, void *data)
{
  bool own = ((struct probe *) data)->victim;

  if (act(data) && !own)
    timer_set(t, 0);
}

static inline void
fd_hook(struct fd_watch *w UNUSED, uint ready UNUSED, void *data)
{
  act(data);
}

static inline bool
work_hook(struct work *w UNUSED, void *data)
{
  return act(data);
}

static inline void
mail_hook(struct msg *m, void *data)
{
  msg_free(m);
  act(data);
}

static inline void
post_empty(struct mailbox *mb)
{
  mailbox_post(mb, msg_alloc(sizeof(struct msg)));
}

/* A descriptor that stays readable. */
static inline struct fd_watch *
ready_fd(struct fixture *f, pool *p, enum loop_prio prio, struct probe *probe)
{
  int ends[2];

  assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  assert_int_equal(write(ends[1], "", 1), 1);
  close(ends[1]);
  return fd_watch_new(p, f->loop, ends[0], FD_READ, prio, fd_hook, probe);
}

static inline struct timer *
due_timer(struct fixture *f, pool *p, struct probe *probe)
{
  struct timer *t = timer_new(p, f->loop, timer_hook, probe);

  timer_set(t, 0);
  return t;
}

static inline struct work *
queued_work(struct fixture *f, pool *p, enum loop_prio prio, struct probe *probe)
{
  struct work *w = work_new(p, f->loop, prio, work_hook, probe);

  work_schedule(w);
  return w;
}

static inline void
too_late(struct timer *t UNUSED, void *data)
{
  struct fixture *f = data;

  f->late = true;
  loop_stop(f->loop);
}

static inline int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  f->loop = loop_new(f->pool, "test");
  f->limit = timer_new(f->pool, f->loop, too_late, f);
  *ctx = f;
  return 0;
}

static inline int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  rfree(f->pool);
  free(f);
  return 0;
}

/* Until someone stops the loop. */
static inline void
run(struct fixture *f)
{
  timer_set(f->limit, clock_now() + LIMIT);
  loop_run(f->loop);
  assert_false(f->late);
}

static inline void
spin(btime time)
{
  btime end = clock_now() + time;

  while (clock_now() < end)
    ;
}

#endif
