/* faults.c - read faults, and find the one that a call meets. */
#include "sim/faults.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"

const struct fault fault_none = {.effect = true, .retry_after = -1};

struct planned {
    struct fault fault;
    struct json_object *given; /* owned; its texts are borrowed here */
    const char *method, *path; /* NULL: any */
    int64_t count, fired;      /* count 0: for ever */
    double probability;
    unsigned short dice[3]; /* of erand48() */
};

struct faults {
    size_t count;
    struct planned all[FAULTS_MAX];
};

enum err faults_new(struct faults **ret)
{
    struct faults *f = calloc(1, sizeof *f);
    if (f == NULL)
        return ERR_NOMEM;
    *ret = f;
    return ERR_OK;
}

static void drop(struct faults *f, size_t from)
{
    while (f->count > from)
        json_object_put(f->all[--f->count].given);
}

void faults_clear(struct faults *f)
{
    drop(f, 0);
}

void faults_free(struct faults *f)
{
    if (f != NULL)
        drop(f, 0);
    free(f);
}

/* ------------------------------------------------------------- reading them */

/* Each reads one member into the plan; ERR_INVALID if the value is none of its own. */
typedef enum err read_fn(struct planned *p, struct json_object *value);

static enum err read_int(struct json_object *value, int64_t min, int64_t max, int64_t *ret)
{
    int64_t n;
    if (!jsonx_whole(value, &n) || n < min || n > max)
        return ERR_INVALID;
    *ret = n;
    return ERR_OK;
}

static enum err read_text(struct json_object *value, const char **ret)
{
    if (!json_object_is_type(value, json_type_string) || json_object_get_string_len(value) == 0)
        return ERR_INVALID;
    *ret = json_object_get_string(value);
    return ERR_OK;
}

static enum err read_method(struct planned *p, struct json_object *value)
{
    return read_text(value, &p->method);
}

static enum err read_path(struct planned *p, struct json_object *value)
{
    enum err e = read_text(value, &p->path);
    return e == ERR_OK && p->path[0] != '/' && p->path[0] != '*' ? ERR_INVALID : e;
}

static enum err read_status(struct planned *p, struct json_object *value)
{
    int64_t n = 0;
    enum err e = read_int(value, 200, 599, &n);
    p->fault.status = (int)n;
    return e;
}

static enum err read_retry_after(struct planned *p, struct json_object *value)
{
    int64_t n = 0;
    enum err e = read_int(value, 0, FAULTS_RETRY_MAX, &n);
    p->fault.retry_after = (int)n;
    return e;
}

static enum err read_delay(struct planned *p, struct json_object *value)
{
    return read_int(value, 1, FAULTS_DELAY_MAX, &p->fault.delay_ms);
}

static enum err read_close(struct planned *p, struct json_object *value)
{
    const char *when = "";
    if (read_text(value, &when) != ERR_OK ||
        (strcmp(when, "before") != 0 && strcmp(when, "after") != 0))
        return ERR_INVALID;
    p->fault.close = true;
    return ERR_OK;
}

static enum err read_body(struct planned *p, struct json_object *value)
{
    const char *how = "";
    if (read_text(value, &how) != ERR_OK)
        return ERR_INVALID;
    p->fault.body = strcmp(how, "truncated") == 0 ? FAULT_BODY_TRUNCATED
                    : strcmp(how, "garbage") == 0 ? FAULT_BODY_GARBAGE
                                                  : FAULT_BODY_WHOLE;
    return p->fault.body != FAULT_BODY_WHOLE ? ERR_OK : ERR_INVALID;
}

static enum err read_effect(struct planned *p, struct json_object *value)
{
    p->fault.effect = json_object_get_boolean(value);
    return json_object_is_type(value, json_type_boolean) ? ERR_OK : ERR_INVALID;
}

static enum err read_count(struct planned *p, struct json_object *value)
{
    return read_int(value, 0, INT64_MAX, &p->count);
}

static enum err read_probability(struct planned *p, struct json_object *value)
{
    p->probability = json_object_get_double(value);
    bool is_number = json_object_is_type(value, json_type_int) ||
                     json_object_is_type(value, json_type_double);
    return is_number && p->probability >= 0 && p->probability <= 1 ? ERR_OK : ERR_INVALID;
}

static enum err read_seed(struct planned *p, struct json_object *value)
{
    int64_t seed = 0;
    enum err e = read_int(value, 0, UINT32_MAX, &seed);
    p->dice[1] = (unsigned short)(seed & 0xffff);
    p->dice[2] = (unsigned short)(seed >> 16);
    return e;
}

