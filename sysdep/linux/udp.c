/*
 * sysdep/linux/udp.c: UDP part of socket.h
 *
 * Kernel time stamps are wall-clock times; each batch converts them with the difference of the two clocks
 * read at that moment, and clamps the result between "last seen empty" and now.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sysdep/clock.h"
#include "sysdep/linux/sockaddr.h"
#include "sysdep/socket.h"

#define CONTROL_SPACE 256
#define CLOCK_STEP BT_MS(2) /* more than any clock is steered by between two reads that matter */

socklen_t
sockaddr_fill(union sockaddr_ip *sa, bool v6, ip_addr a, u16 port, uint ifindex)
{
  *sa = (union sockaddr_ip){ 0 };
  if (v6)
  {
    sa->v6.sin6_family = AF_INET6;
    sa->v6.sin6_port = htons(port);
    sa->v6.sin6_scope_id = ip_is_link_local(a) ? ifindex : 0;
    ip_to_bytes(a, sa->v6.sin6_addr.s6_addr);
    return sizeof(sa->v6);
  }
  sa->v4.sin_family = AF_INET;
  sa->v4.sin_port = htons(port);
  sa->v4.sin_addr.s_addr = ip_is_none(a) ? INADDR_ANY : htonl(ip_to_u32(a));
  return sizeof(sa->v4);
}

static bool
set_int(int fd, int level, int option, int value)
{
  return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* Close @fd and report why the step before failed. */
static int
fail(int fd)
{
  int error = errno;

  close(fd);
  return -error;
}

static int
udp_socket(bool v6)
{
  return socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
}

static bool
listen_options(int fd, const struct udp_listen *how)
{
  bool ok = set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);

  if (how->v6)
    ok = ok && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
         set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
  else
    ok = ok && set_int(fd, IPPROTO_IP, IP_PKTINFO, 1) && set_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
  if (how->v6 && how->no_checksum)
    ok = ok && set_int(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1);

  /* Beyond rmem_max only with CAP_NET_ADMIN; a smaller buffer is not a reason to give up. */
  if (!set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, how->receive_buffer))
    set_int(fd, SOL_SOCKET, SO_RCVBUF, how->receive_buffer);
  return ok;
}

int
udp_listen_open(const struct udp_listen *how)
{
  int fd = udp_socket(how->v6);
  union sockaddr_ip sa;

  if (fd < 0)
    return -errno;
  if (!listen_options(fd, how))
    return fail(fd);
  if (how->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, how->device, strlen(how->device) + 1) < 0)
    return fail(fd);
  udp_share_port(fd, how->share_port);
  if (how->group)
    udp_group_join(fd);
  if (bind(fd, &sa.sa, sockaddr_fill(&sa, how->v6, how->local, how->port, how->ifindex)) < 0)
    return fail(fd);
  udp_share_port(fd, false);
  return fd;
}

uint
udp_device(int fd)
{
  int index = 0;
  socklen_t len = sizeof(index);

  return getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len) < 0 ? 0 : index;
}

void
udp_share_port(int fd, bool share)
{
  set_int(fd, SOL_SOCKET, SO_REUSEADDR, share);
}

void
udp_group_join(int fd)
{
  set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

int
udp_group_steer(int fd, uint offset, uint count)
{
  struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset), /* ends with 0 behind the end */
    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
    BPF_STMT(BPF_RET | BPF_A, 0),
  };
  struct sock_fprog prog = { ARRAY_SIZE(program), program };

  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

uint
udp_receive_buffer(int fd)
{
  int size = 0;
  socklen_t len = sizeof(size);

  return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len) < 0 ? 0 : size;
}

u32
udp_receive_drops(int fd)
{
  u32 info[SK_MEMINFO_VARS] = { 0 };
  socklen_t len = sizeof(info);

  return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 ? 0 : info[SK_MEMINFO_DROPS];
}

/* Receiving */

struct udp_batch
{
  btime offset;  /* of the wall clock, when last read */
  btime stepped; /* when it was last found to have been set, in monotonic time */
  struct mmsghdr messages[UDP_BATCH];
  struct iovec iov[UDP_BATCH];
  union sockaddr_ip from[UDP_BATCH];
  struct udp_packet packets[UDP_BATCH];
  byte data[UDP_BATCH][UDP_PACKET_SIZE];
  _Alignas(struct cmsghdr) byte control[UDP_BATCH][CONTROL_SPACE];
};

/* What the wall clock shows more than the monotonic one; read anew when we were interrupted in between. */
static btime
wall_offset(void)
{
  btime before, wall, after;
  int tries = 3;

  do
  {
    before = clock_now();
    wall = clock_wall();
    after = clock_now();
  } while (after - before > CLOCK_STEP / 4 && --tries);
  return wall - after; /* what it took makes packets younger */
}

struct udp_batch *
udp_batch_new(pool *p)
{
  struct udp_batch *b = mb_alloc(p, sizeof(*b));

  b->offset = wall_offset();
  b->stepped = -1;
  for (int i = 0; i < UDP_BATCH; i++)
  {
    struct msghdr *m = &b->messages[i].msg_hdr;

    b->iov[i] = (struct iovec){ b->data[i], UDP_PACKET_SIZE };
    m->msg_iov = &b->iov[i];
    m->msg_iovlen = 1;
    m->msg_name = &b->from[i];
    m->msg_control = b->control[i];
  }
  return b;
}

static btime
timespec_us(const void *data)
{
  struct timespec ts;

  memcpy(&ts, data, sizeof(ts));
  return BT_S(ts.tv_sec) + ts.tv_nsec / 1000;
}

