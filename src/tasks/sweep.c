/* sweep.c - the list, what is new in it, and what the inbox knows of it. */
#include "tasks/sweep.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "tasks/backoff.h"
#include "tasks/fingerprint.h"
#include "tasks/mark.h"

#define SWEEP_SLACK_MS 10000 /* for what comes after the list */
#define POLL_JITTER    10    /* this part of the interval, earlier or later */

struct sweep {
    const struct queue *queue;
    struct inbox *inbox;
    const struct inbox_sweep *held;
    const struct sweep_terms *terms;
    struct sweep_list *found;
    struct mark *mark;                    /* NULL where objects have states */
    uint8_t fingerprint[FINGERPRINT_LEN]; /* of the queue */
    bool out_of_memory;
};

void sweep_list_free(struct sweep_list *l)
{
    for (size_t n = 0; n < l->count; n++) {
        free(l->list[n].unusable);
        free(l->list[n].known);
    }
    free(l->list);
    *l = (struct sweep_list){.list = NULL};
}

/* ----------------------------------------------------------------------- the list */

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

/* NULL: out of memory. */
static struct swept *add(struct sweep *s, const char *id, const struct json_object *object)
{
    struct swept *list = array_room(s->found->list, s->found->count, &s->found->cap, sizeof *list);
    if (list == NULL) {
        s->out_of_memory = true;
        return NULL;
    }
    s->found->list = list;
    struct swept *one = &list[s->found->count++];
    *one = (struct swept){.unusable = NULL};
    snprintf(one->id, sizeof one->id, "%s", id);
    snprintf(one->type, sizeof one->type, "%s", jsonx_str(object, "type", ""));
    snprintf(one->state, sizeof one->state, "%s",
             object_state(s->queue->webhook->object_class, object));
    return one;
}

/* What stands in the list and is no use. */
static void add_unusable(struct sweep *s, const struct api_element *element)
{
    char place[32];
    struct why why;
    snprintf(place, sizeof place, "#%" PRId64, element->place + 1);
    if (element->object == NULL)
        why_set(&why, element->err, "cannot be read: %s", element->why);
    else
        why_set(&why, ERR_INVALID, "has no id of Connect's: it can be neither read nor changed");
    struct swept *one = add(s, element->id[0] != '\0' ? element->id : place, element->object);
    if (one != NULL && (one->unusable = strdup(why.text)) == NULL)
        s->out_of_memory = true;
}

static void add_object(struct sweep *s, const char *id, struct json_object *object)
{
    const struct object_class *c = s->queue->webhook->object_class;
    int64_t created_us = CLK_UNKNOWN;
    if (s->mark != NULL)
        (void)object_created(c, object, &created_us);
    if (s->mark != NULL && !mark_note(s->mark, id, created_us))
        return;
    struct swept *one = add(s, id, object);
    if (one != NULL)
        fingerprint_object(s->fingerprint, c, object, one->fingerprint);
}

static bool on_element(void *ctx, const struct api_element *element)
{
    struct sweep *s = ctx;
    struct json_object *object = element->object;
    if (object != NULL && !is_ours(s->queue, element->id, object))
        return true;
    if (object == NULL || !object_id_valid(element->id))
        add_unusable(s, element);
    else
        add_object(s, element->id, object);
    return !s->out_of_memory;
}

static enum err read_list(struct sweep *s, struct result *result)
{
    const struct conf_webhook *w = s->queue->webhook;
    int64_t patience = clk_mono_ms() + SWEEP_MS;
    const struct api_filter filter = {.product_id = w->product,
                                      .states = w->states,
                                      .since_us = s->mark != NULL ? mark_since(s->mark) : 0};
    struct api_call call = {.deadline = clk_earlier(s->terms->deadline, patience),
                            .patience_ms = s->terms->patience_ms};
    enum err e = api_list(s->queue->api, &call, w->object_class, &filter, on_element, s);
    *result = call.result;
    return s->out_of_memory ? result_no_memory(result) : e;
}

/* ---------------------------------------------------------------------- the inbox */

/* Some of the list, and where the next one stands that the inbox will tell of. */
struct portion {
    struct sweep *sweep;
    struct inbox_found found[INBOX_FOUND_MAX];
    size_t places[INBOX_FOUND_MAX];
    size_t count, told;
};

static void on_task(void *ctx, const struct inbox_task *t)
{
    struct portion *p = ctx;
    struct swept *one = &p->sweep->found->list[p->places[p->told++]];
    if (t->state == TASK_READY && t->due_ms == 0)
        return;
    one->known = malloc(sizeof *one->known);
    if (one->known != NULL)
        *one->known = *t;
    else
        p->sweep->out_of_memory = true;
}

