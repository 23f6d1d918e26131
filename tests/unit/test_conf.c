/* test_conf.c - the configuration: every mistake with its place, every default, every way back. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/keys.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define API_KEY  "ApiKey SU-111-222-333:top-secret-of-the-api"
#define SECRET   "top-secret-of-the-webhook-which-is-long"
#define TEXT_MAX ((size_t)64 * 1024) /* bytes of a file written here */

/* The shortest good configuration. The tests replace its lines by number; 11 follows the last. */
#define GOOD_LINES 10
static const char *const good[GOOD_LINES + 1] = {
    "accounts:",
    "  - id: VA-1",
    "    api_url: https://api.example.com/public/v1",
    "    api_key: { file: api.key }",
    "webhooks:",
    "  - id: WH-1",
    "    account: VA-1",
    "    product: PRD-1",
    "    object_class: fulfillment_request",
    "    secrets: [ { file: webhook.secret } ]",
    "",
};

static char folder[] = "/tmp/test_conf.XXXXXX";
static char file[64]; /* the configuration in it */

static void path_in(char *path, size_t size, const char *name)
{
    assert_true((size_t)snprintf(path, size, "%s/%s", folder, name) < size);
}

static void put(const char *name, const char *text, mode_t mode)
{
    char path[256];
    path_in(path, sizeof path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void put_away(const char *name)
{
    char path[256];
    path_in(path, sizeof path, name);
    assert_int_equal(remove(path), 0);
}

static int make_folder(void **state)
{
    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("NOT_SET");
    setenv("EMPTY", "", 1);
    setenv("HOOK_SECRET", SECRET, 1);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(file, sizeof file, "%s/c.yaml", folder);
    put("api.key", API_KEY "\n", 0600);
    put("webhook.secret", SECRET "\n", 0640);
    put("open.secret", SECRET "\n", 0644);
    put("empty.secret", "\n", 0600);
    put("a.rules.yaml", "", 0644);
    put("b.rules.yaml", "", 0644);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"api.key",      "webhook.secret", "open.secret",
                                        "empty.secret", "a.rules.yaml",   "b.rules.yaml"};
    for (size_t i = 0; i < COUNT(names); i++)
        put_away(names[i]);
    return rmdir(folder);
}

/* Load `text` as the configuration. */
static enum err load(const char *text, struct conf **ret, struct why *why)
{
    put("c.yaml", text, 0644);
    enum err e = conf_load(file, CONF_CHECK, ret, why);
    put_away("c.yaml");
    return e;
}

/* The good configuration with line `line` replaced. */
static void with(struct buf *b, int line, const char *text)
{
    buf_init(b, TEXT_MAX);
    for (int i = 1; i <= GOOD_LINES + 1; i++)
        buf_printf(b, "%s\n", i == line ? text : good[i - 1]);
    assert_err(b->err, ERR_OK);
}

static enum err load_with(int line, const char *text, struct conf **ret, struct why *why)
{
    struct buf b;
    with(&b, line, text);
    enum err e = load(b.data, ret, why);
    buf_free(&b);
    return e;
}

static struct conf *loaded(const char *text)
{
    struct conf *c = NULL;
    struct why why = {""};
    if (load(text, &c, &why) != ERR_OK)
        fail_msg("%s\nfor:\n%s", why.text, text);
    return c;
}

static struct conf *loaded_with(int line, const char *text)
{
    struct buf b;
    with(&b, line, text);
    struct conf *c = loaded(b.data);
    buf_free(&b);
    return c;
}

/* The failure is this one, in this place of the configuration, and tells no secret. */
static void assert_told(enum err e, const struct why *why, enum err want, const char *place,
                        const char *told, const char *what)
{
    char start[128];
    snprintf(start, sizeof start, "%s:%s: ", file, place);
    if (e != want || strncmp(why->text, start, strlen(start)) != 0 ||
        strstr(why->text, told) == NULL)
        fail_msg("%s: %s\nis not %s: %s...%s\nfor: %s", err_name(e), why->text, err_name(want),
                 start, told, what);
    assert_null(strstr(why->text, "top-secret"));
}

/* ------------------------------------------------------------------- wrong files */

static void refuses_what_is_no_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *place, *told;
    } bad[] = {
        {"", ERR_CONFIG, "1:1", "the file is empty"},
        {"# nothing yet\n", ERR_CONFIG, "1:1", "the file is empty"},
        {"accounts\n", ERR_TYPE, "1:1", "`key: value` pairs are needed"},
        {"- accounts\n", ERR_TYPE, "1:1", "`key: value` pairs are needed"},
        {"log: {}\n", ERR_CONFIG, "1:1", "accounts: at least one is needed"},
        {"accounts: [\n", ERR_SYNTAX, "2:1", "without a closing bracket"},
        {"log: &a {}\nweb: *a\n", ERR_SYNTAX, "1:", "anchors are not accepted"},
        {"log: {}\nlog: {}\n", ERR_DUPLICATE, "2:1", "log: given twice, first in line 1"},
        {"log: {}\n---\nlog: {}\n", ERR_SYNTAX, "2:1", "a second document"},
        {"log: \xff\n", ERR_ENCODING, "1:6", "not UTF-8"},
        {"accounts: []\n", ERR_CONFIG, "1:11", "accounts: a list with at least one element"},
        {"accounts: VA-1\n", ERR_CONFIG, "1:11", "accounts: a list with at least one element"},
        {"accounts: [ VA-1 ]\n", ERR_TYPE, "1:13", "accounts: `key: value` pairs are needed"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct conf *c = NULL;
        struct why why = {""};
        enum err e = load(bad[i].text, &c, &why);
        assert_null(c);
        char start[128];
        int n = snprintf(start, sizeof start, "%s:%s", file, bad[i].place);
        if (e != bad[i].err || strncmp(why.text, start, (size_t)n) != 0 ||
            strstr(why.text, bad[i].told) == NULL)
            fail_msg("%s: %s\nfor:\n%s", err_name(e), why.text, bad[i].text);
    }
    struct conf *c = NULL;
    struct why why = {""};
    assert_err(conf_load("/nonexistent/c.yaml", CONF_CHECK, &c, &why), ERR_IO);
    assert_string_equal(why.text, "/nonexistent/c.yaml: No such file or directory");
}

