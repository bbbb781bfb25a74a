/* nest/protocol.c: see protocol.h */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "nest/channel.h"
#include "nest/nest.h"
#include "sysdep/clock.h"

static struct
{
  pool *pool;
  struct loop *loop;
  struct list protos;
  struct list watches; /* struct proto_watch */
  /* what protos_apply() or protos_shutdown() is doing */
  struct config *target;
  struct node *next_cf; /* of the configs of the target */
  bool waiting;         /* all have been told, some are still going down */
  bool soft;
  bool leave_routes;
  struct work *work;
  protos_progress *progress; /* NULL: nothing to do */
} all;

/* After a limit asked for a restart: what hit it once may do so again at once. */
#define LIMIT_RESTART_DELAY BT_S(5)

static bool apply_slice(struct work *w, void *data);
static void limit_restart(struct timer *t, void *data);

void
protos_init(pool *p, struct loop *l)
{
  all.pool = p;
  all.loop = l;
  all.work = work_new(p, l, LOOP_REST, apply_slice, NULL);
  list_init(&all.protos);
  list_init(&all.watches);
}

const struct list *
proto_list(void)
{
  return &all.protos;
}

struct proto *
proto_find(const char *name)
{
  struct proto *p;

  LIST_WALK (p, &all.protos, n)
    if (strcmp(p->name, name) == 0)
      return p;
  return NULL;
}

/* Watching */

struct proto_watch
{
  struct resource r;
  struct node n;
  void (*hook)(const struct proto *p, void *data);
  void *data;
};

static void
watch_free(struct resource *r)
{
  list_remove(&((struct proto_watch *) r)->n);
}

static const struct resource_class watch_class = { .name = "Protocol watch",
                                                   .size = sizeof(struct proto_watch),
                                                   .free = watch_free };

struct proto_watch *
proto_watch_new(pool *p, void (*hook)(const struct proto *p, void *data), void *data)
{
  struct proto_watch *w = res_new(p, &watch_class);

  w->hook = hook;
  w->data = data;
  list_add_tail(&all.watches, &w->n);
  return w;
}

/* Life */

const char *
proto_state_name(enum proto_state state)
{
  static const char *const names[] = { "down", "start", "up", "flush", "stop" };

  return names[state];
}

static void
set_state(struct proto *p, enum proto_state state)
{
  p->state = state;
  p->since = clock_wall();
  PROTO_TRACE(p, D_STATES, "State changed to %s", proto_state_name(state));

  struct proto_watch *w;

  LIST_WALK (w, &all.watches, n)
    w->hook(p, w->data);
}

static void
proto_start(struct proto *p)
{
  p->pool = pool_new(all.pool, p->name);
  set_state(p, PROTO_START);
  p->class->start(p);
}

static void
class_stop(struct proto *p)
{
  set_state(p, PROTO_STOP);
  if (p->class->stop)
    p->class->stop(p);
  else
    proto_down(p);
}

static bool
channels_down(const struct proto *p)
{
  struct channel *c;

  LIST_WALK (c, &p->channels, n)
    if (c->state != CHANNEL_DOWN)
      return false;
  return list_empty(&p->parting);
}

/* Routes go first, while the instance can still act on it: the kernel protocol has to remove what it put
 * there. */
static void
proto_stop(struct proto *p)
{
  struct channel *c;

  if (p->state == PROTO_DOWN || p->state >= PROTO_FLUSH)
    return;
  if (channels_down(p))
  {
    class_stop(p);
    return;
  }
  set_state(p, PROTO_FLUSH);
  LIST_WALK (c, &p->channels, n)
    channel_stop(c);
}

void
proto_channel_down(struct channel *c)
{
  struct proto *p = c->proto;

  if (c->parting)
  {
    channel_free(c);
    if (all.progress)
      work_schedule(all.work);
  }
  if (p->state == PROTO_FLUSH && channels_down(p))
    class_stop(p);
}

void
proto_up(struct proto *p)
{
  struct channel *c;

  if (p->state != PROTO_START)
    return;
  set_state(p, PROTO_UP);
  LIST_WALK (c, &p->channels, n)
    channel_start(c);
}

