/*
 * proto/monitor/monitor.h: private to the monitor protocol: programs that watch BFD sessions. Main loop only.
 *
 * monitor.c is the instance, listen.c has its sockets; sessions.c knows all sessions there are, events.c what
 * became of them lately; client.c is a connection, execute.c does what it asks for, request.c has the
 * sessions it wants, show.c and detail.c tell all about some of them, stats.c sums up. Pure: frame.c,
 * command.c, ident.c.
 */
#ifndef PEREGRINE_MONITOR_H
#define PEREGRINE_MONITOR_H

#include "lib/hash.h"
#include "nest/bfd_watch.h"
#include "nest/protocol.h"
#include "proto/monitor/command.h"
#include "proto/monitor/frame.h"

/* Configuration */

#define MON_PORT 5643
#define MON_QUEUE_LIMIT 10000  /* events */
#define MON_REQUEST_LIMIT 1000 /* sessions */

struct mon_listen_config
{
  struct node n;
  ip_addr addr;
  u16 port;
};

struct mon_prefix
{
  struct node n;
  struct prefix prefix;
};

/* Authentication that a monitor may name. */
struct mon_key
{
  struct node n;
  const char *name;
  struct bfd_options options;
};

struct monitor_config
{
  struct proto_config p;
  const char *socket; /* NULL: none */
  uint mode;
  struct list listens, allowed, keys;
  bool requests_given;
  uint request_limit; /* 0: none are taken */
  uint queue_limit;
  btime linger; /* BT_NEVER: a detection time */
};

/* Sessions */

struct mon_session
{
  struct node n;
  struct hnode by_remote, by_disc; /* by_disc: if it has one */
  const void *source;              /* as in the news */
  struct bfd_key key;
  struct bfd_status status;
  u32 local_disc, remote_disc;
  u8 verdict;
  u8 word; /* enum mon_word */
  btime at;
  char *quoted; /* its id, as JSON */
};

/* What a monitor calls the state of a session. */
enum mon_word
{
  MON_CREATED,
  MON_UP,
  MON_DOWN,
  MON_EXPIRED,
  MON_DESTROYED
};

/* An event: what happened to a session or, where there is none, to a protocol. */
struct mon_event
{
  u64 number;
  bool of_session, minor; /* minor: only for the other dialect */
  struct bfd_key key;
  u8 state; /* enum bfd_state */
  size_t size;
  char text[]; /* what follows `{"seq":N,`, with a newline at the end */
};

/* Connections */

struct mon_subscription
{
  struct node n;
  struct hnode by_remote;
  struct mon_ident ident;
  bool notify;                 /* it came in the other dialect, */
  struct mon_tuple tuple;      /* and so */
  struct mon_request *request; /* NULL: the session was there already */
};

struct mon_client
{
  struct node n;
  struct monitor *m;
  pool *pool;
  struct fd_watch *watch;
  struct work *work;
  bool tcp;
  bool eof;           /* nothing more will come */
  bool speaks_notify; /* the last thing it said was of the other dialect */
  bool is_behind;     /* as its list has it */
  char *in;
  size_t in_pos, in_len, in_size;
  struct mon_framer framer;
  char *out;
  size_t out_pos, out_len, out_size;
  /* what it wants to hear of */
  bool all, protocols;
  struct list subscriptions;
  struct htable by_remote; /* the same */
  uint subscription_count;
  u64 seq;   /* of the last event it was sent */
  u64 next;  /* while it is behind: number of the first event it has not been sent */
  uint lost; /* events that it would have been sent, had it read */
  /* sessions whose state it is still to be told: from here on, NULL: none */
  struct node *cursor;
  uint told;               /* so many have been */
  struct mon_show *show;   /* that is not finished; NULL: none */
  struct mon_stats *stats; /* likewise */
  struct node *list;       /* the same of `list`: the next session */
  json_t *list_tag;
  bool list_first;
};

struct monitor
{
  struct proto p;
  /* sessions.c */
  struct list sessions; /* struct mon_session, the oldest first */
  struct htable by_remote, by_disc;
  uint session_count;
  /* events.c: a ring of the last ones, from `first` up to `next` */
  struct mon_event **events;
  uint event_limit;
  u64 first, next;
  /* monitor.c */
  struct list listeners;
  struct list idle, behind; /* struct mon_client: those who have been told all events, and the others */
  struct timer *retry;      /* of listeners that could not be opened */
  uint client_count;
  struct log_limit limit;
  u64 accepted, refused, lost; /* connections; events */
  /* request.c */
  struct list requests, lingering; /* struct mon_request, the oldest first */
  struct htable requests_by_remote;
  uint request_count; /* of both */
};

#define FOR_MON_CLIENTS(c, m)           \
  for (uint set_ = 0; set_ < 2; set_++) \
    LIST_WALK (c, set_ ? &(m)->behind : &(m)->idle, n)

static inline const struct monitor_config *
monitor_config_of(const struct monitor *m)
{
  return (const struct monitor_config *) m->p.cf;
}

