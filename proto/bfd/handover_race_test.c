/*
 * proto/bfd/handover_race_test.c: what may meet while sessions change hands
 *
 * Three engines with a group of sockets, as an instance has them; the test is the main loop and, packet by
 * packet, the peer. Engines are stopped where the order of things matters, so each is the same every time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "proto/bfd/auth_ring.h"
#include "proto/bfd/engine_host.h"
#include "proto/bfd/packet.h"

#define ENGINES 3
#define FIRST 6  /* belongs to the first engine, however many there are */
#define SECOND 7 /* to the second one of two or three, and the first one when it is alone */
#define THIRD 8  /* to the third one of three, and the first one of two */
#define OTHER 13 /* as the second, of a peer that says nothing */
#define STEER_OFFSET 8
#define SOME 20 /* packets */

struct trio
{
  struct host h[ENGINES];
  int fd[ENGINES];
  struct peer p;
  uint present, count;
  int stalled[2];
  struct bfd_note *note[SOME]; /* that came while nobody knew where their sessions are */
  uint notes;
};

/* The main loop */

static void
open_group(struct trio *x, uint count)
{
  struct udp_listen how = { .port = BFD_PORT_MULTIHOP, .local = x->h[0].addr, .receive_buffer = 8 << 20 };

  for (uint i = 0; i < count; i++)
  {
    struct bfd_listen_cmd *cmd;

    how.group = i > 0;
    x->fd[i] = udp_listen_open(&how);
    if (x->fd[i] < 0)
    {
      for (uint k = 0; k < x->present; k++)
        host_end(&x->h[k]);
      print_message("no BFD port to listen on: %s\n", strerror(-x->fd[i]));
      skip();
    }
    udp_group_join(x->fd[0]);
    cmd = msg_alloc(sizeof(*cmd));
    cmd->id = 1;
    cmd->hop = BFD_MULTIHOP;
    cmd->fd = x->fd[i];
    post(&x->h[i], BFD_LISTEN, &cmd->msg);
  }
}

/* From now on packets come to the first @count engines. */
static void
steer(const struct trio *x, uint count)
{
  assert_int_equal(udp_group_steer(x->fd[0], STEER_OFFSET, count), 0);
}

static void
tell(struct trio *x, uint i, uint count, bool settled)
{
  struct bfd_team_cmd *cmd = msg_alloc(sizeof(*cmd));

  *cmd = (struct bfd_team_cmd){ .self = i, .count = count, .present = x->present, .settled = settled };
  for (uint k = 0; k < x->present; k++)
    cmd->mailbox[k] = x->h[k].commands;
  post(&x->h[i], BFD_TEAM, &cmd->msg);
}

static void
answered(struct trio *x, uint i)
{
  struct bfd_msg *m;

  while ((m = host_take(&x->h[i], LIMIT)) && m->kind == BFD_NOTE)
  {
    assert_true(x->notes < SOME);
    x->note[x->notes++] = (struct bfd_note *) m;
  }
  assert_non_null(m);
  assert_int_equal(m->kind, BFD_TEAM_DONE);
  msg_free(m);
}

static struct host *
owner(struct trio *x, u64 id)
{
  return &x->h[bfd_engine_of(bfd_id_disc(id), x->count)];
}

static void
notes_back(struct trio *x)
{
  while (x->notes)
  {
    struct bfd_note *note = x->note[--x->notes];

    post(owner(x, note->id), BFD_NOTE, &note->msg);
  }
}

static void
tell_all(struct trio *x, uint count, bool settled)
{
  for (uint i = 0; i < x->present; i++)
    tell(x, i, count, settled);
  for (uint i = 0; i < x->present; i++)
    answered(x, i);
}

/* All the way, as team.c does it, but for the end of engines. */
static void
change(struct trio *x, uint count)
{
  tell_all(x, count, false);
  x->count = count;
  notes_back(x);
  steer(x, count);
  tell_all(x, count, true);
  notes_back(x);
}

static void
start(struct trio *x, uint present, uint count)
{
  *x = (struct trio){ .present = present, .count = count };
  for (uint i = 0; i < present; i++)
    host_start(&x->h[i]);
  open_group(x, present);
  peer_open(&x->p, &x->h[0], BFD_MULTIHOP);
  assert_return_code(pipe(x->stalled), errno);
}

