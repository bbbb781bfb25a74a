/*
 * proto/monitor/ident.h: session ids, as monitors write and read them. Pure.
 *
 *   192.0.2.1                 any session to that address
 *   192.0.2.1%eth0            the direct one on that interface
 *   192.0.2.1@198.51.100.7    the multihop one from that address,
 *   192.0.2.1@198.51.100.7%v  or that in the VRF v
 *   3735928559                the one of that local discriminator
 */
#ifndef PEREGRINE_MONITOR_IDENT_H
#define PEREGRINE_MONITOR_IDENT_H

#include "lib/bfd.h"

struct mon_ident
{
  enum
  {
    MON_ANY,
    MON_DIRECT,
    MON_MULTIHOP,
    MON_DISCRIMINATOR
  } kind;
  u32 disc;
  ip_addr remote, local;      /* local: MULTIHOP */
  char name[BFD_IFNAME_SIZE]; /* DIRECT: the interface; MULTIHOP: the VRF, or empty */
};

/* False, and nothing stored, where @text is no id. */
bool mon_ident_parse(struct mon_ident *id, const char *text);

/* DISCRIMINATOR matches nothing: who knows the sessions has to look it up first. */
bool mon_ident_matches(const struct mon_ident *id, const struct bfd_key *key);
bool mon_ident_equal(const struct mon_ident *a, const struct mon_ident *b);

/* Exactly the session of @key. */
struct mon_ident mon_ident_of(const struct bfd_key *key);

#define MON_IDENT_SIZE (2 * IP_TEXT_SIZE + BFD_IFNAME_SIZE)
char *mon_ident_format(const struct mon_ident *id, char *buf);
#define MON_IDENT_STR(id) mon_ident_format((id), (char[MON_IDENT_SIZE]){ 0 })

#endif
