/* nest/routerid.c: see routerid.h */
#include "nest/iface.h"
#include "nest/routerid.h"
#include "sysdep/log.h"

static struct
{
  u32 fixed; /* by the configuration; 0: to be chosen */
  const struct iface_pattern *from;
  u32 chosen, before; /* before: by an older configuration */
} rid;

/* 127.0.0.0/8 and 169.254.0.0/16 tell nobody who we are. */
static bool
is_unique(ip_addr ip)
{
  return ip_is_v4(ip) && !ip_is_loopback(ip) && ip_to_u32(ip) >> 16 != 0xa9fe;
}

static bool
is_admitted(const struct iface *i, const struct iface_addr *a)
{
  if (!i->present || a->secondary || !is_unique(a->ip))
    return false;
  return rid.from ? iface_pattern_match_addr(rid.from, i, a->ip) : !i->loopback;
}

/* The lowest address that is admitted, but @wanted if that is one. */
static u32
choose(u32 wanted)
{
  u32 lowest = 0;
  struct iface *i;
  struct iface_addr *a;

  LIST_WALK (i, iface_list(), n)
    LIST_WALK (a, &i->addrs, n)
    {
      u32 id = is_admitted(i, a) ? ip_to_u32(a->ip) : 0;

      if (id && id == wanted)
        return id;
      if (id && (!lowest || id < lowest))
        lowest = id;
    }
  return lowest;
}

void
router_id_configure(const struct config *cfg)
{
  u32 now = rid.fixed ? rid.fixed : rid.chosen;

  if (now)
    rid.before = now;
  rid.fixed = cfg->router_id;
  rid.from = cfg->router_id_from;
  rid.chosen = 0;
}

u32
router_id(void)
{
  if (rid.fixed)
    return rid.fixed;
  if (rid.chosen)
    return rid.chosen;
  rid.chosen = choose(rid.before);
  if (rid.chosen && rid.chosen != rid.before)
    log_write(L_INFO, "Router ID is %s", IP_STR(ip_v4(rid.chosen)));
  return rid.chosen ? rid.chosen : rid.before;
}
