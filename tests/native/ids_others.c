/* Of ids_calls: what is asked of other processes, and of files by who is not their owner. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef COMPAT
#define CALL(...) (errno = 0, syscall(__VA_ARGS__))
#endif

int step_of_others(const char *op, const char *line);
void say(const char *what, long result);
void own_links(void);

/* A process that waits for our end, of these ids; in a group of its own, with `other` in it, which stays who we are. */
pid_t target;
static pid_t other;

static pid_t start(long ruid, long euid, long suid, long gid, pid_t group)
{
    int ready[2], end[2];
    static char word = 'w';
    if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(end, O_CLOEXEC) < 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[0]);
        close(end[1]);
        setpgid(0, group);
        if (ruid >= 0) {
            syscall(SYS_setresgid, gid, gid, gid);
            syscall(SYS_setresuid, ruid, euid, suid);
        }
        /* Who has dropped his own may not trace who has any for the kernel. */
        if (syscall(SYS_geteuid) != 0)
            syscall(SYS_capset, &(struct { unsigned version; int pid; }){0x20080522, 0}, (unsigned[6]){0});
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        close(ready[1]);
        while (read(end[0], &word, 1) < 0)
            ;
        _exit(0);
    }
    close(ready[1]);
    while (read(ready[0], &word, 1) < 0)
        ;
    close(ready[0]);
    close(end[0]); /* end[1] stays open with us */
    return pid;
}

static void trace(void)
{
    long result = CALL(SYS_ptrace, PTRACE_SEIZE, target, 0, 0);
    say("seize", result);
    if (result == 0) {
        CALL(SYS_ptrace, PTRACE_INTERRUPT, target, 0, 0);
        waitpid(target, NULL, __WALL);
        CALL(SYS_ptrace, PTRACE_DETACH, target, 0, 0);
    }
}

static void signals(int number)
{
    siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE};
    say("kill", CALL(SYS_kill, target, number));
    say("tkill", CALL(SYS_tkill, target, number));
    say("tgkill", CALL(SYS_tgkill, target, target, number));
    say("tgkill of another", CALL(SYS_tgkill, getpid(), target, number));
    say("queue", CALL(SYS_rt_sigqueueinfo, target, number, &info));
    say("thread's queue", CALL(SYS_rt_tgsigqueueinfo, target, target, number, &info));
    int fd = (int)syscall(SYS_pidfd_open, target, 0);
    say("by descriptor", CALL(SYS_pidfd_send_signal, fd, number, NULL, 0));
    say("getfd", CALL(SYS_pidfd_getfd, fd, 99, 0));
    close(fd);
    say("the first", CALL(SYS_kill, 1, number == SIGURG ? 0 : number));
    say("itself", CALL(SYS_kill, getpid(), number) | CALL(SYS_tgkill, getpid(), gettid(), number));
    say("group", CALL(SYS_kill, -target, number));
    say("own group", CALL(SYS_kill, 0, 0));
    say("all", CALL(SYS_kill, -1, 0));
    say("nobody", CALL(SYS_kill, 999999, number));
}

/* root's process and one of another user's are a group, to which that user sends its end: only his own gets it. */
static void crowd(void)
{
    int status = 0;
    pid_t ours = start(-1, -1, -1, -1, 0), theirs = start(33, 33, 33, 33, ours), sender = fork();
    if (sender == 0) {
        syscall(SYS_setresuid, 33, 33, 33);
        say("crowd", CALL(SYS_kill, -ours, SIGKILL));
        fflush(stdout);
        _exit(0);
    }
    waitpid(sender, NULL, 0);
    waitpid(theirs, &status, 0);
    printf("theirs %d, ours %d\n", WIFSIGNALED(status), waitpid(ours, &status, WNOHANG));
}

