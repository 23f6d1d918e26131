/* workers.c - runners, and the one who oversees them. */
#include "tasks/workers.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "processors/template.h"
#include "tasks/hold.h"
#include "tasks/sweep.h"
#include "tasks/work.h"

#define OVERSEE_MS      1000   /* between two looks of the overseer's */
#define ALIVE_MS        120000 /* within which it looks again, though the inbox be locked */
#define PAUSE_MS        1000   /* after the inbox failed */
#define PATIENCE_MS     2000   /* of calls to Connect: for a halt to end, and for further tries */
#define LEFT_MS         60000  /* until what is not for us is looked at again */
#define FIRST_POLL_PART 10     /* this part of poll_interval ... */
#define FIRST_POLL_MAX  5000   /* ms, at most: in which all queues are polled after a start */
#define TEMPLATES_MS    10000  /* how long a product's templates are believed to stay as they are */

struct runner {
    struct workers *all;
    pthread_t thread;
    bool is_there, has_ended; /* is_there: to be joined */
    int64_t busy_since;       /* clk_mono_ms: at one thing; 0: at none */
    /* Its own: the templates of the product that it worked for last. */
    struct template_lists templates;
    char product_id[OBJECT_ID_MAX], account_id[OBJECT_ID_MAX];
    int64_t templates_until; /* clk_mono_ms */
};

struct workers {
    struct workers_options options;
    struct holds *holds;
    atomic_bool stop;
    atomic_bool left_something;
    _Atomic int64_t looked; /* clk_mono_ms: when the overseer did last */
    pthread_t overseer;
    bool has_overseer;

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* who has ended, or is busy; what the overseer is to do */
    pthread_cond_t work;    /* for runners that have nothing to do */
    _Atomic int64_t wanted; /* runners, without those that stand in for others */
    int64_t allowed;        /* with them */
    int64_t count;          /* that run */
    int64_t busy;
    bool waiting; /* one waits for work, for all */
    bool reload;  /* the overseer has not done it yet */
    bool over;    /* and need not go on */
    struct runner runners[2 * WORKERS_MAX];
};

/* ------------------------------------------------------------------------- reports */

static void on_report(void *ctx, const struct object_report *o)
{
    const struct runner *r = ctx;
    struct workers *w = r->all;
    if (o->outcome == OUTCOME_RETRY || o->outcome == OUTCOME_REJECT)
        w->left_something = true;
    if (w->options.fn != NULL)
        w->options.fn(w->options.ctx, o);
}

/* ------------------------------------------------------------------------ one thing */

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

static void run_sweep(struct runner *r, const struct queue *q, const struct inbox_sweep *held,
                      struct json_object *claims)
{
    struct workers *w = r->all;
    const struct sweep_terms terms = {.claims = claims,
                                      .dry_run = q->conf->processing.dry_run,
                                      .deadline = CLK_NEVER,
                                      .patience_ms = PATIENCE_MS,
                                      .holds = w->holds};
    struct sweep_list found = {.list = NULL};
    struct result result;
    enum err e = sweep_queue(q, w->options.inbox, held, &terms, &found, &result);
    size_t fresh = 0;
    for (size_t n = 0; n < found.count; n++) {
        fresh += found.list[n].unusable == NULL && found.list[n].known == NULL;
        if (found.list[n].unusable != NULL)
            work_report_unusable(q, &found.list[n], on_report, r);
    }
    if (e == ERR_OK)
        log_write(fresh > 0 ? LOG_INFO : LOG_DEBUG,
                  "queue of %s, %s, %s: %zu listed, %zu to be worked on%s", held->account_id,
                  held->product_id, held->object_class->name, found.count, fresh,
                  held->called ? "" : ", found by polling");
    else
        log_write(e == ERR_STOPPED ? LOG_INFO : LOG_WARN, "queue of %s, %s, %s: %s",
                  held->account_id, held->product_id, held->object_class->name, result.why.text);
    if (e != ERR_OK)
        w->left_something = true;
    sweep_list_free(&found);
}

static void forget_templates(struct runner *r)
{
    template_lists_free(&r->templates);
    r->templates = (struct template_lists){.count = 0};
}

