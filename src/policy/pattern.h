/*
 * pattern.h - regular expressions (PCRE2) that match a whole value, and give up rather than go on.
 *
 * Some patterns take a time that doubles with each character of the value: "(a+)+$". So the steps,
 * the depth and the memory of a match have limits, and a match that comes to one is an error.
 */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include <stdbool.h>

#include "base/err.h"

#define PATTERN_LEN_MAX   4096   /* bytes */
#define PATTERN_STEPS_MAX 100000 /* of one match: a few milliseconds */
#define PATTERN_DEPTH_MAX 10000  /* steps of which one waits for the other */
#define PATTERN_HEAP_MAX  16384  /* KiB of one match */

struct pattern; /* immutable, so any thread may use it */

/*
 * Characters are Unicode's, \d and \w mean ASCII's. *ret is owned: pattern_free(). ERR_INVALID;
 * `why` tells what is wrong, and where in the pattern.
 */
enum err pattern_new(const char *text, struct pattern **ret, struct why *why);
void pattern_free(struct pattern *p); /* NULL is fine */

/* Does the pattern match the value from its beginning to its end? ERR_POLICY: it gave up. */
enum err pattern_matches(const struct pattern *p, const char *value, bool *ret, struct why *why);

#endif
