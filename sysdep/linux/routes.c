/*
 * sysdep/linux/routes.c: see routes.h; what a message means is in nlroute.c
 *
 * Two sockets. One is for scans and events, which the kernel puts into one queue, in the order in which
 * things happened, as in netlink.c. The other one is for changes. The kernel carries out a batch before
 * sendmsg() returns, so all refusals are there right after, and as nothing else is in that queue, reading
 * them has an end and no event can push one out.
 *
 * The kernel tells every member of the group about a change, its author included. Events carry the port of
 * the author, so a filter on the first socket drops ours before they take up room in the queue.
 *
 * Changes wait in batches, of which there is one unless the kernel is short of memory. What is behind a
 * sequence number is found by counting from the first one of the batch.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "sysdep/linux/nlattr.h"
#include "sysdep/linux/nlroute.h"
#include "sysdep/log.h"
#include "sysdep/routes.h"

#define RECEIVE_SIZE 32768 /* what the kernel fills at most when it dumps */
#define EVENT_QUEUE_SIZE (8 << 20)
#define ANSWER_QUEUE_SIZE (1 << 20) /* a refusal takes about 1 kB there */

/* As many changes as the kernel makes within 1 ms even when each is an IPv6 route with two next hops (9 us).
   Larger batches hardly save time. The room is for routes with many next hops. */
#define BATCH_CHANGES 64
#define BATCH_SIZE 32768

/* As in netlink.c: a busy table can spoil one scan after the other. */
#define AGAIN_DELAY BT_MS(100)
#define AGAIN_DELAY_MAX BT_S(5)
#define REFUSED_DELAY BT_S(1)
#define SEND_DELAY BT_MS(10) /* until memory is looked for again */
#define CONGESTED_DELAY BT_MS(1)

/* What a refusal has to be reported with. */
struct change
{
  u64 cookie;
  struct prefix dst;
  bool removing;
};

