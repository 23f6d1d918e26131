/* work.c - working a queue off. */
#include "tasks/work.h"

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "processors/template.h"
#include "tasks/mark.h"

#define OBJECT_SHARE 4 /* one object may take a quarter of the time of its call */

struct run {
    const struct queue *queue;
    struct inbox *inbox;
    const struct task_terms *terms;
    int64_t deadline;
    object_report_fn *fn;
    void *ctx;
    struct template_lists templates;
    struct json_object *passed; /* its keys are the ids that have had their turn; NULL: not kept */
    struct mark *mark;          /* NULL where objects have states */
    enum outcome outcome;       /* of the last one that had its turn */
    int passes;
    struct work_summary summary;
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ------------------------------------------------------------------------ any work */

/* Would the next object only meet the same? */
static bool ends_run(const struct run *r, const struct result *one)
{
    if (one->err == ERR_HTTP_AUTH || one->err == ERR_STOPPED)
        return true;
    if (one->err != ERR_HTTP_THROTTLED || one->retry_after_s < 0)
        return false;
    int64_t now = clk_mono_ms();
    return now + one->retry_after_s * 1000 > earlier(r->deadline, now + r->terms->object_ms);
}

static void note_wait(struct result *result, int64_t wait_s)
{
    if (wait_s >= 0 && (result->retry_after_s < 0 || wait_s < result->retry_after_s))
        result->retry_after_s = wait_s;
}

static void on_report(void *ctx, const struct object_report *o)
{
    struct run *r = ctx;
    struct result *result = &r->summary.result;
    r->outcome = o->outcome;
    r->summary.ended[o->outcome]++;
    note_wait(result, o->retry_after_s);
    if (ends_run(r, o->result))
        result_set(result, o->result->err, "%s", o->result->why.text);
    r->fn(r->ctx, o);
}

static bool is_wanted(void *ctx, const struct swept *s)
{
    const struct run *r = ctx;
    /* Known by its place alone, which changes as others leave the list. */
    if (r->passes > 0 && !object_id_valid(s->id))
        return false;
    return !json_object_object_get_ex(r->passed, s->id, NULL) &&
           (r->mark == NULL || s->unusable != NULL || mark_is_new(r->mark, s));
}

/* A skip is an answer, too, where there is somebody to give one; what has to be tried again, or
 * looked at, stays new. */
static bool is_settled(const struct run *r)
{
    bool answered = r->queue->webhook->policy.kind != CONF_POLICY_NONE;
    return r->outcome == OUTCOME_DONE || (r->outcome == OUTCOME_SKIP && answered);
}

static enum err remember(struct run *r, const struct swept *s, struct why *why)
{
    if (r->passed != NULL && json_object_object_add(r->passed, s->id, NULL) != 0)
        return why_no_memory(why);
    if (r->mark == NULL || s->unusable != NULL || r->terms->dry_run)
        return ERR_OK;
    return mark_note(r->mark, s, is_settled(r), why);
}

static bool on_swept(void *ctx, const struct swept *s)
{
    struct run *r = ctx;
    struct why why;
    object_task_run(r->queue, r->terms, &r->templates, s, on_report, r);
    enum err e = remember(r, s, &why);
    if (e != ERR_OK && r->summary.result.err == ERR_OK)
        result_set(&r->summary.result, e, "%s", why.text);
    return r->summary.result.err == ERR_OK;
}

/* Our side may have no work in this class at all. */
static bool has_work(const struct conf_webhook *w)
{
    return w->object_class->state == NULL || w->states[0] != NULL;
}

/* May one that has been decided make others of its own class pending? */
static bool frees_its_own(const struct object_class *c)
{
    const struct object_class *const *f = c->frees;
    while (*f != NULL && *f != c)
        f++;
    return *f != NULL;
}

/* List, and pass what is listed. True: that may have made something else pending in the queue. */
static bool make_pass(struct run *r)
{
    struct work_summary *sum = &r->summary;
    const struct sweep sweep = {.since_us = r->mark != NULL ? mark_since(r->mark) : 0,
                                .deadline = r->deadline,
                                .is_wanted = is_wanted,
                                .fn = on_swept,
                                .ctx = r};
    struct result listed;
    struct sweep_count count;
    int64_t done = sum->ended[OUTCOME_DONE];
    if (sweep_queue(r->queue, &sweep, &count, &listed) != ERR_OK) {
        note_wait(&sum->result, listed.retry_after_s);
        result_set(&sum->result, listed.err, "%s", listed.why.text);
    }
    r->passes++;
    sum->count.listed += count.listed;
    sum->count.left += count.left;
    bool in_time = sum->count.left == 0 && clk_mono_ms() < r->deadline;
    return sum->result.err == ERR_OK && in_time && r->passed != NULL &&
           sum->ended[OUTCOME_DONE] > done;
}

static void run_locked(struct run *r)
{
    const struct object_class *c = r->queue->webhook->object_class;
    struct result *result = &r->summary.result;
    if (frees_its_own(c) && (r->passed = json_object_new_object()) == NULL)
        result_no_memory(result);
    if (result->err == ERR_OK && c->state == NULL)
        result->err = mark_open(r->queue, r->inbox, r->terms->claims, &r->mark, &result->why);
    while (result->err == ERR_OK && make_pass(r))
        continue;
    bool all = result->err == ERR_OK && r->summary.count.left == 0 && !r->terms->dry_run;
    struct why why;
    enum err e = mark_close(r->mark, all, &why);
    if (e != ERR_OK)
        result_set(result, e, "%s", why.text);
    json_object_put(r->passed);
    template_lists_free(&r->templates);
}

enum err work_queue(const struct queue *q, struct inbox *inbox, const struct task_terms *terms,
                    int64_t deadline, object_report_fn *fn, void *ctx, struct work_summary *ret)
{
    struct run r = {.queue = q,
                    .inbox = inbox,
                    .terms = terms,
                    .deadline = deadline,
                    .fn = fn,
                    .ctx = ctx,
                    .summary = {.result = RESULT_NONE}};
    const struct conf_webhook *w = q->webhook;
    struct result *result = &r.summary.result;
    struct inbox_lock *lock;
    if (q->api == NULL) {
        result_set(result, ERR_CONFIG, "account %s: its API key is not loaded", w->account->id);
    } else if (has_work(w)) {
        const struct inbox_queue name = queue_in_inbox(q);
        int64_t patience = earlier(deadline, clk_mono_ms() + WORK_LOCK_MS);
        result->err = inbox_lock_sweep(inbox, &name, patience, &lock, &result->why);
        if (result->err == ERR_OK) {
            run_locked(&r);
            inbox_unlock_sweep(lock);
        }
    }
    *ret = r.summary;
    return result->err;
}

void work_add_up(struct work_summary *sum, const struct work_summary *one)
{
    sum->count.listed += one->count.listed;
    sum->count.left += one->count.left;
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
    if (s->count.left > 0)
        result_set(&s->result, ERR_BUSY, "the time for one call is over: the next call goes on");
    else if (s->ended[OUTCOME_RETRY] > 0)
        result_set(&s->result, ERR_BUSY, "some objects have to be tried again");
    else if (t->incomplete)
        result_no_memory(&s->result);
}

/* The queues that what was decided may have freed something in, one after the other. No call has
 * told of those. */
static void work_on_freed(const struct queues *queues, const struct queue *q, struct inbox *inbox,
                          const struct task_terms *terms, int64_t deadline, struct telling *t,
                          struct work_summary *ret)
{
    const struct object_class *c = q->webhook->object_class;
    const struct task_terms untold = {.object_ms = terms->object_ms, .dry_run = terms->dry_run};
    for (const struct object_class *const *f = c->frees; *f != NULL; f++) {
        const struct queue *next = *f != c ? queues_beside(queues, q, *f) : NULL;
        struct work_summary one;
        if (next == NULL)
            continue;
        work_queue(next, inbox, &untold, deadline, tell, t, &one);
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
    work_queue(q, inbox, &terms, deadline, tell, t, ret);
    if (ret->ended[OUTCOME_DONE] > 0 && clk_mono_ms() < deadline)
        work_on_freed(queues, q, inbox, &terms, deadline, t, ret);
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
