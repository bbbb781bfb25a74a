/*
 * nest/route_fixture.h: for the tests of tables and of what stands on them only
 *
 * The roots of the main loop, configurations made by hand, and a loop that runs until nothing is left to do,
 * or for a few turns only. Include it after cmocka.h.
 */
#ifndef PEREGRINE_NEST_ROUTE_FIXTURE_H
#define PEREGRINE_NEST_ROUTE_FIXTURE_H

#include "nest/bfd.h"
#include "nest/channel.h"
#include "nest/neighbor.h"
#include "nest/nest.h"

#define FIXTURE_CONFIGS 8

struct fixture
{
  pool *pool;
  struct loop *loop;
  struct work *idle;
  jmp_buf back;
  uint turns;                           /* 0: until nothing is left to do */
  u64 slices;                           /* that the loop had run when the idle work was called last */
  struct cf_ctx cx;                     /* of the configuration being made */
  struct config *made[FIXTURE_CONFIGS]; /* and not freed yet */
  uint made_count;
};

/* --- The loop --- */

static inline u64
slices_run(const struct fixture *f)
{
  const struct loop_slices *s = loop_slices(f->loop);
  u64 sum = 0;

  for (uint i = 0; i < LOOP_SLICE_BUCKETS; i++)
    sum += s->bucket[i];
  return sum;
}

/* Of lowest priority, in turn with the others: alone when nothing was run since its last call but itself. */
static inline bool
fixture_idle(struct work *w UNUSED, void *data)
{
  struct fixture *f = data;
  u64 before = f->slices;

  f->slices = slices_run(f);
  if (f->turns ? !--f->turns : f->slices == before + 1)
    longjmp(f->back, 1);
  return true;
}

/* Let everything else have about @turns slices. */
static inline void
run_turns(struct fixture *f, uint turns)
{
  f->turns = turns;
  f->slices = UINT64_MAX - 1; /* its first call finds others */
  work_schedule(f->idle);
  if (!setjmp(f->back))
    loop_run(f->loop);
}

static inline void
settle(struct fixture *f)
{
  run_turns(f, 0);
}

/* --- Configurations --- */

static inline struct config *
fixture_config_begin(struct fixture *f)
{
  pool *p = pool_new(NULL, "Configuration");
  struct config *cfg = mb_alloc(p, sizeof(*cfg));

  cfg->pool = p;
  cfg->lp = lp_new(p);
  hash_init(&cfg->symbols, p);
  list_init(&cfg->protos);
  list_init(&cfg->tables);
  f->cx = (struct cf_ctx){ .cfg = cfg, .lp = cfg->lp, .file = "test" };
  assert_true(f->made_count < FIXTURE_CONFIGS);
  f->made[f->made_count++] = cfg;
  return cfg;
}

static inline struct table_config *
fixture_table(struct fixture *f, enum net_type type, const char *name)
{
  struct table_config *t = lp_alloc(f->cx.cfg->lp, sizeof(*t));

  t->name = name;
  t->type = type;
  list_add_tail(&f->cx.cfg->tables, &t->n);
  return t;
}

static inline struct proto_config *
fixture_proto_begin(struct fixture *f, const struct proto_class *class, const char *name, const char *from)
{
  static const struct cf_loc nowhere = { "test", 1, 1 };
  struct proto_config *cf = proto_config_begin(
      &f->cx, class, &(struct proto_head){ .name = name, .from = from, .name_loc = nowhere });

  f->cx.proto = cf;
  return cf;
}

static inline void
fixture_proto_end(struct fixture *f, struct proto_config *cf)
{
  proto_config_end(&f->cx, &(struct cf_loc){ "test", 1, 1 }, cf);
  assert_false(f->cx.failed);
}

/* An instance with one channel to @t. */
static inline struct channel_config *
fixture_channel(struct fixture *f, const struct proto_class *class, const char *name, struct table_config *t)
{
  struct proto_config *cf = fixture_proto_begin(f, class, name, NULL);
  struct channel_config *cc = channel_config_get(&f->cx, &(struct cf_loc){ "test", 1, 1 }, cf, t->type);

  cc->table = t;
  fixture_proto_end(f, cf);
  return cc;
}

static inline void
fixture_progress(bool complete UNUSED)
{
}

/* Put the configuration made into force; the loop has to run to the end of it. */
static inline void
fixture_apply(struct fixture *f, bool soft)
{
  rt_apply(f->cx.cfg);
  protos_apply(f->cx.cfg, soft, fixture_progress);
}

/* Run to the end of it; nothing needs those before any more. */
static inline void
fixture_applied(struct fixture *f)
{
  settle(f);
  for (uint i = 0; i + 1 < f->made_count; i++)
    config_free(f->made[i]);
  f->made[0] = f->cx.cfg;
  f->made_count = 1;
}

/* --- Beginning and end --- */

static inline void
fixture_init(struct fixture *f)
{
  f->pool = pool_new(NULL, "Test");
  f->loop = loop_new(f->pool, "test");
  f->idle = work_new(f->pool, f->loop, LOOP_REST, fixture_idle, f);
  iface_init(f->pool, f->loop);
  neighbor_init(f->pool, f->loop);
  bfd_init(f->pool, f->loop);
  rt_init(f->pool, f->loop);
  protos_init(f->pool, f->loop);
  srandom(1);
}

/* Everything goes down, and nothing is left that anybody has a reference to. */
static inline void
fixture_end(struct fixture *f)
{
  protos_shutdown(fixture_progress);
  settle(f);
  assert_int_equal(attrs_size().sets, 0);
  assert_int_equal(attrs_size().bytes, 0);
  rfree(f->pool);
  while (f->made_count)
    config_free(f->made[--f->made_count]);
}

/* --- Small things --- */

static inline ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  assert_true(ip_parse(text, &a));
  return a;
}

static inline struct net_addr
net4(u32 addr, uint len)
{
  return (struct net_addr){ .type = NET_IP4, .prefix = { ip_v4(addr), len } };
}

static inline void
link_set_up(uint index, const char *name, const char *addr, uint len)
{
  struct nl_link l = { .index = index, .name = "", .mtu = 1500, .up = true, .carrier = true };
  struct nl_addr a = { .ifindex = index, .prefix = { ip(addr), len } };

  strcpy(l.name, name);
  iface_nl_hooks.link(NULL, &l, false);
  iface_nl_hooks.addr(NULL, &a, false);
}

#endif
