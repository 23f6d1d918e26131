/* policy.c - ask a webhook's policy about an object, and call nothing. */
#include "cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "api/clients.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/jsonx.h"
#include "cmd/policy_actions.h"
#include "cmd/policy_form.h"
#include "conf/conf.h"
#include "policy/passwords.h"
#include "policy/policy.h"
#include "policy/spawner.h"
#include "tasks/queues.h"

#define OBJECT_MAX  (16 * 1024 * 1024) /* bytes of a file with an object or an event */
#define OUTPUT_MAX  (32 * 1024 * 1024) /* bytes of what is printed */
#define ATTEMPT_MAX 1000000
#define DEADLINE_MS 30000

struct options {
    const char *config, *webhook, *rules, *exec, *class, *side, *kind, *type, *object, *event;
    int64_t attempt;
    bool session;
    bool json;
};

static enum err take_attempt(void *at, const char *value, struct why *why);
static int test(const struct cmd *self, void *options, char **arguments);

const struct cmd cmd_policy = {
    .name = "policy",
    .summary = "show what a policy decides about an object, and what it may decide",
    .help =
        "Usage: connect-webhook policy test [-c FILE] --webhook ID --object FILE [options]\n"
        "       connect-webhook policy test --rules FILE --class CLASS --object FILE [options]\n"
        "       connect-webhook policy test --exec PROGRAM [--session] --class CLASS \\\n"
        "           --object FILE [options]\n"
        "       connect-webhook policy test --kind validate --rules FILE --class CLASS \\\n"
        "           --object FILE [options]\n"
        "       connect-webhook policy actions [--class CLASS] [--json]\n"
        "test: ask the policy as the handler would, show which rule matches and what is decided, "
        "and\n"
        "whether that is allowed in the object's state. Nothing is changed, and nothing called but "
        "a\n"
        "policy's program and, for a configured session that asks for it, Connect, to read.\n"
        "Of a validator's webhook, or with --kind validate, the object is a form as Connect sends\n"
        "it, and what is shown is what the answer changes in it.\n"
        "Exit status: 0 if the decision could be carried out, or the form is answered, 1 if not.\n"
        "actions: list what may be done with objects of each class, by which side and in which\n"
        "state; what is marked pending is worked on unless a webhook's `states` say otherwise.\n"
        "\n"
        "  -c, --config FILE  the configuration (default: $CONNECT_WEBHOOK_CONFIG, then the\n"
        "                     installed one)\n"
        "  --webhook ID       take policy, class and side from this configured webhook\n"
        "  --rules FILE       ask these rules (instead of the webhook's policy)\n"
        "  --exec PROGRAM     ask this program (man connect-webhook-policy)\n"
        "  --session          it is one that runs on, and is asked line by line\n"
        "  --class CLASS      without --webhook: what the object is, e.g. fulfillment_request\n"
        "  --side SIDE        without --webhook: vendor or distributor (default: the one that\n"
        "                     has pending work of this class)\n"
        "  --kind KIND        without --webhook: process (what to do with an object; the default) "
        "or\n"
        "                     validate (what to say about a form)\n"
        "  --type TYPE        without --webhook: the type of the validator ($webhook.type; "
        "default:\n"
        "                     the one for the form's situation)\n"
        "  --object FILE      the object as Connect's API gives it, as JSON; - is standard input\n"
        "  --event FILE       the claims of the event ($event); default: found by polling, none\n"
        "  --attempt N        which attempt this is ($attempt); default: 1\n"
        "  --json             one JSON object; actions: one a line\n"
        "  -h, --help         show this help\n"
        "\n"
        "Examples:\n"
        "  curl -s -H \"Authorization: $KEY\" $API/requests/PR-7957-9623-8221-001 |\n"
        "      connect-webhook policy test --webhook WH-623-978-334 --object -\n"
        "  connect-webhook policy test --rules fulfillment.rules.yaml \\\n"
        "      --class fulfillment_request --object request.json --json\n"
        "  connect-webhook policy test --exec ./decide.py --class fulfillment_request \\\n"
        "      --object request.json\n"
        "  connect-webhook policy test --kind validate --rules form.rules.yaml \\\n"
        "      --class fulfillment_request --object contrib/fixtures/validator.json\n"
        "  connect-webhook policy actions --class usage_file\n",
    .verbs =
        (const struct cmd_verb[]){
            {"test",
             {.options =
                  (const struct cmd_option[]){
                      CMD_TEXT("config", 'c', struct options, config),
                      CMD_TEXT("webhook", 0, struct options, webhook),
                      CMD_TEXT("rules", 0, struct options, rules),
                      CMD_TEXT("exec", 0, struct options, exec),
                      CMD_FLAG("session", struct options, session),
                      CMD_TEXT("class", 0, struct options, class),
                      CMD_TEXT("side", 0, struct options, side),
                      CMD_TEXT("kind", 0, struct options, kind),
                      CMD_TEXT("type", 0, struct options, type),
                      CMD_TEXT("object", 0, struct options, object),
                      CMD_TEXT("event", 0, struct options, event),
                      CMD_TAKE("attempt", struct options, attempt, take_attempt),
                      CMD_FLAG("json", struct options, json),
                      {0},
                  },
              .defaults = &(const struct options){.attempt = 1},
              .size = sizeof(struct options),
              .run = test}},
            {"actions",
             {.options =
                  (const struct cmd_option[]){
                      CMD_TEXT("class", 0, struct actions_options, class),
                      CMD_FLAG("json", struct actions_options, json),
                      {0},
                  },
              .size = sizeof(struct actions_options),
              .run = policy_actions}},
            {0},
        },
};

