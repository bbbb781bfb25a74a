/* conf/conf_test.c: whole configurations, and what surrounds a parse */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/conf.h"
#include "conf/iproute.h"

struct fixture
{
  char dir[32], path[64];
  struct conf_error error;
};

static int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  strcpy(f->dir, "/tmp/conf_test_XXXXXX");
  if (!mkdtemp(f->dir))
    return -1;
  snprintf(f->path, sizeof(f->path), "%s/bird.conf", f->dir);
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;
  char command[64];

  snprintf(command, sizeof(command), "rm -r %s", f->dir);
  int status = system(command);

  free(f);
  return status;
}

/* @piece @count times, between @head and @tail. */
static struct config *
parse_repeated(struct fixture *f, const char *head, const char *piece, uint count, const char *tail)
{
  FILE *file = fopen(f->path, "we");

  fputs(head, file);
  for (uint i = 0; i < count; i++)
    fputs(piece, file);
  fputs(tail, file);
  fclose(file);
  return config_parse(f->path, false, &f->error);
}

static struct config *
parse(struct fixture *f, const char *text)
{
  return parse_repeated(f, text, "", 0, "\nprotocol device { }\n");
}

static struct cf_value
constant(const struct config *cfg, const char *name)
{
  struct cf_symbol *sym = cf_symbol_find(cfg, name);

  assert_non_null(sym);
  assert_int_equal(sym->class, CF_CONSTANT);
  return sym->value;
}

/* --- Expressions --- */

static void
expressions_have_the_values_of_bird2(void **ctx)
{
  static const char *const cases[][2] = {
    { "1+2*3", "7" },
    { "10-4-3", "3" },
    { "8/2/2", "2" },
    { "true || false && false", "FALSE" },
    { "!true || true", "TRUE" },
    { "1 = 1 && 2 = 2", "TRUE" },
    { "1 + 1 = 2", "TRUE" },
    { "0 - 1", "4294967295" },
    { "4294967295 + 1", "0" },
    { "65536 * 65537", "65536" },
    { "10.0.0.0/8", "10.0.0.0/8" },
    { "10.0.0.0 / 8", "10.0.0.0/8" },
    { "1:2", "1:2" },
    { "(1,2)", "(1,2)" },
    { "(1 + 2, 3 * 4)", "(3,12)" },
    { "1.2.3.4", "1.2.3.4" },
    { "::ffff:1.2.3.4", "1.2.3.4" },
    { "1 = \"x\"", "FALSE" },
    { "1 != \"x\"", "TRUE" },
    { "10.0.0.1 ~ 10.0.0.0/8", "TRUE" },
    { "10.0.0.1 !~ 10.0.0.0/8", "FALSE" },
    { "\"eth0\" ~ \"eth*\"", "TRUE" },
    { "1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", "TRUE" },
    { "(1,2) < (1,3)", "TRUE" },
    { "!(1 > 2)", "TRUE" },
    { "hex:01:ff", "01:ff" },
    { "00112233445566778899aabbccddeeff", "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff" },
  };
  struct fixture *f = *ctx;

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    char text[128];

    snprintf(text, sizeof(text), "define x = %s;", cases[i][0]);
    struct config *cfg = parse(f, text);

    assert_non_null(cfg);
    assert_string_equal(cf_value_text(cfg->lp, constant(cfg, "x")), cases[i][1]);
    config_free(cfg);
  }
}

/* --- Size --- */

static void
long_comments_and_strings_take_time_in_proportion(void **ctx)
{
  struct fixture *f = *ctx;
  char word[1001];

  memset(word, 'x', 1000);
  word[1000] = 0;
  config_free(parse_repeated(f, "#", word, 20000, "\nprotocol device { }"));
  assert_string_equal(f->error.text, "");
  config_free(parse_repeated(f, "/*", word, 20000, "*/ protocol device { }"));
  assert_string_equal(f->error.text, "");

  struct config *cfg = parse_repeated(f, "define x = \"", word, 20000, "\"; protocol device { }");

  assert_non_null(cfg);
  assert_int_equal(strlen(constant(cfg, "x").text), 20000000);
  config_free(cfg);
}

static void
endless_words_are_refused(void **ctx)
{
  struct fixture *f = *ctx;

  assert_null(parse_repeated(f, "define ", "xxxxxxxxxx", 100000, " = 1; protocol device { }"));
  assert_non_null(
      strstr(f->error.text, "bird.conf:1:8 Words and blanks may not be longer than 65536 characters"));
}

static void
many_statements_are_no_limit(void **ctx)
{
  struct fixture *f = *ctx;
  struct config *cfg = parse_repeated(f, "", "eval 1 + (2 * 3);\n", 200000, "protocol device { }");

  assert_non_null(cfg);
  config_free(cfg);
}

static void
deep_nesting_is_an_error(void **ctx)
{
  struct fixture *f = *ctx;

  assert_null(parse_repeated(f, "define x = ", "(", 1000000, ""));
  assert_non_null(strstr(f->error.text, " Parentheses or blocks nested too deeply"));
}

/* --- Bytes --- */

static void
control_characters_are_shown_in_hexadecimal(void **ctx)
{
  static const char *const cases[][2] = {
    { "hostname \"a\x01\";", "1:12 Control character 0x01 in a string" },
    { "hostname \"a\x7f\";", "1:12 Control character 0x7f in a string" },
    { "hostname \"a\r\";", "1:12 Control character 0x0d in a string" },
    { "hostname\x0b\"a\";", "1:9 Unknown character 0x0b" },
    { "\xef\xbb\xbfhostname \"a\";", "1:1 Unknown character 0xef" },
    { "define caf\xc3\xa9 = 1;", "1:11 Unknown character 0xc3" },
  };
  struct fixture *f = *ctx;

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    assert_null(parse(f, cases[i][0]));
    assert_string_equal(strstr(f->error.text, "bird.conf:") + 10, cases[i][1]);
  }
}

