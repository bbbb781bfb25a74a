/*
 * client/bfd.c: one BFD session in the foreground, on the engine itself
 *
 * The engine and all else run in the only thread: commands are handed to it from the loop, and what it
 * delivers comes back through a mailbox, so that neither is called from inside the other.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/bfd_options.h"
#include "client/runner.h"
#include "lib/text.h"
#include "proto/bfd/engine.h"
#include "proto/bfd/verdict.h"
#include "sysdep/clock.h"
#include "sysdep/log.h"
#include "sysdep/socket.h"

#define FIRST_PORT 49152 /* RFC 5881 section 4 */
#define RECEIVE_BUFFER (256 << 10)

struct bfd_program
{
  struct bfd_program_options opt;
  struct bfd_key key;
  struct bfd_path path;
  pool *pool;
  struct loop *loop;
  struct mailbox *replies;
  struct bfd_engine *engine;
  struct fd_watch *signals;
  struct runner runner;
  u64 id;
  u16 source_port;
  struct bfd_status status;
  enum bfd_verdict verdict; /* of the last Down */
  u32 verdicts[BFD_VERDICT__MAX];
  bool leaving;
  int exit;
};

/* Output */

#define SAY(p, ...)        \
  do                       \
    if (!(p)->opt.quiet)   \
    {                      \
      printf(__VA_ARGS__); \
      fflush(stdout);      \
    }                      \
  while (0)

static bool
left_up(const struct bfd_program *p, const struct bfd_note *note)
{
  return note->left_up && note->status.state != BFD_UP && p->verdict;
}

static void
say_state(const struct bfd_program *p, const struct bfd_note *note, btime wall)
{
  const struct bfd_status *st = &note->status;
  const char *why = left_up(p, note) ? bfd_verdict_name(p->verdict) : NULL;

  if (p->opt.json)
    SAY(p,
        "{\"event\":\"state\",\"state\":\"%s\",\"remote_state\":\"%s\",\"diagnostic\":\"%s\"%s%s%s,"
        "\"local_discriminator\":%u,\"remote_discriminator\":%u,\"wall_us\":%lld}\n",
        bfd_state_name(st->state), bfd_state_name(st->remote_state), bfd_diag_name(st->diag),
        why ? ",\"verdict\":\"" : "", why ? why : "", why ? "\"" : "", bfd_id_disc(p->id), note->remote_disc,
        (long long) wall);
  else
    SAY(p, "%s %s: %s, remote %s%s%s%s%s\n", WALL_STR(wall), IP_STR(p->key.remote), bfd_state_name(st->state),
        bfd_state_name(st->remote_state), st->diag ? ", " : "", st->diag ? bfd_diag_name(st->diag) : "",
        why ? "; " : "", why ? why : "");
}

static void
say_gaps(const struct bfd_program *p, const struct bfd_arrivals *a)
{
  const char *comma = "";

  for (uint i = 0; i < BFD_GAP_BUCKETS; i++)
  {
    btime end = bfd_gap_end(i);

    if (!a->bucket[i])
      continue;
    if (p->opt.json)
      printf("%s[%lld,%u]", comma, end == BT_NEVER ? 0LL : (long long) end, a->bucket[i]);
    else
      printf("  %s%s: %u\n", end == BT_NEVER ? "longer" : "under ", end == BT_NEVER ? "" : TIME_STR(end),
             a->bucket[i]);
    comma = ",";
  }
}

static u64
sum(const u32 *counts, uint max)
{
  u64 n = 0;

  for (uint i = 0; i < max; i++)
    n += counts[i];
  return n;
}

static void
say_verdicts(const struct bfd_program *p)
{
  const char *comma = "";

  for (uint i = 0; i < BFD_VERDICT__MAX; i++)
  {
    if (!p->verdicts[i])
      continue;
    printf(p->opt.json ? "%s\"%s\":%u" : "%s%s: %u", p->opt.json ? comma : "  ", bfd_verdict_name(i),
           p->verdicts[i]);
    if (!p->opt.json)
      putchar('\n');
    comma = ",";
  }
}

