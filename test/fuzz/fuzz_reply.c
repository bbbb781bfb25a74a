/*
 * test/fuzz/fuzz_reply.c: replies of the control socket, as a client reads them
 *
 * The first byte bounds the length of a line, the second says where to cut; cut or whole makes no difference.
 */
#include <stdlib.h>
#include <string.h>

#include "client/reply.h"
#include "lib/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct digest
{
  u64 hash;
  uint events;
  size_t max_line;
};

static void
digest_add(struct digest *d, u64 x)
{
  d->hash = (d->hash ^ x) * 0x100000001b3ull;
}

static void
digest_event(const struct reply_event *e, void *data)
{
  struct digest *d = data;

  ASSERT(e->kind <= REPLY_BAD && e->len <= d->max_line);
  ASSERT(e->kind == REPLY_LINE ? e->code < 10000 : !e->code && !e->coded && !e->final);
  ASSERT(!e->final || e->coded);
  ASSERT(!e->len || !memchr(e->text, '\n', e->len));
  d->events++;
  digest_add(d, e->kind << 20 | e->code << 4 | e->coded << 2 | e->final << 1 | e->cut);
  for (size_t i = 0; i < e->len; i++)
    digest_add(d, (byte) e->text[i]);
}

/* In pieces of @piece bytes, each a heap block of its own. */
static struct digest
feed(const uint8_t *data, size_t size, size_t max_line, size_t piece)
{
  pool *p = pool_new(NULL, "fuzz");
  struct reply_reader *r = reply_new(p, max_line);
  struct digest d = { .max_line = max_line };

  while (size)
  {
    size_t n = MIN(piece, size);
    char *copy = memcpy(malloc(n), data, n);

    reply_feed(r, copy, n, digest_event, &d);
    free(copy);
    data += n;
    size -= n;
  }
  rfree(p);
  return d;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2)
    return 0;

  size_t max_line = 1 + data[0], piece = 1 + data[1];
  struct digest cut = feed(data + 2, size - 2, max_line, piece),
                whole = feed(data + 2, size - 2, max_line, size);

  ASSERT(cut.hash == whole.hash && cut.events == whole.events);
  return 0;
}
