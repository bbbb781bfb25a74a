/* proto/pipe/pipe.c: see pipe.h */
#include <stdio.h>
#include <string.h>

#include "proto/pipe/pipe.h"

#define GENERATIONS_MAX 16 /* pipes a route may go through: a loop of pipes ends here */

struct pipe_proto
{
  struct proto p;
  struct channel *primary, *secondary;
  struct attrs *from, *to; /* the last set that was passed on, and what became of it */
  char info[80];
};

static struct channel *
other_end(struct channel *c)
{
  const struct pipe_proto *p = (const struct pipe_proto *) c->proto;

  return c == p->primary ? p->secondary : p->primary;
}

/* The set as it arrives at the other end, one pipe further; borrowed. */
static struct attrs *
passed_on(struct pipe_proto *p, struct attrs *a)
{
  if (a != p->from)
  {
    struct attrs further = *a;

    further.generation++;
    attrs_unref(p->from);
    attrs_unref(p->to);
    p->from = attrs_ref(a);
    p->to = attrs_intern(&further);
  }
  return p->to;
}

static bool
passes(const struct channel *c, const struct route *r)
{
  return channel_judge(c, r) == EXPORT_YES && r->attrs->generation < GENERATIONS_MAX;
}

/* The first of the routes that pass with this origin and number: those behind it came round a loop. */
static const struct route *
first_like(const struct channel *c, const struct net *n, const struct rt_origin *origin, u32 path_id)
{
  for (const struct route *r = n->routes; r; r = r->next)
    if (r->path_id == path_id && r->attrs->origin == origin && passes(c, r))
      return r;
  return NULL;
}

/* Routes that this pipe brought and that are not there any more, one at a time. */
static const struct route *
stale_copy(const struct channel *c, const struct net *n, const struct channel *to, const struct net *copy)
{
  for (const struct route *r = copy->routes; r; r = r->next)
    if (r->sender == to && !first_like(c, n, r->attrs->origin, r->path_id))
      return r;
  return NULL;
}

static void
withdraw_stale(struct channel *c, const struct net *n, const struct net_addr *a)
{
  struct channel *to = other_end(c);
  struct net *copy;
  const struct route *stale;

  while ((copy = rt_net(to->table, a)) && (stale = stale_copy(c, n, to, copy)))
    channel_update_from(to, a, stale->attrs->origin, stale->path_id, NULL, n->urgent);
}

/* True: it is to be passed on. */
static bool
count_route(struct channel *c, const struct route *r)
{
  if (r->filtered)
    return false;
  c->export_updates.received++;
  if (passes(c, r))
  {
    c->export_updates.accepted++;
    return true;
  }
  if (r->sender == c)
    c->export_updates.invalid++;
  else
    c->export_updates.filtered++;
  return false;
}

/* What is gone goes first: a limit must not count it. Readers over there see the network once, as it is then.
 */
static void
pipe_sync(struct channel *c, struct net *n)
{
  struct channel *to = other_end(c);
  struct net_addr a = net_addr_of(c->table, n);

  if (to->state != CHANNEL_UP)
    return;
  withdraw_stale(c, n, &a);
  for (const struct route *r = n->routes; r; r = r->next)
    if (count_route(c, r) && first_like(c, n, r->attrs->origin, r->path_id) == r)
      channel_update_from(to, &a, r->attrs->origin, r->path_id,
                          passed_on((struct pipe_proto *) c->proto, r->attrs), n->urgent);
}

static void
pipe_start(struct proto *proto)
{
  struct pipe_proto *p = (struct pipe_proto *) proto;

  p->primary = SKIP_BACK(struct channel, n, list_first(&proto->channels));
  p->secondary = SKIP_BACK(struct channel, n, p->primary->n.next);
  snprintf(p->info, sizeof(p->info), "%.32s <=> %.32s", p->primary->table->name, p->secondary->table->name);
  proto_up(proto);
}

static void
pipe_stop(struct proto *proto)
{
  struct pipe_proto *p = (struct pipe_proto *) proto;

  attrs_unref(p->from);
  attrs_unref(p->to);
  p->from = p->to = NULL;
  proto_down(proto);
}

/* What a channel imports is what the other one has to tell. */
static bool
pipe_reload(struct channel *c)
{
  channel_refeed(other_end(c));
  return true;
}

static bool
pipe_reconfigure(struct proto *proto UNUSED, struct proto_config *cf UNUSED)
{
  return true;
}

/* --- Configuration --- */

static void
pipe_config_init(struct proto_config *cf, struct cf_ctx *cx)
{
  struct pipe_config *pc = (struct pipe_config *) cf;

  pc->block.import = pc->block.export = RT_ACCEPT;
  pc->block.debug = cx->cfg->debug_channels;
}

