/* The thread in the hub. */
#ifndef ROOTLESS_NETD_HUB_H
#define ROOTLESS_NETD_HUB_H

#include <stdbool.h>

/* Starts the thread, which enters the network namespace `namespace`. Returns false with errno. */
bool hub_open(int namespace);

/* Has the thread call `function`, waits, and returns its result. errno is the function's. It must not block. */
int hub_call(int (*function)(void *argument), void *argument);

/* socket(2) in the hub; SOCK_NONBLOCK and SOCK_CLOEXEC are added. -1 with errno. */
int hub_socket(int family, int type, int protocol);

#endif
