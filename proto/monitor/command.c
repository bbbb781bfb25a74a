/*
 * proto/monitor/command.c: see command.h
 *
 * A table says which members a command has, and what reads each of them. A member nobody asked for is an
 * error: who writes it means something by it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/monitor/command.h"

#define INTERVAL_MIN BT_MS(1) /* as in bird.conf */
#define TAG_MAX 256           /* it is repeated in each line of an answer */

/* Where a member may stand: in a command of ours, or in an object of the other dialect. */
#define IN(verb) (1u << (verb))
#define IN_ANY (IN(MON_VERB__MAX) - 1)
#define IN_NOTIFY IN(MON_VERB__MAX)
#define IN_TUPLE IN(MON_VERB__MAX + 1)
#define IN_OPTIONS IN(MON_VERB__MAX + 2)

bool
mon_error_set(struct mon_error *error, const char *code, const char *member, const char *fmt, ...)
{
  va_list args;

  *error = (struct mon_error){ .code = code };
  snprintf(error->member, sizeof(error->member), "%s", member);
  va_start(args, fmt);
  vsnprintf(error->text, sizeof(error->text), fmt, args);
  va_end(args);
  return false;
}

json_t *
mon_text(const char *text)
{
  json_t *string = json_string(text);
  size_t len = strlen(text);
  char *copy;

  if (string)
    return string;
  copy = mb_alloc(NULL, len + 1);
  for (size_t i = 0; i < len; i++)
    copy[i] = text[i] & 0x80 ? '?' : text[i];
  string = json_string(copy);
  mb_free(copy);
  return string;
}

/* Values */

struct reading
{
  struct mon_command *command;
  struct mon_error *error;
  const char *member;
};

static bool
bad_value(struct reading *r, const char *expected)
{
  return mon_error_set(r->error, "bad-value", r->member, "%s has to be %s", r->member, expected);
}

static bool
read_number(struct reading *r, const json_t *value, u32 min, u32 max, u32 *number)
{
  json_int_t n = json_integer_value(value);

  if (!json_is_integer(value) || n < min || n > max)
    return mon_error_set(r->error, "bad-value", r->member, "%s has to be a number from %u to %u", r->member,
                         min, max);
  *number = n;
  return true;
}

static bool
read_interval(struct reading *r, const json_t *value, u32 *us)
{
  return read_number(r, value, INTERVAL_MIN, UINT32_MAX, us);
}

static bool
read_bool(struct reading *r, const json_t *value, bool *truth)
{
  if (!json_is_boolean(value))
    return bad_value(r, "true or false");
  *truth = json_is_true(value);
  return true;
}

static bool
read_text(struct reading *r, const json_t *value, char *buf, size_t size)
{
  const char *text = json_string_value(value);

  if (!text || !text[0] || strlen(text) >= size)
    return mon_error_set(r->error, "bad-value", r->member, "%s has to be a text of 1 to %zu bytes", r->member,
                         size - 1);
  strcpy(buf, text);
  return true;
}

/* Strictly one address; 0.0.0.0 and :: stand for none where @any. */
static bool
read_address(struct reading *r, const json_t *value, bool any, ip_addr *a)
{
  const char *text = json_string_value(value);
  ip_addr ip;

  if (!text || !ip_parse(text, &ip) || ip_is_multicast(ip))
    return bad_value(r, "the address of a host");
  if (ip_equal(ip, ip_v4(0)))
    ip = IP_NONE;
  if (!any && ip_is_none(ip))
    return bad_value(r, "the address of a host");
  *a = ip;
  return true;
}

/* Members of ours */

typedef bool read_hook(struct reading *r, const json_t *value);

static struct bfd_options *
options_of(struct reading *r, uint set)
{
  struct bfd_options *o = &r->command->wish.options;

  r->command->wishes = true;
  o->set |= set;
  return o;
}

/* By its name, or by its local discriminator as a number. */
static bool
read_session(struct reading *r, const json_t *value)
{
  const char *text = json_string_value(value);
  char number[24];

  if (json_is_integer(value))
  {
    snprintf(number, sizeof(number), "%lld", (long long) json_integer_value(value));
    text = number;
  }
  r->command->all = text && strcmp(text, "all") == 0;
  if (r->command->all || (text && mon_ident_parse(&r->command->ident, text)))
    return true;
  return bad_value(r, "\"all\", <ip>, <ip>%<interface>, <ip>@<local ip> or a local discriminator");
}

