/* proto/bfd/provider_test.c: what the engine is told, and when */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/bfd/provider_fixture.h"
#include "sysdep/socket.h"

/* --- Sharing --- */

static void
equal_peers_share_a_session(void **ctx)
{
  struct fixture *f = *ctx;

  eth0_up();
  ask(f, "10.0.0.7", NULL, NULL);
  ask(f, "10.0.0.7", "eth0", NULL);
  told(f, "A1");
  expect_path(f, 5, "10.0.0.1");
  expect_params(f, &(struct bfd_options){ 0 }, false);
  assert_int_equal(f->last.key.hop, BFD_DIRECT);
  assert_string_equal(f->last.key.ifname, "eth0");
  assert_true(ip_equal(f->last.key.remote, ip("10.0.0.7")));
  ask(f, "10.0.0.8", NULL, NULL);
  told(f, "A2");
}

static void
other_interfaces_locals_and_hop_types_are_other_sessions(void **ctx)
{
  struct fixture *f = *ctx;

  eth0_up();
  link_up(6, "eth1");
  addr(5, "fe80::1", 64, false);
  addr(6, "fe80::1", 64, false);
  addr(6, "10.0.1.1", 24, false);
  ask(f, "fe80::7", "eth0", NULL);
  ask(f, "fe80::7", "eth1", NULL);
  ask(f, "10.0.0.7", NULL, NULL);
  ask_multihop(f, "10.0.0.7", "10.0.0.1");
  ask_multihop(f, "10.0.0.7", "10.0.1.1");
  ask_multihop(f, "10.0.0.7", "10.0.1.1");
  told(f, "A1 A2 A3 A4 A5");
  expect_path(f, 0, "10.0.1.1");
}

/* The one that decides, and the one that does when that has gone. */
static const struct
{
  struct bfd_options o[3];
  uint first, second;
} triples[] = {
  { { OPTIONS(10, 90, 9, 0), OPTIONS(50, 50, 1, 0), OPTIONS(20, 10, 3, 0) }, 1, 2 }, /* 90, 50, 60 */
  { { OPTIONS(30, 90, 1, 0), OPTIONS(10, 20, 3, 0), OPTIONS(15, 35, 2, 0) }, 1, 2 }, /* TX 90, 60, 70 */
  { { OPTIONS(0, 1, 1, 0), OPTIONS(900, 900, 255, 0), OPTIONS(10, 10, 3, 0) }, 2, 1 },
  { { OPTIONS(0, 10, 3, 0), OPTIONS(0, 10, 2, 0), OPTIONS(0, 10, 1, 0) }, 2, 1 },
  { { OPTIONS(10, 10, 1, 1), OPTIONS(20, 20, 1, 0), OPTIONS(30, 30, 1, 1) }, 0, 1 },
  { { OPTIONS(10, 10, 1, 1), OPTIONS(20, 20, 1, 1), OPTIONS(30, 30, 1, 1) }, 0, 1 },
  { { OPTIONS(4294967, 4294967, 255, 0), OPTIONS(4294967, 4294967, 254, 0), OPTIONS(4294967, 9, 255, 0) },
    1,
    2 },
};

