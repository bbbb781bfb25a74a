/* web/state.c: see state.h */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "web/state.h"

#define STREAM_SIZE 16384 /* events; whoever falls behind further reads everything anew */
#define HISTORY 16        /* changes of each session */

struct change
{
  s64 wall_us;
  enum bfdmon_state state;
  char diagnostic[32], verdict[32];
};

struct session
{
  struct node n;
  struct hnode by_id;
  char *id;
  char *json;             /* how it is */
  struct change *changes; /* a ring of HISTORY; NULL: none so far */
  uint change_count;      /* so many in all */
  uint round;             /* of initial states, in which it was last told of */
};

struct protocol
{
  struct node n;
  char *name, *json;
};

struct state
{
  pool *pool;
  struct list sessions, protocols;
  struct htable by_id;
  bool connected;
  char why[128]; /* not */
  uint round;    /* grows with each time that all states are told anew */
  char **stream;
  u64 stream_first, stream_end;
  char *begin;
};

struct state *
state_new(pool *p)
{
  struct state *s = mb_alloc(p, sizeof(*s));

  s->pool = p;
  list_init(&s->sessions);
  list_init(&s->protocols);
  hash_init(&s->by_id, p);
  s->stream = mb_alloc(p, STREAM_SIZE * sizeof(*s->stream));
  s->stream_first = s->stream_end = 1;
  snprintf(s->why, sizeof(s->why), "not connected yet");
  return s;
}

/* The stream */

static char *
stream_text(const struct state *s, u64 number, const char *event, const char *data)
{
  size_t size = strlen(data) + strlen(event) + 64;
  char *text = mb_alloc(s->pool, size);

  snprintf(text, size, "id: %llu\nevent: %s\ndata: %s\n\n", (unsigned long long) number, event, data);
  return text;
}

static void
stream_add(struct state *s, const char *event, const char *data)
{
  char **slot = &s->stream[s->stream_end % STREAM_SIZE];

  if (s->stream_end - s->stream_first == STREAM_SIZE)
  {
    mb_free(*slot);
    s->stream_first++;
  }
  *slot = stream_text(s, s->stream_end, event, data);
  s->stream_end++;
}

u64
state_stream_end(const struct state *s)
{
  return s->stream_end;
}

const char *
state_stream_next(struct state *s, u64 *number)
{
  if (*number < s->stream_first)
  {
    *number = s->stream_end;
    return "event: lost\ndata: {}\n\n";
  }
  return *number < s->stream_end ? s->stream[(*number)++ % STREAM_SIZE] : NULL;
}

static char *
connection_json(const struct state *s)
{
  json_t *object = json_pack("{s:b, s:s}", "connected", s->connected, "text", s->connected ? "" : s->why);
  char *text = json_dumps(object, JSON_COMPACT), *copy = mb_strdup(s->pool, text ? text : "{}");

  free(text);
  json_decref(object);
  return copy;
}

const char *
state_stream_begin(struct state *s)
{
  char *json = connection_json(s);

  mb_free(s->begin);
  s->begin = stream_text(s, s->stream_end - 1, "connection", json);
  mb_free(json);
  return s->begin;
}

/* Sessions */

static struct session *
find(const struct state *s, const char *id)
{
  for (struct hnode *n = hash_first(&s->by_id, hash_text(id)); n; n = hash_again(n))
  {
    struct session *x = SKIP_BACK(struct session, by_id, n);

    if (strcmp(x->id, id) == 0)
      return x;
  }
  return NULL;
}

static struct session *
session_for(struct state *s, const char *id)
{
  struct session *x = find(s, id);

  if (x)
    return x;
  x = mb_alloc(s->pool, sizeof(*x));
  x->id = mb_strdup(s->pool, id);
  hash_add(&s->by_id, &x->by_id, hash_text(id));
  list_add_tail(&s->sessions, &x->n);
  return x;
}

static void
session_free(struct state *s, struct session *x)
{
  hash_remove(&s->by_id, &x->by_id);
  list_remove(&x->n);
  mb_free(x->id);
  mb_free(x->json);
  mb_free(x->changes);
  mb_free(x);
}

/* What the daemon said, without what belongs to its connection with us. */
static char *
stripped(const struct state *s, const char *line)
{
  json_t *object = json_loads(line, 0, NULL);
  char *text, *copy;

  json_object_del(object, "seq");
  json_object_del(object, "initial");
  text = object ? json_dumps(object, JSON_COMPACT) : NULL;
  copy = mb_strdup(s->pool, text ? text : "{}");
  free(text);
  json_decref(object);
  return copy;
}

static void
remember(struct state *s, struct session *x, const struct bfdmon_event *ev)
{
  struct change *c;

  if (!x->changes)
    x->changes = mb_alloc(s->pool, HISTORY * sizeof(*x->changes));
  c = &x->changes[x->change_count++ % HISTORY];
  *c = (struct change){ .wall_us = ev->wall_us, .state = ev->state };
  snprintf(c->diagnostic, sizeof(c->diagnostic), "%s", ev->diagnostic ? ev->diagnostic : "");
  snprintf(c->verdict, sizeof(c->verdict), "%s", ev->verdict ? ev->verdict : "");
}

