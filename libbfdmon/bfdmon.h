/*
 * bfdmon.h: watch BFD sessions of a Peregrine daemon, and ask for sessions of your own
 *
 * A handle is a connection to the socket of `protocol monitor` (bird.conf(5), bird-monitor(7)). It connects
 * when it is first used; when the connection is lost it says so, connects again by itself and subscribes to
 * all that it was subscribed to. Nothing here blocks but for the time that a timeout allows. There are no
 * threads and there is no global state: a handle may be used by one thread at a time, different handles by
 * different ones.
 *
 *   struct bfdmon *m = bfdmon_open(NULL);
 *   struct bfdmon_event ev;
 *
 *   bfdmon_subscribe(m, "192.0.2.1", NULL);
 *   while (bfdmon_next(m, &ev, -1) > 0)
 *     if (ev.kind == BFDMON_SESSION)
 *       printf("%s is %s\n", ev.session, bfdmon_state_name(ev.state));
 *
 * Functions that return int give 0 or more, or a negative errno. Memory is allocated for the handle, for what
 * is subscribed to, and for the longest line so far; at most BFDMON_LINE_MAX bytes. Times are microseconds.
 */
#ifndef BFDMON_H
#define BFDMON_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C"
{
#endif

#define BFDMON_VERSION_MAJOR 1
#define BFDMON_VERSION_MINOR 0

#define BFDMON_LINE_MAX (64 << 20)

  struct bfdmon;

  /*
   * bfdmon_open - a handle for the daemon at @where
   *
   * @where: the path of a Unix socket (with a slash in it), or "ADDRESS:PORT" or "[ADDRESS]:PORT" with a
   * numeric address; NULL: the path this library was built for. NULL, and errno: ENOMEM, or EINVAL for what
   * @where is not.
   */
  struct bfdmon *bfdmon_open(const char *where);

  /* Close the connection, which gives back all sessions that were asked for, and free the handle. NULL is
   * fine. */
  void bfdmon_close(struct bfdmon *m);

  /*
   * A descriptor that is readable when bfdmon_next() has something to do. It is the same as long as the
   * handle lives, and belongs to it.
   */
  int bfdmon_fd(const struct bfdmon *m);

  /* Is there a connection at present? */
  bool bfdmon_connected(const struct bfdmon *m);

  /* Events */

  enum bfdmon_kind
  {
    BFDMON_SESSION,      /* a session has changed, or (`initial`) this is how it is */
    BFDMON_PROTOCOL,     /* the same of a protocol: `session` is its name, `text` its state */
    BFDMON_SYNCHRONIZED, /* all initial states of "all" have been told */
    BFDMON_LOST,      /* we read too slowly: `count` events are lost, initial states of all sessions follow */
    BFDMON_REFUSED,   /* the daemon refuses something we asked for: `text`; `session`: the one, or NULL */
    BFDMON_CONNECTED, /* again or for the first time; initial states follow */
    BFDMON_DISCONNECTED, /* `text` says why; it is tried again */
  };

  enum bfdmon_state
  {
    BFDMON_CREATED,
    BFDMON_UP,
    BFDMON_DOWN,    /* the peer said so, the link was lost, or somebody wanted it so */
    BFDMON_EXPIRED, /* nothing was heard for the detection time */
    BFDMON_DESTROYED,
    BFDMON_UNKNOWN, /* `previous` of an initial state */
  };

  /* Texts are valid until the next call with this handle; those that make no sense for the kind are NULL. */
  struct bfdmon_event
  {
    enum bfdmon_kind kind;
    const char *session;
    enum bfdmon_state state, previous;
    bool initial;
    const char *bfd_state, *remote_state, *diagnostic,
        *verdict;                                       /* in words; verdict: why it is not up any more */
    uint32_t local_discriminator, remote_discriminator; /* 0: not known */
    int64_t wall_us, monotonic_us;                      /* when; since 1970, and CLOCK_MONOTONIC */
    uint64_t seq;
    unsigned count;
    const char *text;
    const char *json; /* the whole line, where it came from the daemon */
  };

  /*
   * bfdmon_next - the next event, waiting for it up to @timeout_ms (-1: for ever, 0: not at all)
   *
   * 1: there is one; 0: there is none in time. -EINTR when a signal came meanwhile.
   */
  int bfdmon_next(struct bfdmon *m, struct bfdmon_event *ev, int timeout_ms);

  /* Call @hook for each event that is there; does not wait. The hook may subscribe and unsubscribe. */
  typedef void bfdmon_hook(struct bfdmon *m, const struct bfdmon_event *ev, void *data);
  int bfdmon_dispatch(struct bfdmon *m, bfdmon_hook *hook, void *data);

  const char *bfdmon_state_name(enum bfdmon_state state);

  /* Sessions */

  /* What is asked of a session; zeroed members are left to others. Start with memset() or = { 0 }. */
  struct bfdmon_options
  {
    uint32_t min_rx, min_tx, idle_tx; /* us */
    uint8_t multiplier;
    uint8_t min_ttl;           /* of a multihop session */
    bool passive, multihop;    /* multihop: needs @local */
    bool admin_down, admin_up; /* one of them */
    const char *interface, *local;
    const char *authentication; /* a `key` of the daemon's configuration */
  };

  /*
   * Subscribe to "all", or to a session by one of its ids (bird-monitor(7)); one that does not exist is made.
   * The daemon's objections come as BFDMON_REFUSED. -EINVAL: no id, -ENOMEM. bfdmon_change() is for what was
   * asked of a session before; members that are zero stay as they were. -ENOENT: there is no such
   * subscription.
   */
  int bfdmon_subscribe(struct bfdmon *m, const char *session, const struct bfdmon_options *options);
  int bfdmon_unsubscribe(struct bfdmon *m, const char *session);
  int bfdmon_change(struct bfdmon *m, const char *session, const struct bfdmon_options *options);

  /* Have, or no longer have, states of protocols as events. */
  int bfdmon_protocols(struct bfdmon *m, bool wanted);

  /*
   * Questions. They wait for the answer up to @timeout_ms; events that come meanwhile are kept for
   * bfdmon_next(). -ETIMEDOUT; -ENOTCONN when the connection is lost or not to be had; -EPROTO when the
   * daemon refuses, and then bfdmon_error() says what.
   */

  /* The ids of all sessions: NULL at the end of the array, which is one piece of memory for free(). */
  int bfdmon_list(struct bfdmon *m, char ***sessions, int timeout_ms);

  /* All that is known of a session, or of "all": @hook is called with a JSON object for each. Returns how
   * many. */
  typedef void bfdmon_show_hook(const char *json, void *data);
  int bfdmon_show(struct bfdmon *m, const char *session, bfdmon_show_hook *hook, void *data, int timeout_ms);

  /*
   * Any other command of bird-monitor(7), as JSON without an id, which has one answer: @hook is called with
   * it. -EINVAL: this is no object.
   */
  int bfdmon_ask(struct bfdmon *m, const char *command, bfdmon_show_hook *hook, void *data, int timeout_ms);

  /* What went wrong last, in words; "" when nothing has. */
  const char *bfdmon_error(const struct bfdmon *m);

#ifdef __cplusplus
}
#endif

#endif
