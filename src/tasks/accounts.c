/* accounts.c - what all who call for an account have in common. */
#include "tasks/accounts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "tasks/backoff.h"

/* An account that has been in trouble. */
struct trouble {
    struct trouble *next;
    char account_id[OBJECT_ID_MAX];
    int64_t failures; /* in a row; 0: it is over */
    int64_t until;    /* clk_mono_ms: this program has halted it so far */
};

struct accounts {
    struct inbox *inbox;
    struct api_commons commons;
    pthread_mutex_t lock; /* guards what follows */
    struct backoff backoff;
    struct trouble *first;
};

static bool take(void *ctx, const char *account_id, int64_t per_s, int64_t *ret_calls,
                 int64_t *ret_wait_ms)
{
    const struct accounts *a = ctx;
    struct why why;
    enum err e = inbox_take_rate(a->inbox, account_id, per_s, ret_calls, ret_wait_ms, &why);
    if (e != ERR_OK && e != ERR_STOPPED)
        log_warn("account %s: its rate cannot be shared with other processes: %s", account_id,
                 why.text);
    return e == ERR_OK;
}

/* NULL: out of memory, or no trouble was known and none begins. */
static struct trouble *find(struct accounts *a, const char *account_id, bool begins)
{
    struct trouble *t = a->first;
    while (t != NULL && strcmp(t->account_id, account_id) != 0)
        t = t->next;
    if (t != NULL || !begins || (t = calloc(1, sizeof *t)) == NULL)
        return t;
    snprintf(t->account_id, sizeof t->account_id, "%s", account_id);
    t->next = a->first;
    return a->first = t;
}

/* One failure more: for how long is the account to be halted? 0: it is so already. What fails while
 * it is belongs to what has halted it. */
static int64_t note_failure(struct accounts *a, struct trouble *t, enum err e,
                            int64_t retry_after_s)
{
    int64_t now = clk_mono_ms(), ms = backoff_ms(&a->backoff, t->failures, -1);
    if (e == ERR_HTTP_AUTH)
        ms = ACCOUNTS_AUTH_HALT_MS;
    else if (retry_after_s >= 0)
        ms = clk_earlier(retry_after_s, API_PAUSE_MAX) * 1000;
    if (now + ms <= t->until || (now < t->until && e != ERR_HTTP_AUTH && retry_after_s < 0))
        return 0;
    t->failures++;
    t->until = now + ms;
    return ms;
}

static void halt(struct accounts *a, const char *account_id, enum err e, int64_t ms)
{
    struct why why;
    if (e == ERR_HTTP_AUTH)
        log_error("account %s: Connect does not accept the API key (401): workers leave it alone "
                  "until the configuration is loaded again, or an hour is over",
                  account_id);
    else
        log_warn("account %s: %s: workers leave it alone for %" PRId64 " ms", account_id,
                 err_text(e), ms);
    e = inbox_halt(a->inbox, account_id, ms, &why);
    if (e != ERR_OK && e != ERR_STOPPED)
        log_warn("account %s: %s", account_id, why.text);
}

static void came_to(void *ctx, const char *account_id, enum err e, int64_t retry_after_s)
{
    struct accounts *a = ctx;
    int64_t ms = 0;
    pthread_mutex_lock(&a->lock);
    struct trouble *t = find(a, account_id, e != ERR_OK);
    if (t != NULL && e == ERR_OK)
        t->failures = 0;
    else if (t != NULL)
        ms = note_failure(a, t, e, retry_after_s);
    pthread_mutex_unlock(&a->lock);
    if (ms > 0)
        halt(a, account_id, e, ms);
}

struct accounts *accounts_new(struct inbox *inbox, const struct conf *conf)
{
    struct accounts *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->inbox = inbox;
    a->commons = (struct api_commons){.ctx = a, .take = take, .came_to = came_to};
    a->backoff = backoff_of(conf);
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void accounts_free(struct accounts *a)
{
    if (a == NULL)
        return;
    while (a->first != NULL) {
        struct trouble *t = a->first;
        a->first = t->next;
        free(t);
    }
    pthread_mutex_destroy(&a->lock);
    free(a);
}

const struct api_commons *accounts_commons(const struct accounts *a)
{
    return &a->commons;
}

void accounts_reload(struct accounts *a, const struct conf *conf)
{
    pthread_mutex_lock(&a->lock);
    a->backoff = backoff_of(conf);
    for (struct trouble *t = a->first; t != NULL; t = t->next) {
        t->failures = 0;
        t->until = 0;
    }
    pthread_mutex_unlock(&a->lock);
    for (size_t n = 0; n < conf->accounts_count; n++) {
        struct why why;
        if (inbox_resume(a->inbox, conf->accounts[n].id, &why) != ERR_OK)
            log_warn("account %s: %s", conf->accounts[n].id, why.text);
    }
}
