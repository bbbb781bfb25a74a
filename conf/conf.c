/* conf/conf.c: see conf.h. Errors, symbols, constants, and the frame of a parse. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/iproute.h"
#include "sysdep/clock.h"

/* Errors */

void
cf_error(struct cf_ctx *cx, const struct cf_loc *loc, const char *fmt, ...)
{
  va_list args;

  if (cx->failed)
    return;
  cx->failed = true;
  cx->where = *loc;
  va_start(args, fmt);
  vsnprintf(cx->error, sizeof(cx->error), fmt, args);
  va_end(args);
}

void
cf_hint(struct cf_ctx *cx, const char *fmt, ...)
{
  va_list args;

  if (cx->hint[0])
    return;
  va_start(args, fmt);
  vsnprintf(cx->hint, sizeof(cx->hint), fmt, args);
  va_end(args);
}

void
cf_warn(struct cf_ctx *cx, const struct cf_loc *loc, const char *fmt, ...)
{
  char text[256];
  va_list args;

  if (cx->failed)
    return;
  va_start(args, fmt);
  vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  log_write(L_WARN, "%s:%d:%d %s", loc->file, loc->line, loc->column, text);
}

u32
cf_range(struct cf_ctx *cx, const struct cf_loc *loc, const char *what, u32 value, u32 min, u32 max)
{
  if (value >= min && value <= max)
    return value;
  cf_error(cx, loc, "%s must be between %u and %u, got %u", what, min, max, value);
  return min;
}

u32
cf_range_us(struct cf_ctx *cx, const struct cf_loc *loc, const char *what, btime us, btime min, btime max)
{
  if (us >= min && us <= max)
    return us;
  cf_error(cx, loc, "%s must be between %" PRId64 " us and %" PRId64 " s, got %" PRId64 " us", what, min,
           max / 1000000, us);
  return min;
}

/* Symbols */

struct cf_symbol *
cf_symbol_find(const struct config *cfg, const char *name)
{
  for (struct hnode *n = hash_first(&cfg->symbols, hash_text(name)); n; n = hash_again(n))
  {
    struct cf_symbol *sym = SKIP_BACK(struct cf_symbol, hn, n);

    if (strcmp(sym->name, name) == 0)
      return sym;
  }
  return NULL;
}

static struct cf_symbol *
symbol_add(struct config *cfg, const char *name, enum cf_symbol_class class)
{
  struct cf_symbol *sym = lp_alloc(cfg->lp, sizeof(*sym));

  sym->name = lp_strdup(cfg->lp, name);
  sym->class = class;
  hash_add(&cfg->symbols, &sym->hn, hash_text(name));
  return sym;
}

struct cf_symbol *
cf_symbol_new(struct cf_ctx *cx, const struct cf_loc *loc, const char *name, enum cf_symbol_class class)
{
  if (cf_symbol_find(cx->cfg, name))
    cf_error(cx, loc, "Symbol '%s' already defined", name);
  return symbol_add(cx->cfg, name, class);
}

void
cf_symbol_predefine(struct config *cfg, const char *name, struct cf_value value)
{
  if (!cf_symbol_find(cfg, name))
    symbol_add(cfg, name, CF_CONSTANT)->value = value;
}

/* Constants and operators */

static bool
has_type(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v, enum cf_type type)
{
  if (v.type != type)
    cf_error(cx, loc, "Expected %s, got %s", cf_type_name(type), cf_type_name(v.type));
  return v.type == type;
}

struct cf_value
cf_constant(struct cf_ctx *cx, const struct cf_loc *loc, const char *name)
{
  struct cf_symbol *sym = cf_symbol_find(cx->cfg, name);

  if (sym && sym->class == CF_CONSTANT)
    return sym->value;
  if (sym)
    cf_error(cx, loc, "'%s' is not a constant", name);
  else
    cf_error(cx, loc, "Undefined symbol '%s'", name);
  return (struct cf_value){ .type = CF_INT };
}

u32
cf_int(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v)
{
  return has_type(cx, loc, v, CF_INT) ? v.num : 0;
}

const char *
cf_text(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v)
{
  return has_type(cx, loc, v, CF_STRING) ? v.text : "";
}

