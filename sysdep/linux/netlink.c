/*
 * sysdep/linux/netlink.c: see netlink.h; what a message means is in nlparse.c
 *
 * One socket for scans and events. The kernel puts both into one queue, in the order in which things
 * happened, so the later word about an object is always the true one; with two sockets an old answer could
 * bring back what an event has just removed. The groups are joined before the first scan, which leaves no gap
 * between the two.
 *
 * A scan is one dump request after the other. It is spoiled when the kernel says that the table changed under
 * the dump (NLM_F_DUMP_INTR), or dropped events while it ran (ENOBUFS: the dump itself is never dropped). A
 * spoiled scan goes on, as the kernel takes no second dump while one runs, but it ends without scan_end,
 * since the receiver would forget things that merely were missed; a new one begins a little later.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "sysdep/linux/nlparse.h"
#include "sysdep/log.h"
#include "sysdep/netlink.h"

#define NL_RECEIVE_SIZE 32768 /* what the kernel fills at most when it dumps */
#define NL_QUEUE_SIZE (8 << 20)

/* A busy table can spoil one scan after the other. The pause then doubles each time, up to a limit: scanning
   costs time, and events keep the receiver up to date meanwhile. */
#define NL_AGAIN_DELAY BT_MS(100)
#define NL_AGAIN_DELAY_MAX BT_S(5)
#define NL_REFUSED_DELAY BT_S(1)
#define NL_CONGESTED_DELAY BT_MS(10)

struct netlink
{
  struct resource r;
  pool *pool; /* the watch and the timer */
  struct fd_watch *watch;
  struct timer *begin; /* starts a scan */
  const struct nl_hooks *hooks;
  void *data;
  u32 port, seq; /* our address; number of the last request */
  uint step;     /* of the scan: index into nl_steps */
  bool scanning;
  bool spoiled;   /* this scan will not do */
  bool congested; /* the kernel drops events, without a word more, until the queue is empty */
  btime pause;    /* before the next scan after a spoiled one */
  bool wanted;    /* someone asked for another one meanwhile */
  bool *freed;    /* where netlink_free() tells the caller of a hook; else NULL */
  struct nl_counters counters;
  struct log_limit trouble;
  byte buf[NL_RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static const struct
{
  const char *what;
  u16 type;
} nl_steps[] = { { "links", RTM_GETLINK }, { "addresses", RTM_GETADDR }, { "neighbours", RTM_GETNEIGH } };

/* The first step from @step on that somebody wants. */
static uint
nl_step_from(const struct nl_hooks *hooks, uint step)
{
  const bool wanted[] = { hooks->link, hooks->addr, hooks->neigh };

  while (step < ARRAY_SIZE(nl_steps) && !wanted[step])
    step++;
  return step;
}

/* --- Scans --- */

static bool
nl_request(struct netlink *nl)
{
  byte buf[MNL_ALIGN(sizeof(struct nlmsghdr)) + 64] __attribute__((aligned(NLMSG_ALIGNTO)));
  struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
  struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

  nlh->nlmsg_type = nl_steps[nl->step].type;
  nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  nlh->nlmsg_seq = ++nl->seq;
  switch (nlh->nlmsg_type)
  {
  case RTM_GETLINK:
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    break;
  case RTM_GETADDR:
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
    break;
  case RTM_GETNEIGH:
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ndmsg));
    break;
  }
  return sendto(nl->watch->fd, buf, nlh->nlmsg_len, 0, (struct sockaddr *) &kernel, sizeof(kernel)) >= 0;
}

static void
nl_scan_refused(struct netlink *nl, int error)
{
  log_rl(&nl->trouble, L_ERR, "netlink: Scanning %s failed: %s", nl_steps[nl->step].what, strerror(error));
  nl->scanning = false;
  timer_set_in(nl->begin, NL_REFUSED_DELAY);
}

static void
nl_scan_begin(struct timer *t UNUSED, void *data)
{
  struct netlink *nl = data;

  if (nl->congested) /* a dump would keep the queue from running empty */
  {
    timer_set_in(nl->begin, NL_CONGESTED_DELAY);
    return;
  }
  nl->step = nl_step_from(nl->hooks, 0);
  nl->spoiled = nl->wanted = false;
  nl->scanning = true;
  nl->counters.scans++;
  if (!nl_request(nl))
    nl_scan_refused(nl, errno);
  else
    nl->hooks->scan_begin(nl->data);
}

