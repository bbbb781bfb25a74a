/*
 * nest/bfd_test.c: requests and providers, with providers that only write down what they are told
 *
 * The loop runs until nothing is left to do; a hook of lowest priority then jumps out of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/bfd.h"

struct fixture
{
  pool *pool;
  struct loop *loop;
  struct work *idle;
  jmp_buf back;
};

static bool
idle_hook(struct work *w UNUSED, void *data)
{
  longjmp(((struct fixture *) data)->back, 1);
}

static void
settle(struct fixture *f)
{
  work_schedule(f->idle);
  if (!setjmp(f->back))
    loop_run(f->loop);
}

static int
setup(void **ctx)
{
  struct fixture *f = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  f->loop = loop_new(f->pool, "test");
  f->idle = work_new(f->pool, f->loop, LOOP_REST, idle_hook, f);
  iface_init(f->pool, f->loop);
  neighbor_init(f->pool, f->loop);
  bfd_init(f->pool, f->loop);
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  rfree(f->pool);
  free(f);
  return 0;
}

static ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return a;
}

static void
link_up(void)
{
  struct nl_link l = { .index = 5, .name = "eth0", .mtu = 1500, .up = true, .carrier = true };
  struct nl_addr a = { .ifindex = 5, .prefix = { ip("10.0.0.1"), 24 } };

  iface_nl_hooks.link(NULL, &l, false);
  iface_nl_hooks.addr(NULL, &a, false);
}

/* --- A provider --- */

#define ALL 255

struct provider
{
  struct bfd_provider *pv;
  uint accept;   /* remote addresses whose last byte is at most this */
  char told[64]; /* s(erve), c(hange), w(ithdraw), and the last byte of the address as a letter */
};

static void
tell(struct bfd_provider *pv, const struct bfd_request *r, char what)
{
  struct provider *p = pv->data;
  size_t len = strlen(p->told);

  if (len + 2 < sizeof(p->told))
  {
    p->told[len] = what;
    p->told[len + 1] = 'a' + ip_to_u32(r->remote) % 256 - 1;
  }
}

static bool
provider_accepts(struct bfd_provider *pv, const struct bfd_request *r)
{
  return ip_to_u32(r->remote) % 256 <= ((struct provider *) pv->data)->accept;
}

static void
provider_serve(struct bfd_provider *pv, struct bfd_request *r)
{
  tell(pv, r, 's');
}

static void
provider_change(struct bfd_provider *pv, struct bfd_request *r)
{
  tell(pv, r, 'c');
}

static void
provider_withdraw(struct bfd_provider *pv, struct bfd_request *r)
{
  tell(pv, r, 'w');
}

static const struct bfd_provider_ops provider_ops = {
  .accepts = provider_accepts,
  .serve = provider_serve,
  .change = provider_change,
  .withdraw = provider_withdraw,
};

/* Lives as long as the pool: it is told of requests to the last. */
static struct provider *
provider_new(struct fixture *f, const struct bfd_provider_ops *ops, uint accept)
{
  struct provider *p = mb_alloc(f->pool, sizeof(*p));

  p->accept = accept;
  p->pv = bfd_provider_new(f->pool, "bfd", ops, p);
  return p;
}

static struct provider *
provider_start(struct fixture *f, uint accept)
{
  return provider_new(f, &provider_ops, accept);
}

/* --- A client --- */

struct client
{
  struct bfd_request *r, *victim;
  uint calls;
  struct bfd_status last;
};

static void
client_hook(struct bfd_request *r, const struct bfd_status *st, void *data)
{
  struct client *c = data;

  assert_ptr_equal(r, c->r);
  c->calls++;
  rfree(c->victim);
  c->victim = NULL;
  c->last = *st;
}

static void
ask(pool *p, struct client *c, const char *remote, bool own_liveness)
{
  struct bfd_peer peer = { .remote = ip(remote), .own_liveness = own_liveness, .client = "test" };

  *c = (struct client){ 0 };
  c->r = bfd_request_new(p, &peer, NULL, client_hook, c);
  assert_int_equal(c->calls, 0);
}

