/* proto/bfd/disc.h: local discriminators that are the same after a restart. Pure. */
#ifndef PEREGRINE_BFD_DISC_H
#define PEREGRINE_BFD_DISC_H

#include "lib/bfd.h"

#define BFD_DISC_SECRET 32

/*
 * The discriminator for a session under a secret of this host, so that a peer that still holds it finds the
 * session again, and nobody else can foretell it. @counter, from 0, yields another one where this one is
 * taken or zero (RFC 5880 6.8.1: unique and nonzero).
 */
u32 bfd_discriminator(const byte secret[BFD_DISC_SECRET], const struct bfd_key *key, u32 counter);

#endif
