/*
 * proto/bfd/receive.c: packets in
 *
 * At a low rate a packet wakes the engine at once. At a high rate waking costs more than the packets do, so
 * the sockets leave the poll set and are read on a tick; packets carry their arrival time, so nothing is
 * judged later for that.
 */
#include "proto/bfd/engine_impl.h"
#include "proto/bfd/timing.h"
#include "proto/bfd/verdict.h"
#include "sysdep/clock.h"

#define DRAIN_BATCHES 16 /* work cap for one socket and tick: 1024 packets */
#define CLOSING_DRAINS 64
#define POLL_TICK_MIN 128 /* us; waking up more often costs more than it is worth */
#define RATE_WINDOW BT_MS(20)
#define TICK_REVIEW BT_S(1) /* how often it is looked whether a longer tick would do */
#define POLL_ABOVE 40       /* packets in a window: 2 000 a second */
#define POLL_BELOW 24

static bool
is_peer(const struct engine_session *s, const struct bfd_rx_meta *meta)
{
  if (s->key.hop != meta->hop || !ip_equal(s->key.remote, meta->remote))
    return false;
  return meta->hop == BFD_DIRECT ? s->path.ifindex == meta->ifindex : ip_equal(s->path.local, meta->local);
}

/*
 * The only session of its family on a point-to-point link, whatever address the peer uses: RFC 5881
 * section 6.
 */
static struct engine_session *
find_by_link(const struct bfd_engine *e, const struct bfd_rx_meta *meta, struct engine_search *search)
{
  bool v6 = !ip_is_v4(meta->remote);
  struct engine_session *found = NULL;
  uint count = 0;

  for (struct hnode *n = hash_first(&e->by_link, engine_link_hash(meta->ifindex, v6)); n; n = hash_again(n))
  {
    struct engine_session *s = SKIP_BACK(struct engine_session, by_link, n);

    if (s->path.ifindex == meta->ifindex && ip_is_v4(s->key.remote) != v6)
    {
      found = s;
      count++;
    }
  }
  if (search->chosen)
    return count == 1 ? found : NULL;
  search->links = MIN(search->links + count, 2u);
  if (count)
    search->linked = e->team.who.self;
  /* It is the only one if all have looked, and nobody else has one. */
  return search->passed + 1u >= e->team.who.present && count == 1 && search->links == 1 ? found : NULL;
}

/* A packet that does not know our discriminator yet: RFC 5881 section 3, RFC 5883 section 4.1. */
static struct engine_session *
find_by_peer(const struct bfd_engine *e, const struct bfd_rx_meta *meta, struct engine_search *search)
{
  uint ifindex = meta->hop == BFD_DIRECT ? meta->ifindex : 0;
  u32 hash = engine_peer_hash(meta->hop, ifindex, meta->local, meta->remote);

  for (struct hnode *n = hash_first(&e->by_peer, hash); n; n = hash_again(n))
  {
    struct engine_session *s = SKIP_BACK(struct engine_session, by_peer, n);

    if (is_peer(s, meta))
      return s;
  }
  return meta->hop == BFD_DIRECT ? find_by_link(e, meta, search) : NULL;
}

static void
accepted(struct bfd_engine *e, struct engine_session *s, const struct bfd_packet *pkt, btime arrival)
{
  struct bfd_session was = s->v;
  uint todo = bfd_session_receive(&s->v, pkt, arrival);

  s->rx++;
  if (was.state == BFD_UP && s->v.state == BFD_UP)
    bfd_arrivals_add(&s->arrivals, arrival - was.last_rx, MAX(s->v.rx_used, s->v.remote_min_tx));
  if (s->silent_at)
    engine_heard_again(e, s, pkt->state, arrival);
  engine_apply(e, s, todo, &was);
  s->refused = 0;
}

/* In the order of RFC 5880 6.8.6; @session is set once it is known which one is meant. */
static enum bfd_rx
receive(struct bfd_engine *e, const byte *data, size_t size, const struct bfd_rx_meta *meta,
        struct engine_search search, struct engine_session **session)
{
  struct bfd_packet pkt;
  struct engine_session *s;
  enum bfd_rx rx;

  if (meta->hop == BFD_DIRECT && meta->ttl != 255) /* before anything of it is believed */
    return BFD_RX_TTL;
  rx = bfd_packet_decode(&pkt, data, size);
  if (rx != BFD_RX_OK)
    return rx;