/* What the session says, as a BFD protocol would report it. */

static void
state(struct client *c, u8 local, u8 remote)
{
  struct bfd_status st = { .state = local, .remote_state = remote };

  bfd_request_update(c->r, &st, false);
}

static void
went_up(struct client *c)
{
  state(c, BFD_UP, BFD_UP);
}

/* Up was left, for a failure or in an administrative way, as the engine tells them apart. */
static void
left_up(struct client *c, u8 local, u8 remote, bool failed)
{
  struct bfd_status st = { .state = local, .remote_state = remote, .failed = failed };

  bfd_request_update(c->r, &st, true);
}

static void
failed(struct client *c)
{
  left_up(c, BFD_DOWN, BFD_DOWN, true);
}

/* --- Waiting --- */

static void
a_request_without_a_provider_waits_and_reads_as_admin_down(void **ctx)
{
  struct fixture *f = *ctx;
  struct client c;

  ask(f->pool, &c, "10.0.0.1", true);
  assert_int_equal(bfd_request_status(c.r).state, BFD_ADMIN_DOWN);
  assert_false(bfd_request_status(c.r).failed);
  assert_ptr_equal(SKIP_BACK(struct bfd_request, n, list_first(bfd_waiting())), c.r);
  settle(f);
  assert_int_equal(c.calls, 0);
}

static void
update_at_once(struct bfd_provider *pv, struct bfd_request *r)
{
  struct bfd_status st = { .state = BFD_UP };

  tell(pv, r, 's');
  bfd_request_update(r, &st, false);
}

static void
the_hook_is_not_called_before_the_request_is_made(void **ctx)
{
  static const struct bfd_provider_ops eager = {
    .accepts = provider_accepts,
    .serve = update_at_once,
    .change = provider_change,
    .withdraw = provider_withdraw,
  };
  struct fixture *f = *ctx;
  struct provider *p = provider_new(f, &eager, ALL);
  struct client c;

  ask(f->pool, &c, "10.0.0.1", true);
  assert_string_equal(p->told, "sa");
  assert_true(list_empty(bfd_waiting()));
  settle(f);
  assert_int_equal(c.calls, 1);
  assert_int_equal(c.last.state, BFD_UP);
}

static void
a_link_local_peer_without_interface_is_refused(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_peer peer = { .remote = ip("fe80::1"), .client = "test" };
  struct bfd_request *r;

  assert_null(bfd_request_new(f->pool, &peer, NULL, client_hook, NULL));
  assert_true(list_empty(bfd_waiting()));
  peer.ifname = "eth0";
  assert_non_null(r = bfd_request_new(f->pool, &peer, NULL, client_hook, NULL));
  assert_string_equal(r->nb->ifname, "eth0");
}

static void
an_empty_interface_name_is_no_interface(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_peer peer = { .remote = ip("fe80::1"), .ifname = "", .client = "test" };

  assert_null(bfd_request_new(f->pool, &peer, NULL, client_hook, NULL));
}

/* --- What a change means (RFC 5882 sections 3.2, 4.2) --- */

static const struct
{
  u8 state, remote_state;
  bool engine_failed;      /* as the note of the engine says */
  bool own_fails, relying; /* what a client is told that had seen Up */
} meanings[] = {
  { BFD_DOWN, BFD_DOWN, true, true, true },              /* the peer went silent or said Down */
  { BFD_DOWN, BFD_ADMIN_DOWN, false, false, true },      /* the peer was disabled */
  { BFD_ADMIN_DOWN, BFD_UP, false, false, true },        /* we were */
  { BFD_ADMIN_DOWN, BFD_ADMIN_DOWN, false, false, true } /* both */
};

