/* policy_actions.c - the table of classes, sides, states and actions. */
#include "cmd/policy_actions.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "cmd/table.h"
#include "event/object_class.h"

static const struct table_column columns[] = {
    {"object_class", "CLASS"}, {"side", "SIDE"},   {"state", "STATE"}, {"pending", "PENDING"},
    {"action", "ACTION"},      {"needs", "NEEDS"}, {"takes", "TAKES"}, {0},
};

/* ------------------------------------------------------------------------- one row */

/* The fields that are needed, or that are not. */
static struct json_object *names_of(const struct verb_field *f, bool needed)
{
    struct json_object *list = json_object_new_array();
    for (; f->name != NULL; f++)
        if (f->needed == needed)
            jsonx_append(list, json_object_new_string(f->name));
    return list;
}

static bool add_row(struct table *t, const struct object_class *c, enum side side,
                    const char *state, const struct object_verb *v)
{
    bool pending = c->state == NULL || state_is_among(c->pending[side], state);
    struct json_object *row = json_object_new_object();
    bool ok = jsonx_add_text(row, "object_class", c->name) &&
              jsonx_add_text(row, "side", side_name(side)) &&
              jsonx_add_text(row, "state", state[0] != '\0' ? state : NULL) &&
              jsonx_add(row, "pending", json_object_new_boolean(pending)) &&
              jsonx_add_text(row, "action", v->name) &&
              jsonx_add(row, "needs", names_of(v->fields, true)) &&
              jsonx_add(row, "takes", names_of(v->fields, false));
    if (ok)
        return table_row(t, row) == ERR_OK;
    json_object_put(row);
    return false;
}

/* ------------------------------------------------------------------------ the order */

static bool add_state(struct table *t, const struct object_class *c, enum side side,
                      const char *state)
{
    bool ok = true;
    for (const struct object_verb *v = c->verbs; ok && v->name != NULL; v++)
        if (object_verb_allowed(v, side, state))
            ok = add_row(t, c, side, state, v);
    return ok;
}

/* Was the state, a place among those from which verbs start, named before? */
static bool is_repeated(const struct object_class *c, enum side side, const char *const *place)
{
    for (const struct object_verb *v = c->verbs; v->name != NULL; v++)
        for (const char *const *s = v->from[side]; *s != NULL; s++) {
            if (s == place)
                return false;
            if (strcmp(*s, *place) == 0)
                return true;
        }
    return false;
}

static bool add_class(struct table *t, const struct object_class *c)
{
    bool ok = true;
    for (unsigned side = 0; side < SIDE__COUNT; side++)
        for (const struct object_verb *v = c->verbs; v->name != NULL; v++)
            for (const char *const *s = v->from[side]; ok && *s != NULL; s++)
                if (!is_repeated(c, (enum side)side, s))
                    ok = add_state(t, c, (enum side)side, *s);
    return ok;
}

int policy_actions(const struct cmd *self, void *options, char **arguments)
{
    const struct actions_options *o = options;
    const struct object_class *only = NULL;
    struct table *t;
    (void)arguments;
    if (o->class != NULL && (only = object_class_find(o->class)) == NULL)
        return cmd_failed(self, "--class %s: there are " OBJECT_CLASS_WORDS "or their plurals",
                          o->class);
    bool ok = table_new(columns, o->json, stdout, &t) == ERR_OK;
    if (!ok)
        return cmd_failed(self, "%s", err_text(ERR_NOMEM));
    for (const struct object_class *const *c = object_classes; ok && *c != NULL; c++)
        if (only == NULL || only == *c)
            ok = add_class(t, *c);
    if (ok)
        table_print(t);
    table_free(t);
    return ok ? CMD_OK : cmd_failed(self, "%s", err_text(ERR_NOMEM));
}
