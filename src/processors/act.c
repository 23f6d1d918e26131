/* act.c - parameters, verb, message; each at most once. */
#include "processors/act.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/jsonx.h"
#include "processors/params.h"

/* ------------------------------------------------------------------------- endings */

enum outcome act_fail(struct job *job, enum err e, const struct why *why)
{
    job->err = e;
    job->why = *why;
    return api_transient(e) ? OUTCOME_RETRY : OUTCOME_REJECT;
}

enum outcome act_fail_call(struct job *job, enum err e, const struct api_call *call)
{
    if (call->result.retry_after_s > job->retry_after_s)
        job->retry_after_s = call->result.retry_after_s;
    return act_fail(job, e, &call->why);
}

static enum outcome out_of_memory(struct job *job)
{
    struct why why;
    return act_fail(job, why_no_memory(&why), &why);
}

/* ------------------------------------------------------------------- what is sent */

static enum outcome add(struct job *job, struct json_object *body, const char *key,
                        struct json_object *value)
{
    return jsonx_add(body, key, value) ? OUTCOME_DONE : out_of_memory(job);
}

enum outcome act_add(struct job *job, struct json_object *body, const char *key)
{
    struct json_object *value = jsonx_get(job->decision->json, key);
    return value != NULL ? add(job, body, key, json_object_get(value)) : OUTCOME_DONE;
}

enum outcome act_add_text(struct job *job, struct json_object *body, const char *key,
                          const char *text)
{
    return add(job, body, key, json_object_new_string(text));
}

/* ------------------------------------------------------------------ what it is now */

static const struct act_verb *find_verb(const struct act_way *way, const char *action)
{
    for (const struct act_verb *v = way->verbs; v->name != NULL; v++)
        if (strcmp(v->name, action) == 0)
            return v;
    return NULL;
}

static const char *state_of(enum object_class c, const struct json_object *object)
{
    const char *key = object_class_state_key(c);
    return key != NULL ? jsonx_str(object, key, "") : "";
}

static void note_state(struct job *job, const char *state)
{
    snprintf(job->final_state, sizeof job->final_state, "%s", state);
}

bool act_already(const struct act_way *way, enum object_class c, const struct json_object *object,
                 const char *action)
{
    const struct act_verb *v = find_verb(way, action);
    const char *state = state_of(c, object);
    for (size_t i = 0; v != NULL && v->leads_to[i] != NULL; i++)
        if (strcasecmp(v->leads_to[i], state) == 0)
            return true;
    return false;
}

/* Does it pay to look at the object after this failure? */
static bool worth_a_look(const struct api_call *call)
{
    return call->result.sent && call->result.status != 429 && call->result.status != 401;
}

static enum err look(struct job *job, struct json_object **ret)
{
    struct api_call call = {.deadline = job->look_by};
    enum err e = api_get(job->api, &call, job->object_class, job->object_id, ret);
    if (e == ERR_OK)
        note_state(job, state_of(job->object_class, *ret));
    return e;
}

/* ----------------------------------------------------------------------- the steps */

/* Where the change of parameters failed: did it, or the verb, happen all the same? */
static enum outcome settle_params(struct job *job, const struct act_way *way, enum err e,
                                  const struct api_call *call, bool *ret_settled)
{
    struct json_object *object, *changed;
    if (!worth_a_look(call) || look(job, &object) != ERR_OK)
        return act_fail_call(job, e, call);
    *ret_settled = act_already(way, job->object_class, object, job->decision->action);
    bool written = false;
    if (params_changed(job->decision->params, way->params(object), &changed) == ERR_OK) {
        written = json_object_array_length(changed) == 0;
        json_object_put(changed);
    }
    json_object_put(object);
    return *ret_settled || written ? OUTCOME_DONE : act_fail_call(job, e, call);
}

/* DONE to go on; *ret_settled tells that there is nothing left to do but to talk. */
static enum outcome write_params(struct job *job, const struct act_way *way,
                                 struct json_object *changed, bool *ret_settled)
{
    struct api_call call = {.deadline = job->deadline};
    if (json_object_array_length(changed) == 0)
        return OUTCOME_DONE;
    enum err e = api_put_params(job->api, &call, job->object_class, job->object_id, changed);
    if (e == ERR_OK)
        return OUTCOME_DONE;
    return settle_params(job, way, e, &call, ret_settled);
}