ip_addr
cf_ip(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v)
{
  return has_type(cx, loc, v, CF_IP) ? v.ip : IP_NONE;
}

u32
cf_router_id(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v)
{
  if (v.type == CF_IP && ip_is_v4(v.ip))
    return ip_to_u32(v.ip);
  if (v.type == CF_IP)
    cf_error(cx, loc, "Router ID must be an IPv4 address or a number, got %s", IP_STR(v.ip));
  return cf_int(cx, loc, v);
}

struct cf_bytes
cf_bytes(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v)
{
  if (v.type == CF_BYTES)
    return v.bytes;

  const char *text = cf_text(cx, loc, v);

  return (struct cf_bytes){ (const byte *) text, strlen(text) };
}

static struct cf_value
bool_value(bool truth)
{
  return (struct cf_value){ .type = CF_BOOL, .truth = truth };
}

/* Numbers are unsigned and wrap at 32 bits. */
static struct cf_value
arithmetic(struct cf_ctx *cx, const struct cf_loc *loc, enum cf_op op, u32 x, u32 y)
{
  struct cf_value v = { .type = CF_INT };

  if (op == CF_ADD)
    v.num = x + y;
  else if (op == CF_SUBTRACT)
    v.num = x - y;
  else if (op == CF_MULTIPLY)
    v.num = x * y;
  else if (y)
    v.num = x / y;
  else
    cf_error(cx, loc, "Division of %u by zero", x);
  return v;
}

/* Values of different types are unequal, and neither is less. */
static struct cf_value
comparison(struct cf_ctx *cx, const struct cf_loc *loc, enum cf_op op, struct cf_value a, struct cf_value b)
{
  if (op == CF_EQUAL || op == CF_UNEQUAL)
    return bool_value((a.type == b.type && !cf_value_compare(a, b)) == (op == CF_EQUAL));
  if (!has_type(cx, loc, b, a.type))
    return bool_value(false);

  int order = cf_value_compare(a, b);

  if (op == CF_LESS)
    return bool_value(order < 0);
  if (op == CF_LESS_EQUAL)
    return bool_value(order <= 0);
  return bool_value(op == CF_GREATER ? order > 0 : order >= 0);
}

static struct cf_value
matching(struct cf_ctx *cx, const struct cf_loc *loc, bool wanted, struct cf_value a, struct cf_value b)
{
  int match = cf_value_match(a, b);

  if (match < 0)
    cf_error(cx, loc, "Cannot match %s with %s", cf_type_name(a.type), cf_type_name(b.type));
  return bool_value((match > 0) == wanted);
}

static bool
truth_of(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v)
{
  return has_type(cx, loc, v, CF_BOOL) && v.truth;
}

struct cf_value
cf_binary(struct cf_ctx *cx, const struct cf_loc *loc, enum cf_op op, struct cf_value a, struct cf_value b)
{
  if (op <= CF_DIVIDE)
  {
    u32 x = cf_int(cx, loc, a), y = cf_int(cx, loc, b);

    return arithmetic(cx, loc, op, x, y);
  }
  if (op <= CF_GREATER_EQUAL)
    return comparison(cx, loc, op, a, b);
  if (op <= CF_MATCH_NOT)
    return matching(cx, loc, op == CF_MATCH, a, b);

  bool x = truth_of(cx, loc, a), y = truth_of(cx, loc, b);

  return bool_value(op == CF_AND ? x && y : x || y);
}

struct cf_value
cf_not(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v)
{
  return bool_value(!truth_of(cx, loc, v));
}

struct cf_value
cf_pair(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value a, struct cf_value b)
{
  u32 x = cf_range(cx, loc, "Each half of a pair", cf_int(cx, loc, a), 0, 0xffff);
  u32 y = cf_range(cx, loc, "Each half of a pair", cf_int(cx, loc, b), 0, 0xffff);

  return (struct cf_value){ .type = CF_PAIR, .num = x << 16 | y };
}

void
cf_no_filters(struct cf_ctx *cx, const struct cf_loc *loc)
{
  cf_error(cx, loc, "filters are not supported by this build");
}

