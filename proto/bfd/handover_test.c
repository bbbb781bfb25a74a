/*
 * proto/bfd/handover_test.c: two engines share sessions; the first has the socket, as when the kernel does
 * not tell them apart
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/bfd/engine_host.h"

#define SECOND 7 /* of a session of the second one, when there are two */

struct pair
{
  struct host a, b;
  struct peer p;
};

static void
tell_team(struct pair *x, uint count, bool settled)
{
  struct host *hosts[] = { &x->a, &x->b };

  for (uint i = 0; i < 2; i++)
  {
    struct bfd_team_cmd *cmd = msg_alloc(sizeof(*cmd));
    struct bfd_msg *m;

    *cmd = (struct bfd_team_cmd){ .self = i, .count = count, .present = 2, .settled = settled };
    cmd->mailbox[0] = x->a.commands;
    cmd->mailbox[1] = x->b.commands;
    post(hosts[i], BFD_TEAM, &cmd->msg);
    while ((m = host_take(hosts[i], LIMIT)) && m->kind == BFD_NOTE)
      post(hosts[i], BFD_NOTE, m);
    assert_non_null(m);
    assert_int_equal(m->kind, BFD_TEAM_DONE);
    msg_free(m);
  }
}

static void
pair_start(struct pair *x)
{
  host_start(&x->a);
  host_listen(&x->a, BFD_MULTIHOP, 1 << 20);
  host_start(&x->b);
  x->b.addr = x->a.addr;
  peer_open(&x->p, &x->a, BFD_MULTIHOP);
  tell_team(x, 2, false);
}

/* They may have something for each other until both are done. */
static void
pair_end(struct pair *x)
{
  host_quit(&x->a);
  host_quit(&x->b);
  host_end(&x->a);
  host_end(&x->b);
  close(x->p.fd);
}

static void
pair_up(struct pair *x)
{
  pair_start(x);
  command(&x->b, BFD_ADD, session_for(&x->b, SECOND, BFD_MULTIHOP, x->p.addr));
  bring_up(&x->b, &x->p, SECOND);
}

static u64
refused(struct host *h)
{
  struct bfd_engine_stats stats;

  host_info(h, NULL, &stats);
  return stats.refused[BFD_RX_NO_SESSION];
}

static void
packets_find_their_session_at_the_other_engine(void **ctx UNUSED)
{
  struct pair x;
  struct bfd_info info;

  pair_up(&x);
  assert_true(host_info(&x.b, &info, NULL));
  assert_true(info.counters.rx >= 2);
  assert_false(host_info(&x.a, NULL, NULL));
  assert_int_equal(refused(&x.a), 0);
  pair_end(&x);
}

static void
a_session_moves_with_all_it_has(void **ctx UNUSED)
{
  struct pair x;
  struct bfd_info before, after;
  u16 port;

  pair_up(&x);
  assert_true(host_info(&x.b, &before, NULL));
  port = x.p.source;
  tell_team(&x, 1, false);
  assert_false(host_info(&x.b, NULL, NULL));
  assert_true(host_info(&x.a, &after, NULL));
  assert_int_equal(after.status.state, BFD_UP);
  assert_int_equal(after.id, before.id);
  assert_int_equal(after.since, before.since);
  assert_true(after.counters.rx >= before.counters.rx);
  assert_int_equal(after.detection_time, before.detection_time);
  peer_catch_up(&x.p);
  peer_hear(&x.p);
  assert_int_equal(x.p.source, port);

  /* It is told what it is told, and finds out what it is to find out. */
  command(&x.a, BFD_REMOVE, (struct bfd_cmd){ .id = SECOND });
  peer_hear_state(&x.p, BFD_ADMIN_DOWN);
  pair_end(&x);
}

