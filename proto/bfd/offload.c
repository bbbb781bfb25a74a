/*
 * proto/bfd/offload.c: sessions whose packets go around the IP stack, engine side
 *
 * A session that is Up, and whose peer has said the same several times, has a slot of the program in the
 * kernel (sysdep/offload.h) that takes more of the same: tells us through a ring, or absorbs it. The session
 * here stays the only authority. Before anything of it changes the slot is disarmed, and what it knows taken
 * over; it is armed again when there is nothing to change once more. So the kernel never answers for a state
 * that is no longer.
 *
 * What such a session sends while nothing changes goes to its neighbour's link-layer address. The neighbour
 * table tells it and is told from time to time that it is still needed: one packet in some seconds goes the
 * normal way.
 */
#include <string.h>

#include "proto/bfd/engine_impl.h"
#include "proto/bfd/verdict.h"

#define SAME_NEEDED 3
#define ARMING_TIME BT_MS(10) /* what was on its way then has come */
#define PASSED_MAX 3          /* after so many the session does without, */
#define REST_TIME BT_S(10)    /* for so long */
#define REFRESH_TIME BT_S(5)  /* much less than a neighbour is believed without being asked */
#define FLAGS_OFFSET 1
#define FLAGS_MASK 0x3f

/* --- Slots --- */

static bool
is_absorbing(const struct engine_session *s)
{
  return s->off && s->off->armed == OFFLOAD_ABSORB;
}

void
engine_offload_sync(struct engine_session *s)
{
  if (is_absorbing(s))
    s->v.last_rx = MAX(s->v.last_rx, offload_slot_heard(s->off->slot));
}

void
engine_offload_count(struct bfd_engine *e, struct engine_session *s)
{
  u64 absorbed;

  if (!is_absorbing(s))
    return;
  offload_slot_arrivals(s->off->slot, &s->arrivals, &absorbed);
  s->rx += absorbed - s->off->counted;
  s->off->taken += absorbed - s->off->counted;
  e->stats.rx += absorbed - s->off->counted;
  s->off->counted = absorbed;
  engine_offload_sync(s);
}

void
engine_offload_pause(struct bfd_engine *e, struct engine_session *s)
{
  if (!s->off || s->off->armed == OFFLOAD_PASS)
    return;
  offload_slot_disarm(s->off->slot);
  engine_offload_count(e, s);
  s->off->armed = OFFLOAD_PASS;
  s->off->same = 0;
}

static struct offload_slot *
take_slot(struct bfd_engine *e, const struct engine_session *s)
{
  struct offload_key key = { s->v.local_disc, s->path.ifindex, s->key.remote, s->path.local };
  struct offload_slot *slot = offload_slot_new(e->ring, &key);

  if (!slot)
    log_rl(&e->offload_limit, L_WARN,
           "%s: No slot is left to offload the session to %s, which goes on without", e->name,
           IP_STR(s->key.remote));
  return slot;
}

/* With what, if at all, a session in its present state may be armed. */
static enum offload_mode
mode_for(const struct bfd_engine *e, const struct engine_session *s)
{
  const struct bfd_session *v = &s->v;
  bool steady = v->state == BFD_UP && v->remote_state == BFD_UP && !v->remote_demand &&
                v->poll == BFD_POLL_NONE && v->min_rx && !s->leaving;

  if (!e->ring_listener || !v->params.attached || !steady)
    return OFFLOAD_PASS;
  if (v->auth.keys || v->auth.changing) /* each packet has to prove itself */
    return OFFLOAD_RING_ANY;
  return v->params.offload == BFD_OFFLOAD_RING ? OFFLOAD_RING : OFFLOAD_ABSORB;
}

/* Nothing but "control plane independent" is set. */
static bool
is_plain(const byte payload[OFFLOAD_PAYLOAD])
{
  return (payload[FLAGS_OFFSET] & FLAGS_MASK & ~BFD_FLAG_CPI) == 0;
}

static bool
is_same(const struct engine_offload *off, const byte *data, size_t size)
{
  return size == OFFLOAD_PAYLOAD && memcmp(off->payload, data, OFFLOAD_PAYLOAD) == 0;
}

