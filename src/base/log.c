/* log.c - the program's log. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_MODE 0640

/* Every field is read by log_write() in any thread: guarded by `lock`, the level apart. */
static struct {
    pthread_mutex_t lock;
    _Atomic int level;
    enum log_format format;
    char *path; /* owned; NULL is stderr */
    int fd;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO, .fd = STDERR_FILENO};

static _Thread_local char current_request[LOG_REQUEST_MAX];

static const char *const level_words[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, FILE_MODE);
}

enum err log_open(const struct log_options *options, struct why *why)
{
    char *path = NULL;
    int fd = STDERR_FILENO;
    if (strcmp(options->file, "stderr") != 0) {
        path = strdup(options->file);
        if (path == NULL)
            return ERR_NOMEM;
        fd = open_file(path);
        if (fd < 0) {
            free(path);
            return why_set(why, ERR_IO, "log file %s: %s", options->file, strerror(errno));
        }
    }
    pthread_mutex_lock(&sink.lock);
    int old_fd = sink.fd;
    char *old_path = sink.path;
    sink.fd = fd;
    sink.path = path;
    sink.format = options->format;
    sink.level = (int)options->level;
    pthread_mutex_unlock(&sink.lock);
    if (old_path != NULL)
        close(old_fd);
    free(old_path);
    return ERR_OK;
}

enum err log_reopen(struct why *why)
{
    enum err e = ERR_OK;
    pthread_mutex_lock(&sink.lock);
    if (sink.path != NULL) {
        int fd = open_file(sink.path);
        if (fd < 0) {
            e = why_set(why, ERR_IO, "log file %s: %s", sink.path, strerror(errno));
        } else {
            close(sink.fd);
            sink.fd = fd;
        }
    }
    pthread_mutex_unlock(&sink.lock);
    return e;
}

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
    snprintf(current_request, sizeof current_request, "%s", id != NULL ? id : "");
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

/* Length of the valid UTF-8 sequence at `s`, 0 if there is none (RFC 3629). */
static size_t utf8_len(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (n == 0 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

/* As the inside of a JSON string, which logfmt readers understand, too. */
static void put_escaped(struct line *l, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s != '\0') {
        size_t n = utf8_len(s);
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
            put(l, (const char *)s, n);
        }
        s += n;
    }
}

static void put_field(struct line *l, enum log_format format, const char *key, const char *value)
{
    bool json = format == LOG_JSON;
    if (l->len > 0)
        put_str(l, json ? "," : " ");
    else if (json)
        put_str(l, "{");
    put_str(l, json ? "\"" : "");
    put_str(l, key);
    put_str(l, json ? "\":\"" : "=");
    put_escaped(l, value);
    put_str(l, json ? "\"" : "");
}

static void put_message(struct line *l, enum log_format format, const char *message)
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

void log_write(enum log_level level, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;

    char message[LOG_LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);

    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    struct tm tm;
    gmtime_r(&ts.tv_sec, &tm);
    char time[32], stamp[64];
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp, sizeof stamp, "%s.%03ldZ", time, ts.tv_nsec / 1000000);

    struct line l = {.len = 0};
    pthread_mutex_lock(&sink.lock);
    put_field(&l, sink.format, "time", stamp);
    put_field(&l, sink.format, "level", level_words[level]);
    if (current_request[0] != '\0')
        put_field(&l, sink.format, "request", current_request);
    put_message(&l, sink.format, message);
    /* A log that cannot be written stops nothing: there is nobody to tell. */
    ssize_t written = write(sink.fd, l.text, l.len);
    (void)written;
    pthread_mutex_unlock(&sink.lock);
}
