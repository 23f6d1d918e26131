/*
 * metrics.h - everything that is measured, in Prometheus's text format: /-/metrics.
 *
 * What is counted is what all programs of the deployment have counted together, a few seconds ago;
 * what stands (what waits, what is halted) is as the inbox has it now; process_... is the program
 * that answers.
 */
#ifndef WEB_METRICS_H
#define WEB_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "inbox/inbox.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* `started_s`: UTC, when this program was. ERR_STORE, ERR_BUSY, ERR_NOMEM. */
enum err metrics_print(const struct conf *conf, struct inbox *inbox, int64_t started_s,
                       struct buf *out, struct why *why);

#endif
