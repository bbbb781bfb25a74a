/* test/fuzz/fuzz_nlparse.c: a run of rtnetlink messages, each read as every kind */
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "sysdep/linux/nlparse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_link(const struct nl_link *l)
{
  ASSERT(l->index > 0 && l->name[0] && memchr(l->name, 0, sizeof(l->name)));
  ASSERT(l->lladdr_len <= sizeof(l->lladdr));
}

static void
check_addr(const struct nl_addr *a)
{
  ASSERT(a->ifindex && !ip_is_none(a->prefix.addr));
  ASSERT(a->prefix.len <= (ip_is_v4(a->prefix.addr) ? 32 : 128));
}

static void
check_neigh(const struct nl_neigh *n)
{
  ASSERT(n->ifindex && !ip_is_none(n->addr) && n->lladdr_len <= sizeof(n->lladdr));
}

/* What is not OK leaves the struct alone. */
#define PARSE(kind, m)                                    \
  do                                                      \
  {                                                       \
    struct nl_##kind got, untouched;                      \
    memset(&untouched, 0xa5, sizeof(untouched));          \
    memcpy(&got, &untouched, sizeof(got));                \
    if (nlparse_##kind(m, &got) == NLPARSE_OK)            \
      check_##kind(&got);                                 \
    else                                                  \
      ASSERT(memcmp(&got, &untouched, sizeof(got)) == 0); \
  } while (0)

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

    ASSERT(mnl_nlmsg_ok(m, head.nlmsg_len));
    PARSE(link, m);
    PARSE(addr, m);
    PARSE(neigh, m);
    free(m);

    size_t step = MIN((size_t) MNL_ALIGN(head.nlmsg_len), size);

    data += step;
    size -= step;
  }
  return 0;
}
