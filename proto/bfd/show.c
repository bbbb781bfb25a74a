/*
 * proto/bfd/show.c: show bfd sessions, and how anything is shown of many sessions
 *
 * The engine is asked for snapshots of up to 256 sessions; the next one is asked for when the client has read
 * most of the last. A view says what becomes of them. The compatible fields come first, ours after them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "proto/bfd/bfd.h"
#include "sysdep/clock.h"

#define FULL_A_SLICE 32 /* sessions shown in full before others have their turn */

struct bfd_query
{
  struct resource r;
  struct node n; /* among the queries of its instance */
  struct cli *cli;
  const struct bfd_view *view;
  const void *data; /* for the view */
  struct bfd_filter filter;
  char *proto; /* instance being listed */
  u64 number;
  uint engine, next; /* whom to ask, and where to go on */
  uint changes;      /* of the number of engines, when it began */
  struct bfd_engine_stats stats;
};

static void
query_free(struct resource *r)
{
  list_remove(&((struct bfd_query *) r)->n);
}

static const struct resource_class query_class = { .name = "BFD query",
                                                   .size = sizeof(struct bfd_query),
                                                   .free = query_free };

/* Filters */

static bool
filter_key(const struct bfd_filter *f, enum bfd_hop hop, ip_addr remote, const char *ifname)
{
  bool v4 = ip_is_v4(remote);

  if ((f->v4 && !v4) || (f->v6 && v4))
    return false;
  if ((f->direct && hop != BFD_DIRECT) || (f->multihop && hop != BFD_MULTIHOP))
    return false;
  if (f->has_prefix && !prefix_contains(&f->prefix, remote))
    return false;
  return !f->ifname || (hop == BFD_DIRECT && strcmp(f->ifname, ifname) == 0);
}

/* One session, in a row */

btime
bfd_wall_of(btime t)
{
  return clock_wall() - (clock_now() - t);
}

static void
show_title(struct cli *c)
{
  cli_line(c, 1020, "%-25s %-10s %-10s %-12s  %8s %8s", "IP address", "Interface", "State", "Since",
           "Interval", "Timeout");
}

static void
show_row(struct cli *c, const struct bfd_proto *p UNUSED, const struct bfd_shared *s,
         const struct bfd_info *i, const void *data UNUSED)
{
  if (i->suspended)
    return; /* without a path a session is not listed, as users of BIRD know it */

  const char *ifname = s->key.hop == BFD_DIRECT ? s->key.ifname : "---";
  btime interval = i->tx_interval ? i->tx_interval : (btime) i->local_min_tx;

  cli_line(c, 1020, "%-25s %-10s %-10s %-12s  %7s  %7s", IP_STR(s->key.remote), ifname,
           bfd_state_name(i->status.state), TIME_BY(TIME_PROTOCOL, bfd_wall_of(i->since)), TIME_STR(interval),
           TIME_STR(i->detection_time));
}

/* One session, in full. Values stand in column 24. */

void
bfd_show_field(struct cli *c, uint indent, const char *name, const char *fmt, ...)
{
  char value[256];
  va_list args;

  va_start(args, fmt);
  vsnprintf(value, sizeof(value), fmt, args);
  va_end(args);
  cli_line(c, 1020, "%*s%s:%*s%s", (int) indent, "", name, (int) MAX(23 - (int) (indent + strlen(name)), 1),
           "", value);
}

static void
show_parameters(struct cli *c, const char *title, u32 min_tx, u32 min_rx, bool demand, uint mult)
{
  cli_line(c, 1020, "  %s:", title);
  bfd_show_field(c, 4, "Min TX interval", "%s", TIME_STR(min_tx));
  bfd_show_field(c, 4, "Min RX interval", "%s", TIME_STR(min_rx));
  bfd_show_field(c, 4, "Demand mode", "%s", demand ? "Yes" : "No");
  bfd_show_field(c, 4, "Multiplier", "%u", mult);
}

static void
show_clients(struct cli *c, const struct bfd_shared *s)
{
  struct bfd_request *r;

  LIST_WALK (r, &s->requests, sn)
    bfd_show_field(c, 2, "Requested by", "%s", r->client);
}

