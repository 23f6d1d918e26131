/*
 * owner.h - what is behind a struct conf: its references and its memory; for this folder only.
 */
#ifndef CONF_OWNER_H
#define CONF_OWNER_H

#include "conf/conf.h"

struct conf_owner {
    struct conf conf; /* first: a struct conf * is a struct conf_owner * */
    _Atomic int refs;
    char **texts; /* every string of the snapshot */
    size_t texts_count;
};

/* An empty snapshot with one reference; NULL when memory ran out. */
struct conf_owner *conf_owner_new(void);
/* Keep a copy of `text` for the snapshot's life; NULL when memory ran out. */
const char *conf_keep(struct conf_owner *o, const char *text);

#endif
