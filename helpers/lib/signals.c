#include "lib/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

static const int sent[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGALRM,   SIGTERM, SIGUSR1,
                           SIGUSR2, SIGXCPU, SIGXFSZ, SIGIO,   SIGVTALRM, SIGPROF, SIGPWR};

static void set_all(void (*handler)(int))
{
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
        signal(sent[i], handler);
}

void ignore_signals(void)
{
    set_all(SIG_IGN);
}

void default_signals(void)
{
    sigset_t none;
    set_all(SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int sigterm_descriptor(void)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGTERM);
    sigprocmask(SIG_BLOCK, &one, NULL);
    signal(SIGTERM, SIG_DFL); /* ignored, it would not wait to be read */
    return signalfd(-1, &one, SFD_CLOEXEC | SFD_NONBLOCK);
}
