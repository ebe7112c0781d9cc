/* Relays: two TCP sockets, each of which gets what the other one sends. */
#ifndef ROOTLESS_NETD_RELAY_H
#define ROOTLESS_NETD_RELAY_H

#include "pipes.h"
#include "registry.h"

#define RELAYS_MAX 16384 /* of all containers */

/* One of the two sockets. */
struct end {
    struct source source; /* fd: -1 as long as there is none */
    uint32_t watched;     /* the events that the loop watches; 0: it does not know the socket */
    struct pipe pipe;     /* what was read here and not yet written to the other end */
    size_t held;          /* bytes in it */
    bool ended;           /* it sends nothing more */
    bool passed_on;       /* the other end has been told so */
};

enum side {
    IN_HUB,  /* a container's */
    IN_HOST, /* everybody else's */
};

struct flow {
    struct flow *next, **link;   /* of the port or the container that it belongs to; link is what points here */
    struct container *container;
    const struct port *port;     /* tcp.c; NULL: the gate's */
    struct pending *pending;     /* gate.c, before it is a relay */
    struct end ends[2];          /* by enum side */
    struct timer timer;
    struct delay *delay;         /* of the timer; NULL: never started */
};

/* flows.c. A flow of the container in the list, without sockets. Returns NULL with EMFILE if there may be none. */
struct flow *relay_new(struct container *container, struct flow **list);
/* Forgets the flow. `shut` closes each socket. */
void relay_forget(struct flow *flow, void (*shut)(int fd));
/* Forgets the flow; both peers see a reset. */
void relay_abort(struct flow *flow);

/* relay.c. Both ends are there and connected. From now on the flow ends by itself; it may be forgotten when
   this returns. */
void relay_start(struct flow *flow);

#endif
