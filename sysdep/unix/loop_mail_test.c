/* sysdep/unix/loop_mail_test.c: messages, in one loop and between threads */
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

/* --- Mail --- */

struct letter
{
  struct msg m;
  uint from, number;
};

static void
mail_is_served_before_all_else(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe m = { .f = f, .name = 'm' }, t = { .f = f, .name = 't' }, d = { .f = f, .name = 'd' },
               w = { .f = f, .name = 'w', .last = true };

  queued_work(f, f->pool, LOOP_FIRST, &w);
  ready_fd(f, f->pool, LOOP_FIRST, &d);
  due_timer(f, f->pool, &t);
  post_empty(mailbox_new(f->pool, f->loop, mail_hook, &m));
  run(f);
  assert_string_equal(f->trace, "mtdw");
}

struct flood
{
  struct loop *loop;
  uint delivered, at_work;
};

static void
flood_hook(struct msg *m, void *data)
{
  struct flood *flood = data;

  msg_free(m);
  if (++flood->delivered == 10000)
    loop_stop(flood->loop);
}

static bool
flood_work(struct work *w UNUSED, void *data)
{
  struct flood *flood = data;

  flood->at_work = flood->delivered;
  return false;
}

static void
a_flood_of_messages_does_not_starve_work(void **ctx)
{
  struct fixture *f = *ctx;
  struct flood flood = { .loop = f->loop };
  struct mailbox *mb = mailbox_new(f->pool, f->loop, flood_hook, &flood);

  for (uint i = 0; i < 10000; i++)
    post_empty(mb);
  work_schedule(work_new(f->pool, f->loop, LOOP_REST, flood_work, &flood));
  run(f);
  assert_int_equal(flood.delivered, 10000);
  assert_in_range(flood.at_work, 1, 1000);
}

/* The rest is the leak checker's. */
static void
messages_left_over_are_freed_with_their_mailbox(void **ctx)
{
  struct fixture *f = *ctx;
  struct probe p = { .f = f, .name = 'm', .last = true };
  struct mailbox *never_run = mailbox_new(f->pool, f->loop, mail_hook, &p);
  struct mailbox *half_run = mailbox_new(f->pool, f->loop, mail_hook, &p);

  for (uint i = 0; i < 3; i++)
  {
    post_empty(never_run);
    post_empty(half_run);
  }
  rfree(never_run);
  p.victim = half_run;
  run(f);
  assert_string_equal(f->trace, "m");
}

static void
post_back(struct msg *m, void *data)
{
  struct mailbox **self = data;
  struct letter *l = SKIP_BACK(struct letter, m, m);

  if (++l->number < 200)
    mailbox_post(*self, m);
  else
  {
    loop_stop((*self)->loop);
    msg_free(l);
  }
}

static void
a_message_hook_may_post_to_its_own_mailbox(void **ctx)
{
  struct fixture *f = *ctx;
  struct letter *l = msg_alloc(sizeof(*l));
  struct mailbox *mb;

  mb = mailbox_new(f->pool, f->loop, post_back, &mb);
  mailbox_post(mb, &l->m);
  run(f);
}

/* --- Threads --- */

#define SENDERS 4
#define LETTERS 30000 /* of each */
#define LETTERS_A_SLICE 100

struct sender
{
  struct loop *loop;
  struct thread *thread;
  struct mailbox *to;
  uint id, sent;
};

struct desk
{
  struct loop *loop;
  uint expected[SENDERS], received, disordered;
};

static bool
send_hook(struct work *w UNUSED, void *data)
{
  struct sender *s = data;

  for (uint i = 0; i < LETTERS_A_SLICE; i++)
  {
    struct letter *l = msg_alloc(sizeof(*l));

    l->from = s->id;
    l->number = s->sent++;
    mailbox_post(s->to, &l->m);
  }
  return s->sent < LETTERS;
}

static void
receive_hook(struct msg *m, void *data)
{
  struct desk *d = data;
  struct letter *l = SKIP_BACK(struct letter, m, m);

  d->disordered += l->number != d->expected[l->from]++;
  msg_free(l);
  if (++d->received == SENDERS * LETTERS)
    loop_stop(d->loop);
}

