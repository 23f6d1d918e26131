/*
 * fcgi_peers.h - the web servers that may connect over TCP: FCGI_WEB_SERVER_ADDRS.
 */
#ifndef TRANSPORT_FCGI_PEERS_H
#define TRANSPORT_FCGI_PEERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"

#define FCGI_PEERS_MAX 64

struct fcgi_peers {
    struct in6_addr addrs[FCGI_PEERS_MAX]; /* IPv4 ones in their mapped form */
    size_t count;                          /* 0: anybody */
};

/* Read a list of addresses with commas between them; NULL and "" are nobody in particular. */
enum err peers_read(const char *list, struct fcgi_peers *ret, struct why *why);

/* May this peer connect? Always, if it did not come over TCP. */
bool peers_allow(const struct fcgi_peers *peers, const struct sockaddr *peer);

#endif
