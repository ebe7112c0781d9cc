#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/signals.h"
#include "lib/text.h"

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

int take_signals(void)
{
    sigset_t set;
    ignore_signals(); /* none may take the container along. SIGKILL does (its PDEATHSIG) */
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would have the kernel reap our child */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void run_command(char **argv, uint64_t open_files)
{
    struct rlimit limit;
    default_signals();
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    if (open_files && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = open_files;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    execvp(argv[0], argv);
    _exit(127);
}

int pidfd_open_child(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec */
}

int held_status(pid_t pid)
{
    char path[64], text[1024];
    const int unknown = 137 << 8;
    char *end = put_number(put_text(path, "/proc/"), (uint64_t)pid);
    /* exit_code of proc_pid_stat(5) is 0 for a reader without ptrace rights; a namespace's name needs the same rights. */
    put_text(end, "/ns/user");
    if (readlink(path, text, sizeof text) < 0)
        return unknown;
    put_text(end, "/stat");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
        size--;
    if (size <= 0)
        return unknown;
    text[size] = 0;
    /* The last field; the name, which is the process's to choose, stands in parentheses far before. */
    uint64_t number;
    const char *last = strrchr(text, ' ');
    return last && parse_number(last + 1, 0xffff, &number) ? (int)number : unknown;
}

int exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void passed_numbers(int *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = 3 + (int)i;
}

void passed_inherit(size_t count)
{
    for (size_t i = 0; i < count; i++)
        fcntl(3 + (int)i, F_SETFD, 0);
}

void wait_and_run(int64_t wait_ms, char **argv, size_t passed)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    /* The terminal's end is none of ours; SIGTERM is, so that a machine can be shut down meanwhile. */
    ignore_signals();
    signal(SIGTERM, SIG_DFL);
    int keep[PASSED_MAX];
    passed_numbers(keep, passed);
    keep_only(keep, passed);
    detach_stdio();
    if (chdir("/") == 0)
        trim_footprint();
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
    passed_inherit(passed);
    run_command(argv, 0);
}
