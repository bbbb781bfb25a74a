/* proto/monitor/command_test.c: commands of our own dialect, and what both have in common */
#include "proto/monitor/command_fixture.h"

/* --- Verbs --- */

static const struct
{
  const char *name;
  uint verb;
  bool needs_session;
} verbs[MON_VERB__MAX] = {
  { "hello", MON_HELLO, false },        { "list", MON_LIST, false },
  { "subscribe", MON_SUBSCRIBE, true }, { "unsubscribe", MON_UNSUBSCRIBE, true },
  { "change", MON_CHANGE, true },       { "show", MON_SHOW, false },
  { "stats", MON_STATS, false },        { "events", MON_EVENTS, false },
};

/* A command of @verb with what it has to have, and with @more. */
static char *
command(char *buf, uint verb, const char *more)
{
  sprintf(buf, "{'cmd':'%s'%s%s}", verbs[verb].name,
          verbs[verb].needs_session && !strstr(more, "'session'") ? ",'session':'192.0.2.1'" : "", more);
  return buf;
}
#define COMMAND(verb, more) command((char[512]){ 0 }, (verb), (more))

static void
every_verb_is_known_by_its_name(void **ctx UNUSED)
{
  for (uint v = 0; v < MON_VERB__MAX; v++)
  {
    struct mon_command c = taken(COMMAND(v, ""));

    assert_int_equal(verbs[v].verb, v);
    assert_int_equal(c.verb, v);
    assert_int_equal(c.all, !verbs[v].needs_session);
    assert_false(c.notify || c.wishes || c.demand || c.off);
    assert_null(c.tag);
    assert_int_equal(c.wish.options.set, 0);
    mon_command_free(&c);
  }
}

static void
what_needs_a_session_says_so(void **ctx UNUSED)
{
  refuse("{'cmd':'subscribe'}", "missing-member", "session");
  refuse("{'cmd':'unsubscribe'}", "missing-member", "session");
  refuse("{'cmd':'change'}", "missing-member", "session");
  refuse("{'cmd':'subscribe','interval':50000}", "missing-member", "session");
}

static void
an_unknown_verb_is_refused(void **ctx UNUSED)
{
  static const char *const cmds[] = { "'helo'", "'hello '", "'Hello'",   "''", "'all'", "1",
                                      "null",   "true",     "['hello']", "{}", "1.5",   "'Subscribe'" };

  for (uint i = 0; i < ARRAY_SIZE(cmds); i++)
    refuse(WITH("{'cmd':%s}", cmds[i]), "unknown-command", "cmd");
}

static void
an_object_without_a_command_lacks_one(void **ctx UNUSED)
{
  refuse("{}", "missing-member", "cmd");
  refuse("{'id':1}", "missing-member", "cmd");
  refuse("{'session':'192.0.2.1'}", "missing-member", "cmd");
  refuse("{'CMD':'hello'}", "missing-member", "cmd");
  refuse("{'SessionID':{'PeerAddr':'192.0.2.1'}}", "missing-member", "cmd");
}

/* --- Members, each in its verb --- */

#define S (1u << MON_SUBSCRIBE)
#define U (1u << MON_UNSUBSCRIBE)
#define C (1u << MON_CHANGE)
#define W (1u << MON_SHOW)
#define E (1u << MON_EVENTS)
#define ALL_VERBS ((1u << MON_VERB__MAX) - 1)

static const struct
{
  const char *name, *value;
  uint in;
} members[] = {
  { "id", "1", ALL_VERBS },
  { "session", "'192.0.2.1'", S | U | C | W },
  { "interval", "50000", S | C },
  { "min_rx_interval", "50000", S | C },
  { "min_tx_interval", "50000", S | C },
  { "idle_tx_interval", "50000", S | C },
  { "multiplier", "3", S | C },
  { "admin", "'down'", S | C },
  { "passive", "true", S },
  { "authentication", "'core'", S },
  { "interface", "'eth0'", S },
  { "local", "'198.51.100.7'", S },
  { "multihop", "false", S },
  { "on", "false", E },
  { "PeerAddr", "'192.0.2.1'", 0 },
  { "LocalAddr", "'192.0.2.1'", 0 },
  { "SessionID", "{'PeerAddr':'192.0.2.1'}", 0 },
  { "SessionOpts", "{}", 0 },
  { "DetectMult", "3", 0 },
  { "DemandMode", "'off'", 0 },
  { "demand", "true", 0 },
  { "vrf", "'red'", 0 },
  { "Session", "'192.0.2.1'", 0 },
  { "session ", "'192.0.2.1'", 0 },
  { "seq", "1", 0 },
};

