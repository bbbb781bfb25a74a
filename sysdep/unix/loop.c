/*
 * sysdep/unix/loop.c: see loop.h. epoll for descriptors, one timerfd for the wheel, one eventfd for all
 * mailboxes.
 *
 * A round: wait, then mailboxes, timers, descriptors by priority, and one slice of work. What a callback
 * frees is crossed out of the round's own bookkeeping (`ready`, `serving`, `running`), so nothing dangles.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/text.h"
#include "sysdep/clock.h"
#include "sysdep/log.h"
#include "sysdep/loop.h"

#define ROUND_EVENTS 64
#define ROUND_MESSAGES 64
#define THREAD_STACK (256 << 10)
#define PROMPT_SLICE_NS 100000 /* the shortest there is */
#define DUTY_WINDOW BT_MS(10)  /* of which a real-time loop gets nine tenths */

struct loop
{
  struct resource r;
  const char *name;
  int epoll, timerfd, eventfd;
  struct wheel wheel;
  btime now, armed; /* armed: what the timerfd is set to */
  struct list mailboxes;
  struct list work[LOOP_PRIO__MAX];
  struct fd_watch *ready[ROUND_EVENTS];
  uint ready_events[ROUND_EVENTS];
  int ready_count;
  struct mailbox *serving;
  struct node *next_mailbox; /* after the one being served */
  struct work *running;
  atomic_bool stop;
  bool mail_waiting;
  struct loop_slices slices;
  btime callback_limit, round_limit; /* 0: none */
  _Atomic btime round_start;         /* 0: waiting */
  atomic_bool realtime;              /* its thread is: it must leave some time to others */
  btime duty_start, duty_used;       /* since when, and what its thread had used of a processor by then */
  u64 rests;
  int apart; /* the processor of threads set apart, or -1 */
};

/* Slices */

static btime
slice_end(struct loop *l, btime start, const char *what)
{
  btime now = clock_now(), took = now - start;
  uint bucket = 0;

  while (bucket < LOOP_SLICE_BUCKETS - 1 && took >> bucket)
    bucket++;
  l->slices.bucket[bucket]++;
  l->slices.longest = MAX(l->slices.longest, took);
  if (l->callback_limit && took > l->callback_limit)
    log_write(L_WARN, "Loop %s: %s took %s s", l->name, what, TIME_STR(took));
  if (took > LOOP_SLICE_LIMIT)
  {
    l->slices.overruns++;
#ifdef DEBUG
    log_write(L_WARN, "Loop %s: a slice of %s took %u us", l->name, what, (uint) took);
#endif
  }
  return now;
}

const struct loop_slices *
loop_slices(const struct loop *l)
{
  return &l->slices;
}

/* The loop itself */

static void
loop_free(struct resource *r)
{
  struct loop *l = (struct loop *) r;

  close(l->epoll);
  close(l->timerfd);
  close(l->eventfd);
}

static const struct resource_class loop_class = { .name = "Loop",
                                                  .size = sizeof(struct loop),
                                                  .free = loop_free };

static void
epoll_change(struct loop *l, int op, int fd, uint events, void *data)
{
  struct epoll_event ev = { .data.ptr = data };

  if (events & FD_READ)
    ev.events |= EPOLLIN;
  if (events & FD_WRITE)
    ev.events |= EPOLLOUT;
  ASSERT(epoll_ctl(l->epoll, op, fd, &ev) == 0);
}

struct loop *
loop_new(pool *p, const char *name)
{
  struct loop *l = res_new(p, &loop_class);

  l->name = name;
  l->epoll = epoll_create1(EPOLL_CLOEXEC);
  l->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  l->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (l->epoll < 0 || l->timerfd < 0 || l->eventfd < 0)
  {
    rfree(l);
    return NULL;
  }
  epoll_change(l, EPOLL_CTL_ADD, l->timerfd, FD_READ, &l->timerfd);
  epoll_change(l, EPOLL_CTL_ADD, l->eventfd, FD_READ, &l->eventfd);
  l->now = clock_now();
  l->armed = BT_NEVER;
  l->apart = -1;
  wheel_init(&l->wheel, l->now);
  list_init(&l->mailboxes);
  for (int i = 0; i < LOOP_PRIO__MAX; i++)
    list_init(&l->work[i]);
  return l;
}

