/* sysdep/linux/offload_none_test.c: built --without-xdp there is no offload, and it is said why */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sysdep/offload.h"

static void
it_is_not_to_be_had(void **ctx UNUSED)
{
  int error = 0;

  assert_null(offload_new(NULL, 1, 1, &error));
  assert_int_equal(error, -EOPNOTSUPP);
  assert_int_equal(offload_attach(NULL, 1), -EOPNOTSUPP);
}

int
main(void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test(it_is_not_to_be_had) };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
