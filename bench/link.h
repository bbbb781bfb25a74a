/* bench/link.h: an interface the simulator sends and hears frames on, past the IP stack of its namespace. */
#ifndef PEREGRINE_BENCH_LINK_H
#define PEREGRINE_BENCH_LINK_H

#include "lib/types.h"

struct link;

struct link_frame
{
  const byte *data; /* valid until the next call */
  size_t size;
  btime arrival; /* monotonic, from the kernel */
};

btime clock_monotonic(void);

/* Ends the program when the device cannot be opened. It lasts until the program ends. */
struct link *link_open(const char *device);

/* The next frame, oldest first; false when none waits. */
bool link_next(struct link *l, struct link_frame *f);

/**
 * link_add - room for one frame to send
 * @size: its length, at most LINK_FRAME
 * @sent: borrowed until link_flush(), which writes when it was sent: the start of the call that sends some of
 *        them, so that nothing that is measured from there looks earlier than it was
 */
#define LINK_FRAME 66
byte *link_add(struct link *l, btime *sent);
void link_flush(struct link *l);

/* Frames the kernel had no room for, and frames it did not send, since the start. */
u64 link_drops(struct link *l);
u64 link_send_errors(const struct link *l);

#endif
