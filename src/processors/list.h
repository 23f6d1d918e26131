/*
 * list.h - the processors that are built in, one line each, in the order of object_class.h.
 *
 * To add one: copy skeleton.c to <object_class>.c, name it in src/local.mk, and add its line.
 */
#ifndef PROCESSORS_LIST_H
#define PROCESSORS_LIST_H

#include "processors/processor.h"

#define PROCESSOR_LIST(X) X(fulfillment_request)

#define X(name) extern const struct processor processor_##name;
PROCESSOR_LIST(X)
#undef X

/* The one to copy: built and tested, so that it stays right, and never found. */
extern const struct processor processor_skeleton;

#endif
