#include "monitor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tracee.h"
#include "process.h"

static void child_ended(struct monitor *m, int status)
{
    m->phase = DRAINING;
    m->clients.ended = true;
    m->ended_at_ms = now_ms();
    m->record.status = status;
    clock_gettime(CLOCK_REALTIME, &m->record.finished_at);
    memory_look(m);
    event_write(&m->events, m->exec ? "exec_die" : "die", &m->record.finished_at, exit_code(status));
    cgroup_end(&m->cgroup);
    strays_end(&m->strays);
    health_stop(&m->health);
    repair_stop(&m->repair);
    input_close(&m->input);
    terminal_release(&m->input);
    output_limit(&m->output);
    /* The network's process leaves now, while we drain and record, not after us; published ports are free. */
    for (size_t i = 0; i < m->hold_count; i++)
        for (int fd = m->holds[i].first; fd <= m->holds[i].last; fd++)
            close(fd);
    m->hold_count = 0;
}

/* Reaps whatever has ended: our child, slirp4netns, and what was orphaned below us. A stop is no end: the child
   has made us its tracer, or one of its threads or children, and is let go. */
void child_reap(struct monitor *m)
{
    struct signalfd_siginfo info;
    while (read(m->signals, &info, sizeof info) > 0)
        ;
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && let_go(pid, status))
            continue;
        if (pid > 0 && (uint64_t)pid == m->record.pid && m->phase == RUNNING)
            child_ended(m, status);
        else if (pid > 0 && pid == m->ids) {
            /* Who answers for ids: without it most calls fail, and a container must not go on like that. */
            m->ids = 0;
            if (m->phase == RUNNING)
                kill((pid_t)m->record.pid, SIGKILL);
        } else if (pid > 0 && !log_reaped(&m->log, pid) && !repair_reaped(&m->repair, pid, status, now_ms()))
            health_reaped(&m->health, pid, status, now_ms());
        else if (pid == 0 || (pid < 0 && errno != EINTR))
            return;
    }
}

/* The pidfd says that the child is dead, and waitpid did not: a tracer that shares its pid namespace with
   others keeps its end. The kernel says in /proc how it ended, to those who may trace it. */
void child_held(struct monitor *m)
{
    child_reap(m);
    if (m->phase == RUNNING)
        child_ended(m, held_status((pid_t)m->record.pid));
}

/* The child may have ended before we came; if it is no child of ours, or was reaped already, how is not known. */
void child_look(struct monitor *m)
{
    siginfo_t info;
    m->child = pidfd_open_child((pid_t)m->record.pid);
    if (!m->exec) /* the others of the container live on */
        strays_look(&m->strays, (pid_t)m->record.pid);
    if (waitid(P_PID, (id_t)m->record.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        child_ended(m, 137 << 8);
    child_reap(m);
}

int child_watch(struct monitor *m)
{
    int64_t now = now_ms();
    int wait = health_turn(&m->health, now), repair = repair_turn(&m->repair, now, m->open_files);
    if (repair >= 0 && (wait < 0 || repair < wait))
        wait = repair;
    if (m->kill_at_ms && m->kill_at_ms <= now) {
        kill((pid_t)m->record.pid, SIGKILL); /* we have not reaped it: its number is nobody else's */
        m->kill_at_ms = 0;
    }
    int64_t left = m->kill_at_ms - now;
    if (!m->kill_at_ms || (wait >= 0 && wait < left))
        return wait;
    return left > INT_MAX ? INT_MAX : (int)left;
}
