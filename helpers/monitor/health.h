/* Runs the container's health check, again and again. What a check is and what its result means is
   the business of the command that is run; here are only the clock and the process. */
#ifndef ROOTLESS_HEALTH_H
#define ROOTLESS_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HEALTH_WORDS_MAX 16
/* The command's exit status after which the next check comes after start_interval. */
#define HEALTH_STARTING 10

struct health {
    char *argv[HEALTH_WORDS_MAX + 1];
    size_t words; /* 0: no checks */
    int64_t first_ms, interval_ms, start_interval_ms, timeout_ms;
    uint64_t open_files; /* run_command()'s */

    pid_t pid;      /* the check that runs; 0: none */
    int64_t due_ms; /* when the next one starts or, while one runs, when it is killed */
};

/* Does what is due at now_ms. Returns the milliseconds until something else is, -1: never. */
int health_turn(struct health *health, int64_t now_ms);

/* A child of ours was reaped; true if it was the check. */
bool health_reaped(struct health *health, pid_t pid, int status, int64_t now_ms);

/* No more checks; one that runs is killed. */
void health_stop(struct health *health);

#endif
