/* accounts.c - what all processes together may do for an account. */
#include <stdio.h>

#include "base/clk.h"
#include "inbox/backend.h"
#include "inbox/verbs.h"

struct visit {
    const char *account_id;
    int64_t halt_ms; /* 0: resume */
    int64_t per_s, calls, wait_ms;
};

static enum err find_account(struct inbox *i, const char *account_id, struct account_row *ret,
                             struct why *why)
{
    enum err e = i->backend->account_find(i, account_id, ret, why);
    if (e != ERR_NOT_FOUND)
        return e;
    *ret = (struct account_row){.halted_until_us = 0};
    snprintf(ret->account_id, sizeof ret->account_id, "%s", account_id);
    return ERR_OK;
}

static enum err visit(struct inbox *i, inbox_work_fn *fn, struct visit *v, bool tells,
                      struct why *why)
{
    if (!object_id_valid(v->account_id))
        return why_set(why, ERR_INVALID, "account: an id that is not one of Connect's");
    return tells ? transact_and_tell(i, fn, v, why) : i->backend->transact(i, fn, v, why);
}

static enum err halt(struct inbox *i, void *work, struct why *why)
{
    const struct visit *v = work;
    struct account_row a;
    enum err e = find_account(i, v->account_id, &a, why);
    if (e != ERR_OK)
        return e;
    int64_t until_us = v->halt_ms > 0 ? i->backend->now_us(i) + v->halt_ms * 1000 : 0;
    if (until_us == 0 || until_us > a.halted_until_us)
        a.halted_until_us = until_us;
    return i->backend->account_put(i, &a, why);
}

enum err inbox_halt(struct inbox *i, const char *account_id, int64_t for_ms, struct why *why)
{
    struct visit v = {.account_id = account_id, .halt_ms = for_ms > 0 ? for_ms : 1};
    return visit(i, halt, &v, false, why);
}

enum err inbox_resume(struct inbox *i, const char *account_id, struct why *why)
{
    struct visit v = {.account_id = account_id};
    return visit(i, halt, &v, true, why);
}

static enum err take_rate(struct inbox *i, void *work, struct why *why)
{
    struct visit *v = work;
    struct account_row a;
    enum err e = find_account(i, v->account_id, &a, why);
    if (e != ERR_OK)
        return e;
    int64_t now_us = i->backend->now_us(i), second = now_us / CLK_S_US;
    if (a.rate_second != second) {
        a.rate_second = second;
        a.rate_used = 0;
    }
    int64_t left = v->per_s > a.rate_used ? v->per_s - a.rate_used : 0;
    v->calls = (left + 1) / 2;
    v->wait_ms = ((second + 1) * CLK_S_US - now_us) / 1000 + 1;
    a.rate_used += v->calls;
    return v->calls > 0 ? i->backend->account_put(i, &a, why) : ERR_OK;
}

enum err inbox_take_rate(struct inbox *i, const char *account_id, int64_t per_s, int64_t *ret_calls,
                         int64_t *ret_wait_ms, struct why *why)
{
    struct visit v = {.account_id = account_id, .per_s = per_s};
    enum err e = visit(i, take_rate, &v, false, why);
    *ret_calls = v.calls;
    *ret_wait_ms = v.wait_ms;
    return e;
}
