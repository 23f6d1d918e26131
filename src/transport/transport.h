/*
 * transport.h - what the web server started us as.
 */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

enum transport_kind {
    TRANSPORT_CGI,    /* REQUEST_METHOD is in the environment: one call; argv is not ours to read */
    TRANSPORT_FCGI,   /* we were handed a listening socket: fd 0, or LISTEN_FDS (systemd) */
    TRANSPORT_LISTEN, /* neither: FastCGI on a socket that we open ourselves */
};

enum transport_kind transport_kind(void);

#endif
