/*
 * sysdep/linux/offload.bpf.c: what offload.h says of packets, as programs of the kernel
 *
 * Two programs around one function: XDP and TCX. Built for the bpf target and put into the loader as data.
 * The verifier refuses a program that might read past the end of a packet, which is what cursors are for
 * elsewhere; so structs are laid over headers here.
 *
 * Whatever is not exactly what a slot names goes on, and the IP stack has its say. Of what is taken the IP
 * stack would have checked more: checksums. They are not, here: a payload that is what was accepted before
 * byte for byte, or that is authenticated, cannot have suffered, and what else counts (addresses, TTL, port,
 * lengths) is compared. Nor is the destination address of the frame looked at by XDP, nor a VLAN tag that the
 * device took off: there it is the discriminator and both IP addresses that say who is meant.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "sysdep/linux/offload_slot.h"
#include "sysdep/offload.h"

#define INLINE static __always_inline
#define FRAGMENT 0x3fff /* the offset, and More Fragments */

/* The loader says how many entries each map has. */
struct
{
  __uint(type, BPF_MAP_TYPE_HASH);
  __type(key, u32); /* as in packets */
  __type(value, u32);
  __uint(max_entries, 1);
} discriminators SEC(".maps");

struct
{
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, u32);
  __type(value, struct offload_lines);
  __uint(max_entries, 1);
} slots SEC(".maps");

struct ringbuf
{
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, OFFLOAD_RING_SIZE);
};

struct
{
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __type(key, u32);
  __uint(max_entries, 1);
  __array(values, struct ringbuf);
} rings SEC(".maps");

bool wake[OFFLOAD_RINGS_MAX];

struct packet
{
  const u32 *remote, *local;
  const u32 *payload; /* OFFLOAD_PAYLOAD bytes are there, at least */
  u32 offset, size;   /* of the payload */
  bool v6;
};

/* What stands behind the IP header, @size bytes of it. */
INLINE bool
parse_udp(struct packet *p, const void *data, const struct udphdr *udp, const void *end, u32 size)
{
  p->payload = (const u32 *) (udp + 1);
  p->offset = (const void *) p->payload - data;
  p->size = size - sizeof(*udp);
  return (const void *) p->payload + OFFLOAD_PAYLOAD <= end && udp->dest == bpf_htons(BFD_PORT_DIRECT) &&
         bpf_ntohs(udp->len) == size && p->size >= OFFLOAD_PAYLOAD && p->size <= OFFLOAD_PACKET_MAX;
}

INLINE bool
parse_v4(struct packet *p, const void *data, const struct iphdr *ip, const void *end)
{
  p->v6 = false;
  p->remote = &ip->saddr;
  p->local = &ip->daddr;
  return (const void *) (ip + 1) <= end && ip->version == 4 && ip->ihl == 5 &&
         !(ip->frag_off & bpf_htons(FRAGMENT)) && ip->ttl == 255 && ip->protocol == IPPROTO_UDP &&
         parse_udp(p, data, (const void *) (ip + 1), end, bpf_ntohs(ip->tot_len) - sizeof(*ip));
}

INLINE bool
parse_v6(struct packet *p, const void *data, const struct ipv6hdr *ip, const void *end)
{
  p->v6 = true;
  p->remote = ip->saddr.in6_u.u6_addr32;
  p->local = ip->daddr.in6_u.u6_addr32;
  return (const void *) (ip + 1) <= end && ip->version == 6 && ip->hop_limit == 255 &&
         ip->nexthdr == IPPROTO_UDP &&
         parse_udp(p, data, (const void *) (ip + 1), end, bpf_ntohs(ip->payload_len));
}

INLINE bool
parse(struct packet *p, const void *data, const void *end)
{
  const struct ethhdr *eth = data;
  const void *ip = eth + 1;

  if (ip > end)
    return false;
  if (eth->h_proto == bpf_htons(ETH_P_IP))
    return parse_v4(p, data, ip, end);
  return eth->h_proto == bpf_htons(ETH_P_IPV6) && parse_v6(p, data, ip, end);
}

INLINE struct offload_lines *
find_slot(u32 disc)
{
  u32 *slot = bpf_map_lookup_elem(&discriminators, &disc);

  return slot ? bpf_map_lookup_elem(&slots, slot) : NULL;
}

/* Two words. A loop over a packet would take CAP_PERFMON. */
INLINE bool
same2(const u32 *a, const u32 *b)
{
  return a[0] == b[0] && a[1] == b[1];
}

INLINE bool
same4(const u32 *a, const u32 *b)
{
  return same2(a, b) && same2(a + 2, b + 2);
}

