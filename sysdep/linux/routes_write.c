/*
 * sysdep/linux/routes_write.c: see routes_write.h
 *
 * All refusals are there when sendmsg() returns, and nothing else is in that queue, so reading them has an
 * end. One batch in a round of the loop, so that a request to stop is heeded in between. While the kernel is
 * short of memory, the first batch and all behind it wait for a timer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "sysdep/linux/nlattr.h"
#include "sysdep/linux/routes_write.h"

#define SEND_DELAY BT_MS(10) /* until memory is looked for again */

struct route_writer
{
  struct resource r;
  pool *pool; /* everything below */
  struct loop *loop;
  struct mailbox *batches_in, *back;
  struct timer *again;
  struct work *send;
  struct thread *thread;
  int fd;
  struct list batches; /* oldest first */
  byte answer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* --- In the thread --- */

/* The text is an attribute behind the error and the header of the request (NETLINK_CAP_ACK). */
static const char *
answer_text(const struct nlmsghdr *nlh)
{
  size_t skip = sizeof(struct nlmsgerr), size = mnl_nlmsg_get_payload_len(nlh);
  struct nlattrs a;

  if ((nlh->nlmsg_flags & (NLM_F_ACK_TLVS | NLM_F_CAPPED)) != (NLM_F_ACK_TLVS | NLM_F_CAPPED) ||
      size < skip || !nlattr_collect(&a, mnl_nlmsg_get_payload_offset(nlh, skip), size - skip) ||
      !a.at[NLMSGERR_ATTR_MSG] || mnl_attr_validate(a.at[NLMSGERR_ATTR_MSG], MNL_TYPE_NUL_STRING) < 0)
    return "";
  return mnl_attr_get_str(a.at[NLMSGERR_ATTR_MSG]);
}

static void
answer_message(struct route_batch *b, const struct nlmsghdr *nlh)
{
  uint i = nlh->nlmsg_seq - b->first_seq;
  int error;

  if (nlh->nlmsg_type != NLMSG_ERROR || i >= b->count || mnl_nlmsg_get_payload_len(nlh) < sizeof(error))
    return;
  memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
  if (error >= 0)
    return;
  b->changes[i].error = -error;
  snprintf(b->changes[i].text, sizeof(b->changes[i].text), "%s", answer_text(nlh));
}

/* All there is, which is bounded by the batch. */
static void
answers_read(struct route_writer *w, struct route_batch *b)
{
  for (;;)
  {
    ssize_t size = recv(w->fd, w->answer, sizeof(w->answer), 0);

    if (size >= 0 && mnl_nlmsg_ok((struct nlmsghdr *) w->answer, size))
      answer_message(b, (struct nlmsghdr *) w->answer);
    else if (size < 0 && errno == ENOBUFS)
      b->lost = true;
    else if (size < 0 && errno != EINTR)
      return; /* EAGAIN */
  }
}

static int
batch_send(struct route_writer *w, struct route_batch *b)
{
  struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
  struct iovec iov = { .iov_base = b->buf, .iov_len = b->used };
  struct msghdr mh = { .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &iov, .msg_iovlen = 1 };

  if (!b->used)
    return 0;
  while (sendmsg(w->fd, &mh, 0) < 0)
    if (errno != EINTR)
      return errno;
  return 0;
}

/* What cannot be sent for another reason than memory never will be. */
static void
batch_refuse(struct route_batch *b, int error)
{
  b->error = error;
  for (uint i = 0; i < b->count; i++)
    if (!b->changes[i].error)
      b->changes[i].error = error;
}

static bool
batch_work(struct work *send UNUSED, void *data)
{
  struct route_writer *w = data;
  struct route_batch *b = SKIP_BACK(struct route_batch, n, list_first(&w->batches));
  int error = batch_send(w, b);

  if (error == EAGAIN || error == ENOBUFS || error == ENOMEM)
  {
    b->delayed++;
    timer_set_in(w->again, SEND_DELAY);
    return false;
  }
  if (error)
    batch_refuse(b, error);
  else
    answers_read(w, b);
  list_remove(&b->n);
  mailbox_post(w->back, &b->m);
  return !list_empty(&w->batches);
}

static void
batch_again(struct timer *t UNUSED, void *data)
{
  work_schedule(((struct route_writer *) data)->send);
}

static void
batch_came(struct msg *m, void *data)
{
  struct route_writer *w = data;

  list_add_tail(&w->batches, &SKIP_BACK(struct route_batch, m, m)->n);
  if (!timer_is_set(w->again))
    work_schedule(w->send);
}

/* --- In the main loop --- */

static void
route_writer_free(struct resource *r)
{
  struct route_writer *w = (struct route_writer *) r;
  struct route_batch *b;

  if (w->thread)
  {
    loop_stop(w->loop);
    thread_join(w->thread);
  }
  LIST_WALK_SAFE (b, &w->batches, n)
    msg_free(b);
  rfree(w->pool);
  close(w->fd);
}

static const struct resource_class route_writer_class = { .name = "Route writer",
                                                          .size = sizeof(struct route_writer),
                                                          .free = route_writer_free };

struct route_writer *
route_writer_new(pool *p, struct loop *l, int fd, struct mailbox *back)
{
  pool *inside = pool_new(p, "Route writer"); /* older than the object: it dies first, as in routes.c */
  struct route_writer *w = res_new(p, &route_writer_class);

  w->pool = inside;
  w->fd = fd;
  w->back = back;
  list_init(&w->batches);
  w->loop = loop_new(inside, "routes");
  if (w->loop)
  {
    w->batches_in = mailbox_new(inside, w->loop, batch_came, w);
    w->again = timer_new(inside, w->loop, batch_again, w);
    w->send = work_new(inside, w->loop, LOOP_REST, batch_work, w);
    w->thread = thread_start(inside, w->loop);
  }
  if (!w->thread)
  {
    rfree(w);
    return NULL;
  }
  thread_set_apart(w->thread, l);
  return w;
}

void
route_writer_post(struct route_writer *w, struct route_batch *b)
{
  mailbox_post(w->batches_in, &b->m);
}
