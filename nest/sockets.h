/* nest/sockets.h: control sockets that the configuration asks for. Main loop only. */
#ifndef PEREGRINE_NEST_SOCKETS_H
#define PEREGRINE_NEST_SOCKETS_H

#include "nest/cli.h"

#define CLI_PATH_MAX 107 /* what an address of a Unix socket holds */

struct cli_socket
{
  struct cli_socket *next;
  const char *path;
  bool restricted; /* sessions are read only from the beginning */
};

/* @get_config as for cli_listen(). */
void sockets_init(pool *p, struct loop *l, struct config *(*get_config)(void) );

/*
 * Listen on the sockets of @cfg and on no others. A socket that stays is not touched, and neither are
 * sessions of those that go. One that cannot be opened is logged; then the result is false.
 */
bool sockets_configure(const struct config *cfg);

#endif
