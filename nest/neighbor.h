/*
 * nest/neighbor.h: on which interface a directly connected address is, and which of our addresses faces it.
 * Main loop only.
 *
 * A neighbour is sticky: it exists for as long as its owner wants it and follows the interfaces as they come
 * and go.
 */
#ifndef PEREGRINE_NEST_NEIGHBOR_H
#define PEREGRINE_NEST_NEIGHBOR_H

#include "nest/iface.h"

struct neighbor
{
  struct resource r;
  struct node n;
  ip_addr ip;
  char ifname[16];           /* given by the owner; empty: to be found by the networks of the interfaces */
  ip_addr wanted;            /* our address given by the owner, or IP_NONE */
  const char *vrf;           /* as iface_in_vrf() has it */
  const struct iface *iface; /* where it is; NULL: nowhere now */
  ip_addr local;             /* our address towards it; IP_NONE: none yet */
  const char *waits_for;     /* what is missing; NULL: nothing, it can be reached */
  void (*hook)(struct neighbor *nb, void *data);
  void *data;
};

void neighbor_init(pool *p, struct loop *l);

/*
 * @ifname and @local may be NULL and IP_NONE. The fields say at once what is known; @hook is called later,
 * after every change of iface, local, waits_for, or of the interface itself, and may free the neighbour.
 */
struct neighbor *neighbor_new(pool *p, ip_addr ip, const char *ifname, ip_addr local,
                              void (*hook)(struct neighbor *nb, void *data), void *data);

/* Only interfaces of this VRF count; @vrf, borrowed, is as iface_in_vrf() has it. The fields say at once. */
void neighbor_set_vrf(struct neighbor *nb, const char *vrf);

/* Every neighbour there is, for people who debug. */
void neighbor_each(void (*visit)(const struct neighbor *nb));

#endif
