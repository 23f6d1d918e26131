/* metric.c - what is counted and timed. */
#include "base/metric.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clk.h"
#include "base/log.h"

enum kind { COUNTER, TIMER };

static const struct {
    const char *name;
    enum kind kind;
    const char *label, *other, *help;
} metrics[] = {
#define X(id, kind, name, label, other, help) [id] = {METRIC_PREFIX name, kind, label, other, help},
    METRIC_LIST(X)
#undef X
};

static const int64_t buckets_us[METRIC_BUCKETS] = METRIC_BUCKETS_US;

struct series {
    enum metric metric;
    char labels[METRIC_LABELS_MAX];
    int64_t fresh[METRIC_PARTS];
    int64_t taking[METRIC_PARTS]; /* by metric_take(), and not settled */
};

/* Sorted by metric and labels. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct series *list;
static size_t list_count, list_cap;
static bool any, told_of_too_many;

/* -------------------------------------------------------------------------- counting */

static bool is_plain(const char *value)
{
    return value != NULL && strpbrk(value, "\"\\\n") == NULL;
}

static void print_labels(enum metric m, const char *label, const char *other,
                         char ret[METRIC_LABELS_MAX])
{
    ret[0] = '\0';
    if (metrics[m].label != NULL)
        snprintf(ret, METRIC_LABELS_MAX, "%s=\"%.64s\"", metrics[m].label,
                 is_plain(label) ? label : "");
    size_t len = strlen(ret);
    if (metrics[m].other != NULL)
        snprintf(ret + len, METRIC_LABELS_MAX - len, ",%s=\"%.32s\"", metrics[m].other,
                 is_plain(other) ? other : "");
}

static int order(const void *element, const void *key)
{
    const struct series *s = element, *k = key;
    return s->metric != k->metric ? (s->metric < k->metric ? -1 : 1) : strcmp(s->labels, k->labels);
}

/* Under the lock. NULL: there are too many, or memory ran out. */
static struct series *find(const struct series *key)
{
    size_t at = array_place(list, list_count, sizeof *list, key, order);
    if (at < list_count && order(&list[at], key) == 0)
        return &list[at];
    struct series *more = list_count < METRIC_SERIES_MAX
                              ? array_room(list, list_count, &list_cap, sizeof *more)
                              : NULL;
    if (more == NULL)
        return NULL;
    list = more;
    struct series *s = &list[at];
    memmove(s + 1, s, (list_count - at) * sizeof *s);
    *s = *key;
    list_count++;
    return s;
}

static int bucket_of(int64_t us)
{
    int i = 0;
    while (i < METRIC_BUCKETS && us > buckets_us[i])
        i++;
    return i;
}

/* A counter's `n`, or a timer's microseconds. */
static void note(enum metric m, const char *label, const char *other, int64_t n)
{
    struct series key = {.metric = m};
    print_labels(m, label, other, key.labels);
    pthread_mutex_lock(&lock);
    struct series *s = find(&key);
    if (s != NULL && metrics[m].kind == COUNTER) {
        s->fresh[METRIC_NUMBER] += n;
    } else if (s != NULL) {
        int bucket = bucket_of(n);
        s->fresh[METRIC_NUMBER]++;
        s->fresh[METRIC_SUM] += n;
        if (bucket < METRIC_BUCKETS)
            s->fresh[METRIC_FIRST_BUCKET + bucket]++;
    }
    bool tell = s == NULL && !told_of_too_many;
    told_of_too_many = told_of_too_many || s == NULL;
    any = any || s != NULL;
    pthread_mutex_unlock(&lock);
    if (tell)
        log_warn("metrics: more than %d series: some are not counted", METRIC_SERIES_MAX);
}

void metric_count(enum metric m, const char *label, const char *other)
{
    note(m, label, other, 1);
}

void metric_add(enum metric m, const char *label, const char *other, int64_t n)
{
    note(m, label, other, n);
}

void metric_time(enum metric m, const char *label, int64_t us)
{
    note(m, label, NULL, us);
}

/* -------------------------------------------------------------------------- taking away */

bool metric_any(void)
{
    pthread_mutex_lock(&lock);
    bool is = any;
    pthread_mutex_unlock(&lock);
    return is;
}

static enum err take_series(struct series *s, metric_taken_fn *fn, void *ctx)
{
    enum err e = ERR_OK;
    memcpy(s->taking, s->fresh, sizeof s->taking);
    memset(s->fresh, 0, sizeof s->fresh);
    for (int part = 0; part < METRIC_PARTS && e == ERR_OK; part++)
        if (s->taking[part] != 0)
            e = fn(ctx, metrics[s->metric].name, s->labels, part, s->taking[part]);
    return e;
}

