/* The environment of a rank: whether ours is that of the one that left the facts, but for what is each rank's own, and what
   the command gets of it. */
#ifndef ROOTLESS_RANKS_ENVIRONMENT_H
#define ROOTLESS_RANKS_ENVIRONMENT_H

#include <stdbool.h>

#include "ranks/facts.h"

/* False also where a name is there twice, or an entry is none: Python has its own rules for those. */
bool is_same_environment(const struct facts *facts);

/* The command's, as _environment of rootless/cli/commands/container/run_shared.py and read_environment of
   rootless/runtime/process/command.py make it. NULL: no memory. */
char **make_environment(const struct facts *facts);

#endif
