/*
 * sysdep/linux/offload.c: see offload.h. The loader of offload.bpf.c
 *
 * The main loop owns the program and where it is attached. Slots and rings are used by the loops of engines:
 * the slots that are free are a set that changes atomically, all else belongs to one loop or is the kernel's.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "offload.skel.h"
#include "sysdep/linux/offload_slot.h"

#define WORD 64
#define TCX_INGRESS 46 /* enum bpf_attach_type since Linux 6.6, which older headers lack */

struct offload_slot
{
  struct offload *offload;
  struct offload_lines *lines; /* shared with the program */
};

struct attachment
{
  struct resource r;
  struct node n;
  uint ifindex;
  enum offload_hook hook;
  int link; /* it is attached as long as this is open */
};

struct offload
{
  struct resource r;
  struct offload_bpf *bpf;
  struct list attachments;
  uint rings, count;
  struct offload_lines *lines;
  struct offload_slot *slots;
  _Atomic u64 *free; /* one bit for each slot */
};

struct offload_ring
{
  struct resource r;
  struct offload *offload;
  u32 number;
  int map;
  unsigned long *consumed;       /* position in bytes; ours */
  const unsigned long *produced; /* the kernel's */
  const byte *data;              /* there twice, so that no record is cut */
};

/* --- The program --- */

static size_t
lines_size(const struct offload *o)
{
  size_t page = getpagesize();

  return (o->count * sizeof(struct offload_lines) + page - 1) / page * page;
}

static void
offload_free(struct resource *r)
{
  struct offload *o = (struct offload *) r;
  struct attachment *a;

  LIST_WALK_SAFE (a, &o->attachments, n)
    rfree(a);
  if (o->lines)
    munmap(o->lines, lines_size(o));
  mb_free(o->slots);
  mb_free(o->free);
  offload_bpf__destroy(o->bpf);
}

static const struct resource_class offload_class = { .name = "Offload",
                                                     .size = sizeof(struct offload),
                                                     .free = offload_free };

/* The program has no other clock than the kernel's own, which in a time namespace is not ours. */
static bool
clock_is_ours(void)
{
  FILE *f = fopen("/proc/self/timens_offsets", "re");
  long seconds = 0, ns = 0;
  int fields = f ? fscanf(f, "monotonic %ld %ld", &seconds, &ns) : 0;

  if (f)
    fclose(f);
  return fields != 2 || (!seconds && !ns);
}

static bool
load(struct offload *o)
{
  if (!clock_is_ours())
  {
    errno = EOPNOTSUPP;
    return false;
  }
  o->bpf = offload_bpf__open();
  if (!o->bpf)
    return false;
  bpf_map__set_max_entries(o->bpf->maps.discriminators, o->count);
  bpf_map__set_max_entries(o->bpf->maps.slots, o->count);
  bpf_map__set_max_entries(o->bpf->maps.rings, o->rings);
  if (offload_bpf__load(o->bpf) < 0)
    return false;

  void *lines =
      mmap(NULL, lines_size(o), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(o->bpf->maps.slots), 0);

  if (lines == MAP_FAILED)
    return false;
  o->lines = lines;
  return true;
}

static void
make_slots(struct offload *o)
{
  o->slots = mb_alloc(NULL, o->count * sizeof(*o->slots));
  o->free = mb_alloc(NULL, (o->count + WORD - 1) / WORD * sizeof(*o->free));
  for (uint i = 0; i < o->count; i++)
  {
    o->slots[i] = (struct offload_slot){ o, &o->lines[i] };
    o->free[i / WORD] |= (u64) 1 << i % WORD;
  }
}

struct offload *
offload_new(pool *p, uint rings, uint slots, int *error)
{
  struct offload *o = res_new(p, &offload_class);

  ASSERT(rings && rings <= OFFLOAD_RINGS_MAX && slots);
  o->rings = rings;
  o->count = slots;
  list_init(&o->attachments);
  libbpf_set_print(NULL); /* or it writes to stderr */
  if (load(o))
  {
    make_slots(o);
    return o;
  }
  *error = -errno;
  rfree(o);
  return NULL;
}

int
offload_program(const struct offload *o, enum offload_hook hook)
{
  return bpf_program__fd(hook == OFFLOAD_XDP ? o->bpf->progs.offload_xdp : o->bpf->progs.offload_tcx);
}

/* --- Interfaces --- */

static void
attachment_free(struct resource *r)
{
  struct attachment *a = (struct attachment *) r;

  list_remove(&a->n);
  close(a->link);
}

static const struct resource_class attachment_class = { .name = "Offload attachment",
                                                        .size = sizeof(struct attachment),
                                                        .free = attachment_free };

