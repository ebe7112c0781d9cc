/* A detached `exec`: the monitor of one process in a container, which writes into the log of events how that ended. */
#ifndef ROOTLESS_EXECUTION_H
#define ROOTLESS_EXECUTION_H

#include <sys/types.h>

#include "event.h"

/* Waits for our child, writes exec_die and ends. */
_Noreturn void watch_execution(const struct event_log *events, pid_t child);

#endif
