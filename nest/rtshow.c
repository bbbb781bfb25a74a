/* nest/rtshow.c: see rtshow.h */
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "nest/nest.h"
#include "nest/rtshow.h"
#include "sysdep/clock.h"

#define SLICE BT_US(400)
#define LINES_PER_TURN 256
#define TABLES_STEP 16

struct counter
{
  u32 shown, routes, nets;
};

/* A listing at work; a resource, so that the tables are let go when the client is gone. */
struct listing
{
  struct resource r;
  struct rt_show *s;
  struct cli *cli;
  uint table; /* index of the one being walked */
  u32 pos;
  bool heading, any;
  uint lines; /* in this turn */
  const struct channel *channel;
  struct counter here, total;
};

/* --- One route --- */

static const char *
source_name(uint source)
{
  static const char *const names[] = {
    [RTS_STATIC] = "static",     [RTS_INHERIT] = "inherit",   [RTS_DEVICE] = "device",
    [RTS_RIP] = "RIP",           [RTS_OSPF] = "OSPF",         [RTS_OSPF_IA] = "OSPF-IA",
    [RTS_OSPF_EXT1] = "OSPF-E1", [RTS_OSPF_EXT2] = "OSPF-E2", [RTS_BGP] = "BGP",
    [RTS_PIPE] = "pipe",         [RTS_BABEL] = "Babel"
  };

  return names[source];
}

static void
print_nexthops(struct listing *l, const struct attrs *a)
{
  for (uint i = 0; i < a->nexthop_count; i++)
  {
    const struct nexthop *nh = &a->nexthops[i];
    const char *onlink = nh->onlink ? " onlink" : "";
    char weight[16] = "";

    if (a->nexthop_count > 1)
      snprintf(weight, sizeof(weight), " weight %u", nh->weight);
    if (ip_is_none(nh->via))
      cli_line(l->cli, 1007, "\tdev %s%s", nh->iface->name, weight);
    else
      cli_line(l->cli, 1007, "\tvia %s on %s%s%s", IP_STR(nh->via), nh->iface->name, onlink, weight);
  }
}

static void
print_attrs(struct listing *l, const struct attrs *a)
{
  cli_line(l->cli, 1008, "\tType: %s univ", source_name(a->source));
  for (uint i = 0; i < a->attr_count; i++)
  {
    char name[32], value[IP_TEXT_SIZE];

    rt_attr_format(&a->attrs[i], name, sizeof(name), value, sizeof(value));
    cli_line(l->cli, 1012, "\t%s: %s", name, value);
  }
}

/* @net: text to begin with, empty for further routes of the same network. */
static void
print_route(struct listing *l, const char *net, const struct route *r, bool primary)
{
  const struct attrs *a = r->attrs;
  char from[IP_TEXT_SIZE + 8] = "", info[64];

  if (!ip_is_none(a->from))
    snprintf(from, sizeof(from), " from %s", IP_STR(a->from));
  if (a->origin->class->rt_info)
    a->origin->class->rt_info(a, info, sizeof(info));
  else
    snprintf(info, sizeof(info), "(%u)", a->preference);
  cli_line(l->cli, 1007, "%-20s %s [%s %s%s]%s %s", net, attrs_dest_name(a), a->origin->name,
           TIME_BY(TIME_ROUTE, r->since), from, primary ? " *" : "", info);
  print_nexthops(l, a);
  if (l->s->all)
    print_attrs(l, a);
  l->lines += 1 + a->nexthop_count;
}

static void
print_heading(struct listing *l)
{
  if (l->heading)
    return;
  if (l->any)
    cli_line(l->cli, 1007, "%s", "");
  cli_line(l->cli, 1007, "Table %s:", l->s->tables[l->table]->name);
  l->heading = l->any = true;
}

/* --- Which routes --- */

static bool
export_wanted(const struct listing *l, const struct net *n, const struct route *r)
{
  enum export_verdict v;

  if (l->s->export == SHOW_TABLE)
    return true;
  if (!l->channel->proto->class->rt_sync && r != net_best(n))
    return false;
  v = channel_judge(l->channel, r);
  switch (l->s->export)
  {
  case SHOW_EXPORT:
    return v == EXPORT_YES;
  case SHOW_NOEXPORT:
    return v == EXPORT_FILTERED;
  default:
    return v == EXPORT_YES || v == EXPORT_FILTERED;
  }
}

