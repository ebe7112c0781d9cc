/* A child that has made us its tracer unasked (PTRACE_TRACEME). waitpid(2) reports its stops as if we had asked for
   them, and are no ends. */
#ifndef ROOTLESS_TRACEE_H
#define ROOTLESS_TRACEE_H

#include <stdbool.h>
#include <sys/types.h>

/* waitpid(2) said status of pid. True where that is a stop: it is let go then, with the signal that it stopped
   for, as if nobody had traced it. */
bool let_go(pid_t pid, int status);

#endif
