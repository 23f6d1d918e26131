/*
 * object_class.h - the one table of what Connect's webhooks are about.
 *
 * Six object classes, seventeen webhook types, the twenty-two valid pairs of them, the
 * eighteen names that Connect's user interface gives to these pairs, and per class, side and
 * state the verbs that Connect allows. Nothing else in the tree lists any of these.
 */
#ifndef EVENT_OBJECT_CLASS_H
#define EVENT_OBJECT_CLASS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* In the order in which the official processors work: what others wait for comes first. */
#define OBJECT_CLASS_LIST(X)                              \
    X(CLASS_TIER_CONFIG_REQUEST, "tier_config_request")   \
    X(CLASS_FULFILLMENT_REQUEST, "fulfillment_request")   \
    X(CLASS_TIER_ACCOUNT_REQUEST, "tier_account_request") \
    X(CLASS_LISTING_REQUEST, "listing_request")           \
    X(CLASS_BILLING_REQUEST, "billing_request")           \
    X(CLASS_USAGE_FILE, "usage_file")

enum object_class {
#define X(code, name) code,
    OBJECT_CLASS_LIST(X)
#undef X
        CLASS__COUNT
};

#define WEBHOOK_TYPE_LIST(X)                                             \
    X(TYPE_EVENT, "event")                                               \
    X(TYPE_VALIDATOR, "validator")                                       \
    X(TYPE_INQUIRING_VALIDATOR, "inquiring_validator")                   \
    X(TYPE_CHANGE_VALIDATOR, "change_validator")                         \
    X(TYPE_CHANGE_INQUIRING_VALIDATOR, "change_inquiring_validator")     \
    X(TYPE_RENEW_VALIDATOR, "renew_validator")                           \
    X(TYPE_RENEW_INQUIRING_VALIDATOR, "renew_inquiring_validator")       \
    X(TYPE_TRANSFER_VALIDATOR, "transfer_validator")                     \
    X(TYPE_TRANSFER_INQUIRING_VALIDATOR, "transfer_inquiring_validator") \
    X(TYPE_DRAFT_TCR_T1_VAL, "draft_tcr_t1_val")                         \
    X(TYPE_DRAFT_TCR_T2_VAL, "draft_tcr_t2_val")                         \
    X(TYPE_TCR_SETUP_T1_INQ_VAL, "tcr_setup_t1_inq_val")                 \
    X(TYPE_TCR_SETUP_T2_INQ_VAL, "tcr_setup_t2_inq_val")                 \
    X(TYPE_TCR_UPDATE_T1_VALIDATOR, "tcr_update_t1_validator")           \
    X(TYPE_TCR_UPDATE_T2_VALIDATOR, "tcr_update_t2_validator")           \
    X(TYPE_TCR_UPDATE_T1_INQ_VAL, "tcr_update_t1_inq_val")               \
    X(TYPE_TCR_UPDATE_T2_INQ_VAL, "tcr_update_t2_inq_val")

enum webhook_type {
#define X(code, name) code,
    WEBHOOK_TYPE_LIST(X)
#undef X
        TYPE__COUNT
};

/* On which side of the product the account stands: "VA-..." or "PA-...". */
enum side { SIDE_VENDOR, SIDE_DISTRIBUTOR };

const char *object_class_name(enum object_class c); /* "usage_file"; static */
/* Takes singular and plural: both are sent in the wild. ERR_INVALID for other words. */
enum err object_class_parse(const char *name, enum object_class *ret);

const char *webhook_type_name(enum webhook_type t); /* "validator"; static */
enum err webhook_type_parse(const char *name, enum webhook_type *ret);

/* The twenty-two pairs. */
bool webhook_pair_valid(enum object_class c, enum webhook_type t);
/* The name in Connect's user interface, "Tier Account Request Queue Changes"; NULL for pairs
 * that it does not offer. Static. */
const char *webhook_pair_title(enum object_class c, enum webhook_type t);

/* By the account's prefix. ERR_INVALID if it is neither a vendor's nor a distributor's. */
enum err side_of_account(const char *account_id, enum side *ret);
const char *side_name(enum side s); /* "vendor"; static */

/* The JSON member that holds an object's state: "status", or "state" for listing requests; NULL
 * for billing requests, which have none. Static. */
const char *object_class_state_key(enum object_class c);

/* The states that are pending work for this side, NULL-terminated; an empty list if none. */
const char *const *object_class_pending(enum object_class c, enum side s);

/*
 * The verbs that this side may use in this state, NULL-terminated; an empty list if none.
 * Compares the state without regard to case: old usage files say READY.
 */
const char *const *object_class_verbs(enum object_class c, enum side s, const char *state);
/* Is `verb` one of the class's verbs at all, for any side and state? */
bool object_class_has_verb(enum object_class c, const char *verb);

#define OBJECT_ID_MAX 65 /* bytes of an id, with the NUL */

/* Does `id` look like one of Connect's, [A-Z]{2,4}(-[0-9A-Za-z_]+)+, at most 64 characters? Only
 * such ids ever enter a path of the API. */
bool object_id_valid(const char *id);

#endif
