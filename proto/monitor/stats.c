/* proto/monitor/stats.c: sums over everything, for `stats`; see monitor.h */
#include "nest/channel.h"
#include "nest/table.h"
#include "proto/monitor/monitor.h"

struct mon_stats
{
  pool *pool; /* of the surveys */
  struct mon_client *c;
  json_t *tag, *bfd;
  uint asked; /* not answered yet */
};

static json_t *
bfd_object(const struct bfd_totals *t)
{
  const struct bfd_engine_stats *s = &t->stats;

  return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I}",
                   "protocol", t->instance, "sessions", MON_COUNTS(t->states, BFD_STATE__MAX, bfd_state_name),
                   "rx", (json_int_t) s->rx, "tx", (json_int_t) s->tx, "tx_errors", (json_int_t) s->tx_errors,
                   "dropped", (json_int_t) s->dropped, "late_ticks", (json_int_t) s->late_ticks, "latest_us",
                   (json_int_t) s->latest, "rests", (json_int_t) s->rests, "ups", (json_int_t) s->ups,
                   "downs", MON_COUNTS(s->downs, BFD_DIAG__MAX, bfd_diag_name), "verdicts",
                   MON_COUNTS(t->verdicts, BFD_VERDICT__MAX, bfd_verdict_name), "refused",
                   MON_COUNTS(s->refused, BFD_RX__MAX, bfd_rx_name), "gaps_us", mon_histogram(t->gaps),
                   "detection_us", mon_histogram(t->detections), "detection_sum_us",
                   (json_int_t) t->detection_sum);
}

static json_t *
channels(const struct proto *p)
{
  json_t *array = json_array();
  struct channel *c;

  LIST_WALK (c, &p->channels, n)
    json_array_append_new(array, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "table", c->table->name, "state",
                                           channel_state_name(c), "imported", (json_int_t) c->imported,
                                           "filtered", (json_int_t) c->filtered, "preferred",
                                           (json_int_t) c->preferred, "exported", (json_int_t) c->exported));
  return array;
}

static json_t *
protocols(void)
{
  json_t *array = json_array();
  struct proto *p;

  LIST_WALK (p, proto_list(), n)
    json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:I, s:o}", "protocol", p->name, "class",
                                           p->class->name, "state", proto_state_name(p->state), "wall_us",
                                           (json_int_t) p->since, "channels", channels(p)));
  return array;
}

static json_t *
tables(void)
{
  json_t *array = json_array();
  struct rtable *t;

  LIST_WALK (t, rt_tables(), n)
    json_array_append_new(
        array, json_pack("{s:s, s:I, s:I, s:I}", "table", t->name, "routes", (json_int_t) t->route_count,
                         "filtered", (json_int_t) t->filtered_count, "networks", (json_int_t) t->net_count));
  return array;
}

static json_t *
monitor_object(const struct monitor *m)
{
  return json_pack("{s:i, s:I, s:I, s:i, s:i, s:I, s:I}", "clients", (int) m->client_count, "accepted",
                   (json_int_t) m->accepted, "refused", (json_int_t) m->refused, "sessions",
                   (int) m->session_count, "requests", (int) m->request_count, "events", (json_int_t) m->next,
                   "lost", (json_int_t) m->lost);
}

static void
surveyed(const struct bfd_totals *t, void *data)
{
  struct mon_stats *stats = data;

  stats->asked--;
  if (t)
    json_array_append_new(stats->bfd, bfd_object(t));
  mon_client_wake(stats->c);
}

void
mon_stats(struct mon_client *c, const struct mon_command *command)
{
  struct mon_stats *stats = mb_alloc(c->pool, sizeof(*stats));

  stats->pool = pool_new(c->pool, "Monitor stats");
  stats->c = c;
  stats->tag = json_incref(command->tag);
  stats->bfd = json_array();
  c->stats = stats;
  stats->asked = bfd_survey(stats->pool, surveyed, stats);
}

bool
mon_stats_next(struct mon_client *c)
{
  struct mon_stats *stats = c->stats;
  json_t *object;

  if (stats->asked)
    return false;
  object = json_pack("{s:O, s:o, s:o, s:o}", "bfd", stats->bfd, "protocols", protocols(), "tables", tables(),
                     "monitor", monitor_object(c->m));
  mon_client_say(c, json_pack("{s:o}", "stats", object), stats->tag);
  mon_stats_free(c);
  return true;
}

void
mon_stats_free(struct mon_client *c)
{
  struct mon_stats *stats = c->stats;

  if (!stats)
    return;
  c->stats = NULL;
  json_decref(stats->tag);
  json_decref(stats->bfd);
  rfree(stats->pool);
  mb_free(stats);
}
