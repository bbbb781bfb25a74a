/*
 * nest/bfd_watch.h: all BFD sessions there are, whoever asked for them, and what becomes of them. Main loop
 * only.
 *
 * BFD instances tell of their sessions, watchers hear of it, in the order in which it happened. Details of a
 * session are with its engine, so they have to be asked for.
 */
#ifndef PEREGRINE_NEST_BFD_WATCH_H
#define PEREGRINE_NEST_BFD_WATCH_H

#include "nest/bfd.h"

/* Watchers */

enum bfd_news_kind
{
  BFD_NEWS_SESSION, /* it is there, and how it is now; may come again for one that is known */
  BFD_NEWS_STATE,   /* its state is another one */
  BFD_NEWS_REST,    /* all but that may be */
  BFD_NEWS_GONE,
};

/* Values and pointers are there for the call only. */
struct bfd_news
{
  enum bfd_news_kind kind;
  const struct bfd_key *key;
  const void *source;          /* the instance: a session that moves comes from another one before it goes */
  struct bfd_status status;    /* `failed` does not count */
  u32 local_disc, remote_disc; /* 0: not known */
  u8 verdict;                  /* enum bfd_verdict: why it left Up last; UNKNOWN before that */
  btime at;                    /* since when it is in this state, monotonic; 0: it has had no other */
};

typedef void bfd_watch_hook(const struct bfd_news *news, void *data);

/*
 * A resource. @hook is told of all sessions there are, soon and in slices, and of all that happens. It may
 * free its own watch, and no other.
 */
struct bfd_watch *bfd_watch_new(pool *p, bfd_watch_hook *hook, void *data);

struct bfd_details
{
  const struct bfd_key *key;
  const char *provider;       /* the instance */
  const struct list *clients; /* struct bfd_request.sn */
  const struct bfd_params *params;
  ip_addr local;               /* IP_NONE: not known */
  const char *waits_for;       /* NULL: it has a path */
  bool held;                   /* down, by an operator */
  const u32 *verdicts;         /* by enum bfd_verdict; NULL: it never left Up */
  struct bfd_news state;       /* as watchers were told last */
  const struct bfd_info *info; /* NULL: no engine has it, as it has never had a path */
};

/* @d is NULL when the session has gone meanwhile. */
typedef void bfd_inspect_hook(const struct bfd_details *d, void *data);

/*
 * Ask for details; false: there is no such session. @hook is called later, unless @p has gone by then. @key
 * is borrowed.
 */
bool bfd_inspect(pool *p, const struct bfd_key *key, bfd_inspect_hook *hook, void *data);

/*
 * Sum up all sessions: @hook is called later, once for each instance that answers, with NULL for one that
 * goes meanwhile, unless @p has gone by then. Returns how many calls will come.
 */
typedef void bfd_survey_hook(const struct bfd_totals *t, void *data);
uint bfd_survey(pool *p, bfd_survey_hook *hook, void *data);

/* Providers */

struct bfd_survey
{
  struct resource r;
  struct node n;            /* the provider's, */
  u64 number;               /* likewise, */
  uint engine, from;        /* likewise */
  struct bfd_totals totals; /* so far */
  bfd_survey_hook *hook;
  void *data;
};

/* Answer with the totals, or with nothing, and free @s. */
void bfd_survey_answer(struct bfd_survey *s, bool complete);

struct bfd_inspection
{
  struct resource r;
  struct node n; /* the provider's */
  struct bfd_key key;
  u64 number; /* the provider's, */
  uint tries; /* likewise */
  bfd_inspect_hook *hook;
  void *data;
};

/* Answer, and free, @q. */
void bfd_inspection_answer(struct bfd_inspection *q, const struct bfd_details *d);

/* Grows with each watcher: sessions told of under another number are to be told of again. 0: nobody watches.
 */
u32 bfd_watch_generation(void);
void bfd_watch_tell(const struct bfd_news *news);
void bfd_watch_init(void);

#endif
