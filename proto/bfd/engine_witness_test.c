/* proto/bfd/engine_witness_test.c: the reports of an engine on sessions that leave Up, and what they rest on
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/bfd/engine_host.h"
#include "proto/bfd/verdict.h"

#define DOWNS_MAX 4
#define DETECTION BT_MS(600) /* of a peer that is to fall silent: 30 intervals */

/* What an engine told. */
struct told
{
  uint downs, lates, notes;
  struct bfd_down down[DOWNS_MAX];
  struct bfd_late late;
  btime lag; /* the last one */
};

static void
tell(struct told *t, const struct bfd_msg *m)
{
  if (m->kind == BFD_DOWN_REPORT)
  {
    assert_true(t->downs < DOWNS_MAX);
    t->down[t->downs++] = *(const struct bfd_down *) m;
  }
  else if (m->kind == BFD_LATE_REPORT)
  {
    t->late = *(const struct bfd_late *) m;
    t->lates++;
  }
  else
  {
    assert_int_equal(m->kind, BFD_LAG_REPORT);
    t->lag = ((const struct bfd_lag *) m)->late;
  }
}

/* All that it has told up to now goes into @t. The caller frees the snapshot, taken after that. */
static struct bfd_snapshot *
gather(struct host *h, struct told *t)
{
  struct bfd_snapshot_cmd *cmd = msg_alloc(sizeof(*cmd));
  struct bfd_msg *m;

  cmd->max = BFD_SNAPSHOT_MAX;
  post(h, BFD_SNAPSHOT, &cmd->msg);
  while ((m = host_take_any(h, LIMIT)) && m->kind != BFD_SNAPSHOT_REPLY)
    if (m->kind == BFD_NOTE)
    {
      t->notes++;
      post(h, BFD_NOTE, m);
    }
    else
    {
      tell(t, m);
      msg_free(m);
    }
  assert_non_null(m);
  return (struct bfd_snapshot *) m;
}

/* Of the only session there is, once it has accepted @rx packets. */
static struct bfd_info
gather_until_rx(struct host *h, struct told *t, u64 rx)
{
  for (btime end = clock_now() + LIMIT; clock_now() < end; usleep(2000))
  {
    struct bfd_snapshot *snap = gather(h, t);
    struct bfd_info info = snap->info[0];

    assert_int_equal(snap->count, 1);
    msg_free(snap);
    if (info.counters.rx >= rx)
      return info;
  }
  fail_msg("the packets were not accepted");
  return (struct bfd_info){ 0 };
}

/* Of the engine, once it has read @rx packets. */
static struct bfd_engine_stats
gather_until_read(struct host *h, struct told *t, u64 rx)
{
  struct bfd_engine_stats stats = { 0 };

  for (btime end = clock_now() + LIMIT; stats.rx < rx && clock_now() < end; usleep(2000))
  {
    struct bfd_snapshot *snap = gather(h, t);

    stats = snap->stats;
    msg_free(snap);
  }
  assert_true(stats.rx >= rx);
  return stats;
}

static void
gather_until_down(struct host *h, struct told *t, uint count)
{
  for (btime end = clock_now() + LIMIT; t->downs < count && clock_now() < end; usleep(2000))
    msg_free(gather(h, t));
  assert_int_equal(t->downs, count);
}

static void
start_up(struct host *h, struct peer *p)
{
  start_one(h, p, 7);
  bring_up(h, p, 7);
}

/* The last packet of a peer that gives the next one DETECTION. */
static void
peer_last(struct peer *p)
{
  struct bfd_packet pkt = peer_packet(p, BFD_UP, 0);

  pkt.detect_mult = DETECTION / pkt.min_tx;
  peer_send(p, pkt);
}

/* Had this machine troubles of its own that would explain a silence? Ends the test, then. */
static void
need_quiet(struct host *h, struct peer *p, const struct bfd_evidence *ev)
{
  if (ev->stall < DETECTION / 2 && !ev->dropped)
    return;
  end_one(h, p);
  print_message("the machine is too busy\n");
  skip();
}

/* Silent, and what comes after */

static void
fall_silent(struct host *h, struct peer *p, struct told *t)
{
  start_up(h, p);
  peer_last(p);
  gather_until_down(h, t, 1);
  need_quiet(h, p, &t->down[0].evidence);
  assert_int_equal(bfd_judge(&t->down[0].evidence), BFD_VERDICT_SILENT);
}

