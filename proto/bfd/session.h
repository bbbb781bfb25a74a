/*
 * proto/bfd/session.h: the variables of one session (RFC 5880 section 6.8.1) and what changes them
 *
 * Pure given "now": nothing here sends, sleeps or allocates. Each function returns what the caller has to
 * carry out, as a set of enum bfd_do. The caller is the engine, in its loop.
 */
#ifndef PEREGRINE_BFD_SESSION_H
#define PEREGRINE_BFD_SESSION_H

#include "proto/bfd/auth.h"
#include "proto/bfd/fsm.h"
#include "proto/bfd/packet.h"

enum bfd_do
{
  BFD_DO_NOTIFY = 1,    /* tell the clients: the state of either side, or the diagnostic, changed */
  BFD_DO_SEND = 2,      /* one packet now, besides the periodic ones */
  BFD_DO_FINAL = 4,     /* one packet with the Final bit now */
  BFD_DO_TX_TIMER = 8,  /* the transmit interval changed, started or stopped */
  BFD_DO_DETECTION = 16 /* the detection deadline may have come nearer */
};

/*
 * The Poll Sequence we run (6.5). Settling: answered, but a late Final could still answer it again (6.8.3).
 */
enum bfd_poll
{
  BFD_POLL_NONE,
  BFD_POLL_ACTIVE,
  BFD_POLL_SETTLING
};

struct bfd_session
{
  u8 state, diag;
  u8 remote_state, remote_diag, remote_mult;
  bool remote_demand;
  bool suspended; /* no path: nothing is sent or accepted */
  bool watching;  /* the peer was heard, and the detection time runs */
  bool retime;    /* new intervals wait for the end of a Poll Sequence */
  u8 poll;
  u32 local_disc, remote_disc;
  u32 min_tx, min_rx;   /* as advertised */
  u32 tx_used, rx_used; /* as calculated with: differ during a Poll Sequence (6.8.3) */
  u32 remote_min_tx, remote_min_rx;
  struct bfd_params params;
  struct bfd_auth auth;
  btime since;              /* last change of state */
  btime last_rx;            /* arrival of the last accepted packet */
  btime deaf_from, deaf_to; /* this time does not count against the peer, for we could not listen */
  btime first_poll;         /* first packet of the Poll Sequence, 0 while there was none */
  btime last_poll;          /* last one */
  btime poll_trip;          /* how long the first answer took: no less than a round trip */
};

/* A session without keys; bfd_auth_init() gives it its first sequence number. */
void bfd_session_init(struct bfd_session *s, const struct bfd_params *params, u32 local_disc, btime now);

/* New parameters; a change of intervals while Up becomes a Poll Sequence. */
uint bfd_session_configure(struct bfd_session *s, const struct bfd_params *params, btime now);

/* With or without a path. Losing it is the event PATH_DOWN. */
uint bfd_session_suspend(struct bfd_session *s, bool suspended, btime now);

/* How a packet came in. */
struct bfd_rx_meta
{
  enum bfd_hop hop; /* by the port */
  int ttl;          /* -1: unknown */
  uint ifindex;
  ip_addr remote, local;
  btime arrival;
};

/* Is @pkt, already found to be meant for @s, acceptable? @ifindex is that of a direct session. RFC
 * 5880 6.8.6. */
enum bfd_rx bfd_session_accept(const struct bfd_session *s, enum bfd_hop hop, uint ifindex,
                               const struct bfd_packet *pkt, const struct bfd_rx_meta *meta);

/* Does it come from whom it should, as far as authentication tells? @data: its bytes. Section 6.7. */
enum bfd_rx bfd_session_authenticate(struct bfd_session *s, const struct bfd_packet *pkt, const byte *data,
                                     btime arrival);

/*
 * Sign and accept with other @keys (NULL: none), gradually where a session is Up; see auth.h for @patience
 * and how long the former ones have to live.
 */
void bfd_session_set_keys(struct bfd_session *s, const struct bfd_keys *keys, btime patience, btime now);

/* Take in an accepted packet. */
uint bfd_session_receive(struct bfd_session *s, const struct bfd_packet *pkt, btime arrival);

/* DETECT_EXPIRED, DISABLE or ENABLE. */
/* Ask the peer with the next packets, though nothing has changed; not while it is being asked. */
void bfd_session_poll(struct bfd_session *s);
uint bfd_session_event(struct bfd_session *s, enum bfd_event event, btime now);

/* When the peer is declared silent; BT_NEVER while it is not watched. */
btime bfd_session_detect_deadline(const struct bfd_session *s);
btime bfd_session_detection_time(const struct bfd_session *s);

/*
 * We were not able to listen from @from to @to. If that is more than half of the detection time, none of it
 * counts against the peer; once, until it is heard again. True if so.
 */
bool bfd_session_stalled(struct bfd_session *s, btime from, btime to);

/* Between periodic packets, before jitter; 0 when none may be sent now (6.8.7). */
btime bfd_session_tx_interval(const struct bfd_session *s);

/* May a packet be sent outside the schedule? */
bool bfd_session_may_send(const struct bfd_session *s);

/* The packet to send: periodic ones carry Poll during a Poll Sequence, the others never do (6.5). */
enum bfd_tx_kind
{
  BFD_TX_PERIODIC,
  BFD_TX_EXTRA,
  BFD_TX_FINAL
};
struct bfd_packet bfd_session_packet(struct bfd_session *s, enum bfd_tx_kind kind, btime now);

#endif
