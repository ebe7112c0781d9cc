/* A child that has made us its tracer unasked (PTRACE_TRACEME). waitpid(2) reports its stops as if we had asked for
   them. They are no ends. */
#ifndef ROOTLESS_TRACEE_H
#define ROOTLESS_TRACEE_H

#include <stdbool.h>
#include <sys/types.h>

/* Takes a status that waitpid(2) gave for pid. Returns true if it is a stop: then the process goes on, with the
   signal that it stopped for, as if it had not been traced. */
bool let_go(pid_t pid, int status);

#endif
