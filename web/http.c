/*
 * web/http.c: see http.h
 *
 * A stream of events is a response without an end: it is suspended while there is nothing to be read, and
 * resumed by http_wake_streams(). All other answers are complete when they begin.
 */
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysdep/socket.h"
#include "web/http.h"
#include "web/metrics.h"

#define CONNECTIONS_MAX 500
#define STREAMS_MAX 200
#define IDLE_TIMEOUT 30 /* s; of those that are not streams */
#define ANSWER_MS 1000  /* that the daemon has for a question */
#define DETAILS_MAX 64
#define STREAM_BLOCK 16384

static const char page[] = {
#include "web-page.h"
};

struct http
{
  struct MHD_Daemon *daemon;
  struct state *state;
  struct bfdmon *questions;
  pool *pool;
  struct list streams;
  uint stream_count;
};

/* Answers */

static const char type_json[] = "application/json; charset=utf-8";

static enum MHD_Result
send_response(struct MHD_Connection *c, uint status, struct MHD_Response *r, const char *type)
{
  enum MHD_Result result;

  if (!r)
    return MHD_NO;
  MHD_add_response_header(r, "Content-Type", type);
  MHD_add_response_header(r, "Cache-Control", "no-store");
  MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
  MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
  MHD_add_response_header(r, "Content-Security-Policy",
                          "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                          "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'");
  result = MHD_queue_response(c, status, r);
  MHD_destroy_response(r);
  return result;
}

/* @text belongs to the response from here on. */
static enum MHD_Result
send_text(struct MHD_Connection *c, char *text, const char *type)
{
  if (!text)
    return MHD_NO;
  return send_response(c, MHD_HTTP_OK,
                       MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE), type);
}

static enum MHD_Result
send_error(struct MHD_Connection *c, uint status, const char *text)
{
  return send_response(c, status,
                       MHD_create_response_from_buffer(strlen(text), (void *) text, MHD_RESPMEM_PERSISTENT),
                       "text/plain; charset=utf-8");
}

static enum MHD_Result
send_page(struct http *h UNUSED, struct MHD_Connection *c)
{
  return send_response(
      c, MHD_HTTP_OK,
      MHD_create_response_from_buffer(sizeof(page) - 1, (void *) page, MHD_RESPMEM_PERSISTENT),
      "text/html; charset=utf-8");
}

static enum MHD_Result
send_sessions(struct http *h, struct MHD_Connection *c)
{
  return send_text(c, state_sessions(h->state), type_json);
}

static enum MHD_Result
send_protocols(struct http *h, struct MHD_Connection *c)
{
  return send_text(c, state_protocols(h->state), type_json);
}

static enum MHD_Result
send_history(struct http *h, struct MHD_Connection *c)
{
  const char *id = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "id");

  if (!id)
    return send_error(c, MHD_HTTP_BAD_REQUEST, "id is missing\n");
  return send_text(c, state_history(h->state, id), type_json);
}

/* Questions to the daemon */

struct details
{
  struct http *h;
  json_t *array;
  uint asked;
};

static void
take_object(const char *line, void *data)
{
  json_t *object = json_loads(line, 0, NULL);

  json_object_del(object, "id");
  if (object)
    json_array_append_new(data, object);
}

static enum MHD_Result
ask_detail(void *data, enum MHD_ValueKind kind UNUSED, const char *name, const char *value)
{
  struct details *d = data;
  int result;

  if (strcmp(name, "id") != 0 || !value)
    return MHD_YES;
  if (d->asked++ >= DETAILS_MAX || strcmp(value, "all") == 0)
    return MHD_NO;
  result = bfdmon_show(d->h->questions, value, take_object, d->array, ANSWER_MS);
  /* When the daemon does not answer there is no use in asking on; what it refuses is no session. */
  return result >= 0 || result == -EPROTO ? MHD_YES : MHD_NO;
}

static enum MHD_Result
send_details(struct http *h, struct MHD_Connection *c)
{
  struct details d = { .h = h, .array = json_array() };
  json_t *object = json_pack("{s:o}", "details", d.array);
  char *text;

  MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, ask_detail, &d);
  text = json_dumps(object, JSON_COMPACT);
  json_decref(object);
  return send_text(c, text, type_json);
}

static enum MHD_Result
send_metrics(struct http *h, struct MHD_Connection *c)
{
  const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
  bool open = accept && strstr(accept, "application/openmetrics-text");
  static const char question[] = "{\"cmd\":\"stats\"}";
  json_t *answers = json_array();
  char *text;

  if (bfdmon_ask(h->questions, question, take_object, answers, ANSWER_MS) == -ENOTCONN)
    bfdmon_ask(h->questions, question, take_object, answers, ANSWER_MS); /* the daemon may be another one */
  text = metrics_text(json_array_get(answers, 0), open);
  json_decref(answers);
  return send_text(c, text, open ? METRICS_OPEN_TYPE : METRICS_TEXT_TYPE);
}