static void
a_member_is_taken_in_its_verbs_and_unknown_in_others(void **ctx UNUSED)
{
  char more[128];

  for (uint i = 0; i < ARRAY_SIZE(members); i++)
    for (uint v = 0; v < MON_VERB__MAX; v++)
    {
      snprintf(more, sizeof(more), ",'%s':%s", members[i].name, members[i].value);
      if (members[i].in & (1u << v))
        accept(COMMAND(v, more));
      else
        refuse(COMMAND(v, more), "unknown-member", members[i].name);
    }
}

static void
min_ttl_is_a_member_of_subscribe_alone(void **ctx UNUSED)
{
  for (uint v = 0; v < MON_VERB__MAX; v++)
    if (v != MON_SUBSCRIBE)
      refuse(COMMAND(v, ",'min_ttl':200"), "unknown-member", "min_ttl");
  accept("{'cmd':'subscribe','session':'192.0.2.1@198.51.100.7','min_ttl':200}");
}

static void
a_member_twice_is_refused(void **ctx UNUSED)
{
  refuse("{'cmd':'hello','cmd':'hello'}", "syntax", "");
  refuse("{'cmd':'hello','id':1,'id':1}", "syntax", "");
  refuse("{'cmd':'show','session':'192.0.2.1','session':'192.0.2.1'}", "syntax", "");
  refuse("{'cmd':'hello','\\u0063md':'hello'}", "syntax", "");
  refuse("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1','PeerAddr':'192.0.2.2'}}", "syntax", "");
}

static void
a_member_of_any_name_is_refused_without_harm(void **ctx UNUSED)
{
  char name[400], text[512];

  for (size_t len = 1; len < sizeof(name) - 1; len++)
  {
    struct mon_command c;
    struct mon_error e;

    memset(name, 'x', len);
    name[len] = 0;
    snprintf(text, sizeof(text), "{'cmd':'hello','%s':1}", name);
    assert_false(parse(text, &c, &e));
    assert_string_equal(e.code, "unknown-member");
    assert_memory_equal(e.member, name, MIN(len, sizeof(e.member) - 1));
    mon_command_free(&c);
    snprintf(text, sizeof(text), "{'cmd':'%s'}", name);
    assert_false(parse(text, &c, &e));
    assert_string_equal(e.code, "unknown-command");
    mon_command_free(&c);
  }
  refuse("{'cmd':'hello','':1}", "unknown-member", "");
  refuse("{'cmd':'hello','%s%n':1}", "unknown-member", "%s%n");
}

/* --- Values --- */

/* What no member takes. */
static const char *const never[] = { "null", "[]", "{}", "[1]", "{'a':1}", "''", "-1", "1.5", "1e3", "0" };

static void
values_of_wrong_types_are_refused(void **ctx UNUSED)
{
  char more[128];

  for (uint i = 1; i < ARRAY_SIZE(members); i++)
    for (uint n = 0; n < ARRAY_SIZE(never); n++)
      for (uint v = 0; v < MON_VERB__MAX; v++)
        if (members[i].in & (1u << v))
        {
          snprintf(more, sizeof(more), ",'%s':%s", members[i].name, never[n]);
          refuse(COMMAND(v, more), "bad-value", members[i].name);
        }
}

