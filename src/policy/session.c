/* session.c - programs that run on. */
#include "policy/session.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/waits.h"
#include "policy/answer.h"

#define MASK_KEPT 100 /* passwords of past questions that are still hidden in what it says */

/* A question that a program has been asked. */
struct turn {
    const struct asking *asking;
    struct session *session;
    struct turn *next;        /* in the session */
    bool over;                /* with an answer, or with an error */
    struct json_object *said; /* the answer; or before, a wish to have Connect read; owned */
    bool granting;            /* its wish, without the lock */
    bool lost;
    enum err err;
    struct why why;
};

struct session {
    bool runs;
    bool retired; /* it is asked nothing more, and ended when it has no turn any more */
    bool reading; /* a thread is in program_pump(), and owns `program` without the lock */
    bool greeted; /* its first line has come */
    bool useful;  /* it has answered something */
    int limit;    /* questions at a time */
    int turns_count;
    struct turn *turns;
    bool asked;        /* since the reader last took what follows */
    struct buf queue;  /* lines for it, that the reader has not taken yet */
    struct mask fresh; /* passwords likewise; values are owned, as those of `mask` */

    struct program program; /* the reader's, with what follows */
    size_t searched;        /* bytes of its output in which there is no end of a line */
    struct mask mask;
    char about[ASKING_ABOUT_MAX];
};

struct sessions {
    const struct program_terms *terms;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stopped;
    int failures;                /* programs in a row that ended without an answer */
    int64_t next_start;          /* clk_mono_ms */
    char last[PROGRAM_LAST_MAX]; /* what the last of them said */
    int count;
    struct session list[];
};

/* ------------------------------------------------------------------- start and end */

static enum err session_start(struct sessions *all, struct session *s, struct why *why)
{
    program_init(&s->program, all->terms);
    s->program.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->program.wake < 0)
        return why_set(why, ERR_IO, "a descriptor for a session: %s", strerror(errno));
    enum err e = program_start(&s->program, why);
    if (e != ERR_OK) {
        program_close(&s->program);
        return e;
    }
    buf_init(&s->queue, PROGRAM_INPUT_MAX);
    s->program.mask = &s->mask;
    s->program.about = s->about;
    s->about[0] = '\0';
    s->searched = 0;
    s->limit = 1;
    s->runs = true;
    s->retired = s->greeted = s->useful = false;
    return ERR_OK;
}

/* One that ended without an answer may do so again: others are started more and more slowly. */
static void note_failure(struct sessions *all, const struct session *s)
{
    int64_t pause = waits_ms(WAITS_SESSION_BACKOFF);
    for (int i = 0; i < all->failures && pause < SESSION_BACKOFF_MAX; i++)
        pause *= 2;
    pause = pause < SESSION_BACKOFF_MAX ? pause : SESSION_BACKOFF_MAX;
    all->failures++;
    all->next_start = clk_mono_ms() + pause;
    memcpy(all->last, s->program.last, sizeof all->last);
    log_warn("%s ended without an answer; it is not started again for %" PRId64 " ms",
             all->terms->name, pause);
}

static void session_close(struct session *s)
{
    program_close(&s->program);
    buf_free(&s->queue);
    mask_free_kept(&s->mask);
    mask_free_kept(&s->fresh);
    s->runs = false;
}

/* When nobody needs it any more. */
static void close_retired(struct sessions *all, struct session *s)
{
    if (!s->retired || s->reading || s->turns_count > 0 || !s->runs)
        return;
    if (!s->useful)
        note_failure(all, s);
    session_close(s);
    pthread_cond_broadcast(&all->changed);
}

/* ------------------------------------------------------------------- what it says */

static void end_turn(struct turn *t, enum err e, const struct why *why)
{
    if (t->over)
        return;
    t->over = true;
    t->err = e;
    if (e != ERR_OK) {
        t->why = *why;
        json_object_put(t->said);
        t->said = NULL;
    }
}

/* Nothing that it says from here on can be believed. */
static void give_up(struct session *s, enum err e, const struct why *why)
{
    s->retired = true;
    for (struct turn *t = s->turns; t != NULL; t = t->next) {
        t->lost = s->program.lost && !t->over;
        end_turn(t, e, why);
    }
}

/* Whose answer, or wish, it is; NULL: nobody's. */
static struct turn *find_turn(struct session *s, const struct json_object *said)
{
    int64_t id;
    struct turn *t = s->turns;
    if (!jsonx_whole(jsonx_get(said, "id"), &id))
        return s->limit == 1 ? t : NULL; /* there is only one that it can be */
    while (t != NULL && t->asking->id != id)
        t = t->next;
    return t;
}

