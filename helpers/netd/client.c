#include "client.h"

#include "route.h"

/* Answers to an address of one of the hub's networks would go there, and who has such an address in the host's network, or
   forges it in a datagram, would look like a container. */
bool client_can_be_shown(const struct address *client, const struct port *port)
{
    if (client->family != port->target.family || address_is_loopback(client) || address_is_link_local(client))
        return false;
    enum route route = route_in_hub(client);
    return route == ROUTE_OUTSIDE || route == ROUTE_NONE;
}
