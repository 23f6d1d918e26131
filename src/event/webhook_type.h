/*
 * webhook_type.h - the seventeen types of Connect's webhooks: events, and sixteen validations.
 *
 * Which class has which of them is the class's to say (event/object_class.h).
 */
#ifndef EVENT_WEBHOOK_TYPE_H
#define EVENT_WEBHOOK_TYPE_H

#include "base/err.h"

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

const char *webhook_type_name(enum webhook_type t); /* "validator"; static */
enum err webhook_type_parse(const char *name, enum webhook_type *ret);

#endif
