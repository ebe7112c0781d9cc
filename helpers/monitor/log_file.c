#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lib/text.h"

#define RECORDS_PER_WRITE 64
#define HEADER_SIZE (TIMESTAMP_SIZE + 16) /* "TIME stdout F " */
#define NAME_SIZE 96

/* Records gathered for one writev. A record is two pieces, its header and its text. */
struct batch {
    struct iovec pieces[2 * RECORDS_PER_WRITE + 1];
    int count;
    uint64_t bytes;
};

void log_file_open(struct log *log)
{
    if (!log->name || log->fd >= 0)
        return;
    log->fd = openat(log->dir, log->name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    struct stat status;
    if (log->fd < 0 || fstat(log->fd, &status) < 0) {
        log->lost_errno = errno;
        return;
    }
    log->size = (uint64_t)status.st_size;
    /* A power cut may have torn the last record; ours must not continue its line. */
    char last = '\n';
    if (log->size > 0 && pread(log->fd, &last, 1, status.st_size - 1) == 1 && last != '\n' &&
        write(log->fd, "\n", 1) == 1)
        log->size++;
}

static const char *numbered(char name[NAME_SIZE], const struct log *log, uint64_t number)
{
    char *p = put_text(name, log->name);
    if (number) {
        p = put_text(p, ".");
        put_number(p, number);
    }
    return name;
}

/* container.log becomes .1, .1 becomes .2 and so on, the last is replaced. The new file is made
   first: without room for it the old one goes on, too large but whole. A reader that follows
   finds the new file by its inode. */
static void rotate(struct log *log)
{
    char from[NAME_SIZE], to[NAME_SIZE], fresh[NAME_SIZE];
    put_text(put_text(fresh, log->name), ".new");
    int fd = openat(log->dir, fresh, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    for (uint64_t i = log->max_files - 1; i >= 1; i--)
        if (renameat(log->dir, numbered(from, log, i - 1), log->dir, numbered(to, log, i)) < 0 &&
            errno != ENOENT && i == 1) {
            unlinkat(log->dir, fresh, 0);
            close(fd);
            return;
        }
    if (renameat(log->dir, fresh, log->dir, log->name) < 0) {
        unlinkat(log->dir, fresh, 0); /* the renamed file stays open and is written on */
        close(fd);
        return;
    }
    close(log->fd);
    log->fd = fd;
    log->size = 0;
}

static bool over_size(const struct log *log, uint64_t more)
{
    return log->max_size && log->max_files && log->size && log->size + more > log->max_size;
}

/* The file back to its last whole record, so that a full disk never leaves half a line. */
static void cut_back(struct log *log)
{
    if (ftruncate(log->fd, (off_t)log->size) < 0) {
        off_t end = lseek(log->fd, 0, SEEK_END);
        if (end >= 0)
            log->size = (uint64_t)end;
    }
}

/* The batch into the file. What the disk did not take is counted as lost. */
static void flush(struct log *log, struct batch *batch)
{
    if (!batch->count)
        return;
    ssize_t written;
    do
        written = writev(log->fd, batch->pieces, batch->count);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)batch->bytes) {
        log->size += batch->bytes;
    } else {
        log->lost_errno = written < 0 ? errno : ENOSPC;
        uint64_t left = written < 0 ? 0 : (uint64_t)written;
        bool fits = true;
        for (int i = 0; i + 1 < batch->count; i += 2) {
            uint64_t size = batch->pieces[i].iov_len + batch->pieces[i + 1].iov_len;
            bool partial = i + 2 == batch->count - 1; /* the odd piece is a P record's newline */
            size += partial ? batch->pieces[i + 2].iov_len : 0;
            fits = fits && size <= left;
            if (fits) {
                log->size += size;
                left -= size;
            } else {
                log->lost += batch->pieces[i + 1].iov_len;
            }
        }
        cut_back(log);
    }
    batch->count = 0;
    batch->bytes = 0;
}

/* Where output is missing, the log says so itself. False while the disk takes nothing. */
static bool report_loss(struct log *log, const char *timestamp)
{
    char record[TIMESTAMP_SIZE + 200];
    char *p = put_text(record, timestamp);
    p = put_text(p, " stderr F rootless: ");
    p = put_number(p, log->lost);
    p = put_text(p, " bytes of output are missing here, the log could not be written: ");
    const char *why = strerror(log->lost_errno);
    p = put_text(p, strlen(why) < 60 ? why : "error");
    p = put_text(p, "\n");
    size_t size = (size_t)(p - record);
    if (over_size(log, size))
        rotate(log);
    ssize_t written = write(log->fd, record, size);
    if (written != (ssize_t)size) {
        if (written > 0)
            cut_back(log);
        return false;
    }
    log->size += size;
    log->lost = 0;
    return true;
}

void log_file_write(struct log *log, const struct timespec *when, const char *stream, const uint8_t *text, size_t size)
{
    static struct batch batch;
    static char newline[] = "\n";
    char timestamp[TIMESTAMP_SIZE], full[HEADER_SIZE], partial[HEADER_SIZE];
    if (!log->name || !size)
        return;
    put_timestamp(timestamp, when);
    char *p = put_text(put_text(put_text(full, timestamp), " "), stream);
    put_text(p, " F ");
    p = put_text(put_text(put_text(partial, timestamp), " "), stream);
    put_text(p, " P ");

    log_file_open(log);
    if (log->fd < 0 || (log->lost && !report_loss(log, timestamp))) {
        log->lost += size;
        return;
    }
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) + 1 - at : size - at;
        char *header = end ? full : partial;
        uint64_t record = strlen(header) + length + (end ? 0 : 1);
        if (log->max_size && log->size + batch.bytes + record > log->max_size) {
            flush(log, &batch);
            if (over_size(log, record))
                rotate(log);
        }
        batch.pieces[batch.count++] = (struct iovec){header, strlen(header)};
        batch.pieces[batch.count++] = (struct iovec){(void *)(uintptr_t)(text + at), length};
        if (!end)
            batch.pieces[batch.count++] = (struct iovec){newline, 1};
        batch.bytes += record;
        at += length;
        if (batch.count >= 2 * RECORDS_PER_WRITE)
            flush(log, &batch);
    }
    flush(log, &batch);
}
