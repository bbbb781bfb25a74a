/* proto/bfd/engine_test.c: sessions of an engine: commands, packets, notes and snapshots */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/bfd/engine_host.h"

static void
two_engines_bring_sessions_up_both_direct_and_multihop(void **ctx UNUSED)
{
  for (uint hop = 0; hop < BFD_HOP__MAX; hop++)
  {
    struct host a, b;
    struct bfd_info info;

    host_start(&a);
    host_listen(&a, hop, 1 << 20);
    host_start(&b);
    host_listen(&b, hop, 1 << 20);
    command(&a, BFD_ADD, session_for(&a, 1, hop, b.addr));
    command(&b, BFD_ADD, session_for(&b, 2, hop, a.addr));
    host_wait_state(&a, 1, BFD_UP);
    host_wait_state(&b, 2, BFD_UP);
    assert_true(host_info(&a, &info, NULL));
    assert_int_equal(info.status.state, BFD_UP);
    assert_int_equal(info.counters.ups, 1);
    assert_int_equal(downs(&info), 0);
    assert_int_equal(info.counters.troubles.tx_errors, 0);
    assert_true(info.id == 1 && info.last_rx);
    host_quit(&b);

    struct bfd_note note = host_wait_state(&a, 1, BFD_DOWN);

    assert_int_equal(note.status.remote_state, BFD_ADMIN_DOWN);
    assert_true(note.left_up);
    assert_false(note.status.failed); /* RFC 5882 4.2 */
    host_end(&a);
    host_end(&b);
  }
}

static void
the_first_packets_say_down_and_know_nobody(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  for (uint i = 0; i < 3; i++)
  {
    peer_hear(&p);
    assert_int_equal(p.heard.state, BFD_DOWN);
    assert_int_equal(p.heard.your_disc, 0);
    assert_int_not_equal(p.heard.my_disc, 0);
    assert_int_equal(p.heard.detect_mult, 50);
    assert_in_range(p.source, 49152, 65535); /* RFC 5881 section 4 */
  }
  end_one(&h, &p);
}

static void
the_source_port_stays_for_the_sessions_life(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  peer_hear(&p);

  u16 port = p.source;
  struct bfd_cmd cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);

  bring_up(&h, &p, 7);
  assert_int_equal(p.source, port);
  cmd.path.usable = false;
  command(&h, BFD_CHANGE, cmd);
  host_wait_state(&h, 7, BFD_DOWN);
  peer_catch_up(&p);
  cmd.path.usable = true;
  command(&h, BFD_CHANGE, cmd);
  peer_hear(&p);
  assert_int_equal(p.source, port);
  end_one(&h, &p);
}

static void
a_silent_peer_is_noted_as_a_failure(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);

  struct bfd_packet pkt = peer_packet(&p, BFD_UP, 0);
  btime start = clock_now();

  pkt.detect_mult = 10;
  peer_send(&p, pkt);

  struct bfd_note note = host_wait_state(&h, 7, BFD_DOWN);
  btime took = clock_now() - start;

  assert_int_equal(note.status.diag, BFD_DIAG_TIMEOUT);
  assert_true(note.status.failed && note.left_up);
  assert_true(took >= 200000);
  assert_true(took < 200000 + BT_S(5));
  peer_hear_state(&p, BFD_DOWN);
  assert_int_equal(p.heard.diag, BFD_DIAG_TIMEOUT);
  end_one(&h, &p);
}

static void
a_note_on_its_way_gathers_what_happens_and_loses_no_failure(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  h.hold = true;
  peer_catch_up(&p);
  peer_say(&p, BFD_DOWN, 0);

  struct bfd_note note = host_note(&h); /* this one is kept from now on */

  assert_int_equal(note.status.state, BFD_DOWN);
  assert_true(note.status.failed && note.left_up);

  /* Up again, and down, and up: nobody hears of it */
  for (uint i = 0; i < 2; i++)
  {
    peer_say(&p, BFD_DOWN, 0);
    peer_hear_state(&p, BFD_INIT);
    peer_say(&p, BFD_UP, BFD_FLAG_FINAL);
    peer_hear_state(&p, BFD_UP);
    if (i == 0)
    {
      peer_say(&p, BFD_DOWN, 0);
      peer_hear_state(&p, BFD_DOWN);
    }
  }
  assert_null(host_take(&h, BT_MS(50)));
  h.hold = false;
  post(&h, BFD_NOTE, &h.held->msg);
  h.held = NULL;
  note = host_note(&h);
  assert_int_equal(note.status.state, BFD_UP);
  assert_true(note.left_up);
  assert_true(note.status.failed);
  assert_null(host_take(&h, BT_MS(50)));

  peer_say(&p, BFD_ADMIN_DOWN, 0);
  note = host_note(&h);
  assert_int_equal(note.status.state, BFD_DOWN);
  assert_true(note.left_up);
  assert_false(note.status.failed); /* delivered once, and the end now is an administrative one */
  end_one(&h, &p);
}

