#include "gateway.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub.h"

#define DNS_PORT 53
#define BACKLOG 256

struct gateway {
    struct gateway *next;
    struct address address;
    struct resolver *resolver;
    size_t uses; /* containers */
};

static struct gateway *gateways;

static struct gateway *find(const struct address *address)
{
    struct gateway *gateway = gateways;
    while (gateway && !address_equal(&gateway->address, address))
        gateway = gateway->next;
    return gateway;
}

/* SO_REUSEPORT: the gate listens at the same port of all addresses while somebody connects to it outside. */
static int bound_socket(const struct address *address, int type)
{
    static const int on = 1;
    union socket_address where;
    int fd = hub_socket(address->family, type, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    socklen_t size = address_to_socket(address, DNS_PORT, &where);
    if (bind(fd, &where.any, size) == 0 && (type == SOCK_DGRAM || listen(fd, BACKLOG) == 0))
        return fd;
    close(fd);
    return -1;
}

static struct gateway *open_gateway(const struct address *address)
{
    int udp = bound_socket(address, SOCK_DGRAM), tcp = bound_socket(address, SOCK_STREAM);
    struct gateway *gateway = udp >= 0 && tcp >= 0 ? malloc(sizeof *gateway) : NULL;
    if (!gateway) {
        if (udp >= 0)
            close(udp);
        if (tcp >= 0)
            close(tcp);
        return NULL;
    }
    *gateway = (struct gateway){.next = gateways, .address = *address, .resolver = resolver_open(NULL, udp, tcp)};
    if (!gateway->resolver) {
        free(gateway);
        return NULL;
    }
    gateways = gateway;
    return gateway;
}

static void leave(const struct container *container, const struct address *address)
{
    struct gateway *gateway = address->family ? find(address) : NULL;
    if (!gateway)
        return;
    if (!gateway_serves(container, gateway->resolver))
        connections_close(gateway->resolver, container);
    if (--gateway->uses)
        return;
    struct gateway **link = &gateways;
    while (*link != gateway)
        link = &(*link)->next;
    *link = gateway->next;
    resolver_close(gateway->resolver);
    free(gateway);
}

bool gateways_change(struct container *container, const struct address before[GATEWAYS_MAX])
{
    bool good = true;
    /* The new ones first: one that stays is not closed between. */
    for (size_t i = 0; i < GATEWAYS_MAX; i++) {
        struct address *address = &container->gateways[i];
        struct gateway *gateway = address->family ? find(address) : NULL;
        if (address->family && !gateway)
            gateway = open_gateway(address);
        if (gateway)
            gateway->uses++;
        else if (address->family)
            good = false;
        if (!gateway)
            *address = (struct address){0};
    }
    for (size_t i = 0; i < GATEWAYS_MAX; i++)
        leave(container, &before[i]);
    return good;
}

void gateways_leave(struct container *container)
{
    struct address before[GATEWAYS_MAX];
    memcpy(before, container->gateways, sizeof before);
    memset(container->gateways, 0, sizeof before);
    for (size_t i = 0; i < GATEWAYS_MAX; i++)
        leave(container, &before[i]);
}

bool gateway_serves(const struct container *container, const struct resolver *resolver)
{
    for (size_t i = 0; i < GATEWAYS_MAX; i++) {
        const struct gateway *gateway = container->gateways[i].family ? find(&container->gateways[i]) : NULL;
        if (gateway && gateway->resolver == resolver)
            return true;
    }
    return false;
}

bool gateway_listens(const struct address *address, uint16_t port)
{
    return port == DNS_PORT && find(address);
}
