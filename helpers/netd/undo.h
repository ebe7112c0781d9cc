/* What is left of a container in the hub when it has ended, and is not removed with its namespace: rules. */
#ifndef ROOTLESS_NETD_UNDO_H
#define ROOTLESS_NETD_UNDO_H

#include "registry.h"

/* Keeps an rtnetlink message, written in hexadecimal digits. False: it is none, or there is no memory. */
bool undo_add(struct container *container, const char *digits);
/* Sends them all into the hub, the last first. A refusal is no error: what is not there needs no removal. */
void undo_run(struct container *container);
/* Adds all of one container to another. False: there would be too many. */
bool undo_move(struct container *from, struct container *to);
void undo_free(struct container *container);
/* The socket in the hub they are sent by; false with errno. */
bool undo_open(void);

#endif
