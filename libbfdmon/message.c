/* libbfdmon/message.c: what is said to the daemon, and what it says (bird-monitor(7)) */
#include <string.h>

#include "internal.h"

static void
set_number(json_t *command, const char *name, uint32_t n)
{
  if (n)
    json_object_set_new(command, name, json_integer(n));
}

static void
set_text(json_t *command, const char *name, const char *text)
{
  if (text)
    json_object_set_new(command, name, json_string(text));
}

static void
set_true(json_t *command, const char *name, bool truth)
{
  if (truth)
    json_object_set_new(command, name, json_true());
}

json_t *
message_subscribe(const char *verb, const char *session, const struct bfdmon_options *o)
{
  json_t *command = json_pack("{s:s, s:s}", "cmd", verb, "session", session);

  if (!command || !o)
    return command;
  set_number(command, "min_rx_interval", o->min_rx);
  set_number(command, "min_tx_interval", o->min_tx);
  set_number(command, "idle_tx_interval", o->idle_tx);
  set_number(command, "multiplier", o->multiplier);
  set_number(command, "min_ttl", o->min_ttl);
  set_true(command, "passive", o->passive);
  set_true(command, "multihop", o->multihop);
  set_text(command, "admin", o->admin_down ? "down" : o->admin_up ? "up" : NULL);
  set_text(command, "interface", o->interface);
  set_text(command, "local", o->local);
  set_text(command, "authentication", o->authentication);
  return command;
}

void
message_merge(json_t *command, json_t *with)
{
  json_object_del(with, "cmd");
  json_object_update(command, with);
}

static enum bfdmon_state
state_of(const char *name)
{
  for (enum bfdmon_state s = 0; s < BFDMON_UNKNOWN; s++)
    if (name && strcmp(bfdmon_state_name(s), name) == 0)
      return s;
  return BFDMON_UNKNOWN;
}

static const char *
text_of(const json_t *object, const char *name)
{
  return json_string_value(json_object_get(object, name));
}

static int64_t
number_of(const json_t *object, const char *name)
{
  return json_integer_value(json_object_get(object, name));
}

static void
session_event(struct bfdmon_event *ev, const json_t *object)
{
  ev->kind = BFDMON_SESSION;
  ev->session = text_of(object, "session");
  ev->state = state_of(text_of(object, "state"));
  ev->previous = state_of(text_of(object, "previous"));
  ev->bfd_state = text_of(object, "bfd_state");
  ev->remote_state = text_of(object, "remote_state");
  ev->diagnostic = text_of(object, "diagnostic");
  ev->verdict = text_of(object, "verdict");
  ev->local_discriminator = number_of(object, "local_discriminator");
  ev->remote_discriminator = number_of(object, "remote_discriminator");
}

bool
message_event(struct bfdmon *m, struct bfdmon_event *ev, json_t *object)
{
  const char *event = text_of(object, "event");
  json_t *error = json_object_get(object, "error");

  *ev = (struct bfdmon_event){
    .previous = BFDMON_UNKNOWN,
    .initial = json_is_true(json_object_get(object, "initial")),
    .seq = number_of(object, "seq"),
    .wall_us = number_of(object, "wall_us"),
    .monotonic_us = number_of(object, "monotonic_us"),
    .json = m->line,
  };
  if (error)
  {
    ev->kind = BFDMON_REFUSED;
    ev->text = text_of(error, "text");
    ev->session = text_of(object, "id"); /* subscriptions go out under their own name */
  }
  else if (text_of(object, "session"))
    session_event(ev, object);
  else if (text_of(object, "protocol"))
  {
    ev->kind = BFDMON_PROTOCOL;
    ev->session = text_of(object, "protocol");
    ev->text = text_of(object, "state");
  }
  else if (event && strcmp(event, "lost") == 0)
  {
    ev->kind = BFDMON_LOST;
    ev->count = number_of(object, "lost");
  }
  else if (event && strcmp(event, "synchronized") == 0)
  {
    ev->kind = BFDMON_SYNCHRONIZED;
    ev->count = number_of(object, "sessions");
  }
  else
    return false;
  json_decref(m->event);
  m->event = json_incref(object);
  return true;
}
