/* The resolver of each container, at 127.0.0.11:53 in its network namespace. */
#ifndef ROOTLESS_NETD_RESOLVER_H
#define ROOTLESS_NETD_RESOLVER_H

#include "registry.h"

/* Answers at these sockets from now on, and no longer at those that it had. Takes them over, also where it fails. */
bool resolver_open(struct container *container, int udp, int tcp);
void resolver_close(struct container *container);

#endif