struct batch
{
  struct node n;
  u32 first_seq;
  uint count;
  size_t used;
  struct change changes[BATCH_CHANGES];
  byte buf[BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

struct nl_routes
{
  struct resource r;
  pool *pool;              /* everything below */
  struct fd_watch *events; /* scans and events */
  struct timer *begin;     /* starts a scan */
  struct timer *resend;    /* after the kernel was short of memory */
  struct work *late;       /* flushes what nobody has flushed */
  const struct nl_routes_hooks *hooks;
  void *data;
  bool v6;

  int send_fd; /* changes and their answers, which never have to be waited for */
  u32 event_port, send_port;
  u32 scan_seq; /* number of the last dump request */
  u32 table;    /* of the scan that runs, or that begins next */
  u32 wanted_table;
  bool scanning, wanted;
  bool spoiled;   /* this scan will not do */
  bool congested; /* the kernel drops events, without a word more, until the queue is empty */
  btime pause;    /* before the next scan after a spoiled one */

  struct list batches; /* not sent yet, oldest first */
  struct batch *open;  /* the last of these, or NULL */
  struct batch *spare;
  u32 change_seq;
  bool flushing;

  bool *freed; /* where nl_routes_free() tells the caller of a hook; else NULL */
  struct nl_routes_counters counters;
  struct log_limit trouble;
  struct nl_nexthop hops[NL_NEXTHOPS_MAX];
  byte buf[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
  byte answer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* --- Scans --- */

/* The kernel looks at the table if it checks strictly; if not, nl_route_message() does. */
static bool
scan_request(struct nl_routes *nl)
{
  byte buf[128] __attribute__((aligned(NLMSG_ALIGNTO)));
  struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
  struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
  struct rtmsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));

  nlh->nlmsg_type = RTM_GETROUTE;
  nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  nlh->nlmsg_seq = ++nl->scan_seq;
  m->rtm_family = nl->v6 ? AF_INET6 : AF_INET;
  mnl_attr_put_u32(nlh, RTA_TABLE, nl->table);
  return sendto(nl->events->fd, buf, nlh->nlmsg_len, 0, (struct sockaddr *) &kernel, sizeof(kernel)) >= 0;
}

static void
scan_refused(struct nl_routes *nl, int error)
{
  log_rl(&nl->trouble, L_ERR, "netlink: Scanning routes of table %u failed: %s", nl->table, strerror(error));
  nl->scanning = false;
  timer_set_in(nl->begin, REFUSED_DELAY);
}

static void
scan_begin(struct timer *t UNUSED, void *data)
{
  struct nl_routes *nl = data;

  if (nl->congested) /* a dump would keep the queue from running empty */
  {
    timer_set_in(nl->begin, CONGESTED_DELAY);
    return;
  }
  if (nl->wanted)
    nl->table = nl->wanted_table;
  nl->spoiled = nl->wanted = false;
  nl->scanning = true;
  nl->counters.scans++;
  if (!scan_request(nl))
    scan_refused(nl, errno);
  else
    nl->hooks->scan_begin(nl->data, nl->table);
}

static void
scan_done(struct nl_routes *nl)
{
  nl->scanning = false;
  if (nl->spoiled)
  {
    timer_set_in(nl->begin, nl->pause);
    nl->pause = MIN(nl->pause * 2, AGAIN_DELAY_MAX);
    return;
  }
  nl->pause = AGAIN_DELAY;
  if (nl->wanted)
    timer_set_in(nl->begin, 0);
  nl->hooks->scan_end(nl->data, nl->table);
}

void
nl_routes_scan(struct nl_routes *nl, u32 table)
{
  nl->wanted = true;
  nl->wanted_table = table;
  if (!nl->scanning)
    timer_set_in(nl->begin, 0);
}

/* The end of a dump, with an error number (negative) if it did not get to the end. */
static void
scan_answer(struct nl_routes *nl, const struct nlmsghdr *nlh)
{
  int error = 0;

  if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
    memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
  else if (nlh->nlmsg_type == NLMSG_ERROR)
    error = -EPROTO;

  if (error < 0 && error != -ENOENT) /* there is no such table */
    scan_refused(nl, -error);
  else
    scan_done(nl);
}

/* --- Events --- */

/* Something did not reach the user, who need not be told when all is to be reported again. */
static void
lost(struct nl_routes *nl)
{
  if (nl->scanning)
    nl->spoiled = true;
  else if (!timer_is_set(nl->begin))
    nl->hooks->overrun(nl->data);
}

static void
malformed(struct nl_routes *nl, const char *what, uint number)
{
  nl->counters.malformed++;
  log_rl(&nl->trouble, L_ERR, "netlink: Malformed route message dropped (%s %u)", what, number);
  lost(nl);
}

static enum nl_route_event
event_of(const struct nlmsghdr *nlh)
{
  if (nlh->nlmsg_type == RTM_DELROUTE)
    return NL_ROUTE_GONE;
  return nlh->nlmsg_flags & NLM_F_REPLACE ? NL_ROUTE_REPLACED : NL_ROUTE_NEW;
}

/* A hook may free @nl, so nothing follows it. */
static void
route_message(struct nl_routes *nl, const struct nlmsghdr *nlh, bool answer)
{
  struct nl_route r;
  enum nlroute result = nlroute_parse(nlh, &r, nl->hops, NL_NEXTHOPS_MAX);

  nl->counters.events += !answer;
  if (result == NLROUTE_MALFORMED)
    malformed(nl, "type", nlh->nlmsg_type);
  else if (result == NLROUTE_OK && r.v6 == nl->v6 && (!answer || r.table == nl->table))
    nl->hooks->route(nl->data, &r, answer ? NL_ROUTE_SEEN : event_of(nlh));
}

static void
event_message(struct nl_routes *nl, const struct nlmsghdr *nlh)
{
  /* Events carry the port of whoever made the change, and this socket only asks. */
  bool answer = nlh->nlmsg_pid == nl->event_port;

  if (nlh->nlmsg_pid == nl->send_port || (answer && (!nl->scanning || nlh->nlmsg_seq != nl->scan_seq)))
    return;
  if (answer && (nlh->nlmsg_flags & NLM_F_DUMP_INTR))
    nl->spoiled = true;

  if (nlh->nlmsg_type == RTM_NEWROUTE || nlh->nlmsg_type == RTM_DELROUTE)
    route_message(nl, nlh, answer);
  else if (answer && (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR))
    scan_answer(nl, nlh);
}

static void
event_messages(struct nl_routes *nl, size_t size, const bool *freed)
{
  const struct nlmsghdr *nlh = (const struct nlmsghdr *) nl->buf;
  int left = size;

  while (mnl_nlmsg_ok(nlh, left))
  {
    event_message(nl, nlh);
    if (*freed)
      return; /* and with it the buffer */
    nlh = mnl_nlmsg_next(nlh, &left);
  }
  if (left > 0)
    malformed(nl, "bytes left", left);
}

/* An error that this takes off the socket is one more overrun, and of that one we know. */
static bool
queue_is_empty(struct nl_routes *nl)
{
  return recv(nl->events->fd, NULL, 0, MSG_PEEK) < 0 && errno == EAGAIN;
}

static void
events_lost(struct nl_routes *nl, int error)
{
  nl->counters.overruns += error == ENOBUFS;
  nl->congested |= error == ENOBUFS;
  log_rl(&nl->trouble, L_WARN, "netlink: Messages about routes were lost (%s)", strerror(error));
  lost(nl);
}

/*
 * One buffer for each call: more will be announced by the loop again. A dump that runs puts its next part
 * into the queue whenever one is taken out, so a scan that goes on with an empty queue has lost its end.
 */
static void
events_receive(struct fd_watch *w, uint ready UNUSED, void *data)
{
  struct nl_routes *nl = data;
  struct sockaddr_nl from = { 0 };
  struct iovec iov = { .iov_base = nl->buf, .iov_len = sizeof(nl->buf) };
  struct msghdr mh = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
  ssize_t size = recvmsg(w->fd, &mh, 0);

  if (size < 0)
  {
    if (errno != EAGAIN && errno != EINTR)
      events_lost(nl, errno);
    return;
  }

  bool drained = nl->congested && queue_is_empty(nl), freed = false;

  nl->congested &= !drained;
  nl->freed = &freed; /* cppcheck-suppress autoVariables ; taken back below */
  if (mh.msg_flags & MSG_TRUNC)
    malformed(nl, "longer than", sizeof(nl->buf));
  else if (!from.nl_pid) /* the kernel, not a process */
    event_messages(nl, size, &freed);
  if (freed)
    return;
  nl->freed = NULL;
  if (drained && nl->scanning)
    scan_done(nl);
}

/* --- Changes --- */

static struct batch *
batch_new(struct nl_routes *nl)
{
  struct batch *b = nl->spare ? nl->spare : mb_alloc(nl->pool, sizeof(*b));

  nl->spare = NULL;
  b->count = b->used = 0;
  list_add_tail(&nl->batches, &b->n);
  return nl->open = b;
}

static void
batch_take(struct nl_routes *nl, struct batch *b)
{
  list_remove(&b->n);
  if (nl->open == b) /* otherwise it is another one, still in the list */
    nl->open = NULL;
}

static void
batch_free(struct nl_routes *nl, struct batch *b)
{
  if (nl->spare)
    mb_free(b);
  else
    nl->spare = b;
}

static bool
batch_append(struct nl_routes *nl, struct batch *b, const struct nl_route *r, u64 cookie, bool removing)
{
  struct nlmsghdr *nlh = (struct nlmsghdr *) (b->buf + b->used);

  if (b->count == BATCH_CHANGES ||
      !nlroute_put(nlh, sizeof(b->buf) - b->used, r, removing ? NLROUTE_DELETE : NLROUTE_SET))
    return false;
  if (!b->count)
    b->first_seq = nl->change_seq + 1;
  nlh->nlmsg_seq = ++nl->change_seq;
  b->used += nlh->nlmsg_len; /* all parts are padded */
  b->changes[b->count++] = (struct change){ .cookie = cookie, .dst = r->dst, .removing = removing };
  return true;
}

static void
change_refused(struct nl_routes *nl, const struct change *c, int error, const char *text)
{
  /* It is gone already: the kernel withdraws routes by itself when a link goes. */
  if (c->removing && error == ESRCH)
  {
    nl->counters.absent++;
    return;
  }
  nl->counters.refused++;
  nl->hooks->refused(nl->data, c->cookie, &c->dst, c->removing, error, text);
}

/* The text is an attribute behind the error and the header of the request (NETLINK_CAP_ACK). */
static const char *
answer_text(const struct nlmsghdr *nlh)
{
  size_t skip = sizeof(struct nlmsgerr), size = mnl_nlmsg_get_payload_len(nlh);
  struct nlattrs a;

  if ((nlh->nlmsg_flags & (NLM_F_ACK_TLVS | NLM_F_CAPPED)) != (NLM_F_ACK_TLVS | NLM_F_CAPPED) ||
      size < skip || !nlattr_collect(&a, mnl_nlmsg_get_payload_offset(nlh, skip), size - skip) ||
      !a.at[NLMSGERR_ATTR_MSG] || mnl_attr_validate(a.at[NLMSGERR_ATTR_MSG], MNL_TYPE_NUL_STRING) < 0)
    return NULL;
  return mnl_attr_get_str(a.at[NLMSGERR_ATTR_MSG]);
}

static void
answer_message(struct nl_routes *nl, const struct batch *b, const struct nlmsghdr *nlh)
{
  int error;

  if (nlh->nlmsg_type != NLMSG_ERROR || nlh->nlmsg_seq - b->first_seq >= b->count)
    return;
  if (mnl_nlmsg_get_payload_len(nlh) < sizeof(error))
    return;
  memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
  if (error < 0)
    change_refused(nl, &b->changes[nlh->nlmsg_seq - b->first_seq], -error, answer_text(nlh));
}

/* All there is, which is bounded by the batch. False when a hook freed @nl. */
static bool
answers_read(struct nl_routes *nl, const struct batch *b, const bool *freed)
{
  for (;;)
  {
    ssize_t size = recv(nl->send_fd, nl->answer, sizeof(nl->answer), 0);

    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0 && errno != ENOBUFS)
      return true; /* EAGAIN */
    if (size < 0)
    {
      nl->counters.overruns++;
      log_rl(&nl->trouble, L_WARN, "netlink: Refusals of routes were lost (%s)", strerror(errno));
      lost(nl);
    }
    else if (mnl_nlmsg_ok((struct nlmsghdr *) nl->answer, size))
      answer_message(nl, b, (struct nlmsghdr *) nl->answer);
    if (*freed)
      return false;
  }
}

/* What cannot be sent for another reason than memory never will be. False when a hook freed @nl. */
static bool
batch_refused(struct nl_routes *nl, const struct batch *b, int error, const bool *freed)
{
  log_rl(&nl->trouble, L_ERR, "netlink: Routes cannot be changed: %s", strerror(error));
  for (uint i = 0; i < b->count; i++)
  {
    change_refused(nl, &b->changes[i], error, NULL);
    if (*freed)
      return false;
  }
  return true;
}

static void
batch_count(struct nl_routes *nl, const struct batch *b)
{
  nl->counters.flushes++;
  for (uint i = 0; i < b->count; i++)
    if (b->changes[i].removing)
      nl->counters.deleted++;
    else
      nl->counters.set++;
}

static int
batch_send(struct nl_routes *nl, struct batch *b)
{
  struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
  struct iovec iov = { .iov_base = b->buf, .iov_len = b->used };
  struct msghdr mh = { .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &iov, .msg_iovlen = 1 };

  if (!b->count) /* it was made for a change that did not fit */
    return 0;
  while (sendmsg(nl->send_fd, &mh, 0) < 0)
    if (errno != EINTR)
      return errno;
  return 0;
}

/* False when nothing more can be done now. The hooks may ask for more changes: these go to other batches. */
static bool
batch_flush(struct nl_routes *nl, struct batch *b, const bool *freed)
{
  int error = batch_send(nl, b);

  if (error == EAGAIN || error == ENOBUFS || error == ENOMEM)
  {
    nl->counters.delayed++;
    timer_set_in(nl->resend, SEND_DELAY);
    return false;
  }
  batch_take(nl, b);
  batch_count(nl, b);
  if (!(error ? batch_refused(nl, b, error, freed) : answers_read(nl, b, freed)))
    return false;
  batch_free(nl, b);
  return true;
}

/*
 * What hooks add meanwhile is left for the next time, or a stubborn one would hold the loop. False when a
 * hook freed @nl.
 */
static bool
flush(struct nl_routes *nl)
{
  struct batch *last = nl->open, *b;
  bool freed = false, *outer = nl->freed;

  if (!last || nl->flushing)
    return true;
  nl->flushing = true;
  nl->freed = &freed; /* cppcheck-suppress autoVariables ; taken back below */
  do
    b = SKIP_BACK(struct batch, n, list_first(&nl->batches));
  while (batch_flush(nl, b, &freed) && b != last);
  if (freed && outer)
    *outer = true;
  if (freed)
    return false;
  nl->freed = outer;
  nl->flushing = false;
  return true;
}

void
nl_routes_flush(struct nl_routes *nl)
{
  (void) flush(nl);
}

static void
flush_again(struct timer *t UNUSED, void *data)
{
  nl_routes_flush(data);
}

static bool
flush_late(struct work *w UNUSED, void *data)
{
  nl_routes_flush(data);
  return false;
}

/* Only a batch that cannot be sent now makes another one necessary. */
static void
change(struct nl_routes *nl, const struct nl_route *r, u64 cookie, bool removing)
{
  work_schedule(nl->late);
  if (nl->open && batch_append(nl, nl->open, r, cookie, removing))
    return;
  if (!flush(nl))
    return;
  if (nl->open && batch_append(nl, nl->open, r, cookie, removing)) /* a hook has opened it */
    return;
  if (!batch_append(nl, batch_new(nl), r, cookie, removing))
    change_refused(nl, &(struct change){ cookie, r->dst, removing }, EMSGSIZE, NULL);
}

void
nl_route_set(struct nl_routes *nl, const struct nl_route *r, u64 cookie)
{
  change(nl, r, cookie, false);
}

void
nl_route_delete(struct nl_routes *nl, const struct nl_route *r, u64 cookie)
{
  change(nl, r, cookie, true);
}

/* --- The sockets --- */

static bool
socket_bind(int fd, u32 groups, int queue, u32 *port)
{
  struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_groups = groups };
  socklen_t size = sizeof(self);

