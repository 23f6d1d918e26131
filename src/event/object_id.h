/*
 * object_id.h - Connect's ids: "PR-6990-1715-4162-001", "VA-240-990".
 */
#ifndef EVENT_OBJECT_ID_H
#define EVENT_OBJECT_ID_H

#include <stdbool.h>

#include "base/err.h"

#define OBJECT_ID_MAX 65 /* bytes of an id, with the NUL */

/* Does `id` look like one of Connect's, [A-Z]{2,4}(-[0-9A-Za-z_]+)+, at most 64 characters? Only
 * such ids ever enter a path of the API. */
bool object_id_valid(const char *id);

/* On which side of the product an account stands: "VA-..." or "PA-...". */
enum side { SIDE_VENDOR, SIDE_DISTRIBUTOR, SIDE__COUNT };

const char *side_name(enum side s); /* "vendor"; static */
/* By the account's prefix. ERR_INVALID if it is neither a vendor's nor a distributor's. */
enum err side_of_account(const char *account_id, enum side *ret);

#endif
