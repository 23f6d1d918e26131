/* sim.c - connect-sim: the options, the seed, and on with it. */
#include "sim/sim.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/http.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "sim/requests.h"
#include "sim/rooms.h"

struct options {
    struct sim_options sim;
    const char *listen, *seed;
    bool verbose;
};

static enum err take_auth_header(void *at, const char *value, struct why *why);
static int run(const struct cmd *self, void *options, char **arguments);

static const struct cmd program = {
    .program = "connect-sim",
    .help =
        "Usage: connect-sim --listen 127.0.0.1:PORT [OPTION]...\n"
        "Stand in for CloudBlue Connect on this machine: its REST API for the six classes of\n"
        "objects that have queues, and its webhooks, signed and called for real.\n"
        "\n"
        "  --listen ADDRESS:PORT  where to serve; port 0 is any free one\n"
        "  --seed FILE            begin with these objects instead of the built-in ones\n"
        "  --api-key KEY          that clients must send as 'Authorization: ApiKey KEY'\n"
        "                         (" SIM_API_KEY ")\n"
        "  --auth-header NAME     that carries a webhook's token: Authentication (as Connect sends "
        "it)\n"
        "                         or Authorization (as its documentation says)\n"
        "  --plural               claim object_class in the plural, as the documentation's sample "
        "does\n"
        "  --allow-remote         listen elsewhere, and call webhooks elsewhere, than on this "
        "machine\n"
        "  --verbose              log every call\n"
        "  --help, --version\n"
        "\n"
        "When it serves it prints one line: "
        "{\"ready\":true,\"url\":\"http://127.0.0.1:PORT/public/v1\"}.\n"
        "GET /_sim/calls lists every API call it received; POST /_sim/faults makes answers late, "
        "wrong\n"
        "or missing: see connect-sim(1). SIGTERM or Ctrl-C stops it.\n"
        "\n"
        "Example:\n"
        "  connect-sim --listen 127.0.0.1:8090\n"
        "  curl -H 'Authorization: ApiKey " SIM_API_KEY "' \\\n"
        "    'http://127.0.0.1:8090/public/v1/requests?status=pending'\n",
    .options =
        (const struct cmd_option[]){
            CMD_TEXT("listen", 0, struct options, listen),
            CMD_TEXT("seed", 0, struct options, seed),
            CMD_TEXT("api-key", 0, struct options, sim.api_key),
            CMD_TAKE("auth-header", struct options, sim.auth_header, take_auth_header),
            CMD_FLAG("plural", struct options, sim.plural),
            CMD_FLAG("allow-remote", struct options, sim.allow_remote),
            CMD_FLAG("verbose", struct options, verbose),
            {0},
        },
    .defaults = &(
        const struct options){.sim = {.api_key = SIM_API_KEY, .auth_header = "Authentication"}},
    .size = sizeof(struct options),
    .run = run,
};

static enum err take_auth_header(void *at, const char *value, struct why *why)
{
    if (strcmp(value, "Authentication") != 0 && strcmp(value, "Authorization") != 0)
        return why_set(why, ERR_INVALID, "--auth-header: not a header of Connect's: %s", value);
    *(const char **)at = value;
    return ERR_OK;
}

/* Fill the store with the objects of a file, or with the built-in ones. */
static enum err load(struct sim *s, const char *file, struct why *why)
{
    struct json_object *seed = NULL;
    enum err e = file != NULL ? jsonx_parse_file(file, SIM_SEED_MAX, &seed, why)
                              : jsonx_parse(sim_seed, strlen(sim_seed), SIM_SEED_MAX, &seed, why);
    if (e != ERR_OK)
        return e; /* the story names the file */
    e = store_new(seed, &s->store, why);
    json_object_put(seed); /* the store has its share of it */
    for (size_t i = 0; e == ERR_OK && i < store_count(s->store, STORE_REQUESTS); i++)
        sim_asset_follows(s->store, store_at(s->store, STORE_REQUESTS, i));
    return e == ERR_OK ? e : why_prefix(why, e, "--seed %s", file != NULL ? file : "(built-in)");
}

static enum err start(struct sim *s, const char *seed, struct why *why)
{
    static const struct http_options options = {.user_agent = "connect-sim/" PACKAGE_VERSION,
                                                .connect_timeout_ms = 10 * 1000,
                                                .timeout_ms = SIM_PROCESSING_TIMEOUT * 1000,
                                                .answer_max = SIM_RESPONSE_MAX};
    if (calls_new(&s->calls) != ERR_OK || faults_new(&s->faults) != ERR_OK)
        return why_no_memory(why);
    enum err e = http_new(&options, &s->http, why);
    return e == ERR_OK ? load(s, seed, why) : e;
}

static int serve(const struct cmd *self, struct sim *s, const struct options *o)
{
    struct why why = {""};
    enum err e = start(s, o->seed, &why);
    if (e == ERR_OK)
        e = sim_serve(s, o->listen, &why);
    store_free(s->store);
    calls_free(s->calls);
    faults_free(s->faults);
    http_free(s->http);
    return e == ERR_OK ? CMD_OK : cmd_failed(self, "%s", why.text);
}

static int run(const struct cmd *self, void *options, char **arguments)
{
    const struct options *o = options;
    struct sim s = {.options = o->sim};
    struct why why;
    (void)arguments;
    if (o->listen == NULL)
        return cmd_usage(self, "--listen is needed");
    if (o->verbose)
        log_open(&(struct log_options){LOG_DEBUG, LOG_LOGFMT, "stderr"}, NULL);
    if (sodium_init() < 0 || http_global_init(&why) != ERR_OK)
        return cmd_failed(self, "the libraries do not start");
    pthread_mutex_init(&s.lock, NULL);
    clk_cond_init(&s.stop);
    int status = serve(self, &s, o);
    pthread_cond_destroy(&s.stop);
    pthread_mutex_destroy(&s.lock);
    http_global_free();
    return status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    secret_guard_process();
    return cmd_run(&program, argc, argv);
}
