/*
 * sysdep/unix/log.c: see log.h
 *
 * Owns the queue of lines and the writer thread; the sinks are in log_sink.c. Any thread puts lines into a
 * ring of fixed slots; only the writer takes them out and touches a sink, so a slow disk delays nobody but
 * the writer.
 *
 * The ring: position p belongs to slot p mod LOG_SLOTS and lap n = p / LOG_SLOTS. The slot's turn says whose
 * it is: 2n: free for the line of lap n; 2n + 1: that line is complete; 2n + 2: free for the next lap. A
 * thread claims a position by moving the tail, then fills the slot alone. All zeros is a valid empty ring.
 *
 * A thread stopped between claim and completion holds up the lines behind it, but no other thread: those fill
 * the ring, and lines are lost and counted once it is full.
 *
 * A new set of sinks is made by the main loop and changes hands through one atomic pointer; the writer looks
 * there between lines. So a line written after log_set_sinks() always finds the new sinks, and an older one
 * that is still queued finds them too.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/pool.h"
#include "sysdep/clock.h"
#include "sysdep/unix/log_echo.h"
#include "sysdep/unix/log_sink.h"

#define LOG_SLOTS 1024
#define LOG_IDENTITY "bird"
#define LOG_BURST 5
#define LOG_PERIOD BT_S(10)

struct slot
{
  _Atomic u64 turn;
  struct line line;
};

struct log
{
  struct slot slots[LOG_SLOTS];
  _Atomic u64 tail;  /* next position to claim */
  u64 head;          /* writer only: next position to take out */
  _Atomic u64 lost;  /* lines that found the ring full */
  u64 lost_reported; /* writer only */

  _Atomic bool running;  /* lines go to the ring; main loop changes it */
  _Atomic uint writing;  /* threads that may have seen @running and are not done with the ring */
  _Atomic bool stopping; /* the writer empties the ring once more and ends */
  sem_t wake;
  pthread_t writer;

  _Atomic(struct sink_set *) next; /* on its way to the writer; may be there before it runs */
  struct sink_set *sinks;          /* writer only */
};

static struct log log_root;

const char *
log_class_name(enum log_class c)
{
  static const char *const names[L__MAX] = {
    [L_DEBUG] = "debug",   [L_TRACE] = "trace",  [L_INFO] = "info",
    [L_REMOTE] = "remote", [L_WARN] = "warning", [L_ERR] = "error",
    [L_AUTH] = "auth",     [L_FATAL] = "fatal",  [L_BUG] = "bug",
  };

  ASSERT((uint) c < L__MAX);
  return names[c];
}

/* --- Lines --- */

/* Terminals also act on U+0080 to U+009F, which UTF-8 writes in two bytes; the rest is the reader's. */
static void
text_clean(char *text)
{
  for (byte *c = (byte *) text; *c; c++)
    if (*c < 0x20 || *c == 0x7f)
      *c = '?';
    else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
      c[0] = c[1] = '?';
}

/* Mark the cut at the end of @text, but not within a UTF-8 character. */
static void
text_cut(char *text, size_t len)
{
  size_t cut = len - 3;

  for (uint i = 0; i < 3 && ((byte) text[cut] & 0xc0) == 0x80; i++)
    cut--;
  strcpy(text + cut, "...");
}

static void
line_print(struct line *line, enum log_class class, uint swallowed, const char *fmt, va_list args)
{
  char more[40] = "";

  if (swallowed)
    snprintf(more, sizeof(more), " (%u more like this)", swallowed);

  size_t room = LOG_LINE_SIZE - strlen(more);
  int len = vsnprintf(line->text, room, fmt, args);

  if (len < 0)
    strcpy(line->text, "(a line that cannot be formatted)");
  else if ((size_t) len >= room)
    text_cut(line->text, room - 1);
  text_clean(line->text);
  strcat(line->text, more);
  line->class = class;
  line->when = clock_wall();
}

/* --- The ring --- */

static bool
ring_put(struct log *l, const struct line *line)
{
  u64 pos = atomic_load(&l->tail);

  while (true)
  {
    struct slot *s = &l->slots[pos % LOG_SLOTS];
    u64 free_turn = pos / LOG_SLOTS * 2;
    u64 turn = atomic_load(&s->turn);

    if (turn < free_turn)
      return false; /* the line of the lap before is still there */
    if (turn > free_turn)
      pos = atomic_load(&l->tail);
    else if (atomic_compare_exchange_weak(&l->tail, &pos, pos + 1))
    {
      s->line.class = line->class;
      s->line.when = line->when;
      strcpy(s->line.text, line->text);
      atomic_store(&s->turn, free_turn + 1);
      return true;
    }
  }
}

/* The oldest complete line, which stays in its slot until ring_release(); NULL when there is none. */
static const struct line *
ring_peek(struct log *l)
{
  struct slot *s = &l->slots[l->head % LOG_SLOTS];

  return atomic_load(&s->turn) == l->head / LOG_SLOTS * 2 + 1 ? &s->line : NULL;
}

static void
ring_release(struct log *l)
{
  struct slot *s = &l->slots[l->head % LOG_SLOTS];

  atomic_store(&s->turn, l->head / LOG_SLOTS * 2 + 2);
  l->head++;
}

/* --- Writing lines: any thread --- */

