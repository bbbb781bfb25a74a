/*
 * proto/bfd/engine_pause_test.c: a machine that stands still in the middle of a tick, right after a socket
 * was read. recvmmsg() of this program sleeps when it is told to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "proto/bfd/engine_host.h"

static _Atomic btime pause_after_read;

int
recvmmsg(int fd, struct mmsghdr *messages, uint count, int flags, struct timespec *timeout)
{
  long got = syscall(SYS_recvmmsg, fd, messages, count, flags, timeout);
  btime length = got > 0 ? atomic_exchange(&pause_after_read, 0) : 0;

  if (length)
    usleep(length);
  return got;
}

static void
a_pause_in_the_middle_of_a_tick_is_no_silence(void **ctx UNUSED)
{
  struct host h;
  struct peer p;
  struct bfd_info info;

  start_one(&h, &p, 7);
  bring_up(&h, &p, 7);
  atomic_store(&pause_after_read, BT_S(2)); /* twice the detection time */
  peer_send(&p, peer_packet(&p, BFD_UP, 0));
  while (atomic_load(&pause_after_read))
    usleep(1000);
  usleep(BT_S(2) + BT_MS(50));
  peer_send(&p, peer_packet(&p, BFD_UP, 0));
  assert_true(host_info(&h, &info, NULL));
  assert_int_equal(info.status.state, BFD_UP);
  assert_int_equal(info.counters.troubles.stalls, 1);
  assert_int_equal(info.counters.troubles.downs[BFD_DIAG_TIMEOUT], 0);
  end_one(&h, &p);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_pause_in_the_middle_of_a_tick_is_no_silence),
  };

  return cmocka_run_group_tests(tests, draw_addresses, NULL);
}