struct channel *
proto_channel(const struct proto *p, enum net_type type)
{
  struct channel *c;

  LIST_WALK (c, &p->channels, n)
    if (c->cf->type == type)
      return c;
  return NULL;
}

/* Channels are at work when they hit a limit, so the rest comes from the loop. */
void
proto_limit_hit(struct proto *p, bool disable, const char *limit)
{
  snprintf(p->message, sizeof(p->message), "The %s limit was hit", limit);
  p->disabled |= disable;
  if (!disable)
    timer_set_in(p->limit_restart, LIMIT_RESTART_DELAY);
  timer_set_in(p->limit_stop, 0);
}

static void
limit_stop(struct timer *t UNUSED, void *data)
{
  proto_stop(data);
}

static void
channels_create(struct proto *p)
{
  struct channel_config *cf;

  LIST_WALK (cf, &p->cf->channels, n)
    channel_create(p, cf);
}

static void
channels_free(struct proto *p)
{
  struct channel *c;

  LIST_WALK_SAFE (c, &p->channels, n)
    channel_free(c);
}

static void
proto_free(struct proto *p)
{
  channels_free(p);
  p->origin->proto = NULL;
  rt_origin_unref(p->origin);
  rfree(p->limit_stop);
  rfree(p->limit_restart);
  list_remove(&p->n);
  mb_free((void *) p->name);
  mb_free(p);
}

static struct proto *
proto_new(struct proto_config *cf)
{
  struct proto *p = mb_alloc(all.pool, cf->class->size);

  p->class = cf->class;
  p->loop = all.loop;
  p->owner = all.pool;
  p->cf = cf;
  p->name = mb_strdup(all.pool, cf->name);
  p->origin = rt_origin_new(cf->class, p->name, p);
  p->limit_stop = timer_new(all.pool, all.loop, limit_stop, p);
  p->limit_restart = timer_new(all.pool, all.loop, limit_restart, p);
  p->disabled = cf->disabled;
  p->debug = cf->debug;
  p->since = clock_wall();
  list_add_tail(&all.protos, &p->n);
  list_init(&p->channels);
  list_init(&p->parting);
  channels_create(p);
  return p;
}

static bool
shutting_down(void)
{
  return all.progress && !all.target;
}

static void
start_if_wanted(struct proto *p)
{
  if (p->state == PROTO_DOWN && !p->disabled && !p->removed && !shutting_down() &&
      !timer_is_set(p->limit_restart))
    proto_start(p);
}

static void
limit_restart(struct timer *t UNUSED, void *data)
{
  start_if_wanted(data);
}

/* An instance that is down takes another config, with the channels of that one. */
static void
adopt_config(struct proto *p, struct proto_config *cf)
{
  channels_free(p);
  p->cf = cf;
  channels_create(p);
}

/* What has to happen to an instance that is down. */
static void
settle_down(struct proto *p)
{
  if (p->removed)
  {
    PROTO_TRACE(p, D_STATES, "Removed");
    proto_free(p);
    return;
  }
  if (p->next_cf)
  {
    adopt_config(p, p->next_cf);
    p->next_cf = NULL;
  }
  start_if_wanted(p);
}

void
proto_down(struct proto *p)
{
  rfree(p->pool);
  p->pool = NULL;
  set_state(p, PROTO_DOWN);
  settle_down(p);
  if (all.progress)
    work_schedule(all.work);
}

/* Applying a configuration */

static struct proto_config *
find_config(const struct config *cfg, const struct proto *p)
{
  struct cf_symbol *sym = cf_symbol_find(cfg, p->name);
  struct proto_config *cf = sym && sym->class == CF_PROTOCOL ? sym->proto : NULL;

  return cf && cf->class == p->class ? cf : NULL;
}

static void
remove_proto(struct proto *p)
{
  p->removed = true;
  p->next_cf = NULL;
  if (p->state == PROTO_DOWN)
    settle_down(p);
  else
    proto_stop(p);
}

static void
set_disabled(struct proto *p, bool disabled)
{
  p->disabled = disabled;
  if (disabled)
    proto_stop(p);
  else
  {
    timer_stop(p->limit_restart);
    start_if_wanted(p);
  }
}

