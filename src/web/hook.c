/* hook.c - a webhook's call, from the request to the answer. */
#include "web/hook.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth/bearer.h"
#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "web/answer.h"
#include "web/pool.h"
#include "web/snapshot.h"

#define ADMIN_PATH   "/-/" /* answered on the admin listener only */
#define OBJECT_SHARE 4     /* one object may take a quarter of the time of its call */

struct hook {
    struct inbox *inbox;
    struct pool *inline_pool;
    pthread_mutex_t lock; /* guards what follows */
    struct snapshot *current;
    struct call *sweeping; /* calls that may wait for Connect, with the snapshots they began with */
    bool stopped;
};

/* One call on its way; owned by whichever step has it. */
struct call {
    struct hook *hook;
    struct request *request;
    struct snapshot *snapshot;
    int64_t started;           /* clk_mono_ms */
    struct call *next, **link; /* in the hook's list `sweeping`, and what points here */

    const char *token; /* borrowed from the request */
    size_t token_len;
    struct verified verified;
    struct event event;
    const char *ignored; /* why this call is not this webhook's business; NULL if it is. Static */

    struct buf claims; /* as JSON, for the inbox */
    struct inbox_receipt receipt;

    struct json_object *objects; /* array: what became of each */
    bool unreported;             /* of some, memory did not suffice to say */

    enum err err; /* what ended the call; ERR_OK if it came to its end */
    struct why why;
    int64_t retry_after_s; /* -1 if nobody said */
};

/*
 * The life of a call. A step does its part and names the next; STEP_PARKED means that somebody
 * else has the call now and will go on with it.
 */
#define STEPS(X)                                                                                 \
    X(ADMIT, admit)               /* method, path, encoding, what the transport found wrong */   \
    X(AUTHENTICATE, authenticate) /* one bearer token, of a webhook that we know, not expired */ \
    X(UNDERSTAND, understand)     /* the claims, and whether they are this webhook's business */ \
    X(STORE, store)               /* into the inbox; goes on when it is on stable storage */     \
    X(STORED, stored)             /* what the inbox said */                                      \
    X(WORK, work)                 /* hand over to a thread that may take its time */             \
    X(SWEEP, sweep)               /* list what is pending, decide, carry out */                  \
    X(ANSWER, answer)             /* and forget the call */

enum step {
#define X(name, fn) STEP_##name,
    STEPS(X)
#undef X
        STEP_PARKED
};

#define X(name, fn) static enum step fn(struct call *c);
STEPS(X)
#undef X

static void go_on(struct call *c, enum step step)
{
    static enum step (*const steps[])(struct call *) = {
#define X(name, fn) [STEP_##name] = fn,
        STEPS(X)
#undef X
    };
    log_set_request(c->request->id);
    while (step != STEP_PARKED)
        step = steps[step](c);
    log_set_request(NULL);
}

static enum step fail(struct call *c, enum err e)
{
    c->err = e;
    return STEP_ANSWER;
}

/* ------------------------------------------------------------------- steps */

static enum step admit(struct call *c)
{
    const struct request *r = c->request;
    if (r->err != ERR_OK)
        return fail(c, why_set(&c->why, r->err, "request: %s", err_text(r->err)));
    if (strncmp(r->path, ADMIN_PATH, strlen(ADMIN_PATH)) == 0)
        return fail(c, why_set(&c->why, ERR_NOT_FOUND, "admin path on the webhooks' listener"));
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "POST") != 0)
        return fail(c, why_set(&c->why, ERR_METHOD, "method %.20s: use GET or POST", r->method));
    if (r->content_encoding != NULL && *r->content_encoding != '\0')
        return fail(c, why_set(&c->why, ERR_CONTENT_ENCODING, "Content-Encoding %.40s: send as is",
                               r->content_encoding));
    return STEP_AUTHENTICATE;
}

static enum step authenticate(struct call *c)
{
    const char *const headers[] = {c->request->authentication, c->request->authorization,
                                   c->request->redirect_authorization};
    enum err e = bearer_find(headers, sizeof headers / sizeof headers[0], &c->token, &c->token_len);
    if (e == ERR_TOKEN_MISSING)
        return fail(c,
                    why_set(&c->why, e, "%s (Apache passes Authorization only with CGIPassAuth On)",
                            err_text(e)));
    if (e != ERR_OK)
        return fail(c, why_set(&c->why, e, "%s", err_text(e)));
    e = keyring_verify(c->snapshot->keyring, c->token, c->token_len, clk_wall_s(), &c->verified,
                       &c->why);
    /* A token that is too long is a refused token; the body is what 413 is about. */
    return e == ERR_OK ? STEP_UNDERSTAND : fail(c, e == ERR_TOO_BIG ? ERR_TOKEN_FORM : e);
}

