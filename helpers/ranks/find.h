/* Where this user's shared containers are on this machine: RUNTIME/shared, and the facts in it. */
#ifndef ROOTLESS_RANKS_FIND_H
#define ROOTLESS_RANKS_FIND_H

#include <stdbool.h>

#include "ranks/facts.h"

#define HASH_SIZE 17 /* 16 digits and a NUL */

/* A descriptor of RUNTIME/shared, as rootless/paths.py finds RUNTIME and rootless/engine/lifecycle/shared.py makes what is missing. -1
   where Python is to look. */
int open_shared(void);

/* The name of a command line of this directory: no more than a name, the facts have all of it. False without a directory. */
bool hash_words(char **argv, char *directory, size_t size, char *hash);

enum facts_found { FOUND, DIFFERENT, NONE };

/* The facts of this command line. FOUND: they are of a container that is the one of its key still, and all is as it was. NONE: there are
   none, or their container has gone. */
enum facts_found find_facts(int shared, const char *hash, char **argv, const char *directory, struct facts *facts);

/* Whether the container of the facts is the one of its key. */
bool is_current(int shared, const struct facts *facts);

#endif