static const struct {
    const char *key;
    read_fn *read;
    const char *allowed;
} members[] = {
    {"method", read_method, "a method"},
    {"path", read_path, "a pattern that begins with / or *"},
    {"status", read_status, "an integer from 200 to 599"},
    {"retry_after", read_retry_after, "seconds, at most a day"},
    {"delay_ms", read_delay, "milliseconds, 1 to 600000"},
    {"close", read_close, "\"before\" or \"after\""},
    {"body", read_body, "\"truncated\" or \"garbage\""},
    {"effect", read_effect, "true or false"},
    {"count", read_count, "an integer, 0 for ever"},
    {"probability", read_probability, "a number from 0 to 1"},
    {"seed", read_seed, "an integer from 0 to 4294967295"},
};

static enum err read_member(struct planned *p, const char *key, struct json_object *value,
                            struct why *why)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (strcmp(members[i].key, key) != 0)
            continue;
        if (members[i].read(p, value) == ERR_OK)
            return ERR_OK;
        return why_set(why, ERR_INVALID, "%s: %s is needed", key, members[i].allowed);
    }
    return why_set(why, ERR_INVALID, "%.60s: there is no such key", key);
}

/* What only makes sense together, or does not; and whether the call takes effect. */
static enum err combine(struct planned *p, struct why *why)
{
    struct fault *f = &p->fault;
    const char *close = jsonx_str(p->given, "close", "");
    bool has_effect = jsonx_get(p->given, "effect") != NULL;
    if (f->status == 0 && f->delay_ms == 0 && !f->close && f->body == FAULT_BODY_WHOLE)
        return why_set(why, ERR_INVALID, "status, delay_ms, close or body is needed");
    if (f->retry_after >= 0 && f->status == 0)
        return why_set(why, ERR_INVALID, "retry_after: needs a status");
    if (f->close && (f->status != 0 || f->body != FAULT_BODY_WHOLE))
        return why_set(why, ERR_INVALID, "close: leaves no answer for status or body");
    if (f->close && has_effect)
        return why_set(why, ERR_INVALID, "effect: close says that already");
    if (has_effect && f->status == 0 && (f->delay_ms == 0 || !f->effect))
        return why_set(why, ERR_INVALID, "effect: needs a status, or true and delay_ms");
    f->is_late = f->delay_ms > 0 && has_effect && f->effect;
    if (!has_effect)
        f->effect = f->status == 0 && strcmp(close, "before") != 0;
    return ERR_OK;
}

static enum err plan(struct planned *p, struct json_object *given, struct why *why)
{
    if (!json_object_is_type(given, json_type_object))
        return why_set(why, ERR_INVALID, "an object is needed");
    *p = (struct planned){.fault = fault_none, .given = given, .count = 1, .probability = 1};
    enum err e = ERR_OK;
    struct json_object_iterator it = json_object_iter_begin(given),
                                end = json_object_iter_end(given);
    for (; e == ERR_OK && !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
        e = read_member(p, json_object_iter_peek_name(&it), json_object_iter_peek_value(&it), why);
    return e == ERR_OK ? combine(p, why) : e;
}

static enum err add_one(struct faults *f, struct json_object *given, struct why *why)
{
    if (f->count == FAULTS_MAX)
        return why_set(why, ERR_INVALID, "there are %d faults already", FAULTS_MAX);
    enum err e = plan(&f->all[f->count], given, why);
    if (e != ERR_OK)
        return e;
    json_object_get(given);
    f->count++;
    return ERR_OK;
}

enum err faults_add(struct faults *f, struct json_object *given, struct why *why)
{
    if (!json_object_is_type(given, json_type_array))
        return add_one(f, given, why);
    size_t before = f->count;
    for (size_t i = 0; i < json_object_array_length(given); i++) {
        enum err e = add_one(f, json_object_array_get_idx(given, i), why);
        if (e != ERR_OK) {
            drop(f, before);
            return why_prefix(why, e, "[%zu]", i);
        }
    }
    return ERR_OK;
}

struct json_object *faults_list(const struct faults *f)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < f->count; i++) {
        struct json_object *one = jsonx_copy(f->all[i].given);
        jsonx_add_int(one, "fired", f->all[i].fired);
        json_object_array_add(list, one);
    }
    return list;
}

/* ------------------------------------------------------------- meeting them */

static bool is_for(const struct planned *p, const char *method, const char *path)
{
    return (p->count == 0 || p->fired < p->count) &&
           (p->method == NULL || strcmp(p->method, method) == 0) &&
           (p->path == NULL || fnmatch(p->path, path, 0) == 0);
}

struct fault faults_meet(struct faults *f, const char *method, const char *path)
{
    for (size_t i = 0; i < f->count; i++) {
        struct planned *p = &f->all[i];
        if (is_for(p, method, path) && erand48(p->dice) < p->probability) {
            p->fired++;
            return p->fault;
        }
    }
    return fault_none;
}
