/* nest/routerid_test.c: which address becomes the router id, and for how long */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nest/iface.h"
#include "nest/routerid.h"

static pool *test_pool;
static struct config *in_force;

static u32
ip4(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return ip_to_u32(a);
}

static void
address(uint index, const char *text, u8 len, bool gone)
{
  struct nl_addr a = { .ifindex = index, .prefix = { ip_v4(ip4(text)), len } };

  iface_nl_hooks.addr(NULL, &a, gone);
}

static void
interface(uint index, const char *name, bool loopback)
{
  struct nl_link l = { .index = index, .mtu = 1500, .up = true, .carrier = true, .loopback = loopback };

  snprintf(l.name, sizeof(l.name), "%s", name);
  iface_nl_hooks.link(NULL, &l, false);
}

static void configure(const char *statement);

static int
setup(void **ctx UNUSED)
{
  test_pool = pool_new(NULL, "test");
  iface_init(test_pool, NULL);
  configure("router id 9.9.9.9;"); /* forget what the test before chose: nothing has this address */
  interface(1, "lo", true);
  interface(2, "eth0", false);
  interface(3, "eth1", false);
  address(1, "127.0.0.1", 8, false);
  address(1, "10.255.0.1", 32, false);
  address(2, "192.0.2.1", 24, false);
  address(2, "169.254.0.1", 16, false);
  address(3, "198.51.100.1", 24, false);
  address(3, "192.0.2.100", 32, false);
  return 0;
}

static int
teardown(void **ctx UNUSED)
{
  rfree(test_pool);
  config_free(in_force);
  in_force = NULL;
  return 0;
}

/* Through the grammar, and as the daemon does it: the old one is freed afterwards. */
static void
configure(const char *statement)
{
  struct conf_error error;
  char path[] = "/tmp/routerid_test_XXXXXX";
  FILE *f = fdopen(mkstemp(path), "w");

  fprintf(f, "%s protocol device { }", statement);
  fclose(f);
  struct config *cfg = config_parse(path, false, &error);

  remove(path);
  assert_non_null(cfg);
  router_id_configure(cfg);
  config_free(in_force);
  in_force = cfg;
}

static void
is(const char *expected)
{
  assert_string_equal(IP_STR(ip_v4(router_id())), expected);
}

static void
patterns_choose_the_lowest_address_they_admit(void **ctx UNUSED)
{
  static const char *const cases[][2] = {
    { "router id from \"*\";", "10.255.0.1" },
    { "router id from \"eth*\";", "192.0.2.1" },
    { "router id from \"eth1\";", "192.0.2.100" },
    { "router id from \"lo\";", "10.255.0.1" }, /* never 127.0.0.1 */
    { "router id from -\"lo\", \"*\";", "192.0.2.1" },
    { "router id from 198.51.100.0/24;", "198.51.100.1" },
    { "router id from \"eth1\" 192.0.2.0/24;", "192.0.2.100" },
    { "router id from -\"*\" 192.0.2.0/24, \"eth*\";", "198.51.100.1" },
    { "router id from -10.0.0.0/8, -192.0.2.1/32, \"*\";", "192.0.2.100" },
    { "router id from \"lo\", -10.0.0.0/8, 192.0.2.0/24;",
      "10.255.0.1" }, /* the first from the left decides */
    { "router id from \"*\"; router id 1.2.3.4;", "1.2.3.4" },
    { "router id 1.2.3.4; router id from \"eth0\";", "192.0.2.1" },
    { "router id 5;", "0.0.0.5" },
    { "", "192.0.2.1" },
  };

  for (uint i = 0; i < ARRAY_SIZE(cases); i++)
  {
    configure("router id 9.9.9.9;");
    configure(cases[i][0]);
    is(cases[i][1]);
  }
}

static void
what_was_chosen_stays(void **ctx UNUSED)
{
  configure("router id from \"eth*\";");
  is("192.0.2.1");
  address(3, "192.0.2.0", 32, false);
  is("192.0.2.1"); /* a lower one has come */
  address(2, "192.0.2.1", 24, true);
  is("192.0.2.1"); /* it has gone */
}

static void
a_new_configuration_keeps_it_if_it_can(void **ctx UNUSED)
{
  configure("router id from \"eth1\";");
  is("192.0.2.100");
  configure("router id from \"eth*\";");
  is("192.0.2.100");
  configure("");
  is("192.0.2.100");
  configure("router id from \"eth0\";");
  is("192.0.2.1");
}

static void
without_an_address_the_old_one_has_to_do(void **ctx UNUSED)
{
  configure("router id from \"eth0\";");
  is("192.0.2.1");
  configure("router id from \"nowhere\";");
  is("192.0.2.1");
  interface(9, "nowhere", false);
  address(9, "203.0.113.1", 24, false);
  is("203.0.113.1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(patterns_choose_the_lowest_address_they_admit),
    TEST(what_was_chosen_stays),
    TEST(a_new_configuration_keeps_it_if_it_can),
    TEST(without_an_address_the_old_one_has_to_do),
  };

  return cmocka_run_group_tests_name("routerid", tests, NULL, NULL);
}