static void
arm(struct bfd_engine *e, struct engine_session *s, enum offload_mode mode)
{
  struct engine_offload *off = s->off;

  off->same = 0;
  if (loop_now(e->loop) < off->rest_end)
    return;
  if (!off->slot && !(off->slot = take_slot(e, s)))
    return;
  off->armed = mode;
  off->armed_at = loop_now(e->loop);
  off->passed = 0;
  off->counted = 0;
  offload_slot_arm(off->slot, mode, off->payload, &s->arrivals, s->v.last_rx);
}

/* One that should have been taken. True: too many of them. */
static bool
has_passed(struct bfd_engine *e, struct engine_session *s, btime arrival)
{
  struct engine_offload *off = s->off;

  if (e->from_ring || arrival <= off->armed_at + ARMING_TIME || ++off->passed < PASSED_MAX)
    return false;
  off->rest_end = loop_now(e->loop) + REST_TIME;
  log_rl(&e->passed_limit, L_WARN,
         "%s: Packets of %s come through a socket though they are to be offloaded: the ring is full, or the "
         "program is not on the interface",
         e->name, IP_STR(s->key.remote));
  return true;
}

bool
engine_offload_before(struct bfd_engine *e, struct engine_session *s, const byte *data, size_t size,
                      btime arrival)
{
  struct engine_offload *off = s->off;

  if (!off || off->armed == OFFLOAD_PASS || off->armed == OFFLOAD_RING_ANY)
    return false;
  if (!is_same(off, data, size) || has_passed(e, s, arrival))
    engine_offload_pause(e, s);
  else if (off->armed == OFFLOAD_ABSORB) /* it was on its way when the slot was armed */
  {
    s->v.last_rx = MAX(s->v.last_rx, arrival);
    s->rx++;
    return true;
  }
  return false;
}

void
engine_offload_after(struct bfd_engine *e, struct engine_session *s, const byte *data, size_t size)
{
  struct engine_offload *off = s->off;

  if (!off)
    return;

  enum offload_mode mode = mode_for(e, s);
  bool same = is_same(off, data, size);

  if (mode != off->armed)
    engine_offload_pause(e, s);
  if (mode == OFFLOAD_RING_ANY && off->armed == OFFLOAD_PASS)
    arm(e, s, mode);
  if (mode == OFFLOAD_PASS || mode == off->armed)
    return;
  if (same && is_plain(data) && ++off->same >= SAME_NEEDED)
    arm(e, s, mode);
  else if (!same)
  {
    off->same = 0;
    memset(off->payload, 0, sizeof(off->payload)); /* no packet at all, unless */
    if (size == OFFLOAD_PAYLOAD)
      memcpy(off->payload, data, size);
  }
}

/* --- Rings --- */

/*
 * @data: the engine. Sockets and ring have no common order: what came before the last packet that was taken
 * in, or before the session changed, has nothing to say any more.
 */
static void
ring_packet(const struct offload_packet *p, void *data)
{
  struct bfd_engine *e = data;
  struct engine_session *s = engine_find_disc(e, p->disc);

  e->stats.rx++;
  e->ring_listener->horizon = MAX(e->ring_listener->horizon, p->arrival);
  if (!s || !s->off || p->arrival < MAX(s->v.last_rx, s->v.since))
    return;
  s->off->taken++;

  struct bfd_rx_meta meta = {
    .hop = BFD_DIRECT,
    .ttl = 255,
    .ifindex = s->path.ifindex,
    .remote = s->key.remote,
    .local = s->path.local,
    .arrival = p->arrival,
  };

  e->from_ring = true;
  engine_receive(e, p->data, p->size, &meta, (struct engine_search){ 0 });
  e->from_ring = false;
}

uint
engine_offload_read(struct bfd_engine *e, struct listener *l, uint max, bool *empty)
{
  return offload_ring_read(l->ring, max, ring_packet, e, empty);
}

/* --- Neighbours --- */

