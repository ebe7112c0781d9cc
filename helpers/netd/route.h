/* Where the kernel would send a packet, in the host's network namespace and in the hub. */
#ifndef ROOTLESS_NETD_ROUTE_H
#define ROOTLESS_NETD_ROUTE_H

#include "address.h"

enum route {
    ROUTE_OUTSIDE, /* through a router, or of a neighbour of the host */
    ROUTE_LOCAL,   /* an address of an interface */
    ROUTE_LOOPBACK,/* host: an address of the loopback device, or what leads there */
    ROUTE_NETWORK, /* hub: an address of a container's network */
    ROUTE_GROUP,   /* multicast, broadcast */
    ROUTE_NONE,    /* errno says why */
};

enum route route_in_host(const struct address *to);
enum route route_in_hub(const struct address *to);

#endif
