/* proto/device/device.h: configuration of the device protocol */
#ifndef PEREGRINE_DEVICE_H
#define PEREGRINE_DEVICE_H

#include "nest/nest.h"

#define DEVICE_SCAN_TIME 60 /* seconds */

struct device_config
{
  struct proto_config p;
  u32 scan_time; /* seconds */
  struct iface_preference *preferences;
};

extern const struct proto_class proto_device;

#endif
