/*
 * object_class.h - what Connect's queues hold: everything that is particular to a class of objects.
 *
 * A class is data: event/<class>.c defines `class_<class>`, and OBJECT_CLASS_LIST names it. To
 * work on one more class, nothing else has to be written: lists, questions, decisions, what is
 * sent for them and how it is known that it has been done all follow from what stands there.
 *
 * Paths are members of members, "asset.product.id". States compare without regard to case, for
 * old usage files say READY.
 */
#ifndef EVENT_OBJECT_CLASS_H
#define EVENT_OBJECT_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "event/object_id.h"
#include "event/webhook_type.h"

/* In the order in which the official processors work: what others wait for comes first. */
#define OBJECT_CLASS_LIST(X) \
    X(tier_config_request)   \
    X(fulfillment_request)   \
    X(tier_account_request)  \
    X(listing_request)       \
    X(billing_request)       \
    X(usage_file)

#define CLASS_STATES_MAX    2 /* that are pending work, that a verb starts from, or leads to */
#define CLASS_FIELDS_MAX    4 /* of a decision for one verb */
#define CLASS_FREES_MAX     2
#define CLASS_VOLATILES_MAX 4
#define CLASS_SCOPE_MAX     16 /* bytes of a template's scope, with the NUL */

/* What an object that is no longer there counts as. */
#define STATE_GONE "deleted"

/* Ends with a NULL. */
typedef const char *class_states[CLASS_STATES_MAX + 1];

/* A field that a decision may have beside its action. */
struct verb_field {
    const char *name;  /* one of policy/decision.c's */
    const char *place; /* the path in what is sent; NULL: under its own name */
    bool needed;
    size_t max; /* characters that Connect takes, the rest is cut; 0: not known */
};
#define PLACE_NOWHERE ""  /* not sent itself: it says which template is */
#define PLACE_WHOLE   "." /* it is what is sent */

/* What can be done to an object: the action of a decision, and a call of the API. */
struct object_verb {
    const char *name;
    class_states from[SIDE__COUNT]; /* in which that side may use it; "" where there are none */
    class_states leads_to;          /* in which it has been done; the first is the usual one */
    const char *lands;              /* without a state: the path at which an object holds what was
                                       sent once it has been done */
    struct verb_field fields[CLASS_FIELDS_MAX + 1];
    const char *put; /* PUT .../{put}; NULL: POST .../{name} */
    bool bare;       /* nothing is sent with it, not even {} */
    /* A template that is sent as `template_id`, if the decision gives neither that nor a tile. */
    bool template_needed;
    const char *template_type; /* "fulfillment"; NULL: none */
};

/* A type of webhooks that there is for a class. */
struct class_webhook {
    const char *name; /* that Connect's user interface has for it; "" where it offers none; NULL:
                         there is no such type for the class */
    /* Of a validation: what its documents are. NULL: whatever they are. */
    const char *type;  /* "purchase" */
    const char *state; /* "draft" */
    const char *tier;  /* "1" */
};

struct object_class {
    const char *name;    /* "fulfillment_request" */
    const char *list;    /* "/requests"; an object's own path is this and its id */
    const char *state;   /* the path and the filter of an object's state. NULL: they have none, and
                            what has not been seen before is what is pending */
    const char *product; /* ... of the product it belongs to; NULL: they belong to none */
    const char *created; /* ... of the time by which lists are ordered */
    const char *first;   /* what they are ordered by before that, "-configuration.tier_level"; NULL:
                            nothing */
    const char *params;  /* the path of parameters, in an object and in a PUT; NULL: no such */
    size_t params_max;   /* of one PUT; 0: any number */
    const char *tier;    /* the path of the number of the tier that it is about; NULL: of none */
    const char *template_scope; /* "asset": of templates for its verbs; the tier's number follows */
    const char *document; /* the member, an object, by which a document to validate is known; NULL:
                             there are no validations */
    class_states pending[SIDE__COUNT]; /* what waits for that side */
    const struct object_verb *verbs;   /* ends with a NULL name */
    /* Classes of which more may be pending once one of these objects has been decided, in the order
     * in which they are looked at; ends with a NULL. */
    const struct object_class *frees[CLASS_FREES_MAX + 1];
    struct class_webhook webhooks[TYPE__COUNT]; /* the types of webhooks there are for it */
    /* Members that change though nothing has happened, as links do that expire; ends with a NULL.
     */
    const char *volatile_members[CLASS_VOLATILES_MAX + 1];
};

#define X(name) extern const struct object_class class_##name;
OBJECT_CLASS_LIST(X)
#undef X

/* All of them, in that order; ends with a NULL. */
extern const struct object_class *const object_classes[];

/* The literal "tier_config_request, ..., usage_file, ": for people, and to be gone on with. */
#define OBJECT_CLASS_WORD(name) #name ", "
#define OBJECT_CLASS_WORDS      OBJECT_CLASS_LIST(OBJECT_CLASS_WORD)

/* Takes singular and plural: both are sent in the wild. NULL for other words. */
const struct object_class *object_class_find(const char *name);

/* NULL if the class has no such verb. */
const struct object_verb *object_verb_find(const struct object_class *c, const char *name);
/* May this side use it in this state ("" where objects have none)? */
bool object_verb_allowed(const struct object_verb *v, enum side s, const char *state);
/* Is this a state in which it has been done? */
bool object_verb_done(const struct object_verb *v, const char *state);

/* Is `state` in this NULL-terminated list? */
bool state_is_among(const char *const *states, const char *state);

/* Of an object of the class, borrowed: its state ("" if it has none), and its product and its
 * parameters (an array), NULL if it does not say. */
const char *object_state(const struct object_class *c, const struct json_object *object);
const char *object_product(const struct object_class *c, const struct json_object *object);
struct json_object *object_params(const struct object_class *c, const struct json_object *object);
/* The scope of templates for it: "asset", "tier2". False if it does not say. */
bool object_template_scope(const struct object_class *c, const struct json_object *object,
                           char ret[CLASS_SCOPE_MAX]);
/* When it was made, in microseconds since the epoch. False if it does not say. */
bool object_created(const struct object_class *c, const struct json_object *object,
                    int64_t *ret_us);

/*
 * Documents to validate are objects in the making, of which anything may be missing. Is this one of
 * the class?
 */
bool object_is_document(const struct object_class *c, const struct json_object *document);
/* Is it what validations of this type are for, as far as it says? ERR_TYPE: `why` says what it is.
 */
enum err object_suits(const struct object_class *c, enum webhook_type t,
                      const struct json_object *document, struct why *why);
/* The type of validations that it is for; TYPE__COUNT: none. */
enum webhook_type object_validator(const struct object_class *c,
                                   const struct json_object *document);

#endif
