/* spawn.c - the message that has a program run. */
#include "policy/spawn.h"

#include <string.h>

/* What a message begins with; its texts follow, each with its NUL: the folder, the arguments, the
 * variables. */
struct head {
    uint32_t version;
    uint32_t argc, envc;
    uint32_t as_user, uid, gid;
    int64_t cpu_s, memory, file_size, files, patience_ms;
};

const char *spawn_step_text(enum spawn_step s)
{
    static const char *const texts[] = {
#define X(code, text) [code] = text,
        SPAWN_STEPS(X)
#undef X
    };
    return s < SPAWN__STEPS ? texts[s] : "it cannot be run";
}

static uint32_t count(const char *const *texts)
{
    uint32_t n = 0;
    while (texts[n] != NULL)
        n++;
    return n;
}

/* A message in the making. */
struct writing {
    char *at, *end; /* NULL: it did not fit */
};

static void add(struct writing *w, const void *bytes, size_t len)
{
    if (w->at == NULL || (size_t)(w->end - w->at) < len) {
        w->at = NULL;
        return;
    }
    memcpy(w->at, bytes, len);
    w->at += len;
}

static void add_texts(struct writing *w, const char *const *texts)
{
    for (; *texts != NULL; texts++)
        add(w, *texts, strlen(*texts) + 1);
}

size_t spawn_write(const struct spawn_terms *t, char ret[SPAWN_ORDER_MAX])
{
    struct writing w = {ret, ret + SPAWN_ORDER_MAX};
    const struct head h = {.version = SPAWN_VERSION,
                           .argc = count(t->argv),
                           .envc = count(t->env),
                           .as_user = t->as_user,
                           .uid = t->uid,
                           .gid = t->gid,
                           .cpu_s = t->cpu_s,
                           .memory = t->memory,
                           .file_size = t->file_size,
                           .files = t->files,
                           .patience_ms = t->patience_ms};
    add(&w, &h, sizeof h);
    add(&w, t->cwd, strlen(t->cwd) + 1);
    add_texts(&w, t->argv);
    add_texts(&w, t->env);
    bool fits = w.at != NULL && h.argc <= SPAWN_TEXTS_MAX && h.envc <= SPAWN_TEXTS_MAX;
    return fits ? (size_t)(w.at - ret) : 0;
}

/* The next text of a message; NULL if there is no whole one. */
static const char *next(const char **at, const char *end)
{
    const char *text = *at;
    const char *nul = memchr(text, '\0', (size_t)(end - text));
    if (nul != NULL)
        *at = nul + 1;
    return nul != NULL ? text : NULL;
}

static bool read_texts(const char **at, const char *end, size_t n, const char **ret)
{
    for (size_t i = 0; i < n; i++)
        if ((ret[i] = next(at, end)) == NULL)
            return false;
    ret[n] = NULL;
    return true;
}

bool spawn_read(const char *message, size_t len, struct spawn_order *ret)
{
    struct head h;
    const char *at = message + sizeof h, *end = message + len;
    if (len < sizeof h)
        return false;
    memcpy(&h, message, sizeof h);
    if (h.version != SPAWN_VERSION || h.argc == 0 || h.argc > SPAWN_TEXTS_MAX ||
        h.envc > SPAWN_TEXTS_MAX)
        return false;
    const char **argv = ret->texts, **env = argv + h.argc + 1;
    const char *cwd = next(&at, end);
    if (cwd == NULL || !read_texts(&at, end, h.argc, argv) || !read_texts(&at, end, h.envc, env) ||
        at != end)
        return false;
    ret->terms = (struct spawn_terms){.cwd = cwd,
                                      .argv = argv,
                                      .env = env,
                                      .as_user = h.as_user != 0,
                                      .uid = h.uid,
                                      .gid = h.gid,
                                      .cpu_s = h.cpu_s,
                                      .memory = h.memory,
                                      .file_size = h.file_size,
                                      .files = h.files,
                                      .patience_ms = h.patience_ms};
    return true;
}
