/* TCP sockets: those made in the hub, and the options of both ends of a relay. */
#ifndef ROOTLESS_NETD_STREAM_H
#define ROOTLESS_NETD_STREAM_H

#include <stdbool.h>

/* A TCP socket in the hub that may be bound to an address which is not there. -1 with errno. */
int stream_in_hub(int family);
/* A TCP socket in the host's network namespace. -1 with errno. */
int stream_in_host(int family);

/* Prepares a socket for a relay, as the two above do; what a listening socket accepts has its options. No waiting for
   more bytes, dead peers found, and when it is closed the peer sees a reset. in_hub: the peer is a container, of which an
   answer is expected soon. */
void stream_prepare(int fd, bool in_hub);
/* Closes it after all: what was sent is delivered, and then comes an end. */
void stream_close(int fd);

#endif
