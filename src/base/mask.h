/*
 * mask.h - values that nobody must see, hidden in whatever text they turn up.
 *
 * A value is found as it is, and with backslashes as JSON has them, however often it was escaped.
 * Texts get cut: so the beginning of a value is hidden, too, a short one at the end of a text (or
 * before an ellipsis), a longer one anywhere. A value so short that it may be part of any word is
 * hidden where it stands alone.
 */
#ifndef BASE_MASK_H
#define BASE_MASK_H

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include "base/err.h"

#define MASK_TEXT  "********"
#define MASK_PART  6 /* characters: the beginning of a value that is hidden anywhere */
#define MASK_CUT   3 /* characters: the same, where the text is cut */
#define MASK_ALONE 3 /* characters: a value up to this is hidden only where it stands alone */

/* The values; zeroed, none. */
struct mask {
    const char **values; /* borrowed, UTF-8 */
    size_t count, cap;
};

/* Add a value, which outlives the mask; an empty one is none. ERR_NOMEM. */
enum err mask_add(struct mask *m, const char *value);
void mask_free(struct mask *m);
/* Add copies of another's values, of those that it has not: a mask of its own, that no mask_add()
 * adds to. It is freed by mask_free_kept(), and then has none. ERR_NOMEM. */
enum err mask_keep(struct mask *m, const struct mask *from);
void mask_free_kept(struct mask *m);

/* Hide the values in a text that has room for `size` bytes with its NUL; it is cut where it gets
 * longer than that. ERR_NOMEM leaves an empty text. */
enum err mask_text(const struct mask *m, char *text, size_t size);

/* A copy of `json` in whose texts and numbers the values are hidden; owned. ERR_NOMEM. */
enum err mask_json(struct mask *m, struct json_object *json, struct json_object **ret);

#endif
