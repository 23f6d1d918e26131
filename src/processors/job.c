/* job.c - parameters, verb, message; each at most once. */
#include "processors/job.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/utf8.h"
#include "processors/params.h"
#include "processors/same.h"
#include "processors/template.h"

const char *outcome_name(enum outcome o)
{
    static const char *const names[] = {
#define X(code, name) [code] = name,
        OUTCOME_LIST(X)
#undef X
    };
    return (unsigned)o < OUTCOME__COUNT ? names[o] : "unknown";
}

enum outcome outcome_of_name(const char *name, enum outcome other)
{
    for (int o = 0; o < OUTCOME__COUNT; o++)
        if (strcmp(outcome_name((enum outcome)o), name) == 0)
            return (enum outcome)o;
    return other;
}

/* ------------------------------------------------------------------------- endings */

struct api_call job_call(const struct job *job, int64_t deadline)
{
    return (struct api_call){.deadline = deadline,
                             .patience_ms = job->patience_ms,
                             .fence = job->fence,
                             .trace = job->trace};
}

/* Who has lost an object has nothing to say of it. */
enum outcome job_fail(enum err e)
{
    return err_passes(e) || e == ERR_FENCED ? OUTCOME_RETRY : OUTCOME_REJECT;
}

static enum outcome out_of_memory(struct job *job)
{
    return job_fail(result_no_memory(&job->result));
}

/* Of several that asked for patience, the one that asked for most is heard. */
static void note_wait(struct job *job, int64_t wait_s)
{
    if (wait_s > job->result.retry_after_s)
        job->result.retry_after_s = wait_s;
}

enum outcome job_fail_call(struct job *job, const struct api_call *call)
{
    int64_t wait_s = job->result.retry_after_s;
    job->result = call->result;
    note_wait(job, wait_s);
    return job_fail(call->result.err);
}

/* What a decision without a verb ends with. */
static enum outcome leave_alone(struct job *job)
{
    const struct decision *d = job->decision;
    result_set(&job->result, ERR_OK, "%s", d->reason != NULL ? d->reason : "");
    return d->after_s > 0 ? OUTCOME_RESCHEDULE : OUTCOME_SKIP;
}

/* ------------------------------------------------------------------- what is sent */

/* The field of this name; NULL if the verb has none. */
static const struct verb_field *find_field(const struct object_verb *v, const char *name)
{
    const struct verb_field *f = v->fields;
    while (f->name != NULL && strcmp(f->name, name) != 0)
        f++;
    return f->name != NULL ? f : NULL;
}

static const char *place_of(const struct verb_field *f)
{
    return f->place != NULL ? f->place : f->name;
}

/* The template that is found, where the decision gives neither an id nor a tile. */
static enum outcome add_template(struct job *job, struct json_object *body)
{
    const struct object_verb *v = job->decision->verb;
    const struct json_object *given = job->decision->json;
    const char *id = NULL;
    if (v->template_type == NULL || jsonx_get(given, "template_id") != NULL ||
        jsonx_get(given, "activation_tile") != NULL)
        return OUTCOME_GO_ON;
    enum outcome o = template_find(job, v->template_type, &id);
    if (o != OUTCOME_GO_ON)
        return o;
    if (id == NULL && v->template_needed)
        return job_fail(
            result_set(&job->result, ERR_POLICY,
                       "%s needs a template_id or an activation_tile: product %s has no template",
                       v->name, job->product_id));
    const struct verb_field *f = find_field(v, "template_id");
    if (id != NULL && !jsonx_add_at(body, place_of(f), json_object_new_string(id)))
        return out_of_memory(job);
    return OUTCOME_GO_ON;
}

/* As much of a text as Connect takes, to be told of. NULL: out of memory. */
static struct json_object *cut(struct job *job, const struct verb_field *f,
                               struct json_object *value)
{
    const char *text = json_object_get_string(value);
    size_t len = utf8_prefix(text, f->max);
    if (text[len] == '\0')
        return json_object_get(value);
    result_set(&job->result, ERR_OK, "%s was cut to the %zu characters that Connect takes", f->name,
               f->max);
    return json_object_new_string_len(text, (int)len);
}

