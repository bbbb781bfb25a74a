/*
 * test/fuzz/fuzz_config.c: any file parses to a configuration, or yields an error that says where
 *
 * The file stands alone in a directory of its own, so that it can include only itself and the directory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz-config-XXXXXX", path[sizeof(dir) + sizeof("/bird.conf")];

static void
clean_up(void)
{
  unlink(path);
  rmdir(dir);
}

static void
set_up(void)
{
  ASSERT(mkdtemp(dir));
  snprintf(path, sizeof(path), "%s/bird.conf", dir);
  atexit(clean_up);
}

/* What the machine has elsewhere is not ours to read, and some of it never ends. */
static bool
leaves_directory(const uint8_t *data, size_t size)
{
  return memmem(data, size, "include", 7) && (memmem(data, size, "\"/", 2) || memmem(data, size, "..", 2));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct conf_error error = { "", "" };

  if (leaves_directory(data, size))
    return 0;
  if (!path[0])
    set_up();

  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t) size);
  close(fd);

  struct config *cfg = config_parse(path, false, &error);

  ASSERT(memchr(error.text, 0, sizeof(error.text)) && memchr(error.hint, 0, sizeof(error.hint)));
  ASSERT(cfg || strncmp(error.text, dir, strlen(dir)) == 0); /* it names the place */
  config_free(cfg);
  return 0;
}
