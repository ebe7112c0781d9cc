#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate.h"
#include "pending.h"
#include "stream.h"

#define BUCKETS 1024
#define BACKLOG 4096
#define TURN 64     /* connections accepted before others have their turn */
#define IDLE_MAX 64 /* sockets that are kept for the next connection to their port */

struct listener {
    struct source source;
    struct listener *next; /* in its bucket, or of the unused ones */
    struct timer timer;    /* to be closed, if nothing uses it; else until it accepts again */
    uint32_t uses;
    uint16_t port;
    uint8_t family;
};

/* As many as there can be pending connections, so that one container's ports never leave another one without. */
static struct listener listeners[PENDINGS_MAX + IDLE_MAX];
static struct listener *buckets[BUCKETS], *unused;
static size_t touched, idle_count;
static struct delay idle = DELAY(10000);
static struct delay rest = DELAY(100);

static struct listener **bucket(uint8_t family, uint16_t port)
{
    return &buckets[(port + (family == AF_INET6)) % BUCKETS];
}

static struct listener *find(uint8_t family, uint16_t port)
{
    struct listener *listener = *bucket(family, port);
    while (listener && (listener->port != port || listener->family != family))
        listener = listener->next;
    return listener;
}

bool listener_exists(uint8_t family, uint16_t port)
{
    return find(family, port);
}

static void close_idle(struct listener *listener)
{
    struct listener **link = bucket(listener->family, listener->port);
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    source_remove(&listener->source);
    close(listener->source.fd);
    listener->next = unused;
    unused = listener;
    idle_count--;
}

static void idle_expired(struct timer *timer)
{
    close_idle(CONTAINER_OF(timer, struct listener, timer));
}

static void paused(struct timer *timer)
{
    source_change(&CONTAINER_OF(timer, struct listener, timer)->source, EPOLLIN);
}

static void accept_connections(struct source *source, uint32_t events)
{
    struct listener *listener = CONTAINER_OF(source, struct listener, source);
    (void)events;
    for (int i = 0; i < TURN; i++) {
        union socket_address peer = {0}, local = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(source->fd, &peer.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            struct syn key = {0};
            size = sizeof local;
            getsockname(fd, &local.any, &size);
            address_from_socket(&peer, &key.from, &key.from_port);
            address_from_socket(&local, &key.to, &key.to_port);
            gate_accepted(fd, &key);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            source_change(source, 0); /* no descriptor or no memory; it is ready all the time */
            if (listener->uses) {
                listener->timer.expired = paused;
                timer_start(&listener->timer, &rest);
            }
            return;
        }
    }
}

static int listen_at(uint8_t family, uint16_t port)
{
    static const int on = 1;
    static const struct address any[] = {{.family = AF_INET}, {.family = AF_INET6}};
    union socket_address address;
    int fd = stream_in_hub(family);
    if (fd < 0)
        return -1;
    socklen_t size = address_to_socket(&any[family == AF_INET6], port, &address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on); /* gateway.c listens at an address of its own */
    if (bind(fd, &address.any, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

static struct listener *open_listener(uint8_t family, uint16_t port)
{
    int fd = listen_at(family, port);
    if (fd < 0)
        return NULL;
    struct listener *listener = unused;
    if (listener)
        unused = listener->next;
    else
        listener = &listeners[touched++];
    struct listener **first = bucket(family, port);
    *listener = (struct listener){
        .source = {.ready = accept_connections, .fd = fd}, .family = family, .port = port, .next = *first};
    *first = listener;
    idle_count++;
    if (source_add(&listener->source, EPOLLIN))
        return listener;
    close_idle(listener);
    return NULL;
}

struct listener *listener_use(uint8_t family, uint16_t port)
{
    struct listener *listener = find(family, port);
    if (!listener)
        listener = open_listener(family, port);
    if (listener && !listener->uses++) {
        timer_stop(&listener->timer, &idle);
        source_change(&listener->source, EPOLLIN);
        idle_count--;
    }
    return listener;
}

void listener_leave(struct listener *listener)
{
    if (--listener->uses)
        return;
    if (listener->timer.expired == paused)
        timer_stop(&listener->timer, &rest);
    listener->timer.expired = idle_expired;
    timer_start(&listener->timer, &idle);
    if (++idle_count > IDLE_MAX) {
        struct timer *oldest = idle.first;
        timer_stop(oldest, &idle);
        idle_expired(oldest);
    }
}
