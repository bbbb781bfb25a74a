/*
 * nest/neighbor_test.c: interfaces and neighbours, driven by what netlink would report
 *
 * The loop runs until nothing is left to do; a hook of lowest priority then jumps out of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/neighbor.h"

struct fixture
{
  pool *pool;
  struct loop *loop;
  struct work *idle;
  jmp_buf back;
  struct iface_watch *watch;
  uint changes; /* of interfaces, as a watch is told */
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

static void
count_change(const struct iface *i UNUSED, void *data)
{
  ((struct fixture *) data)->changes++;
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
  f->watch = iface_watch_new(f->pool, count_change, f);
  *ctx = f;
  return 0;
}

static int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  iface_prefer(NULL);
  rfree(f->pool);
  free(f);
  return 0;
}

/* --- What the kernel says --- */

static ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return a;
}

static struct nl_link
link_of(uint index, const char *name)
{
  struct nl_link l = { .index = index, .mtu = 1500, .up = true, .carrier = true, .broadcast = true };

  snprintf(l.name, sizeof(l.name), "%s", name);
  return l;
}

static void
report_link(const struct nl_link *l)
{
  iface_nl_hooks.link(NULL, l, false);
}

static struct iface *
link_up(uint index, const char *name)
{
  struct nl_link l = link_of(index, name);

  report_link(&l);
  return iface_find(name);
}

static void
link_down(uint index, const char *name)
{
  struct nl_link l = link_of(index, name);

  l.up = l.carrier = false;
  report_link(&l);
}

static void
link_deleted(uint index, const char *name)
{
  struct nl_link l = link_of(index, name);

  iface_nl_hooks.link(NULL, &l, true);
}

static struct nl_addr
addr_of(uint index, const char *text, uint len)
{
  return (struct nl_addr){ .ifindex = index, .prefix = { ip(text), len } };
}

static void
addr_added(uint index, const char *text, uint len)
{
  struct nl_addr a = addr_of(index, text, len);

  iface_nl_hooks.addr(NULL, &a, false);
}

static void
addr_removed(uint index, const char *text, uint len)
{
  struct nl_addr a = addr_of(index, text, len);

  iface_nl_hooks.addr(NULL, &a, true);
}

static void
addr_tentative(uint index, const char *text, uint len)
{
  struct nl_addr a = addr_of(index, text, len);

  a.tentative = true;
  iface_nl_hooks.addr(NULL, &a, false);
}

static void
peer_added(uint index, const char *text, const char *peer)
{
  struct nl_addr a = addr_of(index, text, 32);

  a.peer = ip(peer);
  iface_nl_hooks.addr(NULL, &a, false);
}

/* --- Interfaces --- */

static void
an_interface_carries_packets_only_when_up_with_carrier(void **ctx UNUSED)
{
  struct nl_link l = link_of(5, "eth0");

  assert_null(iface_find("eth0"));
  assert_false(iface_usable(NULL));
  for (uint bits = 0; bits < 4; bits++)
  {
    l.up = bits & 1;
    l.carrier = bits & 2;
    report_link(&l);
    assert_int_equal(iface_usable(iface_find("eth0")), bits == 3);
  }
  link_deleted(5, "eth0");
  assert_false(iface_usable(iface_find("eth0")));
}

static void
a_watch_hears_of_changes_and_of_nothing_else(void **ctx)
{
  struct fixture *f = *ctx;

  link_up(5, "eth0");
  assert_int_equal(f->changes, 1);
  link_up(5, "eth0");
  assert_int_equal(f->changes, 1);
  link_down(5, "eth0");
  assert_int_equal(f->changes, 2);
  addr_added(5, "10.0.0.1", 24);
  addr_added(5, "10.0.0.1", 24);
  assert_int_equal(f->changes, 3);
  addr_removed(5, "10.0.0.1", 24);
  addr_removed(5, "10.0.0.1", 24);
  assert_int_equal(f->changes, 4);
  link_deleted(5, "eth0");
  link_deleted(5, "eth0");
  assert_int_equal(f->changes, 5);
}

static void
freeing_watch(const struct iface *i UNUSED, void *data)
{
  struct iface_watch **w = data;

  rfree(*w);
  *w = NULL;
}