static void refuses_a_wrong_line_and_says_where(void **state)
{
    (void)state;
    static const struct {
        int line; /* of the good configuration, replaced by: */
        const char *text;
        enum err err;
        const char *place, *told;
    } bad[] = {
        /* keys */
        {11, "wbe: {}", ERR_CONFIG, "11:1", "wbe: unknown key; there are log, accounts, inbox"},
        {11, "log: { levle: info }", ERR_CONFIG, "11:8",
         "log.levle: unknown key; there are level, format, file"},
        {11, "web:\n  threads: 4\n  max_boby: 1MiB", ERR_CONFIG, "13:3", "web.max_boby: unknown"},
        {3, "    url: https://x", ERR_CONFIG, "3:5",
         "accounts.url: unknown key; there are id, api"},
        {9, "    class: usage_file", ERR_CONFIG, "9:5",
         "webhooks.class: unknown key; there are id"},
        {11, "web: { threads: 1, threads: 2 }", ERR_DUPLICATE, "11:20", "threads: given twice"},
        {11, "web: { threads: 1 }\nweb: { mode: \"0600\" }", ERR_DUPLICATE, "12:1",
         "web: given twice, first in line 11"},
        {11, "---\nweb: {}", ERR_SYNTAX, "11:1", "a second document: a file holds one"},
        {11, "web: [ threads ]", ERR_TYPE, "11:6", "web: `key: value` pairs are needed"},
        {11, "web:", ERR_TYPE, "11:1", "web: `key: value` pairs are needed"},
        {11, "web: { threads: }", ERR_TYPE, "11:8", "a text is needed here"},
        {11, "web: { group: [ a ] }", ERR_TYPE, "11:15", "a text is needed here"},
        {11, "web: { group: \"a\\0b\" }", ERR_ENCODING, "11:15", "a NUL inside a text"},
        {11, "web: { group: \"\" }", ERR_INVALID, "11:15", "web.group: a text is needed"},
        /* numbers */
        {11, "web: { threads: 4x }", ERR_TYPE, "11:17", "web.threads: a whole number is needed"},
        {11, "web: { threads: four }", ERR_TYPE, "11:17", "web.threads: a whole number is needed"},
        {11, "web: { threads: \"\" }", ERR_TYPE, "11:17", "web.threads: a whole number is needed"},
        {11, "web: { threads: 4.0 }", ERR_TYPE, "11:17", "a whole number is needed"},
        {11, "web: { threads: -4 }", ERR_TYPE, "11:17", "a whole number is needed"},
        {11, "web: { threads: 04 }", ERR_TYPE, "11:17", "a whole number is needed"},
        {11, "web: { threads: 0x4 }", ERR_TYPE, "11:17", "a whole number is needed"},
        {11, "web: { threads: ' 4' }", ERR_TYPE, "11:17", "a whole number is needed"},
        {11, "web: { threads: automatic }", ERR_TYPE, "11:17", "a whole number is needed"},
        {11, "web: { inline_threads: auto }", ERR_TYPE, "11:24", "a whole number is needed"},
        {11, "web: { threads: 0 }", ERR_RANGE, "11:17", "web.threads: from 1 to 256 is allowed"},
        {11, "web: { threads: 257 }", ERR_RANGE, "11:17", "web.threads: from 1 to 256 is allowed"},
        {11, "web: { threads: 99999999999999999999 }", ERR_RANGE, "11:17", "from 1 to 256"},
        {11, "web: { request_timeout: 30 }", ERR_TYPE, "11:25",
         "web.request_timeout: a time with its unit is needed, like 30s, 5m, 2h or 7d"},
        {11, "web: { request_timeout: 1MiB }", ERR_TYPE, "11:25", "a time with its unit"},
        {11, "web: { request_timeout: 30 s }", ERR_TYPE, "11:25", "a time with its unit"},
        {11, "web: { request_timeout: 1h30m }", ERR_TYPE, "11:25", "a time with its unit"},
        {11, "web: { request_timeout: 999ms }", ERR_RANGE, "11:25", "from 1s to 1h is allowed"},
        {11, "web: { request_timeout: 0 }", ERR_RANGE, "11:25", "from 1s to 1h is allowed"},
        {11, "web: { request_timeout: 2h }", ERR_RANGE, "11:25", "from 1s to 1h is allowed"},
        {11, "web: { request_timeout: 9223372036854775807d }", ERR_RANGE, "11:25", "from 1s to 1h"},
        {11, "web: { max_body: 1MB }", ERR_TYPE, "11:18",
         "web.max_body: a size is needed, like 4096, 64KiB or 1MiB"},
        {11, "web: { max_body: 1m }", ERR_TYPE, "11:18", "a size is needed"},
        {11, "web: { max_body: 1023 }", ERR_RANGE, "11:18", "from 1KiB to 64MiB is allowed"},
        {11, "web: { max_body: 65MiB }", ERR_RANGE, "11:18", "from 1KiB to 64MiB is allowed"},
        {11, "processing: { backoff_min: 2m, backoff_max: 1m }", ERR_CONFIG, "11:45",
         "processing.backoff_min is longer than processing.backoff_max"},
        {11, "processing: { backoff_min: 2h }", ERR_CONFIG, "11:28", "is longer than"},
        /* words and rights */
        {11, "web: { mode: 660 }", ERR_TYPE, "11:14", "rights like \"0660\" are needed, in quotes"},
        {11, "web: { mode: \"0668\" }", ERR_TYPE, "11:14", "rights like \"0660\""},
        {11, "web: { mode: \"1660\" }", ERR_TYPE, "11:14", "rights like \"0660\""},
        {11, "processing: { dry_run: yes }", ERR_TYPE, "11:24",
         "processing.dry_run: true or false is needed"},
        {11, "processing: { mode: fast }", ERR_INVALID, "11:21", "auto, queue or inline is needed"},
        {11, "log: { level: loud }", ERR_INVALID, "11:15", "error, warn, info or debug is needed"},
        {11, "log: { format: xml }", ERR_INVALID, "11:16", "logfmt or json is needed"},
        /* places */
        {11, "log: { file: handler.log }", ERR_INVALID, "11:14",
         "log.file: an absolute path is needed"},
        {11, "inbox: { url: postgresql://u:top-secret@h/d }", ERR_INVALID, "11:15",
         "inbox.url: sqlite:PATH is needed"},
        {11, "inbox: { url: \"sqlite:\" }", ERR_INVALID, "11:15", "an absolute path is needed"},
        {11, "inbox: { url: sqlite:inbox.db }", ERR_INVALID, "11:15", "an absolute path is needed"},
        {11, "web: { listen: none }", ERR_INVALID, "11:16", "unix:PATH or tcp:HOST:PORT is needed"},
        {11, "web: { listen: /run/x.sock }", ERR_INVALID, "11:16", "unix:PATH or tcp:HOST:PORT"},
        {11, "web: { listen: \"unix:\" }", ERR_INVALID, "11:16", "unix:PATH or tcp:HOST:PORT"},
        {11, "web: { listen: unix:x.sock }", ERR_INVALID, "11:16", "the socket's path must be abs"},
        {11, "web: { listen: tcp:9000 }", ERR_INVALID, "11:16", "unix:PATH or tcp:HOST:PORT"},
        {11, "web: { listen: \"tcp::9000\" }", ERR_INVALID, "11:16", "unix:PATH or tcp:HOST:PORT"},
        {11, "web: { listen: \"tcp:h:\" }", ERR_INVALID, "11:16", "unix:PATH or tcp:HOST:PORT"},
        {11, "web: { listen: \"tcp:h:65536\" }", ERR_INVALID, "11:16",
         "unix:PATH or tcp:HOST:PORT"},
        {11, "web: { admin_listen: 8080 }", ERR_INVALID, "11:22", "unix:PATH or tcp:HOST:PORT"},
        /* accounts */
        {2, "  - id: 4", ERR_INVALID, "2:9", "accounts.id: 4 is no id: VA-... (vendor) or PA-"},
        {2, "  - id: XX-1", ERR_INVALID, "2:9", "XX-1: a vendor's is VA-..., a distributor's PA-"},
        {2, "  - rate_limit: 1", ERR_CONFIG, "2:5", "accounts: `id` is missing: VA-... (vendor)"},
        {3, "", ERR_CONFIG, "2:5", "accounts: `api_url` is missing: the endpoint of Connect's API"},
        {4, "", ERR_CONFIG, "2:5", "accounts: `api_key` is missing: { file: PATH }, { env: NAME }"},
        {4,
         "    api_key: { file: api.key }\n  - id: VA-1\n    api_url: https://x\n"
         "    api_key: { file: api.key }",
         ERR_DUPLICATE, "5:9", "accounts.id: VA-1: given twice"},
        {3, "    api_url: http://api.example.com", ERR_INVALID, "3:14",
         "api_url: https://... is needed (http:// to this machine itself only)"},
        {3, "    api_url: http://127.0.0.1.example.com", ERR_INVALID, "3:14",
         "https://... is needed"},
        {3, "    api_url: http://localhost.example.com", ERR_INVALID, "3:14",
         "https://... is needed"},
        {3, "    api_url: http://[::2]:80", ERR_INVALID, "3:14", "https://... is needed"},
        {3, "    api_url: api.example.com", ERR_INVALID, "3:14", "https://... is needed"},
        {3, "    api_url: \"https://\"", ERR_INVALID, "3:14", "api_url: a host is needed"},
        {3, "    api_url: https:///v1", ERR_INVALID, "3:14", "api_url: a host is needed"},
        {3, "    api_url: https://:443/v1", ERR_INVALID, "3:14", "api_url: a host is needed"},
        {3, "    api_url: https://u:top-secret@h/v1", ERR_INVALID, "3:14", "no user, query, fragm"},
        {3, "    api_url: http://127.0.0.1:1@h/v1", ERR_INVALID, "3:14", "no user, query, fragm"},
        {3, "    api_url: https://h/v1?a=b", ERR_INVALID, "3:14", "no user, query, fragment"},
        {3, "    api_url: \"https://h/v 1\"", ERR_INVALID, "3:14", "no user, query, fragment"},
        {3, "    api_url: [ https://h ]", ERR_TYPE, "3:14", "a text is needed here"},
        {4, "    api_key: { file: api.key }\n    rate_limit: 100001", ERR_RANGE, "5:17",
         "accounts.rate_limit: from 0 to 100000 is allowed"},
        {4, "    api_key: { file: api.key }\n    proxy: http://u:top-secret@proxy:80", ERR_INVALID,
         "5:12", "accounts.proxy: a proxy that wants a password is not supported"},
        {4, "    api_key: { file: api.key }\n    proxy: proxy:80", ERR_INVALID, "5:12",
         "accounts.proxy: http://HOST:PORT, https://HOST:PORT or none is needed"},
        {4, "    api_key: { file: api.key }\n    proxy: \"\"", ERR_INVALID, "5:12",
         "http://HOST:PORT"},
        {4, "    api_key: { file: api.key }\n    proxy: \"http://a b\"", ERR_INVALID, "5:12",
         "http://HOST:PORT"},
        {4, "    api_key: { file: api.key }\n    proxy: http://:80", ERR_INVALID, "5:12",
         "http://HOST:PORT"},
        {4, "    api_key: { file: api.key }\n    ca_file: ca.pem", ERR_INVALID, "5:14",
         "accounts.ca_file: an absolute path is needed"},
        {4, "    api_key: { file: api.key }\n    ca_file: /nonexistent/ca.pem", ERR_IO, "5:14",
         "accounts.ca_file: /nonexistent/ca.pem: No such file or directory"},
        /* secrets */
        {4, "    api_key: top-secret", ERR_TYPE, "4:14",
         "a secret is { file: PATH }, { env: NAME } or { credential: NAME }"},
        {4, "    api_key: { text: top-secret }", ERR_TYPE, "4:14", "a secret is { file: PATH }"},
        {4, "    api_key: {}", ERR_TYPE, "4:14", "a secret is { file: PATH }"},
        {4, "    api_key: { file: api.key, env: X }", ERR_TYPE, "4:14",
         "a secret is { file: PATH }"},
        {4, "    api_key: { file: \"\" }", ERR_INVALID, "4:22", "a path is needed"},
        {4, "    api_key: { file: none.key }", ERR_NOT_FOUND, "4:14",
         "none.key: No such file or directory"},
        {4, "    api_key: { file: . }", ERR_INVALID, "4:14", "is not a regular file"},
        {4, "    api_key: { env: NOT_SET }", ERR_NOT_FOUND, "4:14",
         "environment variable NOT_SET is not set"},
        {4, "    api_key: { env: EMPTY }", ERR_INVALID, "4:14", "variable EMPTY is empty"},
        {4, "    api_key: { credential: x }", ERR_NOT_FOUND, "4:14",
         "$CREDENTIALS_DIRECTORY is not set; is LoadCredential= missing in the unit?"},
        {4, "    api_key: { credential: ../x }", ERR_INVALID, "4:14", "has no slash"},
        {10, "", ERR_CONFIG, "6:5", "webhooks: `secrets` is missing: list of { file: PATH }"},
        {10, "    secrets: []", ERR_CONFIG, "10:14", "webhooks.secrets: a list with at least one"},
        {10, "    secrets: { file: webhook.secret }", ERR_CONFIG, "10:14", "a list with at least"},
        {10, "    secrets: [ top-secret ]", ERR_TYPE, "10:16", "a secret is { file: PATH }"},
        {10, "    secrets: [ { file: open.secret } ]", ERR_INVALID, "10:16",
         "open.secret is open to everybody: take the rights of others away (chmod o=)"},
        {10, "    secrets: [ { file: webhook.secret }, { file: empty.secret } ]", ERR_INVALID,
         "10:42", "empty.secret is empty"},
        /* webhooks */
        {5, "webhooks: []\nx_webhooks:", ERR_CONFIG, "6:1", "x_webhooks: unknown key"},
        {6, "  - id: hook", ERR_INVALID, "6:9", "webhooks.id: hook is no id: WH-..., as Connect"},
        {6, "  - type: event", ERR_CONFIG, "6:5", "webhooks: `id` is missing: WH-..., as Connect"},
        {7, "", ERR_CONFIG, "6:5", "webhooks: `account` is missing: id of the account"},
        {7, "    account: VA-2", ERR_CONFIG, "7:14", "webhooks.account: VA-2: is not in accounts"},
        {8, "    product: a product", ERR_INVALID, "8:14", "webhooks.product: a product is no id"},
        {8, "", ERR_CONFIG, "6:5", "webhooks: `product` is missing: PRD-..."},
        {9, "", ERR_CONFIG, "6:5", "webhooks: `object_class` is missing: tier_config_request, ful"},
        {9, "    object_class: order", ERR_INVALID, "9:19",
         "webhooks.object_class: order: there are tier_config_request, fulfillment_request, "
         "tier_account_request, listing_request, billing_request, usage_file"},
        {9, "    object_class: usage_file\n    type: hook", ERR_INVALID, "10:11",
         "webhooks.type: hook: not one of Connect's webhook types"},
        {9, "    object_class: usage_file\n    type: validator", ERR_INVALID, "10:11",
         "webhooks.type: Connect has no validator webhook for a usage_file"},
        {11, "    policy: { http: \"http://127.0.0.1:9000/\" }", ERR_CONFIG, "11:13",
         "webhooks.policy: { rules: PATH }, { exec: [PROGRAM, ...] } or none is needed (services"},
        {11, "    policy: approve", ERR_CONFIG, "11:13",
         "{ rules: PATH }, { exec: [PROGRAM, ...] }"},
        {11, "    policy: { rules: a.rules.yaml, timeout: 5s }", ERR_CONFIG, "11:13",
         "webhooks.policy: beside `rules` there is nothing"},
        {11, "    policy: { exec: /bin/true -x }", ERR_TYPE, "11:21",
         "webhooks.policy.exec: a list is needed, [PROGRAM, ARGUMENT, ...]: no shell takes a line"},
        {11, "    policy: { exec: [] }", ERR_CONFIG, "11:21",
         "webhooks.policy.exec: a list with at"},
        {11, "    policy: { exec: [ /bin/no-such-program ] }", ERR_IO, "11:23",
         "webhooks.policy.exec: /bin/no-such-program: No such file or directory"},
        {11, "    policy: { exec: [ /bin ] }", ERR_IO, "11:23",
         "webhooks.policy.exec: /bin is no program"},
        {11, "    policy: { exec: [ a.rules.yaml ] }", ERR_IO, "11:23",
         "a.rules.yaml: Permission "},
        {11, "    policy: { exec: [ /bin/true ], shell: true }", ERR_CONFIG, "11:36",
         "webhooks.policy.shell: unknown key; there are rules, exec, session, sessions, timeout"},
        {11, "    policy: { exec: [ /bin/true ], sessions: 2 }", ERR_CONFIG, "11:46",
         "webhooks.policy.sessions: is for `session: true` only"},
        {11, "    policy: { exec: [ /bin/true ], session: true, sessions: 65 }", ERR_RANGE, "11:61",
         "webhooks.policy.sessions: from 1 to 64 is allowed"},
        {11, "    policy: { exec: [ /bin/true ], session: 1 }", ERR_TYPE, "11:45",
         "webhooks.policy.session: true or false is needed"},
        {11, "    policy: { exec: [ /bin/true ], timeout: 20 }", ERR_TYPE, "11:45",
         "webhooks.policy.timeout: a time with its unit is needed"},
        {11, "    policy: { exec: [ /bin/true ], env: [ A=1 ] }", ERR_INVALID, "11:43",
         "webhooks.policy.env: names of variables are needed, without values"},
        {11, "    policy: { exec: [ /bin/true ], env: [ HTTP_PROXY ] }", ERR_INVALID, "11:43",
         "webhooks.policy.env: HTTP_PROXY: a web server sets HTTP_... to what its callers send"},
        {11, "    policy: { exec: [ /bin/true ], cwd: /no/folder }", ERR_IO, "11:41",
         "webhooks.policy.cwd: /no/folder is no folder"},
        {11, "    policy: { exec: [ /bin/true ], user: \"\" }", ERR_INVALID, "11:42",
         "webhooks.policy.user: a text is needed"},
        {11, "    policy: { rules: none.yaml }", ERR_IO, "11:22",
         "none.yaml: No such file or directory"},
        {11, "    states: []", ERR_CONFIG, "11:13", "webhooks.states: a list with at least one"},
        {11, "    states: [ pending, approved ]", ERR_INVALID, "11:24",
         "webhooks.states: approved: a vendor can do nothing with a fulfillment_request in this"},
        {11, "    type: validator\n    states: [ pending ]", ERR_CONFIG, "12:13",
         "webhooks.states: a validator is asked about forms, and works off no queue"},
        {11, "    since: 2026-11-01", ERR_CONFIG, "11:12",
         "webhooks.since: is for objects without a state; a fulfillment_request has one"},
        {11,
         "  - { id: WH-2, account: VA-1, product: PRD-1, object_class: billing_request,\n"
         "      secrets: [ { env: HOOK_SECRET } ], since: yesterday }",
         ERR_INVALID, "12:49", "webhooks.since: yesterday: a time like 2026-11-01T00:00:00Z"},
        {11,
         "  - { id: WH-2, account: VA-1, product: PRD-1, object_class: billing_request,\n"
         "      secrets: [ { env: HOOK_SECRET } ], since: 2026-11-01 }\n"
         "  - { id: WH-3, account: VA-1, product: PRD-1, object_class: billing_request,\n"
         "      secrets: [ { env: HOOK_SECRET } ] }",
         ERR_CONFIG, "13:5", "webhooks.since: WH-3 and WH-2 ("},
        {11,
         "  - { id: WH-1, account: VA-1, product: PRD-2, object_class: usage_file,\n"
         "      secrets: [ { env: HOOK_SECRET } ] }",
         ERR_DUPLICATE, "11:5", "webhooks.id: WH-1: given twice, first at "},
        {11,
         "  - { id: WH-2, account: VA-1, product: PRD-1, object_class: fulfillment_request,\n"
         "      secrets: [ { env: HOOK_SECRET } ], policy: { rules: a.rules.yaml } }",
         ERR_CONFIG, "11:5", "webhooks.policy: WH-2 and WH-1 ("},
        {11,
         "    policy: { rules: b.rules.yaml }\n"
         "  - { id: WH-2, account: VA-1, product: PRD-1, object_class: fulfillment_request,\n"
         "      secrets: [ { env: HOOK_SECRET } ], policy: { rules: a.rules.yaml } }",
         ERR_CONFIG, "12:5", "c.yaml:6) watch the same queue: they must name the same policy"},
        /* more files */
        {11, "include: [ a.yaml ]", ERR_TYPE, "11:10", "a text is needed here"},
        {11, "include: \"\"", ERR_INVALID, "11:10", "a path is needed"},
        {11, "include: more.yaml", ERR_NOT_FOUND, "11:10", "include: no file is "},
        {11, "include: hooks.d/*.yaml", ERR_NOT_FOUND, "11:10", "include: no file is "},
        {11, "include: api.key/*.yaml", ERR_NOT_FOUND, "11:10", "include: no file is "},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct conf *c = NULL;
        struct why why = {""};
        enum err e = load_with(bad[i].line, bad[i].text, &c, &why);
        assert_null(c);
        assert_told(e, &why, bad[i].err, bad[i].place, bad[i].told, bad[i].text);
    }
}

