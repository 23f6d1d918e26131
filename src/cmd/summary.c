/* summary.c - a line for people. */
#include "cmd/summary.h"

#include <inttypes.h>

static int64_t sum(const struct outcomes *o, int64_t left)
{
    for (int n = 0; n < OUTCOME__COUNT; n++)
        left += o->ended[n];
    return left;
}

void outcomes_print(FILE *out, const struct outcomes *o, int64_t left, bool dry_run)
{
    int64_t objects = sum(o, left);
    if (objects == 0) {
        fputs("nothing to do\n", out);
        return;
    }
    fprintf(out,
            "%" PRId64 " object%s: %" PRId64 " done, %" PRId64 " skipped, %" PRId64
            " to be asked about again, %" PRId64 " to be tried again, %" PRId64 " dead, %" PRId64
            " held by others, %" PRId64 " not begun%s\n",
            objects, objects == 1 ? "" : "s", o->ended[OUTCOME_DONE], o->ended[OUTCOME_SKIP],
            o->ended[OUTCOME_RESCHEDULE], o->ended[OUTCOME_RETRY], o->ended[OUTCOME_REJECT],
            o->ended[OUTCOME_BUSY], left, dry_run ? " (dry run: nothing was changed)" : "");
}
