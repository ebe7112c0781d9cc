/* Signals that a process of ours gets though they are not meant for it. A batch system sends them to every process of a job
   (SIGTERM at its end, SIGUSR1, SIGALRM or SIGXCPU as its user asked), a terminal to who was started at it, a machine that is shut
   down to everybody. What a container depends on must not end by them before the container has. */
#ifndef ROOTLESS_SIGNALS_H
#define ROOTLESS_SIGNALS_H

/* Ignores all of them, and SIGPIPE and SIGXFSZ, which are errors of the call. */
void ignore_signals(void);

/* Before a program of others is executed: ignored signals would stay ignored there. */
void default_signals(void);

/* For who has an idle time to cut short: SIGTERM, and no other, can be read from the descriptor; -1 with errno.
   default_signals() lets it through again. */
int sigterm_descriptor(void);

#endif
