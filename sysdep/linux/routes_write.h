/*
 * sysdep/linux/routes_write.h: a thread that has the kernel carry out batches of route changes
 *
 * The kernel works on a batch before sendmsg() returns, and now and then it waits for its RCU readers
 * meanwhile; while it doubles or halves its table it keeps the processor to itself, for up to half a second
 * at a million routes. So this is no work for a loop that has other things to do, and the thread is set apart
 * (thread_set_apart()). A batch is a message: the main loop fills it, the thread notes in it what became of
 * each change and posts it back.
 */
#ifndef PEREGRINE_SYSDEP_LINUX_ROUTES_WRITE_H
#define PEREGRINE_SYSDEP_LINUX_ROUTES_WRITE_H

#include <linux/netlink.h>

#include "lib/ip.h"
#include "sysdep/loop.h"

/* Some 200 us of work for the kernel, half a millisecond if each is an IPv6 route with two next hops. Larger
   batches hardly save time. The room is for routes with many next hops. */
#define ROUTE_BATCH_CHANGES 64
#define ROUTE_BATCH_SIZE 32768
#define ROUTE_REFUSAL_TEXT 128

struct route_change
{
  u64 cookie;
  struct prefix dst;
  bool removing;
  /* What became of it. */
  int error;                     /* errno; 0: done */
  char text[ROUTE_REFUSAL_TEXT]; /* the kernel's explanation, or empty */
};

struct route_batch
{
  struct msg m;
  struct node n; /* in a list of whoever holds it */
  uint count;
  u32 first_seq; /* of the first change; the others count on */
  size_t used;   /* 0: nothing to be sent */
  struct route_change changes[ROUTE_BATCH_CHANGES];
  /* What became of it. */
  int error;    /* why nothing could be sent, and all are refused; or 0 */
  uint delayed; /* attempts without memory */
  bool lost;    /* some refusals are missing */
  byte buf[ROUTE_BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO))); /* requests, one after the other */
};

struct route_writer;

/*
 * Main loop only, which is @l. The thread reads and writes @fd, a socket for rtnetlink that does not block
 * and has nothing else in its queue, which this takes over. Batches come to @back, in order; all are
 * route_batch. NULL, and @fd closed, when the system has no thread or descriptors left.
 *
 * rfree() waits until the kernel is done with the batch it is at; the others are freed, not carried out.
 * @back must live until then.
 */
struct route_writer *route_writer_new(pool *p, struct loop *l, int fd, struct mailbox *back);

/* Carry @b out, which is taken over until it comes back. It does so in any case. */
void route_writer_post(struct route_writer *w, struct route_batch *b);

#endif
