/* The container's log: files of CRI lines, rotated by size (log_file.c), or systemd's journal (journal.c);
   written at once, or by way of a buffer (log_buffer.c). */
#ifndef ROOTLESS_LOG_H
#define ROOTLESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "journal.h"
#include "log_buffer.h"

struct log {
    const char *name;  /* NULL: no log files */
    int dir;           /* where they live; not owned */
    int fd;            /* -1 until it could be opened */
    uint64_t size;     /* bytes in the current file, whole records only */
    uint64_t max_size; /* 0: no rotation */
    uint64_t max_files;
    uint64_t lost; /* bytes of output that could not be written since the last that could */
    int lost_errno;
    struct log_buffer buffer;
    struct journal journal;
};

/* Opens the log for appending, and starts the writer of a buffered one. A file that cannot be opened is tried
   again at the next write. False: out of memory or processes. */
bool log_open(struct log *log);

/* Writes text (what one read gave) of stderr (error) or stdout. A buffered log drops what it has no room for;
   any other waits for the disk or the journal. */
void log_write(struct log *log, bool error, const uint8_t *text, size_t size);

/* No more comes. True if everything is written; if not, SIGCHLD comes when the writer has ended. */
bool log_close(struct log *log);

/* A child of ours was reaped: whether it was the writer. */
bool log_reaped(struct log *log, pid_t pid);

/* Bytes that the log lacks at its end. */
uint64_t log_lost(const struct log *log);

/* log_file.c. Records of the stream "stdout" or "stderr": F for each full line, P for what is left without its
   newline. Never fails: what does not fit is dropped in whole records, and the next record that can be
   written says how much. */
void log_file_open(struct log *log);
void log_file_write(struct log *log, const struct timespec *when, const char *stream, const uint8_t *text, size_t size);

#endif
