/* send.c - call a handler the way Connect does. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/http.h"
#include "base/jsonx.h"
#include "cmd/signing.h"

#define BODY_MAX         (16 * 1024 * 1024) /* bytes of a file sent as the body */
#define CONNECT_TIMEOUT  10000              /* ms */
#define SEND_TIMEOUT     60                 /* s, unless asked for another */
#define SEND_TIMEOUT_MAX 3600               /* s */

struct options {
    struct signing signing;
    const char *method;
    const char *header_name;
    const char *body_file;
    const char *ca_file;
    const char *url;
    struct headers {
        const char *list[HTTP_HEADERS_MAX]; /* given ones; borrowed from the command line */
        size_t count;
    } headers;
    int64_t timeout_s;
    bool plural;
    bool json;
};

static enum err take_method(void *at, const char *value, struct why *why);
static enum err take_header_name(void *at, const char *value, struct why *why);
static enum err take_header(void *at, const char *value, struct why *why);
static enum err take_data(void *at, const char *value, struct why *why);
static enum err take_timeout(void *at, const char *value, struct why *why);
static int run(const struct cmd *self, void *options, char **arguments);
static void free_options(void *options);

const struct cmd cmd_send = {
    .name = "send",
    .summary = "call a handler as Connect does, with a signed event",
    .help = "Usage: connect-webhook send [OPTION]... URL\n"
            "Play Connect: sign a webhook's event, send it to URL, and show the answer.\n"
            "\n"
            "How to send:\n"
            "  --method GET|POST    (POST)\n"
            "  --header-name NAME   Authentication, as Connect does, or Authorization\n"
            "  --header 'N: VALUE'  one more header; may be given several times\n"
            "  --data JSON|@FILE    the custom data of the webhook, in claims and body\n"
            "  --body FILE          send FILE instead of the event: the form for a validation\n"
            "  --plural             spell the object class as a plural, as some calls have it\n"
            "  --ca-file FILE       trust the certificates in FILE\n"
            "  --timeout S          seconds to wait for the whole answer (60)\n"
            "\n"
            "Where the secret is:\n" SIGNING_SECRET_HELP "\n"
            "What to sign (the rest is filled in as Connect would):\n" SIGNING_CLAIM_HELP "\n"
            "What to show:\n"
            "  --json               print one JSON object\n"
            "  --help               show this help\n"
            "\n"
            "Ends with 0 if the answer is 2xx, else with 1.\n"
            "\n"
            "Examples:\n"
            "  connect-webhook send http://localhost/connect\n"
            "  connect-webhook send --webhook WH-1 --method GET https://hooks.example.com/connect\n"
            "  connect-webhook send --type validator --body contrib/fixtures/validator.json \\\n"
            "      http://localhost/connect\n",
    .options =
        (const struct cmd_option[]){
            SIGNING_SECRET_OPTIONS(struct options, signing),
            SIGNING_CLAIM_OPTIONS(struct options, signing),
            CMD_TAKE("method", struct options, method, take_method),
            CMD_TAKE("header-name", struct options, header_name, take_header_name),
            CMD_TAKE("header", struct options, headers, take_header),
            CMD_TAKE("data", struct options, signing, take_data),
            CMD_TEXT("body", 0, struct options, body_file),
            CMD_TEXT("ca-file", 0, struct options, ca_file),
            CMD_TAKE("timeout", struct options, timeout_s, take_timeout),
            CMD_FLAG("plural", struct options, plural),
            CMD_FLAG("json", struct options, json),
            {0},
        },
    .defaults = &(const struct options){.signing = SIGNING_DEFAULTS,
                                        .method = "POST",
                                        .header_name = "Authentication",
                                        .timeout_s = SEND_TIMEOUT},
    .size = sizeof(struct options),
    .arguments_max = 1,
    .run = run,
    .free = free_options,
};

/* Room for the token, a content type, and the NULL that ends the list. */
#define OWN_HEADERS 3

static enum err take_header(void *at, const char *value, struct why *why)
{
    struct headers *h = at;
    if (strchr(value, ':') == NULL)
        return why_set(why, ERR_INVALID, "--header is given as 'Name: value', not '%s'", value);
    if (h->count + OWN_HEADERS == HTTP_HEADERS_MAX)
        return why_set(why, ERR_TOO_BIG, "at most %d headers", HTTP_HEADERS_MAX - OWN_HEADERS);
    h->list[h->count++] = value;
    return ERR_OK;
}

