/* sweep.c - list, then one object after the other. */
#include "tasks/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "policy/passwords.h"
#include "processors/template.h"

/* An object as it was listed. */
struct listed {
    char id[OBJECT_ID_MAX];
    char type[24];
    char state[24];
};

struct run {
    const struct sweep *sweep;
    swept_fn *fn;
    void *ctx;
    struct listed *list; /* owned */
    size_t count, cap;
    bool out_of_memory;
    struct template_lists templates;
    struct sweep_result result;
};

/* One object on its way. */
struct task {
    struct json_object *object; /* owned */
    struct decision decision;
    bool decided;
    struct job job;
    char type[24];
    char before[24];
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ------------------------------------------------------------------ what is reported */

struct json_object *swept_json(const struct swept *s)
{
    const struct {
        const char *key, *text;
    } texts[] = {
        {"webhook_id", s->webhook_id},
        {"object_class", s->object_class->name},
        {"object_id", s->id},
        {"type", s->type},
        {"before", s->before},
        {"after", s->after},
        {"action", s->action},
        {"result", outcome_name(s->outcome)},
        {"rule", s->rule},
        {"reason", s->reason},
    };
    struct json_object *o = json_object_new_object();
    bool ok = o != NULL;
    for (size_t i = 0; ok && i < sizeof texts / sizeof *texts; i++)
        ok = jsonx_add(o, texts[i].key, jsonx_new_text(texts[i].text));
    if (s->retry_after_s >= 0)
        ok = ok && jsonx_add(o, "retry_after", json_object_new_int64(s->retry_after_s));
    else
        ok = ok && json_object_object_add(o, "retry_after", NULL) == 0;
    if (ok)
        return o;
    json_object_put(o);
    return NULL;
}

static void note_wait(struct sweep_result *result, int64_t s)
{
    if (s >= 0 && (result->retry_after_s < 0 || s < result->retry_after_s))
        result->retry_after_s = s;
}

static bool ended_well(enum outcome o)
{
    return o == OUTCOME_DONE || o == OUTCOME_SKIP || o == OUTCOME_RESCHEDULE;
}

static void log_swept(const struct swept *s, enum err e)
{
    log_write(ended_well(s->outcome) && e == ERR_OK ? LOG_INFO : LOG_WARN,
              "%s: %s: %s, was %s%s%s%s%s", s->id, s->action[0] != '\0' ? s->action : "not decided",
              outcome_name(s->outcome), s->before[0] != '\0' ? s->before : "not read",
              s->rule[0] != '\0' ? ", by " : "", s->rule, s->reason[0] != '\0' ? ": " : "",
              s->reason);
}

/* Count, log and pass on; `e` is what failed, if anything did. */
static void report(struct run *r, struct swept s, enum err e)
{
    s.webhook_id = r->sweep->webhook_id;
    s.object_class = r->sweep->object_class;
    r->result.ended[s.outcome]++;
    note_wait(&r->result, s.retry_after_s);
    log_swept(&s, e);
    r->fn(r->ctx, &s);
}

/* -------------------------------------------------------------------------- the list */

static const char *state_of(const struct run *r, const struct json_object *object)
{
    return object_state(r->sweep->object_class, object);
}

/* Filters of Connect's have been known to be ignored; no policy sees another product's object. */
static bool is_ours(const struct run *r, const char *id, const struct json_object *object)
{
    const char *product = object_product(r->sweep->object_class, object);
    if (product == NULL || strcmp(product, r->sweep->product_id) == 0)
        return true;
    log_warn("%s: listed for product %s, but belongs to %s: ignored", id, r->sweep->product_id,
             product);
    return false;
}

/* What stands in the list and is no use. */
static void report_unusable(struct run *r, const struct api_element *element)
{
    const struct json_object *object = element->object;
    char place[32];
    struct why why;
    snprintf(place, sizeof place, "#%" PRId64, element->place + 1);
    if (object == NULL)
        why_set(&why, element->err, "cannot be read: %s", element->why);
    else
        why_set(&why, ERR_INVALID, "has no id of Connect's: it can be neither read nor changed");
    const struct swept s = {.id = element->id[0] != '\0' ? element->id : place,
                            .type = jsonx_str(object, "type", ""),
                            .before = state_of(r, object),
                            .after = state_of(r, object),
                            .action = "",
                            .rule = "",
                            .outcome = OUTCOME_REJECT,
                            .reason = why.text,
                            .retry_after_s = -1};
    r->result.objects++;
    report(r, s, ERR_INVALID);
}

static bool make_room(struct run *r)
{
    if (r->count < r->cap)
        return true;
    size_t cap = r->cap > 0 ? 2 * r->cap : 64;
    struct listed *list = reallocarray(r->list, cap, sizeof *list);
    if (list == NULL)
        return false;
    r->list = list;
    r->cap = cap;
    return true;
}

static bool note_listed(void *ctx, const struct api_element *element)
{
    struct run *r = ctx;
    const struct json_object *object = element->object;
    if (object != NULL && !is_ours(r, element->id, object))
        return true;
    if (object == NULL || !object_id_valid(element->id)) {
        report_unusable(r, element);
        return true;
    }
    if (!make_room(r)) {
        r->out_of_memory = true;
        return false;
    }
    struct listed *l = &r->list[r->count++];
    snprintf(l->id, sizeof l->id, "%s", element->id);
    snprintf(l->type, sizeof l->type, "%s", jsonx_str(object, "type", ""));
    snprintf(l->state, sizeof l->state, "%s", state_of(r, object));
    r->result.objects++;
    return true;
}

static enum err read_list(struct run *r, struct why *why)
{
    const struct sweep *s = r->sweep;
    /* However long the sweep may take, a list that takes longer than this is none. */
    int64_t patience = clk_mono_ms() + SWEEP_OBJECT_MS;
    struct api_call call = {.deadline = earlier(s->terms.deadline, patience)};
    enum err e = api_list(s->api, &call, s->object_class, s->product_id, s->states, note_listed, r);
    if (r->out_of_memory)
        return why_no_memory(why);
    if (e == ERR_OK)
        return e;
    note_wait(&r->result, call.result.retry_after_s);
    return why_set(why, e, "%s", call.result.why.text);
}

/* ------------------------------------------------------------------------ one object */

static bool is_pending(const struct run *r, const char *state)
{
    for (const char *const *s = r->sweep->states; *s != NULL; s++)
        if (strcasecmp(*s, state) == 0)
            return true;
    return false;
}

static enum outcome end(struct task *t, enum outcome o, enum err e)
{
    t->job.result.err = e;
    return o;
}

/* Read it again: since it was listed, another runner, or a person, may have dealt with it. */
static enum outcome read_object(const struct run *r, struct task *t)
{
    struct api_call call = {.deadline = t->job.deadline};
    enum err e = api_get(r->sweep->api, &call, r->sweep->object_class, t->job.object_id,
                         &t->object);
    t->job.result.retry_after_s = call.result.retry_after_s;
    if (e == ERR_HTTP_NOT_FOUND) {
        why_set(&t->job.result.why, e, "is no longer there");
        return end(t, OUTCOME_SKIP, ERR_OK);
    }
    if (e != ERR_OK) {
        t->job.result = call.result;
        return end(t, err_passes(e) ? OUTCOME_RETRY : OUTCOME_REJECT, e);
    }
    const char *state = state_of(r, t->object);
    t->job.object = t->object;
    snprintf(t->type, sizeof t->type, "%s", jsonx_str(t->object, "type", ""));
    snprintf(t->before, sizeof t->before, "%s", state);
    snprintf(t->job.state, sizeof t->job.state, "%s", state);
    if (!is_pending(r, state)) {
        why_set(&t->job.result.why, ERR_OK, "is %s now: dealt with elsewhere", state);
        return end(t, OUTCOME_SKIP, ERR_OK);
    }
    return OUTCOME_GO_ON;
}

/* What a policy gets wrong it would get wrong again: that is for a person. */
static enum outcome decide(const struct run *r, struct task *t)
{
    const struct sweep *s = r->sweep;
    const struct policy_question q = {.kind = POLICY_PROCESS,
                                      .object_class = s->object_class,
                                      .webhook_id = s->webhook_id,
                                      .webhook_type = s->webhook_type,
                                      .webhook_data = jsonx_object(s->terms.claims, "data"),
                                      .claims = s->terms.claims,
                                      .object = t->object,
                                      .attempt = 1,
                                      .deadline = t->job.deadline};
    enum err e = policy_ask(s->policy, &q, &t->decision, &t->job.result.why);
    if (e != ERR_OK)
        return end(t, err_passes(e) ? OUTCOME_RETRY : OUTCOME_REJECT, e);
    t->decided = true;
    t->job.decision = &t->decision;
    e = decision_allowed(&t->decision, s->object_class, s->side, t->object, &t->job.result.why);
    return e != ERR_OK ? end(t, OUTCOME_REJECT, e) : OUTCOME_GO_ON;
}

static enum outcome deal(const struct run *r, struct task *t)
{
    enum outcome o = read_object(r, t);
    if (o == OUTCOME_GO_ON)
        o = decide(r, t);
    if (o == OUTCOME_GO_ON)
        o = job_carry_out(&t->job);
    return o;
}

/* ------------------------------------------------------------------------- the sweep */

static int64_t wait_of(const struct task *t, enum outcome o)
{
    if (o == OUTCOME_RESCHEDULE)
        return t->decision.after_s;
    return o == OUTCOME_RETRY ? t->job.result.retry_after_s : -1;
}

static void report_task(struct run *r, const struct task *t, enum outcome o)
{
    const struct swept s = {.id = t->job.object_id,
                            .type = t->type,
                            .before = t->before,
                            .after = t->job.state,
                            .action = t->decided ? t->decision.action : "",
                            .rule = t->decided ? t->decision.rule : "",
                            .outcome = o,
                            .reason = t->job.result.why.text,
                            .retry_after_s = wait_of(t, o)};
    report(r, s, t->job.result.err);
}

/* Would the next object only meet the same? */
static bool ends_sweep(const struct run *r, const struct job *job)
{
    if (job->result.err == ERR_HTTP_AUTH || job->result.err == ERR_STOPPED)
        return true;
    if (job->result.err != ERR_HTTP_THROTTLED || job->result.retry_after_s < 0)
        return false;
    const struct sweep_terms *terms = &r->sweep->terms;
    int64_t now = clk_mono_ms();
    return now + job->result.retry_after_s * 1000 >
           earlier(terms->deadline, now + terms->object_ms);
}

/* From here on others see the story: the log, answers, people. */
static void hide_passwords(struct task *t)
{
    struct why *why = &t->job.result.why;
    struct mask m = {0};
    if (why->text[0] == '\0')
        return;
    enum err e = passwords_collect(t->object, t->decided ? t->decision.json : NULL, &m);
    if (e == ERR_OK)
        e = mask_text(&m, why->text, sizeof why->text);
    if (e != ERR_OK)
        why_set(why, e, "not told, as memory did not suffice to hide passwords in it");
    mask_free(&m);
}

static enum err sweep_one(struct run *r, const struct listed *l, struct why *why)
{
    const struct sweep *s = r->sweep;
    int64_t now = clk_mono_ms();
    /* A call that hangs uses up the object's time, but for what it takes to look what it did. */
    struct task t = {.job = {.api = s->api,
                             .templates = &r->templates,
                             .object_class = s->object_class,
                             .product_id = s->product_id,
                             .object_id = l->id,
                             .dry_run = s->terms.dry_run,
                             .deadline = now + s->terms.object_ms * 3 / 4,
                             .recheck_by = now + s->terms.object_ms,
                             .result = RESULT_NONE}};
    memcpy(t.type, l->type, sizeof t.type);
    memcpy(t.before, l->state, sizeof t.before);
    enum outcome o = deal(r, &t);
    hide_passwords(&t);
    report_task(r, &t, o);
    enum err e = ERR_OK;
    if (ends_sweep(r, &t.job))
        e = why_set(why, t.job.result.err, "%s", t.job.result.why.text);
    if (t.decided)
        decision_free(&t.decision);
    json_object_put(t.object);
    return e;
}

static enum err sweep_all(struct run *r, struct why *why)
{
    enum err e = read_list(r, why);
    if (e != ERR_OK)
        return e;
    size_t next = 0;
    while (e == ERR_OK && next < r->count && clk_mono_ms() < r->sweep->terms.deadline)
        e = sweep_one(r, &r->list[next++], why);
    r->result.left = (int64_t)(r->count - next);
    return e;
}

enum err sweep_run(const struct sweep *s, swept_fn *fn, void *ctx, struct sweep_result *ret,
                   struct why *why)
{
    struct run r = {.sweep = s, .fn = fn, .ctx = ctx, .result = {.retry_after_s = -1}};
    struct inbox_lock *lock;
    *ret = r.result;
    if (s->object_class->list == NULL)
        return why_set(why, ERR_INVALID, "nothing is built in that handles a %s",
                       s->object_class->name);
    if (s->states[0] == NULL)
        return ERR_OK;
    int64_t patience = earlier(s->terms.deadline, clk_mono_ms() + SWEEP_LOCK_MS);
    enum err e = inbox_lock_sweep(s->inbox, api_account(s->api), s->product_id, s->object_class,
                                  patience, &lock, why);
    if (e != ERR_OK)
        return e;
    e = sweep_all(&r, why);
    inbox_unlock_sweep(lock);
    template_lists_free(&r.templates);
    free(r.list);
    *ret = r.result;
    return e;
}
