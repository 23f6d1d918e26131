/*
 * page.h - Connect's lists, page by page. For the rooms of this folder alone.
 */
#ifndef API_PAGE_H
#define API_PAGE_H

#include "api/api.h"

/*
 * GET `path` ("/requests?and(...)&ordering(created)", with a query) with limit and offset until
 * the end, and pass each object once, known by its id. Objects that leave the list while it is
 * read move the rest forward: the next page then begins earlier by as many as have left. A page
 * that is larger than an answer may be is asked for again with fewer objects. ERR_HTTP_ANSWER if
 * the server contradicts or repeats itself, or never ends.
 */
enum err page_each(struct api *a, struct api_call *call, const char *path, api_each_fn *fn,
                   void *ctx);

#endif
