/* proto/bfd/dampen.c: see dampen.h */
#include "proto/bfd/dampen.h"

#define SCALE 16      /* bits after the point of penalties */
#define GONE_AFTER 16 /* half lives, after which the highest penalty is less than one */

/* 2 to the power of -1/2, -1/4, -1/8 and so on, in units of 1 / 2^32 */
static const u32 root[16] = { 3037000499, 3611622602, 3938502375, 4112874773, 4202935003, 4248701964,
                              4271771996, 4283353945, 4289156690, 4292061009, 4293513906, 4294240539,
                              4294603902, 4294785595, 4294876444, 4294921870 };

struct penalty
{
  u64 value; /* at @at */
  btime at;
  bool suppressed;
};

void
bfd_flaps_add(struct bfd_flaps *f, btime at)
{
  f->at[f->count++ % BFD_FLAPS] = at;
}

static u64
decayed(u64 value, btime age, btime half_life)
{
  btime halves = age / half_life;
  u32 rest = ((age % half_life) << 16) / half_life; /* of one more */

  if (halves >= GONE_AFTER)
    return 0;
  for (uint i = 0; i < ARRAY_SIZE(root); i++)
    if (rest & (0x8000u >> i))
      value = (value * root[i]) >> 32;
  return value >> halves;
}

/* Without a failure until @now. */
static void
penalty_pass(struct penalty *p, const struct bfd_dampening *d, btime now)
{
  u64 reuse = (u64) d->reuse << SCALE;
  btime quiet = now - p->at;

  p->value = decayed(p->value, quiet, d->half_life);
  if (quiet >= d->max_suppress)
  {
    p->value = MIN(p->value, reuse);
    p->suppressed = false;
  }
  if (p->value < reuse)
    p->suppressed = false;
  p->at = now;
}

static void
penalty_add(struct penalty *p, const struct bfd_dampening *d)
{
  p->value += (u64) BFD_FLAP_PENALTY << SCALE;
  if (p->value > (u64) d->suppress << SCALE)
    p->suppressed = true;
}

/* When a suppressed session that does not fail again is released. */
static btime
release_of(const struct penalty *p, const struct bfd_dampening *d)
{
  btime early = 0, late = d->max_suppress;

  while (early < late)
  {
    btime middle = early + (late - early) / 2;

    if (decayed(p->value, middle, d->half_life) < (u64) d->reuse << SCALE)
      late = middle;
    else
      early = middle + 1;
  }
  return p->at + late;
}

struct bfd_dampened
bfd_dampen(const struct bfd_flaps *f, const struct bfd_dampening *d, btime now)
{
  uint count = MIN(f->count, (uint) BFD_FLAPS);
  struct penalty p = { 0 }, last;

  for (uint i = f->count - count; i < f->count; i++)
  {
    penalty_pass(&p, d, f->at[i % BFD_FLAPS]);
    penalty_add(&p, d);
  }
  last = p;
  penalty_pass(&p, d, now);
  return (struct bfd_dampened){
    .penalty = p.value >> SCALE,
    .suppressed = p.suppressed,
    .until = p.suppressed ? release_of(&last, d) : last.at + GONE_AFTER * d->half_life,
  };
}
