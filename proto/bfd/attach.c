/*
 * proto/bfd/attach.c: the program that takes packets off interfaces, main-loop side
 *
 * It is loaded when a session first wants to be offloaded, and is at those interfaces where one does. What
 * cannot be had costs a line in the log and nothing else: packets come through sockets. See sysdep/offload.h
 * and offload.c.
 *
 * The kernel takes its time for all that, some 10 ms for each step, so a thread of ours waits for it.
 */
#include <errno.h>
#include <string.h>

#include "proto/bfd/bfd.h"
#include "sysdep/offload.h"

#define SLOTS 32768 /* sessions; 192 bytes each */

/* An interface with sessions that want it. */
struct port
{
  struct node n;
  uint ifindex, sessions;
  char name[BFD_IFNAME_SIZE];
  u64 job;  /* that tells */
  int hook; /* enum offload_hook, or -errno; NONE: not known yet */
};

enum job_kind
{
  JOB_LOAD,
  JOB_ATTACH,
  JOB_DETACH,
  JOB_RING,
  JOB_RING_FREE,
  JOB_END
};

/* To the thread, and back when it is done. */
struct job
{
  struct msg m;
  enum job_kind kind;
  u64 number;
  uint ifindex, engine;
  struct offload_ring *ring;
  int result;
};

/* What belongs to the thread. */
struct worker
{
  pool *pool;
  struct mailbox *done;
  struct offload *offload; /* NULL: it could not be loaded */
  struct offload_ring *ring[OFFLOAD_RINGS_MAX];
};

struct bfd_attach
{
  struct bfd_proto *p;
  struct loop *loop;
  pool *loop_pool;
  struct mailbox *jobs, *done;
  struct thread *thread;
  u64 last_job;
  bool ending;
  struct list ports;
};

/* --- In the thread --- */

static int
make_ring(struct worker *w, struct job *job)
{
  uint number = 0;

  while (number < OFFLOAD_RINGS_MAX && w->ring[number])
    number++;
  if (!w->offload || number == OFFLOAD_RINGS_MAX)
    return 0; /* the reason was told before; or there are others that end soon */
  job->ring = w->ring[number] = offload_ring_new(NULL, w->offload, number);
  return job->ring ? 0 : -ENOMEM;
}

static void
free_ring(struct worker *w, struct offload_ring *ring)
{
  for (uint i = 0; i < OFFLOAD_RINGS_MAX; i++)
    if (w->ring[i] == ring)
      w->ring[i] = NULL;
  rfree(ring);
}

static void
work(struct msg *m, void *data)
{
  struct worker *w = data;
  struct job *job = SKIP_BACK(struct job, m, m);

  switch (job->kind)
  {
  case JOB_LOAD:
    w->offload = offload_new(w->pool, OFFLOAD_RINGS_MAX, SLOTS, &job->result);
    break;
  case JOB_ATTACH:
    job->result = w->offload ? offload_attach(w->offload, job->ifindex) : OFFLOAD_NONE;
    break;
  case JOB_DETACH:
    if (w->offload)
      offload_detach(w->offload, job->ifindex);
    break;
  case JOB_RING:
    job->result = make_ring(w, job);
    break;
  case JOB_RING_FREE:
    free_ring(w, job->ring);
    break;
  case JOB_END:
    for (uint i = 0; i < OFFLOAD_RINGS_MAX; i++)
      rfree(w->ring[i]); /* made, and not given to anybody any more */
    rfree(w->offload);
  }
  mailbox_post(w->done, &job->m);
}

/* --- Jobs --- */

/* Its number. */
static u64
job_post(struct bfd_attach *a, enum job_kind kind, struct job with)
{
  struct job *job = msg_alloc(sizeof(*job));

  *job = with;
  job->kind = kind;
  job->number = ++a->last_job;
  mailbox_post(a->jobs, &job->m);
  return a->last_job;
}

static const char *
why_not(int error)
{
  if (error == -EPERM || error == -EACCES)
    return "it takes CAP_BPF and CAP_NET_ADMIN";
  return error == -EOPNOTSUPP ? "this kernel or this build has no support for it" : strerror(-error);
}

static void
loaded(struct bfd_attach *a, const struct job *job)
{
  if (job->result)
    log_write(L_WARN, "%s: Packets are received from sockets, for they cannot be offloaded: %s", a->p->p.name,
              why_not(job->result));
}

static struct port *
find_port(const struct bfd_attach *a, uint ifindex)
{
  struct port *port;

  LIST_WALK (port, &a->ports, n)
    if (port->ifindex == ifindex)
      return port;
  return NULL;
}

static void
attached(struct bfd_attach *a, const struct job *job)
{
  struct port *port = find_port(a, job->ifindex);

  if (!port || port->job != job->number || !job->result)
    return;
  port->hook = job->result;
  bfd_sync_all(a->p);
  if (port->hook < 0)
    log_write(L_WARN, "%s: Packets on %s are received from sockets, for they cannot be offloaded: %s",
              a->p->p.name, port->name, why_not(port->hook));
  else
    log_write(L_INFO, "%s: Packets on %s are offloaded by %s", a->p->p.name, port->name,
              offload_hook_name(port->hook));
}

