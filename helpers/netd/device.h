/* The gate's tun device in the hub, and what sends answers there that no socket gives. */
#ifndef ROOTLESS_NETD_DEVICE_H
#define ROOTLESS_NETD_DEVICE_H

#include "address.h"
#include "netd.h"

#define DEVICE "gate0"

/* Makes the device, which stays when we end, sets it up, and calls ready() when there are packets to read from the
   source's fd. Returns false with errno. */
bool device_open(void (*ready)(struct source *source, uint32_t events));
void device_close(void);
bool device_is_open(void);

/* Gives the hub's kernel a packet as if it had come from outside. */
void device_write(const uint8_t *packet, size_t size);
/* Sends a packet to an address, from whatever address stands in it. */
void device_send(const struct address *to, const uint8_t *packet, size_t size);

#endif
