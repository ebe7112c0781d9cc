/* PID 1 of a container started with --init: `rootless-init [--] ARGV...` starts ARGV in a process
   group of its own (in the foreground of the terminal, where there is one), forwards signals to
   it, reaps what is orphaned, and ends with its status: 128+n if signal n ended it, 127 if there
   is no such command, 126 if it cannot be run. As tini and catatonit do.

   `rootless-init -P` starts nothing: it keeps the namespaces of a pod, reaps what is orphaned in them, and ends,
   with status 0, when SIGTERM or SIGINT comes from outside. What shares the pid namespace can neither end nor trace it.

   `rootless-init -S` starts nothing either: it is PID 1 of a container that several commands share (members.h), and ends with
   the last of them. */

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/members.h"
#include "lib/text.h"
#include "lib/tracee.h"

static void take_signals(sigset_t *all, sigset_t *before)
{
    /* Not those that tell of a fault in ourselves: blocked, they would be forwarded. */
    static const int faults[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};
    sigfillset(all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(all, faults[i]);
    sigprocmask(SIG_SETMASK, all, before);
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would have the kernel reap our child */
}

_Noreturn static void run(char **argv, const sigset_t *mask)
{
    setpgid(0, 0);
    tcsetpgrp(0, getpgrp()); /* SIGTTOU is blocked still; ENOTTY is fine */
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    int error = errno;
    char message[512], *p = put_text(message, "rootless-init: cannot run ");
    p = strlen(argv[0]) < 256 ? put_text(p, argv[0]) : put_text(p, "the command");
    p = put_text(put_text(put_text(p, ": "), strerror(error)), "\n");
    if (write(2, message, (size_t)(p - message)) < 0)
        _exit(126);
    _exit(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

/* Reaps all that has ended, and lets go of who traces itself by us; ends with the child's status if it has ended. */
static void reap(pid_t child)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && let_go(pid, status))
            continue;
        if (pid == child && pid > 0)
            exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
        if (pid == 0 || (pid < 0 && errno != EINTR))
            return;
    }
}

_Noreturn static void keep_namespaces(void)
{
    sigset_t all, before;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    take_signals(&all, &before);
    keep_only(NULL, 0);
    trim_footprint();
    for (;;) {
        siginfo_t info;
        int signal_number = sigwaitinfo(&all, &info);
        if (signal_number == SIGCHLD)
            reap(0);
        /* Of a sender in another pid namespace, the host's, si_pid is 0. */
        else if ((signal_number == SIGTERM || signal_number == SIGINT) && (getpid() != 1 || info.si_pid == 0))
            _exit(0);
    }
}

/* Ends when the last member has gone. SIGTERM is no reason: a batch system sends it to every process of a job, and the commands
   see to theirs; the stop signal is SIGPWR. */
_Noreturn static void serve_members(void)
{
    sigset_t all, before;
    int listener = 3;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    take_signals(&all, &before);
    keep_only(&listener, 1);
    int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    struct members *members = signals < 0 ? NULL : new_members(listener, signals);
    if (!members)
        usage_error("rootless-init", strerror(errno));
    trim_footprint();
    while (wait_for_members(members)) {
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == sizeof info) {
            if (info.ssi_signo == SIGCHLD)
                reap(0);
            else if (info.ssi_signo == SIGPWR && (getpid() != 1 || info.ssi_pid == 0))
                _exit(0);
        }
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    sigset_t all, before;
    char **command = argv + 1;
    prctl(PR_SET_NAME, "rootless-init", 0, 0, 0); /* it was executed from memory, and was called after that */
    if (argc == 2 && strcmp(*command, "-P") == 0)
        keep_namespaces();
    if (argc == 2 && strcmp(*command, "-S") == 0)
        serve_members();
    if (argc > 1 && strcmp(*command, "--") == 0)
        command++;
    if (!argv[0] || !*command)
        usage_error("rootless-init", "usage: rootless-init [--] COMMAND [ARGUMENT...] | -P | -S");
    if (getpid() != 1) /* a shared pid namespace: orphans of the command still come to us */
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    take_signals(&all, &before);
    pid_t child = fork();
    if (child < 0)
        usage_error("rootless-init", strerror(errno));
    if (child == 0)
        run(command, &before);
    /* The child does the same for itself: whoever is first, a signal finds the group there. */
    setpgid(child, child);
    keep_only(NULL, 0); /* sockets handed to the command (LISTEN_FDS) are its own to close */
    trim_footprint();
    for (;;) {
        siginfo_t info;
        int signal_number = sigwaitinfo(&all, &info);
        if (signal_number == SIGCHLD)
            reap(child);
        /* Stopping a terminal's background processes is about ourselves, not about the child. */
        else if (signal_number > 0 && signal_number != SIGTTIN && signal_number != SIGTTOU)
            kill(child, signal_number);
    }
}
