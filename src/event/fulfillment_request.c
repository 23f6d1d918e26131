/*
 * fulfillment_request.c - requests for subscriptions: purchase, change, cancel and the others.
 *
 * The verbs are the same for all types of requests. What they mean for the subscription differs
 * (approving a cancellation ends it), and is Connect's to know.
 */
#include "event/object_class.h"

static const struct object_verb verbs[] = {
    {.name = "approve",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"approved"},
     .fields = {{.name = "template", .place = PLACE_NOWHERE},
                {.name = "template_id"},
                {.name = "activation_tile"},
                {.name = "effective_date"}},
     .template_type = "fulfillment",
     .template_needed = true},
    {.name = "fail",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"failed"},
     .fields = {{.name = "reason", .needed = true}}},
    {.name = "inquire",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"inquiring"},
     .fields = {{.name = "template", .place = PLACE_NOWHERE},
                {.name = "template_id"},
                {.name = "activation_tile"}},
     .template_type = "inquire"},
    {.name = "pend",
     .from = {[SIDE_VENDOR] = {"inquiring"}, [SIDE_DISTRIBUTOR] = {"inquiring"}},
     .leads_to = {"pending"},
     .bare = true},
    {.name = "schedule",
     .from = {[SIDE_VENDOR] = {"pending"}},
     .leads_to = {"scheduled"},
     .fields = {{.name = "planned_date", .needed = true}}},
    {.name = "revoke",
     .from = {[SIDE_DISTRIBUTOR] = {"scheduled"}},
     .leads_to = {"revoking", "revoked"},
     .fields = {{.name = "reason"}}},
    {.name = "confirm", .from = {[SIDE_VENDOR] = {"revoking"}}, .leads_to = {"revoked"}},
    {0},
};

const struct object_class class_fulfillment_request = {
    .name = "fulfillment_request",
    .list = "/requests",
    .state = "status",
    .product = "asset.product.id",
    .created = "created",
    .params = "asset.params",
    .template_scope = "asset",
    .document = "asset",
    .pending = {[SIDE_VENDOR] = {"pending", "revoking"}},
    .verbs = verbs,
    .webhooks =
        {
            [TYPE_EVENT] = {.name = "Subscription Fulfillment Requests Queue Changes"},
            [TYPE_VALIDATOR] = {"Subscription Purchase Request Draft Validation", "purchase",
                                "draft", NULL},
            [TYPE_INQUIRING_VALIDATOR] = {"Subscription Purchase Request Inquiring Validation",
                                          "purchase", "inquiring", NULL},
            [TYPE_CHANGE_VALIDATOR] = {"Subscription Change Request Draft Validation", "change",
                                       "draft", NULL},
            [TYPE_CHANGE_INQUIRING_VALIDATOR] = {"Subscription Change Request Inquiring Validation",
                                                 "change", "inquiring", NULL},
            [TYPE_RENEW_VALIDATOR] = {"", "renew", "draft", NULL},
            [TYPE_RENEW_INQUIRING_VALIDATOR] = {"", "renew", "inquiring", NULL},
            [TYPE_TRANSFER_VALIDATOR] = {"", "transfer", "draft", NULL},
            [TYPE_TRANSFER_INQUIRING_VALIDATOR] = {"", "transfer", "inquiring", NULL},
        },
    .volatile_members = {"params_form_url"},
};
