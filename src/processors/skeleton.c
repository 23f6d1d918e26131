/*
 * skeleton.c - a processor to copy.
 *
 *     1. Copy this file to <object_class>.c; replace "skeleton" by the class.
 *     2. Name the class, and say in a line what its objects are.
 *     3. Give every verb of the class (event/object_class.c) a row: its name, the states in which
 *        it has been done already, and the function that fills what is sent, if anything is.
 *     4. Say where an object keeps its product and its parameters.
 *     5. Add the file to src/local.mk, its line to list.h, and a test.
 *
 * The order of the steps, looking at the object after an outcome that is not known, rehearsing
 * in a dry run, and the message to the conversation come with act.h.
 */
#include "base/jsonx.h"
#include "processors/act.h"
#include "processors/list.h"

static enum outcome carry_out(struct job *job);
static bool already(const struct json_object *object, const char *action);
static const char *product(const struct json_object *object);

const struct processor processor_skeleton = {
    .object_class = CLASS_FULFILLMENT_REQUEST,
    .summary = "an example that only confirms and fails",
    .carry_out = carry_out,
    .already = already,
    .product = product,
};

static enum outcome fail(struct job *job, struct json_object *body);
static struct json_object *params(const struct json_object *object);

static const struct act_way way = {
    .verbs =
        (const struct act_verb[]){
            {"confirm", {"revoked"}, NULL},
            {"fail", {"failed"}, fail},
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
    return act_already(&way, processor_skeleton.object_class, object, action);
}

static const char *product(const struct json_object *object)
{
    return jsonx_str(jsonx_at(object, "asset", "product", NULL), "id", NULL);
}

static struct json_object *params(const struct json_object *object)
{
    return jsonx_array(jsonx_object(object, "asset"), "params");
}

/* {"reason": ...}, from the decision */
static enum outcome fail(struct job *job, struct json_object *body)
{
    return act_add(job, body, "reason");
}
