/* proto/monitor/ident.c: see ident.h */
#include <stdio.h>
#include <string.h>

#include "proto/monitor/ident.h"

static bool
parse_disc(struct mon_ident *id, const char *text)
{
  u64 value = 0;

  for (const char *c = text; *c; c++)
  {
    if (*c < '0' || *c > '9' || value > UINT32_MAX)
      return false;
    value = value * 10 + (*c - '0');
  }
  if (!value || value > UINT32_MAX)
    return false;
  *id = (struct mon_ident){ .kind = MON_DISCRIMINATOR, .disc = value };
  return true;
}

/* What follows '%', if anything does; it is cut off. */
static bool
split_name(char *text, char *name)
{
  char *percent = strchr(text, '%');

  if (!percent)
    return true;
  *percent++ = 0;
  if (!percent[0] || strlen(percent) >= BFD_IFNAME_SIZE || strpbrk(percent, "/: \t\r\n\v\f"))
    return false; /* the kernel has no such names */
  strcpy(name, percent);
  return true;
}

static bool
is_host(ip_addr a)
{
  return !ip_is_none(a) && !ip_equal(a, ip_v4(0)) && !ip_is_multicast(a);
}

bool
mon_ident_parse(struct mon_ident *id, const char *text)
{
  struct mon_ident parsed = { .kind = MON_ANY };
  char copy[MON_IDENT_SIZE];

  if (parse_disc(id, text))
    return true;
  if (snprintf(copy, sizeof(copy), "%s", text) >= (int) sizeof(copy) || !split_name(copy, parsed.name))
    return false;

  char *at = strchr(copy, '@');

  if (at)
    *at++ = 0;
  if (!ip_parse(copy, &parsed.remote) || !is_host(parsed.remote))
    return false;
  if (at && (!ip_parse(at, &parsed.local) || !is_host(parsed.local) ||
             ip_is_v4(parsed.local) != ip_is_v4(parsed.remote)))
    return false;
  if (at)
    parsed.kind = MON_MULTIHOP;
  else if (parsed.name[0])
    parsed.kind = MON_DIRECT;
  *id = parsed;
  return true;
}

bool
mon_ident_matches(const struct mon_ident *id, const struct bfd_key *key)
{
  if (id->kind == MON_DISCRIMINATOR || !ip_equal(id->remote, key->remote))
    return false;
  if (id->kind == MON_DIRECT)
    return key->hop == BFD_DIRECT && strcmp(id->name, key->ifname) == 0;
  if (id->kind == MON_MULTIHOP)
    return key->hop == BFD_MULTIHOP && ip_equal(id->local, key->local) && strcmp(id->name, key->vrf) == 0;
  return true;
}

bool
mon_ident_equal(const struct mon_ident *a, const struct mon_ident *b)
{
  return a->kind == b->kind && a->disc == b->disc && ip_equal(a->remote, b->remote) &&
         ip_equal(a->local, b->local) && strcmp(a->name, b->name) == 0;
}

struct mon_ident
mon_ident_of(const struct bfd_key *key)
{
  struct mon_ident id = { .kind = MON_DIRECT, .remote = key->remote };

  if (key->hop == BFD_MULTIHOP)
  {
    id.kind = MON_MULTIHOP;
    id.local = key->local;
  }
  strcpy(id.name, key->hop == BFD_MULTIHOP ? key->vrf : key->ifname);
  return id;
}

char *
mon_ident_format(const struct mon_ident *id, char *buf)
{
  bool named = id->name[0];
  int len;

  if (id->kind == MON_DISCRIMINATOR)
    len = snprintf(buf, MON_IDENT_SIZE, "%u", id->disc);
  else
    len = snprintf(buf, MON_IDENT_SIZE, "%s", IP_STR(id->remote));
  if (id->kind == MON_MULTIHOP)
    len += snprintf(buf + len, MON_IDENT_SIZE - len, "@%s", IP_STR(id->local));
  if (named)
    snprintf(buf + len, MON_IDENT_SIZE - len, "%%%s", id->name);
  return buf;
}