static const struct
{
  const char *member, *good[4], *bad[8];
} ranges[] = {
  { "interval",
    { "1000", "1001", "4294967294", "4294967295" },
    { "999", "4294967296", "'50000'", "true", "1000.0" } },
  { "min_rx_interval",
    { "1000", "1001", "4294967294", "4294967295" },
    { "999", "4294967296", "'50000'", "true" } },
  { "min_tx_interval",
    { "1000", "1001", "4294967294", "4294967295" },
    { "999", "4294967296", "'50000'", "true" } },
  { "idle_tx_interval",
    { "1000", "1001", "4294967294", "4294967295" },
    { "999", "4294967296", "'50000'", "true" } },
  { "multiplier", { "1", "2", "254", "255" }, { "0", "256", "-1", "257", "4294967297", "'3'", "true" } },
  { "passive", { "true", "false" }, { "1", "'true'", "'yes'" } },
  { "admin", { "'up'", "'down'" }, { "'Down'", "'downs'", "'dow'", "true", "false", "1" } },
  { "multihop", { "false" }, { "1", "'false'" } },
  { "authentication", { "'a'", "'0'" }, { "true", "1" } },
  { "interface", { "'e'", "'123456789012345'" }, { "'1234567890123456'", "true", "1" } },
  { "local",
    { "'198.51.100.7'", "'127.0.0.1'", "'::ffff:198.51.100.7'" },
    { "'0.0.0.0'", "'::'", "'224.0.0.1'", "'ff02::1'", "'198.51.100.7 '", "'198.51.100.7%eth0'",
      "'198.51.100'", "1" } },
  { "session",
    { "'192.0.2.1'", "1", "4294967295", "'4294967295'" },
    { "4294967296", "-4294967295", "9223372036854775807", "-9223372036854775808", "true", "'All'", "'all '",
      "'192.0.2.1%1234567890123456'" } },
};

static void
values_are_taken_at_both_edges_and_refused_beyond(void **ctx UNUSED)
{
  char more[128];

  for (uint i = 0; i < ARRAY_SIZE(ranges); i++)
  {
    for (uint k = 0; k < ARRAY_SIZE(ranges[i].good) && ranges[i].good[k]; k++)
    {
      snprintf(more, sizeof(more), ",'%s':%s", ranges[i].member, ranges[i].good[k]);
      accept(COMMAND(MON_SUBSCRIBE, more));
    }
    for (uint k = 0; k < ARRAY_SIZE(ranges[i].bad) && ranges[i].bad[k]; k++)
    {
      snprintf(more, sizeof(more), ",'%s':%s", ranges[i].member, ranges[i].bad[k]);
      refuse(COMMAND(MON_SUBSCRIBE, more), "bad-value", ranges[i].member);
    }
  }
}

static void
min_ttl_is_from_1_to_255(void **ctx UNUSED)
{
  static const char *const good[] = { "1", "2", "254", "255" };
  static const char *const bad[] = { "0", "256", "-1", "4294967297", "'1'", "true", "1.0", "null" };
  static const char text[] = "{'cmd':'subscribe','session':'192.0.2.1@198.51.100.7','min_ttl':%s}";

  for (uint i = 0; i < ARRAY_SIZE(good); i++)
  {
    struct mon_command c = taken(WITH(text, good[i]));

    assert_int_equal(c.wish.options.set, BFD_OPT_MIN_TTL);
    assert_int_equal(c.wish.options.guard.min_ttl, atoi(good[i]));
    mon_command_free(&c);
  }
  for (uint i = 0; i < ARRAY_SIZE(bad); i++)
    refuse(WITH(text, bad[i]), "bad-value", "min_ttl");
}

static void
numbers_too_large_for_anything_are_no_json_we_know(void **ctx UNUSED)
{
  refuse("{'cmd':'subscribe','session':9223372036854775808}", "syntax", "");
  refuse("{'cmd':'subscribe','session':1,'interval':18446744073709552616}", "syntax", "");
}

static void
names_of_authentication_have_up_to_63_bytes(void **ctx UNUSED)
{
  static const char text[] = "{'cmd':'subscribe','session':'192.0.2.1','authentication':'%s'}";
  char name[80];

  for (size_t len = 1; len < sizeof(name); len++)
  {
    struct mon_command c;

    memset(name, 'k', sizeof(name));
    name[len] = 0;
    if (len >= sizeof(c.wish.key))
    {
      refuse(WITH(text, name), "bad-value", "authentication");
      continue;
    }
    c = taken(WITH(text, name));
    assert_true(c.wishes);
    assert_string_equal(c.wish.key, name);
    mon_command_free(&c);
  }
}

/* --- What is understood --- */

