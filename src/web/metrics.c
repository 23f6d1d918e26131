/* metrics.c - everything that is measured. */
#include "web/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/metric.h"
#include "base/proc.h"
#include "tasks/workers.h"

struct sheet {
    const struct conf *conf;
    struct inbox *inbox;
    struct buf *out;
    struct metric_print print;
};

/* ----------------------------------------------------------------------- of all programs */

static void add_part(void *ctx, const char *name, const char *labels, int part, int64_t n)
{
    struct sheet *s = ctx;
    metric_print_part(&s->print, name, labels, part, n);
}

static enum err print_counters(struct sheet *s, struct why *why)
{
    metric_print_begin(&s->print, s->out);
    enum err e = inbox_each_counter(s->inbox, add_part, s, why);
    metric_print_end(&s->print);
    return e;
}

static enum err print_backlog(const struct sheet *s, struct why *why)
{
    struct inbox_backlog b;
    enum err e = inbox_backlog_of(s->inbox, &b, why);
    if (e != ERR_OK)
        return e;
    metric_print_gauge(s->out, METRIC_PREFIX "backlog_tasks", "", (double)b.ready,
                       "Objects that wait to be worked on.");
    metric_print_gauge(s->out, METRIC_PREFIX "backlog_oldest_seconds", "", (double)b.late_ms / 1000,
                       "For how long what should be done next has been due.");
    return ERR_OK;
}

static enum err print_workers(const struct sheet *s, struct why *why)
{
    int64_t programs = 0;
    enum err e = inbox_count_workers(s->inbox, WORKERS_SEEN_MS, &programs, why);
    if (e == ERR_OK)
        metric_print_gauge(s->out, METRIC_PREFIX "worker_programs", "", (double)programs,
                           "Programs that work on what waits, seen within a minute.");
    return e;
}

static enum err print_accounts(const struct sheet *s, struct why *why)
{
    const char *help = "For how long nothing of an account will be done: Connect fails, throttles "
                       "it, or refuses its key.";
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->conf->accounts_count && e == ERR_OK; i++) {
        const char *id = s->conf->accounts[i].id;
        char labels[METRIC_LABELS_MAX];
        int64_t ms = 0;
        snprintf(labels, sizeof labels, "account=\"%s\"", id);
        e = inbox_halted(s->inbox, id, &ms, why);
        metric_print_gauge(s->out, METRIC_PREFIX "account_halted_seconds", labels,
                           (double)ms / 1000, i == 0 ? help : NULL);
    }
    return e;
}

static double dead_of(const struct inbox_load *l)
{
    return (double)l->dead;
}

static double polled_of(const struct inbox_load *l)
{
    return (double)l->polled;
}

typedef void print_fn(struct buf *out, const char *name, const char *labels, double value,
                      const char *help);

/* One number for each event webhook, of those whose loads have been read. */
static void print_loads(const struct sheet *s, const struct inbox_load *loads, const char *name,
                        const char *help, double (*of)(const struct inbox_load *l), print_fn *print)
{
    for (size_t i = 0; i < s->conf->webhooks_count; i++) {
        char labels[METRIC_LABELS_MAX];
        if (s->conf->webhooks[i].type != TYPE_EVENT)
            continue;
        snprintf(labels, sizeof labels, "webhook=\"%s\"", s->conf->webhooks[i].id);
        print(s->out, name, labels, of(&loads[i]), help);
        help = NULL;
    }
}

static enum err read_loads(const struct sheet *s, struct inbox_load *loads, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->conf->webhooks_count && e == ERR_OK; i++) {
        const struct conf_webhook *w = &s->conf->webhooks[i];
        const struct inbox_queue q = {w->account->id, w->product, w->object_class};
        if (w->type == TYPE_EVENT)
            e = inbox_load_of(s->inbox, &q, &loads[i], why);
    }
    return e;
}

static enum err print_webhooks(const struct sheet *s, struct why *why)
{
    struct inbox_load *loads = calloc(s->conf->webhooks_count + 1, sizeof *loads);
    if (loads == NULL)
        return why_no_memory(why);
    enum err e = read_loads(s, loads, why);
    if (e == ERR_OK) {
        print_loads(s, loads, METRIC_PREFIX "dead_tasks",
                    "Objects that are for a person to look at.", dead_of, metric_print_gauge);
        print_loads(s, loads, METRIC_PREFIX "found_by_polling_total",
                    "Objects that polling has found, and no call before it.", polled_of,
                    metric_print_counter);
    }
    free(loads);
    return e;
}

static enum err print_room(const struct sheet *s, struct why *why)
{
    struct inbox_room room;
    enum err e = inbox_room_of(s->inbox, &room, why);
    if (e != ERR_OK)
        return e;
    metric_print_gauge(s->out, METRIC_PREFIX "inbox_bytes", "", (double)room.bytes,
                       "Size of the inbox.");
    metric_print_gauge(s->out, METRIC_PREFIX "inbox_free_bytes", "", (double)room.free_bytes,
                       "Of it, what is free for what is to come.");
    metric_print_gauge(s->out, METRIC_PREFIX "disk_free_bytes", "", (double)room.disk_free_bytes,
                       "Free on the disk that it is on.");
    return ERR_OK;
}

/* ----------------------------------------------------------------------- of this program */

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* -1: unknown. */
static long resident_pages(void)
{
    char line[128], *second;
    proc_line("/proc/self/statm", line, sizeof line); /* its size, and what is in memory of it */
    (void)strtol(line, &second, 10);
    return *second == ' ' ? strtol(second, NULL, 10) : -1;
}

static int open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = -3; /* ".", "..", and this folder itself */
    if (d == NULL)
        return -1;
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

/* By the names that Prometheus's own clients give them. */
static void print_process(struct buf *out, int64_t started_s)
{
    struct rusage used;
    struct rlimit files;
    long pages = resident_pages();
    if (getrusage(RUSAGE_SELF, &used) == 0)
        metric_print_counter(out, "process_cpu_seconds_total", "",
                             seconds_of(used.ru_utime) + seconds_of(used.ru_stime),
                             "Processor time that this program has used.");
    if (pages >= 0)
        metric_print_gauge(out, "process_resident_memory_bytes", "",
                           (double)pages * (double)sysconf(_SC_PAGESIZE),
                           "Memory that it has in use.");
    metric_print_gauge(out, "process_open_fds", "", open_files(), "Files that it has open.");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        metric_print_gauge(out, "process_max_fds", "", (double)files.rlim_cur,
                           "Files that it may have open.");
    metric_print_gauge(out, "process_start_time_seconds", "", (double)started_s,
                       "When it was started.");
    metric_print_gauge(out, METRIC_PREFIX "build_info", "version=\"" PACKAGE_VERSION "\"", 1,
                       "Which version it is.");
}

/* ----------------------------------------------------------------------------- together */

enum err metrics_print(const struct conf *conf, struct inbox *inbox, int64_t started_s,
                       struct buf *out, struct why *why)
{
    struct sheet s = {.conf = conf, .inbox = inbox, .out = out};
    enum err e = print_counters(&s, why);
    if (e == ERR_OK)
        e = print_backlog(&s, why);
    if (e == ERR_OK)
        e = print_workers(&s, why);
    if (e == ERR_OK)
        e = print_accounts(&s, why);
    if (e == ERR_OK)
        e = print_webhooks(&s, why);
    if (e == ERR_OK)
        e = print_room(&s, why);
    print_process(out, started_s);
    if (e == ERR_OK && out->err != ERR_OK)
        e = why_set(why, out->err, "metrics: %s", err_text(out->err));
    return e;
}
