/*
 * log.h - the program's log: one line a record, logfmt or JSON.
 *
 * Code below the level that decides does not log, it returns an error: see err.h.
 * A message is plain words; whatever came from outside (ids, texts of others) is
 * passed as an argument and reaches the line escaped, so that no line break, no
 * terminal sequence and no invalid UTF-8 of theirs gets through. Secrets are never
 * passed here at all.
 *
 * Nothing waits for a log: while nobody reads it, or it cannot be written, records are lost and
 * counted, and the next one that gets through is preceded by their number.
 *
 * A record is written at once, but by a thread that works in rounds, of many small pieces each:
 * that gathers a round's records, with one time, and writes them together. A crash loses those, so
 * nobody should be told before of what they are about.
 *
 *     const struct log_field about[] = {LOG_TEXT("webhook", id), LOG_NUMBER("delivery", 7)};
 *     log_fields(LOG_INFO, about, 2, "accepted");
 *     time=2026-11-23T10:04:56.123Z level=info webhook=WH-1 delivery=7 msg="accepted"
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* Bytes of a line; longer messages are cut and end in "...". As many as a pipe takes at once. */
#define LOG_LINE_MAX 4096

struct log_options {
    enum log_level level;
    enum log_format format;
    const char *file; /* path, or "stderr"; borrowed for the call */
};

/* Before this is called, records of level info and up go to stderr as logfmt. Any thread. */
enum err log_open(const struct log_options *options, struct why *why);
/* Open the same file again, for log rotation. No-op for stderr. */
enum err log_reopen(struct why *why);

/*
 * log_open() in two steps, for who has more to prepare before anything is used. What has been
 * prepared is used or discarded.
 */
struct log_sink;
enum err log_prepare(const struct log_options *options, struct log_sink **ret, struct why *why);
void log_use(struct log_sink *s);
void log_discard(struct log_sink *s); /* NULL is fine */

/* Does a record of this level go anywhere? For messages that are costly to make. */
int log_enabled(enum log_level level);

/* "debug" and so on. ERR_INVALID for other words. */
enum err log_level_parse(const char *word, enum log_level *ret);

/*
 * Name what the calling thread works on; its records carry it as `request`. NULL clears.
 * At most LOG_REQUEST_MAX - 1 bytes are kept.
 */
#define LOG_REQUEST_MAX 64
void log_set_request(const char *id);

/* From now on the calling thread's records are gathered. */
void log_gather(void);
/* Write what was gathered, and gather no more; to be called before the thread ends. */
void log_gather_end(void);
/* The round is over: write what was gathered. */
void log_flush(void);
/* Another thread goes on with what this one works on, and may write before this one's round is
 * over: what was gathered about it is written before. */
void log_hand_over(void);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * What a record is about, for whoever searches the log: a text or, where that is NULL, a number.
 * A field whose text is "", or whose number is LOG_NOTHING, is left out.
 */
struct log_field {
    const char *key; /* static, plain: "webhook" */
    const char *text;
    int64_t n;
};
#define LOG_NOTHING        INT64_MIN
#define LOG_TEXT(key, s)   ((struct log_field){key, s, 0})
#define LOG_NUMBER(key, n) ((struct log_field){key, NULL, n})

/* A record with fields before its message. Values of fields are short: ids, names, numbers. */
void log_fields(enum log_level level, const struct log_field *fields, size_t count, const char *fmt,
                ...) __attribute__((format(printf, 4, 5)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
