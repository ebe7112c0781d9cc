/* Published TCP ports. */
#ifndef ROOTLESS_NETD_TCP_H
#define ROOTLESS_NETD_TCP_H

#include "registry.h"

/* Begins to accept at port->source.fd. Returns false with errno. */
bool tcp_open(struct port *port);
/* Ends its flows and no longer watches the socket, which the caller closes. */
void tcp_close(struct port *port);

#endif
