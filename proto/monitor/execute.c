/* proto/monitor/execute.c: what clients ask for; see monitor.h */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/monitor/monitor.h"
#include "sysdep/log.h"

#define SUBSCRIPTIONS_MAX 10000 /* of one client */
#define LISTED_A_STEP 64

/* Answers */

void
mon_refuse(struct mon_client *c, const struct mon_command *command, const struct mon_error *error)
{
  json_t *object;

  if (command->notify)
    object =
        json_pack("{s:s, s:s, s:o}", "MsgType", "Error", "Code", error->code, "Text", mon_text(error->text));
  else
    object = json_pack("{s:{s:s, s:o}}", "error", "code", error->code, "text", mon_text(error->text));
  ASSERT(object);
  if (!command->notify && error->member[0])
    json_object_set_new(json_object_get(object, "error"), "member", mon_text(error->member));
  mon_client_say(c, object, command->tag);
}

/* The other dialect has no answers but what follows. */
static void
answer(struct mon_client *c, const struct mon_command *command, json_t *object)
{
  ASSERT(object);
  if (command->notify)
    json_decref(object);
  else
    mon_client_say(c, object, command->tag);
}

static const char *
name_of(const struct mon_command *command, char *buf)
{
  return command->all ? "all" : mon_ident_format(&command->ident, buf);
}
#define NAME_STR(command) name_of(command, (char[MON_IDENT_SIZE]){ 0 })

/* Over TCP, where anybody on this host may connect, only if the configuration says so. */
static bool
may_request(const struct mon_client *c)
{
  const struct monitor_config *cf = monitor_config_of(c->m);

  return cf->request_limit && (!c->tcp || cf->requests_given);
}

/* hello, list, events */

static void
say_hello(struct mon_client *c, const struct mon_command *command)
{
  bool requests = may_request(c);
  json_t *object =
      json_pack("{s:s, s:s, s:i, s:i, s:[s,s,s,s,s,s,s], s:b}", "hello", "peregrine", "version",
                PACKAGE_VERSION, "protocol", 1, "pid", (int) getpid(), "capabilities", "list", "subscribe",
                "change", "show", "stats", "events", "notify", "requests", requests);

  answer(c, command, object);
}

static void
say_text(struct mon_client *c, const char *text)
{
  mon_client_text(c, text, strlen(text));
}

/* One object, however many there are: it is written as it goes, and nothing else meanwhile. */
static void
list_sessions(struct mon_client *c, const struct mon_command *command)
{
  c->list = c->m->sessions.ring.next;
  c->list_tag = json_incref(command->tag);
  c->list_first = true;
  say_text(c, "{\"sessions\":[");
}

static void
list_end(struct mon_client *c)
{
  char *tag = c->list_tag ? json_dumps(c->list_tag, JSON_ENCODE_ANY) : NULL;

  say_text(c, tag ? "],\"id\":" : "]");
  say_text(c, tag ? tag : "");
  say_text(c, "}\n");
  free(tag);
  json_decref(c->list_tag);
  c->list_tag = NULL;
  c->list = NULL;
}

bool
mon_list_next(struct mon_client *c)
{
  if (!c->list)
    return false;
  for (uint i = 0; i < LISTED_A_STEP && c->list != &c->m->sessions.ring; i++)
  {
    say_text(c, c->list_first ? "" : ",");
    say_text(c, SKIP_BACK(struct mon_session, n, c->list)->quoted);
    c->list_first = false;
    c->list = c->list->next;
  }
  if (c->list == &c->m->sessions.ring)
    list_end(c);
  return true;
}

void
mon_tell_protocols(struct mon_client *c)
{
  struct proto *p;

  LIST_WALK (p, proto_list(), n)
  {
    char text[MON_EVENT_SIZE];
    size_t size = mon_protocol_text(p, text);

    mon_client_tell(c, "\"initial\":true,", text, size);
  }
}

