/* admin.c - health, for those who watch. */
#include "web/admin.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "transport/fcgi.h"
#include "web/answer.h"
#include "web/metrics.h"

#define MAX_BODY     4096  /* bytes: nobody has anything to say here */
#define TIMEOUT_MS   2000  /* to read a request, and to send its answer */
#define STOP_MS      10000 /* for what was begun at a stop: longer, so that nothing is cut off */
#define TRY_AGAIN_MS 2000  /* while another program has the address */

struct admin {
    struct admin_options options;
    struct fcgi_options listen;
    struct inbox *looks; /* NULL: it could not be opened yet */
    int64_t started_s;   /* UTC */
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct fcgi *fcgi; /* NULL: another program has the address */
    bool over;
};

/* ---------------------------------------------------------------------------- checks */

/* One look at everything. */
struct checkup {
    struct admin *admin;
    const struct conf *conf;
    struct json_object *checks; /* owned */
    bool ok;                    /* nothing is wrong */
    bool failed;                /* memory ran out */
};

/* `o` says more of it, and is consumed; `wrong` is NULL if it is as it should be. */
static void add_check(struct checkup *c, const char *name, struct json_object *o, const char *wrong)
{
    json_object *ok = json_object_new_boolean(wrong == NULL);
    c->ok = c->ok && wrong == NULL;
    c->failed = c->failed || !jsonx_add(o, "ok", ok) ||
                (wrong != NULL && !jsonx_add_text(o, "why", wrong)) ||
                !jsonx_share(c->checks, name, o);
    json_object_put(o);
}

/* What the inbox tells is unknown. */
static void add_failure(struct checkup *c, const char *name, const struct why *why)
{
    add_check(c, name, json_object_new_object(), why->text);
}

static void check_inbox(struct checkup *c)
{
    struct why why;
    enum err e = inbox_probe(c->admin->options.inbox, &why);
    add_check(c, "inbox", json_object_new_object(), e != ERR_OK ? why.text : NULL);
}

static void check_workers(struct checkup *c)
{
    const struct workers *w = c->admin->options.workers;
    struct json_object *o = json_object_new_object();
    int64_t programs = 0;
    struct why why;
    if (inbox_count_workers(c->admin->looks, WORKERS_SEEN_MS, &programs, &why) != ERR_OK) {
        json_object_put(o);
        add_failure(c, "workers", &why);
        return;
    }
    c->failed = c->failed || !jsonx_add_int(o, "programs", programs);
    const char *wrong = NULL;
    if (w != NULL && !workers_alive(w))
        wrong = "this program's workers hang";
    else if (programs == 0 && conf_queues(c->conf, false))
        wrong = c->conf->processing.workers > 0
                    ? "no worker has been seen for a minute"
                    : "processing.workers is 0, and no `connect-webhook worker` has been seen for "
                      "a minute";
    add_check(c, "workers", o, wrong);
}

static void check_backlog(struct checkup *c)
{
    struct inbox_backlog b;
    struct why why, wrong;
    if (inbox_backlog_of(c->admin->looks, &b, &why) != ERR_OK) {
        add_failure(c, "backlog", &why);
        return;
    }
    struct json_object *o = json_object_new_object();
    int64_t late_s = b.late_ms / 1000, max = c->conf->inbox.max_backlog;
    bool full = b.ready >= max, late = late_s >= ADMIN_LATE_S;
    c->failed = c->failed || !jsonx_add_int(o, "ready", b.ready) ||
                !jsonx_add_int(o, "oldest_s", late_s);
    if (full)
        why_set(&wrong, ERR_BUSY,
                "inbox.max_backlog: %" PRId64 " objects wait, so that no more are "
                "listed",
                b.ready);
    else if (late)
        why_set(&wrong, ERR_BUSY, "what is due next has been so for %" PRId64 " s", late_s);
    add_check(c, "backlog", o, full || late ? wrong.text : NULL);
}

