/* web/metrics_test.c: what Prometheus is told */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/types.h"
#include "web/metrics.h"

static const char answer[] =
    "{\"stats\":{\"bfd\":[{\"protocol\":\"b\\\"\\\\\\n\",\"sessions\":{\"Up\":2},\"rx\":7,\"tx\":8,\"tx_"
    "errors\":0,"
    "\"dropped\":0,\"late_ticks\":0,\"ups\":3,\"downs\":{\"Time expired\":1},\"verdicts\":{},\"refused\":{},"
    "\"gaps_us\":[[1024,5],[65536,2],[0,1]],\"detection_us\":[[262144,2]],\"detection_sum_us\":300000},"
    "{\"protocol\":\"second\",\"sessions\":{},\"rx\":9}],"
    "\"protocols\":[{\"protocol\":\"st\",\"class\":\"Static\",\"state\":\"up\","
    "\"channels\":[{\"table\":\"master4\",\"imported\":4}]}],"
    "\"tables\":[{\"table\":\"master4\",\"routes\":4,\"networks\":4}],\"monitor\":{\"clients\":1}}}";

static char *
text_of(const char *json, bool open)
{
  json_t *object = json ? json_loads(json, 0, NULL) : NULL;
  char *text = metrics_text(object, open);

  assert_true(!json || object);
  assert_non_null(text);
  json_decref(object);
  return text;
}

static void
expect(const char *json, bool open, const char *part)
{
  char *text = text_of(json, open);

  if (!strstr(text, part))
    fail_msg("'%s' is not in:\n%s", part, text);
  free(text);
}

static void
values_have_their_labels_escaped(void **ctx UNUSED)
{
  expect(answer, false, "peregrine_bfd_sessions{protocol=\"b\\\"\\\\\\n\",state=\"Up\"} 2\n");
  expect(answer, false, "peregrine_routes_imported{protocol=\"st\",table=\"master4\"} 4\n");
  expect(answer, false, "peregrine_monitor_clients 1\n");
}

static void
a_family_is_in_one_piece(void **ctx UNUSED)
{
  static const char next[] = "} 7\nperegrine_bfd_received_packets_total{protocol=\"second\"} 9\n# ";
  char *text = text_of(answer, true), *at = strstr(text, "# TYPE peregrine_bfd_received_packets ");

  assert_non_null(at);
  assert_null(strstr(at + 1, "# TYPE peregrine_bfd_received_packets "));
  at = strstr(at, "peregrine_bfd_received_packets_total{protocol=\"b");
  assert_int_equal(strncmp(strchr(at, '}'), next, sizeof(next) - 1), 0);
  free(text);
}

static void
histograms_are_cumulative(void **ctx UNUSED)
{
  expect(answer, false, ",le=\"0.001024\"} 5\n");
  expect(answer, false, ",le=\"0.065536\"} 7\n");
  expect(answer, false, ",le=\"+Inf\"} 8\n");
  expect(answer, false, "_detection_time_seconds_sum{protocol=\"b\\\"\\\\\\n\"} 0.300000\n");
}

static void
what_the_older_format_does_not_know_is_told_in_its_words(void **ctx UNUSED)
{
  expect(answer, true, "# TYPE peregrine_bfd_ups counter\n");
  expect(answer, false, "# TYPE peregrine_bfd_ups_total counter\n");
  expect(answer, true, "# TYPE peregrine_bfd_detection_time_seconds gaugehistogram\n");
  expect(answer, false, "# TYPE peregrine_bfd_detection_time_seconds histogram\n");
  expect(answer, true, "# TYPE peregrine_protocol_state stateset\n");
  expect(answer, false, "# TYPE peregrine_protocol_state gauge\n");
}

static void
a_daemon_that_does_not_answer_is_down_and_no_more(void **ctx UNUSED)
{
  char *text = text_of(NULL, true);

  assert_non_null(strstr(text, "peregrine_up 0\n# EOF\n"));
  assert_null(strstr(text, "bfd"));
  free(text);
  expect("{}", false, "peregrine_up 0\n");
  expect(answer, false, "peregrine_up 1\n");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(values_have_their_labels_escaped),
    cmocka_unit_test(a_family_is_in_one_piece),
    cmocka_unit_test(histograms_are_cumulative),
    cmocka_unit_test(what_the_older_format_does_not_know_is_told_in_its_words),
    cmocka_unit_test(a_daemon_that_does_not_answer_is_down_and_no_more),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
