/* sysdep/linux/offload_none.c: in place of offload.c, built --without-xdp. Nothing is made, so nothing used.
 */
#include <errno.h>

#include "sysdep/offload.h"

struct offload *
offload_new(pool *p UNUSED, uint rings UNUSED, uint slots UNUSED, int *error)
{
  *error = -EOPNOTSUPP;
  return NULL;
}

int
offload_attach(struct offload *o UNUSED, uint ifindex UNUSED)
{
  return -EOPNOTSUPP;
}

void
offload_detach(struct offload *o UNUSED, uint ifindex UNUSED)
{
}

struct offload_ring *
offload_ring_new(pool *p UNUSED, struct offload *o UNUSED, uint number UNUSED)
{
  return NULL;
}

int
offload_ring_fd(const struct offload_ring *r UNUSED)
{
  return -EOPNOTSUPP;
}

void
offload_ring_wake(struct offload_ring *r UNUSED, bool wake UNUSED)
{
}

uint
offload_ring_read(struct offload_ring *r UNUSED, uint max UNUSED,
                  void (*hook)(const struct offload_packet *p, void *data) UNUSED, void *data UNUSED,
                  bool *empty)
{
  *empty = true;
  return 0;
}

struct offload_slot *
offload_slot_new(struct offload_ring *r UNUSED, const struct offload_key *key UNUSED)
{
  return NULL;
}

void
offload_slot_free(struct offload_slot *s UNUSED)
{
}

void
offload_slot_arm(struct offload_slot *s UNUSED, enum offload_mode mode UNUSED,
                 const byte payload[OFFLOAD_PAYLOAD] UNUSED, const struct bfd_arrivals *arrivals UNUSED,
                 btime last_rx UNUSED)
{
}

void
offload_slot_disarm(struct offload_slot *s UNUSED)
{
}

btime
offload_slot_heard(const struct offload_slot *s UNUSED)
{
  return 0;
}

void
offload_slot_arrivals(const struct offload_slot *s UNUSED, struct bfd_arrivals *arrivals UNUSED,
                      u64 *absorbed UNUSED)
{
}
