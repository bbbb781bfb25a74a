/* sysdep/linux/health.c: see health.h. Texts under /proc, whose files stay open. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysdep/health.h"

enum source
{
  SCHEDSTAT,
  SNMP,
  SNMP6,
  SOFTNET,
  PRESSURE,
  SOURCE__MAX
};

#define TEXT_SIZE 8192

struct health_probe
{
  struct resource r;
  bool open;
  int fd[SOURCE__MAX];
  char text[TEXT_SIZE], text6[TEXT_SIZE];
};

static void
probe_free(struct resource *r)
{
  struct health_probe *h = (struct health_probe *) r;

  for (uint i = 0; h->open && i < SOURCE__MAX; i++)
    if (h->fd[i] >= 0)
      close(h->fd[i]);
}

static const struct resource_class probe_class = { .name = "Health probe",
                                                   .size = sizeof(struct health_probe),
                                                   .free = probe_free };

struct health_probe *
health_probe_new(pool *p)
{
  return res_new(p, &probe_class);
}

/* Late, since "thread-self" is the thread that opens. */
static void
probe_open(struct health_probe *h)
{
  static const char *const paths[SOURCE__MAX] = {
    [SCHEDSTAT] = "/proc/thread-self/schedstat", [SNMP] = "/proc/thread-self/net/snmp",
    [SNMP6] = "/proc/thread-self/net/snmp6",     [SOFTNET] = "/proc/thread-self/net/softnet_stat",
    [PRESSURE] = "/proc/pressure/cpu",
  };

  for (uint i = 0; i < SOURCE__MAX; i++)
    h->fd[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
  h->open = true;
}

/* The whole of a file, or nothing. */
static const char *
source_text(const struct health_probe *h, enum source which, char *text)
{
  ssize_t len = h->fd[which] < 0 ? -1 : pread(h->fd[which], text, TEXT_SIZE - 1, 0);

  text[MAX(len, 0)] = 0;
  return text;
}

btime
health_run_delay(const char *schedstat)
{
  unsigned long long ran, waited;

  return sscanf(schedstat, "%llu %llu", &ran, &waited) == 2 ? (btime) (waited / 1000) : 0;
}

/* A line of names and a line of values; InErrors is the third and counts full queues as well. */
static u64
udp_errors(const char *snmp)
{
  const char *names = strstr(snmp, "Udp: InDatagrams NoPorts InErrors");
  const char *values = names ? strstr(names + 1, "Udp: ") : NULL;
  unsigned long long errors;

  return values && sscanf(values, "Udp: %*u %*u %llu", &errors) == 1 ? errors : 0;
}

static u64
udp6_errors(const char *snmp6)
{
  const char *line = strstr(snmp6, "Udp6InErrors");
  unsigned long long errors;

  return line && sscanf(line, "Udp6InErrors %llu", &errors) == 1 ? errors : 0;
}

u64
health_udp_errors(const char *snmp, const char *snmp6)
{
  return udp_errors(snmp) + udp6_errors(snmp6);
}

/* A line for each processor; the second number, in hexadecimal like all, is what its queue had no room for.
 */
u64
health_backlog_drops(const char *softnet)
{
  u64 drops = 0;

  while (softnet && *softnet)
  {
    uint dropped;

    if (sscanf(softnet, "%*x %x", &dropped) == 1)
      drops += dropped;
    softnet = strchr(softnet, '\n');
    softnet += softnet ? 1 : 0;
  }
  return drops;
}

uint
health_pressure(const char *psi)
{
  uint whole, hundredths;

  return sscanf(psi, "some avg10=%u.%2u", &whole, &hundredths) == 2 ? whole * 100 + hundredths : 0;
}

void
health_read(struct health_probe *h, struct health *now)
{
  if (!h->open)
    probe_open(h);
  now->run_delay = health_run_delay(source_text(h, SCHEDSTAT, h->text));
  now->dropped = health_udp_errors(source_text(h, SNMP, h->text), source_text(h, SNMP6, h->text6));
  now->dropped += health_backlog_drops(source_text(h, SOFTNET, h->text));
  now->pressure = health_pressure(source_text(h, PRESSURE, h->text));
}
