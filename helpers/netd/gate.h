/* The SYN gate: TCP connections of containers to the outside, made by the host's own sockets.

   A container's SYN comes out of a tun device in the hub. A socket of the host connects to where it wants to go; when
   that is done, the SYN is written back, the hub's kernel answers it from a transparent socket, and the two are relayed.
   So connect(2) in the container has the result that it would have in the host. */
#ifndef ROOTLESS_NETD_GATE_H
#define ROOTLESS_NETD_GATE_H

#include "registry.h"
#include "syn.h"

/* Makes and reads the hub's tun device, or leaves it alone. False with errno; nothing to do is no error. */
bool gate_on(void);
void gate_off(void);
bool gate_is_on(void);
/* Ends the flows that this container began. */
void gate_drop(struct container *container);

/* A connection in the hub between the addresses and ports of the key; takes fd over. */
void gate_accepted(int fd, const struct syn *key);

#endif
