/*
 * proto/pipe/pipe.h: routes of one table, in another. Private to the module; main loop only.
 *
 * A pipe has a channel to each of its tables. What one of them hears of its table, the other one announces to
 * its own, with the origin and the attributes it had; all routes pass, not only the best ones.
 */
#ifndef PEREGRINE_PROTO_PIPE_PIPE_H
#define PEREGRINE_PROTO_PIPE_PIPE_H

#include "nest/channel.h"

struct pipe_config
{
  struct proto_config c;
  struct channel_config block; /* as written; import and export are seen from the primary table */
  struct table_config *peer;   /* its `table` is the primary one */
  struct cf_loc where;         /* the table named last */
  struct channel_config primary, secondary; /* what the ends do, made of that */
};

extern const struct proto_class proto_pipe;

#endif
