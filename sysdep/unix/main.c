/*
 * sysdep/unix/main.c: the daemon `bird`
 *
 * Starts everything in order (options, configuration, control socket, daemon, log, loop) and ends it in the
 * reverse one. The only file besides the generated parser that sees all layers.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nest/bfd.h"
#include "nest/nest.h"
#include "nest/routerid.h"
#include "nest/sockets.h"
#include "nest/table.h"
#include "sysdep/clock.h"
#include "sysdep/privileges.h"
#include "sysdep/watchdog.h"

#define WATCHDOG_MIN BT_S(1) /* as users of BIRD know it */

struct options
{
  const char *config, *control, *pid_file, *debug_file, *user, *group;
  bool debug, foreground, parse_only;
};

static struct
{
  struct options opt;
  pool *pool;
  struct loop *loop;
  char hostname[256]; /* of the system */
  bool ending;
} bird;

/* Options */

static void
usage(FILE *to)
{
  fputs("Usage: bird [-c CONFIG] [-d] [-D DEBUG-FILE] [-f] [-g GROUP] [-h] [-l] [-p] [-P PID-FILE] [-R]\n"
        "            [-s CONTROL-SOCKET] [-u USER] [--version]\n"
        "\n"
        "  -c FILE     read the configuration from FILE instead of " PATH_CONFIG_FILE "\n"
        "  -d          stay in the foreground and log to stderr\n"
        "  -D FILE     log everything to FILE as well\n"
        "  -f          stay in the foreground\n"
        "  -g GROUP    run as this group; it may use the control socket\n"
        "  -l          ./bird.conf and ./bird.ctl instead of the standard places\n"
        "  -p          only check the configuration\n"
        "  -P FILE     write the process id to FILE\n"
        "  -R          recover after a graceful restart\n"
        "  -s FILE     control socket instead of " PATH_CONTROL_SOCKET "\n"
        "  -u USER     run as this user, with the capabilities that are needed\n",
        to);
}

static void
parse_options(struct options *o, int argc, char **argv)
{
  static const struct option longs[] = { { "help", 0, NULL, 'h' }, { "version", 0, NULL, 'V' }, { 0 } };
  int c;

  *o = (struct options){ .config = PATH_CONFIG_FILE, .control = PATH_CONTROL_SOCKET };
  while ((c = getopt_long(argc, argv, "c:dD:fg:hlpP:Rs:u:", longs, NULL)) >= 0)
    switch (c)
    {
    case 'c':
      o->config = optarg;
      break;
    case 'd':
      o->debug = true;
      break;
    case 'D':
      o->debug_file = optarg;
      break;
    case 'f':
      o->foreground = true;
      break;
    case 'g':
      o->group = optarg;
      break;
    case 'h':
      usage(stdout);
      exit(0);
    case 'l':
      o->config = "bird.conf";
      o->control = "bird.ctl";
      break;
    case 'p':
      o->parse_only = true;
      break;
    case 'P':
      o->pid_file = optarg;
      break;
    case 'R': /* nothing here keeps routes over a restart yet, so there is nothing to recover */
      break;
    case 's':
      o->control = optarg;
      break;
    case 'u':
      o->user = optarg;
      break;
    case 'V':
      fputs("BIRD version " BIRD_VERSION " (Peregrine " PACKAGE_VERSION ")\n", stderr);
      exit(0);
    default:
      usage(stderr);
      exit(1);
    }
  if (optind < argc)
  {
    usage(stderr);
    exit(1);
  }
}

/* Start and end */

static struct log_sink
finished_sink(const struct config *cfg, struct log_sink sink)
{
  sink.time = cfg->time_log.recent;
  sink.hostname = cfg->hostname ? cfg->hostname : bird.hostname;
  return sink;
}

