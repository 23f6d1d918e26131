/* work.c - working a queue off. */
#include "tasks/work.h"

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "processors/template.h"
#include "tasks/sweep.h"

#define OBJECT_SHARE 4 /* one object may take a quarter of the time of its call */

struct run {
    const struct queue *queue;
    struct inbox *inbox;
    const struct task_terms *terms;
    struct work_waits *waits; /* NULL: any number may wait */
    int64_t deadline;
    object_report_fn *fn;
    void *ctx;
    struct template_lists templates;
    struct json_object *told; /* its keys are the ids that have had their turn */
    int passes;
    struct work_summary summary;
};

/* ------------------------------------------------------------------------ any work */

/* Would the next object only meet the same? */
static bool ends_run(const struct run *r, const struct result *one)
{
    if (one->err == ERR_HTTP_AUTH || one->err == ERR_STOPPED)
        return true;
    if (one->err != ERR_HTTP_THROTTLED || one->retry_after_s < 0)
        return false;
    int64_t now = clk_mono_ms();
    return now + one->retry_after_s * 1000 > clk_earlier(r->deadline, now + r->terms->object_ms);
}

static void note_wait(struct result *result, int64_t wait_s)
{
    if (wait_s >= 0 && (result->retry_after_s < 0 || wait_s < result->retry_after_s))
        result->retry_after_s = wait_s;
}

static bool is_told(const struct run *r, const char *id)
{
    return json_object_object_get_ex(r->told, id, NULL);
}

static void tell_report(struct run *r, const struct object_report *o)
{
    r->summary.ended[o->outcome]++;
    note_wait(&r->summary.result, o->retry_after_s);
    if (json_object_object_add(r->told, o->id, NULL) != 0)
        result_no_memory(&r->summary.result);
    r->fn(r->ctx, o);
}

static void on_report(void *ctx, const struct object_report *o)
{
    struct run *r = ctx;
    if (ends_run(r, o->result))
        result_set(&r->summary.result, o->result->err, "%s", o->result->why.text);
    tell_report(r, o);
}

/* ------------------------------------------------------------- what is not asked about */

void work_report_unusable(const struct queue *q, const struct swept *s, object_report_fn *fn,
                          void *ctx)
{
    struct result result = RESULT_NONE;
    result_set(&result, ERR_INVALID, "%s", s->unusable);
    const struct object_report o = {.webhook = q->webhook,
                                    .id = s->id,
                                    .type = s->type,
                                    .before = s->state,
                                    .after = s->state,
                                    .action = "",
                                    .rule = "",
                                    .outcome = OUTCOME_REJECT,
                                    .result = &result,
                                    .retry_after_s = -1,
                                    .took_ms = -1};
    object_report_log(&o);
    fn(ctx, &o);
}

/* With what it ended with when it was last asked about. */
static void tell_known(struct run *r, const struct inbox_task *t)
{
    const struct inbox_story *s = &t->story;
    struct result result = RESULT_NONE;
    result_set(&result, ERR_OK, "%s", s->reason);
    const struct object_report o = {
        .webhook = r->queue->webhook,
        .id = t->object_id,
        .type = s->type,
        .before = s->before,
        .after = s->after,
        .action = s->action,
        .rule = s->rule,
        .outcome = outcome_of_name(s->result, t->state == TASK_DONE ? OUTCOME_DONE : OUTCOME_RETRY),
        .result = &result,
        .retry_after_s = t->state == TASK_READY ? (t->due_ms + 999) / 1000 : -1};
    tell_report(r, &o);
}

static void tell_busy(struct run *r, const struct swept *s)
{
    struct result result = RESULT_NONE;
    result_set(&result, ERR_OK, "somebody else is at it");
    const struct object_report o = {.webhook = r->queue->webhook,
                                    .id = s->id,
                                    .type = s->type,
                                    .before = s->state,
                                    .after = "",
                                    .action = "",
                                    .rule = "",
                                    .outcome = OUTCOME_BUSY,
                                    .result = &result,
                                    .retry_after_s = -1};
    tell_report(r, &o);
}

static void tell_what_is_known(struct run *r, const struct sweep_list *l)
{
    for (size_t n = 0; n < l->count; n++) {
        const struct swept *s = &l->list[n];
        if (is_told(r, s->id) || (r->passes > 0 && s->unusable != NULL))
            continue; /* one that is known by its place alone would be told of again */
        if (s->unusable != NULL)
            work_report_unusable(r->queue, s, on_report, r);
        else if (s->known != NULL && s->known->state != TASK_RUNNING)
            tell_known(r, s->known);
    }
}

/* ------------------------------------------------------------------------ the tasks */

/* One that is due again has had its turn, and so have all behind it: they are due later than what
 * was found. ERR_NOT_FOUND: nothing is left. */
