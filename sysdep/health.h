/*
 * sysdep/health.h: what a thread suffers from its machine, as far as the kernel tells
 *
 * All but the pressure are counters that only grow: read twice and compare. What a kernel does not tell stays
 * 0. Everything belongs to the thread that reads first. A reading takes some ten microseconds and waits for
 * nothing.
 */
#ifndef PEREGRINE_SYSDEP_HEALTH_H
#define PEREGRINE_SYSDEP_HEALTH_H

#include "lib/pool.h"

struct health
{
  btime run_delay; /* the thread was ready and had no processor */
  u64 dropped;   /* packets: datagrams in this network namespace, and what was dropped before any protocol */
  uint pressure; /* 1/100 % of the last 10 s in which somebody waited for a processor */
};

struct health_probe;
struct health_probe *health_probe_new(pool *p);
void health_read(struct health_probe *h, struct health *now);

/* The texts of /proc, one by one; exported for tests. Each returns 0 when it finds nothing. */
btime health_run_delay(const char *schedstat);
u64 health_udp_errors(const char *snmp, const char *snmp6);
u64 health_backlog_drops(const char *softnet);
uint health_pressure(const char *psi);

#endif