static bool
route_wanted(const struct listing *l, const struct net *n, const struct route *r)
{
  const struct rt_show *s = l->s;

  if (s->protocol && (!r->attrs->origin->proto || strcmp(r->attrs->origin->name, s->protocol) != 0))
    return false;
  return export_wanted(l, n, r);
}

static void
show_net(struct listing *l, const struct net *n)
{
  const struct rt_show *s = l->s;
  char text[NET_TEXT_SIZE];
  bool counted = false, named = false;

  for (const struct route *r = n->routes; r; r = r->next)
  {
    bool primary = r == net_best(n);

    if (r->filtered != s->filtered || (s->primary && !primary))
      continue;
    l->here.nets += !counted;
    counted = true;
    l->here.routes++;
    if (!route_wanted(l, n, r))
      continue;
    l->here.shown++;
    if (s->count)
      continue;
    print_heading(l);
    if (named)
      text[0] = 0;
    else
    {
      struct net_addr a = net_addr_of(s->tables[l->table], n);

      net_format(&a, text);
    }
    named = true;
    print_route(l, text, r, primary);
  }
}

static bool
net_wanted(const struct listing *l, const struct net *n)
{
  struct net_addr a;

  if (l->s->nets != SHOW_IN)
    return true;
  a = net_addr_of(l->s->tables[l->table], n);
  return prefix_covers(&l->s->net.prefix, &a.prefix);
}

static void
visit(struct gnode *g, void *data)
{
  struct listing *l = data;
  const struct net *n = SKIP_BACK(struct net, hn, g);

  if (n->routes && net_wanted(l, n))
    show_net(l, n);
}

static void
show_one(struct listing *l)
{
  const struct rtable *t = l->s->tables[l->table];
  const struct net *n = NULL;

  if (l->s->nets == SHOW_FOR)
    n = rt_lookup_prefix(t, &l->s->net.prefix);
  else
    n = rt_net(t, &l->s->net);
  if (n && n->routes)
    show_net(l, n);
}

/* --- The course of a listing --- */

static void
print_counter(struct listing *l, const struct counter *n)
{
  cli_line(l->cli, 1007, "%u of %u routes for %u networks in table %s", n->shown, n->routes, n->nets,
           l->s->tables[l->table]->name);
}

static void
table_done(struct listing *l)
{
  if (!l->s->count && l->s->table_count && !l->s->every_table && l->s->nets != SHOW_NET &&
      l->s->nets != SHOW_FOR)
    print_heading(l);
  if (l->s->count || (l->s->stats && l->heading))
    print_counter(l, &l->here);
  l->total.shown += l->here.shown;
  l->total.routes += l->here.routes;
  l->total.nets += l->here.nets;
  l->here = (struct counter){ 0 };
  l->heading = false;
  l->pos = 0;
  l->table++;
}

static void
listing_end(struct listing *l)
{
  const struct rt_show *s = l->s;

  if ((s->nets == SHOW_NET || s->nets == SHOW_FOR) && !l->total.shown)
    cli_end(l->cli, 8001, "Network not found");
  else if ((s->count || s->stats) && l->table > 1)
  {
    if (s->stats)
      cli_line(l->cli, 1007, "%s", "");
    cli_end(l->cli, 14, "Total: %u of %u routes for %u networks in %u tables", l->total.shown,
            l->total.routes, l->total.nets, l->table);
  }
  else
    cli_end(l->cli, 0, "%s", "");
}

/* The channel of an export listing for the present table; false: it is gone. */
static bool
find_channel(struct listing *l)
{
  const struct proto *p;
  struct channel *c;

  if (l->s->export == SHOW_TABLE)
    return true;
  p = proto_find(l->s->channel_proto);
  l->channel = NULL;
  if (p)
    LIST_WALK (c, &p->channels, n)
      if (c->table == l->s->tables[l->table] &&
          (!l->s->channel_name || strcmp(l->s->channel_name, c->cf->name) == 0))
        l->channel = c;
  return l->channel;
}

