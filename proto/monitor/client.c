/*
 * proto/monitor/client.c: a connection; see monitor.h
 *
 * Events go before answers, and answers before the next command, so that whoever subscribes is told how a
 * session is and then all that becomes of it, in order. Nothing is encoded before there is room for it: a
 * client that does not read costs what is in its buffer, and events it could not be told are counted.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/monitor/monitor.h"

#define ROOM (32 << 10)    /* output waiting to be read, above which nothing is added */
#define SESSIONS_A_STEP 16 /* looked at, or told */
#define EVENTS_A_STEP 16
#define LOST_A_STEP 1024 /* events that are only counted */
#define STEPS BT_US(200) /* when that is over, others have their turn */

/* Output */

void
mon_client_text(struct mon_client *c, const char *text, size_t size)
{
  if (c->out_pos == c->out_len)
    c->out_pos = c->out_len = 0;
  /* A client that is always a little behind does not make this grow for ever. */
  if (c->out_len + size > c->out_size && c->out_pos > c->out_size / 2)
  {
    memmove(c->out, c->out + c->out_pos, c->out_len - c->out_pos);
    c->out_len -= c->out_pos;
    c->out_pos = 0;
  }
  if (c->out_len + size > c->out_size)
  {
    c->out_size = MAX(2 * c->out_size, c->out_len + size);
    c->out = mb_realloc(c->pool, c->out, c->out_size);
  }
  memcpy(c->out + c->out_len, text, size);
  c->out_len += size;
}

void
mon_client_say(struct mon_client *c, json_t *object, json_t *tag)
{
  if (tag)
    json_object_set(object, "id", tag);

  char *text = json_dumps(object, JSON_COMPACT);

  ASSERT(text);
  mon_client_text(c, text, strlen(text));
  mon_client_text(c, "\n", 1);
  free(text);
  json_decref(object);
}

static bool
has_room(const struct mon_client *c)
{
  return c->out_len - c->out_pos < ROOM;
}

