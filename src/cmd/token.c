/* token.c - make a token as Connect does, and say what is wrong with one. */
#include "cmd/cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/keyring.h"
#include "base/clk.h"
#include "base/jsonx.h"
#include "cmd/signing.h"
#include "cmd/table.h"
#include "event/event.h"
#include "web/hook.h"

struct options {
    struct signing signing;
    bool json; /* verify */
};

static int sign(const struct cmd *self, void *options, char **arguments);
static int verify(const struct cmd *self, void *options, char **arguments);
static void free_options(void *options);

const struct cmd cmd_token = {
    .name = "token",
    .summary = "sign a token as Connect does, or explain one",
    .help =
        "Usage: connect-webhook token sign [OPTION]...\n"
        "       connect-webhook token verify [OPTION]... [TOKEN|-]\n"
        "Make a webhook's token, or find out why one is refused. A token to verify is read\n"
        "from standard input unless it is given; 'Bearer' before it does not matter.\n"
        "\n"
        "Where the secret is:\n" SIGNING_SECRET_HELP "\n"
        "What to sign (the rest is filled in as Connect would):\n" SIGNING_CLAIM_HELP "\n"
        "What to show:\n"
        "  --json               verify: print one JSON object\n"
        "  --help               show this help\n"
        "\n"
        "Verify ends with 0 if the handler would accept the token, else with 1. It says, too, if\n"
        "the handler would then ignore it, as another class, product or account's business.\n"
        "\n"
        "Examples:\n"
        "  connect-webhook token sign --webhook WH-623-978-334\n"
        "  connect-webhook token sign --secret-file key --webhook WH-1 --claim data='{\"a\":1}'\n"
        "  connect-webhook token sign --webhook WH-1 --expires-in -300 | \\\n"
        "      connect-webhook token verify --json\n",
    .verbs =
        (const struct cmd_verb[]){
            {"sign",
             {.options =
                  (const struct cmd_option[]){
                      SIGNING_SECRET_OPTIONS(struct options, signing),
                      SIGNING_CLAIM_OPTIONS(struct options, signing),
                      {0},
                  },
              .defaults = &(const struct options){.signing = SIGNING_DEFAULTS},
              .size = sizeof(struct options),
              .run = sign,
              .free = free_options}},
            {"verify",
             {.options =
                  (const struct cmd_option[]){
                      SIGNING_SECRET_OPTIONS(struct options, signing),
                      CMD_FLAG("json", struct options, json),
                      {0},
                  },
              .size = sizeof(struct options),
              .arguments_max = 1,
              .run = verify,
              .free = free_options}},
            {0},
        },
};

/* ----- sign ----- */

static int print_token(const struct cmd *self, const struct signing *s)
{
    struct json_object *claims;
    struct why why;
    struct buf token;
    enum err e = signing_claims(s, &claims, &why);
    if (e != ERR_OK)
        return cmd_failed(self, "%s", why.text);
    buf_init(&token, JWT_LEN_MAX);
    e = jwt_sign(claims, s->key, &token);
    if (e == ERR_OK)
        puts(token.data);
    buf_free(&token);
    json_object_put(claims);
    return e == ERR_OK ? CMD_OK : cmd_failed(self, "the token: %s", err_text(e));
}

static int sign(const struct cmd *self, void *options, char **arguments)
{
    struct signing *s = &((struct options *)options)->signing;
    struct why why;
    (void)arguments;
    return signing_open(s, &why) == ERR_OK ? print_token(self, s)
                                           : cmd_failed(self, "%s", why.text);
}

/* ----- verify ----- */

/* In the order in which the handler takes them; each knows the errors that it ends with. */
static const struct step {
    const char *name;
    enum err errors[3];
} steps[] = {
    {"form", {ERR_TOKEN_FORM, ERR_TOO_BIG, ERR_TOKEN_MISSING}},
    {"algorithm", {ERR_TOKEN_ALG}},
    {"webhook", {ERR_TOKEN_UNKNOWN}},
    {"signature", {ERR_TOKEN_SIGNATURE}},
    {"claims", {ERR_TOKEN_CLAIMS}},
    {"expiry", {ERR_TOKEN_EXPIRED}},
};

#define STEPS_COUNT (sizeof steps / sizeof steps[0])

/* What there is to say about one token. */
struct findings {
    enum err err;
    struct why why;
    size_t step;        /* the one that failed, STEPS_COUNT if none did */
    struct buf payload; /* the text of its claims */
    struct jwt_parts parts;
    struct json_object *header; /* owned */
    bool parsed;
    bool keyed;                         /* one secret was named: no webhook was looked for */
    const struct conf_webhook *webhook; /* that was proven; borrowed from the configuration */
    size_t secret;                      /* which of its secrets, from 0 */
    size_t tried;                       /* how many secrets the signature was checked with */
    const char *ignored; /* why the handler would store it and do no more; NULL. Static */
};

