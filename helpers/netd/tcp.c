#include "tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "relay.h"
#include "stream.h"

#define TURN 16 /* connections accepted before others have their turn */

/* How long a port does not accept when there can be no further flow. Who connects meanwhile waits in its backlog. */
static struct delay rest = DELAY(100);

/* Returns a socket of the hub that connects to the port's target from the address, or -1 with errno. */
static int dial_from(const struct port *port, const struct address *from, uint16_t from_port)
{
    union socket_address address;
    int fd = stream_in_hub(port->target.family);
    if (fd < 0)
        return -1;
    if (!from_port) { /* the port is chosen when the target is known: 28,000 of them for each target */
        int yes = 1;
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    }
    socklen_t size = address_to_socket(from, from_port, &address);
    if (from->family != port->target.family || bind(fd, &address.any, size) == 0) {
        size = address_to_socket(&port->target, port->target_port, &address);
        if (connect(fd, &address.any, size) == 0 || errno == EINPROGRESS)
            return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int dial(const struct port *port, const union socket_address *peer)
{
    struct address client;
    uint16_t client_port;
    address_from_socket(peer, &client, &client_port);
    if (client_can_be_shown(&client, port)) {
        int fd = dial_from(port, &client, client_port);
        /* One client's port may lead to one port of the container by two of the host. */
        if (fd >= 0 || (errno != EADDRINUSE && errno != EADDRNOTAVAIL))
            return fd;
    }
    return dial_from(port, &port->fallback, 0);
}

static void dialled(struct source *source, uint32_t events)
{
    struct flow *flow = CONTAINER_OF(source, struct flow, ends[IN_HUB].source);
    int error = 0;
    socklen_t size = sizeof error;
    (void)events;
    getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
        relay_abort(flow);
    else
        relay_start(flow);
}

static void connect_client(struct flow *flow, const struct port *port, const union socket_address *peer)
{
    struct end *inner = &flow->ends[IN_HUB];
    inner->source.fd = dial(port, peer);
    inner->source.ready = dialled;
    inner->watched = EPOLLOUT | EPOLLONESHOT;
    if (inner->source.fd >= 0 && source_add(&inner->source, inner->watched))
        return;
    inner->watched = 0;
    relay_abort(flow);
}

static void paused(struct timer *timer)
{
    struct port *port = CONTAINER_OF(timer, struct port, pause);
    source_change(&port->source, EPOLLIN);
}

static void accept_clients(struct source *source, uint32_t events)
{
    struct port *port = CONTAINER_OF(source, struct port, source);
    (void)events;
    for (int i = 0; i < TURN; i++) {
        union socket_address peer = {0};
        socklen_t size = sizeof peer;
        struct flow *flow = relay_new(port->container, &port->flows);
        int fd = flow ? accept4(source->fd, &peer.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
        if (fd >= 0) {
            flow->ends[IN_HOST].source.fd = fd;
            connect_client(flow, port, &peer);
            continue;
        }
        int error = errno;
        if (flow)
            relay_forget(flow, NULL);
        if (error == EAGAIN)
            return;
        if (error == EINTR || error == ECONNABORTED)
            continue;
        /* No descriptor or no memory, or the container has all its flows: the connection stays where it is, and the
           socket is ready all the time. */
        source_change(source, 0);
        timer_start(&port->pause, &rest);
        return;
    }
}

bool tcp_open(struct port *port)
{
    port->source.ready = accept_clients;
    port->pause = (struct timer){.expired = paused};
    stream_prepare(port->source.fd, false);
    return source_add(&port->source, EPOLLIN);
}

void tcp_close(struct port *port)
{
    timer_stop(&port->pause, &rest);
    source_remove(&port->source);
    while (port->flows)
        relay_abort(port->flows);
}
