/* nest/reports.c: `show memory`, `show symbols` and `dump`, see nest.h */
#include <stdio.h>
#include <string.h>

#include "nest/channel.h"
#include "nest/neighbor.h"
#include "nest/nest.h"
#include "sysdep/loop.h"

/* --- show memory --- */

struct amount
{
  size_t used, over;
};

/* Four digits or so before the point. */
static const char *
amount_format(size_t bytes, char *buf, size_t size)
{
  static const char *const units[] = { " B", "kB", "MB", "GB", "TB" };
  double value = bytes;
  uint unit = 0;

  while (value >= 10000 && unit + 1 < ARRAY_SIZE(units))
  {
    value /= 1024;
    unit++;
  }
  snprintf(buf, size, "%.1f %s", value, units[unit]);
  return buf;
}

static void
print_amount(struct cli *c, const char *title, struct amount a)
{
  cli_line(c, 1018, "%-17s %9s  %10s", title, amount_format(a.used, (char[32]){ 0 }, 32),
           amount_format(a.over, (char[32]){ 0 }, 32));
}

static struct amount
table_memory(void)
{
  struct amount sum = { 0 };
  struct rtable *t;

  LIST_WALK (t, rt_tables(), n)
  {
    size_t used = slab_used(t->net_slab) + slab_used(t->route_slab);

    sum.used += used;
    sum.over += pool_size(t->pool) - used;
  }
  return sum;
}

/* What is not in objects handed out is overhead: free room, slots, headers. */
void
cmd_show_memory(struct cli *c)
{
  struct attrs_size sets = attrs_size();
  struct amount tables = table_memory(), attrs = { sets.bytes, sets.overhead }, protos = { 0 }, conf = { 0 },
                all;
  struct proto *p;

  LIST_WALK (p, proto_list(), n)
    protos.used += p->class->size + (p->pool ? pool_size(p->pool) : 0);
  conf.used = pool_size(reconfig_current()->pool);
  all = (struct amount){ tables.used + attrs.used + protos.used + conf.used, tables.over + attrs.over };
  cli_line(c, 1018, "BIRD memory usage");
  cli_line(c, 1018, "%-17s %9s    %s", "", "Effective", "Overhead");
  print_amount(c, "Routing tables:", tables);
  print_amount(c, "Route attributes:", attrs);
  print_amount(c, "Protocols:", protos);
  print_amount(c, "Current config:", conf);
  print_amount(c, "Standby memory:", (struct amount){ 0 });
  print_amount(c, "Total:", all);
  cli_end(c, 0, "%s", "");
}

/* --- show symbols --- */

#define SLOTS_PER_TURN 256

struct symbol_listing
{
  const struct config *cfg;
  enum cf_symbol_class only; /* CF_UNDEFINED: all */
  u32 slot;
};

static const char *symbol_class(enum cf_symbol_class class)
{
  switch (class)
  {
  case CF_CONSTANT:
    return "constant";
  case CF_PROTOCOL:
    return "protocol";
  case CF_TEMPLATE:
    return "protocol template";
  case CF_TABLE:
    return "routing table";
  default:
    return "undefined";
  }
}

static void
list_symbols(struct cli *c, void *data)
{
  struct symbol_listing *l = data;
  const struct htable *h = &reconfig_current()->symbols;

  if (reconfig_current() != l->cfg)
  {
    cli_end(c, 8004, "Stopped due to reconfiguration");
    return;
  }
  for (int i = 0; i < SLOTS_PER_TURN && l->slot < 1u << h->order; i++)
    for (struct hnode *n = h->slots[l->slot++]; n; n = n->next)
    {
      const struct cf_symbol *s = SKIP_BACK(struct cf_symbol, hn, n);

      if (!l->only || l->only == s->class)
        cli_line(c, 1010, "%-8s\t%s", s->name, symbol_class(s->class));
    }
  if (l->slot < 1u << h->order)
    cli_when_room(c, list_symbols, l);
  else
    cli_end(c, 0, "%s", "");
}

