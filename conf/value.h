/*
 * conf/value.h: values of constants and expressions. Pure: no errors are reported here, only said.
 *
 * These are the types that options of a configuration take. Sets, masks, communities and enumerations belong
 * to the filter language.
 */
#ifndef PEREGRINE_CONF_VALUE_H
#define PEREGRINE_CONF_VALUE_H

#include "lib/ip.h"
#include "lib/pool.h"

enum cf_type
{
  CF_INT,
  CF_BOOL,
  CF_STRING,
  CF_IP, /* also a quad: four octets */
  CF_PREFIX,
  CF_PAIR,
  CF_RD,
  CF_BYTES
};

struct cf_bytes
{
  const byte *data;
  uint size;
};

struct cf_value
{
  enum cf_type type;
  union
  {
    u32 num; /* a pair too: the first half above the second */
    bool truth;
    const char *text;
    ip_addr ip;
    struct prefix prefix;
    u64 rd; /* route distinguisher as RFC 4364 4.2 writes it: type, then administrator and number */
    struct cf_bytes bytes;
  };
};

enum cf_op
{
  CF_ADD,
  CF_SUBTRACT,
  CF_MULTIPLY,
  CF_DIVIDE,
  CF_EQUAL,
  CF_UNEQUAL,
  CF_LESS,
  CF_LESS_EQUAL,
  CF_GREATER,
  CF_GREATER_EQUAL,
  CF_MATCH,
  CF_MATCH_NOT,
  CF_AND,
  CF_OR
};

/* "a number", for messages. */
const char *cf_type_name(enum cf_type type);

/* As `eval` prints it; in @lp, or borrowed from a string. */
const char *cf_value_text(struct linpool *lp, struct cf_value v);

/* Below, at or above zero as @a is below, equal to or above @b, which has the same type. */
int cf_value_compare(struct cf_value a, struct cf_value b);

/*
 * Does @a lie in @b: an address or prefix in a prefix, a string in a shell pattern? -1: these types do not
 * match each other.
 */
int cf_value_match(struct cf_value a, struct cf_value b);

/* What is written as A:B, IP:B, 0:A:B, 1:IP:B or 2:A:B. False: a part is out of range. */
bool rd_parse(const char *text, u64 *rd);

#define RD_TEXT_SIZE 32
char *rd_format(u64 rd, char *buf);
#define RD_STR(rd) rd_format((rd), (char[RD_TEXT_SIZE]){ 0 })

/* Pairs of hexadecimal digits, with or without colons in between; the data is in @lp. */
struct cf_bytes bytes_parse(struct linpool *lp, const char *text, size_t len);

#endif
