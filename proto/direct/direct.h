/* proto/direct/direct.h: networks the host is connected to, as routes. Private to the module; main loop only.
 */
#ifndef PEREGRINE_PROTO_DIRECT_DIRECT_H
#define PEREGRINE_PROTO_DIRECT_DIRECT_H

#include "nest/channel.h"
#include "nest/nest.h"

struct direct_config
{
  struct proto_config c;
  struct iface_pattern *ifaces; /* NULL: all */
  bool check_link;
};

extern const struct proto_class proto_direct;

#endif