  engine_trace(e, "Packet from", meta->remote, &pkt);
  s = pkt.your_disc ? engine_find_disc(e, pkt.your_disc) : find_by_peer(e, meta, &search);
  if (!s)
    return engine_hand_over(e, &pkt, data, meta, search) ? BFD_RX_OK : BFD_RX_NO_SESSION;
  *session = s;
  if (search.passed && meta->arrival < s->v.last_rx) /* overtaken on its way: what it says is no longer so */
    return BFD_RX_OK;
  rx = bfd_session_accept(&s->v, s->key.hop, s->path.ifindex, &pkt, meta);
  if (rx == BFD_RX_OK)
    rx = bfd_session_authenticate(&s->v, &pkt, data, meta->arrival);
  if (rx != BFD_RX_OK)
    return rx;

  if (engine_offload_before(e, s, data, size, meta->arrival))
    return BFD_RX_OK;
  accepted(e, s, &pkt, meta->arrival);
  engine_offload_after(e, s, data, size);
  return BFD_RX_OK;
}

void
engine_receive(struct bfd_engine *e, const byte *data, size_t size, const struct bfd_rx_meta *meta,
               struct engine_search search)
{
  struct engine_session *s = NULL;
  enum bfd_rx rx = receive(e, data, size, meta, search, &s);

  if (rx == BFD_RX_OK)
    return;
  e->stats.refused[rx]++;
  if (s)
  {
    engine_troubles(s)->refused[rx]++;
    s->refused_why = rx;
    s->refused += s->refused < UINT16_MAX;
  }
  /* A neighbour that looks for a session we do not have is not an error, and it goes on for ever. */
  if (rx != BFD_RX_NO_SESSION)
    log_rl(&e->refused_limit, L_REMOTE, "%s: Packet from %s on interface %u refused: %s", e->name,
           IP_STR(meta->remote), meta->ifindex, bfd_rx_name(rx));
}

static void
receive_packet(struct bfd_engine *e, const struct listener *l, const struct udp_packet *in)
{
  struct bfd_rx_meta meta = {
    .hop = l->hop,
    .ttl = in->ttl,
    .ifindex = in->ifindex,
    .remote = in->remote,
    .local = in->local,
    .arrival = in->arrival,
  };

  e->stats.rx++;
  engine_receive(e, in->data, in->size, &meta, (struct engine_search){ 0 });
}

static uint
drain_ring(struct bfd_engine *e, struct listener *l)
{
  btime before = clock_now();
  uint max = DRAIN_BATCHES * UDP_BATCH;
  bool empty;
  uint total = engine_offload_read(e, l, max, &empty);

  if (empty)
    l->horizon = l->floor = before;
  if (total == max)
    e->more = l->capped = true;
  return total;
}

/* Read one socket or ring until it is empty or the work cap strikes. */
static uint
drain_listener(struct bfd_engine *e, struct listener *l)
{
  uint total = 0;

  if (l->ring)
    return drain_ring(e, l);

  for (int i = 0; i < DRAIN_BATCHES; i++)
  {
    const struct udp_packet *packets;
    btime before = clock_now();
    int n = udp_batch_read(e->batch, l->watch->fd, l->floor, &packets);

    for (int k = 0; k < n; k++)
      receive_packet(e, l, &packets[k]);
    total += MAX(n, 0);
    if (n < UDP_BATCH)
    {
      l->horizon = l->floor = before;
      return total;
    }
    l->horizon = packets[n - 1].arrival;
  }
  e->more = l->capped = true;
  return total;
}

void
engine_shorten_tick(struct bfd_engine *e, const struct engine_session *s)
{
  btime time = bfd_session_detection_time(&s->v);

  if (time)
    e->poll_tick = MIN(e->poll_tick, MAX(bfd_tick(time / s->v.remote_mult), POLL_TICK_MIN));
}

static void
review_tick(struct bfd_engine *e, btime now)
{
  if (now - e->tick_reviewed < TICK_REVIEW)
    return;
  e->tick_reviewed = now;
  e->poll_tick = BFD_TICK_MAX;
  for (uint i = 0; i < e->slots_end; i++)
    if (e->slots[i])
      engine_shorten_tick(e, e->slots[i]);
}

