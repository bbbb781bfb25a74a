/*
 * proto/bfd/history.c: sessions that went Down, and why: in the log, and in `show bfd history`
 *
 * The engine reports what it knows, machine.c adds what the machine did meanwhile; here the verdict is found.
 * An instance remembers the last ones, also of sessions that are gone.
 */
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "proto/bfd/bfd.h"
#include "proto/bfd/verdict.h"
#include "sysdep/clock.h"

#define HISTORY_MAX 1000
#define SHOW_SLICE 32

struct bfd_record
{
  struct node n;
  u64 number; /* grows */
  u64 id;     /* of the session, and */
  btime at;   /* when it left Up, monotonic: together they name the event */
  btime wall; /* and by the clock of that time */
  struct bfd_key key;
  enum bfd_verdict verdict;
  btime late; /* when it was only that */
  struct bfd_evidence evidence;
};

struct bfd_history
{
  struct list records; /* newest first */
  uint count;
  u64 last;
  u64 verdicts[BFD_VERDICT__MAX];
  struct log_limit limit;
};

/* In words */

#define WHY_SIZE 200

static const char *
why_admin(const struct bfd_evidence *ev)
{
  return ev->state == BFD_ADMIN_DOWN ? "disabled here" : "disabled at the peer";
}

static const char *
why_peer(const struct bfd_evidence *ev)
{
  if (ev->remote_diag != BFD_DIAG_NONE)
    return bfd_diag_name(ev->remote_diag);
  return ev->restarted ? "it restarted" : "no diagnostic given";
}

static void
why_stalled(char *why, const struct bfd_evidence *ev)
{
  bool starved = ev->run_delay >= ev->stall / 2;

  snprintf(why, WHY_SIZE, "for %s s, %s", TIME_STR(ev->stall),
           starved ? "having no processor" : "by whatever stopped us");
}

static char *
why_format(char *why, enum bfd_verdict verdict, const struct bfd_evidence *ev, btime late)
{
  why[0] = 0;
  switch (verdict)
  {
  case BFD_VERDICT_ADMIN:
    snprintf(why, WHY_SIZE, "%s", why_admin(ev));
    break;
  case BFD_VERDICT_LINK:
    snprintf(why, WHY_SIZE, "interface down, or the local address gone");
    break;
  case BFD_VERDICT_PEER:
    snprintf(why, WHY_SIZE, "%s", why_peer(ev));
    break;
  case BFD_VERDICT_STALLED:
    why_stalled(why, ev);
    break;
  case BFD_VERDICT_REFUSED:
    snprintf(why, WHY_SIZE, "%u, the last one for: %s", ev->refused, bfd_rx_name(ev->refused_why));
    break;
  case BFD_VERDICT_DROPPED:
    snprintf(why, WHY_SIZE, "%u packets at our sockets, %u elsewhere", ev->dropped, ev->elsewhere);
    break;
  case BFD_VERDICT_SILENT:
    snprintf(why, WHY_SIZE, "nothing for %s s, and no trouble seen here", TIME_STR(ev->silence));
    break;
  case BFD_VERDICT_LATE:
    snprintf(why, WHY_SIZE, "the next one came %s s after the detection time", TIME_STR(late));
    break;
  default:
    snprintf(why, WHY_SIZE, "no evidence");
    break;
  }
  return why;
}
#define WHY_STR(verdict, ev, late) why_format((char[WHY_SIZE]){ 0 }, verdict, ev, late)

static const char *
place(const struct bfd_key *key)
{
  return key->hop == BFD_DIRECT ? key->ifname : "multihop";
}

/* Events */

void
bfd_history_start(struct bfd_proto *p)
{
  struct bfd_history *h = mb_alloc(p->p.pool, sizeof(*h));

  list_init(&h->records);
  h->limit = (struct log_limit){ .burst = 200, .period = BT_S(10) };
  p->history = h;
}

/* A new record, or the oldest one; in no list. */
static struct bfd_record *
record_take(struct bfd_proto *p)
{
  struct bfd_history *h = p->history;
  struct node *oldest = h->records.ring.prev;

  if (h->count < HISTORY_MAX)
  {
    h->count++;
    return mb_alloc(p->p.pool, sizeof(struct bfd_record));
  }
  list_remove(oldest);
  return SKIP_BACK(struct bfd_record, n, oldest);
}

