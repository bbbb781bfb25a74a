/* proto/static/show.c: `show static`, a screenful at a time */
#include <string.h>

#include "nest/nest.h"
#include "proto/static/static.h"

#define ROUTES_PER_TURN 64

/* Instances may come and go while a client reads, so places are kept by name and number. */
struct listing
{
  const char *only; /* NULL: all */
  char name[65];    /* the instance being listed */
  u32 next;         /* its next route */
  bool any;         /* an instance has been listed */
};

static void
show_hops(const struct static_target *t, const struct static_live *live, struct cli *c)
{
  for (uint i = 0; i < t->hop_count; i++)
  {
    const struct static_hop_config *hop = &t->hops[i];
    const char *dormant = live && live->uses[i].hop->iface ? "" : " (dormant)";

    if (ip_is_none(hop->via))
      cli_line(c, 1009, "\tdev %s%s", hop->ifname, dormant);
    else
      cli_line(c, 1009, "\tvia %s%s%s%s%s%s", IP_STR(hop->via), hop->ifname[0] ? "%" : "", hop->ifname,
               hop->onlink ? " onlink" : "", hop->bfd ? " (bfd)" : "", dormant);
  }
}

static void
show_route(const struct static_proto *p, const struct static_config *cf, u32 number, struct cli *c)
{
  static const char *const words[] = { [RTD_NONE] = "",
                                       [RTD_BLACKHOLE] = "blackhole",
                                       [RTD_UNREACHABLE] = "unreachable",
                                       [RTD_PROHIBIT] = "prohibited" };
  const struct static_route *r = static_route(cf, number);
  const struct static_target *t = cf->targets[r->target];
  struct net_addr net = static_route_net(cf, r);

  if (!ip_is_none(t->recursive))
    cli_line(c, 1009, "%s\trecursive %s", NET_STR(&net), IP_STR(t->recursive));
  else if (t->dest == RTD_UNICAST)
    cli_line(c, 1009, "%s", NET_STR(&net));
  else
    cli_line(c, 1009, "%s\t%s", NET_STR(&net), words[t->dest]);
  show_hops(t, r->target < p->live_count ? &p->live[r->target] : NULL, c);
}

static bool
listed(const struct proto *p, const char *only)
{
  return p->class == &proto_static && p->state == PROTO_UP && (!only || strcmp(only, p->name) == 0);
}

/* The instance behind the one of this name; the first for an empty name. */
static const struct static_proto *
next_instance(const struct listing *l)
{
  bool passed = !l->name[0];
  struct proto *p;

  LIST_WALK (p, proto_list(), n)
  {
    if (passed && listed(p, l->only))
      return (const struct static_proto *) p;
    passed |= strcmp(p->name, l->name) == 0;
  }
  return NULL;
}

static const struct static_proto *
this_instance(const struct listing *l)
{
  const struct proto *p = l->name[0] ? proto_find(l->name) : NULL;

  return p && listed(p, l->only) ? (const struct static_proto *) p : NULL;
}

static void
list_more(struct cli *c, void *data)
{
  struct listing *l = data;
  const struct static_proto *p = this_instance(l);

  if (!p || l->next >= ((const struct static_config *) p->p.cf)->route_count)
  {
    p = next_instance(l);
    if (!p)
    {
      cli_end(c, 0, "%s", "");
      return;
    }
    if (l->any)
      cli_line(c, 1009, "%s", "");
    l->any = true;
    l->next = 0;
    strncpy(l->name, p->p.name, sizeof(l->name) - 1);
  }

  const struct static_config *cf = (const struct static_config *) p->p.cf;

  for (int i = 0; i < ROUTES_PER_TURN && l->next < cf->route_count; i++)
    show_route(p, cf, l->next++, c);
  cli_when_room(c, list_more, l);
}

void
static_cmd_show(struct cli *c, const char *name)
{
  struct listing *l = mb_alloc(cli_pool(c), sizeof(*l));
  const struct proto *p = name ? proto_find(name) : NULL;

  if (name && (!p || p->class != &proto_static))
  {
    cli_end(c, 9001, "%s: Not a Static protocol", name);
    return;
  }
  if (name && p->state != PROTO_UP)
  {
    cli_line(c, 1009, "%s: is not up", name);
    cli_end(c, 0, "%s", "");
    return;
  }
  l->only = name ? mb_strdup(cli_pool(c), name) : NULL;
  if (!next_instance(l))
    cli_end(c, 9001, "There is no Static protocol running");
  else
    list_more(c, l);
}
