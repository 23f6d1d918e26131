/* log.c - the program's log. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

#define FILE_MODE  0640
#define GATHER_MAX (64 * 1024) /* bytes of a round that are gathered before they are written */
#define STAMP_MAX  64          /* bytes of a time */

/* Where records go. */
struct outlet {
    char *path; /* owned; NULL is stderr */
    int fd;     /* -1: not opened yet */
    bool waits; /* a write to it might wait for a reader */
};

/* Read by log_write() in any thread: guarded by `lock`, but for what a record is made by. */
static struct {
    pthread_mutex_t lock;
    _Atomic int level;
    _Atomic int format;
    struct outlet outlet;
    char rest[LOG_LINE_MAX]; /* of the last record, if only its beginning was taken */
    size_t rest_len;
    uint64_t lost; /* records since the last one that was taken */
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO, .outlet.fd = -1};

/* One that is ready to be used. */
struct log_sink {
    enum log_level level;
    enum log_format format;
    struct outlet outlet;
};

static _Thread_local char current_request[LOG_REQUEST_MAX];

/* What a thread that works in rounds has not written yet: whole records. */
struct gathered {
    char stamp[STAMP_MAX]; /* of this round; empty: no record yet */
    bool of_current;       /* some of it is about the current request */
    size_t len;
    char text[GATHER_MAX];
};

static _Thread_local struct gathered *gathered; /* NULL: the thread writes at once */

static const char *const level_words[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

/* ---------------------------------------------------------------------- the outlet */

/* A FIFO without a reader is refused, not waited for. */
static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, FILE_MODE);
}

/*
 * Standard error must not keep us waiting. But O_NONBLOCK belongs to the open file that we share
 * with whoever started us; so a pipe or terminal is opened once more, for ourselves. Where that is
 * not possible each write has to look first.
 */
static struct outlet open_stderr(void)
{
    struct stat st = {0};
    fstat(STDERR_FILENO, &st);
    if (S_ISREG(st.st_mode))
        return (struct outlet){.fd = STDERR_FILENO};
    /* Not possible for sockets, and for pipes of another user. */
    int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0)
        return (struct outlet){.fd = fd};
    return (struct outlet){.fd = STDERR_FILENO, .waits = true};
}

static void close_outlet(struct outlet *o)
{
    if (o->fd > STDERR_FILENO)
        close(o->fd);
    free(o->path);
}

/* Write what is taken now; -1 if nothing is, whatever the reason. */
static ssize_t write_now(const struct outlet *o, const char *text, size_t len)
{
    if (o->waits) {
        ssize_t n = send(o->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        struct pollfd p = {.fd = o->fd, .events = POLLOUT};
        if (n >= 0 || errno != ENOTSOCK || poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0)
            return n;
        if (len > PIPE_BUF) /* what a pipe with room takes without waiting */
            len = PIPE_BUF;
    }
    return write(o->fd, text, len);
}

/* The end of a record that was begun comes before every other. */
static bool emit_rest(void)
{
    while (sink.rest_len > 0) {
        ssize_t n = write_now(&sink.outlet, sink.rest, sink.rest_len);
        if (n <= 0)
            return false;
        sink.rest_len -= (size_t)n;
        memmove(sink.rest, sink.rest + n, sink.rest_len);
    }
    return true;
}

static size_t first_record(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);
    return end != NULL ? (size_t)(end - text) + 1 : len;
}

/* Write whole records, as many as are taken now; returns the bytes of those that are written, or
 * begun so that they will be. */
static size_t emit(const char *text, size_t len)
{
    size_t done = 0;
    while (done < len && emit_rest()) {
        ssize_t n = write_now(&sink.outlet, text + done, len - done);
        if (n <= 0)
            break;
        size_t taken = (size_t)n, whole = 0;
        while (whole < taken)
            whole += first_record(text + done + whole, len - done - whole);
        sink.rest_len = whole - taken;
        memcpy(sink.rest, text + done + taken, sink.rest_len);
        done += whole;
    }
    return done;
}

enum err log_prepare(const struct log_options *options, struct log_sink **ret, struct why *why)
{
    struct log_sink *s = malloc(sizeof *s);
    if (s == NULL)
        return why_no_memory(why);
    s->level = options->level;
    s->format = options->format;
    if (strcmp(options->file, "stderr") == 0) {
        s->outlet = open_stderr();
    } else {
        s->outlet = (struct outlet){.path = strdup(options->file), .fd = open_file(options->file)};
        if (s->outlet.fd < 0 || s->outlet.path == NULL) {
            why_set(why, ERR_IO, "log file %s: %s", options->file, strerror(errno));
            log_discard(s);
            return ERR_IO;
        }
    }
    *ret = s;
    return ERR_OK;
}