static void
follow_protocols(struct mon_client *c, const struct mon_command *command)
{
  c->protocols = !command->off;
  answer(c, command, json_pack("{s:b}", "events", c->protocols));
  if (c->protocols)
    mon_tell_protocols(c);
}

/* Subscriptions */

static struct mon_subscription *
find_subscription(const struct mon_client *c, const struct mon_command *command)
{
  u32 hash = ip_hash(command->ident.remote);

  for (struct hnode *n = hash_first(&c->by_remote, hash); n; n = hash_again(n))
  {
    struct mon_subscription *s = SKIP_BACK(struct mon_subscription, by_remote, n);

    if (mon_ident_equal(&s->ident, &command->ident) && s->notify == command->notify)
      return s;
  }
  return NULL;
}

/* From here on it is the id of a place, which the session may leave and come back to. */
static bool
resolve(struct mon_client *c, struct mon_command *command, struct mon_error *error)
{
  struct mon_ident *id = &command->ident;
  const struct mon_wish *w = &command->wish;

  if (!command->all && id->kind == MON_DISCRIMINATOR)
  {
    const struct mon_session *s = mon_session_of_disc(c->m, id->disc);

    if (!s)
      return mon_error_set(error, "no-session", "session", "No session has the local discriminator %u",
                           id->disc);
    *id = mon_ident_of(&s->key);
  }
  if (w->ifname[0])
  {
    id->kind = MON_DIRECT;
    strcpy(id->name, w->ifname);
  }
  if (w->multihop)
  {
    id->kind = MON_MULTIHOP;
    id->local = w->local;
  }
  /* Our requests are for our VRF, so this is what is meant. */
  if (id->kind == MON_MULTIHOP && !id->name[0] && c->m->p.cf->vrf)
    snprintf(id->name, sizeof(id->name), "%s", c->m->p.cf->vrf);
  return true;
}

/*
 * What nobody else asks for has to be asked for by us, as long as somebody subscribes to it. @there: the
 * first of the sessions that are meant, NULL: there is none.
 */
static bool
request(struct mon_client *c, struct mon_subscription *s, const struct mon_command *command,
        const struct mon_session *there, struct mon_error *error)
{
  struct mon_ident id = there ? mon_ident_of(&there->key) : command->ident;

  if (s->request)
    return !command->wishes || mon_request_change(c->m, s->request, &command->wish, error);
  if (there && !command->wishes && !mon_request_for(c->m, id.remote))
    return true;
  if (!may_request(c))
    return mon_error_set(error, "not-allowed", "session",
                         there ? "Nothing may be asked of sessions here"
                               : "There is no such session, and none is made here");
  s->request = mon_request_new(c->m, &id, &command->wish, error);
  return s->request;
}

static struct mon_subscription *
subscription_new(struct mon_client *c, const struct mon_command *command)
{
  struct mon_subscription *s = mb_alloc(c->pool, sizeof(*s));

  s->ident = command->ident;
  s->notify = command->notify;
  s->tuple = command->tuple;
  list_add_tail(&c->subscriptions, &s->n);
  hash_add(&c->by_remote, &s->by_remote, ip_hash(s->ident.remote));
  c->subscription_count++;
  return s;
}

static void
subscribe_all(struct mon_client *c, const struct mon_command *command)
{
  c->all = true;
  answer(c, command, json_pack("{s:s, s:i}", "subscribed", "all", "sessions", (int) c->m->session_count));
  mon_client_states(c);
}

