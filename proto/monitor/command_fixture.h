/*
 * proto/monitor/command_fixture.h: for tests of commands
 *
 * They are written with ' for " and read from heap blocks of exactly their size.
 */
#ifndef PEREGRINE_MONITOR_COMMAND_FIXTURE_H
#define PEREGRINE_MONITOR_COMMAND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/monitor/command.h"

static const char *const codes[] = { "syntax", "unknown-command", "unknown-member", "missing-member",
                                     "bad-value" };

/* One that is refused has one of the codes and a text that ends. */
static inline void
check_error(const char *text, const struct mon_error *e)
{
  bool known = false;

  for (uint i = 0; i < ARRAY_SIZE(codes); i++)
    known |= e->code && strcmp(codes[i], e->code) == 0;
  if (!known || !e->text[0] || !memchr(e->text, 0, sizeof(e->text)) ||
      !memchr(e->member, 0, sizeof(e->member)))
    fail_msg("%s: no such refusal", text);
}

static inline bool
parse_bytes(const char *data, size_t size, struct mon_command *c, struct mon_error *e)
{
  char *copy = memcpy(malloc(size ? size : 1), data, size);
  bool ok;

  memset(c, 0xa5, sizeof(*c));
  memset(e, 0xa5, sizeof(*e));
  ok = mon_command_parse(c, copy, size, e);
  free(copy);
  if (!ok)
    check_error(data, e);
  return ok;
}

static inline bool
parse(const char *text, struct mon_command *c, struct mon_error *e)
{
  char *quoted = strdup(text);
  bool ok;

  for (char *p = quoted; *p; p++)
    if (*p == '\'')
      *p = '"';
  ok = parse_bytes(quoted, strlen(quoted), c, e);
  free(quoted);
  return ok;
}

static inline struct mon_command
taken(const char *text)
{
  struct mon_command c;
  struct mon_error e;

  if (!parse(text, &c, &e))
    fail_msg("%s: %s, %s, %s", text, e.code, e.text, e.member);
  return c;
}

static inline void
accept(const char *text)
{
  struct mon_command c = taken(text);

  mon_command_free(&c);
}

static inline void
refuse(const char *text, const char *code, const char *member)
{
  struct mon_command c;
  struct mon_error e;

  if (parse(text, &c, &e))
    fail_msg("%s is taken", text);
  if (strcmp(e.code, code) != 0 || strcmp(e.member, member) != 0)
    fail_msg("%s: %s of '%s' (%s), and not %s of '%s'", text, e.code, e.member, e.text, code, member);
  mon_command_free(&c);
}

static inline ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return a;
}

/* @text with its %s replaced. */
#define WITH(text, with) fill((char[512]){ 0 }, (text), (with))
static inline char *
fill(char *buf, const char *text, const char *with)
{
  const char *at = strstr(text, "%s");

  assert_non_null(at);
  assert_true(strlen(text) + strlen(with) < 512);
  sprintf(buf, "%.*s%s%s", (int) (at - text), text, with, at + 2);
  return buf;
}

#endif