/* The sum of a whole table is known. */
static bool
count_at_once(struct listing *l)
{
  const struct rt_show *s = l->s;
  const struct rtable *t = s->tables[l->table];

  if (!s->count || s->nets != SHOW_ALL_NETS || s->export != SHOW_TABLE || s->protocol || s->primary ||
      s->filtered || t->filtered_count)
    return false;
  l->here = (struct counter){ t->route_count, t->route_count, t->net_count };
  return true;
}

static void
listing_turn(struct cli *c, void *data)
{
  struct listing *l = data;
  btime end = loop_now_fresh(rt_loop()) + SLICE;

  l->lines = 0;
  while (l->table < l->s->table_count)
  {
    struct rtable *t = l->s->tables[l->table];

    if (!find_channel(l))
    {
      cli_end(c, 8004, "The channel is gone");
      return;
    }
    if (l->s->nets == SHOW_NET || l->s->nets == SHOW_FOR)
    {
      show_one(l);
      table_done(l);
    }
    else if (count_at_once(l) || !growhash_walk(&t->nets, &l->pos, visit, l))
      table_done(l);
    if (l->lines >= LINES_PER_TURN || loop_now_fresh(rt_loop()) >= end)
    {
      cli_when_room(c, listing_turn, l);
      return;
    }
  }
  listing_end(l);
}

static void
listing_free(struct resource *r)
{
  struct listing *l = (struct listing *) r;

  for (uint i = 0; i < l->s->table_count; i++)
    rt_unlock(l->s->tables[i]);
}

static const struct resource_class listing_class = { .name = "Route listing",
                                                     .size = sizeof(struct listing),
                                                     .free = listing_free };

/* --- Which tables --- */

void
rt_show_table(struct rt_show *s, struct rtable *t)
{
  if (s->table_count % TABLES_STEP == 0)
    s->tables = mb_realloc(s->pool, s->tables, (s->table_count + TABLES_STEP) * sizeof(*s->tables));
  s->tables[s->table_count++] = t;
}

static void
add_table(struct rt_show *s, struct rtable *t)
{
  for (uint i = 0; i < s->table_count; i++)
    if (s->tables[i] == t)
      return;
  rt_show_table(s, t);
}

static void
add_tables_of(struct rt_show *s, const char *proto, const char *channel)
{
  const struct proto *p = proto_find(proto);
  struct channel *c;

  if (p)
    LIST_WALK (c, &p->channels, n)
      if (!channel || strcmp(channel, c->cf->name) == 0)
        add_table(s, c->table);
}

/* Those of the channels asked about; else the first table of each type. */
static void
default_tables(struct rt_show *s)
{
  uint types = 0;
  struct rtable *t;

  if (s->export != SHOW_TABLE)
    add_tables_of(s, s->channel_proto, s->channel_name);
  else if (s->protocol)
    add_tables_of(s, s->protocol, NULL);
  else
    LIST_WALK (t, rt_tables(), n)
      if (t->cf && (s->every_table || !(types & 1u << t->type)))
      {
        types |= 1u << t->type;
        rt_show_table(s, t);
      }
}

static bool
type_fits(const struct rt_show *s, const struct rtable *t)
{
  return s->nets == SHOW_ALL_NETS || s->net.type == t->type;
}

struct rt_show *
rt_show_new(struct cli *c)
{
  struct rt_show *s = mb_alloc(cli_pool(c), sizeof(*s));

  s->pool = cli_pool(c);
  return s;
}

void
rt_show_run(struct cli *c, struct rt_show *s)
{
  struct listing *l;
  bool by_name = s->table_count;
  uint kept = 0;

  if (!by_name)
    default_tables(s);
  for (uint i = 0; i < s->table_count; i++)
    if (type_fits(s, s->tables[i]))
      s->tables[kept++] = s->tables[i];
    else if (by_name)
    {
      cli_end(c, 9001, "Incompatible type of prefix for table %s", s->tables[i]->name);
      return;
    }
  s->table_count = kept;
  s->every_table |= !by_name;

  l = res_new(cli_pool(c), &listing_class);
  l->s = s;
  l->cli = c;
  for (uint i = 0; i < kept; i++)
    rt_lock(s->tables[i]);
  listing_turn(c, l);
}