static void
sender_start(struct fixture *f, struct sender *s, struct mailbox *to, uint id)
{
  *s = (struct sender){ .loop = loop_new(f->pool, "sender"), .to = to, .id = id };
  work_schedule(work_new(f->pool, s->loop, LOOP_REST, send_hook, s));
  s->thread = thread_start(f->pool, s->loop);
}

static void
letters_of_many_threads_arrive_all_and_in_order_of_each(void **ctx)
{
  struct fixture *f = *ctx;
  struct desk desk = { .loop = f->loop };
  struct mailbox *mb = mailbox_new(f->pool, f->loop, receive_hook, &desk);
  struct sender senders[SENDERS];

  for (uint i = 0; i < SENDERS; i++)
    sender_start(f, &senders[i], mb, i);
  run(f);
  for (uint i = 0; i < SENDERS; i++)
  {
    loop_stop(senders[i].loop);
    thread_join(senders[i].thread);
  }
  assert_int_equal(desk.received, SENDERS * LETTERS);
  assert_int_equal(desk.disordered, 0);
}

/* Two loops that pass one letter to and fro: every posting has to wake a sleeper. */
struct player
{
  struct mailbox *other;
  struct loop *end; /* to be stopped after the last pass */
};

static void
pass_on(struct msg *m, void *data)
{
  struct player *p = data;
  struct letter *l = SKIP_BACK(struct letter, m, m);

  if (l->number++ < 5000)
    mailbox_post(p->other, m);
  else
  {
    msg_free(l);
    loop_stop(p->end);
  }
}

static void
a_posting_always_wakes_the_loop(void **ctx)
{
  struct fixture *f = *ctx;
  struct player here = { .end = f->loop }, there = { .end = f->loop };
  struct loop *loop = loop_new(f->pool, "player");
  struct letter *l = msg_alloc(sizeof(*l));

  there.other = mailbox_new(f->pool, f->loop, pass_on, &here);
  here.other = mailbox_new(f->pool, loop, pass_on, &there);
  struct thread *thread = thread_start(f->pool, loop);

  mailbox_post(here.other, &l->m);
  run(f);
  loop_stop(loop);
  thread_join(thread);
}

static void
stop_hook(struct timer *t UNUSED, void *data)
{
  loop_stop(data);
}

static void
a_sleeping_loop_can_be_stopped_by_another_thread(void **ctx)
{
  struct fixture *f = *ctx;
  struct loop *loop = loop_new(f->pool, "stopper");
  struct timer *t = timer_new(f->pool, loop, stop_hook, f->loop);

  timer_set_in(t, BT_MS(20));
  struct thread *thread = thread_start(f->pool, loop);

  run(f);
  loop_stop(loop);
  thread_join(thread);
}

struct mask_report
{
  struct loop *end;
  sigset_t set;
};

static bool
report_mask(struct work *w UNUSED, void *data)
{
  struct mask_report *r = data;

  pthread_sigmask(SIG_SETMASK, NULL, &r->set);
  loop_stop(r->end);
  return false;
}

static void
a_thread_takes_no_signals_and_leaves_ours_alone(void **ctx)
{
  struct fixture *f = *ctx;
  struct loop *loop = loop_new(f->pool, "masked");
  struct mask_report there = { .end = f->loop };
  sigset_t here;

  work_schedule(work_new(f->pool, loop, LOOP_REST, report_mask, &there));
  struct thread *thread = thread_start(f->pool, loop);

  run(f);
  loop_stop(loop);
  thread_join(thread);
  pthread_sigmask(SIG_SETMASK, NULL, &here);
  assert_true(sigismember(&there.set, SIGTERM) && sigismember(&there.set, SIGHUP));
  assert_false(sigismember(&here, SIGTERM) || sigismember(&here, SIGHUP));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(mail_is_served_before_all_else),
    TEST(a_flood_of_messages_does_not_starve_work),
    TEST(messages_left_over_are_freed_with_their_mailbox),
    TEST(a_message_hook_may_post_to_its_own_mailbox),
    TEST(letters_of_many_threads_arrive_all_and_in_order_of_each),
    TEST(a_posting_always_wakes_the_loop),
    TEST(a_sleeping_loop_can_be_stopped_by_another_thread),
    TEST(a_thread_takes_no_signals_and_leaves_ours_alone),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