/* sessions.c */
void mon_sessions_start(struct monitor *m);
const struct mon_session *mon_session_of_disc(const struct monitor *m, u32 local_disc);
/* The next session after @s that @id means, NULL: the first. */
const struct mon_session *mon_session_match(const struct monitor *m, const struct mon_ident *id,
                                            const struct mon_session *s);
const char *mon_session_word(const struct mon_session *s);
/* An event that says how @s is, as in struct mon_event; returns its length. */
#define MON_EVENT_SIZE 1024
size_t mon_session_text(const struct mon_session *s, const char *previous, char *buf);

/* events.c */
void mon_events_start(struct monitor *m);
void mon_events_resize(struct monitor *m); /* the limit is another one */
/* Up to @max of those that everybody has been told. */
void mon_events_drop(struct monitor *m, uint max);
/* NULL: there is none of that number yet. */
const struct mon_event *mon_event_at(const struct monitor *m, u64 number);
/* @key NULL: of a protocol */
void mon_event_new(struct monitor *m, const struct bfd_key *key, u8 state, bool minor, const char *text,
                   size_t size);

/* listen.c */
void mon_listen_start(struct monitor *m);
void mon_listen_follow(struct monitor *m);               /* the configuration is another one */
void mon_listen_stop(struct monitor *m);                 /* sockets of files are removed */
const char *mon_listen_problem(const struct monitor *m); /* NULL: none */
void mon_listen_show(const struct monitor *m, struct cli *cli);

/* request.c: sessions somebody asked for */
struct mon_request;
void mon_requests_start(struct monitor *m);
void mon_requests_stop(struct monitor *m);
/* NULL: not to be had, with @error filled. */
struct mon_request *mon_request_new(struct monitor *m, const struct mon_ident *id,
                                    const struct mon_wish *wish, struct mon_error *error);
bool mon_request_change(struct monitor *m, struct mon_request *r, const struct mon_wish *wish,
                        struct mon_error *error);
void mon_request_leave(struct monitor *m, struct mon_request *r); /* it goes after a while */
/* Is there one, lingering or not, for that address? */
bool mon_request_for(const struct monitor *m, ip_addr remote);
void mon_requests_follow(struct monitor *m); /* the configuration is another one */

/* client.c */
struct mon_client *mon_client_new(struct monitor *m, int fd, bool tcp);
void mon_client_free(struct mon_client *c);
void mon_client_event(struct mon_client *c, const struct mon_event *ev);  /* a new one; it is idle */
void mon_client_forget(struct mon_client *c, const struct mon_event *ev); /* it goes, read or not */
void mon_client_session_gone(struct mon_client *c, const struct mon_session *s);
/* Send a line: an object, with what the command it answers had as `id`. Takes @object over. */
void mon_client_say(struct mon_client *c, json_t *object, json_t *tag);
void mon_client_text(struct mon_client *c, const char *text, size_t size);
/* Send an event, with its number, @more members, and @text as in struct mon_event. */
void mon_client_tell(struct mon_client *c, const char *more, const char *text, size_t size);
/* Tell how sessions are: @s, for one of the subscriptions; all it has subscribed to. */
void mon_client_state(struct mon_client *c, const struct mon_session *s, const struct mon_subscription *sub);
void mon_client_states(struct mon_client *c);
void mon_client_wake(struct mon_client *c); /* there may be something to send */

/* execute.c */
void mon_execute(struct mon_client *c, struct mon_command *command, struct mon_error *error);
bool mon_list_next(struct mon_client *c); /* go on with `list`; false: there is none */
void mon_tell_protocols(struct mon_client *c);
void mon_refuse(struct mon_client *c, const struct mon_command *command, const struct mon_error *error);
size_t mon_protocol_text(const struct proto *p, char *buf); /* into MON_EVENT_SIZE, as mon_session_text() */
void mon_unsubscribe(struct mon_client *c, struct mon_subscription *s);

/* show.c */
void mon_show(struct mon_client *c, const struct mon_command *command);
bool mon_show_next(struct mon_client *c); /* false: nothing to do now */
void mon_show_session_gone(struct mon_client *c, const struct mon_session *s);
void mon_show_free(struct mon_client *c);

/* stats.c */
void mon_stats(struct mon_client *c, const struct mon_command *command);
bool mon_stats_next(struct mon_client *c); /* false: nothing to do now */
void mon_stats_free(struct mon_client *c);

/* detail.c */
/* Numbers by name, those that are not 0. */
#define MON_COUNTS(counts, max, name)                                       \
  ({                                                                        \
    json_t *object_ = json_object();                                        \
                                                                            \
    for (uint i_ = 0; i_ < (max); i_++)                                     \
      if ((counts)[i_])                                                     \
        json_object_set_new(object_, name(i_), json_integer((counts)[i_])); \
    object_;                                                                \
  })
/* Pairs: less than so many us (0: however many), and how many there were. */
json_t *mon_histogram(const u64 bucket[BFD_GAP_BUCKETS]);
/* @word: its state, as events name it */
json_t *mon_detail(const char *word, const struct bfd_details *d);

extern const struct proto_class proto_monitor;

#endif
