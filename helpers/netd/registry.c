#include "registry.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "gate.h"
#include "gateway.h"
#include "names.h"
#include "resolver.h"
#include "tcp.h"
#include "udp.h"
#include "undo.h"
#include "uplink.h"
#include "upstream.h"

static struct container *containers;
static size_t count;

_Noreturn static void leave(struct timer *timer)
{
    (void)timer;
    _exit(0); /* whoever has connected meanwhile starts another one of us, since nothing was answered */
}

static struct delay linger = DELAY(LINGER_MS);
static struct timer last_moments = {.expired = leave};

/* SIGTERM has come: as soon as there is no container. */
static void told_to_end(struct source *source, uint32_t events)
{
    struct signalfd_siginfo told;
    (void)events;
    if (read(source->fd, &told, sizeof told) <= 0)
        return;
    linger.ms = 0;
    if (!count)
        timer_start(&last_moments, &linger);
}

void registry_open(int sigterm)
{
    static struct source signals = {.ready = told_to_end};
    signals.fd = sigterm;
    source_add(&signals, EPOLLIN);
    timer_start(&last_moments, &linger);
}

int64_t registry_idle_ms(void)
{
    return count ? 0 : loop_ms() - (last_moments.due_ms - linger.ms);
}

size_t container_count(void)
{
    return count;
}

struct container *container_first(void)
{
    return containers;
}

struct container *container_with_id(const char *id)
{
    struct container *container = containers;
    while (container && strcmp(container->id, id) != 0)
        container = container->next;
    return container;
}

bool flow_begin(struct container *container)
{
    if (container->flow_count == FLOWS_MAX)
        return false;
    container->flow_count++;
    return true;
}

void flow_end(struct container *container)
{
    container->flow_count--;
}

static void close_ports(struct port *port)
{
    while (port) {
        struct port *next = port->next;
        if (port->open)
            (port->udp ? udp_close : tcp_close)(port);
        close(port->source.fd);
        free(port);
        port = next;
    }
}

static void close_resolver(struct container *container)
{
    if (container->resolver)
        resolver_close(container->resolver);
    container->resolver = NULL;
}

void container_end(struct container *container)
{
    struct container **link = &containers;
    while (*link != container)
        link = &(*link)->next;
    *link = container->next;
    count--;
    close_ports(container->ports);
    container->ports = NULL;
    gate_drop(container);
    close_resolver(container);
    gateways_leave(container);
    upstream_forget_container(container);
    source_remove(&container->pidfd);
    names_forget(container);
    undo_run(container);
    container_free(container);
    if (!count)
        timer_start(&last_moments, &linger);
}

static bool same_port(const struct port *one, const struct port *other)
{
    return one->cookie == other->cookie && one->udp == other->udp && one->target_port == other->target_port &&
           address_equal(&one->target, &other->target) && address_equal(&one->fallback, &other->fallback);
}

static struct port *take_same_port(struct container *container, const struct port *wanted)
{
    for (struct port **link = &container->ports; *link; link = &(*link)->next) {
        struct port *port = *link;
        if (!same_port(port, wanted))
            continue;
        *link = port->next;
        return port;
    }
    return NULL;
}

const char *container_add_ports(struct container *container, struct port *ports)
{
    const char *reason = NULL;
    while (ports) {
        struct port *port = ports;
        ports = port->next;
        port->container = container;
        port->next = container->ports;
        container->ports = port;
        container->port_count++;
        if (!port->open)
            port->open = (port->udp ? udp_open : tcp_open)(port);
        if (!port->open)
            reason = "a published port cannot be watched";
    }
    return reason;
}

/* Ports that stay keep their sockets and flows. The others are closed before new ones are opened, since the number of
   descriptors is limited. */
static const char *replace_ports(struct container *container, struct port *ports)
{
    for (struct port **link = &ports; *link; link = &(*link)->next) {
        struct port *kept = take_same_port(container, *link);
        if (!kept)
            continue;
        struct port *copy = *link;
        kept->next = copy->next;
        *link = kept;
        close(copy->source.fd);
        free(copy);
    }
    close_ports(container->ports);
    container->ports = NULL;
    container->port_count = 0;
    return container_add_ports(container, ports);
}

static bool has_ended(const struct container *container)
{
    struct pollfd state = {.fd = container->pidfd.fd, .events = POLLIN};
    return poll(&state, 1, 0) == 1;
}

static const char *enter(struct container *container)
{
    if (container->pidfd.fd < 0)
        return "the first set of a container has to say whom to watch";
    if (count == CONTAINERS_MAX)
        return "there are too many containers";
    if (!source_add(&container->pidfd, EPOLLIN))
        return "the container cannot be watched";
    container->next = containers;
    containers = container;
    count++;
    timer_stop(&last_moments, &linger);
    return NULL;
}

/* Where it asks: at sockets that came with the `set`, at those that it had, or at gateways. */
static bool open_resolvers(struct container *container, struct container *fresh, const struct address *before)
{
    bool good = gateways_change(container, before);
    if (fresh->dns_udp < 0)
        return good;
    close_resolver(container);
    container->resolver = resolver_open(container, fresh->dns_udp, fresh->dns_tcp);
    fresh->dns_udp = fresh->dns_tcp = -1;
    return container->resolver && good;
}

const char *registry_set(struct container *fresh)
{
    struct address before[GATEWAYS_MAX] = {{0}};
    struct container *container = container_with_id(fresh->id);
    struct port *ports = fresh->ports;
    const char *reason = NULL;
    if (container && has_ended(container)) {
        container_end(container); /* it has been started again, and this is the new one */
        container = NULL;
    }
    if (!container) {
        reason = enter(fresh);
        if (reason) {
            container_free(fresh);
            return reason;
        }
        container = fresh;
    } else {
        names_forget(container);
        memcpy(before, container->gateways, sizeof before);
        if (!container_replace(container, fresh))
            reason = "the container cannot be watched";
    }
    names_index(container);
    fresh->ports = NULL;
    const char *unserved = replace_ports(container, ports);
    if (!open_resolvers(container, fresh, before))
        reason = "the resolver has no sockets";
    if (fresh != container)
        container_free(fresh);
    if (!container->internal)
        uplink_wanted();
    return reason ? reason : unserved;
}
