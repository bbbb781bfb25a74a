/*
 * bench/link.c: a packet socket with a ring
 *
 * The kernel writes what arrives into a ring that is shared with it (TPACKET_V2), with the time; reading
 * takes no system call. Sending goes to the device without a queue between. Frames are for hardware addresses
 * that no interface has, so the IP stack of this namespace drops them first thing and answers nothing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sendmmsg */
#endif

#include <arpa/inet.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/link.h"

#define BATCH 32
#define SLOT 256    /* bytes of the ring for one frame */
#define SLOTS 32768 /* 140 ms of what 2 000 sessions at 10 ms send; a larger one costs the sender cache */
#define BLOCK (1 << 16)
#define SEND_BUFFER (4 << 20)

struct link
{
  int fd;
  byte *ring;
  uint next;         /* slot to be read next */
  bool lent;         /* the one before it is still the caller's */
  btime wall_offset; /* wall clock - monotonic */
  uint used;
  byte frames[BATCH][LINK_FRAME];
  btime *sent[BATCH];
  struct iovec iov[BATCH];
  struct mmsghdr hdr[BATCH];
  u64 drops, send_errors;
};

static btime
timespec_us(struct timespec ts)
{
  return BT_S(ts.tv_sec) + ts.tv_nsec / 1000;
}

btime
clock_monotonic(void)
{
  struct timespec ts;

  clock_gettime(CLOCK_MONOTONIC, &ts);
  return timespec_us(ts);
}

static btime
clock_wall(void)
{
  struct timespec ts;

  clock_gettime(CLOCK_REALTIME, &ts);
  return timespec_us(ts);
}

static int
check(int result, const char *what)
{
  if (result < 0)
    err(1, "%s", what);
  return result;
}

static void
set_option(int fd, int level, int option, int value, const char *what)
{
  check(setsockopt(fd, level, option, &value, sizeof(value)), what);
}

static void
open_ring(struct link *l)
{
  struct tpacket_req req = {
    .tp_block_size = BLOCK, .tp_block_nr = SLOTS * SLOT / BLOCK, .tp_frame_size = SLOT, .tp_frame_nr = SLOTS
  };

  set_option(l->fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION");
  check(setsockopt(l->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), "PACKET_RX_RING");
  l->ring = mmap(NULL, SLOTS * SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
  if (l->ring == MAP_FAILED)
    err(1, "mmap");
}

struct link *
link_open(const char *device)
{
  struct link *l = calloc(1, sizeof(*l));
  struct sockaddr_ll addr = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_IP),
                              .sll_ifindex = (int) if_nametoindex(device) };

  if (!l || !addr.sll_ifindex)
    err(1, "%s", device);
  l->fd = check(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket");
  set_option(l->fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS");
  set_option(l->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
  set_option(l->fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER, "SO_SNDBUFFORCE");
  open_ring(l);
  check(bind(l->fd, (struct sockaddr *) &addr, sizeof(addr)), device);

  for (uint i = 0; i < BATCH; i++)
  {
    l->iov[i] = (struct iovec){ l->frames[i], LINK_FRAME };
    l->hdr[i].msg_hdr = (struct msghdr){ .msg_iov = &l->iov[i], .msg_iovlen = 1 };
  }
  return l;
}

static struct tpacket2_hdr *
slot(const struct link *l, uint i)
{
  return (struct tpacket2_hdr *) (void *) (l->ring + (size_t) (i % SLOTS) * SLOT);
}

static void
give_back(struct link *l)
{
  if (l->lent)
    __atomic_store_n(&slot(l, l->next - 1)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  l->lent = false;
}

bool
link_next(struct link *l, struct link_frame *f)
{
  struct tpacket2_hdr *h = slot(l, l->next);

  give_back(l);
  if (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
  {
    l->wall_offset = 0;
    return false;
  }
  if (!l->wall_offset) /* anew for each reading: the wall clock may be set */
    l->wall_offset = clock_wall() - clock_monotonic();

  *f = (struct link_frame){ (const byte *) h + h->tp_mac, h->tp_snaplen,
                            BT_S(h->tp_sec) + h->tp_nsec / 1000 - l->wall_offset };
  l->next++;
  l->lent = true;
  return true;
}

byte *
link_add(struct link *l, btime *sent)
{
  if (l->used == BATCH)
    link_flush(l);
  l->sent[l->used] = sent;
  return l->frames[l->used++];
}

/* A frame that does not go out is lost, as on any network; sendmmsg() stops at it, so skip it. */
void
link_flush(struct link *l)
{
  btime now = l->used ? clock_monotonic() : 0;

  for (uint i = 0; i < l->used; i++)
    *l->sent[i] = now;
  for (uint done = 0; done < l->used;)
  {
    int n = sendmmsg(l->fd, l->hdr + done, l->used - done, MSG_DONTWAIT);

    l->send_errors += n <= 0;
    done += n > 0 ? n : 1;
  }
  l->used = 0;
}

/* The kernel's counter starts again when it is read. */
u64
link_drops(struct link *l)
{
  struct tpacket_stats stats;
  socklen_t size = sizeof(stats);

  check(getsockopt(l->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size), "PACKET_STATISTICS");
  return l->drops += stats.tp_drops;
}

u64
link_send_errors(const struct link *l)
{
  return l->send_errors;
}
