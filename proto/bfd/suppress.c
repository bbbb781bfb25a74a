/*
 * proto/bfd/suppress.c: clients that do not follow a session that flaps
 *
 * The session goes on with its peer; those of its requests that ask for dampening are not told when it comes
 * Up, while dampen.h says so. Only Up is delayed: Down is told at once, and who knows that the session is Up
 * is left with that. Each request has its own parameters, or those of the interface, so they need not agree.
 */
#include "lib/text.h"
#include "proto/bfd/bfd.h"

#define RELEASE_SLICE 256
#define RELEASE_GRAIN BT_MS(100) /* releases are put off so that those of many sessions come together */

struct bfd_flapping
{
  struct node n;
  struct bfd_shared *session;
  struct bfd_flaps flaps;
  btime next;      /* when the session is to be looked at */
  bool suppressed; /* for one of its requests, as the log knows it */
};

static const struct bfd_dampening *
dampening_of(const struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_request *r)
{
  const struct bfd_options *base = bfd_base_options(bfd_config_of(p), s);

  return r->options.set & BFD_OPT_DAMPENING ? &r->options.dampening : &base->dampening;
}

/* Of one request. */
static struct bfd_dampened
state_of(const struct bfd_proto *p, const struct bfd_shared *s, const struct bfd_request *r)
{
  const struct bfd_dampening *d = dampening_of(p, s, r);

  if (!s->flapping || !d->on)
    return (struct bfd_dampened){ 0 };
  return bfd_dampen(&s->flapping->flaps, d, loop_now(p->p.loop));
}

static bool
is_stricter(const struct bfd_dampened *a, const struct bfd_dampened *b)
{
  return a->suppressed == b->suppressed ? a->penalty > b->penalty : a->suppressed;
}

struct bfd_dampened
bfd_suppress_state(const struct bfd_proto *p, const struct bfd_shared *s)
{
  struct bfd_dampened worst = { 0 };
  struct bfd_request *r;

  LIST_WALK (r, &s->requests, sn)
  {
    struct bfd_dampened st = state_of(p, s, r);

    if (is_stricter(&st, &worst))
      worst = st;
  }
  return worst;
}

void
bfd_suppress_forget(struct bfd_shared *s)
{
  if (!s->flapping)
    return;
  list_remove(&s->flapping->n);
  mb_free(s->flapping);
  s->flapping = NULL;
}

/* The log */

static void
log_change(struct bfd_proto *p, struct bfd_shared *s, const struct bfd_dampened *worst)
{
  const char *where = s->key.hop == BFD_DIRECT ? s->key.ifname : "multihop";

  if (s->flapping->suppressed == worst->suppressed)
    return;
  s->flapping->suppressed = worst->suppressed;
  if (worst->suppressed)
    log_rl(&p->flap_limit, L_INFO,
           "%s: Session to %s (%s) is suppressed, penalty %u: not Up for %s s at least", p->p.name,
           IP_STR(s->key.remote), where, worst->penalty, TIME_STR(worst->until - loop_now(p->p.loop)));
  else
    log_rl(&p->flap_limit, L_INFO, "%s: Session to %s (%s) is no longer suppressed", p->p.name,
           IP_STR(s->key.remote), where);
}

/* Release */

/* At @next or somewhat later. */
static void
look_again(struct bfd_proto *p, btime next)
{
  btime at = (next / RELEASE_GRAIN + 1) * RELEASE_GRAIN;

  if (!timer_is_set(p->release_timer) || at < p->release_timer->e.deadline)
    timer_set(p->release_timer, at);
}

/* Tell those that may hear of Up now; when the next may, or has nothing left of its penalty. */
static btime
release_some(struct bfd_proto *p, struct bfd_shared *s)
{
  struct bfd_request *r;
  btime next = BT_NEVER;

  LIST_WALK (r, &s->requests, sn)
  {
    struct bfd_dampened st = state_of(p, s, r);

    if (st.penalty)
      next = MIN(next, st.until);
    if (s->status.state == BFD_UP && r->status.state != BFD_UP && !st.suppressed)
      bfd_request_update(r, &s->status, false);
  }
  return next;
}

void
bfd_suppress_settle(struct bfd_proto *p, struct bfd_shared *s)
{
  struct bfd_dampened worst = bfd_suppress_state(p, s);

  if (!s->flapping)
    return;
  log_change(p, s, &worst);
  s->flapping->next = release_some(p, s);
  if (worst.penalty)
    look_again(p, s->flapping->next);
  else
    bfd_suppress_forget(s);
}

static bool
release_slice(struct work *w UNUSED, void *data)
{
  struct bfd_proto *p = data;

  for (int i = 0; i < RELEASE_SLICE && !list_empty(&p->flapping_due); i++)
  {
    struct bfd_flapping *f = SKIP_BACK(struct bfd_flapping, n, list_first(&p->flapping_due));

    list_remove(&f->n);
    list_add_tail(&p->flapping, &f->n);
    if (f->next > loop_now(p->p.loop))
      look_again(p, f->next);
    else
      bfd_suppress_settle(p, f->session);
  }
  return !list_empty(&p->flapping_due);
}

static void
release_due(struct timer *t UNUSED, void *data)
{
  struct bfd_proto *p = data;

  list_splice(&p->flapping_due, &p->flapping);
  work_schedule(p->release_work);
}

void
bfd_suppress_reset(struct bfd_proto *p, struct bfd_shared *s)
{
  if (s->flapping)
    s->flapping->flaps.count = 0;
  bfd_suppress_settle(p, s);
}

/* What happens to a session */

static bool
is_dampened(const struct bfd_proto *p, const struct bfd_shared *s)
{
  struct bfd_request *r;

  LIST_WALK (r, &s->requests, sn)
    if (dampening_of(p, s, r)->on)
      return true;
  return false;
}

void
bfd_suppress_failure(struct bfd_proto *p, struct bfd_shared *s)
{
  if (!is_dampened(p, s))
    return;
  if (!s->flapping)
  {
    s->flapping = mb_alloc(p->p.pool, sizeof(*s->flapping));
    s->flapping->session = s;
    list_add_tail(&p->flapping, &s->flapping->n);
  }
  bfd_flaps_add(&s->flapping->flaps, loop_now(p->p.loop));
  bfd_suppress_settle(p, s);
}

void
bfd_suppress_tell(struct bfd_proto *p, struct bfd_shared *s, struct bfd_request *r, bool left_up)
{
  struct bfd_status st = s->status;
  bool came_up = st.state == BFD_UP && (left_up || r->status.state != BFD_UP);

  if (came_up && state_of(p, s, r).suppressed)
    st.state = BFD_DOWN;
  bfd_request_update(r, &st, left_up);
}

void
bfd_suppress_start(struct bfd_proto *p)
{
  list_init(&p->flapping);
  list_init(&p->flapping_due);
  p->release_timer = timer_new(p->p.pool, p->p.loop, release_due, p);
  p->release_work = work_new(p->p.pool, p->p.loop, LOOP_FIRST, release_slice, p);
}
