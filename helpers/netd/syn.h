/* SYN packets as the gate's device gives them, and the answers that it writes by itself. */
#ifndef ROOTLESS_NETD_SYN_H
#define ROOTLESS_NETD_SYN_H

#include "address.h"

#include <stddef.h>

#define SYN_MAX 100 /* IPv6's header and TCP's longest; without data, of which the sender keeps a copy */

struct syn {
    struct address from, to;
    uint16_t from_port, to_port;
    uint16_t size;
    uint8_t bytes[SYN_MAX];
};

/* Takes a packet of `size` bytes. Returns false if it is anything but a whole, first SYN: with options of IP, a fragment,
   another protocol, a length that is not so. */
bool syn_parse(const uint8_t *packet, size_t size, struct syn *syn);

/* Makes the answer to a connection that was refused. Returns its size. */
size_t syn_refuse(const struct syn *syn, uint8_t packet[SYN_MAX]);
/* Makes the ICMP message for errno `error` of connect(2). Returns its size, or 0 if the sender is told nothing, since it
   tries again by itself. */
#define ICMP_SIZE 160
size_t syn_unreachable(const struct syn *syn, int error, uint8_t packet[ICMP_SIZE]);

#endif
