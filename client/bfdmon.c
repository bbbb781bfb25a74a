/*
 * client/bfdmon.c: look at BFD sessions of the daemon, ask for one, wait for one, act on one
 *
 * A program on libbfdmon, which keeps the connection. Exit status: 0; 1 what was waited for did not come, or
 * is not there; 2 the command line; 3 there is no daemon; 4 the daemon refuses.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client/duration.h"
#include "client/runner.h"
#include "lib/pool.h"
#include "lib/text.h"
#include "libbfdmon/bfdmon.h"
#include "sysdep/clock.h"

enum
{
  STATUS_OK,
  STATUS_NOT,
  STATUS_USAGE,
  STATUS_NO_DAEMON,
  STATUS_REFUSED
};

#define ANSWER_MS 10000

static const char usage[] =
    "Usage: bfdmon [-s WHERE] [--json] list\n"
    "       bfdmon [-s WHERE] [--json] watch [ID ...]\n"
    "       bfdmon [-s WHERE] [--json] show [ID]\n"
    "       bfdmon [-s WHERE] [--json] up ID [SESSION OPTIONS]\n"
    "       bfdmon [-s WHERE] exec ID [--on-up CMD] [--on-down CMD] [SESSION OPTIONS]\n"
    "       bfdmon [-s WHERE] wait ID up|down [--timeout TIME] [SESSION OPTIONS]\n";

static const char options_help[] =
    "  -s, --socket WHERE   socket of the daemon's monitor, or ADDRESS:PORT (default " PATH_MONITOR_SOCKET
    ")\n"
    "  --json               print what the daemon says, a JSON object on each line\n"
    "  --on-up CMD          run by sh -c when the session comes up,\n"
    "  --on-down CMD        and when it is not up, or goes; at the start, too\n"
    "  --lost keep|down     without a connection to the daemon: nothing happens (default), or it counts as "
    "down\n"
    "  --timeout TIME       do not wait longer, and end with status 1\n"
    "  --version, --help\n"
    "Session options, for a session that is to be made:\n"
    "  --interval TIME, --min-rx TIME, --min-tx TIME, --multiplier N, --passive, --interface NAME,\n"
    "  --multihop, --local ADDRESS, --min-ttl N, --authentication KEY\n"
    "TIME is in milliseconds, or has a unit: 300us, 50ms, 2s.\n"
    "Exit status: 1 it did not happen, 2 the command line, 3 no daemon, 4 the daemon refuses.\n";

/* A session that an id means. */
struct seen
{
  char *session;
  bool up;
};

struct bfdmon_program
{
  pool *pool;
  struct bfdmon *m;
  const char *where;
  bool json, lost_is_down, has_options;
  struct bfdmon_options options;
  btime timeout; /* 0: none */
  const char *on_up, *on_down;
  struct runner runner;
  struct seen *seen;
  uint seen_count;
  bool act; /* with these facts, once all that has come has been looked at */
  struct runner_facts facts;
};

static int
usage_error(const char *text)
{
  fprintf(stderr, "bfdmon: %s\n%s", text, usage);
  return STATUS_USAGE;
}

/* Output */

static const char *
or_dash(const char *text)
{
  return text ? text : "-";
}

static void
print_event(const struct bfdmon_program *p, const struct bfdmon_event *ev)
{
  if (p->json)
  {
    if (ev->json)
      printf("%s\n", ev->json);
  }
  else if (ev->kind == BFDMON_SESSION)
    printf("%s %-30s %-9s %s%s%s\n", WALL_STR(ev->wall_us), ev->session, bfdmon_state_name(ev->state),
           ev->state == BFDMON_UP || ev->state == BFDMON_CREATED ? or_dash(ev->remote_state)
                                                                 : or_dash(ev->diagnostic),
           ev->verdict ? ", " : "", ev->verdict ? ev->verdict : "");
  fflush(stdout);
}