static void
start_settled(struct trio *x, uint present, uint count)
{
  start(x, present, count);
  change(x, count);
}

static void
end(struct trio *x)
{
  notes_back(x);
  for (uint i = 0; i < x->present; i++)
    if (!x->h[i].quit)
      host_quit(&x->h[i]);
  for (uint i = 0; i < x->present; i++)
    host_end(&x->h[i]);
  close(x->stalled[0]);
  close(x->stalled[1]);
  close(x->p.fd);
}

/* Engine @i does nothing for that time, which has begun when this returns. */
static void
stop_engine(struct trio *x, uint i, btime time)
{
  char c;

  x->h[i].stall = time;
  x->h[i].stalled = x->stalled[1];
  mailbox_post(x->h[i].stalls, msg_alloc(sizeof(struct msg)));
  assert_int_equal(read(x->stalled[0], &c, 1), 1);
}

static struct bfd_cmd
session(const struct trio *x, u64 id)
{
  struct bfd_cmd cmd = session_for(&x->h[0], id, BFD_MULTIHOP, x->p.addr);

  cmd.params.idle_tx = 300000; /* slow enough to do something between two packets */
  return cmd;
}

static void
add_up(struct trio *x, u64 id)
{
  struct host *h = owner(x, id);

  command(h, BFD_ADD, session_for(&x->h[0], id, BFD_MULTIHOP, x->p.addr));
  bring_up(h, &x->p, id);
}

/* A session that keeps the clock of engine @i going, and hears nothing. */
static void
add_other(struct trio *x, uint i)
{
  command(&x->h[i], BFD_ADD, session_for(&x->h[0], OTHER, BFD_MULTIHOP, fresh_address()));
}

/* Session @id as engine @i knows it; false: it does not. */
static bool
look(struct trio *x, uint i, u64 id, struct bfd_info *info, struct bfd_engine_stats *stats)
{
  struct bfd_snapshot *snap = host_snapshot_from(&x->h[i], 0);
  bool found = false;

  for (uint k = 0; k < snap->count; k++)
    if (snap->info[k].id == id)
    {
      found = true;
      if (info)
        *info = snap->info[k];
    }
  if (stats)
    *stats = snap->stats;
  msg_free(snap);
  return found;
}

static u64
strangers(struct trio *x)
{
  struct bfd_engine_stats stats;
  u64 sum = 0;

  for (uint i = 0; i < x->present; i++)
  {
    look(x, i, 0, NULL, &stats);
    sum += stats.refused[BFD_RX_NO_SESSION];
  }
  return sum;
}

static void
say_some(struct trio *x, uint count)
{
  for (uint i = 0; i < count; i++)
    peer_say(&x->p, BFD_UP, 0);
}

/* Until the session has got so many. */
static struct bfd_info
wait_at_least(struct trio *x, u64 id, u64 count)
{
  struct bfd_info info = { 0 };
  btime until = clock_now() + BT_S(5);
  uint i = bfd_engine_of(bfd_id_disc(id), x->count);

  do
    assert_true(look(x, i, id, &info, NULL));
  while (info.counters.rx < count && clock_now() < until);
  assert_true(info.counters.rx >= count);
  return info;
}

/* And no more. */
static struct bfd_info
wait_received(struct trio *x, u64 id, u64 count)
{
  struct bfd_info info = wait_at_least(x, id, count);

  assert_int_equal(info.counters.rx, count);
  return info;
}

/* Sessions that are on their way */

static void
no_packet_is_lost_on_the_way(void **ctx UNUSED)
{
  static const uint counts[] = { 2, 3, 1, 3, 2, 1, 2 };
  struct trio x;
  struct bfd_info info;
  u64 received;

  start_settled(&x, ENGINES, 1);
  add_up(&x, SECOND);
  peer_catch_up(&x.p);
  assert_true(look(&x, 0, SECOND, &info, NULL));
  received = info.counters.rx;
  for (uint i = 0; i < ARRAY_SIZE(counts); i++)
  {
    say_some(&x, SOME);
    change(&x, counts[i]);
    say_some(&x, SOME);
    received += 2 * SOME;
    info = wait_received(&x, SECOND, received);
    assert_int_equal(info.status.state, BFD_UP);
    assert_int_equal(info.counters.ups, 1);
    assert_int_equal(downs(&info), 0);
  }
  assert_int_equal(strangers(&x), 0);
  end(&x);
}