static void
loop_kick(struct loop *l)
{
  u64 one = 1;

  /* It can only fail with the counter full, and then the loop is awake anyway. */
  if (write(l->eventfd, &one, sizeof(one)) < 0)
    return;
}

void
loop_stop(struct loop *l)
{
  atomic_store(&l->stop, true);
  loop_kick(l);
}

btime
loop_now(const struct loop *l)
{
  return l->now;
}

btime
loop_now_fresh(struct loop *l)
{
  return l->now = clock_now();
}

/* Timers */

static void
timer_free(struct resource *r)
{
  timer_stop((struct timer *) r);
}

static const struct resource_class timer_class = { .name = "Timer",
                                                   .size = sizeof(struct timer),
                                                   .free = timer_free };

struct timer *
timer_new(pool *p, struct loop *l, void (*hook)(struct timer *t, void *data), void *data)
{
  struct timer *t = res_new(p, &timer_class);

  t->loop = l;
  t->hook = hook;
  t->data = data;
  return t;
}

void
timer_set(struct timer *t, btime deadline)
{
  wheel_set(&t->loop->wheel, &t->e, deadline);
}

void
timer_set_in(struct timer *t, btime delay)
{
  timer_set(t, t->loop->now + delay);
}

void
timer_stop(struct timer *t)
{
  wheel_unset(&t->e);
}

static void
loop_run_timers(struct loop *l)
{
  struct list due;
  struct node *n;

  list_init(&due);
  wheel_advance(&l->wheel, loop_now_fresh(l), &due);
  while ((n = list_first(&due)))
  {
    struct timer *t = SKIP_BACK(struct timer, e.n, n);
    btime start = clock_now();

    timer_stop(t);
    t->hook(t, t->data);
    slice_end(l, start, "a timer");
  }
}

