/* proto/bfd/fsm_test.c: all 32 cells, from the text of RFC 5880 6.2, 6.8.1, 6.8.4, 6.8.6 and 6.8.16 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/bfd/fsm.h"

/* clang-format off */
static const struct { u8 state, event; bool change; u8 next, diag, actions; } rfc[] = {
  /* 6.8.6: in AdminDown every packet is discarded before the state machine */
  { BFD_ADMIN_DOWN, RX_ADMIN_DOWN,  false, 0, 0, 0 },
  { BFD_ADMIN_DOWN, RX_DOWN,        false, 0, 0, 0 },
  { BFD_ADMIN_DOWN, RX_INIT,        false, 0, 0, 0 },
  { BFD_ADMIN_DOWN, RX_UP,          false, 0, 0, 0 },
  /* 6.8.1: bfd.RemoteDiscr MUST become zero after a silent detection time, in any state */
  { BFD_ADMIN_DOWN, DETECT_EXPIRED, false, 0, 0, FORGET_REMOTE },
  { BFD_ADMIN_DOWN, PATH_DOWN,      false, 0, 0, 0 },
  { BFD_ADMIN_DOWN, DISABLE,        false, 0, 0, 0 },
  { BFD_ADMIN_DOWN, ENABLE,         true,  BFD_DOWN, BFD_DIAG_NONE, NOTIFY },

  { BFD_DOWN, RX_ADMIN_DOWN,  false, 0, 0, 0 },
  { BFD_DOWN, RX_DOWN,        true,  BFD_INIT, BFD_DIAG_KEEP, NOTIFY },
  { BFD_DOWN, RX_INIT,        true,  BFD_UP, BFD_DIAG_NONE, NOTIFY | POLL },
  { BFD_DOWN, RX_UP,          false, 0, 0, 0 },
  { BFD_DOWN, DETECT_EXPIRED, false, 0, 0, FORGET_REMOTE },
  { BFD_DOWN, PATH_DOWN,      false, 0, 0, 0 },
  { BFD_DOWN, DISABLE,        true,  BFD_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, NOTIFY },
  { BFD_DOWN, ENABLE,         false, 0, 0, 0 },

  { BFD_INIT, RX_ADMIN_DOWN,  true,  BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, NOTIFY },
  { BFD_INIT, RX_DOWN,        false, 0, 0, 0 },
  { BFD_INIT, RX_INIT,        true,  BFD_UP, BFD_DIAG_NONE, NOTIFY | POLL },
  { BFD_INIT, RX_UP,          true,  BFD_UP, BFD_DIAG_NONE, NOTIFY | POLL },
  { BFD_INIT, DETECT_EXPIRED, true,  BFD_DOWN, BFD_DIAG_TIMEOUT, NOTIFY | FORGET_REMOTE },
  { BFD_INIT, PATH_DOWN,      true,  BFD_DOWN, BFD_DIAG_PATH_DOWN, NOTIFY },
  { BFD_INIT, DISABLE,        true,  BFD_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, NOTIFY },
  { BFD_INIT, ENABLE,         false, 0, 0, 0 },

  { BFD_UP, RX_ADMIN_DOWN,  true,  BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, NOTIFY | TX_SLOW },
  { BFD_UP, RX_DOWN,        true,  BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, NOTIFY | TX_SLOW },
  { BFD_UP, RX_INIT,        false, 0, 0, 0 },
  { BFD_UP, RX_UP,          false, 0, 0, 0 },
  { BFD_UP, DETECT_EXPIRED, true,  BFD_DOWN, BFD_DIAG_TIMEOUT, NOTIFY | TX_SLOW | FORGET_REMOTE },
  { BFD_UP, PATH_DOWN,      true,  BFD_DOWN, BFD_DIAG_PATH_DOWN, NOTIFY | TX_SLOW },
  { BFD_UP, DISABLE,        true,  BFD_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, NOTIFY | TX_SLOW },
  { BFD_UP, ENABLE,         false, 0, 0, 0 },
};
/* clang-format on */

static void
fsm_follows_rfc5880_section_6_8_6(void **ctx UNUSED)
{
  bool seen[BFD_STATE__MAX][BFD_EVENT__MAX] = { 0 };
  bool good = true;

  assert_int_equal(ARRAY_SIZE(rfc), BFD_STATE__MAX * BFD_EVENT__MAX);
  for (uint i = 0; i < ARRAY_SIZE(rfc); i++)
  {
    struct bfd_step got = bfd_fsm_step(rfc[i].state, rfc[i].event);
    bool right = got.change == rfc[i].change && got.actions == rfc[i].actions &&
                 (!got.change || (got.state == rfc[i].next && got.diag == rfc[i].diag));

    assert_false(seen[rfc[i].state][rfc[i].event]);
    seen[rfc[i].state][rfc[i].event] = true;
    if (!right)
      print_error("state %u, event %u: change %u to %u, diag %u, actions %u\n", rfc[i].state, rfc[i].event,
                  got.change, got.state, got.diag, got.actions);
    good = good && right;
  }
  assert_true(good);
}

static void
only_enable_leaves_admin_down(void **ctx UNUSED)
{
  for (uint event = 0; event < BFD_EVENT__MAX; event++)
    assert_int_equal(bfd_fsm_step(BFD_ADMIN_DOWN, event).change, event == ENABLE);
}

static void
up_is_reached_only_by_hearing_the_peer(void **ctx UNUSED)
{
  for (uint state = 0; state < BFD_STATE__MAX; state++)
    for (uint event = 0; event < BFD_EVENT__MAX; event++)
    {
      struct bfd_step st = bfd_fsm_step(state, event);

      assert_true(!st.change || st.state != BFD_UP || event == RX_INIT || event == RX_UP);
      assert_true(!st.change || st.state != state);
    }
}

/* 6.8.3: whoever leaves Up sends slowly again, and whoever enters it tells the peer its real intervals. */
static void
intervals_follow_every_way_into_and_out_of_up(void **ctx UNUSED)
{
  for (uint state = 0; state < BFD_STATE__MAX; state++)
    for (uint event = 0; event < BFD_EVENT__MAX; event++)
    {
      struct bfd_step st = bfd_fsm_step(state, event);

      assert_int_equal(!!(st.actions & TX_SLOW), st.change && state == BFD_UP);
      assert_int_equal(!!(st.actions & POLL), st.change && st.state == BFD_UP);
      assert_int_equal(!!(st.actions & NOTIFY), st.change);
    }
}

static void
received_states_are_events_of_the_same_number(void **ctx UNUSED)
{
  assert_int_equal(RX_ADMIN_DOWN, BFD_ADMIN_DOWN);
  assert_int_equal(RX_DOWN, BFD_DOWN);
  assert_int_equal(RX_INIT, BFD_INIT);
  assert_int_equal(RX_UP, BFD_UP);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(fsm_follows_rfc5880_section_6_8_6),
    cmocka_unit_test(only_enable_leaves_admin_down),
    cmocka_unit_test(up_is_reached_only_by_hearing_the_peer),
    cmocka_unit_test(intervals_follow_every_way_into_and_out_of_up),
    cmocka_unit_test(received_states_are_events_of_the_same_number),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