static void memory(void)
{
    static char word[4];
    struct iovec here = {word, sizeof word}, there = {word, sizeof word};
    say("read memory", CALL(SYS_process_vm_readv, target, &here, 1, &there, 1, 0));
    say("write memory", CALL(SYS_process_vm_writev, target, &here, 1, &there, 1, 0));
    say("own memory", CALL(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0));
}

static void times(const char *path, long kind, int flags)
{
    static const struct timespec given[][2] = {
        {{1, 2}, {3, 4}}, {{0, UTIME_NOW}, {0, UTIME_NOW}}, {{0, UTIME_OMIT}, {0, UTIME_OMIT}}, {{0, UTIME_NOW}, {0, UTIME_OMIT}}, {{1, 1000000000}, {1, 2}},
    };
    const struct timespec *chosen = kind < 0 ? NULL : given[kind];
    say("utimensat", CALL(SYS_utimensat, AT_FDCWD, path, chosen, flags));
    if (flags)
        return;
#ifdef SYS_utimes
    say("utimes", CALL(SYS_utimes, path, chosen ? (long[]){1, 2, 3, 4} : NULL));
    say("futimesat", CALL(SYS_futimesat, AT_FDCWD, path, NULL));
    say("utime", CALL(SYS_utime, path, chosen ? (long[]){1, 2} : NULL));
#endif
    int fd = (int)CALL(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return say("open", fd);
    say("futimens", CALL(SYS_utimensat, fd, NULL, chosen, 0));
    close(fd);
    fd = (int)CALL(SYS_openat, AT_FDCWD, path, O_PATH, 0);
    say("futimens of a name", CALL(SYS_utimensat, fd, NULL, chosen, 0));
    close(fd);
}

static void attributes(const char *path, const char *name)
{
    struct stat st;
    /* tmpfs and a file system of the disk differ in what links may have: not in who may set it. */
    say("setxattr", CALL(SYS_setxattr, path, name, "v", 1, 0));
    say("removexattr", CALL(SYS_removexattr, path, name));
    if (CALL(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(st.st_mode))
        return;
    int fd = (int)CALL(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return;
    say("fsetxattr", CALL(SYS_fsetxattr, fd, name, "v", 1, 0));
    say("fremovexattr", CALL(SYS_fremovexattr, fd, name));
    close(fd);
}

static void reach(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say("connect", CALL(SYS_connect, fd, &address, sizeof address));
    close(fd);
}

static void files_of_process(pid_t pid)
{
    static const struct { const char *name; int flags; } files[] = {
        {"environ", O_RDONLY}, {"auxv", O_RDONLY}, {"pagemap", O_RDONLY}, {"mem", O_RDWR}, {"maps", O_RDONLY}, {"smaps", O_RDONLY},
        {"fd", O_RDONLY}, {"fd/0", O_RDONLY | O_PATH},
        {"status", O_RDONLY}, {"comm", O_WRONLY}, {"limits", O_RDONLY}, {"oom_score_adj", O_RDWR}, {"task", O_RDONLY},
        {"cwd", O_RDONLY}, {"root/", O_RDONLY}, {"exe", O_RDONLY}, {"exe", O_PATH | O_NOFOLLOW}, {"ns/user", O_RDONLY}, {"ns", O_RDONLY},
        {"cwd/d", O_RDONLY}, {"task/../maps", O_RDONLY}, {"nothere", O_RDONLY}, {"net/dev", O_RDONLY}, {"../uptime", O_RDONLY},
        {"../self/environ", O_RDONLY}, {"../thread-self/comm", O_RDONLY}, {"../sys/kernel/hostname", O_RDONLY},
    };
    char path[128], text[8];
    struct stat st;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    snprintf(path, sizeof path, "/proc/%d", pid);
    const int directory = (int)CALL(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (pid != getpid() && !strcmp(files[i].name, "cwd/d"))
            continue; /* through another's link nobody but root goes on */
        snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i].name);
        int fd = (int)CALL(SYS_openat, AT_FDCWD, path, files[i].flags, 0);
        say(files[i].name, fd < 0 ? fd : 0);
        close(fd);
        fd = (int)CALL(SYS_openat, directory, files[i].name, files[i].flags, 0);
        say("from there", fd < 0 ? fd : 0);
        close(fd);
        const long size = CALL(SYS_readlinkat, AT_FDCWD, path, text, sizeof text);
        say("leads", size < 0 ? size : 0);
        say("seen", CALL(SYS_newfstatat, AT_FDCWD, path, &st, 0));
    }
    close(directory);
}

static void priority(void)
{
    static unsigned long limits[2], mask[16] = {~0ul};
    static int normal;
    say("nice", CALL(SYS_setpriority, 0, target, 5));
    say("nice itself", CALL(SYS_setpriority, 0, 0, 5));
    say("nice nobody", CALL(SYS_setpriority, 0, 999999, 5));
    say("io", CALL(SYS_ioprio_set, 1, target, 2 << 13 | 5));
    say("processors", CALL(SYS_sched_setaffinity, target, sizeof mask, mask));
    say("scheduler", CALL(SYS_sched_setscheduler, target, 0, &normal));
    say("limits", CALL(SYS_prlimit64, target, 7, NULL, limits));
    say("own limits", CALL(SYS_prlimit64, getpid(), 7, NULL, limits));
}

/* Whether the word is one of ours. */
int step_of_others(const char *op, const char *line)
{
    char p[256] = "", q[64] = "";
    long a = 0, b = 0, c = 0, d = 0;
    if (!strcmp(op, "target")) {
        sscanf(line, "%*s %ld %ld %ld %ld", &a, &b, &c, &d);
        target = start(a, b, c, d, 0);
        other = start(-1, -1, -1, -1, target);
    } else if (!strcmp(op, "signal")) {
        sscanf(line, "%*s %ld", &a);
        if (target)
            signals((int)a);
    } else if (!strcmp(op, "links"))
        own_links();
    else if (!strcmp(op, "process"))
        target ? files_of_process(target), files_of_process(getpid()) : (void)0;
    else if (!strcmp(op, "priority"))
        target ? priority() : (void)0;
    else if (!strcmp(op, "crowd"))
        fflush(stdout), crowd();
    else if (!strcmp(op, "trace") || !strcmp(op, "memory"))
        target ? *op == 't' ? trace() : memory() : (void)0;
    else if (!strcmp(op, "times"))
        sscanf(line, "%*s %255s %ld %li", p, &a, &b), times(p, a, (int)b);
    else if (!strcmp(op, "attribute"))
        sscanf(line, "%*s %255s %63s", p, q), attributes(p, q);
    else if (!strcmp(op, "connect"))
        sscanf(line, "%*s %255s", p), reach(p);
    else if (!strcmp(op, "readlink")) {
        char text[256];
        sscanf(line, "%*s %255s", p);
        say(op, CALL(SYS_readlinkat, AT_FDCWD, p, text, sizeof text));
    } else if (!strcmp(op, "fchdir")) {
        sscanf(line, "%*s %255s", p);
        int fd = (int)CALL(SYS_openat, AT_FDCWD, p, O_PATH, 0);
        say(op, fd < 0 ? fd : CALL(SYS_fchdir, fd));
        close(fd);
    } else if (!strcmp(op, "watch")) {
        sscanf(line, "%*s %255s", p);
        int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        say(op, CALL(SYS_inotify_add_watch, fd, p, IN_ALL_EVENTS));
        say("watch no link", CALL(SYS_inotify_add_watch, fd, p, IN_ALL_EVENTS | IN_DONT_FOLLOW) < 0 ? -1 : 0);
        close(fd);
    } else if (!strcmp(op, "statfs")) {
        struct statfs fs;
        sscanf(line, "%*s %255s", p);
        say(op, CALL(SYS_statfs, p, &fs));
    } else
        return 0;
    return 1;
}
