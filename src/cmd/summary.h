/*
 * summary.h - how the objects of a run have ended, in one line for people.
 */
#ifndef CMD_SUMMARY_H
#define CMD_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "processors/job.h"

struct outcomes {
    _Atomic int64_t ended[OUTCOME__COUNT]; /* objects, by how they ended */
};

/* "12 objects: 10 done, ...", or "nothing to do"; `left`: that were not begun. */
void outcomes_print(FILE *out, const struct outcomes *o, int64_t left, bool dry_run);

#endif
