/* conf/iproute.c: see iproute.h */
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/iproute.h"

#define LINE_SIZE 512
#define NAME_SIZE 65   /* of a symbol, with its end */
#define PATH_SIZE 1024 /* of a file */
#define LINES_MAX 65536

static const struct
{
  const char *prefix, *file;
  u32 max;
} kinds[] = {
  { "ipp_", "rt_protos", 255 },
  { "ipt_", "rt_tables", U32_MAX },
  { "ips_", "rt_scopes", 255 },
  { "ipr_", "rt_realms", 255 },
};

/* What is no letter or digit cannot stand in a name. */
static bool
symbol_name(const char *prefix, const char *name, char *buf)
{
  if (!*name || snprintf(buf, NAME_SIZE, "%s%s", prefix, name) >= NAME_SIZE)
    return false;
  for (byte *c = (byte *) buf; *c; c++)
    if (!isascii(*c) || !isalnum(*c))
      *c = '_';
  return true;
}

/* A number, decimal or hexadecimal, and a name. */
static void
read_line(struct config *cfg, char *line, const char *prefix, u32 max)
{
  char *rest, *name, *end, symbol[NAME_SIZE];

  line[strcspn(line, "#\n")] = 0;
  line += strspn(line, " \t");

  int base = line[0] == '0' && (line[1] | 0x20) == 'x' ? 16 : 10;
  unsigned long long n = isdigit((byte) *line) ? strtoull(line, &rest, base) : U32_MAX + 1ULL;

  if (n > max || !strchr(" \t", *rest))
    return;
  name = rest + strspn(rest, " \t");
  end = name + strcspn(name, " \t\r");
  *end = 0;
  if (symbol_name(prefix, name, symbol))
    cf_symbol_predefine(cfg, symbol, (struct cf_value){ .type = CF_INT, .num = n });
}

static bool
read_file(struct config *cfg, const char *path, const char *prefix, u32 max)
{
  FILE *f = cf_open(path, false);
  char line[LINE_SIZE];
  bool start = true; /* of a line that may be longer than the buffer */

  if (!f)
    return false;
  for (uint i = 0; i < LINES_MAX && fgets(line, sizeof(line), f); i++)
  {
    bool whole = strchr(line, '\n') || feof(f);

    if (start && whole)
      read_line(cfg, line, prefix, max);
    start = whole;
  }
  fclose(f);
  return true;
}

static void
read_directory(struct config *cfg, const char *dir, const char *file, const char *prefix, u32 max)
{
  char pattern[PATH_SIZE];
  glob_t found;

  snprintf(pattern, sizeof(pattern), "%s/%s.d/*.conf", dir, file);
  if (glob(pattern, GLOB_NOESCAPE, NULL, &found))
    return;
  for (size_t i = 0; i < found.gl_pathc; i++)
    read_file(cfg, found.gl_pathv[i], prefix, max);
  globfree(&found);
}

void
iproute_constants(struct config *cfg, const char *local, const char *shared)
{
  for (uint i = 0; i < ARRAY_SIZE(kinds); i++)
  {
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%s", local, kinds[i].file);
    if (!read_file(cfg, path, kinds[i].prefix, kinds[i].max))
    {
      snprintf(path, sizeof(path), "%s/%s", shared, kinds[i].file);
      read_file(cfg, path, kinds[i].prefix, kinds[i].max);
    }
    read_directory(cfg, local, kinds[i].file, kinds[i].prefix, kinds[i].max);
    read_directory(cfg, shared, kinds[i].file, kinds[i].prefix, kinds[i].max);
  }
}