/* The kernel sends its packets to the new owner, which has not taken it yet. */
static void
packets_may_come_before_their_session(void **ctx UNUSED)
{
  struct trio x;

  start_settled(&x, 2, 1);
  add_up(&x, SECOND);
  add_other(&x, 1);
  tell(&x, 1, 2, false);
  answered(&x, 1);
  stop_engine(&x, 1, BT_MS(200));
  tell(&x, 0, 2, false);
  answered(&x, 0);
  steer(&x, 2);
  x.count = 2;
  say_some(&x, SOME);
  assert_true(look(&x, 1, SECOND, NULL, NULL));
  assert_int_equal(strangers(&x), 0);
  end(&x);
}

/* Its new owner hung while it was on its way, and its peer was heard all the time. */
static void
nobody_is_silent_who_was_heard_while_the_new_owner_hung(void **ctx UNUSED)
{
  struct trio x;
  struct bfd_info info;

  start_settled(&x, 2, 1);
  add_up(&x, SECOND);
  stop_engine(&x, 1, BT_MS(1500)); /* and a detection time is 1 s */
  for (uint i = 0; i < 2; i++)
    tell(&x, i, 2, false);
  answered(&x, 0);
  for (btime until = clock_now() + BT_MS(1500); clock_now() < until; usleep(50000))
    peer_say(&x.p, BFD_UP, 0); /* which the former owner hands on */
  answered(&x, 1);
  x.count = 2;
  notes_back(&x);
  assert_true(look(&x, 1, SECOND, &info, NULL));
  assert_int_equal(info.status.state, BFD_UP);
  assert_int_equal(downs(&info), 0);
  assert_int_equal(strangers(&x), 0);
  end(&x);
}

/* A session comes to an engine that had nothing to do, a little late: that is no reason to spare the peer. */
static void
silence_is_not_excused_by_the_idleness_of_the_new_owner(void **ctx UNUSED)
{
  struct trio x;
  struct bfd_info info;
  btime last;

  start_settled(&x, 2, 1);
  add_up(&x, SECOND);
  peer_say(&x.p, BFD_UP, 0);
  last = clock_now();
  tell(&x, 1, 2, false);
  answered(&x, 1);
  while (clock_now() < last + BT_MS(700)) /* of 1 s */
    usleep(1000);
  stop_engine(&x, 1, BT_MS(60));
  tell(&x, 0, 2, false);
  answered(&x, 0);
  x.count = 2;
  host_wait_state(&x.h[1], SECOND, BFD_DOWN);
  assert_true(clock_now() - last < BT_MS(1400));
  assert_true(look(&x, 1, SECOND, &info, NULL));
  assert_int_equal(info.counters.troubles.stalls, 0);
  end(&x);
}

/* Engines that go */

static void
unlisten(struct trio *x, uint i)
{
  struct bfd_listen_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->id = 1;
  post(&x->h[i], BFD_UNLISTEN, &cmd->msg);
}

/* From two engines to one, with so many packets in the socket that is closed. */
static void
close_one(uint packets)
{
  struct trio x;
  struct bfd_info info;
  u64 received;

  start_settled(&x, 2, 2);
  add_up(&x, SECOND);
  peer_catch_up(&x.p);
  assert_true(look(&x, 1, SECOND, &info, NULL));
  received = info.counters.rx;
  tell_all(&x, 1, false);
  x.count = 1;
  notes_back(&x);
  stop_engine(&x, 1, BT_MS(300));
  say_some(&x, packets);
  steer(&x, 1);
  unlisten(&x, 1);
  tell(&x, 1, 1, false);
  answered(&x, 1);
  wait_received(&x, SECOND, received + packets);
  x.present = 1;
  tell(&x, 0, 1, true);
  answered(&x, 0);
  x.present = 2;
  say_some(&x, SOME);
  wait_received(&x, SECOND, received + packets + SOME);
  assert_int_equal(strangers(&x), 0);
  end(&x);
}