static enum err hand_over_portion(struct sweep *s, struct portion *p, struct why *why)
{
    p->told = 0;
    enum err e = inbox_found(s->inbox, &s->held->lease, p->found, p->count, s->terms->retry_now,
                             on_task, p, why);
    p->count = 0;
    return e == ERR_OK && s->out_of_memory ? why_no_memory(why) : e;
}

static enum err hand_over(struct sweep *s, struct why *why)
{
    struct portion *p = malloc(sizeof *p);
    if (p == NULL)
        return why_no_memory(why);
    enum err e = ERR_OK;
    p->sweep = s;
    p->count = 0;
    for (size_t n = 0; e == ERR_OK && n < s->found->count; n++) {
        const struct swept *one = &s->found->list[n];
        if (one->unusable != NULL)
            continue;
        struct inbox_found *f = &p->found[p->count];
        *f = (struct inbox_found){.object_id = one->id, .type = one->type, .state = one->state};
        memcpy(f->fingerprint, one->fingerprint, sizeof f->fingerprint);
        p->places[p->count++] = n;
        if (p->count == INBOX_FOUND_MAX)
            e = hand_over_portion(s, p, why);
    }
    if (e == ERR_OK && p->count > 0)
        e = hand_over_portion(s, p, why);
    free(p);
    return e;
}

static enum err make(struct sweep *s, struct result *result)
{
    const struct object_class *c = s->queue->webhook->object_class;
    struct why *why = &result->why;
    enum err e = fingerprint_queue(s->queue, s->terms->dry_run, s->fingerprint);
    if (e != ERR_OK)
        return why_set(why, e, "the policy: %s", err_text(e));
    if (c->state == NULL)
        e = mark_open(s->queue, s->inbox, s->terms->claims, &s->mark, why);
    if (e == ERR_OK)
        e = read_list(s, result);
    if (e == ERR_OK)
        e = hand_over(s, why);
    struct why other;
    enum err closed = mark_close(s->mark, e == ERR_OK && !s->terms->dry_run, &other);
    if (e == ERR_OK && closed != ERR_OK)
        e = why_set(why, closed, "%s", other.text);
    return e;
}

int64_t sweep_lease_ms(const struct queue *q)
{
    int64_t lease = q->conf->processing.lease_ms;
    return lease > SWEEP_MS + SWEEP_SLACK_MS ? lease : SWEEP_MS + SWEEP_SLACK_MS;
}

/* When a queue that has just been swept is polled; -1: never. */
static int64_t poll_ms(const struct conf *c)
{
    int64_t interval = c->processing.poll_interval_ms;
    int64_t jitter = clk_earlier(interval / POLL_JITTER, UINT32_MAX / 2 - 1);
    if (interval == 0)
        return -1;
    return interval - jitter + (int64_t)randombytes_uniform((uint32_t)jitter * 2 + 1);
}

/* What is full is no failure, and what stops us is over with the next start. */
static int64_t retry_ms(const struct queue *q, const struct inbox_sweep *held,
                        const struct result *result)
{
    const struct backoff backoff = backoff_of(q->conf);
    if (result->err == ERR_STOPPED)
        return 0;
    return backoff_ms(&backoff, result->err == ERR_BUSY ? 0 : held->failures,
                      result->retry_after_s);
}

enum err sweep_queue(const struct queue *q, struct inbox *inbox, const struct inbox_sweep *held,
                     const struct sweep_terms *terms, struct sweep_list *ret,
                     struct result *ret_result)
{
    struct sweep s = {.queue = q, .inbox = inbox, .held = held, .terms = terms, .found = ret};
    struct inbox_sweep_end end = {.poll_ms = poll_ms(q->conf)};
    struct hold hold;
    struct why why;
    *ret_result = RESULT_NONE;
    hold_begin(&hold, inbox, terms->holds, &held->lease, q->conf->processing.lease_ms);
    if (queue_has_work(q))
        ret_result->err = make(&s, ret_result);
    hold_end(&hold);
    if (ret_result->err != ERR_OK) {
        end.error = ret_result->why.text;
        end.retry_ms = retry_ms(q, held, ret_result);
    }
    enum err e = inbox_end_sweep(inbox, &held->lease, &end, &why);
    if (ret_result->err == ERR_OK && e != ERR_OK)
        result_set(ret_result, e, "%s", why.text);
    return ret_result->err;
}