static void
a_watch_may_free_itself(void **ctx)
{
  struct fixture *f = *ctx;
  struct iface_watch *w = iface_watch_new(f->pool, freeing_watch, &w);

  link_up(5, "eth0");
  assert_null(w);
  link_down(5, "eth0");
  assert_int_equal(f->changes, 2);
}

static void
a_deleted_interface_comes_back_as_the_same_object_with_another_index(void **ctx UNUSED)
{
  struct iface *i = link_up(5, "eth0");

  addr_added(5, "10.0.0.1", 24);
  link_deleted(5, "eth0");
  assert_false(i->present);
  assert_true(list_empty(&i->addrs));
  assert_ptr_equal(link_up(9, "eth0"), i);
  assert_true(i->present);
  assert_int_equal(i->index, 9);
}

static void
an_interface_whose_index_changed_unseen_starts_without_addresses(void **ctx)
{
  struct fixture *f = *ctx;
  struct iface *i = link_up(5, "eth0");

  addr_added(5, "10.0.0.1", 24);
  f->changes = 0;
  link_up(9, "eth0");
  assert_int_equal(f->changes, 2); /* gone, and come */
  assert_true(i->present && i->index == 9);
  assert_true(list_empty(&i->addrs));
  addr_added(5, "10.0.0.2", 24); /* of an index nobody has */
  assert_false(iface_ip_ours(ip("10.0.0.2")));
}

static void
a_renamed_interface_goes_and_another_comes(void **ctx UNUSED)
{
  struct iface *old = link_up(5, "eth0"), *new = link_up(5, "lan0");

  assert_false(old->present);
  assert_true(new->present &&new->index == 5);
  assert_ptr_not_equal(old, new);
}

/* An interface that is up may be renamed, and of IPv6 addresses the kernel says nothing then. */
static void
a_renamed_interface_keeps_its_addresses(void **ctx UNUSED)
{
  link_up(5, "eth0");
  addr_added(5, "2001:db8::1", 64);
  link_up(5, "lan0");
  assert_non_null(iface_addr_find(iface_find("lan0"), ip("2001:db8::1")));
}

static void
an_index_reused_by_another_name_leaves_the_old_one(void **ctx UNUSED)
{
  struct iface *a = link_up(1, "a"), *b = link_up(2, "b");

  link_up(1, "b"); /* a is gone, and b has its index */
  assert_false(a->present);
  assert_true(b->present && b->index == 1);
  link_up(2, "a");
  assert_true(a->present && a->index == 2);
  assert_true(b->present && b->index == 1);
}

static void
the_end_of_an_old_index_does_not_touch_its_successor(void **ctx UNUSED)
{
  struct iface *i = link_up(5, "eth0");

  link_up(9, "eth0");
  addr_added(9, "10.0.0.1", 24);
  link_deleted(5, "eth0");
  assert_true(iface_usable(i));
  assert_true(iface_ip_usable(ip("10.0.0.1"), NULL));
}

static void
an_address_is_usable_while_it_is_there_and_checked(void **ctx UNUSED)
{
  link_up(5, "eth0");
  addr_tentative(5, "2001:db8::1", 64);
  assert_true(iface_ip_ours(ip("2001:db8::1")));
  assert_false(iface_ip_usable(ip("2001:db8::1"), NULL));
  addr_added(5, "2001:db8::1", 64);
  assert_true(iface_ip_usable(ip("2001:db8::1"), NULL));
  link_down(5, "eth0");
  assert_false(iface_ip_usable(ip("2001:db8::1"), NULL));
  assert_true(iface_ip_ours(ip("2001:db8::1")));
  link_up(5, "eth0");
  addr_removed(5, "2001:db8::1", 64);
  assert_false(iface_ip_ours(ip("2001:db8::1")));
  addr_added(5, "2001:db8::1", 64);
  assert_true(iface_ip_usable(ip("2001:db8::1"), NULL));
}