/* `interval` and one of the others would contradict each other. */
static bool
read_min(struct reading *r, const json_t *value, uint set, u32 *us)
{
  if (r->command->wish.options.set & set)
    return mon_error_set(r->error, "bad-value", r->member, "%s says what another member says", r->member);
  options_of(r, set);
  return read_interval(r, value, us);
}

static bool
read_min_rx(struct reading *r, const json_t *value)
{
  return read_min(r, value, BFD_OPT_MIN_RX, &r->command->wish.options.min_rx);
}

static bool
read_min_tx(struct reading *r, const json_t *value)
{
  return read_min(r, value, BFD_OPT_MIN_TX, &r->command->wish.options.min_tx);
}

static bool
read_both_intervals(struct reading *r, const json_t *value)
{
  return read_min_rx(r, value) && read_min_tx(r, value);
}

static bool
read_idle_tx(struct reading *r, const json_t *value)
{
  return read_interval(r, value, &options_of(r, BFD_OPT_IDLE_TX)->idle_tx);
}

static bool
read_multiplier(struct reading *r, const json_t *value)
{
  u32 n = 0;

  if (!read_number(r, value, 1, 255, &n))
    return false;
  options_of(r, BFD_OPT_MULTIPLIER)->multiplier = n;
  return true;
}

static bool
read_min_ttl(struct reading *r, const json_t *value)
{
  u32 n = 0;

  if (!read_number(r, value, 1, 255, &n))
    return false;
  options_of(r, BFD_OPT_MIN_TTL)->guard.min_ttl = n;
  return true;
}

static bool
read_passive(struct reading *r, const json_t *value)
{
  return read_bool(r, value, &options_of(r, BFD_OPT_PASSIVE)->passive);
}

static bool
read_admin(struct reading *r, const json_t *value)
{
  const char *text = json_string_value(value);
  bool down = text && strcmp(text, "down") == 0;

  if (!down && !(text && strcmp(text, "up") == 0))
    return bad_value(r, "\"up\" or \"down\"");
  options_of(r, BFD_OPT_ADMIN_DOWN)->admin_down = down;
  return true;
}

static bool
read_key(struct reading *r, const json_t *value)
{
  r->command->wishes = true;
  return read_text(r, value, r->command->wish.key, sizeof(r->command->wish.key));
}

static bool
read_ifname(struct reading *r, const json_t *value)
{
  r->command->wishes = true;
  return read_text(r, value, r->command->wish.ifname, sizeof(r->command->wish.ifname));
}

static bool
read_local(struct reading *r, const json_t *value)
{
  r->command->wishes = true;
  return read_address(r, value, false, &r->command->wish.local);
}

static bool
read_multihop(struct reading *r, const json_t *value)
{
  r->command->wishes = true;
  return read_bool(r, value, &r->command->wish.multihop);
}

static bool
read_on(struct reading *r, const json_t *value)
{
  bool on = false;

  if (!read_bool(r, value, &on))
    return false;
  r->command->off = !on;
  return true;
}

/* Members of the other dialect */

static bool read_object(struct reading *r, const json_t *value, uint in);

static bool
read_tuple(struct reading *r, const json_t *value)
{
  return read_object(r, value, IN_TUPLE);
}

static bool
read_session_options(struct reading *r, const json_t *value)
{
  return read_object(r, value, IN_OPTIONS);
}

static bool
read_peer_address(struct reading *r, const json_t *value)
{
  return read_address(r, value, false, &r->command->tuple.peer);
}

static bool
read_local_address(struct reading *r, const json_t *value)
{
  return read_address(r, value, true, &r->command->tuple.local);
}

static bool
read_port(struct reading *r, const json_t *value, u16 *port)
{
  u32 n = 0;

  if (!read_number(r, value, 0, 65535, &n))
    return false;
  *port = n;
  return true;
}

static bool
read_peer_port(struct reading *r, const json_t *value)
{
  u16 *port = &r->command->tuple.peer_port;

  return read_port(r, value, port) && (!*port || *port == BFD_PORT_DIRECT || *port == BFD_PORT_MULTIHOP ||
                                       bad_value(r, "0, 3784 or 4784"));
}

static bool
read_local_port(struct reading *r, const json_t *value)
{
  return read_port(r, value, &r->command->tuple.local_port);
}

static bool
read_demand(struct reading *r, const json_t *value)
{
  const char *text = json_string_value(value);

  r->command->demand = text && strcmp(text, "on") == 0;
  return r->command->demand || (text && strcmp(text, "off") == 0) || bad_value(r, "\"on\" or \"off\"");
}

