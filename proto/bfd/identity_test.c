/* proto/bfd/identity_test.c: discriminators and source ports are those of one session */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/bfd/provider_fixture.h"

static void
a_session_that_comes_again_has_its_discriminator_and_its_port(void **ctx)
{
  struct fixture *f = *ctx;
  struct client *c;
  u64 id;
  u16 port;

  eth0_up();
  c = ask(f, "10.0.0.7", NULL, NULL);
  told(f, "A1");
  id = f->last.id;
  port = f->last.source_port;
  assert_in_range(port, 49152, 65535);
  rfree(c->r);
  ask(f, "10.0.0.7", NULL, NULL);
  told(f, "R1 A2");
  assert_int_equal(bfd_id_disc(f->last.id), bfd_id_disc(id));
  assert_int_equal(f->last.source_port, port);
}

static void
no_two_sessions_have_a_port_in_common_while_there_are_enough(void **ctx)
{
  struct fixture *f = *ctx;
  bool seen[65536] = { false };
  char remote[32];

  eth0_up();
  for (uint i = 0; i < 2000; i++)
  {
    snprintf(remote, sizeof(remote), "10.%u.%u.7", 1 + i / 256, i % 256);
    ask_multihop(f, remote, "10.0.0.1");
    settle(f);
    f->told[0] = 0;
    assert_false(seen[f->last.source_port]);
    seen[f->last.source_port] = true;
  }
}

static void
a_port_is_given_back(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_shared s = { .key = { .hop = BFD_DIRECT, .ifname = "eth0" } };
  uint users = 0;

  bfd_identity_take(&f->p, &s);
  assert_int_equal(f->p.port_users[s.source_port - BFD_SOURCE_PORT_FIRST], 1);
  bfd_identity_drop(&f->p, &s);
  for (uint i = 0; i < BFD_SOURCE_PORTS; i++)
    users += f->p.port_users[i];
  assert_int_equal(users, 0);
}

static void
a_discriminator_that_is_taken_is_stepped_over(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_shared s;

  eth0_up();
  ask(f, "10.0.0.7", NULL, NULL);
  told(f, "A1");
  s = (struct bfd_shared){ .key = f->last.key };
  bfd_identity_take(&f->p, &s);
  assert_int_not_equal(bfd_id_disc(s.id), bfd_id_disc(f->last.id));
  assert_int_not_equal(s.source_port, f->last.source_port);
}

/* It stays in start, as one does for which there was no thread. */
static void
an_instance_that_could_not_start_takes_nothing(void **ctx)
{
  struct fixture *f = *ctx;
  struct bfd_proto *sibling = mb_alloc(f->pool, sizeof(*sibling));
  struct bfd_shared s = { .key = { .hop = BFD_DIRECT, .ifname = "eth0" } };

  sibling->p.class = &proto_bfd;
  sibling->p.state = PROTO_START;
  list_add_tail((struct list *) proto_list(), &sibling->p.n);
  bfd_identity_take(&f->p, &s);
  assert_int_not_equal(bfd_id_disc(s.id), 0);
  list_remove(&sibling->p.n);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_session_that_comes_again_has_its_discriminator_and_its_port),
    TEST(no_two_sessions_have_a_port_in_common_while_there_are_enough),
    TEST(a_port_is_given_back),
    TEST(a_discriminator_that_is_taken_is_stepped_over),
    TEST(an_instance_that_could_not_start_takes_nothing),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