static void
what_leaving_up_means_depends_on_the_client(void **ctx)
{
  struct fixture *f = *ctx;

  for (uint i = 0; i < ARRAY_SIZE(meanings); i++)
  {
    struct client own, relying;

    ask(f->pool, &own, "10.0.0.1", true);
    ask(f->pool, &relying, "10.0.0.1", false);
    went_up(&own);
    went_up(&relying);
    settle(f);
    assert_false(own.last.failed || relying.last.failed);
    left_up(&own, meanings[i].state, meanings[i].remote_state, meanings[i].engine_failed);
    left_up(&relying, meanings[i].state, meanings[i].remote_state, meanings[i].engine_failed);
    settle(f);
    assert_int_equal(own.last.failed, meanings[i].own_fails);
    assert_int_equal(relying.last.failed, meanings[i].relying);
    assert_int_equal(own.last.state, meanings[i].state);
  }
}

static void
what_was_never_up_does_not_fail_a_client_with_liveness_of_its_own(void **ctx)
{
  struct fixture *f = *ctx;
  struct client own, relying;

  ask(f->pool, &own, "10.0.0.1", true);
  ask(f->pool, &relying, "10.0.0.1", false);
  for (u8 s = BFD_ADMIN_DOWN; s < BFD_UP; s++)
  {
    state(&own, s, BFD_DOWN);
    state(&relying, s, BFD_DOWN);
    settle(f);
    assert_false(own.last.failed);
    assert_true(relying.last.failed);
  }
}

static void
what_went_up_and_down_unseen_does_not_fail_such_a_client_either(void **ctx)
{
  struct fixture *f = *ctx;
  struct client own, relying;

  ask(f->pool, &own, "10.0.0.1", true);
  ask(f->pool, &relying, "10.0.0.1", false);
  went_up(&own);
  went_up(&relying);
  failed(&own);
  failed(&relying);
  settle(f);
  assert_int_equal(own.calls, 1);
  assert_false(own.last.failed);
  assert_true(relying.last.failed);
}

static void
a_failure_is_told_once(void **ctx)
{
  struct fixture *f = *ctx;
  struct client c;

  ask(f->pool, &c, "10.0.0.1", true);
  went_up(&c);
  settle(f);
  failed(&c);
  settle(f);
  assert_true(c.last.failed);
  state(&c, BFD_DOWN, BFD_INIT);
  settle(f);
  assert_false(c.last.failed);
  went_up(&c);
  settle(f);
  assert_int_equal(c.calls, 4);
  assert_false(c.last.failed);
}

static void
a_failure_that_is_over_before_it_was_told_is_told_all_the_same(void **ctx)
{
  struct fixture *f = *ctx;
  struct client own, relying;
  struct client *each[] = { &own, &relying };

  ask(f->pool, &own, "10.0.0.1", true);
  ask(f->pool, &relying, "10.0.0.1", false);
  for (uint i = 0; i < ARRAY_SIZE(each); i++)
    went_up(each[i]);
  settle(f);
  for (uint i = 0; i < ARRAY_SIZE(each); i++)
  {
    failed(each[i]);
    state(each[i], BFD_INIT, BFD_INIT);
    went_up(each[i]);
  }
  settle(f);
  for (uint i = 0; i < ARRAY_SIZE(each); i++)
  {
    assert_int_equal(each[i]->calls, 2);
    assert_int_equal(each[i]->last.state, BFD_UP);
    assert_true(each[i]->last.failed);
  }
}

/* The engine coalesces too: one note says Up, and that it was left in between. */
static void
a_flap_within_one_note_is_a_failure(void **ctx)
{
  struct fixture *f = *ctx;
  struct client c;

  ask(f->pool, &c, "10.0.0.1", true);
  went_up(&c);
  settle(f);
  left_up(&c, BFD_UP, BFD_UP, true);
  settle(f);
  assert_true(c.last.failed);
  left_up(&c, BFD_UP, BFD_UP, false); /* and in an administrative way it is none */
  settle(f);
  assert_false(c.last.failed);
}

