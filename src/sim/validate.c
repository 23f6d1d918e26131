/*
 * validate.c - POST .../{id}/validate: a form is filled in, and the validator is asked about it.
 *
 * The values that are sent are written, the webhook for the object's situation is called and waited
 * for, and what it answers about the parameters is kept. Where there is none nothing happens. One
 * that fails leaves the object as it was filled in: who orders may go on with it.
 */
#include <string.h>

#include "sim/delivery.h"
#include "sim/kind.h"
#include "sim/rooms.h"

/* The kind of the object that is to be validated, and *ret_id of which one. NULL: it is no such
 * call. */
static const struct sim_kind *kind_of(const struct sim_call *c, const char **ret_id)
{
    size_t own = 0;
    const struct sim_kind *k = sim_kind_at(c->parts, &own);
    if (k == NULL || k->validated == NULL || !sim_is(c, "POST", (int)own + 2) ||
        strcmp(c->parts[own + 1], "validate") != 0)
        return NULL;
    *ret_id = c->parts[own];
    return k;
}

/* The active webhook for it; NULL: there is none. */
static struct json_object *find_hook(const struct sim *s, const struct object_class *class,
                                     const struct json_object *object)
{
    enum webhook_type t = object_validator(class, object);
    const char *product = object_product(class, object);
    for (size_t i = 0; t != TYPE__COUNT && i < store_count(s->store, STORE_WEBHOOKS); i++) {
        struct json_object *hook = store_at(s->store, STORE_WEBHOOKS, i);
        if (hook != NULL && jsonx_bool(hook, "active", false) &&
            strcmp(jsonx_str(hook, "type", ""), webhook_type_name(t)) == 0 &&
            object_class_find(jsonx_str(hook, "object_class", "")) == class &&
            strcmp(jsonx_str_at(hook, "product.id", ""), product != NULL ? product : "") == 0)
            return hook;
    }
    return NULL;
}

/* With the lock: write what is filled in, and see who is asked. False: it is over, and answered. */
static bool begin(struct sim_call *c, const struct sim_kind *k, const char *id,
                  struct sim_delivery *ret)
{
    struct json_object *object = store_find(c->sim->store, k->store, id);
    if (object == NULL)
        return !sim_kind_not_found(c, k);
    if (!sim_has_word("draft inquiring", sim_state(k, object)))
        return !sim_error(c, 400, "VAL_001", "%s: what is %.40s is not validated.", k->state,
                          sim_state(k, object));
    if (!sim_write_params(c, k->validated->params, object_params(k->validated, c->body),
                          object_params(k->validated, object)))
        return false;
    sim_changed(c, k->store, object);
    struct json_object *hook = find_hook(c->sim, k->validated, object);
    if (hook == NULL)
        return !sim_ok(c, 200, json_object_get(object));
    return sim_delivery_make(c, hook, object, ret);
}

/* With the lock: what the answer says about the object's parameters is what they are. */
static bool keep(struct sim_call *c, const struct sim_kind *k, struct json_object *object,
                 const struct sim_delivery *d)
{
    struct json_object *said = NULL;
    const struct buf *body = &d->response.body;
    if (sim_delivery_succeeded(d))
        (void)jsonx_parse(body->data, body->len, SIM_RESPONSE_MAX, &said, NULL);
    bool is_document = json_object_is_type(said, json_type_object);
    if (is_document) {
        sim_take_params(object_params(k->validated, said), object_params(k->validated, object));
        sim_changed(c, k->store, object);
    }
    json_object_put(said);
    return is_document;
}

static bool end(struct sim_call *c, const struct sim_kind *k, const char *id,
                const struct sim_delivery *d)
{
    sim_delivery_record(c, d);
    struct json_object *object = store_find(c->sim->store, k->store, id);
    if (object == NULL)
        return sim_kind_not_found(c, k);
    if (!keep(c, k, object, d))
        return sim_error(c, 400, "VAL_002", "Validation can't be performed: %s gave no document.",
                         d->hook_id);
    return sim_ok(c, 200, json_object_get(object));
}

bool sim_validate(struct sim_call *c)
{
    struct sim *s = c->sim;
    struct sim_delivery delivery;
    const char *id = NULL;
    const struct sim_kind *k = kind_of(c, &id);
    if (k == NULL)
        return false;
    if (!sim_read_body(c))
        return true;
    pthread_mutex_lock(&s->lock);
    bool asked = begin(c, k, id, &delivery);
    pthread_mutex_unlock(&s->lock);
    if (!asked)
        return true;
    sim_delivery_send(s, &delivery);
    pthread_mutex_lock(&s->lock);
    end(c, k, id, &delivery);
    pthread_mutex_unlock(&s->lock);
    sim_delivery_free(&delivery);
    return true;
}