  /* The first is allowed past the system's limit, given CAP_NET_ADMIN. Less room only means more overruns. */
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)) < 0)
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));
  if (bind(fd, (struct sockaddr *) &self, sizeof(self)) < 0 ||
      getsockname(fd, (struct sockaddr *) &self, &size) < 0)
    return false;
  *port = self.nl_pid;
  return true;
}

static bool
socket_option(int fd, int option)
{
  return setsockopt(fd, SOL_NETLINK, option, &(int){ 1 }, sizeof(int)) == 0;
}

/* Negative, with a log line, when the kernel refuses it. */
static int
socket_open(u32 groups, int queue, u32 *port)
{
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

  if (fd >= 0 && socket_bind(fd, groups, queue, port))
    return fd;
  log_write(L_ERR, "netlink: Cannot open a socket for routes: %m");
  if (fd >= 0)
    close(fd);
  return -1;
}

/* Drop what @port has caused. If that fails, event_message() does it, at the expense of the queue. */
static void
socket_ignore_port(int fd, u32 port)
{
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port), 0, 1), /* it loads big-endian */
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, U32_MAX),
  };
  struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

  (void) setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

struct sockets
{
  int send, event;
  u32 send_port, event_port;
};

static bool
sockets_open(struct sockets *s, bool v6, uint rx_buffer)
{
  s->send = socket_open(0, ANSWER_QUEUE_SIZE, &s->send_port);
  if (s->send < 0)
    return false;
  s->event = socket_open(v6 ? RTMGRP_IPV6_ROUTE : RTMGRP_IPV4_ROUTE, rx_buffer ? rx_buffer : EVENT_QUEUE_SIZE,
                         &s->event_port);
  if (s->event < 0)
  {
    close(s->send);
    return false;
  }

  /* Older kernels lack these, and refusals have no text, or dumps have all tables. */
  (void) (socket_option(s->send, NETLINK_CAP_ACK) && socket_option(s->send, NETLINK_EXT_ACK));
  (void) socket_option(s->event, NETLINK_GET_STRICT_CHK);
  socket_ignore_port(s->event, s->send_port);
  return true;
}