/* `ip address add` takes the same IPv4 address with another length, or another peer, as another entry. */
static void
an_address_in_two_networks_stays_when_one_of_them_goes(void **ctx UNUSED)
{
  link_up(5, "eth0");
  addr_added(5, "10.0.0.1", 24);
  addr_added(5, "10.0.0.1", 32);
  addr_removed(5, "10.0.0.1", 32);
  assert_true(iface_ip_usable(ip("10.0.0.1"), NULL));
  assert_non_null(iface_local_for(iface_find("eth0"), ip("10.0.0.7"), false));
}

static void
an_address_that_is_no_longer_primary_or_preferred_gives_way(void **ctx UNUSED)
{
  const struct iface *i = link_up(5, "eth0");
  struct nl_addr a = addr_of(5, "10.0.0.1", 24);

  report_link(&(struct nl_link){ .index = 5, .name = "eth0", .up = true, .carrier = true });
  a.deprecated = true;
  iface_nl_hooks.addr(NULL, &a, false);
  addr_added(5, "10.0.0.2", 24);
  assert_true(ip_equal(iface_local_for(i, ip("10.0.0.9"), false)->ip, ip("10.0.0.2")));
  a.deprecated = false;
  iface_nl_hooks.addr(NULL, &a, false);
  a = addr_of(5, "10.0.0.2", 24);
  a.secondary = true;
  iface_nl_hooks.addr(NULL, &a, false);
  assert_true(ip_equal(iface_local_for(i, ip("10.0.0.9"), false)->ip, ip("10.0.0.1")));
}

/* --- Scans --- */

static void
scan(void (*what)(void))
{
  iface_nl_hooks.scan_begin(NULL);
  what();
  iface_nl_hooks.scan_end(NULL);
}

static void
two_links_with_addresses(void)
{
  link_up(5, "eth0");
  link_up(6, "eth1");
  addr_added(5, "10.0.0.1", 24);
  addr_added(5, "2001:db8::1", 64);
  addr_added(6, "10.0.1.1", 24);
}

static void
one_link_one_address(void)
{
  link_up(5, "eth0");
  addr_added(5, "10.0.0.1", 24);
}

static void
a_scan_that_finds_the_same_changes_nothing(void **ctx)
{
  struct fixture *f = *ctx;

  scan(two_links_with_addresses);
  f->changes = 0;
  scan(two_links_with_addresses);
  assert_int_equal(f->changes, 0);
}

static void
what_a_scan_does_not_find_has_gone(void **ctx)
{
  struct fixture *f = *ctx;

  scan(two_links_with_addresses);
  f->changes = 0;
  scan(one_link_one_address);
  assert_int_equal(f->changes, 2);
  assert_true(iface_usable(iface_find("eth0")));
  assert_true(iface_ip_usable(ip("10.0.0.1"), NULL));
  assert_false(iface_ip_ours(ip("2001:db8::1")));
  assert_false(iface_find("eth1")->present);
  assert_false(iface_ip_ours(ip("10.0.1.1")));
}

static void
a_scan_that_begins_again_forgets_nothing(void **ctx UNUSED)
{
  scan(two_links_with_addresses);
  iface_nl_hooks.scan_begin(NULL);
  one_link_one_address(); /* incomplete, so no end */
  assert_true(iface_ip_usable(ip("10.0.1.1"), NULL));
  scan(two_links_with_addresses);
  assert_true(iface_ip_usable(ip("10.0.1.1"), NULL));
  assert_true(iface_ip_usable(ip("2001:db8::1"), NULL));
}

static void
removed_during_the_scan(void)
{
  two_links_with_addresses();
  addr_removed(5, "10.0.0.1", 24);
  link_deleted(6, "eth1");
  link_up(7, "eth2");
}

static void
events_during_a_scan_hold(void **ctx UNUSED)
{
  scan(two_links_with_addresses);
  scan(removed_during_the_scan);
  assert_false(iface_ip_ours(ip("10.0.0.1")));
  assert_false(iface_find("eth1")->present);
  assert_true(iface_usable(iface_find("eth2")));
}

/* --- Neighbours --- */

struct watcher
{
  struct fixture *f;
  struct neighbor *nb, *victim;
  uint calls;
};

static void
nb_hook(struct neighbor *nb, void *data)
{
  struct watcher *w = data;

  assert_ptr_equal(nb, w->nb);
  w->calls++;
  if (w->victim == nb)
    w->nb = NULL;
  rfree(w->victim);
  w->victim = NULL;
}