static void
print_trouble(const struct bfdmon_event *ev)
{
  if (ev->kind == BFDMON_DISCONNECTED)
    fprintf(stderr, "bfdmon: no connection: %s\n", ev->text);
  else if (ev->kind == BFDMON_CONNECTED)
    fprintf(stderr, "bfdmon: connected\n");
  else if (ev->kind == BFDMON_LOST)
    fprintf(stderr, "bfdmon: %u events lost\n", ev->count);
  else if (ev->kind == BFDMON_REFUSED)
    fprintf(stderr, "bfdmon: %s%s%s\n", ev->session ? ev->session : "", ev->session ? ": " : "", ev->text);
}

static int
failed(const struct bfdmon_program *p, int error)
{
  const char *why = bfdmon_error(p->m);

  fprintf(stderr, "bfdmon: %s\n", why[0] ? why : strerror(-error));
  return error == -EPROTO ? STATUS_REFUSED : STATUS_NO_DAEMON;
}

static int
subscribe(const struct bfdmon_program *p, const char *session)
{
  int error = bfdmon_subscribe(p->m, session, p->has_options ? &p->options : NULL);

  if (error < 0)
  {
    fprintf(stderr, "bfdmon: %s: %s\n", session, strerror(-error));
    exit(STATUS_USAGE);
  }
  return error;
}

/* list: all initial states */

static int
run_list(struct bfdmon_program *p)
{
  struct bfdmon_event ev;
  int result;

  subscribe(p, "all");
  while ((result = bfdmon_next(p->m, &ev, ANSWER_MS)) > 0)
  {
    if (ev.kind == BFDMON_SESSION && ev.initial)
      print_event(p, &ev);
    else if (ev.kind == BFDMON_SYNCHRONIZED)
      return STATUS_OK;
    else if (ev.kind == BFDMON_DISCONNECTED)
      return failed(p, -ENOTCONN);
  }
  return failed(p, result ? result : -ETIMEDOUT);
}

/* show */

static void
print_value(const char *name, const json_t *value, int indent)
{
  const char *key;
  json_t *item;
  char *text;

  if (json_is_object(value))
  {
    printf("%*s%s:\n", indent, "", name);
    json_object_foreach ((json_t *) value, key, item)
      print_value(key, item, indent + 2);
    return;
  }
  text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
  printf("%*s%s: %s\n", indent, "", name, text ? text : json_string_value(value));
  free(text);
}

static void
print_shown(const char *line, void *data)
{
  const struct bfdmon_program *p = data;
  json_t *object = p->json ? NULL : json_loads(line, 0, NULL), *item;
  const char *key;

  if (p->json)
    printf("%s\n", line);
  else
    printf("%s\n", json_string_value(json_object_get(object, "show")));
  json_object_del(object, "show");
  json_object_del(object, "id");
  json_object_foreach (object, key, item)
    print_value(key, item, 2);
  json_decref(object);
}

static int
run_show(struct bfdmon_program *p, const char *session)
{
  int count = bfdmon_show(p->m, session, print_shown, p, ANSWER_MS);

  if (count < 0)
    return failed(p, count);
  if (!count)
    fprintf(stderr, "bfdmon: There is no session %s\n", session);
  return count ? STATUS_OK : STATUS_NOT;
}

/* watch, up, wait, exec: until a signal comes */

/* True: that was it, with @status. */
typedef bool event_hook(struct bfdmon_program *p, const struct bfdmon_event *ev, int *status);

