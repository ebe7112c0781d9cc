#include "exit_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/text.h"

static const char aside[] = ".exit.json.new";

bool exit_record_write(const struct exit_record *record, int dir, bool durable)
{
    char text[256];
    char *p = put_text(text, "{\"pid\":");
    p = put_number(p, record->pid);
    p = put_text(p, ",\"start_time\":");
    p = put_number(p, record->start_time);
    p = put_text(p, ",\"status\":");
    p = put_number(p, (uint64_t)record->status);
    p = put_text(p, ",\"finished_at\":\"");
    p = put_timestamp(p, &record->finished_at);
    p = put_text(p, "\"");
    if (record->oom_killed)
        p = put_text(p, ",\"oom_killed\":true");
    if (record->log_lost) {
        p = put_text(p, ",\"log_lost_bytes\":");
        p = put_number(p, record->log_lost);
    }
    p = put_text(p, "}\n");

    int fd = openat(dir, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    errno = ENOSPC; /* what a short write means */
    bool good = write(fd, text, (size_t)(p - text)) == p - text;
    if (good && durable)
        good = fsync(fd) == 0;
    int error = errno;
    if (close(fd) < 0 && good) { /* NFS and quotas report their errors here */
        error = errno;
        good = false;
    }
    if (good && renameat(dir, aside, dir, "exit.json") == 0)
        return true;
    if (good)
        error = errno;
    unlinkat(dir, aside, 0);
    errno = error;
    return false;
}
