/* lib/bfd.c: names of what RFC 5880 section 4.1 numbers */
#include <string.h>

#include "lib/bfd.h"

const char *
bfd_state_name(uint state)
{
  static const char *const names[] = { "AdminDown", "Down", "Init", "Up" };

  return state < ARRAY_SIZE(names) ? names[state] : "Unknown";
}

const char *
bfd_diag_name(uint diag)
{
  static const char *const names[BFD_DIAG__MAX] = {
    [BFD_DIAG_NONE] = "None",
    [BFD_DIAG_TIMEOUT] = "Time expired",
    [BFD_DIAG_ECHO_FAILED] = "Echo failed",
    [BFD_DIAG_NEIGHBOR_DOWN] = "Neighbor signaled down",
    [BFD_DIAG_FORWARDING_RESET] = "Forwarding plane reset",
    [BFD_DIAG_PATH_DOWN] = "Path down",
    [BFD_DIAG_CONCAT_DOWN] = "Concatenated path down",
    [BFD_DIAG_ADMIN_DOWN] = "Administratively down",
    [BFD_DIAG_REVERSE_CONCAT_DOWN] = "Reverse concatenated path down",
  };

  return diag < ARRAY_SIZE(names) ? names[diag] : "Unknown";
}

bool
bfd_key_equal(const struct bfd_key *a, const struct bfd_key *b)
{
  return a->hop == b->hop && a->vrf == b->vrf && ip_equal(a->remote, b->remote) &&
         (a->hop == BFD_DIRECT ? strcmp(a->ifname, b->ifname) == 0 : ip_equal(a->local, b->local));
}