void
cmd_show_symbols(struct cli *c, enum cf_symbol_class only)
{
  struct symbol_listing *l = mb_alloc(cli_pool(c), sizeof(*l));

  l->cfg = reconfig_current();
  l->only = only;
  list_symbols(c, l);
}

void
cmd_show_symbol(struct cli *c, const char *name)
{
  const struct cf_symbol *s = cf_symbol_find(reconfig_current(), name);

  cli_end(c, 1010, "%-8s\t%s", name, symbol_class(s ? s->class : CF_UNDEFINED));
}

/* --- dump: to the log, for whoever debugs the daemon --- */

static void
dump_interfaces(void)
{
  struct iface *i;
  struct iface_addr *a;

  LIST_WALK (i, iface_list(), n)
  {
    log_write(L_DEBUG, "Interface %s: index %u, mtu %u%s%s%s", i->name, i->index, i->mtu,
              i->present ? ", present" : "", i->up ? ", up" : "", i->link ? ", link" : "");
    LIST_WALK (a, &i->addrs, n)
      log_write(L_DEBUG, "  %s in %s%s", IP_STR(a->ip), PREFIX_STR(&a->prefix),
                a->tentative ? ", tentative" : "");
  }
}

static void
dump_neighbor(const struct neighbor *nb)
{
  log_write(L_DEBUG, "Neighbor %s: interface %s, local address %s, waits for %s", IP_STR(nb->ip),
            nb->iface ? nb->iface->name : "none", IP_STR(nb->local),
            nb->waits_for ? nb->waits_for : "nothing");
}

static void
dump_protocols(void)
{
  struct proto *p;
  struct channel *ch;

  LIST_WALK (p, proto_list(), n)
  {
    log_write(L_DEBUG, "Protocol %s (%s): state %d%s", p->name, p->class->name, p->state,
              p->disabled ? ", disabled" : "");
    LIST_WALK (ch, &p->channels, n)
      log_write(L_DEBUG, "  Channel %s: table %s, %s, %u imported, %u exported", ch->cf->name,
                ch->table->name, channel_state_name(ch), ch->imported, ch->exported);
  }
}

static void
dump_routes(void)
{
  struct rtable *t;

  LIST_WALK (t, rt_tables(), n)
    log_write(L_DEBUG, "Table %s (%s): %u routes for %u networks, %u network objects", t->name,
              net_type_name(t->type), t->route_count, t->net_count, t->net_objects);
}

static void
dump_attributes(void)
{
  struct attrs_size s = attrs_size();

  log_write(L_DEBUG, "Route attributes: %u sets, %zu bytes", s.sets, s.bytes);
}

static void
dump_resources(void)
{
  struct rtable *t;
  struct proto *p;

  LIST_WALK (t, rt_tables(), n)
    log_write(L_DEBUG, "Table %s: %zu bytes", t->name, pool_size(t->pool));
  LIST_WALK (p, proto_list(), n)
    log_write(L_DEBUG, "Protocol %s: %zu bytes", p->name, p->pool ? pool_size(p->pool) : 0);
  log_write(L_DEBUG, "Configuration: %zu bytes", pool_size(reconfig_current()->pool));
}

void
cmd_dump(struct cli *c, enum dump_what what)
{
  switch (what)
  {
  case DUMP_INTERFACES:
    dump_interfaces();
    break;
  case DUMP_NEIGHBORS:
    neighbor_each(dump_neighbor);
    break;
  case DUMP_PROTOCOLS:
    dump_protocols();
    break;
  case DUMP_ROUTES:
    dump_routes();
    break;
  case DUMP_ATTRIBUTES:
    dump_attributes();
    break;
  case DUMP_RESOURCES:
    dump_resources();
    break;
  }
  cli_end(c, 0, "%s", "");
}