static void
nl_scan_end(struct netlink *nl)
{
  nl->scanning = false;
  if (nl->spoiled)
  {
    timer_set_in(nl->begin, nl->pause);
    nl->pause = MIN(nl->pause * 2, NL_AGAIN_DELAY_MAX);
    return;
  }
  nl->pause = NL_AGAIN_DELAY;
  if (nl->wanted)
    timer_set_in(nl->begin, 0);
  nl->hooks->scan_end(nl->data);
}

static void
nl_scan_next(struct netlink *nl)
{
  nl->step = nl_step_from(nl->hooks, nl->step + 1);
  if (nl->step == ARRAY_SIZE(nl_steps))
    nl_scan_end(nl);
  else if (!nl_request(nl))
    nl_scan_refused(nl, errno);
}

/* What was received so far is incomplete. */
static void
nl_scan_again(struct netlink *nl)
{
  if (nl->scanning)
    nl->spoiled = true;
  else if (!timer_is_set(nl->begin))
    timer_set_in(nl->begin, nl->pause);
}

void
netlink_scan(struct netlink *nl)
{
  if (nl->scanning)
    nl->wanted = true;
  else
    timer_set_in(nl->begin, 0);
}

/* --- Messages --- */

static void
nl_malformed(struct netlink *nl, const char *what, uint number)
{
  nl->counters.malformed++;
  nl->spoiled |= nl->scanning; /* what was dropped may have been all that spoke of something */
  log_rl(&nl->trouble, L_ERR, "netlink: Malformed message dropped (%s %u)", what, number);
}

/* A hook may free @nl, so nothing follows it. */
static void
nl_object(struct netlink *nl, const struct nlmsghdr *nlh)
{
  struct nl_link link;
  struct nl_addr addr;
  struct nl_neigh neigh;
  enum nlparse result = NLPARSE_OTHER;

  switch (nlh->nlmsg_type)
  {
  case RTM_NEWLINK:
  case RTM_DELLINK:
    if (nl->hooks->link && (result = nlparse_link(nlh, &link)) == NLPARSE_OK)
      nl->hooks->link(nl->data, &link, nlh->nlmsg_type == RTM_DELLINK);
    break;
  case RTM_NEWADDR:
  case RTM_DELADDR:
    if (nl->hooks->addr && (result = nlparse_addr(nlh, &addr)) == NLPARSE_OK)
      nl->hooks->addr(nl->data, &addr, nlh->nlmsg_type == RTM_DELADDR);
    break;
  case RTM_NEWNEIGH:
  case RTM_DELNEIGH:
    if (nl->hooks->neigh && (result = nlparse_neigh(nlh, &neigh)) == NLPARSE_OK)
      nl->hooks->neigh(nl->data, &neigh, nlh->nlmsg_type == RTM_DELNEIGH);
    break;
  }
  if (result == NLPARSE_MALFORMED)
    nl_malformed(nl, "type", nlh->nlmsg_type);
}

/* The end of a dump, with an error number (negative) if it did not get to the end. */
static void
nl_dump_end(struct netlink *nl, const struct nlmsghdr *nlh)
{
  int error = 0;

  if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
    memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
  else if (nlh->nlmsg_type == NLMSG_ERROR)
    error = -EPROTO;

  if (error < 0)
    nl_scan_refused(nl, -error);
  else
    nl_scan_next(nl);
}

static void
nl_message(struct netlink *nl, const struct nlmsghdr *nlh)
{
  /* Events carry the port of whoever made the change, and from this socket nobody changes anything. */
  bool answer = nlh->nlmsg_pid == nl->port;

  if (answer && (!nl->scanning || nlh->nlmsg_seq != nl->seq))
    return;
  if (answer && (nlh->nlmsg_flags & NLM_F_DUMP_INTR))
    nl->spoiled = true;

  if (nlh->nlmsg_type >= NLMSG_MIN_TYPE)
    nl_object(nl, nlh);
  else if (answer && (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR))
    nl_dump_end(nl, nlh);
}

static void
nl_messages(struct netlink *nl, size_t size, const bool *freed)
{
  const struct nlmsghdr *nlh = (const struct nlmsghdr *) nl->buf;
  int left = size;

  while (mnl_nlmsg_ok(nlh, left))
  {
    nl_message(nl, nlh);
    if (*freed)
      return; /* and with it the buffer */
    nlh = mnl_nlmsg_next(nlh, &left);
  }
  if (left > 0)
    nl_malformed(nl, "bytes left", left);
}

