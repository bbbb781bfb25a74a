/*
 * nest/rtshow.h: `show route`. Main loop only.
 *
 * A listing walks the tables a slot at a time, as fast as its client reads; tables stay for as long as a
 * listing needs them.
 */
#ifndef PEREGRINE_NEST_RTSHOW_H
#define PEREGRINE_NEST_RTSHOW_H

#include "nest/channel.h"

enum rt_show_nets
{
  SHOW_ALL_NETS,
  SHOW_NET, /* exactly this one */
  SHOW_FOR, /* the longest that covers it */
  SHOW_IN   /* all inside it */
};

enum rt_show_export
{
  SHOW_TABLE,
  SHOW_EXPORT,    /* what passes the export policy of the channel */
  SHOW_PREEXPORT, /* what comes before it */
  SHOW_NOEXPORT   /* what it rejects */
};

struct rt_show
{
  enum rt_show_nets nets;
  struct net_addr net;
  enum rt_show_export export;
  const char *channel_proto, *channel_name; /* of an export; channel_name NULL: all of its channels */
  const char *protocol;                     /* routes of this origin only */
  bool all, primary, filtered, stats, count;
  bool every_table;
  uint table_count; /* asked for by name */
  struct rtable **tables;
  pool *pool; /* of the command */
};

/* For the grammar: an empty request in the pool of the command, a table of it, and its execution, which owns
 * it. */
struct rt_show *rt_show_new(struct cli *c);
void rt_show_table(struct rt_show *s, struct rtable *t);
void rt_show_run(struct cli *c, struct rt_show *s);

#endif
