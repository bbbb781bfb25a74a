/* libbfdmon/api.c: what programs call; see bfdmon.h */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

const char *
bfdmon_state_name(enum bfdmon_state state)
{
  static const char *const names[] = { "created", "up", "down", "expired", "destroyed" };

  return state < BFDMON_UNKNOWN ? names[state] : "unknown";
}

/* The handle */

struct bfdmon *
bfdmon_open(const char *where)
{
  struct bfdmon *m = calloc(1, sizeof(*m));
  int error;

  if (!m)
    return NULL;
  m->fd = m->epoll = m->timer = -1;
  error = connection_address(m, where ? where : BFDMON_SOCKET);
  if (!error)
    error = connection_init(m);
  if (error)
  {
    bfdmon_close(m);
    errno = -error;
    return NULL;
  }
  return m;
}

static void
free_subscription(struct subscription *s)
{
  json_decref(s->command);
  free(s);
}

void
bfdmon_close(struct bfdmon *m)
{
  if (!m)
    return;
  connection_free(m);
  for (struct subscription *s = m->subscriptions, *next; s; s = next)
  {
    next = s->next;
    free_subscription(s);
  }
  json_decref(m->event);
  free(m->line);
  free(m);
}

int
bfdmon_fd(const struct bfdmon *m)
{
  return m->epoll;
}

bool
bfdmon_connected(const struct bfdmon *m)
{
  return m->phase == CONNECTED;
}

const char *
bfdmon_error(const struct bfdmon *m)
{
  return m->error;
}

/* Lines */

/* The next line, kept or received, as an object; NULL: none, or (with @error) no memory. */
static json_t *
next_object(struct bfdmon *m, bool with_kept, int *error)
{
  struct kept *k = with_kept ? m->kept : NULL;
  char *line;

  *error = 0;
  free(m->line);
  m->line = NULL;
  if (k)
  {
    m->kept = k->next;
    if (!m->kept)
      m->kept_end = &m->kept;
    m->line = strdup(k->line);
    free(k);
  }
  else if ((line = connection_line(m)))
    m->line = strdup(line);
  else
    return NULL;
  if (!m->line)
  {
    *error = -ENOMEM;
    return NULL;
  }
  return json_loads(m->line, 0, NULL);
}

/* The line of last is for later. */
static int
keep_line(struct bfdmon *m)
{
  size_t size = strlen(m->line) + 1;
  struct kept *k = malloc(sizeof(*k) + size);

  if (!k)
    return -ENOMEM;
  k->next = NULL;
  memcpy(k->line, m->line, size);
  *m->kept_end = k;
  m->kept_end = &k->next;
  return 0;
}

/* Time */

