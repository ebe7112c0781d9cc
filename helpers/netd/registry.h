/* The containers that we serve. A container stands here from its `set` until the pidfd that came with it is ready. */
#ifndef ROOTLESS_NETD_REGISTRY_H
#define ROOTLESS_NETD_REGISTRY_H

#include "address.h"
#include "netd.h"

#define ID_SIZE 64

struct container;
struct udp_flow;
struct flow; /* of whoever relays */

/* A published port: a listening TCP or a bound UDP socket of the host, and where in the hub it leads. */
struct port {
    struct source source; /* the socket, watched between tcp_open() or udp_open() and tcp_close() or udp_close() */
    struct container *container;
    struct port *next;    /* of the container */
    uint64_t cookie;      /* SO_COOKIE of the socket, by which a `set` finds the port again */
    struct address target, fallback;
    uint16_t target_port;
    bool udp;
    bool open;
    struct flow *flows;   /* tcp.c: its alone */
    struct udp_flow *udp_flows;
    struct timer pause;   /* tcp.c */
    uint32_t flow_count;
};

struct network {
    char *name;
    struct container *container;
    struct address address4, address6; /* of the container */
    struct network *same_bucket[2];    /* names.c */
};

struct container {
    char id[ID_SIZE + 1];
    struct container *next;
    struct source pidfd;
    int dns_udp, dns_tcp; /* sockets at 127.0.0.11:53 in its network namespace, until resolver_open() has them; -1 */
    bool internal, ndots;
    struct network *networks; /* in the order of the gateway priority; they stay where they are once they are known */
    size_t network_count;
    struct address gateways[GATEWAYS_MAX]; /* where it asks us, instead of at 127.0.0.11; family 0: nowhere */
    struct address servers[SERVERS_MAX];
    size_t server_count;
    struct name *names, *last_name;
    struct link *links;
    struct port *ports;
    size_t port_count;
    struct undo *undos;
    size_t undo_count;
    /* Above: what `set` says. Below: what has come of it. */
    uint32_t flow_count, query_count;
    struct flow *gate_flows; /* gate.c: its alone */
    uint32_t pending_count;  /* of these, pending.c */
    struct resolver *resolver;
};

/* container.c. A container that nobody knows yet, or NULL without memory. */
struct container *container_new(const char *id);
/* Frees one that is not in the registry, with its descriptors. */
void container_free(struct container *container);
/* Gives `container` what the `set` says that `fresh` holds; fresh keeps what there was, less the ports of both. */
bool container_replace(struct container *container, struct container *fresh);

/* Begins the time without a container, which is cut short once SIGTERM has come by that descriptor. */
void registry_open(int sigterm);
/* Enters a container, or gives the one of the same id what `fresh` holds. Takes fresh over. Returns NULL, or what of it
   is not so. */
const char *registry_set(struct container *fresh);
/* Opens and adds ports. Returns NULL, or why some of them are not served. */
const char *container_add_ports(struct container *container, struct port *ports);
/* Undoes everything and frees it. */
void container_end(struct container *container);

size_t container_count(void);
int64_t registry_idle_ms(void); /* since the last container ended; 0 while there is one */
struct container *container_first(void);
struct container *container_with_id(const char *id);
/* names.c. The container with this address on one of its networks, or NULL. */
struct container *container_with_address(const struct address *address);

/* Counts a flow of the container. Returns false if it has FLOWS_MAX already. flow_end() takes it back. */
bool flow_begin(struct container *container);
void flow_end(struct container *container);

#endif
