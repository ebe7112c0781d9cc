#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "execution.h"
#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "process.h"

/* One page holds all but the buffers of a monitor that waits. */
_Alignas(4096) static struct monitor monitor;

static void keep_descriptors(struct monitor *m)
{
    const int named[] = {m->dir, m->fallback_dir, m->events.dir, m->clients.socket, m->first_client,
                         m->input.terminal, m->input.fd, m->output.out.fd, m->output.err.fd, m->log.journal.fd, m->log.journal.fields};
    /* The journal's socket is waited for, where no buffer is asked for. */
    enum { NAMED = sizeof named / sizeof *named, FIRST_OF_STREAMS = 3, AFTER_STREAMS = NAMED - 2 };
    struct run keep[NAMED + 2 * HOLDS_MAX + 1];
    for (size_t i = 0; i < NAMED; i++)
        keep[i] = (struct run){named[i], named[i]};
    memcpy(keep + NAMED, m->holds, m->hold_count * sizeof *keep);
    memcpy(keep + NAMED + m->hold_count, m->attachers, m->attacher_count * sizeof *keep);
    size_t count = NAMED + m->hold_count + m->attacher_count;
    if (m->passed)
        keep[count++] = (struct run){3, 2 + (int)m->passed};
    keep_runs(keep, count);
    for (size_t i = FIRST_OF_STREAMS; i < AFTER_STREAMS; i++)
        if (named[i] >= 0)
            set_nonblocking(named[i]);
    detach_stdio();
}

/* Both streams, each once, in turns: with a slow client only the first gets its packet through. */
static void pump(struct output *output, bool out, bool err)
{
    static bool turn;
    turn = !turn;
    if (turn && err)
        output_pump(output, &output->err);
    if (out)
        output_pump(output, &output->out);
    if (!turn && err)
        output_pump(output, &output->err);
}

_Noreturn static void loop(struct monitor *m)
{
    struct clients *clients = &m->clients;
    int timeout = 0;
    for (;;) {
        struct pollfd *polls = clients->polls;
        bool running = m->phase == RUNNING;
        polls[POLL_SIGNALS] = (struct pollfd){.fd = m->signals, .events = POLLIN};
        polls[POLL_CHILD] = (struct pollfd){.fd = running ? m->child : -1, .events = POLLIN};
        polls[POLL_SOCKET] = (struct pollfd){.fd = clients->paused ? -1 : clients->socket, .events = POLLIN};
        polls[POLL_OUTPUT] = (struct pollfd){.fd = clients->pending ? -1 : m->output.out.fd, .events = POLLIN};
        polls[POLL_ERROR] = (struct pollfd){.fd = clients->pending ? -1 : m->output.err.fd, .events = POLLIN};
        polls[POLL_STDIN] = (struct pollfd){.fd = input_full(&m->input) ? m->input.fd : -1, .events = POLLOUT};
        polls[POLL_MEMORY] = (struct pollfd){.fd = running ? m->cgroup.memory_events : -1, .events = POLLPRI};
        polls[POLL_NETD] = (struct pollfd){.fd = running ? m->repair.connection : -1, .events = POLLIN};
        clients_poll(clients);
        if (poll(polls, FIXED_POLLS + clients->count, timeout) < 0)
            continue; /* EINTR, or no memory for the moment */

        if (polls[POLL_SIGNALS].revents)
            child_reap(m);
        if (polls[POLL_CHILD].revents && m->phase == RUNNING)
            child_held(m);
        if (polls[POLL_STDIN].revents)
            input_flush(&m->input);
        if (polls[POLL_MEMORY].revents)
            memory_look(m);
        if (polls[POLL_NETD].revents && m->repair.connection >= 0)
            repair_lost(&m->repair, now_ms());
        clients_serve(clients);
        pump(&m->output, polls[POLL_OUTPUT].revents, polls[POLL_ERROR].revents);
        memory_report(m);
        if (polls[POLL_SOCKET].revents)
            clients_accept(clients); /* last: it may move the polls */
        timeout = m->phase == RUNNING ? child_watch(m) : finish(m);
    }
}

int main(int argc, char **argv)
{
    struct monitor *m = &monitor;
    m->dir = m->fallback_dir = m->first_client = m->events.dir = m->cgroup.memory_events = m->repair.connection = -1;
    m->wait_ms = -1;
    /* Field by field: a whole struct would write its buffer, whose pages are not in memory before they are used. */
    m->input.fd = m->input.terminal = m->input.slave = m->clients.socket = -1;
    m->clients.input = &m->input;
    m->output = (struct output){
        .out = {.fd = -1, .type = MESSAGE_STDOUT},
        .err = {.fd = -1, .type = MESSAGE_STDERR},
        .input = &m->input, .clients = &m->clients, .log = &m->log,
    };
    m->log.fd = m->log.journal.fd = m->log.journal.fields = m->log.buffer.wake = -1;
    parse_arguments(m, argc, argv);
    if (m->wait_ms >= 0)
        wait_and_run(m->wait_ms, m->cleanup, m->passed);
    if (m->exec && m->dir < 0)
        watch_execution(&m->events, (pid_t)m->record.pid);
    keep_descriptors(m);
    m->signals = take_signals();
    if (chdir("/") < 0)
        return 1;
    m->log.dir = m->dir;
    if (!log_open(&m->log))
        return 1;
    cgroup_open(&m->cgroup);
    if (m->input.terminal >= 0) {
        m->output.out.fd = m->input.fd = m->input.terminal;
        terminal_hold(&m->input);
    }
    if (!clients_open(&m->clients) || m->signals < 0)
        return 1;
    if (m->first_client >= 0)
        client_add(&m->clients, m->first_client, true);
    for (size_t i = 0; i < m->attacher_count; i++)
        for (int fd = m->attachers[i].first; fd <= m->attachers[i].last; fd++)
            client_add(&m->clients, fd, false);
    trim_footprint();
    m->kill_at_ms = m->timeout_ms ? now_ms() + m->timeout_ms : 0;
    repair_begin(&m->repair, now_ms());
    child_look(m);
    loop(m);
}