static void
pipe_config_copy(struct proto_config *cf, const struct proto_config *from UNUSED, struct cf_ctx *cx UNUSED)
{
  list_init(&cf->channels);
}

static bool
tables_fit(const struct pipe_config *pc, struct cf_ctx *cx, const struct cf_loc *loc)
{
  const struct table_config *a = pc->block.table, *b = pc->peer;

  if (!a)
    cf_error(cx, loc, "Primary routing table not specified");
  else if (!b)
    cf_error(cx, loc, "Secondary routing table not specified");
  else if (a == b)
    cf_error(cx, loc, "Primary table and peer table must be different");
  else if (a->type != b->type)
    cf_error(cx, loc, "Primary table and peer table must be of the same type, '%s' is %s and '%s' is %s",
             a->name, net_type_name(a->type), b->name, net_type_name(b->type));
  return !cx->failed;
}

/* The policies decide what each end passes on; what arrives at the other end is taken, up to its limit. */
static void
pipe_config_check(struct proto_config *cf, struct cf_ctx *cx, const struct cf_loc *loc)
{
  struct pipe_config *pc = (struct pipe_config *) cf;
  struct channel_config *a = &pc->primary, *b = &pc->secondary;

  if (!tables_fit(pc, cx, pc->peer && pc->block.table ? &pc->where : loc))
    return;
  *a = *b = pc->block;
  a->name = "main";
  b->name = "peer";
  b->table = pc->peer;
  a->type = b->type = a->table->type;
  a->import = b->import = RT_ACCEPT;
  b->export = pc->block.import;
  b->limits[LIMIT_IMPORT] = pc->block.limits[LIMIT_EXPORT];
  b->limits[LIMIT_RECEIVE] = a->limits[LIMIT_EXPORT] = b->limits[LIMIT_EXPORT] = (struct channel_limit){ 0 };
  list_add_tail(&cf->channels, &a->n);
  list_add_tail(&cf->channels, &b->n);
}

/* --- Show --- */

static const char *
pipe_info(const struct proto *proto)
{
  return proto->state == PROTO_UP ? ((const struct pipe_proto *) proto)->info : "";
}

static void
show_counts(struct cli *c, const char *title, const struct channel_counts *n, bool withdraws)
{
  char filtered[24] = "---";

  if (!withdraws)
    snprintf(filtered, sizeof(filtered), "%llu", (unsigned long long) n->filtered);
  cli_line(c, 1006, "    %-19s %10llu %10llu %10s %10llu %10llu", title, (unsigned long long) n->received,
           (unsigned long long) n->invalid, filtered, (unsigned long long) n->ignored,
           (unsigned long long) n->accepted);
}

/* One end's imports are what the other end sent. */
static void
pipe_show(const struct proto *proto, struct cli *c)
{
  const struct pipe_proto *p = (const struct pipe_proto *) proto;
  const struct channel *a = p->primary, *b = p->secondary;

  cli_line(c, 1006, "  Channel main");
  cli_line(c, 1006, "    Table:          %s", a->table->name);
  cli_line(c, 1006, "    Peer table:     %s", b->table->name);
  cli_line(c, 1006, "    Import state:   %s", a->state == CHANNEL_UP ? "up" : "down");
  cli_line(c, 1006, "    Export state:   %s", b->state == CHANNEL_UP ? "up" : "down");
  cli_line(c, 1006, "    Import filter:  %s", b->cf->export == RT_ACCEPT ? "ACCEPT" : "REJECT");
  cli_line(c, 1006, "    Export filter:  %s", a->cf->export == RT_ACCEPT ? "ACCEPT" : "REJECT");
  channel_show_limit(a, LIMIT_RECEIVE, "Receive limit:", c);
  channel_show_limit(a, LIMIT_IMPORT, "Import limit:", c);
  channel_show_limit(b, LIMIT_IMPORT, "Export limit:", c);
  cli_line(c, 1006, "  Routes:         %u imported, %u exported", a->imported, b->imported);
  cli_line(c, 1006, "  Route change stats:     received   rejected   filtered    ignored   accepted");
  show_counts(c, "Import updates:", &a->import_updates, false);
  show_counts(c, "Import withdraws:", &a->import_withdraws, true);
  show_counts(c, "Export updates:", &b->import_updates, false);
  show_counts(c, "Export withdraws:", &b->import_withdraws, true);
}

const struct proto_class proto_pipe = {
  .name = "Pipe",
  .prefix = "pipe",
  .config_size = sizeof(struct pipe_config),
  .size = sizeof(struct pipe_proto),
  .config_init = pipe_config_init,
  .config_copy = pipe_config_copy,
  .config_check = pipe_config_check,
  .start = pipe_start,
  .stop = pipe_stop,
  .reconfigure = pipe_reconfigure,
  .rt_sync = pipe_sync,
  .reload = pipe_reload,
  .info = pipe_info,
  .show = pipe_show,
};