/* Of its product, unless they are known already. */
static struct template_lists *templates_for(struct runner *r, const struct inbox_task *t)
{
    int64_t now = clk_mono_ms();
    if (now < r->templates_until && strcmp(r->product_id, t->product_id) == 0 &&
        strcmp(r->account_id, t->account_id) == 0)
        return &r->templates;
    forget_templates(r);
    snprintf(r->product_id, sizeof r->product_id, "%s", t->product_id);
    snprintf(r->account_id, sizeof r->account_id, "%s", t->account_id);
    r->templates_until = now + TEMPLATES_MS;
    return &r->templates;
}

static void run_task(struct runner *r, const struct queue *q, const struct inbox_task *t,
                     struct json_object *claims)
{
    struct workers *w = r->all;
    const struct task_terms terms = {.claims = claims,
                                     .object_ms = OBJECT_TASK_MS,
                                     .dry_run = q->conf->processing.dry_run,
                                     .patience_ms = PATIENCE_MS,
                                     .holds = w->holds,
                                     .stop = &w->stop};
    struct why why; /* it is told of where it is known */
    (void)object_task_run(q, w->options.inbox, &terms, templates_for(r, t), t, on_report, r, &why);
}

static void run(struct runner *r, const struct snapshot *s, const struct inbox_claimed *c)
{
    const struct inbox_queue name = queue_of(c);
    const struct queue *q = queues_named(s->queues, &name);
    struct json_object *claims = NULL;
    if (q == NULL || q->api == NULL) {
        leave(r->all->options.inbox, c,
              q == NULL ? "no event webhook of the configuration tells of this queue"
                        : "the account's API key is not loaded");
        return;
    }
    if (c->event != NULL)
        (void)jsonx_parse(c->event, strlen(c->event), INBOX_CLAIMS_MAX, &claims, NULL);
    if (c->kind == INBOX_SWEEP)
        run_sweep(r, q, &c->sweep, claims);
    else
        run_task(r, q, &c->task, claims);
    json_object_put(claims);
}

/* ----------------------------------------------------------------------- runners */

static void note_begun(struct runner *r)
{
    struct workers *w = r->all;
    pthread_mutex_lock(&w->lock);
    r->busy_since = clk_mono_ms();
    pthread_mutex_unlock(&w->lock);
}

/* Is it looking for something, or at it? */
static void note_busy(struct runner *r, bool busy)
{
    struct workers *w = r->all;
    pthread_mutex_lock(&w->lock);
    r->busy_since = 0;
    w->busy += busy ? 1 : -1;
    if (w->options.once) /* for wait_for_others() */
        pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static struct inbox_claim_terms terms_of(const struct workers *w, const struct conf *c)
{
    bool inlines = c->processing.mode == MODE_INLINE;
    return (struct inbox_claim_terms){.workers = w->wanted,
                                      .lease_ms = c->processing.lease_ms,
                                      .grace_ms = inlines ? c->processing.inline_deadline_ms : 0,
                                      .stop = &w->stop};
}

/* ERR_NOT_FOUND: nothing is due. */
static enum err work_once(struct runner *r, struct why *why)
{
    struct workers *w = r->all;
    struct snapshot *s = snapshots_take(w->options.snapshots);
    const struct inbox_claim_terms terms = terms_of(w, s->conf);
    struct inbox_claimed c;
    note_busy(r, true);
    enum err e = inbox_claim(w->options.inbox, &terms, &c, why);
    if (e == ERR_OK) {
        note_begun(r);
        run(r, s, &c);
        free(c.event);
    }
    note_busy(r, false);
    snapshot_release(s);
    return e;
}

/* Under the lock: is this runner to end? */
static bool is_surplus(const struct workers *w)
{
    return w->stop || w->count > w->allowed;
}

/* Until something is due. One asks the inbox, for all who have nothing to do. */
static enum err wait_for_work(struct workers *w, struct why *why)
{
    pthread_mutex_lock(&w->lock);
    while (w->waiting && !is_surplus(w))
        pthread_cond_wait(&w->work, &w->lock);
    bool waits = !is_surplus(w);
    w->waiting = w->waiting || waits;
    pthread_mutex_unlock(&w->lock);
    if (!waits)
        return ERR_OK;
    struct snapshot *s = snapshots_take(w->options.snapshots);
    const struct inbox_claim_terms terms = terms_of(w, s->conf);
    snapshot_release(s);
    enum err e = inbox_wait(w->options.inbox, &terms, CLK_NEVER, why);
    pthread_mutex_lock(&w->lock);
    w->waiting = false;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    return e;
}

/* ... where the last one to find nothing ends the work of all. */
static void wait_for_others(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->busy == 0)
        w->stop = true;
    else
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
}

