/*
 * keys.h - the table of the configuration's keys; for the files of this folder only.
 *
 * Loading, checking, `check --print` and `check --keys` all read it. A value is given as text, in
 * the file or as the key's default, and lands at an offset of the struct that its table is about.
 */
#ifndef CONF_KEYS_H
#define CONF_KEYS_H

#include "base/buf.h"
#include "base/yamlx.h"
#include "conf/conf.h"

/* Sorts of value: what the text may be, and where it goes. */
enum key_type {
    KEY_TEXT,      /* const char * */
    KEY_LOG_FILE,  /* const char *: an absolute path, or "stderr" */
    KEY_CA_FILE,   /* const char *: an absolute path; NULL for "default" */
    KEY_PROXY,     /* const char *: a URL; NULL for "none" */
    KEY_NAME,      /* const char *; NULL for "none" */
    KEY_INBOX,     /* const char *: sqlite:PATH */
    KEY_INT,       /* int64_t; 0 for "auto" if that is the default */
    KEY_DURATION,  /* int64_t, ms: 30s, 5m, 2h, 7d, 0 */
    KEY_SIZE,      /* int64_t, bytes: 4096, 64KiB, 1MiB, 2GiB */
    KEY_OCTAL,     /* int64_t: "0660" */
    KEY_BOOL,      /* bool */
    KEY_LOG_LEVEL, /* enum log_level */
    KEY_LOG_FORMAT,
    KEY_MODE,   /* enum conf_mode */
    KEY_LISTEN, /* const char *: unix:PATH or tcp:HOST:PORT; NULL for "none" if the default is */
    KEY_SPECIAL /* read by code of its own */
};

enum key_trait {
    KEY_FIXED = 1, /* a program that runs cannot change it: files are open, threads run */
};

struct key {
    const char *section; /* "web"; "accounts", "webhooks", "webhooks.policy": of their elements;
                            "": of the file */
    const char *name;
    enum key_type type;
    unsigned traits; /* of enum key_trait */
    size_t offset;
    const char *otherwise; /* the default, as text; NULL: must be given */
    int64_t min, max;      /* of numbers, in the unit that is stored; 0, 0: any */
    const char *help;
};

extern const struct key conf_keys[]; /* ends with a NULL name */
/* Those sections that are of `struct conf` itself, as the file has them; ends with a NULL. */
extern const char *const conf_sections[];

/* A NULL-safe look-up; NULL if there is no such key. */
const struct key *key_find(const char *section, const char *name);
/* "a, b, c": what the section has. Appends to `b`. */
void key_names(struct buf *b, const char *section);

/*
 * Read `text` as the key's value into `base`. Strings are kept by reference: the caller owns them.
 * ERR_TYPE, ERR_RANGE, ERR_INVALID, ERR_TOO_BIG; `why` says what is allowed, without a place and
 * without the text, which may hold what a person took for a good place of a password.
 */
enum err key_read(const struct key *k, const char *text, void *base, struct why *why);
/* Append the value as the file would have it, so that key_read() gives the same. */
void key_print(struct buf *b, const struct key *k, const void *base);
/* Append a number as the file would have it: "30s", "1MiB". */
void key_print_number(struct buf *b, enum key_type type, int64_t value);

#endif
