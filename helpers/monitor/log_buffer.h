/* The buffer of a log that must not hold the container back (--log-opt mode=non-blocking): memory that the
   monitor shares with a process of its own which writes the log, and may have to wait for it. */
#ifndef ROOTLESS_LOG_BUFFER_H
#define ROOTLESS_LOG_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct ring;

struct log_buffer {
    size_t limit; /* bytes; 0: no buffer */
    struct ring *ring;
    int wake;      /* the writing end of a pipe: the writer's life and its alarm; -1: closed */
    pid_t writer;  /* 0: there is none, or none any more */
    uint64_t lost; /* bytes dropped since the last record that had room */
};

/* One record of the buffer: what one read gave. */
struct log_record {
    uint32_t size;
    bool error; /* of stderr */
    struct timespec when;
    uint64_t lost; /* bytes dropped before it */
};

/* Takes a record, or drops it where the buffer is full. */
void log_buffer_put(struct log_buffer *buffer, struct log_record record, const uint8_t *text);

/* In the writer: the oldest record into text, which has room for one; waits for it. False: that was all. */
bool log_buffer_get(struct log_buffer *buffer, int alarm, struct log_record *record, uint8_t *text);

/* Makes the memory and the pipe; the reading end, or -1 where there is none. */
int log_buffer_open(struct log_buffer *buffer, size_t largest);

#endif
