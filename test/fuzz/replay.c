/*
 * test/fuzz/replay.c: run the files given through the target it is linked with
 *
 * Each file is copied to a heap block of exactly its size, so that reading past its end is caught.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
  static uint8_t buf[1 << 20];
  FILE *f = fopen(path, "rb");
  size_t size = f ? fread(buf, 1, sizeof(buf), f) : 0;

  if (!f || ferror(f))
  {
    perror(path);
    return 1;
  }
  fclose(f);

  uint8_t *copy = malloc(size ? size : 1);

  for (size_t i = 0; i < size; i++)
    copy[i] = buf[i];
  fprintf(stderr, "%s: %zu bytes\n", path, size);
  LLVMFuzzerTestOneInput(size ? copy : copy + 1, size);
  free(copy);
  return 0;
}

int
main(int argc, char **argv)
{
  int failed = argc < 2;

  for (int i = 1; i < argc; i++)
    failed |= replay(argv[i]);
  return failed;
}
