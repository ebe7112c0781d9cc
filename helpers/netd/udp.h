/* Published UDP ports. */
#ifndef ROOTLESS_NETD_UDP_H
#define ROOTLESS_NETD_UDP_H

#include "registry.h"

/* Begins to receive at port->source.fd. Returns false with errno. */
bool udp_open(struct port *port);
/* Ends its flows and no longer watches the socket, which the caller closes. */
void udp_close(struct port *port);

#endif
