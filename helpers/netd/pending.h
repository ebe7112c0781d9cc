/* Connections that containers have asked for and that are not relays yet. */
#ifndef ROOTLESS_NETD_PENDING_H
#define ROOTLESS_NETD_PENDING_H

#include "listener.h"
#include "relay.h"
#include "syn.h"

#define PENDINGS_MAX 4096 /* of all containers */
#define CONTAINER_PENDINGS_MAX 1024

struct pending {
    struct pending *next; /* in its bucket, or of the unused ones */
    struct flow *flow;    /* its socket in the host is connected or being connected; it has none in the hub */
    struct syn syn;
    struct listener *listener; /* NULL until the host's socket is connected and the SYN is written back */
    int64_t since_ms;
};

/* The pending connection between the addresses and ports of the SYN, or NULL. */
struct pending *pending_find(const struct syn *syn);
/* A new one of the container, with a flow. Returns NULL if it may have none. */
struct pending *pending_new(struct container *container, const struct syn *syn);
/* Forgets it. Its flow stays, which is a relay then. */
void pending_done(struct pending *pending);

#endif
