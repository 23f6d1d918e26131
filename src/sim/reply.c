/* reply.c - the ground of every room: answers, ids, changed objects. */
#include "sim/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"

/* ------------------------------------------------------------------ answers */

bool sim_ok(struct sim_call *c, int status, struct json_object *answer)
{
    c->status = status;
    c->answer = answer;
    return true;
}

bool sim_error(struct sim_call *c, int status, const char *code, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct json_object *o = json_object_new_object(), *errors = json_object_new_array();
    jsonx_append(errors, json_object_new_string(text));
    jsonx_add_text(o, "error_code", code);
    json_object_object_add(o, "errors", errors);
    return sim_ok(c, status, o);
}

bool sim_no_method(struct sim_call *c)
{
    return sim_error(c, 405, "SYS_405", "Method not allowed.");
}

bool sim_list(struct sim_call *c, enum store_name n, const char *key)
{
    struct store_page page;
    struct why why;
    enum err e = store_page(c->sim->store, n, key, c->query, &page, &why);
    if (e == ERR_NOMEM)
        return sim_error(c, 500, "SYS_001", "out of memory");
    if (e != ERR_OK)
        return sim_error(c, 400, "VAL_001", "query: %s", why.text);
    snprintf(c->content_range, sizeof c->content_range, "items %zu-%zu/%zu", page.first, page.last,
             page.total);
    return sim_ok(c, 200, page.objects);
}

/* ----------------------------------------------------- what the rooms share */

bool sim_is(const struct sim_call *c, const char *method, int count)
{
    int parts = 0;
    while (c->parts[parts] != NULL)
        parts++;
    return parts == count && strcmp(c->method, method) == 0;
}

bool sim_add(struct sim_call *c, enum store_name n, struct json_object *object)
{
    enum err e = store_add(c->sim->store, n, object);
    json_object_put(object);
    c->effect = c->effect || e == ERR_OK;
    return e == ERR_OK || !sim_error(c, 500, "SYS_001", "%s", err_text(e));
}

bool sim_created(struct sim_call *c, enum store_name n, struct json_object *object)
{
    struct json_object *answer = json_object_get(object);
    if (sim_add(c, n, object))
        return sim_ok(c, 201, answer);
    json_object_put(answer);
    return true;
}

void sim_changed(struct sim_call *c, enum store_name n, const struct json_object *object)
{
    store_changed(c->sim->store, n, object);
    c->effect = true;
}

void sim_new_id(struct sim *s, enum store_name n, const char *prefix, char ret_id[40])
{
    do {
        int64_t id = ++s->last_id;
        snprintf(ret_id, 40, "%.8s-%04d-%04d-%04d", prefix, (int)(id / 100000000 % 10000),
                 (int)(id / 10000 % 10000), (int)(id % 10000));
    } while (store_find(s->store, n, ret_id) != NULL);
}

struct json_object *sim_now(void)
{
    char text[CLK_ISO_MAX];
    clk_iso(clk_wall_s(), text);
    return json_object_new_string(text);
}
