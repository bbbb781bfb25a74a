/*
 * proto/bfd/engine_impl.h: shared by engine.c (commands, timers), receive.c (packets in), transmit.c (packets
 * out), offload.c (around the IP stack), handover.c (other engines), witness.c (why sessions went Down) and
 * snapshot.c (what is shown)
 */
#ifndef PEREGRINE_BFD_ENGINE_IMPL_H
#define PEREGRINE_BFD_ENGINE_IMPL_H

#include "lib/hash.h"
#include "lib/random.h"
#include "lib/wheel.h"
#include "proto/bfd/engine.h"
#include "proto/bfd/session.h"
#include "sysdep/log.h"
#include "sysdep/netlink.h"
#include "sysdep/offload.h"
#include "sysdep/socket.h"

struct engine_session;

enum session_timer_kind
{
  TIMER_TX,
  TIMER_DETECT
};

struct session_timer
{
  struct wheel_entry e;
  enum session_timer_kind kind;
};

/* Of a session whose packets may go around the IP stack. */
struct engine_offload
{
  struct offload_slot *slot;     /* NULL: not needed so far, or there was none */
  enum offload_mode armed;       /* what the slot takes at present */
  byte payload[OFFLOAD_PAYLOAD]; /* of the last packet, */
  u8 same;                       /* after which so many were the same */
  u64 counted;                   /* those absorbed since the slot was armed that are in the counters */
  u64 taken;                     /* packets that came this way */
  btime armed_at;
  u8 passed;        /* packets since then that it should have taken, and came through sockets */
  btime rest_end;   /* it is not armed again before then */
  btime changed_at; /* when a packet last said something new */
  bool reachable;   /* at this address */
  byte lladdr[LLADDR_SIZE];
  btime refreshed; /* when a packet last went through the neighbour table */
};

struct engine_session
{
  struct resource r;
  struct bfd_session v;             /* the variables of RFC 5880 */
  struct bfd_keys *keys, *old_keys; /* what its authentication points to; NULL: none */
  u64 id;
  struct bfd_key key;
  struct bfd_path path;
  uint slot; /* place in the engine's array */
  struct hnode by_disc, by_peer, by_link;
  struct session_timer tx, detect;
  btime tx_base;                /* when the last periodic packet was sent; 0: none on this path */
  struct engine_sender *sender; /* NULL: not needed so far */
  u16 port, peer_port;          /* sent from, and to */
  bool leaving;                 /* removed; saying AdminDown */
  u8 farewells;                 /* packets of that kind sent */
  struct bfd_note *note;        /* NULL while it travels */
  bool note_due;                /* something changed meanwhile */
  bool left_up, failed;         /* for the next note; sticky until it leaves */
  u8 refused_why;               /* enum bfd_rx, of the last packet of */
  u16 refused;                  /* those refused since one was accepted */
  btime silent_at;              /* when it was found silent, until the peer is heard again; 0: it was not */
  btime silent_until;           /* what comes until then was late */
  struct bfd_arrivals arrivals;
  u64 rx, tx_count;
  u32 ups;
  struct bfd_troubles *troubles; /* NULL: none so far */
  struct engine_offload *off;    /* NULL: it is not to be offloaded */
};

struct listener
{
  struct resource r;
  struct node n;
  struct bfd_engine *engine;
  u64 id;
  enum bfd_hop hop;
  bool v6;
  struct offload_ring *ring; /* it is this, and no socket */
  struct fd_watch *watch;
  btime horizon;      /* what arrived before has been read */
  btime floor;        /* when it was last seen empty */
  u32 drops;          /* of the kernel, when last asked */
  bool ready;         /* it woke us */
  bool capped;        /* the work cap struck on this tick */
  bool polling;       /* it is read on every tick, and does not wake us */
  btime window_start; /* packets are counted since then, to see whether to poll */
  uint window_packets;
};

#define WITNESS_SAMPLES 8
#define WITNESS_LATES 8

/* What the engine knows of its own troubles. */
struct witness
{
  struct timer *timer;
  struct witness_sample
  {
    btime at;
    u64 drops[BFD_HOP__MAX][2]; /* at the sockets of each kind */
  } sample[WITNESS_SAMPLES];    /* a ring, one a second */
  uint samples;
  btime counted; /* when the drops were last counted: many sessions may go Down in one tick */
  struct witness_late
  {
    btime from, to;
  } late[WITNESS_LATES]; /* the longest of the last minute, in no order */
  btime told, told_at;   /* how late we were, as the main loop was last told, and when */
  struct reports *spare; /* to be used again */
};