/* Whose policy is asked about what. */
struct setup {
    struct conf *conf; /* NULL without --webhook */
    struct clients *clients;
    struct api *api; /* for a session that wants to know more; NULL if it cannot */
    char *program;   /* of --exec; owned */
    struct spawner *spawner;
    struct policy *policy;
    struct policy_question question;
    struct json_object *object, *claims; /* owned; the question borrows them */
    struct buf form;                     /* instead of the object, the text of a form */
};

static void setup_free(struct setup *s)
{
    policy_free(s->policy);
    spawner_free(s->spawner);
    if (s->api != NULL)
        clients_release(s->clients, s->api);
    clients_free(s->clients);
    free(s->program);
    conf_unref(s->conf);
    json_object_put(s->object);
    json_object_put(s->claims);
    buf_free(&s->form);
}

/* ------------------------------------------------------------------------- set up */

/* The type of validator that is played, which may be another than the webhook's. */
static enum err load_type(const struct options *o, struct policy_question *q, struct why *why)
{
    if (o->type == NULL)
        return ERR_OK;
    if (webhook_type_parse(o->type, &q->webhook_type) != ERR_OK ||
        q->object_class->webhooks[q->webhook_type].type == NULL)
        return why_set(why, ERR_INVALID, "--type %s: no type of validators of a %s", o->type,
                       q->object_class->name);
    return ERR_OK;
}

/* What is asked. Of a form whose type is not known policy_form() finds out by whom. */
static enum err load_kind(const struct options *o, struct policy_question *q, struct why *why)
{
    static const char *const kinds[] = {
        [POLICY_PROCESS] = "process", [POLICY_VALIDATE] = "validate"};
    enum policy_kind own = policy_kind_of(q->webhook_type);
    enum err e = load_type(o, q, why);
    if (e != ERR_OK)
        return e;
    q->kind = policy_kind_of(q->webhook_type);
    if (o->kind != NULL && strcmp(o->kind, kinds[POLICY_VALIDATE]) == 0)
        q->kind = POLICY_VALIDATE;
    else if (o->kind != NULL && strcmp(o->kind, kinds[q->kind]) != 0)
        return why_set(why, ERR_INVALID, "--kind is %s here, not %s", kinds[q->kind], o->kind);
    if (q->kind == POLICY_VALIDATE && q->object_class->document == NULL)
        return why_set(why, ERR_INVALID, "there are no forms of a %s to validate",
                       q->object_class->name);
    if (o->webhook != NULL && o->rules == NULL && o->exec == NULL && q->kind != own)
        return why_set(why, ERR_INVALID,
                       "webhook %s is for events: its policy answers no forms (--rules or --exec "
                       "may)",
                       o->webhook);
    return ERR_OK;
}

/* A session may have Connect read for it, where the account's key is not out of reach. */
static enum err load_account(struct setup *s, const struct conf_webhook *w, struct why *why)
{
    if (!w->policy.session || w->account->api_key.value == NULL)
        return ERR_OK;
    s->clients = clients_new(NULL);
    return s->clients != NULL ? clients_get(s->clients, w->account, &s->api, why)
                              : why_no_memory(why);
}

static enum err load_webhook(const struct options *o, struct setup *s,
                             struct conf_policy *ret_policy, struct why *why)
{
    const char *path = conf_path(o->config);
    enum err e = conf_load(path, CONF_API_KEYS_AT_HAND, &s->conf, why);
    if (e != ERR_OK)
        return e;
    const struct conf_webhook *w = conf_webhook(s->conf, o->webhook);
    if (w == NULL)
        return why_set(why, ERR_NOT_FOUND, "%s has no webhook %s", path, o->webhook);
    e = load_account(s, w, why);
    if (e != ERR_OK)
        return e;
    s->question = queue_question(&(const struct queue){.webhook = w, .api = s->api});
    *ret_policy = w->policy;
    return load_kind(o, &s->question, why);
}

