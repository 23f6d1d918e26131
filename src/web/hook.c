/* hook.c - a webhook's call, from the request to the answer. */
#include "web/hook.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/bearer.h"
#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/waits.h"
#include "policy/policy.h"
#include "processors/validation.h"
#include "tasks/snapshot.h"
#include "tasks/work.h"
#include "web/answer.h"
#include "web/pool.h"

#define STATUS_ACCEPTED 202   /* stored, and nothing done about it yet */
#define ADMIN_PATH      "/-/" /* answered on the admin listener only */
#define METHOD_TOLD     20    /* bytes of a method, and */
#define PATH_TOLD       64    /* of a path, that the log has */
#define ANSWERING_SHARE 10    /* this part of a validation's time is for writing the answer */

struct hook {
    struct inbox *inbox;
    struct snapshots *snapshots;
    bool cgi;                     /* how it was started */
    struct pool *inline_pool;     /* for sweeps */
    struct work_waits waits;      /* of its threads */
    struct pool *validation_pool; /* for forms, of which a customer waits */
};

/*
 * The life of a call: its steps in their order. A step does its part and names the next one; or it
 * has handed the call to somebody else, who goes on with it, so that it may no longer be touched;
 * or it has written the reply, and the call is over.
 */
#define STEPS(X)                                                                                 \
    X(ADMIT, admit)               /* method, path, encoding, what the transport found wrong */   \
    X(AUTHENTICATE, authenticate) /* one bearer token, of a webhook that we know, not expired */ \
    X(UNDERSTAND, understand)     /* the claims, and whether they are this webhook's business */ \
    /* an event */                                                                               \
    X(STORE, store)             /* into the inbox; goes on when it is on stable storage */       \
    X(ACKNOWLEDGE, acknowledge) /* what the inbox said; over, or to a thread that takes time */  \
    X(WORK, work)               /* list what is pending, decide, carry out */                    \
    X(TURN_AWAY, turn_away)     /* instead: it has waited too long for others */                 \
    /* a validation */                                                                           \
    X(ACCEPT, accept_form) /* may it be asked so? To a thread that takes time */                 \
    X(VALIDATE, validate)  /* read the document, ask the policy, give it back */

enum step {
#define X(name, fn) STEP_##name,
    STEPS(X)
#undef X
        STEP_ELSEWHERE,
    STEP_OVER
};

/* One call on its way; owned by whoever has it. */
struct call {
    struct hook *hook;
    struct request *request;
    struct snapshot *snapshot;
    int64_t started; /* clk_mono_ms */
    enum step step;  /* with which it goes on where it is handed to */

    const char *token; /* borrowed from the request, whose scratch has its payload */
    size_t token_len;
    struct verified verified;
    struct event event;
    const char *ignored; /* why this call is not this webhook's business; NULL if it is. Static */

    struct inbox_receipt receipt;

    struct result result;  /* why it is refused */
    struct response reply; /* written by the step with which the call is over */

    /* What the log says of it in the end. */
    const char *said; /* static: "accepted", "refused", ... */
    char rule[DECISION_RULE_MAX];
    size_t errors; /* of a form */
};

#define X(name, fn) static enum step fn(struct call *c);
STEPS(X)
#undef X

/* Is it a call of a validator? False until its webhook is known. */
static bool is_validation(const struct call *c)
{
    return c->verified.webhook != NULL && c->verified.webhook->type != TYPE_EVENT;
}