/* Only the second file is wrong: its line is named, not that of `include`. */
static void refuses_a_wrong_fragment_and_says_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *place, *told;
    } bad[] = {
        {"WH-2\n", ERR_TYPE, "1:1", "webhooks: `key: value` pairs are needed"},
        {"webhooks: []\n", ERR_CONFIG, "1:1", "webhooks.webhooks: unknown key"},
        {"# one\nid: WH-2\nacount: VA-1\n", ERR_CONFIG, "3:1", "webhooks.acount: unknown key"},
        {"- id: WH-2\n  account: VA-2\n", ERR_CONFIG, "2:12", "VA-2: is not in accounts"},
        {"{ id: WH-1, account: VA-1, product: PRD-2, object_class: usage_file,\n"
         "  secrets: [ { env: HOOK_SECRET } ] }\n",
         ERR_DUPLICATE, "1:1", "webhooks.id: WH-1: given twice, first at "},
    };
    put("first.part.yaml", "# nothing\n", 0644);
    for (size_t i = 0; i < COUNT(bad); i++) {
        put("second.part.yaml", bad[i].text, 0644);
        struct conf *c = NULL;
        struct why why = {""};
        enum err e = load_with(11, "include: \"*.part.yaml\"", &c, &why);
        char start[128];
        snprintf(start, sizeof start, "%s/second.part.yaml:%s: ", folder, bad[i].place);
        if (e != bad[i].err || strncmp(why.text, start, strlen(start)) != 0 ||
            strstr(why.text, bad[i].told) == NULL)
            fail_msg("%s: %s\nfor:\n%s", err_name(e), why.text, bad[i].text);
    }
    put_away("second.part.yaml");
    put_away("first.part.yaml");
}