static struct attachment *
find_attachment(const struct offload *o, uint ifindex)
{
  struct attachment *a;

  LIST_WALK (a, &o->attachments, n)
    if (a->ifindex == ifindex)
      return a;
  return NULL;
}

static int
link_xdp(const struct offload *o, uint ifindex)
{
  /* In the driver or not at all: generic XDP is slower than TCX. */
  LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);

  return bpf_link_create(offload_program(o, OFFLOAD_XDP), ifindex, BPF_XDP, &native);
}

static int
link_tcx(const struct offload *o, uint ifindex)
{
  return bpf_link_create(offload_program(o, OFFLOAD_TCX), ifindex, TCX_INGRESS, NULL);
}

int
offload_attach(struct offload *o, uint ifindex)
{
  struct attachment *a = find_attachment(o, ifindex);

  if (a)
    return a->hook;

  enum offload_hook hook = OFFLOAD_XDP;
  int link = link_xdp(o, ifindex);

  if (link < 0)
  {
    hook = OFFLOAD_TCX;
    link = link_tcx(o, ifindex);
  }
  if (link < 0)
    return link;
  a = res_new(NULL, &attachment_class);
  a->ifindex = ifindex;
  a->hook = hook;
  a->link = link;
  list_add_tail(&o->attachments, &a->n);
  return hook;
}

void
offload_detach(struct offload *o, uint ifindex)
{
  rfree(find_attachment(o, ifindex));
}

/* --- Rings --- */

static void
offload_ring_free(struct resource *r)
{
  struct offload_ring *ring = (struct offload_ring *) r;
  size_t page = getpagesize();

  bpf_map_delete_elem(bpf_map__fd(ring->offload->bpf->maps.rings), &ring->number);
  if (ring->consumed)
    munmap(ring->consumed, page);
  if (ring->produced)
    munmap((void *) ring->produced, page + 2 * OFFLOAD_RING_SIZE);
  if (ring->map >= 0)
    close(ring->map);
}

static const struct resource_class offload_ring_class = { .name = "Offload ring",
                                                          .size = sizeof(struct offload_ring),
                                                          .free = offload_ring_free };

static void *
map_part(int fd, size_t size, int access, off_t offset)
{
  void *part = mmap(NULL, size, access, MAP_SHARED, fd, offset);

  return part == MAP_FAILED ? NULL : part;
}

/* A page for the consumer's position, one for the producer's, the data, and the data again. */
static bool
ring_open(struct offload_ring *r)
{
  size_t page = getpagesize();

  r->map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "offload_ring", 0, 0, OFFLOAD_RING_SIZE, NULL);
  if (r->map < 0)
    return false;
  r->consumed = map_part(r->map, page, PROT_READ | PROT_WRITE, 0);
  r->produced = map_part(r->map, page + 2 * OFFLOAD_RING_SIZE, PROT_READ, page);
  if (!r->consumed || !r->produced)
    return false;
  r->data = (const byte *) r->produced + page;
  return bpf_map_update_elem(bpf_map__fd(r->offload->bpf->maps.rings), &r->number, &r->map, BPF_ANY) == 0;
}

struct offload_ring *
offload_ring_new(pool *p, struct offload *o, uint number)
{
  struct offload_ring *r = res_new(p, &offload_ring_class);

  ASSERT(number < o->rings);
  r->offload = o;
  r->number = number;
  o->bpf->bss->wake[number] = false;
  if (ring_open(r))
    return r;
  rfree(r);
  return NULL;
}

/*
 * The ring can be polled itself, but it would stay in the epoll sets it is in when its descriptor is closed,
 * being mapped as well.
 */
int
offload_ring_fd(const struct offload_ring *r)
{
  struct epoll_event readable = { .events = EPOLLIN };
  int fd = epoll_create1(EPOLL_CLOEXEC);

  if (fd < 0)
    return -errno;
  if (epoll_ctl(fd, EPOLL_CTL_ADD, r->map, &readable) == 0)
    return fd;

  int error = errno;

  close(fd);
  return -error;
}

void
offload_ring_wake(struct offload_ring *r, bool wake)
{
  __atomic_store_n(&r->offload->bpf->bss->wake[r->number], wake, __ATOMIC_SEQ_CST);
}

