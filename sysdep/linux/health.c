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

#define TEXT_SIZE 16384 /* 120 processors; the rest is not counted */
#define TEXT_PART 4096  /* some files give no more at a time */

struct health_probe
{
  struct resource r;
  int fd[SOURCE__MAX];
  char text[TEXT_SIZE], text6[TEXT_SIZE];
};

static void
probe_free(struct resource *r)
{
  struct health_probe *h = (struct health_probe *) r;

  for (uint i = 0; i < SOURCE__MAX; i++)
    if (h->fd[i] >= 0)
      close(h->fd[i]);
}

static const struct resource_class probe_class = { .name = "Health probe",
                                                   .size = sizeof(struct health_probe),
                                                   .free = probe_free };

struct health_probe *
health_probe_new(pool *p, int tid)
{
  struct health_probe *h = res_new(p, &probe_class);
  char schedstat[64];
  const char *paths[SOURCE__MAX] = {
    [SCHEDSTAT] = schedstat,           [SNMP] = "/proc/self/net/snmp",
    [SNMP6] = "/proc/self/net/snmp6",  [SOFTNET] = "/proc/self/net/softnet_stat",
    [PRESSURE] = "/proc/pressure/cpu",
  };

  snprintf(schedstat, sizeof(schedstat), "/proc/self/task/%d/schedstat", tid);
  for (uint i = 0; i < SOURCE__MAX; i++)
    h->fd[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
  return h;
}

/* All of a file that fits; NULL where nothing can be read. */
static const char *
source_text(const struct health_probe *h, enum source which, char *text)
{
  ssize_t len = 0, part;

  do
  {
    part = h->fd[which] < 0 ? -1 : pread(h->fd[which], text + len, MIN(TEXT_SIZE - 1 - len, TEXT_PART), len);
    len += MAX(part, 0);
  } while (part > 0 && len < TEXT_SIZE - 1);
  text[len] = 0;
  return part >= 0 && len ? text : NULL;
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
  const char *text, *text6;

  if ((text = source_text(h, SCHEDSTAT, h->text)))
    now->run_delay = health_run_delay(text);
  if ((text = source_text(h, SNMP, h->text)))
  {
    text6 = source_text(h, SNMP6, h->text6);
    now->udp_errors = health_udp_errors(text, text6 ? text6 : "");
  }
  if ((text = source_text(h, SOFTNET, h->text)))
    now->backlog_drops = health_backlog_drops(text);
  if ((text = source_text(h, PRESSURE, h->text)))
    now->pressure = health_pressure(text);
}
