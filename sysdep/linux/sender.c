/*
 * sysdep/linux/sender.c: sending part of socket.h. Raw sockets of IPPROTO_RAW, which take whole IP packets,
 * and packet sockets, which take them to a neighbour.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sysdep/linux/sockaddr.h"
#include "sysdep/socket.h"

#define BATCH 64
#define CONTROL_PRIORITY 7 /* TC_PRIO_CONTROL */

static bool
set_int(int fd, int option, int value)
{
  return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) == 0;
}

static bool
set_options(int fd, const struct ip_sender *how)
{
  set_int(fd, SO_PRIORITY, CONTROL_PRIORITY); /* needs CAP_NET_ADMIN; a queueing hint only */
  if (how->ifindex && !set_int(fd, SO_BINDTOIFINDEX, how->ifindex))
    return false;
  /*
   * The peer of a direct session is on this link, whatever the routing table says: a host route through
   * another router would cost the packet its TTL. For IPv6 the kernel takes no notice; there such a route
   * keeps the session down.
   */
  return !how->on_link || set_int(fd, SO_DONTROUTE, 1);
}

/* What the headers of whole packets say. */
static bool
set_header(int fd, bool v6)
{
  int ttl = 255, tos = 0xc0; /* CS6 */

  if (v6)
    return setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl)) == 0 &&
           setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos)) == 0;
  return setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) == 0 &&
         setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) == 0;
}

int
ip_sender_open(const struct ip_sender *how)
{
  int family = ip_is_v4(how->local) ? AF_INET : AF_INET6, type = how->port ? SOCK_DGRAM : SOCK_RAW;
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, how->port ? 0 : IPPROTO_RAW);
  union sockaddr_ip sa;
  int error;

  if (fd < 0)
    return -errno;
  if (set_options(fd, how) && (!how->port || set_header(fd, family == AF_INET6)) &&
      bind(fd, &sa.sa, sockaddr_fill(&sa, family == AF_INET6, how->local, how->port, how->ifindex)) == 0)
    return fd;
  error = errno;
  close(fd);
  return -error;
}

int
link_sender_open(void)
{
  int fd =
      socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* of no protocol: receives nothing */
  int bypass = 1, error;

  if (fd < 0)
    return -errno;
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) == 0)
    return fd;
  error = errno;
  close(fd);
  return -error;
}

struct send_batch
{
  int fd;
  uint count;
  void (*failed)(void *owner, int error, void *data);
  void *data;
  struct mmsghdr messages[BATCH];
  struct iovec iov[BATCH];
  union
  {
    union sockaddr_ip ip;
    struct sockaddr_ll link;
  } to[BATCH];
  void *owner[BATCH];
  byte packet[BATCH][SEND_PACKET_SIZE];
};

struct send_batch *
send_batch_new(pool *p, void (*failed)(void *owner, int error, void *data), void *data)
{
  struct send_batch *b = mb_alloc(p, sizeof(*b));

  b->fd = -1;
  b->failed = failed;
  b->data = data;
  for (int i = 0; i < BATCH; i++)
  {
    struct msghdr *m = &b->messages[i].msg_hdr;

    b->iov[i].iov_base = b->packet[i];
    m->msg_iov = &b->iov[i];
    m->msg_iovlen = 1;
    m->msg_name = &b->to[i];
  }
  return b;
}

/* sendmmsg() ends before the packet that fails, and says why only when that is the first one. */
void
send_batch_flush(struct send_batch *b)
{
  uint count = b->count;

  b->count = 0;
  for (uint done = 0; done < count;)
  {
    int n = sendmmsg(b->fd, b->messages + done, count - done, 0);

    if (n <= 0)
      b->failed(b->owner[done], errno, b->data);
    done += MAX(n, 1);
  }
}

byte *
send_batch_room(struct send_batch *b, int fd)
{
  if (b->count == BATCH || fd != b->fd)
    send_batch_flush(b);
  b->fd = fd;
  return b->packet[b->count];
}

static uint
add(struct send_batch *b, size_t size, void *owner)
{
  ASSERT(size <= SEND_PACKET_SIZE);
  b->iov[b->count].iov_len = size;
  b->owner[b->count] = owner;
  return b->count++;
}

void
send_batch_add(struct send_batch *b, size_t size, ip_addr to, u16 port, uint ifindex, void *owner)
{
  uint i = add(b, size, owner);

  b->messages[i].msg_hdr.msg_namelen = sockaddr_fill(&b->to[i].ip, !ip_is_v4(to), to, port, ifindex);
}

void
send_batch_add_link(struct send_batch *b, size_t size, bool v6, uint ifindex, const byte lladdr[LLADDR_SIZE],
                    void *owner)
{
  uint i = add(b, size, owner);
  struct sockaddr_ll *to = &b->to[i].link;

  *to = (struct sockaddr_ll){
    .sll_family = AF_PACKET,
    .sll_protocol = htons(v6 ? ETH_P_IPV6 : ETH_P_IP),
    .sll_ifindex = ifindex,
    .sll_halen = LLADDR_SIZE,
  };
  memcpy(to->sll_addr, lladdr, LLADDR_SIZE);
  b->messages[i].msg_hdr.msg_namelen = sizeof(*to);
}
