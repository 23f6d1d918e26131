/*
 * conf.h - the configuration: one YAML file, one table, one immutable snapshot.
 *
 * keys.c holds the table of keys (key, type, unit, range, default, help); loading, checking and
 * printing all read it. A snapshot never changes; a reload makes a new one, and the old one
 * lives until its last user lets go.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "event/object_class.h"

#define CONF_ACCOUNTS_MAX 256
#define CONF_WEBHOOKS_MAX 4096
#define CONF_SECRETS_MAX  16 /* of one webhook, while rotating */
#define CONF_STATES_MAX   16
#define CONF_ARGS_MAX     32                  /* of a policy's program, with its own name */
#define CONF_ENV_MAX      32                  /* variables that it gets of ours */
#define CONF_INCLUDE      "webhooks.d/*.yaml" /* unless `include` says otherwise */

/* A secret as configured: where it is, and what it was when the snapshot was made. */
struct conf_secret {
    struct secret_source source;
    struct secret *value; /* NULL if loading secrets was not asked for */
};

struct conf_account {
    const char *id;
    enum side side;
    const char *api_url; /* no trailing slash */
    struct conf_secret api_key;
    int64_t rate_limit; /* calls a second, 0 is none */
    int64_t connect_timeout_ms;
    int64_t timeout_ms;
    const char *proxy;   /* NULL for none */
    const char *ca_file; /* NULL for the system's */
};

enum conf_policy_kind { CONF_POLICY_NONE, CONF_POLICY_RULES, CONF_POLICY_EXEC };

struct conf_policy {
    enum conf_policy_kind kind;
    const char *path; /* of the rules */

    /* A program's. */
    const char *argv[CONF_ARGS_MAX + 1]; /* NULL-terminated; the first is its absolute path */
    bool session;                        /* one process for many questions */
    int64_t sessions;                    /* processes at a time, then */
    int64_t timeout_ms;                  /* of a question */
    const char *env[CONF_ENV_MAX + 1];   /* names, NULL-terminated */
    const char *cwd;                     /* absolute */
    const char *user, *group;            /* by name or number; NULL: not said */
};

struct conf_webhook {
    const char *id;
    const struct conf_account *account;
    const char *product;
    const struct object_class *object_class;
    enum webhook_type type;
    struct conf_secret secrets[CONF_SECRETS_MAX];
    size_t secrets_count;                    /* at least 1 */
    const char *states[CONF_STATES_MAX + 1]; /* what is swept, NULL-terminated; the class's
                                                pending ones unless configured */
    int64_t since_us; /* of classes without states: what was made then or later is looked at first;
                         CLK_UNKNOWN: not configured */
    struct conf_policy policy;
    const char *file; /* where it was written, for errors */
    int line;
};

enum conf_mode { MODE_AUTO, MODE_QUEUE, MODE_INLINE };

struct conf {
    struct {
        enum log_level level;
        enum log_format format;
        const char *file;
    } log;
    struct {
        const char *url;
        int64_t lock_timeout_ms;
        int64_t max_wal;
        int64_t max_backlog;
        int64_t retention_ms;
    } inbox;
    struct {
        enum conf_mode mode;
        int64_t workers;
        int64_t poll_interval_ms; /* 0: no polling */
        int64_t inline_deadline_ms;
        int64_t lease_ms;
        int64_t max_attempts;
        int64_t backoff_min_ms;
        int64_t backoff_max_ms;
        int64_t skip_for_ms;
        bool dry_run;
    } processing;
    struct {
        const char *listen; /* "unix:PATH" or "tcp:HOST:PORT" */
        int64_t mode;       /* of the socket file, 0660 */
        const char *group;
        const char *admin_listen; /* or NULL for none */
        int64_t threads;
        int64_t validation_threads;
        int64_t inline_threads;
        int64_t request_timeout_ms;
        int64_t validation_deadline_ms;
        int64_t stop_timeout_ms;
        int64_t max_body;
    } web;
    struct conf_account *accounts;
    size_t accounts_count;
    struct conf_webhook *webhooks;
    size_t webhooks_count;
    bool has_secrets; /* of webhooks: calls can be verified */
};

/* Which parts of the configuration must be usable, besides well-formed. */
enum conf_need {
    CONF_CHECK,            /* everything is loaded and checked: secrets, API keys */
    CONF_API_KEYS_AT_HAND, /* keys that cannot be read are left out: their value is NULL */
    CONF_NO_API_KEYS,      /* for a process that must not hold them */
    CONF_TO_WORK,          /* as CONF_CHECK, but for webhooks' secrets: it takes no calls */
    CONF_TO_LOOK,          /* no secret is loaded, and no rules or program need be there */
    CONF_FOR_CGI,  /* as CONF_CHECK, but for API keys that only other processes need: those of
                      `connect-webhook worker` */
    CONF_FOR_FCGI, /* ditto */
};

/* `-c FILE`, else $CONNECT_WEBHOOK_CONFIG, else the installed place. Static or borrowed. */
const char *conf_path(const char *option);

/*
 * Load, check, and load the secrets that `need` asks for. *ret has one reference. On failure
 * `why` says FILE:LINE:COLUMN, the key and what to do. Weak secrets are logged as warnings.
 */
enum err conf_load(const char *path, enum conf_need need, struct conf **ret, struct why *why);

/* Take and give back a reference; any thread. */
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c); /* NULL is fine; wipes secrets with the last one */

/* Are calls answered once they are stored, by a handler that is CGI or FastCGI? Else they are
 * worked on while they wait. */
bool conf_queues(const struct conf *c, bool cgi);

/* NULL if there is none. Borrowed from the snapshot. */
const struct conf_webhook *conf_webhook(const struct conf *c, const char *id);
const struct conf_account *conf_account(const struct conf *c, const char *id);

/* Do both tell of the same queue: events of one account, product and class? */
bool conf_same_queue(const struct conf_webhook *a, const struct conf_webhook *b);
bool conf_same_policy(const struct conf_policy *a, const struct conf_policy *b);

/*
 * The whole configuration as YAML with every default filled in, secrets as their source only, and
 * the included webhooks among the others: loaded again, from any folder, it is the same.
 * ERR_ENCODING: a path is not UTF-8.
 */
enum err conf_print(const struct conf *c, struct buf *b);
/*
 * Name what differs between two configurations and cannot be changed while a program runs, as
 * "web.listen, inbox.url"; nothing is appended if nothing does.
 */
void conf_fixed_changes(const struct conf *running, const struct conf *fresh, struct buf *b);
/* The table of keys with units, ranges and defaults, for the manual and for --help. */
enum err conf_print_keys(struct buf *b);

#endif
