/* program.c - a policy's program while it runs. */
#include "policy/program.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/utf8.h"

#define READ_SIZE (64 * 1024) /* bytes: what a pipe holds */

void program_init(struct program *p, const struct program_terms *terms)
{
    *p = (struct program){.terms = terms, .ends = {-1, -1, -1, -1}, .wake = -1};
    buf_init(&p->in, PROGRAM_INPUT_MAX);
    buf_init(&p->out, PROGRAM_ANSWER_MAX);
}

enum err program_start(struct program *p, struct why *why)
{
    return spawner_run(p->terms->spawner, &p->terms->order, &p->ends, why);
}

bool program_runs(const struct program *p)
{
    return p->ends.leash >= 0;
}

void program_close(struct program *p)
{
    spawned_close(&p->ends);
    spawned_close_end(&p->wake);
    buf_free(&p->in);
    buf_free(&p->out);
}

/* ------------------------------------------------------------------- standard error */

/* Keep the last lines that fit, one after the other. */
static void keep_line(struct program *p, const char *line)
{
    size_t len = strlen(p->last), more = strlen(line) + 3;
    while (len > 0 && len + more >= sizeof p->last) {
        const char *next = strstr(p->last, " | ");
        size_t drop = next != NULL ? (size_t)(next - p->last) + 3 : len;
        memmove(p->last, p->last + drop, len - drop + 1);
        len -= drop;
    }
    snprintf(p->last + len, sizeof p->last - len, "%s%s", len > 0 ? " | " : "", line);
    utf8_clean(p->last);
}

static void end_line(struct program *p)
{
    static const struct mask none = {0};
    char text[2 * PROGRAM_LINE_MAX]; /* what hides a value may be longer than it */
    snprintf(text, sizeof text, "%.*s", (int)p->line_len, p->line);
    p->line_len = 0;
    utf8_clean(text);
    if (text[0] == '\0' ||
        mask_text(p->mask != NULL ? p->mask : &none, text, sizeof text) != ERR_OK)
        return;
    keep_line(p, text);
    if (p->lines < PROGRAM_LINES_MAX)
        log_info("%s: %s: %s", p->about, p->terms->name, text);
    else if (p->lines == PROGRAM_LINES_MAX)
        log_warn("%s: %s: says more than %d lines: the others are left out", p->about,
                 p->terms->name, PROGRAM_LINES_MAX);
    p->lines += p->lines <= PROGRAM_LINES_MAX;
}

static void take_complaints(struct program *p)
{
    char bytes[READ_SIZE];
    ssize_t n = read(p->ends.err, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n' || p->line_len == PROGRAM_LINE_MAX)
            end_line(p);
        if (bytes[i] != '\n')
            p->line[p->line_len++] = bytes[i];
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        end_line(p);
        spawned_close_end(&p->ends.err);
    }
}

/* ------------------------------------------------------------------ input and output */

static void give_input(struct program *p)
{
    ssize_t n = write(p->ends.in, p->in.data + p->read, p->in.len - p->read);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    p->read += n > 0 ? (size_t)n : 0;
    if (n < 0) /* it does not want to know; what it answers counts all the same */
        p->read = p->in.len;
    if (p->read < p->in.len)
        return;
    buf_reset(&p->in);
    p->read = 0;
    if (n < 0 || p->last_in)
        spawned_close_end(&p->ends.in);
}

static enum err take_output(struct program *p)
{
    enum err e = buf_reserve(&p->out, READ_SIZE);
    if (e != ERR_OK)
        return e;
    ssize_t n = read(p->ends.out, p->out.data + p->out.len, READ_SIZE);
    if (n > 0)
        p->out.len += (size_t)n;
    p->out.data[p->out.len] = '\0';
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        spawned_close_end(&p->ends.out);
    return ERR_OK;
}

static void take_end(struct program *p)
{
    p->ended = true;
    p->lost = !spawner_end(p->terms->spawner, &p->ends, &p->end);
}

enum err program_pump(struct program *p, int64_t deadline)
{
    enum { IN, OUT, ERR, LEASH, STOP, WAKE, COUNT };
    if (p->in.len > 0)
        give_input(p); /* which mostly is taken at once */
    struct pollfd fds[COUNT] = {
        [IN] = {.fd = p->in.len > 0 ? p->ends.in : -1, .events = POLLOUT},
        [OUT] = {.fd = p->ends.out, .events = POLLIN},
        [ERR] = {.fd = p->ends.err, .events = POLLIN},
        [LEASH] = {.fd = p->ended ? -1 : p->ends.leash, .events = POLLIN},
        [STOP] = {.fd = p->terms->stop, .events = POLLIN},
        [WAKE] = {.fd = p->wake, .events = POLLIN},
    };
    int n = poll(fds, COUNT, clk_left_ms(deadline));
    uint64_t woken;
    if (n == 0)
        return ERR_TIMEOUT;
    if (n < 0)
        return errno == EINTR ? ERR_OK : ERR_IO;
    if (fds[STOP].revents != 0)
        return ERR_STOPPED;
    if (fds[WAKE].revents != 0 && read(p->wake, &woken, sizeof woken) < 0 && errno != EAGAIN)
        return ERR_IO;
    if (fds[IN].revents != 0)
        give_input(p);
    if (fds[ERR].revents != 0)
        take_complaints(p);
    enum err e = fds[OUT].revents != 0 ? take_output(p) : ERR_OK;
    if (fds[LEASH].revents != 0)
        take_end(p);
    return e;
}

/* ------------------------------------------------------------------------ its end */

enum err program_blame(const struct program *p, enum err e, struct why *why)
{
    char story[WHY_MAX];
    if (why == NULL || p->last[0] == '\0')
        return e;
    snprintf(story, sizeof story, "%s", why->text);
    return why_set(why, e, "%s; it said: %s", story, p->last);
}

enum err program_fail(const struct program *p, enum err e, struct why *why)
{
    const char *name = p->terms->name;
    switch (e) {
    case ERR_TIMEOUT:
        return why_set(why, e, "%s gave no answer in its time", name);
    case ERR_TOO_BIG:
        return why_set(why, ERR_PROGRAM, "%s answers with more than %d bytes", name,
                       PROGRAM_ANSWER_MAX);
    default:
        return why_set(why, e, "%s: %s", name, err_text(e));
    }
}

enum err program_ending(const struct program *p, struct why *why)
{
    const struct spawn_report *r = &p->end;
    const char *name = p->terms->name;
    if (p->lost)
        return why_set(why, ERR_PROGRAM, "%s was killed with what looked after it", name);
    switch ((enum spawn_end)r->how) {
    case SPAWN_EXITED:
        if (r->value == 0)
            return ERR_OK;
        if (r->value == EX_TEMPFAIL)
            return why_set(why, ERR_BUSY, "%s asks to be asked later (exit status %d)", name,
                           EX_TEMPFAIL);
        return why_set(why, ERR_PROGRAM, "%s ended with exit status %d", name, r->value);
    case SPAWN_KILLED:
        return why_set(why, ERR_PROGRAM, "%s was ended by signal %d (%s)", name, r->value,
                       sigabbrev_np(r->value) != NULL ? sigabbrev_np(r->value) : "unknown");
    case SPAWN_FAILED:
        break;
    }
    return why_set(why, ERR_PROGRAM, "%s: %s: %s", name, spawn_step_text((enum spawn_step)r->step),
                   r->step == SPAWN_ORDER ? "start connect-webhook again" : strerror(r->value));
}