/* The next record, and the end of it as a position; false: there is none, or it is being written. */
static bool
next_record(const struct offload_ring *r, unsigned long pos, const struct offload_record **record,
            unsigned long *end)
{
  if (pos == __atomic_load_n(r->produced, __ATOMIC_ACQUIRE))
    return false;

  const byte *at = r->data + pos % OFFLOAD_RING_SIZE;
  u32 size = __atomic_load_n((const u32 *) at, __ATOMIC_ACQUIRE);

  if (size & BPF_RINGBUF_BUSY_BIT)
    return false;
  *record = size & BPF_RINGBUF_DISCARD_BIT ? NULL : (const void *) (at + BPF_RINGBUF_HDR_SZ);
  *end = pos + BPF_RINGBUF_HDR_SZ + (((size & ~BPF_RINGBUF_DISCARD_BIT) + 7) & ~7u);
  return true;
}

uint
offload_ring_read(struct offload_ring *r, uint max, void (*hook)(const struct offload_packet *p, void *data),
                  void *data, bool *empty)
{
  const struct offload_record *record;
  unsigned long pos = *r->consumed, end;
  uint count = 0;

  for (; count < max && next_record(r, pos, &record, &end); pos = end)
  {
    if (record)
    {
      struct offload_packet p = { ntohl(record->disc), record->data, record->size, record->arrival };

      hook(&p, data);
      count++;
    }
    __atomic_store_n(r->consumed, end, __ATOMIC_RELEASE);
  }
  *empty = pos == __atomic_load_n(r->produced, __ATOMIC_ACQUIRE);
  return count;
}

/* --- Slots --- */

static struct offload_slot *
slot_take(struct offload *o)
{
  for (uint i = 0; i < (o->count + WORD - 1) / WORD; i++)
    for (u64 word = o->free[i]; word;)
    {
      u64 bit = word & -word;

      word = atomic_fetch_and(&o->free[i], ~bit);
      if (word & bit)
        return &o->slots[i * WORD + __builtin_ctzll(bit)];
    }
  return NULL;
}

static void
slot_give_back(struct offload_slot *s)
{
  struct offload *o = s->offload;
  uint i = s - o->slots;

  atomic_fetch_or(&o->free[i / WORD], (u64) 1 << i % WORD);
}

/* As packets have it. */
static void
put_address(u32 words[4], ip_addr a)
{
  for (uint i = 0; i < 4; i++)
    words[i] = htonl(a.w[i]);
}

static void
put_key(struct offload_lines *l, const struct offload_key *key, u8 ring)
{
  l->ring = ring;
  l->v6 = !ip_is_v4(key->remote);
  l->ifindex = key->ifindex;
  put_address(l->remote, key->remote);
  put_address(l->local, key->local);
  l->disc = htonl(key->disc);
}

struct offload_slot *
offload_slot_new(struct offload_ring *r, const struct offload_key *key)
{
  struct offload *o = r->offload;
  struct offload_slot *s = slot_take(o);

  if (!s)
    return NULL;
  put_key(s->lines, key, r->number);

  u32 disc = s->lines->disc, number = s - o->slots;

  if (bpf_map_update_elem(bpf_map__fd(o->bpf->maps.discriminators), &disc, &number, BPF_NOEXIST) == 0)
    return s;
  slot_give_back(s);
  return NULL;
}

void
offload_slot_free(struct offload_slot *s)
{
  u32 disc = s->lines->disc;

  offload_slot_disarm(s);
  bpf_map_delete_elem(bpf_map__fd(s->offload->bpf->maps.discriminators), &disc);
  slot_give_back(s);
}

void
offload_slot_disarm(struct offload_slot *s)
{
  /* Before anything else changes, which a store alone would not make sure of. */
  __atomic_exchange_n(&s->lines->mode, OFFLOAD_PASS, __ATOMIC_SEQ_CST);
}

void
offload_slot_arm(struct offload_slot *s, enum offload_mode mode, const byte payload[OFFLOAD_PAYLOAD],
                 const struct bfd_arrivals *arrivals, btime last_rx)
{
  struct offload_lines *l = s->lines;

  ASSERT(mode == OFFLOAD_RING_ANY || !memcmp(payload + 8, &l->disc, sizeof(l->disc)));
  offload_slot_disarm(s);
  if (mode != OFFLOAD_RING_ANY)
    memcpy(l->payload, payload, OFFLOAD_PAYLOAD);
  if (mode == OFFLOAD_ABSORB)
    l->arrivals = *arrivals;
  l->last_rx = last_rx;
  l->absorbed = 0;
  __atomic_store_n(&l->mode, mode, __ATOMIC_RELEASE);
}

btime
offload_slot_heard(const struct offload_slot *s)
{
  return __atomic_load_n(&s->lines->last_rx, __ATOMIC_ACQUIRE);
}

void
offload_slot_arrivals(const struct offload_slot *s, struct bfd_arrivals *arrivals, u64 *absorbed)
{
  *arrivals = s->lines->arrivals;
  *absorbed = s->lines->absorbed;
}