void log_discard(struct log_sink *s)
{
    if (s == NULL)
        return;
    close_outlet(&s->outlet);
    free(s);
}

enum err log_reopen(struct why *why)
{
    enum err e = ERR_OK;
    pthread_mutex_lock(&sink.lock);
    const char *path = sink.outlet.path;
    int fd = path != NULL ? open_file(path) : -1;
    if (fd >= 0) {
        close(sink.outlet.fd);
        sink.outlet.fd = fd;
        sink.rest_len = 0;
    } else if (path != NULL) {
        e = why_set(why, ERR_IO, "log file %s: %s", path, strerror(errno));
    }
    pthread_mutex_unlock(&sink.lock);
    return e;
}

void log_use(struct log_sink *s)
{
    pthread_mutex_lock(&sink.lock);
    close_outlet(&sink.outlet);
    sink.outlet = s->outlet;
    sink.rest_len = 0;
    sink.format = (int)s->format;
    sink.level = (int)s->level;
    pthread_mutex_unlock(&sink.lock);
    free(s);
}

enum err log_open(const struct log_options *options, struct why *why)
{
    struct log_sink *s;
    enum err e = log_prepare(options, &s, why);
    if (e == ERR_OK)
        log_use(s);
    return e;
}

/* ---------------------------------------------------------------------- the records */

int log_enabled(enum log_level level)
{
    return (int)level <= sink.level;
}

enum err log_level_parse(const char *word, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof level_words / sizeof level_words[0]; i++) {
        if (strcmp(word, level_words[i]) == 0) {
            *ret = (enum log_level)i;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}

void log_set_request(const char *id)
{
    size_t len = id != NULL ? strnlen(id, sizeof current_request - 1) : 0;
    memcpy(current_request, id != NULL ? id : "", len);
    current_request[len] = '\0';
    if (gathered != NULL)
        gathered->of_current = false;
}

/* A line under construction; what does not fit is dropped and marked. */
struct line {
    char text[LOG_LINE_MAX];
    size_t len;
    bool cut;
};

#define TAIL_ROOM 8 /* kept for the mark, the closing quote, brace and newline */

static void put(struct line *l, const char *s, size_t n)
{
    if (l->len + n > sizeof l->text - TAIL_ROOM) {
        l->cut = true;
        return;
    }
    if (l->cut)
        return;
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

static void put_str(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* Printable ASCII that needs no escape; not the NUL. */
static bool is_plain(char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* As the inside of a JSON string, which logfmt readers understand, too. */
static void put_escaped(struct line *l, const char *text)
{
    const char *end = text + strlen(text);
    for (const char *at = text; at < end;) {
        size_t plain = 0;
        while (is_plain(at[plain]))
            plain++;
        put(l, at, plain);
        at += plain;
        if (at == end)
            break;
        const unsigned char *s = (const unsigned char *)at;
        size_t n = utf8_sequence(at, end);
        /* U+0080 to U+009F are controls, too: some terminals obey them. */
        bool c1 = n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
        if (n == 0) {
            put_str(l, "\\ufffd");
            n = 1;
        } else if (*s == '"' || *s == '\\') {
            put(l, (const char[]){'\\', (char)*s}, 2);
        } else if (*s == '\n') {
            put_str(l, "\\n");
        } else if (*s < 0x20 || *s == 0x7f || c1) {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(c1 ? s[1] : s[0]));
            put_str(l, escape);
        } else {
            put(l, at, n);
        }
        at += n;
    }
}

static void put_key(struct line *l, int format, const char *key)
{
    bool json = format == LOG_JSON;
    if (l->len > 0)
        put_str(l, json ? "," : " ");
    else if (json)
        put_str(l, "{");
    put_str(l, json ? "\"" : "");
    put_str(l, key);
    put_str(l, json ? "\":" : "=");
}

/* In logfmt, only what could not be read otherwise is quoted. */
static bool needs_quotes(const char *value)
{
    while (is_plain(*value) && *value != ' ' && *value != '=')
        value++;
    return *value != '\0';
}

static void put_field(struct line *l, int format, const char *key, const char *value)
{
    const char *quote = format == LOG_JSON || needs_quotes(value) ? "\"" : "";
    put_key(l, format, key);
    put_str(l, quote);
    put_escaped(l, value);
    put_str(l, quote);
}

static void put_about(struct line *l, int format, const struct log_field *f)
{
    char number[24];
    if (f->text != NULL && f->text[0] != '\0')
        put_field(l, format, f->key, f->text);
    if (f->text != NULL || f->n == LOG_NOTHING)
        return;
    snprintf(number, sizeof number, "%" PRId64, f->n);
    put_key(l, format, f->key);
    put_str(l, number);
}

static void put_message(struct line *l, int format, const char *message)
{
    bool json = format == LOG_JSON;
    put_str(l, json ? ",\"msg\":\"" : " msg=\"");
    put_escaped(l, message);
    /* Only a message can be too long: the fields before it are short. */
    if (l->cut) {
        memcpy(l->text + l->len, "...", 3);
        l->len += 3;
    }
    l->cut = false;
    memcpy(l->text + l->len, json ? "\"}\n" : "\"\n", json ? 3 : 2);
    l->len += json ? 3 : 2;
}

static void make_stamp(char stamp[STAMP_MAX])
{
    struct timespec ts;
    struct tm tm;
    char time[32];
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp, STAMP_MAX, "%s.%03ldZ", time, ts.tv_nsec / 1000000);
}

/* What a record says, besides when. */
struct record {
    enum log_level level;
    const char *request;
    const struct log_field *fields;
    size_t count;
    const char *message;
};

static void make_line(struct line *l, const char *stamp, const struct record *r)
{
    int format = sink.format;
    l->len = 0;
    l->cut = false;
    put_field(l, format, "time", stamp);
    put_field(l, format, "level", level_words[r->level]);
    if (r->request[0] != '\0')
        put_field(l, format, "request", r->request);
    for (size_t i = 0; i < r->count; i++)
        put_about(l, format, &r->fields[i]);
    put_message(l, format, r->message);
}

/* How many records were lost is told before the next one that is not. */
static bool emit_gap(void)
{
    struct line gap;
    char message[64], stamp[STAMP_MAX];
    if (sink.lost == 0)
        return true;
    make_stamp(stamp);
    snprintf(message, sizeof message, "%" PRIu64 " log records were lost here", sink.lost);
    const struct record r = {.level = LOG_WARN, .request = "", .message = message};
    make_line(&gap, stamp, &r);
    if (emit(gap.text, gap.len) == 0)
        return false;
    sink.lost = 0;
    return true;
}

/* Whole records. A log that nobody reads, or that cannot be written, stops nothing: it costs
 * records. */
static void write_records(const char *text, size_t len)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.outlet.fd < 0)
        sink.outlet = open_stderr();
    size_t done = emit_gap() ? emit(text, len) : 0;
    for (; done < len; done += first_record(text + done, len - done))
        sink.lost++;
    pthread_mutex_unlock(&sink.lock);
}

