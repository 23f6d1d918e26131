/* keys.c - the table of the configuration's keys, and how their values are read and written. */
#include "conf/keys.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/quantity.h"

#define SECONDS INT64_C(1000) /* in ms */
#define MINUTES (60 * SECONDS)
#define HOURS   (60 * MINUTES)
#define DAYS    (24 * HOURS)
#define KIB     INT64_C(1024) /* in bytes */
#define MIB     (1024 * KIB)
#define GIB     (1024 * MIB)

#define AUTO "auto"

#define AT(member)         offsetof(struct conf, member)
#define ACCOUNT_AT(member) offsetof(struct conf_account, member)
#define POLICY_AT(member)  offsetof(struct conf_policy, member)

const char *const conf_sections[] = {"log", "inbox", "processing", "web", NULL};

const struct key conf_keys[] = {
    {"log", "level", KEY_LOG_LEVEL, 0, AT(log.level), "info", 0, 0, "error, warn, info or debug"},
    {"log", "format", KEY_LOG_FORMAT, 0, AT(log.format), "logfmt", 0, 0, "logfmt or json"},
    {"log", "file", KEY_LOG_FILE, 0, AT(log.file), "stderr", 0, 0, "an absolute path, or stderr"},

    {"accounts", "id", KEY_SPECIAL, 0, 0, NULL, 0, 0,
     "VA-... (vendor) or PA-... (distributor), as Connect shows it"},
    {"accounts", "api_url", KEY_SPECIAL, 0, 0, NULL, 0, 0,
     "the endpoint of Connect's API; http:// to loopback only"},
    {"accounts", "api_key", KEY_SPECIAL, 0, 0, NULL, 0, 0,
     "{ file: PATH }, { env: NAME } or { credential: NAME }"},
    {"accounts", "rate_limit", KEY_INT, 0, ACCOUNT_AT(rate_limit), "10", 0, 100000,
     "calls a second at most; 0 is no limit"},
    {"accounts", "connect_timeout", KEY_DURATION, 0, ACCOUNT_AT(connect_timeout_ms), "10s", SECONDS,
     5 * MINUTES, "longest wait for a connection"},
    {"accounts", "timeout", KEY_DURATION, 0, ACCOUNT_AT(timeout_ms), "300s", SECONDS, HOURS,
     "longest time of a call; Connect can be slow"},
    {"accounts", "proxy", KEY_PROXY, 0, ACCOUNT_AT(proxy), "none", 0, 0,
     "http://HOST:PORT or https://HOST:PORT, without a password, or none; the environment is never "
     "asked"},
    {"accounts", "ca_file", KEY_CA_FILE, 0, ACCOUNT_AT(ca_file), "default", 0, 0,
     "absolute path of a PEM file of trusted authorities, or default for the system's"},

    {"inbox", "url", KEY_INBOX, KEY_FIXED, AT(inbox.url),
     "sqlite:/var/lib/connect-webhook/inbox.db", 0, 0, "sqlite: and an absolute path"},
    {"inbox", "lock_timeout", KEY_DURATION, KEY_FIXED, AT(inbox.lock_timeout_ms), "5s", 0, MINUTES,
     "longest wait for another process"},
    {"inbox", "max_wal", KEY_SIZE, KEY_FIXED, AT(inbox.max_wal), "256MiB", MIB, 64 * GIB,
     "size of the write-ahead log above which calls are not stored"},
    {"inbox", "max_backlog", KEY_INT, KEY_FIXED, AT(inbox.max_backlog), "1000000", 1, 1000000000,
     "tasks above which sweeps make no more"},
    {"inbox", "retention", KEY_DURATION, 0, AT(inbox.retention_ms), "30d", HOURS, 3650 * DAYS,
     "how long what is finished is kept"},

    {"processing", "mode", KEY_MODE, 0, AT(processing.mode), "auto", 0, 0, "auto, queue or inline"},
    {"processing", "workers", KEY_INT, 0, AT(processing.workers), "4", 0, 256,
     "threads of the handler that work on what is due; 0: `connect-webhook worker` does"},
    {"processing", "poll_interval", KEY_DURATION, 0, AT(processing.poll_interval_ms), "15m", 0,
     7 * DAYS, "pause between sweeps without a call; 0 is never"},
    {"processing", "inline_deadline", KEY_DURATION, 0, AT(processing.inline_deadline_ms), "30s",
     SECONDS, HOURS, "after it a call begins no new object"},
    {"processing", "lease", KEY_DURATION, 0, AT(processing.lease_ms), "5m", 10 * SECONDS, DAYS,
     "how long a task is its worker's"},
    {"processing", "max_attempts", KEY_INT, 0, AT(processing.max_attempts), "12", 1, 1000,
     "after so many a task is for a person"},
    {"processing", "backoff_min", KEY_DURATION, 0, AT(processing.backoff_min_ms), "5s", SECONDS,
     DAYS, "shortest pause before another attempt"},
    {"processing", "backoff_max", KEY_DURATION, 0, AT(processing.backoff_max_ms), "1h", SECONDS,
     7 * DAYS, "longest pause before another attempt"},
    {"processing", "skip_for", KEY_DURATION, 0, AT(processing.skip_for_ms), "1h", 0, 30 * DAYS,
     "how long a skipped object is left alone"},
    {"processing", "dry_run", KEY_BOOL, 0, AT(processing.dry_run), "false", 0, 0,
     "decide and report, but change nothing"},

    {"web", "listen", KEY_LISTEN, KEY_FIXED, AT(web.listen), "unix:/run/connect-webhook/fcgi.sock",
     0, 0, "unix:PATH or tcp:HOST:PORT; used only if no socket is handed over"},
    {"web", "mode", KEY_OCTAL, KEY_FIXED, AT(web.mode), "0660", 0, 0777,
     "rights of the socket, octal, quoted"},
    {"web", "group", KEY_TEXT, KEY_FIXED, AT(web.group), "www-data", 0, 0,
     "group of the socket: the web server's"},
    {"web", "admin_listen", KEY_LISTEN, KEY_FIXED, AT(web.admin_listen), "none", 0, 0,
     "where health is told; none for nowhere"},
    {"web", "threads", KEY_INT, KEY_FIXED, AT(web.threads), "auto", 1, 256,
     "threads that take calls; auto is one for two processors, one more for each two further, at "
     "most 4"},
    {"web", "validation_threads", KEY_INT, KEY_FIXED, AT(web.validation_threads), "8", 1, 256,
     "threads that answer validations"},
    {"web", "inline_threads", KEY_INT, KEY_FIXED, AT(web.inline_threads), "4", 1, 256,
     "threads that make sweeps while their call waits"},
    {"web", "request_timeout", KEY_DURATION, 0, AT(web.request_timeout_ms), "30s", SECONDS, HOURS,
     "longest time from accept to the last byte read"},
    {"web", "validation_deadline", KEY_DURATION, 0, AT(web.validation_deadline_ms), "20s", SECONDS,
     10 * MINUTES, "longest time of a validation"},
    {"web", "stop_timeout", KEY_DURATION, 0, AT(web.stop_timeout_ms), "30s", 0, HOURS,
     "longest time for what was begun when a stop is asked for"},
    {"web", "max_body", KEY_SIZE, 0, AT(web.max_body), "1MiB", KIB, 64 * MIB,
     "largest body of a call"},

    {"", "include", KEY_SPECIAL, 0, 0, CONF_INCLUDE, 0, 0,
     "pattern of files with more webhooks, one or a list in each, or none; found in the folder of "
     "the file"},

    {"webhooks", "id", KEY_SPECIAL, 0, 0, NULL, 0, 0, "WH-..., as Connect shows it"},
    {"webhooks", "account", KEY_SPECIAL, 0, 0, NULL, 0, 0,
     "id of the account whose webhook it is, as in accounts"},
    {"webhooks", "product", KEY_SPECIAL, 0, 0, NULL, 0, 0,
     "PRD-..., the product whose queue it watches"},
    {"webhooks", "object_class", KEY_SPECIAL, 0, 0, NULL, 0, 0,
     OBJECT_CLASS_WORDS "or their plurals"},
    {"webhooks", "type", KEY_SPECIAL, 0, 0, "event", 0, 0, "event, or one of the validators"},
    {"webhooks", "secrets", KEY_SPECIAL, 0, 0, NULL, 0, 0,
     "list of { file: PATH }, { env: NAME } or { credential: NAME }; several while rotating"},
    {"webhooks", "policy", KEY_SPECIAL, 0, 0, "none", 0, 0,
     "{ rules: PATH }, { exec: [PROGRAM, ...] }, or none"},
    {"webhooks", "states", KEY_SPECIAL, 0, 0, "pending work of the class", 0, 0,
     "list of states that are swept"},
    {"webhooks", "since", KEY_SPECIAL, 0, 0, "a day before the first call", 0, 0,
     "of a billing_request's: the time since when they are looked at, as 2026-11-01T00:00:00Z"},

    {"webhooks.policy", "rules", KEY_SPECIAL, 0, 0, "none", 0, 0, "path of a file of rules"},
    {"webhooks.policy", "exec", KEY_SPECIAL, 0, 0, "none", 0, 0,
     "a program that decides and its arguments, [PROGRAM, ...]; no shell reads them"},
    {"webhooks.policy", "session", KEY_BOOL, 0, POLICY_AT(session), "false", 0, 0,
     "the program runs on, and is asked line by line"},
    {"webhooks.policy", "sessions", KEY_INT, 0, POLICY_AT(sessions), "4", 1, 64,
     "so many of it at a time, of a session"},
    {"webhooks.policy", "timeout", KEY_DURATION, 0, POLICY_AT(timeout_ms), "30s", 100, HOURS,
     "longest time of one question to the program"},
    {"webhooks.policy", "env", KEY_SPECIAL, 0, 0, "[]", 0, 0,
     "list of the names of variables that the program gets of ours"},
    {"webhooks.policy", "cwd", KEY_SPECIAL, 0, 0, "/", 0, 0, "the folder that the program runs in"},
    {"webhooks.policy", "user", KEY_NAME, 0, POLICY_AT(user), "none", 0, 0,
     "who runs the program where root started us; none: nobody"},
    {"webhooks.policy", "group", KEY_NAME, 0, POLICY_AT(group), "none", 0, 0,
     "and as a member of which group; none: the user's own"},
    {0},
};

