/* object_task.c - read, ask, check, carry out, report. */
#include "tasks/object_task.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/metric.h"
#include "policy/passwords.h"
#include "tasks/backoff.h"
#include "tasks/mark.h"

#define LEASE_SLACK_MS 10000 /* between the last moment of a task and the end of its lease */

struct task {
    const struct queue *queue;
    struct inbox *inbox;
    const struct task_terms *terms;
    const struct inbox_task *held;
    struct json_object *object; /* owned; NULL until it has been read */
    struct decision decision;   /* without an action until there is one */
    struct job job;
    struct hold hold;
    int64_t began;    /* clk_mono_ms */
    struct buf trace; /* of what is asked of Connect */
    char type[24];
    char before[32];
};

/* ------------------------------------------------------------------------- report */

struct json_object *object_report_json(const struct object_report *r)
{
    const struct {
        const char *key, *text;
    } texts[] = {
        {"webhook_id", r->webhook->id},
        {"object_class", r->webhook->object_class->name},
        {"object_id", r->id},
        {"type", r->type},
        {"before", r->before},
        {"after", r->after},
        {"action", r->action},
        {"result", outcome_name(r->outcome)},
        {"rule", r->rule},
        {"reason", r->result->why.text},
    };
    struct json_object *o = json_object_new_object();
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof texts / sizeof *texts; i++)
        ok = jsonx_add_text(o, texts[i].key, texts[i].text);
    if (ok && (r->retry_after_s >= 0 ? jsonx_add_int(o, "retry_after", r->retry_after_s)
                                     : jsonx_share(o, "retry_after", NULL)))
        return o;
    json_object_put(o);
    return NULL;
}

void object_report_log(const struct object_report *r)
{
    const char *reason = r->result->why.text;
    bool well = r->result->err == ERR_OK && r->outcome != OUTCOME_RETRY &&
                r->outcome != OUTCOME_REJECT;
    const struct log_field about[] = {
        LOG_TEXT("webhook", r->webhook->id),
        LOG_NUMBER("delivery", r->delivery_id > 0 ? r->delivery_id : LOG_NOTHING),
        LOG_NUMBER("task", r->task_id > 0 ? r->task_id : LOG_NOTHING),
        LOG_TEXT("object", r->id),
        LOG_TEXT("action", r->action),
        LOG_TEXT("result", outcome_name(r->outcome)),
        LOG_TEXT("rule", r->rule),
        LOG_NUMBER("ms", r->took_ms >= 0 ? r->took_ms : LOG_NOTHING),
    };
    log_fields(well ? LOG_INFO : LOG_WARN, about, sizeof about / sizeof *about,
               "%s: %s: %s, was %s%s%s", r->id, r->action[0] != '\0' ? r->action : "not decided",
               outcome_name(r->outcome), r->before[0] != '\0' ? r->before : "not read",
               reason[0] != '\0' ? ": " : "", reason);
}

static int64_t wait_of(const struct task *t, enum outcome o)
{
    if (o == OUTCOME_RESCHEDULE)
        return t->decision.after_s;
    return o == OUTCOME_RETRY ? t->job.result.retry_after_s : -1;
}

/* From here on others see the story: the log, answers, people. */
static void hide_passwords(struct task *t)
{
    struct why *why = &t->job.result.why;
    struct mask m = {0};
    if (why->text[0] == '\0')
        return;
    enum err e = passwords_collect(t->object, t->decision.params, &m);
    if (e == ERR_OK)
        e = mask_text(&m, why->text, sizeof why->text);
    if (e != ERR_OK)
        why_set(why, e, "not told, as memory did not suffice to hide passwords in it");
    mask_free(&m);
}

static void report(struct task *t, enum outcome o, object_report_fn *fn, void *ctx)
{
    const struct object_report r = {.webhook = t->queue->webhook,
                                    .id = t->held->object_id,
                                    .type = t->type,
                                    .before = t->before,
                                    .after = t->job.state,
                                    .action = t->decision.action != NULL ? t->decision.action : "",
                                    .rule = t->decision.rule,
                                    .outcome = o,
                                    .result = &t->job.result,
                                    .retry_after_s = wait_of(t, o),
                                    .task_id = t->held->id,
                                    .delivery_id = t->held->delivery_id,
                                    .took_ms = clk_mono_ms() - t->began};
    object_report_log(&r);
    metric_count(METRIC_TASKS, r.webhook->id, outcome_name(o));
    fn(ctx, &r);
}

/* -------------------------------------------------------------------------- steps */

