/* fcgi_peers.c - the web servers that may connect over TCP. */
#include "transport/fcgi_peers.h"

#include <arpa/inet.h>
#include <string.h>

static void map_v4(const struct in_addr *v4, struct in6_addr *ret)
{
    *ret = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&ret->s6_addr[12], v4, sizeof *v4);
}

static bool read_address(const char *text, struct in6_addr *ret)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        map_v4(&v4, ret);
        return true;
    }
    return inet_pton(AF_INET6, text, ret) == 1;
}

enum err peers_read(const char *list, struct fcgi_peers *ret, struct why *why)
{
    struct fcgi_peers peers = {.count = 0};
    for (const char *at = list; at != NULL && *at != '\0';) {
        at += strspn(at, " ");
        size_t len = strcspn(at, ", ");
        char text[INET6_ADDRSTRLEN] = "";
        if (peers.count == FCGI_PEERS_MAX)
            return why_set(why, ERR_TOO_BIG, "FCGI_WEB_SERVER_ADDRS: at most %d addresses",
                           FCGI_PEERS_MAX);
        if (len < sizeof text)
            memcpy(text, at, len);
        if (!read_address(text, &peers.addrs[peers.count++]))
            return why_set(why, ERR_CONFIG, "FCGI_WEB_SERVER_ADDRS: \"%.*s\" is not an IP address",
                           (int)len, at);
        at += len;
        at += strspn(at, " ");
        if (*at == ',')
            at++;
    }
    *ret = peers;
    return ERR_OK;
}

bool peers_allow(const struct fcgi_peers *peers, const struct sockaddr *peer)
{
    struct in6_addr addr;
    if (peers->count == 0)
        return true;
    if (peer->sa_family == AF_INET)
        map_v4(&((const struct sockaddr_in *)(const void *)peer)->sin_addr, &addr);
    else if (peer->sa_family == AF_INET6)
        addr = ((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
    else
        return true;
    for (size_t i = 0; i < peers->count; i++)
        if (memcmp(&peers->addrs[i], &addr, sizeof addr) == 0)
            return true;
    return false;
}