static bool is_hello(struct session *s, const struct json_object *said)
{
    if (s->greeted || jsonx_get(said, "hello") == NULL)
        return false;
    int64_t wanted = jsonx_int(said, "in_flight", 1);
    s->limit = wanted < 1                       ? 1
               : wanted > SESSION_IN_FLIGHT_MAX ? SESSION_IN_FLIGHT_MAX
                                                : (int)wanted;
    return true;
}

/* `said` is consumed. */
static void take_said(struct sessions *all, struct session *s, struct json_object *said)
{
    struct why why;
    struct turn *t;
    bool hello = is_hello(s, said);
    s->greeted = true;
    if (hello) {
        json_object_put(said);
    } else if ((t = find_turn(s, said)) == NULL || t->over || t->said != NULL || t->granting) {
        /* One that has been given up may still be answered. */
        if (!s->retired) {
            why_set(&why, ERR_PROGRAM, "%s answered a question that it was not asked%s",
                    all->terms->name, t != NULL ? ", or asked for two things at a time" : "");
            give_up(s, ERR_PROGRAM, &why);
        }
        json_object_put(said);
    } else {
        t->said = said;
        if (jsonx_get(said, "get") != NULL)
            return;
        s->useful = true;
        all->failures = 0;
        end_turn(t, answer_check_id(all->terms->name, said, t->asking->id, &why), &why);
    }
}

/* The next whole line of its output; false if there is none. */
static bool next_line(struct session *s, size_t *at, const char **ret, size_t *ret_len)
{
    const struct buf *out = &s->program.out;
    const char *from = out->data + *at;
    const char *end = memchr(out->data + s->searched, '\n', out->len - s->searched);
    s->searched = end != NULL ? (size_t)(end - out->data) + 1 : out->len;
    if (end == NULL)
        return false;
    *ret = from;
    *ret_len = (size_t)(end - from);
    *at += *ret_len + 1;
    return true;
}

/* Without the lock; it is taken for each line. */
static void take_lines(struct sessions *all, struct session *s)
{
    size_t at = 0, len;
    struct buf *out = &s->program.out;
    for (const char *line; next_line(s, &at, &line, &len);) {
        struct json_object *said;
        struct why why;
        enum err e = answer_read(all->terms->name, line, len, &said, &why);
        pthread_mutex_lock(&all->lock);
        if (e == ERR_OK)
            take_said(all, s, said);
        else if (!s->retired)
            give_up(s, e, &why);
        pthread_mutex_unlock(&all->lock);
    }
    memmove(out->data, out->data + at, out->len - at);
    out->len -= at;
    s->searched -= at;
}

/* With the lock: has it come to its end, or to one that is no good? */
static void look_for_end(struct sessions *all, struct session *s, enum err pumped)
{
    const struct program *p = &s->program;
    struct why why;
    enum err e = pumped;
    if (e == ERR_TIMEOUT || (e == ERR_OK && !p->lost && !(p->ended && p->ends.out < 0)))
        return;
    if (e != ERR_OK)
        e = program_fail(p, e, &why);
    else if ((e = program_ending(p, &why)) == ERR_OK)
        e = why_set(&why, ERR_PROGRAM, "%s ended, and owes the answer", all->terms->name);
    if (e != ERR_STOPPED)
        program_blame(p, e, &why);
    give_up(s, e, &why);
}

/* What there is for it to read, and what must not be logged. */
static enum err hand_over(struct session *s)
{
    enum err e = buf_add(&s->program.in, s->queue.data, s->queue.len);
    buf_reset(&s->queue);
    if (s->mask.count > MASK_KEPT)
        mask_free_kept(&s->mask);
    if (e == ERR_OK)
        e = mask_keep(&s->mask, &s->fresh);
    mask_free_kept(&s->fresh);
    const struct turn *only = s->turns != NULL && s->turns->next == NULL ? s->turns : NULL;
    if (only != NULL)
        snprintf(s->about, sizeof s->about, "%s", only->asking->about);
    else if (s->turns != NULL)
        snprintf(s->about, sizeof s->about, "%d questions", s->turns_count);
    if (s->asked)
        s->program.lines = 0;
    s->asked = false;
    return e;
}

