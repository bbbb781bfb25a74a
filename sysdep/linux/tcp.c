/* sysdep/linux/tcp.c: TCP part of socket.h */
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "sysdep/linux/sockaddr.h"
#include "sysdep/socket.h"

#define PATIENCE 30 /* s */

static int
fail(int fd)
{
  int error = errno;

  close(fd);
  return -error;
}

static void
set_option(int fd, int level, int name, int value)
{
  setsockopt(fd, level, name, &value, sizeof(value));
}

int
tcp_listen_open(ip_addr local, u16 port)
{
  bool v6 = !ip_is_v4(local);
  union sockaddr_ip sa;
  socklen_t size = sockaddr_fill(&sa, v6, local, port, 0);
  int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return -errno;
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1); /* connections of an earlier run may still be dying */
  if (v6)
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return bind(fd, &sa.sa, size) < 0 || listen(fd, 128) < 0 ? fail(fd) : fd;
}

int
tcp_accept(int fd, ip_addr *peer)
{
  union sockaddr_ip sa;
  socklen_t size = sizeof(sa);
  int conn = accept4(fd, &sa.sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

  if (conn < 0)
    return -errno;
  *peer = sa.sa.sa_family == AF_INET ? ip_from_bytes((const byte *) &sa.v4.sin_addr, 4)
                                     : ip_from_bytes((const byte *) &sa.v6.sin6_addr, 16);
  set_option(conn, IPPROTO_TCP, TCP_NODELAY, 1);
  /* A client whose machine has died goes, whether there is something to be said to it or not. */
  set_option(conn, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(conn, IPPROTO_TCP, TCP_KEEPIDLE, PATIENCE / 3);
  set_option(conn, IPPROTO_TCP, TCP_KEEPINTVL, PATIENCE / 3);
  set_option(conn, IPPROTO_TCP, TCP_KEEPCNT, 2);
  set_option(conn, IPPROTO_TCP, TCP_USER_TIMEOUT, PATIENCE * 1000);
  return conn;
}