static const struct member
{
  const char *name;
  uint in;
  read_hook *read; /* NULL: it has been read */
} members[] = {
  { "cmd", IN_ANY, NULL },
  { "id", IN_ANY | IN_NOTIFY, NULL },
  { "session", IN(MON_SUBSCRIBE) | IN(MON_UNSUBSCRIBE) | IN(MON_CHANGE) | IN(MON_SHOW), read_session },
  { "interval", IN(MON_SUBSCRIBE) | IN(MON_CHANGE), read_both_intervals },
  { "min_rx_interval", IN(MON_SUBSCRIBE) | IN(MON_CHANGE), read_min_rx },
  { "min_tx_interval", IN(MON_SUBSCRIBE) | IN(MON_CHANGE), read_min_tx },
  { "idle_tx_interval", IN(MON_SUBSCRIBE) | IN(MON_CHANGE), read_idle_tx },
  { "multiplier", IN(MON_SUBSCRIBE) | IN(MON_CHANGE), read_multiplier },
  { "admin", IN(MON_SUBSCRIBE) | IN(MON_CHANGE), read_admin },
  { "passive", IN(MON_SUBSCRIBE), read_passive },
  { "min_ttl", IN(MON_SUBSCRIBE), read_min_ttl },
  { "authentication", IN(MON_SUBSCRIBE), read_key },
  { "interface", IN(MON_SUBSCRIBE), read_ifname },
  { "local", IN(MON_SUBSCRIBE), read_local },
  { "multihop", IN(MON_SUBSCRIBE), read_multihop },
  { "on", IN(MON_EVENTS), read_on },
  { "MsgType", IN_NOTIFY, NULL },
  { "SessionID", IN_NOTIFY, read_tuple },
  { "SessionOpts", IN_NOTIFY, read_session_options },
  { "PeerAddr", IN_TUPLE, read_peer_address },
  { "LocalAddr", IN_TUPLE, read_local_address },
  { "PeerPort", IN_TUPLE, read_peer_port },
  { "LocalPort", IN_TUPLE, read_local_port },
  { "DemandMode", IN_OPTIONS, read_demand },
  { "DetectMult", IN_OPTIONS, read_multiplier },
  { "DesiredMinTxInterval", IN_OPTIONS, read_min_tx },
  { "RequiredMinRxInterval", IN_OPTIONS, read_min_rx },
};

static const struct member *
find_member(const char *name, uint in)
{
  for (uint i = 0; i < ARRAY_SIZE(members); i++)
    if ((members[i].in & in) && strcmp(members[i].name, name) == 0)
      return &members[i];
  return NULL;
}

/* jansson's iterators are not const */
static bool
read_object(struct reading *r, const json_t *value, uint in)
{
  const char *name;
  json_t *item;

  if (!json_is_object(value))
    return bad_value(r, "an object");
  json_object_foreach ((json_t *) value, name, item)
  {
    const struct member *m = find_member(name, in);

    if (!m)
      return mon_error_set(r->error, "unknown-member", name, "There is no member of that name here");
    r->member = m->name;
    if (m->read && !m->read(r, item))
      return false;
  }
  return true;
}

/* Commands of ours */

static const char *const verbs[MON_VERB__MAX] = {
  [MON_HELLO] = "hello",         [MON_LIST] = "list",
  [MON_SUBSCRIBE] = "subscribe", [MON_UNSUBSCRIBE] = "unsubscribe",
  [MON_CHANGE] = "change",       [MON_SHOW] = "show",
  [MON_STATS] = "stats",         [MON_EVENTS] = "events",
};

static bool
find_verb(const char *text, enum mon_verb *verb)
{
  for (uint i = 0; i < MON_VERB__MAX; i++)
    if (text && strcmp(verbs[i], text) == 0)
    {
      *verb = i;
      return true;
    }
  return false;
}

static bool
missing(struct mon_error *error, const char *member)
{
  return mon_error_set(error, "missing-member", member, "%s is missing", member);
}

