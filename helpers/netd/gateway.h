/* Resolvers at gateways' addresses in the hub, for containers that have a server of their own at port 53. */
#ifndef ROOTLESS_NETD_GATEWAY_H
#define ROOTLESS_NETD_GATEWAY_H

#include "resolver.h"

/* Answers the container at container->gateways, and no longer at those that `before` holds, an earlier value of the same.
   False: a socket in the hub cannot be had. */
bool gateways_change(struct container *container, const struct address before[GATEWAYS_MAX]);
/* No longer answers it anywhere: its end. */
void gateways_leave(struct container *container);
/* Whether the container asks at this resolver. */
bool gateway_serves(const struct container *container, const struct resolver *resolver);
/* Whether we listen at this address of the hub. */
bool gateway_listens(const struct address *address, uint16_t port);

#endif