static void
a_silent_peer_is_called_that_and_the_evidence_is_told(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };

  fall_silent(&h, &p, &t);

  const struct bfd_evidence *ev = &t.down[0].evidence;
  struct bfd_info info = gather_until_rx(&h, &t, 0);

  assert_true(t.down[0].id == 7);
  assert_int_equal(ev->state, BFD_DOWN);
  assert_int_equal(ev->diag, BFD_DIAG_TIMEOUT);
  assert_int_equal(ev->remote_state, BFD_UP); /* what it said last, though that is forgotten now */
  assert_int_equal(ev->remote_diag, BFD_DIAG_NONE);
  assert_true(ev->detection == DETECTION);
  assert_true(ev->patience == BT_S(1));
  assert_in_range(ev->silence, DETECTION, DETECTION + BT_S(10));
  assert_in_range(ev->up, ev->silence, ev->silence + BT_S(30));
  assert_false(ev->restarted);
  assert_int_equal(ev->refused, 0);
  assert_true(t.down[0].at == info.since);
  assert_int_equal(t.lates, 0);
  end_one(&h, &p);
}

static void
a_peer_that_had_gone_on_was_late_and_that_is_said_once(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };
  struct bfd_info info;

  fall_silent(&h, &p, &t);
  info = gather_until_rx(&h, &t, 0);
  for (uint i = 1; i <= 3; i++)
  {
    peer_say(&p, BFD_UP, 0);
    gather_until_rx(&h, &t, info.counters.rx + i);
    assert_int_equal(t.lates, 1);
  }
  assert_true(t.late.id == 7 && t.late.at == t.down[0].at);
  assert_in_range(t.late.late, 0, BT_S(30));
  assert_int_equal(t.downs, 1);
  end_one(&h, &p);
}

static void
a_peer_that_comes_back_with_down_was_silent(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };
  struct bfd_info info;

  fall_silent(&h, &p, &t);
  info = gather_until_rx(&h, &t, 0);
  peer_say(&p, BFD_DOWN, 0);
  gather_until_rx(&h, &t, info.counters.rx + 1);
  peer_say(&p, BFD_UP, 0); /* this one is no news of the time before */
  info = gather_until_rx(&h, &t, info.counters.rx + 2);
  assert_int_equal(t.lates, 0);
  end_one(&h, &p);
}

/* Others */

static struct bfd_down
peer_says(struct host *h, struct peer *p, struct bfd_packet pkt)
{
  struct told t = { 0 };

  peer_send(p, pkt);
  gather_until_down(h, &t, 1);
  assert_int_equal(t.down[0].evidence.remote_state, pkt.state);
  assert_int_equal(t.down[0].evidence.remote_diag, pkt.diag);
  return t.down[0];
}

static void
a_peer_that_says_down_is_quoted(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_packet pkt;
  struct bfd_down down;

  start_up(&h, &p);
  pkt = peer_packet(&p, BFD_DOWN, 0);
  pkt.diag = BFD_DIAG_FORWARDING_RESET;
  down = peer_says(&h, &p, pkt);
  assert_int_equal(bfd_judge(&down.evidence), BFD_VERDICT_PEER);
  assert_int_equal(down.evidence.diag, BFD_DIAG_NEIGHBOR_DOWN);
  assert_false(down.evidence.restarted);
  end_one(&h, &p);
}

static void
a_peer_with_another_discriminator_has_restarted(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_down down;

  start_up(&h, &p);
  p.disc++;
  p.heard.my_disc = 0; /* it does not know ours */
  down = peer_says(&h, &p, peer_packet(&p, BFD_DOWN, 0));
  assert_int_equal(bfd_judge(&down.evidence), BFD_VERDICT_PEER);
  assert_true(down.evidence.restarted);
  end_one(&h, &p);
}

/* Stall the engine; what comes is read afterwards. */
static void
begin_stall(struct host *h, btime length)
{
  int pipefd[2];
  char c;

  assert_return_code(pipe(pipefd), errno);
  h->stall = length;
  h->stalled = pipefd[1];
  mailbox_post(h->stalls, msg_alloc(sizeof(struct msg)));
  assert_int_equal(read(pipefd[0], &c, 1), 1);
  close(pipefd[0]);
  close(pipefd[1]);
}

static void
a_peer_that_heard_nothing_while_we_stalled_is_not_to_blame(void **ctx UNUSED)
{
  const btime length = BT_MS(700); /* of its patience of 1 s */
  struct host h;
  struct peer p;
  struct bfd_packet pkt;
  struct bfd_down down;

  start_up(&h, &p);
  pkt = peer_packet(&p, BFD_DOWN, 0);
  pkt.diag = BFD_DIAG_TIMEOUT;
  begin_stall(&h, length);
  down = peer_says(&h, &p, pkt);
  assert_int_equal(bfd_judge(&down.evidence), BFD_VERDICT_STALLED);
  assert_in_range(down.evidence.stall, length - BT_MS(50), length + BT_S(10));
  assert_true(down.evidence.patience == BT_S(1));
  end_one(&h, &p);
}

