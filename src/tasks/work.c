/* work.c - working a queue off. */
#include "tasks/work.h"

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "processors/template.h"

#define OBJECT_SHARE 4 /* one object may take a quarter of the time of its call */

struct run {
    const struct queue *queue;
    const struct task_terms *terms;
    int64_t deadline;
    object_report_fn *fn;
    void *ctx;
    struct template_lists templates;
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
    r->summary.ended[o->outcome]++;
    note_wait(result, o->retry_after_s);
    if (ends_run(r, o->result))
        result_set(result, o->result->err, "%s", o->result->why.text);
    r->fn(r->ctx, o);
}

static bool on_swept(void *ctx, const struct swept *s)
{
    struct run *r = ctx;
    object_task_run(r->queue, r->terms, &r->templates, s, on_report, r);
    return r->summary.result.err == ERR_OK;
}

/* Our side may have no work in this class at all. */
static bool has_work(const struct conf_webhook *w)
{
    return w->object_class->state == NULL || w->states[0] != NULL;
}

static void run_locked(struct run *r)
{
    struct result listed;
    if (sweep_queue(r->queue, r->deadline, on_swept, r, &r->summary.count, &listed) != ERR_OK) {
        note_wait(&r->summary.result, listed.retry_after_s);
        result_set(&r->summary.result, listed.err, "%s", listed.why.text);
    }
    template_lists_free(&r->templates);
}

enum err work_queue(const struct queue *q, struct inbox *inbox, const struct task_terms *terms,
                    int64_t deadline, object_report_fn *fn, void *ctx, struct work_summary *ret)
{
    struct run r = {.queue = q,
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
        int64_t patience = earlier(deadline, clk_mono_ms() + WORK_LOCK_MS);
        result->err = inbox_lock_sweep(inbox, w->account->id, w->product, w->object_class, patience,
                                       &lock, &result->why);
        if (result->err == ERR_OK) {
            run_locked(&r);
            inbox_unlock_sweep(lock);
        }
    }
    *ret = r.summary;
    return result->err;
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

static void work_in_time(const struct queue *q, struct inbox *inbox,
                         const struct waiting_call *call, struct telling *t,
                         struct work_summary *ret)
{
    int64_t time_ms = q->conf->processing.inline_deadline_ms;
    const struct task_terms terms = {.claims = call->claims,
                                     .object_ms = time_ms / OBJECT_SHARE,
                                     .dry_run = q->conf->processing.dry_run};
    work_queue(q, inbox, &terms, call->started + time_ms, tell, t, ret);
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
        work_in_time(q, inbox, call, &t, &summary);
    enum delivery_state state = summary.result.err == ERR_OK ? DELIVERY_DONE : DELIVERY_FAILED;
    if (inbox_set_state(inbox, call->delivery, state, &why) != ERR_OK)
        log_warn("webhook %s: %s", call->webhook_id, why.text);
    *ret_objects = t.objects;
    *ret = summary.result;
}
