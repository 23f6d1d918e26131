/* worker.c - a sweep, or an object's task. */
#include "tasks/worker.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "tasks/sweep.h"
#include "tasks/work.h"

#define PATIENCE_MS  2000  /* of calls to Connect: for a halt to end, and for further tries */
#define LEFT_MS      60000 /* until what is not for us is looked at again */
#define TEMPLATES_MS 10000 /* how long a product's templates are believed to stay as they are */

static struct inbox_queue queue_of(const struct inbox_claimed *c)
{
    if (c->kind == INBOX_SWEEP)
        return (struct inbox_queue){c->sweep.account_id, c->sweep.product_id,
                                    c->sweep.object_class};
    return (struct inbox_queue){c->task.account_id, c->task.product_id, c->task.object_class};
}

/* It may be another program's business, whose configuration is newer. */
static void leave(struct inbox *inbox, const struct inbox_claimed *c, const char *reason)
{
    const struct inbox_queue q = queue_of(c);
    const struct inbox_sweep_end end = {.error = reason, .retry_ms = LEFT_MS, .poll_ms = -1};
    struct why why;
    log_warn("queue of %s, %s, %s: %s", q.account_id, q.product_id, q.object_class->name, reason);
    enum err e = c->kind == INBOX_SWEEP ? inbox_end_sweep(inbox, &c->sweep.lease, &end, &why)
                                        : inbox_give_back(inbox, &c->task.lease, LEFT_MS, &why);
    if (e != ERR_OK)
        log_warn("%s", why.text);
}

static bool run_sweep(const struct worker *w, const struct queue *q, const struct inbox_sweep *held,
                      struct json_object *claims)
{
    const struct sweep_terms terms = {.claims = claims,
                                      .dry_run = q->conf->processing.dry_run,
                                      .deadline = CLK_NEVER,
                                      .patience_ms = PATIENCE_MS,
                                      .holds = w->holds};
    struct sweep_list found = {.list = NULL};
    struct result result;
    enum err e = sweep_queue(q, w->inbox, held, &terms, &found, &result);
    size_t fresh = 0;
    for (size_t n = 0; n < found.count; n++) {
        fresh += found.list[n].unusable == NULL && found.list[n].known == NULL;
        if (found.list[n].unusable != NULL)
            work_report_unusable(q, &found.list[n], w->fn, w->ctx);
    }
    if (e == ERR_OK)
        log_write(fresh > 0 ? LOG_INFO : LOG_DEBUG,
                  "queue of %s, %s, %s: %zu listed, %zu to be worked on%s", held->account_id,
                  held->product_id, held->object_class->name, found.count, fresh,
                  held->called ? "" : ", found by polling");
    else
        log_write(e == ERR_STOPPED ? LOG_INFO : LOG_WARN, "queue of %s, %s, %s: %s",
                  held->account_id, held->product_id, held->object_class->name, result.why.text);
    sweep_list_free(&found);
    return e == ERR_OK;
}

static void forget_templates(struct worker *w)
{
    template_lists_free(&w->templates);
    w->templates = (struct template_lists){.count = 0};
}

/* Of its product, unless they are known already. */
static struct template_lists *templates_for(struct worker *w, const struct inbox_task *t)
{
    int64_t now = clk_mono_ms();
    if (now < w->templates_until && strcmp(w->product_id, t->product_id) == 0 &&
        strcmp(w->account_id, t->account_id) == 0)
        return &w->templates;
    forget_templates(w);
    snprintf(w->product_id, sizeof w->product_id, "%s", t->product_id);
    snprintf(w->account_id, sizeof w->account_id, "%s", t->account_id);
    w->templates_until = now + TEMPLATES_MS;
    return &w->templates;
}

/* What became of it is told of where it is known. */
static void run_task(struct worker *w, const struct queue *q, const struct inbox_task *t,
                     struct json_object *claims)
{
    const struct task_terms terms = {.claims = claims,
                                     .object_ms = OBJECT_TASK_MS,
                                     .dry_run = q->conf->processing.dry_run,
                                     .patience_ms = PATIENCE_MS,
                                     .holds = w->holds,
                                     .stop = w->stop};
    struct why why;
    (void)object_task_run(q, w->inbox, &terms, templates_for(w, t), t, w->fn, w->ctx, &why);
}

bool worker_do(struct worker *w, const struct queues *queues, const struct inbox_claimed *c)
{
    const struct inbox_queue name = queue_of(c);
    const struct queue *q = queues_named(queues, &name);
    struct json_object *claims = NULL;
    bool well = true;
    if (q == NULL || q->api == NULL) {
        leave(w->inbox, c,
              q == NULL ? "no event webhook of the configuration tells of this queue"
                        : "the account's API key is not loaded");
        return false;
    }
    if (c->event != NULL)
        (void)jsonx_parse(c->event, strlen(c->event), INBOX_CLAIMS_MAX, &claims, NULL);
    if (c->kind == INBOX_SWEEP)
        well = run_sweep(w, q, &c->sweep, claims);
    else
        run_task(w, q, &c->task, claims);
    json_object_put(claims);
    return well;
}

void worker_free(struct worker *w)
{
    forget_templates(w);
}
