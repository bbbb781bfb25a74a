/*
 * proto/device/device.c: the device protocol feeds nest/iface.h from the kernel
 *
 * Changes arrive as they happen; a scan at `scan time` finds what was missed all the same. Without this
 * protocol the daemon knows no interfaces; while it is disabled they stay as they were last seen.
 */
#include "proto/device/device.h"

struct device_proto
{
  struct proto p;
  struct netlink *netlink;
  struct timer *scan;
};

static void
scan_timer(struct timer *t, void *data)
{
  struct device_proto *p = data;
  struct device_config *cf = (struct device_config *) p->p.cf;

  netlink_scan(p->netlink);
  timer_set_in(t, BT_S(cf->scan_time));
}

static void
trace_change(const struct iface *i, void *data)
{
  struct device_proto *p = data;

  PROTO_TRACE(&p->p, D_INTERFACES, "Interface %s: %s%s%s", i->name, i->present ? "present" : "gone",
              i->up ? ", up" : "", i->link ? ", link" : "");
}

static void
device_start(struct proto *proto)
{
  struct device_proto *p = (struct device_proto *) proto;
  struct device_config *cf = (struct device_config *) proto->cf;

  iface_prefer(cf->preferences);
  p->scan = NULL;
  p->netlink = netlink_new(proto->pool, proto->loop, &iface_nl_hooks, NULL);
  if (!p->netlink)
    return; /* stays in start; the reason is in the log */
  iface_watch_new(proto->pool, trace_change, p);
  p->scan = timer_new(proto->pool, proto->loop, scan_timer, p);
  timer_set_in(p->scan, BT_S(cf->scan_time));
  proto_up(proto);
}

static bool
device_reconfigure(struct proto *proto, struct proto_config *cf)
{
  struct device_proto *p = (struct device_proto *) proto;

  if (!p->scan)
    return false;
  if (((struct device_config *) cf)->scan_time != ((struct device_config *) proto->cf)->scan_time)
    timer_set_in(p->scan, BT_S(((struct device_config *) cf)->scan_time));
  iface_prefer(((struct device_config *) cf)->preferences);
  return true;
}

static void
device_stop(struct proto *proto)
{
  iface_prefer(NULL);
  proto_down(proto);
}

static void
device_config_init(struct proto_config *cf, struct cf_ctx *cx UNUSED)
{
  ((struct device_config *) cf)->scan_time = DEVICE_SCAN_TIME;
}

static void
device_show(const struct proto *proto, struct cli *c)
{
  const struct nl_counters *n = netlink_counters(((const struct device_proto *) proto)->netlink);

  cli_line(c, 1006, "  Scans:          %llu, after lost messages %llu", (unsigned long long) n->scans,
           (unsigned long long) n->overruns);
}

const struct proto_class proto_device = {
  .name = "Device",
  .prefix = "device",
  .config_size = sizeof(struct device_config),
  .size = sizeof(struct device_proto),
  .config_init = device_config_init,
  .start = device_start,
  .stop = device_stop,
  .reconfigure = device_reconfigure,
  .show = device_show,
};