static void
a_short_stall_is_no_excuse(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_packet pkt;
  struct bfd_down down;

  start_up(&h, &p);
  pkt = peer_packet(&p, BFD_DOWN, 0);
  pkt.diag = BFD_DIAG_TIMEOUT;
  begin_stall(&h, BT_MS(100));
  down = peer_says(&h, &p, pkt);
  if (MAX(down.evidence.stall, down.evidence.run_delay) < BT_MS(500))
    assert_int_equal(bfd_judge(&down.evidence), BFD_VERDICT_PEER);
  assert_true(down.evidence.stall >= BT_MS(50));
  end_one(&h, &p);
}

/* It is authenticated, and nothing was agreed on. */
static void
peer_send_refused(struct peer *p)
{
  struct bfd_packet pkt = peer_packet(p, BFD_UP, 0);
  byte data[BFD_PACKET_MAX] = { [BFD_PACKET_SIZE] = BFD_AUTH_SIMPLE, 4, 1, 'x' };

  bfd_packet_encode(&pkt, data);
  bfd_packet_add_auth(data, 4);
  peer_send_bytes(p, data, BFD_PACKET_SIZE + 4);
}

static void
refused_packets_are_counted_since_the_last_accepted_one(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };

  uint mult;

  start_up(&h, &p);
  mult = DETECTION / peer_packet(&p, BFD_UP, 0).min_tx;
  for (uint i = 0; i < 2 + mult; i++)
    if (i == 1)
      peer_last(&p);
    else
      peer_send_refused(&p);
  gather_until_down(&h, &t, 1);

  const struct bfd_evidence *ev = &t.down[0].evidence;

  assert_int_equal(ev->refused, mult);
  assert_int_equal(ev->refused_why, BFD_RX_AUTH);
  need_quiet(&h, &p, ev);
  assert_int_equal(bfd_judge(&t.down[0].evidence), BFD_VERDICT_REFUSED);
  end_one(&h, &p);
}

static void
what_the_kernel_dropped_at_our_socket_may_have_been_the_peers(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };

  host_start(&h);
  host_listen(&h, BFD_MULTIHOP, 1);
  peer_open(&p, &h, BFD_MULTIHOP);
  command(&h, BFD_ADD, session_for(&h, 7, BFD_MULTIHOP, p.addr));
  bring_up(&h, &p, 7);
  peer_last(&p);
  usleep(50000);
  begin_stall(&h, BT_MS(50));
  for (uint i = 0; i < 200; i++)
    peer_send_bytes(&p, (const byte *) "rubbish", 7);
  gather_until_down(&h, &t, 1);

  const struct bfd_evidence *ev = &t.down[0].evidence;

  assert_in_range(ev->dropped, 1, 200);
  if (MAX(ev->stall, ev->run_delay) < DETECTION / 2)
    assert_int_equal(bfd_judge(&t.down[0].evidence), BFD_VERDICT_DROPPED);
  end_one(&h, &p);
}

static void
an_administrative_end_is_told_from_a_failure(void **ctx UNUSED)
{
  for (uint here = 0; here < 2; here++)
  {
    struct host h;
    struct peer p;
    struct told t = { 0 };

    start_up(&h, &p);
    if (here)
    {
      struct bfd_cmd cmd = session_for(&h, 7, BFD_MULTIHOP, p.addr);

      cmd.params.admin_down = true;
      command(&h, BFD_CHANGE, cmd);
    }
    else
      peer_say(&p, BFD_ADMIN_DOWN, 0);
    gather_until_down(&h, &t, 1);
    assert_int_equal(bfd_judge(&t.down[0].evidence), BFD_VERDICT_ADMIN);
    assert_int_equal(t.down[0].evidence.state, here ? BFD_ADMIN_DOWN : BFD_DOWN);
    assert_int_equal(t.down[0].evidence.remote_state, here ? BFD_UP : BFD_ADMIN_DOWN);
    end_one(&h, &p);
  }
}

static void
a_session_that_is_removed_is_no_event(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };
  struct bfd_engine_stats stats;

  start_up(&h, &p);
  stats = gather_until_read(&h, &t, 4);
  command(&h, BFD_REMOVE, (struct bfd_cmd){ .id = 7 });
  peer_hear_state(&p, BFD_ADMIN_DOWN);
  peer_say(&p, BFD_UP, 0);
  peer_say(&p, BFD_DOWN, 0);
  gather_until_read(&h, &t, stats.rx + 2);
  assert_int_equal(t.downs + t.lates, 0);
  end_one(&h, &p);
}