static void
seek(struct fixture *f, struct watcher *w, const char *remote, const char *ifname, const char *local)
{
  *w = (struct watcher){ .f = f };
  w->nb = neighbor_new(f->pool, ip(remote), ifname, local ? ip(local) : IP_NONE, nb_hook, w);
  assert_int_equal(w->calls, 0);
}

/* @local NULL: none yet; @waits_for NULL: it can be reached. */
static void
expect(const struct watcher *w, const char *ifname, const char *local, const char *waits_for)
{
  if (ifname)
  {
    assert_non_null(w->nb->iface);
    assert_string_equal(w->nb->iface->name, ifname);
  }
  else
    assert_null(w->nb->iface);
  assert_true(ip_equal(w->nb->local, local ? ip(local) : IP_NONE));
  if (waits_for)
  {
    assert_non_null(w->nb->waits_for);
    assert_string_equal(w->nb->waits_for, waits_for);
  }
  else
    assert_null(w->nb->waits_for);
}

static void
a_neighbor_is_found_at_once_when_its_network_is_there(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  two_links_with_addresses();
  seek(f, &w, "10.0.1.7", NULL, NULL);
  expect(&w, "eth1", "10.0.1.1", NULL);
}

static void
a_neighbor_follows_its_interface(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;
  struct nl_link l = link_of(5, "eth0");

  seek(f, &w, "10.0.0.7", NULL, NULL);
  expect(&w, NULL, NULL, "connected network");
  one_link_one_address();
  settle(f);
  expect(&w, "eth0", "10.0.0.1", NULL);
  l.carrier = false;
  report_link(&l);
  settle(f);
  expect(&w, "eth0", "10.0.0.1", "interface to come up");
  link_up(5, "eth0");
  settle(f);
  expect(&w, "eth0", "10.0.0.1", NULL);
  addr_removed(5, "10.0.0.1", 24);
  settle(f);
  expect(&w, NULL, NULL, "connected network");
  addr_added(5, "10.0.0.2", 24);
  settle(f);
  expect(&w, "eth0", "10.0.0.2", NULL);
}

static void
a_neighbor_hears_of_the_same_interface_under_another_index(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  one_link_one_address();
  seek(f, &w, "10.0.0.7", "eth0", NULL);
  settle(f);
  w.calls = 0;
  link_deleted(5, "eth0");
  link_up(9, "eth0");
  addr_added(9, "10.0.0.1", 24);
  settle(f);
  expect(&w, "eth0", "10.0.0.1", NULL);
  assert_int_equal(w.calls, 1); /* what happens together is told once */
  assert_int_equal(w.nb->iface->index, 9);
}

static void
the_narrowest_network_wins(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  link_up(5, "wide");
  link_up(6, "narrow");
  link_up(7, "other");
  addr_added(5, "10.0.0.1", 8);
  addr_added(6, "10.0.0.2", 24);
  addr_added(7, "10.0.0.3", 16);
  seek(f, &w, "10.0.0.7", NULL, NULL);
  expect(&w, "narrow", "10.0.0.2", NULL);
  addr_removed(6, "10.0.0.2", 24);
  settle(f);
  expect(&w, "other", "10.0.0.3", NULL);
  addr_added(5, "10.0.0.4", 25); /* on one interface likewise */
  settle(f);
  expect(&w, "wide", "10.0.0.4", NULL);
}

static void
of_equal_networks_the_one_that_is_up_wins(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  link_up(5, "eth0");
  link_up(6, "eth1");
  addr_added(5, "10.0.0.1", 24);
  addr_added(6, "10.0.0.2", 24);
  link_down(5, "eth0");
  seek(f, &w, "10.0.0.7", NULL, NULL);
  expect(&w, "eth1", "10.0.0.2", NULL);
  link_up(5, "eth0");
  link_down(6, "eth1");
  settle(f);
  expect(&w, "eth0", "10.0.0.1", NULL);
}