static void
say_summary(const struct bfd_program *p, const struct bfd_info *i)
{
  const struct bfd_counters *n = &i->counters;
  unsigned long long rx = n->rx, tx = n->tx, refused = sum(n->troubles.refused, BFD_RX__MAX),
                     downs = sum(n->troubles.downs, BFD_DIAG__MAX);

  if (p->opt.json)
    printf("{\"event\":\"summary\",\"state\":\"%s\",\"ups\":%u,\"downs\":%llu,\"rx\":%llu,\"tx\":%llu,"
           "\"refused\":%llu,\"largest_gap_us\":%u,\"gaps_us\":[",
           bfd_state_name(i->status.state), n->ups, downs, rx, tx, refused, i->arrivals.largest);
  else
    printf("--- %s, %s: up %u times, down %llu times; %llu packets received, %llu refused, %llu sent\n",
           IP_STR(p->key.remote), bfd_state_name(i->status.state), n->ups, downs, rx, refused, tx);
  if (!p->opt.json && i->arrivals.count)
    printf("Gaps between packets, the largest %s s:\n", TIME_STR(i->arrivals.largest));
  say_gaps(p, &i->arrivals);
  if (p->opt.json)
    printf("],\"verdicts\":{");
  else if (downs)
    printf("Verdicts:\n");
  say_verdicts(p);
  printf(p->opt.json ? "}}\n" : "");
  fflush(stdout);
}

/* Addresses */

NORETURN static void
give_up(int status, const char *what, const char *why)
{
  fprintf(stderr, "bfd: %s: %s\n", what, why);
  exit(status);
}

static ip_addr
ip_of(const struct sockaddr *sa)
{
  if (sa->sa_family == AF_INET)
    return ip_from_bytes((const byte *) &((const struct sockaddr_in *) sa)->sin_addr, 4);
  return ip_from_bytes((const byte *) &((const struct sockaddr_in6 *) sa)->sin6_addr, 16);
}

static struct addrinfo *
resolve(const char *name, int family)
{
  struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM }, *found = NULL;
  int error = getaddrinfo(name, NULL, &hints, &found);

  if (error)
    give_up(BFD_EXIT_USAGE, name, gai_strerror(error));
  return found;
}

static uint
scope_of(const struct addrinfo *a)
{
  return a->ai_family == AF_INET6 ? ((const struct sockaddr_in6 *) a->ai_addr)->sin6_scope_id : 0;
}

