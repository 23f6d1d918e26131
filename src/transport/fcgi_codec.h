/*
 * fcgi_codec.h - libfcgi between bytes in memory.
 *
 * libfcgi speaks the protocol on a descriptor that it reads and writes until it is satisfied. A
 * socket would make it wait for its peer, so it is given a memory file: nothing waits, and the
 * bytes travel to and from the socket when that is ready.
 *
 * A codec keeps a few memory files for use by any thread.
 */
#ifndef TRANSPORT_FCGI_CODEC_H
#define TRANSPORT_FCGI_CODEC_H

#include <fcgiapp.h>
#include <pthread.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define CODEC_SMALL     (8 * 1024 - 64) /* bytes of an answer that libfcgi's buffer holds */
#define CODEC_FILES_MAX 16              /* memory files kept; more are made and closed as needed */

struct fcgi_codec {
    pthread_mutex_t lock;
    int files[CODEC_FILES_MAX];
    size_t count;
};

void codec_init(struct fcgi_codec *c);
void codec_free(struct fcgi_codec *c);

/*
 * Decode one whole request that has passed the gate. On ERR_OK *request holds its parameters, for
 * codec_encode() or codec_drop(); it must stay where it is. The body, `body_len` bytes as the gate
 * counted them, is appended to `body`. ERR_SYNTAX if libfcgi sees it in another way than the gate,
 * or it asks for another role than a responder's; ERR_IO, ERR_NOMEM.
 */
enum err codec_decode(struct fcgi_codec *c, struct buf *bytes, size_t body_len,
                      FCGX_Request *request, struct buf *body);

/*
 * Encode the answer (in CGI form) and the end of the request. A small answer goes to the socket
 * `fd` at once, in one write: it finds room there unless the web server leaves its answers lying,
 * and then ERR_IO is what it gets. The records of a larger one are appended to `rest`, to be sent
 * as the socket takes them. SIGPIPE must be ignored.
 */
enum err codec_encode(struct fcgi_codec *c, FCGX_Request *request, const struct buf *answer, int fd,
                      struct buf *rest);

/* Free what the request holds. */
void codec_drop(FCGX_Request *request);

#endif
