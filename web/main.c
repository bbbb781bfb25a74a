/*
 * web/main.c: bird-web, a page and metrics for those who watch BFD sessions
 *
 * It is a client of the daemon's monitor like any other: one connection feeds the state, another one asks
 * what the state does not have. It needs no privilege but to connect there.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/ip.h"
#include "sysdep/clock.h"
#include "web/http.h"

#define PORT 5644
#define PING BT_S(10)

static const char usage[] = "Usage: bird-web [-s WHERE] [-l ADDRESS] [-p PORT]\n";

static const char options_help[] =
    "  -s, --socket WHERE     socket of the daemon's monitor, or ADDRESS:PORT (default " PATH_MONITOR_SOCKET
    ")\n"
    "  -l, --listen ADDRESS   listen there (default 127.0.0.1)\n"
    "  -p, --port PORT        (default 5644)\n"
    "  --version, --help\n"
    "There is no authentication: whoever reaches that address sees everything. It changes nothing.\n";

struct options
{
  const char *where;
  ip_addr local;
  u16 port;
};

NORETURN static void
usage_error(const char *what, const char *value)
{
  fprintf(stderr, "bird-web: %s%s\n%s", what, value, usage);
  exit(2);
}

static u16
port_of(const char *text)
{
  char *end;
  unsigned long port = strtoul(text, &end, 10);

  if (text[0] < '0' || text[0] > '9' || *end || !port || port > 65535)
    usage_error("This is no port: ", text);
  return port;
}

static void
parse_options(struct options *o, int argc, char **argv)
{
  static const struct option long_options[] = {
    { "socket", required_argument, NULL, 's' }, { "listen", required_argument, NULL, 'l' },
    { "port", required_argument, NULL, 'p' },   { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'H' },         { NULL, 0, NULL, 0 }
  };
  int opt;

  *o = (struct options){ .local = ip_v4(0x7f000001), .port = PORT };
  while ((opt = getopt_long(argc, argv, "s:l:p:", long_options, NULL)) >= 0)
    if (opt == 's')
      o->where = optarg;
    else if (opt == 'p')
      o->port = port_of(optarg);
    else if (opt == 'l' && !ip_parse(optarg, &o->local))
      usage_error("This is no address: ", optarg);
    else if (opt == 'V' || opt == 'H')
    {
      if (opt == 'H')
        printf("%s%s", usage, options_help);
      else
        printf("bird-web, Peregrine %s\n", PACKAGE_VERSION);
      exit(0);
    }
    else if (opt == '?')
      usage_error("This is no option", "");
  if (optind < argc)
    usage_error("This is too much: ", argv[optind]);
}

static int
open_signals(void)
{
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

static struct bfdmon *
open_monitor(const char *where)
{
  struct bfdmon *m = bfdmon_open(where);

  if (!m)
    usage_error("There is nothing to connect to at ", where ? where : PATH_MONITOR_SOCKET);
  return m;
}

/* All that has come, a slice at a time. True: there may be more. */
static bool
take_events(struct bfdmon *m, struct state *state, bool *news)
{
  struct bfdmon_event ev;

  for (uint i = 0; i < 256; i++)
  {
    if (bfdmon_next(m, &ev, 0) <= 0)
      return false;
    *news |= state_take(state, &ev);
  }
  return true;
}

static void
run(struct bfdmon *m, struct state *state, struct http *h)
{
  struct pollfd fds[] = { { .fd = open_signals(), .events = POLLIN },
                          { .fd = bfdmon_fd(m), .events = POLLIN },
                          { .fd = http_fd(h), .events = POLLIN } };
  btime pinged = clock_now();
  bool more = true;

  while (!fds[0].revents)
  {
    bool news = false, ping = clock_now() - pinged >= PING;
    int timeout = http_timeout(h);

    poll(fds, ARRAY_SIZE(fds), more ? 0 : timeout >= 0 ? MIN(timeout, 1000) : 1000);
    more = take_events(m, state, &news);
    if (news || ping)
      http_wake_streams(h, ping);
    if (ping)
      pinged = clock_now();
    http_work(h);
  }
  close(fds[0].fd);
}

int
main(int argc, char **argv)
{
  pool *p = pool_new(NULL, "bird-web");
  struct options o;

  parse_options(&o, argc, argv);

  struct bfdmon *feed = open_monitor(o.where), *questions = open_monitor(o.where);
  struct state *state = state_new(p);
  struct http *h = http_new(p, o.local, o.port, state, questions);

  if (h)
  {
    bfdmon_protocols(feed, true);
    bfdmon_subscribe(feed, "all", NULL);
    run(feed, state, h);
    http_free(h);
  }
  else
    fprintf(stderr, "bird-web: Cannot listen on %s port %u: %s\n", IP_STR(o.local), o.port, strerror(errno));
  bfdmon_close(feed);
  bfdmon_close(questions);
  rfree(p);
  return h ? 0 : 3;
}