/* The engines this one shares its work with. */
struct team
{
  struct bfd_team_cmd who;             /* present 0 or 1: none */
  struct strays *out[BFD_ENGINES_MAX]; /* packets that wait to be handed over at the end of the tick */
  uint strangers;                      /* of those packets that know no session yet, */
  btime strangers_since;               /* since then */
  struct work *giving;
  uint give_at; /* next place to look at */
  /* What arrived before then anywhere has been handed to us. */
  btime horizon[BFD_ENGINES_MAX];
  btime settled_at; /* what arrived later was not steered to others */
  u64 fence;        /* the last one asked for */
  uint fences;      /* that have not passed */
};

struct bfd_engine
{
  pool *pool;
  struct loop *loop;
  const char *name;
  void (*deliver)(struct msg *m, void *data);
  void *deliver_data;
  struct htable by_disc, by_peer, by_link;
  struct engine_session **slots;
  uint slots_size, slots_end, session_count;
  uint free_hint; /* no slot below is free */
  struct wheel wheel;
  struct timer *timer;
  btime wake, ticked; /* when the next tick is to be; the last one */
  struct log_limit stall_limit;
  struct rng rng;
  bool quitting;
  bool trace_packets;
  btime exit_linger;

  /* receive.c */
  struct list listeners;
  struct udp_batch *batch;
  int polling;     /* how many listeners are read on the tick */
  btime poll_tick; /* and this is the tick: as short as one of the sessions needs, or shorter */
  btime tick_reviewed;
  bool more; /* the work cap struck: a socket still holds packets */
  struct bfd_engine_stats stats;
  u64 drops[BFD_HOP__MAX][2]; /* packets the kernel has dropped since the engine came, by kind of socket */
  u64 drops_before, rests_before; /* at the last reset */
  struct log_limit refused_limit;

  struct witness witness;
  struct team team;

  /* offload.c */
  struct offload_ring *ring;      /* NULL: there is none */
  struct listener *ring_listener; /* NULL: it cannot be used */
  struct netlink *neighbours;     /* NULL: nothing is sent to link-layer addresses */
  bool from_ring;                 /* the packet that is being received */
  struct log_limit offload_limit, passed_limit;

  /* transmit.c */
  struct htable senders; /* struct engine_sender */
  struct send_batch *out, *out_link;
  struct engine_sender *link;
  struct log_limit send_limit;
};

/* engine.c */
u32 engine_peer_hash(enum bfd_hop hop, uint ifindex, ip_addr local, ip_addr remote);
u32 engine_link_hash(uint ifindex, bool v6);
struct engine_session *engine_find_disc(const struct bfd_engine *e, u32 disc);
/* Carry out what a session asked for; @was: the session before. */
void engine_apply(struct bfd_engine *e, struct engine_session *s, uint todo, const struct bfd_session *was);
void engine_tick(struct bfd_engine *e);
/* Take a session out of all tables, or put it in; no more. */
void engine_unlink(struct bfd_engine *e, struct engine_session *s);
void engine_link(struct bfd_engine *e, struct engine_session *s);
/* Log a packet, under `debug { packets }`. */
void engine_trace(const struct bfd_engine *e, const char *what, ip_addr peer, const struct bfd_packet *pkt);

/* witness.c */
void engine_witness_init(struct bfd_engine *e);
void engine_witness_wake(struct bfd_engine *e); /* there are sessions */
void engine_witness_late(struct bfd_engine *e, btime from, btime to);
/* Tell the main loop what was known; @was: the session before. */
void engine_left_up(struct bfd_engine *e, struct engine_session *s, const struct bfd_session *was);
/* The peer's last packet came, which says @state: was the one before late rather than missing? */
void engine_heard_again(struct bfd_engine *e, struct engine_session *s, u8 state, btime arrival);
void engine_report_back(struct bfd_engine *e, struct bfd_down *down); /* from the main loop */

/* snapshot.c */
void engine_snapshot(struct bfd_engine *e, const struct bfd_snapshot_cmd *cmd);
void engine_reset(struct bfd_engine *e, u64 id); /* counters; 0: all */
struct bfd_engine_stats engine_stats(struct bfd_engine *e);
struct bfd_troubles *engine_troubles(struct engine_session *s);

