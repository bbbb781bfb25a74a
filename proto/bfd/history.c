/*
 * proto/bfd/history.c: sessions that went Down, and why: in the log, and in `show bfd history`
 *
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
  struct bfd_key key;
  enum bfd_verdict verdict;
  btime late; /* when it was only that */
  struct bfd_evidence evidence;
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
  if (ev->stall >= ev->run_delay)
    snprintf(why, WHY_SIZE, "for %s s, the peer heard nothing of us or we nothing of it",
             TIME_STR(ev->stall));
  else
    snprintf(why, WHY_SIZE, "no processor for us during %s s", TIME_STR(ev->run_delay));
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
    snprintf(why, WHY_SIZE, "%u packets at our sockets, %u elsewhere", ev->dropped, ev->dropped_before);
    break;
  case BFD_VERDICT_SILENT:
    snprintf(why, WHY_SIZE, "nothing for %s s, and no trouble here", TIME_STR(ev->silence));
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

static void
record_add(struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_down *down)
{
  struct bfd_record *r;

  if (p->records < HISTORY_MAX)
  {
    r = mb_alloc(p->p.pool, sizeof(*r));
    p->records++;
  }
  else
  {
    r = SKIP_BACK(struct bfd_record, n, p->history.ring.prev); /* the oldest */
    list_remove(&r->n);
  }
  r->number = ++p->next_record;
  r->id = down->id;
  r->at = down->at;
  r->key = s->key;
  r->verdict = down->verdict;
  r->late = 0;
  r->evidence = down->evidence;
  node_insert_after(&p->history.ring, &r->n);
}

void
bfd_history_down(struct bfd_proto *p, const struct bfd_down *down)
{
  const struct bfd_shared *s = bfd_shared_find(p, down->id);
  const struct bfd_evidence *ev = &down->evidence;

  if (!s)
    return; /* withdrawn while the report travelled */
  record_add(p, s, down);
  log_rl(&p->flap_limit, L_INFO, "%s: Session to %s (%s) went %s: %s; %s: %s", p->p.name,
         IP_STR(s->key.remote), place(&s->key), bfd_state_name(ev->state), bfd_diag_name(ev->diag),
         bfd_verdict_name(down->verdict), WHY_STR(down->verdict, ev, 0));
}

void
bfd_history_late(struct bfd_proto *p, const struct bfd_late *late)
{
  struct bfd_record *r;

  LIST_WALK (r, &p->history, n)
    if (r->id == late->id && r->at == late->at)
    {
      r->verdict = BFD_VERDICT_LATE;
      r->late = late->late;
      log_rl(&p->flap_limit, L_INFO, "%s: Session to %s (%s) was not silent: %s: %s", p->p.name,
             IP_STR(r->key.remote), place(&r->key), bfd_verdict_name(r->verdict),
             WHY_STR(r->verdict, &r->evidence, r->late));
      return;
    }
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
  bfd_show_field(c, 2, "Went down", "%s", TIME_BY(TIME_PROTOCOL, bfd_wall_of(r->at)));
  bfd_show_field(c, 2, "Had been up for", "%s", TIME_STR(ev->up));
  bfd_show_field(c, 2, "Verdict", "%s: %s", bfd_verdict_name(r->verdict), WHY_STR(r->verdict, ev, r->late));
  bfd_show_field(c, 2, "Local diagnostic", "%s", bfd_diag_name(ev->diag));
  bfd_show_field(c, 2, "Remote state", "%s", bfd_state_name(ev->remote_state));
  bfd_show_field(c, 2, "Remote diagnostic", "%s", bfd_diag_name(ev->remote_diag));
  bfd_show_field(c, 2, "Silence", "%s of %s", TIME_STR(ev->silence), TIME_STR(ev->detection));
  bfd_show_field(c, 2, "Longest own stall", "%s", TIME_STR(ev->stall));
  bfd_show_field(c, 2, "Without processor", "%s", TIME_STR(ev->run_delay));
  bfd_show_field(c, 2, "CPU pressure", "%u.%02u %%", ev->pressure / 100, ev->pressure % 100);
  bfd_show_field(c, 2, "Dropped by kernel", "%u, elsewhere %u", ev->dropped, ev->dropped_before);
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

  LIST_WALK (r, &p->history, n)
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
