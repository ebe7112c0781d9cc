#include "upstream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "dns.h"
#include "hub.h"

/* Two servers, or one twice, before glibc gives up on us after its five seconds. */
#define TRY_MS 2000
#define TIMEOUTS_MAX 2
#define DNS_PORT 53
#define FEW 16
#define SHARE 16 /* of all descriptors one in so many is for questions */

/* One question in flight, with a socket of its own: its port and the id are what a forger would have to guess. */
struct query {
    struct source source;
    struct timer timer;
    struct query *next_free;
    struct client client;
    uint16_t id, size;
    uint8_t tries, timeouts;
    bool used, connecting;
    int low_water;
    uint8_t message[DNS_QUERY_MAX]; /* as the client sent it */
};

_Alignas(4096) static struct query queries[QUERIES_MAX];
static size_t in_flight;
static size_t opened; /* of them, at one time or another */
static struct query *free_query;
static struct delay patience = DELAY(TRY_MS);

static void ready(struct source *source, uint32_t events);
static void timed_out(struct timer *timer);
static bool try_next(struct query *query);

static void close_socket(struct query *query)
{
    if (query->source.fd < 0)
        return;
    source_remove(&query->source);
    close(query->source.fd);
    query->source.fd = -1;
}

static void release(struct query *query)
{
    close_socket(query);
    timer_stop(&query->timer, &patience);
    query->used = false;
    query->client.container->query_count--;
    query->next_free = free_query;
    free_query = query;
    if (--in_flight || opened <= FEW)
        return;
    opened = 0; /* none is used: what a burst of questions has taken is given back */
    free_query = NULL;
    madvise(queries, sizeof queries, MADV_DONTNEED);
}

/* Answers the client with what came, or with a failure if that is NULL. Returns false if its connection is closed. */
static bool finish(struct query *query, uint8_t *answer, size_t size)
{
    static uint8_t message[DNS_QUERY_MAX];
    const struct client client = query->client;
    const size_t message_size = query->size;
    bool there = true;
    memcpy(message, query->message, message_size);
    release(query); /* first, since sending may close the connection, and that ends its questions */
    if (answer) {
        memcpy(answer, message, 2); /* the client's id */
        there = resolver_send(&client, answer, size);
    } else {
        there = resolver_send_code(&client, message, message_size, SERVER_FAILURE);
    }
    if (there && client.connection)
        there = connection_end(client.connection);
    return there;
}

static uint16_t random_id(void)
{
    static uint16_t pool[64];
    static size_t left;
    if (!left) {
        if (getrandom(pool, sizeof pool, 0) != sizeof pool)
            return (uint16_t)loop_ms();
        left = sizeof pool / sizeof *pool;
    }
    return pool[--left];
}