static void
show_auth(struct cli *c, const struct bfd_info *i)
{
  if (!i->auth && !i->auth_changing)
    return;
  cli_line(c, 1020, "  Authentication:");
  bfd_show_field(c, 4, "Type", "%s", bfd_auth_name(i->auth));
  if (i->auth_rx_known)
    bfd_show_field(c, 4, "RX CSN", "%u", i->auth_rx_seq);
  if (i->auth > BFD_AUTH_SIMPLE)
    bfd_show_field(c, 4, "TX CSN", "%u", i->auth_tx_seq);
  if (i->auth_changing)
    bfd_show_field(c, 4, "Changing to", "%s, once the peer does", bfd_auth_name(i->auth_wanted));
}

static void
show_counters(struct cli *c, const struct bfd_counters *n, const u32 *verdicts)
{
  const struct bfd_troubles *t = &n->troubles;
  u64 refused = 0, downs = 0;

  for (uint i = 0; i < BFD_RX__MAX; i++)
    refused += t->refused[i];
  for (uint i = 0; i < BFD_DIAG__MAX; i++)
    downs += t->downs[i];
  cli_line(c, 1020, "  Counters:");
  bfd_show_field(c, 4, "Packets received", "%llu", (unsigned long long) n->rx);
  bfd_show_field(c, 4, "Packets refused", "%llu", (unsigned long long) refused);
  for (uint i = 0; i < BFD_RX__MAX; i++)
    if (t->refused[i])
      cli_line(c, 1020, "      %s: %u", bfd_rx_name(i), t->refused[i]);
  bfd_show_field(c, 4, "Packets sent", "%llu", (unsigned long long) n->tx);
  bfd_show_field(c, 4, "Send errors", "%llu", (unsigned long long) t->tx_errors);
  bfd_show_field(c, 4, "Went up", "%u", n->ups);
  bfd_show_field(c, 4, "Went down", "%llu", (unsigned long long) downs);
  for (uint i = 0; i < BFD_DIAG__MAX; i++)
    if (t->downs[i])
      cli_line(c, 1020, "      %s: %u", bfd_diag_name(i), t->downs[i]);
  if (verdicts)
    cli_line(c, 1020, "    Verdicts:");
  for (uint i = 0; verdicts && i < BFD_VERDICT__MAX; i++)
    if (verdicts[i])
      cli_line(c, 1020, "      %s: %u", bfd_verdict_name(i), verdicts[i]);
  if (t->stalls)
    bfd_show_field(c, 4, "Stalls of ours", "%u", t->stalls);
}

static void
show_offload(struct cli *c, const struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_info *i)
{
  bfd_show_field(c, 2, "Offload", "%s, now %s by %s", bfd_offload_name(s->params.offload),
                 bfd_offload_name(i->offload), bfd_attach_name(p, s));
  bfd_show_field(c, 4, "Packets", "%llu", (unsigned long long) i->offloaded);
  bfd_show_field(c, 4, "Sent to", "%s", i->offload_tx ? "link-layer address" : "IP stack");
}

static void
show_dampening(struct cli *c, const struct bfd_proto *p, const struct bfd_shared *s)
{
  struct bfd_dampened d = bfd_suppress_state(p, s);

  if (d.suppressed)
    bfd_show_field(c, 2, "Dampening", "penalty %u, suppressed for another %s s", d.penalty,
                   TIME_STR(MAX(d.until - loop_now(p->p.loop), 0)));
  else if (d.penalty)
    bfd_show_field(c, 2, "Dampening", "penalty %u", d.penalty);
}

/* What BIRD does not print. */
static void
show_ours(struct cli *c, const struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_info *i)
{
  if (!ip_is_none(s->path.local))
    bfd_show_field(c, 2, "Local address", "%s", IP_STR(s->path.local));
  if (s->waits_for)
    bfd_show_field(c, 2, "Waiting for", "%s", s->waits_for);
  if (bfd_engines(p) > 1)
    bfd_show_field(c, 2, "Thread", "%u", bfd_engine_for(p, s->id) + 1);
  if (s->params.offload)
    show_offload(c, p, s, i);
  if (bfd_is_held(p, &s->key))
    bfd_show_field(c, 2, "Held down by", "bfd disable");
  show_dampening(c, p, s);
  if (s->pace_step)
    bfd_show_field(c, 2, "Adapted", "intervals raised to %s s, this machine was late by %s s",
                   TIME_STR(bfd_shortest_interval(&s->params)), TIME_STR(s->pace_late));
  if (s->params.min_ttl)
    bfd_show_field(c, 2, "Minimum TTL", "%u", s->params.min_ttl);
  if (i->poll)
    bfd_show_field(c, 2, "Poll sequence", "running");
  if (i->last_rx)
    bfd_show_field(c, 2, "Last packet", "%s ago", TIME_STR(clock_now() - i->last_rx));
  if (i->arrivals.count)
  {
    cli_line(c, 1020, "  Arrivals:");
    bfd_show_arrivals(c, &i->arrivals, 4);
  }
  show_counters(c, &i->counters, s->verdicts);
  show_clients(c, s);
}

