/* Flows of published UDP ports: who talks with whom, by which socket in the hub. */
#ifndef ROOTLESS_NETD_UDP_FLOW_H
#define ROOTLESS_NETD_UDP_FLOW_H

#include "registry.h"

/* What one client sends to one address of a port. Its socket is in the hub: to the container it looks like the client. */
struct udp_flow {
    struct source source;
    struct timer timer;
    struct port *port;
    struct udp_flow *next, *previous; /* of the port */
    struct udp_flow *same_bucket;     /* or the next that is free */
    union socket_address client;
    struct address asked;         /* the host's address that the client sent to, and is answered from */
    bool answered, transparent;
};

/* The flow of a client with a port, or NULL. */
struct udp_flow *udp_flow_find(const struct port *port, const union socket_address *client);
/* Makes one, whose socket calls `ready`; NULL where there is no room, or no socket. */
struct udp_flow *udp_flow_begin(struct port *port, const union socket_address *client,
                                void (*ready)(struct source *source, uint32_t events));
/* Something was sent to the container or, as an answer, by it: its time begins again. */
void udp_flow_sent(struct udp_flow *flow);
void udp_flow_answered(struct udp_flow *flow);
void udp_flow_end(struct udp_flow *flow);

#endif