/* A folder that is there but cannot be looked into may hold webhooks. */
static void refuses_an_unreadable_folder_of_fragments(void **state)
{
    (void)state;
    char path[256];
    path_in(path, sizeof path, "webhooks.d");
    assert_int_equal(symlink("webhooks.d", path), 0); /* to itself */
    struct conf *c = NULL;
    struct why why = {""};
    enum err e = load_with(11, "include: webhooks.d/*.yaml", &c, &why);
    put_away("webhooks.d");
    assert_told(e, &why, ERR_IO, "11:10", "webhooks.d/*.yaml cannot be read", "a link to itself");
}

static void refuses_more_than_its_limits(void **state)
{
    (void)state;
    struct conf *c = NULL;
    struct why why = {""};
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_addstr(&b, "    secrets: [");
    for (int i = 0; i <= CONF_SECRETS_MAX; i++)
        buf_addstr(&b, "{ env: HOOK_SECRET }, ");
    buf_addstr(&b, "]");
    assert_told(load_with(10, b.data, &c, &why), &why, ERR_TOO_BIG, "10:14",
                "webhooks.secrets: at most 16", "secrets");
    buf_reset(&b);
    buf_addstr(&b, "    states: [");
    for (int i = 0; i <= CONF_STATES_MAX; i++)
        buf_addstr(&b, "pending, ");
    buf_addstr(&b, "]");
    assert_told(load_with(11, b.data, &c, &why), &why, ERR_TOO_BIG, "11:13",
                "webhooks.states: at most 16", "states");
    buf_reset(&b);
    for (int i = 2; i <= CONF_ACCOUNTS_MAX + 1; i++)
        buf_printf(&b, "%s  - { id: VA-%d, api_url: https://x, api_key: { env: HOOK_SECRET } }",
                   i > 2 ? "\n" : "    api_key: { env: HOOK_SECRET }\n", i);
    assert_told(load_with(4, b.data, &c, &why), &why, ERR_TOO_BIG, "2:3", "accounts: at most 256",
                "accounts");
    buf_reset(&b);
    buf_printf(&b, "    policy: { rules: /%04096d }", 0);
    assert_told(load_with(11, b.data, &c, &why), &why, ERR_TOO_BIG, "11:22",
                "a path has at most 4095 bytes", "a path");
    buf_reset(&b);
    buf_printf(&b, "web: { listen: unix:/%0108d }", 0);
    assert_told(load_with(11, b.data, &c, &why), &why, ERR_TOO_BIG, "11:16",
                "web.listen: a socket's path has at most 107 bytes", "a socket");
    buf_free(&b);
}

