/*
 * sysdep/loop.h: a birdloop is sockets, timers and a mailbox, run by one thread
 *
 * Everything made from a loop is a resource of the pool given, belongs to that loop's thread and calls back
 * from there. Only mailbox_post() and loop_stop() may be called by other threads. A callback may free
 * anything, its own object included. Callbacks must be short: a slice over 1 ms is counted, and logged in
 * debug builds.
 */
#ifndef PEREGRINE_SYSDEP_LOOP_H
#define PEREGRINE_SYSDEP_LOOP_H

#include <stdatomic.h>

#include "lib/pool.h"
#include "lib/wheel.h"

struct loop;

/* What is served first when several things are ready. */
enum loop_prio
{
  LOOP_FIRST,
  LOOP_CLI,
  LOOP_REST,
  LOOP_PRIO__MAX
};

/*
 * loop_run() runs it in the calling thread until loop_stop(). @name is borrowed. A resource: rfree() it. NULL
 * when there are no descriptors left.
 */
struct loop *loop_new(pool *p, const char *name);
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* The time when the present round of callbacks began or, after loop_now_fresh(), the time of that call. */
btime loop_now(const struct loop *l);
btime loop_now_fresh(struct loop *l);

/* Timers: one shot, absolute. Never early; those that are due together fire in any order. */
struct timer
{
  struct resource r;
  struct loop *loop;
  struct wheel_entry e;
  void (*hook)(struct timer *t, void *data);
  void *data;
};
struct timer *timer_new(pool *p, struct loop *l, void (*hook)(struct timer *t, void *data), void *data);
void timer_set(struct timer *t, btime deadline);
void timer_set_in(struct timer *t, btime delay);
void timer_stop(struct timer *t);
static inline bool
timer_is_set(const struct timer *t)
{
  return wheel_is_set(&t->e);
}

/* A file descriptor and what to wait for. Freeing it closes the descriptor. */
#define FD_READ 1
#define FD_WRITE 2
struct fd_watch
{
  struct resource r;
  struct loop *loop;
  int fd;
  uint events;
  enum loop_prio prio;
  void (*hook)(struct fd_watch *w, uint ready, void *data); /* errors and hang-ups read as FD_READ */
  void *data;
};
struct fd_watch *fd_watch_new(pool *p, struct loop *l, int fd, uint events, enum loop_prio prio,
                              void (*hook)(struct fd_watch *w, uint ready, void *data), void *data);
void fd_watch_events(struct fd_watch *w, uint events);

/* @hook is called when the wall clock was set. NULL: there is no descriptor left to notice it with. */
struct clock_watch *clock_watch_new(pool *p, struct loop *l, void (*hook)(void *data), void *data);

/*
 * Work in slices: run once for each scheduling, between other things; returning true asks for another slice.
 * Scheduling what is scheduled does nothing. Freeing it cancels.
 */
struct work
{
  struct resource r;
  struct loop *loop;
  struct node queued;
  enum loop_prio prio;
  bool (*hook)(struct work *w, void *data);
  void *data;
};
struct work *work_new(pool *p, struct loop *l, enum loop_prio prio, bool (*hook)(struct work *w, void *data),
                      void *data);
void work_schedule(struct work *w);

/*
 * A mailbox takes messages from any thread without a lock and hands them to @hook in its own loop, in the
 * order in which one sender sent them. The hook owns the message. What is left when the mailbox is freed goes
 * to msg_free().
 */
struct msg
{
  struct msg *next;
};
struct mailbox
{
  struct resource r;
  struct node n;
  struct loop *loop;
  _Atomic(struct msg *) head;         /* posted, newest first */
  struct msg *pending, *pending_last; /* taken over by the loop, oldest first */
  void (*hook)(struct msg *m, void *data);
  void *data;
};
/* Hand out what is there, in the calling thread: only once the loop does not run any more. */
void mailbox_flush(struct mailbox *mb);
struct mailbox *mailbox_new(pool *p, struct loop *l, void (*hook)(struct msg *m, void *data), void *data);
void mailbox_post(struct mailbox *mb, struct msg *m);

/* Slices by length: bucket i counts those shorter than 2^i us (the last takes the rest). */
#define LOOP_SLICE_BUCKETS 20
#define LOOP_SLICE_LIMIT BT_MS(1)
struct loop_slices
{
  u64 bucket[LOOP_SLICE_BUCKETS];
  u64 overruns; /* longer than LOOP_SLICE_LIMIT */
  btime longest;
};
const struct loop_slices *loop_slices(const struct loop *l);

/*
 * Log callbacks that take longer than @callback and rounds of them that take longer than @round; 0: none.
 * Only the thread of @l, or whoever prepares it.
 */
void loop_set_limits(struct loop *l, btime callback, btime round);

/* When the present round of callbacks began, in monotonic time; 0: the loop waits. Any thread. */
btime loop_round_start(const struct loop *l);

/* How often a real-time loop had to rest so that others could run. Its own thread. */
u64 loop_rests(const struct loop *l);

/*
 * A thread that runs @l, which the caller has prepared: from here to thread_join() everything made from @l
 * belongs to that thread. All signals are blocked there. thread_join() waits until the loop has stopped and
 * frees the thread. NULL when the system has no thread to give.
 */
struct thread;
struct thread *thread_start(pool *p, struct loop *l);
void thread_join(struct thread *t);

/* The kernel's number of it, under which it stands in /proc. */
int thread_tid(const struct thread *t);

/*
 * Let the thread run before all that is not real-time (SCHED_FIFO), for loops that sleep most of the time and
 * must be punctual. 0 or -errno: it takes CAP_SYS_NICE or a limit on RTPRIO; without it the thread is at
 * least asked for to be scheduled soon. When a real-time loop is busy all the time it rests for 1 ms in
 * every 10.
 */
int thread_realtime(struct thread *t);

/*
 * For a thread whose system calls can take long: give it a processor that all others of the program stay off
 * from now on. Behind a call in a kernel without preemption even a real-time thread waits, and does not move
 * to another processor. All threads set apart from one @home share that processor, whose loop this is called
 * from. Nothing happens where the program may use only one.
 */
void thread_set_apart(struct thread *t, struct loop *home);

#endif
