/*
 * signing.h - play Connect's part: the options, the key and the claims that `token` and `send`
 * share.
 *
 * A secret comes from a file, from the environment or from the configuration, never from the
 * command line, which every user of the machine can read.
 */
#ifndef CMD_SIGNING_H
#define CMD_SIGNING_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "auth/jwt.h"
#include "base/err.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "conf/conf.h"

#define SIGNING_TIMEOUT  600           /* s: Connect's `processing_timeout`, and a token's life */
#define SIGNING_JSON_MAX (1024 * 1024) /* bytes of a file of claims */

/* Where the secret is. For `struct signing` in the options' struct of a command. */
#define SIGNING_SECRET_OPTIONS(type, member)                                    \
    CMD_TEXT("config", 'c', type, member.config),                               \
        CMD_TAKE("secret-file", type, member.source, signing_take_secret_file), \
        CMD_TAKE("secret-env", type, member.source, signing_take_secret_env)
/* What is signed. */
#define SIGNING_CLAIM_OPTIONS(type, member)                    \
    CMD_TEXT("webhook", 0, type, member.webhook),              \
        CMD_TAKE("type", type, member, signing_take_type),     \
        CMD_TAKE("claim", type, member, signing_take_claim),   \
        CMD_TAKE("claims", type, member, signing_take_claims), \
        CMD_TAKE("expires-in", type, member.expires_in, signing_take_expires_in)

#define SIGNING_SECRET_HELP                                                         \
    "  -c, --config FILE    the configuration (default: as the handler finds it)\n" \
    "  --secret-file FILE   take the secret from FILE instead\n"                    \
    "  --secret-env NAME    take the secret from the environment variable NAME instead\n"
#define SIGNING_CLAIM_HELP                                                       \
    "  --webhook ID         the webhook; not needed if only one is configured\n" \
    "  --type TYPE          the webhook is of this type, e.g. validator\n"       \
    "  --claim NAME=VALUE   set a claim; VALUE is JSON, or else a string\n"      \
    "  --claims FILE        set the claims of a JSON object\n"                   \
    "  --expires-in S       seconds that the token lives (600; negative: has expired)\n"

struct signing {
    const char *config;          /* -c; borrowed from the command line like all of them */
    const char *webhook;         /* --webhook */
    enum webhook_type type;      /* --type; TYPE__COUNT: not given */
    struct secret_source source; /* --secret-file or --secret-env; no name: the configuration's */
    int64_t expires_in;
    struct json_object *given; /* claims set by --claim and --claims; owned, NULL if none */

    /* After signing_open(): */
    struct conf *conf;               /* NULL if it was not needed; owned */
    const struct conf_webhook *hook; /* NULL without a configuration */
    struct jwt_key *key;             /* owned */
};

/* Nothing given yet. */
#define SIGNING_DEFAULTS                                   \
    {                                                      \
        .type = TYPE__COUNT, .expires_in = SIGNING_TIMEOUT \
    }

/* Options, for tables (cmd.h). What each gets is in the tables above. */
enum err signing_take_secret_file(void *at, const char *value, struct why *why);
enum err signing_take_secret_env(void *at, const char *value, struct why *why);
enum err signing_take_type(void *at, const char *value, struct why *why);
enum err signing_take_claim(void *at, const char *value, struct why *why);
enum err signing_take_claims(void *at, const char *value, struct why *why);
enum err signing_take_expires_in(void *at, const char *value, struct why *why);
/* A claim that is given; `value` is consumed. */
enum err signing_give(struct signing *s, const char *name, struct json_object *value);

/* Is it a validator, as far as --type says? */
bool signing_is_validation(const struct signing *s);

/* Load what the options name: the configuration, the webhook, the secret. */
enum err signing_open(struct signing *s, struct why *why);
void signing_free(struct signing *s);

/* A key from the file or the variable that was named. *ret is owned: jwt_key_free(). */
enum err signing_load_key(const struct secret_source *source, struct jwt_key **ret,
                          struct why *why);

/* Claims as Connect makes them, and over these the given ones. *ret is owned. */
enum err signing_claims(const struct signing *s, struct json_object **ret, struct why *why);

#endif
