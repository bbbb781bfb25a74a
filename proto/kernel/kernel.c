/* proto/kernel/kernel.c: the instance, see kernel.h */
#include <string.h>

#include "proto/kernel/kernel.h"

static void
kernel_start(struct proto *proto)
{
  struct kernel_proto *p = (struct kernel_proto *) proto;

  p->channel = SKIP_BACK(struct channel, n, list_first(&proto->channels));
  p->v6 = p->channel->cf->type == NET_IP6;
  p->routes =
      nl_routes_new(proto->pool, proto->loop, p->v6, &kernel_hooks, p, kernel_config_of(p)->rx_buffer);
  if (p->routes)          /* else it stays in start; the reason is in the log */
    kernel_sync_start(p); /* up once the first scan is through */
}

/* With `persist`, and before a graceful restart, routes outlive the instance. */
static bool
routes_stay(const struct kernel_proto *p)
{
  return kernel_config_of(p)->persist || protos_leaving_routes();
}

static void
kernel_notify(struct channel *c, const struct net_addr *a, const struct net *n, struct attrs *new,
              struct attrs *old UNUSED)
{
  struct kernel_proto *p = (struct kernel_proto *) c->proto;

  if (p->p.state == PROTO_FLUSH && routes_stay(p))
    return;
  if (kernel_write(p, n, a, new))
  {
    kernel_pace(p); /* a slice has room for thousands of routes */
    return;
  }
  p->left_to_others++;
  log_rl(&p->trouble, L_WARN,
         "%s: The kernel's table %u has a route of another program for %s with metric %u, ours has to wait",
         p->p.name, kernel_config_of(p)->table, NET_STR(a), kernel_metric(p));
  kernel_scan_soon(p); /* it may stand behind ours, which then is to be replaced all the same */
}

static void
kernel_flush(struct channel *c)
{
  struct kernel_proto *p = (struct kernel_proto *) c->proto;

  nl_routes_flush(p->routes);
  kernel_pace(p);
}

/* What was written meanwhile by others is found now. */
static void
kernel_feed_end(struct channel *c)
{
  kernel_scan((struct kernel_proto *) c->proto);
}

static bool
kernel_exportable(const struct channel *c UNUSED, const struct route *r)
{
  return r->attrs->dest != RTD_NONE;
}

static bool
kernel_reload(struct channel *c)
{
  kernel_scan((struct kernel_proto *) c->proto);
  return true;
}

static bool
kernel_reconfigure(struct proto *proto, struct proto_config *pc)
{
  struct kernel_proto *p = (struct kernel_proto *) proto;
  const struct kernel_config *old = kernel_config_of(p), *new = (const struct kernel_config *) pc;

  if (!p->routes || old->table != new->table || old->metric != new->metric ||
      old->rx_buffer != new->rx_buffer)
    return false;
  if (old->scan_time != new->scan_time)
    timer_set_in(p->periodic, BT_S(new->scan_time));
  if (old->learn != new->learn)
  {
    channel_refresh_begin(p->channel);
    channel_refresh_end(p->channel);
    kernel_scan_soon(p);
  }
  return true;
}

static bool
kernel_better(const struct attrs *a, const struct attrs *b)
{
  const struct rt_attr *ma = attrs_find(a, RTA_KRT_METRIC), *mb = attrs_find(b, RTA_KRT_METRIC);

  return ma && mb && ma->num < mb->num;
}

static void
kernel_stop(struct proto *proto)
{
  struct kernel_proto *p = (struct kernel_proto *) proto;

  if (!p->routes)
  {
    proto_down(proto);
    return;
  }
  p->stopping = true;
  p->sweep_due = !routes_stay(p) && (!p->synced || loop_now(proto->loop) < p->leftovers_until);
  kernel_sweep(p);
}

static void
kernel_show(const struct proto *proto, struct cli *c)
{
  const struct kernel_proto *p = (const struct kernel_proto *) proto;
  const struct nl_routes_counters *n = nl_routes_counters(p->routes);

  cli_line(c, 1006, "  Kernel table:   %u", kernel_config_of(p)->table);
  cli_line(c, 1006, "  Kernel metric:  %u", kernel_metric(p));
  cli_line(c, 1006, "  Routes written: %llu set, %llu removed, %llu refused", (unsigned long long) n->set,
           (unsigned long long) n->deleted, (unsigned long long) n->refused);
  cli_line(c, 1006, "  Routes repaired: %llu, left to others: %llu", (unsigned long long) p->repaired,
           (unsigned long long) p->left_to_others);
  cli_line(c, 1006, "  Scans:          %llu, after lost messages %llu", (unsigned long long) n->scans,
           (unsigned long long) n->overruns);
}

/* --- Configuration --- */

static void
kernel_config_init(struct proto_config *cf, struct cf_ctx *cx UNUSED)
{
  struct kernel_config *kc = (struct kernel_config *) cf;

  kc->table = KERNEL_TABLE_MAIN;
  kc->metric = KERNEL_METRIC;
  kc->scan_time = KERNEL_SCAN_TIME;
  kc->merge_limit = KERNEL_MERGE_LIMIT;
}

static const struct channel_config *
only_channel(const struct proto_config *cf)
{
  const struct node *first = list_first(&cf->channels);

  return first ? SKIP_BACK(struct channel_config, n, first) : NULL;
}

static void
kernel_config_check(struct proto_config *cf, struct cf_ctx *cx, const struct cf_loc *loc)
{
  const struct kernel_config *kc = (const struct kernel_config *) cf;
  struct channel_config *cc = (struct channel_config *) only_channel(cf);
  struct proto_config *other;

  if (!cc)
    return;
  channel_configs_check(cx, loc, cf);
  cc->merge_paths = kc->merge_paths;
  cc->merge_limit = kc->merge_limit;
  LIST_WALK (other, &cx->cfg->protos, n)
  {
    const struct channel_config *oc = other->class == cf->class && other != cf ? only_channel(other) : NULL;

    if (!oc)
      continue;
    if (oc->table == cc->table)
      cf_error(cx, loc, "Kernel syncer (%s) already attached to table %s", other->name, cc->table->name);
    else if (oc->type == cc->type && ((struct kernel_config *) other)->table == kc->table &&
             ((struct kernel_config *) other)->metric == kc->metric)
      cf_warn(cx, loc, "%s and %s write to the same kernel table with the same metric", other->name,
              cf->name);
  }
}

const struct proto_class proto_kernel = {
  .name = "Kernel",
  .prefix = "kernel",
  .config_size = sizeof(struct kernel_config),
  .size = sizeof(struct kernel_proto),
  .channel_types = 1 << NET_IP4 | 1 << NET_IP6,
  .one_channel = true,
  .preference = 10,
  .config_init = kernel_config_init,
  .config_check = kernel_config_check,
  .start = kernel_start,
  .stop = kernel_stop,
  .reconfigure = kernel_reconfigure,
  .rt_notify = kernel_notify,
  .rt_flush = kernel_flush,
  .feed_end = kernel_feed_end,
  .exportable = kernel_exportable,
  .reload = kernel_reload,
  .rt_better = kernel_better,
  .show = kernel_show,
};