static void
all_options_arrive_where_they_belong(void **ctx UNUSED)
{
  struct mon_command c = taken("{'cmd':'subscribe','session':'192.0.2.1','min_rx_interval':1001,"
                               "'min_tx_interval':1002,'idle_tx_interval':1003,'multiplier':7,'passive':true,"
                               "'admin':'down','authentication':'core','interface':'eth0',"
                               "'local':'198.51.100.7','id':'x'}");
  const struct bfd_options *o = &c.wish.options;

  assert_int_equal(o->set, BFD_OPT_MIN_RX | BFD_OPT_MIN_TX | BFD_OPT_IDLE_TX | BFD_OPT_MULTIPLIER |
                               BFD_OPT_PASSIVE | BFD_OPT_ADMIN_DOWN);
  assert_int_equal(o->min_rx, 1001);
  assert_int_equal(o->min_tx, 1002);
  assert_int_equal(o->idle_tx, 1003);
  assert_int_equal(o->multiplier, 7);
  assert_true(o->passive && o->admin_down);
  assert_string_equal(c.wish.key, "core");
  assert_string_equal(c.wish.ifname, "eth0");
  assert_true(ip_equal(c.wish.local, ip("198.51.100.7")));
  assert_false(c.wish.multihop || c.all || c.notify);
  assert_true(c.wishes);
  assert_int_equal(c.ident.kind, MON_ANY);
  assert_true(ip_equal(c.ident.remote, ip("192.0.2.1")));
  assert_string_equal(json_string_value(c.tag), "x");
  mon_command_free(&c);
}

static void
interval_is_that_of_both_directions(void **ctx UNUSED)
{
  struct mon_command c = taken("{'cmd':'change','session':'192.0.2.1','interval':4294967295}");

  assert_int_equal(c.wish.options.set, BFD_OPT_MIN_RX | BFD_OPT_MIN_TX);
  assert_true(c.wish.options.min_rx == UINT32_MAX && c.wish.options.min_tx == UINT32_MAX);
  mon_command_free(&c);
}

static void
what_is_set_to_no_is_set_all_the_same(void **ctx UNUSED)
{
  struct mon_command c = taken("{'cmd':'subscribe','session':'192.0.2.1','passive':false,'admin':'up'}");

  assert_int_equal(c.wish.options.set, BFD_OPT_PASSIVE | BFD_OPT_ADMIN_DOWN);
  assert_false(c.wish.options.passive || c.wish.options.admin_down);
  assert_true(c.wishes);
  mon_command_free(&c);
}

static void
a_session_may_be_a_number_or_that_as_a_text(void **ctx UNUSED)
{
  static const char *const numbers[] = { "3735928559", "'3735928559'" };

  for (uint i = 0; i < ARRAY_SIZE(numbers); i++)
  {
    struct mon_command c = taken(WITH("{'cmd':'show','session':%s}", numbers[i]));

    assert_int_equal(c.ident.kind, MON_DISCRIMINATOR);
    assert_int_equal(c.ident.disc, 3735928559);
    assert_false(c.all);
    mon_command_free(&c);
  }
}

static void
all_may_be_subscribed_to_left_and_shown_but_not_changed(void **ctx UNUSED)
{
  static const uint may[] = { MON_SUBSCRIBE, MON_UNSUBSCRIBE, MON_SHOW };

  for (uint i = 0; i < ARRAY_SIZE(may); i++)
  {
    struct mon_command c = taken(COMMAND(may[i], ",'session':'all'"));

    assert_true(c.all);
    mon_command_free(&c);
  }
  refuse("{'cmd':'change','session':'all'}", "bad-value", "session");
  refuse("{'cmd':'change','session':'all','multiplier':3}", "bad-value", "session");
}

static void
events_are_told_until_they_are_switched_off(void **ctx UNUSED)
{
  static const struct
  {
    const char *text;
    bool off;
  } table[] = { { "{'cmd':'events'}", false },
                { "{'cmd':'events','on':true}", false },
                { "{'cmd':'events','on':false}", true } };

  for (uint i = 0; i < ARRAY_SIZE(table); i++)
  {
    struct mon_command c = taken(table[i].text);

    assert_int_equal(c.off, table[i].off);
    mon_command_free(&c);
  }
  refuse("{'cmd':'events','on':1}", "bad-value", "on");
  refuse("{'cmd':'events','on':'false'}", "bad-value", "on");
}

/* --- Where the session is --- */