/* What the kernel would send from. */
static ip_addr
local_for(const struct addrinfo *remote)
{
  int fd = socket(remote->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sockaddr_storage peer, sa = { 0 };
  socklen_t size = sizeof(sa);

  memcpy(&peer, remote->ai_addr, remote->ai_addrlen);
  ((struct sockaddr_in *) &peer)->sin_port = htons(BFD_PORT_DIRECT); /* the same place in both families */
  if (fd < 0 || connect(fd, (struct sockaddr *) &peer, remote->ai_addrlen) < 0 ||
      getsockname(fd, (struct sockaddr *) &sa, &size) < 0)
    give_up(BFD_EXIT_USAGE, "There is no way to the peer", strerror(errno));
  close(fd);
  return ip_of((struct sockaddr *) &sa);
}

/* Both of one family; the peer's first address decides. */
static void
find_addresses(struct bfd_program *p)
{
  struct addrinfo *remotes = resolve(p->opt.remote, p->opt.family), *r = remotes;
  bool any = strcmp(p->opt.local, "-") == 0;
  struct addrinfo *locals = any ? NULL : resolve(p->opt.local, p->opt.family), *l = locals;

  for (; r && !any; r = r->ai_next)
  {
    for (l = locals; l && l->ai_family != r->ai_family; l = l->ai_next)
      continue;
    if (l)
      break;
  }
  if (!r)
    give_up(BFD_EXIT_USAGE, p->opt.remote, "is of another family than our address");
  p->key.remote = ip_of(r->ai_addr);
  p->path.local = any ? local_for(r) : ip_of(l->ai_addr);
  p->path.ifindex = scope_of(r);
  freeaddrinfo(remotes);
  if (locals)
    freeaddrinfo(locals);
}

static bool
has_address(const struct ifaddrs *i, const struct bfd_program *p)
{
  return i->ifa_addr && (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6) &&
         ip_equal(ip_of(i->ifa_addr), p->path.local);
}

/* The interface that has our address; with several of them (link-local) it has to be said. */
static void
find_interface(struct bfd_program *p)
{
  const char *wanted = p->opt.ifname;
  struct ifaddrs *list, *i, *found = NULL;
  uint scope = p->path.ifindex;

  if (getifaddrs(&list) < 0)
    give_up(BFD_EXIT_SYSTEM, "The interfaces of this host", strerror(errno));
  for (i = list; i && !found; i = i->ifa_next)
    if (has_address(i, p) && (!wanted || strcmp(wanted, i->ifa_name) == 0) &&
        (!scope || if_nametoindex(i->ifa_name) == scope))
      found = i;
  if (!found)
    give_up(BFD_EXIT_USAGE, IP_STR(p->path.local),
            wanted ? "is no address of that interface" : "is no address of this host");
  if (ip_is_link_local(p->key.remote) && !wanted && !scope)
    give_up(BFD_EXIT_USAGE, p->opt.remote, "is link-local: --interface has to say where");
  p->path.usable = true;
  if (!p->opt.multihop)
  {
    snprintf(p->key.ifname, sizeof(p->key.ifname), "%s", found->ifa_name);
    p->path.ifindex = if_nametoindex(found->ifa_name);
    p->path.point_to_point = found->ifa_flags & IFF_POINTOPOINT;
  }
  else
    p->path.ifindex = 0;
  freeifaddrs(list);
}

/* Commands to the engine */

static void
command(struct bfd_program *p, struct bfd_msg *msg, enum bfd_msg_kind kind)
{
  msg->kind = kind;
  bfd_engine_message(&msg->m, p->engine);
}

static void
configure(struct bfd_program *p, enum bfd_msg_kind kind)
{
  size_t keys = bfd_keys_size(p->opt.keys ? p->opt.keys->count : 0);
  struct bfd_cmd *cmd = msg_alloc(sizeof(*cmd) - sizeof(cmd->keys) + keys);

  cmd->id = p->id;
  cmd->key = p->key;
  cmd->source_port = p->source_port;
  cmd->port = p->opt.port;
  cmd->path = p->path;
  cmd->params = p->opt.params;
  if (p->opt.keys)
    memcpy(&cmd->keys, p->opt.keys, keys);
  command(p, &cmd->msg, kind);
}

static void
session_command(struct bfd_program *p, enum bfd_msg_kind kind)
{
  struct bfd_session_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->id = p->id;
  command(p, &cmd->msg, kind);
}

static void
ask_snapshot(struct bfd_program *p)
{
  struct bfd_snapshot_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->id = p->id;
  command(p, &cmd->msg, BFD_SNAPSHOT);
}

/* What comes from it */

static void
act(struct bfd_program *p, const struct bfd_note *note, btime wall)
{
  struct runner_facts facts = { 0 };
  bool up = note->status.state == BFD_UP;

  runner_fact(&facts, "BFD_EVENT", "%s", up ? "up" : "down");
  runner_fact(&facts, "BFD_REMOTE", "%s", IP_STR(p->key.remote));
  runner_fact(&facts, "BFD_LOCAL", "%s", IP_STR(p->path.local));
  runner_fact(&facts, "BFD_INTERFACE", "%s", p->key.ifname);
  runner_fact(&facts, "BFD_STATE", "%s", bfd_state_name(note->status.state));
  runner_fact(&facts, "BFD_DIAGNOSTIC", "%s", bfd_diag_name(note->status.diag));
  runner_fact(&facts, "BFD_VERDICT", "%s", left_up(p, note) ? bfd_verdict_name(p->verdict) : "");
  runner_fact(&facts, "BFD_WALL_US", "%lld", (long long) wall);
  if (up || p->runner.done != RUNNER_NONE) /* what was never up is not down now */
    runner_want(&p->runner, up, &facts);
}

/* Say how it was, then AdminDown, then end. The engine says nothing more of a session that goes. */
static void
leave(struct bfd_program *p, int status)
{
  static const struct bfd_note goodbye = {
    .status = { .state = BFD_ADMIN_DOWN, .diag = BFD_DIAG_ADMIN_DOWN, .remote_state = BFD_DOWN },
  };

  if (p->leaving)
    return;
  p->leaving = true;
  p->exit = status;
  if (!p->opt.until_up)
    act(p, &goodbye, clock_wall());
  ask_snapshot(p);
}

static void
note_received(struct bfd_program *p, struct bfd_note *note)
{
  btime wall = clock_wall() - (note->since ? clock_now() - note->since : 0);
  bool changed = note->status.state != p->status.state || note->left_up;

  p->status = note->status;
  if (changed)
  {
    say_state(p, note, wall);
    act(p, note, wall);
  }
  if (note->status.state == BFD_UP && p->opt.until_up)
    leave(p, BFD_EXIT_OK);
  command(p, &note->msg, BFD_NOTE); /* to be used again */
}

static void
down_received(struct bfd_program *p, struct bfd_down *down)
{
  p->verdict = bfd_judge(&down->evidence);
  p->verdicts[p->verdict]++;
  command(p, &down->msg, BFD_DOWN_REPORT);
}

static void
snapshot_received(struct bfd_program *p, const struct bfd_snapshot *snap)
{
  struct bfd_msg *quit = msg_alloc(sizeof(*quit));

  if (snap->count)
    say_summary(p, &snap->info[0]);
  command(p, quit, BFD_QUIT);
}

static void
reply_received(struct msg *m, void *data)
{
  struct bfd_program *p = data;
  struct bfd_msg *reply = SKIP_BACK(struct bfd_msg, m, m);

  if (reply->kind == BFD_NOTE)
  {
    note_received(p, (struct bfd_note *) reply);
    return;
  }
  if (reply->kind == BFD_DOWN_REPORT)
  {
    down_received(p, (struct bfd_down *) reply);
    return;
  }
  if (reply->kind == BFD_SNAPSHOT_REPLY)
    snapshot_received(p, (struct bfd_snapshot *) reply);
  else if (reply->kind == BFD_STOPPED)
    loop_stop(p->loop);
  msg_free(reply);
}

static void
deliver(struct msg *m, void *data)
{
  mailbox_post(((struct bfd_program *) data)->replies, m);
}

/* Signals and time */

static void
signal_came(struct bfd_program *p, int number)
{
  if (number == SIGCHLD)
    runner_ended(&p->runner);
  else if (number == SIGUSR1)
    session_command(p, BFD_ASK);
  else if (number == SIGUSR2)
  {
    p->opt.params.admin_down = !p->opt.params.admin_down;
    configure(p, BFD_CHANGE);
  }
  else
    leave(p, p->status.state == BFD_UP ? BFD_EXIT_OK : BFD_EXIT_DOWN);
}

static void
signals_ready(struct fd_watch *w, uint ready UNUSED, void *data)
{
  struct signalfd_siginfo info;

  while (read(w->fd, &info, sizeof(info)) == sizeof(info))
    signal_came(data, info.ssi_signo);
}

static void
watch_signals(struct bfd_program *p)
{
  static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
  sigset_t set;

  sigemptyset(&set);
  for (uint i = 0; i < ARRAY_SIZE(numbers); i++)
    sigaddset(&set, numbers[i]);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  p->signals = fd_watch_new(p->pool, p->loop, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), FD_READ,
                            LOOP_FIRST, signals_ready, p);
}

