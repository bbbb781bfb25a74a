/*
 * web/metrics.c: see metrics.h
 *
 * A table names the families; each is filled from one member of the objects of one array. The text is built
 * in a memory stream, which fails only at its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/types.h"
#include "web/metrics.h"

enum kind
{
  GAUGE,
  COUNTER,
  BY_NAME,         /* the member is an object: a value for each name in it */
  COUNTER_BY_NAME, /* the same, of counters */
  HISTOGRAM,       /* the member is an array of pairs; microseconds become seconds */
  GAUGE_HISTOGRAM, /* the same, of what is there at present */
};

struct output
{
  FILE *f;
  bool open; /* OpenMetrics */
};

static const struct family
{
  const char *name, *help, *unit;
  const char *member, *label; /* label: of BY_NAME */
  enum kind kind;
  const char *sum; /* GAUGE_HISTOGRAM: the member that has the sum, in microseconds */
} bfd_families[] = {
  { "peregrine_bfd_sessions", "BFD sessions by state", NULL, "sessions", "state", BY_NAME, NULL },
  { "peregrine_bfd_ups", "Sessions that came up", NULL, "ups", NULL, COUNTER, NULL },
  { "peregrine_bfd_downs", "Sessions that left Up, by diagnostic", NULL, "downs", "diagnostic",
    COUNTER_BY_NAME, NULL },
  { "peregrine_bfd_verdicts", "Sessions that left Up, by why", NULL, "verdicts", "verdict", COUNTER_BY_NAME,
    NULL },
  { "peregrine_bfd_received_packets", "Packets accepted", NULL, "rx", NULL, COUNTER, NULL },
  { "peregrine_bfd_sent_packets", "Packets sent", NULL, "tx", NULL, COUNTER, NULL },
  { "peregrine_bfd_send_errors", "Packets that could not be sent", NULL, "tx_errors", NULL, COUNTER, NULL },
  { "peregrine_bfd_refused_packets", "Packets refused, by reason", NULL, "refused", "reason", COUNTER_BY_NAME,
    NULL },
  { "peregrine_bfd_dropped_packets", "Packets the kernel had no room for", NULL, "dropped", NULL, COUNTER,
    NULL },
  { "peregrine_bfd_late_ticks", "Times the engine was so late that it may have missed packets", NULL,
    "late_ticks", NULL, COUNTER, NULL },
  { "peregrine_bfd_gap_seconds", "Gaps between packets of sessions that are Up", "seconds", "gaps_us", NULL,
    HISTOGRAM, NULL },
  { "peregrine_bfd_detection_time_seconds", "Detection times of sessions that are Up", "seconds",
    "detection_us", NULL, GAUGE_HISTOGRAM, "detection_sum_us" },
};

static const struct family channel_families[] = {
  { "peregrine_routes_imported", "Routes a protocol has in a table", NULL, "imported", NULL, GAUGE, NULL },
  { "peregrine_routes_filtered", "Routes it was not let have there", NULL, "filtered", NULL, GAUGE, NULL },
  { "peregrine_routes_preferred", "Routes of it that are the best", NULL, "preferred", NULL, GAUGE, NULL },
  { "peregrine_routes_exported", "Routes it is told of", NULL, "exported", NULL, GAUGE, NULL },
};

static const struct family table_families[] = {
  { "peregrine_table_routes", "Routes in a table", NULL, "routes", NULL, GAUGE, NULL },
  { "peregrine_table_networks", "Networks in a table", NULL, "networks", NULL, GAUGE, NULL },
};

static const struct family monitor_families[] = {
  { "peregrine_monitor_clients", "Programs that are connected", NULL, "clients", NULL, GAUGE, NULL },
  { "peregrine_monitor_requests", "Sessions they have asked for", NULL, "requests", NULL, GAUGE, NULL },
  { "peregrine_monitor_lost_events", "Events they did not read in time", NULL, "lost", NULL, COUNTER, NULL },
};

/* Values of labels: a backslash, a quote and a newline are escaped. */
static void
print_quoted(FILE *f, const char *text)
{
  fputc('"', f);
  for (; *text; text++)
    if (*text == '\n')
      fputs("\\n", f);
    else
    {
      if (*text == '"' || *text == '\\')
        fputc('\\', f);
      fputc(*text, f);
    }
  fputc('"', f);
}

struct labels
{
  const char *name[4], *value[4];
  uint count;
};

static void
print_labels(FILE *f, const struct labels *l, const char *name, const char *value)
{
  const char *comma = "{";

  for (uint i = 0; i < l->count; i++)
  {
    fprintf(f, "%s%s=", comma, l->name[i]);
    print_quoted(f, l->value[i]);
    comma = ",";
  }
  if (name)
  {
    fprintf(f, "%s%s=", comma, name);
    print_quoted(f, value);
    comma = ",";
  }
  if (*comma == ',')
    fputc('}', f);
}

static bool
is_counter(const struct family *m)
{
  return m->kind == COUNTER || m->kind == COUNTER_BY_NAME;
}

/* The older format names counters with their suffix, and has no words for the newer types. */
static void
print_type(const struct output *o, const char *name, const char *suffix, const char *type, const char *older,
           const char *help)
{
  suffix = o->open ? "" : suffix;
  fprintf(o->f, "# HELP %s%s %s.\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
          o->open ? type : older);
}

static void
print_head(const struct output *o, const struct family *m)
{
  if (m->kind == HISTOGRAM)
    print_type(o, m->name, "", "histogram", "histogram", m->help);
  else if (m->kind == GAUGE_HISTOGRAM)
    print_type(o, m->name, "", "gaugehistogram", "histogram", m->help);
  else if (is_counter(m))
    print_type(o, m->name, "_total", "counter", "counter", m->help);
  else
    print_type(o, m->name, "", "gauge", "gauge", m->help);
  if (m->unit && o->open)
    fprintf(o->f, "# UNIT %s %s\n", m->name, m->unit);
}