/* The call's one line. */
static void tell(const struct call *c, const char *webhook_id)
{
    const struct result *r = &c->result;
    bool is_known = c->verified.webhook != NULL, is_stored = c->receipt.id > 0;
    bool well = c->reply.status < 300;
    char method[METHOD_TOLD + 1], path[PATH_TOLD + 1];
    snprintf(method, sizeof method, "%s", c->request->method);
    snprintf(path, sizeof path, "%s", c->request->path);
    const struct log_field about[] = {
        LOG_TEXT("method", method),
        LOG_TEXT("path", path),
        LOG_TEXT("webhook", webhook_id),
        LOG_NUMBER("secret", is_known ? (int64_t)c->verified.secret + 1 : LOG_NOTHING),
        LOG_NUMBER("delivery", is_stored ? c->receipt.id : LOG_NOTHING),
        LOG_NUMBER("seen", is_stored ? c->receipt.seen : LOG_NOTHING),
        LOG_TEXT("rule", c->rule),
        LOG_NUMBER("errors", is_validation(c) && well ? (int64_t)c->errors : LOG_NOTHING),
        LOG_TEXT("reason", well ? "" : err_name(r->err)),
        LOG_NUMBER("status", c->reply.status),
        LOG_NUMBER("ms", clk_mono_ms() - c->started),
    };
    enum log_level level = well && c->ignored == NULL ? LOG_INFO
                           : r->err == ERR_STORE      ? LOG_ERROR
                                                      : LOG_WARN;
    const char *why = !well ? r->why.text : c->ignored != NULL ? c->ignored : "";
    log_fields(level, about, sizeof about / sizeof *about, "%s%s%s", c->said,
               why[0] != '\0' ? ": " : "", why);
}

static void finish(struct call *c)
{
    struct request *request = c->request;
    const char *webhook_id = c->verified.webhook != NULL ? c->verified.webhook->id : "";
    char status[8];
    tell(c, webhook_id);
    snprintf(status, sizeof status, "%d", c->reply.status);
    metric_count(METRIC_CALLS, webhook_id, status);
    if (c->verified.webhook != NULL)
        inbox_tally_add(c->hook->inbox, c->verified.webhook->id, c->reply.status / 100 == 2);
    struct response reply = c->reply;
    event_free(&c->event);
    json_object_put(c->verified.claims);
    snapshot_release(c->snapshot);
    free(c);
    /* Last: once it is answered the program may stop, and nothing of the call may be left. */
    request_respond(request, &reply);
    response_free(&reply);
}

static enum step (*const steps[])(struct call *) = {
#define X(name, fn) [STEP_##name] = fn,
    STEPS(X)
#undef X
};

/* In the transport's thread. */
static void go_on(void *call)
{
    struct call *c = call;
    log_set_request(c->request->id);
    enum step next = c->step;
    while (next < STEP_ELSEWHERE)
        next = steps[next](c);
    if (next == STEP_OVER)
        finish(c);
    log_set_request(NULL);
}

/* Before it is handed to somebody else, with whom it goes on. */
static void leave_for(struct call *c, enum step next)
{
    c->step = next;
    log_hand_over();
}

/* In a pool's thread: the one step that takes time. */
static void on_thread(void *call)
{
    struct call *c = call;
    log_set_request(c->request->id);
    c->step = steps[c->step](c);
    log_set_request(NULL);
    request_resume(c->request, go_on, c);
}

/* ----------------------------------------------------------------------- replies */

/* Reply with c->result, for Connect's user and for the log. */
static enum step reply_problem(struct call *c, int status, struct json_object *objects)
{
    const struct result *r = &c->result;
    answer_problem(&c->reply, status, r, objects);
    metric_count(METRIC_REFUSALS, err_name(r->err), NULL);
    c->said = "refused";
    return STEP_OVER;
}

/* Its story is told already. */
static enum step refuse(struct call *c, enum err e)
{
    c->result.err = e;
    return reply_problem(c, answer_status(e), NULL);
}

/* {"status": ..., "delivery": ...; and what end_reply() is to end. */
static struct buf *begin_reply(struct call *c, int http_status, const char *status)
{
    c->said = status;
    response_init(&c->reply, http_status, ANSWER_JSON);
    buf_printf(&c->reply.body, "{\"status\":\"%s\",\"delivery\":%" PRId64, status, c->receipt.id);
    return &c->reply.body;
}

static enum step end_reply(struct call *c)
{
    buf_addc(&c->reply.body, '}');
    answer_finish(&c->reply);
    return STEP_OVER;
}

/* ------------------------------------------------------------------- steps */

