/*
 * sysdep/linux/routes.c: see routes.h; what a message means is in nlroute.c
 *
 * Two sockets. One is for scans and events, which the kernel puts into one queue, in the order in which
 * things happened, as in netlink.c. The other one is for changes and belongs to the thread of
 * routes_write.c. Nothing but its refusals is in that queue, so no event can push one out.
 *
 * The kernel tells every member of the group about a change, its author included. Events carry the port of
 * the author, so a filter on the first socket drops ours before they take up room in the queue.
 *
 * Changes wait in batches. The last one is open and takes more; at most WRITER_BATCHES are with the writer,
 * so that it has one at hand while another one travels.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "sysdep/linux/nlroute.h"
#include "sysdep/linux/routes_write.h"
#include "sysdep/log.h"
#include "sysdep/routes.h"

#define RECEIVE_SIZE 32768 /* what the kernel fills at most when it dumps */
#define EVENT_QUEUE_SIZE (8 << 20)
#define ANSWER_QUEUE_SIZE (1 << 20) /* a refusal takes about 1 kB there */

#define WRITER_BATCHES 2

/* As in netlink.c: a busy table can spoil one scan after the other. */
#define AGAIN_DELAY BT_MS(100)
#define AGAIN_DELAY_MAX BT_S(5)
#define REFUSED_DELAY BT_S(1)
#define CONGESTED_DELAY BT_MS(1)

struct nl_routes
{
  struct resource r;
  pool *pool;              /* everything below */
  struct fd_watch *events; /* scans and events */
  struct timer *begin;     /* starts a scan */
  struct work *late;       /* flushes what nobody has flushed */
  struct route_writer *writer;
  const struct nl_routes_hooks *hooks;
  void *data;
  bool v6;

  u32 event_port, send_port;
  u32 scan_seq; /* number of the last dump request */
  u32 table;    /* of the scan that runs, or that begins next */
  u32 wanted_table;
  bool scanning, wanted;
  uint scan_after; /* so many changes are to be carried out before the dump is asked for */
  bool spoiled;    /* this scan will not do */
  bool congested;  /* the kernel drops events, without a word more, until the queue is empty */
  btime pause;     /* before the next scan after a spoiled one */

  struct list batches;      /* not with the writer yet, oldest first */
  struct route_batch *open; /* the last of these, or NULL */
  struct route_batch *spare;
  uint with_writer; /* batches */
  uint pending;     /* changes, wherever they are */
  u32 change_seq;