static int
open_signals(void)
{
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool
any_up(const struct bfdmon_program *p)
{
  for (uint i = 0; i < p->seen_count; i++)
    if (p->seen[i].up)
      return true;
  return false;
}

static int
follow(struct bfdmon_program *p, event_hook *hook)
{
  btime end = p->timeout ? clock_now() + p->timeout : BT_NEVER;
  int signals = open_signals(), status = STATUS_OK, result;
  struct bfdmon_event ev;

  for (;;)
  {
    struct pollfd fds[] = { { .fd = bfdmon_fd(p->m), .events = POLLIN },
                            { .fd = signals, .events = POLLIN },
                            { .fd = -1, .events = POLLIN } };
    btime left = end == BT_NEVER ? BT_NEVER : MAX(end - clock_now(), 0);

    while ((result = bfdmon_next(p->m, &ev, 0)) > 0)
      if (hook(p, &ev, &status))
        return status;
    if (result < 0)
      return failed(p, result);
    if (p->act)
      runner_want(&p->runner, any_up(p), &p->facts);
    p->act = false;
    if (!left)
      return STATUS_NOT;
    fds[2].fd = p->runner.pidfd; /* a hook may have started something */
    poll(fds, ARRAY_SIZE(fds), left == BT_NEVER ? -1 : (int) MIN(left / 1000 + 1, (btime) INT32_MAX));
    if (fds[1].revents)
      return STATUS_OK;
    runner_ended(&p->runner);
  }
}

static bool
watch_event(struct bfdmon_program *p, const struct bfdmon_event *ev, int *status)
{
  print_event(p, ev);
  print_trouble(ev);
  if (ev->kind != BFDMON_REFUSED)
    return false;
  *status = STATUS_REFUSED;
  return true;
}

static int
run_watch(struct bfdmon_program *p, char **sessions)
{
  if (!*sessions)
    subscribe(p, "all");
  for (; *sessions; sessions++)
    subscribe(p, *sessions);
  return follow(p, watch_event);
}

static bool
is_refused(const struct bfdmon_event *ev, int *status)
{
  if (ev->kind != BFDMON_REFUSED)
    return false;
  print_trouble(ev);
  *status = STATUS_REFUSED;
  return true;
}

static bool
wait_up(struct bfdmon_program *p UNUSED, const struct bfdmon_event *ev, int *status)
{
  return is_refused(ev, status) || (ev->kind == BFDMON_SESSION && ev->state == BFDMON_UP);
}

/* Not up, and known to be so: one that is just being made will not do. */
static bool
wait_down(struct bfdmon_program *p UNUSED, const struct bfdmon_event *ev, int *status)
{
  return is_refused(ev, status) ||
         (ev->kind == BFDMON_SESSION && ev->state != BFDMON_UP && ev->state != BFDMON_CREATED);
}

static int
run_wait(struct bfdmon_program *p, const char *session, const char *state)
{
  bool up = strcmp(state, "up") == 0;

  if (!up && strcmp(state, "down"))
    return usage_error("It is up or down that can be waited for");
  subscribe(p, session);
  return follow(p, up ? wait_up : wait_down);
}

/* exec: an id may mean several sessions; it is up as long as one of them is */

static struct seen *
seen_find(struct bfdmon_program *p, const char *session)
{
  for (uint i = 0; i < p->seen_count; i++)
    if (strcmp(p->seen[i].session, session) == 0)
      return &p->seen[i];
  p->seen = mb_realloc(p->pool, p->seen, (p->seen_count + 1) * sizeof(*p->seen));
  p->seen[p->seen_count] = (struct seen){ .session = mb_strdup(p->pool, session) };
  return &p->seen[p->seen_count++];
}

static void
act_soon(struct bfdmon_program *p, const struct bfdmon_event *ev)
{
  struct runner_facts *f = &p->facts;

  *f = (struct runner_facts){ 0 };
  runner_fact(f, "BFD_EVENT", "%s", any_up(p) ? "up" : "down");
  runner_fact(f, "BFD_SESSION", "%s", ev->session ? ev->session : "");
  runner_fact(f, "BFD_STATE", "%s", ev->kind == BFDMON_SESSION ? bfdmon_state_name(ev->state) : "lost");
  runner_fact(f, "BFD_DIAGNOSTIC", "%s", ev->diagnostic ? ev->diagnostic : "");
  runner_fact(f, "BFD_VERDICT", "%s", ev->verdict ? ev->verdict : "");
  runner_fact(f, "BFD_WALL_US", "%lld", (long long) ev->wall_us);
  p->act = true;
}

/* Sessions that are not told of again are not there any more; nothing is done before one is. */
static void
forget_seen(struct bfdmon_program *p)
{
  for (uint i = 0; i < p->seen_count; i++)
    mb_free(p->seen[i].session);
  p->seen_count = 0;
}

static bool
exec_event(struct bfdmon_program *p, const struct bfdmon_event *ev, int *status)
{
  print_trouble(ev);
  if (ev->kind == BFDMON_REFUSED)
  {
    *status = STATUS_REFUSED;
    return true;
  }
  if (ev->kind == BFDMON_SESSION)
  {
    seen_find(p, ev->session)->up = ev->state == BFDMON_UP;
    print_event(p, ev);
    act_soon(p, ev);
  }
  else if (ev->kind == BFDMON_CONNECTED || ev->kind == BFDMON_LOST)
    forget_seen(p);
  else if (ev->kind == BFDMON_DISCONNECTED && p->lost_is_down)
  {
    forget_seen(p);
    act_soon(p, ev);
  }
  return false;
}

static int
run_exec(struct bfdmon_program *p, const char *session)
{
  int status;

  if (!p->on_up && !p->on_down)
    return usage_error("There is nothing to do: --on-up and --on-down are missing");
  runner_init(&p->runner, p->on_up, p->on_down);
  subscribe(p, session);
  status = follow(p, exec_event);
  runner_finish(&p->runner);
  return status;
}

/* The command line */

enum option_number
{
  OPT_JSON = 256,
  OPT_ON_UP,
  OPT_ON_DOWN,
  OPT_LOST,
  OPT_TIMEOUT,
  OPT_VERSION,
  OPT_HELP,
  OPT_SESSION, /* from here on those of sessions */
  OPT_INTERVAL = OPT_SESSION,
  OPT_MIN_RX,
  OPT_MIN_TX,
  OPT_MULTIPLIER,
  OPT_PASSIVE,
  OPT_INTERFACE,
  OPT_MULTIHOP,
  OPT_LOCAL,
  OPT_MIN_TTL,
  OPT_AUTHENTICATION,
};

static const struct option long_options[] = {
  { "socket", required_argument, NULL, 's' },
  { "json", no_argument, NULL, OPT_JSON },
  { "on-up", required_argument, NULL, OPT_ON_UP },
  { "on-down", required_argument, NULL, OPT_ON_DOWN },
  { "lost", required_argument, NULL, OPT_LOST },
  { "timeout", required_argument, NULL, OPT_TIMEOUT },
  { "version", no_argument, NULL, OPT_VERSION },
  { "help", no_argument, NULL, OPT_HELP },
  { "interval", required_argument, NULL, OPT_INTERVAL },
  { "min-rx", required_argument, NULL, OPT_MIN_RX },
  { "min-tx", required_argument, NULL, OPT_MIN_TX },
  { "multiplier", required_argument, NULL, OPT_MULTIPLIER },
  { "passive", no_argument, NULL, OPT_PASSIVE },
  { "interface", required_argument, NULL, OPT_INTERFACE },
  { "multihop", no_argument, NULL, OPT_MULTIHOP },
  { "local", required_argument, NULL, OPT_LOCAL },
  { "min-ttl", required_argument, NULL, OPT_MIN_TTL },
  { "authentication", required_argument, NULL, OPT_AUTHENTICATION },
  { NULL, 0, NULL, 0 },
};

NORETURN static void
bad_value(int opt, const char *value)
{
  const struct option *o = long_options;

  while (o->val != opt)
    o++;
  fprintf(stderr, "bfdmon: --%s does not take '%s'\n", o->name, value);
  exit(STATUS_USAGE);
}

static btime
time_value(int opt, btime min, btime max)
{
  btime t;

  if (!duration_parse(optarg, min, max, &t))
    bad_value(opt, optarg);
  return t;
}

static u8
byte_value(int opt)
{
  char *end;
  unsigned long n = strtoul(optarg, &end, 10);

  if (optarg[0] < '0' || optarg[0] > '9' || *end || n < 1 || n > 255)
    bad_value(opt, optarg);
  return n;
}

static void
session_option(struct bfdmon_program *p, int opt)
{
  struct bfdmon_options *o = &p->options;

  p->has_options = true;
  if (opt == OPT_INTERVAL || opt == OPT_MIN_RX)
    o->min_rx = time_value(opt, BT_MS(1), U32_MAX);
  if (opt == OPT_INTERVAL || opt == OPT_MIN_TX)
    o->min_tx = time_value(opt, BT_MS(1), U32_MAX);
  if (opt == OPT_MULTIPLIER)
    o->multiplier = byte_value(opt);
  else if (opt == OPT_PASSIVE)
    o->passive = true;
  else if (opt == OPT_INTERFACE)
    o->interface = optarg;
  else if (opt == OPT_MULTIHOP)
    o->multihop = true;
  else if (opt == OPT_LOCAL)
    o->local = optarg;
  else if (opt == OPT_MIN_TTL)
    o->min_ttl = byte_value(opt);
  else if (opt == OPT_AUTHENTICATION)
    o->authentication = optarg;
}

/* False: that was all, with @status. */
static bool
parse_options(struct bfdmon_program *p, int argc, char **argv, int *status)
{
  int opt;

  while ((opt = getopt_long(argc, argv, "s:", long_options, NULL)) >= 0)
    if (opt == 's')
      p->where = optarg;
    else if (opt == OPT_JSON)
      p->json = true;
    else if (opt == OPT_ON_UP)
      p->on_up = optarg;
    else if (opt == OPT_ON_DOWN)
      p->on_down = optarg;
    else if (opt == OPT_LOST && (strcmp(optarg, "down") == 0 || strcmp(optarg, "keep") == 0))
      p->lost_is_down = optarg[0] == 'd';
    else if (opt == OPT_LOST)
      bad_value(opt, optarg);
    else if (opt == OPT_TIMEOUT)
      p->timeout = time_value(opt, BT_MS(1), BT_S(86400 * 365));
    else if (opt >= OPT_SESSION)
      session_option(p, opt);
    else
    {
      if (opt == OPT_HELP)
        printf("%s%s", usage, options_help);
      else if (opt == OPT_VERSION)
        printf("bfdmon, Peregrine %s\n", PACKAGE_VERSION);
      else
        fputs(usage, stderr);
      *status = opt == '?' ? STATUS_USAGE : STATUS_OK;
      return false;
    }
  return true;
}

static int
run(struct bfdmon_program *p, int count, char **words)
{
  const char *command = words[0];

  if (strcmp(command, "list") == 0 && count == 1)
    return run_list(p);
  if (strcmp(command, "watch") == 0)
    return run_watch(p, words + 1);
  if (strcmp(command, "show") == 0 && count <= 2)
    return run_show(p, count == 2 ? words[1] : "all");
  if (strcmp(command, "up") == 0 && count == 2)
    return run_watch(p, words + 1);
  if (strcmp(command, "exec") == 0 && count == 2)
    return run_exec(p, words[1]);
  if (strcmp(command, "wait") == 0 && count == 3)
    return run_wait(p, words[1], words[2]);
  fputs(usage, stderr);
  return STATUS_USAGE;
}

static int
run_connected(struct bfdmon_program *p, int count, char **words)
{
  int status;

  p->m = bfdmon_open(p->where);
  if (!p->m)
  {
    fprintf(stderr, "bfdmon: %s is no socket to connect to\n", p->where ? p->where : PATH_MONITOR_SOCKET);
    return STATUS_USAGE;
  }
  status = run(p, count, words);
  bfdmon_close(p->m);
  return status;
}

int
main(int argc, char **argv)
{
  struct bfdmon_program p = { .pool = pool_new(NULL, "bfdmon"), .runner.pidfd = -1 };
  int status;

  signal(SIGPIPE, SIG_IGN);
  if (parse_options(&p, argc, argv, &status))
    status = optind < argc ? run_connected(&p, argc - optind, argv + optind)
                           : usage_error("What is to be done is missing");
  rfree(p.pool);
  return status;
}