static void
set_log_sinks(const struct config *cfg)
{
  static const struct log_sink to_syslog = { .kind = LOG_SYSLOG, .classes = LOG_ALL },
                               to_stderr = { .kind = LOG_STDERR, .classes = LOG_ALL };
  const struct log_sink to_file = { .kind = LOG_FILE, .classes = LOG_ALL, .name = bird.opt.debug_file };
  struct log_sink sinks[cfg->sink_count + 3]; /* besides those configured the three above */
  uint count = 0;

  for (uint i = 0; i < cfg->sink_count; i++)
    if (!(bird.opt.debug && cfg->sinks[i].kind == LOG_STDERR))
      sinks[count++] = finished_sink(cfg, cfg->sinks[i]);
  if (!cfg->sink_count)
    sinks[count++] = finished_sink(cfg, to_syslog);
  if (bird.opt.debug)
    sinks[count++] = finished_sink(cfg, to_stderr);
  if (bird.opt.debug_file)
    sinks[count++] = finished_sink(cfg, to_file);
  log_set_sinks(sinks, count);
}

/* Settings that belong to no protocol; also those of the first configuration. */
static void
set_globals(const struct config *cfg)
{
  set_log_sinks(cfg);
  loop_set_limits(bird.loop, cfg->debug_latency ? MAX(cfg->latency_limit, 1) : 0, cfg->watchdog_warning);
  watchdog_set(bird.loop, cfg->watchdog_timeout ? MAX(cfg->watchdog_timeout, WATCHDOG_MIN) : 0);
  router_id_configure(cfg);
  sockets_configure(cfg);
}

static const struct reconfig_hooks reconfig_hooks = { .globals = set_globals };

static struct config *
read_config(void)
{
  struct conf_error error;
  struct config *cfg = config_parse(bird.opt.config, true, &error);

  if (!cfg && access(bird.opt.config, R_OK) < 0)
    die("Unable to open configuration file %s: %s", bird.opt.config, strerror(errno));
  if (!cfg && error.hint[0])
    die("%s\n  hint: %s", error.text, error.hint);
  if (!cfg)
    die("%s", error.text);
  return cfg;
}

static void
loop_ended(bool complete)
{
  if (complete)
    loop_stop(bird.loop);
}

static void
begin_shutdown(void)
{
  if (bird.ending)
  {
    loop_stop(bird.loop); /* asked for twice: without waiting for anybody */
    return;
  }
  bird.ending = true;
  log_write(L_INFO, "Shutting down");
  reconfig_stop();
  protos_shutdown(loop_ended);
}

static void
signal_ready(struct fd_watch *w, uint ready UNUSED, void *data UNUSED)
{
  struct signalfd_siginfo info;

  if (read(w->fd, &info, sizeof(info)) != sizeof(info))
    return;
  if (info.ssi_signo != SIGHUP)
    begin_shutdown();
  else if (!bird.ending)
    reconfig_reload();
}

static void
watch_signals(void)
{
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);

  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);

  if (fd < 0)
    die("Cannot watch signals: %s", strerror(errno));
  fd_watch_new(bird.pool, bird.loop, fd, FD_READ, LOOP_REST, signal_ready, NULL);
}

static void
own_file(const char *path)
{
  /* The group may use it. */
  if (!privileges_own_file(path, bird.opt.user, bird.opt.group))
    die("Cannot change the owner of %s: %s", path, strerror(errno));
}

/* The standard place lives in memory, and is gone after a boot. Failure shows when the socket is opened. */
static void
make_control_directory(void)
{
  char dir[] = PATH_CONTROL_SOCKET;

  if (strcmp(bird.opt.control, dir) != 0)
    return;
  *strrchr(dir, '/') = 0;
  if (mkdir(dir, 0755) == 0)
    own_file(dir);
}

