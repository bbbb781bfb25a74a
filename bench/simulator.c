/*
 * bench/simulator.c: one process that is the far end of thousands of BFD sessions, and measures the near one
 *
 * Session i answers at IPv4 address BASE + i, single hop only (RFC 5880, RFC 5881), asynchronous mode, no
 * authentication. Who sends first is the neighbour of that session, and a daemon that was restarted is one
 * more neighbour. It works on frames (link.c), so these addresses are nowhere in its namespace and nothing
 * answers ARP for them: the daemon's namespace needs permanent neighbour entries, with a hardware address
 * that no interface has.
 *
 * Commands come as lines on standard input; each is answered by one line of JSON. Times are microseconds,
 * those of events by the monotonic clock; `stats` is also printed at the end.
 *
 *     stats                          what was measured since the last mark
 *     mark                           measure anew
 *     silence FIRST COUNT [STRIDE]   COUNT sessions from FIRST on, each STRIDE-th, send nothing from now on
 *     speak                          all sessions send again
 *     patient on|off                 whether sessions stay Up however long the daemon is silent
 *     quit
 *
 * One thread, which wakes by the clock only: what was received is handled with the kernel's arrival times, so
 * that gaps tell about the sender, and the sender does not pay for waking this process. Then the due times of
 * all sessions are looked through: an array of 8 bytes per session, cheaper to scan than any queue is to keep
 * up to some ten thousand sessions.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* ppoll */
#endif

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bench/link.h"
#include "bench/measure.h"
#include "bench/wire.h"

#define SLOW_INTERVAL BT_S(1) /* RFC 5880 6.8.3, while not Up */
#define LONGEST_TICK BT_MS(1)
#define SHORTEST_TICK BT_US(100)
#define INDEX_BITS 20
#define MAX_SESSIONS ((1u << INDEX_BITS) - 1)
#define FIRST_PORT 49152 /* RFC 5881 4 */
#define PORTS (65536 - FIRST_PORT)

struct session
{
  u8 state, diag, remote_state, remote_mult;
  bool known; /* somebody has spoken to us */
  bool up;    /* on both sides, as far as we know */
  bool silenced, noticed;
  bool polling, remote_polling, remote_demand;
  u32 remote_disc, remote_min_rx, remote_min_tx;
  btime tx_at, detect_at, sent_at;
  btime last_arrival; /* 0: start a new gap */
  struct wire_path path;
};

struct simulator
{
  btime interval, tick;
  u8 detect_mult;
  uint count, up;
  u32 base; /* host order */
  u32 salt; /* in the upper bits of our discriminators, new in each run */
  u64 random;
  const char *device;
  bool realtime, patient, quit;

  struct link *link;
  int signals;
  char input[256];
  uint input_used;

  struct session *sessions;
  btime *due; /* of each session: the earlier of tx_at and detect_at, or earlier still */
  btime now;  /* when this tick began */
  struct measure measure;
  u64 drops_before, send_errors_before;
};

/* Uniform in [0, range), range up to some seconds: the bias of the remainder does not matter. */
static btime
random_below(struct simulator *m, btime range)
{
  m->random ^= m->random << 13;
  m->random ^= m->random >> 7;
  m->random ^= m->random << 17;
  return range > 0 ? (btime) (m->random % (u64) range) : 0;
}

/* Sessions */

static u32
session_disc(const struct simulator *m, uint i)
{
  return m->salt << INDEX_BITS | (i + 1);
}

static void
session_set_due(struct simulator *m, uint i)
{
  m->due[i] = MIN(m->sessions[i].tx_at, m->sessions[i].detect_at);
}

static void
session_set_up(struct simulator *m, struct session *s)
{
  bool up = s->state == BFD_UP && s->remote_state == BFD_UP;

  m->up += up - s->up;
  s->up = up;
  if (m->up == m->count && !m->measure.all_up)
    m->measure.all_up = m->now;
}

/* 6.8.7: whether packets go out by the clock. */
static bool
session_transmits(const struct session *s)
{
  bool demanded = s->remote_demand && s->state == BFD_UP && s->remote_state == BFD_UP;

  return s->known && !s->silenced && s->remote_min_rx && (s->polling || !demanded);
}

