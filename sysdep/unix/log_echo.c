/*
 * sysdep/unix/log_echo.c: see log.h and log_echo.h
 *
 * An echo is a ring of bytes with one thread at each end: the log's writer puts lines in, the main loop takes
 * them out. @tail belongs to the writer and @head to the reader; each reads the other's. Both hold the echo,
 * and the last to let go frees it: a reader that leaves only says so, and the writer drops the echo when it
 * next has a line.
 */
#include <stdatomic.h>
#include <string.h>

#include "lib/pool.h"
#include "sysdep/unix/log_echo.h"

struct log_echo
{
  struct log_echo *next; /* in `fresh`, later the writer's list */
  uint classes, size;
  struct mailbox *wake;
  _Atomic u64 head, tail; /* bytes taken and put so far */
  atomic_uint lost;
  atomic_bool woken, closed;
  atomic_uint holders;
  byte data[];
};

static _Atomic(struct log_echo *) fresh; /* opened and not yet seen by the writer */
static struct log_echo *echoes;          /* writer only */

/* Every line has its length before it. */
#define HEAD_SIZE sizeof(u16)

static void
let_go(struct log_echo *e)
{
  if (atomic_fetch_sub(&e->holders, 1) == 1)
    msg_free(e);
}

/* --- The reader: main loop --- */

struct log_echo *
log_echo_open(uint classes, uint size, struct mailbox *wake)
{
  struct log_echo *e = msg_alloc(sizeof(*e) + size);

  e->classes = classes;
  e->size = size;
  e->wake = wake;
  e->holders = 2;
  e->next = atomic_load(&fresh);
  while (!atomic_compare_exchange_weak(&fresh, &e->next, e))
    ;
  return e;
}

void
log_echo_close(struct log_echo *e)
{
  atomic_store(&e->closed, true);
  let_go(e);
}

static void
ring_take(struct log_echo *e, void *to, uint size)
{
  u64 head = atomic_load(&e->head);

  for (uint i = 0; i < size; i++)
    ((byte *) to)[i] = e->data[(head + i) % e->size];
  atomic_store(&e->head, head + size);
}

bool
log_echo_read(struct log_echo *e, char *line, uint *lost)
{
  u16 len;

  atomic_store(&e->woken, false); /* before looking, so that a line put in meanwhile wakes again */
  *lost = atomic_exchange(&e->lost, 0);
  if (atomic_load(&e->head) == atomic_load(&e->tail))
    return false;
  ring_take(e, &len, HEAD_SIZE);
  ring_take(e, line, len);
  line[len] = 0;
  return true;
}

/* --- The writer --- */

static void
ring_add(struct log_echo *e, u64 *tail, const void *from, uint size)
{
  for (uint i = 0; i < size; i++)
    e->data[(*tail + i) % e->size] = ((const byte *) from)[i];
  *tail += size;
}

static void
echo_put(struct log_echo *e, const struct line *line)
{
  u64 tail = atomic_load(&e->tail);
  u16 len = MIN(strlen(line->text), e->size - HEAD_SIZE);

  if (!(e->classes & (1u << line->class)))
    return;
  if (tail - atomic_load(&e->head) + HEAD_SIZE + len > e->size)
  {
    atomic_fetch_add(&e->lost, 1);
    return;
  }
  ring_add(e, &tail, &len, HEAD_SIZE);
  ring_add(e, &tail, line->text, len);
  atomic_store(&e->tail, tail);
  if (!atomic_exchange(&e->woken, true))
    mailbox_post(e->wake, msg_alloc(sizeof(struct msg)));
}

static void
take_fresh(void)
{
  for (struct log_echo *e = atomic_exchange(&fresh, NULL), *next; e; e = next)
  {
    next = e->next;
    e->next = echoes;
    echoes = e;
  }
}

void
echoes_write(const struct line *line)
{
  struct log_echo **p = &echoes, *e;

  take_fresh();
  while ((e = *p))
    if (atomic_load(&e->closed))
    {
      *p = e->next;
      let_go(e);
    }
    else
    {
      echo_put(e, line);
      p = &e->next;
    }
}

void
echoes_forget(void)
{
  take_fresh();
  for (struct log_echo *e = echoes, *next; e; e = next)
  {
    next = e->next;
    let_go(e);
  }
  echoes = NULL;
}
