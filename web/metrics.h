/*
 * web/metrics.h: what the daemon answers to `stats` (bird-monitor(7)), as OpenMetrics 1.0 or in the text
 * format of Prometheus that was before it. Pure.
 */
#ifndef PEREGRINE_WEB_METRICS_H
#define PEREGRINE_WEB_METRICS_H

#include <jansson.h>
#include <stdbool.h>

#define METRICS_OPEN_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* @answer NULL: the daemon cannot be reached, which is all that is told. To be freed with free(). */
char *metrics_text(const json_t *answer, bool open);

#endif