static btime
session_min_tx(const struct simulator *m, const struct session *s)
{
  return s->state == BFD_UP ? m->interval : MAX(m->interval, SLOW_INTERVAL);
}

/* 6.8.7. What is due waits for the next tick, and that must not be later than the interval allows. */
static void
session_schedule(struct simulator *m, uint i)
{
  struct session *s = &m->sessions[i];
  btime interval = MAX(session_min_tx(m, s), (btime) s->remote_min_rx);
  btime spread = m->detect_mult == 1 ? interval * 15 / 100 : interval / 4;

  s->tx_at = session_transmits(s) ? m->now + interval * 3 / 4 + random_below(m, spread - m->tick) : BT_NEVER;
  session_set_due(m, i);
}

/* 6.8.4, on our side */
static void
session_heard(struct simulator *m, struct session *s, btime at)
{
  s->detect_at = m->patient || !s->remote_disc
                     ? BT_NEVER
                     : at + s->remote_mult * MAX(m->interval, (btime) s->remote_min_tx);
}

static void
session_send(struct simulator *m, uint i, u8 flags)
{
  struct session *s = &m->sessions[i];
  struct packet p = {
    .diag = s->diag,
    .state = s->state,
    .flags = flags | (s->polling && !(flags & FLAG_FINAL) ? FLAG_POLL : 0),
    .detect_mult = m->detect_mult,
    .my_disc = session_disc(m, i),
    .your_disc = s->remote_disc,
    .desired_min_tx = session_min_tx(m, s),
    .required_min_rx = m->interval,
  };

  wire_encode(link_add(m->link, &s->sent_at), &s->path, &p);
  m->measure.sent++;
  if (!m->measure.first_tx)
    m->measure.first_tx = m->now;
}

/* A new state is told at once; Up also starts a Poll Sequence, since the interval changes with it (6.8.3). */
static void
session_go(struct session *s, u8 state, u8 diag)
{
  s->state = state;
  s->diag = diag;
  s->polling = state == BFD_UP;
  s->tx_at = 0;
}

/* 6.8.6. Nothing here is ever AdminDown. */
static void
session_step(struct session *s, u8 received)
{
  if (received == BFD_ADMIN_DOWN || (s->state == BFD_UP && received == BFD_DOWN))
  {
    if (s->state != BFD_DOWN)
      session_go(s, BFD_DOWN, DIAG_NEIGHBOR_DOWN);
  }
  else if (s->state == BFD_DOWN && received == BFD_DOWN)
    session_go(s, BFD_INIT, s->diag);
  else if (s->state == BFD_DOWN && received == BFD_INIT)
    session_go(s, BFD_UP, DIAG_NONE);
  else if (s->state == BFD_INIT && received != BFD_DOWN)
    session_go(s, BFD_UP, DIAG_NONE);
}

/* The daemon has left Up. Its detection time is 6.8.4 seen from there. */
static void
session_account_down(struct simulator *m, struct session *s, u8 diag, btime arrival)
{
  btime detection = m->detect_mult * MAX(m->interval, (btime) s->remote_min_rx);

  if (!s->silenced || s->noticed || diag != DIAG_TIMEOUT)
    measure_down(&m->measure, diag, arrival);
  else
    measure_detection(&m->measure, arrival - s->sent_at - detection);
  s->noticed = true;
}

/* A packet with the F bit comes at any time (6.8.7), so it neither ends a gap nor begins one. */
static void
session_account(struct simulator *m, struct session *s, const struct packet *p, btime arrival)
{
  bool was_up = s->remote_state == BFD_UP;

  m->measure.received++;
  if (!m->measure.first_rx)
    m->measure.first_rx = arrival;
  if (p->flags & FLAG_POLL)
    m->measure.last_poll = arrival;
  if (was_up && p->state != BFD_UP)
    session_account_down(m, s, p->diag, arrival);
  if (p->flags & FLAG_FINAL)
    return;
  if (was_up && p->state == BFD_UP && s->last_arrival)
    measure_gap(&m->measure, arrival - s->last_arrival, MAX(m->interval, (btime) s->remote_min_tx));
  s->last_arrival = p->state == BFD_UP ? arrival : 0;
}

