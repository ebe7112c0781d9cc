#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "names.h"
#include "registry.h"
#include "undo.h"

/* The first process of the container has ended. */
static void ended(struct source *source, uint32_t events)
{
    (void)events;
    container_end(CONTAINER_OF(source, struct container, pidfd));
}

struct container *container_new(const char *id)
{
    struct container *container = calloc(1, sizeof *container);
    if (!container)
        return NULL;
    memcpy(container->id, id, ID_SIZE);
    container->pidfd = (struct source){.ready = ended, .fd = -1};
    container->dns_udp = container->dns_tcp = -1;
    return container;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void container_free(struct container *container)
{
    while (container->ports) {
        struct port *port = container->ports;
        container->ports = port->next;
        close(port->source.fd);
        free(port);
    }
    close_if_open(container->pidfd.fd);
    close_if_open(container->dns_udp);
    close_if_open(container->dns_tcp);
    names_free(container);
    undo_free(container);
    for (size_t i = 0; i < container->network_count; i++)
        free(container->networks[i].name);
    free(container->networks);
    free(container);
}

static void swap_descriptors(int *one, int *other)
{
    int kept = *one;
    *one = *other;
    *other = kept;
}

bool container_replace(struct container *container, struct container *fresh)
{
    struct container old = *container;
    if (fresh->pidfd.fd >= 0) {
        source_remove(&container->pidfd);
        swap_descriptors(&container->pidfd.fd, &fresh->pidfd.fd);
        if (!source_add(&container->pidfd, EPOLLIN))
            return false;
    }
    container->internal = fresh->internal;
    container->ndots = fresh->ndots;
    container->networks = fresh->networks;
    fresh->networks = old.networks;
    container->network_count = fresh->network_count;
    fresh->network_count = old.network_count;
    memcpy(container->gateways, fresh->gateways, sizeof fresh->gateways);
    memcpy(container->servers, fresh->servers, sizeof fresh->servers);
    container->server_count = fresh->server_count;
    container->names = fresh->names;
    container->last_name = fresh->last_name;
    fresh->names = old.names;
    container->links = fresh->links;
    fresh->links = old.links;
    container->undos = fresh->undos;
    fresh->undos = old.undos;
    container->undo_count = fresh->undo_count;
    return true;
}
