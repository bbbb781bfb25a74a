/* lib/text.c: see text.h */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "lib/text.h"

char *
time_format(btime t, char *buf)
{
  const char *sign = t < 0 ? "-" : "";
  u64 ms = (t < 0 ? -(u64) t : (u64) t) / 1000;

  snprintf(buf, TIME_TEXT_SIZE, "%s%" PRIu64 ".%03u", sign, ms / 1000, (uint) (ms % 1000));
  return buf;
}

/* Moments */

const struct timeformat timeformat_iso_short_ms = { "%H:%M:%S.%3f", "%Y-%m-%d", BT_S(20 * 3600) };
const struct timeformat timeformat_iso_long_ms = { .recent = "%Y-%m-%d %H:%M:%S.%3f" };

#define EXPANDED_SIZE 512

/* %f is ours, everything else strftime's. False: too long. */
static bool
expand_fraction(const char *fmt, uint us, char out[EXPANDED_SIZE])
{
  static const uint scale[] = { 0, 100000, 10000, 1000, 100, 10, 1 };
  size_t len = 0;

  while (*fmt && len < EXPANDED_SIZE - 8)
  {
    uint width = fmt[0] == '%' && fmt[1] >= '1' && fmt[1] <= '6' ? fmt[1] - '0' : 0;

    if (width && fmt[2] == 'f')
    {
      len += sprintf(out + len, "%0*u", (int) width, us / scale[width]);
      fmt += 3;
    }
    else if (fmt[0] == '%' && fmt[1] == 'f')
    {
      len += sprintf(out + len, "%06u", us);
      fmt += 2;
    }
    else
    {
      if (*fmt == '%' && fmt[1])
        out[len++] = *fmt++; /* %% and the like are one thing */
      out[len++] = *fmt++;
    }
  }
  out[len] = 0;
  return !*fmt;
}

static bool
wall_print(const char *fmt, btime wall, char *buf, size_t size)
{
  time_t seconds = wall / 1000000;
  char expanded[EXPANDED_SIZE];
  struct tm tm;

  localtime_r(&seconds, &tm);
  return expand_fraction(fmt, wall % 1000000, expanded) && strftime(buf, size, expanded, &tm) > 0;
}

char *
timeformat_print(const struct timeformat *f, btime wall, btime now, char *buf, size_t size)
{
  bool recent = !f->old || now - wall < f->limit;

  if (!wall_print(recent ? f->recent : f->old, wall, buf, size))
    snprintf(buf, size, "?");
  return buf;
}

bool
timeformat_fits(const char *fmt)
{
  char buf[TIMEFORMAT_SIZE];

  /* Wednesday, 30 September: the longest names */
  if (!wall_print(fmt, BT_S(1790769599), buf, sizeof(buf)))
    return false;
  for (const byte *c = (byte *) buf; *c; c++)
    if (*c < ' ' || *c == 127) /* %n would break lines in two */
      return false;
  return true;
}

char *
wall_format(btime wall, char *buf)
{
  return timeformat_print(&timeformat_iso_long_ms, wall, wall, buf, TIME_TEXT_SIZE);
}

char *
since_format(btime wall, btime now, char *buf)
{
  return timeformat_print(&timeformat_iso_short_ms, wall, now, buf, TIME_TEXT_SIZE);
}
