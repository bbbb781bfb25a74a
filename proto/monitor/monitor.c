/*
 * proto/monitor/monitor.c: an instance of the monitor protocol; see monitor.h
 *
 * It runs in the main loop, and does everything in slices. The pool of the instance holds all of it.
 */
#include "proto/monitor/monitor.h"

static void
protocol_hook(const struct proto *p, void *data)
{
  struct monitor *m = data;
  char text[MON_EVENT_SIZE];
  size_t size = mon_protocol_text(p, text);

  mon_event_new(m, NULL, 0, false, text, size);
}

static void
monitor_start(struct proto *p)
{
  struct monitor *m = (struct monitor *) p;

  list_init(&m->idle);
  list_init(&m->behind);
  m->client_count = 0;
  m->accepted = m->refused = m->lost = 0;
  mon_events_start(m);
  mon_requests_start(m);
  mon_sessions_start(m);
  proto_watch_new(p->pool, protocol_hook, m);
  mon_listen_start(m);
  proto_up(p);
}

static void
monitor_stop(struct proto *p)
{
  struct monitor *m = (struct monitor *) p;
  struct mon_client *c;

  mon_listen_stop(m);
  LIST_WALK_SAFE (c, &m->idle, n)
    mon_client_free(c);
  LIST_WALK_SAFE (c, &m->behind, n)
    mon_client_free(c);
  mon_requests_stop(m); /* while there is still somebody to hear of it */
  proto_down(p);
}

static bool
monitor_reconfigure(struct proto *p, struct proto_config *cf)
{
  struct monitor *m = (struct monitor *) p;

  p->cf = cf;
  mon_events_resize(m);
  mon_requests_follow(m);
  mon_listen_follow(m);
  return true;
}

/* Configuration */

static void
monitor_config_init(struct proto_config *pc, struct cf_ctx *cx UNUSED)
{
  struct monitor_config *cf = (struct monitor_config *) pc;

  list_init(&cf->listens);
  list_init(&cf->allowed);
  list_init(&cf->keys);
  cf->mode = 0660;
  cf->request_limit = MON_REQUEST_LIMIT;
  cf->queue_limit = MON_QUEUE_LIMIT;
  cf->linger = BT_NEVER;
}

#define COPY_LIST(type, to, from, cx)                        \
  do                                                         \
  {                                                          \
    type *item_;                                             \
                                                             \
    LIST_WALK (item_, from, n)                               \
    {                                                        \
      type *copy_ = lp_alloc((cx)->cfg->lp, sizeof(*copy_)); \
                                                             \
      *copy_ = *item_;                                       \
      copy_->n = (struct node){ 0 };                         \
      list_add_tail(to, &copy_->n);                          \
    }                                                        \
  } while (0)

static void
monitor_config_copy(struct proto_config *pc, const struct proto_config *from, struct cf_ctx *cx)
{
  struct monitor_config *cf = (struct monitor_config *) pc;
  const struct monitor_config *base = (const struct monitor_config *) from;

  list_init(&cf->listens);
  list_init(&cf->allowed);
  list_init(&cf->keys);
  COPY_LIST(struct mon_listen_config, &cf->listens, &base->listens, cx);
  COPY_LIST(struct mon_prefix, &cf->allowed, &base->allowed, cx);
  COPY_LIST(struct mon_key, &cf->keys, &base->keys, cx);
}

static void
monitor_config_check(struct proto_config *pc, struct cf_ctx *cx, const struct cf_loc *loc)
{
  struct monitor_config *cf = (struct monitor_config *) pc;
  struct mon_listen_config *l;

  if (!cf->socket && list_empty(&cf->listens))
    cf->socket = PATH_MONITOR_SOCKET;
  LIST_WALK (l, &cf->listens, n)
    if (!ip_is_loopback(l->addr) && list_empty(&cf->allowed))
    {
      cf_hint(cx, "for instance allow 192.0.2.0/24, or listen 127.0.0.1");
      cf_error(cx, loc, "Listening on %s needs 'allow', which names those who may connect", IP_STR(l->addr));
    }
}

/* What programs have asked for stays asked for, whatever the configuration says of other sessions. */
static const struct bfd_options *
monitor_wants_bfd(const struct proto_config *cf UNUSED, const struct bfd_request *r)
{
  return &r->options;
}

/* What is shown */

static const char *
monitor_info(const struct proto *p)
{
  const struct monitor *m = (const struct monitor *) p;
  const char *problem = p->state == PROTO_UP ? mon_listen_problem(m) : NULL;

  return problem ? problem : "";
}

static void
monitor_show(const struct proto *p, struct cli *cli)
{
  const struct monitor *m = (const struct monitor *) p;

  if (p->state != PROTO_UP)
    return;
  mon_listen_show(m, cli);
  cli_line(cli, 1006, "  Clients:        %u connected, %llu so far, %llu refused", m->client_count,
           (unsigned long long) m->accepted, (unsigned long long) m->refused);
  cli_line(cli, 1006, "  Sessions:       %u known, %u asked for", m->session_count, m->request_count);
  cli_line(cli, 1006, "  Events:         %llu so far, %llu lost by clients that read too slowly",
           (unsigned long long) m->next, (unsigned long long) m->lost);
}

const struct proto_class proto_monitor = {
  .name = "Monitor",
  .prefix = "monitor",
  .config_size = sizeof(struct monitor_config),
  .size = sizeof(struct monitor),
  .config_init = monitor_config_init,
  .config_copy = monitor_config_copy,
  .config_check = monitor_config_check,
  .start = monitor_start,
  .stop = monitor_stop,
  .reconfigure = monitor_reconfigure,
  .wants_bfd = monitor_wants_bfd,
  .info = monitor_info,
  .show = monitor_show,
};
