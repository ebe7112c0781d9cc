/* How the monitor lives, and how it becomes or starts another command. */
#ifndef ROOTLESS_PROCESS_H
#define ROOTLESS_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Milliseconds of a clock that only goes forward; always above 0. */
int64_t now_ms(void);

/* Signals that may not take the container along are ignored; SIGCHLD comes through the descriptor
   returned (-1: errno). */
int take_signals(void);

#define PASSED_MAX 512

/* The numbers of the `count` descriptors after stderr, and whether they stay open at an exec. */
void passed_numbers(int *numbers, size_t count);
void passed_inherit(size_t count);

/* Executes argv with the signals and the standing of an ordinary process, and `open_files` as its soft limit of
   descriptors (0: ours); ends with 127 if it cannot. */
_Noreturn void run_command(char **argv, uint64_t open_files);

/* Waits without a descriptor (but the `passed` after stderr) or a signal of the monitor's, then
   run_command(argv, 0): a restart's delay. */
_Noreturn void wait_and_run(int64_t wait_ms, char **argv, size_t passed);

/* A pidfd of our child, -1 where the kernel has none. */
int pidfd_open_child(pid_t pid);

/* The wait status of a child that is dead and that we cannot wait for: from the host's /proc, or that of a
   process which exited with 137 where we may not know. */
int held_status(pid_t pid);

/* A shell's number for a wait status: 128 and the signal for one that was killed. */
int exit_code(int status);

#endif
