/*
 * billing_request.c - what is to be billed for a subscription's period.
 *
 * They are made once and have neither a state nor a verb of their own: all that can be done is to
 * note something at one. A vendor does not see a provider's; that is Connect's to know.
 */
#include "event/object_class.h"

static const struct object_verb verbs[] = {
    {.name = "annotate",
     .from = {[SIDE_VENDOR] = {""}, [SIDE_DISTRIBUTOR] = {""}},
     .lands = "attributes",
     .fields = {{.name = "attributes", .place = PLACE_WHOLE, .needed = true}},
     .put = "attributes"},
    {0},
};

const struct object_class class_billing_request = {
    .name = "billing_request",
    .list = "/subscriptions/requests",
    .product = "asset.product.id",
    .created = "events.created.at",
    .verbs = verbs,
    .webhooks = {[TYPE_EVENT] = {.name = "Subscription Billing Request Queue Changes"}},
};
