/*
 * proto/bfd/fsm.h: the state machine of RFC 5880 sections 6.2 and 6.8.6, as a table. Pure.
 */
#ifndef PEREGRINE_BFD_FSM_H
#define PEREGRINE_BFD_FSM_H

#include "lib/bfd.h"

enum bfd_event
{
  RX_ADMIN_DOWN, /* the first four follow the numbers of the states received */
  RX_DOWN,
  RX_INIT,
  RX_UP,
  DETECT_EXPIRED,
  PATH_DOWN,
  DISABLE,
  ENABLE,
  BFD_EVENT__MAX
};

enum bfd_action
{
  NOTIFY = 1,        /* tell the clients */
  TX_SLOW = 2,       /* the desired min TX interval is the idle one again (6.8.3) */
  POLL = 4,          /* our intervals change: a Poll Sequence */
  FORGET_REMOTE = 8, /* what the peer said is void (6.8.1) */
};

#define BFD_DIAG_KEEP 0xff

struct bfd_step
{
  bool change; /* else only @actions means something */
  u8 state, diag, actions;
};

struct bfd_step bfd_fsm_step(enum bfd_state state, enum bfd_event event);

#endif