static void
a_neighbor_moves_with_its_network(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  link_up(5, "eth0");
  link_up(6, "eth1");
  addr_added(5, "10.0.0.1", 24);
  seek(f, &w, "10.0.0.7", NULL, NULL);
  addr_removed(5, "10.0.0.1", 24);
  addr_added(6, "10.0.0.1", 24);
  settle(f);
  expect(&w, "eth1", "10.0.0.1", NULL);
}

static void
a_named_interface_is_waited_for_by_stages(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  seek(f, &w, "10.0.0.7", "eth0", NULL);
  expect(&w, NULL, NULL, "interface to appear");
  link_down(5, "eth0");
  settle(f);
  expect(&w, "eth0", NULL, "interface to come up");
  link_up(5, "eth0");
  settle(f);
  expect(&w, "eth0", NULL, "local address");
  addr_added(5, "10.0.0.1", 24);
  settle(f);
  expect(&w, "eth0", "10.0.0.1", NULL);
  link_deleted(5, "eth0");
  settle(f);
  expect(&w, NULL, NULL, "interface to appear");
}

static void
a_named_interface_offers_any_address_of_the_family(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher v4, v6;

  one_link_one_address();
  seek(f, &v4, "192.0.2.7", "eth0", NULL);
  seek(f, &v6, "2001:db8::7", "eth0", NULL);
  expect(&v4, "eth0", "10.0.0.1", NULL);
  expect(&v6, "eth0", NULL, "local address");
  addr_added(5, "192.0.2.1", 24); /* the one that fits is better */
  addr_added(5, "fe80::1", 64);   /* and that one is not for others */
  settle(f);
  expect(&v4, "eth0", "192.0.2.1", NULL);
  expect(&v6, "eth0", NULL, "local address");
}

static void
a_link_local_neighbor_needs_a_link_local_address(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  two_links_with_addresses();
  seek(f, &w, "fe80::7", "eth0", NULL);
  expect(&w, "eth0", NULL, "local address");
  addr_tentative(5, "fe80::1", 64);
  settle(f);
  expect(&w, "eth0", NULL, "local address");
  addr_added(5, "fe80::1", 64);
  settle(f);
  expect(&w, "eth0", "fe80::1", NULL);
}

static void
the_peer_of_a_point_to_point_address_is_there(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher peer, other;

  link_up(5, "ppp0");
  peer_added(5, "10.0.0.1", "10.9.9.9");
  seek(f, &peer, "10.9.9.9", NULL, NULL);
  seek(f, &other, "10.0.0.2", NULL, NULL);
  expect(&peer, "ppp0", "10.0.0.1", NULL);
  expect(&other, NULL, NULL, "connected network");
}

/* An interface without an address of its own towards each peer: the same local address many times. */
static void
several_peers_of_one_local_address_are_all_there(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher one, two;

  link_up(5, "tun0");
  peer_added(5, "10.0.0.1", "10.9.9.1");
  peer_added(5, "10.0.0.1", "10.9.9.2");
  seek(f, &one, "10.9.9.1", NULL, NULL);
  seek(f, &two, "10.9.9.2", NULL, NULL);
  expect(&one, "tun0", "10.0.0.1", NULL);
  expect(&two, "tun0", "10.0.0.1", NULL);
}

/* `ip address add 10.0.0.1 peer 10.9.9.0/24`: the kernel has that network on the link, and 10.0.0.0/24 not.
 */
static void
the_network_of_the_peer_is_there(void **ctx)
{
  struct fixture *f = *ctx;
  struct nl_addr a = addr_of(5, "10.0.0.1", 24);
  struct watcher there, not_there;

  link_up(5, "ppp0");
  a.peer = ip("10.9.9.0");
  iface_nl_hooks.addr(NULL, &a, false);
  seek(f, &there, "10.9.9.7", NULL, NULL);
  seek(f, &not_there, "10.0.0.7", NULL, NULL);
  expect(&not_there, NULL, NULL, "connected network");
  expect(&there, "ppp0", "10.0.0.1", NULL);
}