/*
 * The kernel makes the parts of a dump as large as the largest read before. Without one the first part can be
 * too small for a route with many next hops, and then the dump ends there, with no error. So read an answer.
 */
static void
read_once(struct nl_routes *nl, int fd)
{
  struct nlmsghdr noop = { .nlmsg_len = sizeof(noop),
                           .nlmsg_type = NLMSG_NOOP,
                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK };

  if (send(fd, &noop, sizeof(noop), 0) >= 0)
    (void) !recv(fd, nl->buf, sizeof(nl->buf), 0);
}

static void
nl_routes_free(struct resource *r)
{
  struct nl_routes *nl = (struct nl_routes *) r;

  if (nl->freed)
    *nl->freed = true;
  close(nl->send_fd);
  rfree(nl->pool);
}

static const struct resource_class nl_routes_class = { "Kernel routes", sizeof(struct nl_routes),
                                                       nl_routes_free };

struct nl_routes *
nl_routes_new(pool *p, struct loop *l, bool v6, const struct nl_routes_hooks *hooks, void *data,
              uint rx_buffer)
{
  struct sockets s;

  if (!sockets_open(&s, v6, rx_buffer))
    return NULL;

  /* Older than the object, so that a dying @p frees the object first, which then takes this pool along. */
  pool *inside = pool_new(p, "Kernel routes");
  struct nl_routes *nl = res_new(p, &nl_routes_class);

  nl->pool = inside;
  nl->hooks = hooks;
  nl->data = data;
  nl->v6 = v6;
  nl->send_fd = s.send;
  nl->send_port = s.send_port;
  nl->event_port = s.event_port;
  nl->pause = AGAIN_DELAY;
  list_init(&nl->batches);
  nl->events = fd_watch_new(inside, l, s.event, FD_READ, LOOP_REST, events_receive, nl);
  read_once(nl, s.event);
  nl->begin = timer_new(inside, l, scan_begin, nl);
  nl->resend = timer_new(inside, l, flush_again, nl);
  nl->late = work_new(inside, l, LOOP_REST, flush_late, nl);
  return nl;
}

const struct nl_routes_counters *
nl_routes_counters(const struct nl_routes *nl)
{
  return &nl->counters;
}

/* All that was flushed has been carried out. */
uint
nl_routes_pending(const struct nl_routes *nl)
{
  return nl->open ? nl->open->count : 0;
}
