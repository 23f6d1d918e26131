/* clk.c - the two clocks, and ISO 8601. */
#include "base/clk.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id, int64_t per_s)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * per_s + (int64_t)ts.tv_nsec / (1000000000 / per_s);
}

int64_t clk_mono_ms(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000);
}

int64_t clk_boot_ms(void)
{
    return read_clock(CLOCK_BOOTTIME, 1000);
}

int64_t clk_boot_us(void)
{
    return read_clock(CLOCK_BOOTTIME, CLK_S_US);
}

int64_t clk_wall_s(void)
{
    return read_clock(CLOCK_REALTIME, 1);
}

int64_t clk_wall_us(void)
{
    return read_clock(CLOCK_REALTIME, CLK_S_US);
}

int64_t clk_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int clk_left_ms(int64_t deadline)
{
    int64_t now = clk_mono_ms();
    if (deadline <= now)
        return 0;
    return deadline - now > INT_MAX ? INT_MAX : (int)(deadline - now);
}

void clk_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

void clk_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until)
{
    const struct timespec ts = {.tv_sec = (time_t)(until / 1000),
                                .tv_nsec = (long)(until % 1000) * 1000000};
    pthread_cond_timedwait(cond, lock, &ts);
}

int64_t clk_second(int64_t wall_us)
{
    return wall_us / CLK_S_US - (wall_us % CLK_S_US < 0);
}

void clk_iso(int64_t wall_s, char ret[CLK_ISO_MAX])
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    if (strftime(ret, CLK_ISO_MAX, "%Y-%m-%dT%H:%M:%S+00:00", &tm) == 0)
        ret[0] = '\0';
}

/* A text being read from the left. */
struct cursor {
    const char *at, *end;
};

/* Read exactly `n` digits. */
static bool digits(struct cursor *c, int n, int *ret)
{
    int value = 0;
    for (; n > 0; n--, c->at++) {
        if (c->at == c->end || !isdigit((unsigned char)*c->at))
            return false;
        value = value * 10 + (*c->at - '0');
    }
    *ret = value;
    return true;
}

static bool take(struct cursor *c, char ch)
{
    if (c->at == c->end || *c->at != ch)
        return false;
    c->at++;
    return true;
}

/* ".814429": digits beyond microseconds are cut. */
static bool fraction(struct cursor *c, int64_t *ret_us)
{
    int64_t us = 0, unit = CLK_S_US / 10;
    const char *start = c->at;
    for (; c->at < c->end && isdigit((unsigned char)*c->at); c->at++, unit /= 10)
        us += unit * (*c->at - '0');
    *ret_us = us;
    return c->at > start;
}

/* "Z", "+03:00", "-0330" or nothing. */
static bool zone(struct cursor *c, int *ret_minutes)
{
    *ret_minutes = 0;
    if (c->at == c->end || take(c, 'Z') || take(c, 'z'))
        return true;
    int sign = take(c, '-') ? -1 : take(c, '+') ? 1 : 0;
    int hours, minutes = 0;
    if (sign == 0 || !digits(c, 2, &hours))
        return false;
    if (c->at < c->end) {
        take(c, ':');
        if (!digits(c, 2, &minutes))
            return false;
    }
    *ret_minutes = sign * (hours * 60 + minutes);
    return hours < 24 && minutes < 60;
}

enum err clk_parse_iso(const char *s, size_t len, int64_t *ret_us)
{
    struct cursor c = {s, s + len};
    int year, month, day, hour = 0, minute = 0, second = 0, offset = 0;
    int64_t us = 0;

    if (!digits(&c, 4, &year) || !take(&c, '-') || !digits(&c, 2, &month) || !take(&c, '-') ||
        !digits(&c, 2, &day))
        return ERR_SYNTAX;
    if (c.at < c.end) {
        if (!take(&c, 'T') && !take(&c, ' '))
            return ERR_SYNTAX;
        if (!digits(&c, 2, &hour) || !take(&c, ':') || !digits(&c, 2, &minute))
            return ERR_SYNTAX;
        if (take(&c, ':') && !digits(&c, 2, &second))
            return ERR_SYNTAX;
        if (take(&c, '.') && !fraction(&c, &us))
            return ERR_SYNTAX;
        if (!zone(&c, &offset))
            return ERR_SYNTAX;
    }
    if (c.at != c.end)
        return ERR_SYNTAX;
    if (hour > 23 || minute > 59 || second > 60)
        return ERR_RANGE;

    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    time_t t = timegm(&tm);
    /* timegm() carries 31 February over into March: a date that moved was not one. */
    if (tm.tm_mday != day && second < 60)
        return ERR_RANGE;
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return ERR_RANGE;
    *ret_us = ((int64_t)t - (int64_t)offset * 60) * CLK_S_US + us;
    return ERR_OK;
}
