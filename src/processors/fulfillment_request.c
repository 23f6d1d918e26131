/* fulfillment_request.c - requests for subscriptions: purchase, change, cancel and the others. */
#include "base/jsonx.h"
#include "processors/act.h"
#include "processors/list.h"
#include "processors/template.h"

static enum outcome carry_out(struct job *job);
static bool already(const struct json_object *object, const char *action);
static const char *product(const struct json_object *object);

const struct processor processor_fulfillment_request = {
    .object_class = CLASS_FULFILLMENT_REQUEST,
    .summary = "requests for subscriptions, of all types",
    .carry_out = carry_out,
    .already = already,
    .product = product,
};

static enum outcome approve(struct job *job, struct json_object *body);
static enum outcome inquire(struct job *job, struct json_object *body);
static enum outcome reason(struct job *job, struct json_object *body);
static enum outcome schedule(struct job *job, struct json_object *body);
static struct json_object *params(const struct json_object *object);

/* The verbs are the same for all types of requests; what they mean for the subscription differs
 * (approving a cancellation ends it), and is Connect's to know. */
static const struct act_way way = {
    .verbs =
        (const struct act_verb[]){
            {"approve", {"approved"}, approve},
            {"fail", {"failed"}, reason},
            {"inquire", {"inquiring"}, inquire},
            {"pend", {"pending"}, NULL},
            {"schedule", {"scheduled"}, schedule},
            {"revoke", {"revoking", "revoked"}, reason},
            {"confirm", {"revoked"}, NULL},
            {0},
        },
    .params = params,
};

static enum outcome carry_out(struct job *job)
{
    return act_carry_out(job, &way);
}

static bool already(const struct json_object *object, const char *action)
{
    return act_already(&way, CLASS_FULFILLMENT_REQUEST, object, action);
}

static const char *product(const struct json_object *object)
{
    return jsonx_str(jsonx_at(object, "asset", "product", NULL), "id", NULL);
}

static struct json_object *params(const struct json_object *object)
{
    return jsonx_array(jsonx_object(object, "asset"), "params");
}

/* -------------------------------------------------------------------- what is sent */

/* The decision's template or tile; *ret tells whether it names one. */
static enum outcome add_chosen(struct job *job, struct json_object *body, bool *ret)
{
    enum outcome o = act_add(job, body, "template_id");
    if (o == OUTCOME_DONE)
        o = act_add(job, body, "activation_tile");
    *ret = json_object_object_length(body) > 0;
    return o;
}

static const char *own_template(const struct job *job)
{
    return jsonx_str(jsonx_object(job->object, "template"), "id", NULL);
}

/* The product's only template of a type; *ret tells whether there is one. */
static enum outcome add_only(struct job *job, struct json_object *body, const char *type, bool *ret)
{
    struct json_object *list;
    const char *id;
    enum outcome o = template_only(job, "asset", type, own_template(job), &list, &id);
    if (o != OUTCOME_DONE)
        return o;
    *ret = id != NULL;
    if (id != NULL)
        o = act_add_text(job, body, "template_id", id);
    json_object_put(list);
    return o;
}

static enum outcome approve(struct job *job, struct json_object *body)
{
    bool found;
    enum outcome o = add_chosen(job, body, &found);
    if (o == OUTCOME_DONE && !found) {
        const char *own = own_template(job);
        found = own != NULL;
        o = found ? act_add_text(job, body, "template_id", own)
                  : add_only(job, body, "fulfillment", &found);
    }
    if (o == OUTCOME_DONE && !found) {
        struct why why;
        why_set(&why, ERR_POLICY,
                "approve needs a template_id or an activation_tile: product %s has no template",
                job->product_id);
        return act_fail(job, ERR_POLICY, &why);
    }
    return o == OUTCOME_DONE ? act_add(job, body, "effective_date") : o;
}

/* The request's own template is most often the one for approving, so it counts only if it is one
 * for inquiring. A product without any is inquired with the form alone. */
static enum outcome inquire(struct job *job, struct json_object *body)
{
    bool found;
    enum outcome o = add_chosen(job, body, &found);
    return o == OUTCOME_DONE && !found ? add_only(job, body, "inquire", &found) : o;
}

static enum outcome reason(struct job *job, struct json_object *body)
{
    return act_add(job, body, "reason");
}

static enum outcome schedule(struct job *job, struct json_object *body)
{
    return act_add(job, body, "planned_date");
}