static void
nothing_can_be_asked_of_all(void **ctx UNUSED)
{
  static const char *const wishes[] = { "'interval':50000", "'multiplier':3",     "'passive':false",
                                        "'admin':'up'",     "'interface':'eth0'", "'local':'198.51.100.7'",
                                        "'multihop':false", "'min_ttl':255",      "'authentication':'core'" };

  for (uint i = 0; i < ARRAY_SIZE(wishes); i++)
  {
    refuse(WITH("{'cmd':'subscribe','session':'all',%s}", wishes[i]), "bad-value", "session");
    refuse(WITH("{'cmd':'subscribe',%s,'session':'all'}", wishes[i]), "bad-value", "session");
  }
}

static void
a_place_is_said_once(void **ctx UNUSED)
{
  static const char *const sessions[] = { "'192.0.2.1%eth0'", "'192.0.2.1@198.51.100.7'",
                                          "'192.0.2.1@198.51.100.7%red'", "7", "'7'" };
  static const char *const places[] = { "'interface':'eth0'", "'local':'198.51.100.7'",
                                        "'multihop':true,'local':'198.51.100.7'", "'multihop':true" };

  for (uint i = 0; i < ARRAY_SIZE(sessions); i++)
    for (uint k = 0; k < ARRAY_SIZE(places); k++)
    {
      char text[256];

      snprintf(text, sizeof(text), "{'cmd':'subscribe','session':%s,%s}", sessions[i], places[k]);
      refuse(text, "bad-value", "session");
      snprintf(text, sizeof(text), "{%s,'session':%s,'cmd':'subscribe'}", places[k], sessions[i]);
      refuse(text, "bad-value", "session");
    }
}

static void
a_multihop_session_has_a_local_address_and_no_interface(void **ctx UNUSED)
{
  struct mon_command c =
      taken("{'cmd':'subscribe','session':'192.0.2.1','multihop':true,'local':'198.51.100.7','min_ttl':250}");

  assert_true(c.wish.multihop);
  assert_true(ip_equal(c.wish.local, ip("198.51.100.7")));
  assert_int_equal(c.wish.options.guard.min_ttl, 250);
  mon_command_free(&c);
  refuse("{'cmd':'subscribe','session':'192.0.2.1','multihop':true}", "missing-member", "local");
  refuse("{'cmd':'subscribe','session':'192.0.2.1','multihop':true,'interface':'eth0'}", "bad-value",
         "interface");
  refuse(
      "{'cmd':'subscribe','session':'192.0.2.1','multihop':true,'interface':'eth0','local':'198.51.100.7'}",
      "bad-value", "interface");
}

static void
both_ends_are_of_one_family(void **ctx UNUSED)
{
  refuse("{'cmd':'subscribe','session':'192.0.2.1','local':'2001:db8::1'}", "bad-value", "local");
  refuse("{'cmd':'subscribe','session':'2001:db8::1','local':'192.0.2.1'}", "bad-value", "local");
  refuse("{'cmd':'subscribe','session':'2001:db8::1','local':'::ffff:192.0.2.1'}", "bad-value", "local");
  refuse("{'cmd':'subscribe','session':'192.0.2.1','multihop':true,'local':'2001:db8::1'}", "bad-value",
         "local");
  accept("{'cmd':'subscribe','session':'2001:db8::1','local':'2001:db8::2'}");
  accept("{'cmd':'subscribe','session':'192.0.2.1','local':'::ffff:198.51.100.7'}");
}

static void
a_direct_session_has_no_min_ttl(void **ctx UNUSED)
{
  refuse("{'cmd':'subscribe','session':'192.0.2.1','min_ttl':250}", "bad-value", "min_ttl");
  refuse("{'cmd':'subscribe','session':'192.0.2.1%eth0','min_ttl':250}", "bad-value", "min_ttl");
  refuse("{'cmd':'subscribe','session':'192.0.2.1','min_ttl':250,'multihop':false}", "bad-value", "min_ttl");
  refuse("{'cmd':'subscribe','session':'192.0.2.1','min_ttl':250,'local':'198.51.100.7'}", "bad-value",
         "min_ttl");
}

/* --- Tags --- */

static const char *const tags[] = {
  "''",    "'x'", "'\\u00e9\\n\\u0001'", "0", "-1", "9223372036854775807", "-9223372036854775808", "0.5",
  "1e300", "'1'"
};

