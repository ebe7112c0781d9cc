/* What a process does to another: signals (kill_ok_by_cred() of kernel/signal.c), tracing, and its memory (kernel/ptrace.c).
   For the kernel all are one user's. Whom a number means in the task's pid namespace the kernel tells since Linux 6.11:
   before, all is let. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "search.h"
#include "lib/text.h"

#define KNOWN_SIGNALS 64u
#define IOPRIO_WHO_PROCESS 1

/* The task's pid namespace, to be closed; -1. */
static int namespace_of(const struct request *r)
{
    char path[64];
    put_text(put_number(path, (uint64_t)r->task), "/ns/pid");
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || request_valid(r))
        return fd;
    close(fd);
    return -1;
}

/* The thread that has this number for the task; -1: there is none. */
static pid_t thread_of(int namespace, uint64_t number)
{
    return (int32_t)number <= 0 ? -1 : ioctl(namespace, NS_GET_PID_FROM_PIDNS, (unsigned long)(uint32_t)number);
}

static pid_t process_of(pid_t thread)
{
    return (pid_t)request_status(thread, "\nTgid:\t", 10);
}

/* What the task's pidfd is of; -1. */
static pid_t thread_of_descriptor(const struct request *r, int fd)
{
    char path[64], text[512], *end = put_text(put_number(path, (uint64_t)r->task), "/fdinfo/");
    if (fd < 0)
        return -1;
    put_number(end, (uint64_t)fd);
    int info = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t size = info < 0 ? -1 : read(info, text, sizeof text - 1);
    if (info >= 0)
        close(info);
    text[size > 0 ? size : 0] = 0;
    const char *pid = strstr(text, "\nPid:\t");
    return pid && request_valid(r) ? (pid_t)strtol(pid + 6, NULL, 10) : -1;
}

static bool may_signal(const struct credentials *by, pid_t from, pid_t to, int signal)
{
    const struct credentials *of = credentials_of(to);
    return by == of || by->euid == of->suid || by->euid == of->ruid || by->ruid == of->suid || by->ruid == of->ruid ||
           (signal == SIGCONT && getsid(from) == getsid(to));
}

/* Sends it to one of the many: by a descriptor that was looked at after it was opened, never to a stranger. */
static void send_to(int namespace, pid_t process, int signal)
{
    int fd = (int)syscall(SYS_pidfd_open, process, 0);
    if (fd < 0)
        return;
    if (signal && ioctl(namespace, NS_GET_PID_IN_PIDNS, (unsigned long)process) > 1)
        syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
    close(fd);
}

struct many {
    size_t all, allowed, sent;
};

/* All of a process group, or (0) all that the task sees but itself and the first: how many there are, and how many it may send to.
   `sends`: those get it. */
static struct many signal_many(const struct request *r, int namespace, pid_t group, bool sends)
{
    struct many found = {0, 0, 0};
    const struct credentials *by = credentials_of(r->task);
    const pid_t own = process_of(r->task);
    const int signal = (int)r->args[1], again = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *processes = again < 0 ? NULL : fdopendir(again);
    if (!processes) {
        if (again >= 0)
            close(again);
        return found;
    }
    for (struct dirent *each; (each = readdir(processes));) {
        uint64_t pid;
        if (!parse_number(each->d_name, INT32_MAX, &pid) || (group && getpgid((pid_t)pid) != group) || (!group && (pid_t)pid == own) ||
            ioctl(namespace, NS_GET_PID_IN_PIDNS, (unsigned long)pid) <= (group ? 0 : 1))
            continue;
        found.all++;
        if (!may_signal(by, r->task, (pid_t)pid, signal))
            continue;
        found.allowed++;
        if (sends && (pid_t)pid != own)
            send_to(namespace, (pid_t)pid, signal);
        else if (sends)
            found.sent = 1; /* itself, to be done last */
    }
    closedir(processes);
    return found;
}

/* --pid host: whom it may reach there Landlock says, which does not bind us; and other containers' processes have numbers of sets
   that are not in our table. */
static bool is_ours(int namespace)
{
    struct stat theirs, ours;
    int own = openat(proc_fd, "self/ns/pid", O_RDONLY | O_CLOEXEC);
    bool same = own < 0 || fstat(own, &ours) < 0 || fstat(namespace, &theirs) < 0 || ours.st_ino == theirs.st_ino;
    if (own >= 0)
        close(own);
    return same;
}

pid_t thread_numbered(const struct request *r, uint64_t number)
{
    int namespace = namespace_of(r);
    const pid_t found = namespace < 0 || is_ours(namespace) ? -1 : thread_of(namespace, number);
    if (namespace >= 0)
        close(namespace);
    return found;
}