static void gather(struct gathered *g, const struct line *l)
{
    if (g->len + l->len > sizeof g->text)
        log_flush();
    memcpy(g->text + g->len, l->text, l->len);
    g->len += l->len;
    g->of_current = true;
}

__attribute__((format(printf, 4, 0))) static void write_record(enum log_level level,
                                                               const struct log_field *fields,
                                                               size_t count, const char *fmt,
                                                               va_list ap)
{
    char message[LOG_LINE_MAX], now[STAMP_MAX] = "";
    struct line l;
    if (!log_enabled(level))
        return;
    vsnprintf(message, sizeof message, fmt, ap);
    const struct record r = {level, current_request, fields, count, message};
    char *stamp = gathered != NULL ? gathered->stamp : now;
    if (stamp[0] == '\0')
        make_stamp(stamp);
    make_line(&l, stamp, &r);
    if (gathered != NULL)
        gather(gathered, &l);
    else
        write_records(l.text, l.len);
}

void log_fields(enum log_level level, const struct log_field *fields, size_t count, const char *fmt,
                ...)
{
    va_list ap;
    va_start(ap, fmt);
    write_record(level, fields, count, fmt, ap);
    va_end(ap);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    write_record(level, NULL, 0, fmt, ap);
    va_end(ap);
}

/* ------------------------------------------------------------------------- rounds */

void log_gather(void)
{
    if (gathered == NULL)
        gathered = calloc(1,
                          sizeof *gathered); /* without memory for it, they are written at once */
}

void log_gather_end(void)
{
    log_flush();
    free(gathered);
    gathered = NULL;
}

void log_flush(void)
{
    struct gathered *g = gathered;
    if (g == NULL || g->len == 0)
        return;
    write_records(g->text, g->len);
    g->stamp[0] = '\0';
    g->of_current = false;
    g->len = 0;
}

void log_hand_over(void)
{
    if (gathered != NULL && gathered->of_current)
        log_flush();
}
