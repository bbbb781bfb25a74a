/* client/bfd_keys.c: authentication of bfd(1), from a file; see bfd_options.h */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/bfd_options.h"

#define LINE_SIZE 256
#define KEYS_MAX 255

struct reading
{
  const char *path;
  uint line;
  struct bfd_keys *keys;
};

NORETURN static void
refuse(const struct reading *r, const char *why)
{
  fprintf(stderr, "bfd: %s:%u: %s\n", r->path, r->line, why);
  exit(BFD_EXIT_USAGE);
}

static enum bfd_auth_type
type_of(struct reading *r, const char *text)
{
  static const struct
  {
    const char *name;
    enum bfd_auth_type type;
  } types[] = { { "simple", BFD_AUTH_SIMPLE },
                { "keyed md5", BFD_AUTH_KEYED_MD5 },
                { "meticulous keyed md5", BFD_AUTH_METICULOUS_MD5 },
                { "keyed sha1", BFD_AUTH_KEYED_SHA1 },
                { "meticulous keyed sha1", BFD_AUTH_METICULOUS_SHA1 } };

  for (uint i = 0; i < ARRAY_SIZE(types); i++)
    if (strcmp(types[i].name, text) == 0)
      return types[i].type;
  refuse(r, "Authentication is simple, or [meticulous] keyed md5 or sha1");
}

static void
read_key(struct reading *r, char *text)
{
  char *end;
  unsigned long id = strtoul(text, &end, 10);
  struct bfd_secret *s = &r->keys->secret[r->keys->count];
  size_t len;

  if (text[0] < '0' || text[0] > '9' || *end != ' ' || id > 255)
    refuse(r, "A key is a number from 0 to 255, a blank, and the secret");
  len = strlen(++end);
  if (!len || len > bfd_auth_secret_max(r->keys->type))
    refuse(r, r->keys->type ? "The secret is empty, or too long for this type of authentication"
                            : "The line 'authentication' comes first");
  if (r->keys->count == KEYS_MAX)
    refuse(r, "There are too many keys");
  *s = (struct bfd_secret){ .id = id, .length = len, .generate = !r->keys->count, .accept = true };
  memcpy(s->data, end, len);
  r->keys->count++;
}

static void
read_line(struct reading *r, char *line)
{
  if (!line[0] || line[0] == '#')
    return;
  if (strncmp(line, "authentication ", 15) == 0)
    r->keys->type = type_of(r, line + 15);
  else if (strncmp(line, "key ", 4) == 0)
    read_key(r, line + 4);
  else
    refuse(r, "Lines begin with authentication, key or #");
}

struct bfd_keys *
bfd_keys_read(pool *p, const char *path)
{
  struct reading r = { .path = path, .keys = mb_alloc(p, bfd_keys_size(KEYS_MAX)) };
  char line[LINE_SIZE];
  FILE *f = fopen(path, "re");
  struct stat st;

  if (!f || fstat(fileno(f), &st) < 0)
  {
    fprintf(stderr, "bfd: %s: %s\n", path, strerror(errno));
    exit(BFD_EXIT_USAGE);
  }
  if (st.st_mode & 0077)
    refuse(&r, "Others may read it or write to it; chmod 600");
  while (fgets(line, sizeof(line), f))
  {
    size_t len = strcspn(line, "\n");

    r.line++;
    if (!line[len] && !feof(f))
      refuse(&r, "The line is too long");
    line[len] = 0;
    read_line(&r, line);
  }
  fclose(f);
  explicit_bzero(line, sizeof(line));
  if (!r.keys->count)
    refuse(&r, "There is no key");
  return r.keys;
}
