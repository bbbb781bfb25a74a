/*
 * sysdep/health.h: what a thread suffers from its machine, as far as the kernel tells
 *
 * Main loop only: reading takes locks in the kernel, and longer the more processors there are. All but the
 * pressure are counters: read twice and compare. What cannot be read keeps its value, 0 at first.
 */
#ifndef PEREGRINE_SYSDEP_HEALTH_H
#define PEREGRINE_SYSDEP_HEALTH_H

#include "lib/pool.h"

struct health
{
  btime run_delay;   /* the thread was ready and had no processor */
  u64 udp_errors;    /* datagrams dropped in this network namespace: full queues, wrong checksums */
  u64 backlog_drops; /* packets dropped before any protocol saw them, by processors that are online */
  uint pressure;     /* 1/100 % of the last 10 s in which somebody waited for a processor */
};

struct health_probe;
struct health_probe *health_probe_new(pool *p, int tid); /* @tid: of a thread of this process */
void health_read(struct health_probe *h, struct health *now);

/* The texts of /proc, one by one; exported for tests. Each returns 0 when it finds nothing. */
btime health_run_delay(const char *schedstat);
u64 health_udp_errors(const char *snmp, const char *snmp6);
u64 health_backlog_drops(const char *softnet);
uint health_pressure(const char *psi);

#endif
