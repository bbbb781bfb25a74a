/* proto/bfd/engine_stall_test.c: time in which the engine could not listen is no silence of its peers */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/bfd/engine_host.h"

/*
 * While the engine sleeps through eight detection times, the peer goes on speaking, among more packets than
 * are read at a time, which span more than a detection time. "Silence is judged only after everything that
 * arrived in time has been read."
 */
static void
a_stalled_engine_does_not_imagine_a_failure(void **ctx UNUSED)
{
  const btime length = BT_MS(800), detection = BT_MS(100);
  struct host h;
  struct peer p;
  struct bfd_packet pkt, noise;
  struct bfd_info info;
  btime begin, last, gap = 0;
  int pipefd[2], fd;
  char c;

  host_start(&h);
  fd = host_listen(&h, BFD_MULTIHOP, 32 << 20);
  peer_open(&p, &h, BFD_MULTIHOP);
  command(&h, BFD_ADD, session_for(&h, 7, BFD_MULTIHOP, p.addr));
  bring_up(&h, &p, 7);
  assert_return_code(pipe(pipefd), errno);
  h.stall = length;
  h.stalled = pipefd[1];

  pkt = peer_packet(&p, BFD_UP, 0);
  pkt.detect_mult = detection / pkt.min_tx;
  noise = pkt;
  noise.your_disc ^= 0x5555;
  mailbox_post(h.stalls, msg_alloc(sizeof(struct msg)));
  assert_int_equal(read(pipefd[0], &c, 1), 1);
  for (begin = last = clock_now(); last - begin < length + detection;)
  {
    peer_send(&p, pkt);
    for (uint i = 0; i < 8 && last - begin < length - detection; i++)
      peer_send(&p, noise);
    usleep(1000);
    gap = MAX(gap, clock_now() - last);
    last = clock_now();
  }
  pkt.detect_mult = 250; /* that is enough */
  peer_send(&p, pkt);
  assert_true(host_info(&h, &info, NULL));

  bool fair = gap < detection / 2 && udp_receive_buffer(fd) >= 32 << 20;

  close(pipefd[0]);
  close(pipefd[1]);
  end_one(&h, &p);
  if (!fair)
  {
    print_message("the machine is too busy, or the receive buffer too small\n");
    skip();
  }
  assert_int_equal(downs(&info), 0);
  assert_int_equal(info.status.state, BFD_UP);
}

/*
 * The whole machine stood still: nothing came meanwhile that could be read afterwards. The peer gets what was
 * left of the detection time, and no more than that.
 */
static void
time_stood_still(bool peer_lives)
{
  const btime length = BT_S(2); /* the detection time is 1 s */
  struct host h;
  struct peer p;
  struct bfd_info info;
  btime end;
  int pipefd[2];
  char c;

  host_start(&h);
  host_listen(&h, BFD_MULTIHOP, 0);
  peer_open(&p, &h, BFD_MULTIHOP);
  command(&h, BFD_ADD, session_for(&h, 7, BFD_MULTIHOP, p.addr));
  bring_up(&h, &p, 7);
  assert_return_code(pipe(pipefd), errno);
  h.stall = length;
  h.stalled = pipefd[1];
  peer_send(&p, peer_packet(&p, BFD_UP, 0));
  mailbox_post(h.stalls, msg_alloc(sizeof(struct msg)));
  assert_int_equal(read(pipefd[0], &c, 1), 1);
  end = clock_now() + length;
  usleep(length + BT_MS(50));
  if (peer_lives)
    peer_send(&p, peer_packet(&p, BFD_UP, 0));
  else
    host_wait_state(&h, 7, BFD_DOWN);

  bool fair = clock_now() - end < BT_MS(500) || !peer_lives;

  assert_true(peer_lives || clock_now() >= end + BT_MS(500));
  assert_true(host_info(&h, &info, NULL));
  close(pipefd[0]);
  close(pipefd[1]);
  end_one(&h, &p);
  if (!fair)
  {
    print_message("the machine is too busy\n");
    skip();
  }
  assert_int_equal(downs(&info), peer_lives ? 0 : 1);
}

static void
a_machine_that_stood_still_sees_no_failure(void **ctx UNUSED)
{
  time_stood_still(true);
}

static void
a_peer_that_is_silent_after_a_standstill_is_noted_all_the_same(void **ctx UNUSED)
{
  time_stood_still(false);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_stalled_engine_does_not_imagine_a_failure),
    cmocka_unit_test(a_machine_that_stood_still_sees_no_failure),
    cmocka_unit_test(a_peer_that_is_silent_after_a_standstill_is_noted_all_the_same),
  };

  return cmocka_run_group_tests(tests, draw_addresses, NULL);
}
