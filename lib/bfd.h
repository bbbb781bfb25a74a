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

/* Authentication, RFC 5880 section 4.1: the numbers of Auth Type. */
enum bfd_auth_type
{
  BFD_AUTH_NONE,
  BFD_AUTH_SIMPLE,
  BFD_AUTH_KEYED_MD5,
  BFD_AUTH_METICULOUS_MD5,
  BFD_AUTH_KEYED_SHA1,
  BFD_AUTH_METICULOUS_SHA1,
  BFD_AUTH__MAX
};

#define BFD_SECRET_MAX 20

/* The longest secret of a type, sections 4.2 to 4.4; 0 without authentication. */
uint bfd_auth_secret_max(enum bfd_auth_type type);
const char *bfd_auth_name(enum bfd_auth_type type);

/* A key that is valid now, for one of the two or for both. */
struct bfd_secret
{
  u8 id, length;
  bool generate, accept;
  byte data[BFD_SECRET_MAX]; /* zeros behind the end */
};

/* What a session signs with and accepts. At most one of the secrets generates. */
struct bfd_keys
{
  enum bfd_auth_type type; /* NONE: no secrets follow */
  uint count;
  struct bfd_secret secret[];
};

size_t bfd_keys_size(uint count);
bool bfd_keys_equal(const struct bfd_keys *a, const struct bfd_keys *b);
void bfd_keys_free(struct bfd_keys *keys); /* wipes them; memory of a pool, or NULL */

enum bfd_hop
{
  BFD_DIRECT,
  BFD_MULTIHOP,
  BFD_HOP__MAX
};

const char *bfd_state_name(uint state);
const char *bfd_diag_name(uint diag); /* "Unknown" past the last assigned number */

/*
 * Which session. Direct: (interface, remote), for an interface tells its VRF; multihop: (VRF, local, remote).
 * @local of a direct session is an attribute (RFC 5881 section 3), IP_NONE for "choose one".
 */
struct bfd_key
{
  enum bfd_hop hop;
  char vrf[BFD_IFNAME_SIZE];    /* multihop: name of the VRF device, empty for the default */
  char ifname[BFD_IFNAME_SIZE]; /* direct only; empty where it is not known yet */
  ip_addr local, remote;
};

/* The same session? @local of direct ones does not count. */
bool bfd_key_equal(const struct bfd_key *a, const struct bfd_key *b);

/* How a session's packets may go around the IP stack. Only single-hop ones do. */
enum bfd_offload
{
  BFD_OFFLOAD_OFF,
  BFD_OFFLOAD_AUTO, /* what costs least */
  BFD_OFFLOAD_RING,
  BFD_OFFLOAD_ABSORB,
  BFD_OFFLOAD__MAX
};

const char *bfd_offload_name(uint offload);

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
  u8 offload;      /* enum bfd_offload */
  bool attached;   /* there is a program where its packets come in, that could take them */
};

#define BFD_PARAMS_DEFAULT \
  ((struct bfd_params){ .min_rx = 10000, .min_tx = 100000, .idle_tx = 1000000, .detect_mult = 5 })

/* What a client is told. */
struct bfd_status
{
  u8 state, diag, remote_state;
  bool failed; /* RFC 5882 4.2: act on it. Sticky until delivered, so that a short failure is not lost */
};

/*
 * What became of a received packet: accepted, or the reason why not, in the order of RFC 5880 6.8.6.
 */
enum bfd_rx
{
  BFD_RX_OK,
  BFD_RX_TTL,       /* RFC 5881 section 5, or below the configured minimum */
  BFD_RX_TRUNCATED, /* shorter than the mandatory section */
  BFD_RX_VERSION,
  BFD_RX_LENGTH,
  BFD_RX_DETECT_MULT,
  BFD_RX_MULTIPOINT,
  BFD_RX_MY_DISC,
  BFD_RX_YOUR_DISC,  /* zero in a state that must know it */
  BFD_RX_NO_SESSION, /* nobody here is meant */
  BFD_RX_HOP,        /* a direct session's discriminator on the multihop port, or the reverse */
  BFD_RX_INTERFACE,  /* a direct session's discriminator on another interface */
  BFD_RX_AUTH,       /* authenticated, and the session is not, or the reverse */
  /* The rules of section 6.7 */
  BFD_RX_AUTH_TYPE,
  BFD_RX_AUTH_KEY, /* no key of that number is accepted now */
  BFD_RX_AUTH_LENGTH,
  BFD_RX_AUTH_SEQUENCE, /* heard before, or too far ahead */
  BFD_RX_AUTH_DIGEST,   /* another secret, or a forgery */
  BFD_RX__MAX
};

const char *bfd_rx_name(enum bfd_rx rx);

/*
 * When the packets of a session came while it was Up: the last gaps between them, and how often gaps of each
 * length were seen since the peer last changed its interval. Bucket 0 counts gaps under 1.024 ms, each one
 * after it gaps up to twice as long, the last one all the rest.
 */
