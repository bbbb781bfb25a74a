/* client/bfd_options.h: what the command line of bfd(1) says, as far as it goes without asking the kernel */
#ifndef PEREGRINE_CLIENT_BFD_OPTIONS_H
#define PEREGRINE_CLIENT_BFD_OPTIONS_H

#include "lib/bfd.h"
#include "lib/pool.h"

enum
{
  BFD_EXIT_OK,
  BFD_EXIT_DOWN,  /* the session did not come up, or was not up at the end */
  BFD_EXIT_USAGE, /* the command line, or what it names */
  BFD_EXIT_SYSTEM /* a port that is taken, a capability that is missing */
};

struct bfd_program_options
{
  const char *local, *remote; /* as given */
  int family;                 /* AF_UNSPEC: either */
  const char *ifname;         /* NULL: the one of the local address */
  bool multihop;
  u16 port, local_port; /* 0: the usual one */
  struct bfd_params params;
  struct bfd_keys *keys; /* NULL: no authentication */
  const char *on_up, *on_down;
  bool json, quiet, verbose, until_up;
  btime timeout, duration; /* 0: none */
};

/* Ends the program with a message where there is nothing to go on with. */
void bfd_options_parse(struct bfd_program_options *o, int argc, char **argv, pool *p);

/*
 * The keys of a file: a line `authentication` and a type in the words of bird.conf(5), and lines `key ID
 * SECRET`, of which the first one signs. Ends the program with a message, which has no secret in it.
 */
struct bfd_keys *bfd_keys_read(pool *p, const char *path);

#endif