static void
a_removed_session_says_admin_down_three_times_and_is_gone(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  uint said = 0;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
  for (btime start = clock_now(); clock_now() - start < BT_S(3);)
    said += peer_hear_within(&p, BT_MS(100)) && p.heard.state == BFD_ADMIN_DOWN;
  assert_int_equal(said, 3);
  assert_int_equal(p.heard.diag, BFD_DIAG_ADMIN_DOWN);
  assert_false(host_info(&h, NULL, NULL));
  peer_say(&p, BFD_DOWN, BFD_FLAG_POLL);
  assert_false(peer_hear_within(&p, BT_MS(100)));
  end_one(&h, &p);
}

static void
asking_again_revives_a_session_that_says_goodbye(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_cmd cmd;
  u64 again = bfd_id(8, 7);

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  cmd = session_for(&h, again, BFD_MULTIHOP, p.addr);
  cmd.params.idle_tx = 500000; /* so that the goodbye is not over yet */

  u32 disc = p.heard.my_disc;
  u16 port = p.source;

  command(&h, BFD_CHANGE, (struct bfd_cmd){ .id = 7, .path = cmd.path, .params = cmd.params });
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
  peer_hear_state(&p, BFD_ADMIN_DOWN);
  command(&h, BFD_ADD, cmd);
  peer_hear_state(&p, BFD_DOWN);
  assert_int_equal(p.heard.my_disc, disc);
  assert_int_equal(p.source, port);

  struct bfd_note note = host_wait_state(&h, again, BFD_DOWN);

  assert_false(note.status.failed);
  assert_false(note.left_up); /* "since the last note": of this id there was none */
  bring_up(&h, &p, again);
  end_one(&h, &p);
}

static void
a_goodbye_ends_when_another_session_gets_its_discriminator(void **ctx UNUSED)
{
  struct host h;
  struct peer p, other;
  struct bfd_cmd cmd;

  start_one(&h, &p, 7);
  peer_open(&other, &h, BFD_MULTIHOP);
  bring_up(&h, &p, 7);
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
  peer_hear_state(&p, BFD_ADMIN_DOWN);
  cmd = session_for(&h, bfd_id(8, 7), BFD_MULTIHOP, other.addr);
  command(&h, BFD_ADD, cmd);
  bring_up(&h, &other, cmd.id);
  assert_int_equal(other.heard.my_disc, 7);
  end_one(&h, &p);
  close(other.fd);
}

static void
quitting_says_admin_down_before_it_is_over(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  btime start;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  start = clock_now();
  host_quit(&h);
  assert_true(clock_now() - start < BT_S(4));
  peer_hear_state(&p, BFD_ADMIN_DOWN);
  end_one(&h, &p);
}

static void
an_engine_without_sessions_quits_at_once(void **ctx UNUSED)
{
  struct host h;

  host_start(&h);
  host_end(&h);
}

static void
new_intervals_are_told_by_a_poll_sequence(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_cmd cmd;
  struct bfd_info info;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  peer_catch_up(&p);
  cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
  cmd.params.min_rx = 10000;
  command(&h, BFD_CHANGE, cmd);
  peer_hear_flag(&p, BFD_FLAG_POLL);
  assert_int_equal(p.heard.min_rx, 10000);
  assert_true(host_info(&h, &info, NULL));
  assert_true(info.poll);
  assert_int_equal(info.status.state, BFD_UP);
  peer_say(&p, BFD_UP, BFD_FLAG_FINAL);
  while (host_info(&h, &info, NULL) && info.poll)
    ;
  peer_catch_up(&p);
  peer_hear(&p);
  assert_int_equal(p.heard.flags, 0);
  end_one(&h, &p);
}