static void
judge_rate(struct bfd_engine *e, struct listener *l, btime now)
{
  btime length = now - l->window_start;

  if (length < RATE_WINDOW)
    return;

  u64 rate = (u64) l->window_packets * RATE_WINDOW / length;

  if (l->polling ? rate < POLL_BELOW : rate > POLL_ABOVE)
  {
    l->polling = !l->polling;
    e->polling += l->polling ? 1 : -1;
    fd_watch_events(l->watch, l->polling ? 0 : FD_READ);
    if (l->ring)
    {
      offload_ring_wake(l->ring, !l->polling);
      e->more = l->ready = true; /* what came before it was to wake us does not */
    }
  }
  if (l->polling)
    review_tick(e, now);
  l->window_start = now;
  l->window_packets = 0;
}

void
engine_drain(struct bfd_engine *e)
{
  struct listener *l;

  e->more = false;
  LIST_WALK (l, &e->listeners, n)
  {
    l->capped = false;
    if (l->polling || l->ready)
    {
      l->ready = false;
      l->window_packets += drain_listener(e, l);
      judge_rate(e, l, loop_now_fresh(e->loop));
    }
  }
}

void
engine_drain_all(struct bfd_engine *e)
{
  struct listener *l;

  LIST_WALK (l, &e->listeners, n)
    l->ready = true;
  engine_drain(e);
}

static bool
carries(const struct listener *l, const struct engine_session *s)
{
  if (l->ring)
    return s->off;
  return l->hop == s->key.hop && l->v6 != ip_is_v4(s->key.remote);
}

bool
engine_heard_until(struct bfd_engine *e, struct engine_session *s, btime deadline)
{
  bool heard = true;
  struct listener *l;

  LIST_WALK (l, &e->listeners, n)
    if (carries(l, s) && l->horizon < deadline)
    {
      if (!l->capped)
        l->window_packets += drain_listener(e, l);
      heard = heard && l->horizon >= deadline;
    }
  engine_offload_sync(s);
  return engine_team_heard(e, deadline) && heard;
}

btime
engine_horizon(const struct bfd_engine *e)
{
  btime horizon = BT_NEVER;
  struct listener *l;

  LIST_WALK (l, &e->listeners, n)
    horizon = MIN(horizon, l->horizon);
  return horizon;
}

static void
listener_ready(struct fd_watch *w UNUSED, uint ready UNUSED, void *data)
{
  struct listener *l = data;

  l->ready = true;
  engine_tick(l->engine);
}

static void
count_drops(struct listener *l)
{
  u32 drops = l->ring ? 0 : udp_receive_drops(l->watch->fd); /* a ring has none */

  l->engine->drops[l->hop][l->v6] += (u32) (drops - l->drops); /* the kernel's counter goes round */
  l->drops = drops;
}

u64
engine_drops(struct bfd_engine *e)
{
  struct listener *l;
  u64 sum = 0;

  LIST_WALK (l, &e->listeners, n)
    count_drops(l);
  for (uint hop = 0; hop < BFD_HOP__MAX; hop++)
    sum += e->drops[hop][false] + e->drops[hop][true];
  return sum;
}

static void
listener_free(struct resource *r)
{
  struct listener *l = (struct listener *) r;

  count_drops(l);
  list_remove(&l->n);
  l->engine->polling -= l->polling;
  rfree(l->watch);
}

static const struct resource_class listener_class = { .name = "BFD listener",
                                                      .size = sizeof(struct listener),
                                                      .free = listener_free };

static struct listener *
listener_new(struct bfd_engine *e, int fd)
{
  struct listener *l = res_new(e->pool, &listener_class);

  l->engine = e;
  l->horizon = l->floor = l->window_start = loop_now(e->loop);
  l->watch = fd_watch_new(NULL, e->loop, fd, FD_READ, LOOP_REST, listener_ready, l);
  list_add_tail(&e->listeners, &l->n);
  return l;
}

void
engine_listen(struct bfd_engine *e, const struct bfd_listen_cmd *cmd)
{
  struct listener *l = listener_new(e, cmd->fd);

  l->id = cmd->id;
  l->hop = cmd->hop;
  l->v6 = cmd->v6;
}

struct listener *
engine_listen_ring(struct bfd_engine *e, struct offload_ring *ring, int fd)
{
  struct listener *l = listener_new(e, fd);

  l->ring = ring;
  offload_ring_wake(ring, true);
  return l;
}

void
engine_unlisten(struct bfd_engine *e, u64 id)
{
  struct listener *l;

  for (uint i = 0; i < CLOSING_DRAINS && (i == 0 || e->more); i++)
    engine_drain_all(e); /* what it holds may be for others */
  LIST_WALK_SAFE (l, &e->listeners, n)
    if (l->id == id)
      rfree(l);
}
