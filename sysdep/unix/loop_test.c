/* sysdep/unix/loop_test.c: timers, descriptors, work and slices, and what callbacks may free */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include "sysdep/unix/loop_fixture.h"

/* --- Timers --- */

#define ALARMS 100

struct alarm
{
  struct alarms *all;
  struct timer *timer;
  btime round, fired; /* when, by the loop's clock and by the real one */
  uint place;         /* how many fired before */
};

struct alarms
{
  struct loop *loop;
  uint fired;
  struct alarm list[ALARMS];
};

static void
alarm_hook(struct timer *t, void *data)
{
  struct alarm *a = data;

  a->round = loop_now(t->loop);
  a->fired = clock_now();
  a->place = a->all->fired++;
  if (a->all->fired == ALARMS)
    loop_stop(t->loop);
}

/* Deadlines @step apart from @first on, set in an order of no kind. */
static void
alarms_set(struct fixture *f, struct alarms *all, btime first, btime step)
{
  *all = (struct alarms){ .loop = f->loop };
  for (uint i = 0; i < ALARMS; i++)
  {
    uint k = i * 37 % ALARMS;

    all->list[k].all = all;
    all->list[k].timer = timer_new(f->pool, f->loop, alarm_hook, &all->list[k]);
    timer_set(all->list[k].timer, first + k * step);
  }
}

static void
timers_are_never_early(void **ctx)
{
  struct fixture *f = *ctx;
  struct alarms all;

  alarms_set(f, &all, clock_now(), 333);
  run(f);
  for (uint i = 0; i < ALARMS; i++)
  {
    assert_true(all.list[i].fired >= all.list[i].timer->e.deadline);
    assert_true(all.list[i].round >= all.list[i].timer->e.deadline);
    assert_false(timer_is_set(all.list[i].timer));
  }
}

static void
no_timer_waits_for_a_round_after_that_of_a_later_one(void **ctx)
{
  struct fixture *f = *ctx;
  struct alarms all;

  alarms_set(f, &all, clock_now(), 250);
  run(f);
  for (uint i = 1; i < ALARMS; i++)
    assert_true(all.list[i - 1].round <= all.list[i].round);
}

static void
a_timer_that_is_moved_fires_once_at_its_new_deadline(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe p = { .f = f, .name = 't', .last = true };
  struct timer *t = timer_new(f->pool, f->loop, timer_hook, &p);
  btime deadline = clock_now() + BT_MS(30);

  timer_set(t, clock_now() + BT_MS(2));
  timer_set(t, deadline);
  run(f);
  assert_string_equal(f->trace, "t");
  assert_true(clock_now() >= deadline);
}

struct mover
{
  struct timer *other;
  btime deadline; /* BT_NEVER: stop it */
};

static void
mover_hook(struct timer *t UNUSED, void *data)
{
  struct mover *m = data;

  if (m->deadline == BT_NEVER)
    timer_stop(m->other);
  else
    timer_set(m->other, m->deadline);
}

static void
a_due_timer_that_another_stops_does_not_fire(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe stopped = { .f = f, .name = 's' }, end = { .f = f, .name = 'e', .last = true };
  struct mover m = { .deadline = BT_NEVER };

  timer_set(timer_new(f->pool, f->loop, mover_hook, &m), 0);
  m.other = due_timer(f, f->pool, &stopped);
  timer_set_in(timer_new(f->pool, f->loop, timer_hook, &end), BT_MS(5));
  run(f);
  assert_string_equal(f->trace, "e");
}

static void
a_due_timer_that_another_moves_fires_then(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe moved = { .f = f, .name = 'm', .last = true };
  struct mover m = { .deadline = clock_now() + BT_MS(10) };

  timer_set(timer_new(f->pool, f->loop, mover_hook, &m), 0);
  m.other = due_timer(f, f->pool, &moved);
  run(f);
  assert_string_equal(f->trace, "m");
  assert_true(clock_now() >= m.deadline);
}

static void
a_timer_may_be_set_again_in_its_hook(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe p = { .f = f, .name = 't', .more = 9, .last = true };

  due_timer(f, f->pool, &p);
  run(f);
  assert_string_equal(f->trace, "tttttttttt");
}