/* Stalls and silence */

static void
small_delays_do_not_hide_a_great_one(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };
  struct bfd_packet pkt;

  start_up(&h, &p);
  pkt = peer_packet(&p, BFD_DOWN, 0);
  pkt.diag = BFD_DIAG_TIMEOUT;
  begin_stall(&h, BT_MS(700));
  usleep(BT_MS(700));
  for (uint i = 0; i < 14; i++)
  {
    usleep(10000);
    peer_send(&p, peer_packet(&p, BFD_UP, 0));
    begin_stall(&h, BT_MS(15));
  }
  peer_send(&p, pkt);
  gather_until_down(&h, &t, 1);
  assert_int_equal(bfd_judge(&t.down[0].evidence), BFD_VERDICT_STALLED);
  end_one(&h, &p);
}

static void
our_lateness_is_told_when_it_grows_and_once_a_second(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };
  btime start, end;

  start_up(&h, &p);
  begin_stall(&h, BT_MS(400));
  start = clock_now();
  for (uint i = 0; i < 5; i++)
  {
    begin_stall(&h, BT_MS(30));
    usleep(40000);
  }
  msg_free(gather(&h, &t));
  if (clock_now() - start < BT_MS(1300)) /* it was told after 400 ms */
    assert_in_range(t.lag, BT_MS(300), BT_S(10));
  usleep(BT_S(1));
  for (end = clock_now() + LIMIT; t.lag > BT_MS(300) && clock_now() < end; msg_free(gather(&h, &t)))
    begin_stall(&h, BT_MS(30));
  assert_in_range(t.lag, BT_MS(2), BT_MS(300));
  end_one(&h, &p);
}

static void
a_peer_that_is_silent_for_what_it_was_given_back_as_well_is_silent(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };

  start_up(&h, &p);
  peer_send(&p, peer_packet(&p, BFD_UP, 0));
  begin_stall(&h, BT_MS(600)); /* of 1 s */
  gather_until_down(&h, &t, 1);
  assert_true(t.down[0].evidence.silence > BT_MS(1500));
  assert_int_not_equal(bfd_judge(&t.down[0].evidence), BFD_VERDICT_STALLED);
  end_one(&h, &p);
}

/* The path failed, and this peer has more patience than we have. */
static void
a_packet_that_was_sent_after_an_outage_is_not_late(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };
  struct bfd_info info;

  fall_silent(&h, &p, &t);
  info = gather_until_rx(&h, &t, 0);
  usleep(DETECTION + BT_MS(300));
  peer_say(&p, BFD_UP, 0);
  gather_until_rx(&h, &t, info.counters.rx + 1);
  assert_int_equal(t.lates, 0);
  end_one(&h, &p);
}

static void
what_was_dropped_at_another_port_was_not_the_peers(void **ctx UNUSED)
{
  struct host h;
  struct peer p, q;
  struct told t = { 0 };

  start_up(&h, &p);
  host_listen(&h, BFD_DIRECT, 1);
  peer_open(&q, &h, BFD_DIRECT);
  peer_last(&p);
  usleep(30000);
  begin_stall(&h, BT_MS(50));
  for (uint i = 0; i < 200; i++)
    peer_send_bytes(&q, (const byte *) "rubbish", 7);
  gather_until_down(&h, &t, 1);
  assert_int_equal(t.down[0].evidence.dropped, 0);
  close(q.fd);
  end_one(&h, &p);
}

static void
the_complaint_of_a_peer_far_away_is_explained_as_well(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct told t = { 0 };
  struct bfd_packet pkt;

  start_up(&h, &p);
  pkt = peer_packet(&p, BFD_DOWN, 0);
  pkt.diag = BFD_DIAG_TIMEOUT;
  begin_stall(&h, BT_MS(1100)); /* its patience is 1 s */
  usleep(BT_MS(1100));
  for (uint i = 0; i < 15; i++) /* 300 ms on the way */
  {
    peer_send(&p, peer_packet(&p, BFD_UP, 0));
    usleep(20000);
  }
  peer_send(&p, pkt);
  gather_until_down(&h, &t, 1);
  assert_int_equal(bfd_judge(&t.down[0].evidence), BFD_VERDICT_STALLED);
  end_one(&h, &p);
}

/* Arrivals */

static uint
in_buckets(const struct bfd_arrivals *a)
{
  uint sum = 0;

  for (uint i = 0; i < BFD_GAP_BUCKETS; i++)
    sum += a->bucket[i];
  return sum;
}

