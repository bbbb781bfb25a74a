/*
 * nest/reconfig.c: the life of the configuration, see nest.h
 *
 *   idle --configure--> parsing (thread) --> applying (slices) --> idle
 *
 * One request at a time is worked on; one more waits, and a newer one takes its place. The configuration that
 * was replaced is kept until the next one comes, for `configure undo`.
 */
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "nest/nest.h"
#include "nest/table.h"
#include "sysdep/clock.h"

enum wish
{
  WISH_NONE,
  WISH_LOAD,
  WISH_CHECK,
  WISH_UNDO
};

struct parse_job
{
  struct msg m;
  char file[4096];
  bool check, soft;
  u64 number;
  struct config *cfg; /* the result, or NULL and the error */
  struct conf_error error;
  uint timeout;
};

/* A command that waits for its file to be parsed; it forgets itself when its client goes. */
struct cli_wait
{
  struct resource r;
  struct node n;
  u64 number;
  struct cli *cli;
};

#define UNDO_AGAIN BT_S(1)

static struct
{
  pool *pool;
  struct loop *loop;
  const struct reconfig_hooks *hooks;
  const char *file;                         /* as given on the command line */
  struct config *current, *previous, *next; /* next: waits for the end of an application */
  uint next_timeout;                        /* seconds until it is undone; 0: not by itself */
  bool applying, stopping;
  bool next_is_undo, next_soft;
  bool soft;              /* how the current one was applied, and will be undone */
  u64 reply_to;           /* the command that asked for what is being applied */
  struct config *retired; /* replaced by what is being applied, and not to be kept */
  u64 jobs;
  struct list waits;
  struct mailbox *results;  /* ours */
  struct loop *parse_loop;  /* the thread's */
  struct mailbox *requests; /* the thread's */
  struct thread *thread;
  struct timer *undo;
} rc;

struct config *
reconfig_current(void)
{
  return rc.current;
}

const struct timeformat *
reconfig_timeformat(enum time_use use)
{
  if (!rc.current) /* nothing has been read yet */
    return &timeformat_iso_short_ms;
  return use == TIME_ROUTE ? &rc.current->time_route : &rc.current->time_protocol;
}

/* The parsing thread */

static void
parse_request(struct msg *m, void *data UNUSED)
{
  struct parse_job *job = SKIP_BACK(struct parse_job, m, m);

  job->cfg = config_parse(job->file, false, &job->error);
  mailbox_post(rc.results, m);
}

/* Applying */

static void apply(struct config *cfg, bool undo, bool soft, uint timeout);
static struct cli *find_waiter(u64 number);
static void reply_commit(struct cli *c, uint code);

static void
progress(bool complete)
{
  struct cli *c = find_waiter(rc.reply_to);

  rc.reply_to = 0;
  if (c)
    reply_commit(c, complete ? 3 : 4);
  if (!complete)
    return;

  log_write(L_INFO, "Reconfigured");
  rc.applying = false;
  config_free(rc.retired);
  rc.retired = NULL;
  if (rc.next)
  {
    struct config *cfg = rc.next;

    rc.next = NULL;
    apply(cfg, rc.next_is_undo, rc.next_soft, rc.next_timeout);
  }
}

static void
apply(struct config *cfg, bool undo, bool soft, uint timeout)
{
  ASSERT(!rc.stopping);
  if (timeout)
    timer_set_in(rc.undo, BT_S(timeout));
  else
    timer_stop(rc.undo);
  log_write(L_INFO, undo ? "Reconfiguring to the configuration before" : "Reconfiguring");
  rc.applying = true;
  if (undo)
  {
    rc.retired = rc.current;
    rc.previous = NULL;
  }
  else
  {
    rc.retired = rc.previous;
    rc.previous = rc.current;
  }
  rc.current = cfg;
  rc.soft = soft;
  rc.hooks->globals(cfg);
  rt_apply(cfg);
  protos_apply(cfg, soft, progress);
}

