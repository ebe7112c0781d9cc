#include "event.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/text.h"

void event_write(const struct event_log *log, const char *action, const struct timespec *when, int exit_code)
{
    char line[EVENT_SIZE];
    if (log->dir < 0 || !log->tail || strlen(log->tail) > EVENT_SIZE - 256)
        return;
    char *p = put_text(line, "{\"time_ns\":");
    p = put_number(p, (uint64_t)when->tv_sec * 1000000000 + (uint64_t)when->tv_nsec);
    p = put_text(put_text(put_text(p, ",\"action\":\""), action), "\",");
    p = put_text(p, log->tail);
    if (exit_code >= 0) {
        p = put_text(p, ",\"exitCode\":\"");
        p = put_text(put_number(p, (uint64_t)exit_code), "\"");
    }
    p = put_text(p, "}}\n");
    int fd = openat(log->dir, "events.log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, line, (size_t)(p - line)); /* one call: lines of others never mix with it */
    (void)ignored;
    close(fd);
}

void event_now(const struct event_log *log, const char *action)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event_write(log, action, &now, -1);
}
