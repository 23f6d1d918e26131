/* asking.c - one question on its way to a program. */
#include "policy/asking.h"

#include <stdio.h>

#include "base/clk.h"
#include "base/jsonx.h"
#include "policy/passwords.h"

static enum err told(enum err e, struct why *why)
{
    return e == ERR_OK ? ERR_OK : why_set(why, e, "the question: %s", err_text(e));
}

enum err asking_begin(struct asking *a, const struct policy_question *q, int64_t id,
                      int64_t timeout_ms, struct why *why)
{
    int64_t latest = clk_mono_ms() + timeout_ms;
    const char *object = jsonx_str(q->object, "id", NULL);
    *a = (struct asking){.question = q, .id = id};
    a->deadline = q->deadline < latest ? q->deadline : latest;
    snprintf(a->about, sizeof a->about, "webhook %.64s%s%.64s",
             q->webhook_id != NULL ? q->webhook_id : "none", object != NULL ? ": " : "",
             object != NULL ? object : "");
    return told(passwords_collect(q->object, NULL, &a->mask), why);
}

void asking_end(struct asking *a)
{
    mask_free(&a->mask);
}

enum err asking_line(const struct asking *a, struct buf *b, struct why *why)
{
    struct policy_question q = *a->question;
    struct json_object *root;
    q.deadline = a->deadline;
    enum err e = policy_question_json(&q, a->id, &root);
    if (e != ERR_OK)
        return told(e, why);
    e = jsonx_print(b, root);
    json_object_put(root);
    return told(e == ERR_OK ? buf_addc(b, '\n') : e, why);
}
