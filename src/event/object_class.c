/* object_class.c - the one table of what Connect's webhooks are about. */
#include "event/object_class.h"

#include <string.h>
#include <strings.h>

#define STATES_MAX 2 /* that are pending work for one side */
#define VERBS_MAX  4 /* for one side in one state */

/* ------------------------------------------------------------------------- tables */

static const char *const class_names[CLASS__COUNT] = {
#define X(code, name) [code] = name,
    OBJECT_CLASS_LIST(X)
#undef X
};

static const char *const type_names[TYPE__COUNT] = {
#define X(code, name) [code] = name,
    WEBHOOK_TYPE_LIST(X)
#undef X
};

/* The pairs, each under the name that Connect's user interface has for it. */
static const struct pair {
    enum object_class object_class;
    enum webhook_type type;
    const char *title; /* NULL: exists, but the interface does not offer it */
} pairs[] = {
    {CLASS_LISTING_REQUEST, TYPE_EVENT, "Listing Request"},
    {CLASS_BILLING_REQUEST, TYPE_EVENT, "Subscription Billing Request Queue Changes"},
    {CLASS_FULFILLMENT_REQUEST, TYPE_EVENT, "Subscription Fulfillment Requests Queue Changes"},
    {CLASS_TIER_ACCOUNT_REQUEST, TYPE_EVENT, "Tier Account Request Queue Changes"},
    {CLASS_TIER_CONFIG_REQUEST, TYPE_EVENT, "Tier Configuration Request Queue Changes"},
    {CLASS_USAGE_FILE, TYPE_EVENT, "Usage File, Queue Changes"},

    {CLASS_FULFILLMENT_REQUEST, TYPE_VALIDATOR, "Subscription Purchase Request Draft Validation"},
    {CLASS_FULFILLMENT_REQUEST, TYPE_INQUIRING_VALIDATOR,
     "Subscription Purchase Request Inquiring Validation"},
    {CLASS_FULFILLMENT_REQUEST, TYPE_CHANGE_VALIDATOR,
     "Subscription Change Request Draft Validation"},
    {CLASS_FULFILLMENT_REQUEST, TYPE_CHANGE_INQUIRING_VALIDATOR,
     "Subscription Change Request Inquiring Validation"},
    {CLASS_FULFILLMENT_REQUEST, TYPE_RENEW_VALIDATOR, NULL},
    {CLASS_FULFILLMENT_REQUEST, TYPE_RENEW_INQUIRING_VALIDATOR, NULL},
    {CLASS_FULFILLMENT_REQUEST, TYPE_TRANSFER_VALIDATOR, NULL},
    {CLASS_FULFILLMENT_REQUEST, TYPE_TRANSFER_INQUIRING_VALIDATOR, NULL},

    {CLASS_TIER_CONFIG_REQUEST, TYPE_DRAFT_TCR_T1_VAL,
     "Tier 1 Config Setup Request Draft validation"},
    {CLASS_TIER_CONFIG_REQUEST, TYPE_DRAFT_TCR_T2_VAL,
     "Tier 2 Config Setup Request Draft validation"},
    {CLASS_TIER_CONFIG_REQUEST, TYPE_TCR_SETUP_T1_INQ_VAL,
     "Tier 1 Config Setup Request Inquiring Validation"},
    {CLASS_TIER_CONFIG_REQUEST, TYPE_TCR_SETUP_T2_INQ_VAL,
     "Tier 2 Config Setup Request Inquiring Validation"},
    {CLASS_TIER_CONFIG_REQUEST, TYPE_TCR_UPDATE_T1_VALIDATOR,
     "Tier 1 Config Update Request Draft Validation"},
    {CLASS_TIER_CONFIG_REQUEST, TYPE_TCR_UPDATE_T2_VALIDATOR,
     "Tier 2 Config Update Request Draft Validation"},
    {CLASS_TIER_CONFIG_REQUEST, TYPE_TCR_UPDATE_T1_INQ_VAL,
     "Tier 1 Config Update Request Inquiring Validation"},
    {CLASS_TIER_CONFIG_REQUEST, TYPE_TCR_UPDATE_T2_INQ_VAL,
     "Tier 2 Config Update Request Inquiring Validation"},
};
#define PAIRS (sizeof pairs / sizeof *pairs)

static const char *const state_keys[CLASS__COUNT] = {
    [CLASS_TIER_CONFIG_REQUEST] = "status",
    [CLASS_FULFILLMENT_REQUEST] = "status",
    [CLASS_TIER_ACCOUNT_REQUEST] = "status",
    [CLASS_LISTING_REQUEST] = "state", /* its `status` is the listing's */
    [CLASS_BILLING_REQUEST] = NULL,
    [CLASS_USAGE_FILE] = "status",
};

/* What waits for whom. A processed usage file is `ready`; newer documents call it `uploaded`. */
static const char *const pending[CLASS__COUNT][2][STATES_MAX + 1] = {
    [CLASS_TIER_CONFIG_REQUEST][SIDE_VENDOR] = {"pending"},
    [CLASS_FULFILLMENT_REQUEST][SIDE_VENDOR] = {"pending", "revoking"},
    [CLASS_TIER_ACCOUNT_REQUEST][SIDE_VENDOR] = {"pending"},
    [CLASS_LISTING_REQUEST][SIDE_DISTRIBUTOR] = {"reviewing", "deploying"},
    [CLASS_USAGE_FILE][SIDE_VENDOR] = {"ready", "uploaded"},
    [CLASS_USAGE_FILE][SIDE_DISTRIBUTOR] = {"pending", "accepted"},
};