static void
a_relying_client_reads_a_state_but_up_as_failed_before_it_is_told(void **ctx)
{
  struct fixture *f = *ctx;
  struct client c;

  ask(f->pool, &c, "10.0.0.1", false);
  went_up(&c);
  settle(f);
  state(&c, BFD_ADMIN_DOWN, BFD_UP);
  assert_true(bfd_request_status(c.r).failed);
}

static void
a_failure_that_was_told_is_not_read_for_ever(void **ctx)
{
  struct fixture *f = *ctx;
  struct client c;

  ask(f->pool, &c, "10.0.0.1", true);
  went_up(&c);
  settle(f);
  left_up(&c, BFD_UP, BFD_UP, true);
  settle(f);
  assert_true(c.last.failed);
  assert_false(bfd_request_status(c.r).failed);
}

/* --- Freeing --- */

static void
the_hook_may_free_its_request(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p;
  struct client c;

  p = provider_start(f, ALL);
  ask(f->pool, &c, "10.0.0.1", true);
  went_up(&c);
  c.victim = c.r;
  settle(f);
  assert_int_equal(c.last.state, BFD_UP);
  assert_string_equal(p->told, "sawa");
}

static void
the_hook_may_free_another_request_that_is_to_be_told(void **ctx)
{
  struct fixture *f = *ctx;
  struct client a, b, c;

  ask(f->pool, &a, "10.0.0.1", true);
  ask(f->pool, &b, "10.0.0.2", true);
  ask(f->pool, &c, "10.0.0.3", true);
  went_up(&a);
  went_up(&b);
  went_up(&c);
  b.victim = c.r;
  settle(f);
  assert_int_equal(a.calls + b.calls, 2);
  assert_int_equal(c.calls, 0);
}

static void
freeing_the_pool_of_a_client_withdraws_its_requests(void **ctx)
{
  struct fixture *f = *ctx;
  pool *mine = pool_new(f->pool, "Client");
  struct provider *p;
  struct client a, b, waiting;

  p = provider_start(f, 2);
  ask(mine, &a, "10.0.0.1", true);
  ask(mine, &b, "10.0.0.2", true);
  ask(mine, &waiting, "10.0.0.3", true);
  went_up(&a);
  rfree(mine);
  settle(f);
  assert_string_equal(p->told, "sasbwbwa");
  assert_true(list_empty(bfd_waiting()));
  assert_true(list_empty(&p->pv->requests));
  assert_int_equal(a.calls, 0);
}

static void
breeding_hook(struct bfd_request *r UNUSED, const struct bfd_status *st UNUSED, void *data)
{
  struct client *c = data;

  if (!c->calls++)
    ask(NULL, c + 1, "10.0.0.2", true);
}

static void
the_hook_may_make_another_request(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p;
  struct client c[2];

  p = provider_start(f, ALL);
  ask(f->pool, &c[0], "10.0.0.1", true);
  c[0].r->hook = breeding_hook;
  went_up(&c[0]);
  settle(f);
  assert_string_equal(p->told, "sasb");
  rfree(c[1].r);
}

/* --- Providers --- */

static void
a_new_provider_is_offered_what_waits(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p;
  struct client a, b, c;

  ask(f->pool, &a, "10.0.0.1", true);
  ask(f->pool, &b, "10.0.0.9", true);
  ask(f->pool, &c, "10.0.0.2", true);
  p = provider_start(f, 5);
  assert_string_equal(p->told, "sasb");
  assert_ptr_equal(a.r->provider, p->pv);
  assert_null(b.r->provider);
  assert_ptr_equal(SKIP_BACK(struct bfd_request, n, list_first(bfd_waiting())), b.r);
}

static void
the_oldest_provider_that_accepts_serves(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *one, *two;
  struct client a, b;

  one = provider_start(f, 1);
  two = provider_start(f, ALL);
  ask(f->pool, &a, "10.0.0.1", true);
  ask(f->pool, &b, "10.0.0.2", true);
  assert_string_equal(one->told, "sa");
  assert_string_equal(two->told, "sb");
}

