#include "udp.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "outgoing.h"
#include "udp_flow.h"

#define DATAGRAMS_IN_TURN 32
#define DATAGRAM_MAX 65536

static uint8_t datagram[DATAGRAM_MAX];

/* Sends the datagram to the client, from the address that it asked. */
static void send_to_client(const struct udp_flow *flow, uint8_t *bytes, size_t size)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control = {.room = {0}};
    const union socket_address *client = &flow->client;
    bool four = client->any.sa_family == AF_INET;
    struct iovec data = {bytes, size};
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
        udp_flow_answered(flow);
        send_to_client(flow, datagram, (size_t)size);
    }
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
        struct udp_flow *flow = udp_flow_find(port, &client);
        if (!flow && !(flow = udp_flow_begin(port, &client, answer)))
            continue;
        read_asked(&message, &flow->asked);
        udp_flow_sent(flow);
        /* The error of a datagram before, which nobody heard, is reported instead of sending this one. */
        if (send(flow->source.fd, datagram, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
            send(flow->source.fd, datagram, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

void udp_send_out(struct port *port, const union socket_address *to, uint8_t *bytes, size_t size)
{
    if (udp_flow_find(port, to))
        return;
    struct udp_flow *flow = udp_flow_begin(port, to, answer);
    if (flow)
        send_to_client(flow, bytes, size);
}

bool udp_open(struct port *port)
{
    static const int on = 1;
    int fd = port->source.fd;
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on); /* one of them is refused, by its family */
    port->source.ready = receive;
    outgoing_open();
    return source_add(&port->source, EPOLLIN);
}

void udp_close(struct port *port)
{
    while (port->udp_flows)
        udp_flow_end(port->udp_flows);
    source_remove(&port->source);
}
