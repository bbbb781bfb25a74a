/* client/plain.h: front end for plain standard input, without line editing; a client_frontend */
#ifndef PEREGRINE_CLIENT_PLAIN_H
#define PEREGRINE_CLIENT_PLAIN_H

struct client;

int plain_run(struct client *c);

#endif