INLINE bool
same_addresses(const struct offload_lines *s, const struct packet *p)
{
  if (s->v6 != p->v6)
    return false;
  if (p->v6)
    return same4(s->remote, p->remote) && same4(s->local, p->local);
  return s->remote[3] == *p->remote && s->local[3] == *p->local;
}

/* The slot may be another session's since it was looked up, hence the discriminator. */
INLINE bool
matches(const struct offload_lines *s, const struct packet *p, u32 ifindex, u8 mode)
{
  if (s->disc != p->payload[2] || s->ifindex != ifindex || !same_addresses(s, p))
    return false;
  return mode == OFFLOAD_RING_ANY || (p->size == OFFLOAD_PAYLOAD && same4(s->payload, p->payload) &&
                                      same2(s->payload + 4, p->payload + 4));
}

INLINE u64
now_us(void)
{
  return bpf_ktime_get_ns() / 1000;
}

INLINE bool
give(const struct offload_lines *s, const struct packet *p, void *ctx, bool xdp)
{
  u32 number = s->ring;
  void *ring = bpf_map_lookup_elem(&rings, &number);
  struct offload_record *r = ring ? bpf_ringbuf_reserve(ring, sizeof(*r), 0) : NULL;

  if (!r)
    return false;
  r->arrival = now_us();
  r->disc = p->payload[2];
  r->size = p->size;
  if (xdp ? bpf_xdp_load_bytes(ctx, p->offset, r->data, p->size)
          : bpf_skb_load_bytes(ctx, p->offset, r->data, p->size))
  {
    bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP); /* less is there than was said */
    return false;
  }
  bpf_ringbuf_submit(r, wake[number % OFFLOAD_RINGS_MAX] ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
  return true;
}

INLINE u32
bucket_of(u32 gap)
{
  u32 bucket = 0;

  while (bucket < BFD_GAP_BUCKETS - 1 && gap >= 1024u << bucket)
    bucket++;
  return bucket;
}

/* As bfd_arrivals_add() does; the interval does not change while the slot is armed. */
INLINE void
add_arrival(struct bfd_arrivals *a, u64 gap)
{
  u32 length = MIN(gap, U32_MAX);

  a->ring[a->count % BFD_GAPS] = MIN(length / BFD_GAP_GRAIN, UINT16_MAX);
  a->count++;
  a->bucket[bucket_of(length)]++;
  a->largest = MAX(a->largest, length);
}

/* Packets of one session come through one queue, so that nobody else writes here at the same time. If two do
 * all the same, an arrival is lost from the record. */
INLINE void
absorb(struct offload_lines *s)
{
  u64 now = now_us(), last = s->last_rx;

  s->last_rx = MAX(now, last);
  add_arrival(&s->arrivals, MAX(now, last) - last);
  s->absorbed++;
}

/* Is the packet taken, so that nobody else is to see it? */
INLINE bool
take(void *ctx, bool xdp, const void *data, const void *end, u32 ifindex)
{
  struct packet p;

  if (!parse(&p, data, end))
    return false;

  struct offload_lines *s = find_slot(p.payload[2]);

  if (!s)
    return false;

  u8 mode = *(volatile u8 *) &s->mode;

  barrier(); /* the rest of the slot is worth nothing before */
  if (mode == OFFLOAD_PASS || !matches(s, &p, ifindex, mode))
    return false;
  if (mode != OFFLOAD_ABSORB)
    return give(s, &p, ctx, xdp);
  absorb(s);
  return true;
}

/* With frags, which it has no use for, it is accepted by interfaces with a large MTU as well. */
SEC("xdp.frags")
int
offload_xdp(struct xdp_md *ctx)
{
  return take(ctx, true, (const void *) (long) ctx->data, (const void *) (long) ctx->data_end,
              ctx->ingress_ifindex)
             ? XDP_DROP
             : XDP_PASS;
}

/*
 * TCX_NEXT and TCX_DROP have these numbers, too. Unlike XDP it sees what is meant for others, and without
 * their tags packets of VLANs; with either it is not ours. What the driver left outside the first part of the
 * packet is not there and goes on.
 */
SEC("tc")
int
offload_tcx(struct __sk_buff *skb)
{
  return skb->pkt_type == PACKET_HOST && !skb->vlan_present &&
                 take(skb, false, (const void *) (long) skb->data, (const void *) (long) skb->data_end,
                      skb->ifindex)
             ? TC_ACT_SHOT
             : TC_ACT_UNSPEC;
}

/* The kernel allows its clock to no other. */
char offload_license[] SEC("license") = "GPL";
