/*
 * metric.h - what is counted and timed, under the names that Prometheus has for it.
 *
 * Any room counts where something happens; numbers gather here, in memory, and now and then they
 * are taken away to where all programs add theirs up (inbox/inbox.h), so that they are one
 * deployment's, whichever program is asked and however often one was started. Names, units and the
 * text format are Prometheus's:
 * https://prometheus.io/docs/practices/naming/ and
 * https://prometheus.io/docs/instrumenting/exposition_formats/.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* kind: COUNTER, or TIMER, a histogram of seconds. The labels' names; NULL: there is none. */
#define METRIC_LIST(X)                                                                       \
    X(METRIC_CALLS, COUNTER, "calls_total", "webhook", "status",                             \
      "Calls that were answered, by the webhook that they have proven (else none) and HTTP " \
      "status.")                                                                             \
    X(METRIC_REFUSALS, COUNTER, "refusals_total", "reason", NULL,                            \
      "Calls that were answered with an error, by its name.")                                \
    X(METRIC_TASKS, COUNTER, "tasks_total", "webhook", "result",                             \
      "Times that somebody worked on an object, by the result.")                             \
    X(METRIC_API_CALLS, COUNTER, "api_calls_total", "account", "status",                     \
      "Calls to Connect, by HTTP status; 0: no answer came.")                                \
    X(METRIC_API_TIME, TIMER, "api_call_seconds", "account", NULL,                           \
      "How long calls to Connect took, with the wait for their turn.")                       \
    X(METRIC_POLICY_TIME, TIMER, "policy_seconds", "webhook", NULL,                          \
      "How long policies took to answer.")                                                   \
    X(METRIC_COMMIT_TIME, TIMER, "commit_seconds", NULL, NULL,                               \
      "How long transactions of the inbox took, with the wait for other programs.")          \
    X(METRIC_COMMIT_CHANGES, COUNTER, "commit_changes_total", NULL, NULL,                    \
      "Changes that were in these transactions.")

enum metric {
#define X(id, kind, name, label, other, help) id,
    METRIC_LIST(X)
#undef X
        METRIC__COUNT
};

#define METRIC_PREFIX     "connect_webhook_"
#define METRIC_LABELS_MAX 160  /* bytes of 'webhook="WH-1",status="202"', with the NUL */
#define METRIC_SERIES_MAX 8192 /* more are not counted, and the log says so */

/* A timer's buckets, in microseconds: up to and with that; the last part has what took longer. */
#define METRIC_BUCKETS_US                                                                          \
    {                                                                                              \
        1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000, \
            60000000                                                                               \
    }
#define METRIC_BUCKETS 13
/* The numbers of a series: a counter has the first alone; a timer its count, the microseconds
 * altogether, and then what fell into each bucket. */
enum {
    METRIC_NUMBER,
    METRIC_SUM,
    METRIC_FIRST_BUCKET,
    METRIC_PARTS = METRIC_FIRST_BUCKET + METRIC_BUCKETS
};

/* Count one, or `n`. A label's value is an id, a number or a name: one that needs quoting counts as
 * "". NULL for a label that the metric has not. Any thread. */
void metric_count(enum metric m, const char *label, const char *other);
void metric_add(enum metric m, const char *label, const char *other, int64_t n);
void metric_time(enum metric m, const char *label, int64_t us);

/*
 * Take away what has gathered. `fn` is told of each number that is not 0; an error of it ends that.
 * Then it is settled: kept for good elsewhere, or else it still belongs here. One at a time.
 */
typedef enum err metric_taken_fn(void *ctx, const char *name, const char *labels, int part,
                                 int64_t n);
enum err metric_take(metric_taken_fn *fn, void *ctx);
void metric_settle(bool kept);
/* Has anything gathered? */
bool metric_any(void);

/*
 * Print numbers as Prometheus reads them. They are given in the order of names and labels; what is
 * of no metric of this version is left out. The buffer's error.
 */
struct metric_print {
    struct buf *out; /* borrowed */
    char name[64], labels[METRIC_LABELS_MAX];
    int64_t parts[METRIC_PARTS];
};
void metric_print_begin(struct metric_print *p, struct buf *out);
void metric_print_part(struct metric_print *p, const char *name, const char *labels, int part,
                       int64_t n);
void metric_print_end(struct metric_print *p);
/* One that does not gather but is known when it is asked for. `labels` as above, or ""; `help` is
 * NULL for a further series of the same. */
void metric_print_counter(struct buf *out, const char *name, const char *labels, double value,
                          const char *help);
void metric_print_gauge(struct buf *out, const char *name, const char *labels, double value,
                        const char *help);

#endif
