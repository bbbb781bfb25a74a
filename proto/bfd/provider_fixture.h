/*
 * proto/bfd/provider_fixture.h: for the tests of the main-loop side only
 *
 * An instance without thread and engine: its commands go into a mailbox of the same loop, which writes them
 * down. The loop runs until nothing is left to do; a hook of lowest priority then jumps out of it. Include it
 * after cmocka.h.
 */
#ifndef PEREGRINE_BFD_PROVIDER_FIXTURE_H
#define PEREGRINE_BFD_PROVIDER_FIXTURE_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nest/table.h"
#include "proto/bfd/auth_ring.h"
#include "proto/bfd/bfd.h"

#define SOCKETS 8

struct fixture
{
  pool *pool;
  struct loop *loop;
  struct work *idle;
  jmp_buf back;
  struct bfd_config cf;
  struct bfd_proto p;
  struct bfd_team team;
  struct bfd_member engine;
  char told[512];    /* "A1 C1 R1": ADD, CHANGE, REMOVE; L and U for sockets */
  struct ring keys;  /* the keys of the last ADD or CHANGE, the rest of which is below */
  uint removed_keys; /* how many secrets the last REMOVE carried */
  struct bfd_listen_cmd sockets[SOCKETS];
  uint socket_count;
  struct bfd_listener listeners[BFD_KINDS]; /* open, as far as the provider can see */
  struct bfd_cmd last;                      /* last, for it is open at its end */
};

static inline bool
idle_hook(struct work *w UNUSED, void *data)
{
  longjmp(((struct fixture *) data)->back, 1);
}

static inline void
settle(struct fixture *f)
{
  work_schedule(f->idle);
  if (!setjmp(f->back))
    loop_run(f->loop);
}

/* --- In place of the engine --- */

static inline void
write_down(struct fixture *f, char what, u64 id)
{
  size_t len = strlen(f->told);

  snprintf(f->told + len, sizeof(f->told) - len, "%s%c%llu", len ? " " : "", what, (unsigned long long) id);
}

static inline void
close_socket(struct fixture *f, u64 id)
{
  for (uint i = 0; i < f->socket_count; i++)
    if (f->sockets[i].id == id && f->sockets[i].fd >= 0)
    {
      close(f->sockets[i].fd);
      f->sockets[i].fd = -1;
    }
}

static inline u64
id_of(const struct bfd_msg *msg)
{
  if (msg->kind <= BFD_REMOVE)
    return ((const struct bfd_cmd *) msg)->id >> 32;
  return msg->kind == BFD_RESET ? ((const struct bfd_session_cmd *) msg)->id >> 32
                                : ((const struct bfd_listen_cmd *) msg)->id;
}

static inline void
take_command(struct fixture *f, const struct bfd_cmd *cmd)
{
  f->last = *cmd;
  assert_true(cmd->keys.count <= RING_MAX);
  f->keys = (struct ring){ 0 };
  memcpy(ring_keys(&f->keys), &cmd->keys, bfd_keys_size(cmd->keys.count));
}

static inline void
command_hook(struct msg *m, void *data)
{
  static const char letters[] = { [BFD_ADD] = 'A',    [BFD_CHANGE] = 'C',   [BFD_REMOVE] = 'R',
                                  [BFD_LISTEN] = 'L', [BFD_UNLISTEN] = 'U', [BFD_RESET] = 'Z' };
  struct fixture *f = data;
  struct bfd_msg *msg = SKIP_BACK(struct bfd_msg, m, m);

  write_down(f, letters[msg->kind], id_of(msg));
  if (msg->kind == BFD_ADD || msg->kind == BFD_CHANGE)
    take_command(f, (struct bfd_cmd *) msg);
  if (msg->kind == BFD_REMOVE)
    f->removed_keys = ((struct bfd_cmd *) msg)->keys.count;
  if (msg->kind == BFD_LISTEN && f->socket_count < SOCKETS)
    f->sockets[f->socket_count++] = *(struct bfd_listen_cmd *) msg;
  if (msg->kind == BFD_UNLISTEN)
    close_socket(f, ((struct bfd_listen_cmd *) msg)->id);
  msg_free(msg);
}

/* The session that is written down under that number. */
static inline u64
full_id(const struct fixture *f, uint number)
{
  struct bfd_shared *s;

  HASH_WALK (s, &f->p.by_disc, by_disc)
    if (s->id >> 32 == number)
      return s->id;
  return bfd_id(number, 0);
}

/* Everything the engine was told since the last time. */
static inline void
told(struct fixture *f, const char *expected)
{
  settle(f);
  assert_string_equal(f->told, expected);
  f->told[0] = 0;
}

/* As bfd_start() does it; with strict bind without any socket. */
static inline struct fixture *
fixture_new(const struct bfd_config *cf)
{
  struct fixture *f = calloc(1, sizeof(*f));

  f->pool = pool_new(NULL, "Test");
  f->loop = loop_new(f->pool, "test");
  f->idle = work_new(f->pool, f->loop, LOOP_REST, idle_hook, f);
  iface_init(f->pool, f->loop);
  neighbor_init(f->pool, f->loop);
  bfd_init(f->pool, f->loop);
  rt_init(f->pool, f->loop);
  protos_init(f->pool, f->loop);
  f->cf = *cf;
  list_init(&f->cf.ifaces);
  list_init(&f->cf.neighbors);
  f->p.p.name = "bfd1";
  f->p.p.cf = &f->cf.p;
  f->p.p.loop = f->loop;
  f->p.p.pool = pool_new(f->pool, "Instance");
  f->engine.commands = mailbox_new(f->pool, f->loop, command_hook, f);
  f->team = (struct bfd_team){ .member = { &f->engine }, .members = 1, .count = 1 };
  f->p.team = &f->team;
  bfd_listen_start(&f->p);
  bfd_provide_start(&f->p);
  return f;
}

