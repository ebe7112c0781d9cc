/* The resolver of each container, at 127.0.0.11:53 in its network namespace. The client is known by the socket. */
#ifndef ROOTLESS_NETD_RESOLVER_H
#define ROOTLESS_NETD_RESOLVER_H

#include "registry.h"

struct connection;

struct resolver {
    struct container *container;
    struct source udp, tcp;
    struct connection *connections; /* connections.c */
    size_t connection_count;
};

/* Whom an answer goes to. */
struct client {
    struct resolver *resolver;
    struct connection *connection; /* NULL: over UDP */
    size_t udp_max;
    union socket_address address;
    socklen_t address_size;
};

/* Answers at these sockets from now on, and no longer at those that it had. Takes them over, also where it fails. */
bool resolver_open(struct container *container, int udp, int tcp);
void resolver_close(struct container *container);

/* Answers a message, or forwards it. Returns false if the client's connection has been closed. */
bool resolver_take(const struct client *client, const uint8_t *message, size_t size);
/* Sends an answer; over UDP as much of it as the client takes. Returns false if the connection has been closed. */
bool resolver_send(const struct client *client, const uint8_t *answer, size_t size);
/* Answers the question of `query` with nothing but a code. */
bool resolver_send_code(const struct client *client, const uint8_t *query, size_t size, int code);

/* connections.c: clients over TCP. */
void connections_accept(struct source *listener, uint32_t events);
bool connection_send(struct connection *connection, const uint8_t *answer, size_t size);
void connections_close(struct resolver *resolver);
/* A forwarded question of it is under way, or no longer. The end of the last one may close the connection: false. */
void connection_begin(struct connection *connection);
bool connection_end(struct connection *connection);

#endif
