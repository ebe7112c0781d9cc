/* What may outlive a container's first process: where that is not PID 1 of a pid namespace of its own
   (--pid host, --pid container:NAME), the kernel ends no other process with it. */
#ifndef ROOTLESS_STRAYS_H
#define ROOTLESS_STRAYS_H

#include <sys/types.h>

struct strays {
    char mounts[64]; /* the name of the container's mount namespace, which it shares with no other; "": no strays */
};

/* Looks at the first process while it lives. */
void strays_look(struct strays *strays, pid_t first);

/* Kills the processes that are left, round after round while there are new ones, up to a limit. */
void strays_end(const struct strays *strays);

#endif
