/* Clients of published ports. */
#ifndef ROOTLESS_NETD_CLIENT_H
#define ROOTLESS_NETD_CLIENT_H

#include "registry.h"

/* Whether the container can see the client's own address, rather than the port's fallback. */
bool client_can_be_shown(const struct address *client, const struct port *port);

#endif