static bool
flush(struct mon_client *c)
{
  while (c->out_pos < c->out_len)
  {
    ssize_t n = send(c->watch->fd, c->out + c->out_pos, c->out_len - c->out_pos, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
      return errno == EAGAIN || errno == EINTR;
    c->out_pos += n;
  }
  if (c->out_size > 2 * ROOM) /* a long answer is over */
  {
    mb_free(c->out);
    c->out = NULL;
    c->out_pos = c->out_len = c->out_size = 0;
  }
  return true;
}

/* Subscriptions */

static const struct mon_subscription *
next_match(const struct bfd_key *key, struct hnode *n)
{
  for (; n; n = hash_again(n))
  {
    const struct mon_subscription *s = SKIP_BACK(struct mon_subscription, by_remote, n);

    if (mon_ident_matches(&s->ident, key))
      return s;
  }
  return NULL;
}

static const struct mon_subscription *
first_subscription(const struct mon_client *c, const struct bfd_key *key)
{
  return next_match(key, hash_first(&c->by_remote, ip_hash(key->remote)));
}

static const struct mon_subscription *
next_subscription(const struct mon_subscription *s, const struct bfd_key *key)
{
  return next_match(key, hash_again(&s->by_remote));
}

/* Those of our own dialect are told once, however many of them match. */
static bool
wants_ours(const struct mon_client *c, const struct bfd_key *key)
{
  if (c->all)
    return true;
  for (const struct mon_subscription *s = first_subscription(c, key); s; s = next_subscription(s, key))
    if (!s->notify)
      return true;
  return false;
}

static bool
wants_notify(const struct mon_client *c, const struct bfd_key *key)
{
  for (const struct mon_subscription *s = first_subscription(c, key); s; s = next_subscription(s, key))
    if (s->notify)
      return true;
  return false;
}

static bool
wants(const struct mon_client *c, const struct mon_event *ev)
{
  if (!ev->of_session)
    return c->protocols;
  return (!ev->minor && wants_ours(c, &ev->key)) || wants_notify(c, &ev->key);
}

/* Telling */

void
mon_client_tell(struct mon_client *c, const char *more, const char *text, size_t size)
{
  char head[64];
  int len = snprintf(head, sizeof(head), "{\"seq\":%llu,%s", (unsigned long long) ++c->seq, more);

  mon_client_text(c, head, len);
  mon_client_text(c, text, size);
}

/* The other dialect repeats a session as it was named to us. */
static void
tell_notify(struct mon_client *c, const struct mon_tuple *t, const struct bfd_key *key, u8 state)
{
  static const char *const states[BFD_STATE__MAX] = { "AdminDown", "Down", "Init", "Up" };
  const char *any = ip_is_v4(t->peer) ? "0.0.0.0" : "::";
  int port = key->hop == BFD_DIRECT ? BFD_PORT_DIRECT : BFD_PORT_MULTIHOP;
  char text[512];
  int len = snprintf(text, sizeof(text),
                     "{\"MsgType\":\"Notify\",\"SessionID\":{\"PeerAddr\":\"%s\",\"LocalAddr\":\"%s\","
                     "\"PeerPort\":%d,\"LocalPort\":%d},\"State\":\"%s\"}\n",
                     IP_STR(t->peer), ip_is_none(t->local) ? any : IP_STR(t->local),
                     t->peer_port ? t->peer_port : port, t->local_port, states[state]);

  mon_client_text(c, text, len);
}

static void
tell_event(struct mon_client *c, const struct mon_event *ev)
{
  const struct mon_subscription *s;

  if (!ev->of_session)
  {
    if (c->protocols)
      mon_client_tell(c, "", ev->text, ev->size);
    return;
  }
  if (!ev->minor && wants_ours(c, &ev->key))
    mon_client_tell(c, "", ev->text, ev->size);
  for (s = first_subscription(c, &ev->key); s; s = next_subscription(s, &ev->key))
    if (s->notify)
      tell_notify(c, &s->tuple, &ev->key, ev->state);
}

static void
tell_state(struct mon_client *c, const struct mon_session *s)
{
  char text[MON_EVENT_SIZE];
  size_t size = mon_session_text(s, NULL, text);

  mon_client_tell(c, "\"initial\":true,", text, size);
}

void
mon_client_state(struct mon_client *c, const struct mon_session *s, const struct mon_subscription *sub)
{
  if (sub->notify)
    tell_notify(c, &sub->tuple, &s->key, s->status.state);
  else
    tell_state(c, s);
}

void
mon_client_states(struct mon_client *c)
{
  c->told = 0;
  c->cursor = c->m->sessions.ring.next;
}

/* Has it asked for anything in our own dialect? */
static bool
hears_ours(const struct mon_client *c)
{
  struct mon_subscription *s;

  if (c->all || c->protocols)
    return true;
  LIST_WALK (s, &c->subscriptions, n)
    if (!s->notify)
      return true;
  return false;
}

static void
states_end(struct mon_client *c)
{
  char text[64];
  int len = snprintf(text, sizeof(text), "\"event\":\"synchronized\",\"sessions\":%u}\n", c->told);

  c->cursor = NULL;
  if (hears_ours(c))
    mon_client_tell(c, "", text, len);
}

/* True: something was done. */
static bool
tell_states(struct mon_client *c)
{
  if (!c->cursor)
    return false;
  for (uint i = 0; i < SESSIONS_A_STEP; i++)
  {
    const struct mon_subscription *sub;

    if (c->cursor == &c->m->sessions.ring)
    {
      states_end(c);
      break;
    }

    const struct mon_session *s = SKIP_BACK(struct mon_session, n, c->cursor);

    c->cursor = c->cursor->next;
    if (wants_ours(c, &s->key))
    {
      tell_state(c, s);
      c->told++;
    }
    for (sub = first_subscription(c, &s->key); sub; sub = next_subscription(sub, &s->key))
      if (sub->notify)
        tell_notify(c, &sub->tuple, &s->key, s->status.state);
  }
  return true;
}

/* It has missed events: those that are left are no use either, it is told how everything is now. */
static void
tell_loss(struct mon_client *c)
{
  const struct mon_event *ev;
  char text[64];

  for (uint i = 0; (ev = mon_event_at(c->m, c->next)); i++)
  {
    if (i == LOST_A_STEP)
      return;
    mon_client_forget(c, ev);
  }

  int len = snprintf(text, sizeof(text), "\"event\":\"lost\",\"lost\":%u}\n", c->lost);

  if (hears_ours(c))
    mon_client_tell(c, "", text, len);
  c->lost = 0;
  if (c->protocols)
    mon_tell_protocols(c);
  mon_client_states(c);
}

/* It has been told everything. */
static void
become_idle(struct mon_client *c)
{
  list_remove(&c->n);
  list_add_tail(&c->m->idle, &c->n);
  c->is_behind = false;
  mon_events_drop(c->m, LOST_A_STEP);
}

static bool
tell_events(struct mon_client *c)
{
  const struct mon_event *ev;

  if (!c->is_behind)
    return false;
  if (c->lost)
    tell_loss(c);
  else
    for (uint i = 0; i < EVENTS_A_STEP && (ev = mon_event_at(c->m, c->next)); i++)
    {
      tell_event(c, ev);
      c->next++;
    }
  if (!c->lost && !mon_event_at(c->m, c->next))
    become_idle(c);
  return true;
}

void
mon_client_event(struct mon_client *c, const struct mon_event *ev)
{
  if (!wants(c, ev))
    return;
  list_remove(&c->n);
  list_add_tail(&c->m->behind, &c->n);
  c->is_behind = true;
  c->next = ev->number;
  work_schedule(c->work);
}

void
mon_client_forget(struct mon_client *c, const struct mon_event *ev)
{
  if (c->next != ev->number)
    return;
  c->next++;
  if (!wants(c, ev))
    return;
  c->lost++;
  c->m->lost++;
}

void
mon_client_session_gone(struct mon_client *c, const struct mon_session *s)
{
  if (c->cursor == &s->n)
    c->cursor = s->n.next;
  if (c->list == &s->n)
    c->list = s->n.next;
  mon_show_session_gone(c, s);
}

void
mon_client_wake(struct mon_client *c)
{
  work_schedule(c->work);
}

/* Input */

static void
run_object(struct mon_client *c, const char *data, size_t size)
{
  struct mon_command command;
  struct mon_error error;

  if (mon_command_parse(&command, data, size, &error))
    mon_execute(c, &command, &error);
  else
    mon_refuse(c, &command, &error);
  c->speaks_notify = command.notify;
  mon_command_free(&command);
}

static void
refuse_frame(struct mon_client *c, enum mon_frame why)
{
  struct mon_command none = { .notify = c->speaks_notify };
  struct mon_error error;

  if (why == MON_FRAME_DEEP)
    mon_error_set(&error, "too-deep", "", "Nothing is nested in more than %d levels", MON_DEPTH_MAX);
  else if (why == MON_FRAME_LONG)
    mon_error_set(&error, "too-long", "", "No object is longer than %d bytes", MON_FRAME_MAX);
  else
    mon_error_set(&error, "syntax", "", "This is not a JSON object");
  mon_refuse(c, &none, &error);
}

/* True: something was done. */
static bool
run_next(struct mon_client *c)
{
  size_t begin, end;
  const char *data = c->in ? c->in + c->in_pos : "";
  enum mon_frame frame = mon_frame_next(&c->framer, data, c->in_len - c->in_pos, &begin, &end);

  if (frame == MON_FRAME_OBJECT)
    run_object(c, data + begin, end - begin);
  else if (frame != MON_FRAME_NONE)
    refuse_frame(c, frame);
  c->in_pos += frame == MON_FRAME_NONE ? begin : end;
  return frame != MON_FRAME_NONE;
}

/* Room for twice the longest object, so that a full buffer always holds something that can be decided. */
#define INPUT_MAX (2 * MON_FRAME_MAX)

static bool
receive(struct mon_client *c)
{
  if (c->in_pos)
    memmove(c->in, c->in + c->in_pos, c->in_len - c->in_pos);
  c->in_len -= c->in_pos;
  c->in_pos = 0;
  if (c->in_len == c->in_size && c->in_size < INPUT_MAX)
  {
    c->in_size = c->in_size ? 2 * c->in_size : 4096;
    c->in = mb_realloc(c->pool, c->in, c->in_size);
  }
  if (c->in_len == c->in_size)
    return true;

  ssize_t n = recv(c->watch->fd, c->in + c->in_len, c->in_size - c->in_len, MSG_DONTWAIT);

  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  c->eof = n == 0;
  c->in_len += n;
  return true;
}

/* Turns */

/* Is there nothing it still waits for? Over TCP the end of what a client sends is all that is seen of its
 * own. */
static bool
is_over(const struct mon_client *c)
{
  bool hears = c->all || c->protocols || !list_empty(&c->subscriptions);

  return c->eof && c->out_pos == c->out_len && !c->show && !c->stats && !c->list && !c->cursor &&
         (c->tcp || !hears);
}

static bool
do_something(struct mon_client *c)
{
  if (mon_list_next(c) || tell_events(c) || tell_states(c))
    return true;
  if (c->stats)
    return mon_stats_next(c);
  return c->show ? mon_show_next(c) : run_next(c);
}

/* True: there is more, and others should have their turn. */
static bool
client_work(struct work *w UNUSED, void *data)
{
  struct mon_client *c = data;
  struct loop *loop = c->m->p.loop;
  btime end = loop_now_fresh(loop) + STEPS;
  bool busy = true;

  while (busy && has_room(c) && loop_now_fresh(loop) < end)
    busy = do_something(c);
  if (!flush(c) || (!busy && is_over(c)))
  {
    mon_client_free(c);
    return false;
  }

  bool reading = !c->eof && c->in_len - c->in_pos < INPUT_MAX;

  fd_watch_events(c->watch, (reading ? FD_READ : 0) | (c->out_pos < c->out_len ? FD_WRITE : 0));
  return busy && has_room(c);
}

static void
client_ready(struct fd_watch *w, uint ready, void *data)
{
  struct mon_client *c = data;
  bool gone = (ready & FD_READ) && !(w->events & FD_READ); /* it hung up for good */

  if (gone || ((ready & FD_READ) && !receive(c)))
    mon_client_free(c);
  else
    work_schedule(c->work);
}

struct mon_client *
mon_client_new(struct monitor *m, int fd, bool tcp)
{
  pool *p = pool_new(m->p.pool, "Monitor client");
  struct mon_client *c = mb_alloc(p, sizeof(*c));

  c->m = m;
  c->pool = p;
  c->tcp = tcp;
  c->watch = fd_watch_new(p, m->p.loop, fd, FD_READ, LOOP_CLI, client_ready, c);
  c->work = work_new(p, m->p.loop, LOOP_CLI, client_work, c);
  list_init(&c->subscriptions);
  hash_init(&c->by_remote, p);
  list_add_tail(&m->idle, &c->n);
  m->client_count++;
  m->accepted++;
  return c;
}

void
mon_client_free(struct mon_client *c)
{
  struct monitor *m = c->m;
  struct mon_subscription *s;

  LIST_WALK_SAFE (s, &c->subscriptions, n)
    mon_unsubscribe(c, s);
  list_remove(&c->n);
  m->client_count--;
  json_decref(c->list_tag);
  mon_show_free(c);
  mon_stats_free(c);
  rfree(c->pool);
}