/* Since it was listed, another runner, or a person, may have dealt with it. */
static enum outcome read_object(struct task *t)
{
    const struct conf_webhook *w = t->queue->webhook;
    struct api_call call = job_call(&t->job, t->job.deadline);
    enum err e = api_get(t->queue->api, &call, w->object_class, t->held->object_id, &t->object);
    t->job.result = call.result;
    if (e == ERR_HTTP_NOT_FOUND) {
        result_set(&t->job.result, ERR_OK, "is no longer there");
        return OUTCOME_SKIP;
    }
    if (e != ERR_OK)
        return job_fail_call(&t->job, &call);
    const char *state = object_state(w->object_class, t->object);
    t->job.object = t->object;
    snprintf(t->type, sizeof t->type, "%s", jsonx_str(t->object, "type", ""));
    snprintf(t->before, sizeof t->before, "%s", state);
    snprintf(t->job.state, sizeof t->job.state, "%s", state);
    if (w->object_class->state == NULL || state_is_among(w->states, state))
        return OUTCOME_GO_ON;
    if (state[0] != '\0')
        result_set(&t->job.result, ERR_OK, "is %s now: dealt with elsewhere", state);
    else
        result_set(&t->job.result, ERR_OK, "does not say its %s", w->object_class->state);
    return OUTCOME_SKIP;
}

static enum outcome ask_policy(struct task *t)
{
    const struct conf_webhook *w = t->queue->webhook;
    struct policy_question q = queue_question(t->queue);
    q.claims = t->terms->claims;
    q.attempt = (int)t->held->asked;
    q.object = t->object;
    q.dry_run = t->terms->dry_run;
    q.deadline = t->job.deadline;
    struct result *r = &t->job.result;
    r->err = policy_ask(t->queue->policy, &q, &t->decision, &r->why);
    if (r->err == ERR_OK)
        r->err = decision_allowed(&t->decision, w->object_class, q.side, t->object, &r->why);
    return r->err == ERR_OK ? OUTCOME_GO_ON : job_fail(r->err);
}

/* Not even begun: whoever did before has died of it, or with it, too often. */
static enum outcome refuse_poison(struct task *t)
{
    int64_t failures = t->held->failures;
    if (failures < t->queue->conf->processing.max_attempts)
        return OUTCOME_GO_ON;
    return job_fail(result_set(&t->job.result, ERR_INVALID, "given up after %d attempts: %s",
                               (int)failures, t->held->story.reason));
}

/* Nothing was asked or sent yet: it may as well be done after the next start. */
static bool is_stopping(const struct task *t)
{
    return t->terms->stop != NULL && *t->terms->stop;
}

static enum outcome run(struct task *t)
{
    enum outcome o = refuse_poison(t);
    if (o == OUTCOME_GO_ON)
        o = read_object(t);
    if (o == OUTCOME_GO_ON && is_stopping(t))
        o = job_fail(result_set(&t->job.result, ERR_STOPPED, "%s", err_text(ERR_STOPPED)));
    if (o == OUTCOME_GO_ON)
        o = ask_policy(t);
    return o == OUTCOME_GO_ON ? job_carry_out(&t->job) : o;
}

/* ------------------------------------------------------------------- what is kept */

/* Is the fault the object's, or its policy's? Else trying it again says nothing of them. */
static bool is_its_own(enum err e)
{
    return e != ERR_STOPPED && e != ERR_HTTP_AUTH && e != ERR_HTTP_THROTTLED && e != ERR_FENCED;
}

/* One that has failed too often is for a person. */
static enum outcome give_up_if_hopeless(struct task *t, enum outcome o)
{
    int64_t tries = t->held->failures + 1, max = t->queue->conf->processing.max_attempts;
    if (o != OUTCOME_RETRY || !is_its_own(t->job.result.err) || tries < max)
        return o;
    why_prefix(&t->job.result.why, ERR_OK, "given up after %d attempts", (int)tries);
    return OUTCOME_REJECT;
}

static struct inbox_story story_of(const struct task *t, enum outcome o)
{
    struct inbox_story s;
    const char *action = t->decision.action != NULL ? t->decision.action : "";
    snprintf(s.result, sizeof s.result, "%s", outcome_name(o));
    snprintf(s.type, sizeof s.type, "%s", t->type);
    snprintf(s.before, sizeof s.before, "%s", t->before);
    snprintf(s.after, sizeof s.after, "%s", t->job.state);
    snprintf(s.action, sizeof s.action, "%s", action);
    snprintf(s.rule, sizeof s.rule, "%s", t->decision.rule);
    snprintf(s.reason, sizeof s.reason, "%s", t->job.result.why.text);
    return s;
}

/* Queues in which others may wait for it: it is dealt with, by us, or by whoever was here before.
 */
static const struct object_class *const *frees_of(const struct task *t)
{
    return t->terms->dry_run ? NULL : t->queue->frees;
}