static void
session_receive(struct simulator *m, uint i, const struct packet *p, btime arrival)
{
  struct session *s = &m->sessions[i];
  bool transmitted = session_transmits(s);
  u32 old_min_rx = s->remote_min_rx;

  session_account(m, s, p, arrival);
  s->known = true;
  s->remote_state = p->state;
  s->remote_demand = p->flags & FLAG_DEMAND;
  s->remote_polling = p->flags & FLAG_POLL;
  s->remote_disc = p->my_disc;
  s->remote_min_rx = p->required_min_rx;
  s->remote_min_tx = p->desired_min_tx;
  s->remote_mult = p->detect_mult;
  if (p->flags & FLAG_FINAL)
    s->polling = false;

  session_step(s, p->state);
  session_set_up(m, s);
  session_heard(m, s, arrival);

  if ((p->flags & FLAG_POLL) && !s->silenced)
    session_send(m, i, FLAG_FINAL);
  if (s->tx_at && (old_min_rx != s->remote_min_rx || transmitted != session_transmits(s)))
    session_schedule(m, i);
  session_set_due(m, i);
}

static void
session_expire(struct simulator *m, struct session *s)
{
  if (s->state == BFD_UP && !s->silenced)
    measure_expiry(&m->measure, m->now);
  s->detect_at = BT_NEVER;
  s->remote_disc = 0;
  s->remote_min_rx = 1; /* 6.8.1, as if never heard of */
  s->remote_demand = false;
  s->last_arrival = 0;
  s->tx_at = 0; /* it may have asked for silence */
  if (s->state != BFD_DOWN)
    session_go(s, BFD_DOWN, DIAG_TIMEOUT);
  session_set_up(m, s);
}

/* Ticks */

/* False: nothing for us. */
static bool
simulator_handle(struct simulator *m, const struct link_frame *f)
{
  struct wire_path path;
  struct packet p;

  if (!wire_decode(&path, &p, f->data, f->size))
    return false;

  u32 i = path.local - m->base;

  if (i >= m->count || (p.your_disc && p.your_disc != session_disc(m, i)))
    return false;

  path.source_port = FIRST_PORT + i % PORTS;
  m->sessions[i].path = path;
  session_receive(m, i, &p, f->arrival);
  return true;
}

static void
simulator_receive(struct simulator *m)
{
  struct link_frame f;

  while (link_next(m->link, &f))
    if (!simulator_handle(m, &f))
      m->measure.ignored++;
}

static void
simulator_carry_out(struct simulator *m, uint i)
{
  struct session *s = &m->sessions[i];

  if (s->detect_at <= m->now)
    session_expire(m, s);
  if (s->tx_at <= m->now)
  {
    if (session_transmits(s))
      session_send(m, i, 0);
    session_schedule(m, i);
  }
  session_set_due(m, i);
}

/* What waits is read first, lest our own lateness look like silence. */
static void
simulator_tick(struct simulator *m)
{
  simulator_receive(m);
  for (uint i = 0; i < m->count; i++)
    if (m->due[i] <= m->now)
      simulator_carry_out(m, i);
  link_flush(m->link);
}

/* Commands */

static void
simulator_mark(struct simulator *m)
{
  measure_start(&m->measure, m->now);
  m->drops_before = link_drops(m->link);
  m->send_errors_before = link_send_errors(m->link);
  for (uint i = 0; i < m->count; i++)
    m->sessions[i].last_arrival = 0;
}

/* Those that are in use, by what was last heard of them. */
struct survey
{
  uint silenced, unnoticed, polling;
  u32 min_tx[2], min_rx[2]; /* the least, the greatest */
};

static struct survey
simulator_survey(const struct simulator *m)
{
  struct survey v = { .min_tx = { U32_MAX, 0 }, .min_rx = { U32_MAX, 0 } };

  for (uint i = 0; i < m->count; i++)
  {
    const struct session *s = &m->sessions[i];

    v.silenced += s->silenced;
    v.unnoticed += s->silenced && !s->noticed;
    if (!s->remote_disc)
      continue;
    v.polling += s->polling || s->remote_polling;
    v.min_tx[0] = MIN(v.min_tx[0], s->remote_min_tx);
    v.min_tx[1] = MAX(v.min_tx[1], s->remote_min_tx);
    v.min_rx[0] = MIN(v.min_rx[0], s->remote_min_rx);
    v.min_rx[1] = MAX(v.min_rx[1], s->remote_min_rx);
  }
  return v;
}