static void
a_poll_of_the_peer_is_answered_at_once(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  peer_say(&p, BFD_UP, BFD_FLAG_POLL);
  peer_hear_flag(&p, BFD_FLAG_FINAL);
  assert_int_equal(p.heard.flags, BFD_FLAG_FINAL);
  assert_int_equal(p.heard.your_disc, p.disc);
  end_one(&h, &p);
}

static void
a_peer_that_restarts_is_found_by_its_address(void **ctx UNUSED)
{
  struct host h;
  struct peer p;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  p.disc = 0xcafe;

  struct bfd_packet pkt = peer_packet(&p, BFD_DOWN, 0);

  pkt.your_disc = 0;
  peer_send(&p, pkt);
  host_wait_state(&h, 7, BFD_DOWN);
  do
    peer_hear(&p);
  while (p.heard.your_disc != 0xcafe);
  bring_up(&h, &p, 7);
  end_one(&h, &p);
}

static void
what_is_refused_is_counted_by_its_reason(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_engine_stats stats;
  struct bfd_info info;
  struct sockaddr_in sa;
  byte data[BFD_PACKET_SIZE];

  host_start(&h);
  host_listen(&h, BFD_DIRECT, 1 << 20);
  peer_open(&p, &h, BFD_DIRECT);
  command(&h, BFD_ADD, session_for(&h, 7, BFD_DIRECT, p.addr));
  peer_hear(&p);

  struct bfd_packet good = peer_packet(&p, BFD_DOWN, 0), bad;

  bad = good, bad.detect_mult = 0, peer_send(&p, bad);
  bad = good, bad.my_disc = 0, peer_send(&p, bad);
  bad = good, bad.your_disc ^= 1, peer_send(&p, bad);
  bad = good, bad.flags = BFD_FLAG_MULTIPOINT, peer_send(&p, bad);
  bad = good, bad.your_disc = 0, bad.state = BFD_UP, peer_send(&p, bad);
  sa = sockaddr(h.addr, BFD_PORT_DIRECT);
  bfd_packet_encode(&good, data);
  data[0] = 0;
  sendto(p.fd, data, sizeof(data), 0, (struct sockaddr *) &sa, sizeof(sa));
  sendto(p.fd, data, 23, 0, (struct sockaddr *) &sa, sizeof(sa));
  sendto(p.fd, data, 0, 0, (struct sockaddr *) &sa, sizeof(sa));
  setsockopt(p.fd, IPPROTO_IP, IP_TTL, &(int){ 254 }, sizeof(int));
  peer_send(&p, good);
  setsockopt(p.fd, IPPROTO_IP, IP_TTL, &(int){ 255 }, sizeof(int));
  for (btime start = clock_now(); clock_now() - start < LIMIT;)
    if (host_info(&h, &info, &stats) && stats.rx >= 9)
      break;
  assert_int_equal(stats.refused[BFD_RX_DETECT_MULT], 1);
  assert_int_equal(stats.refused[BFD_RX_MY_DISC], 1);
  assert_int_equal(stats.refused[BFD_RX_NO_SESSION], 1);
  assert_int_equal(stats.refused[BFD_RX_MULTIPOINT], 1);
  assert_int_equal(stats.refused[BFD_RX_YOUR_DISC], 1);
  assert_int_equal(stats.refused[BFD_RX_VERSION], 1);
  assert_int_equal(stats.refused[BFD_RX_TRUNCATED], 2);
  assert_int_equal(stats.refused[BFD_RX_TTL], 1);
  assert_int_equal(info.status.state, BFD_DOWN);
  assert_int_equal(info.counters.rx, 0);
  end_one(&h, &p);
}

static void
snapshots_come_in_pages_of_256(void **ctx UNUSED)
{
  struct host h;
  bool seen[300] = { 0 };
  uint from = 0, count = 0;

  host_start(&h);
  for (uint i = 0; i < 300; i++)
  {
    struct bfd_cmd cmd = session_for(&h, 1000 + i, BFD_MULTIHOP, ip_v4(0x0a000000 + i));

    cmd.path = (struct bfd_path){ 0 };
    command(&h, BFD_ADD, cmd);
  }
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 1050 });
  do
  {
    struct bfd_snapshot *snap = host_snapshot_from(&h, from);

    assert_true(snap->count <= BFD_SNAPSHOT_MAX);
    for (uint i = 0; i < snap->count; i++)
    {
      assert_false(seen[snap->info[i].id - 1000]);
      seen[snap->info[i].id - 1000] = true;
      assert_true(snap->info[i].suspended);
    }
    count += snap->count;
    from = snap->next;
    msg_free(snap);
  } while (from);
  assert_int_equal(count, 299);
  assert_false(seen[50]);
  host_end(&h);
}