static void check_accounts(struct checkup *c)
{
    struct json_object *o = json_object_new_object(), *halted = json_object_new_object();
    struct why why, wrong;
    bool is_wrong = false;
    for (size_t i = 0; i < c->conf->accounts_count; i++) {
        const char *id = c->conf->accounts[i].id;
        int64_t ms = 0;
        if (inbox_halted(c->admin->looks, id, &ms, &why) != ERR_OK) {
            json_object_put(o);
            json_object_put(halted);
            add_failure(c, "accounts", &why);
            return;
        }
        int64_t s = (ms + 999) / 1000;
        c->failed = c->failed || (s > 0 && !jsonx_add_int(halted, id, s));
        if (s < ADMIN_HALT_S || is_wrong)
            continue;
        is_wrong = true;
        why_set(&wrong, ERR_BUSY,
                "account %s is halted for %" PRId64 " s more: Connect fails, "
                "throttles it, or refuses its key",
                id, s);
    }
    c->failed = c->failed || !jsonx_share(o, "halted_s", halted);
    json_object_put(halted);
    add_check(c, "accounts", o, is_wrong ? wrong.text : NULL);
}

static void check_disk(struct checkup *c)
{
    struct inbox_room room;
    struct why why, wrong;
    if (inbox_room_of(c->admin->looks, &room, &why) != ERR_OK) {
        add_failure(c, "disk", &why);
        return;
    }
    struct json_object *o = json_object_new_object();
    bool full = room.disk_free_bytes >= 0 && room.disk_free_bytes < ADMIN_DISK_MIN;
    c->failed = c->failed || !jsonx_add_int(o, "free_bytes", room.disk_free_bytes) ||
                !jsonx_add_int(o, "inbox_bytes", room.bytes);
    if (full)
        why_set(&wrong, ERR_STORE, "only %" PRId64 " MiB are free on the inbox's disk",
                room.disk_free_bytes >> 20);
    add_check(c, "disk", o, full ? wrong.text : NULL);
}

/* What only looks needs a connection of its own, made when it is first asked for. */
static enum err open_looks(struct admin *a, struct why *why)
{
    struct inbox_options o = a->options.inbox_options;
    o.looks = true;
    return a->looks != NULL ? ERR_OK : inbox_open(&o, &a->looks, why);
}

static void (*const checks[])(struct checkup *) = {check_workers, check_backlog, check_accounts,
                                                   check_disk};

static void check_all(struct checkup *c)
{
    struct why why;
    check_inbox(c);
    if (open_looks(c->admin, &why) != ERR_OK) {
        add_failure(c, "looking", &why);
        return;
    }
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](c);
}

/* --------------------------------------------------------------------------- answers */

/* `o` is consumed. */
static void answer_json(struct response *res, int status, struct json_object *o)
{
    response_init(res, status, ANSWER_JSON);
    if (o == NULL || jsonx_print(&res->body, o) != ERR_OK)
        res->body.err = ERR_NOMEM;
    answer_finish(res);
    json_object_put(o);
}

static struct json_object *begin_answer(const char *status)
{
    struct json_object *o = json_object_new_object();
    if (jsonx_add_text(o, "status", status) && jsonx_add_text(o, "version", PACKAGE_VERSION))
        return o;
    json_object_put(o);
    return NULL;
}

static void answer_health(struct admin *a, struct response *res)
{
    bool alive = a->options.is_alive(a->options.ctx);
    answer_json(res, alive ? 200 : 503, begin_answer(alive ? "ok" : "hangs"));
}

static void answer_readiness(struct admin *a, struct response *res)
{
    struct snapshot *s = snapshots_take(a->options.snapshots);
    struct checkup c = {
        .admin = a, .conf = s->conf, .checks = json_object_new_object(), .ok = true};
    c.failed = c.checks == NULL;
    check_all(&c);
    snapshot_release(s);
    struct json_object *o = begin_answer(c.ok ? "ready" : "not ready");
    if (c.failed || !jsonx_share(o, "checks", c.checks)) {
        json_object_put(o);
        o = NULL;
    }
    json_object_put(c.checks);
    answer_json(res, c.ok && o != NULL ? 200 : 503, o);
}

static void refuse(struct response *res, const struct result *r)
{
    answer_problem(res, answer_status(r->err), r, NULL);
}

static void answer_metrics(struct admin *a, struct response *res)
{
    struct snapshot *s = snapshots_take(a->options.snapshots);
    struct result r = RESULT_NONE;
    response_init(res, 200, METRICS_TYPE);
    r.err = open_looks(a, &r.why);
    if (r.err == ERR_OK)
        r.err = metrics_print(s->conf, a->looks, a->started_s, &res->body, &r.why);
    snapshot_release(s);
    if (r.err == ERR_OK)
        return;
    log_warn("metrics: %s", r.why.text);
    response_free(res);
    refuse(res, &r);
}

