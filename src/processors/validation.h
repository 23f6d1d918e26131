/*
 * validation.h - the document of a form: as it came, and as it goes back.
 */
#ifndef PROCESSORS_VALIDATION_H
#define PROCESSORS_VALIDATION_H

#include <stddef.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"
#include "event/object_class.h"

/* The document of a form, twice. */
struct validation {
    const char *text; /* as it came; borrowed */
    size_t len;
    struct json_object *root; /* the same as a tree; owned */
};

/*
 * Read what was sent to a validator of this class. What it says of itself is not checked against
 * the type of the validator: Connect lets an order through that is not answered. As jsonx_parse(),
 * or ERR_TYPE: it is no document of the class.
 */
enum err validation_read(const char *text, size_t len, const struct object_class *c,
                         struct validation *ret, struct why *why);
void validation_free(struct validation *d);

/*
 * Append the document, in which is changed what `changes` (another document of the class, of which
 * most may be missing; NULL: nothing) say otherwise, and nothing else: every other byte is as it
 * came. Elements of lists are found by their ids; none is added. A member that is not there is,
 * unless it would say nothing. b->err.
 */
enum err validation_print(struct buf *b, const struct validation *d, struct json_object *changes);

/* How many parameters have an error in `changes`. */
size_t validation_errors(const struct object_class *c, const struct json_object *changes);

#endif
