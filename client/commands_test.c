/* client/commands_test.c: abbreviations, completion and help on a table of the test's own */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "client/commands.h"

static const struct command sample[] = {
  { "quit", "", "Leave" },
  { "show", "...", "Show status information" },
  { "show status", "", "Show router status" },
  { "show static", "[<name>]", "Show static routes" },
  { "show interfaces", "", "Show interfaces" },
  { "show interfaces summary", "", "Show a summary" },
  { "show protocols", "[<name>]", "Show protocols" },
  { "show protocols all", "[<name>]", "Show details" },
  { "show route", "...", "Show routes" },
  { "show bfd", "...", "Show BFD" },
  { "show bfd sessions", "[<name>] [all]", "Show BFD sessions" },
  { "configure", "...", "Reload configuration" },
  { "configure", "[\"<file>\"]", "Reload it now" },
  { "configure soft", "", "Reload softly" },
  { "configure status", "", "Show progress" },
  { "disable", "<name>", "Disable protocol" },
  { "down", "", "Shut down" },
  { "down now", "", "Shut down at once" },
  { "downgrade", "", "Longer than another command" },
  { "graceful restart", "", "Restart gracefully" },
  { "quit", "", "Not reached" },
};

static const struct command_table table = { sample, ARRAY_SIZE(sample) };

static struct command_match
match(const char *line)
{
  return command_match(&table, line, strlen(line));
}

static void
abbreviations_are_expanded_and_arguments_kept(void **ctx UNUSED)
{
  static const struct
  {
    const char *line;
    enum command_verdict verdict;
    const char *known, *rest;
  } cases[] = {
    { "show status", COMMAND_OK, "show status", "" },
    { "  sh\t p ", COMMAND_OK, "show protocols", " " },
    { "s p a up1", COMMAND_OK, "show protocols all", " up1" },
    { "s p  up1  all", COMMAND_OK, "show protocols", "  up1  all" },
    { "sh ro co", COMMAND_OK, "show route", " co" },
    { "s b s \"a  b\" all", COMMAND_OK, "show bfd sessions", " \"a  b\" all" },
    { "s p \"all\"", COMMAND_OK, "show protocols", " \"all\"" },
    { "g r", COMMAND_OK, "graceful restart", "" },
    { "down", COMMAND_OK, "down", "" },
    { "down n", COMMAND_OK, "down now", "" },
    { "downg", COMMAND_OK, "downgrade", "" },
    { "conf", COMMAND_OK, "configure", "" },
    { "conf \"so\"", COMMAND_OK, "configure", " \"so\"" },
    { "conf so", COMMAND_OK, "configure soft", "" },
    { "q", COMMAND_OK, "quit", "" },
    { "di x\"y", COMMAND_OK, "disable", " x\"y" },
    { "show route show", COMMAND_OK, "show route", " show" },
    { "", COMMAND_EMPTY, "", "" },
    { " \t", COMMAND_EMPTY, "", " \t" },
    { "nosuch", COMMAND_UNKNOWN, "", "nosuch" },
    { "Show status", COMMAND_UNKNOWN, "", "Show status" },
    { "\"show\" status", COMMAND_UNKNOWN, "", "\"show\" status" },
    { "showstatus", COMMAND_UNKNOWN, "", "showstatus" },
    { "statusx", COMMAND_UNKNOWN, "", "statusx" },
    { "show", COMMAND_UNKNOWN, "show", "" },
    { "show foo", COMMAND_UNKNOWN, "show", " foo" },
    { "g", COMMAND_UNKNOWN, "graceful", "" },
    { "d x", COMMAND_AMBIGUOUS, "", "d x" },
    { "s st x", COMMAND_AMBIGUOUS, "show", " st x" },
    { "conf s", COMMAND_AMBIGUOUS, "configure", " s" },
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    struct command_match m = match(cases[i].line);
    char known[64] = "";
    memcpy(known, m.known.text, m.known.len);
    assert_int_equal(m.verdict, cases[i].verdict);
    assert_string_equal(known, cases[i].known);
    assert_string_equal(m.rest.text, cases[i].rest);
    assert_int_equal(m.rest.len, strlen(cases[i].rest));
  }
}

