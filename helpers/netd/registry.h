/* The containers that we serve. A container stands here from its `set` until the pidfd that came with it is ready. */
#ifndef ROOTLESS_NETD_REGISTRY_H
#define ROOTLESS_NETD_REGISTRY_H

#include "address.h"
#include "netd.h"

#define ID_SIZE 64

struct container;
struct flow; /* of whoever relays */

/* A published port: a listening TCP or a bound UDP socket of the host, and where in the hub it leads. */
struct port {
    struct source source; /* the socket, not yet watched: tcp_open() or udp_open() does that */
    struct container *container;
    struct port *next;    /* of the container */
    uint64_t cookie;      /* SO_COOKIE of the socket, by which a `set` finds the port again */
    struct address target, fallback;
    uint16_t target_port;
    bool udp;
    bool kept;            /* by the `set` that is under way */
    struct flow *flows;   /* tcp.c, udp.c: theirs alone */
    uint32_t flow_count;
};

struct network {
    char *name;
    struct address address4, address6; /* of the container */
};

struct container {
    char id[ID_SIZE + 1];
    struct container *next;
    struct source pidfd;
    bool internal, ndots;
    struct network networks[NETWORKS_MAX]; /* in the order of the gateway priority */
    size_t network_count;
    struct address servers[SERVERS_MAX];
    size_t server_count;
    struct port *ports;
    size_t port_count;
    uint32_t flow_count;
    struct flow *gate_flows; /* gate.c: its alone */
    struct resolver *resolver;
    struct name *names;
    struct undo *undos;
    size_t undo_count;
};

/* The container with this address on one of its networks, or NULL. */
struct container *container_with_address(const struct address *address);
struct container *container_with_id(const char *id);

/* Counts a flow of the container. Returns false if it has FLOWS_MAX already. flow_end() takes it back. */
bool flow_begin(struct container *container);
void flow_end(struct container *container);

#endif