static void
show_full(struct cli *c, const struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_info *i,
          const void *data UNUSED)
{
  bfd_show_field(c, 2, "Address", "%s", IP_STR(s->key.remote));
  bfd_show_field(c, 2, "Interface", "%s", s->key.hop == BFD_DIRECT ? s->key.ifname : "---");
  bfd_show_field(c, 2, "Session type", "%s", s->key.hop == BFD_DIRECT ? "Direct" : "Multihop");
  bfd_show_field(c, 2, "Session state", "%s", bfd_state_name(i->status.state));
  bfd_show_field(c, 2, "Remote state", "%s", bfd_state_name(i->status.remote_state));
  bfd_show_field(c, 2, "Last state change", "%s", TIME_BY(TIME_PROTOCOL, bfd_wall_of(i->since)));
  bfd_show_field(c, 2, "Local diagnostic", "%s", bfd_diag_name(i->status.diag));
  bfd_show_field(c, 2, "Remote diagnostic", "%s", bfd_diag_name(i->remote_diag));
  bfd_show_field(c, 2, "Local discriminator", "%u", i->local_disc);
  bfd_show_field(c, 2, "Remote discriminator", "%u", i->remote_disc);
  bfd_show_field(c, 2, "Transmit timer", "%s / %s", TIME_STR(i->tx_left), TIME_STR(i->tx_interval));
  if (i->detection_time)
    bfd_show_field(c, 2, "Detect timer", "%s / %s", TIME_STR(i->detect_left), TIME_STR(i->detection_time));
  show_parameters(c, "Local parameters", i->local_min_tx, i->local_min_rx, false, i->local_mult);
  show_parameters(c, "Remote parameters", i->remote_min_tx, i->remote_min_rx, i->remote_demand,
                  i->remote_mult);
  show_auth(c, i);
  show_ours(c, p, s, i);
  cli_line(c, 1020, "%s", "");
}

/* What waits, in `all` */

static void
show_waiting(struct cli *c, const struct bfd_filter *f, const struct bfd_request *r, const char *why)
{
  const char *ifname = r->nb ? r->nb->ifname : "";

  if (!filter_key(f, r->hop, r->remote, ifname))
    return;
  bfd_show_field(c, 2, "Address", "%s", IP_STR(r->remote));
  bfd_show_field(c, 2, "Interface", "%s", ifname[0] ? ifname : "---");
  bfd_show_field(c, 2, "Session type", "%s", r->hop == BFD_DIRECT ? "Direct" : "Multihop");
  bfd_show_field(c, 2, "Waiting for", "%s", why);
  bfd_show_field(c, 2, "Requested by", "%s", r->client);
  cli_line(c, 1020, "%s", "");
}

/* Requests that would believe others than the session does. */
static void
show_differing(struct cli *c, const struct bfd_filter *f, const struct list *sessions)
{
  struct bfd_shared *s;
  struct bfd_request *r;

  LIST_WALK (s, sessions, n)
    LIST_WALK (r, &s->differing, sn)
      show_waiting(c, f, r, "the authentication or minimum TTL that the session has");
}

static bool
is_differing(const struct bfd_shared *s, const struct bfd_request *wanted)
{
  struct bfd_request *r;

  LIST_WALK (r, &s->differing, sn)
    if (r == wanted)
      return true;
  return false;
}

/* Requests the engine has not heard of. */
static void
show_unsent(struct cli *c, const struct bfd_filter *f, const struct bfd_proto *p)
{
  struct bfd_request *r;

  LIST_WALK (r, &p->provider->requests, n)
  {
    const struct bfd_shared *s = r->session;

    if (!s)
      show_waiting(c, f, r, r->nb->waits_for ? r->nb->waits_for : "interface");
    else if (!s->id && !is_differing(s, r))
      show_waiting(c, f, r, s->waits_for ? s->waits_for : "path");
  }
}

