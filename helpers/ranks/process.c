#include "ranks/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/text.h"
#include "ranks/become.h"
#include "ranks/environment.h"
#include "ranks/kernel.h"
#include "ranks/wait.h"

#define MOST_PASSED 2
#define PATIENCE_MS 5000

static const struct {
    const char *name;
    uint64_t flag;
} kinds[] = {{"user", CLONE_NEWUSER}, {"ipc", CLONE_NEWIPC},       {"uts", CLONE_NEWUTS},   {"net", CLONE_NEWNET},
             {"pid", CLONE_NEWPID},   {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME}, {"mnt", CLONE_NEWNS}};

uint64_t other_namespaces(pid_t pid)
{
    uint64_t found = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char own[64], path[64];
        struct stat ours, theirs;
        put_text(put_text(own, "/proc/self/ns/"), kinds[i].name);
        put_text(put_text(put_number(put_text(path, "/proc/"), (uint64_t)pid), "/ns/"), kinds[i].name);
        if (stat(own, &ours) < 0)
            continue; /* older than this kind of namespace */
        if (stat(path, &theirs) < 0)
            return 0;
        if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino)
            found |= kinds[i].flag;
    }
    return found;
}

/* The program that executes the command, in sealed memory (rootless/runtime/process/memfd.py); -1 where that cannot be. */
static int open_sealed(const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC), sealed = -1;
    if (file < 0)
        return -1;
    if (fstat(file, &status) == 0) {
        unsigned flags = MEMFD_CLOEXEC | MEMFD_ALLOW_SEALING;
        sealed = (int)syscall(SYS_memfd_create, "rootless-exec", flags | MEMFD_EXEC);
        if (sealed < 0 && errno == EINVAL)
            sealed = (int)syscall(SYS_memfd_create, "rootless-exec", flags);
    }
    for (off_t left = status.st_size; sealed >= 0 && left > 0;) {
        ssize_t n = sendfile(sealed, file, NULL, (size_t)left);
        if (n <= 0) {
            close(sealed);
            sealed = -1;
        }
        left -= n;
    }
    close(file);
    if (sealed >= 0 && fcntl(sealed, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        close(sealed);
        return -1;
    }
    return sealed;
}

/* The descriptors to a process manager, as _passed of rootless/cli/commands/container/run_shared.py. */
static size_t find_passed(int *passed)
{
    static const char *const names[] = {"PMI_FD", "HYDI_CONTROL_FD"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *word = getenv(names[i]);
        uint64_t number;
        struct stat status;
        /* One that would not have come over an exec is ours: the caller's is closed, and its variable was left behind. */
        if (word && parse_number(word, 1u << 30, &number) && number > 2 && fcntl((int)number, F_GETFD) == 0 &&
            fstat((int)number, &status) == 0 &&
            (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode)))
            passed[count++] = (int)number;
    }
    return count;
}

/* Enters the container, where the command is born; returns its pid, 0 in it, -1. */
static pid_t fork_inside(const struct facts *facts, int init, const struct rank *rank)
{
    int kept[2 + MOST_PASSED] = {rank->channel, rank->program}, count = 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* Before anything of the container can see us (CVE-2016-9962). */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setns(init, (int)facts->namespaces) < 0)
        return -1;
    for (size_t i = 0; i < rank->passed_count; i++)
        kept[count++] = rank->passed[i];
    /* What our caller had open is nothing of the container's, not even for a moment. */
    keep_only(kept, (size_t)count);
    return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

/* Until it has executed its command: true; false where it has not. What the sender says is nothing that we read: it may be the
   container's by then, and every word of it means that Python is to try. */
static bool has_executed(int channel, int signals, const struct shared *shared)
{
    struct pollfd polled[] = {{.fd = channel, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    char byte;
    ssize_t size;
    while (!polled[0].revents) {
        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            return false;
        if (!polled[0].revents && polled[1].revents && is_told_to_end(signals))
            return false;
    }
    do
        size = recv(channel, &byte, 1, 0);
    while (size < 0 && errno == EINTR);
    return size == 0 && shared->stage == EXECUTING;
}

/* Where a tracer in the container holds it even then, it is left to that: it goes with the container. */
static void end(pid_t pid)
{
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    kill(pid, SIGKILL);
    if (ended.fd >= 0 && poll(&ended, 1, PATIENCE_MS) >= 0)
        close(ended.fd);
    waitpid(pid, NULL, WNOHANG);
}

static pid_t start(const struct facts *facts, int init, int signals, struct rank *rank, int channel)
{
    struct shared *shared = rank->shared;
    pid_t intermediate = fork();
    if (intermediate < 0)
        return -1;
    if (intermediate == 0) {
        pid_t pid = fork_inside(facts, init, rank);
        if (pid == 0)
            become_rank(facts, rank);
        shared->pid = pid;
        _exit(0);
    }
    close(rank->channel);
    rank->channel = -1;
    while (waitpid(intermediate, NULL, 0) < 0 && errno == EINTR)
        continue;
    pid_t pid = shared->pid;
    if (pid == 0) { /* killed: whether there is a command nobody knows, and it ends with us */
        static const char message[] = "rootless: a process of the launch was killed\n";
        _exit(write(2, message, sizeof message - 1) < 0 ? 126 : 125);
    }
    if (pid < 0)
        return -1;
    if (has_executed(channel, signals, shared))
        return pid;
    end(pid);
    return -1;
}

pid_t start_rank(const struct facts *facts, int init, int signals)
{
    int pair[2], passed[MOST_PASSED];
    struct rank rank = {.program = open_sealed(facts->program), .passed = passed, .channel = -1};
    pid_t pid = -1;
    if (rank.program < 0)
        return -1;
    rank.passed_count = find_passed(passed);
    rank.environment = make_environment(facts);
    rank.shared = mmap(NULL, sizeof *rank.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (rank.environment && rank.shared != MAP_FAILED && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) {
        rank.channel = pair[1];
        pid = start(facts, init, signals, &rank, pair[0]);
        close(pair[0]);
        if (rank.channel >= 0)
            close(rank.channel);
    }
    close(rank.program);
    return pid;
}
