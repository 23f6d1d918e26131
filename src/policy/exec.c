/* exec.c - a policy that is a program. */
#include "policy/exec.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "policy/answer.h"
#include "policy/asking.h"
#include "policy/program.h"
#include "policy/session.h"
#include "policy/user.h"

#define LOST_TRIES 3 /* of a program that was killed with what looked after it */

struct exec {
    struct policy head;
    struct program_terms terms;
    char *files[CONF_ARGS_MAX +
                1];            /* of the arguments those that may be its files; NULL-terminated */
    struct sessions *sessions; /* NULL: it is run once for each question */
    int64_t timeout_ms;
    _Atomic int64_t last_id; /* of a question */
};

/* ------------------------------------------------------------------- one question, one run */

static enum err run_to_end(struct program *p, int64_t deadline, struct why *why)
{
    enum err e = program_start(p, why);
    if (e != ERR_OK)
        return e;
    while (e == ERR_OK && !p->lost && !(p->ended && p->ends.out < 0 && p->ends.err < 0))
        e = clk_mono_ms() < deadline ? program_pump(p, deadline) : ERR_TIMEOUT;
    e = e == ERR_OK ? program_ending(p, why) : program_fail(p, e, why);
    return e == ERR_OK ? e : program_blame(p, e, why);
}

static enum err run_once(const struct program_terms *terms, const struct asking *a,
                         struct json_object **ret, bool *ret_lost, struct why *why)
{
    struct program p;
    struct json_object *answer = NULL;
    program_init(&p, terms);
    p.about = a->about;
    p.mask = &a->mask;
    p.last_in = true;
    enum err e = asking_line(a, &p.in, why);
    if (e == ERR_OK)
        e = run_to_end(&p, a->deadline, why);
    if (e == ERR_OK)
        e = answer_read(terms->name, p.out.data, p.out.len, &answer, why);
    if (e == ERR_OK)
        e = answer_check_id(terms->name, answer, a->id, why);
    if (e == ERR_OK)
        *ret = answer;
    else
        json_object_put(answer);
    *ret_lost = p.lost;
    program_close(&p);
    return e;
}

/* What was killed from outside has not answered, and may be asked again. */
static enum err ask_until_answered(struct exec *x, const struct asking *a, struct json_object **ret,
                                   struct why *why)
{
    bool lost = true;
    enum err e = ERR_PROGRAM;
    for (int try = 0; lost && try < LOST_TRIES; try++)
        e = x->sessions != NULL ? sessions_ask(x->sessions, a, ret, &lost, why)
                                : run_once(&x->terms, a, ret, &lost, why);
    return e;
}

static enum err exec_ask(struct policy *p, const struct policy_question *q,
                         struct json_object **ret_answer, char ret_rule[DECISION_RULE_MAX],
                         struct why *why)
{
    struct exec *x = (struct exec *)p;
    struct asking a;
    ret_rule[0] = '\0';
    enum err e = asking_begin(&a, q, ++x->last_id, x->timeout_ms, why);
    if (e == ERR_OK)
        e = ask_until_answered(x, &a, ret_answer, why);
    asking_end(&a);
    return e;
}

static void exec_stop(struct policy *p)
{
    const uint64_t one = 1;
    struct exec *x = (struct exec *)p;
    /* Cannot fail: it is read by nobody, and far from full. */
    if (write(x->terms.stop, &one, sizeof one) < 0)
        abort();
    if (x->sessions != NULL)
        sessions_stop(x->sessions);
}

static void exec_free(struct policy *p)
{
    struct exec *x = (struct exec *)p;
    sessions_free(x->sessions);
    if (x->terms.stop >= 0)
        close(x->terms.stop);
    buf_free(&x->terms.order);
    free((char *)x->terms.name);
    for (char **file = x->files; *file != NULL; file++)
        free(*file);
    free(x);
}

/* What is configured, and the state of the files: a program that was written anew may say
 * otherwise. */