static enum err run_task(struct run *r, const struct inbox_task *t, struct why *why)
{
    if (is_told(r, t->object_id)) {
        enum err e = inbox_give_back(r->inbox, &t->lease, 0, why);
        return e == ERR_OK ? ERR_NOT_FOUND : e;
    }
    return object_task_run(r->queue, r->inbox, r->terms, &r->templates, t, on_report, r, why);
}

static bool may_begin(const struct run *r)
{
    return r->summary.result.err == ERR_OK && clk_mono_ms() < r->deadline;
}

static void run_tasks(struct run *r)
{
    const struct inbox_queue q = queue_in_inbox(r->queue);
    int64_t lease_ms = object_task_lease_ms(r->queue, r->terms);
    struct inbox_task t;
    struct why why;
    enum err e = ERR_OK;
    while (e == ERR_OK && may_begin(r)) {
        e = inbox_claim_task(r->inbox, &q, lease_ms, &t, &why);
        if (e == ERR_OK)
            e = run_task(r, &t, &why);
    }
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        result_set(&r->summary.result, e, "%s", why.text);
}

/* What somebody else has taken may come to its end soon. */
static void tell_of_taken(struct run *r, const struct swept *s, int64_t patience)
{
    const struct inbox_queue q = queue_in_inbox(r->queue);
    struct inbox_task t;
    struct why why;
    enum err e = inbox_await_task(r->inbox, &q, s->id, patience, &t, &why);
    if (e != ERR_OK)
        result_set(&r->summary.result, e, "%s", why.text);
    else if (t.state != TASK_RUNNING && t.story.result[0] != '\0')
        tell_known(r, &t);
    else
        tell_busy(r, s);
}

/* Of those that are listed: what the deadline has left, or somebody else has taken. */
static void tell_of_the_rest(struct run *r, const struct sweep_list *l)
{
    bool in_time = may_begin(r);
    int64_t patience = clk_earlier(r->deadline, clk_mono_ms() + WORK_BUSY_MS);
    for (size_t n = 0; n < l->count; n++) {
        const struct swept *s = &l->list[n];
        if (s->unusable != NULL || is_told(r, s->id))
            continue;
        if (in_time || s->known != NULL)
            tell_of_taken(r, s, patience);
        else
            r->summary.left++;
    }
}

/* ------------------------------------------------------------------------- the run */

/* May one that has been decided make others of its own class pending? */
static bool frees_its_own(const struct object_class *c)
{
    const struct object_class *const *f = c->frees;
    while (*f != NULL && *f != c)
        f++;
    return *f != NULL;
}

/* Another sweep of the queue may go on, in which what this one is for may not be seen. */
static enum err take_sweep(struct run *r, struct inbox_sweep *ret, struct why *why)
{
    const struct inbox_queue q = queue_in_inbox(r->queue);
    int64_t lease_ms = sweep_lease_ms(r->queue);
    int64_t patience = clk_earlier(r->deadline, clk_mono_ms() + WORK_WAIT_MS);
    enum err e = inbox_take_sweep(r->inbox, &q, lease_ms, 0, ret, why);
    if (e != ERR_BUSY)
        return e;
    if (r->waits == NULL)
        return inbox_take_sweep(r->inbox, &q, lease_ms, patience, ret, why);
    if (atomic_fetch_add(&r->waits->waiting, 1) < r->waits->max)
        e = inbox_take_sweep(r->inbox, &q, lease_ms, patience, ret, why);
    atomic_fetch_sub(&r->waits->waiting, 1);
    return e;
}

static enum err sweep(struct run *r, struct sweep_list *ret)
{
    const struct sweep_terms terms = {.claims = r->terms->claims,
                                      .dry_run = r->terms->dry_run,
                                      .retry_now = true,
                                      .deadline = r->deadline};
    struct inbox_sweep held;
    struct result result = RESULT_NONE;
    enum err e = take_sweep(r, &held, &result.why);
    if (e == ERR_OK)
        e = sweep_queue(r->queue, r->inbox, &held, &terms, ret, &result);
    if (e != ERR_OK) {
        note_wait(&r->summary.result, result.retry_after_s);
        result_set(&r->summary.result, e, "%s", result.why.text);
    }
    return e;
}

/* True: that may have made something else pending in the queue. */
static bool make_pass(struct run *r)
{
    struct sweep_list found = {.list = NULL};
    int64_t done = r->summary.ended[OUTCOME_DONE];
    if (sweep(r, &found) == ERR_OK) {
        tell_what_is_known(r, &found);
        done = r->summary.ended[OUTCOME_DONE];
        run_tasks(r);
        tell_of_the_rest(r, &found);
    }
    sweep_list_free(&found);
    r->passes++;
    return may_begin(r) && frees_its_own(r->queue->webhook->object_class) &&
           r->summary.ended[OUTCOME_DONE] > done;
}

static void run(struct run *r)
{
    if ((r->told = json_object_new_object()) == NULL) {
        result_no_memory(&r->summary.result);
        return;
    }
    while (make_pass(r))
        continue;
    json_object_put(r->told);
    template_lists_free(&r->templates);
}

