#include "ranks/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/text.h"
#include "lib/tracee.h"
#include "ranks/kernel.h"

#define REMOVED_MS 30000
#define KEPT 137 /* by who traces it in the container: how it ended is not for us to know */

struct rank_watch {
    pid_t pid;
    int pidfd;
    bool in_job, ending; /* SIGTERM has come in a job */
    struct timeval patience;
    int code; /* -1: it runs */
};

int take_signals(sigset_t *before)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD};
    sigset_t taken;
    sigemptyset(&taken);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&taken, numbers[i]);
    sigprocmask(SIG_BLOCK, &taken, before);
    return signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int send_to(int pidfd, int number)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

bool is_running(int pidfd)
{
    return send_to(pidfd, 0) == 0;
}

/* A field of /proc/PID/stat, the one `skipped` fields behind the state, and the state. False: there is no such process. */
static bool read_stat(pid_t pid, int skipped, char *state, uint64_t *number)
{
    char path[64], text[4096];
    put_text(put_number(put_text(path, "/proc/"), (uint64_t)pid), "/stat");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return false;
    text[size] = 0;
    /* The name in parentheses may itself hold spaces and parentheses. */
    char *place = strrchr(text, ')');
    if (place == NULL || place[1] != ' ')
        return false;
    place += 2;
    *state = *place;
    for (int i = 0; i < skipped; i++) {
        place += strcspn(place, " ");
        place += *place == ' ';
    }
    place[strcspn(place, " \n")] = 0;
    return parse_number(place, UINT64_MAX, number);
}

int open_process(pid_t pid, uint64_t start_time)
{
    char state;
    uint64_t started;
    /* First the descriptor, then the look: in between the pid cannot change hands. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0 && (!read_stat(pid, 19, &state, &started) || started != start_time || strchr("ZXx", state))) {
        close(pidfd);
        return -1;
    }
    return pidfd;
}

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Reaps what has ended, our rank for one, and lets go of who has made us its tracer. */
static void look_after(struct rank_watch *watch)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0 || (pid < 0 && errno != EINTR))
            return;
        if (pid > 0 && !let_go(pid, status) && pid == watch->pid)
            watch->code = code_of(status);
    }
}

/* The end of a rank that is dead, and that a tracer in its container holds: the kernel tells it those who could trace it. */
static int code_held(pid_t pid)
{
    static const char message[] = "rootless: the command has ended, and how is kept by a process that traces it in the container\n";
    char path[64], target[64], state;
    uint64_t status;
    put_text(put_number(put_text(path, "/proc/"), (uint64_t)pid), "/ns/user");
    if (readlink(path, target, sizeof target) > 0 && read_stat(pid, 49, &state, &status))
        return code_of((int)status);
    if (write(2, message, sizeof message - 1) < 0)
        return KEPT; /* no stderr to write to */
    return KEPT;
}

/* In a job, what does not heed SIGTERM is killed some time later, before the batch system kills all of it. */
static void pass_on(struct rank_watch *watch, int number)
{
    if (watch->ending && number == SIGALRM) {
        send_to(watch->pidfd, SIGKILL);
        return;
    }
    send_to(watch->pidfd, number);
    if (number == SIGTERM && watch->in_job && !watch->ending) {
        struct itimerval timer = {.it_value = watch->patience};
        watch->ending = true;
        setitimer(ITIMER_REAL, &timer, NULL);
    }
}

static void read_signals(struct rank_watch *watch, int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            pass_on(watch, (int)info.ssi_signo);
}

bool is_told_to_end(int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            return kill(getpid(), (int)info.ssi_signo) == 0; /* blocked: it comes when they are given back */
    return false;
}

void give_signals_back(int signals, const sigset_t *before)
{
    sigprocmask(SIG_SETMASK, before, NULL);
    if (signals >= 0)
        close(signals);
}

int wait_for_rank(pid_t pid, int signals, const struct facts *facts)
{
    struct rank_watch watch = {.pid = pid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0), .code = -1};
    uint64_t wait_s;
    if (*facts->wait_s && parse_number(facts->wait_s, 1u << 30, &wait_s)) {
        watch.in_job = true;
        watch.patience = (struct timeval){.tv_sec = (time_t)wait_s, .tv_usec = wait_s ? 0 : 1000}; /* 0 would switch it off */
    }
    struct pollfd polled[] = {{.fd = signals, .events = POLLIN}, {.fd = watch.pidfd, .events = POLLIN}};
    for (;;) {
        look_after(&watch);
        if (watch.code < 0 && polled[1].revents)
            watch.code = code_held(pid);
        if (watch.code >= 0)
            break;
        if (poll(polled, 2, -1) > 0 && polled[0].revents)
            read_signals(&watch, signals);
    }
    if (watch.pidfd >= 0)
        close(watch.pidfd);
    return watch.code;
}

void leave_container(int connection, const struct facts *facts)
{
    char answer[8];
    ssize_t size;
    shutdown(connection, SHUT_WR);
    do
        size = recv(connection, answer, sizeof answer, 0);
    while (size < 0 && errno == EINTR);
    int monitor = size == 1 && *answer == '-' ? open_process((pid_t)facts->monitor_pid, facts->monitor_start_time) : -1;
    struct pollfd ended = {.fd = monitor, .events = POLLIN};
    if (monitor >= 0 && poll(&ended, 1, REMOVED_MS) >= 0)
        close(monitor);
}
