#include "udp.h"

bool udp_open(struct port *port)
{
    (void)port;
    return true;
}

void udp_close(struct port *port)
{
    (void)port;
}