static void
count_verdict(struct bfd_proto *p, u64 id, enum bfd_verdict verdict, int change)
{
  struct bfd_shared *s = bfd_shared_find(p, id);
  u64 *sum = &p->history->verdicts[verdict];

  *sum += change > 0 || *sum ? change : 0; /* counters may have been reset */
  if (!s)
    return;
  if (!s->verdicts)
    s->verdicts = mb_alloc(p->p.pool, BFD_VERDICT__MAX * sizeof(*s->verdicts));
  s->verdicts[verdict] += change > 0 || s->verdicts[verdict] ? change : 0;
}

void
bfd_history_down(struct bfd_proto *p, const struct bfd_down *down)
{
  const struct bfd_evidence *ev = &down->evidence;
  struct bfd_record *r = record_take(p);

  *r = (struct bfd_record){
    .number = ++p->history->last,
    .id = down->id,
    .at = down->at,
    .wall = bfd_wall_of(down->at),
    .key = down->key,
    .verdict = bfd_judge(ev),
    .evidence = *ev,
  };
  node_insert_after(&p->history->records.ring, &r->n);
  count_verdict(p, r->id, r->verdict, 1);
  bfd_tell_down(p, down, r->verdict);
  log_rl(&p->history->limit, L_INFO, "%s: Session to %s (%s) went %s: %s; %s: %s", p->p.name,
         IP_STR(r->key.remote), place(&r->key), bfd_state_name(ev->state), bfd_diag_name(ev->diag),
         bfd_verdict_name(r->verdict), WHY_STR(r->verdict, ev, 0));
}

static void
revise_verdict(const struct bfd_proto *p, u64 id)
{
  struct bfd_shared *s = bfd_shared_find(p, id);

  if (s)
    bfd_tell_verdict(s, BFD_VERDICT_LATE);
}

/* Reports of lateness follow soon, so the record is among the newest. */
void
bfd_history_late(struct bfd_proto *p, const struct bfd_late *late)
{
  struct bfd_record *r;

  if (!p->provider)
    return;
  LIST_WALK (r, &p->history->records, n)
  {
    if (r->at < late->at)
      return; /* forgotten */
    if (r->id == late->id && r->at == late->at)
    {
      if (r->verdict != BFD_VERDICT_SILENT)
        return;
      count_verdict(p, r->id, BFD_VERDICT_SILENT, -1);
      count_verdict(p, r->id, BFD_VERDICT_LATE, 1);
      revise_verdict(p, r->id);
      r->verdict = BFD_VERDICT_LATE;
      r->late = late->late;
      log_rl(&p->history->limit, L_INFO, "%s: Session to %s (%s) was not silent: %s: %s", p->p.name,
             IP_STR(r->key.remote), place(&r->key), bfd_verdict_name(r->verdict),
             WHY_STR(r->verdict, &r->evidence, r->late));
      return;
    }
  }
}

const u64 *
bfd_history_verdicts(const struct bfd_proto *p)
{
  return p->history->verdicts;
}

void
bfd_history_reset(struct bfd_proto *p, struct bfd_shared *s)
{
  if (s)
  {
    mb_free(s->verdicts);
    s->verdicts = NULL;
    return;
  }
  memset(p->history->verdicts, 0, sizeof(p->history->verdicts));
}

/* What is shown */

void
bfd_show_arrivals(struct cli *c, const struct bfd_arrivals *a, uint indent)
{
  u32 gaps[BFD_GAPS];
  uint count = bfd_arrivals_last(a, gaps), len = 0;
  char text[BFD_GAPS * TIME_TEXT_SIZE] = "";

  for (uint i = 0; i < count; i++)
    len += snprintf(text + len, sizeof(text) - len, " %s", TIME_STR(gaps[i]));
  bfd_show_field(c, indent, "Last gaps", "%s", text + (len > 0));
  bfd_show_field(c, indent, "Largest gap", "%s of %u", TIME_STR(a->largest), a->count);
  for (uint i = 0; i < BFD_GAP_BUCKETS; i++)
  {
    btime end = bfd_gap_end(i);

    if (a->bucket[i])
      cli_line(c, 1020, "%*s%s%s: %u", (int) indent + 2, "", end == BT_NEVER ? "longer" : "under ",
               end == BT_NEVER ? "" : TIME_STR(end), a->bucket[i]);
  }
}