static int64_t kill_many(const struct request *r, int namespace)
{
    const int to = (int)r->args[0];
    const pid_t group = to == -1 ? 0 : to == 0 ? getpgid(r->task) : thread_of(namespace, (uint64_t)-(int64_t)to);
    if (to != -1 && group <= 0)
        return CONTINUE; /* of a group whose first process has ended nothing is known */
    struct many found = signal_many(r, namespace, group, false);
    if (found.allowed == found.all || (found.allowed && is_ours(namespace)))
        return CONTINUE;
    if (!found.allowed)
        return to == -1 ? 0 : -EPERM; /* kill(2) of all has no such error */
    if (signal_many(r, namespace, group, true).sent)
        send_to(namespace, process_of(r->task), (int)r->args[1]);
    return 0;
}

static int64_t kill_one(const struct request *r, int namespace)
{
    const uint64_t *a = r->args;
    const bool of_thread = r->nr == SYS_tgkill || r->nr == SYS_rt_tgsigqueueinfo;
    const pid_t to = r->nr == SYS_pidfd_send_signal ? thread_of_descriptor(r, (int)a[0]) : thread_of(namespace, a[of_thread]);
    if (to <= 0 || (of_thread && (int)a[0] > 0 && process_of(to) != thread_of(namespace, a[0])))
        return CONTINUE;
    return may_signal(credentials_of(r->task), r->task, to, (int)a[1 + of_thread]) || process_of(r->task) == process_of(to) ? CONTINUE : -EPERM;
}

int64_t call_signal(const struct request *r)
{
    const bool of_thread = r->nr == SYS_tgkill || r->nr == SYS_rt_tgsigqueueinfo;
    if (has_in_force(r, credentials_of(r->task), CAP_KILL) || (uint32_t)r->args[1 + of_thread] > KNOWN_SIGNALS)
        return CONTINUE;
    int namespace = namespace_of(r);
    if (namespace < 0)
        return request_valid(r) ? CONTINUE : GONE;
    int64_t result = r->nr == SYS_kill && (int)r->args[0] <= 0 ? kill_many(r, namespace) : kill_one(r, namespace);
    close(namespace);
    return result;
}

/* Whether it may set the priority of the other's, and the like: each call has its own rule (kernel/sys.c, kernel/sched,
   block/ioprio.c). */
static bool may_set(const struct credentials *by, const struct credentials *of, int nr)
{
    switch (nr) {
    case SYS_prlimit64:
        return by->ruid == of->euid && by->ruid == of->suid && by->ruid == of->ruid && by->rgid == of->egid && by->rgid == of->sgid && by->rgid == of->rgid;
    case SYS_ioprio_set: return of->ruid == by->euid || of->ruid == by->ruid;
    default: return of->ruid == by->euid || of->euid == by->euid;
    }
}

/* Whether it takes the host's root to do it to another's process. */
static bool is_host_roots(int nr)
{
    return nr == SYS_ioprio_set || nr == SYS_sched_setscheduler || nr == SYS_sched_setparam || nr == SYS_sched_setattr;
}

/* setpriority(2), ioprio_set(2), sched_setaffinity(2), sched_setscheduler(2), sched_setparam(2), sched_setattr(2), prlimit(2) of
   one process that is another. */
int64_t call_priority(const struct request *r)
{
    const struct credentials *by = credentials_of(r->task);
    const bool by_kind = r->nr == SYS_setpriority || r->nr == SYS_ioprio_set;
    const int one = r->nr == SYS_ioprio_set ? IOPRIO_WHO_PROCESS : PRIO_PROCESS;
    const int capability = r->nr == SYS_prlimit64 ? CAP_SYS_RESOURCE : CAP_SYS_NICE;
    if ((!is_host_roots(r->nr) && has_in_force(r, by, capability)) || (by_kind && (int)r->args[0] != one) || (int)r->args[by_kind] <= 0)
        return CONTINUE;
    int namespace = namespace_of(r);
    if (namespace < 0)
        return request_valid(r) ? CONTINUE : GONE;
    const pid_t to = thread_of(namespace, r->args[by_kind]);
    close(namespace);
    if (to <= 0 || process_of(r->task) == process_of(to))
        return CONTINUE;
    return may_set(by, credentials_of(to), r->nr) ? CONTINUE : -EPERM;
}

/* ptrace(2) that begins, process_vm_readv(2), process_vm_writev(2), pidfd_getfd(2). */
int64_t call_trace(const struct request *r)
{
    const struct credentials *by = credentials_of(r->task);
    if (has_in_force(r, by, CAP_SYS_PTRACE))
        return CONTINUE;
    int namespace = namespace_of(r);
    if (namespace < 0)
        return request_valid(r) ? CONTINUE : GONE;
    const pid_t to = r->nr == SYS_pidfd_getfd ? thread_of_descriptor(r, (int)r->args[0]) : thread_of(namespace, r->args[r->nr == SYS_ptrace]);
    close(namespace);
    if (to <= 0)
        return CONTINUE;
    const struct credentials *of = credentials_of(to);
    bool same = by->ruid == of->euid && by->ruid == of->suid && by->ruid == of->ruid && by->rgid == of->egid && by->rgid == of->sgid && by->rgid == of->rgid &&
                !(of->permitted & ~by->permitted);
    return same || process_of(r->task) == process_of(to) ? CONTINUE : -EPERM;
}
