#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub.h"

/* Each call of the hub's thread wakes it and waits, so it makes several at once. */
#define STOCK 16

struct stock {
    int family;
    size_t count;
    int sockets[STOCK];
};

static struct stock stocks[] = {{.family = AF_INET}, {.family = AF_INET6}};

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

static void set_linger(int fd, bool reset)
{
    struct linger linger = {.l_onoff = reset};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

void stream_prepare(int fd, bool in_hub)
{
    /* The kernel closes our sockets when we are killed. An end would tell the peer that it has had everything. */
    set_linger(fd, true);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    /* Out-of-band data becomes ordinary data: splice(2) never gets past a byte that is left out of the stream. */
    set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, in_hub ? 60 : 600);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, in_hub ? 10 : 60);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 6);
}

/* In the hub's thread. */
static int fill(void *argument)
{
    struct stock *stock = argument;
    while (stock->count < STOCK) {
        int fd = socket(stock->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            break;
        stock->sockets[stock->count++] = fd;
    }
    return stock->count ? 0 : -1;
}

int stream_in_hub(int family)
{
    struct stock *stock = &stocks[family == AF_INET6];
    if (!stock->count && hub_call(fill, stock) < 0)
        return -1;
    int fd = stock->sockets[--stock->count];
    stream_prepare(fd, true);
    if (family == AF_INET6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        set_option(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1);
    } else {
        set_option(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
    }
    /* A client's port may be one that the gate listens at, or that another connection of the same client has. */
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return fd;
}

int stream_in_host(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        stream_prepare(fd, false);
    return fd;
}

void stream_close(int fd)
{
    set_linger(fd, false);
    close(fd);
}