static void
news_that_could_not_be_told_move_along(void **ctx UNUSED)
{
  struct pair x;

  pair_start(&x);
  x.b.hold = true;
  command(&x.b, BFD_ADD, session_for(&x.b, SECOND, BFD_MULTIHOP, x.p.addr));
  peer_hear(&x.p);
  peer_say(&x.p, BFD_DOWN, 0);
  assert_int_equal(host_note(&x.b).status.state, BFD_INIT);
  peer_hear_state(&x.p, BFD_INIT);
  peer_say(&x.p, BFD_UP, 0); /* which cannot be told, for the note is held */
  peer_hear_state(&x.p, BFD_UP);
  tell_team(&x, 1, false);
  post(&x.a, BFD_NOTE, &x.b.held->msg); /* as the main loop does: it knows where the session is */
  x.b.held = NULL;
  assert_int_equal(host_wait_state(&x.a, SECOND, BFD_UP).status.state, BFD_UP);
  pair_end(&x);
}

/* The first engine is stopped while packets come for a session of the second one. */
static void
stall_first(struct pair *x, btime time)
{
  int ends[2];
  char c;

  assert_return_code(pipe(ends), errno);
  x->a.stall = time;
  x->a.stalled = ends[1];
  mailbox_post(x->a.stalls, msg_alloc(sizeof(struct msg)));
  assert_int_equal(read(ends[0], &c, 1), 1);
  for (btime end = clock_now() + time; clock_now() < end; usleep(50000))
    peer_say(&x->p, BFD_UP, 0);
  close(ends[0]);
  close(ends[1]);
}

static void
nobody_is_silent_whose_packets_lie_elsewhere(void **ctx UNUSED)
{
  struct pair x;
  struct bfd_info info;

  pair_up(&x);
  stall_first(&x, BT_MS(1500)); /* and a detection time is 1 s */
  assert_true(host_info(&x.b, &info, NULL));
  assert_int_equal(info.status.state, BFD_UP);
  assert_int_equal(downs(&info), 0);
  pair_end(&x);
}

static void
the_silent_are_found_all_the_same(void **ctx UNUSED)
{
  for (uint settled = 0; settled < 2; settled++)
  {
    struct pair x;
    btime start;

    pair_up(&x);
    tell_team(&x, 2, settled);
    start = clock_now();
    host_wait_state(&x.b, SECOND, BFD_DOWN);
    assert_true(clock_now() - start < BT_S(3));
    pair_end(&x);
  }
}

/* Where each gets its own packets a sibling that hangs is of no concern, after the first question. */
static void
a_team_that_has_settled_waits_for_nobody(void **ctx UNUSED)
{
  struct pair x;

  pair_up(&x);
  tell_team(&x, 2, true);
  host_wait_state(&x.b, SECOND, BFD_DOWN);
  peer_say(&x.p, BFD_DOWN, 0);
  peer_hear_state(&x.p, BFD_INIT);
  peer_say(&x.p, BFD_UP, 0);
  host_wait_state(&x.b, SECOND, BFD_UP);
  stall_first(&x, BT_MS(1500));

  struct bfd_note *note = (struct bfd_note *) host_take(&x.b, 0); /* it has come already */

  assert_non_null(note);
  assert_int_equal(note->status.state, BFD_DOWN);
  assert_int_equal(note->status.diag, BFD_DIAG_TIMEOUT);
  note_give_back(&x.b, note);
  pair_end(&x);
}

static void
strangers_go_round_in_small_numbers_only(void **ctx UNUSED)
{
  enum
  {
    MANY = 3000
  };
  struct pair x;
  struct bfd_engine_stats stats;
  u64 here, there;

  pair_start(&x);
  for (uint i = 0; i < MANY; i++)
    peer_say(&x.p, BFD_DOWN, 0); /* nobody has a session with it */
  do
    host_info(&x.a, NULL, &stats);
  while (stats.rx + stats.dropped < MANY);
  here = refused(&x.a);
  there = refused(&x.b);
  assert_true(there >= 1);
  assert_true(here > there);
  assert_int_equal(here + there, stats.rx);
  pair_end(&x);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(packets_find_their_session_at_the_other_engine),
    cmocka_unit_test(a_session_moves_with_all_it_has),
    cmocka_unit_test(news_that_could_not_be_told_move_along),
    cmocka_unit_test(nobody_is_silent_whose_packets_lie_elsewhere),
    cmocka_unit_test(the_silent_are_found_all_the_same),
    cmocka_unit_test(a_team_that_has_settled_waits_for_nobody),
    cmocka_unit_test(strangers_go_round_in_small_numbers_only),
  };

  return cmocka_run_group_tests(tests, draw_addresses, NULL);
}