/*
 * How far the search for the session of a packet has got that names no discriminator: all zero at first. On a
 * point-to-point link a single session takes what comes, whatever its address; single among all engines.
 */
struct engine_search
{
  u8 passed;   /* engines that have looked for it in vain */
  u8 links;    /* sessions on the link, */
  u8 linked;   /* and the engine that has the last of them */
  bool chosen; /* it is that one's */
};

/* handover.c */
void engine_team_init(struct bfd_engine *e);
void engine_team(struct bfd_engine *e, const struct bfd_team_cmd *cmd);
/*
 * A packet that is in order and whose session is not here: give it to the engine that may have it. False:
 * there is none.
 */
bool engine_hand_over(struct bfd_engine *e, const struct bfd_packet *pkt, const byte *data,
                      const struct bfd_rx_meta *meta, struct engine_search search);
void engine_hand_flush(struct bfd_engine *e); /* what was handed over so far goes now */
void engine_team_message(struct bfd_engine *e, struct bfd_msg *m);
/* Has all that arrived by @deadline at other engines and is ours been handed to us? Asks for it if not. */
bool engine_team_heard(struct bfd_engine *e, btime deadline);

/* receive.c */
/* Reception after RFC 5880 6.8.6. */
void engine_receive(struct bfd_engine *e, const byte *data, size_t size, const struct bfd_rx_meta *meta,
                    struct engine_search search);
btime engine_horizon(const struct bfd_engine *e); /* everything that arrived before then was read */
void engine_drain(struct bfd_engine *e);
/* Those too that did not say that they have something. */
void engine_drain_all(struct bfd_engine *e);
/* Read what could carry packets of @s until everything that arrived by @deadline is known; false if the cap
 * strikes. */
bool engine_heard_until(struct bfd_engine *e, struct engine_session *s, btime deadline);
/* The tick has to do for @s as well, whose interval may have become shorter. */
void engine_shorten_tick(struct bfd_engine *e, const struct engine_session *s);
void engine_listen(struct bfd_engine *e, const struct bfd_listen_cmd *cmd);
void engine_unlisten(struct bfd_engine *e, u64 id);
/* What the kernel has dropped since the engine came: count anew, in e->drops; the sum. */
u64 engine_drops(struct bfd_engine *e);
/* Receive from @ring as from a socket; @fd, which says when, is the engine's from now on. */
struct listener *engine_listen_ring(struct bfd_engine *e, struct offload_ring *ring, int fd);

/* offload.c */
void engine_offload_start(struct bfd_engine *e, struct offload_ring *ring);
struct offload_ring *engine_offload_stop(struct bfd_engine *e); /* no session is left; NULL: there was none */
/* It has begun or ceased to be wanted, or the session is on another path. */
void engine_offload_follow(struct bfd_engine *e, struct engine_session *s);
void engine_offload_drop(struct bfd_engine *e, struct engine_session *s);
/* Before anything of the session changes but the time of its last packet. */
void engine_offload_pause(struct bfd_engine *e, struct engine_session *s);
/* What was absorbed was heard: before that time is looked at; with counters and record. */
void engine_offload_sync(struct engine_session *s);
void engine_offload_count(struct bfd_engine *e, struct engine_session *s);
/*
 * An accepted packet, before and after it is taken in; @data: its @size bytes. True: that it was heard is
 * all there is to it.
 */
bool engine_offload_before(struct bfd_engine *e, struct engine_session *s, const byte *data, size_t size,
                           btime arrival);
void engine_offload_after(struct bfd_engine *e, struct engine_session *s, const byte *data, size_t size);
uint engine_offload_read(struct bfd_engine *e, struct listener *l, uint max, bool *empty);
/* Is this packet to go to the link-layer address of the neighbour? */
bool engine_offload_sends(const struct bfd_engine *e, struct engine_session *s, enum bfd_tx_kind kind);
void engine_offload_failed(struct bfd_engine *e, struct engine_session *s); /* to go there */

/* transmit.c */
bool engine_link_open(struct bfd_engine *e); /* for packets to link-layer addresses */
/* Soon: engine_flush() follows at the end of each tick and message. */
void engine_send(struct bfd_engine *e, struct engine_session *s, enum bfd_tx_kind kind);
void engine_transmit_init(struct bfd_engine *e);
void engine_flush(struct bfd_engine *e); /* what was sent so far goes out now */
void engine_drop_sender(struct bfd_engine *e, struct engine_session *s);

#endif
