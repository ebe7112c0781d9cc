#include "route.h"

#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub.h"
#include "rtnetlink.h"

#define LOOPBACK_INDEX 1 /* in every network namespace */
#define UPLINK "tap0"    /* the only link of the hub to the outside */
#define ANSWER_SIZE 32768 /* what the kernel gives in one packet of a list */

static int host = -1, hub = -1; /* rtnetlink sockets; one made in the hub asks about the hub */

static struct {
    _Alignas(4) char bytes[ANSWER_SIZE];
    size_t size;
} answer;

struct request {
    struct nlmsghdr header;
    union {
        struct rtmsg route;
        struct ifaddrmsg address;
    };
    struct rtattr attribute;
    uint8_t bytes[16];
};

static bool open_socket(int *netlink)
{
    if (*netlink < 0)
        *netlink = netlink == &hub ? hub_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
                                   : socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    return *netlink >= 0;
}

/* The kernel answers before send(2) returns, so there is nothing to wait for. */
static bool receive(int netlink)
{
    ssize_t size = recv(netlink, answer.bytes, sizeof answer.bytes, MSG_DONTWAIT);
    answer.size = size < 0 ? 0 : (size_t)size;
    return size > 0;
}

static bool ask(int *netlink, struct request *request, uint16_t type, uint16_t flags, size_t size)
{
    request->header = (struct nlmsghdr){
        .nlmsg_len = (uint32_t)size, .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
    if (!open_socket(netlink))
        return false;
    return send(*netlink, request, size, 0) >= 0 && receive(*netlink);
}

/* The message at *place of the answer, which becomes the place of the next one; NULL after the last. */
static const struct nlmsghdr *next_message(size_t *place)
{
    const struct nlmsghdr *header = (const void *)(answer.bytes + *place);
    if (*place + sizeof *header > answer.size || header->nlmsg_len < sizeof *header || header->nlmsg_len > answer.size - *place)
        return NULL;
    *place += NLMSG_ALIGN(header->nlmsg_len);
    return header;
}

/* The value of an attribute of at least `size` bytes, in a message whose body has `body` bytes before its attributes. */
static const void *find(const struct nlmsghdr *header, size_t body, uint16_t type, size_t size)
{
    const char *bytes = (const char *)header;
    struct rtattr attribute;
    for (size_t place = sizeof *header + body; place + sizeof attribute <= header->nlmsg_len; place += NLMSG_ALIGN(attribute.rta_len)) {
        memcpy(&attribute, bytes + place, sizeof attribute);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > header->nlmsg_len - place)
            return NULL;
        if (attribute.rta_type == type)
            return attribute.rta_len - sizeof attribute >= size ? bytes + place + sizeof attribute : NULL;
    }
    return NULL;
}

static size_t length(const struct address *address)
{
    return address->family == AF_INET ? 4 : 16;
}

static bool is_of_interface(const struct nlmsghdr *header, const struct address *address)
{
    const struct ifaddrmsg *body = (const void *)(header + 1);
    const void *bytes = find(header, sizeof *body, IFA_LOCAL, length(address));
    if (!bytes)
        bytes = find(header, sizeof *body, IFA_ADDRESS, length(address));
    return bytes && body->ifa_index != LOOPBACK_INDEX && memcmp(bytes, address->bytes, length(address)) == 0;
}

/* Whether an interface of the host other than lo has the address. None has those of 127.0.0.0/8 or of a prefix that is
   local as a whole: lo answers for these. */
static bool has_interface(const struct address *address)
{
    struct request request = {.address = {.ifa_family = address->family}};
    const struct nlmsghdr *header;
    bool found = false, more = ask(&host, &request, RTM_GETADDR, NLM_F_DUMP, sizeof request.header + sizeof request.address);
    for (; more; more = receive(host))
        for (size_t place = 0; (header = next_message(&place));) {
            if (header->nlmsg_type != RTM_NEWADDR)
                return found; /* the end */
            found = found || is_of_interface(header, address);
        }
    return found;
}

struct found {
    int type;      /* RTN_*, or -1 with errno */
    uint32_t link; /* the interface it leads to */
    bool direct;   /* no router stands between */
};

static struct found look_up(int *netlink, const struct address *to)
{
    struct found found = {.type = -1};
    struct request request = {
        .route = {.rtm_family = to->family, .rtm_dst_len = (uint8_t)(length(to) * 8)},
        .attribute = {.rta_len = (uint16_t)(sizeof request.attribute + length(to)), .rta_type = RTA_DST},
    };
    memcpy(request.bytes, to->bytes, length(to));
    size_t place = 0, size = offsetof(struct request, bytes) + length(to);
    if (!ask(netlink, &request, RTM_GETROUTE, 0, size))
        return found;
    const struct nlmsghdr *header = next_message(&place);
    if (!header || header->nlmsg_type != RTM_NEWROUTE) {
        int error = 0;
        if (header && header->nlmsg_type == NLMSG_ERROR && header->nlmsg_len >= sizeof *header + sizeof error)
            memcpy(&error, header + 1, sizeof error);
        errno = error < 0 ? -error : EPROTO;
        return found;
    }
    const struct rtmsg *route = (const void *)(header + 1);
    const uint32_t *link = find(header, sizeof *route, RTA_OIF, sizeof *link);
    found.type = route->rtm_type;
    found.link = link ? *link : 0;
    found.direct = !find(header, sizeof *route, RTA_GATEWAY, 0) && !find(header, sizeof *route, RTA_VIA, 0);
    return found;
}

enum route route_in_host(const struct address *to)
{
    struct found found = look_up(&host, to);
    switch (found.type) {
    case RTN_UNICAST:
        return found.link == LOOPBACK_INDEX ? ROUTE_LOOPBACK : ROUTE_OUTSIDE;
    case RTN_LOCAL:
        return has_interface(to) ? ROUTE_LOCAL : ROUTE_LOOPBACK;
    case RTN_BROADCAST:
    case RTN_ANYCAST:
    case RTN_MULTICAST:
        return ROUTE_GROUP;
    case -1:
        return ROUTE_NONE;
    default:
        errno = EACCES;
        return ROUTE_NONE;
    }
}

static bool is_uplink(uint32_t link)
{
    struct ifreq request = {.ifr_ifindex = (int)link};
    return ioctl(hub, SIOCGIFNAME, &request) == 0 && strcmp(request.ifr_name, UPLINK) == 0;
}

enum route route_in_hub(const struct address *to)
{
    struct found found = look_up(&hub, to);
    switch (found.type) {
    case RTN_UNICAST:
        return found.direct && !is_uplink(found.link) ? ROUTE_NETWORK : ROUTE_OUTSIDE;
    case RTN_LOCAL:
        return ROUTE_LOCAL;
    case RTN_BROADCAST:
    case RTN_ANYCAST:
    case RTN_MULTICAST:
        return ROUTE_GROUP;
    default:
        return ROUTE_NONE; /* the hub's own way out may be missing; the host may have one all the same */
    }
}