static void
set_debug(struct proto *p, uint debug)
{
  p->debug = debug;
  if (p->class->debug_changed && (p->state == PROTO_UP || p->state == PROTO_START))
    p->class->debug_changed(p);
}

static void
set_channel_debug(struct proto *p, const char *name, uint debug)
{
  struct channel *c;

  LIST_WALK (c, &p->channels, n)
    if (strcmp(c->cf->name, name) == 0)
      c->debug = debug;
}

static struct channel_config *
channel_config_for(const struct proto_config *cf, const struct channel *c)
{
  struct channel_config *cc;

  LIST_WALK (cc, &cf->channels, n)
    if (channel_fits(c, cc))
      return cc;
  return NULL;
}

/* Do all channels go on, and is none new? */
static bool
channels_fit(const struct proto *p, const struct proto_config *cf)
{
  uint have = 0, want = 0;
  struct channel_config *cc;
  struct channel *c;

  LIST_WALK (c, &p->channels, n)
  {
    if (!channel_config_for(cf, c))
      return false;
    have++;
  }
  LIST_WALK (cc, &cf->channels, n)
    want++;
  return have == want;
}

static void
part_with(struct proto *p, struct channel *c)
{
  list_remove(&c->n);
  list_add_tail(&p->parting, &c->n);
  c->parting = true;
  if (c->state == CHANNEL_DOWN)
    channel_free(c);
  else
    channel_stop(c);
}

/* Those that are not in @cf any more; the others stay. */
static void
part_with_others(struct proto *p, const struct proto_config *cf)
{
  struct channel *c;

  LIST_WALK_SAFE (c, &p->channels, n)
    if (!channel_config_for(cf, c))
      part_with(p, c);
}

/* Make those that are new in @cf, and put all into its order. */
static void
channels_follow(struct proto *p, const struct proto_config *cf)
{
  struct channel_config *cc;

  LIST_WALK (cc, &cf->channels, n)
  {
    struct channel *c = proto_channel(p, cc->type);
    bool fresh = !c;

    if (fresh)
      c = channel_create(p, cc);
    list_remove(&c->n);
    list_add_tail(&p->channels, &c->n);
    if (!fresh || p->state != PROTO_UP)
      continue;
    channel_start(c);
    p->class->reload(c);
  }
}

static bool
same_vrf(const char *a, const char *b)
{
  return a && b ? strcmp(a, b) == 0 : a == b;
}

/* False: the instance has to be restarted. */
static bool
reconfigure(struct proto *p, struct proto_config *cf)
{
  struct channel *c;
  bool fits = true;

  if (p->state >= PROTO_FLUSH || !same_vrf(p->cf->vrf, cf->vrf))
    return false;
  if (p->class->channels_vary)
    part_with_others(p, cf);
  else if (!channels_fit(p, cf))
    return false;

  /* Channels first: what the class announces for the new config is to be judged by it. */
  LIST_WALK (c, &p->channels, n)
    fits &= channel_reconfigure(c, channel_config_for(cf, c), all.soft);
  fits = p->class->reconfigure && p->class->reconfigure(p, cf) && fits;
  if (p->class->channels_vary && fits)
    channels_follow(p, cf);
  return fits;
}

/*
 * One instance follows the new configuration. An operator's disable holds unless the file changed its mind.
 */
static void
follow(struct proto *p, struct proto_config *cf)
{
  bool switched = cf->disabled != p->cf->disabled;

  p->removed = false;
  set_debug(p, cf->debug);
  if (p->state == PROTO_DOWN)
    adopt_config(p, cf);
  else if (reconfigure(p, cf))
  {
    p->cf = cf;
    p->next_cf = NULL;
  }
  else
  {
    PROTO_TRACE(p, D_EVENTS, "Restarting to follow the configuration");
    p->next_cf = cf;
    proto_stop(p);
  }
  if (switched)
    set_disabled(p, cf->disabled);
}

