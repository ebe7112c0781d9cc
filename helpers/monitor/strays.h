/* What may outlive a container's first process: where that is not PID 1 of a pid namespace of its own
   (--pid host, --pid container:NAME), the kernel ends nobody with it. */
#ifndef ROOTLESS_STRAYS_H
#define ROOTLESS_STRAYS_H

#include <sys/types.h>

struct strays {
    char mounts[64]; /* the name of the container's mount namespace, which it shares with no other; "": no strays */
};

/* Looks at the first process while it lives. */
void strays_look(struct strays *strays, pid_t first);

/* Kills whoever is left, for as long as there are new ones, but not for ever. */
void strays_end(const struct strays *strays);

#endif