static struct inbox_task_end end_of(const struct task *t, enum outcome o)
{
    const struct conf *conf = t->queue->conf;
    const struct backoff backoff = backoff_of(conf);
    const struct result *r = &t->job.result;
    bool at_once = r->err == ERR_STOPPED || r->err == ERR_FENCED;
    switch (o) {
    case OUTCOME_DONE:
        return (struct inbox_task_end){.state = TASK_DONE, .frees = frees_of(t)};
    case OUTCOME_SKIP:
        return (struct inbox_task_end){.state = TASK_SKIPPED,
                                       .after_ms = conf->processing.skip_for_ms,
                                       .frees = t->decision.action == NULL ? frees_of(t) : NULL};
    case OUTCOME_RESCHEDULE:
        return (struct inbox_task_end){.state = TASK_READY, .after_ms = t->decision.after_s * 1000};
    case OUTCOME_RETRY:
        return (struct inbox_task_end){
            .state = TASK_READY,
            .after_ms = at_once ? 0 : backoff_ms(&backoff, t->held->failures, r->retry_after_s),
            .failed = is_its_own(r->err)};
    default:
        return (struct inbox_task_end){.state = TASK_DEAD, .failed = true};
    }
}

/* A skip is an answer, too, where there is somebody to give one. */
static bool is_settled(const struct task *t, enum outcome o)
{
    bool answered = t->queue->webhook->policy.kind != CONF_POLICY_NONE;
    return !t->terms->dry_run && (o == OUTCOME_DONE || (o == OUTCOME_SKIP && answered));
}

/* Objects without a state are remembered for ever. */
static enum err settle(const struct task *t, enum outcome o, struct why *why)
{
    const struct object_class *c = t->queue->webhook->object_class;
    int64_t created_us = CLK_UNKNOWN;
    if (c->state != NULL || !is_settled(t, o))
        return ERR_OK;
    if (t->object != NULL)
        (void)object_created(c, t->object, &created_us);
    return mark_settle(t->queue, t->inbox, t->held->object_id, created_us, why);
}

/* A stop came before there was a decision: as if it had not been begun. */
static bool was_not_asked(const struct task *t, enum outcome o)
{
    return o == OUTCOME_RETRY && t->job.result.err == ERR_STOPPED && t->decision.action == NULL;
}

static enum err keep(const struct task *t, enum outcome o, struct why *why)
{
    if (was_not_asked(t, o))
        return inbox_give_back(t->inbox, &t->held->lease, 0, why);
    const struct inbox_story story = story_of(t, o);
    struct inbox_task_end end = end_of(t, o);
    char calls[INBOX_CALLS_MAX + 1];
    snprintf(calls, sizeof calls, "[%s]", t->trace.len > 0 ? t->trace.data : "");
    end.story = &story;
    end.calls = calls;
    enum err e = settle(t, o, why);
    return e == ERR_OK ? inbox_end_task(t->inbox, &t->held->lease, &end, why) : e;
}

int64_t object_task_lease_ms(const struct queue *q, const struct task_terms *terms)
{
    int64_t needed = terms->object_ms + LEASE_SLACK_MS, lease = q->conf->processing.lease_ms;
    return lease > needed ? lease : needed;
}

enum err object_task_run(const struct queue *q, struct inbox *inbox, const struct task_terms *terms,
                         struct template_lists *templates, const struct inbox_task *held,
                         object_report_fn *fn, void *ctx, struct why *why)
{
    int64_t now = clk_mono_ms();
    struct task t = {.queue = q, .inbox = inbox, .terms = terms, .held = held, .began = now};
    buf_init(&t.trace, INBOX_CALLS_MAX - sizeof "[]");
    /* A call that hangs uses up the object's time, but for what it takes to read what it did. */
    t.job = (struct job){.api = q->api,
                         .templates = templates,
                         .object_class = q->webhook->object_class,
                         .product_id = q->webhook->product,
                         .object_id = held->object_id,
                         .decision = &t.decision,
                         .dry_run = terms->dry_run,
                         .deadline = now + terms->object_ms * 3 / 4,
                         .recheck_by = now + terms->object_ms,
                         .trace = &t.trace,
                         .patience_ms = terms->patience_ms,
                         .fence = &t.hold.fence,
                         .result = RESULT_NONE};
    snprintf(t.type, sizeof t.type, "%s", held->story.type);
    snprintf(t.before, sizeof t.before, "%s", held->story.before);
    hold_begin(&t.hold, t.inbox, terms->holds, &held->lease, q->conf->processing.lease_ms);
    enum outcome o = give_up_if_hopeless(&t, run(&t));
    hide_passwords(&t);
    enum err e = keep(&t, o, why);
    hold_end(&t.hold);
    if (e != ERR_OK) {
        log_error("%s: %s, but that could not be kept: %s", held->object_id, outcome_name(o),
                  why->text);
        o = e == ERR_FENCED ? OUTCOME_BUSY : OUTCOME_RETRY;
        result_set(&t.job.result, e, "%s", why->text);
    }
    report(&t, o, fn, ctx);
    decision_free(&t.decision);
    json_object_put(t.object);
    buf_free(&t.trace);
    return e == ERR_FENCED ? ERR_OK : e;
}