static void
an_id_comes_back_as_it_was(void **ctx UNUSED)
{
  static const char *const with[] = {
    "{'cmd':'hello','id':%s}",
    "{'id':%s,'cmd':'subscribe','session':'all'}",
    "{'id':%s,'MsgType':'Unsubscribe','SessionID':{'PeerAddr':'192.0.2.1'}}",
  };

  for (uint i = 0; i < ARRAY_SIZE(with); i++)
    for (uint k = 0; k < ARRAY_SIZE(tags); k++)
    {
      struct mon_command c = taken(WITH(with[i], tags[k]));
      char *quoted = strdup(tags[k]);
      json_t *expected;

      for (char *p = quoted; *p; p++)
        *p = *p == '\'' ? '"' : *p;
      expected = json_loads(quoted, JSON_DECODE_ANY, NULL);
      assert_non_null(expected);
      assert_true(json_equal(c.tag, expected));
      json_decref(expected);
      free(quoted);
      mon_command_free(&c);
      assert_null(c.tag);
    }
}

static void
an_id_is_no_array_and_no_object(void **ctx UNUSED)
{
  static const char *const bad[] = { "[]", "[1]", "{}", "{'a':1}" };

  for (uint i = 0; i < ARRAY_SIZE(bad); i++)
  {
    refuse(WITH("{'cmd':'hello','id':%s}", bad[i]), "bad-value", "id");
    refuse(WITH("{'id':%s}", bad[i]), "bad-value", "id");
    refuse(WITH("{'MsgType':'Subscribe','id':%s}", bad[i]), "bad-value", "id");
  }
}

/* Whoever is refused gets its id back, in its dialect. */
static void
what_is_refused_has_its_id_and_its_dialect(void **ctx UNUSED)
{
  static const struct
  {
    const char *text;
    bool tagged, notify;
  } table[] = {
    { "{'id':7}", true, false },
    { "{'cmd':'nothing','id':7}", true, false },
    { "{'cmd':'hello','what':1,'id':7}", true, false },
    { "{'id':7,'cmd':'subscribe'}", true, false },
    { "{'cmd':'subscribe','session':'192.0.2.1','multiplier':0,'id':7}", true, false },
    { "{'MsgType':'Notify','id':7}", true, true },
    { "{'MsgType':1,'id':7}", true, true },
    { "{'MsgType':'Subscribe','id':7}", true, true },
    { "{'MsgType':'Subscribe','SessionID':7,'id':7}", true, true },
    { "{'MsgType':'Subscribe','cmd':'hello','id':7}", true, true },
    { "{'cmd':'hello','id':7", false, false },
    { "{'MsgType':'Subscribe','id':7", false, false },
  };

  for (uint i = 0; i < ARRAY_SIZE(table); i++)
  {
    struct mon_command c;
    struct mon_error e;

    assert_false(parse(table[i].text, &c, &e));
    assert_int_equal(c.notify, table[i].notify);
    assert_int_equal(json_integer_value(c.tag), table[i].tagged ? 7 : 0);
    mon_command_free(&c);
  }
}

/* --- Bytes --- */

static void
every_prefix_of_a_command_is_refused(void **ctx UNUSED)
{
  static const char *const commands[] = {
    "{\"cmd\":\"subscribe\",\"session\":\"192.0.2.1@198.51.100.7%r\u00e9d\",\"interval\":50000,\"id\":[1.5e3]"
    "}",
    "{\"MsgType\":\"Subscribe\",\"SessionID\":{\"PeerAddr\":\"2001:db8::1\"},\"SessionOpts\":{\"DetectMult\":"
    "3}}",
  };

  for (uint i = 0; i < ARRAY_SIZE(commands); i++)
    for (size_t len = 0; len < strlen(commands[i]); len++)
    {
      struct mon_command c;
      struct mon_error e;

      assert_false(parse_bytes(commands[i], len, &c, &e));
      assert_string_equal(e.code, "syntax");
      assert_null(c.tag);
      mon_command_free(&c);
    }
}