struct prefix
cf_prefix(struct cf_ctx *cx, const struct cf_loc *loc, ip_addr a, u32 len)
{
  bool v4 = ip_is_v4(a);
  struct prefix p = { .addr = a, .len = len };

  if (len > (v4 ? 32 : 128))
  {
    cf_error(cx, loc, "Invalid prefix length %u", len);
    return (struct prefix){ .addr = a };
  }
  p.addr = ip_mask(a, len);
  if (!ip_equal(p.addr, a))
    cf_error(cx, loc, "Invalid IPv%d prefix %s/%u, maybe you wanted %s", v4 ? 4 : 6, IP_STR(a), len,
             PREFIX_STR(&p));
  return p;
}

FILE *
cf_open(const char *path, bool patient)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | (patient ? 0 : O_NONBLOCK));
  struct stat st;

  if (fd < 0)
    return NULL;
  if (patient || (fstat(fd, &st) == 0 && !S_ISFIFO(st.st_mode)))
    return fdopen(fd, "r");
  close(fd);
  errno = 0;
  return NULL;
}

const char *
cf_open_error(void)
{
  return errno ? strerror(errno) : "It is a pipe";
}

/* Keywords are sorted by the generator. */
static const struct cf_keyword *
keyword_find(const char *word)
{
  uint low = 0, high;
  const struct cf_keyword *table = cf_keywords(&high);

  while (low < high)
  {
    uint middle = (low + high) / 2;
    int order = strcmp(word, table[middle].word);

    if (order == 0)
      return &table[middle];
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}

int
cf_keyword_token(const char *word)
{
  const struct cf_keyword *k = keyword_find(word);

  return k ? k->token : 0;
}

bool
cf_keyword_is_soft(const char *word)
{
  const struct cf_keyword *k = keyword_find(word);

  return k && k->soft;
}

/* The frame of a parse */

static void
conf_error_fill(struct conf_error *error, const struct cf_ctx *cx)
{
  if (cx->where.file)
    snprintf(error->text, sizeof(error->text), "%s:%d:%d %s", cx->where.file, cx->where.line,
             cx->where.column, cx->error);
  else
    snprintf(error->text, sizeof(error->text), "%s", cx->error);
  snprintf(error->hint, sizeof(error->hint), "%s", cx->hint);
}

static void
set_defaults(struct config *cfg)
{
  cfg->time_route = cfg->time_protocol = timeformat_iso_short_ms;
  cfg->time_base = cfg->time_log = timeformat_iso_long_ms;
  cfg->latency_limit = BT_S(1);
  cfg->watchdog_warning = BT_S(5);
  cfg->graceful_wait = 240;
}

struct config *
config_parse(const char *file, bool patient, struct conf_error *error)
{
  pool *p = pool_new(NULL, "Config");
  struct config *cfg = mb_alloc(p, sizeof(*cfg));
  struct cf_ctx cx = { .cfg = cfg, .file = file, .patient = patient, .pool = pool_new(p, "Parse") };

  cfg->pool = p;
  cfg->lp = cx.lp = lp_new(p);
  cfg->file = lp_strdup(cfg->lp, file);
  cfg->loaded = clock_wall();
  hash_init(&cfg->symbols, p);
  list_init(&cfg->protos);
  list_init(&cfg->tables);
  set_defaults(cfg);
  iproute_constants(cfg, "/etc/iproute2", "/usr/share/iproute2");

  if (!cf_lex_open(&cx, file))
  {
    snprintf(error->text, sizeof(error->text), "%s: %s", file, cf_open_error());
    error->hint[0] = 0;
    config_free(cfg);
    return NULL;
  }

  bool ok = cf_parse_config(&cx);

  cf_lex_close(&cx);
  rfree(cx.pool);
  if (ok)
    return cfg;
  conf_error_fill(error, &cx);
  config_free(cfg);
  return NULL;
}

void
config_free(struct config *cfg)
{
  if (cfg)
    rfree(cfg->pool);
}

bool
config_command(struct config *cfg, struct cli *cli, const char *line, struct conf_error *error)
{
  pool *p = pool_new(NULL, "Command");
  struct cf_ctx cx = { .cfg = cfg, .cli = cli, .pool = p, .lp = lp_new(p) };

  cf_lex_line(&cx, line);

  bool ok = cf_parse_command(&cx);

  cf_lex_close(&cx);
  if (!ok)
    conf_error_fill(error, &cx);
  rfree(p);
  return ok;
}