/* The decision's field where the verb has its place; *body may become another. */
static bool add_field(struct job *job, const struct verb_field *f, struct json_object **body)
{
    struct json_object *value = jsonx_get(job->decision->json, f->name);
    const char *place = place_of(f);
    if (value == NULL || strcmp(place, PLACE_NOWHERE) == 0)
        return true;
    if (strcmp(place, PLACE_WHOLE) != 0)
        return jsonx_add_at(*body, place, f->max > 0 ? cut(job, f, value) : json_object_get(value));
    json_object_put(*body);
    *body = json_object_get(value);
    return true;
}

/* *body is NULL, and stays so where nothing is sent. */
static enum outcome make_body(struct job *job, struct json_object **body)
{
    const struct object_verb *v = job->decision->verb;
    if (v == NULL || v->bare)
        return OUTCOME_GO_ON;
    *body = json_object_new_object();
    enum outcome o = *body != NULL ? add_template(job, *body) : out_of_memory(job);
    for (const struct verb_field *f = v->fields; o == OUTCOME_GO_ON && f->name != NULL; f++)
        if (!add_field(job, f, body))
            o = out_of_memory(job);
    return o;
}

/* ------------------------------------------------------------------ what it is now */

static void note_state(struct job *job, const char *state)
{
    snprintf(job->state, sizeof job->state, "%s", state);
}

/* By its state, or by what it holds. */
static bool is_done(const struct job *job, struct json_object *object, struct json_object *body)
{
    const struct object_verb *v = job->decision->verb;
    if (v == NULL)
        return false;
    if (v->lands != NULL)
        return same_holds(body, jsonx_at(object, v->lands));
    return object_verb_done(v, object_state(job->object_class, object));
}

/*
 * After a change failed: read what became of it, if there is anything to learn. *ret_object is
 * owned, NULL if it could not be read. ERR_HTTP_ANSWER if nothing was asked.
 */
static enum err recheck(struct job *job, const struct api_call *failed,
                        struct json_object **ret_object)
{
    struct api_call call = job_call(job, job->recheck_by);
    *ret_object = NULL;
    if (!failed->sent || failed->status == 429 || failed->status == 401)
        return ERR_HTTP_ANSWER;
    enum err e = api_get(job->api, &call, job->object_class, job->object_id, ret_object);
    if (e == ERR_OK)
        note_state(job, object_state(job->object_class, *ret_object));
    else if (e == ERR_HTTP_NOT_FOUND)
        note_state(job, STATE_GONE);
    return e;
}

/* ----------------------------------------------------------------------- the steps */

static bool holds_params(const struct job *job, const struct json_object *object)
{
    struct json_object *changed;
    if (params_changed(job->decision->params, object_params(job->object_class, object), &changed) !=
        ERR_OK)
        return false;
    bool holds = json_object_array_length(changed) == 0;
    json_object_put(changed);
    return holds;
}

/* In as many calls as the class needs for them. */
static enum err put_params(struct job *job, struct api_call *call, struct json_object *changed)
{
    const struct object_class *c = job->object_class;
    size_t n = json_object_array_length(changed), max = c->params_max > 0 ? c->params_max : n;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i += max) {
        struct json_object *some = json_object_new_array();
        bool ok = some != NULL;
        for (size_t k = i; ok && k < n && k < i + max; k++)
            ok = jsonx_append(some, json_object_get(json_object_array_get_idx(changed, k)));
        e = ok ? api_put_params(job->api, call, c, job->object_id, some)
               : result_no_memory(&call->result);
        json_object_put(some);
    }
    return e;
}

/* DONE: another has carried the verb out meanwhile. */
static enum outcome write_params(struct job *job, struct json_object *changed,
                                 struct json_object *body)
{
    struct api_call call = job_call(job, job->deadline);
    struct json_object *object;
    if (put_params(job, &call, changed) == ERR_OK)
        return OUTCOME_GO_ON;
    if (recheck(job, &call, &object) != ERR_OK)
        return job_fail_call(job, &call);
    enum outcome o = is_done(job, object, body)  ? OUTCOME_DONE
                     : holds_params(job, object) ? OUTCOME_GO_ON
                                                 : job_fail_call(job, &call);
    json_object_put(object);
    return o;
}

