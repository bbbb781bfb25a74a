/* proto/monitor/sessions.c: the sessions there are, and how events of them read; see monitor.h */
#include <stdio.h>
#include <string.h>

#include "proto/monitor/monitor.h"
#include "sysdep/clock.h"

static const char *const words[] = {
  [MON_CREATED] = "created",     [MON_UP] = "up", [MON_DOWN] = "down", [MON_EXPIRED] = "expired",
  [MON_DESTROYED] = "destroyed",
};

const char *
mon_session_word(const struct mon_session *s)
{
  return words[s->word];
}

static struct mon_session *
find(const struct monitor *m, const struct bfd_key *key)
{
  for (struct hnode *n = hash_first(&m->by_remote, ip_hash(key->remote)); n; n = hash_again(n))
  {
    struct mon_session *s = SKIP_BACK(struct mon_session, by_remote, n);

    if (bfd_key_equal(&s->key, key))
      return s;
  }
  return NULL;
}

const struct mon_session *
mon_session_of_disc(const struct monitor *m, u32 local_disc)
{
  for (struct hnode *n = hash_first(&m->by_disc, hash_u64(local_disc)); n; n = hash_again(n))
  {
    const struct mon_session *s = SKIP_BACK(struct mon_session, by_disc, n);

    if (s->local_disc == local_disc)
      return s;
  }
  return NULL;
}

const struct mon_session *
mon_session_match(const struct monitor *m, const struct mon_ident *id, const struct mon_session *s)
{
  struct hnode *n = s ? hash_again(&s->by_remote) : hash_first(&m->by_remote, ip_hash(id->remote));

  for (; n; n = hash_again(n))
  {
    s = SKIP_BACK(struct mon_session, by_remote, n);
    if (mon_ident_matches(id, &s->key))
      return s;
  }
  return NULL;
}

static char *
quote(pool *p, const char *text)
{
  json_t *string = mon_text(text);
  char *quoted = json_dumps(string, JSON_ENCODE_ANY), *copy;

  ASSERT(quoted);
  copy = mb_strdup(p, quoted);
  free(quoted);
  json_decref(string);
  return copy;
}

/* What became of a session that is in @status, if it was @before. */
static enum mon_word
word_for(const struct bfd_status *status, enum mon_word before)
{
  if (status->state == BFD_UP)
    return MON_UP;
  if (status->state == BFD_ADMIN_DOWN)
    return MON_DOWN;
  if (before == MON_CREATED || before == MON_UP)
    return before == MON_CREATED ? MON_CREATED : status->diag == BFD_DIAG_TIMEOUT ? MON_EXPIRED : MON_DOWN;
  return before;
}

size_t
mon_session_text(const struct mon_session *s, const char *previous, char *buf)
{
  btime now = clock_now(), at = s->at ? s->at : now;
  int len = snprintf(buf, MON_EVENT_SIZE, "\"session\":%s,\"state\":\"%s\"", s->quoted, words[s->word]);

  if (previous)
    len += snprintf(buf + len, MON_EVENT_SIZE - len, ",\"previous\":\"%s\"", previous);
  len += snprintf(
      buf + len, MON_EVENT_SIZE - len, ",\"bfd_state\":\"%s\",\"diagnostic\":\"%s\",\"remote_state\":\"%s\"",
      bfd_state_name(s->status.state), bfd_diag_name(s->status.diag), bfd_state_name(s->status.remote_state));
  if (s->word == MON_DOWN || s->word == MON_EXPIRED)
    len += snprintf(buf + len, MON_EVENT_SIZE - len, ",\"verdict\":\"%s\"", bfd_verdict_name(s->verdict));
  len += snprintf(buf + len, MON_EVENT_SIZE - len,
                  ",\"local_discriminator\":%u,\"remote_discriminator\":%u"
                  ",\"wall_us\":%lld,\"monotonic_us\":%lld}\n",
                  s->local_disc, s->remote_disc, (long long) (clock_wall() - (now - at)), (long long) at);
  return len;
}