/* Who may do what in which state; a state without a row allows nothing. */
static const struct turn {
    enum object_class object_class;
    enum side side;
    const char *state; /* "" for a class whose objects have none */
    const char *verbs[VERBS_MAX + 1];
} turns[] = {
    {CLASS_TIER_CONFIG_REQUEST, SIDE_VENDOR, "pending", {"approve", "fail", "inquire"}},
    {CLASS_TIER_CONFIG_REQUEST, SIDE_VENDOR, "inquiring", {"pend"}},
    {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "pending", {"approve", "fail", "inquire", "schedule"}},
    {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "inquiring", {"pend"}},
    {CLASS_FULFILLMENT_REQUEST, SIDE_VENDOR, "revoking", {"confirm"}},
    {CLASS_FULFILLMENT_REQUEST, SIDE_DISTRIBUTOR, "inquiring", {"pend"}},
    {CLASS_FULFILLMENT_REQUEST, SIDE_DISTRIBUTOR, "scheduled", {"revoke"}},
    {CLASS_TIER_ACCOUNT_REQUEST, SIDE_VENDOR, "pending", {"accept", "ignore"}},
    {CLASS_LISTING_REQUEST, SIDE_DISTRIBUTOR, "reviewing", {"deploy", "refine", "cancel"}},
    {CLASS_LISTING_REQUEST, SIDE_DISTRIBUTOR, "deploying", {"complete", "cancel"}},
    {CLASS_BILLING_REQUEST, SIDE_VENDOR, "", {"annotate"}},
    {CLASS_BILLING_REQUEST, SIDE_DISTRIBUTOR, "", {"annotate"}},
    {CLASS_USAGE_FILE, SIDE_VENDOR, "ready", {"submit", "delete", "reprocess"}},
    {CLASS_USAGE_FILE, SIDE_VENDOR, "uploaded", {"submit", "delete", "reprocess"}},
    {CLASS_USAGE_FILE, SIDE_DISTRIBUTOR, "pending", {"accept", "reject"}},
    {CLASS_USAGE_FILE, SIDE_DISTRIBUTOR, "accepted", {"close"}},
};
#define TURNS (sizeof turns / sizeof *turns)

static const char *const nothing[] = {NULL};

/* -------------------------------------------------------------- classes and types */

const char *object_class_name(enum object_class c)
{
    return (unsigned)c < CLASS__COUNT ? class_names[c] : "unknown";
}

enum err object_class_parse(const char *name, enum object_class *ret)
{
    for (unsigned c = 0; c < CLASS__COUNT; c++) {
        size_t n = strlen(class_names[c]);
        if (strncmp(name, class_names[c], n) != 0)
            continue;
        if (name[n] != '\0' && strcmp(name + n, "s") != 0)
            continue;
        *ret = (enum object_class)c;
        return ERR_OK;
    }
    return ERR_INVALID;
}

const char *webhook_type_name(enum webhook_type t)
{
    return (unsigned)t < TYPE__COUNT ? type_names[t] : "unknown";
}

enum err webhook_type_parse(const char *name, enum webhook_type *ret)
{
    for (unsigned t = 0; t < TYPE__COUNT; t++)
        if (strcmp(name, type_names[t]) == 0) {
            *ret = (enum webhook_type)t;
            return ERR_OK;
        }
    return ERR_INVALID;
}

static const struct pair *find_pair(enum object_class c, enum webhook_type t)
{
    for (size_t i = 0; i < PAIRS; i++)
        if (pairs[i].object_class == c && pairs[i].type == t)
            return &pairs[i];
    return NULL;
}

bool webhook_pair_valid(enum object_class c, enum webhook_type t)
{
    return find_pair(c, t) != NULL;
}

const char *webhook_pair_title(enum object_class c, enum webhook_type t)
{
    const struct pair *p = find_pair(c, t);
    return p != NULL ? p->title : NULL;
}

/* ---------------------------------------------------------------- sides and states */

enum err side_of_account(const char *account_id, enum side *ret)
{
    if (!object_id_valid(account_id))
        return ERR_INVALID;
    if (strncmp(account_id, "VA-", 3) == 0)
        *ret = SIDE_VENDOR;
    else if (strncmp(account_id, "PA-", 3) == 0)
        *ret = SIDE_DISTRIBUTOR;
    else
        return ERR_INVALID;
    return ERR_OK;
}

const char *side_name(enum side s)
{
    return s == SIDE_VENDOR ? "vendor" : "distributor";
}

const char *object_class_state_key(enum object_class c)
{
    return (unsigned)c < CLASS__COUNT ? state_keys[c] : NULL;
}

const char *const *object_class_pending(enum object_class c, enum side s)
{
    return (unsigned)c < CLASS__COUNT ? pending[c][s] : nothing;
}

const char *const *object_class_verbs(enum object_class c, enum side s, const char *state)
{
    for (size_t i = 0; i < TURNS; i++)
        if (turns[i].object_class == c && turns[i].side == s &&
            strcasecmp(turns[i].state, state) == 0)
            return turns[i].verbs;
    return nothing;
}

bool object_class_has_verb(enum object_class c, const char *verb)
{
    for (size_t i = 0; i < TURNS; i++)
        for (size_t v = 0; turns[i].object_class == c && turns[i].verbs[v] != NULL; v++)
            if (strcmp(turns[i].verbs[v], verb) == 0)
                return true;
    return false;
}

/* ---------------------------------------------------------------------------- ids */

bool object_id_valid(const char *id)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t prefix = strspn(id, capitals);
    const char *at = id + prefix;
    if (prefix < 2 || prefix > 4 || *at != '-' || strnlen(id, OBJECT_ID_MAX) == OBJECT_ID_MAX)
        return false;
    while (*at == '-') {
        size_t n = strspn(at + 1, word);
        if (n == 0)
            return false;
        at += 1 + n;
    }
    return *at == '\0';
}
