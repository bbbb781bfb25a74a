/* client/duration.c: see duration.h */
#include <stdlib.h>
#include <string.h>

#include "client/duration.h"

static bool
unit_of(const char *text, btime *unit)
{
  if (!text[0] || strcmp(text, "ms") == 0)
    *unit = BT_MS(1);
  else if (strcmp(text, "us") == 0)
    *unit = BT_US(1);
  else if (strcmp(text, "s") == 0)
    *unit = BT_S(1);
  else
    return false;
  return true;
}

bool
duration_parse(const char *text, btime min, btime max, btime *t)
{
  char *end;
  double value = strtod(text, &end);
  btime unit;

  /* strtod() takes more than people mean: signs, blanks, hexadecimal, nan */
  if (text[0] < '0' || text[0] > '9' || strpbrk(text, "xXeEpP") || !unit_of(end, &unit))
    return false;
  value *= unit;
  if (value < min || value > max)
    return false;
  *t = value;
  return true;
}
