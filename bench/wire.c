/*
 * bench/wire.c: frames of the simulator
 *
 * RFC 5880 4.1, RFC 5881 4 and 5. What is received was made by the daemon under test in a namespace of its
 * own, so checksums are not looked at.
 */
#include <string.h>

#include "bench/wire.h"

#define BFD_PORT 3784
#define BFD_LENGTH 24
#define UDP_LENGTH (8 + BFD_LENGTH)
#define IP_LENGTH (20 + UDP_LENGTH)
#define ETHERTYPE_IP 0x0800
#define PROTOCOL_UDP 17
#define CLASS_CS6 0xc0

enum
{
  AT_IP = 14,
  AT_UDP = AT_IP + 20,
  AT_BFD = AT_UDP + 8
};

static u16
get_u16(const byte *p)
{
  return (u16) (p[0] << 8 | p[1]);
}

static u32
get_u32(const byte *p)
{
  return (u32) get_u16(p) << 16 | get_u16(p + 2);
}

static void
put_u16(byte *p, u16 v)
{
  p[0] = v >> 8;
  p[1] = v & 0xff;
}

static void
put_u32(byte *p, u32 v)
{
  put_u16(p, v >> 16);
  put_u16(p + 2, v & 0xffff);
}

static bool
bfd_decode(struct packet *p, const byte *data)
{
  *p = (struct packet){
    .diag = data[0] & 0x1f,
    .state = data[1] >> 6,
    .flags = data[1] & 0x3f,
    .detect_mult = data[2],
    .my_disc = get_u32(data + 4),
    .your_disc = get_u32(data + 8),
    .desired_min_tx = get_u32(data + 12),
    .required_min_rx = get_u32(data + 16),
  };

  return (data[0] >> 5) == 1 && data[3] == BFD_LENGTH && p->detect_mult && p->my_disc &&
         !(p->flags & (FLAG_MULTIPOINT | FLAG_AUTH)) && (p->your_disc || p->state <= BFD_DOWN);
}

static bool
headers_fit(const byte *frame)
{
  const byte *ip = frame + AT_IP, *udp = frame + AT_UDP;

  return get_u16(frame + 12) == ETHERTYPE_IP && ip[0] == 0x45 && get_u16(ip + 2) == IP_LENGTH &&
         ip[8] == 255 && ip[9] == PROTOCOL_UDP && get_u16(udp + 2) == BFD_PORT &&
         get_u16(udp + 4) == UDP_LENGTH;
}

bool
wire_decode(struct wire_path *path, struct packet *p, const byte *frame, size_t size)
{
  struct packet got;

  if (size < WIRE_SIZE || !headers_fit(frame) || !bfd_decode(&got, frame + AT_BFD))
    return false;

  *p = got;
  memcpy(path->local_mac, frame, 6);
  memcpy(path->remote_mac, frame + 6, 6);
  path->remote = get_u32(frame + AT_IP + 12);
  path->local = get_u32(frame + AT_IP + 16);
  return true;
}

/* RFC 1071 */
static u16
ip_checksum(const byte *ip)
{
  u32 sum = 0;

  for (uint i = 0; i < 20; i += 2)
    sum += get_u16(ip + i);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~(sum + (sum >> 16)) & 0xffff;
}

static void
bfd_encode(byte *data, const struct packet *p)
{
  data[0] = 1 << 5 | p->diag;
  data[1] = p->state << 6 | p->flags;
  data[2] = p->detect_mult;
  data[3] = BFD_LENGTH;
  put_u32(data + 4, p->my_disc);
  put_u32(data + 8, p->your_disc);
  put_u32(data + 12, p->desired_min_tx);
  put_u32(data + 16, p->required_min_rx);
  put_u32(data + 20, 0); /* no echo */
}

void
wire_encode(byte *frame, const struct wire_path *path, const struct packet *p)
{
  byte *ip = frame + AT_IP, *udp = frame + AT_UDP;

  memcpy(frame, path->remote_mac, 6);
  memcpy(frame + 6, path->local_mac, 6);
  put_u16(frame + 12, ETHERTYPE_IP);

  memset(ip, 0, 20);
  ip[0] = 0x45;
  ip[1] = CLASS_CS6;
  put_u16(ip + 2, IP_LENGTH);
  ip[8] = 255; /* RFC 5881 5 */
  ip[9] = PROTOCOL_UDP;
  put_u32(ip + 12, path->local);
  put_u32(ip + 16, path->remote);
  put_u16(ip + 10, ip_checksum(ip));

  put_u16(udp, path->source_port);
  put_u16(udp + 2, BFD_PORT);
  put_u16(udp + 4, UDP_LENGTH);
  put_u16(udp + 6, 0);
  bfd_encode(frame + AT_BFD, p);
}
