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

/* The decision's tile or template id, as given, else the template that is found; *ret tells whether
 * there is any. */
static enum outcome add_template(struct job *job, struct json_object *body, const char *type,
                                 bool *ret)
{
    const char *id;
    enum outcome o = act_add(job, body, "template_id");
    if (o == OUTCOME_DONE)
        o = act_add(job, body, "activation_tile");
    *ret = json_object_object_length(body) > 0;
    if (o != OUTCOME_DONE || *ret)
        return o;
    o = template_find(job, "asset", type, &id);
    *ret = o == OUTCOME_DONE && id != NULL;
    return *ret ? act_add_text(job, body, "template_id", id) : o;
}

static enum outcome approve(struct job *job, struct json_object *body)
{
    bool found;
    enum outcome o = add_template(job, body, "fulfillment", &found);
    if (o == OUTCOME_DONE && !found) {
        struct why why;
        why_set(&why, ERR_POLICY,
                "approve needs a template_id or an activation_tile: product %s has no template",
                job->product_id);
        return act_fail(job, ERR_POLICY, &why);
    }
    return o == OUTCOME_DONE ? act_add(job, body, "effective_date") : o;
}

/* A product without a template for it is inquired with the form alone. */
static enum outcome inquire(struct job *job, struct json_object *body)
{
    bool found;
    return add_template(job, body, "inquire", &found);
}

static enum outcome reason(struct job *job, struct json_object *body)
{
    return act_add(job, body, "reason");
}

static enum outcome schedule(struct job *job, struct json_object *body)
{
    return act_add(job, body, "planned_date");
}