static void
timeout_due(struct timer *t UNUSED, void *data)
{
  struct bfd_program *p = data;

  if (p->status.state != BFD_UP)
    leave(p, BFD_EXIT_DOWN);
}

static void
duration_due(struct timer *t UNUSED, void *data)
{
  struct bfd_program *p = data;

  leave(p, p->status.state == BFD_UP ? BFD_EXIT_OK : BFD_EXIT_DOWN);
}

static void
set_timer(struct bfd_program *p, btime after, void (*hook)(struct timer *t, void *data))
{
  if (after)
    timer_set_in(timer_new(p->pool, p->loop, hook, p), after);
}

/* Start */

NORETURN static void
cannot_listen(const struct bfd_program *p, u16 port, int error)
{
  char owner[UDP_OWNER_SIZE], what[32], why[160];

  snprintf(what, sizeof(what), "UDP port %u", port);
  snprintf(why, sizeof(why), "%s", strerror(error));
  if (error == EADDRINUSE)
  {
    udp_port_owner(!ip_is_v4(p->key.remote), port, owner);
    snprintf(why, sizeof(why), "%s has it; only one can run BFD on a host", owner);
  }
  else if (error == EPERM || error == EACCES)
    snprintf(why, sizeof(why), "%s takes CAP_NET_BIND_SERVICE or CAP_NET_RAW here", strerror(error));
  give_up(BFD_EXIT_SYSTEM, what, why);
}