static void
strings_keep_their_bytes_and_comments_any(void **ctx)
{
  struct fixture *f = *ctx;
  struct config *cfg = parse(f, "hostname \"\tcaf\xc3\xa9 \xff\\n\"; # \x01\r\xff \f\n/* \x02 \xfe */");

  assert_non_null(cfg);
  assert_string_equal(cfg->hostname, "\tcaf\xc3\xa9 \xff\\n");
  config_free(cfg);
}

/* --- Include --- */

static void
included_files_are_opened_one_at_a_time(void **ctx)
{
  struct fixture *f = *ctx;
  struct rlimit before;
  char path[80];

  for (uint i = 0; i < 100; i++)
  {
    snprintf(path, sizeof(path), "%s/%02u.inc", f->dir, i);
    FILE *file = fopen(path, "we");

    fprintf(file, "define x%u = %u;\n", i, i);
    fclose(file);
  }
  getrlimit(RLIMIT_NOFILE, &before);
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 24, before.rlim_max });
  struct config *cfg = parse(f, "include \"*.inc\";");

  setrlimit(RLIMIT_NOFILE, &before);
  assert_non_null(cfg);
  assert_int_equal(constant(cfg, "x99").num, 99);
  config_free(cfg);
}

/* --- Constants of iproute2 --- */

static void
write_file(const char *dir, const char *name, const char *text)
{
  char path[256];

  snprintf(path, sizeof(path), "%s/%s", dir, name);
  FILE *file = fopen(path, "we");

  fputs(text, file);
  fclose(file);
}

static void
make_directory(struct fixture *f, char *path, const char *name)
{
  snprintf(path, 128, "%s/%s", f->dir, name);
  assert_int_equal(mkdir(path, 0700), 0);
}

static bool
defined(const struct config *cfg, const char *name)
{
  return cf_symbol_find(cfg, name) != NULL;
}

static void
iproute2_names_are_constants(void **ctx)
{
  struct fixture *f = *ctx;
  struct config *cfg = parse(f, "define ipt_mine = 1;");
  char local[128], shared[128], more[128];

  make_directory(f, local, "etc");
  make_directory(f, shared, "usr");
  make_directory(f, more, "usr/rt_tables.d");
  write_file(
      local, "rt_protos",
      "#\n# comment\n250 x-test-x # hi\n 0xfb\ty.test\n256 x_too_big\n12\nnot a line\n-1 minus\n5x odd\n");
  write_file(shared, "rt_protos", "99 never_read\n");
  write_file(shared, "rt_tables", "4294967295 last\n4294967296 more\n77 mine\n");
  write_file(more, "a.conf", "100 from_a");
  write_file(more, "b.conf", "101 from_a\n102 from_b\n");
  write_file(more, "c.txt", "103 from_c\n");
  assert_int_equal(mkfifo(strcat(strcpy(more, local), "/rt_scopes"), 0600), 0);
  iproute_constants(cfg, local, shared);

  assert_int_equal(constant(cfg, "ipp_x_test_x").num, 250);
  assert_int_equal(constant(cfg, "ipp_y_test").num, 251);
  assert_int_equal(constant(cfg, "ipt_last").num, U32_MAX);
  assert_int_equal(constant(cfg, "ipt_from_a").num, 100);
  assert_int_equal(constant(cfg, "ipt_from_b").num, 102);
  assert_int_equal(constant(cfg, "ipt_mine").num, 1); /* whoever comes first */
  assert_false(defined(cfg, "ipp_x_too_big") || defined(cfg, "ipp_never_read") || defined(cfg, "ipt_more"));
  assert_false(defined(cfg, "ipt_from_c") || defined(cfg, "ipp_minus") || defined(cfg, "ipp_odd"));
  config_free(cfg);
}

/* iproute2 itself reads "%d". */
static void
leading_zeros_in_iproute2_files_mean_nothing(void **ctx)
{
  struct fixture *f = *ctx;
  struct config *cfg = parse(f, "");
  char local[128];

  make_directory(f, local, "etc");
  write_file(local, "rt_tables", "010 ten\n009 nine\n");
  iproute_constants(cfg, local, "/nowhere");
  assert_int_equal(constant(cfg, "ipt_ten").num, 10);
  assert_int_equal(constant(cfg, "ipt_nine").num, 9);
  config_free(cfg);
}

static void
long_lines_of_iproute2_are_passed_over(void **ctx)
{
  struct fixture *f = *ctx;
  struct config *cfg = parse(f, "");
  char local[128], text[2000] = "5 before\n6 ";

  make_directory(f, local, "etc");
  memset(text + strlen(text), 'x', 1000);
  strcat(text, "7 middle\n8 after\n");
  write_file(local, "rt_realms", text);
  iproute_constants(cfg, local, "/nowhere");
  assert_int_equal(constant(cfg, "ipr_before").num, 5);
  assert_int_equal(constant(cfg, "ipr_after").num, 8);
  assert_false(defined(cfg, "ipr_middle"));
  config_free(cfg);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(expressions_have_the_values_of_bird2),
    TEST(long_comments_and_strings_take_time_in_proportion),
    TEST(endless_words_are_refused),
    TEST(many_statements_are_no_limit),
    TEST(deep_nesting_is_an_error),
    TEST(control_characters_are_shown_in_hexadecimal),
    TEST(strings_keep_their_bytes_and_comments_any),
    TEST(included_files_are_opened_one_at_a_time),
    TEST(iproute2_names_are_constants),
    TEST(leading_zeros_in_iproute2_files_mean_nothing),
    TEST(long_lines_of_iproute2_are_passed_over),
  };

  return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
