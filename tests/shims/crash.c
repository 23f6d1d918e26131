/*
 * crash.c - kills the process at a chosen step of its work, or has it hang there. For LD_PRELOAD,
 * in tests.
 *
 * CW_CRASH=WHEN:WHAT[:N]: SIGKILL just before or after (WHEN) the N-th WHAT, the first by default;
 * counted in this process, over all its threads.
 *
 * CW_CRASH_ONCE=FILE: only if FILE does not exist; it is made just before, so that of all processes
 * with this environment one dies, and those started anew live.
 *
 * CW_CRASH_HANGS=1: the thread stays there for ever instead.
 *
 * WHAT is one of
 *
 *   insert, commit, claim, finish SQLite runs a statement that begins as the table below says.
 *                           A run counts once, however many rows it returns: `after` is after its
 *                           first step, which makes all the changes. Each opening of an inbox
 *                           commits, too.
 *   answer                  a FastCGI answer is put on a socket; recognized by the record it begins
 *                           with
 *   api                     libcurl carries out a request that is no GET: `before` its transfer
 *                           begins, `after` the whole answer came and before the program sees it
 *
 * Without CW_CRASH nothing happens; one that cannot be read ends the process with status 2.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum what { INSERT, COMMIT, CLAIM, FINISH, ANSWER, API, WHAT_COUNT };

static const struct {
    const char *name, *sql; /* NULL: not a statement */
} steps[WHAT_COUNT] = {
    [INSERT] = {"insert", "INSERT INTO delivery"},
    [COMMIT] = {"commit", "COMMIT"},
    [CLAIM] = {"claim", "UPDATE task"},
    [FINISH] = {"finish", "INSERT INTO attempt"},
    [ANSWER] = {"answer", NULL},
    [API] = {"api", NULL},
};

static enum what chosen = WHAT_COUNT; /* that many: none */
static bool chosen_before;
static long chosen_n = 1;
static atomic_long count;

/* The next definition of a function: the one that is wrapped here. */
#define REAL(name) (__extension__(__typeof__(&(name))) next_definition(#name))

static void *next_definition(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        fprintf(stderr, "crash.so: no %s\n", name);
        abort();
    }
    return found;
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *text = getenv("CW_CRASH");
    if (text == NULL)
        return;
    char when[8], what[8], rest;
    int got = sscanf(text, "%7[a-z]:%7[a-z]:%ld%c", when, what, &chosen_n, &rest);
    size_t shown = got >= 2 ? strlen(when) + 1 + strlen(what) : 0;
    for (int i = 0; i < WHAT_COUNT && got >= 2; i++)
        if (strcmp(what, steps[i].name) == 0)
            chosen = (enum what)i;
    chosen_before = got >= 2 && strcmp(when, "before") == 0;
    if (chosen == WHAT_COUNT || got > 3 || (got == 2 && text[shown] != '\0') || chosen_n < 1 ||
        (!chosen_before && strcmp(when, "after") != 0)) {
        fprintf(stderr, "crash.so: CW_CRASH=%s is not WHEN:WHAT[:N]\n", text);
        _exit(2);
    }
}

static void die(void)
{
    const char *once = getenv("CW_CRASH_ONCE");
    if (once != NULL && open(once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) < 0)
        return;
    while (getenv("CW_CRASH_HANGS") != NULL)
        pause();
    raise(SIGKILL);
}

/* What every wrapper does around the real call, if this call is a `what`. */
static void meet(enum what what, bool before)
{
    if (what == chosen && before == chosen_before && atomic_fetch_add(&count, 1) + 1 == chosen_n)
        die();
}

/* -------------------------------------------------------------------- SQLite */

static enum what statement(const char *sql)
{
    if (chosen < WHAT_COUNT && steps[chosen].sql != NULL && sql != NULL &&
        strncmp(sql, steps[chosen].sql, strlen(steps[chosen].sql)) == 0)
        return chosen;
    return WHAT_COUNT;
}

/* Some builds of SQLite call their own sqlite3_step() through here: that is one run, not two. */
static _Thread_local bool in_exec;

int sqlite3_step(sqlite3_stmt *q)
{
    bool goes_on = in_exec || sqlite3_stmt_busy(q) != 0;
    enum what what = goes_on ? WHAT_COUNT : statement(sqlite3_sql(q));
    meet(what, true);
    int result = REAL(sqlite3_step)(q);
    meet(what, false);
    return result;
}

int sqlite3_exec(sqlite3 *db, const char *sql, sqlite3_callback fn, void *ctx, char **error)
{
    enum what what = statement(sql);
    meet(what, true);
    in_exec = what != WHAT_COUNT;
    int result = REAL(sqlite3_exec)(db, sql, fn, ctx, error);
    in_exec = false;
    meet(what, false);
    return result;
}

/* ------------------------------------------------------------------- FastCGI */

static enum what answer(const void *data, size_t len)
{
    static const unsigned char version_and_stdout[] = {1, 6};
    if (chosen == ANSWER && len > sizeof version_and_stdout &&
        memcmp(data, version_and_stdout, sizeof version_and_stdout) == 0)
        return ANSWER;
    return WHAT_COUNT;
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    enum what what = answer(data, len);
    meet(what, true);
    ssize_t n = REAL(send)(fd, data, len, flags);
    meet(what, false);
    return n;
}

/* ------------------------------------------------------------------- libcurl */

static enum what request(CURL *easy)
{
    const char *method = NULL;
    bool known = chosen == API &&
                 curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_METHOD, &method) == CURLE_OK &&
                 method != NULL;
    return known && strcmp(method, "GET") != 0 ? API : WHAT_COUNT;
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    meet(request(easy), true);
    return REAL(curl_multi_add_handle)(multi, easy);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *queued)
{
    CURLMsg *message = REAL(curl_multi_info_read)(multi, queued);
    if (message != NULL && message->msg == CURLMSG_DONE && message->data.result == CURLE_OK)
        meet(request(message->easy_handle), false);
    return message;
}