/* With the lock, which is given up meanwhile: read for all who wait, until `deadline`. */
static void read_for_all(struct sessions *all, struct session *s, int64_t deadline)
{
    s->reading = true;
    enum err e = hand_over(s);
    pthread_mutex_unlock(&all->lock);
    if (e == ERR_OK)
        e = program_pump(&s->program, deadline);
    take_lines(all, s);
    pthread_mutex_lock(&all->lock);
    s->reading = false;
    look_for_end(all, s, e);
    close_retired(all, s);
    pthread_cond_broadcast(&all->changed);
}

/* ------------------------------------------------------------------------ its wishes */

/* A path of Connect's API, and nothing that might lead elsewhere. */
static bool is_path(const char *path)
{
    if (path == NULL || path[0] != '/' || strlen(path) >= SESSION_GET_MAX ||
        strstr(path, "/..") != NULL)
        return false;
    for (const char *c = path; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("#\\\"", *c) != NULL)
            return false;
    return true;
}

static void get(const struct asking *a, const char *path, struct policy_got *ret)
{
    const struct policy_question *q = a->question;
    *ret = (struct policy_got){0};
    if (!is_path(path))
        why_set(&ret->why, ERR_INVALID,
                "a path is needed, like /assets/AS-1, with what is special in it as %%XX");
    else if (q->get == NULL)
        why_set(&ret->why, ERR_CONFIG, "here nobody can read Connect");
    else
        q->get(q->get_ctx, path, a->deadline, ret);
}

/* {"id":7,"status":200,"body":{...}}, and "error" where something went wrong. */
static enum err add_reply(struct buf *b, int64_t id, struct policy_got *got)
{
    struct json_object *reply = json_object_new_object();
    bool ok = jsonx_add_int(reply, "id", id) && jsonx_add_int(reply, "status", got->status) &&
              jsonx_share(reply, "body", got->body) &&
              (got->why.text[0] == '\0' || jsonx_add_text(reply, "error", got->why.text));
    enum err e = ok ? jsonx_print(b, reply) : ERR_NOMEM;
    json_object_put(reply);
    return e == ERR_OK ? buf_addc(b, '\n') : e;
}

/* With the lock: whoever reads has not seen what was queued. */
static void wake_reader(const struct session *s)
{
    const uint64_t one = 1;
    if (s->reading && write(s->program.wake, &one, sizeof one) < 0)
        return; /* it is awake already */
}

/* With the lock, which is given up meanwhile: do what a turn asks for. */
static void grant(struct sessions *all, struct turn *t)
{
    struct policy_got got;
    struct json_object *wish = t->said;
    struct buf line;
    buf_init(&line, PROGRAM_INPUT_MAX);
    t->said = NULL;
    t->granting = true;
    pthread_mutex_unlock(&all->lock);
    get(t->asking, jsonx_str(wish, "get", NULL), &got);
    enum err e = add_reply(&line, t->asking->id, &got);
    json_object_put(got.body);
    json_object_put(wish);
    pthread_mutex_lock(&all->lock);
    t->granting = false;
    if (e == ERR_OK && !t->over) /* its session may have been given up meanwhile */
        e = buf_add(&t->session->queue, line.data, line.len);
    if (e != ERR_OK) {
        struct why why;
        why_set(&why, e, "what %s asked for: %s", all->terms->name, err_text(e));
        end_turn(t, e, &why);
        t->session->retired = true;
    }
    buf_free(&line);
    wake_reader(t->session);
}

/* ------------------------------------------------------------------------ asking */

static bool has_room(const struct session *s)
{
    return s->runs && !s->retired && s->turns_count < s->limit;
}

/* One that may be asked now; else one that does not run, else NULL. */
static struct session *choose(struct sessions *all)
{
    struct session *best = NULL;
    for (int i = 0; i < all->count; i++) {
        struct session *s = &all->list[i];
        bool better = has_room(s)
                          ? best == NULL || !best->runs || s->turns_count < best->turns_count
                          : !s->runs && best == NULL;
        if (better)
            best = s;
    }
    return best;
}

static enum err start_one(struct sessions *all, struct session *s, int64_t deadline,
                          struct why *why)
{
    int64_t now = clk_mono_ms();
    if (now >= all->next_start)
        return session_start(all, s, why);
    if (all->next_start < deadline) {
        clk_cond_wait(&all->changed, &all->lock, all->next_start);
        return ERR_OK;
    }
    return why_set(why, ERR_PROGRAM, "%s ended %d times without an answer%s%s", all->terms->name,
                   all->failures, all->last[0] != '\0' ? "; it said: " : "", all->last);
}

