/*
 * fcgi_server.h - the inside of fcgi.h: a server's connections, and who owns them when.
 *
 * A connection belongs to the loop while it is IDLE or MOVING bytes, to the pool while QUEUED, to
 * the handler while BUSY. Only the owner touches it; the lists and their lengths are under the
 * server's lock. Its descriptor is armed in epoll (for one event) only while the loop owns it, so
 * an event never finds a connection that somebody else has freed.
 */
#ifndef TRANSPORT_FCGI_SERVER_H
#define TRANSPORT_FCGI_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "transport/fcgi.h"
#include "transport/fcgi_codec.h"
#include "transport/fcgi_gate.h"
#include "transport/fcgi_listen.h"
#include "transport/fcgi_peers.h"

#define FCGI_LISTENERS_MAX 16
#define FCGI_KEEP_BYTES    (16 * 1024) /* memory that an idle connection keeps, per buffer */
#define FCGI_STOP_GRACE    100 /* ms; when stopping, for requests that are on their way to us */

enum conn_state {
    CONN_IDLE,   /* kept: not a byte of the next request has come */
    CONN_MOVING, /* a request comes in, or an answer goes out */
    CONN_QUEUED, /* a whole request waits for a thread */
    CONN_BUSY,   /* decoded and with the handler */
    CONN_STATES
};

struct conn {
    struct request pub; /* first: a request is its connection */
    struct fcgi *server;
    struct conn *prev, *next; /* in the list of its state */
    enum conn_state state;
    int fd;
    bool in_epoll;
    bool sending;     /* MOVING out, not in */
    bool last;        /* close after this request */
    int64_t deadline; /* clk_mono_ms; MOVING always has one, IDLE only when stopping */
    int64_t received_us;

    size_t counted; /* bytes of the server's `memory` that are this connection's */

    struct fcgi_gate gate;
    struct buf in;   /* records of the request */
    struct buf body; /* what they carried */
    struct buf out;  /* records of the answer */
    size_t sent;     /* bytes of them */
    FCGX_Request fcgx;
};

/* Oldest first. Within a list deadlines never decrease, since each state allows the same time; but
 * for a moment after that time was shortened. */
struct conn_list {
    struct conn *head, *tail;
};

struct fcgi {
    int threads;
    _Atomic size_t max_body;
    _Atomic int64_t request_timeout_ms, stop_timeout_ms;
    _Atomic size_t memory; /* that requests hold, beyond what each may */
    request_handler *handler;
    void *ctx;

    struct fcgi_listener listeners[FCGI_LISTENERS_MAX];
    size_t listener_count;
    struct fcgi_peers peers;
    struct fcgi_codec codec;
    int epoll, wake;
    atomic_bool stop; /* somebody asked */

    /* The loop's own. */
    bool starved;         /* out of descriptors or memory for new connections: */
    int64_t accept_again; /* when to try again; 0: at once */

    pthread_mutex_t lock; /* guards all that follows */
    struct conn_list lists[CONN_STATES];
    pthread_cond_t work;  /* something was queued, or the pool is to end */
    pthread_cond_t ended; /* a thread of the pool has ended */
    int waiting, running; /* threads of the pool */
    bool stopping;        /* connections are not kept any more */
    bool pool_ends, loop_gone;
    size_t refs; /* the owner, each thread of the pool, each connection */
};

/* fcgi_conn.c */
struct conn *conn_new(struct fcgi *f, int fd);
/* A request begins: take today's limits. Until then the gate has seen nothing. */
void conn_begin(struct conn *c);
/* Count what its buffers hold now. False: with it, requests hold more than they may. */
bool conn_count_memory(struct conn *c);
/* Move to the end of another state's list. Under the lock. */
void conn_move(struct conn *c, enum conn_state state);
/* Wait in epoll for one event; ERR_IO if that is not possible. By the owner. */
enum err conn_arm(struct conn *c, uint32_t events);
void conn_disarm(struct conn *c);
/* Send what the socket takes. ERR_OK: all is gone; ERR_BUSY: more is left; ERR_IO. */
enum err conn_send(struct conn *c);
/*
 * When stopping: end an idle connection. False if one more request has come, which is then to be
 * read and answered like any other. A request that crosses the end on its way cannot be
 * sent at all any more, on a Unix socket; over TCP that cannot be told.
 */
bool conn_part(struct conn *c);
/* The answer is out: keep the connection if that is allowed, else close it. */
void conn_answered(struct conn *c);
void conn_close(struct conn *c);
void fcgi_wake(const struct fcgi *f);
void fcgi_unref(struct fcgi *f);

/* fcgi_loop.c */
enum err fcgi_loop(struct fcgi *f);

/* fcgi_pool.c */
enum err pool_start(struct fcgi *f);
void pool_queue(struct conn *c);
/*
 * Wake one waiting thread if something is queued; true if so. Once a round: a thread that is awake
 * takes one request after another, and to wake one for each would cost more than to serve it.
 */
bool pool_kick(struct fcgi *f);
/* Let the threads end and wait for them until `deadline`. */
void pool_end(struct fcgi *f, int64_t deadline);

#endif
