#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "process.h"
#include "lib/tracee.h"

/* How long the last output of a terminal may take from the kernel's work queue to us when
   something strayed holds the other side, so that no EIO comes. */
#define TERMINAL_QUIET_MS 500
/* How long a client that takes nothing may hold back the record of the end. Its output waits for it longer. */
#define RECORD_DELAY_MS 1000

static struct monitor monitor;

static void keep_descriptors(struct monitor *m)
{
    const int named[] = {m->dir, m->fallback_dir, m->events.dir, m->socket, m->first_client,
                         m->terminal, m->stdin_fd, m->output.fd, m->error.fd};
    enum { NAMED = sizeof named / sizeof *named };
    int keep[NAMED + HOLDS_MAX + PASSED_MAX];
    memcpy(keep, named, sizeof named);
    memcpy(keep + NAMED, m->holds, m->hold_count * sizeof *keep);
    passed_numbers(keep + NAMED + m->hold_count, m->passed);
    keep_only(keep, NAMED + m->hold_count + m->passed);
    for (size_t i = 3; i < NAMED; i++)
        if (named[i] >= 0)
            set_nonblocking(named[i]);
    detach_stdio();
}

/* One more line in the log of events, of now. */
static void note(struct monitor *m, const char *action)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event_write(&m->events, action, &now, -1);
}

static void look_at_memory(struct monitor *m)
{
    uint64_t before = m->cgroup.oom_kills;
    cgroup_look(&m->cgroup);
    if (m->cgroup.oom_kills == before)
        return;
    m->record.oom_killed = true;
    note(m, "oom");
}

/* A kill for want of memory is told where the container's errors are, once the packet before is
   through. Whether there was something to tell. */
static bool tell_memory(struct monitor *m)
{
    if (m->pending || m->told)
        return false;
    m->packet_size = 1 + cgroup_tell(&m->cgroup, (char *)m->packet + 1, PAYLOAD_SIZE, m->terminal >= 0);
    if (m->packet_size == 1)
        return false;
    m->packet[0] = MESSAGE_STDERR;
    log_write(&m->log, "stderr", m->packet + 1, m->packet_size - 1);
    clients_send(m);
    return true;
}

static void child_ended(struct monitor *m, int status)
{
    m->ended = true;
    m->ended_at_ms = now_ms();
    m->record.status = status;
    clock_gettime(CLOCK_REALTIME, &m->record.finished_at);
    look_at_memory(m);
    event_write(&m->events, "die", &m->record.finished_at,
                WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    cgroup_end(&m->cgroup);
    strays_end(&m->strays);
    health_stop(&m->health);
    stdin_close(m);
    if (m->terminal >= 0)
        terminal_hold(m); /* lets the slave go */
    stream_limit(m, &m->output);
    stream_limit(m, &m->error);
    /* The network's process leaves now, while we drain and record, not after us. */
    for (size_t i = 0; i < m->hold_count; i++)
        close(m->holds[i]);
    m->hold_count = 0;
}

/* Reaps whatever has ended: our child, slirp4netns, and what was orphaned below us. A stop is no end: the child
   has made us its tracer, or one of its threads or children, and is let go. */
static void reap(struct monitor *m)
{
    struct signalfd_siginfo info;
    while (read(m->signals, &info, sizeof info) > 0)
        ;
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && let_go(pid, status))
            continue;
        if (pid > 0 && (uint64_t)pid == m->record.pid && !m->ended)
            child_ended(m, status);
        else if (pid > 0)
            health_reaped(&m->health, pid, status, now_ms());
        else if (pid == 0 || (pid < 0 && errno != EINTR))
            return;
    }
}

/* Its pidfd says that the child is dead, and we were not told: a tracer that shares its pid namespace with
   others keeps its end. How it ended, the kernel says in /proc to those who may look into it. */
static void child_held(struct monitor *m)
{
    reap(m);
    if (!m->ended)
        child_ended(m, held_status((pid_t)m->record.pid));
}

