/* tier_account_request.c - changes of a customer's or reseller's data, for the vendor to take over.
 */
#include "event/object_class.h"

static const struct object_verb verbs[] = {
    {.name = "accept",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"accepted"},
     .bare = true},
    {.name = "ignore",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"ignored"},
     .fields = {{.name = "reason", .max = 255}}},
    {0},
};

const struct object_class class_tier_account_request = {
    .name = "tier_account_request",
    .list = "/tier/account-requests",
    .state = "status",
    .product = "product.id",
    .created = "events.created.at",
    .pending = {[SIDE_VENDOR] = {"pending"}},
    .verbs = verbs,
    .webhooks = {[TYPE_EVENT] = {.name = "Tier Account Request Queue Changes"}},
};