  bool *freed; /* where nl_routes_free() tells the caller of a hook; else NULL */
  struct nl_routes_counters counters;
  struct log_limit trouble;
  struct nl_nexthop hops[NL_NEXTHOPS_MAX];
  byte buf[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
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
  nlh->nlmsg_seq = nl->scan_seq;
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

/* What was asked for before scan_begin() is not to be missed by the scan, so this may have to wait. */
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
  nl->scan_seq++;
  nl->scan_after = nl->pending;
  nl->counters.scans++;
  if (!nl->scan_after && !scan_request(nl))
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

/* Some of the changes it waits for have been carried out. */
static void
scan_go_on(struct nl_routes *nl, uint changes)
{
  if (!nl->scan_after)
    return;
  nl->scan_after -= MIN(nl->scan_after, changes);
  if (nl->scan_after)
    return;
  if (nl->spoiled)
    scan_done(nl);
  else if (!scan_request(nl))
    scan_refused(nl, errno);
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
  if (drained && nl->scanning && !nl->scan_after)
    scan_done(nl);
}

/* --- Changes --- */

static struct route_batch *
batch_new(struct nl_routes *nl)
{
  struct route_batch *b = nl->spare ? nl->spare : msg_alloc(sizeof(*b));

  nl->spare = NULL;
  b->count = b->used = 0;
  b->error = b->delayed = 0;
  b->lost = false;
  b->first_seq = nl->change_seq + 1;
  list_add_tail(&nl->batches, &b->n);
  return nl->open = b;
}

static void
batch_free(struct nl_routes *nl, struct route_batch *b)
{
  if (nl->spare)
    msg_free(b);
  else
    nl->spare = b;
}

static void
batch_note(struct nl_routes *nl, struct route_batch *b, const struct route_change *c)
{
  nl->change_seq++;
  b->changes[b->count++] = *c;
  if (b->count == ROUTE_BATCH_CHANGES)
    nl->open = NULL;
}

/* The open batch takes it over if there is room. */
static bool
batch_append(struct nl_routes *nl, const struct nl_route *r, const struct route_change *c)
{
  struct route_batch *b = nl->open;

  if (!b)
    return false;

  struct nlmsghdr *nlh = (struct nlmsghdr *) (b->buf + b->used);

  if (!nlroute_put(nlh, sizeof(b->buf) - b->used, r, c->removing ? NLROUTE_DELETE : NLROUTE_SET))
    return false;
  nlh->nlmsg_seq = nl->change_seq + 1;
  b->used += nlh->nlmsg_len; /* all parts are padded */
  batch_note(nl, b, c);
  return true;
}

static void
hand_over(struct nl_routes *nl, bool all)
{
  while (nl->with_writer < WRITER_BATCHES && !list_empty(&nl->batches))
  {
    struct route_batch *b = SKIP_BACK(struct route_batch, n, list_first(&nl->batches));

    if (b == nl->open && !all)
      return;
    if (b == nl->open)
      nl->open = NULL;
    list_remove(&b->n);
    nl->with_writer++;
    route_writer_post(nl->writer, b);
  }
}

void
nl_routes_flush(struct nl_routes *nl)
{
  hand_over(nl, true);
}

static bool
flush_late(struct work *w UNUSED, void *data)
{
  nl_routes_flush(data);
  return false;
}

static void
change(struct nl_routes *nl, const struct nl_route *r, u64 cookie, bool removing)
{
  struct route_change c = { .cookie = cookie, .dst = r->dst, .removing = removing };

  nl->pending++;
  if (!batch_append(nl, r, &c))
  {
    batch_new(nl);
    if (!batch_append(nl, r, &c)) /* too large for any: it travels as refused */
    {
      c.error = EMSGSIZE;
      batch_note(nl, nl->open, &c);
    }
  }
  hand_over(nl, false);
  work_schedule(nl->late);
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

uint
nl_routes_pending(const struct nl_routes *nl)
{
  return nl->pending;
}

/* --- What became of them --- */

static void
batch_count(struct nl_routes *nl, const struct route_batch *b)
{
  nl->counters.flushes++;
  nl->counters.delayed += b->delayed;
  for (uint i = 0; i < b->count; i++)
    if (b->changes[i].removing)
      nl->counters.deleted++;
    else
      nl->counters.set++;
}

static void
change_refused(struct nl_routes *nl, const struct route_change *c)
{
  /* It is gone already: the kernel withdraws routes by itself when a link goes. */
  if (c->removing && c->error == ESRCH)
  {
    nl->counters.absent++;
    return;
  }
  nl->counters.refused++;
  nl->hooks->refused(nl->data, c->cookie, &c->dst, c->removing, c->error, c->text[0] ? c->text : NULL);
}

/* A hook may free @nl, so each one is followed by a look at @freed. */
static void
batch_report(struct nl_routes *nl, const struct route_batch *b, const bool *freed)
{
  if (b->error)
    log_rl(&nl->trouble, L_ERR, "netlink: Routes cannot be changed: %s", strerror(b->error));
  for (uint i = 0; i < b->count && !*freed; i++)
    if (b->changes[i].error)
      change_refused(nl, &b->changes[i]);
  if (!*freed && b->lost)
  {
    nl->counters.overruns++;
    log_rl(&nl->trouble, L_WARN, "netlink: Refusals of routes were lost");
    lost(nl);
  }
  if (!*freed && nl->hooks->progress)
    nl->hooks->progress(nl->data);
}

/* What the hooks ask for goes on with this call, if there is room for it. */
static void
batch_back(struct msg *m, void *data)
{
  struct nl_routes *nl = data;
  struct route_batch *b = SKIP_BACK(struct route_batch, m, m);
  uint count = b->count;
  bool freed = false;

  nl->with_writer--;
  nl->pending -= count;
  batch_count(nl, b);
  nl->freed = &freed; /* cppcheck-suppress autoVariables ; taken back below */
  batch_report(nl, b, &freed);
  if (freed)
  {
    msg_free(b);
    return;
  }
  nl->freed = NULL;
  batch_free(nl, b);
  hand_over(nl, true);
  scan_go_on(nl, count);
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

  struct route_batch *b;

  if (nl->freed)
    *nl->freed = true;
  rfree(nl->pool);
  LIST_WALK_SAFE (b, &nl->batches, n)
    msg_free(b);
  msg_free(nl->spare);
}

static const struct resource_class nl_routes_class = { .name = "Kernel routes",
                                                       .size = sizeof(struct nl_routes),
                                                       .free = nl_routes_free };

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
  nl->send_port = s.send_port;
  nl->event_port = s.event_port;
  nl->pause = AGAIN_DELAY;
  list_init(&nl->batches);
  nl->events = fd_watch_new(inside, l, s.event, FD_READ, LOOP_REST, events_receive, nl);
  read_once(nl, s.event);
  nl->begin = timer_new(inside, l, scan_begin, nl);
  nl->late = work_new(inside, l, LOOP_REST, flush_late, nl);

  /* Youngest of all in there: its thread ends before the mailbox goes. */
  nl->writer = route_writer_new(inside, l, s.send, mailbox_new(inside, l, batch_back, nl));
  if (!nl->writer)
  {
    log_write(L_ERR, "netlink: Cannot start a thread for routes");
    rfree(nl);
    return NULL;
  }
  return nl;
}

const struct nl_routes_counters *
nl_routes_counters(const struct nl_routes *nl)
{
  return &nl->counters;
}