static void
a_preference_that_changes_is_followed(void **ctx)
{
  static struct iface_pattern pattern = { .mask = "eth0", .positive = true };
  static struct iface_preference preference; /* the next one is compared with it, after the test */
  struct fixture *f = *ctx;
  struct watcher w;

  preference = (struct iface_preference){ .ifaces = &pattern, .ip = ip("10.1.0.1") };
  link_up(5, "eth0");
  addr_added(5, "10.0.0.1", 24);
  addr_added(5, "10.1.0.1", 24);
  seek(f, &w, "192.0.2.9", "eth0", NULL);
  settle(f);
  expect(&w, "eth0", "10.0.0.1", NULL);
  iface_prefer(&preference);
  settle(f);
  expect(&w, "eth0", "10.1.0.1", NULL);
}

static void
our_own_address_is_no_neighbor(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  two_links_with_addresses();
  seek(f, &w, "10.0.0.1", NULL, NULL);
  expect(&w, NULL, NULL, "address of another host");
  addr_removed(5, "10.0.0.1", 24);
  addr_added(5, "10.0.0.2", 24);
  settle(f);
  expect(&w, "eth0", "10.0.0.2", NULL);
}

static void
our_own_address_is_no_neighbor_on_a_named_interface_either(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  two_links_with_addresses();
  seek(f, &w, "10.0.0.1", "eth0", NULL);
  assert_non_null(w.nb->waits_for);
}

static void
a_wanted_local_address_is_waited_for(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher named, free_one;

  two_links_with_addresses();
  seek(f, &named, "10.0.0.7", "eth0", "10.0.0.9");
  seek(f, &free_one, "10.0.0.7", NULL, "10.0.0.9");
  expect(&named, "eth0", NULL, "local address");
  expect(&free_one, NULL, NULL, "connected network");
  addr_tentative(5, "10.0.0.9", 24);
  settle(f);
  expect(&named, "eth0", NULL, "local address");
  addr_added(5, "10.0.0.9", 24);
  settle(f);
  expect(&named, "eth0", "10.0.0.9", NULL);
  expect(&free_one, "eth0", "10.0.0.9", NULL);
  addr_added(5, "10.0.0.8", 30); /* nothing better is taken instead */
  settle(f);
  expect(&named, "eth0", "10.0.0.9", NULL);
}

static void
a_scan_that_loses_the_interface_is_heard(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  scan(two_links_with_addresses);
  seek(f, &w, "10.0.1.7", "eth1", NULL);
  scan(one_link_one_address);
  settle(f);
  expect(&w, NULL, NULL, "interface to appear");
  scan(two_links_with_addresses);
  settle(f);
  expect(&w, "eth1", "10.0.1.1", NULL);
}

/* --- Many, and freeing in hooks --- */

#define MANY 200

static void
seek_many(struct fixture *f, struct watcher *w)
{
  char text[20];

  for (uint i = 0; i < MANY; i++)
  {
    snprintf(text, sizeof(text), "10.0.0.%u", 10 + i);
    seek(f, &w[i], text, NULL, NULL);
  }
}

static void
a_neighbor_may_free_itself_in_its_hook(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w[MANY];

  seek_many(f, w);
  for (uint i = 0; i < MANY; i += 3)
    w[i].victim = w[i].nb;
  one_link_one_address();
  settle(f);
  for (uint i = 0; i < MANY; i++)
    assert_int_equal(w[i].calls, 1);
  link_down(5, "eth0");
  settle(f);
  for (uint i = 0; i < MANY; i++)
    assert_int_equal(w[i].calls, i % 3 ? 2 : 1);
}

static void
a_neighbor_may_free_others_in_its_hook(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w[MANY];

  seek_many(f, w);
  w[0].victim = w[1].nb;               /* the next */
  w[70].victim = w[3].nb;              /* one that was told */
  w[80].victim = w[MANY - 1].nb;       /* one of a later slice */
  w[MANY - 2].victim = w[MANY - 3].nb; /* the one before */
  one_link_one_address();
  settle(f);
  for (uint i = 0; i < MANY; i++)
    assert_int_equal(w[i].calls, i != 1 && i != MANY - 1);
  link_down(5, "eth0");
  settle(f);
  assert_int_equal(w[3].calls, 1);
  assert_int_equal(w[MANY - 3].calls, 1);
  assert_int_equal(w[MANY - 2].calls, 2);
}

