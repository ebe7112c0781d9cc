/* The container's log: CRI lines, rotated by size. */
#ifndef ROOTLESS_LOG_H
#define ROOTLESS_LOG_H

#include <stddef.h>
#include <stdint.h>

struct log {
    const char *name;  /* NULL: no log */
    int dir;           /* where it lives; not owned */
    int fd;            /* -1 until it could be opened */
    uint64_t size;     /* bytes in the current file, whole records only */
    uint64_t max_size; /* 0: no rotation */
    uint64_t max_files;
    uint64_t lost; /* bytes of output that could not be written since the last that could */
    int lost_errno;
};

/* Opens the log for appending; a failure is remembered, and tried again at the next write. */
void log_open(struct log *log);

/* Writes text (what one read gave) as records of stream ("stdout", "stderr"): F for each full
   line, P for what is left without its newline. Never blocks on anything but the disk, never
   fails: what does not fit is dropped in whole records, and the next record that can be
   written says how much. */
void log_write(struct log *log, const char *stream, const uint8_t *text, size_t size);

#endif