/* Put the instances into the order of the configuration. */
static void
sort_protos(void)
{
  struct proto_config *cf;

  LIST_WALK (cf, &all.target->protos, n)
  {
    struct proto *p = proto_find(cf->name);

    if (p && !p->removed)
    {
      list_remove(&p->n);
      list_add_tail(&all.protos, &p->n);
    }
  }
}

/* The next running instance whose config is not of the target. */
static struct proto *
next_to_compare(void)
{
  struct proto *p;

  LIST_WALK (p, &all.protos, n)
    if (!p->removed && p->cf->config != all.target && (!p->next_cf || p->next_cf->config != all.target))
      return p;
  return NULL;
}

static bool
old_config_in_use(void)
{
  struct proto *p;

  LIST_WALK (p, &all.protos, n)
    if (p->cf->config != all.target || !list_empty(&p->parting))
      return true;
  return false;
}

static void
finish(void)
{
  protos_progress *progress = all.progress;

  all.progress = NULL;
  progress(true);
}

static void
wait_for_others(void)
{
  if (!all.waiting)
    all.progress(false);
  all.waiting = true;
}

static void
apply_shutdown(void)
{
  struct proto *p;

  LIST_WALK (p, &all.protos, n)
    if (p->state != PROTO_DOWN)
      return;
  finish();
}

/* Start the next instance that is new; false when it cannot be yet. */
static bool
apply_new(struct proto_config *cf)
{
  struct proto *p = proto_find(cf->name);

  if (p && p->removed) /* the name is still taken by one of another kind, on its way out */
    return false;
  all.next_cf = cf->n.next;
  if (!p && !(p = proto_new(cf))->disabled)
    proto_start(p);
  return true;
}

static bool
apply_slice(struct work *w UNUSED, void *data UNUSED)
{
  struct proto *p;

  if (!all.progress)
    return false;
  if (!all.target)
  {
    apply_shutdown();
    return false;
  }

  if ((p = next_to_compare()))
  {
    struct proto_config *cf = find_config(all.target, p);

    if (cf)
      follow(p, cf);
    else
      remove_proto(p);
    return true;
  }
  if (all.next_cf != &all.target->protos.ring)
  {
    if (apply_new(SKIP_BACK(struct proto_config, n, all.next_cf)))
      return true;
    wait_for_others();
    return false;
  }

  sort_protos();
  if (old_config_in_use())
    wait_for_others();
  else
    finish();
  return false;
}

void
protos_apply(struct config *cfg, bool soft, protos_progress *progress)
{
  all.soft = soft;
  all.target = cfg;
  all.next_cf = cfg->protos.ring.next;
  all.waiting = false;
  all.progress = progress;
  work_schedule(all.work);
}

void
protos_leave_routes(void)
{
  all.leave_routes = true;
}

bool
protos_leaving_routes(void)
{
  return all.leave_routes;
}

void
protos_shutdown(protos_progress *progress)
{
  struct proto *p;

  all.target = NULL;
  all.progress = progress;
  LIST_WALK_SAFE (p, &all.protos, n)
    proto_stop(p);
  work_schedule(all.work);
}

void
protos_forecast(const struct config *cfg, struct cli *c)
{
  struct proto *p;

  LIST_WALK (p, &all.protos, n)
    if (p->class->forecast && p->state == PROTO_UP)
      p->class->forecast(p, cfg, c);
}

/* Commands */

static bool
pattern_matches(const struct proto_pattern *which, const struct proto *p)
{
  if (which->all)
    return true;
  if (which->name)
    return strcmp(which->name, p->name) == 0;
  return fnmatch(which->glob, p->name, 0) == 0;
}

static void
show_details(const struct proto *p, struct cli *c)
{
  struct channel *ch;

  if (p->cf->description)
    cli_line(c, 1006, "  Description:    %s", p->cf->description);
  if (p->message[0])
    cli_line(c, 1006, "  Message:        %s", p->message);
  if (p->cf->vrf)
    cli_line(c, 1006, "  VRF:            %s", p->cf->vrf[0] ? p->cf->vrf : "default");
  if (p->cf->router_id)
    cli_line(c, 1006, "  Router ID:      %s", IP_STR(ip_v4(p->cf->router_id)));
  if (p->class->show && p->state == PROTO_UP)
    p->class->show(p, c);
  if (!p->class->rt_sync)
    LIST_WALK (ch, &p->channels, n)
      channel_show(ch, c);
  cli_line(c, 1006, "%s", "");
}