/* A timer that is due at once each time it fires. */
static void
a_restless_timer_does_not_keep_others_waiting(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe restless = { .f = f, .name = 't', .more = 1000000 },
               w = { .f = f, .name = 'w', .more = 3, .last = true };

  due_timer(f, f->pool, &restless);
  queued_work(f, f->pool, LOOP_REST, &w);
  run(f);
  assert_string_equal(f->trace, "twtwtwtw");
}

static void
nearer_hook(struct msg *m, void *data)
{
  msg_free(m);
  timer_set_in(data, BT_MS(1));
}

static void
a_timer_moved_nearer_while_another_is_armed_fires_in_time(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe p = { .f = f, .name = 't', .last = true };
  struct timer *t = timer_new(f->pool, f->loop, timer_hook, &p);

  timer_set_in(t, 2 * LIMIT);
  post_empty(mailbox_new(f->pool, f->loop, nearer_hook, t));
  run(f);
  assert_string_equal(f->trace, "t");
}

static void
now_hook(struct timer *t, void *data)
{
  btime *seen = data;

  seen[0] = loop_now(t->loop);
  spin(BT_MS(2));
  seen[1] = loop_now(t->loop);
  seen[2] = loop_now_fresh(t->loop);
  seen[3] = loop_now(t->loop);
  loop_stop(t->loop);
}

static void
now_stands_still_in_a_round_until_asked_for_afresh(void **ctx)
{
  struct fixture *f = *ctx;
  btime seen[4];

  timer_set(timer_new(f->pool, f->loop, now_hook, seen), 0);
  run(f);
  assert_int_equal(seen[0], seen[1]);
  assert_true(seen[2] >= seen[0] + BT_MS(2));
  assert_int_equal(seen[2], seen[3]);
}

static void
ignore_signal(int number UNUSED)
{
}

static void
a_signal_does_not_disturb_the_loop(void **ctx)
{
  struct fixture *f = *ctx;
  struct sigaction sa = { .sa_handler = ignore_signal }, old;
  struct itimerval every = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
  struct probe p = { .f = f, .name = 't', .last = true };
  btime deadline = clock_now() + BT_MS(30);

  sigaction(SIGALRM, &sa, &old);
  setitimer(ITIMER_REAL, &every, NULL);
  timer_set(timer_new(f->pool, f->loop, timer_hook, &p), deadline);
  run(f);
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGALRM, &old, NULL);
  assert_true(clock_now() >= deadline);
}

/* --- Freeing --- */

/* One object of each kind, all ready in the same round, in a pool that one of them frees. Served: mail,
 * timer, descriptor, work. */
static void
free_all_from(struct fixture *f, char name)
{
  struct probe m = { .f = f, .name = 'm' }, t = { .f = f, .name = 't' }, d = { .f = f, .name = 'd' },
               w = { .f = f, .name = 'w', .more = 1 };
  struct probe end = { .f = f, .name = '.', .last = true };
  struct probe *each[] = { &m, &t, &d, &w };
  pool *inside = pool_new(f->pool, "Victims");

  for (uint i = 0; i < ARRAY_SIZE(each); i++)
    if (each[i]->name == name)
      each[i]->victim = inside;
  post_empty(mailbox_new(inside, f->loop, mail_hook, &m));
  due_timer(f, inside, &t);
  ready_fd(f, inside, LOOP_REST, &d);
  queued_work(f, inside, LOOP_REST, &w);
  queued_work(f, f->pool, LOOP_REST, &end);
  run(f);
}

static void
a_message_hook_may_free_everything(void **ctx)
{
  free_all_from(*ctx, 'm');
  assert_string_equal(((struct fixture *) *ctx)->trace, "m.");
}

static void
a_timer_hook_may_free_everything(void **ctx)
{
  free_all_from(*ctx, 't');
  assert_string_equal(((struct fixture *) *ctx)->trace, "mt.");
}

static void
a_descriptor_hook_may_free_everything(void **ctx)
{
  free_all_from(*ctx, 'd');
  assert_string_equal(((struct fixture *) *ctx)->trace, "mtd.");
}

