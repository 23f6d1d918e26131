/* jsonx_members.c - what objects and arrays hold: looked up, added, copied. */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/utf8.h"

#define EXACT_MAX 0x1p53 /* up to here a double holds every whole number */

struct json_object *jsonx_get(const struct json_object *obj, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(obj, key, &value) ? value : NULL;
}

/* The path's first key, and *path behind it; false where there is none, or one too long. */
static bool next_key(const char **path, char ret[JSONX_KEY_MAX])
{
    size_t len = strcspn(*path, ".");
    if (len == 0 || len >= JSONX_KEY_MAX)
        return false;
    memcpy(ret, *path, len);
    ret[len] = '\0';
    *path += len + ((*path)[len] == '.');
    return true;
}

struct json_object *jsonx_at(const struct json_object *obj, const char *path)
{
    char key[JSONX_KEY_MAX];
    struct json_object *value = NULL;
    for (; next_key(&path, key); obj = value)
        value = jsonx_get(obj, key);
    return *path == '\0' ? value : NULL;
}

/* A member if it is of this type, else NULL. */
static struct json_object *get_typed(const struct json_object *obj, const char *key,
                                     enum json_type type)
{
    struct json_object *value = jsonx_get(obj, key);
    return json_object_is_type(value, type) ? value : NULL;
}

const char *jsonx_str(const struct json_object *obj, const char *key, const char *otherwise)
{
    struct json_object *value = get_typed(obj, key, json_type_string);
    return value != NULL ? json_object_get_string(value) : otherwise;
}

const char *jsonx_str_at(const struct json_object *obj, const char *path, const char *otherwise)
{
    struct json_object *value = jsonx_at(obj, path);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : otherwise;
}

const char *jsonx_spelling(const struct json_object *value)
{
    return json_object_is_type(value, json_type_double)
               ? json_object_get_userdata((struct json_object *)(uintptr_t)value)
               : NULL;
}

/* Do so few digits pass through a double unchanged, whatever they are? */
static bool is_exact(const char *spelling)
{
    int digits = 0;
    for (const char *s = spelling; *s != '\0' && *s != 'e' && *s != 'E'; s++)
        digits += isdigit((unsigned char)*s) != 0;
    return digits <= DBL_DIG;
}

bool jsonx_whole(const struct json_object *value, int64_t *ret)
{
    if (json_object_is_type(value, json_type_int)) {
        *ret = json_object_get_int64(value);
        return true;
    }
    const char *spelling = jsonx_spelling(value);
    if (spelling == NULL || !is_exact(spelling))
        return false;
    double d = json_object_get_double(value);
    bool is_zero = spelling[strspn(spelling, "0.")] == '\0';
    if (fabs(d) > EXACT_MAX || d != (double)(int64_t)d || (d == 0 && !is_zero))
        return false;
    *ret = (int64_t)d;
    return true;
}

int64_t jsonx_int(const struct json_object *obj, const char *key, int64_t otherwise)
{
    int64_t n;
    return jsonx_whole(jsonx_get(obj, key), &n) ? n : otherwise;
}

bool jsonx_bool(const struct json_object *obj, const char *key, bool otherwise)
{
    struct json_object *value = get_typed(obj, key, json_type_boolean);
    return value != NULL ? json_object_get_boolean(value) : otherwise;
}

struct json_object *jsonx_array(const struct json_object *obj, const char *key)
{
    return get_typed(obj, key, json_type_array);
}

struct json_object *jsonx_object(const struct json_object *obj, const char *key)
{
    return get_typed(obj, key, json_type_object);
}

struct json_object *jsonx_element(const struct json_object *array, const char *id)
{
    size_t n = json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
    for (size_t i = 0; i < n; i++) {
        struct json_object *element = json_object_array_get_idx(array, i);
        const char *its = jsonx_str(element, "id", NULL);
        if (its != NULL && strcmp(its, id) == 0)
            return element;
    }
    return NULL;
}

bool jsonx_add(struct json_object *object, const char *key, struct json_object *value)
{
    if (value != NULL && object != NULL && json_object_object_add(object, key, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

bool jsonx_add_at(struct json_object *object, const char *path, struct json_object *value)
{
    char key[JSONX_KEY_MAX];
    bool ok = next_key(&path, key);
    while (ok && *path != '\0') {
        struct json_object *inner = jsonx_object(object, key);
        if (inner == NULL) {
            inner = json_object_new_object();
            ok = jsonx_add(object, key, inner);
        }
        object = inner;
        ok = ok && next_key(&path, key);
    }
    if (ok)
        return jsonx_add(object, key, value);
    json_object_put(value);
    return false;
}

bool jsonx_append(struct json_object *array, struct json_object *value)
{
    if (value != NULL && array != NULL && json_object_array_add(array, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

bool jsonx_add_int(struct json_object *object, const char *key, int64_t n)
{
    return jsonx_add(object, key, json_object_new_int64(n));
}

bool jsonx_add_text(struct json_object *object, const char *key, const char *text)
{
    if (text == NULL)
        return jsonx_share(object, key, NULL);
    char *clean = strdup(text);
    if (clean == NULL)
        return false;
    utf8_clean(clean);
    bool ok = jsonx_add(object, key, json_object_new_string(clean));
    free(clean);
    return ok;
}

bool jsonx_share(struct json_object *object, const char *key, struct json_object *value)
{
    if (object == NULL)
        return false;
    if (json_object_object_add(object, key, json_object_get(value)) == 0)
        return true;
    json_object_put(value);
    return false;
}

struct json_object *jsonx_copy(const struct json_object *root)
{
    struct json_object *copy = NULL;
    if (root == NULL ||
        json_object_deep_copy((struct json_object *)(uintptr_t)root, &copy, NULL) != 0)
        return NULL;
    return copy;
}

static struct json_object *shallow(const struct json_object *object, bool nulls)
{
    struct json_object *copy = json_object_new_object();
    struct json_object *from = (struct json_object *)(uintptr_t)object;
    struct json_object_iterator it = json_object_iter_begin(from), end = json_object_iter_end(from);
    for (; copy != NULL && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        struct json_object *value = json_object_iter_peek_value(&it);
        if ((value != NULL || nulls) &&
            !jsonx_share(copy, json_object_iter_peek_name(&it), value)) {
            json_object_put(copy);
            copy = NULL;
        }
    }
    return copy;
}

struct json_object *jsonx_shallow(const struct json_object *object)
{
    return shallow(object, true);
}

struct json_object *jsonx_without_nulls(const struct json_object *object)
{
    return shallow(object, false);
}