static const struct {
    const char *path;
    void (*answer)(struct admin *a, struct response *res);
} places[] = {
    {"/-/healthz", answer_health},
    {"/-/readyz", answer_readiness},
    {"/-/metrics", answer_metrics},
};

static void refuse_for(struct response *res, enum err e)
{
    struct result r = RESULT_NONE;
    result_set(&r, e, "%s", err_text(e));
    refuse(res, &r);
}

static void handle(void *ctx, struct request *r)
{
    struct response res;
    size_t i = 0, count = sizeof places / sizeof *places;
    while (i < count && strcmp(places[i].path, r->path) != 0)
        i++;
    if (r->err != ERR_OK)
        refuse_for(&res, r->err);
    else if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
        refuse_for(&res, ERR_METHOD);
    else if (i == count)
        refuse_for(&res, ERR_NOT_FOUND);
    else
        places[i].answer(ctx, &res);
    request_respond(r, &res);
    response_free(&res);
}

/* ------------------------------------------------------------------------- its thread */

static enum err open_it(struct admin *a, struct why *why)
{
    struct fcgi *f = NULL;
    enum err e = fcgi_open(&a->listen, &f, why);
    if (e != ERR_OK)
        return e;
    log_info("admin side: listening at %s", fcgi_address(f, 0));
    pthread_mutex_lock(&a->lock);
    a->fcgi = f;
    if (a->over)
        fcgi_stop(f);
    pthread_mutex_unlock(&a->lock);
    return ERR_OK;
}

/* False: it is over. */
static bool wait_for_address(struct admin *a)
{
    struct why why;
    pthread_mutex_lock(&a->lock);
    int64_t until = clk_mono_ms() + TRY_AGAIN_MS;
    while (!a->over && clk_mono_ms() < until)
        clk_cond_wait(&a->changed, &a->lock, until);
    bool over = a->over;
    pthread_mutex_unlock(&a->lock);
    if (over)
        return false;
    enum err e = open_it(a, &why);
    if (e != ERR_OK && e != ERR_BUSY)
        log_warn("web.admin_listen: %s", why.text);
    return true;
}

static void *admin_main(void *arg)
{
    struct admin *a = arg;
    while (a->fcgi == NULL)
        if (!wait_for_address(a))
            return NULL;
    enum err e = fcgi_run(a->fcgi, handle, a);
    if (e != ERR_OK && e != ERR_TIMEOUT)
        log_error("admin side: %s", err_text(e));
    return NULL;
}

static enum err begin(struct admin *a, struct why *why)
{
    enum err e = open_it(a, why);
    if (e == ERR_BUSY)
        log_info("web.admin_listen: %s; this one takes over when that ends", why->text);
    else if (e != ERR_OK)
        return why_prefix(why, e, "web.admin_listen");
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&a->thread, NULL, admin_main, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? ERR_OK : why_set(why, ERR_NOMEM, "thread: %s", strerror(error));
}

static void free_admin(struct admin *a)
{
    fcgi_close(a->fcgi);
    inbox_close(a->looks);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

enum err admin_start(const struct admin_options *options, struct admin **ret, struct why *why)
{
    const struct conf *conf = options->conf;
    *ret = NULL;
    if (conf->web.admin_listen == NULL)
        return ERR_OK;
    struct admin *a = calloc(1, sizeof *a);
    if (a == NULL)
        return why_no_memory(why);
    a->options = *options;
    a->started_s = clk_wall_s();
    a->listen = (struct fcgi_options){.listen = conf->web.admin_listen,
                                      .group = conf->web.group,
                                      .mode = (unsigned)conf->web.mode,
                                      .loops = 1,
                                      .own = true,
                                      .limits = {MAX_BODY, TIMEOUT_MS, STOP_MS}};
    pthread_mutex_init(&a->lock, NULL);
    clk_cond_init(&a->changed);
    enum err e = begin(a, why);
    if (e == ERR_OK)
        *ret = a;
    else
        free_admin(a);
    return e;
}

void admin_end(struct admin *a)
{
    if (a == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    a->over = true;
    if (a->fcgi != NULL)
        fcgi_stop(a->fcgi);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    free_admin(a);
}
