/* lib/types.h: scalar types, time units and the few macros everything uses. */
#ifndef PEREGRINE_LIB_TYPES_H
#define PEREGRINE_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t byte;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
typedef unsigned int uint;

/* Monotonic or wall-clock time and durations: microseconds. The name of a value says which. */
typedef s64 btime;
#define BT_US(n) ((btime) (n))
#define BT_MS(n) ((btime) (n) *1000)
#define BT_S(n) ((btime) (n) *1000000)
#define BT_NEVER INT64_MAX

#define U32_MAX UINT32_MAX
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SKIP_BACK(type, member, ptr) ((type *) ((char *) (ptr) -offsetof(type, member)))

/* For what cannot happen in a correct program; never for what a peer or an operator sends. */
#define ASSERT(cond) ((cond) ? (void) 0 : assert_failed(#cond, __FILE__, __LINE__))
NORETURN void assert_failed(const char *cond, const char *file, int line);

#endif
