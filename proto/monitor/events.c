/*
 * proto/monitor/events.c: what happened lately, encoded once for all who want to hear of it; see monitor.h
 *
 * The ring holds up to `queue limit` events, however many clients there are: each one only remembers how far
 * it has come. Who falls behind further than that has lost events, and is told how many.
 */
#include <string.h>

#include "proto/monitor/monitor.h"

void
mon_events_start(struct monitor *m)
{
  m->events = NULL;
  m->event_limit = 0;
  m->first = m->next = 0;
  mon_events_resize(m);
}

static struct mon_event **
slot(struct monitor *m, u64 number)
{
  return &m->events[number % m->event_limit];
}

static void
drop_first(struct monitor *m)
{
  struct mon_event **s = slot(m, m->first++);

  mb_free(*s);
  *s = NULL;
}

/* Those who have not read it will not. */
static void
lose_first(struct monitor *m)
{
  struct mon_client *c;

  LIST_WALK (c, &m->behind, n)
    mon_client_forget(c, *slot(m, m->first));
  drop_first(m);
}

void
mon_events_resize(struct monitor *m)
{
  uint limit = monitor_config_of(m)->queue_limit;

  if (limit == m->event_limit)
    return;
  while (m->next - m->first > limit)
    lose_first(m);

  struct mon_event **events = mb_alloc(m->p.pool, limit * sizeof(*events));

  for (u64 i = m->first; i < m->next; i++)
    events[i % limit] = *slot(m, i);
  mb_free(m->events);
  m->events = events;
  m->event_limit = limit;
}

void
mon_events_drop(struct monitor *m, uint max)
{
  u64 oldest = m->next;
  struct mon_client *c;

  LIST_WALK (c, &m->behind, n)
    oldest = MIN(oldest, c->next);
  for (uint i = 0; i < max && m->first < oldest; i++)
    drop_first(m);
}

void
mon_event_new(struct monitor *m, const struct bfd_key *key, u8 state, bool minor, const char *text,
              size_t size)
{
  struct mon_event *ev;
  struct mon_client *c;

  if (list_empty(&m->idle) && list_empty(&m->behind))
    return;
  if (m->next - m->first == m->event_limit)
    lose_first(m);
  ev = mb_alloc(m->p.pool, sizeof(*ev) + size);
  ev->number = m->next;
  ev->of_session = key;
  if (key)
    ev->key = *key;
  ev->state = state;
  ev->minor = minor;
  ev->size = size;
  memcpy(ev->text, text, size);
  *slot(m, m->next++) = ev;
  LIST_WALK_SAFE (c, &m->idle, n)
    mon_client_event(c, ev);
}

const struct mon_event *
mon_event_at(const struct monitor *m, u64 number)
{
  return number < m->next ? m->events[number % m->event_limit] : NULL;
}
