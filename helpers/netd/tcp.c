#include "tcp.h"

bool tcp_open(struct port *port)
{
    (void)port;
    return true;
}

void tcp_close(struct port *port)
{
    (void)port;
}