/* The inbox fails: later, or not at all. */
static void pause_or_end(struct workers *w)
{
    int64_t until = clk_mono_ms() + PAUSE_MS;
    w->left_something = true;
    pthread_mutex_lock(&w->lock);
    w->stop = w->stop || w->options.once;
    while (!w->stop && clk_mono_ms() < until)
        clk_cond_wait(&w->changed, &w->lock, until);
    pthread_mutex_unlock(&w->lock);
}

/* True: this runner has ended. */
static bool retire(struct runner *r)
{
    struct workers *w = r->all;
    pthread_mutex_lock(&w->lock);
    bool ends = is_surplus(w);
    if (ends) {
        w->count--;
        r->has_ended = true;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return ends;
}

static void *runner_main(void *arg)
{
    struct runner *r = arg;
    struct workers *w = r->all;
    do {
        struct why why;
        enum err e = work_once(r, &why);
        if (e == ERR_NOT_FOUND && w->options.once) {
            wait_for_others(w);
            continue;
        }
        if (e == ERR_NOT_FOUND)
            e = wait_for_work(w, &why);
        if (e == ERR_OK || e == ERR_STOPPED)
            continue;
        log_warn("no work can be claimed: %s", why.text);
        pause_or_end(w);
    } while (!retire(r));
    forget_templates(r);
    return NULL;
}

/* Under the lock. */
static enum err begin_runners(struct workers *w, struct why *why)
{
    for (size_t n = 0; n < 2 * WORKERS_MAX && w->count < w->allowed && !w->stop; n++) {
        struct runner *r = &w->runners[n];
        if (r->is_there && !r->has_ended)
            continue;
        if (r->is_there)
            pthread_join(r->thread, NULL);
        *r = (struct runner){.all = w};
        int error = pthread_create(&r->thread, NULL, runner_main, r);
        if (error != 0)
            return why_set(why, ERR_NOMEM, "a worker's thread: %s", strerror(error));
        r->is_there = true;
        w->count++;
    }
    return ERR_OK;
}

/* ----------------------------------------------------------------------- overseer */

/* The first webhook of each queue stands for the others. */
static bool stands_for_queue(const struct conf *c, size_t index)
{
    const struct conf_webhook *w = &c->webhooks[index];
    if (w->type != TYPE_EVENT)
        return false;
    for (const struct conf_webhook *other = c->webhooks; other < w; other++)
        if (conf_same_queue(other, w))
            return false;
    return true;
}

/* Soon, but not all at once. */
static void plan_polls(struct workers *w, const struct conf *c)
{
    int64_t range = clk_earlier(c->processing.poll_interval_ms / FIRST_POLL_PART, FIRST_POLL_MAX);
    for (size_t n = 0; n < c->webhooks_count && !w->stop; n++) {
        const struct conf_webhook *hook = &c->webhooks[n];
        const struct inbox_queue q = {hook->account->id, hook->product, hook->object_class};
        struct why why;
        if (!stands_for_queue(c, n))
            continue;
        if (inbox_plan_poll(w->options.inbox, &q, randombytes_uniform((uint32_t)range + 1), &why) !=
            ERR_OK)
            log_warn("queue of webhook %s: no poll is planned: %s", hook->id, why.text);
        holds_beat(w->holds);
    }
}

static void adopt(struct workers *w)
{
    struct snapshot *s = snapshots_take(w->options.snapshots);
    accounts_reload(w->options.accounts, s->conf);
    if (s->conf->processing.poll_interval_ms > 0)
        plan_polls(w, s->conf);
    snapshot_release(s);
}

/* Others begin what those who are held up leave. */
static void stand_in(struct workers *w)
{
    int64_t stuck = 0, now = clk_mono_ms();
    struct why why;
    pthread_mutex_lock(&w->lock);
    for (size_t n = 0; n < 2 * WORKERS_MAX; n++)
        stuck += w->runners[n].busy_since > 0 && now - w->runners[n].busy_since > WORKERS_STUCK_MS;
    w->allowed = w->wanted + clk_earlier(stuck, w->wanted);
    if (begin_runners(w, &why) != ERR_OK)
        log_warn("%s", why.text);
    if (w->count > w->allowed)
        pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
}

static void *overseer_main(void *arg)
{
    struct workers *w = arg;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        int64_t until = clk_mono_ms() + OVERSEE_MS;
        while (!w->over && !w->reload && clk_mono_ms() < until)
            clk_cond_wait(&w->changed, &w->lock, until);
        bool over = w->over, reload = w->reload;
        w->reload = false;
        pthread_mutex_unlock(&w->lock);
        if (over)
            return NULL;
        w->looked = clk_mono_ms();
        if (reload && w->wanted > 0)
            adopt(w);
        holds_beat(w->holds);
        int64_t count;
        if (inbox_recover(w->options.inbox, &count, NULL) == ERR_OK && count > 0)
            log_warn("%" PRId64 " sweeps and objects of workers that are gone are due again",
                     count);
        stand_in(w);
    }
}

