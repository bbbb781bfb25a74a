/*
 * client/commands.h: the commands the client knows, their abbreviations, completion and help
 *
 * A table lists commands by their full words ("show bfd sessions"). An entry whose arguments are "..." stands
 * for what lies below its words: it is a heading, and a command only if nothing lies below it. Words of a
 * line are looked up from the left as long as the table knows them; the first unknown word and all after it
 * are arguments and never looked at. Nothing here allocates, prints or keeps state.
 */
#ifndef PEREGRINE_CLIENT_COMMANDS_H
#define PEREGRINE_CLIENT_COMMANDS_H

#include "lib/types.h"

struct command
{
  const char *name, *args, *help; /* args is "" for none */
};

struct command_table
{
  const struct command *entry;
  uint count;
};

/* What the daemon accepts, from the generated commands-list.h, and what the client answers itself. */
extern const struct command_table client_commands;

/* A piece of a line or of a command name; not terminated. */
struct command_words
{
  const char *text;
  size_t len;
};

enum command_verdict
{
  COMMAND_OK,
  COMMAND_EMPTY,
  COMMAND_UNKNOWN,
  COMMAND_AMBIGUOUS
};

struct command_match
{
  enum command_verdict verdict;
  struct command_words known; /* the words found, written in full; points into the table */
  struct command_words rest;  /* the line after them, leading blanks included; points into the line */
};

/**
 * command_match - look up the words of @line
 *
 * A word may be any prefix that fits one candidate only; a candidate that equals the word wins over longer
 * ones. COMMAND_OK means that @known followed by @rest is what the daemon should get. COMMAND_UNKNOWN is also
 * the verdict on a heading ("show"). With COMMAND_AMBIGUOUS, @rest starts with the word in question.
 */
struct command_match command_match(const struct command_table *t, const char *line, size_t len);

/* Does @m consist of just these words, arguments aside? */
bool command_is(const struct command_match *m, const char *words);

typedef void command_hook(const struct command *c, void *data);

/* Call @hook for each entry an ambiguous @m may mean, or for what @m is and what may follow it. */
void command_list(const struct command_table *t, const struct command_match *m, command_hook *hook,
                  void *data);

/* Call @hook for each entry that may continue @line, whose last word may be unfinished. */
void command_help(const struct command_table *t, const char *line, size_t len, command_hook *hook,
                  void *data);

/* The @n-th word that may stand in place of the unfinished last word of @line; false after the last. */
bool command_complete(const struct command_table *t, const char *line, size_t len, uint n,
                      struct command_words *word);

/* Does @line end inside a quoted string? */
bool command_in_quotes(const char *line, size_t len);

#endif
