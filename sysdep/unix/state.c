/* sysdep/unix/state.c: see state.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysdep/state.h"

#define NAME_SIZE 64

static int
close_with(int fd, int error)
{
  close(fd);
  return error;
}

static int
secret_read(int dir, const char *name, byte *secret, size_t size)
{
  int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* it may be a pipe */
  struct stat st;

  if (fd < 0)
    return -errno;
  if (fstat(fd, &st) < 0)
    return close_with(fd, -errno);
  if (st.st_mode & 077 || st.st_uid != geteuid())
    return close_with(fd, -EPERM);
  if (!S_ISREG(st.st_mode) || st.st_size != (off_t) size || read(fd, secret, size) != (ssize_t) size)
    return close_with(fd, -EBADMSG);
  return close_with(fd, 0);
}

/* A complete file under a name of its own. */
static int
secret_write(int dir, const char *temp, size_t size)
{
  byte fresh[size];
  int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  int error = 0;

  if (fd < 0)
    return -errno;
  errno = 0; /* a short write says nothing */
  if (getrandom(fresh, size, 0) != (ssize_t) size || write(fd, fresh, size) != (ssize_t) size ||
      fsync(fd) < 0)
    error = errno ? -errno : -EIO;
  explicit_bzero(fresh, size);
  return close_with(fd, error);
}

/* The first of several daemons that start at once wins; linking fails where the name is taken. */
static int
secret_create(int dir, const char *name, size_t size)
{
  char temp[NAME_SIZE];
  int error;

  snprintf(temp, sizeof(temp), ".%s.%ld", name, (long) getpid());
  unlinkat(dir, temp, 0); /* of a process that died and had our number */
  error = secret_write(dir, temp, size);
  if (!error && linkat(dir, temp, dir, name, 0) < 0 && errno != EEXIST)
    error = errno == EPERM ? -EOPNOTSUPP : -errno; /* no links there */
  unlinkat(dir, temp, 0);
  fsync(dir);
  return error;
}

int
state_secret(const char *path, const char *name, byte *secret, size_t size)
{
  int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error;

  if (dir < 0)
    return -errno;
  error = secret_read(dir, name, secret, size);
  if (error == -ENOENT)
  {
    error = secret_create(dir, name, size);
    if (!error)
      error = secret_read(dir, name, secret, size);
  }
  return close_with(dir, error);
}