/* Now, answering command @number when it is done or will take longer; or after the application under way. */
static void
commit(struct config *cfg, bool undo, bool soft, u64 number, uint timeout)
{
  if (!rc.applying)
  {
    rc.reply_to = number;
    apply(cfg, undo, soft, timeout);
    return;
  }
  if (rc.next && !rc.next_is_undo)
    config_free(rc.next);
  rc.next = cfg;
  rc.next_is_undo = undo;
  rc.next_soft = soft;
  rc.next_timeout = timeout;
  reply_commit(find_waiter(number), 5);
}

static void
undo_timeout(struct timer *t UNUSED, void *data UNUSED)
{
  if (rc.next) /* it replaces the one on trial anyway, if it is not dropped */
  {
    timer_set_in(rc.undo, UNDO_AGAIN);
    return;
  }
  log_write(L_INFO, "The configuration was not confirmed in time");
  if (rc.previous)
    commit(rc.previous, true, rc.soft, 0, 0);
}

/* Results of parsing */

static void
wait_free(struct resource *r)
{
  list_remove(&((struct cli_wait *) r)->n);
}

static const struct resource_class wait_class = { .name = "Configure",
                                                  .size = sizeof(struct cli_wait),
                                                  .free = wait_free };

/* Number a command that has to wait. */
static u64
wait_new(struct cli *c)
{
  struct cli_wait *w = res_new(cli_pool(c), &wait_class);

  w->cli = c;
  w->number = ++rc.jobs;
  list_add_tail(&rc.waits, &w->n);
  return w->number;
}

static struct cli *
find_waiter(u64 number)
{
  struct cli_wait *w;

  LIST_WALK (w, &rc.waits, n)
    if (w->number == number)
      return w->cli;
  return NULL;
}

static void
reply_commit(struct cli *c, uint code)
{
  static const char *const texts[] = { [3] = "Reconfigured",
                                       [4] = "Reconfiguration in progress",
                                       [5] = "Reconfiguration already in progress, queueing new config" };

  if (c)
    cli_end(c, code, "%s", texts[code]);
}

static void
parse_failed(struct cli *c, const struct parse_job *job)
{
  log_write(L_ERR, "%s", job->error.text);
  if (job->error.hint[0])
    log_write(L_ERR, "  hint: %s", job->error.hint);
  if (!c)
    return;
  if (job->error.hint[0]) /* on one line: tools stop reading at the first code of an error */
    cli_end(c, 8002, "%s (%s)", job->error.text, job->error.hint);
  else
    cli_end(c, 8002, "%s", job->error.text);
}

static void
parse_done(struct msg *m, void *data UNUSED)
{
  struct parse_job *job = SKIP_BACK(struct parse_job, m, m);
  struct cli *c = find_waiter(job->number);

  if (!job->cfg)
    parse_failed(c, job);
  else if (job->check)
  {
    if (c)
    {
      protos_forecast(job->cfg, c);
      cli_end(c, 20, "Configuration OK");
    }
    config_free(job->cfg);
  }
  else if (rc.stopping)
  {
    config_free(job->cfg);
    if (c)
      cli_end(c, 6, "Reconfiguration ignored, shutting down");
  }
  else
  {
    if (job->timeout && c)
      cli_line(c, 22, "Undo scheduled in %u s", job->timeout);
    commit(job->cfg, false, job->soft, job->number, job->timeout);
  }
  msg_free(job);
}

static bool
refuse_while_stopping(struct cli *c)
{
  if (rc.stopping)
    cli_end(c, 6, "Reconfiguration ignored, shutting down");
  return rc.stopping;
}

static void
request(struct cli *c, const char *file, bool check, bool soft, uint timeout)
{
  if (c && refuse_while_stopping(c))
    return;

  struct parse_job *job = msg_alloc(sizeof(*job));

  snprintf(job->file, sizeof(job->file), "%s", file ? file : rc.file);
  job->check = check;
  job->soft = soft;
  job->timeout = timeout;
  job->number = c ? wait_new(c) : 0;
  if (c)
    cli_line(c, 2, "Reading configuration from %s", job->file);
  mailbox_post(rc.requests, &job->m);
}