static enum err exec_note(const struct policy *p, struct buf *b)
{
    const struct exec *x = (const struct exec *)p;
    buf_add(b, x->terms.order.data, x->terms.order.len);
    for (char *const *file = x->files; *file != NULL; file++) {
        struct stat st;
        if (stat(*file, &st) == 0)
            buf_printf(b, "%s %lld %lld %lld.%09ld\n", *file, (long long)st.st_ino,
                       (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    }
    return b->err;
}

/* ------------------------------------------------------------------------- opening */

/* All that the program gets: some that every program needs, and those that are listed, as far as we
 * have them. */
struct environment {
    char *texts[CONF_ENV_MAX + 3];
    size_t count;
};

static bool add_variable(struct environment *e, const char *name, const char *value)
{
    if (value == NULL)
        return true;
    if (asprintf(&e->texts[e->count], "%s=%s", name, value) < 0)
        return false;
    e->count++;
    return true;
}

static bool build_environment(const struct conf_policy *conf, struct environment *e)
{
    *e = (struct environment){.count = 0};
    bool ok = add_variable(e, "PATH",
                           "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin") &&
              add_variable(e, "LANG", "C.UTF-8");
    for (const char *const *name = conf->env; ok && *name != NULL; name++)
        ok = add_variable(e, *name, getenv(*name));
    return ok;
}

static void free_environment(struct environment *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->texts[i]);
}

static enum err add_order(const struct spawn_terms *t, struct buf *order, struct why *why)
{
    char message[SPAWN_ORDER_MAX];
    size_t len = spawn_write(t, message);
    if (len == 0)
        return why_set(why, ERR_CONFIG, "policy.exec: arguments and variables are too long");
    return buf_add(order, message, len) == ERR_OK ? ERR_OK : why_no_memory(why);
}

static enum err write_order(const struct conf_policy *conf, struct buf *order, struct why *why)
{
    struct environment env;
    struct spawn_terms t = {.cwd = conf->cwd,
                            .argv = conf->argv,
                            .env = (const char *const *)env.texts,
                            .memory = EXEC_MEMORY,
                            .file_size = EXEC_FILE_SIZE,
                            .files = EXEC_FILES};
    if (!conf->session) /* a session may live for ever */
        t.cpu_s = conf->timeout_ms / 1000 + 1;
    else
        t.patience_ms = EXEC_PATIENCE;
    enum err e = user_take(conf, &t, why);
    if (e != ERR_OK)
        return e;
    e = build_environment(conf, &env) ? add_order(&t, order, why) : why_no_memory(why);
    free_environment(&env);
    return e;
}

static enum err keep_files(const struct conf_policy *conf, struct exec *x, struct why *why)
{
    size_t count = 0;
    for (const char *const *arg = conf->argv; *arg != NULL; arg++)
        if (**arg == '/' && (x->files[count++] = strdup(*arg)) == NULL)
            return why_no_memory(why);
    return ERR_OK;
}

enum err exec_open(const struct conf_policy *conf, struct spawner *spawner, struct policy **ret,
                   struct why *why)
{
    static const struct policy_ops ops = {exec_ask, exec_note, exec_stop, exec_free};
    const char *slash = strrchr(conf->argv[0], '/');
    struct exec *x = calloc(1, sizeof *x);
    if (x == NULL)
        return why_no_memory(why);
    x->head.ops = &ops;
    x->timeout_ms = conf->timeout_ms;
    x->terms.spawner = spawner;
    x->terms.name = strdup(slash != NULL ? slash + 1 : conf->argv[0]);
    x->terms.stop = eventfd(0, EFD_CLOEXEC);
    buf_init(&x->terms.order, SPAWN_ORDER_MAX);
    enum err e = ERR_OK;
    if (x->terms.name == NULL)
        e = why_no_memory(why);
    else if (x->terms.stop < 0)
        e = why_set(why, ERR_IO, "a descriptor for a policy: %s", strerror(errno));
    else
        e = write_order(conf, &x->terms.order, why);
    if (e == ERR_OK)
        e = keep_files(conf, x, why);
    if (e == ERR_OK && conf->session)
        e = sessions_new(&x->terms, (int)conf->sessions, &x->sessions, why);
    if (e == ERR_OK)
        *ret = &x->head;
    else
        exec_free(&x->head);
    return e;
}
