#include "outgoing.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "destination.h"
#include "hub.h"
#include "udp.h"

#define DATAGRAMS_IN_TURN 32
#define UDP_HEADER 8

static uint8_t packet[65536];

static void receive4(struct source *source, uint32_t events);
static void receive6(struct source *source, uint32_t events);
static struct source raw4 = {.ready = receive4, .fd = -1}, raw6 = {.ready = receive6, .fd = -1};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* Whether the port's socket can send to `to`. One that is published on the host's loopback alone is for the host alone: what
   leaves it has a loopback address, by which services of the host would take it for a program of the host's. */
static bool can_send(const struct port *port, const struct address *to)
{
    union socket_address bound = {0};
    struct address own;
    uint16_t number;
    socklen_t size = sizeof bound;
    if (getsockname(port->source.fd, &bound.any, &size) < 0 || bound.any.sa_family != to->family)
        return false;
    address_from_socket(&bound, &own, &number);
    return !address_is_loopback(&own);
}

/* The published port that leads to this one of the container, by a socket that can send to `to`. */
static struct port *port_of(const struct container *container, const struct address *from, uint16_t number, const struct address *to)
{
    struct port *port = container->ports;
    while (port && !(port->udp && port->target_port == number && address_equal(&port->target, from) && can_send(port, to)))
        port = port->next;
    return port;
}

/* A datagram that was delivered in the hub. Where there is a flow its socket has it, too; what is no container's, or may not
   leave by the host, is nothing to us. */
static void take(const struct address *from, const struct address *to, uint8_t *udp, size_t size)
{
    union socket_address where;
    int error;
    struct container *container = size >= UDP_HEADER ? container_with_address(from) : NULL;
    if (!container || container->internal || !get16(udp + 2))
        return;
    struct port *port = port_of(container, from, get16(udp), to);
    if (!port || destination_of(to, &error) != DESTINATION_OUTSIDE)
        return;
    address_to_socket(to, get16(udp + 2), &where);
    udp_send_out(port, &where, udp + UDP_HEADER, size - UDP_HEADER);
}

static void receive4(struct source *source, uint32_t events)
{
    (void)events;
    for (int i = 0; i < DATAGRAMS_IN_TURN; i++) {
        struct address from = {.family = AF_INET}, to = {.family = AF_INET};
        ssize_t size = recv(source->fd, packet, sizeof packet, MSG_DONTWAIT);
        size_t header = size >= 20 ? (packet[0] & 15u) * 4 : 0;
        if (size < 0)
            return;
        if (header < 20 || (size_t)size < header)
            continue;
        memcpy(from.bytes, packet + 12, 4);
        memcpy(to.bytes, packet + 16, 4);
        take(&from, &to, packet + header, (size_t)size - header);
    }
}

/* A raw socket of IPv6 leaves the header out, and says who has sent it and to whom. */
static void receive6(struct source *source, uint32_t events)
{
    (void)events;
    for (int i = 0; i < DATAGRAMS_IN_TURN; i++) {
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
        } control;
        struct sockaddr_in6 sender = {0};
        struct iovec data = {packet, sizeof packet};
        struct msghdr message = {.msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &data, .msg_iovlen = 1,
                                 .msg_control = control.room, .msg_controllen = sizeof control.room};
        struct address from = {.family = AF_INET6}, to = {.family = AF_INET6};
        ssize_t size = recvmsg(source->fd, &message, MSG_DONTWAIT);
        if (size < 0)
            return;
        struct cmsghdr *first = CMSG_FIRSTHDR(&message);
        if (!first || first->cmsg_level != IPPROTO_IPV6 || first->cmsg_type != IPV6_PKTINFO)
            continue;
        memcpy(from.bytes, &sender.sin6_addr, 16);
        memcpy(to.bytes, CMSG_DATA(first) + offsetof(struct in6_pktinfo, ipi6_addr), 16);
        take(&from, &to, packet, (size_t)size);
    }
}

static void open_one(struct source *raw, int family)
{
    static const int on = 1;
    if (raw->fd >= 0)
        return;
    raw->fd = hub_socket(family, SOCK_RAW, IPPROTO_UDP);
    if (raw->fd < 0)
        return; /* then such datagrams are lost */
    if (family == AF_INET6)
        setsockopt(raw->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    source_add(raw, EPOLLIN);
}

void outgoing_open(void)
{
    open_one(&raw4, AF_INET);
    open_one(&raw6, AF_INET6);
}
