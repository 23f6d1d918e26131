/*
 * fcgi_listen.h - listening sockets: handed over by whoever started us, or our own.
 */
#ifndef TRANSPORT_FCGI_LISTEN_H
#define TRANSPORT_FCGI_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

#define LISTENER_NAME_MAX 160 /* bytes with the NUL: "unix:" and a path, or "tcp:[...]:65535" */

struct fcgi_listener {
    int fd;
    char name[LISTENER_NAME_MAX]; /* in the form of web.listen, with the real port */
    bool owned;                   /* a Unix socket file that we made: */
    dev_t dev;
    ino_t ino;
};

/*
 * The listening sockets that we were started with: fd 0 (spawn-fcgi, mod_fcgid, systemd's
 * StandardInput=socket), else those of LISTEN_FDS if LISTEN_PID is us. Returns how many there
 * are; they follow one another from *ret_first.
 */
size_t fcgi_inherited(int *ret_first);

/* Make an inherited socket ready for the loop. ERR_INVALID if it is not a listening stream. */
enum err listener_adopt(int fd, struct fcgi_listener *ret, struct why *why);

/*
 * Open "unix:PATH" or "tcp:HOST:PORT" ("tcp:[::1]:9000"; port 0 is any). A Unix socket gets
 * `mode` and `group` (NULL: ours) whatever the umask; a stale socket file at PATH is replaced, by
 * one of those who find it at the same time. ERR_BUSY: somebody answers there; ERR_INVALID:
 * something else than a socket is there, or the address makes no sense; ERR_NOT_FOUND: no such
 * group or host; ERR_IO.
 */
enum err listener_open(const char *address, unsigned mode, const char *group,
                       struct fcgi_listener *ret, struct why *why);

/* Take the file of our Unix socket away, if it is still ours. Connected peers stay. */
void listener_unlink(struct fcgi_listener *l);
void listener_close(struct fcgi_listener *l);

#endif