static bool same_endpoint(const char *claimed, const char *configured)
{
    size_t len = strlen(claimed);
    while (len > 0 && claimed[len - 1] == '/')
        len--;
    return strlen(configured) == len && strncmp(claimed, configured, len) == 0;
}

/* The claimed endpoint is never contacted; an operator should hear of it, once. */
static void note_endpoint(struct call *c)
{
    const struct conf_webhook *w = c->verified.webhook;
    const char *claimed = c->event.api_url;
    if (claimed == NULL || same_endpoint(claimed, w->account->api_url))
        return;
    if (c->snapshot->foreign_api_urls[w - c->snapshot->conf->webhooks]++ == 0)
        log_warn("webhook %s: calls claim api_url %s; it is ignored, %s is used (said once)", w->id,
                 claimed, w->account->api_url);
}

/* The body is not signed and decides nothing; where it differs from the claims, say so. */
static void note_body(const struct call *c)
{
    static const char *const keys[] = {"webhook_id", "object_class", "account_id", "product_id",
                                       "api_url"};
    struct json_object *body = NULL;
    if (c->request->body_len == 0 ||
        jsonx_parse(c->request->body, c->request->body_len, JSONX_SIZE_MAX, &body, NULL) != ERR_OK)
        return;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *said = jsonx_str(body, keys[i], NULL);
        const char *claimed = jsonx_str(c->event.claims, keys[i], NULL);
        if (said != NULL && claimed != NULL && strcmp(said, claimed) != 0)
            log_info("webhook %s: the body's %s is %s, the token's is %s; the token counts",
                     c->event.webhook_id, keys[i], said, claimed);
    }
    json_object_put(body);
}

const char *hook_ignores(const struct event *e, const struct conf_webhook *w)
{
    if (e->object_class != NULL && object_class_find(e->object_class) != w->object_class)
        return "the webhook is configured for another object class";
    if (e->product_id != NULL && strcmp(e->product_id, w->product) != 0)
        return "the webhook is configured for another product";
    if (e->account_id != NULL && strcmp(e->account_id, w->account->id) != 0)
        return "the webhook is configured for another account";
    return NULL;
}

static enum step understand(struct call *c)
{
    const struct conf_webhook *w = c->verified.webhook;
    enum err e = event_from_claims(c->verified.claims, &c->event, &c->why);
    if (e != ERR_OK)
        return fail(c, e);
    if (c->verified.secret > 0)
        log_debug("webhook %s: signed with secret %zu of its list", w->id, c->verified.secret + 1);
    if (w->type != TYPE_EVENT)
        return fail(c,
                    why_set(&c->why, ERR_POLICY,
                            "webhook %s: this version does not answer validation webhooks", w->id));
    c->ignored = hook_ignores(&c->event, w);
    note_endpoint(c);
    note_body(c);
    return STEP_STORE;
}

static void on_appended(void *ctx, const struct inbox_receipt *receipt)
{
    struct call *c = ctx;
    c->receipt = *receipt;
    go_on(c, STEP_STORED);
}

static enum delivery_state state_of(const struct call *c)
{
    return c->ignored == NULL ? DELIVERY_STORED : DELIVERY_IGNORED;
}

static enum step store(struct call *c)
{
    const struct conf_webhook *w = c->verified.webhook;
    if (jsonx_print(&c->claims, c->event.claims) != ERR_OK)
        return fail(c, why_set(&c->why, c->claims.err, "claims: %s", err_text(c->claims.err)));
    struct delivery d = {
        .state = state_of(c),
        .webhook_id = w->id,
        .account_id = w->account->id,
        .product_id = w->product,
        .object_class = w->object_class,
        .triggered_at = c->event.triggered_at,
        .exp = c->event.exp,
        .received_us = c->request->received_us,
        .claims = c->claims.data,
        .claims_len = c->claims.len,
        .body = c->request->body,
        .body_len = c->request->body_len,
    };
    crypto_hash_sha256(d.token_sha256, (const unsigned char *)c->token, c->token_len);
    inbox_append(c->hook->inbox, &d, on_appended, c);
    return STEP_PARKED;
}

