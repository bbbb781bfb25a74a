/*
 * client/commands.c: lookup of command words
 *
 * The table is flat and has some sixty rows, so the tree of words is not built: a place in the tree is a
 * prefix of the name of some row, and its children are found by walking the rows. Rows keep their order in
 * every list.
 */
#include <string.h>

#include "client/commands.h"

static const struct command entries[] = {
  /* Never sent, the daemon has no answer to these. The generated list may repeat them: first row counts. */
  { "quit", "", "Leave the client" },
  { "exit", "", "Leave the client" },
  { "help", "", "Explain how to get help" },
#define COMMAND(name, args, help) { name, args, help },
#include "commands-list.h"
#undef COMMAND
};

const struct command_table client_commands = { entries, ARRAY_SIZE(entries) };

static const struct command_words no_words = { "", 0 };

static bool
is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
words_equal(struct command_words a, struct command_words b)
{
  return a.len == b.len && !memcmp(a.text, b.text, a.len);
}

static bool
words_start(struct command_words w, struct command_words prefix)
{
  return w.len >= prefix.len && !memcmp(w.text, prefix.text, prefix.len);
}

/* The first word of @s; of length 0 at its end when there is none. */
static struct command_words
first_word(struct command_words s)
{
  const char *end = s.text + s.len, *start = s.text;

  while (start < end && is_blank(*start))
    start++;

  const char *stop = start;
  while (stop < end && !is_blank(*stop))
    stop++;
  return (struct command_words){ start, stop - start };
}

/* Does row @i lie below @path? Then set @child to the word that follows there. */
static bool
row_below(const struct command_table *t, struct command_words path, uint i, struct command_words *child)
{
  struct command_words name = { t->entry[i].name, strlen(t->entry[i].name) };

  if (!words_start(name, path) || name.len == path.len || (path.len && name.text[path.len] != ' '))
    return false;
  *child = first_word((struct command_words){ name.text + path.len, name.len - path.len });
  return true;
}

/* Is row @i the first one that has its child word below @path? */
static bool
row_first(const struct command_table *t, struct command_words path, uint i, struct command_words *child)
{
  struct command_words word, other;

  if (!row_below(t, path, i, &word))
    return false;
  for (uint j = 0; j < i; j++)
    if (row_below(t, path, j, &other) && words_equal(other, word))
      return false;
  *child = word;
  return true;
}

static bool
has_children(const struct command_table *t, struct command_words path)
{
  struct command_words child;

  for (uint i = 0; i < t->count; i++)
    if (row_below(t, path, i, &child))
      return true;
  return false;
}

static struct command_words
child_path(const struct command_table *t, uint i, struct command_words child)
{
  return (struct command_words){ t->entry[i].name, child.text + child.len - t->entry[i].name };
}

/* How many children of @path may be meant by @word; with one, @found is its path. */
static uint
find_child(const struct command_table *t, struct command_words path, struct command_words word,
           struct command_words *found)
{
  struct command_words child, last = no_words;
  uint hits = 0;

  for (uint i = 0; i < t->count; i++)
  {
    if (!row_first(t, path, i, &child) || !words_start(child, word))
      continue;
    hits++;
    last = child_path(t, i, child);
    if (words_equal(child, word))
    {
      hits = 1;
      break;
    }
  }

  if (hits == 1)
    *found = last;
  return hits;
}

/* The first row named @path that is a heading, or is not. */
static const struct command *
find_row(const struct command_table *t, struct command_words path, bool heading)
{
  for (uint i = 0; i < t->count; i++)
  {
    const struct command *c = &t->entry[i];
    if (words_equal((struct command_words){ c->name, strlen(c->name) }, path) &&
        !strcmp(c->args, "...") == heading)
      return c;
  }
  return NULL;
}

/* The row that makes @path a command of its own. */
static const struct command *
find_command(const struct command_table *t, struct command_words path)
{
  const struct command *c = find_row(t, path, false);

  return c || has_children(t, path) ? c : find_row(t, path, true);
}

struct command_match
command_match(const struct command_table *t, const char *line, size_t len)
{
  struct command_match m = { .known = no_words, .rest = { line, len } };
  struct command_words word;
  uint hits = 0;

  while ((word = first_word(m.rest)).len)
  {
    hits = find_child(t, m.known, word, &m.known);
    if (hits != 1)
      break;
    m.rest = (struct command_words){ word.text + word.len, line + len - word.text - word.len };
  }

  if (word.len && hits > 1)
    m.verdict = COMMAND_AMBIGUOUS;
  else if (!word.len && !m.known.len)
    m.verdict = COMMAND_EMPTY;
  else
    m.verdict = find_command(t, m.known) ? COMMAND_OK : COMMAND_UNKNOWN;
  return m;
}

bool
command_is(const struct command_match *m, const char *words)
{
  return m->verdict == COMMAND_OK && words_equal(m->known, (struct command_words){ words, strlen(words) });
}

/* List the children of @path that start with @filter; without filter @path itself comes first. */
static void
list_below(const struct command_table *t, struct command_words path, struct command_words filter,
           command_hook *hook, void *data)
{
  const struct command *own = filter.len ? NULL : find_command(t, path);
  struct command_words child;

  if (own)
    hook(own, data);

  for (uint i = 0; i < t->count; i++)
  {
    if (!row_first(t, path, i, &child) || !words_start(child, filter))
      continue;

    struct command_words below = child_path(t, i, child);
    const struct command *c = find_row(t, below, true) ?: find_row(t, below, false);
    if (c)
      hook(c, data);
    else /* no row explains this word alone, as with "graceful restart" */
      list_below(t, below, no_words, hook, data);
  }
}

void
command_list(const struct command_table *t, const struct command_match *m, command_hook *hook, void *data)
{
  bool ambiguous = m->verdict == COMMAND_AMBIGUOUS;

  list_below(t, m->known, ambiguous ? first_word(m->rest) : no_words, hook, data);
}

/* The word that ends where @line ends, of length 0 after a blank. */
static struct command_words
last_word(const char *line, size_t len)
{
  size_t start = len;

  while (start && !is_blank(line[start - 1]))
    start--;
  return (struct command_words){ line + start, len - start };
}

/* Were all words of @m known, so that the table can tell what follows? */
static bool
all_known(const struct command_match *m)
{
  return m->verdict != COMMAND_AMBIGUOUS && !first_word(m->rest).len;
}

void
command_help(const struct command_table *t, const char *line, size_t len, command_hook *hook, void *data)
{
  struct command_words word = last_word(line, len), found;
  struct command_match m = command_match(t, line, len - word.len);

  if (word.len && all_known(&m) && find_child(t, m.known, word, &found))
    list_below(t, m.known, word, hook, data);
  else
    command_list(t, &m, hook, data);
}

bool
command_complete(const struct command_table *t, const char *line, size_t len, uint n,
                 struct command_words *word)
{
  struct command_words last = last_word(line, len), child;
  struct command_match m = command_match(t, line, len - last.len);

  if (!all_known(&m))
    return false;
  for (uint i = 0; i < t->count; i++)
    if (row_first(t, m.known, i, &child) && words_start(child, last) && !n--)
    {
      *word = child;
      return true;
    }
  return false;
}

bool
command_in_quotes(const char *line, size_t len)
{
  bool quoted = false;

  for (size_t i = 0; i < len; i++)
    quoted ^= line[i] == '"';
  return quoted;
}