static enum step admit(struct call *c)
{
    const struct request *r = c->request;
    if (r->err != ERR_OK)
        return refuse(c, result_set(&c->result, r->err, "request: %s", err_text(r->err)));
    if (strncmp(r->path, ADMIN_PATH, strlen(ADMIN_PATH)) == 0)
        return refuse(
            c, result_set(&c->result, ERR_NOT_FOUND, "admin path on the webhooks' listener"));
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "POST") != 0)
        return refuse(
            c, result_set(&c->result, ERR_METHOD, "method %.20s: use GET or POST", r->method));
    if (r->content_encoding != NULL && *r->content_encoding != '\0')
        return refuse(c, result_set(&c->result, ERR_CONTENT_ENCODING,
                                    "Content-Encoding %.40s: send as is", r->content_encoding));
    return STEP_AUTHENTICATE;
}

static enum step authenticate(struct call *c)
{
    const char *const headers[] = {c->request->authentication, c->request->authorization,
                                   c->request->redirect_authorization};
    enum err e = bearer_find(headers, sizeof headers / sizeof headers[0], &c->token, &c->token_len);
    if (e == ERR_TOKEN_MISSING)
        return refuse(c, result_set(&c->result, e,
                                    "%s (Apache passes Authorization only with CGIPassAuth On)",
                                    err_text(e)));
    if (e != ERR_OK)
        return refuse(c, result_set(&c->result, e, "%s", err_text(e)));
    e = keyring_verify(c->snapshot->keyring, c->token, c->token_len, clk_wall_s(),
                       c->request->scratch, &c->verified, &c->result.why);
    /* A token that is too long is a refused token; the body is what 413 is about. */
    return e == ERR_OK ? STEP_UNDERSTAND : refuse(c, e == ERR_TOO_BIG ? ERR_TOKEN_FORM : e);
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

/* The body is not signed and decides nothing; where it differs from the claims, say so to who looks
 * into it. */
static void note_body(const struct call *c)
{
    static const char *const keys[] = {"webhook_id", "object_class", "account_id", "product_id",
                                       "api_url"};
    struct json_object *body = NULL;
    if (!log_enabled(LOG_DEBUG) || c->request->body_len == 0 ||
        jsonx_parse(c->request->body, c->request->body_len, JSONX_SIZE_MAX, &body, NULL) != ERR_OK)
        return;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *said = jsonx_str(body, keys[i], NULL);
        const char *claimed = jsonx_str(c->event.claims, keys[i], NULL);
        if (said != NULL && claimed != NULL && strcmp(said, claimed) != 0)
            log_debug("webhook %s: the body's %s is %s, the token's is %s; the token counts",
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
    struct why *why = &c->result.why;
    enum err e = event_from_claims(c->verified.claims, &c->event, why);
    if (e != ERR_OK)
        return refuse(c, e);
    c->ignored = hook_ignores(&c->event, w);
    note_endpoint(c);
    if (is_validation(c))
        return STEP_ACCEPT;
    note_body(c);
    return STEP_STORE;
}

static void on_appended(void *ctx, const struct inbox_receipt *receipt)
{
    struct call *c = ctx;
    c->receipt = *receipt;
    request_resume(c->request, go_on, c);
}

static enum delivery_state state_of(const struct call *c)
{
    return c->ignored == NULL ? DELIVERY_STORED : DELIVERY_IGNORED;
}

static enum step store(struct call *c)
{
    const struct conf_webhook *w = c->verified.webhook;
    struct delivery d = {
        .state = state_of(c),
        .webhook_id = w->id,
        .account_id = w->account->id,
        .product_id = w->product,
        .object_class = w->object_class,
        .triggered_at = c->event.triggered_at,
        .exp = c->event.exp,
        .received_us = c->request->received_us,
        .claims = c->request->scratch->data,
        .claims_len = c->request->scratch->len,
        .body = c->request->body,
        .body_len = c->request->body_len,
    };
    crypto_hash_sha256(d.token_sha256, (const unsigned char *)c->token, c->token_len);
    leave_for(c, STEP_ACKNOWLEDGE);
    inbox_append(c->hook->inbox, &d, on_appended, c);
    return STEP_ELSEWHERE;
}

static enum step acknowledge(struct call *c)
{
    const struct inbox_receipt *r = &c->receipt;
    if (r->err != ERR_OK) /* what the inbox could not keep is never the caller's fault */
        return refuse(c, result_set(&c->result, ERR_STORE, "%s", r->why.text));
    if (c->ignored != NULL) {
        struct buf *b = begin_reply(c, answer_status(ERR_OK), "ignored");
        buf_addstr(b, ",\"reason\":");
        jsonx_print_text(b, c->ignored);
        return end_reply(c);
    }
    if (conf_queues(c->snapshot->conf, c->hook->cgi)) {
        begin_reply(c, STATUS_ACCEPTED, r->seen > 1 ? "duplicate" : "accepted");
        return end_reply(c);
    }
    leave_for(c, STEP_WORK);
    const char *account = c->verified.webhook->account->id;
    if (pool_run(c->hook->inline_pool, account, on_thread, c) != ERR_OK)
        return turn_away(c);
    return STEP_ELSEWHERE;
}

static enum step turn_away(struct call *c)
{
    return refuse(c, result_set(&c->result, ERR_BUSY, "account %s: too many calls are worked on",
                                c->verified.webhook->account->id));
}

/* Of the inline pool. */
static void on_late(void *call)
{
    struct call *c = call;
    c->step = STEP_TURN_AWAY;
    request_resume(c->request, go_on, c);
}

static enum step work(struct call *c)
{
    struct json_object *objects;
    const struct waiting_call call = {.webhook_id = c->verified.webhook->id,
                                      .claims = c->event.claims,
                                      .delivery = c->receipt.id,
                                      .waits = &c->hook->waits,
                                      .started = c->started};
    work_for_call(c->snapshot->queues, c->hook->inbox, &call, &objects, &c->result);
    if (c->result.err == ERR_OK) {
        struct buf *b = begin_reply(c, answer_status(ERR_OK),
                                    c->receipt.seen > 1 ? "duplicate" : "done");
        buf_addstr(b, ",\"objects\":");
        jsonx_print(b, objects);
        json_object_put(objects);
        return end_reply(c);
    }
    /* Whatever kept the work from its end, to Connect it is "not now, call again". */
    return reply_problem(c, answer_status(ERR_BUSY), objects);
}

/* ------------------------------------------------------------- steps of a validation */

/* Connect would take any 2xx for the document. */
static enum step accept_form(struct call *c)
{
    const struct conf_webhook *w = c->verified.webhook;
    if (c->ignored != NULL) {
        result_set(&c->result, ERR_INVALID, "webhook %s: %s", w->id, c->ignored);
        return reply_problem(c, 400, NULL);
    }
    if (strcmp(c->request->method, "POST") != 0) {
        result_set(
            &c->result, ERR_METHOD,
            "webhook %s is a %s, and a GET brings no form: set its HTTP method in Connect to "
            "POST",
            w->id, webhook_type_name(w->type));
        return reply_problem(c, 400, NULL);
    }
    leave_for(c, STEP_VALIDATE);
    if (pool_run(c->hook->validation_pool, w->id, on_thread, c) != ERR_OK)
        return refuse(c,
                      result_set(&c->result, ERR_BUSY, "webhook %s: too many forms wait", w->id));
    return STEP_ELSEWHERE;
}

/* Whatever kept it from an answer, to Connect it is "not now". */
static enum step reply_unanswered(struct call *c, enum err e)
{
    c->result.err = e;
    return reply_problem(c, answer_status(ERR_BUSY), NULL);
}

/* The same document, but for what is said about it. `changes` is consumed. */
static enum step reply_document(struct call *c, const struct validation *d,
                                struct json_object *changes)
{
    c->errors = validation_errors(c->verified.webhook->object_class, changes);
    response_init(&c->reply, answer_status(ERR_OK), ANSWER_JSON);
    enum err e = validation_print(&c->reply.body, d, changes);
    json_object_put(changes);
    if (e != ERR_OK) {
        response_free(&c->reply);
        return reply_unanswered(c, result_set(&c->result, e, "the answer: %s", err_text(e)));
    }
    c->said = "answered";
    return STEP_OVER;
}

/* What it says of itself decides nothing: an order that is not answered is let through. */
static void note_form(const struct conf_webhook *w, const struct json_object *document)
{
    struct why why;
    if (object_suits(w->object_class, w->type, document, &why) != ERR_OK)
        log_warn("webhook %s is a %s, but the document is another: %s; it is answered all the same",
                 w->id, webhook_type_name(w->type), why.text);
}

static enum step answer_form(struct call *c, const struct validation *d, int64_t deadline)
{
    const struct conf_webhook *w = c->verified.webhook;
    const struct queue *queue = queues_validator(c->snapshot->queues, w);
    struct policy_question q = queue_question(queue);
    q.claims = c->event.claims;
    q.object = d->root;
    q.deadline = deadline;
    struct json_object *changes;
    struct why *why = &c->result.why;
    enum err e = policy_validate(queue->policy, &q, &changes, c->rule, why);
    if (e != ERR_OK)
        return reply_unanswered(c, why_prefix(why, e, "webhook %s", w->id));
    return reply_document(c, d, changes);
}

static enum step validate(struct call *c)
{
    const struct conf_webhook *w = c->verified.webhook;
    int64_t limit = c->snapshot->conf->web.validation_deadline_ms;
    /* What the policy may take leaves time for the answer. */
    int64_t deadline = c->started + limit - limit / ANSWERING_SHARE;
    struct validation d;
    if (clk_mono_ms() >= deadline)
        return reply_unanswered(c, result_set(&c->result, ERR_TIMEOUT,
                                              "webhook %s: waited too long for others", w->id));
    enum err e = validation_read(c->request->body, c->request->body_len, w->object_class, &d,
                                 &c->result.why);
    if (e != ERR_OK)
        return refuse(c, e);
    note_form(w, d.root);
    enum step next = answer_form(c, &d, deadline);
    validation_free(&d);
    return next;
}

/* ----------------------------------------------------------------- the hook */

/* Where there is no call, for want of memory or of a configuration. */
static void answer_without_call(struct request *r, enum err e)
{
    struct response res;
    struct result result = RESULT_NONE;
    result_set(&result, e, "%s", err_text(e));
    answer_problem(&res, answer_status(e), &result, NULL);
    request_respond(r, &res);
    response_free(&res);
}

void hook_handle(void *ctx, struct request *r)
{
    struct hook *h = ctx;
    struct call *c = calloc(1, sizeof *c);
    if (c == NULL) {
        answer_without_call(r, ERR_NOMEM);
        return;
    }
    c->hook = h;
    c->request = r;
    c->started = clk_mono_ms();
    c->result = RESULT_NONE;
    c->snapshot = snapshots_take(h->snapshots);
    go_on(c);
}

void hook_unavailable(void *ctx, struct request *r)
{
    (void)ctx;
    answer_without_call(r, ERR_CONFIG);
}

enum err hook_new(const struct conf *conf, struct inbox *inbox, struct snapshots *snapshots,
                  bool cgi, struct hook **ret, struct why *why)
{
    const struct pool_patience patience = {waits_ms(WAITS_INLINE), on_late};
    struct hook *h = calloc(1, sizeof *h);
    if (h == NULL)
        return why_no_memory(why);
    h->inbox = inbox;
    h->snapshots = snapshots;
    h->cgi = cgi;
    h->waits.max = conf->web.inline_threads > 1 ? (int)conf->web.inline_threads / 2 : 1;
    enum err e = pool_new((int)conf->web.inline_threads, &patience, &h->inline_pool, why);
    if (e == ERR_OK)
        e = pool_new((int)conf->web.validation_threads, NULL, &h->validation_pool, why);
    if (e != ERR_OK) {
        hook_free(h);
        return e;
    }
    *ret = h;
    return ERR_OK;
}

void hook_free(struct hook *h)
{
    if (h == NULL)
        return;
    pool_free(h->inline_pool);
    pool_free(h->validation_pool);
    free(h);
}