static bool in_step(const struct step *step, enum err e)
{
    for (size_t i = 0; i < sizeof step->errors / sizeof step->errors[0]; i++)
        if (step->errors[i] == e)
            return true;
    return false;
}

/* Look at the claims, too, where the handler would have come so far or was late. */
static void check_claims(struct findings *f)
{
    struct event event;
    struct why why;
    if (f->err != ERR_OK && f->err != ERR_TOKEN_EXPIRED)
        return;
    enum err e = event_from_claims(f->parts.claims, &event, &why);
    if (e == ERR_OK) {
        f->ignored = f->webhook != NULL ? hook_ignores(&event, f->webhook) : NULL;
        event_free(&event);
    } else {
        f->err = e;
        f->why = why;
    }
}

static void check_with_key(struct findings *f, const struct jwt_key *key, int64_t now)
{
    f->keyed = true;
    f->tried = 1;
    f->err = jwt_check_signature(&f->parts, key);
    if (f->err == ERR_OK)
        f->err = jwt_check_times(f->parts.claims, now, &f->why);
    else
        why_set(&f->why, f->err, "not signed with this secret");
}

static void check_with_ring(struct findings *f, const char *token, size_t len,
                            const struct conf *conf, const struct keyring *ring, int64_t now)
{
    struct verified v;
    const struct conf_webhook *named = conf_webhook(conf,
                                                    jsonx_str(f->parts.claims, "webhook_id", ""));
    f->err = keyring_verify(ring, token, len, now, &f->payload, &v, &f->why);
    f->tried = named != NULL ? named->secrets_count : 0;
    if (f->err != ERR_OK)
        return;
    f->webhook = v.webhook;
    f->secret = v.secret;
    f->tried = v.secret + 1;
    json_object_put(v.claims);
}

/* Against one secret, or (NULL) against all that are configured. */
static void examine(struct findings *f, const char *token, size_t len, const struct signing *s,
                    const struct keyring *ring)
{
    int64_t now = clk_wall_s();
    buf_init(&f->payload, JWT_LEN_MAX);
    f->err = jwt_parse(token, len, &f->payload, &f->parts, &f->why);
    f->parsed = f->err == ERR_OK;
    if (f->parsed)
        f->header = jwt_header(&f->parts);
    if (f->parsed && ring == NULL)
        check_with_key(f, s->key, now);
    else if (f->parsed)
        check_with_ring(f, token, len, s->conf, ring, now);
    if (f->parsed)
        check_claims(f);
    while (f->step < STEPS_COUNT && (f->err == ERR_OK || !in_step(&steps[f->step], f->err)))
        f->step++;
}

static int print_json(const struct cmd *self, const struct findings *f)
{
    struct json_object *o = json_object_new_object();
    bool valid = f->err == ERR_OK;
    jsonx_add(o, "valid", json_object_new_boolean(valid));
    jsonx_add_text(o, "failed", valid ? NULL : steps[f->step].name);
    jsonx_add_text(o, "error", valid ? NULL : err_name(f->err));
    jsonx_add_text(o, "reason", valid ? NULL : f->why.text);
    jsonx_add_text(o, "ignored", valid ? f->ignored : NULL);
    jsonx_add_text(o, "webhook", f->webhook != NULL ? f->webhook->id : NULL);
    if (f->webhook != NULL)
        jsonx_add_int(o, "secret", (int64_t)f->secret + 1);
    jsonx_add_int(o, "secrets_tried", (int64_t)f->tried);
    jsonx_share(o, "header", f->header);
    jsonx_share(o, "claims", f->parts.claims);
    return cmd_print_json(self, o);
}

static void add_row(struct table *t, const char *step, const char *result, const char *detail)
{
    struct json_object *row = json_object_new_object();
    jsonx_add_text(row, "step", step);
    jsonx_add_text(row, "result", result);
    jsonx_add_text(row, "detail", detail);
    table_row(t, row);
}

/* What there is to say about the signature, right or wrong. */
static const char *which_secret(const struct findings *f, char ret[64])
{
    if (f->webhook != NULL)
        snprintf(ret, 64, "secret %zu of %zu", f->secret + 1, f->webhook->secrets_count);
    else
        snprintf(ret, 64, "%zu secret%s tried", f->tried, f->tried == 1 ? "" : "s");
    return ret;
}

