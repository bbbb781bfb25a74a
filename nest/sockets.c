/* nest/sockets.c: see sockets.h */
#include <string.h>

#include "nest/sockets.h"
#include "sysdep/log.h"

struct open_socket
{
  struct node n;
  char *path;
  bool restricted, wanted;
  struct cli_server *server;
};

static struct
{
  pool *pool;
  struct loop *loop;
  struct config *(*get_config)(void);
  struct list open;
} socks;

void
sockets_init(pool *p, struct loop *l, struct config *(*get_config)(void) )
{
  socks.pool = p;
  socks.loop = l;
  socks.get_config = get_config;
  list_init(&socks.open);
}

static struct open_socket *
socket_find(const struct cli_socket *s)
{
  struct open_socket *o;

  LIST_WALK (o, &socks.open, n)
    if (strcmp(o->path, s->path) == 0 && o->restricted == s->restricted)
      return o;
  return NULL;
}

static bool
socket_open(const struct cli_socket *s)
{
  int error;
  struct cli_server *server =
      cli_listen(socks.pool, socks.loop, s->path, s->restricted, socks.get_config, &error);

  if (!server)
  {
    log_write(L_ERR, "Cannot open control socket %s: %s", s->path, strerror(error));
    return false;
  }

  struct open_socket *o = mb_alloc(socks.pool, sizeof(*o));

  o->path = mb_strdup(socks.pool, s->path);
  o->restricted = s->restricted;
  o->server = server;
  list_add_tail(&socks.open, &o->n);
  return true;
}

static void
socket_close(struct open_socket *o)
{
  list_remove(&o->n);
  rfree(o->server);
  mb_free(o->path);
  mb_free(o);
}

/* First those that go: one of the same path may come. */
static void
close_unwanted(const struct config *cfg)
{
  struct open_socket *o;

  LIST_WALK (o, &socks.open, n)
    o->wanted = false;
  for (const struct cli_socket *s = cfg->cli_sockets; s; s = s->next)
    if ((o = socket_find(s)))
      o->wanted = true;
  LIST_WALK_SAFE (o, &socks.open, n)
    if (!o->wanted)
      socket_close(o);
}

bool
sockets_configure(const struct config *cfg)
{
  bool all = true;

  close_unwanted(cfg);
  for (const struct cli_socket *s = cfg->cli_sockets; s; s = s->next)
    if (!socket_find(s))
      all &= socket_open(s);
  return all;
}
