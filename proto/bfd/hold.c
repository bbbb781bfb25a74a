/*
 * proto/bfd/hold.c: what operators do to single sessions
 *
 * `bfd disable` holds sessions to a peer in AdminDown until `bfd enable`, whatever becomes of their requests
 * in between, as long as the same instance serves them. That is no failure to clients with liveness of their
 * own (RFC 5882 section 3.2).
 */
#include <string.h>

#include "proto/bfd/bfd.h"

struct bfd_hold
{
  struct node n;
  ip_addr remote;
  char ifname[BFD_IFNAME_SIZE]; /* empty: on any, and multihop */
};

static bool
ifname_matches(const char *wanted, const char *ifname)
{
  return !wanted || !wanted[0] || strcmp(wanted, ifname) == 0;
}

bool
bfd_is_held(const struct bfd_proto *p, const struct bfd_key *key)
{
  struct bfd_hold *h;

  LIST_WALK (h, &p->holds, n)
    if (ip_equal(h->remote, key->remote) && ifname_matches(h->ifname, key->ifname))
      return true;
  return false;
}

static bool
is_meant(const struct bfd_which *which, const struct bfd_shared *s)
{
  return which->all ||
         (ip_equal(which->remote, s->key.remote) && ifname_matches(which->ifname, s->key.ifname));
}

/* How many sessions are meant; @hook, if there is one, is called for each. */
static uint
walk_sessions(struct bfd_proto *p, const struct bfd_which *which,
              void (*hook)(struct bfd_proto *p, struct bfd_shared *s))
{
  struct list *const lists[] = { &p->direct, &p->multihop, &p->due };
  struct bfd_shared *s;
  uint count = 0;

  for (uint i = 0; i < ARRAY_SIZE(lists); i++)
    LIST_WALK (s, lists[i], n)
      if (is_meant(which, s))
      {
        count++;
        if (hook)
          hook(p, s);
      }
  return count;
}

static struct bfd_hold *
hold_find(const struct bfd_proto *p, const struct bfd_which *which)
{
  struct bfd_hold *h;

  LIST_WALK (h, &p->holds, n)
    if (ip_equal(h->remote, which->remote) && strcmp(h->ifname, which->ifname ? which->ifname : "") == 0)
      return h;
  return NULL;
}

#define FOR_RUNNING(p) \
  for (struct bfd_proto *p = bfd_next_instance(NULL); p; p = bfd_next_instance(p->p.name))

static void
no_session(struct cli *c, const struct bfd_which *which)
{
  cli_end(c, 9001, "There is no BFD session to %s%s%s", IP_STR(which->remote), which->ifname ? " on " : "",
          which->ifname ? which->ifname : "");
}

static void
hold(struct bfd_proto *p, const struct bfd_which *which)
{
  struct bfd_hold *h = mb_alloc(p->p.pool, sizeof(*h));

  h->remote = which->remote;
  if (which->ifname)
    memcpy(h->ifname, which->ifname, strnlen(which->ifname, BFD_IFNAME_SIZE - 1));
  list_add_tail(&p->holds, &h->n);
  bfd_sync_all(p);
}

void
bfd_cmd_disable(struct cli *c, const struct bfd_which *which)
{
  bool any = false;

  if (!cli_privileged(c))
    return;
  FOR_RUNNING (p)
  {
    if (hold_find(p, which))
      cli_line(c, 8, "%s: session to %s already disabled", p->p.name, IP_STR(which->remote));
    else if (walk_sessions(p, which, NULL))
    {
      hold(p, which);
      cli_line(c, 9, "%s: session to %s disabled", p->p.name, IP_STR(which->remote));
    }
    else
      continue;
    any = true;
  }
  if (any)
    cli_end(c, 0, "%s", "");
  else
    no_session(c, which);
}

/* Without an interface every hold on that peer ends. */
void
bfd_cmd_enable(struct cli *c, const struct bfd_which *which)
{
  bool any = false;
  struct bfd_hold *h;

  if (!cli_privileged(c))
    return;
  FOR_RUNNING (p)
  {
    bool here = false;

    LIST_WALK_SAFE (h, &p->holds, n)
      if (ip_equal(h->remote, which->remote) && ifname_matches(which->ifname, h->ifname))
      {
        list_remove(&h->n);
        mb_free(h);
        here = true;
      }
    if (which->ifname && hold_find(p, &(struct bfd_which){ .remote = which->remote }))
      cli_line(c, 8, "%s: session to %s disabled on all interfaces", p->p.name, IP_STR(which->remote));
    else if (here)
      cli_line(c, 11, "%s: session to %s enabled", p->p.name, IP_STR(which->remote));
    else if (walk_sessions(p, which, NULL))
      cli_line(c, 10, "%s: session to %s already enabled", p->p.name, IP_STR(which->remote));
    else
      continue;
    bfd_sync_all(p);
    any = true;
  }
  if (any)
    cli_end(c, 0, "%s", "");
  else
    no_session(c, which);
}

/* Counters and penalties */

static struct bfd_msg *
reset_command(u64 id)
{
  struct bfd_session_cmd *cmd = msg_alloc(sizeof(*cmd));

  cmd->msg.kind = BFD_RESET;
  cmd->id = id;
  return &cmd->msg;
}

static void
reset_instance(struct bfd_proto *p)
{
  bfd_history_reset(p, NULL);
  p->team->gone = (struct bfd_engine_stats){ 0 };
  for (uint i = 0; i < bfd_engines_running(p); i++)
    bfd_post_engine(p, i, reset_command(0));
}

static void
reset_session(struct bfd_proto *p, struct bfd_shared *s)
{
  bfd_history_reset(p, s);
  if (s->id)
    bfd_post_session(p, s->id, reset_command(s->id));
}

static void
end_reset(struct cli *c, const struct bfd_which *which, uint count)
{
  if (which->all || count)
    cli_end(c, 0, "%s", "");
  else
    no_session(c, which);
}

void
bfd_cmd_reset_counters(struct cli *c, const struct bfd_which *which)
{
  uint count = 0;

  if (!cli_privileged(c))
    return;
  FOR_RUNNING (p)
  {
    count += walk_sessions(p, which, which->all ? bfd_history_reset : reset_session);
    if (which->all)
      reset_instance(p);
  }
  end_reset(c, which, count);
}

void
bfd_cmd_reset_dampening(struct cli *c, const struct bfd_which *which)
{
  uint count = 0;

  if (!cli_privileged(c))
    return;
  FOR_RUNNING (p)
    count += walk_sessions(p, which, bfd_suppress_reset);
  end_reset(c, which, count);
}
