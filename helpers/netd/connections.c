#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dns.h"
#include "resolver.h"
#include "upstream.h"

#define IDLE_MS 5000
#define SHARE 16 /* of all descriptors one in so many is for connections of all containers */
#define MESSAGES_IN_TURN 16
/* What may lie unread by a client before we look whether it reads at all. */
#define UNREAD_MAX 16384
#define SEND_BUFFER (128 * 1024) /* an answer fits, whatever lies there below UNREAD_MAX */

/* Nothing is kept of what a client sends: a message that is not whole stays in the kernel (MSG_PEEK), which wakes us when
   it is (SO_RCVLOWAT). So a connection that dawdles costs this structure, and its time runs from its last message on. */
struct connection {
    struct source source;
    struct timer timer;
    struct container *container;
    struct resolver *resolver;
    struct connection *next; /* older */
    int low_water;
    uint32_t questions;      /* forwarded, not answered yet */
    size_t sent;             /* since we last knew that it reads */
    bool ended;              /* it has sent its last */
};

static size_t total;
static struct delay idle = DELAY(IDLE_MS);

static void drop(struct connection *connection)
{
    struct connection **link = &connection->resolver->connections;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    if (connection->questions)
        upstream_forget_connection(connection);
    total--;
    timer_stop(&connection->timer, &idle);
    source_remove(&connection->source);
    close(connection->source.fd);
    free(connection);
}

static void timed_out(struct timer *timer)
{
    drop(CONTAINER_OF(timer, struct connection, timer));
}

static bool can_write(int fd)
{
    struct pollfd state = {.fd = fd, .events = POLLOUT};
    return poll(&state, 1, 0) == 1;
}

/* What we wait for: its next message, or that it reads our answers, or nothing but the answers themselves. */
static void wait_for(struct connection *connection)
{
    bool full = connection->sent > UNREAD_MAX;
    if (connection->ended && !full && !connection->questions)
        return;
    source_change(&connection->source, full ? EPOLLOUT : connection->ended ? 0 : EPOLLIN | EPOLLRDHUP);
}

bool connection_send(struct connection *connection, const uint8_t *answer, size_t size)
{
    uint8_t prefix[2] = {(uint8_t)(size >> 8), (uint8_t)size};
    struct iovec parts[] = {{prefix, sizeof prefix}, {(void *)(uintptr_t)answer, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(connection->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != (ssize_t)(sizeof prefix + size)) {
        drop(connection); /* it has gone, or does not read */
        return false;
    }
    connection->sent += (size_t)sent;
    if (connection->sent > UNREAD_MAX && can_write(connection->source.fd))
        connection->sent = 0;
    if (connection->sent > UNREAD_MAX)
        wait_for(connection);
    return true;
}

void connection_begin(struct connection *connection)
{
    connection->questions++;
}

bool connection_end(struct connection *connection)
{
    connection->questions--;
    if (!connection->ended || connection->questions)
        return true;
    drop(connection);
    return false;
}

static void set_low_water(struct connection *connection, size_t size)
{
    if (connection->low_water == (int)size)
        return;
    connection->low_water = (int)size;
    setsockopt(connection->source.fd, SOL_SOCKET, SO_RCVLOWAT, &connection->low_water, sizeof connection->low_water);
}

/* Takes the whole messages among `size` bytes. Returns how many bytes those have, or -1 if the connection is closed. */
static ssize_t take_messages(struct connection *connection, const uint8_t *bytes, size_t size)
{
    const struct client client = {
        .container = connection->container, .resolver = connection->resolver, .connection = connection};
    size_t taken = 0, wanted = 2;
    for (int i = 0; i < MESSAGES_IN_TURN && connection->sent <= UNREAD_MAX && size - taken >= 2; i++) {
        size_t length = (size_t)bytes[taken] << 8 | bytes[taken + 1];
        if (length < DNS_HEADER || length > DNS_QUERY_MAX) {
            drop(connection); /* what follows could not be told apart */
            return -1;
        }
        if (size - taken < 2 + length) {
            wanted = 2 + length;
            break;
        }
        timer_start(&connection->timer, &idle);
        if (!resolver_take(&client, bytes + taken + 2, length))
            return -1;
        taken += 2 + length;
    }
    set_low_water(connection, wanted);
    return (ssize_t)taken;
}

static void serve(struct source *source, uint32_t events)
{
    static uint8_t bytes[MESSAGES_IN_TURN * 256 + DNS_QUERY_MAX];
    struct connection *connection = CONTAINER_OF(source, struct connection, source);
    if (events & (EPOLLERR | EPOLLHUP)) {
        drop(connection);
        return;
    }
    if (events & EPOLLOUT) {
        connection->sent = 0;
        wait_for(connection);
    }
    ssize_t size = recv(source->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0)
        return;
    ssize_t taken = size ? take_messages(connection, bytes, (size_t)size) : 0;
    if (taken < 0)
        return;
    if (taken > 0)
        recv(source->fd, bytes, (size_t)taken, MSG_TRUNC | MSG_DONTWAIT); /* takes them out, and copies nothing */
    if (taken > 0 || !(events & EPOLLRDHUP) || connection->sent > UNREAD_MAX)
        return;
    /* No whole message is left, and none will come. */
    connection->ended = true;
    if (!connection->questions)
        drop(connection);
    else
        wait_for(connection);
}

/* Of a container that has as many as it may, the one that has been idle for longest gives way, so that nobody is shut out
   for more than a moment. */
static void make_room(struct resolver *resolver, const struct container *container)
{
    struct connection *oldest = NULL;
    size_t count = 0;
    for (struct connection *each = resolver->connections; each; each = each->next) {
        if (each->container != container)
            continue;
        count++;
        if (!oldest || each->timer.due_ms <= oldest->timer.due_ms)
            oldest = each;
    }
    if (count >= DNS_CONNECTIONS_MAX)
        drop(oldest);
}

void connections_accept(struct source *listener, uint32_t events)
{
    static const int size = SEND_BUFFER;
    struct resolver *resolver = CONTAINER_OF(listener, struct resolver, tcp);
    (void)events;
    union socket_address peer = {.any = {0}};
    socklen_t peer_size = sizeof peer;
    int fd = accept4(listener->fd, &peer.any, &peer_size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        rest_begin(&resolver->rest, listener);
    if (fd < 0)
        return;
    struct container *container = total < descriptors_max() / SHARE ? resolver_client(resolver, &peer) : NULL;
    if (container)
        make_room(resolver, container);
    struct connection *connection = container ? calloc(1, sizeof *connection) : NULL;
    if (!connection) {
        close(fd);
        return;
    }
    total++;
    connection->source = (struct source){.ready = serve, .fd = fd};
    connection->timer.expired = timed_out;
    connection->container = container;
    connection->resolver = resolver;
    connection->next = resolver->connections;
    resolver->connections = connection;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    set_low_water(connection, 2);
    timer_start(&connection->timer, &idle);
    if (!source_add(&connection->source, EPOLLIN | EPOLLRDHUP))
        drop(connection);
}

void connections_close(struct resolver *resolver, const struct container *container)
{
    struct connection *connection = resolver->connections;
    while (connection) {
        struct connection *next = connection->next;
        if (!container || connection->container == container)
            drop(connection);
        connection = next;
    }
}