/* ------------------------------------------------------------------------ values */

/* Every number's smallest and largest value, and the ones beyond. */
static void numbers_keep_their_bounds(void **state)
{
    (void)state;
    int numbers = 0;
    for (const struct key *k = conf_keys; k->name != NULL; k++) {
        if (k->type != KEY_INT && k->type != KEY_DURATION && k->type != KEY_SIZE)
            continue;
        numbers++;
        const struct {
            int64_t value;
            enum err err;
        } tries[] = {
            {k->min - 1, k->min > 0 ? ERR_RANGE : ERR_TYPE}, /* -1 is no number here */
            {k->max + 1, ERR_RANGE},
            {k->min, ERR_OK},
            {k->max, ERR_OK},
        };
        for (size_t i = 0; i < COUNT(tries); i++) {
            struct buf b;
            buf_init(&b, 100);
            key_print_number(&b, k->type, tries[i].value);
            union {
                struct conf conf;
                struct conf_account account;
                struct conf_policy policy;
            } base = {0};
            struct why why = {""};
            enum err e = key_read(k, b.data, &base, &why);
            if (e != tries[i].err)
                fail_msg("%s.%s: %s: %s %s", k->section, k->name, b.data, err_name(e), why.text);
            int64_t read;
            memcpy(&read, (const char *)&base + k->offset, sizeof read);
            assert_int_equal(read, e == ERR_OK ? tries[i].value : 0);
            buf_free(&b);
        }
    }
    assert_int_equal(numbers, 24);
}

