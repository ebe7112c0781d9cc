/* The container's connection to netd, whose end says that netd has ended: then a command repairs the container's
   network, which starts another netd. */
#ifndef ROOTLESS_REPAIR_H
#define ROOTLESS_REPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REPAIR_WORDS_MAX 16

struct repair {
    const char *path; /* of netd's socket; NULL: the container has no network there */
    char *argv[REPAIR_WORDS_MAX + 1];
    size_t words;
    int connection;      /* -1: none */
    pid_t pid;           /* the command that runs; 0: none */
    int64_t due_ms;      /* when the command is run or, while it runs, killed; 0: never */
    int64_t pause_ms;    /* before the command is run again */
    int64_t since_ms;    /* when the connection was made */
};

/* Connects; where nobody is there who knows the container, a repair is due. */
void repair_begin(struct repair *repair, int64_t now_ms);
/* The connection is ready: netd has answered, or ended. */
void repair_lost(struct repair *repair, int64_t now_ms);
/* Does what is due at now_ms; the command has the soft limit `open_files`. Returns the milliseconds until something
   else is, -1: never. */
int repair_turn(struct repair *repair, int64_t now_ms, uint64_t open_files);
/* A child of ours was reaped; true if it was the command. */
bool repair_reaped(struct repair *repair, pid_t pid, int status, int64_t now_ms);
/* No more; a command that runs is killed. */
void repair_stop(struct repair *repair);

#endif
