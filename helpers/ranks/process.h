/* A rank's process in the container: rootless/runtime/exec.py and process/run_command.py, for what facts can say. The same two forks,
   the same steps in the same order. */
#ifndef ROOTLESS_RANKS_PROCESS_H
#define ROOTLESS_RANKS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "ranks/facts.h"

/* Starts the command of `facts` in the namespaces of the container's PID 1, which `init` is a descriptor of. Returns its pid: it is a
   child of ours that has executed its command, and ends with us. -1: nothing of it is left, and Python is to do it, or one of the `signals` (take_signals) has come before. */
pid_t start_rank(const struct facts *facts, int init, int signals);

/* The namespaces of the process PID that are not ours, CLONE_NEW* flags; 0 where that cannot be known. */
uint64_t other_namespaces(pid_t pid);

#endif