void
bfd_stats_add(struct bfd_engine_stats *sum, const struct bfd_engine_stats *one)
{
  sum->rx += one->rx;
  sum->tx += one->tx;
  sum->tx_errors += one->tx_errors;
  sum->ups += one->ups;
  sum->dropped += one->dropped;
  sum->late_ticks += one->late_ticks;
  sum->rests += one->rests;
  sum->latest = MAX(sum->latest, one->latest);
  for (uint i = 0; i < BFD_RX__MAX; i++)
    sum->refused[i] += one->refused[i];
  for (uint i = 0; i < BFD_DIAG__MAX; i++)
    sum->downs[i] += one->downs[i];
}

static void
show_stats(struct cli *c, const struct bfd_proto *p, const struct bfd_engine_stats *stats)
{
  const u64 *verdicts = bfd_history_verdicts(p);

  if (bfd_engines(p) > 1)
    cli_line(c, 1020, "  Threads: %u", bfd_engines(p));
  cli_line(c, 1020, "  Packets received: %llu, sent: %llu, not sent: %llu, dropped by the kernel: %llu",
           (unsigned long long) stats->rx, (unsigned long long) stats->tx,
           (unsigned long long) stats->tx_errors, (unsigned long long) stats->dropped);
  cli_line(c, 1020, "  Late ticks: %llu, the worst by %s s, forced rests: %llu",
           (unsigned long long) stats->late_ticks, TIME_STR(stats->latest),
           (unsigned long long) stats->rests);
  cli_line(c, 1020, "  Sessions went up: %llu", (unsigned long long) stats->ups);
  for (uint i = 0; i < BFD_DIAG__MAX; i++)
    if (stats->downs[i])
      cli_line(c, 1020, "  Sessions went down, %s: %llu", bfd_diag_name(i),
               (unsigned long long) stats->downs[i]);
  for (uint i = 0; i < BFD_VERDICT__MAX; i++)
    if (verdicts[i])
      cli_line(c, 1020, "  Verdict, %s: %llu", bfd_verdict_name(i), (unsigned long long) verdicts[i]);
  for (uint i = BFD_RX_OK + 1; i < BFD_RX__MAX; i++)
    if (stats->refused[i])
      cli_line(c, 1020, "  Packets refused, %s: %llu", bfd_rx_name(i),
               (unsigned long long) stats->refused[i]);
}

static void
show_all_instance_end(struct cli *c, const struct bfd_proto *p, const struct bfd_filter *f,
                      const struct bfd_engine_stats *stats)
{
  show_unsent(c, f, p);
  show_differing(c, f, &p->direct);
  show_differing(c, f, &p->multihop);
  show_differing(c, f, &p->due);
  show_stats(c, p, stats);
}

static void
show_all_end(struct cli *c, const struct bfd_filter *f)
{
  struct bfd_request *r;

  LIST_WALK (r, bfd_waiting(), n)
    show_waiting(c, f, r, "BFD protocol that accepts it");
}

static const struct bfd_view view_rows = { .slice = BFD_SNAPSHOT_MAX,
                                           .title = show_title,
                                           .session = show_row };
static const struct bfd_view view_full = {
  .slice = FULL_A_SLICE, .session = show_full, .instance_end = show_all_instance_end, .end = show_all_end
};

/* The query */

struct bfd_proto *
bfd_running(const char *name)
{
  struct proto *p = proto_find(name);

  return p && p->class == &proto_bfd && p->state == PROTO_UP ? (struct bfd_proto *) p : NULL;
}

static void query_instance_done(struct bfd_query *q, struct bfd_proto *p);

static void
query_ask(struct cli *c UNUSED, void *data)
{
  struct bfd_query *q = data;
  struct bfd_proto *p = bfd_running(q->proto);

  if (!p)
  {
    cli_end(q->cli, 0, "%s", "");
    return;
  }
  if (q->engine >= bfd_engines(p)) /* there are fewer by now */
  {
    query_instance_done(q, p);
    return;
  }

  struct bfd_snapshot_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->msg.kind = BFD_SNAPSHOT;
  cmd->query = q->number = ++p->next_query;
  cmd->from = q->next;
  cmd->max = q->view->slice;
  list_remove(&q->n);
  list_add_tail(&p->queries, &q->n);
  bfd_post_engine(p, q->engine, &cmd->msg);
}