static void
open_control_sockets(const struct config *cfg)
{
  int error;

  make_control_directory();
  cli_init(bird.pool, bird.loop);
  if (!cli_listen(bird.pool, bird.loop, bird.opt.control, false, reconfig_current, &error))
  {
    if (error == EADDRINUSE)
      die("Control socket %s is in use by a running daemon", bird.opt.control);
    die("Cannot open control socket %s: %s", bird.opt.control, strerror(error));
  }
  own_file(bird.opt.control);
  sockets_init(bird.pool, bird.loop, reconfig_current);
  if (!sockets_configure(cfg))
    exit(1); /* the reason has been said */
  for (const struct cli_socket *s = cfg->cli_sockets; s; s = s->next)
    own_file(s->path);
}

/* Into the background. What an operator can get wrong has been checked by now: stderr leads nowhere
 * afterwards. */
static void
daemonize(void)
{
  pid_t pid = fork();

  if (pid < 0)
    die("Cannot fork: %s", strerror(errno));
  if (pid)
    _exit(0);
  setsid();

  int null = open("/dev/null", O_RDWR);

  if (null < 0)
    die("Cannot open /dev/null: %s", strerror(errno));
  for (int fd = 0; fd < 3; fd++)
    dup2(null, fd);
  if (null > 2)
    close(null);
}

/* Opened while errors can still be seen and by whom started us, written when it is known who we are. */
static FILE *
open_pid_file(void)
{
  FILE *f = bird.opt.pid_file ? fopen(bird.opt.pid_file, "we") : NULL;

  if (bird.opt.pid_file && !f)
    die("Cannot write PID file %s: %s", bird.opt.pid_file, strerror(errno));
  return f;
}

static void
write_pid_file(FILE *f)
{
  if (!f)
    return;
  fprintf(f, "%d\n", (int) getpid());
  fclose(f);
}

/* A socket for each session: as many descriptors as the system lets us have. */
static void
raise_file_limit(void)
{
  struct rlimit lim;

  if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
    return;

  struct rlimit more = { MAX(lim.rlim_max, (rlim_t) 1 << 17), MAX(lim.rlim_max, (rlim_t) 1 << 17) };

  if (setrlimit(RLIMIT_NOFILE, &more) == 0)
    return;
  lim.rlim_cur = lim.rlim_max;
  setrlimit(RLIMIT_NOFILE, &lim);
}

static const struct loop_slices *
main_slices(void)
{
  return loop_slices(bird.loop);
}

static void
run(struct config *cfg)
{
  static struct daemon_info info = { .slices = main_slices, .shutdown = begin_shutdown };

  bird.pool = pool_new(NULL, "Daemon");
  bird.loop = loop_new(bird.pool, "bird");
  if (!bird.loop)
    die("No file descriptors left");
  open_control_sockets(cfg);

  FILE *pid_file = open_pid_file();
  bool locked;

  raise_file_limit();
  privileges_raise();
  privileges_drop(bird.opt.user, bird.opt.group);
  if (!bird.opt.foreground && !bird.opt.debug)
    daemonize();
  locked = privileges_lock_memory();
  write_pid_file(pid_file);
  watch_signals();

  info.booted = clock_wall();
  gethostname(bird.hostname, sizeof(bird.hostname) - 1);
  nest_init(&info);
  iface_init(bird.pool, bird.loop);
  neighbor_init(bird.pool, bird.loop);
  bfd_init(bird.pool, bird.loop);
  rt_init(bird.pool, bird.loop);
  protos_init(bird.pool, bird.loop);
  set_log_sinks(cfg);
  log_start();
  privileges_report(locked);
  reconfig_init(bird.pool, bird.loop, cfg, &reconfig_hooks);
  log_write(L_INFO, "Started");
  loop_run(bird.loop);

  log_write(L_INFO, "Shutdown completed");
  watchdog_stop();
  if (bird.opt.pid_file)
    unlink(bird.opt.pid_file);
  log_stop();
  reconfig_free();
  rfree(bird.pool); /* the control sockets too */
}

int
main(int argc, char **argv)
{
  parse_options(&bird.opt, argc, argv);

  struct config *cfg = read_config();

  if (bird.opt.parse_only)
    config_free(cfg);
  else
    run(cfg);
  return 0;
}