/* Streams */

struct stream
{
  struct node n;
  struct http *h;
  struct MHD_Connection *connection;
  u64 next;
  char *copy; /* what is being sent now, */
  size_t pos; /* and how far */
  bool begun, suspended, ping;
};

/* The texts of the state may change while one is being sent in pieces. */
static bool
next_text(struct stream *s)
{
  const char *text;

  if (!s->begun)
    text = state_stream_begin(s->h->state);
  else
    text = state_stream_next(s->h->state, &s->next);
  if (!text && s->ping)
    text = ":\n\n";
  s->begun = true;
  s->ping = false;
  if (!text)
    return false;
  free(s->copy);
  s->copy = strdup(text);
  s->pos = 0;
  return s->copy;
}

static ssize_t
read_stream(void *data, uint64_t pos UNUSED, char *buf, size_t max)
{
  struct stream *s = data;
  size_t size = 0;

  while (size < max)
  {
    size_t left = s->copy ? strlen(s->copy + s->pos) : 0, n = MIN(left, max - size);

    if (!left && !next_text(s))
      break;
    if (!left)
      continue;
    memcpy(buf + size, s->copy + s->pos, n);
    s->pos += n;
    size += n;
  }
  if (!size)
  {
    s->suspended = true;
    MHD_suspend_connection(s->connection);
  }
  return size;
}

static void
free_stream(void *data)
{
  struct stream *s = data;

  list_remove(&s->n);
  s->h->stream_count--;
  free(s->copy);
  mb_free(s);
}

static enum MHD_Result
send_stream(struct http *h, struct MHD_Connection *c)
{
  struct MHD_Response *r;
  struct stream *s;

  if (h->stream_count == STREAMS_MAX)
    return send_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "There are too many streams\n");
  s = mb_alloc(h->pool, sizeof(*s));
  s->h = h;
  s->connection = c;
  s->next = state_stream_end(h->state);
  r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, s, free_stream);
  if (!r)
  {
    mb_free(s);
    return MHD_NO;
  }
  list_add_tail(&h->streams, &s->n);
  h->stream_count++;
  return send_response(c, MHD_HTTP_OK, r, "text/event-stream");
}

void
http_wake_streams(struct http *h, bool ping)
{
  struct stream *s;

  LIST_WALK (s, &h->streams, n)
  {
    s->ping |= ping;
    if (!s->suspended)
      continue;
    s->suspended = false;
    MHD_resume_connection(s->connection);
  }
}

/* Requests */

static const struct
{
  const char *path;
  enum MHD_Result (*send)(struct http *h, struct MHD_Connection *c);
} paths[] = {
  { "/", send_page },
  { "/metrics", send_metrics },
  { "/api/sessions", send_sessions },
  { "/api/details", send_details },
  { "/api/history", send_history },
  { "/api/protocols", send_protocols },
  { "/api/events", send_stream },
};

static enum MHD_Result
answer(void *data, struct MHD_Connection *c, const char *url, const char *method, const char *version UNUSED,
       const char *upload UNUSED, size_t *upload_size UNUSED, void **request)
{
  static int begun;

  /* The first call has the headers only; what a body would bring is never read. */
  if (!*request)
  {
    *request = &begun;
    return MHD_YES;
  }
  if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
    return send_error(c, MHD_HTTP_METHOD_NOT_ALLOWED, "There is only GET and HEAD\n");
  for (uint i = 0; i < ARRAY_SIZE(paths); i++)
    if (strcmp(paths[i].path, url) == 0)
      return paths[i].send(data, c);
  return send_error(c, MHD_HTTP_NOT_FOUND, "There is no such page\n");
}

/* The server */

struct http *
http_new(pool *p, ip_addr local, u16 port, struct state *state, struct bfdmon *questions)
{
  struct http *h = mb_alloc(p, sizeof(*h));
  int fd = tcp_listen_open(local, port);

  h->pool = p;
  h->state = state;
  h->questions = questions;
  list_init(&h->streams);
  if (fd >= 0)
    h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL, answer, h,
                                 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                                 MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT, MHD_OPTION_END);
  if (h->daemon)
    return h;
  if (fd < 0)
    errno = -fd;
  mb_free(h);
  return NULL;
}

void
http_free(struct http *h)
{
  http_wake_streams(h, false); /* those that are suspended could not be ended */
  MHD_stop_daemon(h->daemon);
  mb_free(h);
}

int
http_fd(const struct http *h)
{
  return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int
http_timeout(struct http *h)
{
  MHD_UNSIGNED_LONG_LONG ms;

  return MHD_get_timeout(h->daemon, &ms) == MHD_YES ? (int) MIN(ms, 60000ull) : -1;
}

void
http_work(struct http *h)
{
  MHD_run(h->daemon);
}
