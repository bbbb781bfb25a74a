/*
 * test/fuzz/fuzz_monitor.c: what a monitor sends, from the stream to the command
 *
 * The first byte says where to cut; cut or whole makes no difference.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/pool.h"
#include "proto/monitor/command.h"
#include "proto/monitor/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct digest
{
  u64 hash;
  uint frames;
};

static void
digest_add(struct digest *d, u64 x)
{
  d->hash = (d->hash ^ x) * 0x100000001b3ull;
}

static void
check_error(const struct mon_error *e)
{
  ASSERT(e->code && e->code[0]);
  ASSERT(e->text[0] && memchr(e->text, 0, sizeof(e->text)));
  ASSERT(memchr(e->member, 0, sizeof(e->member)));

  json_t *text = mon_text(e->text), *member = mon_text(e->member);

  ASSERT(text && member); /* what it is refused for can be told */
  json_decref(text);
  json_decref(member);
}

static void
check_ident(const struct mon_ident *id)
{
  struct mon_ident again;

  ASSERT(mon_ident_parse(&again, MON_IDENT_STR(id)));
  ASSERT(mon_ident_equal(id, &again));
}

static void
check_wish(const struct mon_command *c)
{
  const struct bfd_options *o = &c->wish.options;

  ASSERT(c->wishes || (!o->set && !c->wish.key[0] && !c->wish.ifname[0] && ip_is_none(c->wish.local)));
  ASSERT(c->verb == MON_SUBSCRIBE || c->verb == MON_CHANGE || (c->notify && c->verb == MON_UNSUBSCRIBE) ||
         !c->wishes);
  ASSERT(!(o->set & BFD_OPT_MIN_RX) || o->min_rx >= 1000);
  ASSERT(!(o->set & BFD_OPT_MIN_TX) || o->min_tx >= 1000);
  ASSERT(!(o->set & BFD_OPT_IDLE_TX) || o->idle_tx >= 1000);
  ASSERT(!(o->set & BFD_OPT_MULTIPLIER) || o->multiplier);
  ASSERT(!(o->set & BFD_OPT_MIN_TTL) || o->guard.min_ttl);
  ASSERT(memchr(c->wish.key, 0, sizeof(c->wish.key)) && memchr(c->wish.ifname, 0, sizeof(c->wish.ifname)));
  ASSERT(!c->wish.multihop || (!ip_is_none(c->wish.local) && !c->wish.ifname[0]));
}

static void
check_command(const struct mon_command *c)
{
  bool has_session = c->verb != MON_HELLO && c->verb != MON_LIST && c->verb != MON_EVENTS;

  ASSERT(c->verb < MON_VERB__MAX);
  ASSERT(!json_is_object(c->tag) && !json_is_array(c->tag));
  ASSERT(has_session || c->all);
  if (!c->all)
    check_ident(&c->ident);
  check_wish(c);
}

/* The object is a heap block of its own. */
static void
run_object(struct digest *d, const char *data, size_t size)
{
  struct mon_command command;
  struct mon_error error;
  char *copy = memcpy(malloc(size), data, size);
  bool ok = mon_command_parse(&command, copy, size, &error);

  for (size_t i = 0; i < size; i++)
    digest_add(d, (byte) data[i]);
  free(copy);
  if (ok)
    check_command(&command);
  else
    check_error(&error);
  digest_add(d, ok ? command.verb : 256);
  mon_command_free(&command);
  ASSERT(!command.tag);
}

/* What is not yet done with, in a heap block of exactly its size. */
struct input
{
  struct mon_framer framer;
  char *data;
  size_t len;
};

static bool
run_next(struct input *in, struct digest *d)
{
  size_t begin, end;
  enum mon_frame frame = mon_frame_next(&in->framer, in->data, in->len, &begin, &end);
  size_t used = frame == MON_FRAME_NONE ? begin : end, left = in->len - used;

  ASSERT(begin <= end && end <= in->len);
  if (frame == MON_FRAME_OBJECT)
    run_object(d, in->data + begin, end - begin);
  if (frame != MON_FRAME_NONE)
  {
    digest_add(d, frame);
    d->frames++;
  }
  if (used)
  {
    char *rest = memcpy(malloc(left ? left : 1), in->data + used, left);

    free(in->data);
    in->data = rest;
    in->len = left;
  }
  return frame != MON_FRAME_NONE;
}

/* @seed 0: whole */
static struct digest
feed(const uint8_t *data, size_t size, uint seed)
{
  struct input in = { .data = malloc(1) };
  struct digest d = { 0 };

  for (uint i = 1; size; i++)
  {
    size_t n = seed ? MIN(1 + (size_t) seed * i % 61, size) : size;
    char *joined = malloc(in.len + n);

    memcpy(joined, in.data, in.len);
    memcpy(joined + in.len, data, n);
    free(in.data);
    in.data = joined;
    in.len += n;
    data += n;
    size -= n;
    while (run_next(&in, &d))
      ASSERT(d.frames <= 1 << 20);
  }
  free(in.data);
  return d;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1 || size > MON_FRAME_MAX)
    return 0;

  struct digest cut = feed(data + 1, size - 1, 1 + data[0]), whole = feed(data + 1, size - 1, 0);

  ASSERT(cut.hash == whole.hash && cut.frames == whole.frames);
  return 0;
}
