/* conf/value.c: see value.h */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/value.h"

const char *
cf_type_name(enum cf_type type)
{
  static const char *const names[] = {
    "a number",     "a boolean", "a string", "an IP address", "a prefix", "a pair", "a route distinguisher",
    "a byte string"
  };

  return names[type];
}

/* Route distinguishers: RFC 4364 4.2 */

enum
{
  RD_AS2,
  RD_IP,
  RD_AS4
};

static bool
part_parse(const char *text, u64 limit, u64 *part)
{
  char *end;
  u64 n = strtoull(text, &end, 10);

  *part = n;
  return *end == 0 && strlen(text) <= 10 && n <= limit;
}

/* The administrator, and the type it needs unless @type was given. */
static bool
administrator_parse(const char *text, int *type, u64 *admin)
{
  ip_addr ip;
  bool dotted = strchr(text, '.');

  if (dotted)
  {
    if (*type >= 0 && *type != RD_IP)
      return false;
    *type = RD_IP;
    if (!ip_parse(text, &ip))
      return false;
    *admin = ip_to_u32(ip);
    return true;
  }
  if (*type == RD_IP || !part_parse(text, *type == RD_AS2 ? 0xffff : U32_MAX, admin))
    return false;
  if (*type < 0)
    *type = *admin > 0xffff ? RD_AS4 : RD_AS2;
  return true;
}

bool
rd_parse(const char *text, u64 *rd)
{
  char buf[80], *admin_text = buf, *number_text = NULL;
  int type = -1;
  u64 admin, number;

  if (strlen(text) >= sizeof(buf))
    return false;
  strcpy(buf, text);
  number_text = strrchr(buf, ':');
  *number_text++ = 0;
  if ((admin_text = strchr(buf, ':')))
  {
    *admin_text++ = 0;
    type = atoi(buf);
  }
  else
    admin_text = buf;

  if (!administrator_parse(admin_text, &type, &admin) ||
      !part_parse(number_text, type == RD_AS2 ? U32_MAX : 0xffff, &number))
    return false;
  *rd = (u64) type << 48 | (type == RD_AS2 ? admin << 32 : admin << 16) | number;
  return true;
}

char *
rd_format(u64 rd, char *buf)
{
  uint type = rd >> 48;
  u32 admin = rd >> 16, number = rd & 0xffff;

  if (type == RD_AS2)
    snprintf(buf, RD_TEXT_SIZE, "%u:%u", (uint) (rd >> 32 & 0xffff), (u32) rd);
  else if (type == RD_IP)
    snprintf(buf, RD_TEXT_SIZE, "%s:%u", IP_STR(ip_v4(admin)), number);
  else /* a short AS number needs its type to be read back the same */
    snprintf(buf, RD_TEXT_SIZE, "%s%u:%u", admin > 0xffff ? "" : "2:", admin, number);
  return buf;
}

/* Byte strings */

static uint
digit_value(char c)
{
  return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

struct cf_bytes
bytes_parse(struct linpool *lp, const char *text, size_t len)
{
  byte *data = lp_alloc(lp, len / 2 + 1);
  uint size = 0;

  for (const char *c = text; c + 1 < text + len; c++)
    if (*c != ':')
    {
      data[size++] = digit_value(c[0]) << 4 | digit_value(c[1]);
      c++;
    }
  return (struct cf_bytes){ data, size };
}

static const char *
bytes_text(struct linpool *lp, struct cf_bytes b)
{
  char *text = lp_alloc(lp, 3 * b.size + 1);

  for (uint i = 0; i < b.size; i++)
    sprintf(text + 3 * i, "%02x%s", b.data[i], i + 1 < b.size ? ":" : "");
  return text;
}

/* Values */

const char *
cf_value_text(struct linpool *lp, struct cf_value v)
{
  switch (v.type)
  {
  case CF_INT:
    return lp_sprintf(lp, "%u", v.num);
  case CF_BOOL:
    return v.truth ? "TRUE" : "FALSE";
  case CF_STRING:
    return v.text;
  case CF_IP:
    return lp_strdup(lp, IP_STR(v.ip));
  case CF_PREFIX:
    return lp_strdup(lp, PREFIX_STR(&v.prefix));
  case CF_PAIR:
    return lp_sprintf(lp, "(%u,%u)", v.num >> 16, v.num & 0xffff);
  case CF_RD:
    return lp_strdup(lp, RD_STR(v.rd));
  case CF_BYTES:
    return bytes_text(lp, v.bytes);
  }
  return "";
}

static int
order(u64 a, u64 b)
{
  return (a > b) - (a < b);
}

static int
ip_compare(ip_addr a, ip_addr b)
{
  int result = 0;

  for (uint i = 0; i < 4 && !result; i++)
    result = order(a.w[i], b.w[i]);
  return result;
}

static int
bytes_compare(struct cf_bytes a, struct cf_bytes b)
{
  int result = memcmp(a.data, b.data, MIN(a.size, b.size));

  return result ? result : order(a.size, b.size);
}

int
cf_value_compare(struct cf_value a, struct cf_value b)
{
  int result;

  ASSERT(a.type == b.type);
  switch (a.type)
  {
  case CF_INT:
  case CF_PAIR:
    return order(a.num, b.num);
  case CF_BOOL:
    return order(a.truth, b.truth);
  case CF_STRING:
    return strcmp(a.text, b.text);
  case CF_IP:
    return ip_compare(a.ip, b.ip);
  case CF_PREFIX:
    result = ip_compare(a.prefix.addr, b.prefix.addr);
    return result ? result : order(a.prefix.len, b.prefix.len);
  case CF_RD:
    return order(a.rd, b.rd);
  case CF_BYTES:
    return bytes_compare(a.bytes, b.bytes);
  }
  return 0;
}

int
cf_value_match(struct cf_value a, struct cf_value b)
{
  if (a.type == CF_STRING && b.type == CF_STRING)
    return fnmatch(b.text, a.text, 0) == 0;
  if (a.type == CF_IP && b.type == CF_PREFIX)
    return prefix_contains(&b.prefix, a.ip);
  if (a.type == CF_PREFIX && b.type == CF_PREFIX)
    return a.prefix.len >= b.prefix.len && prefix_contains(&b.prefix, a.prefix.addr);
  return -1;
}
