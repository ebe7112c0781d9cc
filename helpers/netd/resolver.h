/* Where containers ask: each at 127.0.0.11:53 in its own network namespace, where the client is known by the socket; or, if
   a server of its own has that port, at the address of its gateway in the hub, where it is known by its address. */
#ifndef ROOTLESS_NETD_RESOLVER_H
#define ROOTLESS_NETD_RESOLVER_H

#include "registry.h"

struct connection;

struct resolver {
    struct container *container; /* NULL: at a gateway */
    struct source udp, tcp;
    struct connection *connections; /* connections.c */
    struct rest rest;
};

/* Whom an answer goes to. */
struct client {
    struct container *container;
    struct resolver *resolver;
    struct connection *connection; /* NULL: over UDP */
    size_t udp_max;
    union socket_address address;
    socklen_t address_size;
};

/* Answers at these sockets; NULL container: whoever asks. Takes them over, also where it returns NULL. */
struct resolver *resolver_open(struct container *container, int udp, int tcp);
void resolver_close(struct resolver *resolver);
/* Who has this address and may ask here; NULL: nobody. */
struct container *resolver_client(const struct resolver *resolver, const union socket_address *address);

/* Answers a message, or forwards it. Returns false if the client's connection has been closed. */
bool resolver_take(const struct client *client, const uint8_t *message, size_t size);
/* Sends an answer; over UDP as much of it as the client takes. Returns false if the connection has been closed. */
bool resolver_send(const struct client *client, const uint8_t *answer, size_t size);
/* Answers the question of `query` with nothing but a code. */
bool resolver_send_code(const struct client *client, const uint8_t *query, size_t size, int code);

/* connections.c: clients over TCP. */
void connections_accept(struct source *listener, uint32_t events);
bool connection_send(struct connection *connection, const uint8_t *answer, size_t size);
/* Those of a container, or with NULL all. */
void connections_close(struct resolver *resolver, const struct container *container);
/* A forwarded question of it is under way, or no longer. The end of the last one may close the connection: false. */
void connection_begin(struct connection *connection);
bool connection_end(struct connection *connection);

#endif