static void
neighbours_unknown(void *data)
{
  struct bfd_engine *e = data;

  for (uint i = 0; i < e->slots_end; i++)
    if (e->slots[i] && e->slots[i]->off)
      e->slots[i]->off->reachable = false;
}

static void
neighbour(void *data, const struct nl_neigh *n, bool gone)
{
  struct bfd_engine *e = data;
  u32 hash = engine_peer_hash(BFD_DIRECT, n->ifindex, IP_NONE, n->addr);

  for (struct hnode *h = hash_first(&e->by_peer, hash); h; h = hash_again(h))
  {
    struct engine_session *s = SKIP_BACK(struct engine_session, by_peer, h);

    if (!s->off || s->path.ifindex != n->ifindex || !ip_equal(s->key.remote, n->addr))
      continue;
    s->off->reachable = !gone && n->usable && n->lladdr_len == LLADDR_SIZE;
    if (s->off->reachable)
      memcpy(s->off->lladdr, n->lladdr, LLADDR_SIZE);
  }
}

static void
scanned(void *data UNUSED)
{
}

static const struct nl_hooks neighbour_hooks = { .scan_begin = neighbours_unknown,
                                                 .scan_end = scanned,
                                                 .neigh = neighbour };

/* The next ones go the normal way. That the neighbour is another, or gone, its table will say. */
void
engine_offload_failed(struct bfd_engine *e, struct engine_session *s)
{
  if (s->off)
    s->off->changed_at = loop_now(e->loop);
}

/*
 * What goes to the link-layer address overtakes what waits in a queue of the interface. So there is to be
 * nothing in it that says something else; and what authentication would have in order does not go there at
 * all.
 */
bool
engine_offload_sends(const struct bfd_engine *e, struct engine_session *s, enum bfd_tx_kind kind)
{
  struct engine_offload *off = s->off;
  const struct bfd_session *v = &s->v;
  btime now = loop_now(e->loop);

  if (!off || v->auth.keys || v->auth.changing)
    return false;
  if (kind != BFD_TX_PERIODIC || v->state != BFD_UP || v->remote_state != BFD_UP || v->poll != BFD_POLL_NONE)
    off->changed_at = now;
  if (!off->reachable || now - off->changed_at < v->params.detect_mult * bfd_session_tx_interval(v))
    return false;
  if (now - off->refreshed < REFRESH_TIME)
    return true;
  off->refreshed = now;
  return false;
}

/* --- Sessions --- */

void
engine_offload_drop(struct bfd_engine *e, struct engine_session *s)
{
  if (!s->off)
    return;
  engine_offload_pause(e, s);
  if (s->off->slot)
    offload_slot_free(s->off->slot);
  mb_free(s->off);
  s->off = NULL;
}

void
engine_offload_follow(struct bfd_engine *e, struct engine_session *s)
{
  bool wanted = s->v.params.offload && s->key.hop == BFD_DIRECT && s->path.usable && !s->leaving;

  if (!wanted)
    engine_offload_drop(e, s);
  else if (!s->off)
  {
    s->off = mb_alloc(NULL, sizeof(*s->off));
    /* Each at its time: else all would go the normal way at once. */
    s->off->refreshed = loop_now(e->loop) - rng_below(&e->rng, REFRESH_TIME);
    if (e->neighbours)
      netlink_scan(e->neighbours);
  }
}

/* --- The engine --- */

void
engine_offload_start(struct bfd_engine *e, struct offload_ring *ring)
{
  int fd = ring ? offload_ring_fd(ring) : -1;

  if (!e->neighbours && engine_link_open(e))
    e->neighbours = netlink_new(e->pool, e->loop, &neighbour_hooks, e);
  if (!ring)
    return;
  if (fd < 0)
    log_write(L_WARN, "%s: Packets are received from sockets, for no descriptors are left for a ring",
              e->name);
  e->ring = ring;
  e->ring_listener = fd < 0 ? NULL : engine_listen_ring(e, ring, fd);
}

struct offload_ring *
engine_offload_stop(struct bfd_engine *e)
{
  rfree(e->ring_listener);
  e->ring_listener = NULL;
  return e->ring;
}