/* With the lock. *ret has room for one more question. */
static enum err take_session(struct sessions *all, int64_t deadline, struct session **ret,
                             struct why *why)
{
    for (;;) {
        enum err e = ERR_OK;
        if (all->stopped)
            return why_set(why, ERR_STOPPED, "%s", err_text(ERR_STOPPED));
        if (clk_mono_ms() >= deadline)
            return why_set(why, ERR_TIMEOUT, "%s was busy with others", all->terms->name);
        struct session *s = choose(all);
        if (s == NULL) {
            clk_cond_wait(&all->changed, &all->lock, deadline);
        } else if (!s->runs) {
            if ((e = start_one(all, s, deadline, why)) != ERR_OK)
                return e;
        } else {
            /* It may have died, or said something, while nobody looked. */
            if (s->turns_count == 0 && !s->reading)
                read_for_all(all, s, 0);
            if (has_room(s)) {
                *ret = s;
                return ERR_OK;
            }
        }
    }
}

static enum err begin_turn(struct turn *t, struct session *s, const struct buf *line)
{
    enum err e = mask_keep(&s->fresh, &t->asking->mask);
    if (e == ERR_OK)
        e = buf_add(&s->queue, line->data, line->len);
    if (e != ERR_OK) {
        buf_reset(&s->queue);
        s->retired = true; /* others' lines may have been in there */
        return e;
    }
    struct turn **last = &s->turns;
    while (*last != NULL)
        last = &(*last)->next;
    *last = t;
    s->turns_count++;
    t->session = s;
    s->asked = true;
    wake_reader(s);
    return ERR_OK;
}

static void leave(struct sessions *all, struct turn *t)
{
    struct session *s = t->session;
    struct turn **at = &s->turns;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    s->turns_count--;
    close_retired(all, s);
    pthread_cond_broadcast(&all->changed); /* somebody else reads, or is asked */
}

/* With the lock: until the turn is over. */
static void wait_for_end(struct sessions *all, struct turn *t)
{
    struct session *s = t->session;
    struct why why;
    while (!t->over) {
        if (all->stopped) {
            end_turn(t, why_set(&why, ERR_STOPPED, "%s", err_text(ERR_STOPPED)), &why);
            s->retired = true;
        } else if (clk_mono_ms() >= t->asking->deadline) {
            program_fail(&s->program, ERR_TIMEOUT, &why);
            end_turn(t, ERR_TIMEOUT, &why);
            s->retired = true;
        } else if (t->said != NULL) {
            grant(all, t);
        } else if (!s->reading) {
            read_for_all(all, s, t->asking->deadline);
        } else {
            clk_cond_wait(&all->changed, &all->lock, t->asking->deadline);
        }
    }
}

static enum err ask_line(struct sessions *all, const struct asking *a, const struct buf *line,
                         struct turn *t, struct why *why)
{
    struct session *s = NULL;
    enum err e = take_session(all, a->deadline, &s, why);
    if (e != ERR_OK)
        return e;
    e = begin_turn(t, s, line);
    if (e != ERR_OK)
        return why_set(why, e, "the question: %s", err_text(e));
    wait_for_end(all, t);
    leave(all, t);
    return t->err == ERR_OK ? ERR_OK : why_set(why, t->err, "%s", t->why.text);
}

enum err sessions_ask(struct sessions *all, const struct asking *a, struct json_object **ret,
                      bool *ret_lost, struct why *why)
{
    struct turn t = {.asking = a};
    struct buf line;
    buf_init(&line, PROGRAM_INPUT_MAX);
    enum err e = asking_line(a, &line, why);
    if (e == ERR_OK) {
        pthread_mutex_lock(&all->lock);
        e = ask_line(all, a, &line, &t, why);
        pthread_mutex_unlock(&all->lock);
    }
    buf_free(&line);
    *ret_lost = t.lost;
    if (e == ERR_OK)
        *ret = t.said;
    else
        json_object_put(t.said);
    return e;
}

/* -------------------------------------------------------------------------- the pool */

enum err sessions_new(const struct program_terms *terms, int count, struct sessions **ret,
                      struct why *why)
{
    struct sessions *all = calloc(1, sizeof *all + (size_t)count * sizeof *all->list);
    if (all == NULL)
        return why_no_memory(why);
    all->terms = terms;
    all->count = count;
    pthread_mutex_init(&all->lock, NULL);
    clk_cond_init(&all->changed);
    *ret = all;
    return ERR_OK;
}

void sessions_stop(struct sessions *all)
{
    pthread_mutex_lock(&all->lock);
    all->stopped = true;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

void sessions_free(struct sessions *all)
{
    if (all == NULL)
        return;
    for (int i = 0; i < all->count; i++)
        if (all->list[i].runs)
            session_close(&all->list[i]);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}
