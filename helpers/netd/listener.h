/* The gate's listening sockets in the hub: one for each port that connections are being made to, whatever the address. */
#ifndef ROOTLESS_NETD_LISTENER_H
#define ROOTLESS_NETD_LISTENER_H

#include "netd.h"

struct listener;

/* A socket that accepts connections to any address at this port. Returns NULL with errno. Each use is given back by
   listener_leave(). */
struct listener *listener_use(uint8_t family, uint16_t port);
void listener_leave(struct listener *listener);
bool listener_exists(uint8_t family, uint16_t port);

#endif
