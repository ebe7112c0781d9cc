#include "udp.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hub.h"

#define UNANSWERED_MS 30000
#define ANSWERED_MS 120000
#define FLOWS 16384 /* of all containers: each is a descriptor */
#define BUCKETS 4096
#define DATAGRAMS_IN_TURN 32
#define DATAGRAM_MAX 65536
/* How many idle flows are looked at for one of a container that has too many. */
#define EVICTION_LOOK 64

/* What one client sends to one address of a port. Its socket is in the hub: to the container it looks like the client. */
struct udp_flow {
    struct source source;
    struct timer timer;
    struct port *port;
    struct udp_flow *next, *previous; /* of the port */
    struct udp_flow *same_bucket;     /* or the next that is free */
    union socket_address client;
    struct address asked;         /* the host's address that the client sent to, and is answered from */
    bool answered, transparent;
};

static struct udp_flow flows[FLOWS];
static size_t opened; /* of them, at one time or another */
static struct udp_flow *free_flow;
static struct udp_flow *buckets[BUCKETS];
static struct delay unanswered = DELAY(UNANSWERED_MS), answered = DELAY(ANSWERED_MS);
static uint8_t datagram[DATAGRAM_MAX];

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

static struct udp_flow *find(const struct port *port, const union socket_address *client)
{
    struct udp_flow *flow = *bucket_of(client);
    while (flow && (flow->port != port || !same_client(&flow->client, client)))
        flow = flow->same_bucket;
    return flow;
}

static void end(struct udp_flow *flow)
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
    flow_end(port->container);
    timer_stop(&flow->timer, flow->answered ? &answered : &unanswered);
    source_remove(&flow->source);
    close(flow->source.fd);
    flow->same_bucket = free_flow;
    free_flow = flow;
}

static void expired(struct timer *timer)
{
    end(CONTAINER_OF(timer, struct udp_flow, timer));
}

/* Sends the datagram to the client, from the address that it asked. */
static void send_to_client(const struct udp_flow *flow, size_t size)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control = {.room = {0}};
    const union socket_address *client = &flow->client;
    bool four = client->any.sa_family == AF_INET;
    struct iovec data = {datagram, size};
    struct msghdr message = {.msg_name = (void *)(uintptr_t)client, .msg_iov = &data, .msg_iovlen = 1};
    message.msg_namelen = four ? sizeof client->four : sizeof client->six;
    if (flow->asked.family) {
        message.msg_control = control.room;
        message.msg_controllen = four ? CMSG_SPACE(sizeof(struct in_pktinfo)) : CMSG_SPACE(sizeof(struct in6_pktinfo));
        control.header.cmsg_level = four ? IPPROTO_IP : IPPROTO_IPV6;
        control.header.cmsg_type = four ? IP_PKTINFO : IPV6_PKTINFO;
        control.header.cmsg_len = four ? CMSG_LEN(sizeof(struct in_pktinfo)) : CMSG_LEN(sizeof(struct in6_pktinfo));
        /* The addresses alone; the interface stays the route's. */
        if (four)
            memcpy(CMSG_DATA(&control.header) + offsetof(struct in_pktinfo, ipi_spec_dst), flow->asked.bytes, 4);
        else
            memcpy(CMSG_DATA(&control.header) + offsetof(struct in6_pktinfo, ipi6_addr), flow->asked.bytes, 16);
    }
    sendmsg(flow->port->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Answers of the container. An error is an ICMP message, such as that nobody listens there: it has no sender to be told. */
static void answer(struct source *source, uint32_t events)
{
    struct udp_flow *flow = CONTAINER_OF(source, struct udp_flow, source);
    (void)events;
    for (int i = 0; i < DATAGRAMS_IN_TURN; i++) {
        ssize_t size = recv(source->fd, datagram, sizeof datagram, MSG_DONTWAIT);
        if (size < 0 && errno == EAGAIN)
            break;
        if (size < 0)
            continue;
        timer_stop(&flow->timer, flow->answered ? &answered : &unanswered);
        flow->answered = true;
        timer_start(&flow->timer, &answered);
        send_to_client(flow, (size_t)size);
    }
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
    bool usable = from.family == port->target.family && !address_is_loopback(&from) && !address_is_link_local(&from);
    *transparent = usable && !is_taken(port, client);
    int fd = *transparent ? connect_from(port, &from, number, true) : -1;
    if (fd >= 0)
        return fd;
    *transparent = false;
    return connect_from(port, &port->fallback, 0, false);
}

/* Ends the oldest of the container's flows that nobody has answered, among those that come first to mind. */
static bool evict(const struct container *container)
{
    struct timer *timer = unanswered.first;
    for (int i = 0; timer && i < EVICTION_LOOK; i++, timer = timer->next) {
        struct udp_flow *flow = CONTAINER_OF(timer, struct udp_flow, timer);
        if (flow->port->container == container) {
            end(flow);
            return true;
        }
    }
    return false;
}

static struct udp_flow *begin(struct port *port, const union socket_address *client)
{
    struct container *container = port->container;
    if (!flow_begin(container) && !(evict(container) && flow_begin(container)))
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
    *flow = (struct udp_flow){.source = {.ready = answer, .fd = fd}, .timer = {.expired = expired}, .port = port,
                          .client = *client, .transparent = transparent, .next = port->udp_flows};
    if (flow->next)
        flow->next->previous = flow;
    port->udp_flows = flow;
    port->flow_count++;
    struct udp_flow **bucket = bucket_of(client);
    flow->same_bucket = *bucket;
    *bucket = flow;
    timer_start(&flow->timer, &unanswered);
    if (source_add(&flow->source, EPOLLIN))
        return flow;
    end(flow);
    return NULL;
}

/* The host's address that the datagram was sent to. */
static void read_asked(struct msghdr *message, struct address *asked)
{
    *asked = (struct address){0};
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
        if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
            asked->family = AF_INET;
            memcpy(asked->bytes, CMSG_DATA(each) + offsetof(struct in_pktinfo, ipi_addr), 4);
        } else if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
            asked->family = AF_INET6;
            memcpy(asked->bytes, CMSG_DATA(each) + offsetof(struct in6_pktinfo, ipi6_addr), 16);
        }
    }
}

static void receive(struct source *source, uint32_t events)
{
    struct port *port = CONTAINER_OF(source, struct port, source);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    (void)events;
    for (int i = 0; i < DATAGRAMS_IN_TURN; i++) {
        union socket_address client = {.any = {0}};
        struct iovec data = {datagram, sizeof datagram};
        struct msghdr message = {.msg_name = &client, .msg_namelen = sizeof client, .msg_iov = &data, .msg_iovlen = 1,
                                 .msg_control = control.room, .msg_controllen = sizeof control.room};
        ssize_t size = recvmsg(source->fd, &message, MSG_DONTWAIT);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size < 0)
            continue;
        struct udp_flow *flow = find(port, &client);
        if (!flow && !(flow = begin(port, &client)))
            continue;
        read_asked(&message, &flow->asked);
        timer_start(&flow->timer, flow->answered ? &answered : &unanswered);
        /* The error of a datagram before, which nobody heard, is reported instead of sending this one. */
        if (send(flow->source.fd, datagram, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
            send(flow->source.fd, datagram, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

bool udp_open(struct port *port)
{
    static const int on = 1;
    int fd = port->source.fd;
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on); /* one of them is refused, by its family */
    port->source.ready = receive;
    return source_add(&port->source, EPOLLIN);
}

void udp_close(struct port *port)
{
    while (port->udp_flows)
        end(port->udp_flows);
    source_remove(&port->source);
}