static void
what_lies_in_a_socket_that_is_closed_is_handed_on(void **ctx UNUSED)
{
  close_one(SOME);
}

static void
and_be_it_very_much(void **ctx UNUSED)
{
  close_one(5000);
}

/* Sessions that leave */

static void
a_farewell_goes_on_at_the_new_owner(void **ctx UNUSED)
{
  struct trio x;
  uint heard = 1;

  start_settled(&x, ENGINES, 2);
  command(&x.h[1], BFD_ADD, session(&x, SECOND));
  bring_up(&x.h[1], &x.p, SECOND);
  command(&x.h[1], BFD_REMOVE, (struct bfd_cmd){ .id = SECOND });
  peer_hear_state(&x.p, BFD_ADMIN_DOWN);
  change(&x, 1);
  while (peer_hear_within(&x.p, BT_MS(1000)))
  {
    assert_int_equal(x.p.heard.state, BFD_ADMIN_DOWN);
    heard++;
  }
  assert_int_equal(heard, 3);
  end(&x);
}

/* It goes on with its peer's last word, and a note that comes back under its former id means nothing. */
static void
who_leaves_is_called_back_at_the_new_owner(void **ctx UNUSED)
{
  const u64 again = bfd_id(1, SECOND);
  struct bfd_cmd cmd;
  struct trio x;
  struct bfd_info info;

  start_settled(&x, ENGINES, 2);
  command(&x.h[1], BFD_ADD, session(&x, SECOND));
  bring_up(&x.h[1], &x.p, SECOND);
  x.h[1].hold = true;
  peer_say(&x.p, BFD_DOWN, 0);
  assert_int_equal(host_note(&x.h[1]).status.state, BFD_DOWN);
  command(&x.h[1], BFD_REMOVE, (struct bfd_cmd){ .id = SECOND });
  peer_hear_state(&x.p, BFD_ADMIN_DOWN);
  change(&x, 3);
  change(&x, 1);
  cmd = session(&x, again);
  command(&x.h[0], BFD_ADD, cmd);
  post(&x.h[0], BFD_NOTE, &x.h[1].held->msg);
  x.h[1].held = NULL;
  peer_hear_state(&x.p, BFD_DOWN);
  assert_int_equal(x.p.heard.your_disc, x.p.disc);
  peer_say(&x.p, BFD_UP, 0);
  peer_say(&x.p, BFD_DOWN, 0);
  peer_hear_state(&x.p, BFD_INIT);
  peer_say(&x.p, BFD_UP, 0);
  host_wait_state(&x.h[0], again, BFD_UP);
  assert_true(look(&x, 0, again, &info, NULL));
  assert_false(look(&x, 0, SECOND, NULL, NULL));
  change(&x, 2);
  assert_true(look(&x, 1, again, &info, NULL));
  assert_int_equal(info.status.state, BFD_UP);
  end(&x);
}

static void
another_takes_the_discriminator_of_one_that_leaves(void **ctx UNUSED)
{
  const u64 again = bfd_id(1, SECOND);
  struct bfd_cmd cmd;
  struct trio x;

  start_settled(&x, 2, 2);
  command(&x.h[1], BFD_ADD, session(&x, SECOND));
  bring_up(&x.h[1], &x.p, SECOND);
  command(&x.h[1], BFD_REMOVE, (struct bfd_cmd){ .id = SECOND });
  peer_hear_state(&x.p, BFD_ADMIN_DOWN);
  change(&x, 1);
  cmd = session_for(&x.h[0], again, BFD_MULTIHOP, fresh_address());
  command(&x.h[0], BFD_ADD, cmd);
  assert_true(look(&x, 0, again, NULL, NULL));
  peer_catch_up(&x.p);
  assert_false(peer_hear_within(&x.p, BT_MS(700)));
  change(&x, 2);
  assert_true(look(&x, 1, again, NULL, NULL));
  end(&x);
}

/* Notes */

