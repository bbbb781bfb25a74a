/*
 * proto/bfd/msg.h: everything that crosses between the main loop and BFD loops. Values, and things that
 * belong to whoever holds the message: descriptors, rings, sessions that move. A mailbox may be posted to by
 * all.
 *
 * Every message starts with its kind. Commands belong to the engine once posted, replies to the main loop.
 * Notes and reports are the exception that saves allocating while something fails: they travel to the main
 * loop and back.
 */
#ifndef PEREGRINE_BFD_MSG_H
#define PEREGRINE_BFD_MSG_H

#include "lib/bfd.h"
#include "proto/bfd/packet.h"
#include "sysdep/loop.h"

struct offload_ring;

enum bfd_msg_kind
{
  /* to the engine */
  BFD_ADD,      /* a new session; one that is saying goodbye under the same key is revived */
  BFD_CHANGE,   /* parameters and path of a session */
  BFD_REMOVE,   /* say AdminDown, then forget it */
  BFD_SNAPSHOT, /* answered by struct bfd_snapshot */
  BFD_LISTEN,   /* receive on this socket from now on */
  BFD_UNLISTEN,
  BFD_SET,     /* what holds for all sessions */
  BFD_RESET,   /* counters */
  BFD_ASK,     /* begin a Poll Sequence */
  BFD_OFFLOAD, /* sessions may want to be offloaded */
  BFD_TEAM,    /* who the engines are; answered by BFD_TEAM_DONE */
  BFD_QUIT,    /* remove everything; answered by BFD_STOPPED when the last session has gone */
  /* among engines: see handover.c */
  BFD_STRAYS,
  BFD_TAKE,
  BFD_FENCE,
  BFD_FENCE_PASSED,
  /* both ways */
  BFD_NOTE,
  BFD_DOWN_REPORT, /* comes before the note that tells of it */
  /* to the main loop */
  BFD_SNAPSHOT_REPLY,
  BFD_LATE_REPORT,
  BFD_LAG_REPORT,
  BFD_TEAM_DONE,
  BFD_STOPPED,
};

struct bfd_msg
{
  struct msg m;
  enum bfd_msg_kind kind;
};

/* How a session's packets travel, as the main loop sees it. */
struct bfd_path
{
  bool usable; /* interface up with carrier, local address there; all that follows is valid only then */
  bool point_to_point;
  uint ifindex; /* direct: the interface; multihop: the VRF device, 0 for none */
  ip_addr local;
};

static inline bool
bfd_path_equal(const struct bfd_path *a, const struct bfd_path *b)
{
  return a->usable == b->usable && a->point_to_point == b->point_to_point && a->ifindex == b->ifindex &&
         ip_equal(a->local, b->local);
}

#define BFD_KEYS_TICK (-1)

/*
 * What the main loop calls a session: its local discriminator, and above that a number that is never issued
 * again. So what is on its way when a session goes does not reach the next one of that discriminator.
 */
static inline u64
bfd_id(u32 serial, u32 local_disc)
{
  return (u64) serial << 32 | local_disc;
}

static inline u32
bfd_id_disc(u64 id)
{
  return id;
}

/* ADD, CHANGE, REMOVE. The receiver wipes the keys. */
struct bfd_cmd
{
  struct bfd_msg msg;
  u64 id;
  /* ADD only. The discriminator is that of no other session, but for one that is saying goodbye. */
  struct bfd_key key;
  u16 source_port; /* RFC 5881 section 4 */
  u16 port;        /* of the peer; 0: that of RFC 5881 or RFC 5883 */
  struct bfd_path path;
  struct bfd_params params;
  /* How long the peer may take to follow other keys; BFD_KEYS_TICK: only the time of day changed. */
  btime keys_patience;
  struct bfd_keys keys;
};

/* LISTEN, UNLISTEN. The descriptor belongs to the engine once posted. */
struct bfd_listen_cmd
{
  struct bfd_msg msg;
  u64 id;
  enum bfd_hop hop;
  bool v6;
  int fd;
};

/* OFFLOAD */
struct bfd_offload_cmd
{
  struct bfd_msg msg;
  struct offload_ring *ring; /* the engine's from now on, until it has stopped; NULL: sending only */
};

/* SET */
#define BFD_EXIT_LINGER BT_S(2) /* unless told otherwise */
struct bfd_set_cmd
{
  struct bfd_msg msg;
  bool trace_packets; /* log each packet */
  btime exit_linger;  /* how long a session that was removed may go on saying AdminDown */
};

/* Which of @count engines a session belongs to. Discriminators are as good as random. */
static inline uint
bfd_engine_of(u32 local_disc, uint count)
{
  return local_disc % count;
}

/*
 * Engines that share the sessions of one instance, and the ports. Sessions that are another's by @count are
 * given to it before the answer. Until the first of these an engine is alone.
 */
#define BFD_ENGINES_MAX 32
struct bfd_team_cmd
{
  struct bfd_msg msg;
  uint self;
  uint count;   /* sessions belong to the first ones */
  uint present; /* at least as many: those whose sockets may hold packets of anybody */
  bool settled; /* but for what they hold already, each gets its own packets only */
  struct mailbox *mailbox[BFD_ENGINES_MAX];
};

/* RESET, ASK */
struct bfd_session_cmd
{
  struct bfd_msg msg;
  u64 id; /* RESET: 0 for all sessions and the engine */
};

struct bfd_snapshot_cmd
{
  struct bfd_msg msg;
  u64 query; /* repeated in the answer */
  u64 id;    /* of this session only; 0: of all, in turn */
  uint from; /* position: 0, or `next` of the answer before */
  uint max;  /* sessions in the answer, up to BFD_SNAPSHOT_MAX */
};

/* One session changed. Unknown ids are ignored: the request was withdrawn while it travelled. */
struct bfd_note
{
  struct bfd_msg msg;
  u64 id;
  struct bfd_status
      status;   /* failed: it was Up since the last note and failed; not for administrative ends */
  bool left_up; /* it was Up since the last note and is not, or was not in between */
  u32 remote_disc;
  btime since; /* it has had this state; monotonic, 0: it has had no other */
};

/* A session left Up. The report goes back to the engine, as notes do, to be used again. */
struct bfd_down
{
  struct bfd_msg msg;
  u64 id;             /* as in the notes */
  struct bfd_key key; /* it may be gone by then */
  btime at;           /* monotonic; tells apart those of one session */
  btime from;         /* what the machine did since then may have to do with it */
  struct bfd_evidence evidence;
};

/* The packet after a silence that ended @at came @late after that, and the peer had noticed nothing. */
struct bfd_late
{
  struct bfd_msg msg;
  u64 id;
  btime at, late;
};

/* The engine was that late; told once a second at most, and when it was later than that by half at least. */
struct bfd_lag
{
  struct bfd_msg msg;
  btime late;
};

#define BFD_SNAPSHOT_MAX 256

/* STOPPED: what is to be remembered of the engine. */
struct bfd_stopped
{
  struct bfd_msg msg;
  struct bfd_engine_stats stats;
  struct offload_ring *ring; /* goes back */
};

struct bfd_snapshot
{
  struct bfd_msg msg;
  u64 query;
  uint next; /* where to go on; 0: that was all */
  struct bfd_engine_stats stats;
  uint count;
  struct bfd_info info[];
};

#endif
