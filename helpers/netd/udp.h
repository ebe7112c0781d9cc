/* Published UDP ports. */
#ifndef ROOTLESS_NETD_UDP_H
#define ROOTLESS_NETD_UDP_H

#include "registry.h"

/* Begins to receive at port->source.fd. Returns false with errno. */
bool udp_open(struct port *port);
/* Ends its flows and no longer watches the socket, which the caller closes. */
void udp_close(struct port *port);

/* What the container sends from the port to somebody who has not asked: leaves the host from the published port, and begins
   a flow, unless there is one, whose socket has got it already. */
void udp_send_out(struct port *port, const union socket_address *to, uint8_t *bytes, size_t size);

#endif
