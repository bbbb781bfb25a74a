/*
 * lib/bfd.h: what loops, programs and the daemon exchange about a BFD session. Values only.
 *
 * Words, states and numbers are those of RFC 5880 section 4.1. Intervals are microseconds, as on the wire.
 */
#ifndef PEREGRINE_LIB_BFD_H
#define PEREGRINE_LIB_BFD_H

#include "lib/ip.h"

#define BFD_PORT_DIRECT 3784   /* RFC 5881 section 4 */
#define BFD_PORT_MULTIHOP 4784 /* RFC 5883 section 5 */

#define BFD_IFNAME_SIZE 16 /* the kernel's limit, with the end */

enum bfd_state
{
  BFD_ADMIN_DOWN,
  BFD_DOWN,
  BFD_INIT,
  BFD_UP,
  BFD_STATE__MAX
};

enum bfd_diag
{
  BFD_DIAG_NONE,
  BFD_DIAG_TIMEOUT,
  BFD_DIAG_ECHO_FAILED,
  BFD_DIAG_NEIGHBOR_DOWN,
  BFD_DIAG_FORWARDING_RESET,
  BFD_DIAG_PATH_DOWN,
  BFD_DIAG_CONCAT_DOWN,
  BFD_DIAG_ADMIN_DOWN,
  BFD_DIAG_REVERSE_CONCAT_DOWN,
  BFD_DIAG__MAX
};

enum bfd_hop
{
  BFD_DIRECT,
  BFD_MULTIHOP,
  BFD_HOP__MAX
};

const char *bfd_state_name(uint state);
const char *bfd_diag_name(uint diag); /* "Unknown" past the last assigned number */

/*
 * Which session. Direct: (VRF, interface, remote); multihop: (VRF, local, remote). @local of a direct session
 * is an attribute (RFC 5881 section 3), IP_NONE for "choose one".
 */
struct bfd_key
{
  enum bfd_hop hop;
  u32 vrf;                      /* index of the VRF device, 0 for the default */
  char ifname[BFD_IFNAME_SIZE]; /* direct only; empty where it is not known yet */
  ip_addr local, remote;
};

/* The same session? @local of direct ones does not count. */
bool bfd_key_equal(const struct bfd_key *a, const struct bfd_key *b);

/* What a session is run with. */
struct bfd_params
{
  u32 min_rx;      /* required min RX interval; 0: the peer shall not send (RFC 5880 6.8.1) */
  u32 min_tx;      /* desired min TX interval while Up */
  u32 idle_tx;     /* desired min TX interval while not Up */
  u8 detect_mult;  /* 1 to 255 */
  bool passive;    /* RFC 5880 6.1 */
  bool admin_down; /* hold the session in AdminDown */
  u8 min_ttl;      /* lowest TTL or hop limit accepted */
};

#define BFD_PARAMS_DEFAULT \
  ((struct bfd_params){ .min_rx = 10000, .min_tx = 100000, .idle_tx = 1000000, .detect_mult = 5 })

/* What a client is told. */
struct bfd_status
{
  u8 state, diag, remote_state;
  bool failed; /* RFC 5882 4.2: act on it. Sticky until delivered, so that a short failure is not lost */
};

/* Counters of one session; never reset by the protocol. */
struct bfd_counters
{
  u64 rx, tx, rx_refused, tx_errors;
  u32 ups, downs;
};

/* One consistent picture of a session, as `show` prints it. Times are monotonic; 0 means "never". */
struct bfd_info
{
  u64 id; /* as in the commands of proto/bfd/msg.h */
  struct bfd_status status;
  bool suspended; /* without a path: interface down or gone, no address */
  u32 local_disc, remote_disc;
  u8 remote_diag;
  btime since;                       /* last state change */
  btime tx_interval;                 /* negotiated, before jitter; 0 when nothing is sent periodically */
  btime tx_left;                     /* until the next periodic packet */
  btime detection_time, detect_left; /* 0 when the peer is not being watched */
  u32 local_min_tx, local_min_rx, remote_min_tx, remote_min_rx;
  u8 local_mult, remote_mult;
  bool remote_demand, poll;
  btime last_rx; /* arrival of the last accepted packet */
  struct bfd_counters counters;
};

#endif
