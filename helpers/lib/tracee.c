#include "tracee.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

bool let_go(pid_t pid, int status)
{
    siginfo_t info;
    if (!WIFSTOPPED(status))
        return WIFCONTINUED(status);
    int number = WSTOPSIG(status);
    /* That of its execve(2) is for tracers only. */
    if (number == SIGTRAP && ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0 && info.si_code == SI_USER)
        number = 0;
    ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)number);
    return true;
}
