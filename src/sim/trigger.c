/* trigger.c - Trigger Now: call the webhook of an event. */
#include <string.h>

#include "sim/delivery.h"
#include "sim/rooms.h"

static bool is_trigger(const struct sim_call *c)
{
    return sim_is(c, "POST", 4) && strcmp(c->parts[0], "notifications") == 0 &&
           strcmp(c->parts[1], "webhooks") == 0 && strcmp(c->parts[3], "trigger") == 0;
}

bool sim_trigger(struct sim_call *c)
{
    struct sim *s = c->sim;
    struct sim_delivery delivery;
    if (!is_trigger(c))
        return false;
    pthread_mutex_lock(&s->lock);
    struct json_object *hook = store_find(s->store, STORE_WEBHOOKS, c->parts[2]);
    bool ok = hook != NULL && sim_delivery_make(c, hook, NULL, &delivery);
    pthread_mutex_unlock(&s->lock);
    if (hook == NULL)
        return sim_error(c, 404, "WH_404", "Not found.");
    if (!ok)
        return true;
    sim_delivery_send(s, &delivery);
    pthread_mutex_lock(&s->lock);
    sim_ok(c, 200, jsonx_copy(sim_delivery_record(c, &delivery)));
    pthread_mutex_unlock(&s->lock);
    sim_delivery_free(&delivery);
    return true;
}