enum err metric_take(metric_taken_fn *fn, void *ctx)
{
    enum err e = ERR_OK;
    pthread_mutex_lock(&lock);
    any = false;
    for (size_t i = 0; i < list_count && e == ERR_OK; i++)
        e = take_series(&list[i], fn, ctx);
    pthread_mutex_unlock(&lock);
    return e;
}

void metric_settle(bool kept)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < list_count; i++) {
        struct series *s = &list[i];
        for (int part = 0; part < METRIC_PARTS; part++) {
            s->fresh[part] += kept ? 0 : s->taking[part];
            any = any || s->fresh[part] != 0;
            s->taking[part] = 0;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------------- printing */

/* METRIC__COUNT: it is none of ours. */
static enum metric find_metric(const char *name)
{
    enum metric m = 0;
    while (m < METRIC__COUNT && strcmp(metrics[m].name, name) != 0)
        m++;
    return m;
}

static void print_head(struct buf *out, const char *name, const char *help, const char *type)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* '{a="b",c="d"}', of what there is. */
static void print_set(struct buf *out, const char *labels, const char *more)
{
    bool some = *labels != '\0', both = some && *more != '\0';
    if (some || *more != '\0')
        buf_printf(out, "{%s%s%s}", labels, both ? "," : "", more);
}

static void print_timer(struct metric_print *p)
{
    int64_t sum = 0;
    char le[32];
    for (int i = 0; i < METRIC_BUCKETS; i++) {
        sum += p->parts[METRIC_FIRST_BUCKET + i];
        snprintf(le, sizeof le, "le=\"%g\"", (double)buckets_us[i] / (double)CLK_S_US);
        buf_printf(p->out, "%s_bucket", p->name);
        print_set(p->out, p->labels, le);
        buf_printf(p->out, " %" PRId64 "\n", sum);
    }
    buf_printf(p->out, "%s_bucket", p->name);
    print_set(p->out, p->labels, "le=\"+Inf\"");
    buf_printf(p->out, " %" PRId64 "\n%s_sum", p->parts[METRIC_NUMBER], p->name);
    print_set(p->out, p->labels, "");
    buf_printf(p->out, " %.6f\n%s_count", (double)p->parts[METRIC_SUM] / (double)CLK_S_US, p->name);
    print_set(p->out, p->labels, "");
    buf_printf(p->out, " %" PRId64 "\n", p->parts[METRIC_NUMBER]);
}

static void print_series(struct metric_print *p)
{
    enum metric m = find_metric(p->name);
    if (m == METRIC__COUNT)
        return;
    if (metrics[m].kind == TIMER) {
        print_timer(p);
        return;
    }
    buf_addstr(p->out, p->name);
    print_set(p->out, p->labels, "");
    buf_printf(p->out, " %" PRId64 "\n", p->parts[METRIC_NUMBER]);
}

void metric_print_begin(struct metric_print *p, struct buf *out)
{
    *p = (struct metric_print){.out = out};
}

void metric_print_part(struct metric_print *p, const char *name, const char *labels, int part,
                       int64_t n)
{
    bool new_name = strcmp(p->name, name) != 0;
    enum metric m = find_metric(name);
    if (new_name || strcmp(p->labels, labels) != 0) {
        print_series(p);
        memset(p->parts, 0, sizeof p->parts);
        snprintf(p->name, sizeof p->name, "%s", name);
        snprintf(p->labels, sizeof p->labels, "%s", labels);
        if (new_name && m < METRIC__COUNT)
            print_head(p->out, name, metrics[m].help,
                       metrics[m].kind == TIMER ? "histogram" : "counter");
    }
    if (part >= 0 && part < METRIC_PARTS)
        p->parts[part] = n;
}

void metric_print_end(struct metric_print *p)
{
    print_series(p);
}

static void print_known(struct buf *out, const char *name, const char *labels, double value,
                        const char *help, const char *type)
{
    if (help != NULL)
        print_head(out, name, help, type);
    buf_addstr(out, name);
    print_set(out, labels, "");
    buf_printf(out, " %.15g\n", value);
}

void metric_print_counter(struct buf *out, const char *name, const char *labels, double value,
                          const char *help)
{
    print_known(out, name, labels, value, help, "counter");
}

void metric_print_gauge(struct buf *out, const char *name, const char *labels, double value,
                        const char *help)
{
    print_known(out, name, labels, value, help, "gauge");
}