static void add_step(struct table *t, const struct findings *f, size_t i)
{
    bool names = in_step(&steps[i], ERR_TOKEN_UNKNOWN);
    bool signs = in_step(&steps[i], ERR_TOKEN_SIGNATURE);
    const char *result = names && f->keyed ? "-"
                         : i < f->step     ? "ok"
                         : i == f->step    ? "FAILED"
                                           : "-";
    char secret[64], detail[WHY_MAX + sizeof secret] = "";
    if (i == f->step)
        snprintf(detail, sizeof detail, "%s%s%s", f->why.text, signs ? "; " : "",
                 signs ? which_secret(f, secret) : "");
    else if (names && f->webhook != NULL)
        snprintf(detail, sizeof detail, "%s", f->webhook->id);
    else if (signs && i < f->step)
        which_secret(f, detail);
    add_row(t, steps[i].name, result, detail[0] != '\0' ? detail : NULL);
}

static void print_steps(const struct findings *f)
{
    static const struct table_column columns[] = {
        {"step", "STEP"}, {"result", "RESULT"}, {"detail", "DETAIL"}, {0}};
    struct table *t;
    if (table_new(columns, false, stdout, &t) != ERR_OK)
        return;
    for (size_t i = 0; i < STEPS_COUNT; i++)
        add_step(t, f, i);
    if (f->err == ERR_OK && f->webhook != NULL)
        add_row(t, "business", f->ignored != NULL ? "IGNORED" : "ok", f->ignored);
    table_print(t);
    table_free(t);
}

static void print_members(const char *title, struct json_object *members)
{
    const struct table_column columns[] = {{"name", title}, {"value", "VALUE"}, {0}};
    struct json_object_iter it;
    struct table *t;
    if (members == NULL || table_new(columns, false, stdout, &t) != ERR_OK)
        return;
    json_object_object_foreachC(members, it)
    {
        struct json_object *row = json_object_new_object();
        jsonx_add_text(row, "name", it.key);
        if (it.val != NULL)
            jsonx_share(row, "value", it.val);
        else
            jsonx_add_text(row, "value", "null");
        table_row(t, row);
    }
    putchar('\n');
    table_print(t);
    table_free(t);
}

static int print_findings(const struct cmd *self, const struct findings *f, bool json)
{
    if (json)
        return print_json(self, f);
    /* Claims are only as good as the signature: the steps before and with it have passed. */
    bool proven = f->err == ERR_OK || f->err == ERR_TOKEN_EXPIRED || f->err == ERR_TOKEN_CLAIMS;
    print_steps(f);
    print_members("HEADER", f->header);
    print_members(proven ? "CLAIM" : "CLAIM (NOT PROVEN)", f->parts.claims);
    return CMD_OK;
}

/* The word of a pasted header's value, or of a line, that is the token. */
static void find_token(const char **token, size_t *len)
{
    static const char scheme[] = "Bearer ";
    const char *s = *token;
    while (isspace((unsigned char)*s))
        s++;
    if (strncasecmp(s, scheme, strlen(scheme)) == 0)
        s += strlen(scheme);
    while (isspace((unsigned char)*s))
        s++;
    *token = s;
    *len = strlen(s);
    while (*len > 0 && isspace((unsigned char)s[*len - 1]))
        --*len;
}

static int explain(const struct cmd *self, const char *token, struct signing *s, bool json)
{
    struct findings f = {0};
    struct keyring *ring = NULL;
    size_t len;
    enum err e;
    if (s->source.name != NULL) {
        e = signing_load_key(&s->source, &s->key, &f.why);
    } else {
        e = conf_load(conf_path(s->config), CONF_NO_API_KEYS, &s->conf, &f.why);
        if (e == ERR_OK)
            e = keyring_new(s->conf, &ring, &f.why);
    }
    if (e != ERR_OK)
        return cmd_failed(self, "%s", f.why.text);
    find_token(&token, &len);
    examine(&f, token, len, s, ring);
    int status = f.err != ERR_OK && f.step == STEPS_COUNT
                     ? cmd_failed(self, "%s", f.why.text) /* memory, not the token */
                     : print_findings(self, &f, json);
    if (f.parsed)
        jwt_parts_free(&f.parts);
    json_object_put(f.header);
    buf_free(&f.payload);
    keyring_free(ring);
    return f.err == ERR_OK ? status : CMD_FAILED;
}

static int explain_argument(const struct cmd *self, const char *argument, struct signing *s,
                            bool json)
{
    if (argument != NULL && strcmp(argument, "-") != 0)
        return explain(self, argument, s, json);
    struct buf b;
    buf_init(&b, 2 * (size_t)JWT_LEN_MAX);
    enum err e = buf_read_all(&b, STDIN_FILENO);
    int status = e == ERR_OK ? explain(self, b.data, s, json)
                             : cmd_failed(self, "standard input: %s", err_text(e));
    buf_free(&b);
    return status;
}

static int verify(const struct cmd *self, void *options, char **arguments)
{
    struct options *o = options;
    return explain_argument(self, arguments[0], &o->signing, o->json);
}

static void free_options(void *options)
{
    signing_free(&((struct options *)options)->signing);
}
