/* exit.json: how the container's PID 1 ended. */
#ifndef ROOTLESS_EXIT_RECORD_H
#define ROOTLESS_EXIT_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct exit_record {
    uint64_t pid;
    uint64_t start_time; /* ticks, field 22 of /proc/PID/stat */
    int status;          /* as wait(2) gives it */
    struct timespec finished_at;
    bool oom_killed; /* any of its processes */
    uint64_t log_lost; /* bytes of output that the log lacks at its end */
};

/* Writes exit.json into dir: aside, fsync if durable, rename. False (errno) if that failed,
   with nothing of it left behind. */
bool exit_record_write(const struct exit_record *record, int dir, bool durable);

#endif
