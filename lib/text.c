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

static char *
wall_print(btime wall, const char *fmt, bool fraction, char *buf)
{
  time_t seconds = wall / 1000000;
  struct tm tm;

  localtime_r(&seconds, &tm);
  size_t len = strftime(buf, TIME_TEXT_SIZE, fmt, &tm);

  if (fraction)
    snprintf(buf + len, TIME_TEXT_SIZE - len, ".%03u", (uint) (wall / 1000 % 1000));
  return buf;
}

char *
wall_format(btime wall, char *buf)
{
  return wall_print(wall, "%Y-%m-%d %H:%M:%S", true, buf);
}

char *
since_format(btime wall, btime now, char *buf)
{
  if (now - wall < BT_S(20 * 3600))
    return wall_print(wall, "%H:%M:%S", true, buf);
  return wall_print(wall, "%Y-%m-%d", false, buf);
}
