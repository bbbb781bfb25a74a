/*
 * proto/bfd/identity.c: what tells a session from others on the wire: its discriminator and its source port
 *
 * Discriminators are made with a secret of this host, so that they survive a restart; where it cannot be had,
 * with one of this run. A session that comes again soon gets the port it had, too.
 */
#include <errno.h>
#include <string.h>

#include "proto/bfd/bfd.h"
#include "sysdep/clock.h"
#include "sysdep/state.h"

#define PORT_SEARCH 1024

static const char *
secret_error(int error)
{
  if (error == -EPERM)
    return "others own it or may read it";
  return error == -EBADMSG ? "it does not hold 32 bytes; remove it, and it is made anew" : strerror(-error);
}

static void
make_secret(byte secret[BFD_DISC_SECRET])
{
  for (uint i = 0; i < BFD_DISC_SECRET; i += sizeof(u64))
  {
    u64 word = random_seed();

    memcpy(secret + i, &word, sizeof(word));
  }
}

/* Without the directory of this build nobody has asked for one. What was read once stays good. */
void
bfd_identity_read(struct bfd_proto *p)
{
  const char *asked = bfd_config_of(p)->p.config->state_dir, *dir = asked ? asked : PATH_STATE;
  byte secret[BFD_DISC_SECRET];
  int error = state_secret(dir, "bfd.secret", secret, sizeof(secret)), before = p->secret_error;

  p->secret_error = error;
  if (!error)
    memcpy(p->secret, secret, sizeof(secret));
  else if (!p->has_secret)
    make_secret(p->secret);
  p->has_secret = true;
  explicit_bzero(secret, sizeof(secret));
  if (error && error != before && (asked || error != -ENOENT))
    log_write(L_WARN, "%s: Discriminators will not survive a restart, for %s/bfd.secret cannot be used: %s",
              p->p.name, dir, secret_error(error));
}

void
bfd_identity_forget(struct bfd_proto *p)
{
  p->has_secret = false;
  p->secret_error = 0;
  explicit_bzero(p->secret, sizeof(p->secret));
}

/* RFC 5880 6.8.1: unique in this system, and not zero. */
static bool
is_taken(const struct bfd_proto *p, u32 disc)
{
  struct proto *other;

  LIST_WALK (other, proto_list(), n)
  {
    const struct bfd_proto *sibling = (const struct bfd_proto *) other;

    if (other->class == &proto_bfd && sibling != p && sibling->provider && bfd_shared_of_disc(sibling, disc))
      return true; /* without a provider it has no sessions, nor a table of them */
  }
  return disc == 0 || bfd_shared_of_disc(p, disc);
}

/* A port that is free among ours if one is found soon; shared once there are more sessions than ports. */
static u16
take_port(struct bfd_proto *p, u32 start)
{
  uint port = start % BFD_SOURCE_PORTS;

  for (uint i = 0; p->port_users[port] && i < PORT_SEARCH; i++)
    port = (port + 1) % BFD_SOURCE_PORTS;
  p->port_users[port]++;
  return BFD_SOURCE_PORT_FIRST + port;
}

void
bfd_identity_take(struct bfd_proto *p, struct bfd_shared *s)
{
  u32 disc, counter = 0;

  do
    disc = bfd_discriminator(p->secret, &s->key, counter++);
  while (is_taken(p, disc));
  s->id = bfd_id(++p->next_id, disc);
  s->source_port = take_port(p, disc);
}

void
bfd_identity_drop(struct bfd_proto *p, const struct bfd_shared *s)
{
  p->port_users[s->source_port - BFD_SOURCE_PORT_FIRST]--;
}