/* Wherever in the configuration it is said that a variable holds one. */
static void no_program_gets_a_secret(void **state)
{
    struct conf *c = NULL;
    struct why why;
    (void)state;
    assert_err(
        load_with(
            11,
            "    policy: { exec: [ /bin/true ], env: [ HOME, HOOK_SECRET ] }\n"
            "  - { id: WH-2, account: VA-1, product: PRD-2, object_class: fulfillment_request,\n"
            "      secrets: [ { env: HOOK_SECRET } ] }",
            &c, &why),
        ERR_CONFIG);
    assert_non_null(strstr(why.text, "c.yaml:6: webhooks.policy.env: HOOK_SECRET holds a secret"));
}

static void knows_all_about_a_program(void **state)
{
    struct conf *c = NULL;
    struct why why = {""};
    (void)state;
    assert_err(
        load_with(11,
                  "    policy: { exec: [ /bin/true, -x, \"a b\" ], session: true, sessions: 2,\n"
                  "              timeout: 5s, env: [ HOME ], cwd: /usr, user: nobody }",
                  &c, &why),
        ERR_OK);
    const struct conf_policy *p = &c->webhooks[0].policy;
    assert_int_equal(p->kind, CONF_POLICY_EXEC);
    assert_string_equal(p->argv[0], "/bin/true");
    assert_string_equal(p->argv[2], "a b");
    assert_null(p->argv[3]);
    assert_true(p->session);
    assert_int_equal(p->sessions, 2);
    assert_int_equal(p->timeout_ms, 5000);
    assert_string_equal(p->env[0], "HOME");
    assert_null(p->env[1]);
    assert_string_equal(p->cwd, "/usr");
    assert_string_equal(p->user, "nobody");
    assert_null(p->group);
    struct conf_policy other = *p;
    assert_true(conf_same_policy(p, &other));
    other.argv[2] = NULL;
    assert_false(conf_same_policy(p, &other));
    other = *p;
    other.group = "nogroup";
    assert_false(conf_same_policy(p, &other));
    conf_unref(c);
}

static void numbers_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *section, *name, *text;
        int64_t value;
    } good_numbers[] = {
        {"processing", "skip_for", "0", 0},
        {"processing", "skip_for", "0s", 0},
        {"processing", "skip_for", "1500ms", 1500},
        {"processing", "skip_for", "90s", 90000},
        {"processing", "skip_for", "60m", 3600000},
        {"processing", "skip_for", "1h", 3600000},
        {"processing", "skip_for", "1d", 86400000},
        {"web", "max_body", "4096", 4096},
        {"web", "max_body", "64KiB", 65536},
        {"web", "max_body", "1MiB", 1048576},
        {"inbox", "max_wal", "2GiB", INT64_C(2147483648)},
        {"processing", "workers", "0", 0},
        {"web", "mode", "0000", 0},
        {"web", "mode", "0777", 0777},
    };
    for (size_t i = 0; i < COUNT(good_numbers); i++) {
        const struct key *k = key_find(good_numbers[i].section, good_numbers[i].name);
        struct conf c;
        int64_t read;
        assert_err(key_read(k, good_numbers[i].text, &c, NULL), ERR_OK);
        memcpy(&read, (const char *)&c + k->offset, sizeof read);
        assert_int_equal(read, good_numbers[i].value);
    }
    assert_null(key_find("web", "workers"));
}

static void reads_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text;
    } fine[] = {
        {3, "    api_url: http://127.0.0.1:8080/public/v1"},
        {3, "    api_url: http://localhost:8080"},
        {3, "    api_url: http://[::1]:8080"},
        {4, "    api_key: { env: HOOK_SECRET }\n    proxy: http://proxy.example.com:3128"},
        {4, "    api_key: { env: HOOK_SECRET }\n    proxy: https://[::1]:3128"},
        {11, "web: { listen: \"tcp:127.0.0.1:9000\", admin_listen: \"tcp:[::1]:65535\" }"},
        {11, "web: { threads: \"4\", mode: 0660 }"},
        {11, "processing: { backoff_min: 1m, backoff_max: 1m }"},
        {11, "    states: [ pending, inquiring ]"},
        /* the same queue, the same policy; another queue, another policy */
        {11, "    policy: { rules: a.rules.yaml }\n"
             "  - { id: WH-2, account: VA-1, product: PRD-1, object_class: fulfillment_request,\n"
             "      secrets: [ { env: HOOK_SECRET } ], policy: { rules: a.rules.yaml } }\n"
             "  - { id: WH-3, account: VA-1, product: PRD-2, object_class: fulfillment_request,\n"
             "      secrets: [ { env: HOOK_SECRET } ], policy: { rules: b.rules.yaml } }"},
        {11, "include: none"},
        {11, "include: webhooks.d/*.yaml"},
    };
    for (size_t i = 0; i < COUNT(fine); i++)
        conf_unref(loaded_with(fine[i].line, fine[i].text));
}

static void a_snapshot_is_what_the_file_says(void **state)
{
    (void)state;
    struct conf *c = loaded_with(3, "    api_url: https://api.example.com/public/v1//");
    assert_int_equal(c->accounts_count, 1);
    assert_int_equal(c->webhooks_count, 1);
    const struct conf_account *a = conf_account(c, "VA-1");
    const struct conf_webhook *w = conf_webhook(c, "WH-1");
    assert_null(conf_account(c, "VA-2"));
    assert_null(conf_webhook(c, "VA-1"));
    assert_string_equal(a->api_url, "https://api.example.com/public/v1");
    assert_int_equal(a->side, SIDE_VENDOR);
    assert_string_equal((const char *)secret_bytes(a->api_key.value), API_KEY);
    assert_null(a->proxy);
    assert_null(a->ca_file);
    assert_ptr_equal(w->account, a);
    assert_string_equal(w->product, "PRD-1");
    assert_int_equal(w->type, TYPE_EVENT);
    assert_int_equal(w->secrets_count, 1);
    assert_string_equal((const char *)secret_bytes(w->secrets[0].value), SECRET);
    assert_int_equal(w->policy.kind, CONF_POLICY_NONE);
    assert_string_equal(w->file, file);
    assert_int_equal(w->line, 6);
    assert_null(c->web.admin_listen);
    /* Who has it keeps it. */
    struct conf *same = conf_ref(c);
    conf_unref(c);
    assert_string_equal(conf_webhook(same, "WH-1")->id, "WH-1");
    conf_unref(same);
    conf_unref(NULL);
}

static void api_keys_stay_where_they_are_not_needed(void **state)
{
    (void)state;
    struct buf b;
    with(&b, 4, "    api_key: { file: none.key }");
    put("c.yaml", b.data, 0644);
    buf_free(&b);
    struct conf *c = NULL;
    struct why why = {""};
    assert_err(conf_load(file, CONF_CHECK, &c, &why), ERR_NOT_FOUND);
    assert_err(conf_load(file, CONF_NO_API_KEYS, &c, &why), ERR_OK);
    assert_null(c->accounts[0].api_key.value);
    assert_non_null(c->webhooks[0].secrets[0].value);
    conf_unref(c);
    assert_err(conf_load(file, CONF_API_KEYS_AT_HAND, &c, &why), ERR_OK);
    assert_null(c->accounts[0].api_key.value);
    conf_unref(c);
    put_away("c.yaml");
}