static void
arrivals_begin_anew_with_each_up_and_end_with_it(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  u64 rx = 0;

  start_one(&h, &p, 7);
  for (uint round = 0; round < 2; round++)
  {
    struct told t = { 0 };
    uint more = 5 + round;
    struct bfd_info info;

    if (round)
      peer_catch_up(&p);
    bring_up(&h, &p, 7);
    info = gather_until_rx(&h, &t, rx += 4); /* Down, Up, and after that two while Up */
    assert_int_equal(info.arrivals.count, 2);
    for (uint i = 0; i < more; i++)
    {
      usleep(2000);
      peer_say(&p, BFD_UP, 0);
    }
    info = gather_until_rx(&h, &t, rx += more);
    assert_int_equal(info.arrivals.count, 2 + more);
    assert_int_equal(in_buckets(&info.arrivals), 2 + more);
    assert_true(info.arrivals.largest >= 2000);
    assert_int_equal(info.arrivals.interval, 20000);

    peer_say(&p, BFD_DOWN, 0); /* the session goes Down, so its gap is none of Up */
    rx++;
    gather_until_down(&h, &t, 1);
    assert_int_equal(t.down[0].evidence.arrivals.count, 2 + more);
    info = gather_until_rx(&h, &t, rx);
    assert_int_equal(info.arrivals.count, 2 + more);
  }
  end_one(&h, &p);
}

/* Many at once */

static void
sessions_that_go_in_one_tick_are_told_of_one_by_one(void **ctx UNUSED)
{
  struct host h;
  struct peer p[2];
  struct told t = { 0 };
  struct bfd_snapshot *snap;

  start_one(&h, &p[0], 7);
  bring_up(&h, &p[0], 7);
  peer_open(&p[1], &h, BFD_MULTIHOP);
  command(&h, BFD_ADD, session_for(&h, 8, BFD_MULTIHOP, p[1].addr));
  bring_up(&h, &p[1], 8);
  begin_stall(&h, BT_MS(20)); /* so that one round finds both */
  for (uint i = 0; i < 2; i++)
  {
    struct bfd_cmd cmd = session_for(&h, 7 + i, BFD_MULTIHOP, p[i].addr);

    cmd.path.usable = false;
    command(&h, BFD_CHANGE, cmd);
  }
  gather_until_down(&h, &t, 2);
  for (uint i = 0; i < 2; i++)
  {
    assert_true(t.down[i].id == 7 + i);
    assert_true(t.down[i].at == t.down[0].at);
    assert_int_equal(bfd_judge(&t.down[i].evidence), BFD_VERDICT_LINK);
    assert_int_equal(t.down[i].evidence.remote_state, BFD_UP);
  }
  snap = gather(&h, &t);
  assert_int_equal(t.downs, 2);
  msg_free(snap);
  close(p[1].fd);
  end_one(&h, &p[0]);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(small_delays_do_not_hide_a_great_one),
    cmocka_unit_test(our_lateness_is_told_when_it_grows_and_once_a_second),
    cmocka_unit_test(a_peer_that_is_silent_for_what_it_was_given_back_as_well_is_silent),
    cmocka_unit_test(a_packet_that_was_sent_after_an_outage_is_not_late),
    cmocka_unit_test(what_was_dropped_at_another_port_was_not_the_peers),
    cmocka_unit_test(the_complaint_of_a_peer_far_away_is_explained_as_well),
    cmocka_unit_test(a_silent_peer_is_called_that_and_the_evidence_is_told),
    cmocka_unit_test(a_peer_that_had_gone_on_was_late_and_that_is_said_once),
    cmocka_unit_test(a_peer_that_comes_back_with_down_was_silent),
    cmocka_unit_test(a_peer_that_says_down_is_quoted),
    cmocka_unit_test(a_peer_with_another_discriminator_has_restarted),
    cmocka_unit_test(a_peer_that_heard_nothing_while_we_stalled_is_not_to_blame),
    cmocka_unit_test(a_short_stall_is_no_excuse),
    cmocka_unit_test(refused_packets_are_counted_since_the_last_accepted_one),
    cmocka_unit_test(what_the_kernel_dropped_at_our_socket_may_have_been_the_peers),
    cmocka_unit_test(an_administrative_end_is_told_from_a_failure),
    cmocka_unit_test(a_session_that_is_removed_is_no_event),
    cmocka_unit_test(arrivals_begin_anew_with_each_up_and_end_with_it),
    cmocka_unit_test(sessions_that_go_in_one_tick_are_told_of_one_by_one),
  };

  return cmocka_run_group_tests(tests, draw_addresses, NULL);
}
