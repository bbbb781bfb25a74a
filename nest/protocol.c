/* nest/protocol.c: see protocol.h */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "nest/protocol.h"
#include "sysdep/clock.h"

static struct
{
  pool *pool;
  struct loop *loop;
  struct list protos;
  /* what protos_apply() or protos_shutdown() is doing */
  struct config *target;
  struct node *next_cf; /* of the configs of the target */
  bool waiting;         /* all have been told, some are still going down */
  struct work *work;
  protos_progress *progress; /* NULL: nothing to do */
} all;

static bool apply_slice(struct work *w, void *data);

void
protos_init(pool *p, struct loop *l)
{
  all.pool = p;
  all.loop = l;
  all.work = work_new(p, l, LOOP_REST, apply_slice, NULL);
  list_init(&all.protos);
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

/* Configs */

static const char *
auto_name(struct cf_ctx *cx, const struct proto_class *class)
{
  for (uint i = 1;; i++)
  {
    const char *name = lp_sprintf(cx->cfg->lp, "%s%u", class->prefix, i);

    if (!cf_symbol_find(cx->cfg, name))
      return name;
  }
}

struct proto_config *
proto_config_new(struct cf_ctx *cx, const struct cf_loc *loc, const struct proto_class *class,
                 const char *name)
{
  struct proto_config *cf = lp_alloc(cx->cfg->lp, class->config_size);

  cf->class = class;
  cf->config = cx->cfg;
  cf->name = name ? lp_strdup(cx->cfg->lp, name) : auto_name(cx, class);
  cf->debug = cx->cfg->debug_protocols;
  cf_symbol_new(cx, loc, cf->name, CF_PROTOCOL)->proto = cf;
  list_add_tail(&cx->cfg->protos, &cf->n);
  if (class->config_init)
    class->config_init(cf, cx);
  return cf;
}

/* Life */

static const char *
state_name(enum proto_state state)
{
  static const char *const names[] = { "down", "start", "up", "stop" };

  return names[state];
}

static void
set_state(struct proto *p, enum proto_state state)
{
  p->state = state;
  p->since = clock_wall();
  PROTO_TRACE(p, D_STATES, "State changed to %s", state_name(state));
}

static void
proto_start(struct proto *p)
{
  p->pool = pool_new(all.pool, p->name);
  set_state(p, PROTO_START);
  p->class->start(p);
}

static void
proto_stop(struct proto *p)
{
  if (p->state == PROTO_DOWN || p->state == PROTO_STOP)
    return;
  set_state(p, PROTO_STOP);
  if (p->class->stop)
    p->class->stop(p);
  else
    proto_down(p);
}

void
proto_up(struct proto *p)
{
  if (p->state == PROTO_START)
    set_state(p, PROTO_UP);
}

static void
proto_free(struct proto *p)
{
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
  p->cf = cf;
  p->name = mb_strdup(all.pool, cf->name);
  p->disabled = cf->disabled;
  p->debug = cf->debug;
  p->since = clock_wall();
  list_add_tail(&all.protos, &p->n);
  return p;
}

static bool
shutting_down(void)
{
  return all.progress && !all.target;
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
    p->cf = p->next_cf;
    p->next_cf = NULL;
  }
  if (!p->disabled && !shutting_down())
    proto_start(p);
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
  else if (p->state == PROTO_DOWN && !shutting_down())
    proto_start(p);
}

static void
set_debug(struct proto *p, uint debug)
{
  p->debug = debug;
  if (p->class->debug_changed && (p->state == PROTO_UP || p->state == PROTO_START))
    p->class->debug_changed(p);
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
    p->cf = cf;
  else if (p->state != PROTO_STOP && p->class->reconfigure(p, cf))
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
    if (p->cf->config != all.target)
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
protos_apply(struct config *cfg, protos_progress *progress)
{
  all.target = cfg;
  all.next_cf = cfg->protos.ring.next;
  all.waiting = false;
  all.progress = progress;
  work_schedule(all.work);
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
  if (p->cf->description)
    cli_line(c, 1006, "  Description:    %s", p->cf->description);
  if (p->message[0])
    cli_line(c, 1006, "  Message:        %s", p->message);
  if (p->cf->router_id)
    cli_line(c, 1006, "  Router ID:      %s", IP_STR(ip_v4(p->cf->router_id)));
  if (p->class->show && p->state == PROTO_UP)
    p->class->show(p, c);
  cli_line(c, 1006, "%s", "");
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
    cli_line(c, 1002, "%-10s %-10s %-10s %-6s %-12s  %s", p->name, p->class->name, "---",
             state_name(p->state), SINCE_STR(p->since, clock_wall()),
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
  proto_stop(p);
  cli_line(c, 12, "%s: restarted", p->name);
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
      set_debug(p, debug);
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