static inline int
setup(void **ctx)
{
  struct fixture *f = *ctx = fixture_new(&(struct bfd_config){ .strict_bind = true });

  f->cf.strict_bind = false;
  for (uint kind = 0; kind < BFD_KINDS; kind++)
  {
    f->listeners[kind] = (struct bfd_listener){ .id = 1000 + kind, .hop = kind / 2, .v6 = kind % 2 };
    list_add_tail(&f->p.listeners, &f->listeners[kind].n);
  }
  return 0;
}

static inline int
teardown(void **ctx)
{
  struct fixture *f = *ctx;

  bfd_provide_stop(&f->p);
  settle(f);
  for (uint i = 0; i < f->socket_count; i++)
    close_socket(f, f->sockets[i].id);
  rfree(f->pool);
  free(f);
  return 0;
}

/* --- What the kernel says --- */

static inline ip_addr
ip(const char *text)
{
  ip_addr a = IP_NONE;

  if (text)
    assert_true(ip_parse(text, &a));
  return a;
}

static inline struct nl_link
link_of(uint index, const char *name)
{
  struct nl_link l = { .index = index, .mtu = 1500, .up = true, .carrier = true };

  snprintf(l.name, sizeof(l.name), "%s", name);
  return l;
}

static inline void
link_up(uint index, const char *name)
{
  struct nl_link l = link_of(index, name);

  iface_nl_hooks.link(NULL, &l, false);
}

static inline void
carrier_lost(uint index, const char *name)
{
  struct nl_link l = link_of(index, name);

  l.carrier = false;
  iface_nl_hooks.link(NULL, &l, false);
}

static inline void
link_deleted(uint index, const char *name)
{
  struct nl_link l = link_of(index, name);

  iface_nl_hooks.link(NULL, &l, true);
}

static inline void
addr(uint index, const char *text, uint len, bool gone)
{
  struct nl_addr a = { .ifindex = index, .prefix = { ip(text), len } };

  iface_nl_hooks.addr(NULL, &a, gone);
}

static inline void
eth0_up(void)
{
  link_up(5, "eth0");
  addr(5, "10.0.0.1", 24, false);
}

/* --- Clients --- */

struct client
{
  struct bfd_request *r;
  uint calls;
  struct bfd_status last;
};

static inline void
client_hook(struct bfd_request *r UNUSED, const struct bfd_status *st, void *data)
{
  struct client *c = data;

  c->calls++;
  c->last = *st;
}

/* Lives as long as the pool: it may be told until then. */
static inline struct client *
ask_peer(struct fixture *f, const struct bfd_peer *peer, const struct bfd_options *options)
{
  struct client *c = mb_alloc(f->pool, sizeof(*c));

  c->r = bfd_request_new(f->pool, peer, options, client_hook, c);
  assert_non_null(c->r);
  return c;
}

static inline struct client *
ask(struct fixture *f, const char *remote, const char *ifname, const struct bfd_options *options)
{
  struct bfd_peer peer = { .remote = ip(remote), .ifname = ifname, .own_liveness = true, .client = "test" };

  return ask_peer(f, &peer, options);
}

static inline struct client *
ask_multihop(struct fixture *f, const char *remote, const char *local)
{
  struct bfd_peer peer = { .hop = BFD_MULTIHOP, .remote = ip(remote), .local = ip(local), .client = "test" };

  return ask_peer(f, &peer, NULL);
}

#define OPTIONS(rx, tx, mult, psv)                                                                        \
  {                                                                                                       \
    .set = BFD_OPT_MIN_RX | BFD_OPT_MIN_TX | BFD_OPT_MULTIPLIER | BFD_OPT_PASSIVE, .min_rx = (rx) *1000u, \
    .min_tx = (tx) *1000u, .multiplier = (mult), .passive = (psv)                                         \
  }

static inline struct bfd_params
default_params(void)
{
  struct bfd_params params = BFD_PARAMS_DEFAULT;

  return params;
}

static inline void
expect_params(const struct fixture *f, const struct bfd_options *deciding, bool passive)
{
  struct bfd_params params = default_params();

  bfd_options_apply(&params, deciding);
  assert_int_equal(f->last.params.min_rx, params.min_rx);
  assert_int_equal(f->last.params.min_tx, params.min_tx);
  assert_int_equal(f->last.params.idle_tx, params.idle_tx);
  assert_int_equal(f->last.params.detect_mult, params.detect_mult);
  assert_int_equal(f->last.params.passive, passive);
  assert_false(f->last.params.admin_down);
}

static inline void
expect_path(const struct fixture *f, uint ifindex, const char *local)
{
  assert_int_equal(f->last.path.usable, local != NULL);
  assert_int_equal(f->last.path.ifindex, ifindex);
  assert_true(ip_equal(f->last.path.local, ip(local)));
}

/* --- Notes --- */

static inline void
note(struct fixture *f, uint number, u8 state, bool left_up)
{
  struct bfd_note n = { .id = full_id(f, number), .left_up = left_up };

  n.status = (struct bfd_status){ .state = state, .remote_state = state, .failed = left_up };
  bfd_note_received(&f->p, &n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