/* Its note travels while it fails, comes again and moves twice. */
static void
a_failure_is_told_however_often_the_session_moved(void **ctx UNUSED)
{
  struct trio x;
  struct bfd_note note;
  struct bfd_info info;

  start_settled(&x, ENGINES, 2);
  add_up(&x, SECOND);
  x.h[1].hold = true;
  peer_say(&x.p, BFD_DOWN, 0);
  assert_int_equal(host_note(&x.h[1]).status.state, BFD_DOWN);
  peer_say(&x.p, BFD_DOWN, 0);
  peer_hear_state(&x.p, BFD_INIT);
  peer_say(&x.p, BFD_UP, 0);
  peer_hear_state(&x.p, BFD_UP);
  change(&x, 1);
  peer_say(&x.p, BFD_DOWN, 0);
  peer_hear_state(&x.p, BFD_DOWN);
  change(&x, 3);
  peer_say(&x.p, BFD_DOWN, 0);
  peer_hear_state(&x.p, BFD_INIT);
  peer_say(&x.p, BFD_UP, 0);
  peer_hear_state(&x.p, BFD_UP);
  post(&x.h[1], BFD_NOTE, &x.h[1].held->msg);
  x.h[1].held = NULL;
  x.h[1].hold = false;
  note = host_note(&x.h[1]);
  assert_int_equal(note.status.state, BFD_UP);
  assert_true(note.left_up);
  assert_true(note.status.failed);
  assert_true(look(&x, 1, SECOND, &info, NULL));
  assert_int_equal(info.counters.ups, 3);
  assert_int_equal(downs(&info), 2);
  end(&x);
}

/* Questions */

/* The first engine hears of the others before they hear of it, and one of its sessions falls silent. */
static void
whoever_is_asked_answers(void **ctx UNUSED)
{
  struct trio x;

  start(&x, 1, 1);
  add_up(&x, FIRST);
  x.present = 2;
  host_start(&x.h[1]);
  tell(&x, 0, 2, false);
  answered(&x, 0);
  host_wait_state(&x.h[0], FIRST, BFD_DOWN);
  tell(&x, 1, 2, false);
  answered(&x, 1);
  end(&x);
}

/* The team is told anew while a question waits; its answer comes among those to the next one. */
static void
late_answers_confuse_nobody(void **ctx UNUSED)
{
  struct trio x;

  start(&x, 2, 2);
  steer(&x, 2);
  tell_all(&x, 2, false);
  add_up(&x, FIRST);
  for (uint i = 0; i < 2; i++)
  {
    btime begin = clock_now();

    stop_engine(&x, 1, BT_MS(1600));
    while (clock_now() < begin + BT_MS(1200)) /* a detection time is 1 s: it has asked by now */
      usleep(1000);
    assert_true(look(&x, 0, FIRST, NULL, NULL));
    tell(&x, 0, 2, false);
    answered(&x, 0);
    notes_back(&x);
    host_wait_state(&x.h[0], FIRST, BFD_DOWN);
    peer_catch_up(&x.p);
    peer_say(&x.p, BFD_DOWN, 0);
    peer_hear_state(&x.p, BFD_INIT);
    peer_say(&x.p, BFD_UP, 0);
    host_wait_state(&x.h[0], FIRST, BFD_UP);
  }
  host_wait_state(&x.h[0], FIRST, BFD_DOWN);
  end(&x);
}

/* Packets without a discriminator */

static void
first_packets_go_all_the_way_round(void **ctx UNUSED)
{
  static const u32 ids[] = { FIRST, SECOND, THIRD };

  for (uint i = 0; i < ARRAY_SIZE(ids); i++)
    for (uint settled = 0; settled < 2; settled++)
    {
      struct trio x;

      start(&x, ENGINES, ENGINES);
      steer(&x, ENGINES);
      tell_all(&x, ENGINES, settled);
      command(owner(&x, ids[i]), BFD_ADD, session(&x, ids[i]));
      peer_hear(&x.p);
      x.p.heard.my_disc = 0;
      peer_say(&x.p, BFD_DOWN, 0);
      peer_hear_state(&x.p, BFD_INIT);
      assert_int_equal(x.p.heard.your_disc, x.p.disc);
      assert_int_equal(strangers(&x), 0);
      end(&x);
    }
}

