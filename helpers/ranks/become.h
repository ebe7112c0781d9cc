/* The last steps of a rank's process, from root in the container to its command. */
#ifndef ROOTLESS_RANKS_BECOME_H
#define ROOTLESS_RANKS_BECOME_H

#include <stddef.h>
#include <sys/types.h>

#include "ranks/facts.h"

enum stage { BEGUN, EXECUTING, FAILED };

/* In memory of the launcher's and of the two that it forks, until the command is executed: a filter can forbid to send. */
struct shared {
    volatile pid_t pid; /* the command's, 0 where there is none yet */
    volatile enum stage stage;
};

struct rank {
    int program; /* helpers/exec.c, in sealed memory */
    int channel; /* closes when the command is executed, and hears why it was not */
    const int *passed;
    size_t passed_count;
    char **environment;
    struct shared *shared;
};

/* In the container's namespaces, of which we are root. */
_Noreturn void become_rank(const struct facts *facts, const struct rank *rank);

#endif
