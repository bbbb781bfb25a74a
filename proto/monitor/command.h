/*
 * proto/monitor/command.h: what a monitor says, one JSON object at a time. Pure.
 *
 * Two dialects: `cmd` names a command of ours, `MsgType` one of the monitor clients that FreeBFD ships.
 */
#ifndef PEREGRINE_MONITOR_COMMAND_H
#define PEREGRINE_MONITOR_COMMAND_H

#include <jansson.h>

#include "nest/bfd.h"
#include "proto/monitor/ident.h"

enum mon_verb
{
  MON_HELLO,
  MON_LIST,
  MON_SUBSCRIBE,
  MON_UNSUBSCRIBE,
  MON_CHANGE,
  MON_SHOW,
  MON_STATS,
  MON_EVENTS,
  MON_VERB__MAX
};

/* What is asked of a session besides its id; what is not set is left to others. */
struct mon_wish
{
  struct bfd_options options; /* without a guard but for min_ttl */
  char key[64];               /* name of an `authentication` block; empty: none */
  char ifname[BFD_IFNAME_SIZE];
  ip_addr local;
  bool multihop;
};

/* Session ids as the other dialect has them, to be repeated in what it is told. */
struct mon_tuple
{
  ip_addr peer, local;
  u16 peer_port, local_port;
};

struct mon_command
{
  enum mon_verb verb;
  bool notify; /* it came as MsgType, and is answered so */
  json_t *tag; /* `id`; NULL: none. Ours */
  bool all;    /* the session is "all", or none was named where that means all */
  struct mon_ident ident;
  bool wishes; /* something is asked of the session: what, is in */
  struct mon_wish wish;
  bool demand; /* DemandMode on */
  struct mon_tuple tuple;
  bool off; /* EVENTS */
};

struct mon_error
{
  const char *code; /* one of those in bird.conf(5) */
  char text[160];
  char member[32]; /* at fault; empty: none in particular */
};

/*
 * Read @size bytes, which are one object. False, with @error filled: @command has its dialect and its tag all
 * the same, as far as they could be read. mon_command_free() follows in both cases.
 */
bool mon_command_parse(struct mon_command *command, const char *data, size_t size, struct mon_error *error);
void mon_command_free(struct mon_command *command);

/* @text as JSON: names of interfaces are bytes, and those that are not UTF-8 become question marks. */
json_t *mon_text(const char *text);

/* For whoever finds more to object to. Returns false. */
bool mon_error_set(struct mon_error *error, const char *code, const char *member, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