/* `--data` is a claim like any other, but has to be JSON and may stand in a file. */
static enum err take_data(void *at, const char *value, struct why *why)
{
    struct json_object *data;
    enum err e = value[0] == '@' ? jsonx_parse_file(value + 1, SIGNING_JSON_MAX, &data, why)
                                 : jsonx_parse(value, strlen(value), SIGNING_JSON_MAX, &data, why);
    if (e != ERR_OK)
        return why_prefix(why, e, "--data");
    e = signing_give(at, "data", data);
    return e == ERR_OK ? e : why_no_memory(why);
}

static enum err one_of(const char *value, const char *first, const char *second, void *at,
                       struct why *why)
{
    const char *found = strcasecmp(value, first) == 0    ? first
                        : strcasecmp(value, second) == 0 ? second
                                                         : NULL;
    if (found == NULL)
        return why_set(why, ERR_INVALID, "'%s' is neither %s nor %s", value, first, second);
    *(const char **)at = found;
    return ERR_OK;
}

static enum err take_method(void *at, const char *value, struct why *why)
{
    return one_of(value, "GET", "POST", at, why);
}

static enum err take_header_name(void *at, const char *value, struct why *why)
{
    return one_of(value, "Authentication", "Authorization", at, why);
}

static enum err take_timeout(void *at, const char *value, struct why *why)
{
    return cmd_number("--timeout", value, 1, SEND_TIMEOUT_MAX, at, why);
}

static enum err make_plural(struct json_object *claims, struct why *why)
{
    char plural[64];
    snprintf(plural, sizeof plural, "%ss", jsonx_str(claims, "object_class", ""));
    return jsonx_add_text(claims, "object_class", plural) ? ERR_OK : why_no_memory(why);
}

/* The event's envelope: the claims but for the token's own `exp`. */
static enum err event_body(struct json_object *claims, struct buf *b, struct why *why)
{
    struct json_object *envelope = jsonx_copy(claims);
    if (envelope == NULL)
        return why_no_memory(why);
    json_object_object_del(envelope, "exp");
    enum err e = jsonx_print(b, envelope);
    json_object_put(envelope);
    return e == ERR_OK ? e : why_set(why, e, "the event: %s", err_text(e));
}

/* Everything that goes out. */
struct message {
    struct buf credentials; /* the whole header with the token */
    struct buf body;
};

static void message_free(struct message *m)
{
    buf_free(&m->credentials);
    buf_free(&m->body);
}

static enum err compose(const struct options *o, struct message *m, struct why *why)
{
    struct json_object *claims;
    enum err e = signing_claims(&o->signing, &claims, why);
    if (e != ERR_OK)
        return e;
    if (o->plural)
        e = make_plural(claims, why);
    if (e == ERR_OK) {
        buf_printf(&m->credentials, "%s: Bearer ", o->header_name);
        e = jwt_sign(claims, o->signing.key, &m->credentials);
        if (e != ERR_OK)
            why_set(why, e, "the token: %s", err_text(e));
    }
    if (e == ERR_OK && o->body_file != NULL)
        e = buf_read_file(&m->body, o->body_file, why);
    else if (e == ERR_OK && strcmp(o->method, "POST") == 0)
        e = event_body(claims, &m->body, why);
    json_object_put(claims);
    return e;
}

static bool has_content_type(const struct options *o)
{
    static const char name[] = "Content-Type:";
    for (size_t i = 0; i < o->headers.count; i++)
        if (strncasecmp(o->headers.list[i], name, strlen(name)) == 0)
            return true;
    return false;
}

static void fill_request(const struct options *o, const struct message *m, struct http_request *r)
{
    size_t n = 0;
    *r = (struct http_request){.method = o->method, .url = o->url, .deadline = CLK_NEVER};
    r->headers[n++] = m->credentials.data;
    if (m->body.len > 0) {
        r->body = m->body.data;
        r->body_len = m->body.len;
        if (!has_content_type(o))
            r->headers[n++] = "Content-Type: application/json";
    }
    for (size_t i = 0; i < o->headers.count; i++)
        r->headers[n++] = o->headers.list[i];
}