static void
a_work_hook_may_free_everything(void **ctx)
{
  free_all_from(*ctx, 'w');
  assert_string_equal(((struct fixture *) *ctx)->trace, "mtdw.");
}

/* Two of a kind, ready in the same round; the first frees the second. */
static void
free_second(struct fixture *f, void *(*make)(struct fixture *f, struct probe *probe))
{
  struct probe a = { .f = f, .name = 'a' }, b = { .f = f, .name = 'b' };
  struct probe end = { .f = f, .name = '.', .last = true };

  make(f, &a);
  a.victim = make(f, &b);
  queued_work(f, f->pool, LOOP_REST, &end);
  run(f);
  assert_string_equal(f->trace, "a.");
}

static void *
make_timer(struct fixture *f, struct probe *probe)
{
  return due_timer(f, f->pool, probe);
}

static void *
make_descriptor(struct fixture *f, struct probe *probe)
{
  return ready_fd(f, f->pool, LOOP_CLI, probe);
}

static void *
make_work(struct fixture *f, struct probe *probe)
{
  return queued_work(f, f->pool, LOOP_CLI, probe);
}

static void
a_timer_hook_may_free_another_due_timer(void **ctx)
{
  free_second(*ctx, make_timer);
}

static void
a_descriptor_hook_may_free_another_ready_descriptor(void **ctx)
{
  free_second(*ctx, make_descriptor);
}

static void
a_work_hook_may_free_other_queued_work(void **ctx)
{
  free_second(*ctx, make_work);
}

static void
a_message_hook_may_free_a_mailbox_that_was_served(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe a = { .f = f, .name = 'a' }, b = { .f = f, .name = 'b', .last = true };
  struct mailbox *first = mailbox_new(f->pool, f->loop, mail_hook, &a);

  b.victim = first;
  post_empty(mailbox_new(f->pool, f->loop, mail_hook, &b));
  post_empty(first);
  run(f);
  assert_string_equal(f->trace, "ab");
}

static void
a_message_hook_may_free_the_mailbox_to_be_served_next(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe a = { .f = f, .name = 'a' }, b = { .f = f, .name = 'b' },
               end = { .f = f, .name = '.', .last = true };
  struct mailbox *first = mailbox_new(f->pool, f->loop, mail_hook, &a);
  struct mailbox *second = mailbox_new(f->pool, f->loop, mail_hook, &b);

  a.victim = second;
  post_empty(first);
  post_empty(second);
  queued_work(f, f->pool, LOOP_REST, &end);
  run(f);
  assert_string_equal(f->trace, "a.");
}

