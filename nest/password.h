/*
 * nest/password.h: shared secrets and when they are valid
 *
 * A list is a resource; its secrets are wiped when it is freed. What a configuration names belongs to the
 * configuration, so whoever goes on without that takes a copy. Main loop, or while parsing the thread that
 * does.
 */
#ifndef PEREGRINE_NEST_PASSWORD_H
#define PEREGRINE_NEST_PASSWORD_H

#include "lib/pool.h"

#define PASSWORD_ID_MAX 255

/* Wall-clock times: valid from the first, up to but not including the second. */
struct password_time
{
  btime from, to; /* 0 and BT_NEVER: without limit */
};

struct password
{
  byte *secret;
  uint length;
  uint id;
  struct password_time generate, accept;
};

struct password_list
{
  struct resource r;
  uint count;
  struct password *list;
};

struct password_list *password_list_new(pool *p);
struct password_list *password_list_copy(pool *p, const struct password_list *from);

/* A password valid for ever, with its place in the list, from 1, as its number. The bytes are copied. */
struct password *password_add(struct password_list *l, const byte *secret, uint length);

/* Either may be NULL, for an empty list. */
bool password_list_equal(const struct password_list *a, const struct password_list *b);

bool password_is_valid(const struct password_time *t, btime wall);

/*
 * Which one to sign with: of those valid, and not longer than @longest, the one whose time began last, then
 * the first. NULL: none.
 */
const struct password *password_to_sign(const struct password_list *l, uint longest, btime wall);

/* When validity of any of them next changes after @wall; BT_NEVER: it does not. */
btime password_next_change(const struct password_list *l, btime wall);

/* "YYYY-MM-DD [HH:MM:SS]" in local time. False: that is no time. */
bool password_time_parse(const char *text, btime *wall);

#endif
