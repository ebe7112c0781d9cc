/* The hub's way to the outside: a process that we keep alive, and whose end has a command run. */
#ifndef ROOTLESS_NETD_UPLINK_H
#define ROOTLESS_NETD_UPLINK_H

#include <stdbool.h>

#define REPAIR_WORDS_MAX 16

/* The command that makes a new uplink, ended by NULL and empty where there is none; to be called before the sandbox. It
   is run by a child of ours, since we may not execute anything. */
bool uplink_open(char **command);
/* Takes over a descriptor of the process, and the end of the pipe whose other end it ends with. */
bool uplink_keep(int pidfd, int exit_pipe);
bool uplink_lives(void);
/* A container has need of it: where there is none, who made it has been killed before we were told, and one is made. */
void uplink_wanted(void);

#endif