/* The child may have ended before we came; if it is no child of ours, or was reaped already, how is not known. */
static void look_for_child(struct monitor *m)
{
    siginfo_t info;
    m->child = pidfd_open_child((pid_t)m->record.pid);
    strays_look(&m->strays, (pid_t)m->record.pid);
    if (waitid(P_PID, (id_t)m->record.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        child_ended(m, 137 << 8);
    reap(m);
}

static void record_end(struct monitor *m)
{
    m->recorded = true;
    m->record.log_lost = m->log.lost;
    if (!exit_record_write(&m->record, m->dir, !m->no_sync) && m->fallback_dir >= 0)
        exit_record_write(&m->record, m->fallback_dir, !m->no_sync);
}

static void tell_end(struct monitor *m)
{
    int32_t status = m->record.status;
    m->told = true;
    m->packet[0] = MESSAGE_EXITED;
    memcpy(m->packet + 1, &status, sizeof status);
    m->packet_size = 1 + sizeof status;
    clients_send(m);
}

_Noreturn static void clean_up(struct monitor *m)
{
    cgroup_remove(&m->cgroup);
    if (!m->cleanup || (m->cleanup_if && faccessat(m->dir, m->cleanup_if, F_OK, AT_SYMLINK_NOFOLLOW) < 0))
        exit(0);
    passed_inherit(m->passed);
    run_command(m->cleanup);
}

/* What is left to do once the child has ended, each when its time has come. Returns the
   milliseconds to wait for at most, -1 for as long as it takes. */
static int finish(struct monitor *m)
{
    static bool settled;
    int64_t elapsed = now_ms() - m->ended_at_ms;
    bool drained = m->output.fd < 0 && m->error.fd < 0 && (m->told || !m->pending);
    if (drained && tell_memory(m))
        return 0;
    if (!m->recorded && (drained || elapsed >= RECORD_DELAY_MS))
        record_end(m);
    if (!drained) {
        if (m->terminal >= 0 && elapsed >= TERMINAL_QUIET_MS && !m->pending && !m->polls[POLL_OUTPUT].revents) {
            stream_close(m, &m->output);
            return 0;
        }
        int64_t wait = (m->terminal >= 0 && !m->pending ? TERMINAL_QUIET_MS : RECORD_DELAY_MS) - elapsed;
        if (wait <= 0)
            return m->recorded && m->pending ? -1 : 0;
        return (int)wait;
    }
    if (!m->told) {
        tell_end(m);
        return 0;
    }
    if (m->cleaned) {
        cgroup_remove(&m->cgroup);
        exit(0);
    }
    for (size_t i = 0; i < m->client_count; i++)
        if (m->clients[i].will_clean) {
            settled = false;
            return -1;
        }
    if (m->pending)
        return -1;
    /* Once more round: somebody may just have connected, or said that they clean up. */
    if (settled)
        clean_up(m);
    settled = true;
    return 0;
}

/* The clocks of a child that lives: its time is over once, and its health is looked at. As finish(). */
static int watch(struct monitor *m)
{
    int64_t now = now_ms();
    int wait = health_turn(&m->health, now);
    if (m->kill_at_ms && m->kill_at_ms <= now) {
        kill((pid_t)m->record.pid, SIGKILL); /* we have not reaped it: its number is nobody else's */
        m->kill_at_ms = 0;
    }
    int64_t left = m->kill_at_ms - now;
    if (!m->kill_at_ms || (wait >= 0 && wait < left))
        return wait;
    return left > INT_MAX ? INT_MAX : (int)left;
}

static void loop(struct monitor *m)
{
    int timeout = 0;
    for (;;) {
        struct pollfd *polls = m->polls;
        polls[POLL_SIGNALS] = (struct pollfd){.fd = m->signals, .events = POLLIN};
        polls[POLL_CHILD] = (struct pollfd){.fd = m->ended ? -1 : m->child, .events = POLLIN};
        polls[POLL_SOCKET] = (struct pollfd){.fd = m->socket_paused ? -1 : m->socket, .events = POLLIN};
        polls[POLL_OUTPUT] = (struct pollfd){.fd = m->pending ? -1 : m->output.fd, .events = POLLIN};
        polls[POLL_ERROR] = (struct pollfd){.fd = m->pending ? -1 : m->error.fd, .events = POLLIN};
        bool input = m->input_at < m->input_end;
        polls[POLL_STDIN] = (struct pollfd){.fd = input ? m->stdin_fd : -1, .events = POLLOUT};
        polls[POLL_MEMORY] = (struct pollfd){.fd = m->ended ? -1 : m->cgroup.memory_events, .events = POLLPRI};
        clients_poll(m);
        if (poll(polls, FIXED_POLLS + m->client_count, timeout) < 0)
            continue; /* EINTR, or no memory for the moment */

        if (polls[POLL_SIGNALS].revents)
            reap(m);
        if (polls[POLL_CHILD].revents && !m->ended)
            child_held(m);
        if (polls[POLL_STDIN].revents)
            stdin_flush(m);
        if (polls[POLL_MEMORY].revents)
            look_at_memory(m);
        clients_serve(m);
        short output = polls[POLL_OUTPUT].revents, error = polls[POLL_ERROR].revents;
        /* Each once, in turns: with a slow client only the first gets its packet through. */
        static bool turn;
        turn = !turn;
        if (turn && error)
            stream_pump(m, &m->error);
        if (output)
            stream_pump(m, &m->output);
        if (!turn && error)
            stream_pump(m, &m->error);
        tell_memory(m);
        if (polls[POLL_SOCKET].revents)
            clients_accept(m); /* last: it may move m->polls */
        timeout = m->ended ? finish(m) : watch(m);
    }
}

int main(int argc, char **argv)
{
    struct monitor *m = &monitor;
    m->dir = m->fallback_dir = m->socket = m->first_client = m->terminal = m->stdin_fd = m->slave = -1;
    m->wait_ms = m->events.dir = m->cgroup.memory_events = -1;
    m->output = (struct stream){.fd = -1, .type = MESSAGE_STDOUT, .name = "stdout"};
    m->error = (struct stream){.fd = -1, .type = MESSAGE_STDERR, .name = "stderr"};
    m->log.fd = -1;
    parse_arguments(m, argc, argv);
    if (m->wait_ms >= 0)
        wait_and_run(m->wait_ms, m->cleanup, m->passed);
    keep_descriptors(m);
    m->signals = take_signals();
    if (chdir("/") < 0)
        return 1;
    m->log.dir = m->dir;
    log_open(&m->log);
    cgroup_open(&m->cgroup);
    if (m->terminal >= 0) {
        m->output.fd = m->stdin_fd = m->terminal;
        terminal_hold(m);
    }
    m->polls = malloc(FIXED_POLLS * sizeof *m->polls);
    if (!m->polls || m->signals < 0)
        return 1;
    if (m->first_client >= 0)
        client_add(m, m->first_client, true);
    trim_footprint();
    note(m, "start"); /* here and not by who starts us: it must stand before the end */
    m->kill_at_ms = m->timeout_ms ? now_ms() + m->timeout_ms : 0;
    look_for_child(m);
    loop(m);
}
