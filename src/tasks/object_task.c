/* object_task.c - read, ask, check, carry out, report. */
#include "tasks/object_task.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "policy/passwords.h"

struct task {
    const struct queue *queue;
    const struct task_terms *terms;
    const struct swept *swept;
    struct json_object *object; /* owned; NULL until it has been read */
    struct decision decision;   /* without an action until there is one */
    struct job job;
    char type[24];
    char before[24];
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

static void log_report(const struct object_report *r)
{
    const char *reason = r->result->why.text;
    bool well = r->result->err == ERR_OK && r->outcome != OUTCOME_RETRY &&
                r->outcome != OUTCOME_REJECT;
    log_write(well ? LOG_INFO : LOG_WARN, "%s: %s: %s, was %s%s%s%s%s", r->id,
              r->action[0] != '\0' ? r->action : "not decided", outcome_name(r->outcome),
              r->before[0] != '\0' ? r->before : "not read", r->rule[0] != '\0' ? ", by " : "",
              r->rule, reason[0] != '\0' ? ": " : "", reason);
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
    hide_passwords(t);
    const struct object_report r = {.webhook = t->queue->webhook,
                                    .id = t->swept->id,
                                    .type = t->type,
                                    .before = t->before,
                                    .after = t->job.state,
                                    .action = t->decision.action != NULL ? t->decision.action : "",
                                    .rule = t->decision.rule,
                                    .outcome = o,
                                    .result = &t->job.result,
                                    .retry_after_s = wait_of(t, o)};
    log_report(&r);
    fn(ctx, &r);
}

/* -------------------------------------------------------------------------- steps */

/* Since it was listed, another runner, or a person, may have dealt with it. */
static enum outcome read_object(struct task *t)
{
    const struct conf_webhook *w = t->queue->webhook;
    struct api_call call = {.deadline = t->job.deadline};
    enum err e = api_get(t->queue->api, &call, w->object_class, t->swept->id, &t->object);
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
    q.object = t->object;
    q.dry_run = t->terms->dry_run;
    q.deadline = t->job.deadline;
    struct result *r = &t->job.result;
    r->err = policy_ask(t->queue->policy, &q, &t->decision, &r->why);
    if (r->err == ERR_OK)
        r->err = decision_allowed(&t->decision, w->object_class, q.side, t->object, &r->why);
    return r->err == ERR_OK ? OUTCOME_GO_ON : job_fail(r->err);
}

static enum outcome run(struct task *t)
{
    if (t->swept->unusable != NULL)
        return job_fail(result_set(&t->job.result, ERR_INVALID, "%s", t->swept->unusable));
    enum outcome o = read_object(t);
    if (o == OUTCOME_GO_ON)
        o = ask_policy(t);
    return o == OUTCOME_GO_ON ? job_carry_out(&t->job) : o;
}

void object_task_run(const struct queue *q, const struct task_terms *terms,
                     struct template_lists *templates, const struct swept *s, object_report_fn *fn,
                     void *ctx)
{
    int64_t now = clk_mono_ms();
    struct task t = {.queue = q, .terms = terms, .swept = s};
    /* A call that hangs uses up the object's time, but for what it takes to read what it did. */
    t.job = (struct job){.api = q->api,
                         .templates = templates,
                         .object_class = q->webhook->object_class,
                         .product_id = q->webhook->product,
                         .object_id = s->id,
                         .decision = &t.decision,
                         .dry_run = terms->dry_run,
                         .deadline = now + terms->object_ms * 3 / 4,
                         .recheck_by = now + terms->object_ms,
                         .result = RESULT_NONE};
    snprintf(t.type, sizeof t.type, "%s", s->type);
    snprintf(t.before, sizeof t.before, "%s", s->state);
    if (s->unusable != NULL)
        snprintf(t.job.state, sizeof t.job.state, "%s", s->state);
    enum outcome o = run(&t);
    report(&t, o, fn, ctx);
    decision_free(&t.decision);
    json_object_put(t.object);
}
