/*
 * conf/conf.h: configurations, and what the grammar needs to build them
 *
 * A configuration is parsed into a pool of its own, by a thread of its own, and is immutable once committed.
 * While parsing, the first error wins: it is noted with its place, the rest of the action runs on harmless
 * values, and the lexer ends the parse. The same grammar parses command lines of the control socket.
 */
#ifndef PEREGRINE_CONF_CONF_H
#define PEREGRINE_CONF_CONF_H

#include <stdio.h>

#include "conf/value.h"
#include "lib/hash.h"
#include "lib/ip.h"
#include "lib/text.h"
#include "sysdep/log.h"

struct cf_loc
{
  const char *file; /* NULL in a command line */
  int line, column; /* from 1 */
};

/* Symbols: constants and protocols; one name space. */

enum cf_symbol_class
{
  CF_UNDEFINED,
  CF_CONSTANT,
  CF_PROTOCOL,
  CF_TEMPLATE,
  CF_TABLE,
  CF_FILTER /* none yet */
};

struct cf_symbol
{
  struct hnode hn;
  const char *name;
  enum cf_symbol_class class;
  union
  {
    struct cf_value value;
    void *proto; /* struct proto_config, of a template too */
    void *table; /* struct table_config */
  };
};

struct config
{
  pool *pool;
  struct linpool *lp;
  const char *file; /* as given */
  btime loaded;     /* wall-clock */
  struct htable symbols;
  u32 router_id;                              /* 0: not given */
  const struct iface_pattern *router_id_from; /* nest/iface.h; NULL: any interface but loopback ones */
  const char *state_dir;                      /* NULL: the built-in one, if it is there */
  const char *hostname;                       /* NULL: the system's */
  struct log_sink *sinks;
  uint sink_count;
  struct cli_socket *cli_sockets; /* nest/sockets.h: control sockets besides that of the command line */
  struct timeformat time_route, time_protocol, time_base, time_log;
  /* Default debug flags (nest/protocol.h) of protocols and channels. */
  uint debug_protocols, debug_channels;
  uint debug_commands; /* 1: log who comes and goes, 2: and what is asked */
  bool debug_latency;  /* log callbacks that take longer than latency_limit */
  btime latency_limit;
  btime watchdog_warning; /* a round of the main loop this long is logged; 0: never */
  btime watchdog_timeout; /* and one this long ends the daemon; 0: never */
  uint graceful_wait;     /* seconds */
  struct list protos;     /* struct proto_config (nest/protocol.h), in the order of the file */
  struct list tables;     /* struct table_config (nest/table.h), likewise */
};

/* One parse. The grammar's actions see it as `cx`. */
struct cf_ctx
{
  struct config *cfg; /* being built; for a command line the one in force, read only */
  pool *pool;         /* of the parse alone */
  struct linpool *lp; /* what the parse allocates; for a configuration it stays with that */
  void *scanner;
  const char *file; /* the outermost one; NULL: a command line */
  bool patient;     /* it may be a pipe, and is waited for */
  int start_token;  /* first token handed out: which part of the grammar */
  int depth;        /* of includes */
  bool failed;
  struct cf_loc where;
  char error[512], hint[256];
  struct cli *cli;                 /* command line only */
  void *proto;                     /* the protocol being configured */
  void *item;                      /* and the block inside it */
  void *channel;                   /* and the channel */
  struct password_list *passwords; /* nest/password.h: those of the block so far; NULL: none */
};

/*
 * Parse @file into a new configuration whose pool is a root. On failure NULL, with "file:line:column text" in
 * @error and perhaps a hint. Reads files; touches nothing else, so any thread may call it. None is waited
 * for, so pipes are refused; with @patient @file itself may be one.
 */
#define CONF_ERROR_SIZE 1024
struct conf_error
{
  char text[CONF_ERROR_SIZE]; /* with its place */
  char hint[256];             /* empty: none */
};
struct config *config_parse(const char *file, bool patient, struct conf_error *error);
void config_free(struct config *cfg);

/* Parse and execute one command line. False: @error says what is wrong. */
bool config_command(struct config *cfg, struct cli *cli, const char *line, struct conf_error *error);

/* Errors. The format gives rule and value; the place is added. */
void cf_error(struct cf_ctx *cx, const struct cf_loc *loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
void cf_hint(struct cf_ctx *cx, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A remark about a configuration that loads all the same; goes to the log. */
void cf_warn(struct cf_ctx *cx, const struct cf_loc *loc, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* @value if it lies in the range, else an error and @min. */
u32 cf_range(struct cf_ctx *cx, const struct cf_loc *loc, const char *what, u32 value, u32 min, u32 max);
u32 cf_range_us(struct cf_ctx *cx, const struct cf_loc *loc, const char *what, btime us, btime min,
                btime max);

/* Symbols; cf_symbol_new() complains about a name that is taken. cf_symbol_find() returns NULL for an unknown
 * one. */
struct cf_symbol *cf_symbol_find(const struct config *cfg, const char *name);
struct cf_symbol *cf_symbol_new(struct cf_ctx *cx, const struct cf_loc *loc, const char *name,
                                enum cf_symbol_class class);

/* A constant that is there before the file; without effect when the name is taken. */
void cf_symbol_predefine(struct config *cfg, const char *name, struct cf_value value);

/* Constants and operators for the grammar. */
struct cf_value cf_constant(struct cf_ctx *cx, const struct cf_loc *loc, const char *name);
struct cf_value cf_binary(struct cf_ctx *cx, const struct cf_loc *loc, enum cf_op op, struct cf_value a,
                          struct cf_value b);
struct cf_value cf_not(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v);
struct cf_value cf_pair(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value a, struct cf_value b);
u32 cf_int(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v);
const char *cf_text(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v);
/* What may be a secret: a byte string, or the bytes of a string. */
struct cf_bytes cf_bytes(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v);
ip_addr cf_ip(struct cf_ctx *cx, const struct cf_loc *loc, struct cf_value v);
u32 cf_router_id(struct cf_ctx *cx, const struct cf_loc *loc,
                 struct cf_value v); /* an IPv4 address or a number */
struct prefix cf_prefix(struct cf_ctx *cx, const struct cf_loc *loc, ip_addr a, u32 len);
/* Words and signs of the filter language have their meaning, only not here. */
void cf_no_filters(struct cf_ctx *cx, const struct cf_loc *loc);

/* Between lexer, parser and the functions above. */
struct cf_keyword
{
  const char *word;
  int token;
  bool soft; /* a name outside its context */
};
bool cf_lex_open(struct cf_ctx *cx, const char *file);
/* For reading, without ever waiting, or with @patient as long as it takes. NULL: cf_open_error() says why. */
FILE *cf_open(const char *path, bool patient);
const char *cf_open_error(void);
void cf_lex_line(struct cf_ctx *cx, const char *line);
void cf_lex_close(struct cf_ctx *cx);
const char *cf_lex_text(struct cf_ctx *cx); /* the last token as written */
const struct cf_keyword *cf_keywords(uint *count);
int cf_keyword_token(const char *word); /* 0: not a keyword */
bool cf_keyword_is_soft(const char *word);
bool cf_parse_config(struct cf_ctx *cx);
bool cf_parse_command(struct cf_ctx *cx);

#endif