static void
loop_arm(struct loop *l)
{
  btime next = wheel_next(&l->wheel);
  struct itimerspec at = { 0 };

  if (next == l->armed)
    return;
  if (next != BT_NEVER)
  {
    next = MAX(next, 1); /* zero would disarm it */
    at.it_value.tv_sec = next / 1000000;
    at.it_value.tv_nsec = next % 1000000 * 1000;
  }
  ASSERT(timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
  l->armed = next;
}

/* Descriptors */

static void
fd_watch_free(struct resource *r)
{
  struct fd_watch *w = (struct fd_watch *) r;

  for (int i = 0; i < w->loop->ready_count; i++)
    if (w->loop->ready[i] == w)
      w->loop->ready[i] = NULL;
  close(w->fd); /* leaves epoll by itself: nobody duplicates these */
}

static const struct resource_class fd_watch_class = { .name = "Descriptor",
                                                      .size = sizeof(struct fd_watch),
                                                      .free = fd_watch_free };

struct fd_watch *
fd_watch_new(pool *p, struct loop *l, int fd, uint events, enum loop_prio prio,
             void (*hook)(struct fd_watch *w, uint ready, void *data), void *data)
{
  struct fd_watch *w = res_new(p, &fd_watch_class);

  w->loop = l;
  w->fd = fd;
  w->events = events;
  w->prio = prio;
  w->hook = hook;
  w->data = data;
  epoll_change(l, EPOLL_CTL_ADD, fd, events, w);
  return w;
}

void
fd_watch_events(struct fd_watch *w, uint events)
{
  if (w->events == events)
    return;
  w->events = events;
  epoll_change(w->loop, EPOLL_CTL_MOD, w->fd, events, w);
}

static void
loop_run_fds(struct loop *l, enum loop_prio prio)
{
  for (int i = 0; i < l->ready_count; i++)
  {
    struct fd_watch *w = l->ready[i];

    if (!w || w->prio != prio)
      continue;

    btime start = clock_now();

    l->ready[i] = NULL;
    w->hook(w, l->ready_events[i], w->data);
    slice_end(l, start, "a descriptor");
  }
}

/* Wait for something to do and sort it: our own descriptors are emptied here, the others noted in `ready`. */
static void
loop_wait(struct loop *l, bool block)
{
  struct epoll_event events[ROUND_EVENTS];
  int n = epoll_wait(l->epoll, events, ROUND_EVENTS, block ? -1 : 0);

  ASSERT(n >= 0 || errno == EINTR);
  l->ready_count = 0;
  for (int i = 0; i < n; i++)
  {
    u64 count;
    void *who = events[i].data.ptr;

    if (who == &l->timerfd || who == &l->eventfd)
    {
      if (read(*(int *) who, &count, sizeof(count)) == sizeof(count))
      {
        if (who == &l->timerfd)
          l->armed = BT_NEVER;
        else
          l->mail_waiting = true;
      }
      continue;
    }
    l->ready[l->ready_count] = who;
    l->ready_events[l->ready_count++] =
        (events[i].events & ~EPOLLOUT ? FD_READ : 0) | (events[i].events & EPOLLOUT ? FD_WRITE : 0);
  }
}

/* Work */

static void
work_free(struct resource *r)
{
  struct work *w = (struct work *) r;

  list_remove(&w->queued);
  if (w->loop->running == w)
    w->loop->running = NULL;
}

static const struct resource_class work_class = { .name = "Work",
                                                  .size = sizeof(struct work),
                                                  .free = work_free };

struct work *
work_new(pool *p, struct loop *l, enum loop_prio prio, bool (*hook)(struct work *w, void *data), void *data)
{
  struct work *w = res_new(p, &work_class);

  w->loop = l;
  w->prio = prio;
  w->hook = hook;
  w->data = data;
  return w;
}

void
work_schedule(struct work *w)
{
  if (!node_linked(&w->queued))
    list_add_tail(&w->loop->work[w->prio], &w->queued);
}

static struct work *
loop_next_work(const struct loop *l)
{
  for (int i = 0; i < LOOP_PRIO__MAX; i++)
    if (!list_empty(&l->work[i]))
      return SKIP_BACK(struct work, queued, list_first(&l->work[i]));
  return NULL;
}

static void
loop_run_work(struct loop *l)
{
  struct work *w = loop_next_work(l);

  if (!w)
    return;

  btime start = clock_now();

  list_remove(&w->queued);
  l->running = w;
  if (w->hook(w, w->data) && l->running)
    work_schedule(w);
  l->running = NULL;
  slice_end(l, start, "work");
}

/* Mailboxes */

static void
msg_free_chain(struct msg *m)
{
  for (struct msg *next; m; m = next)
  {
    next = m->next;
    msg_free(m);
  }
}

static void
mailbox_free(struct resource *r)
{
  struct mailbox *mb = (struct mailbox *) r;

  if (mb->loop->serving == mb)
    mb->loop->serving = NULL;
  if (mb->loop->next_mailbox == &mb->n)
    mb->loop->next_mailbox = mb->n.next;
  list_remove(&mb->n);
  msg_free_chain(mb->pending);
  msg_free_chain(atomic_exchange(&mb->head, NULL));
}

static const struct resource_class mailbox_class = { .name = "Mailbox",
                                                     .size = sizeof(struct mailbox),
                                                     .free = mailbox_free };

struct mailbox *
mailbox_new(pool *p, struct loop *l, void (*hook)(struct msg *m, void *data), void *data)
{
  struct mailbox *mb = res_new(p, &mailbox_class);

  mb->loop = l;
  mb->hook = hook;
  mb->data = data;
  list_add_tail(&l->mailboxes, &mb->n);
  return mb;
}

void
mailbox_post(struct mailbox *mb, struct msg *m)
{
  struct msg *head = atomic_load_explicit(&mb->head, memory_order_relaxed);

  do
    m->next = head;
  while (!atomic_compare_exchange_weak(&mb->head, &head, m));

  if (!head) /* whoever posts into an empty mailbox wakes the loop */
    loop_kick(mb->loop);
}

/* Append what was posted, in the order of posting. */
static void
mailbox_collect(struct mailbox *mb)
{
  struct msg *newest = atomic_exchange(&mb->head, NULL), *last = newest, *oldest = NULL;

  while (newest)
  {
    struct msg *m = newest;

    newest = m->next;
    m->next = oldest;
    oldest = m;
  }
  if (!oldest)
    return;
  if (mb->pending)
    mb->pending_last->next = oldest;
  else
    mb->pending = oldest;
  mb->pending_last = last;
}

/* Hand out a bounded number of messages, so that a flood of them does not starve the rest of the round. */
static bool
mailbox_serve(struct loop *l, struct mailbox *mb)
{
  l->serving = mb;
  mailbox_collect(mb);
  for (int i = 0; i < ROUND_MESSAGES && l->serving && mb->pending; i++)
  {
    struct msg *m = mb->pending;
    btime start = clock_now();

    mb->pending = m->next;
    m->next = NULL;
    mb->hook(m, mb->data);
    slice_end(l, start, "a message");
  }
  return l->serving && mb->pending;
}

static void
loop_run_mail(struct loop *l)
{
  if (!l->mail_waiting)
    return;
  l->mail_waiting = false;
  for (struct node *n = l->mailboxes.ring.next; n != &l->mailboxes.ring; n = l->next_mailbox)
  {
    l->next_mailbox = n->next;
    l->mail_waiting |= mailbox_serve(l, SKIP_BACK(struct mailbox, n, n));
  }
  l->serving = NULL;
  l->next_mailbox = NULL;
}

void
mailbox_flush(struct mailbox *mb)
{
  while (mailbox_serve(mb->loop, mb))
    ;
  mb->loop->serving = NULL;
}

void
loop_set_limits(struct loop *l, btime callback, btime round)
{
  l->callback_limit = callback;
  l->round_limit = round;
}

btime
loop_round_start(const struct loop *l)
{
  return atomic_load_explicit(&l->round_start, memory_order_relaxed);
}

static void
loop_round(struct loop *l)
{
  loop_run_mail(l);
  loop_run_timers(l);
  for (int prio = 0; prio < LOOP_PRIO__MAX; prio++)
    loop_run_fds(l, prio);
  loop_run_work(l);
}

/*
 * The kernel's own threads, those that deliver packets among them, have no real-time priority: a loop that
 * never leaves its processor would starve them, and itself.
 */
static void
loop_rest(struct loop *l)
{
  btime now = clock_now(), length = now - l->duty_start;
  struct timespec rest = { .tv_nsec = DUTY_WINDOW / 10 * 1000 };

  if (length < DUTY_WINDOW)
    return;

  btime used = clock_thread(), busy = used - l->duty_used;

  if (busy > length - length / 10)
  {
    l->rests++;
    clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
  }
  l->duty_start = clock_now();
  l->duty_used = used;
}

u64
loop_rests(const struct loop *l)
{
  return l->rests;
}

void
loop_run(struct loop *l)
{
  while (!atomic_load(&l->stop))
  {
    loop_arm(l);
    atomic_store_explicit(&l->round_start, 0, memory_order_relaxed);
    loop_wait(l, !l->mail_waiting && !loop_next_work(l));

    btime start = loop_now_fresh(l);

    atomic_store_explicit(&l->round_start, start, memory_order_relaxed);
    loop_round(l);
    if (atomic_load_explicit(&l->realtime, memory_order_relaxed))
      loop_rest(l);
    if (l->round_limit && clock_now() - start > l->round_limit)
      log_write(L_WARN, "Loop %s: a round took %s s", l->name, TIME_STR(clock_now() - start));
  }
  atomic_store_explicit(&l->round_start, 0, memory_order_relaxed);
}

/* Threads */

struct thread
{
  struct resource r;
  pthread_t id;
  pid_t tid; /* the kernel's number */
  sem_t running;
  struct loop *loop;
};

static void
thread_free(struct resource *r)
{
  sem_destroy(&((struct thread *) r)->running);
}

static const struct resource_class thread_class = { .name = "Thread",
                                                    .size = sizeof(struct thread),
                                                    .free = thread_free };

static void *
thread_main(void *arg)
{
  struct thread *t = arg;

  t->tid = gettid();
  sem_post(&t->running);
  loop_run(t->loop);
  return NULL;
}

int
thread_tid(const struct thread *t)
{
  return t->tid;
}

struct thread *
thread_start(pool *p, struct loop *l)
{
  struct thread *t = res_new(p, &thread_class);
  pthread_attr_t attr;
  sigset_t all, old;
  char name[16];

  t->loop = l;
  sem_init(&t->running, 0, 0);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, THREAD_STACK);

  bool started = pthread_create(&t->id, &attr, thread_main, t) == 0;

  pthread_attr_destroy(&attr);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (!started)
  {
    rfree(t);
    return NULL;
  }
  while (sem_wait(&t->running) < 0 && errno == EINTR)
    ;
  snprintf(name, sizeof(name), "%s", l->name); /* the kernel takes no more */
  pthread_setname_np(t->id, name);
  return t;
}

