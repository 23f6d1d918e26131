/* call.c - the life of one call: meet a fault, be let in, find a room, be remembered, be answered.
 */
#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "sim/rooms.h"

#define API_PATH     "/public/v1/"
#define SIM_PATH     "/_sim/"
#define PATH_LEN_MAX 512 /* bytes of a path of the API */

/* ---------------------------------------------------------------- the API */

/* "ApiKey SU-...:...", as --api-key has it. */
static bool is_authorized(const struct sim_call *c)
{
    static const char word[] = "ApiKey ";
    return c->key != NULL && strncmp(c->key, word, strlen(word)) == 0 &&
           strcmp(c->key + strlen(word), c->sim->options.api_key) == 0;
}

/* Split "requests/PR-1/approve/" in place; a slash at the end does not count. */
static bool split(char *path, const char *parts[], size_t max)
{
    size_t n = 0;
    for (char *save = NULL, *part = strtok_r(path, "/", &save); part != NULL;
         part = strtok_r(NULL, "/", &save)) {
        if (n + 1 == max)
            return false;
        parts[n++] = part;
    }
    parts[n] = NULL;
    return true;
}

bool sim_read_body(struct sim_call *c)
{
    struct why why;
    if (c->sent->err != ERR_OK)
        return !sim_error(c, 413, "SYS_413", "The body is too large.");
    if (c->sent->len > 0 && !sim_is_upload(c) &&
        jsonx_parse(c->sent->data, c->sent->len, SIM_BODY_MAX, &c->body, &why) != ERR_OK)
        return !sim_error(c, 400, "VAL_001", "JSON parse error - %s", why.text);
    return true;
}

static void route(struct sim_call *c)
{
    if (sim_read_body(c) && !sim_kinds(c) && !sim_webhooks(c) && !sim_catalog(c))
        sim_error(c, 404, "SYS_404", "Not found.");
}

/* Wait, or until connect-sim stops. */
static void wait_ms(struct sim *s, int64_t ms)
{
    int64_t until = clk_mono_ms() + ms;
    pthread_mutex_lock(&s->lock);
    while (!s->is_stopping && clk_mono_ms() < until)
        clk_cond_wait(&s->stop, &s->lock, until);
    pthread_mutex_unlock(&s->lock);
}

/* The answer's text. json-c keeps what it printed with the outermost value, for ever if that is an
 * object of the store: so it is printed in a bracket that is not. */
static void print_answer(struct sim_call *c)
{
    if (c->answer == NULL)
        return;
    struct json_object *bracket = json_object_new_array_ext(1);
    json_object_array_add(bracket, c->answer);
    if (jsonx_print(&c->out, bracket) == ERR_OK) {
        c->out.len -= 2;
        memmove(c->out.data, c->out.data + 1, c->out.len);
        c->out.data[c->out.len] = '\0';
    }
    json_object_put(bracket);
    c->answer = NULL;
}

/* With the lock: do it, unless it was done, spoil the answer, remember, and print while nothing
 * can change what is printed. */
static void perform(struct sim_call *c, const char *path)
{
    if (c->fault.effect && c->status == 0) {
        if (is_authorized(c))
            route(c);
        else
            sim_error(c, 401, "AUTH_001", "API request is unauthorized.");
    }
    if (c->fault.status != 0) {
        json_object_put(c->answer);
        c->content_range[0] = '\0';
        sim_error(c, c->fault.status, "SIM_001", "A fault that was asked for.");
    }
    struct calls_entry entry = {c->method, path, c->query, c->fault.close ? 0 : c->status,
                                c->effect};
    calls_add(c->sim->calls, &entry);
    print_answer(c);
    json_object_put(c->body);
    c->body = NULL;
}

/* The fault for this call; a slash at the end does not count here either. */
static struct fault meet(struct sim_call *c, const char *path)
{
    char plain[PATH_LEN_MAX];
    snprintf(plain, sizeof plain, "%s", path);
    size_t len = strlen(plain);
    if (len > 1 && plain[len - 1] == '/')
        plain[len - 1] = '\0';
    pthread_mutex_lock(&c->sim->lock);
    struct fault fault = faults_meet(c->sim->faults, c->method, plain);
    pthread_mutex_unlock(&c->sim->lock);
    return fault;
}

static void serve_api(struct sim_call *c)
{
    struct sim *s = c->sim;
    const char *path = c->url + strlen(API_PATH) - 1; /* "/requests..." */
    char parts[PATH_LEN_MAX];
    snprintf(parts, sizeof parts, "%s", path);
    bool fits = strlen(path) < sizeof parts &&
                split(parts, c->parts, sizeof c->parts / sizeof c->parts[0]);

    c->fault = meet(c, path);
    if (c->fault.delay_ms > 0 && !c->fault.is_late)
        wait_ms(s, c->fault.delay_ms);
    if (!fits)
        sim_error(c, 404, "SYS_404", "Not found.");
    else if (c->fault.effect && is_authorized(c) && !sim_trigger(c))
        sim_validate(c);
    pthread_mutex_lock(&s->lock);
    perform(c, path);
    pthread_mutex_unlock(&s->lock);
    if (c->fault.delay_ms > 0 && c->fault.is_late)
        wait_ms(s, c->fault.delay_ms);
    memset(c->parts, 0, sizeof c->parts); /* they end with this function */
}

/* ---------------------------------------------------------------- its own */

static void serve_calls(struct sim_call *c)
{
    if (strcmp(c->method, "GET") != 0) {
        sim_no_method(c);
        return;
    }
    pthread_mutex_lock(&c->sim->lock);
    size_t count = calls_count(c->sim->calls);
    pthread_mutex_unlock(&c->sim->lock);
    c->status = 200;
    calls_print(c->sim->calls, count, &c->out);
}

static void serve_faults(struct sim_call *c)
{
    struct faults *faults = c->sim->faults;
    struct why why;
    if (!sim_read_body(c))
        return;
    pthread_mutex_lock(&c->sim->lock);
    if (strcmp(c->method, "GET") == 0) {
        sim_ok(c, 200, faults_list(faults));
    } else if (strcmp(c->method, "DELETE") == 0) {
        faults_clear(faults);
        sim_ok(c, 204, NULL);
    } else if (strcmp(c->method, "POST") != 0) {
        sim_no_method(c);
    } else if (faults_add(faults, c->body, &why) != ERR_OK) {
        sim_error(c, 400, "VAL_001", "%s", why.text);
    } else {
        sim_ok(c, 201, faults_list(faults));
    }
    json_object_put(c->body); /* faults have their share of it */
    c->body = NULL;
    pthread_mutex_unlock(&c->sim->lock);
}

void sim_call(struct sim_call *c)
{
    c->fault = fault_none;
    buf_init(&c->out, SIM_ANSWER_MAX);
    if (c->query == NULL)
        sim_error(c, 414, "SYS_414", "The query is too long.");
    else if (strncmp(c->url, API_PATH, strlen(API_PATH)) == 0)
        serve_api(c);
    else if (strcmp(c->url, SIM_PATH "calls") == 0)
        serve_calls(c);
    else if (strcmp(c->url, SIM_PATH "faults") == 0)
        serve_faults(c);
    else
        sim_error(c, 404, "SYS_404", "Not found.");
    print_answer(c);
    if (c->out.err != ERR_OK) {
        buf_free(&c->out);
        sim_error(c, 500, "SYS_001", "The answer is too large.");
        print_answer(c);
    }
}

void sim_call_free(struct sim_call *c)
{
    buf_free(&c->out);
}