static void
start_listening(struct bfd_program *p)
{
  bool v6 = !ip_is_v4(p->key.remote);
  u16 usual = p->opt.multihop ? BFD_PORT_MULTIHOP : BFD_PORT_DIRECT;
  struct udp_listen how = { .v6 = v6,
                            .port = p->opt.local_port ? p->opt.local_port : usual,
                            .receive_buffer = RECEIVE_BUFFER };
  int fd = udp_listen_open(&how);
  struct bfd_listen_cmd *cmd;

  if (fd < 0)
    cannot_listen(p, how.port, -fd);
  cmd = msg_alloc(sizeof(*cmd));
  cmd->id = 1;
  cmd->hop = p->key.hop;
  cmd->v6 = v6;
  cmd->fd = fd;
  command(p, &cmd->msg, BFD_LISTEN);
}

static void
start_engine(struct bfd_program *p)
{
  struct bfd_set_cmd *set = msg_alloc(sizeof(*set));
  u32 disc = random_seed();

  p->replies = mailbox_new(p->pool, p->loop, reply_received, p);
  p->engine = bfd_engine_new(p->pool, p->loop, "bfd", deliver, p);
  p->id = bfd_id(1, disc ? disc : 1);
  p->source_port = FIRST_PORT + random_seed() % (65536 - FIRST_PORT);
  p->status = (struct bfd_status){ .state = BFD_DOWN, .remote_state = BFD_DOWN };
  set->trace_packets = p->opt.verbose;
  set->exit_linger = BFD_EXIT_LINGER;
  command(p, &set->msg, BFD_SET);
  start_listening(p);
  configure(p, BFD_ADD);
}

int
main(int argc, char **argv)
{
  static const struct log_sink sink = { .kind = LOG_STDERR, .classes = LOG_ALL };
  struct bfd_program p = { .pool = pool_new(NULL, "bfd") };

  bfd_options_parse(&p.opt, argc, argv, p.pool);
  p.key.hop = p.opt.multihop ? BFD_MULTIHOP : BFD_DIRECT;
  find_addresses(&p);
  find_interface(&p);
  if (p.opt.multihop)
    p.key.local = p.path.local;
  runner_init(&p.runner, p.opt.on_up, p.opt.on_down);
  p.loop = loop_new(p.pool, "bfd");
  watch_signals(&p);
  log_start();
  log_set_sinks(&sink, 1);
  start_engine(&p);
  set_timer(&p, p.opt.timeout, timeout_due);
  set_timer(&p, p.opt.duration, duration_due);
  loop_run(p.loop);
  runner_finish(&p.runner);
  log_stop();
  bfd_keys_free(p.opt.keys);
  rfree(p.pool);
  return p.exit;
}