static bool
subscribe(struct mon_client *c, const struct mon_command *command, struct mon_error *error)
{
  struct mon_subscription *known = find_subscription(c, command), *s = known;
  const struct mon_session *one = mon_session_match(c->m, &command->ident, NULL);

  if (!known && c->subscription_count == SUBSCRIPTIONS_MAX)
    return mon_error_set(error, "limit", "session", "A client subscribes to %u sessions at most",
                         SUBSCRIPTIONS_MAX);
  if (!known)
    s = subscription_new(c, command); /* first: asking may make the session at once */
  if (!request(c, s, command, one, error))
  {
    if (!known)
      mon_unsubscribe(c, s);
    return false;
  }
  if (command->demand)
    log_rl(&c->m->limit, L_WARN, "%s: Demand mode is asked for of the session to %s, which stays without",
           c->m->p.name, IP_STR(command->ident.remote));
  answer(c, command,
         json_pack("{s:o, s:b}", "subscribed", mon_text(NAME_STR(command)), "requested", s->request != NULL));
  /* Of one that has come with the request there is an event. */
  for (; one; one = mon_session_match(c->m, &s->ident, one))
    mon_client_state(c, one, s);
  return true;
}

void
mon_unsubscribe(struct mon_client *c, struct mon_subscription *s)
{
  if (s->request)
    mon_request_leave(c->m, s->request);
  hash_remove(&c->by_remote, &s->by_remote);
  list_remove(&s->n);
  mb_free(s);
  c->subscription_count--;
}

static bool
unsubscribe(struct mon_client *c, const struct mon_command *command, struct mon_error *error)
{
  struct mon_subscription *s;

  if (command->all)
  {
    c->all = false;
    LIST_WALK_SAFE (s, &c->subscriptions, n)
      mon_unsubscribe(c, s);
  }
  else if ((s = find_subscription(c, command)))
    mon_unsubscribe(c, s);
  else
    return mon_error_set(error, "no-subscription", "session", "There is no subscription to %s",
                         NAME_STR(command));
  answer(c, command, json_pack("{s:o}", "unsubscribed", mon_text(NAME_STR(command))));
  return true;
}

static bool
change(struct mon_client *c, const struct mon_command *command, struct mon_error *error)
{
  struct mon_subscription *s = find_subscription(c, command);

  if (!s || !s->request)
    return mon_error_set(error, "not-yours", "session", "This client has not asked for the session %s",
                         NAME_STR(command));
  if (!mon_request_change(c->m, s->request, &command->wish, error))
    return false;
  answer(c, command, json_pack("{s:o}", "changed", mon_text(NAME_STR(command))));
  return true;
}

void
mon_execute(struct mon_client *c, struct mon_command *command, struct mon_error *error)
{
  bool ok = true;

  if (!resolve(c, command, error))
    ok = false;
  else if (command->verb == MON_HELLO)
    say_hello(c, command);
  else if (command->verb == MON_LIST)
    list_sessions(c, command);
  else if (command->verb == MON_SUBSCRIBE && command->all)
    subscribe_all(c, command);
  else if (command->verb == MON_SUBSCRIBE)
    ok = subscribe(c, command, error);
  else if (command->verb == MON_UNSUBSCRIBE)
    ok = unsubscribe(c, command, error);
  else if (command->verb == MON_CHANGE)
    ok = change(c, command, error);
  else if (command->verb == MON_SHOW)
    mon_show(c, command);
  else if (command->verb == MON_STATS)
    mon_stats(c, command);
  else
    follow_protocols(c, command);
  if (!ok)
    mon_refuse(c, command, error);
}

/* Protocols */

size_t
mon_protocol_text(const struct proto *p, char *buf)
{
  json_t *object = json_pack("{s:s, s:s, s:s, s:I}", "protocol", p->name, "class", p->class->name, "state",
                             proto_state_name(p->state), "wall_us", (json_int_t) p->since);
  size_t size = object ? json_dumpb(object, buf, MON_EVENT_SIZE - 1, JSON_COMPACT) : 0;

  json_decref(object);
  if (!size || size >= MON_EVENT_SIZE)
    return 0;
  memmove(buf, buf + 1, size - 1); /* the brace is for who puts the sequence number there */
  buf[size - 1] = '\n';
  return size;
}