static void
simulator_print(struct simulator *m)
{
  struct survey v = simulator_survey(m);

  printf("{\"sessions\": %u, \"up\": %u, \"silenced\": %u, \"unnoticed\": %u, \"polling\": %u, ", m->count,
         m->up, v.silenced, v.unnoticed, v.polling);
  printf("\"min_tx_us\": [%u, %u], \"min_rx_us\": [%u, %u], ", v.min_tx[0], v.min_tx[1], v.min_rx[0],
         v.min_rx[1]);
  printf("\"now_us\": %lld, \"drops\": %llu, \"send_errors\": %llu, ", (long long) clock_monotonic(),
         (unsigned long long) (link_drops(m->link) - m->drops_before),
         (unsigned long long) (link_send_errors(m->link) - m->send_errors_before));
  measure_print(&m->measure, stdout);
  puts("}");
}

static void
simulator_silence(struct simulator *m, uint first, uint count, uint stride)
{
  uint silenced = 0, up = 0;

  for (uint i = first; i < m->count && silenced < count; i += stride, silenced++)
  {
    struct session *s = &m->sessions[i];

    up += s->up;
    s->silenced = true;
    s->noticed = s->remote_state != BFD_UP;
    session_schedule(m, i);
  }
  printf("{\"silenced\": %u, \"up\": %u}\n", silenced, up);
}

static void
simulator_speak(struct simulator *m)
{
  for (uint i = 0; i < m->count; i++)
    if (m->sessions[i].silenced)
    {
      m->sessions[i].silenced = false;
      session_schedule(m, i);
    }
}

static void
simulator_be_patient(struct simulator *m, bool patient)
{
  m->patient = patient;
  for (uint i = 0; i < m->count; i++)
  {
    session_heard(m, &m->sessions[i], m->now);
    session_set_due(m, i);
  }
}

static void
simulator_obey(struct simulator *m, const char *line)
{
  uint first, count, stride = 1;

  if (strcmp(line, "stats") == 0)
    return simulator_print(m);
  if (sscanf(line, "silence %u %u %u", &first, &count, &stride) >= 2 && stride)
    return simulator_silence(m, first, count, stride);

  if (strcmp(line, "mark") == 0)
    simulator_mark(m);
  else if (strcmp(line, "speak") == 0)
    simulator_speak(m);
  else if (strcmp(line, "patient on") == 0 || strcmp(line, "patient off") == 0)
    simulator_be_patient(m, line[9] == 'n');
  else if (strcmp(line, "quit") == 0)
    m->quit = true;
  else
  {
    puts("{\"error\": \"no such command\"}");
    return;
  }
  puts("{\"ok\": true}");
}

/* False at the end of the input. */
static bool
simulator_read(struct simulator *m)
{
  ssize_t n = read(STDIN_FILENO, m->input + m->input_used, sizeof(m->input) - 1 - m->input_used);
  char *end;

  if (n <= 0)
    return false;
  m->input_used += n;
  m->input[m->input_used] = 0;
  while ((end = strchr(m->input, '\n')))
  {
    *end = 0;
    simulator_obey(m, m->input);
    m->input_used -= end + 1 - m->input;
    memmove(m->input, end + 1, m->input_used + 1);
  }
  fflush(stdout);
  return m->input_used < sizeof(m->input) - 1;
}

/* Life */

static void
sleep_until(struct pollfd *fds, uint count, btime at)
{
  btime left = MAX(at - clock_monotonic(), 0);
  struct timespec ts = { .tv_sec = left / BT_S(1), .tv_nsec = left % BT_S(1) * 1000 };

  if (ppoll(fds, count, &ts, NULL) <= 0)
    for (uint i = 0; i < count; i++)
      fds[i].revents = 0;
}

/* Until told to end, or a signal comes. */
static void
simulator_run(struct simulator *m)
{
  struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = m->signals, .events = POLLIN } };
  btime next = m->now = clock_monotonic();

  simulator_mark(m);
  while (!m->quit)
  {
    sleep_until(fds, ARRAY_SIZE(fds), next);
    m->now = clock_monotonic();
    if (fds[1].revents)
      return;
    if (fds[0].revents && !simulator_read(m))
      fds[0].fd = -1;
    if (m->now < next)
      continue;
    measure_tick(&m->measure, m->now - next, m->now);
    simulator_tick(m);
    next = MAX(next + m->tick, m->now);
  }
}