static void
requests_of_a_provider_that_goes_are_handed_on_or_wait(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *one, *two;
  struct client a, b;

  one = provider_start(f, ALL);
  two = provider_start(f, 1);
  ask(f->pool, &a, "10.0.0.1", true);
  ask(f->pool, &b, "10.0.0.2", true);
  went_up(&a);
  went_up(&b);
  settle(f);
  rfree(one->pv);
  assert_string_equal(one->told, "sasbwawb");
  assert_string_equal(two->told, "sa");
  assert_ptr_equal(a.r->provider, two->pv);
  assert_null(b.r->provider);
  settle(f);
  assert_int_equal(b.calls, 2);
  assert_int_equal(b.last.state, BFD_ADMIN_DOWN);
  assert_false(b.last.failed); /* RFC 5882 3.2: it is we who stopped */
}

static void
a_failure_on_its_way_survives_the_end_of_the_provider(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p;
  struct client c;

  p = provider_start(f, ALL);
  ask(f->pool, &c, "10.0.0.1", true);
  went_up(&c);
  settle(f);
  failed(&c);
  rfree(p->pv);
  settle(f);
  assert_int_equal(c.last.state, BFD_ADMIN_DOWN);
  assert_true(c.last.failed);
}

static void
a_provider_that_accepts_less_hands_the_rest_on(void **ctx)
{
  struct fixture *f = *ctx;
  static const char *const remotes[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" };
  struct provider *one, *two;
  struct client c[4];

  one = provider_start(f, ALL);
  two = provider_start(f, 3);
  for (uint i = 0; i < 4; i++)
    ask(f->pool, &c[i], remotes[i], true);
  memset(one->told, 0, sizeof(one->told));
  one->accept = 1;
  bfd_provider_again(one->pv);
  assert_string_equal(one->told, "wbwcwd");
  assert_string_equal(two->told, "sbsc");
  assert_ptr_equal(c[0].r->provider, one->pv);
  assert_null(c[3].r->provider);
}

static void
a_provider_that_accepts_more_is_offered_what_waits_and_no_more(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *one, *two;
  struct client a, b, c;

  one = provider_start(f, 0);
  two = provider_start(f, 1);
  ask(f->pool, &a, "10.0.0.1", true);
  ask(f->pool, &b, "10.0.0.2", true);
  ask(f->pool, &c, "10.0.0.3", true);
  one->accept = 2;
  bfd_provider_again(one->pv);
  assert_string_equal(one->told, "sb"); /* what another serves stays there */
  assert_string_equal(two->told, "sa");
  assert_null(c.r->provider);
  settle(f);
  assert_int_equal(a.calls, 0);
}

/* --- Changes --- */

static void
options_change_in_place(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p;
  struct client c;
  struct bfd_options o = { .set = BFD_OPT_MULTIPLIER, .multiplier = 3 };

  p = provider_start(f, ALL);
  ask(f->pool, &c, "10.0.0.1", true);
  bfd_request_change(c.r, &o);
  assert_int_equal(c.r->options.multiplier, 3);
  assert_string_equal(p->told, "saca");
  o.min_rx = 77; /* not set, so it says nothing */
  bfd_request_change(c.r, &o);
  assert_string_equal(p->told, "saca");
  o.set |= BFD_OPT_MIN_RX;
  bfd_request_change(c.r, &o);
  assert_string_equal(p->told, "sacaca");
  settle(f);
  assert_int_equal(c.calls, 0);
}

static void
options_of_a_waiting_request_are_those_it_is_served_with(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p;
  struct client c;
  struct bfd_options o = { .set = BFD_OPT_PASSIVE, .passive = true };

  ask(f->pool, &c, "10.0.0.1", true);
  bfd_request_change(c.r, &o);
  p = provider_start(f, ALL);
  assert_string_equal(p->told, "sa");
  assert_true(c.r->options.passive);
}

static void
options_set_only_what_they_name(void **ctx UNUSED)
{
  struct bfd_params params = BFD_PARAMS_DEFAULT, before = params;
  struct bfd_options o = { .min_rx = 1, .min_tx = 2, .idle_tx = 3, .multiplier = 4, .passive = true };

  bfd_options_apply(&params, &o);
  assert_memory_equal(&params, &before, sizeof(params));
  o.set = BFD_OPT_MIN_RX | BFD_OPT_MIN_TX | BFD_OPT_IDLE_TX | BFD_OPT_MULTIPLIER | BFD_OPT_PASSIVE;
  bfd_options_apply(&params, &o);
  assert_int_equal(params.min_rx, 1);
  assert_int_equal(params.min_tx, 2);
  assert_int_equal(params.idle_tx, 3);
  assert_int_equal(params.detect_mult, 4);
  assert_true(params.passive);
}

static void
a_change_of_the_path_reaches_the_provider_alone(void **ctx)
{
  struct fixture *f = *ctx;
  struct provider *p;
  struct client served, waiting;

  p = provider_start(f, 9);
  ask(f->pool, &served, "10.0.0.7", true);
  ask(f->pool, &waiting, "10.0.0.10", true);
  link_up();
  settle(f);
  assert_string_equal(p->told, "sgcg");
  assert_string_equal(served.r->nb->iface->name, "eth0");
  assert_int_equal(served.calls + waiting.calls, 0);
}

static void
older_requests_have_the_smaller_age(void **ctx)
{
  struct fixture *f = *ctx;
  struct client a, b;

  ask(f->pool, &a, "10.0.0.1", true);
  ask(f->pool, &b, "10.0.0.1", true);
  assert_true(a.r->age < b.r->age);
}

static void
many_requests_are_told_in_slices_and_each_once(void **ctx)
{
  struct fixture *f = *ctx;
  struct client c[300];

  for (uint i = 0; i < ARRAY_SIZE(c); i++)
  {
    ask(f->pool, &c[i], "10.0.0.1", true);
    went_up(&c[i]);
    went_up(&c[i]);
  }
  settle(f);
  for (uint i = 0; i < ARRAY_SIZE(c); i++)
    assert_int_equal(c[i].calls, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_request_without_a_provider_waits_and_reads_as_admin_down),
    TEST(the_hook_is_not_called_before_the_request_is_made),
    TEST(a_link_local_peer_without_interface_is_refused),
    TEST(an_empty_interface_name_is_no_interface),
    TEST(what_leaving_up_means_depends_on_the_client),
    TEST(what_was_never_up_does_not_fail_a_client_with_liveness_of_its_own),
    TEST(what_went_up_and_down_unseen_does_not_fail_such_a_client_either),
    TEST(a_failure_is_told_once),
    TEST(a_failure_that_is_over_before_it_was_told_is_told_all_the_same),
    TEST(a_flap_within_one_note_is_a_failure),
    TEST(a_relying_client_reads_a_state_but_up_as_failed_before_it_is_told),
    TEST(a_failure_that_was_told_is_not_read_for_ever),
    TEST(the_hook_may_free_its_request),
    TEST(the_hook_may_free_another_request_that_is_to_be_told),
    TEST(freeing_the_pool_of_a_client_withdraws_its_requests),
    TEST(the_hook_may_make_another_request),
    TEST(a_new_provider_is_offered_what_waits),
    TEST(the_oldest_provider_that_accepts_serves),
    TEST(requests_of_a_provider_that_goes_are_handed_on_or_wait),
    TEST(a_failure_on_its_way_survives_the_end_of_the_provider),
    TEST(a_provider_that_accepts_less_hands_the_rest_on),
    TEST(a_provider_that_accepts_more_is_offered_what_waits_and_no_more),
    TEST(options_change_in_place),
    TEST(options_of_a_waiting_request_are_those_it_is_served_with),
    TEST(options_set_only_what_they_name),
    TEST(a_change_of_the_path_reaches_the_provider_alone),
    TEST(older_requests_have_the_smaller_age),
    TEST(many_requests_are_told_in_slices_and_each_once),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
