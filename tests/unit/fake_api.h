/*
 * fake_api.h - a server that plays Connect, and a client of ours that talks to it.
 */
#ifndef FAKE_API_H
#define FAKE_API_H

#include "api/api.h"
#include "conf/conf.h"
#include "fake_http.h"

#define FAKE_ACCOUNT "VA-240-990"
#define FAKE_KEY     "SU-1:secret"
#define SOON_MS      20000 /* of anything that ends by itself */

struct fake_api {
    struct fake *server;
    char url[128]; /* with the path of the API */
    struct secret *key;
    struct conf_account account; /* as a configuration would have it */
    struct api *api;             /* tries again without a pause worth the name */
};

void fake_api_start(struct fake_api *f);
void fake_api_stop(struct fake_api *f);
/* Connect anew, as the account says now; no answer may have more bytes than this, if it is not 0.
 */
void fake_api_connect(struct fake_api *f, size_t answer_max);

/* The server's next answer, as json_text.h takes it, or ""; an array tells its range. */
void fake_api_answer(struct fake_api *f, int status, const char *text);

#endif