static void
show_record(struct cli *c, const struct bfd_record *r)
{
  const struct bfd_evidence *ev = &r->evidence;

  bfd_show_field(c, 2, "Address", "%s", IP_STR(r->key.remote));
  bfd_show_field(c, 2, "Interface", "%s", r->key.hop == BFD_DIRECT ? r->key.ifname : "---");
  bfd_show_field(c, 2, "Went down", "%s", TIME_BY(TIME_PROTOCOL, r->wall));
  bfd_show_field(c, 2, "Had been up for", "%s", TIME_STR(ev->up));
  bfd_show_field(c, 2, "Verdict", "%s: %s", bfd_verdict_name(r->verdict), WHY_STR(r->verdict, ev, r->late));
  bfd_show_field(c, 2, "Local diagnostic", "%s", bfd_diag_name(ev->diag));
  bfd_show_field(c, 2, "Remote state", "%s", bfd_state_name(ev->remote_state));
  bfd_show_field(c, 2, "Remote diagnostic", "%s", bfd_diag_name(ev->remote_diag));
  bfd_show_field(c, 2, "Silence", "%s of %s", TIME_STR(ev->silence), TIME_STR(ev->detection));
  bfd_show_field(c, 2, "Longest own stall", "%s", TIME_STR(ev->stall));
  bfd_show_field(c, 2, "Without processor", "%s of %s", TIME_STR(ev->run_delay), TIME_STR(ev->span));
  bfd_show_field(c, 2, "CPU pressure", "%u.%02u %%", ev->pressure / 100, ev->pressure % 100);
  bfd_show_field(c, 2, "Dropped by kernel", "%u, elsewhere %u, before that %u", ev->dropped, ev->elsewhere,
                 ev->elsewhere_before);
  bfd_show_field(c, 2, "Packets refused", "%u", ev->refused);
  bfd_show_arrivals(c, &ev->arrivals, 2);
  cli_line(c, 1020, "%s", "");
}

struct history_query
{
  struct cli *cli;
  struct bfd_which which;
  char *proto;
  u64 before; /* only older ones are still to be shown */
};

static bool
is_wanted(const struct history_query *q, const struct bfd_record *r)
{
  if (r->number >= q->before)
    return false;
  if (q->which.all)
    return true;
  return ip_equal(q->which.remote, r->key.remote) &&
         (!q->which.ifname || strcmp(q->which.ifname, r->key.ifname) == 0);
}

/* Some records of one instance; true when there may be more. */
static bool
show_some(struct history_query *q, struct bfd_proto *p)
{
  struct bfd_record *r;
  uint count = 0;

  LIST_WALK (r, &p->history->records, n)
    if (is_wanted(q, r))
    {
      if (count++ == SHOW_SLICE)
        return true;
      show_record(q->cli, r);
      q->before = r->number;
    }
  return false;
}

static void history_begin(struct history_query *q, struct bfd_proto *p);

static void
history_go_on(struct cli *c, void *data)
{
  struct history_query *q = data;
  struct bfd_proto *p = bfd_running(q->proto);

  if (p && show_some(q, p))
    cli_when_room(c, history_go_on, q);
  else if ((p = bfd_next_instance(q->proto)))
    history_begin(q, p);
  else
    cli_end(c, 0, "%s", "");
}

static void
history_begin(struct history_query *q, struct bfd_proto *p)
{
  q->proto = mb_strdup(cli_pool(q->cli), p->p.name);
  q->before = UINT64_MAX;
  cli_line(q->cli, 1020, "%s:", p->p.name);
  cli_when_room(q->cli, history_go_on, q);
}

void
bfd_cmd_show_history(struct cli *c, const struct bfd_which *which)
{
  struct bfd_proto *first = bfd_next_instance(NULL);
  struct history_query *q;

  if (!first)
  {
    cli_end(c, 9001, "There is no BFD protocol running");
    return;
  }
  q = mb_alloc(cli_pool(c), sizeof(*q));
  q->cli = c;
  q->which = *which;
  if (which->ifname)
    q->which.ifname = mb_strdup(cli_pool(c), which->ifname);
  history_begin(q, first);
}
