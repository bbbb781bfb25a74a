/* libbfdmon/internal.h: what the files of the library share; see bfdmon.h */
#ifndef BFDMON_INTERNAL_H
#define BFDMON_INTERNAL_H

#include <jansson.h>
#include <stddef.h>
#include <sys/socket.h>

#include "bfdmon.h"

/* Received and not used yet, or to be sent: bytes from `pos` to `len`. */
struct buffer
{
  char *data;
  size_t pos, len, size;
};

int buffer_add(struct buffer *b, const void *data, size_t size); /* 0 or -ENOMEM */
void buffer_free(struct buffer *b);

/* What is to be said again on a new connection. */
struct subscription
{
  struct subscription *next;
  json_t *command;
  char session[];
};

/* A line that came while an answer was waited for. */
struct kept
{
  struct kept *next;
  char line[];
};

enum phase
{
  IDLE,       /* tried as soon as somebody waits */
  WAITING,    /* until the timer says so */
  CONNECTING, /* TCP */
  CONNECTED,
};

struct bfdmon
{
  struct sockaddr_storage address;
  socklen_t address_size;
  enum phase phase;
  int epoll, timer, fd; /* fd: -1 where there is none */
  unsigned delay_ms;    /* before the next attempt */
  struct buffer in, out;
  struct subscription *subscriptions;
  bool protocols;
  uint64_t last_id; /* of a command */
  struct kept *kept, **kept_end;
  bool tell_connected, tell_disconnected; /* events that are due */
  bool told_disconnected;                 /* since it was connected last */
  char error[256];
  /* what the last event refers to */
  json_t *event;
  char *line;
};

/* connect.c */
int connection_address(struct bfdmon *m, const char *where);
int connection_init(struct bfdmon *m); /* 0 or -errno */
void connection_free(struct bfdmon *m);
void connection_try(struct bfdmon *m); /* now, if there is none */
/* Do what can be done without waiting; 0 or -ENOMEM. */
int connection_work(struct bfdmon *m);
int connection_wait(struct bfdmon *m, int timeout_ms);  /* 1: there is work, 0: no; -EINTR */
int connection_send(struct bfdmon *m, json_t *command); /* nothing is sent while there is no connection */
/* The next whole line, which stays in the buffer until the next call; NULL: none. */
char *connection_line(struct bfdmon *m);

/* message.c */
json_t *message_subscribe(const char *verb, const char *session, const struct bfdmon_options *options);
void message_merge(json_t *command, json_t *with); /* what is set in @with counts */
/* Fills @ev from @object, which the handle keeps; false: this is no event. */
bool message_event(struct bfdmon *m, struct bfdmon_event *ev, json_t *object);

#endif