/* The table of an instance with a single channel. */
static const char *
table_column(const struct proto *p)
{
  const struct node *first = list_first(&p->channels);

  if (!first || first->next != &p->channels.ring || p->class->rt_sync)
    return "---";
  return SKIP_BACK(struct channel, n, first)->table->name;
}

void
proto_cmd_show(struct cli *c, const struct proto_pattern *which, bool details)
{
  uint shown = 0;
  struct proto *p;

  LIST_WALK (p, &all.protos, n)
  {
    if (!pattern_matches(which, p))
      continue;
    if (!shown++)
      cli_line(c, 2002, "%-10s %-10s %-10s %-6s %-12s  %s", "Name", "Proto", "Table", "State", "Since",
               "Info");
    cli_line(c, 1002, "%-10s %-10s %-10s %-6s %-12s  %s", p->name, p->class->name, table_column(p),
             proto_state_name(p->state), TIME_BY(TIME_PROTOCOL, p->since),
             p->class->info ? p->class->info(p) : "");
    if (details)
      show_details(p, c);
  }
  if (shown)
    cli_end(c, 0, "%s", "");
  else
    cli_end(c, 8003, "No protocols match");
}

static void
enable(struct cli *c, struct proto *p)
{
  if (!p->disabled)
  {
    cli_line(c, 10, "%s: already enabled", p->name);
    return;
  }
  set_disabled(p, false);
  cli_line(c, 11, "%s: enabled", p->name);
}

static void
disable(struct cli *c, struct proto *p)
{
  if (p->disabled)
  {
    cli_line(c, 8, "%s: already disabled", p->name);
    return;
  }
  set_disabled(p, true);
  cli_line(c, 9, "%s: disabled", p->name);
}

static void
restart(struct cli *c, struct proto *p)
{
  if (p->disabled)
  {
    cli_line(c, 8, "%s: already disabled", p->name);
    return;
  }
  timer_stop(p->limit_restart); /* the operator need not wait */
  if (p->state == PROTO_DOWN)
    start_if_wanted(p);
  else
    proto_stop(p);
  cli_line(c, 12, "%s: restarted", p->name);
}

/* Inwards, outwards or both. Without channels there is nothing to do, and nothing fails. */
static void
reload(struct cli *c, struct proto *p, bool in, bool out)
{
  bool ok = true;
  struct channel *ch;

  if (p->disabled)
  {
    cli_line(c, 8, "%s: already disabled", p->name);
    return;
  }
  if (p->state != PROTO_UP)
    return;
  LIST_WALK (ch, &p->channels, n)
  {
    if (in)
      ok &= p->class->reload && p->class->reload(ch);
    if (out)
      channel_refeed(ch);
  }
  if (ok)
    cli_line(c, 15, "%s: reloading", p->name);
  else
    cli_line(c, 8006, "%s: reload failed", p->name);
}

void
proto_cmd(struct cli *c, const struct proto_pattern *which, enum proto_action action, const char *message,
          uint debug)
{
  uint count = 0;
  struct proto *p;

  LIST_WALK_SAFE (p, &all.protos, n)
  {
    if (!pattern_matches(which, p) || p->removed)
      continue;
    count++;
    if (action == PROTO_CMD_DEBUG)
    {
      if (which->channel)
        set_channel_debug(p, which->channel, debug);
      else
        set_debug(p, debug);
      continue;
    }
    if (action >= PROTO_CMD_RELOAD)
    {
      reload(c, p, action != PROTO_CMD_RELOAD_OUT, action != PROTO_CMD_RELOAD_IN);
      continue;
    }
    snprintf(p->message, sizeof(p->message), "%s", message ? message : "");
    if (action == PROTO_CMD_ENABLE)
      enable(c, p);
    else if (action == PROTO_CMD_DISABLE)
      disable(c, p);
    else
      restart(c, p);
  }
  if (count)
    cli_end(c, 0, "%s", "");
  else
    cli_end(c, 8003, "No protocols match");
}
