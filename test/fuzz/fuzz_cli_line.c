/*
 * test/fuzz/fuzz_cli_line.c: the grammar of command lines
 *
 * Commands act on a running daemon, of which there is none here. They do so only when their end has been
 * read; so a character that no command has is appended, and every line fails, some of them at the very end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"
#include "nest/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *
some_config(void)
{
  static const char text[] = "define NUM = 5; protocol device { } protocol bfd bfd1 { }";
  struct conf_error error;
  char path[32];
  int fd = memfd_create("bird.conf", MFD_CLOEXEC);

  ASSERT(fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

  struct config *cfg = config_parse(path, false, &error);

  ASSERT(cfg);
  close(fd);
  return cfg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct config *cfg;
  struct conf_error error = { "", "" };
  size_t len = strnlen((const char *) data, size); /* a line is a string */
  char *line = malloc(len + 3);

  if (!cfg)
  {
    pool *p = pool_new(NULL, "fuzz");

    protos_init(p, loop_new(p, "fuzz")); /* the grammar looks up protocols; none runs */
    cfg = some_config();
  }
  memcpy(line, data, len);
  memcpy(line + len, "\n\x01", 3); /* a newline, lest it be part of a comment */
  ASSERT(!config_command(cfg, NULL, line, &error));
  ASSERT(error.text[0] && memchr(error.text, 0, sizeof(error.text)));
  free(line);
  return 0;
}
