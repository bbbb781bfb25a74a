/* nest/cmds.c: the daemon's own commands. Layouts: doc/reply_codes. */
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/text.h"
#include "nest/nest.h"
#include "nest/routerid.h"
#include "sysdep/clock.h"

static const struct daemon_info *daemon_info;

void
nest_init(const struct daemon_info *info)
{
  daemon_info = info;
}

static const char *
host_name(const struct config *cfg, char *buf, size_t size)
{
  if (cfg->hostname)
    return cfg->hostname;
  if (gethostname(buf, size) < 0)
    return "unknown";
  buf[size - 1] = 0;
  return buf;
}

/* How many slices of the main loop were shorter than 2^@bits us, and not shorter than 2^@from us. */
static unsigned long long
slices_between(const struct loop_slices *sl, uint from, uint bits)
{
  unsigned long long sum = 0;

  for (uint i = from + 1; i <= bits; i++)
    sum += sl->bucket[i];
  return sum;
}

static void
show_slices(struct cli *c, const struct loop_slices *sl)
{
  cli_line(c, 1011, "Longest slice of the main loop %s s, %llu over 1 ms", TIME_STR(sl->longest),
           (unsigned long long) sl->overruns);
  cli_line(
      c, 1011,
      "Slices by length: %llu under 64 us, %llu under 256 us, %llu under 1 ms, %llu under 4 ms, %llu longer",
      sl->bucket[0] + slices_between(sl, 0, 6), slices_between(sl, 6, 8), slices_between(sl, 8, 10),
      slices_between(sl, 10, 12), slices_between(sl, 12, LOOP_SLICE_BUCKETS - 1));
}

#define BASE_TIME(wall, now) \
  timeformat_print(&cfg->time_base, (wall), (now), (char[TIMEFORMAT_SIZE]){ 0 }, TIMEFORMAT_SIZE)

void
cmd_show_status(struct cli *c)
{
  const struct config *cfg = reconfig_current();
  btime now = clock_wall();
  char host[256];

  cli_line(c, 1000, "BIRD " BIRD_VERSION);
  cli_line(c, 1011, "Router ID is %s", IP_STR(ip_v4(router_id())));
  cli_line(c, 1011, "Hostname is %s", host_name(cfg, host, sizeof(host)));
  cli_line(c, 1011, "Current server time is %s", BASE_TIME(now, now));
  cli_line(c, 1011, "Last reboot on %s", BASE_TIME(daemon_info->booted, now));
  cli_line(c, 1011, "Last reconfiguration on %s", BASE_TIME(cfg->loaded, now));
  cli_line(c, 1011, "Peregrine " PACKAGE_VERSION);
  show_slices(c, daemon_info->slices());
  if (log_lost())
    cli_line(c, 1011, "Log lines lost: %llu", (unsigned long long) log_lost());
  if (log_unwritten())
    cli_line(c, 1011, "Log lines not written: %llu", (unsigned long long) log_unwritten());
  cli_end(c, 13, "%s", reconfig_state());
}

/* Interfaces */

static const char *
scope_name(uint scope)
{
  switch (scope)
  {
  case RT_SCOPE_HOST:
    return "host";
  case RT_SCOPE_LINK:
    return "link";
  case RT_SCOPE_SITE:
    return "site";
  case RT_SCOPE_NOWHERE:
    return "undefined";
  default:
    return "univ";
  }
}

/* Scope by the address itself, as users of BIRD know it: private ranges count as site. */
static uint
addr_scope(ip_addr ip)
{
  if (ip_is_loopback(ip))
    return RT_SCOPE_HOST;
  if (ip_is_v4(ip))
  {
    u32 a = ip_to_u32(ip);

    if (a >> 16 == 0xa9fe)
      return RT_SCOPE_LINK;
    return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 ? RT_SCOPE_SITE : RT_SCOPE_UNIVERSE;
  }
  if (ip_is_link_local(ip))
    return RT_SCOPE_LINK;
  return ip.w[0] >> 25 == 0x7e ? RT_SCOPE_SITE : RT_SCOPE_UNIVERSE;
}

static bool
is_preferred(const struct iface *i, const struct iface_addr *a)
{
  return a == iface_preferred(i, !ip_is_v4(a->ip), ip_is_link_local(a->ip));
}