static const u8 orders[][3] = {
  { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
};

static bool
passive_without(const struct bfd_options *o, uint left_out)
{
  bool passive = true;

  for (uint i = 0; i < 3; i++)
    passive = passive && (i == left_out || o[i].passive);
  return passive;
}

static void
share_in_order(struct fixture *f, uint triple, const u8 *order)
{
  const struct bfd_options *o = triples[triple].o;
  uint first = triples[triple].first;
  struct client *c[3];

  for (uint i = 0; i < 3; i++)
    c[order[i]] = ask(f, "10.0.0.7", NULL, &o[order[i]]);
  settle(f);
  expect_params(f, &o[first], passive_without(o, 3));
  rfree(c[first]->r);
  settle(f);
  expect_params(f, &o[triples[triple].second], passive_without(o, first));
  for (uint i = 0; i < 3; i++)
    if (order[i] != first)
      rfree(c[order[i]]->r);
  settle(f);
  f->told[0] = 0;
}

static void
the_order_of_requests_does_not_matter(void **ctx)
{
  struct fixture *f = *ctx;

  eth0_up();
  for (uint t = 0; t < ARRAY_SIZE(triples); t++)
    for (uint i = 0; i < ARRAY_SIZE(orders); i++)
      share_in_order(f, t, orders[i]);
}

static void
of_equally_fast_requests_the_older_decides(void **ctx)
{
  static const struct bfd_options slow_idle = { .set = BFD_OPT_IDLE_TX, .idle_tx = 3000000 };
  static const struct bfd_options slower_idle = { .set = BFD_OPT_IDLE_TX, .idle_tx = 5000000 };
  struct fixture *f = *ctx;
  struct client *old, *young;

  eth0_up();
  old = ask(f, "10.0.0.7", NULL, &slower_idle);
  young = ask(f, "10.0.0.7", NULL, &slow_idle);
  told(f, "A1");
  expect_params(f, &slower_idle, false);
  bfd_request_change(old->r, &slow_idle); /* it is as old as before */
  bfd_request_change(young->r, &slower_idle);
  told(f, "C1");
  expect_params(f, &slow_idle, false);
}

static void
only_what_changes_is_told(void **ctx)
{
  static const struct bfd_options fast = OPTIONS(10, 10, 3, 0), slow = OPTIONS(90, 90, 3, 0);
  struct fixture *f = *ctx;
  struct client *a, *b, *c;

  eth0_up();
  a = ask(f, "10.0.0.7", NULL, &slow);
  b = ask(f, "10.0.0.7", NULL, &fast);
  told(f, "A1 C1");
  expect_params(f, &fast, false);
  c = ask(f, "10.0.0.7", NULL, &slow);
  rfree(c->r);
  told(f, "");
  rfree(b->r);
  told(f, "C1");
  expect_params(f, &slow, false);
  rfree(a->r);
  told(f, "R1");
}

static void
a_session_asked_for_again_gets_an_id_of_its_own(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c;

  eth0_up();
  c = ask(f, "10.0.0.7", NULL, NULL);
  rfree(c->r);
  c = ask(f, "10.0.0.7", NULL, NULL);
  told(f, "A1 R1 A2");
}

/* --- Paths --- */

static void
a_session_is_added_once_its_path_is_usable(void **ctx)
{
  struct fixture *f = *ctx;

  ask(f, "10.0.0.7", NULL, NULL);
  ask(f, "10.0.0.7", "eth0", NULL);
  told(f, "");
  carrier_lost(5, "eth0");
  told(f, "");
  addr(5, "10.0.0.1", 24, false);
  told(f, "");
  link_up(5, "eth0");
  told(f, "A1");
  expect_path(f, 5, "10.0.0.1");
}

static void
a_session_that_was_never_added_goes_silently(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c;

  c = ask(f, "10.0.0.7", "eth0", NULL);
  settle(f);
  rfree(c->r);
  told(f, "");
}

static void
a_session_keeps_its_id_while_its_path_comes_and_goes(void **ctx)
{
  struct fixture *f = *ctx;

  eth0_up();
  ask(f, "10.0.0.7", NULL, NULL);
  ask(f, "10.0.0.7", "eth0", NULL);
  told(f, "A1");
  carrier_lost(5, "eth0");
  told(f, "C1");
  expect_path(f, 0, NULL);
  link_up(5, "eth0");
  told(f, "C1");
  expect_path(f, 5, "10.0.0.1");
  link_deleted(5, "eth0");
  told(f, "C1");
  expect_path(f, 0, NULL);
  link_up(9, "eth0");
  addr(9, "10.0.0.1", 24, false);
  told(f, "C1");
  expect_path(f, 9, "10.0.0.1");
}

static void
an_index_that_changes_unseen_is_a_change(void **ctx)
{
  struct fixture *f = *ctx;

  eth0_up();
  ask(f, "10.0.0.7", "eth0", NULL);
  told(f, "A1");
  link_up(9, "eth0");
  addr(9, "10.0.0.1", 24, false);
  told(f, "C1");
  expect_path(f, 9, "10.0.0.1");
}

static void
another_local_address_is_a_change(void **ctx)
{
  struct fixture *f = *ctx;

  eth0_up();
  ask(f, "10.0.0.7", NULL, NULL);
  told(f, "A1");
  addr(5, "10.0.0.2", 24, false);
  addr(5, "10.0.0.1", 24, true);
  told(f, "C1");
  expect_path(f, 5, "10.0.0.2");
}

static void
an_address_that_does_not_concern_a_session_is_no_change(void **ctx)
{
  struct fixture *f = *ctx;

  eth0_up();
  ask(f, "10.0.0.7", NULL, NULL);
  told(f, "A1");
  addr(5, "192.0.2.1", 24, false);
  addr(5, "2001:db8::1", 64, false);
  link_up(6, "eth1");
  told(f, "");
}

static void
a_point_to_point_link_is_told(void **ctx)
{
  struct fixture *f = *ctx;
  struct nl_link l = link_of(5, "ppp0");

  l.point_to_point = true;
  iface_nl_hooks.link(NULL, &l, false);
  addr(5, "10.0.0.1", 32, false);
  ask(f, "192.0.2.7", "ppp0", NULL);
  told(f, "A1");
  assert_true(f->last.path.point_to_point);
}

static void
a_multihop_session_waits_for_its_local_address(void **ctx)
{
  struct fixture *f = *ctx;

  ask_multihop(f, "192.0.2.7", "10.0.0.1");
  told(f, "");
  eth0_up();
  told(f, "A1");
  expect_path(f, 0, "10.0.0.1");
  addr(5, "10.0.0.1", 24, true);
  told(f, "C1");
  expect_path(f, 0, NULL);
  link_up(6, "lo"); /* it may live anywhere */
  addr(6, "10.0.0.1", 32, false);
  told(f, "C1");
  expect_path(f, 0, "10.0.0.1");
  carrier_lost(6, "lo");
  told(f, "");
}

static void
a_neighbor_without_interface_moves_to_another_session(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *a, *b;

  eth0_up();
  link_up(6, "eth1");
  a = ask(f, "10.0.0.7", NULL, NULL);
  b = ask(f, "10.0.0.7", NULL, NULL);
  told(f, "A1");
  addr(5, "10.0.0.1", 24, true);
  addr(6, "10.0.0.1", 24, false);
  told(f, "A2 R1");
  expect_path(f, 6, "10.0.0.1");
  assert_string_equal(f->last.key.ifname, "eth1");
  assert_ptr_equal(a->r->session, b->r->session);
}

static void
a_neighbor_that_is_nowhere_keeps_its_session(void **ctx)
{
  struct fixture *f = *ctx;

  eth0_up();
  link_up(6, "eth1");
  ask(f, "10.0.0.7", NULL, NULL);
  addr(5, "10.0.0.1", 24, true);
  told(f, "A1 C1");
  expect_path(f, 0, NULL);
  addr(5, "10.0.0.1", 24, false);
  told(f, "C1");
  expect_path(f, 5, "10.0.0.1");
  addr(5, "10.0.0.1", 24, true);
  told(f, "C1");
  addr(6, "10.0.0.1", 24, false);
  told(f, "R1 A2");
}

static void
the_oldest_request_with_a_path_chooses_the_local_address(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_peer peer = { .remote = ip("10.0.0.7"), .ifname = "eth0", .client = "test" };
  struct client *first;

  eth0_up();
  addr(5, "10.0.0.3", 24, false);
  peer.local = ip("10.0.0.2");
  first = ask_peer(f, &peer, NULL);
  told(f, "");
  peer.local = ip("10.0.0.3");
  ask_peer(f, &peer, NULL);
  ask(f, "10.0.0.7", "eth0", NULL);
  told(f, "A1");
  expect_path(f, 5, "10.0.0.3");
  addr(5, "10.0.0.2", 24, false);
  told(f, "C1");
  expect_path(f, 5, "10.0.0.2");
  rfree(first->r);
  told(f, "C1");
  expect_path(f, 5, "10.0.0.3");
}

/* --- Notes --- */

static void
a_note_reaches_all_requests_of_the_session_and_no_others(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c[4];

  eth0_up();
  for (uint i = 0; i < 3; i++)
    c[i] = ask(f, "10.0.0.7", NULL, NULL);
  c[3] = ask(f, "10.0.0.8", NULL, NULL);
  settle(f);
  note(f, 1, BFD_UP, false);
  settle(f);
  note(f, 1, BFD_DOWN, true);
  settle(f);
  for (uint i = 0; i < 3; i++)
  {
    assert_int_equal(c[i]->last.state, BFD_DOWN);
    assert_true(c[i]->last.failed);
  }
  assert_int_equal(c[3]->last.state, BFD_DOWN);
  assert_false(c[3]->last.failed);
}

static void
notes_of_unknown_sessions_are_ignored(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c, *late;

  eth0_up();
  note(f, 0, BFD_UP, false);
  note(f, 1, BFD_UP, false);
  c = ask(f, "10.0.0.7", NULL, NULL);
  late = ask(f, "192.0.2.7", "eth1", NULL); /* never added, so it has no id */
  settle(f);
  note(f, 0, BFD_UP, false);
  note(f, 2, BFD_UP, false);
  note(f, U32_MAX, BFD_UP, false);
  settle(f);
  assert_int_equal(c->last.state, BFD_DOWN);
  assert_int_equal(late->last.state, BFD_DOWN);
  rfree(c->r);
  note(f, 1, BFD_DOWN, true);
  settle(f);
}

static void
who_joins_late_is_told_the_state_and_no_old_failure(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *early, *late;

  eth0_up();
  early = ask(f, "10.0.0.7", NULL, NULL);
  settle(f);
  note(f, 1, BFD_UP, false);
  settle(f);
  note(f, 1, BFD_UP, true);
  late = ask(f, "10.0.0.7", NULL, NULL);
  settle(f);
  assert_true(early->last.failed);
  assert_int_equal(late->last.state, BFD_UP);
  assert_false(late->last.failed);
  assert_int_equal(late->calls, 1);
}

static void
moving_to_another_session_is_no_failure(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c;

  eth0_up();
  link_up(6, "eth1");
  c = ask(f, "10.0.0.7", NULL, NULL);
  settle(f);
  note(f, 1, BFD_UP, false);
  settle(f);
  addr(5, "10.0.0.1", 24, true);
  addr(6, "10.0.0.1", 24, false);
  settle(f);
  note(f, 1, BFD_ADMIN_DOWN, true); /* of the session it has left */
  settle(f);
  assert_int_equal(c->last.state, BFD_DOWN);
  assert_false(c->last.failed);
}

/* --- Configuration --- */

static void
iface_block(struct fixture *f, struct bfd_iface_config *i, struct iface_pattern *pattern, u8 multiplier)
{
  i->pattern = pattern;
  i->options = (struct bfd_options){ .set = BFD_OPT_MULTIPLIER, .multiplier = multiplier };
  list_add_tail(&f->cf.ifaces, &i->n);
}

static void
the_first_interface_block_that_matches_counts(void **ctx)
{
  static const struct bfd_options own = { .set = BFD_OPT_MIN_RX, .min_rx = 20000 };
  struct fixture *f = *ctx;
  struct iface_pattern eth = { .mask = "eth*", .positive = true }, any = { .mask = "*", .positive = true };
  struct iface_pattern no_eth0 = { .next = &any, .mask = "eth0" };
  struct bfd_iface_config blocks[3];

  iface_block(f, &blocks[0], &no_eth0, 7);
  iface_block(f, &blocks[1], &eth, 9);
  iface_block(f, &blocks[2], &any, 11);
  eth0_up();
  ask(f, "10.0.0.7", NULL, &own);
  told(f, "A1");
  assert_int_equal(f->last.params.detect_mult, 9);
  assert_int_equal(f->last.params.min_rx, 20000);
}

static void
a_reload_changes_only_the_sessions_it_concerns(void **ctx)
{
  struct fixture *f = *ctx;
  struct iface_pattern eth1 = { .mask = "eth1", .positive = true };
  struct bfd_iface_config block;

  eth0_up();
  link_up(6, "eth1");
  addr(6, "10.0.1.1", 24, false);
  ask(f, "10.0.0.7", NULL, NULL);
  ask(f, "10.0.1.7", NULL, NULL);
  ask_multihop(f, "10.0.0.7", "10.0.0.1");
  told(f, "A1 A2 A3");
  bfd_provide_again(&f->p);
  told(f, "");
  iface_block(f, &block, &eth1, 9);
  bfd_provide_again(&f->p);
  told(f, "C2");
  f->cf.multihop = (struct bfd_options){ .set = BFD_OPT_MULTIPLIER, .multiplier = 8 };
  bfd_provide_again(&f->p);
  told(f, "C3");
}

static void
what_is_no_longer_accepted_goes_and_waits(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *v4;

  eth0_up();
  v4 = ask(f, "10.0.0.7", NULL, NULL);
  ask_multihop(f, "10.0.0.7", "10.0.0.1");
  told(f, "A1 A2");
  f->cf.accept = 1u << BFD_KIND(BFD_MULTIHOP, false);
  bfd_provide_again(&f->p);
  told(f, "R1");
  assert_int_equal(v4->last.state, BFD_ADMIN_DOWN);
  assert_null(v4->r->provider);
  f->cf.accept = 0;
  bfd_provide_again(&f->p);
  told(f, "A3");
}

static void
a_change_and_a_stop_in_the_same_moment_leave_nothing_behind(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c;

  eth0_up();
  c = ask(f, "10.0.0.7", NULL, NULL);
  ask_multihop(f, "10.0.0.7", "10.0.0.1");
  told(f, "A1 A2");
  link_deleted(5, "eth0");
  bfd_provide_again(&f->p);
  bfd_provide_stop(&f->p);
  link_up(9, "eth0");
  told(f, "R1 R2");
  assert_int_equal(c->last.state, BFD_ADMIN_DOWN);
}

/* --- Receiving sockets --- */

static void
a_session_waits_for_a_socket_to_receive_on(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_listener *l = &f->listeners[BFD_KIND(BFD_DIRECT, false)];
  struct client *direct;

  snprintf(l->error, sizeof(l->error), "UDP port 3784 of 0.0.0.0, in use");
  eth0_up();
  direct = ask(f, "10.0.0.7", NULL, NULL);
  ask_multihop(f, "10.0.0.7", "10.0.0.1");
  told(f, "A1");
  assert_string_equal(((struct bfd_shared *) direct->r->session)->waits_for, l->error);
  l->error[0] = 0;
  bfd_provide_again(&f->p);
  told(f, "A2");
}

/* A socket at an address nobody uses keeps the wildcard from being bound. */
static int
occupy(void)
{
  return udp_listen_open(&(struct udp_listen){ .port = BFD_PORT_DIRECT, .local = ip("127.77.77.77") });
}

static void
no_socket_is_tried_again_after_the_stop(void **ctx)
{
  struct fixture *f = *ctx;
  int fd = occupy();

  if (fd < 0)
    skip();
  f->cf.accept = 1u << BFD_KIND(BFD_DIRECT, false);
  list_init(&f->p.listeners);
  bfd_listen_follow(&f->p);
  assert_true(timer_is_set(f->p.listen_retry));
  bfd_provide_stop(&f->p);
  close(fd);
  assert_false(timer_is_set(f->p.listen_retry));
}

static void
sockets_opened_later_have_ids_of_their_own(void **ctx UNUSED)
{
  struct fixture *f = fixture_new(&(struct bfd_config){ .accept = 1u << BFD_KIND(BFD_DIRECT, false) });
  void *state = f;

  f->cf.accept |= 1u << BFD_KIND(BFD_MULTIHOP, false);
  bfd_listen_follow(&f->p);
  settle(f);
  if (f->socket_count == 2)
    assert_int_not_equal(f->sockets[0].id, f->sockets[1].id);
  teardown(&state);
}

static void
a_local_address_released_and_wanted_again_at_once_is_not_in_use(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c;

  f->cf.strict_bind = true;
  link_up(1, "lo");
  addr(1, "127.77.77.77", 8, false);
  c = ask(f, "127.77.77.78", "lo", NULL);
  rfree(c->r);
  c = ask(f, "127.77.77.78", "lo", NULL);
  settle(f);
  assert_null(((struct bfd_shared *) c->r->session)->waits_for);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(equal_peers_share_a_session),
    TEST(other_interfaces_locals_and_hop_types_are_other_sessions),
    TEST(the_order_of_requests_does_not_matter),
    TEST(of_equally_fast_requests_the_older_decides),
    TEST(only_what_changes_is_told),
    TEST(a_session_asked_for_again_gets_an_id_of_its_own),
    TEST(a_session_is_added_once_its_path_is_usable),
    TEST(a_session_that_was_never_added_goes_silently),
    TEST(a_session_keeps_its_id_while_its_path_comes_and_goes),
    TEST(an_index_that_changes_unseen_is_a_change),
    TEST(another_local_address_is_a_change),
    TEST(an_address_that_does_not_concern_a_session_is_no_change),
    TEST(a_point_to_point_link_is_told),
    TEST(a_multihop_session_waits_for_its_local_address),
    TEST(a_neighbor_without_interface_moves_to_another_session),
    TEST(a_neighbor_that_is_nowhere_keeps_its_session),
    TEST(the_oldest_request_with_a_path_chooses_the_local_address),
    TEST(a_note_reaches_all_requests_of_the_session_and_no_others),
    TEST(notes_of_unknown_sessions_are_ignored),
    TEST(who_joins_late_is_told_the_state_and_no_old_failure),
    TEST(moving_to_another_session_is_no_failure),
    TEST(the_first_interface_block_that_matches_counts),
    TEST(a_reload_changes_only_the_sessions_it_concerns),
    TEST(what_is_no_longer_accepted_goes_and_waits),
    TEST(a_change_and_a_stop_in_the_same_moment_leave_nothing_behind),
    TEST(a_session_waits_for_a_socket_to_receive_on),
    TEST(no_socket_is_tried_again_after_the_stop),
    cmocka_unit_test(sockets_opened_later_have_ids_of_their_own),
    TEST(a_local_address_released_and_wanted_again_at_once_is_not_in_use),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
