/*
 * web/http.h: what browsers and Prometheus ask for, by libmicrohttpd without threads of its own
 */
#ifndef PEREGRINE_WEB_HTTP_H
#define PEREGRINE_WEB_HTTP_H

#include "lib/pool.h"
#include "web/state.h"

struct http;

/*
 * Serve on @local and @port. @questions: a connection to the daemon for what the state does not have, other
 * than the one that feeds it. NULL, with the reason in errno, when that cannot be.
 */
struct http *http_new(pool *p, ip_addr local, u16 port, struct state *state, struct bfdmon *questions);
void http_free(struct http *h);

/* Readable when http_work() has something to do; and how long it may be left alone, in ms, -1 for ever. */
int http_fd(const struct http *h);
int http_timeout(struct http *h);
void http_work(struct http *h);

/* There is something new in the stream, or nothing has been for a while. */
void http_wake_streams(struct http *h, bool ping);

#endif