static void
any_byte_in_any_place_does_no_harm(void **ctx UNUSED)
{
  static const char object[] =
      "{\"cmd\":\"subscribe\",\"session\":\"192.0.2.1@198.51.100.7%r\",\"interval\":50000,"
      "\"id\":1}";

  for (size_t at = 0; at < sizeof(object) - 1; at++)
    for (uint b = 0; b < 256; b++)
    {
      char text[sizeof(object)];
      struct mon_command c;
      struct mon_error e;

      memcpy(text, object, sizeof(object));
      text[at] = (char) b;
      parse_bytes(text, sizeof(object) - 1, &c, &e);
      mon_command_free(&c);
    }
}

static void
what_is_no_json_object_is_refused(void **ctx UNUSED)
{
  static const char *const bad[] = { "",
                                     " ",
                                     "{",
                                     "{]",
                                     "{'cmd'}",
                                     "{'cmd':}",
                                     "{'cmd':'hello',}",
                                     "{cmd:'hello'}",
                                     "{'cmd':'hello'}}",
                                     "{'cmd':'hello'}{}",
                                     "{'cmd':'hello'} x",
                                     "{'cmd':'hello','id':01}",
                                     "{'cmd':'hello','id':+1}",
                                     "{'cmd':'hello','id':.5}",
                                     "{'cmd':'hello','id':1.}",
                                     "{'cmd':'hello','id':NaN}",
                                     "{'cmd':'hello','id':Infinity}",
                                     "{'cmd':'hello','id':1e999}",
                                     "{'cmd':'hello','id':True}",
                                     "{'cmd':'hello','id':'\\x'}",
                                     "{'cmd':'hello','id':'\\u12'}",
                                     "{'cmd':'hello','id':'\\ud800'}",
                                     "{'cmd':'hello','id':'\\udc00'}",
                                     "{'cmd':'hello','id':'\\u0000'}",
                                     "{'cmd':'hello','\\u0000':1}",
                                     "{'cmd':'hello','id':'\t'}",
                                     "{'cmd':'hello','id':'\x80'}",
                                     "{'cmd':'hello','id':'\xc3'}",
                                     "{'cmd':'hello','id':'\xc0\xaf'}",
                                     "{'cmd':'hello','id':'\xed\xa0\x80'}",
                                     "{'cmd':'hello','id':'\xf4\x90\x80\x80'}",
                                     "\xef\xbb\xbf{'cmd':'hello'}",
                                     "{'cmd':'hello'/**/}",
                                     "1",
                                     "'hello'",
                                     "null" };

  for (uint i = 0; i < ARRAY_SIZE(bad); i++)
    refuse(bad[i], "syntax", "");
}

static void
a_zero_byte_does_not_end_a_command(void **ctx UNUSED)
{
  static const char after[] = "{\"cmd\":\"hello\"}\0", within[] = "{\"cmd\":\"hello\0\"}";
  struct mon_command c;
  struct mon_error e;

  assert_false(parse_bytes(after, sizeof(after) - 1, &c, &e));
  assert_false(parse_bytes(within, sizeof(within) - 1, &c, &e));
}

static void
a_command_may_be_freed_twice(void **ctx UNUSED)
{
  struct mon_command c = taken("{'cmd':'hello','id':'x'}");

  mon_command_free(&c);
  mon_command_free(&c);
  assert_null(c.tag);
}

static void
an_error_is_cut_to_its_size_and_returns_false(void **ctx UNUSED)
{
  struct mon_error e;
  char member[200];

  memset(member, 'm', sizeof(member));
  member[sizeof(member) - 1] = 0;
  assert_false(mon_error_set(&e, "limit", member, "%s %s", member, member));
  assert_string_equal(e.code, "limit");
  assert_int_equal(strlen(e.member), sizeof(e.member) - 1);
  assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
  assert_false(mon_error_set(&e, "limit", "", "%d", 1));
  assert_string_equal(e.member, "");
  assert_string_equal(e.text, "1");
}

static void
what_is_said_of_a_refusal_can_be_told(void **ctx UNUSED)
{
  static const char *const bad[] = { "{'cmd':'\\\xc3\xa9'}", "{'cmd':'\\u12\xc3\xa9'}",
                                     "{'cmd':'hello','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9':1}" };

  for (uint i = 0; i < ARRAY_SIZE(bad); i++)
  {
    struct mon_command c;
    struct mon_error e;
    json_t *text, *member;

    assert_false(parse(bad[i], &c, &e));
    text = mon_text(e.text);
    member = mon_text(e.member);
    assert_true(text && member);
    json_decref(text);
    json_decref(member);
    mon_command_free(&c);
  }
}

