/* billing_request.c - what is to be billed for a subscription's period: made once, without a state.
 */
#include "event/object_class.h"

static const struct object_verb verbs[] = {
    {.name = "annotate",
     .from = {[SIDE_VENDOR] = {""}, [SIDE_DISTRIBUTOR] = {""}},
     .fields = {{.name = "attributes", .place = PLACE_WHOLE, .needed = true}},
     .put = "attributes"},
    {0},
};

const struct object_class class_billing_request = {
    .name = "billing_request",
    .product = "asset.product.id",
    .created = "events.created.at",
    .verbs = verbs,
    .webhooks = {[TYPE_EVENT] = "Subscription Billing Request Queue Changes"},
};
