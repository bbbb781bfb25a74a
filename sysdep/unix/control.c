/* sysdep/unix/control.c: control-socket part of socket.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sysdep/socket.h"

static bool
control_address(struct sockaddr_un *sa, const char *path)
{
  *sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
  return snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path) < (int) sizeof(sa->sun_path);
}

static int
connect_with(const char *path, int flags)
{
  struct sockaddr_un sa;

  if (!control_address(&sa, path))
    return -ENAMETOOLONG;

  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

  if (fd < 0)
    return -errno;
  if (connect(fd, (struct sockaddr *) &sa, sizeof(sa)) < 0)
  {
    int error = errno;

    close(fd);
    return -error;
  }
  return fd;
}

int
control_connect(const char *path)
{
  return connect_with(path, 0);
}

/* Remove a socket nobody listens on any more. Anything else at @path is left alone. */
static int
control_clear(const char *path)
{
  struct stat st;
  int fd = connect_with(path, SOCK_NONBLOCK);

  if (fd >= 0)
    close(fd);
  if (fd >= 0 || fd == -EAGAIN) /* EAGAIN: alive, but too busy to take us */
    return -EADDRINUSE;
  if (fd == -ENOENT)
    return 0;
  if (fd != -ECONNREFUSED)
    return fd;
  if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
    return -EEXIST;
  return unlink(path) < 0 ? -errno : 0;
}

int
control_listen_open(const char *path, uint mode)
{
  struct sockaddr_un sa;
  int error = control_clear(path);

  if (error)
    return error;
  if (!control_address(&sa, path))
    return -ENAMETOOLONG;

  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return -errno;

  mode_t mask = umask(0777 & ~mode);
  bool bound = bind(fd, (struct sockaddr *) &sa, sizeof(sa)) == 0;

  umask(mask);
  if (!bound || listen(fd, 128) < 0)
  {
    error = errno == EADDRINUSE ? EEXIST : errno; /* a dangling link, say: no daemon is there */
    close(fd);
    return -error;
  }
  return fd;
}

int
control_accept(int fd)
{
  int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

  return conn < 0 ? -errno : conn;
}
