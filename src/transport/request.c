/* request.c - a request out of CGI variables. */
#include "transport/request.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "transport/request_env.h"

/* Each thread draws the bytes of many ids at once: asking the kernel for each is what costs. */
static void new_id(char id[REQUEST_ID_LEN + 1])
{
    static _Thread_local unsigned char drawn[32][REQUEST_ID_LEN / 2];
    static _Thread_local size_t left;
    if (left == 0) {
        randombytes_buf(drawn, sizeof drawn);
        left = sizeof drawn / sizeof drawn[0];
    }
    left--;
    sodium_bin2hex(id, REQUEST_ID_LEN + 1, drawn[left], sizeof drawn[left]);
}

void request_init(struct request *r, const struct request_ops *ops, int64_t received_us)
{
    *r = (struct request){
        .ops = ops, .method = "", .path = "", .body = "", .received_us = received_us};
    new_id(r->id);
}

void request_fail(struct request *r, enum err e)
{
    if (r->err == ERR_OK)
        r->err = e;
    r->body = "";
    r->body_len = 0;
}

void request_free(struct request *r)
{
    free(r->joined_path);
    r->joined_path = NULL;
}

void request_respond(struct request *r, const struct response *res)
{
    r->ops->respond(r, res);
}

void request_resume(struct request *r, request_fn *fn, void *ctx)
{
    r->ops->resume(r, fn, ctx);
}

enum err request_print(struct buf *b, const struct response *res)
{
    if (response_print(b, res) == ERR_OK)
        return ERR_OK;
    struct response bare;
    response_init(&bare, 500, NULL);
    buf_reset(b);
    return response_print(b, &bare);
}

/* The variables that we look at, while they are being collected. */
struct vars {
    const char *method, *length, *script_name, *path_info, *document_uri;
};

/* One variable that we look at: where it goes, and what two different values of it mean. */
struct var {
    const char *name;
    size_t len; /* of the name */
    const char **into;
    enum err if_repeated; /* ERR_OK: the first counts */
};

#define VAR(name, into, if_repeated)             \
    {                                            \
        name, sizeof name - 1, into, if_repeated \
    }

static void take_var(struct request *r, const struct var *v, const char *value)
{
    if (*v->into == NULL)
        *v->into = value;
    else if (v->if_repeated != ERR_OK && strcmp(*v->into, value) != 0)
        request_fail(r, v->if_repeated);
}

static void read_vars(struct request *r, struct vars *vars, char *const *env)
{
    const struct var table[] = {
        VAR("REQUEST_METHOD", &vars->method, ERR_SYNTAX),
        VAR("CONTENT_LENGTH", &vars->length, ERR_SYNTAX),
        VAR("CONTENT_TYPE", &r->content_type, ERR_SYNTAX),
        VAR("HTTP_CONTENT_ENCODING", &r->content_encoding, ERR_SYNTAX),
        VAR("HTTP_AUTHENTICATION", &r->authentication, ERR_TOKEN_AMBIGUOUS),
        VAR("HTTP_AUTHORIZATION", &r->authorization, ERR_TOKEN_AMBIGUOUS),
        VAR("REDIRECT_HTTP_AUTHORIZATION", &r->redirect_authorization, ERR_TOKEN_AMBIGUOUS),
        VAR("SCRIPT_NAME", &vars->script_name, ERR_OK),
        VAR("PATH_INFO", &vars->path_info, ERR_OK),
        VAR("DOCUMENT_URI", &vars->document_uri, ERR_OK),
        VAR("QUERY_STRING", &r->query, ERR_OK),
        VAR("REMOTE_ADDR", &r->remote_addr, ERR_OK),
    };
    for (; *env != NULL; env++) {
        const char *equals = strchr(*env, '=');
        size_t len = equals != NULL ? (size_t)(equals - *env) : 0;
        for (size_t i = 0; len > 0 && i < sizeof table / sizeof table[0]; i++)
            if (table[i].len == len && memcmp(table[i].name, *env, len) == 0) {
                take_var(r, &table[i], equals + 1);
                break;
            }
    }
}

static void set_path(struct request *r, const struct vars *vars)
{
    const char *script = vars->script_name != NULL ? vars->script_name : "";
    const char *info = vars->path_info != NULL ? vars->path_info : "";
    if (*script == '\0' && *info == '\0') {
        r->path = vars->document_uri != NULL ? vars->document_uri : "";
    } else if (*info == '\0') {
        r->path = script;
    } else if (*script == '\0') {
        r->path = info;
    } else {
        size_t n = strlen(script), m = strlen(info);
        r->joined_path = malloc(n + m + 1);
        if (r->joined_path == NULL) {
            request_fail(r, ERR_NOMEM);
            return;
        }
        memcpy(r->joined_path, script, n);
        memcpy(r->joined_path + n, info, m + 1);
        r->path = r->joined_path;
    }
}

/* Digits and nothing else: no sign, no space, no 0x10, no 1e3. */
static bool read_length(const char *s, int64_t *ret)
{
    int64_t value = 0;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || value > (INT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (*s - '0');
    }
    *ret = value;
    return true;
}

void request_read_env(struct request *r, char *const *env, int64_t *ret_length)
{
    struct vars vars = {0};
    read_vars(r, &vars, env);
    if (vars.method != NULL)
        r->method = vars.method;
    set_path(r, &vars);

    *ret_length = -1;
    if (vars.length != NULL && *vars.length != '\0' && !read_length(vars.length, ret_length))
        request_fail(r, ERR_SYNTAX);
}