/* Where the session is, must not be said twice. */
static bool
check_place(struct mon_command *c, struct mon_error *error)
{
  struct mon_wish *w = &c->wish;
  bool direct = !w->multihop && (c->ident.kind == MON_ANY || c->ident.kind == MON_DIRECT);

  if (c->all && c->wishes)
    return mon_error_set(error, "bad-value", "session", "Nothing can be asked of all sessions");
  if (c->ident.kind != MON_ANY && (w->ifname[0] || !ip_is_none(w->local) || w->multihop))
    return mon_error_set(error, "bad-value", "session",
                         "interface, local and multihop go with an id that is an address");
  if (w->ifname[0] && w->multihop)
    return mon_error_set(error, "bad-value", "interface", "A multihop session has no interface");
  if (w->multihop && ip_is_none(w->local))
    return missing(error, "local");
  if (!ip_is_none(w->local) && ip_is_v4(w->local) != ip_is_v4(c->ident.remote))
    return mon_error_set(error, "bad-value", "local", "local is of another family than the session");
  if (direct && (w->options.set & BFD_OPT_MIN_TTL))
    return mon_error_set(error, "bad-value", "min_ttl", "A direct session takes no TTL but 255");
  return true;
}

static bool
parse_ours(struct mon_command *c, const json_t *object, struct mon_error *error)
{
  struct reading r = { .command = c, .error = error };
  const char *cmd = json_string_value(json_object_get(object, "cmd"));
  bool needs_session;

  if (!find_verb(cmd, &c->verb))
    return mon_error_set(error, "unknown-command", "cmd", "There is no such command");
  if (!read_object(&r, object, IN(c->verb)))
    return false;
  needs_session = c->verb == MON_SUBSCRIBE || c->verb == MON_UNSUBSCRIBE || c->verb == MON_CHANGE;
  if (!json_object_get(object, "session"))
  {
    if (needs_session)
      return missing(error, "session");
    c->all = true;
  }
  if (c->verb == MON_CHANGE && c->all)
    return mon_error_set(error, "bad-value", "session", "Sessions are changed one by one");
  return check_place(c, error);
}

/* The other dialect */

static bool
parse_notify(struct mon_command *c, const json_t *object, struct mon_error *error)
{
  struct reading r = { .command = c, .error = error };
  const char *type = json_string_value(json_object_get(object, "MsgType"));
  struct mon_tuple *t = &c->tuple;

  c->notify = true;
  if (type && strcmp(type, "Subscribe") == 0)
    c->verb = MON_SUBSCRIBE;
  else if (type && strcmp(type, "Unsubscribe") == 0)
    c->verb = MON_UNSUBSCRIBE;
  else
    return mon_error_set(error, "unknown-command", "MsgType", "MsgType has to be Subscribe or Unsubscribe");
  if (!read_object(&r, object, IN_NOTIFY))
    return false;
  if (ip_is_none(t->peer))
    return missing(error, json_object_get(object, "SessionID") ? "PeerAddr" : "SessionID");
  if (!ip_is_none(t->local) && ip_is_v4(t->local) != ip_is_v4(t->peer))
    return mon_error_set(error, "bad-value", "LocalAddr", "LocalAddr is of another family than PeerAddr");
  c->ident = (struct mon_ident){ .kind = MON_ANY, .remote = t->peer };
  if (t->peer_port == BFD_PORT_MULTIHOP)
  {
    if (ip_is_none(t->local))
      return mon_error_set(error, "bad-value", "LocalAddr", "A multihop session needs a local address");
    c->ident.kind = MON_MULTIHOP;
    c->ident.local = t->local;
  }
  else if (!ip_is_none(t->local))
  {
    c->wishes = true;
    c->wish.local = t->local;
  }
  return true;
}

bool
mon_command_parse(struct mon_command *c, const char *data, size_t size, struct mon_error *error)
{
  json_error_t why;
  json_t *object = json_loadb(data, size, JSON_REJECT_DUPLICATES, &why);
  json_t *tag = json_object_get(object, "id");
  bool ok;

  *c = (struct mon_command){ 0 };
  if (!object)
    return mon_error_set(error, "syntax", "", "%s, at byte %d", why.text, why.position);
  c->tag = json_incref(tag);
  if (tag && !json_is_number(tag) && !(json_is_string(tag) && json_string_length(tag) <= TAG_MAX))
    ok =
        mon_error_set(error, "bad-value", "id", "id has to be a number or a text of up to %d bytes", TAG_MAX);
  else if (json_object_get(object, "MsgType"))
    ok = parse_notify(c, object, error);
  else if (json_object_get(object, "cmd"))
    ok = parse_ours(c, object, error);
  else
    ok = missing(error, "cmd");
  json_decref(object);
  return ok;
}

void
mon_command_free(struct mon_command *c)
{
  json_decref(c->tag);
  c->tag = NULL;
}
