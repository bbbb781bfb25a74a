/* proto/monitor/command_notify_test.c: commands in the dialect of FreeBFD's clients */
#include "proto/monitor/command_fixture.h"

#define PEER "'SessionID':{'PeerAddr':'192.0.2.1'}"

static void
a_subscription_of_the_other_dialect_is_understood(void **ctx UNUSED)
{
  struct mon_command c =
      taken("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1','LocalAddr':'0.0.0.0','PeerPort':0,"
            "'LocalPort':0},'SessionOpts':{'DemandMode':'off','DetectMult':3,'DesiredMinTxInterval':50000,"
            "'RequiredMinRxInterval':60000}}");

  assert_int_equal(c.verb, MON_SUBSCRIBE);
  assert_true(c.notify && c.wishes);
  assert_false(c.all || c.demand || c.wish.multihop);
  assert_int_equal(c.ident.kind, MON_ANY);
  assert_true(ip_equal(c.ident.remote, ip("192.0.2.1")));
  assert_int_equal(c.wish.options.set, BFD_OPT_MULTIPLIER | BFD_OPT_MIN_RX | BFD_OPT_MIN_TX);
  assert_int_equal(c.wish.options.multiplier, 3);
  assert_int_equal(c.wish.options.min_tx, 50000);
  assert_int_equal(c.wish.options.min_rx, 60000);
  assert_true(ip_equal(c.tuple.peer, ip("192.0.2.1")));
  assert_true(ip_is_none(c.tuple.local) && ip_is_none(c.wish.local));
  mon_command_free(&c);
}

static void
all_but_the_peer_is_optional_there(void **ctx UNUSED)
{
  struct mon_command c = taken("{'MsgType':'Subscribe'," PEER "}");

  assert_false(c.wishes);
  assert_int_equal(c.ident.kind, MON_ANY);
  mon_command_free(&c);
  c = taken("{'MsgType':'Unsubscribe'," PEER "}");
  assert_int_equal(c.verb, MON_UNSUBSCRIBE);
  mon_command_free(&c);
  accept("{'MsgType':'Subscribe'," PEER ",'SessionOpts':{}}");
  refuse("{'MsgType':'Subscribe'}", "missing-member", "SessionID");
  refuse("{'MsgType':'Subscribe','SessionID':{}}", "missing-member", "PeerAddr");
  refuse("{'MsgType':'Unsubscribe','SessionID':{'LocalAddr':'192.0.2.1'}}", "missing-member", "PeerAddr");
  refuse("{'MsgType':'Subscribe','SessionOpts':{'DetectMult':3}}", "missing-member", "SessionID");
}

static void
other_types_of_message_are_refused(void **ctx UNUSED)
{
  static const char *const types[] = { "'Notify'", "'subscribe'", "'Subscribe '", "''", "null",
                                       "1",        "true",        "{}",           "[]" };

  for (uint i = 0; i < ARRAY_SIZE(types); i++)
    refuse(WITH("{'MsgType':%s," PEER "}", types[i]), "unknown-command", "MsgType");
}

static void
the_multihop_port_makes_a_multihop_session(void **ctx UNUSED)
{
  struct mon_command c = taken("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1',"
                               "'LocalAddr':'198.51.100.7','PeerPort':4784,'LocalPort':65535}}");

  assert_int_equal(c.ident.kind, MON_MULTIHOP);
  assert_string_equal(MON_IDENT_STR(&c.ident), "192.0.2.1@198.51.100.7");
  assert_int_equal(c.tuple.peer_port, 4784);
  assert_int_equal(c.tuple.local_port, 65535);
  mon_command_free(&c);
  refuse("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1','PeerPort':4784}}", "bad-value",
         "LocalAddr");
  refuse("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1','PeerPort':4784,'LocalAddr':'0.0.0.0'}}",
         "bad-value", "LocalAddr");
}

static void
a_local_address_of_a_direct_session_is_asked_for(void **ctx UNUSED)
{
  static const char *const ports[] = { "0", "3784" };

  for (uint i = 0; i < ARRAY_SIZE(ports); i++)
  {
    struct mon_command c = taken(WITH("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1',"
                                      "'LocalAddr':'198.51.100.7','PeerPort':%s}}",
                                      ports[i]));

    assert_int_equal(c.ident.kind, MON_ANY);
    assert_true(c.wishes);
    assert_true(ip_equal(c.wish.local, ip("198.51.100.7")));
    assert_true(ip_equal(c.tuple.local, ip("198.51.100.7")));
    mon_command_free(&c);
  }
}

static const struct
{
  const char *object, *member, *good[4], *bad[8];
} there[] = {
  { "SessionID", "PeerPort", { "0", "3784" }, { "1", "3783", "3785", "4785", "-1", "65536", "'0'", "null" } },
  { "SessionID",
    "LocalPort",
    { "0", "1", "65535", "4784" },
    { "-1", "65536", "4294967296", "'0'", "null", "1.0", "true" } },
  { "SessionID",
    "LocalAddr",
    { "'0.0.0.0'", "'::'", "'198.51.100.7'", "'::ffff:198.51.100.7'" },
    { "'2001:db8::1'", "'224.0.0.1'", "''", "'any'", "0", "null", "'198.51.100.7%eth0'", "'ff02::1'" } },
  { "SessionOpts", "DemandMode", { "'on'", "'off'" }, { "'On'", "''", "true", "false", "0", "null" } },
  { "SessionOpts", "DetectMult", { "1", "255" }, { "0", "256", "-1", "'3'", "1.0", "null" } },
  { "SessionOpts",
    "DesiredMinTxInterval",
    { "1000", "4294967295" },
    { "0", "999", "4294967296", "-1000", "'1000'", "null" } },
  { "SessionOpts",
    "RequiredMinRxInterval",
    { "1000", "4294967295" },
    { "0", "999", "4294967296", "-1000", "'1000'", "null" } },
};

