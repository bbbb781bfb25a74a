/* test/fuzz/fuzz_nlroute.c: a run of rtnetlink messages, each read as a route and written again */
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "sysdep/linux/nlroute.h"

#define HOPS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_prefix(const struct prefix *p, bool v6)
{
  ASSERT(ip_is_v4(p->addr) == !v6 && p->len <= (v6 ? 128 : 32));
  ASSERT(ip_equal(p->addr, ip_mask(p->addr, p->len)));
}

static void
check_route(const struct nl_route *r, const struct nl_nexthop *hops)
{
  check_prefix(&r->dst, r->v6);
  ASSERT(r->v6 ? !ip_is_v4(r->src.addr) : !r->src.len);
  ASSERT(r->type <= NL_ROUTE_OTHER && r->nexthops == hops && r->nexthop_count <= HOPS);
  ASSERT(r->type == NL_UNICAST || !r->nexthop_count);
  ASSERT(!(r->metrics_lock & ~r->metrics_mask) && !(r->metrics_mask & 3) &&
         !(r->metrics_mask >> NL_METRIC__MAX));
  for (uint i = 0; i < r->nexthop_count; i++)
  {
    ASSERT(hops[i].weight >= 1 && hops[i].weight <= 256);
    ASSERT(!r->v6 || !ip_is_v4(hops[i].via));
  }
}

/* What is written must be read as what it was, if it can be said at all. */
static void
write_again(const struct nl_route *r)
{
  byte buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
  struct nlmsghdr *nlh = (struct nlmsghdr *) buf;
  struct nl_nexthop hops[HOPS];
  struct nl_route again;

  ASSERT(nlroute_put(nlh, sizeof(buf), r, NLROUTE_DELETE));
  if (r->type == NL_ROUTE_OTHER)
    return;
  ASSERT(nlroute_put(nlh, sizeof(buf), r, NLROUTE_SET));
  ASSERT(nlroute_parse(nlh, &again, hops, HOPS) == NLROUTE_OK);
  check_route(&again, hops);
  ASSERT(again.type == r->type && again.table == r->table && ip_equal(again.dst.addr, r->dst.addr));
  ASSERT(again.nexthop_count == r->nexthop_count || r->nhid || r->nexthop_count == 1 /* that says nothing */);
}

static void
check_message(const struct nlmsghdr *m)
{
  struct nl_nexthop hops[HOPS];
  struct nl_route got, untouched;

  memset(&untouched, 0xa5, sizeof(untouched));
  memcpy(&got, &untouched, sizeof(got));
  if (nlroute_parse(m, &got, hops, HOPS) != NLROUTE_OK)
  {
    ASSERT(memcmp(&got, &untouched, sizeof(got)) == 0);
    return;
  }
  check_route(&got, hops);
  write_again(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  while (size >= sizeof(struct nlmsghdr))
  {
    struct nlmsghdr head;

    memcpy(&head, data, sizeof(head));
    if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > size)
      break;

    /* A copy of exactly the length the message gives, aligned as the kernel's are. */
    struct nlmsghdr *m = memcpy(malloc(head.nlmsg_len), data, head.nlmsg_len);

    check_message(m);
    free(m);

    size_t step = MIN((size_t) MNL_ALIGN(head.nlmsg_len), size);

    data += step;
    size -= step;
  }
  return 0;
}