static enum step stored(struct call *c)
{
    if (c->receipt.err != ERR_OK) {
        c->why = c->receipt.why;
        /* What the inbox could not keep is never the caller's fault. */
        return fail(c, ERR_STORE);
    }
    log_info("webhook %s: delivery %" PRId64 " %s (seen %" PRId64 ")", c->event.webhook_id,
             c->receipt.id, delivery_state_name(state_of(c)), c->receipt.seen);
    return c->ignored != NULL ? STEP_ANSWER : STEP_WORK;
}

static void on_thread(void *work)
{
    go_on(work, STEP_SWEEP);
}

static enum step work(struct call *c)
{
    if (pool_run(c->hook->inline_pool, on_thread, c) != ERR_OK)
        return fail(c, why_set(&c->why, ERR_BUSY, "too many calls wait for their sweep"));
    return STEP_PARKED;
}

static void on_swept(void *ctx, const struct swept *s)
{
    struct call *c = ctx;
    if (!jsonx_append(c->objects, swept_json(s)))
        c->unreported = true;
}

/* From here to sweep_ends() a stop finds the call. */
static void sweep_begins(struct call *c)
{
    struct hook *h = c->hook;
    pthread_mutex_lock(&h->lock);
    c->next = h->sweeping;
    c->link = &h->sweeping;
    if (c->next != NULL)
        c->next->link = &c->next;
    h->sweeping = c;
    if (h->stopped)
        dispatch_stop(c->snapshot->dispatch);
    pthread_mutex_unlock(&h->lock);
}

static void sweep_ends(struct call *c)
{
    struct hook *h = c->hook;
    pthread_mutex_lock(&h->lock);
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    pthread_mutex_unlock(&h->lock);
}

/* Did each object come to an end that Connect's calling again would not better? */
static enum err judge(struct call *c, const struct sweep_result *result)
{
    if (result->left > 0)
        return why_set(&c->why, ERR_BUSY, "the time for one call is over: the next call goes on");
    if (result->ended[OUTCOME_RETRY] > 0)
        return why_set(&c->why, ERR_BUSY, "some objects have to be tried again");
    if (c->unreported)
        return why_no_memory(&c->why);
    return ERR_OK;
}

static enum step sweep(struct call *c)
{
    const struct conf *conf = c->snapshot->conf;
    const struct sweep_terms terms = {.claims = c->event.claims,
                                      .deadline = c->started + conf->processing.inline_deadline_ms,
                                      .object_ms = conf->processing.inline_deadline_ms /
                                                   OBJECT_SHARE,
                                      .dry_run = conf->processing.dry_run};
    struct sweep_result result;
    c->objects = json_object_new_array();
    sweep_begins(c);
    enum err e = dispatch_sweep(c->snapshot->dispatch, c->verified.webhook, &terms, on_swept, c,
                                &result, &c->why);
    sweep_ends(c);
    c->retry_after_s = result.retry_after_s;
    if (e == ERR_OK)
        e = judge(c, &result);
    struct why why;
    enum delivery_state state = e == ERR_OK ? DELIVERY_DONE : DELIVERY_FAILED;
    if (inbox_set_state(c->hook->inbox, c->receipt.id, state, &why) != ERR_OK)
        log_warn("webhook %s: %s", c->event.webhook_id, why.text);
    return e == ERR_OK ? STEP_ANSWER : fail(c, e);
}

/* What becomes of a call that was not refused. NULL: out of memory. */
static struct json_object *make_body(const struct call *c)
{
    struct json_object *body = json_object_new_object();
    const char *status = c->ignored != NULL    ? "ignored"
                         : c->receipt.seen > 1 ? "duplicate"
                                               : "done";
    bool ok = jsonx_add(body, "status", json_object_new_string(status)) &&
              jsonx_add(body, "delivery", json_object_new_int64(c->receipt.id));
    if (c->ignored != NULL)
        ok = ok && jsonx_add(body, "reason", json_object_new_string(c->ignored));
    else
        ok = ok && jsonx_add(body, "objects", json_object_get(c->objects));
    if (ok)
        return body;
    json_object_put(body);
    return NULL;
}

