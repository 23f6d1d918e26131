/*
 * jsonx.h - strict JSON over json-c.
 *
 * json-c lets through what RFC 8259 and I-JSON (RFC 7493) do not: duplicate keys, NUL
 * in keys, overlong UTF-8, lone surrogates, NaN, single quotes, numbers that saturate.
 * So jsonx_parse() reads by itself and makes json-c objects only of what is sound. Numbers
 * that are no integers of 64 bits keep their spelling, so that a document is echoed digit for
 * digit; who asks for one as a number gets it only if nothing of it would be lost.
 *
 * Getters never fail: an absent key, a null and a value of another type all give the
 * default. Objects they return are borrowed from the document.
 */
#ifndef BASE_JSONX_H
#define BASE_JSONX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"

#define JSONX_DEPTH_MAX 32                 /* nested arrays and objects */
#define JSONX_KEY_MAX   128                /* bytes of a key in a path, with the NUL */
#define JSONX_SIZE_MAX  (64 * 1024 * 1024) /* bytes of the largest document anyone may allow */

/*
 * Parse the whole of `text` (`len` bytes, need not be NUL-terminated, at most `max`).
 * *ret_root is owned: json_object_put(). A document that is `null` gives NULL and ERR_OK.
 *
 *     ERR_TOO_BIG    longer than `max`          ERR_SYNTAX     not RFC 8259, or trailing bytes
 *     ERR_TOO_DEEP   beyond JSONX_DEPTH_MAX     ERR_ENCODING   bad UTF-8, surrogate, NUL, BOM
 *     ERR_DUPLICATE  a key twice in an object   ERR_NOMEM
 *
 * `why` tells line and column.
 */
enum err jsonx_parse(const char *text, size_t len, size_t max, struct json_object **ret_root,
                     struct why *why);

/* Read and parse a file, "-" for standard input. ERR_IO, or as above; `why` names the file. */
enum err jsonx_parse_file(const char *path, size_t max, struct json_object **ret_root,
                          struct why *why);

/*
 * Take an array element by element: `fn` gets the bytes of each, for jsonx_parse(), so that what is
 * refused in one costs no other. Return false to stop. Nothing is passed of an array whose elements
 * cannot be told apart (ERR_SYNTAX), or that is longer than `max` (ERR_TOO_BIG).
 */
typedef bool jsonx_element_fn(void *ctx, const char *text, size_t len);
enum err jsonx_each(const char *text, size_t len, size_t max, jsonx_element_fn *fn, void *ctx,
                    struct why *why);

/*
 * A text that is a member of an object, looked for so loosely that it is found even in an object
 * that jsonx_parse() refuses. For telling people which one that is, and for nothing else. False if
 * there is none, or not one of printable ASCII that fits `size` bytes with its NUL.
 */
bool jsonx_loose_text(const char *text, size_t len, const char *key, char *ret, size_t size);

/*
 * For going through the bytes of a document that jsonx_parse() has accepted, beside its tree, which
 * has everything in the same order: behind the white space at `s`, and behind the value or the key
 * that begins there.
 */
const char *jsonx_behind_space(const char *s, const char *end);
const char *jsonx_behind_value(const char *s, const char *end);

/* Append `root` to `b` as compact JSON. NULL is `null`. */
enum err jsonx_print(struct buf *b, const struct json_object *root);

/* Append a text as a JSON string; what is not UTF-8 is left out. */
enum err jsonx_print_text(struct buf *b, const char *text);

/* A member of an object; NULL if absent, null, or `obj` is no object. */
struct json_object *jsonx_get(const struct json_object *obj, const char *key);
/* ... of a member of a member: jsonx_at(o, "asset.product.id"). */
struct json_object *jsonx_at(const struct json_object *obj, const char *path);
/* A member that is a string, else `otherwise`. The string is borrowed. */
const char *jsonx_str(const struct json_object *obj, const char *key, const char *otherwise);
/* ... of a member of a member: jsonx_str_at(o, "asset.product.id", ""). */
const char *jsonx_str_at(const struct json_object *obj, const char *path, const char *otherwise);
/*
 * A number that is a whole one of 64 bits, however it is spelled (1590573843.0); false for any
 * other value, and for one of which a double has not kept every digit.
 */
bool jsonx_whole(const struct json_object *value, int64_t *ret);
/* How a number that is no integer of 64 bits stood in its document; NULL for all others. Reads
 * only, so that threads may share the document. Borrowed. */
const char *jsonx_spelling(const struct json_object *value);
/* A member that is such a whole number, else `otherwise`. */
int64_t jsonx_int(const struct json_object *obj, const char *key, int64_t otherwise);
bool jsonx_bool(const struct json_object *obj, const char *key, bool otherwise);
/* A member that is an array or an object, else NULL. */
struct json_object *jsonx_array(const struct json_object *obj, const char *key);
struct json_object *jsonx_object(const struct json_object *obj, const char *key);
/* The first element of an array that is an object with this `id`, a text; NULL if there is none, or
 * no array. */
struct json_object *jsonx_element(const struct json_object *array, const char *id);

/*
 * Put a value into an object or at the end of an array, which then owns it. False if there is no
 * value, no object or no memory: the value is gone then, too, so that making and adding it is one
 * step.
 */
bool jsonx_add(struct json_object *object, const char *key, struct json_object *value);
/* ... where a path leads; the objects on the way are made where they are not there. */
bool jsonx_add_at(struct json_object *object, const char *path, struct json_object *value);
bool jsonx_append(struct json_object *array, struct json_object *value);
/* ... a number; a text, of which is left out what is not UTF-8; a value that stays its owner's,
 * too. For a NULL there is a null. */
bool jsonx_add_int(struct json_object *object, const char *key, int64_t n);
bool jsonx_add_text(struct json_object *object, const char *key, const char *text);
bool jsonx_share(struct json_object *object, const char *key, struct json_object *value);

/* A deep copy, owned by the caller; NULL for NULL or when memory ran out. */
struct json_object *jsonx_copy(const struct json_object *root);
/* An object of its own that shares the members of another, owned by the caller. NULL: out of
 * memory. */
struct json_object *jsonx_shallow(const struct json_object *object);
/* ... but for those that are null. */
struct json_object *jsonx_without_nulls(const struct json_object *object);

/* Called with each value of a tree, NULL for a null; false to stop. True: nobody did. */
typedef bool jsonx_visit_fn(void *ctx, struct json_object *at);
bool jsonx_visit(const struct json_object *root, jsonx_visit_fn *fn, void *ctx);

/*
 * A deep copy in which every text, number and boolean is what `fn` makes of it: a value of its own,
 * owned by the copy. Nulls stay. What `fn` fails with ends it; ERR_NOMEM.
 */
typedef enum err jsonx_leaf_fn(void *ctx, struct json_object *leaf, struct json_object **ret);
enum err jsonx_map(struct json_object *root, jsonx_leaf_fn *fn, void *ctx,
                   struct json_object **ret);

#endif