static void
disturbing_hook(struct neighbor *nb, void *data)
{
  struct watcher *w = data;

  if (w->calls++ == 0)
    addr_added(5, "10.0.0.2", 26);
  assert_ptr_equal(nb, w->nb);
}

static void
a_change_in_the_middle_of_the_walk_reaches_all(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w[MANY];

  seek_many(f, w);
  w[MANY / 2].nb->hook = disturbing_hook;
  one_link_one_address();
  settle(f);
  for (uint i = 0; i < MANY; i++)
    expect(&w[i], "eth0", i < 54 ? "10.0.0.2" : "10.0.0.1", NULL); /* .10 to .63 */
}

static void
breeding_hook(struct neighbor *nb UNUSED, void *data)
{
  struct watcher *w = data;

  if (!w->calls++)
    seek(w->f, w + 1, "10.0.0.8", NULL, NULL);
}

static void
a_neighbor_made_in_a_hook_is_served_from_the_next_change_on(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w[2];

  seek(f, &w[0], "10.0.0.7", NULL, NULL);
  w[0].nb->hook = breeding_hook;
  one_link_one_address();
  settle(f);
  expect(&w[1], "eth0", "10.0.0.1", NULL);
  assert_int_equal(w[1].calls, 0);
  link_down(5, "eth0");
  settle(f);
  assert_int_equal(w[1].calls, 1);
}

static void
a_neighbor_freed_before_the_walk_is_not_told(void **ctx)
{
  struct fixture *f = *ctx;
  struct watcher w;

  seek(f, &w, "10.0.0.7", NULL, NULL);
  one_link_one_address();
  rfree(w.nb);
  settle(f);
  assert_int_equal(w.calls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(an_interface_carries_packets_only_when_up_with_carrier),
    TEST(a_watch_hears_of_changes_and_of_nothing_else),
    TEST(a_watch_may_free_itself),
    TEST(a_deleted_interface_comes_back_as_the_same_object_with_another_index),
    TEST(an_interface_whose_index_changed_unseen_starts_without_addresses),
    TEST(a_renamed_interface_goes_and_another_comes),
    TEST(a_renamed_interface_keeps_its_addresses),
    TEST(an_index_reused_by_another_name_leaves_the_old_one),
    TEST(the_end_of_an_old_index_does_not_touch_its_successor),
    TEST(an_address_is_usable_while_it_is_there_and_checked),
    TEST(an_address_in_two_networks_stays_when_one_of_them_goes),
    TEST(an_address_that_is_no_longer_primary_or_preferred_gives_way),
    TEST(a_scan_that_finds_the_same_changes_nothing),
    TEST(what_a_scan_does_not_find_has_gone),
    TEST(a_scan_that_begins_again_forgets_nothing),
    TEST(events_during_a_scan_hold),
    TEST(a_neighbor_is_found_at_once_when_its_network_is_there),
    TEST(a_neighbor_follows_its_interface),
    TEST(a_neighbor_hears_of_the_same_interface_under_another_index),
    TEST(the_narrowest_network_wins),
    TEST(of_equal_networks_the_one_that_is_up_wins),
    TEST(a_neighbor_moves_with_its_network),
    TEST(a_named_interface_is_waited_for_by_stages),
    TEST(a_named_interface_offers_any_address_of_the_family),
    TEST(a_link_local_neighbor_needs_a_link_local_address),
    TEST(the_peer_of_a_point_to_point_address_is_there),
    TEST(several_peers_of_one_local_address_are_all_there),
    TEST(the_network_of_the_peer_is_there),
    TEST(a_preference_that_changes_is_followed),
    TEST(our_own_address_is_no_neighbor),
    TEST(our_own_address_is_no_neighbor_on_a_named_interface_either),
    TEST(a_wanted_local_address_is_waited_for),
    TEST(a_scan_that_loses_the_interface_is_heard),
    TEST(a_neighbor_may_free_itself_in_its_hook),
    TEST(a_neighbor_may_free_others_in_its_hook),
    TEST(a_change_in_the_middle_of_the_walk_reaches_all),
    TEST(a_neighbor_made_in_a_hook_is_served_from_the_next_change_on),
    TEST(a_neighbor_freed_before_the_walk_is_not_told),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