static void
query_begin(struct bfd_query *q, struct bfd_proto *p)
{
  q->proto = mb_strdup(cli_pool(q->cli), p->p.name);
  q->engine = q->next = 0;
  q->changes = p->team->changes;
  q->stats = p->team->gone;
  cli_line(q->cli, 1020, "%s:", p->p.name);
  if (q->view->title)
    q->view->title(q->cli);
  query_ask(q->cli, q);
}

struct bfd_proto *
bfd_next_instance(const char *before)
{
  bool passed = !before;
  struct proto *p;

  LIST_WALK (p, proto_list(), n)
  {
    if (passed && bfd_running(p->name))
      return (struct bfd_proto *) p;
    passed = passed || strcmp(p->name, before) == 0;
  }
  return NULL;
}

static void
query_instance_done(struct bfd_query *q, struct bfd_proto *p)
{
  struct bfd_proto *next = q->filter.name ? NULL : bfd_next_instance(q->proto);

  if (q->changes != p->team->changes)
    cli_line(q->cli, 1020, "  The number of threads has changed: sessions may be missing, or be there twice");
  if (q->view->instance_end)
    q->view->instance_end(q->cli, p, &q->filter, &q->stats);
  if (next)
  {
    cli_line(q->cli, 1020, "%s", "");
    query_begin(q, next);
    return;
  }
  if (q->view->end)
    q->view->end(q->cli, &q->filter);
  cli_end(q->cli, 0, "%s", "");
}

static void
query_rows(struct bfd_query *q, struct bfd_proto *p, const struct bfd_snapshot *snap)
{
  for (uint i = 0; i < snap->count; i++)
  {
    const struct bfd_info *info = &snap->info[i];
    const struct bfd_shared *s = bfd_shared_find(p, info->id);

    if (s && filter_key(&q->filter, s->key.hop, s->key.remote, s->key.ifname))
      q->view->session(q->cli, p, s, info, q->data);
  }
}

void
bfd_snapshot_received(struct bfd_proto *p, const struct bfd_snapshot *snap)
{
  struct bfd_query *q;

  LIST_WALK (q, &p->queries, n)
    if (q->number == snap->query)
    {
      list_remove(&q->n);
      query_rows(q, p, snap);
      q->next = snap->next;
      if (!snap->next)
      {
        bfd_stats_add(&q->stats, &snap->stats);
        q->engine++;
      }
      if (q->engine < bfd_engines(p))
        cli_when_room(q->cli, query_ask, q);
      else
        query_instance_done(q, p);
      return;
    }
}

void
bfd_queries_abort(struct bfd_proto *p)
{
  while (!list_empty(&p->queries))
  {
    struct bfd_query *q = SKIP_BACK(struct bfd_query, n, list_first(&p->queries));

    list_remove(&q->n);
    cli_end(q->cli, 0, "%s", "");
  }
}

static struct bfd_filter
filter_copy(const struct bfd_filter *f, pool *p)
{
  struct bfd_filter copy = *f;

  if (f->name)
    copy.name = mb_strdup(p, f->name);
  if (f->ifname)
    copy.ifname = mb_strdup(p, f->ifname);
  return copy;
}

void
bfd_query(struct cli *c, const struct bfd_filter *f, const struct bfd_view *view, const void *data)
{
  struct bfd_proto *first = f->name ? bfd_running(f->name) : bfd_next_instance(NULL);

  if (!first && f->name)
  {
    cli_line(c, 1020, "%s: is not up", f->name);
    cli_end(c, 0, "%s", "");
  }
  else if (!first)
    cli_end(c, 9001, "There is no BFD protocol running");
  else
  {
    struct bfd_query *q = res_new(cli_pool(c), &query_class);

    q->cli = c;
    q->view = view;
    q->data = data;
    q->filter = filter_copy(f, cli_pool(c));
    query_begin(q, first);
  }
}

void
bfd_cmd_show_sessions(struct cli *c, const struct bfd_filter *f)
{
  struct proto *named = f->name ? proto_find(f->name) : NULL;

  if (f->name && !named)
    cli_end(c, 9001, "There is no protocol '%s'", f->name);
  else if (named && named->class != &proto_bfd)
    cli_end(c, 9001, "%s: Not a BFD protocol", f->name);
  else if (f->v4 && f->v6)
    cli_end(c, 9001, "Options 'ipv4' and 'ipv6' are mutually exclusive");
  else if (f->direct && f->multihop)
    cli_end(c, 9001, "Options 'direct' and 'multihop' are mutually exclusive");
  else
    bfd_query(c, f, f->all ? &view_full : &view_rows, NULL);
}
