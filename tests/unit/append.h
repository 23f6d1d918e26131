/*
 * append.h - storing a call, and waiting until it is stored.
 */
#ifndef APPEND_H
#define APPEND_H

#include "inbox/inbox.h"

struct inbox_receipt append_and_wait(struct inbox *i, const struct delivery *d);

#endif