static enum err side_parse(const char *word, const struct object_class *c, enum side *ret,
                           struct why *why)
{
    if (word == NULL)
        *ret = c->pending[SIDE_VENDOR][0] != NULL ? SIDE_VENDOR : SIDE_DISTRIBUTOR;
    else if (strcmp(word, side_name(SIDE_VENDOR)) == 0)
        *ret = SIDE_VENDOR;
    else if (strcmp(word, side_name(SIDE_DISTRIBUTOR)) == 0)
        *ret = SIDE_DISTRIBUTOR;
    else
        return why_set(why, ERR_INVALID, "--side is vendor or distributor, not %s", word);
    return ERR_OK;
}

static enum err load_class(const struct options *o, struct setup *s, struct why *why)
{
    if ((s->question.object_class = object_class_find(o->class)) == NULL)
        return why_set(why, ERR_INVALID, "--class %s: no such class of objects", o->class);
    s->question.webhook_id = "WH-000-000-000";
    s->question.webhook_type = TYPE_EVENT;
    enum err e = load_kind(o, &s->question, why);
    return e == ERR_OK ? side_parse(o->side, s->question.object_class, &s->question.side, why) : e;
}

static enum err load_json(const char *path, struct json_object **ret, struct why *why)
{
    enum err e = jsonx_parse_file(path, OBJECT_MAX, ret, why);
    if (e != ERR_OK || json_object_is_type(*ret, json_type_object))
        return e;
    json_object_put(*ret);
    *ret = NULL;
    return why_set(why, ERR_TYPE, "%s: must be a JSON object", path);
}

/* As a configuration would have it: by its absolute path, with every default. */
static enum err load_program(const struct options *o, struct setup *s, struct conf_policy *ret,
                             struct why *why)
{
    if ((s->program = realpath(o->exec, NULL)) == NULL)
        return why_set(why, ERR_IO, "--exec: %s: %s", o->exec, strerror(errno));
    *ret = (struct conf_policy){.kind = CONF_POLICY_EXEC,
                                .argv = {s->program},
                                .session = o->session,
                                .sessions = 1,
                                .timeout_ms = DEADLINE_MS,
                                .cwd = "/"};
    return ERR_OK;
}

static enum err set_up(const struct options *o, struct setup *s, struct why *why)
{
    struct conf_policy policy = {.kind = CONF_POLICY_NONE};
    struct policy_question *q = &s->question;
    enum err e = o->webhook != NULL ? load_webhook(o, s, &policy, why) : load_class(o, s, why);
    q->attempt = (int)o->attempt;
    if (e == ERR_OK && o->exec != NULL)
        e = load_program(o, s, &policy, why);
    q->deadline = clk_mono_ms() +
                  (policy.kind == CONF_POLICY_EXEC ? policy.timeout_ms : DEADLINE_MS);
    if (o->rules != NULL)
        policy = (struct conf_policy){.kind = CONF_POLICY_RULES, .path = o->rules};
    if (e == ERR_OK && (s->spawner = spawner_new(NULL)) == NULL)
        e = why_no_memory(why);
    if (e == ERR_OK)
        e = policy_open(&policy, q->kind, q->object_class, s->spawner, &s->policy, why);
    buf_init(&s->form, OBJECT_MAX);
    if (e == ERR_OK)
        e = q->kind == POLICY_VALIDATE ? buf_read_file(&s->form, o->object, why)
                                       : load_json(o->object, &s->object, why);
    if (e == ERR_OK && o->event != NULL)
        e = load_json(o->event, &s->claims, why);
    q->object = s->object;
    q->claims = s->claims;
    return e;
}

/* --------------------------------------------------------------------------- show */

/* "name   value" for people, on one line. */
static void print_line(const char *name, const char *value)
{
    printf("%-16s ", name);
    cmd_print_plain(value);
    putchar('\n');
}

static void print_member(const char *name, struct json_object *value)
{
    struct buf text;
    buf_init(&text, OUTPUT_MAX);
    if (json_object_is_type(value, json_type_string))
        buf_addstr(&text, json_object_get_string(value));
    else
        jsonx_print(&text, value);
    print_line(name, text.data);
    buf_free(&text);
}

static const char *state_of(const struct setup *s)
{
    return object_state(s->question.object_class, s->object);
}