const struct key *key_find(const char *section, const char *name)
{
    for (const struct key *k = conf_keys; k->name != NULL; k++)
        if (strcmp(k->section, section) == 0 && strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

void key_names(struct buf *b, const char *section)
{
    const char *comma = "";
    for (const struct key *k = conf_keys; k->name != NULL; k++) {
        if (strcmp(k->section, section) == 0) {
            buf_printf(b, "%s%s", comma, k->name);
            comma = ", ";
        }
    }
}

/* ------------------------------------------------------------------ numbers */

static enum quantity quantity_of(enum key_type type)
{
    return type == KEY_DURATION ? QUANTITY_DURATION
           : type == KEY_SIZE   ? QUANTITY_SIZE
                                : QUANTITY_COUNT;
}

void key_print_number(struct buf *b, enum key_type type, int64_t value)
{
    quantity_print(b, quantity_of(type), value);
}

/* Does its default stand for a number that is found out when it is needed? Stored as 0. */
static bool may_be_auto(const struct key *k)
{
    return k->type == KEY_INT && strcmp(k->otherwise, AUTO) == 0;
}

static enum err out_of_range(const struct key *k, struct why *why)
{
    struct buf b;
    buf_init(&b, WHY_MAX);
    buf_addstr(&b, "from ");
    key_print_number(&b, k->type, k->min);
    buf_addstr(&b, " to ");
    key_print_number(&b, k->type, k->max);
    why_set(why, ERR_RANGE, "%s is allowed", b.data);
    buf_free(&b);
    return ERR_RANGE;
}

static enum err read_number(const struct key *k, const char *text, int64_t *ret, struct why *why)
{
    static const char *const wanted[] = {
        [KEY_INT] = "a whole number is needed",
        [KEY_DURATION] = "a time with its unit is needed, like 30s, 5m, 2h or 7d",
        [KEY_SIZE] = "a size is needed, like 4096, 64KiB or 1MiB",
    };
    int64_t value = 0;
    enum err e = quantity_parse(quantity_of(k->type), text, &value);
    if (e == ERR_TYPE)
        return why_set(why, e, "%s", wanted[k->type]);
    if (e != ERR_OK || value < k->min || value > k->max)
        return out_of_range(k, why);
    *ret = value;
    return ERR_OK;
}

static enum err read_octal(const struct key *k, const char *text, int64_t *ret, struct why *why)
{
    size_t digits = strspn(text, "01234567");
    long value = strtol(text, NULL, 8);
    if (text[0] != '0' || digits != 4 || text[4] != '\0' || value > k->max)
        return why_set(why, ERR_TYPE, "rights like \"0660\" are needed, in quotes");
    *ret = value;
    return ERR_OK;
}

/* ------------------------------------------------------------------ the rest */

static const char *const format_words[] = {[LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json"};
static const char *const mode_words[] = {
    [MODE_AUTO] = "auto", [MODE_QUEUE] = "queue", [MODE_INLINE] = "inline"};
static const char *const level_words[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

static int word_index(const char *const *words, int count, const char *text)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    return -1;
}

static enum err read_listen(const struct key *k, const char *text, const char **ret,
                            struct why *why)
{
    if (strcmp(text, "none") == 0 && strcmp(k->otherwise, "none") == 0) {
        *ret = NULL;
        return ERR_OK;
    }
    const char *colon = strrchr(text, ':');
    bool is_unix = strncmp(text, "unix:", 5) == 0;
    bool is_tcp = strncmp(text, "tcp:", 4) == 0 && colon > text + 4 && colon[1] != '\0' &&
                  strspn(colon + 1, "0123456789") == strlen(colon + 1) &&
                  strtol(colon + 1, NULL, 10) <= 65535;
    if ((!is_unix || text[5] == '\0') && !is_tcp)
        return why_set(why, ERR_INVALID, "unix:PATH or tcp:HOST:PORT is needed");
    if (is_unix && text[5] != '/')
        return why_set(why, ERR_INVALID, "the socket's path must be absolute: unix:/...");
    if (is_unix && strlen(text + 5) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return why_set(why, ERR_TOO_BIG, "a socket's path has at most %zu bytes",
                       sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    *ret = text;
    return ERR_OK;
}

static enum err read_text(const char *text, const char **ret, struct why *why)
{
    if (*text == '\0')
        return why_set(why, ERR_INVALID, "a text is needed");
    *ret = text;
    return ERR_OK;
}

/* The handler's working folder is the web server's choice: a path that starts there is a trap. */
static enum err read_absolute(const char *text, const char *path, const char **ret, struct why *why)
{
    if (*path != '/')
        return why_set(why, ERR_INVALID, "an absolute path is needed");
    *ret = text;
    return ERR_OK;
}

/* Like http://proxy.example.com:3128. A password would be a secret in a file of no secrets. */
static enum err read_proxy(const char *text, const char **ret, struct why *why)
{
    size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                    : strncmp(text, "https://", 8) == 0 ? 8
                                                        : 0;
    const char *host = text + scheme;
    size_t len = strcspn(host, "/:");
    if (strchr(text, '@') != NULL)
        return why_set(why, ERR_INVALID, "a proxy that wants a password is not supported");
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            scheme = 0;
    if (scheme == 0 || (len == 0 && *host != '['))
        return why_set(why, ERR_INVALID, "http://HOST:PORT, https://HOST:PORT or none is needed");
    *ret = text;
    return ERR_OK;
}

/* What is not the word of its default, which stands for nothing. */
static enum err read_optional(const struct key *k, const char *text, const char **ret,
                              struct why *why)
{
    if (k->type == KEY_PROXY)
        return read_proxy(text, ret, why);
    if (k->type == KEY_CA_FILE)
        return read_absolute(text, text, ret, why);
    return read_text(text, ret, why);
}

enum err key_read(const struct key *k, const char *text, void *base, struct why *why)
{
    void *at = (char *)base + k->offset;
    int word;
    switch (k->type) {
    case KEY_TEXT:
        return read_text(text, at, why);
    case KEY_LOG_FILE:
        if (strcmp(text, k->otherwise) != 0)
            return read_absolute(text, text, at, why);
        *(const char **)at = text;
        return ERR_OK;
    case KEY_INBOX:
        if (strncmp(text, "sqlite:", 7) != 0)
            return why_set(why, ERR_INVALID, "sqlite:PATH is needed");
        return read_absolute(text, text + 7, at, why);
    case KEY_CA_FILE:
    case KEY_PROXY:
    case KEY_NAME:
        *(const char **)at = NULL;
        return strcmp(text, k->otherwise) == 0 ? ERR_OK : read_optional(k, text, at, why);
    case KEY_INT:
    case KEY_DURATION:
    case KEY_SIZE:
        if (may_be_auto(k) && strcmp(text, AUTO) == 0) {
            *(int64_t *)at = 0;
            return ERR_OK;
        }
        return read_number(k, text, at, why);
    case KEY_OCTAL:
        return read_octal(k, text, at, why);
    case KEY_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return why_set(why, ERR_TYPE, "true or false is needed");
        *(bool *)at = text[0] == 't';
        return ERR_OK;
    case KEY_LOG_LEVEL:
        if (log_level_parse(text, at) != ERR_OK)
            return why_set(why, ERR_INVALID, "error, warn, info or debug is needed");
        return ERR_OK;
    case KEY_LOG_FORMAT:
        if ((word = word_index(format_words, 2, text)) < 0)
            return why_set(why, ERR_INVALID, "logfmt or json is needed");
        *(enum log_format *)at = (enum log_format)word;
        return ERR_OK;
    case KEY_MODE:
        word = word_index(mode_words, 3, text);
        if (word < 0)
            return why_set(why, ERR_INVALID, "auto, queue or inline is needed");
        *(enum conf_mode *)at = (enum conf_mode)word;
        return ERR_OK;
    case KEY_LISTEN:
        return read_listen(k, text, at, why);
    case KEY_SPECIAL:
        break;
    }
    return ERR_OK;
}

void key_print(struct buf *b, const struct key *k, const void *base)
{
    const void *at = (const char *)base + k->offset;
    const char *text;
    switch (k->type) {
    case KEY_TEXT:
    case KEY_LOG_FILE:
    case KEY_CA_FILE:
    case KEY_PROXY:
    case KEY_NAME:
    case KEY_INBOX:
    case KEY_LISTEN:
        text = *(const char *const *)at;
        yamlx_quote(b, text != NULL ? text : k->otherwise);
        break;
    case KEY_INT:
    case KEY_DURATION:
    case KEY_SIZE:
        if (may_be_auto(k) && *(const int64_t *)at == 0)
            buf_addstr(b, AUTO);
        else
            key_print_number(b, k->type, *(const int64_t *)at);
        break;
    case KEY_OCTAL:
        buf_printf(b, "\"%04" PRIo64 "\"", *(const int64_t *)at);
        break;
    case KEY_BOOL:
        buf_addstr(b, *(const bool *)at ? "true" : "false");
        break;
    case KEY_LOG_LEVEL:
        buf_addstr(b, level_words[*(const enum log_level *)at]);
        break;
    case KEY_LOG_FORMAT:
        buf_addstr(b, format_words[*(const enum log_format *)at]);
        break;
    case KEY_MODE:
        buf_addstr(b, mode_words[*(const enum conf_mode *)at]);
        break;
    case KEY_SPECIAL:
        break;
    }
}
