/* Questions about what is not ours, put to the host's servers, or to those of --dns. */
#ifndef ROOTLESS_NETD_UPSTREAM_H
#define ROOTLESS_NETD_UPSTREAM_H

#include "resolver.h"

/* Asks for a client, which is answered in four seconds at most. Returns false if its connection has been closed. */
bool upstream_ask(const struct client *client, const uint8_t *message, size_t size);
/* Gives up what was asked for a container, at a resolver or by a connection: it is going to be freed. */
void upstream_forget_container(const struct container *container);
void upstream_forget_resolver(const struct resolver *resolver);
void upstream_forget_connection(const struct connection *connection);

/* servers.c. The host's servers, as resolv.conf at `path` names them, each with port 53. Returns their number, never 0. */
void servers_open(const char *path);
size_t servers_now(union socket_address servers[SERVERS_MAX]);
/* None of them answers: they are read again, whatever the file's times say. */
void servers_distrust(void);

#endif
