/*
 * proto/monitor/show.c: all that is known of sessions, for `show`; see monitor.h
 *
 * Details come from the engines, so they are asked for one by one, several at a time. Answers keep their
 * order: an inspection that is late holds up those behind it.
 */
#include "proto/monitor/monitor.h"

#define AHEAD 32 /* asked for, and not yet answered */

struct mon_show
{
  pool *pool; /* of the inspections */
  struct mon_client *c;
  struct mon_ident ident;
  bool all;
  json_t *tag;
  struct node *cursor; /* the next session to look at */
  uint asked, shown;   /* asked: not answered yet */
};

static void
show_one(struct mon_show *show, const struct bfd_details *d)
{
  struct mon_ident id = mon_ident_of(d->key);
  const struct mon_session *s = mon_session_match(show->c->m, &id, NULL);

  if (!s)
    return;
  mon_client_say(show->c, mon_detail(mon_session_word(s), d), show->tag);
  show->shown++;
}

static void
inspected(const struct bfd_details *d, void *data)
{
  struct mon_show *show = data;

  show->asked--;
  if (d)
    show_one(show, d);
  mon_client_wake(show->c);
}

static bool
is_meant(const struct mon_show *show, const struct mon_session *s)
{
  return show->all || mon_ident_matches(&show->ident, &s->key);
}

static void
show_end(struct mon_show *show)
{
  struct mon_client *c = show->c;

  mon_client_say(c, json_pack("{s:i}", "shown", (int) show->shown), show->tag);
  mon_show_free(c);
}

bool
mon_show_next(struct mon_client *c)
{
  struct mon_show *show = c->show;
  struct node *end = &c->m->sessions.ring;

  if (show->cursor == end && !show->asked)
  {
    show_end(show);
    return true;
  }
  if (show->cursor == end || show->asked >= AHEAD)
    return false;
  for (uint i = 0; i < AHEAD && show->cursor != end && show->asked < AHEAD; i++)
  {
    const struct mon_session *s = SKIP_BACK(struct mon_session, n, show->cursor);

    show->cursor = show->cursor->next;
    if (is_meant(show, s))
      show->asked += bfd_inspect(show->pool, &s->key, inspected, show);
  }
  return true;
}

void
mon_show(struct mon_client *c, const struct mon_command *command)
{
  struct mon_show *show = mb_alloc(c->pool, sizeof(*show));

  show->pool = pool_new(c->pool, "Monitor show");
  show->c = c;
  show->all = command->all;
  show->ident = command->ident;
  show->tag = json_incref(command->tag);
  show->cursor = c->m->sessions.ring.next;
  c->show = show;
}

void
mon_show_session_gone(struct mon_client *c, const struct mon_session *s)
{
  if (c->show && c->show->cursor == &s->n)
    c->show->cursor = s->n.next;
}

void
mon_show_free(struct mon_client *c)
{
  struct mon_show *show = c->show;

  if (!show)
    return;
  c->show = NULL;
  json_decref(show->tag);
  rfree(show->pool);
  mb_free(show);
}