static char *
notify_with(char *buf, uint i, const char *value)
{
  bool tuple = strcmp(there[i].object, "SessionID") == 0;

  sprintf(buf,
          tuple ? "{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1','%s':%s}}"
                : "{'MsgType':'Subscribe'," PEER ",'SessionOpts':{'%s':%s}}",
          there[i].member, value);
  return buf;
}

static void
values_of_the_other_dialect_are_taken_at_their_edges_and_refused_beyond(void **ctx UNUSED)
{
  char text[512];

  for (uint i = 0; i < ARRAY_SIZE(there); i++)
  {
    for (uint k = 0; k < ARRAY_SIZE(there[i].good) && there[i].good[k]; k++)
      accept(notify_with(text, i, there[i].good[k]));
    for (uint k = 0; k < ARRAY_SIZE(there[i].bad) && there[i].bad[k]; k++)
      refuse(notify_with(text, i, there[i].bad[k]), "bad-value", there[i].member);
  }
}

static void
peers_of_the_other_dialect_are_single_hosts(void **ctx UNUSED)
{
  static const char *const good[] = { "'192.0.2.1'", "'2001:db8::1'", "'fe80::1'", "'::ffff:192.0.2.1'" };
  static const char *const bad[] = {
    "'0.0.0.0'",    "'::'", "'224.0.0.1'", "'ff02::1'",        "''",
    "'all'",        "1",    "null",        "'192.0.2.1%eth0'", "'192.0.2.1@198.51.100.7'",
    "['192.0.2.1']"
  };

  for (uint i = 0; i < ARRAY_SIZE(good); i++)
    accept(WITH("{'MsgType':'Subscribe','SessionID':{'PeerAddr':%s}}", good[i]));
  for (uint i = 0; i < ARRAY_SIZE(bad); i++)
    refuse(WITH("{'MsgType':'Subscribe','SessionID':{'PeerAddr':%s}}", bad[i]), "bad-value", "PeerAddr");
}

static void
objects_there_have_to_be_objects(void **ctx UNUSED)
{
  static const char *const bad[] = { "null", "[]", "'192.0.2.1'", "1", "true" };

  for (uint i = 0; i < ARRAY_SIZE(bad); i++)
  {
    refuse(WITH("{'MsgType':'Subscribe','SessionID':%s}", bad[i]), "bad-value", "SessionID");
    refuse(WITH("{'MsgType':'Subscribe'," PEER ",'SessionOpts':%s}", bad[i]), "bad-value", "SessionOpts");
  }
}

static void
demand_mode_is_noted(void **ctx UNUSED)
{
  struct mon_command c = taken("{'MsgType':'Subscribe'," PEER ",'SessionOpts':{'DemandMode':'on'}}");

  assert_true(c.demand);
  assert_false(c.wishes);
  mon_command_free(&c);
}

static void
members_of_one_dialect_or_object_are_unknown_in_another(void **ctx UNUSED)
{
  refuse("{'MsgType':'Subscribe'," PEER ",'cmd':'hello'}", "unknown-member", "cmd");
  refuse("{'cmd':'hello','MsgType':'Subscribe'}", "unknown-member", "cmd");
  refuse("{'MsgType':'Subscribe'," PEER ",'interval':50000}", "unknown-member", "interval");
  refuse("{'MsgType':'Subscribe','PeerAddr':'192.0.2.1'}", "unknown-member", "PeerAddr");
  refuse("{'MsgType':'Subscribe'," PEER ",'DetectMult':3}", "unknown-member", "DetectMult");
  refuse("{'MsgType':'Subscribe'," PEER ",'SessionOpts':{'PeerAddr':'192.0.2.1'}}", "unknown-member",
         "PeerAddr");
  refuse("{'MsgType':'Subscribe'," PEER ",'SessionOpts':{'SessionOpts':{}}}", "unknown-member",
         "SessionOpts");
  refuse("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1','DetectMult':3}}", "unknown-member",
         "DetectMult");
  refuse("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1','id':3}}", "unknown-member", "id");
}

static void
addresses_of_the_other_dialect_are_of_one_family(void **ctx UNUSED)
{
  refuse("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'2001:db8::1','LocalAddr':'192.0.2.1'}}",
         "bad-value", "LocalAddr");
  refuse("{'MsgType':'Subscribe','SessionID':{'LocalAddr':'2001:db8::1','PeerAddr':'192.0.2.1'}}",
         "bad-value", "LocalAddr");
  accept("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'2001:db8::1','LocalAddr':'0.0.0.0'}}");
  accept("{'MsgType':'Subscribe','SessionID':{'PeerAddr':'192.0.2.1','LocalAddr':'::'}}");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_subscription_of_the_other_dialect_is_understood),
    cmocka_unit_test(all_but_the_peer_is_optional_there),
    cmocka_unit_test(other_types_of_message_are_refused),
    cmocka_unit_test(the_multihop_port_makes_a_multihop_session),
    cmocka_unit_test(a_local_address_of_a_direct_session_is_asked_for),
    cmocka_unit_test(values_of_the_other_dialect_are_taken_at_their_edges_and_refused_beyond),
    cmocka_unit_test(peers_of_the_other_dialect_are_single_hosts),
    cmocka_unit_test(objects_there_have_to_be_objects),
    cmocka_unit_test(demand_mode_is_noted),
    cmocka_unit_test(members_of_one_dialect_or_object_are_unknown_in_another),
    cmocka_unit_test(addresses_of_the_other_dialect_are_of_one_family),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
