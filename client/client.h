/*
 * client/client.h: what birdc and birdcl share
 *
 * Options, the connection, printing of replies, and what happens to a line the user enters. A front end only
 * gets lines from the user: it owns the prompt, waits for input, and calls in here. One command is under way
 * at a time; while it is, the front end reads nothing from the user.
 */
#ifndef PEREGRINE_CLIENT_CLIENT_H
#define PEREGRINE_CLIENT_CLIENT_H

#include "lib/types.h"

struct pool;
struct reply_reader;

#define CLIENT_PROMPT "bird> "

struct client_options
{
  const char *program, *socket;
  const char *command; /* the words of the command line joined by blanks; NULL for an interactive session */
  bool verbose, restricted;
};

struct client
{
  struct pool *pool;
  struct client_options opt;
  struct reply_reader *reader;
  int fd;
  bool busy;         /* a command, or the greeting, waits for its last line */
  uint code;         /* of the last line that ended a reply */
  bool prompt_shown; /* kept by the front end, cleared here when output needed the place */
  void (*prompt_hide)(struct client *c); /* set by the front end: leave the cursor at the start of a line */
};

/* Run an interactive session on a connected client; returns the exit status. */
typedef int client_frontend(struct client *c);

/* All of main(): one-shot mode is handled here, otherwise @run is called. Returns the exit status. */
int client_main(int argc, char **argv, client_frontend *run);

enum client_step
{
  CLIENT_DONE,    /* nothing to wait for */
  CLIENT_REFUSED, /* not a command; the user was told */
  CLIENT_SENT,    /* call client_wait() */
  CLIENT_QUIT
};

/* Act on a line the user entered: answer it here, or expand and send it. */
enum client_step client_enter(struct client *c, const char *line);

/* Print what has come from the daemon, or wait for it. False, after a message, if the connection is over. */
bool client_receive(struct client *c);

/* client_receive() until the reply is complete. */
bool client_wait(struct client *c);

/* Print what may continue the first @len bytes of @line. */
void client_help(const char *line, size_t len);

#endif