static void
print_value(FILE *f, const struct family *m, const struct labels *l, const char *label, const char *value,
            const json_t *number)
{
  fprintf(f, "%s%s", m->name, is_counter(m) ? "_total" : "");
  print_labels(f, l, label, value);
  fprintf(f, " %lld\n", (long long) json_integer_value(number));
}

/* Cumulative, as histograms are read there. */
static void
print_histogram(const struct output *o, const struct family *m, const struct labels *l, const json_t *pairs,
                const json_t *object)
{
  const char *gauge = o->open && m->sum ? "g" : "";
  FILE *f = o->f;
  long long sum = 0;
  json_t *pair;
  size_t i;

  json_array_foreach ((json_t *) pairs, i, pair)
  {
    long long end = json_integer_value(json_array_get(pair, 0));
    char le[32];

    sum += json_integer_value(json_array_get(pair, 1));
    snprintf(le, sizeof(le), "%.6f", end / 1e6);
    if (!end)
      continue;
    fprintf(f, "%s_bucket", m->name);
    print_labels(f, l, "le", le);
    fprintf(f, " %lld\n", sum);
  }
  fprintf(f, "%s_bucket", m->name);
  print_labels(f, l, "le", "+Inf");
  fprintf(f, " %lld\n", sum);
  fprintf(f, "%s_%scount", m->name, gauge);
  print_labels(f, l, NULL, NULL);
  fprintf(f, " %lld\n", sum);
  if (!m->sum)
    return;
  fprintf(f, "%s_%ssum", m->name, gauge);
  print_labels(f, l, NULL, NULL);
  fprintf(f, " %.6f\n", json_integer_value(json_object_get(object, m->sum)) / 1e6);
}

static void
print_member(const struct output *o, const struct family *m, const struct labels *l, const json_t *object)
{
  const json_t *member = json_object_get(object, m->member);
  const char *name;
  json_t *number;

  if (m->kind == HISTOGRAM || m->kind == GAUGE_HISTOGRAM)
    print_histogram(o, m, l, member, object);
  else if (m->kind == GAUGE || m->kind == COUNTER)
    print_value(o->f, m, l, NULL, NULL, member);
  else
    json_object_foreach ((json_t *) member, name, number)
      print_value(o->f, m, l, m->label, name, number);
}

static const char *
text_of(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));

  return text ? text : "";
}

/* All objects of @array under each family: OpenMetrics wants families in one piece. */
static void
print_families(const struct output *o, const struct family *families, uint count, const json_t *array,
               const char *label)
{
  for (uint i = 0; i < count; i++)
  {
    json_t *object;
    size_t n;

    print_head(o, &families[i]);
    json_array_foreach ((json_t *) array, n, object)
    {
      struct labels l = { { label }, { text_of(object, label) }, 1 };

      print_member(o, &families[i], &l, object);
    }
  }
}

static void
print_channels(const struct output *o, const json_t *protocols)
{
  for (uint i = 0; i < ARRAY_SIZE(channel_families); i++)
  {
    json_t *protocol, *channel;
    size_t n, k;

    print_head(o, &channel_families[i]);
    json_array_foreach ((json_t *) protocols, n, protocol)
      json_array_foreach (json_object_get(protocol, "channels"), k, channel)
      {
        struct labels l = { { "protocol", "table" },
                            { text_of(protocol, "protocol"), text_of(channel, "table") },
                            2 };

        print_member(o, &channel_families[i], &l, channel);
      }
  }
}

static void
print_protocols(const struct output *o, const json_t *protocols)
{
  static const char *const states[] = { "down", "start", "up", "flush", "stop" };
  static const char name[] = "peregrine_protocol_state";
  json_t *protocol;
  size_t n;

  print_type(o, name, "", "stateset", "gauge", "States of protocols");
  json_array_foreach ((json_t *) protocols, n, protocol)
    for (uint i = 0; i < ARRAY_SIZE(states); i++)
    {
      struct labels l = { { "protocol", "class", name },
                          { text_of(protocol, "protocol"), text_of(protocol, "class"), states[i] },
                          3 };

      fputs(name, o->f);
      print_labels(o->f, &l, NULL, NULL);
      fprintf(o->f, " %d\n", strcmp(states[i], text_of(protocol, "state")) == 0);
    }
}

static void
print_all(const struct output *o, const json_t *stats)
{
  const json_t *protocols = json_object_get(stats, "protocols");

  print_families(o, bfd_families, ARRAY_SIZE(bfd_families), json_object_get(stats, "bfd"), "protocol");
  print_protocols(o, protocols);
  print_channels(o, protocols);
  print_families(o, table_families, ARRAY_SIZE(table_families), json_object_get(stats, "tables"), "table");
  for (uint i = 0; i < ARRAY_SIZE(monitor_families); i++)
  {
    print_head(o, &monitor_families[i]);
    print_member(o, &monitor_families[i], &(struct labels){ .count = 0 }, json_object_get(stats, "monitor"));
  }
}

char *
metrics_text(const json_t *answer, bool open)
{
  const json_t *stats = json_object_get(answer, "stats");
  char *text = NULL;
  size_t size;
  struct output o = { open_memstream(&text, &size), open };

  if (!o.f)
    return NULL;
  print_type(&o, "peregrine_up", "", "gauge", "gauge", "Does the daemon answer");
  fprintf(o.f, "peregrine_up %d\n", stats != NULL);
  if (stats)
    print_all(&o, stats);
  if (open)
    fputs("# EOF\n", o.f);
  if (fclose(o.f))
  {
    free(text);
    return NULL;
  }
  return text;
}
