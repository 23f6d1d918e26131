/* sweep.c - list first, then pass one object after the other. */
#include "tasks/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"

#define LIST_MS 400000 /* however long a sweep may take, a list that takes longer is none */

struct listed {
    char id[OBJECT_ID_MAX];
    char type[24];
    char state[24];
    int64_t created_us;
};

struct listing {
    const struct queue *queue;
    const struct sweep *sweep;
    struct listed *list; /* owned */
    size_t count, cap;
    int64_t unusable; /* passed already */
    bool stopped, out_of_memory;
};

/* Filters of Connect's have been known to be ignored; no policy sees another product's object. */
static bool is_ours(const struct queue *q, const char *id, const struct json_object *object)
{
    const char *product = object_product(q->webhook->object_class, object);
    if (product == NULL || strcmp(product, q->webhook->product) == 0)
        return true;
    log_warn("%s: listed for product %s, but belongs to %s: ignored", id, q->webhook->product,
             product);
    return false;
}

/* What stands in the list and is no use. */
static bool pass_unusable(struct listing *l, const struct api_element *element)
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
                            .state = object_state(l->queue->webhook->object_class, object),
                            .unusable = why.text,
                            .created_us = CLK_UNKNOWN};
    if (!l->sweep->is_wanted(l->sweep->ctx, &s))
        return true;
    l->unusable++;
    l->stopped = !l->sweep->fn(l->sweep->ctx, &s);
    return !l->stopped;
}

static struct swept swept_of(const struct listed *one)
{
    return (struct swept){
        .id = one->id, .type = one->type, .state = one->state, .created_us = one->created_us};
}

static bool note_element(void *ctx, const struct api_element *element)
{
    struct listing *l = ctx;
    const struct json_object *object = element->object;
    if (object != NULL && !is_ours(l->queue, element->id, object))
        return true;
    if (object == NULL || !object_id_valid(element->id))
        return pass_unusable(l, element);
    struct listed *list = array_room(l->list, l->count, &l->cap, sizeof *list);
    if (list == NULL) {
        l->out_of_memory = true;
        return false;
    }
    l->list = list;
    const struct object_class *c = l->queue->webhook->object_class;
    struct listed *one = &l->list[l->count];
    snprintf(one->id, sizeof one->id, "%s", element->id);
    snprintf(one->type, sizeof one->type, "%s", jsonx_str(object, "type", ""));
    snprintf(one->state, sizeof one->state, "%s", object_state(c, object));
    one->created_us = CLK_UNKNOWN;
    if (c->state == NULL)
        (void)object_created(c, object, &one->created_us);
    const struct swept s = swept_of(one);
    if (l->sweep->is_wanted(l->sweep->ctx, &s))
        l->count++;
    return true;
}

static enum err read_list(struct listing *l, struct result *result)
{
    const struct conf_webhook *w = l->queue->webhook;
    int64_t patience = clk_mono_ms() + LIST_MS, deadline = l->sweep->deadline;
    const struct api_filter filter = {
        .product_id = w->product, .states = w->states, .since_us = l->sweep->since_us};
    struct api_call call = {.deadline = deadline < patience ? deadline : patience};
    enum err e = api_list(l->queue->api, &call, w->object_class, &filter, note_element, l);
    *result = call.result;
    return l->out_of_memory ? result_no_memory(result) : e;
}

enum err sweep_queue(const struct queue *q, const struct sweep *sweep,
                     struct sweep_count *ret_count, struct result *ret_result)
{
    struct listing l = {.queue = q, .sweep = sweep};
    size_t next = 0;
    enum err e = read_list(&l, ret_result);
    while (e == ERR_OK && next < l.count && !l.stopped && clk_mono_ms() < sweep->deadline) {
        const struct swept s = swept_of(&l.list[next++]);
        l.stopped = !sweep->fn(sweep->ctx, &s);
    }
    ret_count->listed = (int64_t)l.count + l.unusable;
    ret_count->left = e == ERR_OK ? (int64_t)(l.count - next) : 0;
    free(l.list);
    return e;
}