/* The engine that it was made for may have gone, and another come in its place. */
static void
ring_made(struct bfd_attach *a, const struct job *job)
{
  struct bfd_proto *p = a->p;
  bool there = job->engine < bfd_engines_listening(p) && !p->team->quit &&
               p->team->member[job->engine]->ring_job == job->number;

  if (job->result)
    log_write(L_WARN, "%s: Packets of thread %u are received from sockets: %s", p->p.name, job->engine + 1,
              strerror(-job->result));
  if (a->ending)
    return;
  if (there)
  {
    struct bfd_offload_cmd *cmd = msg_alloc(sizeof(*cmd));

    cmd->msg.kind = BFD_OFFLOAD;
    cmd->ring = job->ring;
    bfd_post_engine(p, job->engine, &cmd->msg);
  }
  else
    bfd_attach_ring_back(p, job->ring);
}

static void
ended(struct bfd_attach *a)
{
  struct bfd_proto *p = a->p;

  loop_stop(a->loop);
  thread_join(a->thread);
  rfree(a->loop_pool);
  p->attach = NULL;
  bfd_stopped(p);
}

static void
job_done(struct msg *m, void *data)
{
  struct bfd_attach *a = data;
  struct job *job = SKIP_BACK(struct job, m, m);
  bool end = job->kind == JOB_END;

  if (job->kind == JOB_LOAD)
    loaded(a, job);
  else if (job->kind == JOB_ATTACH)
    attached(a, job);
  else if (job->kind == JOB_RING)
    ring_made(a, job);
  msg_free(job);
  if (end)
    ended(a);
}

/* --- The thread --- */

static bool
thread_of(struct bfd_attach *a)
{
  struct worker *w = mb_alloc(a->loop_pool, sizeof(*w));

  a->loop = loop_new(a->loop_pool, "offload");
  if (!a->loop)
    return false;
  w->pool = a->loop_pool;
  w->done = a->done = mailbox_new(a->p->p.pool, a->p->p.loop, job_done, a);
  a->jobs = mailbox_new(a->loop_pool, a->loop, work, w);
  a->thread = thread_start(a->p->p.pool, a->loop);
  return a->thread;
}

static bool
start(struct bfd_proto *p)
{
  if (p->attach_failed)
    return false;

  struct bfd_attach *a = mb_alloc(p->p.pool, sizeof(*a));

  a->p = p;
  list_init(&a->ports);
  a->loop_pool = pool_new(NULL, "Offload");
  if (!thread_of(a))
  {
    log_write(L_ERR, "%s: Packets are received from sockets, for there is no thread to offload them",
              p->p.name);
    rfree(a->done);
    rfree(a->loop_pool);
    mb_free(a);
    p->attach_failed = true;
    return false;
  }
  p->attach = a;
  job_post(a, JOB_LOAD, (struct job){ 0 });
  for (uint i = 0; i < bfd_engines_running(p); i++)
    bfd_attach_engine(p, i);
  return true;
}

void
bfd_attach_stop(struct bfd_proto *p)
{
  if (!p->attach)
  {
    bfd_stopped(p);
    return;
  }
  p->attach->ending = true;
  job_post(p->attach, JOB_END, (struct job){ 0 });
}

/* --- Engines --- */

void
bfd_attach_engine(struct bfd_proto *p, uint engine)
{
  if (p->attach)
    p->team->member[engine]->ring_job = job_post(p->attach, JOB_RING, (struct job){ .engine = engine });
}

void
bfd_attach_ring_back(struct bfd_proto *p, struct offload_ring *ring)
{
  if (ring)
    job_post(p->attach, JOB_RING_FREE, (struct job){ .ring = ring });
}

/* --- Interfaces --- */

void
bfd_attach_leave(struct bfd_proto *p, struct bfd_shared *s)
{
  struct port *port = s->attached ? find_port(p->attach, s->attached) : NULL;

  s->attached = 0;
  if (!port || --port->sessions)
    return;
  job_post(p->attach, JOB_DETACH, (struct job){ .ifindex = port->ifindex });
  list_remove(&port->n);
  mb_free(port);
}

static struct port *
port_new(struct bfd_proto *p, uint ifindex, const char *name)
{
  struct port *port = mb_alloc(p->p.pool, sizeof(*port));

  port->ifindex = ifindex;
  strcpy(port->name, name);
  list_add_tail(&p->attach->ports, &port->n);
  port->job = job_post(p->attach, JOB_ATTACH, (struct job){ .ifindex = ifindex });
  return port;
}

/*
 * Where it is to be offloaded. It stays where it is as long as the interface does: there are drivers that
 * lose the carrier when the program comes or goes.
 */
static uint
wanted_at(const struct bfd_shared *s)
{
  const struct iface *there = s->attached ? iface_find_index(s->attached) : NULL;

  if (s->key.hop != BFD_DIRECT || !s->params.offload)
    return 0;
  if (s->path.usable)
    return s->path.ifindex;
  return there && strcmp(there->name, s->key.ifname) == 0 ? s->attached : 0;
}

bool
bfd_attach_follow(struct bfd_proto *p, struct bfd_shared *s)
{
  uint ifindex = wanted_at(s);
  struct port *port;

  if (ifindex != s->attached)
    bfd_attach_leave(p, s);
  if (!ifindex || !(p->attach || start(p)))
    return false;
  port = find_port(p->attach, ifindex);
  if (!port)
    port = port_new(p, ifindex, s->key.ifname);
  if (!s->attached)
    port->sessions++;
  s->attached = ifindex;
  return port->hook > 0;
}

const char *
bfd_attach_name(const struct bfd_proto *p, const struct bfd_shared *s)
{
  struct port *port = s->attached ? find_port(p->attach, s->attached) : NULL;

  return port && port->hook > 0 ? offload_hook_name(port->hook) : "nothing";
}