/* Who belongs to nobody is refused once, by the engine it would belong to. */
static void
unknown_discriminators_do_not_go_round(void **ctx UNUSED)
{
  struct trio x;
  struct bfd_engine_stats stats;
  u64 sum = 0;

  start_settled(&x, ENGINES, ENGINES);
  steer(&x, 1); /* all come to the first one */
  for (u32 disc = 1; disc <= 300; disc++)
  {
    x.p.heard.my_disc = disc;
    peer_say(&x.p, BFD_UP, 0);
  }
  for (btime until = clock_now() + BT_S(5); sum < 300 && clock_now() < until;)
    sum = strangers(&x);
  assert_int_equal(sum, 300);
  for (uint i = 0; i < ENGINES; i++)
  {
    look(&x, i, 0, NULL, &stats);
    assert_int_equal(stats.refused[BFD_RX_NO_SESSION], 100);
  }
  end(&x);
}

/* Authentication */

static struct bfd_info
wait_keys(struct trio *x, uint i, bool changing)
{
  struct bfd_info info = { 0 };
  btime until = clock_now() + BT_S(5);

  do
    assert_true(look(x, i, SECOND, &info, NULL));
  while (info.auth_changing != changing && clock_now() < until);
  assert_int_equal(info.auth_changing, changing);
  return info;
}

static void
keys_move_with_their_session(void **ctx UNUSED)
{
  FOR_TYPES (t)
  {
    struct trio x;
    struct ring one, two;
    const struct bfd_keys *first = one_key(&one, t, 1, "first"), *second = one_key(&two, t, 2, "second");
    struct bfd_cmd cmd;
    struct bfd_info info;
    u64 received;

    start_settled(&x, ENGINES, 2);
    bfd_auth_init(&x.p.auth, 4711);
    bfd_auth_change(&x.p.auth, first, 0, clock_now());
    cmd = session_for(&x.h[0], SECOND, BFD_MULTIHOP, x.p.addr);
    command_keys(&x.h[1], BFD_ADD, cmd, first);
    bring_up(&x.h[1], &x.p, SECOND);
    assert_true(look(&x, 1, SECOND, &info, NULL));
    steer(&x, 1); /* what is signed is handed over as well */
    say_some(&x, SOME);
    wait_at_least(&x, SECOND, info.counters.rx + SOME); /* or it comes after what is said later */
    steer(&x, 2);

    /* In the middle of a change of keys; the peer follows after the session has moved. */
    cmd.keys_patience = BT_S(300);
    command_keys(&x.h[1], BFD_CHANGE, cmd, second);
    say_some(&x, SOME);
    wait_keys(&x, 1, true);
    change(&x, 1);
    wait_keys(&x, 0, true);
    say_some(&x, SOME);
    bfd_auth_change(&x.p.auth, second, 0, clock_now());
    say_some(&x, SOME);
    received = wait_keys(&x, 0, false).counters.rx;
    change(&x, 3);
    say_some(&x, SOME);
    info = wait_at_least(&x, SECOND, received + SOME);
    assert_int_equal(info.status.state, BFD_UP);
    for (uint i = BFD_RX_OK + 1; i < BFD_RX__MAX; i++)
      assert_int_equal(info.counters.troubles.refused[i], 0);
    end(&x);
  }
}

/* Commands */

static void
commands_find_what_has_moved(void **ctx UNUSED)
{
  struct trio x;
  struct bfd_info info;
  struct bfd_cmd cmd;
  struct bfd_session_cmd *reset;

  start_settled(&x, ENGINES, 2);
  add_up(&x, SECOND);
  x.p.heard.my_disc = SECOND;
  peer_send_bytes(&x.p, (const byte[]){ 0 }, 1); /* goes to the first, as short as it is */
  change(&x, 3);
  change(&x, 1);
  cmd = session_for(&x.h[0], SECOND, BFD_MULTIHOP, x.p.addr);
  cmd.params.min_tx = cmd.params.min_rx = 40000;
  command(&x.h[0], BFD_CHANGE, cmd);
  peer_hear_flag(&x.p, BFD_FLAG_POLL);
  assert_int_equal(x.p.heard.min_tx, 40000);
  peer_say(&x.p, BFD_UP, BFD_FLAG_FINAL);
  reset = msg_alloc(sizeof(*reset));
  reset->id = SECOND;
  post(&x.h[0], BFD_RESET, &reset->msg);
  assert_true(look(&x, 0, SECOND, &info, NULL));
  assert_true(info.counters.rx < SOME);
  assert_int_equal(info.counters.ups, 0);
  cmd.path.usable = false;
  command(&x.h[0], BFD_CHANGE, cmd);
  host_wait_state(&x.h[0], SECOND, BFD_DOWN);
  change(&x, 2);
  assert_true(look(&x, 1, SECOND, &info, NULL));
  assert_true(info.suspended);
  cmd.path.usable = true;
  command(&x.h[1], BFD_CHANGE, cmd);
  peer_catch_up(&x.p);
  peer_hear_state(&x.p, BFD_DOWN);
  command(&x.h[1], BFD_REMOVE, (struct bfd_cmd){ .id = SECOND });
  assert_false(look(&x, 1, SECOND, NULL, NULL));
  end(&x);
}

