/*
 * sysdep/socket.h: the sockets the suite needs, opened with everything set or not at all
 *
 * All descriptors are non-blocking and close-on-exec. Functions that open return the descriptor or -errno,
 * and touch no state of ours, so they may be called from any loop.
 */
#ifndef PEREGRINE_SYSDEP_SOCKET_H
#define PEREGRINE_SYSDEP_SOCKET_H

#include "lib/ip.h"
#include "lib/pool.h"

/* UDP, receiving: one socket for many peers, with TTL, interface and kernel arrival time of every packet. */
struct udp_listen
{
  bool v6;
  u16 port;
  ip_addr local;       /* bind to this address; IP_NONE: to all */
  uint ifindex;        /* of a link-local address */
  const char *device;  /* bind to this device (a VRF); NULL: to none */
  bool no_checksum;    /* IPv6: take packets with a zero UDP checksum (RFC 6935) */
  uint receive_buffer; /* bytes wanted; what the system's limit allows is taken */
  bool share_port;     /* with whoever lets others have it: see udp_share_port() */
  bool group;          /* join the sockets of ours that have it: see udp_group_join() */
};
/* The port is asked for exclusively, unless it is to be shared, so another owner shows as -EADDRINUSE. */
int udp_listen_open(const struct udp_listen *how);

/* The device a socket is bound to; 0: none. */
uint udp_device(int fd);

/* Let others that ask for it have the port of @fd as well, or nobody any more. */
void udp_share_port(int fd, bool share);

/*
 * Several sockets of ours for one port, each of which gets some of the packets. Let others join @fd, which
 * has it; they are numbered in the order in which they do. The kernel moves the last one to the number of one
 * that is closed.
 */
void udp_group_join(int fd);

/*
 * From now on a packet goes to the socket whose number is the 32-bit word at @offset of its payload, modulo
 * @count; that is 0 for shorter packets. @fd: any of the group. 0 or -errno.
 */
int udp_group_steer(int fd, uint offset, uint count);

/* Has no other process the port? Reads /proc; slow. */
bool udp_port_is_ours(bool v6, u16 port);

/* Who else has the port: "bfdd (pid 123)", or "another process" when it cannot be known. Reads /proc; slow.
 */
#define UDP_OWNER_SIZE 64
void udp_port_owner(bool v6, u16 port, char *buf);

/* Bytes of receive buffer that are in force on @fd, as the kernel counts them. */
uint udp_receive_buffer(int fd);

/* Packets for @fd that the kernel has dropped so far, most of them because its queue was full. */
u32 udp_receive_drops(int fd);

/*
 * IP, sending: whole packets, headers included, to many peers through one socket, which receives nothing. It
 * takes CAP_NET_RAW, but for a sender with a port. What is sent goes the way of all packets: routes,
 * neighbours, packet filter.
 */
struct ip_sender
{
  u16 port;      /* not whole packets, but what UDP carries, from this port with TTL 255; 0: whole packets */
  ip_addr local; /* sent from, as rules of routing see it */
  uint ifindex;  /* bind to this interface or VRF device; 0: to none */
  bool on_link;  /* IPv4: treat peers as on link there, whatever routes say */
};
int ip_sender_open(const struct ip_sender *how);

/*
 * The link layer, sending: whole IP packets to neighbours whose link-layer address is known, through one
 * socket for all Ethernet interfaces. It takes CAP_NET_RAW. Nothing is asked on the way: no route, no
 * neighbour table, no packet filter, no queue.
 */
int link_sender_open(void);

/*
 * Packets are collected and go out by sendmmsg() when the batch is full, when it is the turn of another
 * socket, or when told to. Ask for room, write the packet there, add it; or leave it. @failed is called from
 * inside for each packet that the kernel did not take.
 */
#define SEND_PACKET_SIZE 256
struct send_batch;
struct send_batch *send_batch_new(pool *p, void (*failed)(void *owner, int error, void *data), void *data);
byte *send_batch_room(struct send_batch *b, int fd); /* SEND_PACKET_SIZE bytes */
/* @port: 0 with whole packets */
void send_batch_add(struct send_batch *b, size_t size, ip_addr to, u16 port, uint ifindex, void *owner);
#define LLADDR_SIZE 6
void send_batch_add_link(struct send_batch *b, size_t size, bool v6, uint ifindex,
                         const byte lladdr[LLADDR_SIZE], void *owner);
void send_batch_flush(struct send_batch *b);

/* What came in one recvmmsg() call. */
#define UDP_BATCH 64
#define UDP_PACKET_SIZE 256 /* longer packets are cut: nothing we receive this way is longer */
struct udp_packet
{
  const byte *data;
  size_t size;
  ip_addr remote, local;
  u16 remote_port;
  uint ifindex;
  int ttl;       /* -1 when the kernel did not say */
  btime arrival; /* monotonic */
};
struct udp_batch;
struct udp_batch *udp_batch_new(pool *p);

/*
 * Read up to UDP_BATCH packets from @fd. @floor bounds arrival times from below: nothing can have been
 * waiting since before the socket was last seen empty (a step of the wall clock, which stamps packets, would
 * suggest so). Returns how many (0: none waiting), or -errno. @packets is valid until the next call.
 */
int udp_batch_read(struct udp_batch *b, int fd, btime floor, const struct udp_packet **packets);

/*
 * Control socket: a listening Unix stream socket at @path, for whom @mode lets write there. A leftover of a
 * dead owner is replaced; a live owner gives -EADDRINUSE. control_accept() returns -EAGAIN when nobody waits.
 */
#define CONTROL_MODE 0660
int control_listen_open(const char *path, uint mode);
int control_accept(int fd);
int control_connect(const char *path); /* blocking descriptor, for clients */

/*
 * TCP: a socket that listens at @local, or at all addresses of its family where that is 0.0.0.0 or ::; and a
 * connection to it, with who is there. tcp_accept() returns -EAGAIN when nobody waits.
 */
int tcp_listen_open(ip_addr local, u16 port);
int tcp_accept(int fd, ip_addr *peer);

#endif
