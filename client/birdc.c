/*
 * client/birdc.c: the client with line editing
 *
 * Readline's callback interface is used, so that log lines from the daemon appear above the prompt while the
 * user types. The handler is installed only while a line is awaited: during a command the terminal is in its
 * normal mode and Ctrl-C acts as everywhere. History lives in memory and is not saved. Unless both ends are a
 * terminal the plain front end takes over, as there is nothing to edit.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <readline/history.h>
#include <readline/readline.h>

#include "client/client.h"
#include "client/commands.h"
#include "client/plain.h"

struct editor
{
  struct client *c;
  char *line;     /* what was entered; NULL at end of input */
  bool entered;   /* line is valid */
  uint next_word; /* completion candidate to return next */
};

/* Readline's callbacks carry no argument of ours. */
static struct editor *active;

static void
editor_prompt_hide(struct client *c UNUSED)
{
  rl_clear_visible_line();
  fflush(rl_outstream);
}

static void
editor_prompt_show(struct client *c)
{
  if (c->prompt_shown)
    return;
  rl_on_new_line();
  rl_redisplay();
  c->prompt_shown = true;
}

static void
on_line(char *line)
{
  /* from inside the callback, so that readline does not show the prompt again */
  rl_callback_handler_remove();
  active->line = line;
  active->entered = true;
}

static int
on_question_mark(int count, int key)
{
  if (command_in_quotes(rl_line_buffer, rl_point))
    return rl_insert(count, key);

  int point = rl_point;
  rl_point = rl_end;
  rl_redisplay();
  fputs("?\n", rl_outstream);
  client_help(rl_line_buffer, point);
  rl_point = point;
  rl_on_new_line();
  return 0;
}

static char *
next_completion(const char *text UNUSED, int state)
{
  struct command_words word;

  if (!state)
    active->next_word = 0;
  if (!command_complete(&client_commands, rl_line_buffer, rl_point, active->next_word++, &word))
    return NULL;
  return strndup(word.text, word.len);
}

static char **
complete(const char *text, int start UNUSED, int end UNUSED)
{
  rl_attempted_completion_over = 1; /* no file names */
  return rl_completion_matches(text, next_completion);
}

/* The candidates are shown with their help, which readline's own list cannot. */
static void
show_completions(char **matches UNUSED, int count UNUSED, int longest UNUSED)
{
  fputc('\n', rl_outstream);
  client_help(rl_line_buffer, rl_point);
  rl_on_new_line();
}

static void
editor_setup(void)
{
  rl_readline_name = "birdc";
  rl_basic_word_break_characters = " \t\n";
  rl_completer_word_break_characters = " \t\n";
  rl_completer_quote_characters = "";
  rl_attempted_completion_function = complete;
  rl_completion_display_matches_hook = show_completions;
  rl_persistent_signal_handlers = 1; /* a signal during poll() must restore the terminal, too */
  rl_bind_key_in_map('?', on_question_mark, emacs_standard_keymap);
  rl_bind_key_in_map('?', on_question_mark, vi_insertion_keymap);
  using_history();
}

/* Have the user edit a line; false if the connection is over. */
static bool
editor_read(struct editor *e)
{
  struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = e->c->fd, .events = POLLIN } };

  e->entered = false;
  rl_callback_handler_install(CLIENT_PROMPT, on_line);
  e->c->prompt_shown = true;
  while (!e->entered)
  {
    if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
    {
      rl_check_signals();
      rl_forced_update_display(); /* we may have been stopped and continued */
      continue;
    }
    if (fds[1].revents && !client_receive(e->c))
    {
      rl_callback_handler_remove();
      return false;
    }
    editor_prompt_show(e->c);
    if (fds[0].revents)
      rl_callback_read_char();
  }
  e->c->prompt_shown = false;
  return true;
}

static void
remember(const char *line)
{
  HIST_ENTRY *last = history_length ? history_get(history_base + history_length - 1) : NULL;

  if (*line && !(last && !strcmp(last->line, line)))
    add_history(line);
}

/* Carry out what was entered; several lines if they were pasted in one go. Returns the exit status or -1. */
static int
editor_enter(struct editor *e)
{
  char *rest = e->line, *line;

  while ((line = strsep(&rest, "\n")))
  {
    remember(line);
    enum client_step step = client_enter(e->c, line);
    fflush(stdout);
    if (step == CLIENT_QUIT)
      return 0;
    if (step == CLIENT_SENT && !client_wait(e->c))
      return 1;
  }
  return -1;
}

static int
editor_run(struct client *c)
{
  struct editor e = { .c = c };
  int status = -1;

  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
    return plain_run(c);

  active = &e;
  c->prompt_hide = editor_prompt_hide;
  editor_setup();
  while (status < 0)
  {
    if (!editor_read(&e))
      return 1;
    if (!e.line)
    {
      putchar('\n');
      return 0;
    }
    status = editor_enter(&e);
    free(e.line);
  }
  return status;
}

int
main(int argc, char **argv)
{
  return client_main(argc, argv, editor_run);
}