static int connect_to(const struct query *query, const union socket_address *server, bool in_hub)
{
    int type = query->client.connection ? SOCK_STREAM : SOCK_DGRAM;
    int family = server->any.sa_family;
    socklen_t size = family == AF_INET ? sizeof server->four : sizeof server->six;
    int fd = in_hub ? hub_socket(family, type, 0) : socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, &server->any, size) < 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_query(struct query *query)
{
    uint8_t bytes[2 + DNS_QUERY_MAX] = {(uint8_t)(query->size >> 8), (uint8_t)query->size};
    memcpy(bytes + 2, query->message, query->size);
    bytes[2] = (uint8_t)(query->id >> 8);
    bytes[3] = (uint8_t)query->id;
    size_t skip = query->client.connection ? 0 : 2, size = 2 + (size_t)query->size - skip;
    return send(query->source.fd, bytes + skip, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

static bool begin_try(struct query *query, const union socket_address *server, bool in_hub)
{
    bool stream = query->client.connection;
    query->id = random_id();
    query->low_water = 0;
    query->connecting = stream;
    query->source.fd = connect_to(query, server, in_hub);
    if (query->source.fd < 0)
        return false;
    if (source_add(&query->source, stream ? EPOLLOUT : EPOLLIN) && (stream || send_query(query))) {
        timer_start(&query->timer, &patience);
        return true;
    }
    close_socket(query);
    return false;
}

/* The servers of --dns are asked from the containers' side, since that is where the user sees them; the host's from the
   host, where 127.0.0.53 and split names are right. */
static size_t servers_of(const struct container *container, union socket_address servers[SERVERS_MAX])
{
    for (size_t i = 0; i < container->server_count; i++)
        address_to_socket(&container->servers[i], DNS_PORT, &servers[i]);
    return container->server_count ? container->server_count : servers_now(servers);
}

/* A server that has failed at once is not asked again; one that said nothing is, where there is no other. */
static bool try_next(struct query *query)
{
    const struct container *container = query->client.container;
    union socket_address servers[SERVERS_MAX];
    size_t count = servers_of(container, servers);
    close_socket(query);
    while (query->timeouts < TIMEOUTS_MAX && (query->tries < count || query->timeouts == query->tries)) {
        const union socket_address *server = &servers[query->tries++ % count];
        if (begin_try(query, server, container->server_count > 0))
            return true;
    }
    servers_distrust();
    return finish(query, NULL, 0);
}

static void timed_out(struct timer *timer)
{
    struct query *query = CONTAINER_OF(timer, struct query, timer);
    query->timeouts++;
    try_next(query);
}

static void take_answer(struct query *query, uint8_t *answer, size_t size)
{
    if (!dns_answers(answer, size, query->message, query->size, query->id))
        return; /* forged, or late */
    int code = dns_code(answer);
    if (code == NO_ERROR || code == NAME_ERROR)
        finish(query, answer, size);
    else
        try_next(query);
}

static uint8_t room[2 + DNS_ANSWER_MAX];

/* Over TCP the answer stays in the kernel until it is whole, as in connections.c. */
static void read_stream(struct query *query, uint32_t events)
{
    int fd = query->source.fd;
    ssize_t size = recv(fd, room, sizeof room, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    int wanted = size < 2 ? 2 : 2 + (room[0] << 8 | room[1]);
    if (size > 2 && size >= wanted) {
        if (dns_answers(room + 2, (size_t)wanted - 2, query->message, query->size, query->id))
            take_answer(query, room + 2, (size_t)wanted - 2);
        else
            try_next(query);
        return;
    }
    if (size <= 0 || events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        try_next(query); /* it is not whole, and no more will come */
        return;
    }
    if (query->low_water == wanted)
        return;
    query->low_water = wanted;
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted);
}

static void ready(struct source *source, uint32_t events)
{
    struct query *query = CONTAINER_OF(source, struct query, source);
    if (query->connecting) {
        query->connecting = false;
        if (events & (EPOLLERR | EPOLLHUP) || !send_query(query) || !source_change(source, EPOLLIN | EPOLLRDHUP))
            try_next(query);
        return;
    }
    if (query->client.connection) {
        read_stream(query, events);
        return;
    }
    ssize_t size = recv(source->fd, room, DNS_ANSWER_MAX, MSG_DONTWAIT);
    if (size >= 0)
        take_answer(query, room, (size_t)size);
    else if (errno != EAGAIN && errno != EINTR)
        try_next(query); /* nobody listens there */
}

static struct query *take_query(struct container *container)
{
    if (container->query_count == CONTAINER_QUERIES_MAX || in_flight >= descriptors_max() / SHARE || (!free_query && opened == QUERIES_MAX))
        return NULL;
    struct query *query = free_query ? free_query : &queries[opened++];
    if (query == free_query)
        free_query = query->next_free;
    container->query_count++;
    in_flight++;
    return query;
}

bool upstream_ask(const struct client *client, const uint8_t *message, size_t size)
{
    struct query *query = take_query(client->container);
    if (!query)
        return resolver_send_code(client, message, size, SERVER_FAILURE);
    query->source = (struct source){.ready = ready, .fd = -1};
    query->timer.expired = timed_out;
    query->client = *client;
    query->size = (uint16_t)size;
    query->tries = query->timeouts = 0;
    query->used = true;
    memcpy(query->message, message, size);
    if (client->connection)
        connection_begin(client->connection);
    return try_next(query);
}

static void forget(const struct container *container, const struct resolver *resolver, const struct connection *connection)
{
    for (size_t i = 0; i < opened; i++) {
        struct query *query = &queries[i];
        if (query->used && ((container && query->client.container == container) || (resolver && query->client.resolver == resolver) ||
                            (connection && query->client.connection == connection)))
            release(query);
    }
}

void upstream_forget_container(const struct container *container)
{
    forget(container, NULL, NULL);
}

void upstream_forget_resolver(const struct resolver *resolver)
{
    forget(NULL, resolver, NULL);
}

void upstream_forget_connection(const struct connection *connection)
{
    forget(NULL, NULL, connection);
}
