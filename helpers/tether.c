/* Ties a program that knows nothing of us to a pipe: `rootless-tether --hold FD [--user FD] [--] PROGRAM ARGV...` joins the
   user namespace FD, starts PROGRAM, and kills it when the last copy of the pipe's other end is closed. It ends with the
   program's status (128+n for a signal), and the program with it, whatever became of it.

   A word @N of ARGV becomes /proc/OUR PID/fd/N: a path of a descriptor that we were given, for programs that close what
   they inherit. The kernel lets them, of the same user namespace, since we keep no capability that they might lack. */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/text.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same number on every architecture; Linux 5.3 */
#endif

static const char program[] = "rootless-tether";

static int descriptor_argument(const char *text)
{
    uint64_t number;
    if (!text || !parse_number(text, INT_MAX, &number))
        usage_error(program, "a descriptor is wanted");
    return (int)number;
}

/* In place of each word @N. */
static void name_descriptors(char **argv)
{
    for (; *argv; argv++) {
        uint64_t number;
        if ((*argv)[0] != '@' || !parse_number(*argv + 1, INT_MAX, &number))
            continue;
        char *path = malloc(64);
        if (!path)
            _exit(126);
        put_number(put_text(put_number(put_text(path, "/proc/"), (uint64_t)getpid()), "/fd/"), number);
        *argv = path;
    }
}

/* The program begins when this is done: the other end of `begin` is closed. */
static void drop_capabilities(int begin)
{
    struct {
        uint32_t version;
        int pid;
    } header = {.version = 0x20080522};
    static const uint32_t none[2 * 3]; /* effective, permitted, inheritable, twice: linux/capability.h */
    if (syscall(SYS_capset, &header, none) < 0)
        usage_error(program, strerror(errno));
    close(begin);
}

_Noreturn static void run(char **argv, pid_t parent, const int *begin)
{
    char byte;
    close(begin[1]);
    if (read(begin[0], &byte, 1) < 0)
        _exit(126);
    close(begin[0]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126); /* it has been killed before that was said */
    execv(argv[0], argv);
    _exit(errno == ENOENT ? 127 : 126);
}

static int status_of(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 126;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    int hold = -1, user = -1, at = 1;
    for (; at + 1 < argc; at += 2) {
        if (!strcmp(argv[at], "--hold"))
            hold = descriptor_argument(argv[at + 1]);
        else if (!strcmp(argv[at], "--user"))
            user = descriptor_argument(argv[at + 1]);
        else
            break;
    }
    if (at < argc && !strcmp(argv[at], "--"))
        at++;
    if (hold < 0 || at >= argc)
        usage_error(program, "--hold FD and a program are wanted");
    if (user >= 0 && setns(user, CLONE_NEWUSER) < 0)
        usage_error(program, strerror(errno));
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would have the kernel reap our child */
    signal(SIGPIPE, SIG_DFL); /* pasta ends at once where that is ignored already; then it ignores it */
    name_descriptors(argv + at);
    int begin[2];
    if (pipe(begin) < 0)
        usage_error(program, strerror(errno));
    pid_t self = getpid(), child = fork();
    if (child == 0)
        run(argv + at, self, begin);
    close(begin[0]);
    drop_capabilities(begin[1]);
    int ended = child > 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;
    if (ended < 0)
        usage_error(program, strerror(errno)); /* and a child of ours ends with us */
    trim_footprint();
    struct pollfd watched[] = {{.fd = hold}, {.fd = ended, .events = POLLIN}};
    while (!watched[0].revents && !watched[1].revents)
        if (poll(watched, 2, -1) < 0 && errno != EINTR)
            break;
    if (!watched[1].revents)
        kill(child, SIGKILL);
    return status_of(child);
}
