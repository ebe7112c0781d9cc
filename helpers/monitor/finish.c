#include "monitor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

/* How long the last output of a terminal may take from the kernel's work queue to us when
   something strayed holds the other side, so that no EIO comes. */
#define TERMINAL_QUIET_MS 500
/* How long a client that takes nothing may hold back the record of the end. Its output waits for it longer. */
#define RECORD_DELAY_MS 1000

static void record_end(struct monitor *m)
{
    m->phase = RECORDED;
    m->record.log_lost = log_lost(&m->log);
    if (!exit_record_write(&m->record, m->dir, !m->no_sync) && m->fallback_dir >= 0)
        exit_record_write(&m->record, m->fallback_dir, !m->no_sync);
}

static void report_end(struct monitor *m)
{
    int32_t status = m->record.status;
    m->phase = REPORTED;
    m->clients.last = true;
    memcpy(m->clients.packet + 1, &status, sizeof status);
    clients_send(&m->clients, MESSAGE_EXITED, sizeof status);
}

_Noreturn static void clean_up(struct monitor *m)
{
    cgroup_remove(&m->cgroup);
    if (!m->cleanup || (m->cleanup_if && faccessat(m->dir, m->cleanup_if, F_OK, AT_SYMLINK_NOFOLLOW) < 0))
        exit(0);
    passed_inherit(m->passed);
    run_command(m->cleanup, m->open_files);
}

/* Whether all output has been read and taken. A terminal that stays quiet for long enough has none any more. */
static bool drained(struct monitor *m, int64_t elapsed)
{
    bool quiet = m->input.terminal >= 0 && elapsed >= TERMINAL_QUIET_MS && !m->clients.pending &&
                 !m->clients.polls[POLL_OUTPUT].revents;
    if (quiet)
        output_close(&m->output, &m->output.out);
    return output_ended(&m->output) && !m->clients.pending;
}

static int drain(struct monitor *m)
{
    int64_t elapsed = now_ms() - m->ended_at_ms;
    bool done = drained(m, elapsed);
    if (done && memory_report(m))
        return 0;
    if ((done && log_close(&m->log)) || elapsed >= RECORD_DELAY_MS) {
        record_end(m);
        return 0;
    }
    if (done) /* a buffered log is still being written */
        return (int)(RECORD_DELAY_MS - elapsed);
    int64_t left = (m->input.terminal >= 0 && !m->clients.pending ? TERMINAL_QUIET_MS : RECORD_DELAY_MS) - elapsed;
    return left > 0 ? (int)left : 0;
}

int finish(struct monitor *m)
{
    switch (m->phase) {
    case RUNNING:
        break; /* not called */
    case DRAINING:
        return drain(m);
    case RECORDED:
        if (!drained(m, now_ms() - m->ended_at_ms))
            return m->clients.pending ? -1 : 0;
        if (memory_report(m))
            return 0;
        log_close(&m->log); /* what is left of a buffered log is written without us */
        report_end(m);
        return 0;
    case REPORTED:
    case WAITING_FOR_CLIENT:
    case CLEANING:
        if (m->clients.cleaned) {
            cgroup_remove(&m->cgroup);
            exit(0);
        }
        if (clients_will_clean(&m->clients) || m->clients.pending) {
            m->phase = WAITING_FOR_CLIENT;
            return -1;
        }
        if (m->phase == CLEANING)
            clean_up(m);
        m->phase = CLEANING;
        return 0;
    }
    return 0;
}
