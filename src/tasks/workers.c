/* workers.c - runners, and the one who oversees them. */
#include "tasks/workers.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/waits.h"
#include "tasks/hold.h"
#include "tasks/worker.h"

#define OVERSEE_MS      1000   /* between two looks of the overseer's */
#define ALIVE_MS        120000 /* within which it looks again, though the inbox be locked */
#define SAY_MS          25000  /* between two times that others are told that there are workers */
#define PAUSE_MS        1000   /* after the inbox failed */
#define FIRST_POLL_PART 10     /* this part of poll_interval ... */
#define FIRST_POLL_MAX  5000   /* ms, at most: in which all queues are polled after a start */

struct runner {
    struct workers *all;
    struct worker worker;
    pthread_t thread;
    bool is_there, has_ended; /* is_there: to be joined */
    int64_t busy_since;       /* clk_mono_ms: at one thing; 0: at none */
};

struct workers {
    struct workers_options options;
    struct holds *holds;
    atomic_bool stop;
    atomic_bool left_something;
    _Atomic int64_t looked; /* clk_mono_ms: when the overseer did last */
    int64_t said_at;        /* ...: when it has last said that there are workers, or none */
    bool said;
    pthread_t overseer;
    bool has_overseer;

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* who has ended, or is busy; what the overseer is to do */
    pthread_cond_t work;    /* for runners that have nothing to do */
    _Atomic int64_t wanted; /* runners, without those that stand in for others */
    int64_t allowed;        /* with them */
    int64_t count;          /* that run */
    int64_t busy;
    int64_t stop_by; /* clk_mono_ms */
    bool waiting;    /* one waits for work, for all */
    bool reload;     /* the overseer has not done it yet */
    bool over;       /* and need not go on */
    struct runner runners[2 * WORKERS_MAX];
};

/* ------------------------------------------------------------------------- reports */

static void on_report(void *ctx, const struct object_report *o)
{
    struct workers *w = ctx;
    if (o->outcome == OUTCOME_RETRY || o->outcome == OUTCOME_REJECT)
        w->left_something = true;
    if (w->options.fn != NULL)
        w->options.fn(w->options.ctx, o);
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
        if (!worker_do(&r->worker, s->queues, &c))
            w->left_something = true;
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
    worker_free(&r->worker);
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
        *r = (struct runner){.all = w,
                             .worker = {.inbox = w->options.inbox,
                                        .holds = w->holds,
                                        .stop = &w->stop,
                                        .fn = on_report,
                                        .ctx = w}};
        int error = pthread_create(&r->thread, NULL, runner_main, r);
        if (error != 0)
            return why_set(why, ERR_NOMEM, "a worker's thread: %s", strerror(error));
        r->is_there = true;
        w->count++;
    }
    return ERR_OK;
}

/* ----------------------------------------------------------------------- overseer */

/* Soon, but not all at once. Of a queue that several webhooks tell of the earliest plan counts. */
static void plan_polls(struct workers *w, const struct conf *c)
{
    int64_t range = clk_earlier(c->processing.poll_interval_ms / FIRST_POLL_PART, FIRST_POLL_MAX);
    for (size_t n = 0; n < c->webhooks_count && !w->stop; n++) {
        const struct conf_webhook *hook = &c->webhooks[n];
        const struct inbox_queue q = {hook->account->id, hook->product, hook->object_class};
        struct why why;
        if (hook->type != TYPE_EVENT)
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
        stuck += w->runners[n].busy_since > 0 &&
                 now - w->runners[n].busy_since > waits_ms(WAITS_STUCK);
    w->allowed = w->wanted + clk_earlier(stuck, w->wanted);
    if (begin_runners(w, &why) != ERR_OK)
        log_warn("%s", why.text);
    if (w->count > w->allowed)
        pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
}

/* Others can see that there are workers, or no more. */
static void say_so(struct workers *w, bool over)
{
    bool works = !over && w->wanted > 0;
    if (works == w->said && (!works || clk_mono_ms() - w->said_at < SAY_MS))
        return;
    struct why why;
    enum err e = inbox_note_worker(w->options.inbox, works, &why);
    if (e != ERR_OK && e != ERR_STOPPED)
        log_warn("workers cannot be seen: %s", why.text);
    w->said = works;
    w->said_at = clk_mono_ms();
}

static void *overseer_main(void *arg)
{
    struct workers *w = arg;
    say_so(w, false);
    for (;;) {
        pthread_mutex_lock(&w->lock);
        int64_t until = clk_mono_ms() + OVERSEE_MS;
        while (!w->over && !w->reload && clk_mono_ms() < until)
            clk_cond_wait(&w->changed, &w->lock, until);
        bool over = w->over, reload = w->reload;
        w->reload = false;
        pthread_mutex_unlock(&w->lock);
        say_so(w, over);
        if (over)
            return NULL;
        w->looked = clk_mono_ms();
        if (reload && w->wanted > 0)
            adopt(w);
        holds_beat(w->holds);
        inbox_put_counters(w->options.inbox);
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
    w->stop_by = CLK_NEVER;
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

void workers_stop(struct workers *w, int64_t by)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    w->stop_by = clk_earlier(w->stop_by, by);
    pthread_cond_broadcast(&w->work);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    inbox_notify(w->options.inbox);
}

enum err workers_wait(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->count > 0 && clk_mono_ms() < w->stop_by)
        clk_cond_wait(&w->changed, &w->lock, w->stop_by);
    enum err e = w->count > 0 ? ERR_TIMEOUT : ERR_OK;
    pthread_mutex_unlock(&w->lock);
    return e;
}

void workers_free(struct workers *w)
{
    if (w == NULL)
        return;
    workers_stop(w, CLK_NEVER);
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