/* Who takes no calls holds no secret that calls are signed with. */
static void secrets_are_loaded_for_who_needs_them(void **state)
{
    static const struct {
        enum conf_need need;
        bool key, secret;
    } needs[] = {{CONF_CHECK, true, true},
                 {CONF_API_KEYS_AT_HAND, true, true},
                 {CONF_NO_API_KEYS, false, true},
                 {CONF_TO_WORK, true, false},
                 {CONF_TO_LOOK, false, false}};
    (void)state;
    struct buf b;
    with(&b, GOOD_LINES + 1, "");
    put("c.yaml", b.data, 0644);
    buf_free(&b);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        struct conf *c = NULL;
        assert_err(conf_load(file, needs[i].need, &c, NULL), ERR_OK);
        assert_int_equal(c->accounts[0].api_key.value != NULL, needs[i].key);
        assert_int_equal(c->webhooks[0].secrets[0].value != NULL, needs[i].secret);
        assert_int_equal(c->has_secrets, needs[i].secret);
        conf_unref(c);
    }
    put_away("c.yaml");
}

static void included_webhooks_are_webhooks(void **state)
{
    (void)state;
    char path[256];
    path_in(path, sizeof path, "webhooks.d");
    assert_int_equal(mkdir(path, 0755), 0);
    put("webhooks.d/b.yaml",
        "id: WH-3\naccount: VA-1\nproduct: PRD-1\nobject_class: usage_file\n"
        "secrets: [ { file: ../webhook.secret } ]\npolicy: { rules: ../a.rules.yaml }\n",
        0644);
    put("webhooks.d/a.yaml",
        "- { id: WH-2, account: VA-1, product: PRD-1, object_class: tier_account_request,\n"
        "    secrets: [ { env: HOOK_SECRET } ] }\n",
        0644);
    static const struct {
        const char *include;
        const char *last; /* webhook */
    } says[] = {{"", "WH-3"},
                {"include: webhooks.d/*.yaml", "WH-3"},
                {"include: webhooks.d/a.yaml", "WH-2"},
                {"include: none", "WH-1"}};
    for (size_t i = 0; i < COUNT(says); i++) {
        struct conf *c = loaded_with(11, says[i].include);
        assert_string_equal(c->webhooks[c->webhooks_count - 1].id, says[i].last);
        if (i == 0) {
            const struct conf_webhook *w = conf_webhook(c, "WH-3");
            assert_int_equal(c->webhooks_count, 3);
            path_in(path, sizeof path, "webhooks.d/b.yaml");
            assert_string_equal(w->file, path);
            path_in(path, sizeof path, "webhooks.d/../a.rules.yaml");
            assert_string_equal(w->policy.path, path);
        }
        conf_unref(c);
    }
    put_away("webhooks.d/a.yaml");
    put_away("webhooks.d/b.yaml");
    put_away("webhooks.d");
}

static void the_file_is_named_or_installed(void **state)
{
    (void)state;
    unsetenv("CONNECT_WEBHOOK_CONFIG");
    assert_string_equal(conf_path("x.yaml"), "x.yaml");
    assert_string_equal(conf_path(NULL), SYSCONFDIR "/connect-webhook/connect-webhook.yaml");
    setenv("CONNECT_WEBHOOK_CONFIG", "", 1);
    assert_string_equal(conf_path(NULL), SYSCONFDIR "/connect-webhook/connect-webhook.yaml");
    setenv("CONNECT_WEBHOOK_CONFIG", "/y.yaml", 1);
    assert_string_equal(conf_path(NULL), "/y.yaml");
    assert_string_equal(conf_path("x.yaml"), "x.yaml");
    unsetenv("CONNECT_WEBHOOK_CONFIG");
}

/* ----------------------------------------------------------------------- a reload */

static void names_what_cannot_change_while_a_program_runs(void **state)
{
    (void)state;
    struct buf text, names;
    struct conf *running = loaded_with(0, "");
    buf_init(&text, TEXT_MAX);
    buf_init(&names, WHY_MAX);
    conf_fixed_changes(running, running, &names);
    assert_string_equal(names.data, "");
    with(&text, 0, "");
    buf_addstr(&text, "web: { listen: \"tcp:127.0.0.1:9\", max_body: 2MiB, threads: 7 }\n"
                      "inbox: { url: \"sqlite:/x.db\", retention: 1d }\n"
                      "log: { level: debug }\n");
    struct conf *fresh = loaded(text.data);
    conf_fixed_changes(running, fresh, &names);
    assert_string_equal(names.data, "inbox.url, web.listen, web.threads");
    conf_unref(fresh);
    conf_unref(running);
    buf_free(&names);
    buf_free(&text);
}

/* ---------------------------------------------------------------------- printing */

static struct buf printed(const struct conf *c)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    assert_err(conf_print(c, &b), ERR_OK);
    return b;
}

static void every_default_is_printed(void **state)
{
    (void)state;
    static const char defaults[] = "log:\n"
                                   "  level: info\n"
                                   "  format: logfmt\n"
                                   "  file: \"stderr\"\n"
                                   "inbox:\n"
                                   "  url: \"sqlite:/var/lib/connect-webhook/inbox.db\"\n"
                                   "  lock_timeout: 5s\n"
                                   "  max_wal: 256MiB\n"
                                   "  max_backlog: 1000000\n"
                                   "  retention: 30d\n"
                                   "processing:\n"
                                   "  mode: auto\n"
                                   "  workers: 4\n"
                                   "  poll_interval: 15m\n"
                                   "  inline_deadline: 30s\n"
                                   "  lease: 5m\n"
                                   "  max_attempts: 12\n"
                                   "  backoff_min: 5s\n"
                                   "  backoff_max: 1h\n"
                                   "  skip_for: 1h\n"
                                   "  dry_run: false\n"
                                   "web:\n"
                                   "  listen: \"unix:/run/connect-webhook/fcgi.sock\"\n"
                                   "  mode: \"0660\"\n"
                                   "  group: \"www-data\"\n"
                                   "  admin_listen: \"none\"\n"
                                   "  threads: auto\n"
                                   "  validation_threads: 8\n"
                                   "  inline_threads: 4\n"
                                   "  request_timeout: 30s\n"
                                   "  validation_deadline: 20s\n"
                                   "  stop_timeout: 30s\n"
                                   "  max_body: 1MiB\n"
                                   "include: none\n"
                                   "accounts:\n"
                                   "  - id: VA-1\n"
                                   "    api_url: \"https://api.example.com/public/v1\"\n"
                                   "    api_key: { file: \"%s/api.key\" }\n"
                                   "    rate_limit: 10\n"
                                   "    connect_timeout: 10s\n"
                                   "    timeout: 5m\n"
                                   "    proxy: \"none\"\n"
                                   "    ca_file: \"default\"\n"
                                   "webhooks:\n"
                                   "  - id: WH-1\n"
                                   "    account: VA-1\n"
                                   "    product: PRD-1\n"
                                   "    object_class: fulfillment_request\n"
                                   "    type: event\n"
                                   "    secrets:\n"
                                   "      - { file: \"%s/webhook.secret\" }\n"
                                   "    policy: none\n"
                                   "    states: [pending, revoking]\n";
    struct buf want;
    buf_init(&want, TEXT_MAX);
    buf_printf(&want, defaults, folder, folder);
    struct conf *c = loaded_with(11, "");
    struct buf b = printed(c);
    assert_string_equal(b.data, want.data);
    buf_free(&b);
    buf_free(&want);
    conf_unref(c);
}

