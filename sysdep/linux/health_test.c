/* sysdep/linux/health_test.c */
#include <setjmp.h>
#include <stdarg.h>
#include <sched.h>
#include <unistd.h>
#include <cmocka.h>

#include "sysdep/clock.h"
#include "sysdep/health.h"

static void
run_delay_is_the_second_number_of_schedstat(void **ctx UNUSED)
{
  assert_int_equal(health_run_delay("580694 66309 3\n"), 66);
  assert_int_equal(health_run_delay("1 18446744073709551000 3\n"), 18446744073709551);
  assert_int_equal(health_run_delay(""), 0);
  assert_int_equal(health_run_delay("580694"), 0);
}

static void
udp_errors_of_both_families_add_up(void **ctx UNUSED)
{
  const char *snmp = "Icmp: 1 2\n"
                     "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\n"
                     "Udp: 1020998 12237 9699 1057128 9552 0\n"
                     "UdpLite: InDatagrams NoPorts InErrors\nUdpLite: 1 1 7\n";
  const char *snmp6 = "Ip6InReceives \t5\nUdp6InErrors                    \t21\nUdp6OutDatagrams\t9\n";

  assert_int_equal(health_udp_errors(snmp, snmp6), 9720);
  assert_int_equal(health_udp_errors(snmp, ""), 9699);
  assert_int_equal(health_udp_errors("", snmp6), 21);
  assert_int_equal(health_udp_errors("Udp: InDatagrams NoPorts InErrors\n", "Udp6InErrors"), 0);
}

static void
backlog_drops_of_all_processors_add_up(void **ctx UNUSED)
{
  assert_int_equal(health_backlog_drops("056e62e7 0000000a 00000015 00000000\n04d70534 00000010 0000001c\n"),
                   26);
  assert_int_equal(health_backlog_drops(""), 0);
  assert_int_equal(health_backlog_drops("nonsense\n\n"), 0);
}

static void
pressure_is_the_first_average(void **ctx UNUSED)
{
  assert_int_equal(health_pressure("some avg10=56.33 avg60=4.45 avg300=10.45 total=2300575456\n"), 5633);
  assert_int_equal(health_pressure("full avg10=1.00\n"), 0);
  assert_int_equal(health_pressure(""), 0);
}

/* This thread gives way again and again while it is one of many: the kernel's number must not go down. */
static void
a_reading_never_goes_back(void **ctx UNUSED)
{
  pool *p = pool_new(NULL, "test");
  struct health_probe *probe = health_probe_new(p, gettid());
  struct health before, now = { 0 };

  health_read(probe, &now);
  before = now;
  for (int i = 0; i < 100; i++)
  {
    sched_yield();
    health_read(probe, &now);
    assert_true(now.run_delay >= before.run_delay && now.udp_errors >= before.udp_errors);
    assert_true(now.pressure <= 10000);
    before = now;
  }
  rfree(p);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(run_delay_is_the_second_number_of_schedstat),
    cmocka_unit_test(udp_errors_of_both_families_add_up),
    cmocka_unit_test(backlog_drops_of_all_processors_add_up),
    cmocka_unit_test(pressure_is_the_first_average),
    cmocka_unit_test(a_reading_never_goes_back),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