/* A body that is no JSON, as a string; what is not ASCII is not worth a guess at its encoding. */
static struct json_object *body_text(const struct buf *body)
{
    char *text = malloc(body->len + 1);
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < body->len; i++)
        text[i] = body->data[i] > 0 && body->data[i] < 0x7f ? body->data[i] : '?';
    struct json_object *o = json_object_new_string_len(text, (int)body->len);
    free(text);
    return o;
}

static int print_json(const struct cmd *self, const struct http_response *r, int64_t ms)
{
    struct json_object *o = json_object_new_object(), *body;
    if (jsonx_parse(r->body.data, r->body.len, JSONX_SIZE_MAX, &body, NULL) != ERR_OK)
        body = body_text(&r->body);
    jsonx_add_int(o, "status", r->status);
    jsonx_add_int(o, "ms", ms);
    jsonx_add_text(o, "content_type", r->content_type);
    if (r->retry_after_s >= 0)
        jsonx_add_int(o, "retry_after", r->retry_after_s);
    jsonx_share(o, "body", body);
    json_object_put(body);
    return cmd_print_json(self, o);
}

/* What a stranger's server says must not steer the terminal. */
static void print_body(const struct buf *body)
{
    bool terminal = isatty(STDOUT_FILENO);
    for (size_t i = 0; i < body->len; i++) {
        unsigned char c = (unsigned char)body->data[i];
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        putchar(terminal && control ? '?' : c);
    }
    if (body->len > 0 && body->data[body->len - 1] != '\n')
        putchar('\n');
}

static int print_answer(const struct cmd *self, const struct options *o,
                        const struct http_response *r, int64_t ms)
{
    if (o->json)
        return print_json(self, r, ms);
    printf("%d in %lld ms", r->status, (long long)ms);
    if (r->retry_after_s >= 0)
        printf(", retry after %lld s", (long long)r->retry_after_s);
    putchar('\n');
    print_body(&r->body);
    return CMD_OK;
}

static int call(const struct cmd *self, const struct options *o, struct http *http,
                const struct message *m)
{
    struct http_request request;
    struct http_response response;
    struct why why = {""};
    fill_request(o, m, &request);
    int64_t start = clk_mono_ms();
    enum err e = http_call(http, &request, &response, NULL, &why);
    if (e != ERR_OK)
        return cmd_failed(self, "%s", why.text);
    int status = print_answer(self, o, &response, clk_mono_ms() - start);
    if (response.status < 200 || response.status >= 300)
        status = CMD_FAILED;
    http_response_free(&response);
    return status;
}

static int send_event(const struct cmd *self, const struct options *o, const struct message *m)
{
    const struct http_options client = {.ca_file = o->ca_file,
                                        .user_agent = "connect-webhook/" PACKAGE_VERSION,
                                        .connect_timeout_ms = CONNECT_TIMEOUT,
                                        .timeout_ms = o->timeout_s * 1000};
    struct http *http;
    struct why why = {""};
    if (http_new(&client, &http, &why) != ERR_OK)
        return cmd_failed(self, "%s", why.text);
    int status = call(self, o, http, m);
    http_free(http);
    return status;
}

static int run(const struct cmd *self, void *options, char **arguments)
{
    struct options *o = options;
    struct message m;
    struct why why = {""};
    o->url = arguments[0];
    if (o->url == NULL)
        return cmd_usage(self, "where to? Give a URL");
    if (signing_is_validation(&o->signing) && o->body_file == NULL)
        return cmd_usage(self, "a %s is asked about a form: give it by --body FILE",
                         webhook_type_name(o->signing.type));
    buf_init(&m.credentials, 2 * (size_t)JWT_LEN_MAX);
    buf_init(&m.body, BODY_MAX);
    enum err e = signing_open(&o->signing, &why);
    if (e == ERR_OK)
        e = compose(o, &m, &why);
    int status = e == ERR_OK ? send_event(self, o, &m) : cmd_failed(self, "%s", why.text);
    message_free(&m);
    return status;
}

static void free_options(void *options)
{
    signing_free(&((struct options *)options)->signing);
}
