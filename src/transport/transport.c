/* transport.c - what the web server started us as. */
#include "transport/transport.h"

#include <stdlib.h>

#include "transport/fcgi_listen.h"

enum transport_kind transport_kind(void)
{
    if (getenv("REQUEST_METHOD") != NULL)
        return TRANSPORT_CGI;
    int first;
    return fcgi_inherited(&first) > 0 ? TRANSPORT_FCGI : TRANSPORT_LISTEN;
}
