/* The SYN gate: TCP connections of containers to the outside, made by the host's own sockets. */
#ifndef ROOTLESS_NETD_GATE_H
#define ROOTLESS_NETD_GATE_H

#include "registry.h"

/* Makes and reads the hub's tun device, or leaves it alone. False with errno; nothing to do is no error. */
bool gate_on(void);
void gate_off(void);
bool gate_is_on(void);
/* Ends the flows that this container began. */
void gate_drop(struct container *container);

#endif