static void
line_submit(struct log *l, const struct line *line)
{
  /* log_stop() first clears @running and then waits for @writing: a line is either seen by the last look of
     the writer, or does not enter the ring at all. */
  atomic_fetch_add(&l->writing, 1);
  bool running = atomic_load(&l->running);

  if (running)
  {
    if (!ring_put(l, line))
      atomic_fetch_add(&l->lost, 1);
    sem_post(&l->wake);
  }
  atomic_fetch_sub(&l->writing, 1);
  if (!running)
    fprintf(stderr, LOG_IDENTITY ": %s\n", line->text);
}

static void
log_vwrite(enum log_class class, uint swallowed, const char *fmt, va_list args)
{
  int error = errno;
  struct line line;

  ASSERT((uint) class < L__MAX);
  line_print(&line, class, swallowed, fmt, args);
  line_submit(&log_root, &line);
  errno = error; /* callers log a failure first and look at its reason then */
}

void
log_write(enum log_class class, const char *fmt, ...)
{
  va_list args;

  va_start(args, fmt);
  log_vwrite(class, 0, fmt, args);
  va_end(args);
}

/* Whether another line may pass; if so, the number of those swallowed since the last one. */
static bool
limit_pass(struct log_limit *limit, btime now, uint *swallowed)
{
  btime period = limit->period ? limit->period : LOG_PERIOD;
  uint burst = limit->burst ? limit->burst : LOG_BURST;

  if (now - limit->window_start >= period)
  {
    limit->window_start = now;
    limit->passed = 0;
  }
  if (limit->passed >= burst)
  {
    limit->swallowed++;
    return false;
  }
  limit->passed++;
  *swallowed = limit->swallowed;
  limit->swallowed = 0;
  return true;
}

void
log_rl(struct log_limit *limit, enum log_class class, const char *fmt, ...)
{
  uint swallowed;
  va_list args;

  if (!limit_pass(limit, clock_now(), &swallowed))
    return;
  va_start(args, fmt);
  log_vwrite(class, swallowed, fmt, args);
  va_end(args);
}

u64
log_lost(void)
{
  return atomic_load(&log_root.lost);
}

u64
log_unwritten(void)
{
  return sinks_unwritten();
}

void
die(const char *fmt, ...)
{
  va_list args;

  fputs(LOG_IDENTITY ": ", stderr);
  va_start(args, fmt);
  vfprintf(stderr, fmt, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

/* --- The writer --- */

static void
sinks_write(struct log *l, const struct line *line)
{
  struct sink_set *next = atomic_exchange(&l->next, NULL);

  if (next)
  {
    sink_set_inherit(next, l->sinks);
    sink_set_free(l->sinks);
    l->sinks = next;
  }
  if (!line)
    return;
  sink_set_write(l->sinks, line);
  echoes_write(line);
}

static void
losses_report(struct log *l)
{
  u64 lost = atomic_load(&l->lost);
  struct line line = { .class = L_WARN, .when = clock_wall() };

  if (lost == l->lost_reported)
    return;
  snprintf(line.text, sizeof(line.text), "%" PRIu64 " log lines lost", lost - l->lost_reported);
  l->lost_reported = lost;
  sinks_write(l, &line);
}

/* At most one lap, so that losses are reported under lasting overload too. False when the ring is empty. */
static bool
ring_write_out(struct log *l)
{
  const struct line *line = NULL;

  sinks_write(l, NULL);
  for (uint i = 0; i < LOG_SLOTS && (line = ring_peek(l)); i++)
  {
    sinks_write(l, line);
    ring_release(l);
  }
  losses_report(l);
  return line != NULL;
}

static void *
writer_main(void *arg)
{
  struct log *l = arg;
  bool stop;

  do
  {
    while (sem_wait(&l->wake))
      ;
    /* One look at the ring serves all wake-ups posted before it. */
    while (!sem_trywait(&l->wake))
      ;
    stop = atomic_load(&l->stopping);
    while (ring_write_out(l))
      ;
  } while (!stop);
  sink_set_free(l->sinks);
  l->sinks = NULL;
  echoes_forget();
  return NULL;
}

/* --- Start, stop, sinks: main loop --- */

void
log_start(void)
{
  struct log *l = &log_root;
  sigset_t all, before;

  ASSERT(!l->running);
  if (!atomic_load(&l->next))
    log_set_sinks(&(struct log_sink){ .kind = LOG_STDERR, .classes = LOG_ALL }, 1);
  sem_init(&l->wake, 0, 0);
  atomic_store(&l->stopping, false);

  /* Signals are the main loop's; and a pipe nobody reads must be an error (EPIPE), not the end. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&l->writer, NULL, writer_main, l);

  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error)
    die("Cannot start the log writer: %s", strerror(error));
  pthread_setname_np(l->writer, "log");
  atomic_store(&l->running, true);
}

void
log_stop(void)
{
  struct log *l = &log_root;

  if (!atomic_exchange(&l->running, false))
    return;
  while (atomic_load(&l->writing))
    sched_yield();
  atomic_store(&l->stopping, true);
  sem_post(&l->wake);
  pthread_join(l->writer, NULL);
  sem_destroy(&l->wake);
}

void
log_set_sinks(const struct log_sink *sinks, uint count)
{
  struct log *l = &log_root;
  int *errors = msg_alloc((count + 1) * sizeof(int));
  struct sink_set *set = sink_set_new(sinks, count, errors);

  sink_set_free(atomic_exchange(&l->next, set));
  if (atomic_load(&l->running))
    sem_post(&l->wake);
  for (uint i = 0; i < count; i++)
    if (errors[i])
      log_write(L_ERR, "Cannot open log %s: %s", sinks[i].name ? sinks[i].name : IP_STR(sinks[i].host),
                strerror(errors[i]));
  msg_free(errors);
}