static void print_people(const struct setup *s, const struct decision *d, struct json_object *shown,
                         const char *problem)
{
    char text[256];
    const struct policy_question *q = &s->question;
    const char *state = state_of(s);
    snprintf(text, sizeof text, "%.100s (%s%s%.60s)", jsonx_str(s->object, "id", "without an id"),
             q->object_class->name, state[0] != '\0' ? ", " : "", state);
    print_line("object", text);
    if (d != NULL) {
        print_line("rule", d->rule[0] != '\0' ? d->rule : "none");
        struct json_object_iterator it = json_object_iter_begin(shown);
        struct json_object_iterator end = json_object_iter_end(shown);
        for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
            print_member(json_object_iter_peek_name(&it), json_object_iter_peek_value(&it));
    }
    if (problem == NULL) {
        snprintf(text, sizeof text, "yes, to a %s", side_name(q->side));
        print_line("allowed", text);
    }
}

static int print_json(const struct cmd *self, const struct setup *s, const struct decision *d,
                      struct json_object *shown, const char *problem)
{
    struct json_object *root = json_object_new_object();
    jsonx_add_text(root, "object", jsonx_str(s->object, "id", NULL));
    jsonx_add_text(root, "object_class", s->question.object_class->name);
    jsonx_add_text(root, "state", state_of(s));
    jsonx_add_text(root, "side", side_name(s->question.side));
    jsonx_add_text(root, "rule", d != NULL && d->rule[0] != '\0' ? d->rule : NULL);
    jsonx_share(root, "decision", shown);
    jsonx_add(root, "allowed", json_object_new_boolean(problem == NULL));
    jsonx_add_text(root, "problem", problem);
    return cmd_print_json(self, root);
}

/* *ret_shown: the decision (NULL is none) as it may be seen; owned. The story likewise. */
static enum err hide_passwords(const struct setup *s, const struct decision *d,
                               struct json_object **ret_shown, struct why *why)
{
    struct mask m = {0};
    enum err e = passwords_collect(s->object, d != NULL ? d->params : NULL, &m);
    if (e == ERR_OK)
        e = mask_text(&m, why->text, sizeof why->text);
    if (e == ERR_OK && d != NULL)
        e = mask_json(&m, d->json, ret_shown);
    mask_free(&m);
    return e;
}

/* Ask, show, and say whether it could be carried out. */
static int ask(const struct cmd *self, const struct options *o, const struct setup *s)
{
    struct decision d = {0};
    struct why why = {""};
    struct json_object *shown = NULL;
    enum err e = policy_ask(s->policy, &s->question, &d, &why);
    bool decided = e == ERR_OK;
    if (decided)
        e = decision_allowed(&d, s->question.object_class, s->question.side, s->object, &why);
    if (hide_passwords(s, decided ? &d : NULL, &shown, &why) != ERR_OK) {
        decision_free(&d);
        return cmd_failed(self, "%s", err_text(ERR_NOMEM));
    }
    const char *problem = e != ERR_OK ? why.text : NULL;
    int status = CMD_OK;
    if (o->json)
        status = print_json(self, s, decided ? &d : NULL, shown, problem);
    else
        print_people(s, decided ? &d : NULL, shown, problem);
    fflush(stdout);
    if (problem != NULL)
        status = cmd_failed(self, "%s", problem);
    json_object_put(shown);
    if (decided)
        decision_free(&d);
    return status;
}

/* ------------------------------------------------------------------- command line */

static enum err take_attempt(void *at, const char *value, struct why *why)
{
    return cmd_number("--attempt", value, 1, ATTEMPT_MAX, at, why);
}

/* What the options, one by one fine, say together; NULL if it makes sense. */
static const char *nonsense(const struct options *o)
{
    if (o->object == NULL)
        return "--object is needed: a file, or - for standard input";
    if (o->webhook == NULL && ((o->rules == NULL && o->exec == NULL) || o->class == NULL))
        return "either --webhook, or --rules or --exec, and --class are needed";
    if (o->rules != NULL && o->exec != NULL)
        return "--rules and --exec: which of the two shall be asked?";
    if (o->session && o->exec == NULL)
        return "--session says how the program of --exec is asked: that is missing";
    if (o->webhook != NULL && (o->class != NULL || o->side != NULL))
        return "--webhook knows its class and side: leave --class and --side out";
    if (o->event != NULL && strcmp(o->object, "-") == 0 && strcmp(o->event, "-") == 0)
        return "--object and --event cannot both be standard input";
    return NULL;
}

static int test(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    (void)arguments;
    const char *wrong = nonsense(o);
    if (wrong != NULL)
        return cmd_usage(self, "%s", wrong);
    struct setup s = {0};
    struct why why = {""};
    enum err e = set_up(o, &s, &why);
    int status;
    if (e != ERR_OK)
        status = cmd_failed(self, "%s", why.text);
    else if (s.question.kind == POLICY_VALIDATE)
        status = policy_form(self, s.policy, &s.question, s.form.data, s.form.len, o->json);
    else
        status = ask(self, o, &s);
    setup_free(&s);
    return status;
}