#define BFD_GAPS 16
#define BFD_GAP_GRAIN 64 /* us; of the ring */
#define BFD_GAP_BUCKETS 13
#define BFD_GAP_FIRST_END 1024u /* us */
struct bfd_arrivals
{
  u32 interval;       /* us; what the peer had agreed to */
  u32 count, largest; /* of all gaps; us */
  u32 bucket[BFD_GAP_BUCKETS];
  u16 ring[BFD_GAPS]; /* in grains */
};

/* The last gaps, oldest first, in microseconds; how many. */
uint bfd_arrivals_last(const struct bfd_arrivals *a, u32 gaps[BFD_GAPS]);

/* The end of a bucket: gaps in it are shorter. BT_NEVER for the last one. And the bucket of a gap of @us. */
btime bfd_gap_end(uint bucket);
uint bfd_gap_bucket(u32 us);

/* Why a session is Up no more: the best explanation of what was known then. */
enum bfd_verdict
{
  BFD_VERDICT_UNKNOWN,
  BFD_VERDICT_ADMIN,   /* somebody wanted it so, here or there */
  BFD_VERDICT_LINK,    /* the interface or the local address went */
  BFD_VERDICT_PEER,    /* the peer said so */
  BFD_VERDICT_STALLED, /* we could not listen, or speak, in time */
  BFD_VERDICT_REFUSED, /* about as many packets as it sends came for it, and none was accepted */
  BFD_VERDICT_DROPPED, /* the kernel dropped packets meanwhile, which may have been those */
  BFD_VERDICT_SILENT,
  BFD_VERDICT_LATE, /* silent, but then its next packet was that of a peer that had gone on */
  BFD_VERDICT__MAX
};

const char *bfd_verdict_name(uint verdict);

/* What was known when a session left Up. Durations; 0 where nothing of the kind was seen. */
struct bfd_evidence
{
  u8 state, diag, remote_state, remote_diag, remote_mult;
  bool restarted;  /* the peer came with another discriminator */
  u8 refused_why;  /* enum bfd_rx of the last one of */
  u32 refused;     /* its packets that were refused since one was accepted */
  btime up;        /* how long it had been Up */
  btime silence;   /* since the last packet accepted */
  btime detection; /* what the peer had for its next one, */
  btime patience;  /* and what it gives us */
  btime stall;     /* the longest time in which we could do nothing meanwhile */
  u32 dropped;     /* packets the kernel dropped at our sockets of its kind */
  struct bfd_arrivals arrivals;
  /* What the machine says, over @span; packets: in our network namespace, or before any protocol saw them */
  btime span, run_delay;           /* how long our thread was ready and had no processor */
  u32 elsewhere, elsewhere_before; /* packets dropped in @span, and in as much time before that */
  uint pressure;                   /* 1/100 % of the last 10 s in which somebody waited for a processor */
};

/* What went wrong with a session. */
struct bfd_troubles
{
  u64 tx_errors;
  u32 refused[BFD_RX__MAX];
  u32 downs[BFD_DIAG__MAX]; /* by the diagnostic it went down with */
  u32 stalls;               /* times in which we could not listen, that were not held against the peer */
};

/* Counters of one session, since it came or since an operator reset them. */
struct bfd_counters
{
  u64 rx, tx;
  u32 ups;
  struct bfd_troubles troubles;
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
  /* in use, and wanted as soon as the peer agrees; the sequence numbers of 6.8.1 */
  enum bfd_auth_type auth, auth_wanted;
  bool auth_changing, auth_rx_known;
  u32 auth_rx_seq, auth_tx_seq;
  struct bfd_arrivals arrivals;
  struct bfd_counters counters;
  u8 offload;      /* enum bfd_offload: how its packets are received at present */
  bool offload_tx; /* and are they sent to the neighbour's link-layer address? */
  u64 offloaded;   /* so many were received that way */
};

/* Counters of an engine, or of all engines of an instance. */
struct bfd_engine_stats
{
  u64 rx, tx, tx_errors;
  u64 refused[BFD_RX__MAX];
  u64 ups, downs[BFD_DIAG__MAX]; /* of all sessions, those that are gone included */
  u64 dropped;                   /* by the kernel, because a receive queue was full */
  u64 late_ticks;                /* ticks that came so late that we may have been unable to listen */
  u64 rests;                     /* times in which it let others run, because it was busy all the time */
  btime latest;                  /* by how much, at worst */
};

/* All sessions of an instance in one. */
struct bfd_totals
{
  const char *instance;
  u32 states[BFD_STATE__MAX];
  struct bfd_engine_stats stats;
  u64 verdicts[BFD_VERDICT__MAX];
  /* Of those that are Up: gaps between packets, and detection times, by the buckets of struct bfd_arrivals.
   */
  u64 gaps[BFD_GAP_BUCKETS], detections[BFD_GAP_BUCKETS];
  u64 detection_sum; /* us */
};

#endif
