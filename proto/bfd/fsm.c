/* proto/bfd/fsm.c: see fsm.h. An empty cell means "stay". */
#include "proto/bfd/fsm.h"

/* clang-format off */
#define GO(st, dg, act)  { .change = true, .state = (st), .diag = (dg), .actions = (act) }

static const struct bfd_step bfd_fsm[BFD_STATE__MAX][BFD_EVENT__MAX] = {
  [BFD_ADMIN_DOWN] = {
    /* whatever the peer says is discarded, 6.8.6 */
    [DETECT_EXPIRED] = { .actions = FORGET_REMOTE },
    [ENABLE]         = GO(BFD_DOWN, BFD_DIAG_NONE, NOTIFY) },
  [BFD_DOWN] = {
    [RX_DOWN]        = GO(BFD_INIT, BFD_DIAG_KEEP, NOTIFY),        /* the diagnostic explains the last Down until Up */
    [RX_INIT]        = GO(BFD_UP, BFD_DIAG_NONE, NOTIFY | POLL),
    [DETECT_EXPIRED] = { .actions = FORGET_REMOTE },
    [DISABLE]        = GO(BFD_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, NOTIFY) },
  [BFD_INIT] = {
    [RX_ADMIN_DOWN]  = GO(BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, NOTIFY),
    [RX_INIT]        = GO(BFD_UP, BFD_DIAG_NONE, NOTIFY | POLL),
    [RX_UP]          = GO(BFD_UP, BFD_DIAG_NONE, NOTIFY | POLL),
    [DETECT_EXPIRED] = GO(BFD_DOWN, BFD_DIAG_TIMEOUT, NOTIFY | FORGET_REMOTE),
    [PATH_DOWN]      = GO(BFD_DOWN, BFD_DIAG_PATH_DOWN, NOTIFY),
    [DISABLE]        = GO(BFD_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, NOTIFY) },
  [BFD_UP] = {
    [RX_ADMIN_DOWN]  = GO(BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, NOTIFY | TX_SLOW),
    [RX_DOWN]        = GO(BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, NOTIFY | TX_SLOW),
    [DETECT_EXPIRED] = GO(BFD_DOWN, BFD_DIAG_TIMEOUT, NOTIFY | TX_SLOW | FORGET_REMOTE),
    [PATH_DOWN]      = GO(BFD_DOWN, BFD_DIAG_PATH_DOWN, NOTIFY | TX_SLOW),
    [DISABLE]        = GO(BFD_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, NOTIFY | TX_SLOW) },
};
/* clang-format on */

struct bfd_step
bfd_fsm_step(enum bfd_state state, enum bfd_event event)
{
  return bfd_fsm[state][event];
}
