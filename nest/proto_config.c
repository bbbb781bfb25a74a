/* nest/proto_config.c: configs of protocol instances while a file is read, see protocol.h */
#include <string.h>

#include "nest/channel.h"

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

/* What `from` names, or NULL. */
static const struct proto_config *
find_base(struct cf_ctx *cx, const struct proto_class *class, const struct proto_head *head)
{
  const struct cf_symbol *sym;
  const struct proto_config *base;

  if (!head->from)
    return NULL;
  sym = cf_symbol_find(cx->cfg, head->from);
  if (!sym || (sym->class != CF_PROTOCOL && sym->class != CF_TEMPLATE))
  {
    cf_error(cx, &head->from_loc, "There is no template or protocol '%s'", head->from);
    return NULL;
  }
  base = sym->proto;
  if (base->class != class)
  {
    cf_error(cx, &head->from_loc, "Can't copy configuration from a different protocol type: '%s' is %s",
             head->from, base->class->name);
    return NULL;
  }
  return base;
}

static void
copy_base(struct proto_config *cf, const struct proto_config *base, struct cf_ctx *cx)
{
  memcpy(cf, base, base->class->config_size);
  cf->n = (struct node){ 0 };
  channel_config_copy(cf, base, cx->cfg);
  if (base->class->config_copy)
    base->class->config_copy(cf, base, cx);
}

struct proto_config *
proto_config_begin(struct cf_ctx *cx, const struct proto_class *class, const struct proto_head *head)
{
  struct proto_config *cf = lp_alloc(cx->cfg->lp, class->config_size);
  const struct proto_config *base = find_base(cx, class, head);

  list_init(&cf->channels);
  cf->class = class;
  cf->debug = cx->cfg->debug_protocols;
  if (base)
    copy_base(cf, base, cx);
  else if (class->config_init)
    class->config_init(cf, cx);
  cf->config = cx->cfg;
  cf->template = head->template;
  cf->name = head->name ? lp_strdup(cx->cfg->lp, head->name) : auto_name(cx, class);
  cf_symbol_new(cx, &head->name_loc, cf->name, head->template ? CF_TEMPLATE : CF_PROTOCOL)->proto = cf;
  if (!head->template)
    list_add_tail(&cx->cfg->protos, &cf->n);
  return cf;
}

void
proto_config_end(struct cf_ctx *cx, const struct cf_loc *loc, struct proto_config *cf)
{
  if (cf->template)
    return;
  if (cf->class->one_channel && list_empty(&cf->channels))
    cf_error(cx, loc, "Channel not specified");
  if (cf->class->config_check)
    cf->class->config_check(cf, cx, loc);
  channel_configs_check(cx, loc, cf);
}