enum err work_queue(const struct queue *q, struct inbox *inbox, const struct task_terms *terms,
                    struct work_waits *waits, int64_t deadline, object_report_fn *fn, void *ctx,
                    struct work_summary *ret)
{
    struct run r = {.queue = q,
                    .inbox = inbox,
                    .terms = terms,
                    .waits = waits,
                    .deadline = deadline,
                    .fn = fn,
                    .ctx = ctx,
                    .summary = {.result = RESULT_NONE}};
    const struct conf_webhook *w = q->webhook;
    if (q->api == NULL)
        result_set(&r.summary.result, ERR_CONFIG, "account %s: its API key is not loaded",
                   w->account->id);
    else if (queue_has_work(q))
        run(&r);
    *ret = r.summary;
    return r.summary.result.err;
}

int64_t work_objects(const struct work_summary *s)
{
    int64_t sum = s->left;
    for (int o = 0; o < OUTCOME__COUNT; o++)
        sum += s->ended[o];
    return sum;
}

void work_add_up(struct work_summary *sum, const struct work_summary *one)
{
    sum->left += one->left;
    for (int o = 0; o < OUTCOME__COUNT; o++)
        sum->ended[o] += one->ended[o];
    note_wait(&sum->result, one->result.retry_after_s);
    if (one->result.err != ERR_OK)
        result_set(&sum->result, one->result.err, "%s", one->result.why.text);
}

/* ----------------------------------------------------------------- work for a call */

struct telling {
    struct json_object *objects;
    bool incomplete; /* of some, memory did not suffice to tell */
};

static void tell(void *ctx, const struct object_report *o)
{
    struct telling *t = ctx;
    if (!jsonx_append(t->objects, object_report_json(o)))
        t->incomplete = true;
}

/* Did each object come to an end that Connect's calling again would not better? */
static void judge(struct work_summary *s, const struct telling *t)
{
    if (s->result.err != ERR_OK)
        return;
    if (s->left > 0)
        result_set(&s->result, ERR_BUSY, "the time for one call is over: the next call goes on");
    else if (s->ended[OUTCOME_RETRY] > 0)
        result_set(&s->result, ERR_BUSY, "some objects have to be tried again");
    else if (s->ended[OUTCOME_BUSY] > 0)
        result_set(&s->result, ERR_BUSY, "somebody else is at some objects");
    else if (t->incomplete)
        result_no_memory(&s->result);
}

/* The queues that what was decided may have freed something in, one after the other. No call has
 * told of those. */
static void work_on_freed(const struct queues *queues, const struct queue *q, struct inbox *inbox,
                          const struct task_terms *terms, struct work_waits *waits,
                          int64_t deadline, struct telling *t, struct work_summary *ret)
{
    const struct object_class *c = q->webhook->object_class;
    const struct task_terms untold = {.object_ms = terms->object_ms, .dry_run = terms->dry_run};
    for (const struct object_class *const *f = c->frees; *f != NULL; f++) {
        const struct queue *next = *f != c ? queues_beside(queues, q, *f) : NULL;
        struct work_summary one;
        if (next == NULL)
            continue;
        work_queue(next, inbox, &untold, waits, deadline, tell, t, &one);
        work_add_up(ret, &one);
    }
}

static void work_in_time(const struct queues *queues, const struct queue *q, struct inbox *inbox,
                         const struct waiting_call *call, struct telling *t,
                         struct work_summary *ret)
{
    int64_t time_ms = q->conf->processing.inline_deadline_ms, deadline = call->started + time_ms;
    const struct task_terms terms = {.claims = call->claims,
                                     .object_ms = time_ms / OBJECT_SHARE,
                                     .dry_run = q->conf->processing.dry_run};
    work_queue(q, inbox, &terms, call->waits, deadline, tell, t, ret);
    if (ret->ended[OUTCOME_DONE] > 0 && clk_mono_ms() < deadline)
        work_on_freed(queues, q, inbox, &terms, call->waits, deadline, t, ret);
    judge(ret, t);
}

void work_for_call(const struct queues *queues, struct inbox *inbox,
                   const struct waiting_call *call, struct json_object **ret_objects,
                   struct result *ret)
{
    struct telling t = {.objects = json_object_new_array()};
    struct work_summary summary = {.result = RESULT_NONE};
    const struct queue *q;
    struct why why;
    summary.result.err = queues_find(queues, call->webhook_id, &q, &summary.result.why);
    if (summary.result.err == ERR_OK)
        work_in_time(queues, q, inbox, call, &t, &summary);
    enum delivery_state state = summary.result.err == ERR_OK ? DELIVERY_DONE : DELIVERY_FAILED;
    if (inbox_set_state(inbox, call->delivery, state, &why) != ERR_OK)
        log_warn("webhook %s: %s", call->webhook_id, why.text);
    *ret_objects = t.objects;
    *ret = summary.result;
}