static void
show_addr(struct cli *c, const struct iface *i, const struct iface_addr *a)
{
  char opposite[IP_TEXT_SIZE + 16] = "";

  if (!ip_is_none(a->peer))
    snprintf(opposite, sizeof(opposite), ", opposite %s", IP_STR(a->peer));
  cli_line(c, 1003, "\t%s/%u (%s%sscope %s%s)", IP_STR(a->ip), a->prefix.len,
           is_preferred(i, a) ? "Preferred, " : "", a->tentative ? "tentative, " : "",
           scope_name(addr_scope(a->ip)), opposite);
}

static void
show_iface(struct cli *c, const struct iface *i)
{
  struct iface_addr *a;

  cli_line(c, 1001, "%s %s (index=%u)", i->name, iface_usable(i) ? "up" : "down", i->index);
  cli_line(c, 1004, "\t%s%s%s%s%s%s MTU=%u", i->point_to_point ? "PtP" : "MultiAccess",
           i->broadcast ? " Broadcast" : "", i->multicast ? " Multicast" : "",
           i->up ? " AdminUp" : " AdminDown", i->link ? " LinkUp" : " LinkDown",
           i->loopback ? " Loopback Ignored" : "", i->mtu);
  LIST_WALK (a, &i->addrs, n)
    if (ip_is_v4(a->ip))
      show_addr(c, i, a);
  LIST_WALK (a, &i->addrs, n)
    if (!ip_is_v4(a->ip))
      show_addr(c, i, a);
}

void
cmd_show_interfaces(struct cli *c)
{
  struct iface *i;

  LIST_WALK (i, iface_list(), n)
    if (i->present)
      show_iface(c, i);
  cli_end(c, 0, "%s", "");
}

static void
addr_column(const struct iface *i, bool v6, char *buf, size_t size)
{
  const struct iface_addr *a = iface_preferred(i, v6, false);

  if (!a && v6)
    a = iface_preferred(i, v6, true);
  buf[0] = 0;
  if (a)
    snprintf(buf, size, "%s/%u", IP_STR(a->ip), a->prefix.len);
}

void
cmd_show_interfaces_summary(struct cli *c)
{
  struct iface *i;

  cli_line(c, 2005, "%-10s %-6s %-18s %s", "Interface", "State", "IPv4 address", "IPv6 address");
  LIST_WALK (i, iface_list(), n)
  {
    char v4[PREFIX_TEXT_SIZE], v6[PREFIX_TEXT_SIZE];

    if (!i->present)
      continue;
    addr_column(i, false, v4, sizeof(v4));
    addr_column(i, true, v6, sizeof(v6));
    cli_line(c, 1005, "%-10s %-6s %-18s %s", i->name, iface_usable(i) ? "up" : "down", v4, v6);
  }
  cli_end(c, 0, "%s", "");
}

/* Actions */

void
cmd_proto(struct cli *c, const struct proto_pattern *which, enum proto_action action, const char *message,
          uint debug)
{
  static const struct proto_pattern everything = { .all = true };

  if (cli_privileged(c))
    proto_cmd(c, which ? which : &everything, action, message, debug);
}

void
cmd_echo(struct cli *c, uint classes, uint size)
{
  if (size < CLI_ECHO_MIN || size > CLI_ECHO_MAX)
    cli_end(c, 9001, "Invalid log buffer size %u, must be between %u and %u", size, CLI_ECHO_MIN,
            CLI_ECHO_MAX);
  else
    cli_echo(c, classes, size);
}

void
cmd_down(struct cli *c)
{
  if (!cli_privileged(c))
    return;
  cli_end(c, 7, "Shutdown requested");
  daemon_info->shutdown();
}

void
cmd_graceful_restart(struct cli *c)
{
  if (!cli_privileged(c))
    return;
  protos_leave_routes();
  cli_end(c, 25, "Graceful restart requested");
  daemon_info->shutdown();
}

void
cmd_help(struct cli *c)
{
  uint count;
  const struct cli_command *list = cli_commands(&count);

  for (uint i = 0; i < count; i++)
    cli_line(c, 1900, "%s%s%-*s %s", list[i].words, list[i].args[0] ? " " : "",
             MAX(40 - (int) strlen(list[i].words), 1), list[i].args, list[i].help);
  cli_end(c, 0, "%s", "");
}

void
cmd_quit(struct cli *c)
{
  cli_close(c);
  cli_end(c, 0, "%s", "");
}