/* One that is told not to send until it is asked moves with no timer set. */
static void
who_waits_for_the_peer_waits_at_the_new_owner(void **ctx UNUSED)
{
  struct trio x;
  struct bfd_cmd cmd;

  start_settled(&x, 2, 2);
  cmd = session_for(&x.h[0], SECOND, BFD_MULTIHOP, x.p.addr);
  cmd.params.passive = true;
  command(&x.h[1], BFD_ADD, cmd);
  change(&x, 1);
  assert_false(peer_hear_within(&x.p, BT_MS(100)));
  peer_say(&x.p, BFD_DOWN, 0);
  peer_hear_state(&x.p, BFD_INIT);
  peer_say(&x.p, BFD_UP, 0);
  host_wait_state(&x.h[0], SECOND, BFD_UP);
  end(&x);
}

/* All quit while packets are handed over and sessions say goodbye. */
static void
all_quit_in_the_middle_of_it(void **ctx UNUSED)
{
  struct trio x;

  start_settled(&x, ENGINES, 2);
  add_up(&x, SECOND);
  add_other(&x, 1);
  tell_all(&x, 3, false);
  x.count = 3;
  say_some(&x, SOME);
  for (uint i = 0; i < ENGINES; i++)
    post(&x.h[i], BFD_QUIT, msg_alloc(sizeof(struct bfd_msg)));
  say_some(&x, SOME);
  peer_hear_state(&x.p, BFD_ADMIN_DOWN);
  for (uint i = 0; i < ENGINES; i++)
  {
    struct bfd_msg *m;

    while ((m = host_take(&x.h[i], LIMIT)) && m->kind != BFD_STOPPED)
      msg_free(m);
    assert_non_null(m);
    msg_free(m);
    x.h[i].quit = true;
    say_some(&x, SOME);
  }
  while (x.notes)
    msg_free(x.note[--x.notes]);
  end(&x);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(no_packet_is_lost_on_the_way),
    cmocka_unit_test(packets_may_come_before_their_session),
    cmocka_unit_test(nobody_is_silent_who_was_heard_while_the_new_owner_hung),
    cmocka_unit_test(silence_is_not_excused_by_the_idleness_of_the_new_owner),
    cmocka_unit_test(what_lies_in_a_socket_that_is_closed_is_handed_on),
    cmocka_unit_test(and_be_it_very_much),
    cmocka_unit_test(a_farewell_goes_on_at_the_new_owner),
    cmocka_unit_test(who_leaves_is_called_back_at_the_new_owner),
    cmocka_unit_test(another_takes_the_discriminator_of_one_that_leaves),
    cmocka_unit_test(a_failure_is_told_however_often_the_session_moved),
    cmocka_unit_test(whoever_is_asked_answers),
    cmocka_unit_test(late_answers_confuse_nobody),
    cmocka_unit_test(first_packets_go_all_the_way_round),
    cmocka_unit_test(unknown_discriminators_do_not_go_round),
    cmocka_unit_test(keys_move_with_their_session),
    cmocka_unit_test(commands_find_what_has_moved),
    cmocka_unit_test(who_waits_for_the_peer_waits_at_the_new_owner),
    cmocka_unit_test(all_quit_in_the_middle_of_it),
  };

  return cmocka_run_group_tests(tests, draw_addresses, NULL);
}