void
reconfig_reload(void)
{
  log_write(L_INFO, "Reading configuration from %s", rc.file);
  request(NULL, NULL, false, false, 0);
}

/* Commands */

void
cmd_configure(struct cli *c, bool soft, const char *file, uint timeout)
{
  if (cli_privileged(c))
    request(c, file, false, soft, timeout);
}

void
cmd_configure_check(struct cli *c, const char *file)
{
  if (cli_privileged(c))
    request(c, file, true, false, 0);
}

void
cmd_configure_confirm(struct cli *c)
{
  if (!cli_privileged(c))
    return;
  if (timer_is_set(rc.undo))
  {
    timer_stop(rc.undo);
    cli_end(c, 18, "Reconfiguration confirmed");
  }
  else
    cli_end(c, 19, "Nothing to do");
}

void
cmd_configure_undo(struct cli *c)
{
  if (!cli_privileged(c))
    return;
  if (refuse_while_stopping(c))
    return;
  cli_line(c, 21, "Undo requested");
  if (rc.next) /* what waits was never in force; the one that is may still be on trial */
  {
    if (!rc.next_is_undo)
      config_free(rc.next);
    rc.next = NULL;
    cli_end(c, 17, "Queued configuration dropped");
  }
  else if (!rc.previous)
    cli_end(c, 19, "Nothing to do");
  else
    commit(rc.previous, true, rc.soft, wait_new(c), 0);
}

const char *
reconfig_state(void)
{
  if (rc.stopping)
    return "Shutdown in progress";
  return rc.applying ? "Reconfiguration in progress" : "Daemon is up and running";
}

void
cmd_configure_status(struct cli *c)
{
  if (!cli_privileged(c))
    return;
  if (!rc.applying)
    cli_line(c, 3, "%s", reconfig_state());
  else if (rc.next)
    cli_line(c, 5, "Reconfiguration in progress, next one enqueued");
  else
    cli_line(c, 4, "Reconfiguration in progress");
  if (timer_is_set(rc.undo))
    cli_line(c, 22, "Configuration unconfirmed, undo in %s s", TIME_STR(rc.undo->e.deadline - clock_now()));
  cli_end(c, 0, "%s", "");
}

/* Start and end */

void
reconfig_init(pool *p, struct loop *l, struct config *cfg, const struct reconfig_hooks *hooks)
{
  rc.pool = p;
  rc.loop = l;
  rc.hooks = hooks;
  rc.file = mb_strdup(p, cfg->file);
  list_init(&rc.waits);
  rc.results = mailbox_new(p, l, parse_done, NULL);
  rc.undo = timer_new(p, l, undo_timeout, NULL);
  rc.parse_loop = loop_new(p, "bird-parse");
  if (rc.parse_loop)
  {
    rc.requests = mailbox_new(p, rc.parse_loop, parse_request, NULL);
    rc.thread = thread_start(p, rc.parse_loop);
  }
  if (!rc.thread)
    die("Cannot start the thread that reads configurations");
  rc.current = cfg;
  rc.applying = true;
  hooks->globals(cfg);
  rt_apply(cfg);
  protos_apply(cfg, false, progress);
}

void
reconfig_stop(void)
{
  rc.stopping = true;
  timer_stop(rc.undo);
  loop_stop(rc.parse_loop); /* it may still be reading; nobody waits for it here */
}

void
reconfig_free(void)
{
  thread_join(rc.thread);
  mailbox_flush(rc.results);
  if (rc.next != rc.previous)
    config_free(rc.next);
  if (rc.retired != rc.previous && rc.retired != rc.current)
    config_free(rc.retired);
  config_free(rc.previous);
  config_free(rc.current);
}