/* What Connect's user may read. Stories about this machine, with its paths, are for the log. */
static const char *detail(const struct call *c)
{
    switch ((int)c->err) { /* the few of a long list */
    case ERR_NOMEM:
    case ERR_IO:
    case ERR_CONFIG:
    case ERR_STORE:
    case ERR_FENCED:
    case ERR_TLS:
        return err_text(c->err);
    default:
        return c->why.text;
    }
}

static void put_answer(const struct call *c, struct response *res)
{
    if (c->err == ERR_OK)
        answer_json(res, 200, make_body(c));
    else /* whatever kept a sweep from its end, to Connect it is "not now, call again" */
        answer_problem(res, c->objects != NULL ? ERR_BUSY : c->err, detail(c), c->retry_after_s,
                       json_object_get(c->objects));
}

static enum step answer(struct call *c)
{
    struct response res;
    put_answer(c, &res);
    if (c->err != ERR_OK)
        log_write(c->err == ERR_STORE ? LOG_ERROR : LOG_WARN, "%s %.64s: %d: %s: %s",
                  c->request->method, c->request->path, res.status, err_name(c->err), c->why.text);
    else if (c->ignored != NULL)
        log_warn("webhook %s: delivery %" PRId64 " ignored: %s", c->event.webhook_id, c->receipt.id,
                 c->ignored);

    struct request *request = c->request;
    json_object_put(c->objects);
    buf_free(&c->claims);
    event_free(&c->event);
    json_object_put(c->verified.claims);
    snapshot_unref(c->snapshot);
    free(c);
    /* Last: once it is answered the program may stop, and nothing of the call may be left. */
    request_respond(request, &res);
    response_free(&res);
    return STEP_PARKED;
}

/* ----------------------------------------------------------------- the hook */

static void refuse(struct request *r, enum err e)
{
    struct response res;
    answer_problem(&res, e, err_text(e), -1, NULL);
    request_respond(r, &res);
    response_free(&res);
}

void hook_handle(void *ctx, struct request *r)
{
    struct hook *h = ctx;
    struct call *c = calloc(1, sizeof *c);
    if (c == NULL) {
        refuse(r, ERR_NOMEM);
        return;
    }
    c->hook = h;
    c->request = r;
    c->started = clk_mono_ms();
    c->retry_after_s = -1;
    buf_init(&c->claims, INBOX_CLAIMS_MAX);
    pthread_mutex_lock(&h->lock);
    c->snapshot = snapshot_ref(h->current);
    pthread_mutex_unlock(&h->lock);
    go_on(c, STEP_ADMIT);
}

void hook_unavailable(void *ctx, struct request *r)
{
    (void)ctx;
    refuse(r, ERR_CONFIG);
}

enum err hook_new(struct conf *conf, struct inbox *inbox, struct hook **ret, struct why *why)
{
    struct hook *h = calloc(1, sizeof *h);
    if (h == NULL)
        return why_no_memory(why);
    h->inbox = inbox;
    pthread_mutex_init(&h->lock, NULL);
    enum err e = snapshot_new(conf, inbox, &h->current, why);
    if (e == ERR_OK)
        e = pool_new((int)conf->web.inline_threads, &h->inline_pool, why);
    if (e != ERR_OK) {
        hook_free(h);
        return e;
    }
    *ret = h;
    return ERR_OK;
}

enum err hook_reload(struct hook *h, struct conf *conf, struct why *why)
{
    struct snapshot *fresh;
    enum err e = snapshot_new(conf, h->inbox, &fresh, why);
    if (e != ERR_OK)
        return e;
    pthread_mutex_lock(&h->lock);
    struct snapshot *old = h->current;
    h->current = fresh;
    pthread_mutex_unlock(&h->lock);
    snapshot_unref(old);
    return ERR_OK;
}

void hook_stop(struct hook *h)
{
    pthread_mutex_lock(&h->lock);
    h->stopped = true;
    for (struct call *c = h->sweeping; c != NULL; c = c->next)
        dispatch_stop(c->snapshot->dispatch);
    pthread_mutex_unlock(&h->lock);
    inbox_stop(h->inbox);
}

void hook_free(struct hook *h)
{
    if (h == NULL)
        return;
    pool_free(h->inline_pool);
    snapshot_unref(h->current);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
