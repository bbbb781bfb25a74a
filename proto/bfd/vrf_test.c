/*
 * proto/bfd/vrf_test.c: requests in VRFs, against interfaces that are only told of
 *
 * Many kernels are built without VRFs, so nothing here needs one; what sockets bound to its device do is for
 * sysdep/linux/udp_test.c, with another device in its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/bfd/provider_fixture.h"

#define RED 9
#define BLUE 11

static void
vrf_up(uint index, const char *name)
{
  struct nl_link l = link_of(index, name);

  l.vrf_table = 100 + index;
  iface_nl_hooks.link(NULL, &l, false);
}

static void
vrf_gone(uint index, const char *name)
{
  link_deleted(index, name);
}

/* An interface with the same address everywhere, in the VRF of that index (0: in none). */
static void
port_up(uint index, const char *name, uint vrf)
{
  struct nl_link l = link_of(index, name);

  l.master = vrf;
  iface_nl_hooks.link(NULL, &l, false);
  addr(index, "10.0.0.1", 24, false);
}

static struct client *
ask_in(struct fixture *f, enum bfd_hop hop, const char *vrf)
{
  struct bfd_peer peer = { .hop = hop, .remote = ip("10.0.0.2"), .vrf = vrf, .client = "test" };

  if (hop == BFD_MULTIHOP)
    peer.local = ip("10.0.0.1");
  return ask_peer(f, &peer, NULL);
}

static bool
served(const struct client *c)
{
  return c->r->provider != NULL;
}

static void
an_instance_of_a_vrf_serves_that_one_only(void **ctx)
{
  static const struct
  {
    const char *instance, *request;
    bool serves;
  } cases[] = {
    { NULL, NULL, true }, { NULL, "", true },     { NULL, "red", true },  { "", NULL, true },
    { "", "", true },     { "", "red", false },   { "red", "red", true }, { "red", "blue", false },
    { "red", "", false }, { "red", NULL, false },
  };
  struct fixture *f = *ctx;

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    f->cf.p.vrf = cases[i].instance;
    assert_int_equal(served(ask_in(f, BFD_MULTIHOP, cases[i].request)), cases[i].serves);
  }
}

static void
a_direct_session_is_where_its_vrf_has_the_network(void **ctx)
{
  struct fixture *f = *ctx;

  vrf_up(RED, "red");
  vrf_up(BLUE, "blue");
  port_up(5, "eth0", 0);
  port_up(6, "eth1", RED);
  port_up(7, "eth2", BLUE);
  ask_in(f, BFD_DIRECT, "blue");
  told(f, "A1");
  expect_path(f, 7, "10.0.0.1");
  assert_string_equal(f->last.key.ifname, "eth2");
  ask_in(f, BFD_DIRECT, "red");
  told(f, "A2");
  expect_path(f, 6, "10.0.0.1");
  ask_in(f, BFD_DIRECT, "");
  told(f, "A3");
  expect_path(f, 5, "10.0.0.1");
}

static void
a_multihop_session_is_bound_to_the_device_of_its_vrf(void **ctx)
{
  struct fixture *f = *ctx;

  port_up(5, "eth0", 0);
  ask_in(f, BFD_MULTIHOP, "red");
  ask_in(f, BFD_MULTIHOP, "");
  told(f, "A1");
  expect_path(f, 0, "10.0.0.1");
  vrf_up(RED, "red");
  told(f, ""); /* the local address is not in there */
  port_up(6, "eth1", RED);
  told(f, "A2");
  expect_path(f, RED, "10.0.0.1");
  assert_string_equal(f->last.key.vrf, "red");
}

static void
a_vrf_that_comes_back_is_another_device(void **ctx)
{
  struct fixture *f = *ctx;

  vrf_up(RED, "red");
  port_up(6, "eth1", RED);
  ask_in(f, BFD_MULTIHOP, "red");
  told(f, "A1");
  vrf_gone(RED, "red");
  told(f, "C1");
  assert_false(f->last.path.usable);
  vrf_up(RED + 1, "red");
  port_up(6, "eth1", RED + 1);
  told(f, "C1");
  expect_path(f, RED + 1, "10.0.0.1");
}

static void
equal_peers_of_two_vrfs_have_two_sessions(void **ctx)
{
  struct fixture *f = *ctx;

  vrf_up(RED, "red");
  vrf_up(BLUE, "blue");
  port_up(6, "eth1", RED);
  port_up(7, "eth2", BLUE);
  ask_in(f, BFD_MULTIHOP, "red");
  ask_in(f, BFD_MULTIHOP, "blue");
  ask_in(f, BFD_MULTIHOP, "red");
  told(f, "A1 A2");
}

static void
an_instance_that_says_goodbye_does_not_look_at_interfaces(void **ctx)
{
  struct fixture *f = *ctx;

  f->cf.p.vrf = "red";
  vrf_up(RED, "red");
  settle(f);
  f->told[0] = 0;
  bfd_provide_stop(&f->p);
  vrf_gone(RED, "red");
  vrf_up(RED + 1, "red");
  told(f, "");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(an_instance_of_a_vrf_serves_that_one_only),
    TEST(a_direct_session_is_where_its_vrf_has_the_network),
    TEST(a_multihop_session_is_bound_to_the_device_of_its_vrf),
    TEST(a_vrf_that_comes_back_is_another_device),
    TEST(equal_peers_of_two_vrfs_have_two_sessions),
    TEST(an_instance_that_says_goodbye_does_not_look_at_interfaces),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