static int64_t
now_ms(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int64_t
deadline_of(int timeout_ms)
{
  return timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
}

static int
left_until(int64_t deadline)
{
  int64_t left = deadline - now_ms();

  return deadline == INT64_MAX ? -1 : left < 0 ? 0 : (int) left;
}

/* Events */

/* What the connection itself has to tell, in the order in which it was. */
static bool
own_event(struct bfdmon *m, struct bfdmon_event *ev)
{
  bool up = m->tell_connected;

  if (!up && !m->tell_disconnected)
    return false;
  *ev = (struct bfdmon_event){ .kind = up ? BFDMON_CONNECTED : BFDMON_DISCONNECTED,
                               .previous = BFDMON_UNKNOWN,
                               .text = up ? NULL : m->error };
  m->told_disconnected = !up;
  m->tell_connected = m->tell_disconnected = false;
  return true;
}

static int
take_event(struct bfdmon *m, struct bfdmon_event *ev)
{
  int error = 0;

  if (m->tell_connected && own_event(m, ev))
    return 1;
  for (;;)
  {
    json_t *object = next_object(m, true, &error);

    if (!m->line)
      break;

    bool found = object && message_event(m, ev, object);

    json_decref(object);
    if (found)
      return 1;
  }
  if (error)
    return error;
  return own_event(m, ev);
}

int
bfdmon_next(struct bfdmon *m, struct bfdmon_event *ev, int timeout_ms)
{
  int64_t deadline = deadline_of(timeout_ms);

  for (;;)
  {
    int result = take_event(m, ev), left;

    if (result)
      return result;
    if ((result = connection_work(m)) < 0 || (result = take_event(m, ev)))
      return result;
    left = left_until(deadline);
    if (!left)
      return 0;
    if ((result = connection_wait(m, left)) < 0)
      return result;
  }
}

int
bfdmon_dispatch(struct bfdmon *m, bfdmon_hook *hook, void *data)
{
  struct bfdmon_event ev;
  int result, count = 0;

  while ((result = bfdmon_next(m, &ev, 0)) > 0)
  {
    hook(m, &ev, data);
    count++;
  }
  return result < 0 ? result : count;
}

/* Subscriptions */

static struct subscription **
find(struct bfdmon *m, const char *session)
{
  struct subscription **s = &m->subscriptions;

  while (*s && strcmp((*s)->session, session))
    s = &(*s)->next;
  return s;
}

static bool
is_id(const char *session)
{
  return session && session[0] && strlen(session) < 256;
}

/* Its own name comes back when it is refused. */
static json_t *
named(json_t *command, const char *session)
{
  if (command)
    json_object_set_new(command, "id", json_string(session));
  return command;
}

int
bfdmon_subscribe(struct bfdmon *m, const char *session, const struct bfdmon_options *options)
{
  if (!is_id(session))
    return -EINVAL;

  struct subscription **place = find(m, session), *s = *place;
  json_t *command = named(message_subscribe("subscribe", session, options), session);

  if (!command)
    return -ENOMEM;
  if (s)
    message_merge(s->command, command);
  else
  {
    s = calloc(1, sizeof(*s) + strlen(session) + 1);
    if (!s)
    {
      json_decref(command);
      return -ENOMEM;
    }
    strcpy(s->session, session);
    s->command = json_incref(command);
    *place = s;
  }
  json_decref(command);
  connection_try(m);
  return connection_send(m, json_incref(s->command));
}

int
bfdmon_unsubscribe(struct bfdmon *m, const char *session)
{
  if (!is_id(session))
    return -EINVAL;

  struct subscription **place = find(m, session), *s = *place;

  if (!s)
    return -ENOENT;
  *place = s->next;
  free_subscription(s);
  return connection_send(m, named(message_subscribe("unsubscribe", session, NULL), session));
}

int
bfdmon_change(struct bfdmon *m, const char *session, const struct bfdmon_options *options)
{
  if (!is_id(session))
    return -EINVAL;

  struct subscription *s = *find(m, session);
  json_t *command = named(message_subscribe("change", session, options), session);

  if (!s || !command)
  {
    json_decref(command);
    return s ? -ENOMEM : -ENOENT;
  }

  int error = connection_send(m, json_incref(command));

  message_merge(s->command, command);
  json_decref(command);
  return error;
}

int
bfdmon_protocols(struct bfdmon *m, bool wanted)
{
  m->protocols = wanted;
  return connection_send(m, json_pack("{s:s, s:b}", "cmd", "events", "on", wanted));
}

/* Questions */

static int
have_connection(struct bfdmon *m, int64_t deadline)
{
  for (;;)
  {
    int error = connection_work(m), left = left_until(deadline);

    if (error || m->phase == CONNECTED)
      return error;
    if (m->phase == WAITING)
      return -ENOTCONN;
    if (!left)
      return -ETIMEDOUT;
    if ((error = connection_wait(m, left)) < 0)
      return error;
  }
}

/* A new number for a command, so that its answers are known. */
static int
ask(struct bfdmon *m, json_t *command, int64_t deadline)
{
  int error = command ? have_connection(m, deadline) : -ENOMEM;

  if (error)
  {
    json_decref(command);
    return error;
  }
  json_object_set_new(command, "id", json_integer(++m->last_id));
  return connection_send(m, command);
}

/* One answer to the last question. 1: @object is it, and whoever calls frees it. */
static int
next_answer(struct bfdmon *m, json_t **object, int64_t deadline)
{
  for (;;)
  {
    int error, left;

    *object = next_object(m, false, &error);
    if (error)
      return error;
    if (m->line)
    {
      const json_t *id = json_object_get(*object, "id");
      bool answer = json_is_integer(id);

      if (answer && (uint64_t) json_integer_value(id) == m->last_id)
        return 1;
      json_decref(*object);
      if (!answer && (error = keep_line(m))) /* else it comes too late: nobody waits for it any more */
        return error;
      continue;
    }
    if ((error = connection_work(m)))
      return error;
    if (m->in.len > m->in.pos && memchr(m->in.data + m->in.pos, '\n', m->in.len - m->in.pos))
      continue;
    if (m->phase != CONNECTED)
      return -ENOTCONN;
    left = left_until(deadline);
    if (!left)
      return -ETIMEDOUT;
    if ((error = connection_wait(m, left)) < 0)
      return error;
  }
}

static int
refused(struct bfdmon *m, const json_t *answer)
{
  const char *text = json_string_value(json_object_get(json_object_get(answer, "error"), "text"));

  snprintf(m->error, sizeof(m->error), "%s", text ? text : "an answer that makes no sense");
  return -EPROTO;
}

/* The texts of @array, and the pointers to them, in one piece. */
static int
copy_texts(const json_t *array, char ***sessions)
{
  size_t count = json_array_size(array), size = (count + 1) * sizeof(char *);

  for (size_t i = 0; i < count; i++)
    size += json_string_length(json_array_get(array, i)) + 1;

  char **list = malloc(size);

  if (!list)
    return -ENOMEM;

  char *text = (char *) (list + count + 1);

  for (size_t i = 0; i < count; i++)
  {
    const char *s = json_string_value(json_array_get(array, i));

    list[i] = strcpy(text, s ? s : "");
    text += strlen(text) + 1;
  }
  list[count] = NULL;
  *sessions = list;
  return count;
}

int
bfdmon_list(struct bfdmon *m, char ***sessions, int timeout_ms)
{
  int64_t deadline = deadline_of(timeout_ms);
  json_t *answer;
  int result = ask(m, json_pack("{s:s}", "cmd", "list"), deadline);

  if (result < 0 || (result = next_answer(m, &answer, deadline)) < 0)
    return result;

  const json_t *array = json_object_get(answer, "sessions");

  result = json_is_array(array) ? copy_texts(array, sessions) : refused(m, answer);
  json_decref(answer);
  return result;
}

int
bfdmon_ask(struct bfdmon *m, const char *command, bfdmon_show_hook *hook, void *data, int timeout_ms)
{
  int64_t deadline = deadline_of(timeout_ms);
  json_t *object = json_loads(command, 0, NULL), *answer;
  int result;

  if (!json_is_object(object))
  {
    json_decref(object);
    return -EINVAL;
  }
  if ((result = ask(m, object, deadline)) < 0 || (result = next_answer(m, &answer, deadline)) < 0)
    return result;
  if (json_object_get(answer, "error"))
    result = refused(m, answer);
  else
    hook(m->line, data);
  json_decref(answer);
  return result < 0 ? result : 0;
}

int
bfdmon_show(struct bfdmon *m, const char *session, bfdmon_show_hook *hook, void *data, int timeout_ms)
{
  int64_t deadline = deadline_of(timeout_ms);
  int result = ask(m, json_pack("{s:s, s:s}", "cmd", "show", "session", session), deadline);

  while (result >= 0)
  {
    json_t *answer;

    if ((result = next_answer(m, &answer, deadline)) < 0)
      break;

    const json_t *shown = json_object_get(answer, "shown");
    bool end = true;

    if (shown)
      result = json_integer_value(shown);
    else if ((end = !json_object_get(answer, "show")))
      result = refused(m, answer);
    else
      hook(m->line, data);
    json_decref(answer);
    if (end)
      break;
  }
  return result;
}
