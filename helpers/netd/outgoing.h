/* Datagrams that a container sends from a published UDP port to somebody who has not asked it: a WireGuard peer, another
   telephone, a node of a swarm. */
#ifndef ROOTLESS_NETD_OUTGOING_H
#define ROOTLESS_NETD_OUTGOING_H

/* The port's routing rule delivers them in the hub, where no socket is for them: from now on raw sockets see them. */
void outgoing_open(void);

#endif
