/* sysdep/linux/sockaddr.h: addresses as the kernel takes them; private to the sockets of this directory */
#ifndef PEREGRINE_SYSDEP_LINUX_SOCKADDR_H
#define PEREGRINE_SYSDEP_LINUX_SOCKADDR_H

#include <netinet/in.h>

#include "lib/ip.h"

union sockaddr_ip
{
  struct sockaddr sa;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

/* @a may be IP_NONE: any address of the family. @ifindex: of a link-local one. Its size. */
socklen_t sockaddr_fill(union sockaddr_ip *sa, bool v6, ip_addr a, u16 port, uint ifindex);

#endif