static enum outcome send_verb(struct job *job, const struct act_way *way, const struct act_verb *v,
                              struct json_object *body)
{
    struct api_call call = {.deadline = job->deadline};
    struct json_object *object = NULL;
    enum err e = api_act(job->api, &call, job->object_class, job->object_id, v->name, body,
                         &object);
    if (e == ERR_OK) {
        const char *state = state_of(job->object_class, object);
        note_state(job, state[0] != '\0' || v->leads_to[0] == NULL ? state : v->leads_to[0]);
        json_object_put(object);
        return OUTCOME_DONE;
    }
    enum err looked = worth_a_look(&call) ? look(job, &object) : ERR_HTTP_ANSWER;
    if (looked == ERR_OK) {
        bool done = act_already(way, job->object_class, object, v->name);
        json_object_put(object);
        if (done)
            return OUTCOME_DONE;
    }
    enum outcome o = act_fail_call(job, e, &call);
    /* Refused, but perhaps because it was done: only a look could tell. */
    return o == OUTCOME_REJECT && call.result.sent && api_transient(looked) ? OUTCOME_RETRY : o;
}

/* A message that does not get through does not change how the job ended, but is told. */
static void talk(struct job *job)
{
    struct api_call call = {.deadline = job->look_by};
    struct why reason = job->why;
    bool posted;
    if (job->decision->message == NULL)
        return;
    enum err e = api_message(job->api, &call, job->object_id, job->decision->message, &posted);
    if (e == ERR_OK)
        return;
    job->err = why_set(&job->why, e, "%s%sthe message was not posted: %s", reason.text,
                       reason.text[0] != '\0' ? "; " : "", call.why.text);
    if (call.result.retry_after_s > job->retry_after_s)
        job->retry_after_s = call.result.retry_after_s;
}

/* ------------------------------------------------------------------------- the way */

/* What a decision without a verb ends with. */
static enum outcome leave(struct job *job)
{
    const char *reason = job->decision->reason;
    why_set(&job->why, ERR_OK, "%s", reason != NULL ? reason : "");
    return strcmp(job->decision->action, "reschedule") == 0 ? OUTCOME_RESCHEDULE : OUTCOME_SKIP;
}

static enum outcome rehearse(struct job *job, const struct act_verb *v, size_t changed)
{
    enum outcome o = v != NULL ? OUTCOME_SKIP : leave(job);
    char params[64] = "";
    if (v == NULL && changed == 0)
        return o;
    if (changed > 0)
        snprintf(params, sizeof params, "change %zu parameter%s", changed, changed > 1 ? "s" : "");
    why_set(&job->why, ERR_OK, "dry run: would %s%s%s", params,
            v != NULL && changed > 0 ? " and " : "", v != NULL ? v->name : "");
    return o;
}

static enum outcome perform(struct job *job, const struct act_way *way, const struct act_verb *v,
                            struct json_object *body, struct json_object *changed)
{
    bool settled = false;
    if (job->dry_run)
        return rehearse(job, v, json_object_array_length(changed));
    enum outcome o = write_params(job, way, changed, &settled);
    if (o == OUTCOME_DONE && !settled && v != NULL)
        o = send_verb(job, way, v, body);
    if (o != OUTCOME_DONE)
        return o;
    o = v != NULL ? OUTCOME_DONE : leave(job);
    talk(job);
    return o;
}

/* Make all that will be sent before anything is: a decision that cannot be, changes nothing. */
static enum outcome prepare_and_perform(struct job *job, const struct act_way *way,
                                        const struct act_verb *v, struct json_object *body)
{
    struct json_object *changed;
    enum outcome o = v != NULL && v->body != NULL ? v->body(job, body) : OUTCOME_DONE;
    if (o != OUTCOME_DONE)
        return o;
    if (params_changed(job->decision->params, way->params(job->object), &changed) != ERR_OK)
        return out_of_memory(job);
    o = perform(job, way, v, body, changed);
    json_object_put(changed);
    return o;
}

static bool leaves_alone(const char *action)
{
    return strcmp(action, "skip") == 0 || strcmp(action, "reschedule") == 0;
}

enum outcome act_carry_out(struct job *job, const struct act_way *way)
{
    const char *action = job->decision->action;
    const struct act_verb *v = find_verb(way, action);
    job->retry_after_s = -1;
    job->err = ERR_OK;
    job->why.text[0] = '\0';
    note_state(job, state_of(job->object_class, job->object));
    if (v == NULL && !leaves_alone(action)) {
        struct why why;
        return act_fail(job,
                        why_set(&why, ERR_POLICY, "%s is not built in for a %s", action,
                                object_class_name(job->object_class)),
                        &why);
    }
    struct json_object *body = json_object_new_object();
    if (body == NULL)
        return out_of_memory(job);
    enum outcome o = prepare_and_perform(job, way, v, body);
    json_object_put(body);
    return o;
}