/* One control message into @p; the wall-clock stamp goes through p->arrival. */
static void
packet_control(struct udp_packet *p, const struct cmsghdr *cm)
{
  const void *data = CMSG_DATA(cm);

  if (cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_TIMESTAMPNS)
    p->arrival = timespec_us(data);
  else if ((cm->cmsg_level == IPPROTO_IP && cm->cmsg_type == IP_TTL) ||
           (cm->cmsg_level == IPPROTO_IPV6 && cm->cmsg_type == IPV6_HOPLIMIT))
    memcpy(&p->ttl, data, sizeof(p->ttl));
  else if (cm->cmsg_level == IPPROTO_IP && cm->cmsg_type == IP_PKTINFO)
  {
    struct in_pktinfo info;

    memcpy(&info, data, sizeof(info));
    p->ifindex = info.ipi_ifindex;
    p->local = ip_v4(ntohl(info.ipi_addr.s_addr));
  }
  else if (cm->cmsg_level == IPPROTO_IPV6 && cm->cmsg_type == IPV6_PKTINFO)
  {
    struct in6_pktinfo info;

    memcpy(&info, data, sizeof(info));
    p->ifindex = info.ipi6_ifindex;
    p->local = ip_from_bytes(info.ipi6_addr.s6_addr, 16);
  }
}

static void
packet_fill(struct udp_packet *p, struct mmsghdr *m, const union sockaddr_ip *from, const byte *data)
{
  *p = (struct udp_packet){ .data = data, .size = m->msg_len, .ttl = -1 };
  if (from->sa.sa_family == AF_INET6)
  {
    p->remote = ip_from_bytes(from->v6.sin6_addr.s6_addr, 16);
    p->remote_port = ntohs(from->v6.sin6_port);
  }
  else
  {
    p->remote = ip_v4(ntohl(from->v4.sin_addr.s_addr));
    p->remote_port = ntohs(from->v4.sin_port);
  }
  for (struct cmsghdr *cm = CMSG_FIRSTHDR(&m->msg_hdr); cm; cm = CMSG_NXTHDR(&m->msg_hdr, cm))
    packet_control(p, cm);
}

int
udp_batch_read(struct udp_batch *b, int fd, btime floor, const struct udp_packet **packets)
{
  for (int i = 0; i < UDP_BATCH; i++)
  {
    b->messages[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
    b->messages[i].msg_hdr.msg_controllen = CONTROL_SPACE;
  }

  int n = recvmmsg(fd, b->messages, UDP_BATCH, MSG_DONTWAIT, NULL);

  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;

  btime offset = wall_offset(), now = clock_now();

  /*
   * The wall clock was set while packets waited, here or on another socket: until each has been seen empty
   * since, stamps mean nothing there.
   */
  if (llabs(offset - b->offset) > CLOCK_STEP)
    b->stepped = now;
  b->offset = offset;

  bool stepped = floor <= b->stepped;

  for (int i = 0; i < n; i++)
  {
    struct udp_packet *p = &b->packets[i];

    packet_fill(p, &b->messages[i], &b->from[i], b->data[i]);
    p->arrival = p->arrival && !stepped ? MAX(MIN(p->arrival - offset, now), floor) : now;
  }
  *packets = b->packets;
  return n;
}

/* Who owns a port */

static bool
process_has_socket(const char *pid, ulong inode)
{
  char path[300], target[64], wanted[64];
  bool has = false;

  snprintf(path, sizeof(path), "/proc/%s/fd", pid);
  snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);

  DIR *dir = opendir(path);

  for (struct dirent *e; dir && !has && (e = readdir(dir));)
  {
    ssize_t len = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);

    target[MAX(len, 0)] = 0;
    has = strcmp(target, wanted) == 0;
  }
  if (dir)
    closedir(dir);
  return has;
}

/*
 * The inode of a socket bound to @port that is not one of ours, from /proc/net/udp or udp6; 0 when there is
 * none.
 */
static ulong
foreign_inode(bool v6, u16 port)
{
  FILE *f = fopen(v6 ? "/proc/net/udp6" : "/proc/net/udp", "re");
  char line[512];
  ulong found = 0;

  while (f && !found && fgets(line, sizeof(line), f))
  {
    uint bound;
    ulong inode;

    if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*s %*s %lu", &bound, &inode) == 2 &&
        bound == port && !process_has_socket("self", inode))
      found = inode;
  }
  if (f)
    fclose(f);
  return found;
}

bool
udp_port_is_ours(bool v6, u16 port)
{
  return foreign_inode(v6, port) == 0;
}

static void
process_name(const char *pid, char *name, size_t size)
{
  char path[300];

  snprintf(path, sizeof(path), "/proc/%s/comm", pid);
  snprintf(name, size, "process");

  FILE *f = fopen(path, "re");

  if (f && fgets(name, size, f))
    name[strcspn(name, "\n")] = 0;
  if (f)
    fclose(f);
}

void
udp_port_owner(bool v6, u16 port, char *buf)
{
  ulong inode = foreign_inode(v6, port);
  DIR *dir = inode ? opendir("/proc") : NULL;

  snprintf(buf, UDP_OWNER_SIZE, "another process");
  for (struct dirent *e; dir && (e = readdir(dir));)
    if (atoi(e->d_name) > 0 && process_has_socket(e->d_name, inode))
    {
      char name[32];

      process_name(e->d_name, name, sizeof(name));
      snprintf(buf, UDP_OWNER_SIZE, "%s (pid %.10s)", name, e->d_name);
      break;
    }
  if (dir)
    closedir(dir);
}
