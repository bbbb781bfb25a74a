/*
 * nest/routerid.h: the router id of this host. Main loop only.
 *
 * It is what the configuration says, or an address of an interface. Once chosen an address stays the router
 * id until the next configuration, and beyond if that admits it too: protocols have told it to others.
 */
#ifndef PEREGRINE_NEST_ROUTERID_H
#define PEREGRINE_NEST_ROUTERID_H

#include "conf/conf.h"

/* Follow @cfg, which has to stay until the next call. */
void router_id_configure(const struct config *cfg);

/* The router id; 0 as long as there is no address to take it from. */
u32 router_id(void);

#endif
