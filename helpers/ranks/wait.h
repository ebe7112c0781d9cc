/* What the launcher does while its rank runs: signals passed on, processes that make it their tracer let go, and at the end the container
   left. As rootless/cli/terminal/, rootless/runtime/child.py and shared.leave do it. */
#ifndef ROOTLESS_RANKS_WAIT_H
#define ROOTLESS_RANKS_WAIT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ranks/facts.h"

/* A descriptor of the process that has this pid and started then; -1. */
int open_process(pid_t pid, uint64_t start_time);
bool is_running(int pidfd);

/* Has the signals that are passed on, and those of children, come as packets of a descriptor, which is returned: from before the
   command can say a word that somebody answers with a signal. */
int take_signals(sigset_t *before);
void give_signals_back(int signals, const sigset_t *before);

/* Whether one that is passed on has come while there is nobody yet to pass it on to. It is for us, once they are given back. */
bool is_told_to_end(int signals);

/* Until our child `pid` has ended; the exit status that a shell shows for it. */
int wait_for_rank(pid_t pid, int signals, const struct facts *facts);

/* Where we are the last, until the container is removed. */
void leave_container(int connection, const struct facts *facts);

#endif
