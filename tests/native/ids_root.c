/* The program's own parts (helpers/ids), with a real listener: a task is killed while it asks, and another process has its number
   by the time that it is looked at. The other's root is the whole file system, the container's is "in". As the first process of a
   pid namespace. */

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ids/ids.h"

static volatile int *listener; /* shared with the askers */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* A process in "in" that asks for a file, with a listener that we hold as well. */
static pid_t ask(struct seccomp_notif *n)
{
    struct sock_filter each[] = {
        {BPF_LOAD, 0, 0, offsetof(struct seccomp_data, nr)}, {BPF_EQUAL, 0, 1, SYS_newfstatat},
        {BPF_RETURN, 0, 0, SECCOMP_RET_USER_NOTIF}, {BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW},
    };
    const struct { unsigned short length; struct sock_filter *filter; } program = {sizeof each / sizeof *each, each};
    *listener = -1;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        struct stat st;
        if (chroot("in") < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            _exit(1);
        *listener = (int)syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, 8 /* SECCOMP_FILTER_FLAG_NEW_LISTENER */, &program);
        syscall(SYS_newfstatat, AT_FDCWD, "/which", &st, 0);
        _exit(0);
    }
    while (*listener < 0 && waitpid(pid, NULL, WNOHANG) == 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    memset(n, 0, sizeof *n);
    if (ioctl(*listener, SECCOMP_IOCTL_NOTIF_RECV, n) < 0)
        fail("receive");
    return pid;
}

int main(void)
{
    struct seccomp_notif n;
    static struct place place;
    int here = open(".", O_PATH | O_DIRECTORY);
    listener = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    proc_fd = open("/proc", O_PATH | O_DIRECTORY);
    credentials_begin();
    pid_t asker = ask(&n);
    const struct request late = {*listener, n.id, asker, n.data.nr, n.data.args};
    kill(asker, SIGKILL);
    waitpid(asker, NULL, 0);
    struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&asker, .set_tid_size = 1};
    pid_t stranger = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (stranger == 0)
        for (;;)
            pause();
    if (stranger != asker)
        fail("clone3");

    struct credentials five = *credentials_of(getpid());
    struct rlimit limit;
    five.ruid = five.euid = 5;
    printf("set %d\n", credentials_set(&late, &five, NULL) == GONE);
    if (prlimit(stranger, RLIMIT_RTTIME, NULL, &limit) < 0)
        fail("prlimit");
    printf("limit %d\n", limit.rlim_cur == RLIM_INFINITY);

    if (!paths_begin())
        fail("paths");
    strcpy(place.path, "/which");
    printf("resolved %d\n", place_resolve(&late, AT_FDCWD, &place) == GONE);
    if (fchdir(here) < 0) /* for the next asker */
        fail("fchdir");
    asker = ask(&n);
    const struct request valid = {*listener, n.id, asker, n.data.nr, n.data.args};
    char found[16] = "";
    if (!paths_begin() || place_resolve(&valid, AT_FDCWD, &place) != 0)
        fail("resolve");
    int fd = open_beneath(-1, place.path, O_RDONLY, 0);
    if (fd < 0 || read(fd, found, sizeof found - 1) < 0)
        fail("open");
    printf("root %s\n", found);

    /* Of a namespace that is ours, too, nobody is sent a signal by us: neither he of the same ids, nor the stranger. */
    pid_t other = fork();
    if (other == 0)
        for (;;)
            pause();
    five.effective = five.permitted = 0;
    if (credentials_set(&valid, &five, NULL) != 0 || prlimit(asker, RLIMIT_RTTIME, NULL, &limit) < 0 || prlimit(other, RLIMIT_RTTIME, &limit, NULL) < 0)
        fail("limits");
    const struct request all = {valid.listener, valid.id, asker, SYS_kill, (const uint64_t[]){(uint64_t)-1, SIGKILL}};
    printf("kernel's %d\n", call_signal(&all) == CONTINUE);
    printf("lives %d\n", waitpid(other, NULL, WNOHANG) == 0);
    kill(other, SIGKILL);
    kill(asker, SIGKILL);
    kill(stranger, SIGKILL);
    return 0;
}
