#include "udp_flow.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"
#include "hub.h"

#define UNANSWERED_MS 30000
#define ANSWERED_MS 120000
#define FLOWS 16384 /* of all containers: each is a descriptor */
#define BUCKETS 4096
#define DESCRIPTORS_SHARE 8 /* of all descriptors one in so many is for flows of UDP */
/* As flows.c has it: a container has at most so many times the flows that are still to be had. */
#define SHARE 4
/* How many idle flows are looked at for one of a container that has too many. */
#define EVICTION_LOOK 64

static struct udp_flow flows[FLOWS];
static size_t opened; /* of them, at one time or another */
static struct udp_flow *free_flow;
static size_t live;
static struct udp_flow *buckets[BUCKETS];
static struct delay unanswered = DELAY(UNANSWERED_MS), answered = DELAY(ANSWERED_MS);

static struct udp_flow **bucket_of(const union socket_address *client)
{
    const uint8_t *bytes = (const uint8_t *)client;
    size_t size = client->any.sa_family == AF_INET ? offsetof(struct sockaddr_in, sin_zero) : offsetof(struct sockaddr_in6, sin6_scope_id);
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return &buckets[hash % BUCKETS];
}

static bool same_client(const union socket_address *one, const union socket_address *other)
{
    if (one->any.sa_family != other->any.sa_family)
        return false;
    if (one->any.sa_family == AF_INET)
        return one->four.sin_port == other->four.sin_port && one->four.sin_addr.s_addr == other->four.sin_addr.s_addr;
    return one->six.sin6_port == other->six.sin6_port && one->six.sin6_scope_id == other->six.sin6_scope_id &&
           memcmp(&one->six.sin6_addr, &other->six.sin6_addr, sizeof one->six.sin6_addr) == 0;
}

struct udp_flow *udp_flow_find(const struct port *port, const union socket_address *client)
{
    struct udp_flow *flow = *bucket_of(client);
    while (flow && (flow->port != port || !same_client(&flow->client, client)))
        flow = flow->same_bucket;
    return flow;
}

void udp_flow_end(struct udp_flow *flow)
{
    struct port *port = flow->port;
    struct udp_flow **link = bucket_of(&flow->client);
    while (*link != flow)
        link = &(*link)->same_bucket;
    *link = flow->same_bucket;
    if (flow->previous)
        flow->previous->next = flow->next;
    else
        port->udp_flows = flow->next;
    if (flow->next)
        flow->next->previous = flow->previous;
    port->flow_count--;
    live--;
    flow_end(port->container);
    timer_stop(&flow->timer, flow->answered ? &answered : &unanswered);
    source_remove(&flow->source);
    close(flow->source.fd);
    flow->same_bucket = free_flow;
    free_flow = flow;
}

static void expired(struct timer *timer)
{
    udp_flow_end(CONTAINER_OF(timer, struct udp_flow, timer));
}

void udp_flow_sent(struct udp_flow *flow)
{
    timer_start(&flow->timer, flow->answered ? &answered : &unanswered);
}

void udp_flow_answered(struct udp_flow *flow)
{
    timer_stop(&flow->timer, flow->answered ? &answered : &unanswered);
    flow->answered = true;
    timer_start(&flow->timer, &answered);
}

/* A container has one socket for a client and a port of its own: with a second published port that leads to the same
   one, answers could not be told apart. */
static bool is_taken(const struct port *port, const union socket_address *client)
{
    for (const struct udp_flow *flow = *bucket_of(client); flow; flow = flow->same_bucket)
        if (flow->transparent && same_client(&flow->client, client) && flow->port->target_port == port->target_port &&
            address_equal(&flow->port->target, &port->target))
            return true;
    return false;
}

static int connect_from(const struct port *port, const struct address *from, uint16_t number, bool transparent)
{
    static const int on = 1;
    union socket_address address;
    bool four = port->target.family == AF_INET;
    int fd = hub_socket(port->target.family, SOCK_DGRAM, 0);
    if (fd < 0)
        return -1;
    if (transparent) {
        setsockopt(fd, four ? IPPROTO_IP : IPPROTO_IPV6, four ? IP_TRANSPARENT : IPV6_TRANSPARENT, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    socklen_t size = address_to_socket(from, number, &address);
    if (from->family != port->target.family || bind(fd, &address.any, size) == 0) {
        size = address_to_socket(&port->target, port->target_port, &address);
        if (connect(fd, &address.any, size) == 0)
            return fd;
    }
    close(fd);
    return -1;
}

/* From the client's own address, or from the fallback where that cannot be. */
static int connect_flow(const struct port *port, const union socket_address *client, bool *transparent)
{
    struct address from;
    uint16_t number;
    address_from_socket(client, &from, &number);
    *transparent = client_can_be_shown(&from, port) && !is_taken(port, client);
    int fd = *transparent ? connect_from(port, &from, number, true) : -1;
    if (fd >= 0)
        return fd;
    *transparent = false;
    return connect_from(port, &port->fallback, 0, false);
}

static size_t limit(void)
{
    size_t most = descriptors_max() / DESCRIPTORS_SHARE;
    return most < FLOWS ? most : FLOWS;
}

static bool has_room(const struct container *container)
{
    return container->flow_count < FLOWS_MAX && live < limit() && container->flow_count < SHARE * (limit() - live);
}

/* Ends the oldest of the container's flows that nobody has answered, among those that come first to mind. */
static bool evict(const struct container *container)
{
    struct timer *timer = unanswered.first;
    for (int i = 0; timer && i < EVICTION_LOOK; i++, timer = timer->next) {
        struct udp_flow *flow = CONTAINER_OF(timer, struct udp_flow, timer);
        if (flow->port->container == container) {
            udp_flow_end(flow);
            return true;
        }
    }
    return false;
}

struct udp_flow *udp_flow_begin(struct port *port, const union socket_address *client,
                                void (*ready)(struct source *source, uint32_t events))
{
    struct container *container = port->container;
    if (!has_room(container) && !evict(container))
        return NULL;
    if (!flow_begin(container))
        return NULL;
    bool transparent;
    int fd = free_flow || opened < FLOWS ? connect_flow(port, client, &transparent) : -1;
    if (fd < 0) {
        flow_end(container);
        return NULL;
    }
    struct udp_flow *flow = free_flow ? free_flow : &flows[opened++];
    if (flow == free_flow)
        free_flow = flow->same_bucket;
    *flow = (struct udp_flow){.source = {.ready = ready, .fd = fd}, .timer = {.expired = expired}, .port = port,
                          .client = *client, .transparent = transparent, .next = port->udp_flows};
    if (flow->next)
        flow->next->previous = flow;
    port->udp_flows = flow;
    port->flow_count++;
    live++;
    struct udp_flow **bucket = bucket_of(client);
    flow->same_bucket = *bucket;
    *bucket = flow;
    timer_start(&flow->timer, &unanswered);
    if (source_add(&flow->source, EPOLLIN))
        return flow;
    udp_flow_end(flow);
    return NULL;
}
