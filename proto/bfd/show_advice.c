/*
 * proto/bfd/show_advice.c: show bfd advice
 *
 * What advice.h makes of the gaps that the engine has recorded, in words.
 */
#include <stdio.h>

#include "lib/text.h"
#include "proto/bfd/advice.h"
#include "proto/bfd/bfd.h"

#define ADVICE_A_SLICE 32

static const struct bfd_setting usual[] = { { 10000, 3 }, { 10000, 5 },  { 20000, 3 },
                                            { 50000, 3 }, { 100000, 3 }, { 300000, 3 } };

#define SETTING_SIZE 48

static char *
setting_format(struct bfd_setting s, char *buf)
{
  snprintf(buf, SETTING_SIZE, "%s x %u", TIME_STR(s.interval), s.multiplier);
  return buf;
}
#define SETTING_STR(s) setting_format(s, (char[SETTING_SIZE]){ 0 })

/* As the session is, or was when it was last Up: a silent peer is forgotten, and with it its multiplier. */
static struct bfd_setting
present_setting(const struct bfd_info *i)
{
  return (struct bfd_setting){ i->arrivals.interval, i->remote_mult ? i->remote_mult : i->local_mult };
}

static struct bfd_setting
given_setting(const struct bfd_advice_args *args, struct bfd_setting present)
{
  return (struct bfd_setting){ args->interval ? args->interval : present.interval,
                               args->multiplier ? args->multiplier : present.multiplier };
}

static void
show_seen(struct cli *c, const struct bfd_info *i)
{
  const struct bfd_arrivals *a = &i->arrivals;
  u32 expired = i->counters.troubles.downs[BFD_DIAG_TIMEOUT];

  bfd_show_field(c, 2, "Seen", "%u gaps in about %s s, since it came Up with this interval", a->count,
                 TIME_STR(bfd_advice_span(a)));
  if (bfd_advice_is_little(a))
    bfd_show_field(c, 2, "Beware", "only %u packets in %s s: this says little", a->count,
                   TIME_STR(bfd_advice_span(a)));
  if (expired)
    bfd_show_field(c, 2, "Detection expired", "%u times", expired);
}

static void
show_present(struct cli *c, const struct bfd_arrivals *a, struct bfd_setting s)
{
  btime detection = (btime) s.interval * s.multiplier;

  bfd_show_field(c, 2, "Worst gap", "%s, late by %s", TIME_STR(a->largest), TIME_STR(bfd_advice_lateness(a)));
  bfd_show_field(c, 2, "Detection time", "%s (%s), of which the worst gap left %s", TIME_STR(detection),
                 SETTING_STR(s), TIME_STR(MAX(detection - a->largest, 0)));
}

static void
show_failures(struct cli *c, const struct bfd_arrivals *a, struct bfd_setting s, const char *remark)
{
  struct bfd_bounds n = bfd_advice_failures(a, s);

  if (!n.most)
    bfd_show_field(c, 4, SETTING_STR(s), "none%s", remark);
  else if (n.least == n.most)
    bfd_show_field(c, 4, SETTING_STR(s), "%u%s", n.most, remark);
  else
    bfd_show_field(c, 4, SETTING_STR(s), "at least %u, at most %u%s", n.least, n.most, remark);
}

static bool
same_setting(struct bfd_setting a, struct bfd_setting b)
{
  return a.interval == b.interval && a.multiplier == b.multiplier;
}

/* With what it has, with what was asked for, and with others. */
static void
show_settings(struct cli *c, const struct bfd_arrivals *a, struct bfd_setting present,
              struct bfd_setting given)
{
  cli_line(c, 1020, "  Would have failed:");
  show_failures(c, a, present, " (present)");
  if (!same_setting(given, present))
    show_failures(c, a, given, " (given)");
  for (uint i = 0; i < ARRAY_SIZE(usual); i++)
    if (!same_setting(usual[i], present) && !same_setting(usual[i], given))
      show_failures(c, a, usual[i], "");
}

static void
show_shortest(struct cli *c, const struct bfd_arrivals *a, btime worst)
{
  struct bfd_setting s;

  if (worst)
    bfd_show_field(c, 2, "Machine late by", "%s, in the last hour or two", TIME_STR(worst));
  if (bfd_advice_shortest(a, worst, &s))
    bfd_show_field(c, 2, "Shortest safe", "%s, silence is noticed in %s", SETTING_STR(s),
                   TIME_STR((btime) s.interval * s.multiplier));
  else
    bfd_show_field(c, 2, "Shortest safe", "none: find out first what delays or loses packets");
}

static void
show_advice(struct cli *c, const struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_info *i,
            const void *data)
{
  const struct bfd_advice_args *args = data;
  const struct bfd_arrivals *a = &i->arrivals;
  struct bfd_setting present = present_setting(i);

  bfd_show_field(c, 2, "Address", "%s", IP_STR(s->key.remote));
  bfd_show_field(c, 2, "Interface", "%s", s->key.hop == BFD_DIRECT ? s->key.ifname : "---");
  bfd_show_field(c, 2, "Session state", "%s", bfd_state_name(i->status.state));
  if (a->count)
  {
    show_seen(c, i);
    show_present(c, a, present);
    show_settings(c, a, present, given_setting(args, present));
    show_shortest(c, a, bfd_worst_of(p));
  }
  else
    bfd_show_field(c, 2, "Seen", "nothing yet, for that it has to be Up");
  cli_line(c, 1020, "%s", "");
}

static const struct bfd_view view_advice = { .slice = ADVICE_A_SLICE, .session = show_advice };

void
bfd_cmd_show_advice(struct cli *c, const struct bfd_advice_args *args)
{
  struct bfd_advice_args *copy = mb_alloc(cli_pool(c), sizeof(*copy));
  struct bfd_filter f = { .ifname = args->which.ifname, .has_prefix = !args->which.all };

  f.prefix = (struct prefix){ args->which.remote, ip_is_v4(args->which.remote) ? 32 : 128 };
  *copy = *args;
  bfd_query(c, &f, &view_advice, copy);
}