/* @previous: NULL for a new one */
static void
tell(struct monitor *m, struct mon_session *s, const char *previous, bool minor)
{
  char text[MON_EVENT_SIZE];
  size_t size = mon_session_text(s, previous, text);

  mon_event_new(m, &s->key, s->status.state, minor, text, size);
}

static void
set_disc(struct monitor *m, struct mon_session *s, u32 local_disc)
{
  if (s->local_disc == local_disc)
    return;
  if (s->local_disc)
    hash_remove(&m->by_disc, &s->by_disc);
  s->local_disc = local_disc;
  if (local_disc)
    hash_add(&m->by_disc, &s->by_disc, hash_u64(local_disc));
}

static void
take_news(struct monitor *m, struct mon_session *s, const struct bfd_news *news)
{
  s->source = news->source;
  s->status = news->status;
  set_disc(m, s, news->local_disc);
  s->remote_disc = news->remote_disc;
  s->verdict = news->verdict;
  s->at = news->at;
}

static void
session_new(struct monitor *m, const struct bfd_news *news)
{
  struct mon_session *s = mb_alloc(m->p.pool, sizeof(*s));
  struct mon_ident id = mon_ident_of(news->key);

  s->key = *news->key;
  s->quoted = quote(m->p.pool, MON_IDENT_STR(&id));
  take_news(m, s, news);
  hash_add(&m->by_remote, &s->by_remote, ip_hash(s->key.remote));
  list_add_tail(&m->sessions, &s->n);
  m->session_count++;
  /* What it was before nobody here knows; a diagnostic tells of an end. */
  s->word = word_for(&s->status, s->status.diag ? MON_UP : MON_CREATED);
  tell(m, s, NULL, false);
}

static void
session_gone(struct monitor *m, struct mon_session *s)
{
  const char *previous = words[s->word];
  struct mon_client *c;

  s->status = (struct bfd_status){ .state = BFD_ADMIN_DOWN, .diag = s->status.diag };
  s->at = clock_now();
  s->word = MON_DESTROYED;
  tell(m, s, previous, false);
  FOR_MON_CLIENTS (c, m)
    mon_client_session_gone(c, s);
  set_disc(m, s, 0);
  hash_remove(&m->by_remote, &s->by_remote);
  list_remove(&s->n);
  m->session_count--;
  mb_free(s->quoted);
  mb_free(s);
}

static void
session_changed(struct monitor *m, struct mon_session *s, const struct bfd_news *news)
{
  u8 state = s->status.state, word = s->word;

  take_news(m, s, news);
  s->word = word_for(&s->status, word);

  bool minor = word == s->word && state != BFD_ADMIN_DOWN && s->status.state != BFD_ADMIN_DOWN;

  tell(m, s, words[word], minor);
}

/* Told of once more, perhaps by another instance, which has it from now on. */
static void
session_again(struct monitor *m, struct mon_session *s, const struct bfd_news *news)
{
  if (s->status.state != news->status.state)
    session_changed(m, s, news);
  else
    take_news(m, s, news);
}

static void
news_hook(const struct bfd_news *news, void *data)
{
  struct monitor *m = data;
  struct mon_session *s = find(m, news->key);

  if (!s && news->kind == BFD_NEWS_SESSION)
    session_new(m, news);
  else if (s && news->kind == BFD_NEWS_SESSION)
    session_again(m, s, news);
  else if (!s || s->source != news->source)
    return; /* it has moved from there */
  else if (news->kind == BFD_NEWS_STATE)
    session_changed(m, s, news);
  else if (news->kind == BFD_NEWS_REST)
    take_news(m, s, news);
  else
    session_gone(m, s);
}

void
mon_sessions_start(struct monitor *m)
{
  list_init(&m->sessions);
  hash_init(&m->by_remote, m->p.pool);
  hash_init(&m->by_disc, m->p.pool);
  m->session_count = 0;
  bfd_watch_new(m->p.pool, news_hook, m);
}