void
thread_join(struct thread *t)
{
  pthread_join(t->id, NULL);
  rfree(t);
}

/* In the middle: above nothing in particular, below the kernel's own. */
#define REALTIME_PRIORITY 50

/*
 * Next best to real time, and anybody may: a short slice, which schedulers with deadlines (Linux 6.12) take
 * as a wish to run soon rather than long.
 */
static void
thread_prompt(const struct thread *t)
{
  struct
  {
    u32 size, policy;
    u64 flags;
    s32 nice;
    u32 priority;
    u64 runtime, deadline, period;
  } attr = { .size = sizeof(attr), .policy = SCHED_OTHER, .runtime = PROMPT_SLICE_NS };

  attr.nice = getpriority(PRIO_PROCESS, t->tid);
  syscall(SYS_sched_setattr, t->tid, &attr, 0); /* what does not know this has no better way either */
}

int
thread_realtime(struct thread *t)
{
  struct sched_param param = { .sched_priority = REALTIME_PRIORITY };

  int error = pthread_setschedparam(t->id, SCHED_FIFO, &param);

  if (error)
    thread_prompt(t);
  else
    atomic_store_explicit(&t->loop->realtime, true, memory_order_relaxed);
  return -error;
}

/* Keep a thread of the program off a processor, unless it may use no other. */
static void
thread_leave_cpu(pid_t tid, int cpu)
{
  cpu_set_t cpus;

  if (sched_getaffinity(tid, sizeof(cpus), &cpus) < 0)
    return; /* it has just ended */
  CPU_CLR(cpu, &cpus);
  if (CPU_COUNT(&cpus))
    sched_setaffinity(tid, sizeof(cpus), &cpus);
}

/*
 * A processor that no thread of the program uses from now on, those to come included, which begin where the
 * calling one may run. -1 if it has only one. The last one: interrupts like the first.
 */
static int
cpu_vacate(void)
{
  cpu_set_t cpus;
  DIR *threads;
  int cpu = CPU_SETSIZE - 1;

  if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0 || CPU_COUNT(&cpus) < 2)
    return -1;
  threads = opendir("/proc/self/task");
  if (!threads)
    return -1;
  while (!CPU_ISSET(cpu, &cpus))
    cpu--;
  for (struct dirent *d; (d = readdir(threads));)
    if (d->d_name[0] != '.')
      thread_leave_cpu(strtol(d->d_name, NULL, 10), cpu);
  closedir(threads);
  return cpu;
}

void
thread_set_apart(struct thread *t, struct loop *home)
{
  cpu_set_t cpus;

  if (home->apart < 0)
    home->apart = cpu_vacate();
  if (home->apart < 0)
    return;
  CPU_ZERO(&cpus);
  CPU_SET(home->apart, &cpus);
  pthread_setaffinity_np(t->id, sizeof(cpus), &cpus);
}
