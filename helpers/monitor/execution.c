#include "execution.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/tracee.h"
#include "process.h"

/* As child_reap(): a stop is no end. False: it lives. */
static bool reap(pid_t child, int *status)
{
    for (;;) {
        pid_t pid = waitpid(-1, status, WNOHANG);
        if (pid > 0 && let_go(pid, *status))
            continue;
        if (pid == child)
            return true;
        if (pid == 0 || (pid < 0 && errno != EINTR))
            return false;
    }
}

static int wait_for(pid_t child, int signals, int pidfd)
{
    int status;
    while (!reap(child, &status)) {
        struct pollfd polls[] = {{.fd = signals, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
        if (poll(polls, 2, -1) < 0)
            continue;
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) > 0)
            ;
        /* Dead, and not ours to reap: a tracer in the container holds it. */
        if (polls[1].revents)
            return reap(child, &status) ? status : held_status(child);
    }
    return status;
}

void watch_execution(const struct event_log *events, pid_t child)
{
    keep_only((int[]){events->dir}, 1);
    detach_stdio();
    int signals = take_signals();
    if (signals < 0 || chdir("/") < 0)
        exit(1);
    int pidfd = pidfd_open_child(child);
    trim_footprint();
    int status = wait_for(child, signals, pidfd);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event_write(events, "exec_die", &now, exit_code(status));
    exit(0);
}