static enum outcome send_verb(struct job *job, struct json_object *body)
{
    struct api_call call = job_call(job, job->deadline);
    const struct object_verb *v = job->decision->verb;
    struct json_object *object = NULL;
    if (api_act(job->api, &call, job->object_class, job->object_id, v, body, &object) == ERR_OK) {
        const char *state = object_state(job->object_class, object);
        note_state(job, state[0] != '\0' || v->leads_to[0] == NULL ? state : v->leads_to[0]);
        json_object_put(object);
        return OUTCOME_DONE;
    }
    enum err seen = recheck(job, &call, &object);
    bool done = (seen == ERR_OK && is_done(job, object, body)) ||
                (seen == ERR_HTTP_NOT_FOUND && object_verb_done(v, STATE_GONE));
    json_object_put(object);
    if (done)
        return OUTCOME_DONE;
    enum outcome o = job_fail_call(job, &call);
    /* Refused, but perhaps because it was done: only reading it could tell. */
    return o == OUTCOME_REJECT && call.sent && err_passes(seen) ? OUTCOME_RETRY : o;
}

/* A message that does not get through does not change how the job ended, but is told. */
static void post_message(struct job *job)
{
    struct api_call call = job_call(job, job->recheck_by);
    const char *text = job->decision->message;
    bool posted;
    if (text == NULL || api_message(job->api, &call, job->object_id, text, &posted) == ERR_OK)
        return;
    struct why reason = job->result.why;
    result_set(&job->result, call.result.err, "%s%sthe message was not posted: %s", reason.text,
               reason.text[0] != '\0' ? "; " : "", call.result.why.text);
    note_wait(job, call.result.retry_after_s);
}

/* ------------------------------------------------------------------------- the way */

static enum outcome rehearse(struct job *job, size_t changed, struct json_object *body)
{
    const struct object_verb *v = job->decision->verb;
    enum outcome o = v != NULL ? OUTCOME_SKIP : leave_alone(job);
    char params[64] = "";
    if (v == NULL && changed == 0)
        return o;
    if (is_done(job, job->object, body))
        return OUTCOME_DONE;
    if (changed > 0)
        snprintf(params, sizeof params, "change %zu parameter%s", changed, changed > 1 ? "s" : "");
    result_set(&job->result, ERR_OK, "dry run: would %s%s%s", params,
               v != NULL && changed > 0 ? " and " : "", v != NULL ? v->name : "");
    return o;
}

static enum outcome perform(struct job *job, struct json_object *body, struct json_object *changed)
{
    if (job->dry_run)
        return rehearse(job, json_object_array_length(changed), body);
    enum outcome o = write_params(job, changed, body);
    if (o == OUTCOME_GO_ON && is_done(job, job->object, body))
        o = OUTCOME_DONE;
    if (o == OUTCOME_GO_ON)
        o = job->decision->verb != NULL ? send_verb(job, body) : leave_alone(job);
    if (o != OUTCOME_RETRY && o != OUTCOME_REJECT)
        post_message(job);
    return o;
}

/* Make all that will be sent before anything is: a decision that cannot be, changes nothing. */
enum outcome job_carry_out(struct job *job)
{
    struct json_object *body = NULL, *changed = NULL;
    job->result = RESULT_NONE;
    note_state(job, object_state(job->object_class, job->object));
    enum outcome o = make_body(job, &body);
    if (o == OUTCOME_GO_ON &&
        params_changed(job->decision->params, object_params(job->object_class, job->object),
                       &changed) != ERR_OK)
        o = out_of_memory(job);
    if (o == OUTCOME_GO_ON)
        o = perform(job, body, changed);
    json_object_put(changed);
    json_object_put(body);
    return o;
}