/* Printed, written into another folder and loaded there, it is the same configuration. */
static void assert_comes_back(const struct conf *c)
{
    struct buf first = printed(c);
    assert_null(strstr(first.data, "top-secret"));
    char path[256];
    path_in(path, sizeof path, "elsewhere");
    assert_int_equal(mkdir(path, 0755), 0);
    put("elsewhere/c.yaml", first.data, 0644);
    path_in(path, sizeof path, "elsewhere/c.yaml");
    struct conf *again = NULL;
    struct why why = {""};
    if (conf_load(path, CONF_CHECK, &again, &why) != ERR_OK)
        fail_msg("%s\nfor:\n%s", why.text, first.data);
    put_away("elsewhere/c.yaml");
    put_away("elsewhere");
    struct buf second = printed(again);
    assert_string_equal(first.data, second.data);
    assert_string_equal(c->web.group, again->web.group);
    assert_string_equal(c->log.file, again->log.file);
    for (size_t i = 0; i < c->webhooks_count; i++)
        if (c->webhooks[i].policy.kind == CONF_POLICY_RULES)
            assert_string_equal(c->webhooks[i].policy.path, again->webhooks[i].policy.path);
    buf_free(&first);
    buf_free(&second);
    conf_unref(again);
}

static void what_is_printed_reads_back(void **state)
{
    (void)state;
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    struct conf *c = loaded(
        "log: { level: debug, format: json, file: '/var/log/my \"own\" \\ log' }\n"
        "inbox: { url: 'sqlite:/a\"b.db', lock_timeout: 0, max_wal: 3GiB, retention: 90m }\n"
        "processing: { mode: inline, poll_interval: 0, dry_run: true, skip_for: 1500ms }\n"
        "web: { listen: \"tcp:[::1]:9000\", mode: \"0600\", admin_listen: 'unix:/a b', "
        "group: \"\\\"\\\\ \\t\\n\\x1b\\x7f\\u0085\\u2028\\uFEFF\\u00e9\\U0001F600 # : {\" }\n"
        "accounts:\n"
        "  - { id: VA-1, api_url: \"http://[::1]:80/v1\", api_key: { credential: api.key },\n"
        "      rate_limit: 0, proxy: \"http://proxy:80\" }\n"
        "  - { id: PA-1, api_url: 'https://h/{a}', api_key: { env: HOOK_SECRET } }\n"
        "webhooks:\n"
        "  - { id: WH-1, account: VA-1, product: PRD-1, object_class: fulfillment_request,\n"
        "      secrets: [ { file: webhook.secret }, { env: HOOK_SECRET } ],\n"
        "      policy: { rules: a.rules.yaml }, states: [ inquiring ] }\n"
        "  - { id: WH-2, account: PA-1, product: PRD-1, object_class: listing_request,\n"
        "      secrets: [ { credential: webhook.secret } ] }\n"
        "  - { id: WH-3, account: VA-1, product: PRD-1, object_class: billing_request,\n"
        "      secrets: [ { credential: webhook.secret } ], since: '2026-11-01 10:00+02:00' }\n");
    assert_true(c->webhooks[2].since_us == INT64_C(1793520000000000));
    assert_string_equal(c->web.group, "\"\\ \t\n\x1b\x7f\xc2\x85\xe2\x80\xa8\xef\xbb\xbf\xc3\xa9"
                                      "\xf0\x9f\x98\x80 # : {");
    assert_comes_back(c);
    conf_unref(c);
    unsetenv("CREDENTIALS_DIRECTORY");
}

/* Named from where one is, and printed so that it does not matter where one is. */
static void relative_paths_are_printed_absolute(void **state)
{
    (void)state;
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    struct buf b;
    with(&b, 11, "    policy: { rules: a.rules.yaml }");
    put("c.yaml", b.data, 0644);
    struct conf *c = NULL;
    struct why why = {""};
    static const char *const names[] = {"c.yaml", "./c.yaml"};
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_err(conf_load(names[i], CONF_CHECK, &c, &why), ERR_OK);
        assert_int_equal(c->webhooks[0].policy.path[0], '/');
        assert_comes_back(c);
        conf_unref(c);
    }
    put_away("c.yaml");
    assert_int_equal(chdir(here), 0);
    buf_free(&b);
}

static void text_that_no_file_can_hold_is_not_printed(void **state)
{
    (void)state;
    struct conf *c = loaded_with(11, "");
    c->web.group = "\xff";
    struct buf b;
    buf_init(&b, TEXT_MAX);
    assert_err(conf_print(c, &b), ERR_ENCODING);
    buf_free(&b);
    conf_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_configuration),
        cmocka_unit_test(refuses_a_wrong_line_and_says_where),
        cmocka_unit_test(refuses_a_wrong_fragment_and_says_where),
        cmocka_unit_test(refuses_an_unreadable_folder_of_fragments),
        cmocka_unit_test(refuses_more_than_its_limits),
        cmocka_unit_test(numbers_keep_their_bounds),
        cmocka_unit_test(no_program_gets_a_secret),
        cmocka_unit_test(knows_all_about_a_program),
        cmocka_unit_test(numbers_have_units),
        cmocka_unit_test(reads_what_is_allowed),
        cmocka_unit_test(a_snapshot_is_what_the_file_says),
        cmocka_unit_test(api_keys_stay_where_they_are_not_needed),
        cmocka_unit_test(secrets_are_loaded_for_who_needs_them),
        cmocka_unit_test(included_webhooks_are_webhooks),
        cmocka_unit_test(the_file_is_named_or_installed),
        cmocka_unit_test(names_what_cannot_change_while_a_program_runs),
        cmocka_unit_test(every_default_is_printed),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(relative_paths_are_printed_absolute),
        cmocka_unit_test(text_that_no_file_can_hold_is_not_printed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
