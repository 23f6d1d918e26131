/*
 * fcgi_server.h - the inside of fcgi.h: the server, its loops, and their connections.
 *
 * A connection is its loop's for life: nobody else reads, writes or closes it, and no lock is taken
 * for it. While it is BUSY its request is lent to whoever works on it, and the way back is the
 * loop's list of resumed ones.
 *
 * A loop works in rounds: what epoll has found, what was resumed, what is due; then the records of
 * the round are written to the log, and its answers sent. So no answer is out of which the log
 * knows nothing, however soon the program is killed.
 */
#ifndef TRANSPORT_FCGI_SERVER_H
#define TRANSPORT_FCGI_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "transport/fcgi.h"
#include "transport/fcgi_codec.h"
#include "transport/fcgi_listen.h"
#include "transport/fcgi_peers.h"

#define FCGI_LISTENERS_MAX 16
#define FCGI_KEEP_BYTES    (16 * 1024) /* memory that an idle connection keeps, per buffer */
#define FCGI_STOP_GRACE    100 /* ms; when stopping, for requests that are on their way to us */

enum conn_state {
    CONN_IDLE,     /* kept: not a byte of the next request has come */
    CONN_MOVING,   /* a request comes in, or an answer goes out */
    CONN_BUSY,     /* a whole request, not answered yet */
    CONN_ANSWERED, /* its answer goes out when the round is over, behind what the log says of it */
    CONN_STATES
};

struct conn {
    struct request pub; /* first: a request is its connection */
    struct fcgi_loop *loop;
    struct conn *prev, *next; /* in the list of its state */
    enum conn_state state;
    int fd;
    uint32_t watched; /* for these events of epoll; 0: not at all */
    bool last;        /* close after this request */
    int64_t deadline; /* clk_mono_ms; MOVING always has one, IDLE only when stopping, others none */
    int64_t received_us;

    size_t counted; /* bytes of the server's `memory` that are this connection's */

    struct fcgi_reader reader;
    struct buf env; /* the request's parameters, as strings */
    struct buf out; /* records of the answer */
    size_t sent;    /* bytes of them */

    /* Of who works on the request, then the loop's: how to go on. */
    request_fn *resume;
    void *resume_ctx;
    struct conn *next_resumed;
};

/* Oldest first. Within a list deadlines never decrease, since each state allows the same time; but
 * for a moment after that time was shortened. */
struct conn_list {
    struct conn *head, *tail;
};

struct fcgi_loop {
    struct fcgi *server;
    pthread_t thread;
    int epoll, wake;
    struct conn_list lists[CONN_STATES];
    struct buf answer;          /* the one that is being printed */
    bool woken;                 /* in this round, as what follows: */
    bool somebody_waits;        /* to be accepted */
    bool starved;               /* out of descriptors or memory for new connections */
    int64_t accept_again;       /* when to watch the listeners again; CLK_NEVER: they are watched */
    int64_t stop_by;            /* when to be over; CLK_NEVER: it has not begun to stop */
    enum err result;            /* when it has ended: ERR_OK, or ERR_TIMEOUT */
    _Atomic int64_t busy_since; /* clk_mono_ms: in this round; CLK_NEVER: it waits */

    pthread_mutex_t lock; /* guards what follows: requests that others have done with */
    struct conn *resumed, **last_resumed;
};

struct fcgi {
    _Atomic size_t max_body;
    _Atomic int64_t request_timeout_ms, stop_timeout_ms;
    _Atomic size_t memory; /* that requests hold, beyond what each may */
    request_handler *handler;
    void *ctx;

    struct fcgi_listener listeners[FCGI_LISTENERS_MAX];
    size_t listener_count;
    struct fcgi_peers peers;
    atomic_bool stop;      /* somebody asked */
    _Atomic int listening; /* loops that have not begun to stop */

    int loop_count;
    struct fcgi_loop loops[];
};

/* fcgi_conn.c */
struct conn *conn_new(struct fcgi_loop *l, int fd);
/* Watch for these events from now on; 0: none. ERR_IO if that is not possible. */
enum err conn_watch(struct conn *c, uint32_t events);
/* Move to the end of another state's list. */
void conn_move(struct conn *c, enum conn_state state);
/* Take what has come. True: the request is complete. Else it is MOVING, or the connection is
 * closed. */
bool conn_read(struct conn *c);
/* Make the request out of what has come; what is wrong with it goes to its `err`. */
void conn_decode(struct conn *c);
/* Send what the socket takes, and when all is gone keep the connection or close it. */
void conn_send(struct conn *c);
/*
 * When stopping: close an idle connection. False if one more request has come, which is then to be
 * read and answered like any other. A request that crosses the end on its way cannot be
 * sent at all any more, on a Unix socket; over TCP that cannot be told.
 */
bool conn_part(struct conn *c);
void conn_close(struct conn *c);

/* fcgi_loop.c */
enum err loop_open(struct fcgi_loop *l, struct fcgi *server);
void loop_close(struct fcgi_loop *l);
/* Serve until the server's stop; leaves its result. */
void loop_run(struct fcgi_loop *l);
/* Any thread, any signal handler. */
void loop_wake(const struct fcgi_loop *l);

#endif
