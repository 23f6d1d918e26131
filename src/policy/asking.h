/*
 * asking.h - one question on its way to a program.
 */
#ifndef POLICY_ASKING_H
#define POLICY_ASKING_H

#include "base/buf.h"
#include "base/mask.h"
#include "policy/policy.h"

#define ASKING_ABOUT_MAX 160 /* bytes of whom and what it is about, with the NUL */

struct asking {
    const struct policy_question *question;
    int64_t id;
    int64_t deadline; /* clk_mono_ms: the question's, or the program's if it is earlier */
    char about[ASKING_ABOUT_MAX]; /* "webhook WH-1: PR-1", for the log */
    struct mask mask;             /* the object's passwords, which no log line may hold */
};

/* Borrows the question. ERR_NOMEM; asking_end() is to be called all the same. */
enum err asking_begin(struct asking *a, const struct policy_question *q, int64_t id,
                      int64_t timeout_ms, struct why *why);
void asking_end(struct asking *a);

/* Append it as the line that programs read. ERR_NOMEM, ERR_TOO_BIG. */
enum err asking_line(const struct asking *a, struct buf *b, struct why *why);

#endif