static void
take_session(struct state *s, const struct bfdmon_event *ev)
{
  struct session *x = session_for(s, ev->session);

  mb_free(x->json);
  x->json = stripped(s, ev->json);
  x->round = s->round;
  stream_add(s, "session", x->json);
  if (ev->state == BFDMON_DESTROYED)
    session_free(s, x);
  else if (!ev->initial)
    remember(s, x, ev);
}

/* All there are have been told of: the others went while we were not told. */
static void
synchronized(struct state *s)
{
  struct session *x;

  LIST_WALK_SAFE (x, &s->sessions, n)
    if (x->round != s->round)
      session_free(s, x);
  stream_add(s, "lost", "{}");
}

static void
take_protocol(struct state *s, const struct bfdmon_event *ev)
{
  struct protocol *p;

  LIST_WALK (p, &s->protocols, n)
    if (strcmp(p->name, ev->session) == 0)
      break;
  if (&p->n == &s->protocols.ring)
  {
    p = mb_alloc(s->pool, sizeof(*p));
    p->name = mb_strdup(s->pool, ev->session);
    list_add_tail(&s->protocols, &p->n);
  }
  mb_free(p->json);
  p->json = stripped(s, ev->json);
  stream_add(s, "protocol", p->json);
}

static void
forget_protocols(struct state *s)
{
  struct protocol *p;

  LIST_WALK_SAFE (p, &s->protocols, n)
  {
    list_remove(&p->n);
    mb_free(p->name);
    mb_free(p->json);
    mb_free(p);
  }
}

static void
take_connection(struct state *s, const struct bfdmon_event *ev)
{
  char *json;

  s->connected = ev->kind == BFDMON_CONNECTED;
  if (s->connected)
    forget_protocols(s);
  else
    snprintf(s->why, sizeof(s->why), "%s", ev->text ? ev->text : "");
  s->round++;
  json = connection_json(s);
  stream_add(s, "connection", json);
  mb_free(json);
}

bool
state_take(struct state *s, const struct bfdmon_event *ev)
{
  u64 before = s->stream_end;

  if (ev->kind == BFDMON_SESSION)
    take_session(s, ev);
  else if (ev->kind == BFDMON_PROTOCOL)
    take_protocol(s, ev);
  else if (ev->kind == BFDMON_LOST)
    s->round++;
  else if (ev->kind == BFDMON_SYNCHRONIZED)
    synchronized(s);
  else if (ev->kind == BFDMON_CONNECTED || ev->kind == BFDMON_DISCONNECTED)
    take_connection(s, ev);
  return s->stream_end != before;
}

/* Answers */

/* @head, the texts of a list separated by commas, @tail. */
static char *
join(const char *head, const struct list *l, char *(*text_of)(struct node *n), const char *tail)
{
  size_t size = strlen(head) + strlen(tail) + 1;
  char *text, *end;

  for (struct node *n = l->ring.next; n != &l->ring; n = n->next)
    size += strlen(text_of(n)) + 1;
  text = malloc(size);
  if (!text)
    return NULL;
  end = stpcpy(text, head);
  for (struct node *n = l->ring.next; n != &l->ring; n = n->next)
  {
    end = stpcpy(end, text_of(n));
    if (n->next != &l->ring)
      *end++ = ',';
  }
  strcpy(end, tail);
  return text;
}

static char *
session_text(struct node *n)
{
  return SKIP_BACK(struct session, n, n)->json;
}

static char *
protocol_text(struct node *n)
{
  return SKIP_BACK(struct protocol, n, n)->json;
}

char *
state_sessions(const struct state *s)
{
  char head[128];

  snprintf(head, sizeof(head), "{\"connected\":%s,\"version\":\"%s\",\"sequence\":%llu,\"sessions\":[",
           s->connected ? "true" : "false", PACKAGE_VERSION, (unsigned long long) s->stream_end - 1);
  return join(head, &s->sessions, session_text, "]}");
}

char *
state_protocols(const struct state *s)
{
  return join("{\"protocols\":[", &s->protocols, protocol_text, "]}");
}

char *
state_history(const struct state *s, const char *session)
{
  const struct session *x = find(s, session);
  uint count = x ? MIN(x->change_count, (uint) HISTORY) : 0;
  json_t *array = json_array(), *object = json_pack("{s:o}", "history", array);
  char *text;

  for (uint i = 0; i < count; i++)
  {
    const struct change *c = &x->changes[(x->change_count - 1 - i) % HISTORY];

    json_array_append_new(array, json_pack("{s:I, s:s, s:s, s:s}", "wall_us", (json_int_t) c->wall_us,
                                           "state", bfdmon_state_name(c->state), "diagnostic", c->diagnostic,
                                           "verdict", c->verdict));
  }
  text = json_dumps(object, JSON_COMPACT);
  json_decref(object);
  return text;
}