static void
command_is_looks_at_the_words_only(void **ctx UNUSED)
{
  struct command_match m = match("q now"), heading = match("show");

  assert_true(command_is(&m, "quit"));
  assert_false(command_is(&m, "qui"));
  assert_false(command_is(&heading, "show"));
}

static void
collect(const struct command *c, void *data)
{
  char *all = data;

  sprintf(all + strlen(all), "%s%s%s|", c->name, *c->args ? " " : "", c->args);
}

static void
help_lists_what_may_continue(void **ctx UNUSED)
{
  static const char show[] = "show status|show static [<name>]|show interfaces|show protocols [<name>]|"
                             "show route ...|show bfd ...|";
  static const char top[] = "quit|show ...|configure ...|disable <name>|down|downgrade|graceful restart|";
  static const struct
  {
    const char *line, *list;
  } cases[] = {
    { "", top },
    { "nosuch", top },
    { "nosuch x ", top },
    { "d", "disable <name>|down|downgrade|" },
    { "d x ", "disable <name>|down|downgrade|" },
    { "down", "down|downgrade|" },
    { "down ", "down|down now|" },
    { "show", "show ...|" },
    { "show ", show },
    { "sh foo ", show },
    { "sh foo", show },
    { "show st", "show status|show static [<name>]|" },
    { "show status ", "show status|" },
    { "show bf se x ", "show bfd sessions [<name>] [all]|" },
    { "show bfd ", "show bfd sessions [<name>] [all]|" },
    { "show route ", "show route ...|" },
    { "s p ", "show protocols [<name>]|show protocols all [<name>]|" },
    { "s p al", "show protocols all [<name>]|" },
    { "s p al ", "show protocols all [<name>]|" },
    { "configure ", "configure [\"<file>\"]|configure soft|configure status|" },
    { "g", "graceful restart|" },
    { "graceful ", "graceful restart|" },
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    char all[1024] = "";
    command_help(&table, cases[i].line, strlen(cases[i].line), collect, all);
    assert_string_equal(all, cases[i].list);
  }
}

static void
ambiguous_words_list_their_expansions(void **ctx UNUSED)
{
  struct command_match m = match("show st x y");
  char all[1024] = "";

  command_list(&table, &m, collect, all);
  assert_string_equal(all, "show status|show static [<name>]|");
}

static void
completion_offers_each_word_once(void **ctx UNUSED)
{
  static const struct
  {
    const char *line, *words;
  } cases[] = {
    { "", "quit|show|configure|disable|down|downgrade|graceful|" },
    { "sh", "show|" },
    { "show", "show|" },
    { "s ", "status|static|interfaces|protocols|route|bfd|" },
    { "show st", "status|static|" },
    { "s p ", "all|" },
    { "s p x", "" },
    { "s p x ", "" },
    { "s p x a", "" },
    { "s p \"a", "" },
    { "s st ", "" },
    { "configure ", "soft|status|" },
    { "nosuch ", "" },
    { "disable ", "" },
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    char all[1024] = "";
    struct command_words w;
    for (uint n = 0; command_complete(&table, cases[i].line, strlen(cases[i].line), n, &w); n++)
      sprintf(all + strlen(all), "%.*s|", (int) w.len, w.text);
    assert_string_equal(all, cases[i].words);
  }
}

static void
quotes_are_balanced(void **ctx UNUSED)
{
  assert_false(command_in_quotes("", 0));
  assert_true(command_in_quotes("a \"b", 4));
  assert_false(command_in_quotes("a \"b\"", 5));
  assert_true(command_in_quotes("\"\"\"", 3));
}

static void
the_built_in_table_knows_how_to_leave(void **ctx UNUSED)
{
  struct command_match quit = command_match(&client_commands, "quit", 4);
  struct command_match help = command_match(&client_commands, "help", 4);

  assert_true(command_is(&quit, "quit"));
  assert_true(command_is(&help, "help"));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(abbreviations_are_expanded_and_arguments_kept),
    cmocka_unit_test(command_is_looks_at_the_words_only),
    cmocka_unit_test(help_lists_what_may_continue),
    cmocka_unit_test(ambiguous_words_list_their_expansions),
    cmocka_unit_test(completion_offers_each_word_once),
    cmocka_unit_test(quotes_are_balanced),
    cmocka_unit_test(the_built_in_table_knows_how_to_leave),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