/* An error that this takes off the socket is one more overrun, and of that one we know. */
static bool
nl_queue_is_empty(const struct netlink *nl)
{
  return recv(nl->watch->fd, NULL, 0, MSG_PEEK) < 0 && errno == EAGAIN;
}

static void
nl_lost(struct netlink *nl, int error)
{
  nl->counters.overruns += error == ENOBUFS;
  nl->congested |= error == ENOBUFS;
  log_rl(&nl->trouble, L_WARN, "netlink: Messages were lost (%s), scanning again", strerror(error));
  nl_scan_again(nl);
}

/*
 * One buffer for each call: more will be announced by the loop again. A dump that runs puts its next part
 * into the queue whenever one is taken out, so a scan that goes on with an empty queue has lost its end.
 */
static void
nl_receive(struct fd_watch *w, uint ready UNUSED, void *data)
{
  struct netlink *nl = data;
  struct sockaddr_nl from = { 0 };
  struct iovec iov = { .iov_base = nl->buf, .iov_len = sizeof(nl->buf) };
  struct msghdr mh = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
  ssize_t size = recvmsg(w->fd, &mh, 0);

  if (size < 0)
  {
    if (errno != EAGAIN && errno != EINTR)
      nl_lost(nl, errno);
    return;
  }

  bool drained = nl->congested && nl_queue_is_empty(nl), freed = false;

  nl->congested &= !drained;
  nl->freed = &freed; /* cppcheck-suppress autoVariables ; taken back below */
  if (mh.msg_flags & MSG_TRUNC)
    nl_malformed(nl, "longer than", sizeof(nl->buf));
  else if (!from.nl_pid) /* the kernel, not a process */
    nl_messages(nl, size, &freed);
  if (freed)
    return;
  nl->freed = NULL;
  if (drained && nl->scanning)
    nl_scan_end(nl);
}

/* --- The socket --- */

/* Membership of the groups is part of the address. */
static bool
nl_socket_bind(int fd, uint groups, u32 *port)
{
  struct sockaddr_nl self = { .nl_family = AF_NETLINK };
  socklen_t size = sizeof(self);
  int queue = NL_QUEUE_SIZE;

  /* The first is allowed past the system's limit, given CAP_NET_ADMIN. Less room only means more overruns. */
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)) < 0)
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));

  self.nl_groups = groups;
  if (bind(fd, (struct sockaddr *) &self, sizeof(self)) < 0 ||
      getsockname(fd, (struct sockaddr *) &self, &size) < 0)
    return false;
  *port = self.nl_pid;
  return true;
}

static int
nl_socket_open(uint groups, u32 *port)
{
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

  if (fd >= 0 && nl_socket_bind(fd, groups, port))
    return fd;
  log_write(L_ERR, "netlink: Cannot open a socket: %m");
  if (fd >= 0)
    close(fd);
  return -1;
}

static void
netlink_free(struct resource *r)
{
  struct netlink *nl = (struct netlink *) r;

  if (nl->freed)
    *nl->freed = true;
  rfree(nl->pool);
}

static const struct resource_class netlink_class = { .name = "Netlink",
                                                     .size = sizeof(struct netlink),
                                                     .free = netlink_free };

struct netlink *
netlink_new(pool *p, struct loop *l, const struct nl_hooks *hooks, void *data)
{
  u32 port;
  int fd = nl_socket_open((hooks->link ? RTMGRP_LINK : 0) |
                              (hooks->addr ? RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR : 0) |
                              (hooks->neigh ? RTMGRP_NEIGH : 0),
                          &port);

  if (fd < 0)
    return NULL;

  /* Older than the object, so that a dying @p frees the object first, which then takes this pool along. */
  pool *inside = pool_new(p, "Netlink");
  struct netlink *nl = res_new(p, &netlink_class);

  nl->pool = inside;
  nl->hooks = hooks;
  nl->data = data;
  nl->port = port;
  nl->pause = NL_AGAIN_DELAY;
  nl->watch = fd_watch_new(inside, l, fd, FD_READ, LOOP_REST, nl_receive, nl);
  nl->begin = timer_new(inside, l, nl_scan_begin, nl);
  netlink_scan(nl);
  return nl;
}

const struct nl_counters *
netlink_counters(const struct netlink *nl)
{
  return &nl->counters;
}
