/* `rootless run --shared` without the interpreter, for a rank with the same words as one that is in the container already.
   docs/development/decisions/shared-containers.md. */
#ifndef ROOTLESS_RANKS_QUICK_H
#define ROOTLESS_RANKS_QUICK_H

#include <stdbool.h>

/* Whether the words may be those of `run --shared`. */
bool may_be_shared(int argc, char **argv);

/* Runs the command in the container and returns its exit status; -1 where Python is to do all of it, and nothing has been done. `claim` is
   then "" or what Python is called with, "N:HASH": others with the same words wait until the lock of the descriptor N is let go,
   and find the facts that have that name then. */
int run_rank(char **argv, char *claim);
#define CLAIM_SIZE 64

#endif