static void
simulator_open(struct simulator *m)
{
  struct sched_param priority = { .sched_priority = 50 };
  sigset_t end;

  m->link = link_open(m->device);
  sigemptyset(&end);
  sigaddset(&end, SIGINT);
  sigaddset(&end, SIGTERM);
  if (sigprocmask(SIG_BLOCK, &end, NULL) < 0 || (m->signals = signalfd(-1, &end, SFD_CLOEXEC)) < 0)
    err(1, "signalfd");
  if (prctl(PR_SET_TIMERSLACK, 1) < 0)
    err(1, "PR_SET_TIMERSLACK");
  if (m->realtime && (sched_setscheduler(0, SCHED_FIFO, &priority) < 0 || mlockall(MCL_CURRENT) < 0))
    err(1, "real-time priority");
}

static void
simulator_init(struct simulator *m)
{
  m->random = (u64) clock_monotonic() * 0x9e3779b97f4a7c15 | 1;
  m->salt = random_below(m, 1 << (32 - INDEX_BITS));
  m->tick = MIN(MAX(m->interval / 16, SHORTEST_TICK), LONGEST_TICK);
  m->measure.interval = m->interval;
  m->measure.detection = m->detect_mult * m->interval;
  m->sessions = calloc(m->count, sizeof(*m->sessions));
  m->due = calloc(m->count, sizeof(*m->due));
  if (!m->sessions || !m->due)
    errx(1, "no memory for %u sessions", m->count);

  for (uint i = 0; i < m->count; i++)
  {
    m->sessions[i] = (struct session){ .state = BFD_DOWN,
                                       .remote_state = BFD_DOWN,
                                       .remote_min_rx = 1,
                                       .tx_at = BT_NEVER,
                                       .detect_at = BT_NEVER };
    session_set_due(m, i);
  }
}

static NORETURN void
usage(void)
{
  fputs("usage: simulator -d DEVICE -b BASE -n COUNT [-i US] [-m MULT] [-r]\n"
        "  -b  first IPv4 address to answer at                       -n  number of sessions\n"
        "  -i  desired and required interval, microseconds (50000)   -m  detection multiplier (3)\n"
        "  -r  with real-time priority\n",
        stderr);
  exit(2);
}

static u64
parse_number(char option, const char *text, u64 min, u64 max)
{
  char *end;
  unsigned long long n = (errno = 0, strtoull(text, &end, 10));

  if (errno || *end || end == text || n < min || n > max)
    errx(2, "-%c must be between %llu and %llu, got %s", option, (unsigned long long) min,
         (unsigned long long) max, text);
  return n;
}

static void
parse_options(struct simulator *m, int argc, char **argv)
{
  struct in_addr base = { 0 };

  for (int c; (c = getopt(argc, argv, "b:n:i:m:d:r")) >= 0;)
    switch (c)
    {
    case 'b':
      if (inet_pton(AF_INET, optarg, &base) != 1)
        errx(2, "-b must be an IPv4 address, got %s", optarg);
      break;
    case 'n':
      m->count = parse_number(c, optarg, 1, MAX_SESSIONS);
      break;
    case 'i':
      m->interval = parse_number(c, optarg, 1000, U32_MAX);
      break;
    case 'm':
      m->detect_mult = parse_number(c, optarg, 1, 255);
      break;
    case 'd':
      m->device = optarg;
      break;
    case 'r':
      m->realtime = true;
      break;
    default:
      usage();
    }

  m->base = ntohl(base.s_addr);
  if (optind != argc || !m->base || !m->count || !m->device)
    usage();
}

int
main(int argc, char **argv)
{
  static struct simulator m = { .interval = BT_MS(50), .detect_mult = 3 };

  parse_options(&m, argc, argv);
  simulator_init(&m);
  simulator_open(&m);
  simulator_run(&m);
  simulator_print(&m);
  free(m.measure.errors.values);
  free(m.sessions);
  free(m.due);
  return 0;
}