static void
bytes_that_are_no_text_become_question_marks(void **ctx UNUSED)
{
  json_t *good = mon_text("\xc3\xa9th0"), *bad = mon_text("\xc3th0\xff");

  assert_string_equal(json_string_value(good), "\xc3\xa9th0");
  assert_string_equal(json_string_value(bad), "?th0?");
  json_decref(good);
  json_decref(bad);
}

static void
an_id_is_a_text_or_a_number(void **ctx UNUSED)
{
  refuse("{'cmd':'hello','id':true}", "bad-value", "id");
  refuse("{'cmd':'hello','id':null}", "bad-value", "id");
}

static void
an_interval_is_said_once(void **ctx UNUSED)
{
  refuse("{'cmd':'subscribe','session':'192.0.2.1','interval':50000,'min_rx_interval':10000}", "bad-value",
         "min_rx_interval");
  refuse("{'cmd':'subscribe','session':'192.0.2.1','min_tx_interval':10000,'interval':50000}", "bad-value",
         "interval");
}

static void
a_discriminator_may_be_that_of_a_multihop_session(void **ctx UNUSED)
{
  accept("{'cmd':'subscribe','session':5,'min_ttl':250}");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_verb_is_known_by_its_name),
    cmocka_unit_test(what_needs_a_session_says_so),
    cmocka_unit_test(an_unknown_verb_is_refused),
    cmocka_unit_test(an_object_without_a_command_lacks_one),
    cmocka_unit_test(a_member_is_taken_in_its_verbs_and_unknown_in_others),
    cmocka_unit_test(min_ttl_is_a_member_of_subscribe_alone),
    cmocka_unit_test(a_member_twice_is_refused),
    cmocka_unit_test(a_member_of_any_name_is_refused_without_harm),
    cmocka_unit_test(values_of_wrong_types_are_refused),
    cmocka_unit_test(values_are_taken_at_both_edges_and_refused_beyond),
    cmocka_unit_test(min_ttl_is_from_1_to_255),
    cmocka_unit_test(numbers_too_large_for_anything_are_no_json_we_know),
    cmocka_unit_test(names_of_authentication_have_up_to_63_bytes),
    cmocka_unit_test(all_options_arrive_where_they_belong),
    cmocka_unit_test(interval_is_that_of_both_directions),
    cmocka_unit_test(what_is_set_to_no_is_set_all_the_same),
    cmocka_unit_test(a_session_may_be_a_number_or_that_as_a_text),
    cmocka_unit_test(all_may_be_subscribed_to_left_and_shown_but_not_changed),
    cmocka_unit_test(events_are_told_until_they_are_switched_off),
    cmocka_unit_test(nothing_can_be_asked_of_all),
    cmocka_unit_test(a_place_is_said_once),
    cmocka_unit_test(a_multihop_session_has_a_local_address_and_no_interface),
    cmocka_unit_test(both_ends_are_of_one_family),
    cmocka_unit_test(a_direct_session_has_no_min_ttl),
    cmocka_unit_test(an_id_comes_back_as_it_was),
    cmocka_unit_test(an_id_is_no_array_and_no_object),
    cmocka_unit_test(what_is_refused_has_its_id_and_its_dialect),
    cmocka_unit_test(every_prefix_of_a_command_is_refused),
    cmocka_unit_test(any_byte_in_any_place_does_no_harm),
    cmocka_unit_test(what_is_no_json_object_is_refused),
    cmocka_unit_test(a_zero_byte_does_not_end_a_command),
    cmocka_unit_test(a_command_may_be_freed_twice),
    cmocka_unit_test(an_error_is_cut_to_its_size_and_returns_false),
    cmocka_unit_test(what_is_said_of_a_refusal_can_be_told),
    cmocka_unit_test(bytes_that_are_no_text_become_question_marks),
    cmocka_unit_test(an_id_is_a_text_or_a_number),
    cmocka_unit_test(an_interval_is_said_once),
    cmocka_unit_test(a_discriminator_may_be_that_of_a_multihop_session),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