static void
ids_nobody_knows_are_ignored(void **ctx UNUSED)
{
  struct host h;
  struct bfd_listen_cmd *cmd = msg_alloc(sizeof(*cmd));
  struct bfd_note *note = msg_alloc(sizeof(*note));

  host_start(&h);
  command(&h, BFD_CHANGE, session_for(&h, 99, BFD_MULTIHOP, ip_v4(1)));
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 99 });
  cmd->id = 99;
  post(&h, BFD_UNLISTEN, &cmd->msg);
  note->id = 99;
  post(&h, BFD_NOTE, &note->msg);
  assert_false(host_info(&h, NULL, NULL));
  host_end(&h);
}

static void
a_session_that_cannot_send_counts_it_and_goes_on(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_info info = { 0 };
  struct bfd_cmd cmd;

  host_start(&h);
  host_listen(&h, BFD_MULTIHOP, 1 << 20);
  peer_open(&p, &h, BFD_MULTIHOP);
  cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
  cmd.path.local = ip_v4(0xc6336401); /* 198.51.100.1 is nobody's */
  command(&h, BFD_ADD, cmd);
  for (btime start = clock_now(); clock_now() - start < LIMIT && info.counters.troubles.tx_errors < 3;)
    host_info(&h, &info, NULL);
  assert_true(info.counters.troubles.tx_errors >= 3);
  assert_int_equal(info.counters.tx, 0);
  cmd.path.local = h.addr;
  command(&h, BFD_CHANGE, cmd);
  bring_up(&h, &p, 7);
  end_one(&h, &p);
}

static void
losing_the_path_is_noted_and_nothing_is_sent_any_more(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_cmd cmd;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);
  cmd.path = (struct bfd_path){ 0 };
  command(&h, BFD_CHANGE, cmd);

  struct bfd_note note = host_wait_state(&h, 7, BFD_DOWN);

  assert_int_equal(note.status.diag, BFD_DIAG_PATH_DOWN);
  assert_true(note.status.failed && note.left_up);
  peer_catch_up(&p);
  peer_say(&p, BFD_UP, BFD_FLAG_POLL);
  assert_false(peer_hear_within(&p, BT_MS(100)));
  command(&h, BFD_CHANGE, session_for(&h, 7, BFD_MULTIHOP, p.addr));
  bring_up(&h, &p, 7);
  end_one(&h, &p);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_engines_bring_sessions_up_both_direct_and_multihop),
    cmocka_unit_test(the_first_packets_say_down_and_know_nobody),
    cmocka_unit_test(the_source_port_stays_for_the_sessions_life),
    cmocka_unit_test(a_silent_peer_is_noted_as_a_failure),
    cmocka_unit_test(a_note_on_its_way_gathers_what_happens_and_loses_no_failure),
    cmocka_unit_test(a_removed_session_says_admin_down_three_times_and_is_gone),
    cmocka_unit_test(asking_again_revives_a_session_that_says_goodbye),
    cmocka_unit_test(a_goodbye_ends_when_another_session_gets_its_discriminator),
    cmocka_unit_test(quitting_says_admin_down_before_it_is_over),
    cmocka_unit_test(an_engine_without_sessions_quits_at_once),
    cmocka_unit_test(new_intervals_are_told_by_a_poll_sequence),
    cmocka_unit_test(a_poll_of_the_peer_is_answered_at_once),
    cmocka_unit_test(a_peer_that_restarts_is_found_by_its_address),
    cmocka_unit_test(what_is_refused_is_counted_by_its_reason),
    cmocka_unit_test(snapshots_come_in_pages_of_256),
    cmocka_unit_test(ids_nobody_knows_are_ignored),
    cmocka_unit_test(a_session_that_cannot_send_counts_it_and_goes_on),
    cmocka_unit_test(losing_the_path_is_noted_and_nothing_is_sent_any_more),
  };

  return cmocka_run_group_tests(tests, draw_addresses, NULL);
}