/* ------------------------------------------------------------------------- the whole */

static int64_t wanted_of(const struct workers *w)
{
    struct snapshot *s = snapshots_take(w->options.snapshots);
    int64_t count = w->options.count >= 0 ? w->options.count : s->conf->processing.workers;
    snapshot_release(s);
    return count;
}

static enum err begin(struct workers *w, struct why *why)
{
    w->looked = clk_mono_ms();
    w->wanted = w->allowed = wanted_of(w);
    w->reload = !w->options.once;
    int error = pthread_create(&w->overseer, NULL, overseer_main, w);
    if (error != 0)
        return why_set(why, ERR_NOMEM, "the workers' overseer: %s", strerror(error));
    w->has_overseer = true;
    pthread_mutex_lock(&w->lock);
    enum err e = begin_runners(w, why);
    pthread_mutex_unlock(&w->lock);
    return e;
}

enum err workers_new(const struct workers_options *options, struct workers **ret, struct why *why)
{
    struct workers *w = calloc(1, sizeof *w);
    if (w == NULL)
        return why_no_memory(why);
    w->options = *options;
    pthread_mutex_init(&w->lock, NULL);
    clk_cond_init(&w->changed);
    clk_cond_init(&w->work);
    w->holds = holds_new(options->inbox);
    enum err e = w->holds != NULL ? begin(w, why) : why_no_memory(why);
    if (e == ERR_OK)
        *ret = w;
    else
        workers_free(w);
    return e;
}

void workers_reload(struct workers *w)
{
    int64_t wanted = wanted_of(w);
    pthread_mutex_lock(&w->lock);
    w->wanted = wanted;
    w->reload = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void workers_stop(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->work);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    inbox_notify(w->options.inbox);
}

enum err workers_wait(struct workers *w, int64_t deadline)
{
    pthread_mutex_lock(&w->lock);
    while (w->count > 0 && clk_mono_ms() < deadline)
        clk_cond_wait(&w->changed, &w->lock, deadline);
    enum err e = w->count > 0 ? ERR_TIMEOUT : ERR_OK;
    pthread_mutex_unlock(&w->lock);
    return e;
}

void workers_free(struct workers *w)
{
    if (w == NULL)
        return;
    workers_stop(w);
    for (size_t n = 0; n < 2 * WORKERS_MAX; n++)
        if (w->runners[n].is_there)
            pthread_join(w->runners[n].thread, NULL);
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (w->has_overseer)
        pthread_join(w->overseer, NULL);
    holds_free(w->holds);
    pthread_cond_destroy(&w->changed);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

bool workers_alive(const struct workers *w)
{
    return clk_mono_ms() - w->looked < ALIVE_MS;
}

bool workers_left_something(const struct workers *w)
{
    return w->left_something;
}
