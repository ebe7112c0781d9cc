#include "log.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "message.h"

static void write_now(struct log *log, const struct timespec *when, bool error, const uint8_t *text, size_t size)
{
    if (log->journal.fd >= 0)
        journal_write(&log->journal, error, text, size);
    else
        log_file_write(log, when, error ? "stderr" : "stdout", text, size);
}

/* How long the writer may go on once the monitor is gone, as Docker's. */
#define LAST_S 10

static pid_t monitor;

/* SIGALRM may come from a batch system, too, while the monitor lives. */
static void monitor_gone(int number)
{
    if (getppid() == monitor)
        return;
    signal(number, SIG_DFL);
    alarm(LAST_S);
}

/* The writer's life. It outlives a monitor that ends, or is killed, while the buffer has something, but not for
   ever: what it writes to may be stuck. */
_Noreturn static void write_buffered(struct log *log, int alarms)
{
    signal(SIGALRM, monitor_gone);
    prctl(PR_SET_PDEATHSIG, SIGALRM);
    monitor_gone(SIGALRM); /* it may have ended before that was said */
    static uint8_t text[PAYLOAD_SIZE];
    struct log_record record;
    int keep[] = {log->dir, log->fd, log->journal.fd, alarms};
    keep_only(keep, sizeof keep / sizeof *keep);
    trim_footprint();
    while (log_buffer_get(&log->buffer, alarms, &record, text)) {
        if (record.lost) {
            log->lost += record.lost;
            log->journal.lost += record.lost;
            log->lost_errno = ENOBUFS;
        }
        write_now(log, &record.when, record.error, text, record.size);
    }
    journal_flush(&log->journal);
    _exit(0);
}

bool log_open(struct log *log)
{
    log_file_open(log);
    if (!journal_open(&log->journal))
        return false;
    if (!log->buffer.limit)
        return true;
    monitor = getpid();
    int alarms = log_buffer_open(&log->buffer, PAYLOAD_SIZE);
    log->buffer.writer = alarms < 0 ? -1 : fork();
    if (log->buffer.writer == 0)
        write_buffered(log, alarms);
    close(alarms);
    return log->buffer.writer > 0;
}

void log_write(struct log *log, bool error, const uint8_t *text, size_t size)
{
    struct timespec now;
    if (!log->name && log->journal.fd < 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    if (log->buffer.writer)
        log_buffer_put(&log->buffer, (struct log_record){.size = (uint32_t)size, .error = error, .when = now}, text);
    else
        write_now(log, &now, error, text, size);
}

bool log_close(struct log *log)
{
    if (log->buffer.writer) {
        if (log->buffer.wake >= 0)
            close(log->buffer.wake);
        log->buffer.wake = -1;
        return false;
    }
    journal_flush(&log->journal);
    return true;
}

bool log_reaped(struct log *log, pid_t pid)
{
    if (!log->buffer.writer || pid != log->buffer.writer)
        return false;
    log->buffer.writer = 0; /* killed, perhaps: then the rest is written at once */
    return true;
}

uint64_t log_lost(const struct log *log)
{
    return log->lost + log->journal.lost + log->buffer.lost;
}