static void
freeing_a_descriptor_closes_it(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe p = { .f = f, .name = 'a' };
  struct fd_watch *w = ready_fd(f, f->pool, LOOP_REST, &p);
  int fd = w->fd;

  rfree(w);
  assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* --- Descriptors --- */

static void
count_and_free(struct fd_watch *w, uint ready, void *data)
{
  uint *left = data;

  if (!(ready & FD_READ))
    return;
  if (!--*left)
    loop_stop(w->loop);
  rfree(w);
}

static void
more_descriptors_than_a_round_takes_are_all_served(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe none = { .f = f, .name = '-' };
  uint left = 200;

  for (uint i = 0; i < 200; i++)
  {
    struct fd_watch *w = ready_fd(f, f->pool, LOOP_REST, &none);

    w->hook = count_and_free;
    w->data = &left;
  }
  run(f);
  assert_int_equal(left, 0);
}

static void
descriptors_are_served_by_priority(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe rest = { .f = f, .name = 'r', .last = true }, cli = { .f = f, .name = 'c' },
               first = { .f = f, .name = 'f' };

  ready_fd(f, f->pool, LOOP_REST, &rest);
  ready_fd(f, f->pool, LOOP_CLI, &cli);
  ready_fd(f, f->pool, LOOP_FIRST, &first);
  run(f);
  assert_string_equal(f->trace, "fcr");
}

static void
silence_hook(struct fd_watch *w, uint ready, void *data)
{
  if (ready & FD_READ)
    act(data);
  fd_watch_events(w, 0);
}

static void
speak_again_hook(struct timer *t UNUSED, void *data)
{
  fd_watch_events(data, FD_READ);
}

static void
a_descriptor_is_quiet_while_nothing_is_asked_of_it(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe p = { .f = f, .name = 'd', .more = 1, .last = true }, w = { .f = f, .name = 'w', .more = 9 };
  int ends[2];

  assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  assert_int_equal(write(ends[1], "", 1), 1);
  struct fd_watch *watch = fd_watch_new(f->pool, f->loop, ends[0], FD_READ, LOOP_REST, silence_hook, &p);

  queued_work(f, f->pool, LOOP_REST, &w);
  timer_set_in(timer_new(f->pool, f->loop, speak_again_hook, watch), BT_MS(20));
  run(f);
  close(ends[1]);
  assert_string_equal(f->trace, "dwwwwwwwwwwd");
}

static void
record_ready(struct fd_watch *w, uint ready, void *data)
{
  *(uint *) data |= ready;
  loop_stop(w->loop);
}

static void
a_hang_up_reads_as_readable_whatever_was_asked(void **ctx)
{
  struct fixture *f = *ctx;
  uint ready = 0;
  int ends[2];

  assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  fd_watch_new(f->pool, f->loop, ends[0], 0, LOOP_REST, record_ready, &ready);
  close(ends[1]);
  run(f);
  assert_int_equal(ready, FD_READ);
}

static void
a_descriptor_that_takes_output_reads_as_writable(void **ctx)
{
  struct fixture *f = *ctx;
  uint ready = 0;
  int ends[2];

  assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  fd_watch_new(f->pool, f->loop, ends[1], FD_WRITE, LOOP_REST, record_ready, &ready);
  run(f);
  close(ends[0]);
  assert_int_equal(ready, FD_WRITE);
}

/* --- Work --- */

static void
work_is_done_by_priority_and_in_order_of_scheduling(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe rest = { .f = f, .name = 'r', .last = true }, cli = { .f = f, .name = 'c' },
               one = { .f = f, .name = '1' }, two = { .f = f, .name = '2' };

  queued_work(f, f->pool, LOOP_REST, &rest);
  queued_work(f, f->pool, LOOP_CLI, &cli);
  queued_work(f, f->pool, LOOP_FIRST, &one);
  queued_work(f, f->pool, LOOP_FIRST, &two);
  run(f);
  assert_string_equal(f->trace, "12cr");
}

static void
work_of_one_priority_takes_turns(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe a = { .f = f, .name = 'a', .more = 2 }, b = { .f = f, .name = 'b', .more = 2, .last = true };

  queued_work(f, f->pool, LOOP_REST, &a);
  queued_work(f, f->pool, LOOP_REST, &b);
  run(f);
  assert_string_equal(f->trace, "ababab");
}

static void
work_scheduled_twice_is_done_once(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe a = { .f = f, .name = 'a' }, end = { .f = f, .name = '.', .last = true };

  work_schedule(queued_work(f, f->pool, LOOP_REST, &a));
  queued_work(f, f->pool, LOOP_REST, &end);
  run(f);
  assert_string_equal(f->trace, "a.");
}

static bool
schedule_itself(struct work *w, void *data)
{
  work_schedule(w);
  return act(data);
}

static void
work_that_schedules_itself_and_asks_for_more_is_queued_once(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe a = { .f = f, .name = 'a', .more = 1000000 },
               end = { .f = f, .name = '.', .more = 2, .last = true };

  work_schedule(work_new(f->pool, f->loop, LOOP_REST, schedule_itself, &a));
  queued_work(f, f->pool, LOOP_REST, &end);
  run(f);
  assert_string_equal(f->trace, "a.a.a.");
}

static void
slices_of_work_leave_room_for_everything_else(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe t = { .f = f, .name = 't', .more = 1000000 }, d = { .f = f, .name = 'd' },
               w = { .f = f, .name = 'w', .more = 4, .last = true };

  due_timer(f, f->pool, &t);
  ready_fd(f, f->pool, LOOP_REST, &d);
  queued_work(f, f->pool, LOOP_FIRST, &w);
  run(f);
  assert_string_equal(f->trace, "tdwtdwtdwtdwtdw");
}

/* --- Slices --- */

static bool
long_slice(struct work *w, void *data)
{
  spin(*(btime *) data);
  loop_stop(w->loop);
  return false;
}

static u64
slices_from(const struct loop_slices *s, uint bucket)
{
  u64 sum = 0;

  for (; bucket < LOOP_SLICE_BUCKETS; bucket++)
    sum += s->bucket[bucket];
  return sum;
}

static void
a_long_slice_is_counted_by_its_length(void **ctx)
{
  struct fixture *f = *ctx;
  btime length = BT_MS(3);

  work_schedule(work_new(f->pool, f->loop, LOOP_REST, long_slice, &length));
  run(f);

  const struct loop_slices *s = loop_slices(f->loop);

  assert_int_equal(slices_from(s, 0), 1);
  assert_int_equal(slices_from(s, 12), 1); /* 2^11 us < 3 ms */
  assert_int_equal(s->overruns, 1);
  assert_true(s->longest >= length);
}

static void
every_callback_counts_as_a_slice(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe m = { .f = f, .name = 'm' }, t = { .f = f, .name = 't' }, d = { .f = f, .name = 'd' },
               w = { .f = f, .name = 'w', .last = true };

  post_empty(mailbox_new(f->pool, f->loop, mail_hook, &m));
  due_timer(f, f->pool, &t);
  ready_fd(f, f->pool, LOOP_REST, &d);
  queued_work(f, f->pool, LOOP_REST, &w);
  run(f);
  assert_int_equal(slices_from(loop_slices(f->loop), 0), strlen(f->trace));
}

static void
the_last_bucket_takes_what_is_longer_than_all(void **ctx)
{
  struct fixture *f = *ctx;
  btime length = BT_US(1) << (LOOP_SLICE_BUCKETS - 1);

  work_schedule(work_new(f->pool, f->loop, LOOP_REST, long_slice, &length));
  run(f);
  assert_int_equal(loop_slices(f->loop)->bucket[LOOP_SLICE_BUCKETS - 1], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(timers_are_never_early),
    TEST(no_timer_waits_for_a_round_after_that_of_a_later_one),
    TEST(a_timer_that_is_moved_fires_once_at_its_new_deadline),
    TEST(a_due_timer_that_another_stops_does_not_fire),
    TEST(a_due_timer_that_another_moves_fires_then),
    TEST(a_timer_may_be_set_again_in_its_hook),
    TEST(a_restless_timer_does_not_keep_others_waiting),
    TEST(a_timer_moved_nearer_while_another_is_armed_fires_in_time),
    TEST(now_stands_still_in_a_round_until_asked_for_afresh),
    TEST(a_signal_does_not_disturb_the_loop),
    TEST(a_message_hook_may_free_everything),
    TEST(a_timer_hook_may_free_everything),
    TEST(a_descriptor_hook_may_free_everything),
    TEST(a_work_hook_may_free_everything),
    TEST(a_timer_hook_may_free_another_due_timer),
    TEST(a_descriptor_hook_may_free_another_ready_descriptor),
    TEST(a_work_hook_may_free_other_queued_work),
    TEST(a_message_hook_may_free_a_mailbox_that_was_served),
    TEST(a_message_hook_may_free_the_mailbox_to_be_served_next),
    TEST(freeing_a_descriptor_closes_it),
    TEST(more_descriptors_than_a_round_takes_are_all_served),
    TEST(descriptors_are_served_by_priority),
    TEST(a_descriptor_is_quiet_while_nothing_is_asked_of_it),
    TEST(a_hang_up_reads_as_readable_whatever_was_asked),
    TEST(a_descriptor_that_takes_output_reads_as_writable),
    TEST(work_is_done_by_priority_and_in_order_of_scheduling),
    TEST(work_of_one_priority_takes_turns),
    TEST(work_scheduled_twice_is_done_once),
    TEST(work_that_schedules_itself_and_asks_for_more_is_queued_once),
    TEST(slices_of_work_leave_room_for_everything_else),
    TEST(a_long_slice_is_counted_by_its_length),
    TEST(every_callback_counts_as_a_slice),
    TEST(the_last_bucket_takes_what_is_longer_than_all),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
